# requires: claudette anthropic<1
import asyncio

from claudette import AsyncChat, Chat

name = 'claude-sonnet-4-5'

def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

def case_chat(): return Chat(name)('Say hi')

def case_stream(): return list(Chat(name)('Say hi, slowly', stream=True))

async def case_parallel(): return await asyncio.gather(*(AsyncChat(name)(f'Say {word}') for word in ('one', 'two')))

def case_tools(): return list(Chat(name, tools=[weather]).toolloop('How is the weather in Paris?'))
