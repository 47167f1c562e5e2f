# requires: chatlas openai anthropic
import asyncio

from chatlas import ChatAnthropic, ChatOpenAI
from pydantic import BaseModel

makers = ChatOpenAI, ChatAnthropic

class Place(BaseModel): city: str

def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

def case_chat(): return [str(make().chat('Say hi', echo='none')) for make in makers]

def case_stream(): return [list(make().stream('Say hi, slowly')) for make in makers]

async def case_parallel():
    async def say(word): return await (await ChatOpenAI().chat_async(f'Say {word}', echo='none')).get_content()
    return await asyncio.gather(*(say(word) for word in ('one', 'two')))

def case_tools():
    def ask(chat):
        chat.register_tool(weather)
        return str(chat.chat('How is the weather in Paris?', echo='none'))
    return [ask(make()) for make in makers]

def case_structured(): return [make().chat_structured('Which city?', data_model=Place) for make in makers]
