# requires: inspect-ai openai anthropic mistralai
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import match
from inspect_ai.solver import solver
from inspect_ai.tool import ToolInfo, ToolParams
from inspect_ai.util import JSONSchema

import cachy

tool = ToolInfo(name='weather', description='The weather', parameters=ToolParams(properties=dict(city=JSONSchema(type='string', description='Its name')), required=['city']))
names = ('openai/gpt-4o', 'anthropic/claude-sonnet-4-5', 'mistral/mistral-large-latest')

async def ask(name, prompt, **options): return await get_model(name, config=GenerateConfig(max_retries=0), memoize=False).generate(prompt, **options)

async def case_openai(): return (await ask(names[0], 'Say hi')).completion

async def case_anthropic(): return (await ask(names[1], 'Say hi')).completion

async def case_mistral(): return (await ask(names[2], 'Say hi')).completion

async def case_tools(): return [call.function for call in (await ask(names[0], 'How is the weather in Paris?', tools=[tool])).message.tool_calls]

@solver
def sampled():
    async def solve(state, generate):
        with cachy.sample(state.epoch - 1): return await generate(state)
    return solve

def case_epochs():
    task = Task(dataset=[Sample(input='Say something', target='x')], solver=sampled(), scorer=match(), epochs=5)
    log, = eval(task, model=names[0], display='none', log_dir='logs')
    answers = [sample.output.completion for sample in sorted(log.samples, key=lambda sample: sample.epoch)]
    assert log.status == 'success' and len({*answers}) == 5, answers
    return answers
