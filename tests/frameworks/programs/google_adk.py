# requires: google-adk litellm
import asyncio

from google.adk.agents import LlmAgent
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner
from google.genai import types
from pydantic import BaseModel

models = ['gemini-2.5-flash', LiteLlm('openai/gpt-4o')]

class Place(BaseModel): city: str

def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

async def ask(model, prompt, **options):
    "All texts that come"
    runner = InMemoryRunner(LlmAgent(name='helper', model=model, **options), app_name='app')
    await runner.session_service.create_session(app_name='app', user_id='user', session_id='session')
    content = types.Content(role='user', parts=[types.Part(text=prompt)])
    events = [event async for event in runner.run_async(user_id='user', session_id='session', new_message=content)]
    return [part.text or bool(part.function_response) for event in events for part in event.content.parts]

async def case_chat(): return [await ask(model, 'Say hi') for model in models]

async def case_parallel(): return await asyncio.gather(*(ask(models[0], f'Say {word}') for word in ('one', 'two')))

async def case_tools(): return [[str(text)[:20] for text in await ask(model, 'How is the weather in Paris?', tools=[weather])] for model in models]

async def case_structured(): return await ask(models[0], 'Which city?', output_schema=Place)

async def case_handoff(): return await ask(models[0], 'Help me', sub_agents=[LlmAgent(name='other', description='Helps', model=models[0])])
