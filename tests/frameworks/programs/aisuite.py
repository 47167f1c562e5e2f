# requires: aisuite openai anthropic
import aisuite

client = aisuite.Client()
models = 'openai:gpt-4o', 'anthropic:claude-sonnet-4-5'

def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: Its name.
    """
    return f'It is sunny in {city}.'

def ask(model, prompt, **options): return client.chat.completions.create(model=model, messages=[dict(role='user', content=prompt)], **options)

def case_chat(): return [ask(model, 'Say hi').choices[0].message.content for model in models]

def case_tools(): return [ask(model, 'How is the weather in Paris?', tools=[weather], max_turns=2).choices[0].message.content for model in models]

def case_stream(): return [[part.choices[0].delta.content for part in ask(model, 'Say hi, slowly', stream=True)] for model in models]
