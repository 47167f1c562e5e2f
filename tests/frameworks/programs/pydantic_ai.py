# requires: pydantic-ai-slim[openai,anthropic,google]
import asyncio

from pydantic import BaseModel
from pydantic_ai import Agent

models = ('openai-chat:gpt-4o', 'anthropic:claude-sonnet-4-5', 'google:gemini-2.5-flash')

class Place(BaseModel): city: str

def case_chat(): return [Agent(model).run_sync('Say hi').output for model in models]

async def case_stream():
    async with Agent(models[0]).run_stream('Say hi, slowly') as result: return [part async for part in result.stream_text(delta=True)]

async def case_parallel(): return [result.output for result in await asyncio.gather(*(Agent(models[0]).run(f'Say {word}') for word in ('one', 'two')))]

def case_tools():
    def ask(model):
        agent = Agent(model)
        @agent.tool_plain
        def weather(city: str) -> str: return f'It is sunny in {city}.'
        return agent.run_sync('How is the weather in Paris?').output
    return [ask(model) for model in models]

def case_structured(): return [Agent(model, output_type=Place).run_sync('Which city?').output for model in models]
