# requires: langchain langchain-openai langchain-anthropic langchain-google-genai
import asyncio

from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

models = [ChatOpenAI(model='gpt-4o'), ChatAnthropic(model='claude-sonnet-4-5'), ChatGoogleGenerativeAI(model='gemini-2.5-flash')]

@tool
def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

class Place(BaseModel): city: str

def case_chat(): return [model.invoke('Say hi').content for model in models]

def case_stream(): return [[part.content for part in model.stream('Say hi, slowly')] for model in models]

async def case_async(): return [(await model.ainvoke('Say hi, later')).content for model in models]

async def case_parallel(): return [answer.content for answer in await asyncio.gather(*(models[0].ainvoke(f'Say {word}') for word in ('one', 'two')))]

def case_tools():
    return [[message.content for message in create_agent(model, [weather]).invoke(dict(messages=[('user', 'How is the weather in Paris?')]))['messages']]
        for model in models[:2]]

def case_structured(): return [model.with_structured_output(Place, method='function_calling').invoke('Which city?') for model in models[:1]]
