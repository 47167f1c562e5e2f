# requires: mirascope[openai,anthropic]
import asyncio

from mirascope import llm
from pydantic import BaseModel

models = ('openai/gpt-4o', 'anthropic/claude-sonnet-4-5')

class Place(BaseModel): city: str

@llm.tool
def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

def say(word: str): return f'Say {word}'

async def say_later(word: str): return f'Say {word}, later'

def case_chat(): return [llm.call(model)(say)('hi').text() for model in models]

def case_stream(): return [list(llm.call(model)(say).stream('hi, slowly').text_stream()) for model in models]

async def case_parallel(): return [answer.text() for answer in await asyncio.gather(*(llm.call(models[0])(say_later)(word) for word in ('one', 'two')))]

def case_tools():
    def ask(model):
        response = llm.call(model, tools=[weather])(say)('how the weather is in Paris')
        while response.tool_calls: response = response.resume(response.execute_tools())
        return response.text()
    return [ask(model) for model in models]

def case_structured(): return [llm.call(model, format=Place)(say)('a city').parse() for model in models]
