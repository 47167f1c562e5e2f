# requires: magentic[anthropic]
import asyncio

from magentic import AnthropicChatModel, OpenaiChatModel, StreamedStr, prompt, prompt_chain
from pydantic import BaseModel

models = [OpenaiChatModel('gpt-4o'), AnthropicChatModel('claude-sonnet-4-5')]

class Place(BaseModel): city: str

def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

def case_chat():
    def say(word:str)->str: ...
    return [prompt('Say {word}', model=model)(say)('hi') for model in models]

def case_stream():
    def say(word:str)->StreamedStr: ...
    return [list(prompt('Say {word}, slowly', model=model)(say)('hi')) for model in models]

async def case_parallel():
    async def say(word:str)->str: ...
    return await asyncio.gather(*(prompt('Say {word}', model=models[0])(say)(word) for word in ('one', 'two')))

def case_tools():
    def ask(city:str)->str: ...
    return [prompt_chain('How is the weather in {city}?', functions=[weather], model=model)(ask)('Paris') for model in models]

def case_structured():
    def find(what:str)->Place: ...
    return [prompt('Which {what}?', model=model)(find)('city') for model in models]
