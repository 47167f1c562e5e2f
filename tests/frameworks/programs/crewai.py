# requires: crewai[litellm,anthropic]
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool
from pydantic import BaseModel

class Place(BaseModel): city: str

@tool('weather')
def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

def crew(model, prompt, tools=(), **options):
    "One agent with one task"
    agent = Agent(role='Helper', goal='Help', backstory='None', llm=LLM(model), tools=list(tools), max_iter=3)
    return Crew(agents=[agent], tasks=[Task(description=prompt, expected_output='A sentence', agent=agent, **options)])

models = 'openai/gpt-4o', 'anthropic/claude-sonnet-4-5'

def case_chat(): return [LLM(model).call('Say hi') for model in models]

def case_crew(): return [crew(model, 'Say hi').kickoff().raw for model in models]

async def case_async(): return (await crew(models[0], 'Say hi, later').kickoff_async()).raw

def case_tools(): return [crew(model, 'How is the weather in Paris?', [weather]).kickoff().raw for model in models]

def case_structured(): return crew(models[0], 'Which city?', output_pydantic=Place).kickoff().pydantic
