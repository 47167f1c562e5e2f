# requires: litellm mcp
import asyncio

import litellm

models = ('openai/gpt-4o', 'anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-flash', 'mistral/mistral-large-latest', 'groq/llama-3.3-70b-versatile')
parameters = dict(type='object', properties=dict(city=dict(type='string')))
tool = dict(type='function', function=dict(name='weather', description='The weather', parameters=parameters))

def ask(model, prompt, **options): return dict(model=model, messages=[dict(role='user', content=prompt)], **options)

def case_chat(): return [litellm.completion(**ask(model, 'Say hi')) for model in models]

def case_stream(): return [list(litellm.completion(**ask(model, 'Say hi, slowly', stream=True))) for model in models]

async def case_parallel(): return await asyncio.gather(*(litellm.acompletion(**ask(models[0], f'Say {word}')) for word in ('one', 'two')))

def case_tools(): return [litellm.completion(**ask(model, 'How is the weather in Paris?', tools=[tool])) for model in models]

def case_tools_stream(): return [list(litellm.completion(**ask(model, 'And in Rome?', tools=[tool], stream=True))) for model in models]
