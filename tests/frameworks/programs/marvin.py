# requires: marvin
import marvin
from pydantic import BaseModel

marvin.settings.enable_default_print_handler = False

class Place(BaseModel): city: str

def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

agent = marvin.Agent(name='Helper', model='openai:gpt-4o')

def case_chat(): return agent.say('Say hi')

async def case_async(): return await agent.say_async('Say hi, later')

def case_structured(): return agent.run('Which city?', result_type=Place)
