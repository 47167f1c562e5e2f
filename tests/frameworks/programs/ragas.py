# requires: ragas openai
import asyncio

import openai
from pydantic import BaseModel
from ragas.llms import llm_factory

class Place(BaseModel): city: str

def case_structured(): return llm_factory('gpt-4o', client=openai.OpenAI()).generate('Which city?', Place)

async def case_parallel():
    model = llm_factory('gpt-4o', client=openai.AsyncOpenAI())
    return await asyncio.gather(*(model.agenerate(f'City {i}?', Place) for i in range(2)))
