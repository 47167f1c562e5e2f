# requires: griptape[drivers-prompt-openai,drivers-prompt-anthropic]
from griptape.drivers.prompt.anthropic import AnthropicPromptDriver
from griptape.drivers.prompt.openai import OpenAiChatPromptDriver
from griptape.structures import Agent
from griptape.tools import CalculatorTool
from griptape.utils import Stream
from pydantic import BaseModel

class Place(BaseModel): city: str

def drivers(**options): return [OpenAiChatPromptDriver(model='gpt-4o', **options), AnthropicPromptDriver(model='claude-sonnet-4-5', **options)]

def case_chat(): return [Agent(prompt_driver=driver).run('Say hi').output.value for driver in drivers()]

def case_stream(): return [[part.value for part in Stream(Agent(prompt_driver=driver)).run('Say hi, slowly')] for driver in drivers(stream=True)]

def case_tools(): return [Agent(prompt_driver=driver, tools=[CalculatorTool()]).run('What is 1 + 1?').output.value for driver in drivers()]

def case_structured(): return Agent(prompt_driver=drivers()[0], output_schema=Place).run('Which city?').output.value
