# requires: dspy
import asyncio

import dspy

dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
models = {name: dspy.LM(name) for name in ('openai/gpt-4o', 'anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-flash')}

def case_chat(): return [model('Say hi') for model in models.values()]

async def case_async(): return await models['openai/gpt-4o'].acall('Say hi, later')

async def case_parallel(): return await asyncio.gather(*(models['openai/gpt-4o'].acall(f'Say {word}') for word in ('one', 'two', 'three')))

def case_threads():
    calls = [(models['openai/gpt-4o'], dict(prompt=f'Say {word}')) for word in ('four', 'five')]
    return dspy.Parallel(num_threads=2, disable_progress_bar=True)(calls)
