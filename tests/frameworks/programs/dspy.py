# requires: dspy
import asyncio

import dspy

import cachy

dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
models = {name: dspy.LM(name) for name in ('openai/gpt-4o', 'anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-flash')}

def case_chat(): return [model('Say hi') for model in models.values()]

async def case_async(): return await models['openai/gpt-4o'].acall('Say hi, later')

async def case_parallel(): return await asyncio.gather(*(models['openai/gpt-4o'].acall(f'Say {word}') for word in ('one', 'two', 'three')))

def case_threads():
    calls = [(models['openai/gpt-4o'], dict(prompt=f'Say {word}')) for word in ('four', 'five')]
    return dspy.Parallel(num_threads=2, disable_progress_bar=True)(calls)

class Sampled(dspy.LM):
    "Says which rollout it is"
    def forward(self, *args, **options):
        with cachy.sample(options.get('rollout_id') or self.kwargs.get('rollout_id') or 0): return super().forward(*args, **options)
    async def aforward(self, *args, **options):
        with cachy.sample(options.get('rollout_id') or self.kwargs.get('rollout_id') or 0): return await super().aforward(*args, **options)

def five(answers):
    assert len({*map(str, answers)}) == 5, answers
    return answers

def case_rollouts():
    answers = []
    for n in range(5):
        with cachy.sample(n): answers.append(models['openai/gpt-4o']('Roll', rollout_id=n, temperature=1.0))
    return five(answers)

def case_rollouts_of_its_own(): return five([Sampled('openai/gpt-4o')('Roll again', rollout_id=n, temperature=1.0) for n in range(1, 6)])

async def case_rollouts_later(): return five(await asyncio.gather(*(Sampled('openai/gpt-4o').acall('Roll later', rollout_id=n, temperature=1.0) for n in range(1, 6))))
