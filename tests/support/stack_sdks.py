"Ask a stand-in through real SDKs: `python -m support.stack_sdks FOLDER MODE URL [NAME ...]` prints what each of them answers, as one JSON object."
import asyncio
import json
import sys
import tempfile
import traceback
from pathlib import Path
from urllib.parse import urlsplit

messages = [dict(role='user', content='Say hi')]
cases = {}

def case(function):
    "A case is called after its SDK, and imports it; what it gives must be the same on a replay"
    cases[function.__name__] = function
    return function

def delta(chunk): return chunk.choices[0].delta.content

# aiohttp

def gemini(url):
    from google import genai
    return genai.Client(api_key='AIza-0123456789', http_options=dict(base_url=url, api_version='v1beta'))

@case
async def google_genai_plain(url):
    client = gemini(url)
    assert client._api_client._use_aiohttp()
    return (await client.aio.models.generate_content(model='gemini-2.5-flash', contents='Say hi')).text

@case
async def google_genai_stream(url):
    return [chunk.text async for chunk in await gemini(url).aio.models.generate_content_stream(model='gemini-2.5-flash', contents='Say hi')]

@case
async def google_genai_upload(url):
    client = gemini(url)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)/'a.txt'
        path.write_text('some text')
        file = await client.aio.files.upload(file=path)
    while file.state.name != 'ACTIVE': file = await client.aio.files.get(name=file.name)
    return file.name, file.state.name, (await client.aio.models.generate_content(model='gemini-2.5-flash', contents=['What is this?', file])).text

@case
async def voyageai_async(url):
    import voyageai
    client = voyageai.AsyncClient(api_key='pa-0123456789', base_url=url + '/v1')
    return (await client.embed(['async'], model='voyage-3')).embeddings, [item.relevance_score for item in (await client.rerank('q', ['a', 'b'], 'rerank-2')).results]

# requests

@case
def voyageai_sync(url):
    import voyageai
    client = voyageai.Client(api_key='pa-0123456789', base_url=url + '/v1')
    return client.embed(['sync'], model='voyage-3').embeddings, [item.relevance_score for item in client.rerank('q', ['a', 'c'], 'rerank-2').results]

# urllib3

def bedrock(url):
    import boto3
    return boto3.client('bedrock-runtime', region_name='us-east-1', endpoint_url=url, aws_access_key_id='AKIA0123456789', aws_secret_access_key='s' * 40)

model, turns = 'anthropic.claude-v2:0', [dict(role='user', content=[dict(text='Say hi')])]

@case
def boto3_converse(url):
    answer = bedrock(url).converse(modelId=model, messages=turns)
    assert answer['ResponseMetadata']['HTTPStatusCode'] == 200
    return answer['output']['message']['content'][0]['text'], answer['usage']

@case
def boto3_converse_stream(url): return list(bedrock(url).converse_stream(modelId=model, messages=turns)['stream'])

@case
def boto3_invoke_model(url):
    answer = bedrock(url).invoke_model(modelId=model, body=json.dumps(dict(messages=messages)))
    return answer['contentType'], json.loads(answer['body'].read())

@case
def boto3_invoke_model_stream(url):
    answer = bedrock(url).invoke_model_with_response_stream(modelId=model, body=json.dumps(dict(messages=messages)))
    return [json.loads(event['chunk']['bytes']) for event in answer['body']]

# httpx and httpx2, in ways of their own

@case
def huggingface_hub_sync(url):
    from huggingface_hub import InferenceClient
    client = InferenceClient(base_url=url, api_key='hf_0123456789')
    return client.chat_completion(messages, model='m').choices[0].message.content, [delta(chunk) for chunk in client.chat_completion(messages, model='m', stream=True)]

@case
async def huggingface_hub_async(url):
    from huggingface_hub import AsyncInferenceClient
    client = AsyncInferenceClient(base_url=url, api_key='hf_0123456789')
    plain = (await client.chat_completion(messages, model='a')).choices[0].message.content
    return plain, [delta(chunk) async for chunk in await client.chat_completion(messages, model='a', stream=True)]

def cohere_events(event): return event.type, event.delta.message.content.text if event.type == 'content-delta' else None

@case
def cohere_sync(url):
    import cohere
    client = cohere.ClientV2(api_key='co-0123456789', base_url=url)
    return client.chat(model='m', messages=messages).message.content[0].text, [cohere_events(event) for event in client.chat_stream(model='m', messages=messages)]

@case
async def cohere_async(url):
    import cohere
    client = cohere.AsyncClientV2(api_key='co-0123456789', base_url=url)
    return (await client.chat(model='a', messages=messages)).message.content[0].text, [cohere_events(event) async for event in client.chat_stream(model='a', messages=messages)]

def by_openai_format(make, make_async):
    "Two cases for an SDK made like that of OpenAI"
    def sync(url):
        client = make(url)
        return client.chat.completions.create(model='m', messages=messages).choices[0].message.content, [delta(chunk) for chunk in client.chat.completions.create(model='m', messages=messages, stream=True)]
    async def asynchronous(url):
        client = make_async(url)
        plain = (await client.chat.completions.create(model='a', messages=messages)).choices[0].message.content
        return plain, [delta(chunk) async for chunk in await client.chat.completions.create(model='a', messages=messages, stream=True)]
    return sync, asynchronous

def sdk(package, name):
    "A function that makes the client `name` of `package`, with a path of its own so that no two SDKs share a recording"
    def make(url):
        import importlib
        return getattr(importlib.import_module(package), name)(api_key='sk-0123456789', base_url=f'{url}/{package}')
    return make

for package, name in (('groq', 'Groq'), ('together', 'Together'), ('fireworks', 'Fireworks')):
    cases[f'{package}_sync'], cases[f'{package}_async'] = by_openai_format(sdk(package, name), sdk(package, f'Async{name}'))

@case
def ollama_sync(url):
    import ollama
    client = ollama.Client(host=url)
    return client.chat('m', messages).message.content, [part.message.content for part in client.chat('m', messages, stream=True)]

@case
async def ollama_async(url):
    import ollama
    client = ollama.AsyncClient(host=url)
    return (await client.chat('a', messages)).message.content, [part.message.content async for part in await client.chat('a', messages, stream=True)]

def mistral(url):
    try:
        from mistralai.client import Mistral
    except ImportError:
        from mistralai import Mistral
    return Mistral(api_key='mi-0123456789', server_url=url + '/mistral')

@case
def mistralai_sync(url):
    client = mistral(url)
    return client.chat.complete(model='m', messages=messages).choices[0].message.content, [delta(event.data) for event in client.chat.stream(model='m', messages=messages)]

@case
async def mistralai_async(url):
    client = mistral(url)
    plain = (await client.chat.complete_async(model='a', messages=messages)).choices[0].message.content
    return plain, [delta(event.data) async for event in await client.chat.stream_async(model='a', messages=messages)]

@case
def replicate_sync(url):
    import replicate
    client = replicate.Client(api_token='r8_0123456789', base_url=url)
    client.poll_interval = 0.01
    return client.run('owner/name', input=dict(prompt='Say hi')), [str(event) for event in client.stream('owner/name', input=dict(prompt='Stream hi'))]

@case
async def replicate_async(url):
    import replicate
    client = replicate.Client(api_token='r8_0123456789', base_url=url)
    client.poll_interval = 0.01
    return await client.async_run('owner/name', input=dict(prompt='Say hi, async')), [str(event) async for event in await client.async_stream('owner/name', input=dict(prompt='Stream hi, async'))]

def run(function, url):
    try: return dict(answer=asyncio.run(function(url)) if asyncio.iscoroutinefunction(function) else function(url))
    except ModuleNotFoundError as error: return dict(missing=str(error))
    except BaseException: return dict(error=traceback.format_exc())

if __name__ == '__main__':
    from cachy import enable_cachy
    folder, mode, url, *names = sys.argv[1:]
    with enable_cachy(folder, doms=(urlsplit(url).netloc,), mode=mode) as session:
        results = {name: run(function, url) for name, function in cases.items() if not names or name in names}
    print(json.dumps(dict(results=results, counts=session.counts), default=str))
