# requires: any-llm-sdk[openai,anthropic,gemini,mistral]
import asyncio

import any_llm

models = 'openai:gpt-4o', 'anthropic:claude-sonnet-4-5', 'gemini:gemini-2.5-flash', 'mistral:mistral-large-latest'

def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: Its name.
    """
    return f'It is sunny in {city}.'

def ask(model, prompt, **options): return dict(model=model, messages=[dict(role='user', content=prompt)], **options)

def case_chat(): return [any_llm.completion(**ask(model, 'Say hi')).choices[0].message.content for model in models]

def case_stream(): return [[part.choices[0].delta.content for part in any_llm.completion(**ask(model, 'Say hi, slowly', stream=True)) if part.choices] for model in models]

async def case_parallel(): return [answer.choices[0].message.content for answer in await asyncio.gather(*(any_llm.acompletion(**ask(models[0], f'Say {word}')) for word in ('one', 'two')))]

def case_tools(): return [any_llm.completion(**ask(model, 'How is the weather in Paris?', tools=[weather])).choices[0].message.tool_calls for model in models]
