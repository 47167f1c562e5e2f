# requires: llm llm-anthropic
import llm
from pydantic import BaseModel

class Place(BaseModel): city: str

def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

names = 'gpt-4o', 'claude-sonnet-4.5'

def case_chat(): return [llm.get_model(name).prompt('Say hi', stream=False).text() for name in names]

def case_stream(): return [list(llm.get_model(name).prompt('Say hi, slowly')) for name in names]

async def case_async(): return [await llm.get_async_model(name).prompt('Say hi, later').text() for name in names]

def case_tools(): return [llm.get_model(name).chain('How is the weather in Paris?', tools=[weather]).text() for name in names]

def case_structured(): return llm.get_model(names[0]).prompt('Which city?', schema=Place).text()
