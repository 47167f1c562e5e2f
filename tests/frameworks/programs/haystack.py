# requires: haystack-ai
from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import tool

@tool
def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

def case_chat(): return OpenAIChatGenerator(model='gpt-4o').run([ChatMessage.from_user('Say hi')])['replies'][0].text

def case_stream():
    parts = []
    OpenAIChatGenerator(model='gpt-4o', streaming_callback=lambda part: parts.append(part.content)).run([ChatMessage.from_user('Say hi, slowly')])
    return parts

async def case_async(): return (await OpenAIChatGenerator(model='gpt-4o').run_async([ChatMessage.from_user('Say hi, later')]))['replies'][0].text

def case_tools():
    agent = Agent(chat_generator=OpenAIChatGenerator(model='gpt-4o'), tools=[weather])
    return [message.text for message in agent.run(messages=[ChatMessage.from_user('How is the weather in Paris?')])['messages']]
