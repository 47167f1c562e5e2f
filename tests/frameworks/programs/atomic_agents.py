# requires: atomic-agents instructor openai anthropic
import asyncio

import anthropic
import instructor
import openai
from atomic_agents import AgentConfig, AtomicAgent, BasicChatInputSchema
from atomic_agents.base.base_io_schema import BaseIOSchema

class Place(BaseIOSchema):
    "A place"
    city: str

Helper = AtomicAgent[BasicChatInputSchema, Place]

def ask(prompt): return BasicChatInputSchema(chat_message=prompt)

def agent(client, model, **options): return Helper(AgentConfig(client=client, model=model, **options))

def openai_agent(): return agent(instructor.from_openai(openai.OpenAI()), 'gpt-4o')

def openai_agent_later(): return agent(instructor.from_openai(openai.AsyncOpenAI()), 'gpt-4o')

def case_openai(): return openai_agent().run(ask('Which city?'))

def case_anthropic():
    client = instructor.from_anthropic(anthropic.Anthropic())
    return agent(client, 'claude-sonnet-4-5', model_api_parameters=dict(max_tokens=99)).run(ask('Which city?'))

async def case_parallel(): return await asyncio.gather(*(openai_agent_later().run_async(ask(f'City {i}?')) for i in range(2)))

def case_stream(): return list(openai_agent().run_stream(ask('Which city, slowly?')))
