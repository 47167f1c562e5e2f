"A guide to the zoo"
from openai import OpenAI

def ask(question):
    "What the guide answers"
    turns = [dict(role='system', content='You are a guide in a zoo.'), dict(role='user', content=question)]
    return OpenAI().chat.completions.create(model='gpt-4o', messages=turns).choices[0].message.content

def tell(question):
    "The same, word by word"
    for chunk in OpenAI().chat.completions.create(model='gpt-4o', messages=[dict(role='user', content=question)], stream=True):
        yield chunk.choices[0].delta.content or ''

def open_at(date):
    "Whether the zoo is open at a date"
    return ask(f'It is {date}. Is the zoo open?')
