"Calls of four SDKs, each of which gives plain data: `calls(url)` yields names and functions."
import asyncio

message = 'Tell me about herons'
turns = [dict(role='user', content=message)]
weather = dict(type='object', properties=dict(city=dict(type='string')))

def plain(item):
    "What an SDK gave, as plain data"
    if hasattr(item, 'model_dump'): return item.model_dump(mode='json', exclude={'sdk_http_response'})
    if isinstance(item, (list, tuple)): return [plain(part) for part in item]
    if isinstance(item, dict): return {name: plain(value) for name, value in item.items() if name != 'ResponseMetadata'}
    return item.hex() if isinstance(item, bytes) else item

async def listed(stream): return [item async for item in stream]

def openai_calls(url):
    import openai
    settings = dict(base_url=url + '/v1', api_key='sk-of-the-test-1234567890', max_retries=0)
    client = openai.OpenAI(**settings)
    for i in range(5):
        yield f'chat {i}', lambda i=i: client.chat.completions.create(model='m', messages=turns, temperature=i / 4)
        yield f'chat stream {i}', lambda i=i: list(client.chat.completions.create(model='m', messages=turns, temperature=i / 4, stream=True))
    tools = [dict(type='function', function=dict(name='weather', parameters=weather))]
    def loop():
        first = client.chat.completions.create(model='m', messages=turns, tools=tools)
        call, = first.choices[0].message.tool_calls
        more = [*turns, first.choices[0].message.model_dump(exclude_none=True), dict(role='tool', tool_call_id=call.id, content='sunny')]
        return first, client.chat.completions.create(model='m', messages=more, tools=tools)
    yield 'tools', loop
    yield 'responses', lambda: client.responses.create(model='m', input=message)
    yield 'responses stream', lambda: list(client.responses.create(model='m', input=message, stream=True))
    yield 'embeddings', lambda: client.embeddings.create(model='e', input=['cat', 'dog'])
    yield 'speech', lambda: client.audio.speech.create(model='t', voice='alloy', input=message).content
    yield 'transcription', lambda: client.audio.transcriptions.create(model='w', file=('a.wav', b'RIFF\xff\xfe data'))
    yield 'image', lambda: client.images.generate(model='i', prompt=message)
    yield 'models', lambda: list(client.models.list())
    async def both():
        async with openai.AsyncOpenAI(**settings) as client:
            ask = dict(model='m', messages=turns, top_p=0.5)
            return await client.chat.completions.create(**ask), await listed(await client.chat.completions.create(**ask, stream=True))
    yield 'async', lambda: asyncio.run(both())

def anthropic_calls(url):
    import anthropic
    settings = dict(base_url=url, api_key='sk-of-the-test-1234567890', max_retries=0)
    client = anthropic.Anthropic(**settings)
    ask = dict(model='m', max_tokens=9, messages=turns)
    for i in range(3):
        yield f'message {i}', lambda i=i: client.messages.create(**ask, system=f'{i}')
        yield f'message stream {i}', lambda i=i: list(client.messages.create(**ask, system=f'{i}', stream=True))
    yield 'message tools', lambda: client.messages.create(**ask, tools=[dict(name='weather', input_schema=weather)])
    async def both():
        async with anthropic.AsyncAnthropic(**settings) as client:
            return await client.messages.create(**ask, system='async'), await listed(await client.messages.create(**ask, system='async', stream=True))
    yield 'message async', lambda: asyncio.run(both())

def gemini_calls(url):
    from google import genai
    client = genai.Client(api_key='AIzaSy-of-the-test-1234567890', http_options=dict(base_url=url))
    for i in range(3):
        settings = dict(temperature=i / 4)
        yield f'gemini {i}', lambda settings=settings: client.models.generate_content(model='m', contents=message, config=settings)
        yield f'gemini stream {i}', lambda settings=settings: list(client.models.generate_content_stream(model='m', contents=message, config=settings))
    async def ask(): return await client.aio.models.generate_content(model='m', contents='async')
    yield 'gemini async', lambda: asyncio.run(ask())

def bedrock_calls(url):
    import boto3
    client = boto3.client('bedrock-runtime', endpoint_url=url, region_name='us-east-1', aws_access_key_id='AKTESTTESTTEST', aws_secret_access_key='of-the-test-1234567890')
    conversation = [dict(role='user', content=[dict(text=message)])]
    for i in range(3):
        settings = dict(temperature=i / 4)
        yield f'converse {i}', lambda settings=settings: client.converse(modelId='m', messages=conversation, inferenceConfig=settings)
        yield f'converse stream {i}', lambda settings=settings: list(client.converse_stream(modelId='m', messages=conversation, inferenceConfig=settings)['stream'])
    yield 'invoke', lambda: client.invoke_model(modelId='m', body=b'{"messages": []}')['body'].read()

all_parts = (openai_calls, anthropic_calls, gemini_calls, bedrock_calls)

def results(url, parts=all_parts): return {name: plain(function()) for part in parts for name, function in part(url)}
