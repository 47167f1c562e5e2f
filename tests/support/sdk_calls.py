"""Make the calls of the SDK matrix and print what they gave, as JSON: `python -m support.sdk_calls MODE FOLDER [PORT]`.

The SDKs use their default addresses. Below `send` these lead to a stand-in at PORT; without a PORT nobody is there."""
import asyncio
import base64
import importlib
import io
import json
import os
import sys
import traceback

os.environ['GOOGLE_GENAI_REPLAYS_DIRECTORY'] = ''
for name in ('CI', 'CACHY_MODE', 'GOOGLE_API_KEY'): os.environ.pop(name, None)
from cachy import enable_cachy
from support.providers import send_to

def dump(item):
    "What an SDK gave, as plain data"
    if hasattr(item, 'model_dump'): return item.model_dump(mode='json', exclude={'sdk_http_response'})
    if isinstance(item, bytes): return base64.b64encode(item).decode()
    if isinstance(item, (list, tuple)): return [dump(part) for part in item]
    return item

results = {}
def check(function):
    "Call `function` now and keep what it gives; a failure is kept too, and fails the test"
    try: results[function.__name__] = dump(asyncio.run(function()) if asyncio.iscoroutinefunction(function) else function())
    except Exception: results[function.__name__] = 'FAILED ' + traceback.format_exc()

chat = dict(model='gpt-4o', messages=[dict(role='user', content='Tell me about cats')])
tools = [dict(type='function', function=dict(name='weather', parameters=dict(type='object', properties=dict(city=dict(type='string')))))]

def openai_calls():
    import openai
    client, aclient = openai.OpenAI(), openai.AsyncOpenAI
    @check
    def openai_chat(): return client.chat.completions.create(**chat)
    @check
    def openai_stream(): return list(client.chat.completions.create(**chat, stream=True))
    @check
    def openai_raw():
        raw = client.chat.completions.with_raw_response.create(**chat, temperature=0.5)
        return raw.headers.get('x-request-id'), raw.elapsed.total_seconds() >= 0, raw.status_code, raw.parse().model_dump()
    @check
    def openai_streaming_response():
        with client.chat.completions.with_streaming_response.create(**chat, temperature=0.6) as response: return list(response.iter_lines())
    @check
    def openai_tools():
        first = client.chat.completions.create(**chat, tools=tools)
        call = first.choices[0].message.tool_calls[0]
        turns = chat['messages'] + [first.choices[0].message.model_dump(exclude_none=True), dict(role='tool', tool_call_id=call.id, content='sunny')]
        return first, client.chat.completions.create(model='gpt-4o', messages=turns, tools=tools), list(client.chat.completions.create(**chat, tools=tools, stream=True))
    @check
    def openai_responses(): return client.responses.create(model='gpt-4o', input='Tell me about dogs')
    @check
    def openai_responses_stream(): return list(client.responses.create(model='gpt-4o', input='Tell me about dogs', stream=True))
    @check
    def openai_embeddings(): return client.embeddings.create(model='e', input=['cat', 'dog'])
    @check
    def openai_speech(): return client.audio.speech.create(model='tts-1', voice='alloy', input='Miaow').content
    @check
    def openai_upload():
        file = client.files.create(file=('a.txt', io.BytesIO(b'some text')), purpose='batch')
        return file, client.files.wait_for_processing(file.id, poll_interval=0.01)
    @check
    async def openai_async():
        async with aclient() as client:
            both = await asyncio.gather(*(client.chat.completions.create(**chat, temperature=t / 10) for t in range(4)))
            stream = [chunk async for chunk in await client.chat.completions.create(**chat, stream=True, temperature=1)]
            raw = await client.chat.completions.with_raw_response.create(**chat, temperature=0.7)
            async with client.chat.completions.with_streaming_response.create(**chat, temperature=0.8) as response: lines = [line async for line in response.iter_lines()]
            speech = await client.audio.speech.create(model='tts-1', voice='alloy', input='Purr')
            file = await client.files.create(file=('b.txt', b'other text'), purpose='batch')
            events = [event async for event in await client.responses.create(model='gpt-4o', input='Tell me about birds', stream=True)]
            return both, stream, (await parsed(raw)).model_dump(), lines, speech.content, file, await client.files.wait_for_processing(file.id, poll_interval=0.01), events

async def parsed(raw):
    "Newer releases parse asynchronously"
    result = raw.parse()
    return await result if asyncio.iscoroutine(result) else result

def anthropic_calls():
    import anthropic
    client = anthropic.Anthropic()
    ask = dict(model='claude', messages=[dict(role='user', content='Tell me about cats')])
    tool = [dict(name='weather', input_schema=dict(type='object', properties=dict(city=dict(type='string'))))]
    @check
    def anthropic_message(): return client.messages.create(**ask, max_tokens=100)
    @check
    def anthropic_stream(): return list(client.messages.create(**ask, max_tokens=100, stream=True))
    @check
    def anthropic_stream_helper():
        with client.messages.stream(**ask, max_tokens=105) as stream: return list(stream.text_stream), stream.get_final_message()
    @check
    def anthropic_raw():
        raw = client.messages.with_raw_response.create(**ask, max_tokens=106)
        return raw.headers.get('request-id'), raw.parse().model_dump()
    @check
    def anthropic_streaming_response():
        with client.messages.with_streaming_response.create(**ask, max_tokens=107) as response: return list(response.iter_lines())
    @check
    def anthropic_tools():
        first = client.messages.create(**ask, max_tokens=100, tools=tool)
        turns = ask['messages'] + [dict(role='assistant', content=first.model_dump(exclude_none=True)['content']),
            dict(role='user', content=[dict(type='tool_result', tool_use_id=first.content[0].id, content='sunny')])]
        return first, client.messages.create(model='claude', max_tokens=100, messages=turns, tools=tool)
    @check
    def anthropic_upload(): return client.beta.files.upload(file=('a.txt', io.BytesIO(b'some text'), 'text/plain'))
    @check
    async def anthropic_async():
        async with anthropic.AsyncAnthropic() as client:
            plain = await client.messages.create(**ask, max_tokens=101)
            stream = [event async for event in await client.messages.create(**ask, stream=True, max_tokens=102)]
            async with client.messages.stream(**ask, max_tokens=103) as helper: texts = [text async for text in helper.text_stream]
            raw = await client.messages.with_raw_response.create(**ask, max_tokens=104)
            return plain, stream, texts, (await parsed(raw)).model_dump(), await client.beta.files.upload(file=('b.txt', b'other text', 'text/plain'))

def gemini_calls():
    from google import genai
    from google.genai._api_client import BaseApiClient
    BaseApiClient._use_aiohttp = lambda self: False # its async calls go through aiohttp where that is installed
    client = genai.Client()
    def poll(file):
        looks = 0
        while file.state.name != 'ACTIVE' and (looks := looks + 1) < 20: file = client.files.get(name=file.name)
        return file
    config = dict(tools=[dict(function_declarations=[dict(name='weather', parameters=dict(type='OBJECT', properties=dict(city=dict(type='STRING'))))])])
    @check
    def gemini_two_models(): return [client.models.generate_content(model=model, contents='Tell me about cats') for model in ('gemini-a', 'gemini-b')]
    @check
    def gemini_stream(): return list(client.models.generate_content_stream(model='gemini-a', contents='Tell me about cats'))
    @check
    def gemini_tools(): return client.models.generate_content(model='gemini-a', contents='The weather?', config=config)
    @check
    def gemini_upload(): return poll(client.files.upload(file=io.BytesIO(b'some text'), config=dict(mime_type='text/plain')))
    @check
    async def gemini_async():
        async with genai.Client().aio as client:
            plain = [await client.models.generate_content(model=model, contents='Tell me about dogs') for model in ('gemini-a', 'gemini-b')]
            stream = [chunk async for chunk in await client.models.generate_content_stream(model='gemini-a', contents='Tell me about dogs')]
            file = await client.files.upload(file=io.BytesIO(b'other text'), config=dict(mime_type='text/plain'))
            return plain, stream, file

if __name__ == '__main__':
    mode, folder, port = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None
    if mode != 'replay': os.environ.update({name: 'sk-of-the-test-0123456789' for name in ('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY')})
    session = enable_cachy(folder, mode=mode)
    send_to(port, *map(importlib.import_module, ('httpx', 'httpx2')))
    for calls in (openai_calls, anthropic_calls, gemini_calls): calls()
    print(json.dumps(dict(results=results, counts=session.counts, openai=importlib.import_module('openai').__version__)))
