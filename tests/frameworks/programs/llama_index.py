# requires: llama-index-core llama-index-llms-openai llama-index-llms-anthropic anthropic<1
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.openai import OpenAI

models = [OpenAI(model='gpt-4o'), Anthropic(model='claude-sonnet-4-5')]

def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

def case_chat(): return [str(model.chat([ChatMessage(role='user', content='Say hi')])) for model in models]

def case_stream(): return [[part.delta for part in model.stream_complete('Say hi, slowly')] for model in models]

async def case_async(): return [str(await model.acomplete('Say hi, later')) for model in models]

async def case_tools(): return str(await FunctionAgent(tools=[weather], llm=models[0]).run('How is the weather in Paris?'))
