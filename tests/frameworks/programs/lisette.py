# requires: lisette
import asyncio

from lisette import AsyncChat, Chat

names = 'openai/gpt-4o', 'anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-flash'

def weather(
    city: str # its name
) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

def case_chat(): return [Chat(name)('Say hi') for name in names]

def case_stream(): return [list(Chat(name)('Say hi, slowly', stream=True)) for name in names]

async def case_parallel(): return await asyncio.gather(*(AsyncChat(names[0])(f'Say {word}') for word in ('one', 'two')))

def case_tools(): return [list(Chat(name, tools=[weather])('How is the weather in Paris?', max_steps=3, return_all=True)) for name in names]
