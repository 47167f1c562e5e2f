# requires: autogen-agentchat autogen-ext[openai,anthropic] anthropic<1
import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_ext.models.anthropic import AnthropicChatCompletionClient
from autogen_ext.models.openai import OpenAIChatCompletionClient
from pydantic import BaseModel

models = [OpenAIChatCompletionClient(model='gpt-4o'), AnthropicChatCompletionClient(model='claude-sonnet-4-5')]

class Place(BaseModel): city: str

async def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

def agent(model, name='helper', **options): return AssistantAgent(name, model_client=model, **options)

async def ask(model, prompt, **options): return [message.to_text() for message in (await agent(model, **options).run(task=prompt)).messages]

async def case_chat(): return [await ask(model, 'Say hi') for model in models]

async def case_stream(): return [str(event.to_text()) async for event in agent(models[0], model_client_stream=True).on_messages_stream([], None) if hasattr(event, 'to_text')]

async def case_parallel(): return await asyncio.gather(*(ask(models[0], f'Say {word}') for word in ('one', 'two')))

async def case_tools(): return [await ask(model, 'How is the weather in Paris?', tools=[weather], reflect_on_tool_use=True) for model in models]

async def case_structured(): return await ask(models[0], 'Which city?', output_content_type=Place)

async def case_team():
    team = RoundRobinGroupChat([agent(models[0], 'one'), agent(models[1], 'two')], termination_condition=MaxMessageTermination(3))
    return [message.to_text() for message in (await team.run(task='Talk')).messages]
