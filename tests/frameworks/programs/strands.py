# requires: strands-agents[openai,anthropic]
import asyncio

from pydantic import BaseModel
from strands import Agent, tool
from strands.models.anthropic import AnthropicModel
from strands.models.openai import OpenAIModel

models = [OpenAIModel(model_id='gpt-4o'), AnthropicModel(model_id='claude-sonnet-4-5', max_tokens=99)]

@tool
def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

class Place(BaseModel):
    "A place"
    city: str

def agent(model, **options): return Agent(model, callback_handler=None, **options)

def case_chat(): return [str(agent(model)('Say hi')) for model in models]

async def case_stream(): return [event['data'] async for event in agent(models[0]).stream_async('Say hi, slowly') if 'data' in event]

async def case_parallel(): return [str(answer) for answer in await asyncio.gather(*(agent(models[0]).invoke_async(f'Say {word}') for word in ('one', 'two')))]

def case_tools(): return [(str(it('How is the weather in Paris?')), len(it.messages)) for it in [agent(model, tools=[weather]) for model in models]]

def case_structured(): return [agent(model)('Which city?', structured_output_model=Place).structured_output for model in models]
