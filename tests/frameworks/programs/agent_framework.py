# requires: agent-framework-core agent-framework-openai agent-framework-anthropic
import asyncio

from agent_framework import Agent
from agent_framework.openai import OpenAIChatClient
from pydantic import BaseModel

class Place(BaseModel): city: str

def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

def agent(**options): return Agent(OpenAIChatClient(model='gpt-4o'), 'Help.', **options)

async def case_chat(): return (await agent().run('Say hi')).text

async def case_stream(): return [part.text async for part in agent().run('Say hi, slowly', stream=True)]

async def case_parallel(): return [answer.text for answer in await asyncio.gather(*(agent().run(f'Say {word}') for word in ('one', 'two')))]

async def case_tools(): return (await agent(tools=[weather]).run('How is the weather in Paris?')).text

async def case_structured(): return (await agent().run('Which city?', options=dict(response_format=Place))).value
