"A worker of a fleet: asks `prompts` questions in an order of its own, half of them streamed, and goes through an agent loop of three turns."
import json
import logging
import random
import sys
import time
from pathlib import Path

import httpx

from cachy import enable_cachy

def tool(name): return dict(type='function', function=dict(name=name, parameters=dict(type='object', properties={})))

def ask(client, url, number):
    "The answer to question `number`, as text"
    body = dict(model='m', messages=[dict(role='user', content=f'Question {number}')])
    if number % 2 == 0: return client.post(f'{url}/v1/chat/completions?n={number}', json=body).text
    with client.stream('POST', f'{url}/v1/chat/completions?n={number}', json=body | dict(stream=True)) as response:
        return ''.join(response.iter_text())

def agent(client, url):
    "What was said in three turns, each of which follows from the ones before"
    messages = [dict(role='user', content='What is the weather?')]
    for turn in range(3):
        answer = client.post(f'{url}/v1/chat/completions?turn={turn}', json=dict(model='m', messages=messages, tools=[tool('weather')])).json()
        message = answer['choices'][0]['message']
        messages.append(message)
        for call in message.get('tool_calls') or []: messages.append(dict(role='tool', tool_call_id=call['id'], content=f'sunny {turn}'))
        if not message.get('tool_calls'): messages.append(dict(role='user', content=f"You said: {message['content']} Go on."))
    return messages

def work(folder, url, prompts, seed, mode='auto', store=None):
    "What a worker was told, and how long it took in seconds"
    numbers = list(range(prompts))
    random.Random(seed).shuffle(numbers)
    folder.mkdir(exist_ok=True)
    start = time.perf_counter()
    with enable_cachy(folder, doms=(url.partition('://')[2],), mode=mode, store=store), httpx.Client() as client:
        answers = {str(number): ask(client, url, number) for number in numbers}
        return dict(answers=answers, turns=agent(client, url), seconds=time.perf_counter() - start)

if __name__ == '__main__':
    logging.basicConfig(format='%(levelname)s %(message)s')
    folder, url, prompts, seed, mode = sys.argv[1:]
    print(json.dumps(work(Path(folder), url, int(prompts), int(seed), mode)))
