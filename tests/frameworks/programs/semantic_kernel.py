# requires: semantic-kernel[anthropic]
import asyncio

from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.anthropic import AnthropicChatCompletion
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.functions import kernel_function

models = [OpenAIChatCompletion(ai_model_id='gpt-4o'), AnthropicChatCompletion(ai_model_id='claude-sonnet-4-5')]

class Sky:
    @kernel_function
    def weather(self, city: str) -> str:
        "The weather in a city"
        return f'It is sunny in {city}.'

def agent(model, **options): return ChatCompletionAgent(service=model, name='helper', instructions='Help.', **options)

async def case_chat(): return [str(await agent(model).get_response('Say hi')) for model in models]

async def case_stream(): return [str(part) async for part in agent(models[0]).invoke_stream('Say hi, slowly')]

async def case_parallel(): return [str(answer) for answer in await asyncio.gather(*(agent(models[0]).get_response(f'Say {word}') for word in ('one', 'two')))]

async def case_tools(): return [str(await agent(model, plugins=[Sky()]).get_response('How is the weather in Paris?')) for model in models]
