# requires: instructor openai anthropic
import asyncio

import anthropic
import instructor
import openai
from pydantic import BaseModel

class Place(BaseModel): city: str

ask = dict(model='gpt-4o', max_tokens=99, response_model=Place, messages=[dict(role='user', content='Which city?')])

def case_openai(): return instructor.from_openai(openai.OpenAI()).chat.completions.create(**ask)

def case_anthropic(): return instructor.from_anthropic(anthropic.Anthropic()).chat.completions.create(**dict(ask, model='claude-sonnet-4-5'))

async def case_parallel():
    client = instructor.from_openai(openai.AsyncOpenAI())
    return await asyncio.gather(*(client.chat.completions.create(**dict(ask, messages=[dict(role='user', content=f'City {i}?')])) for i in range(3)))
