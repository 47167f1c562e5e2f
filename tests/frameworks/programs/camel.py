# requires: camel-ai anthropic mcp<2
from camel.agents import ChatAgent
from camel.models import ModelFactory
from pydantic import BaseModel

models = [ModelFactory.create('openai', 'gpt-4o'), ModelFactory.create('anthropic', 'claude-sonnet-4-5')]

class Place(BaseModel): city: str

def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: Its name.
    """
    return f'It is sunny in {city}.'

def case_chat(): return [ChatAgent('Help.', model=model).step('Say hi').msgs[0].content for model in models]

async def case_async(): return (await ChatAgent('Help.', model=models[0]).astep('Say hi, later')).msgs[0].content

def case_tools(): return [ChatAgent('Help.', model=model, tools=[weather]).step('How is the weather in Paris?').msgs[0].content for model in models]

def case_structured(): return ChatAgent('Help.', model=models[0]).step('Which city?', response_format=Place).msgs[0].parsed
