# requires: agno openai anthropic
import asyncio

from agno.agent import Agent
from agno.models.anthropic import Claude
from agno.models.openai import OpenAIChat, OpenAIResponses
from pydantic import BaseModel

models = [OpenAIChat(id='gpt-4o'), OpenAIResponses(id='gpt-4o'), Claude(id='claude-sonnet-4-5')]

def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

class Place(BaseModel): city: str

def agent(model, **options): return Agent(model=model, telemetry=False, **options)

def case_chat(): return [agent(model).run('Say hi').content for model in models]

def case_stream(): return [[event.content for event in agent(model).run('Say hi, slowly', stream=True)] for model in models]

async def case_parallel(): return [answer.content for answer in await asyncio.gather(*(agent(models[0]).arun(f'Say {word}') for word in ('one', 'two')))]

def case_tools(): return [agent(model, tools=[weather]).run('How is the weather in Paris?').content for model in models]

def case_structured(): return agent(models[0], output_schema=Place).run('Which city?').content
