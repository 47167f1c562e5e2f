"What processes of their own do with LiteLLM. `python -m support.litellm_scenes` plays one scene after the other, as it is told on stdin."
import asyncio
import json
import logging
import sys
from pathlib import Path

from cachy import disable_cachy, doms, enable_cachy
from support.litellm_calls import models, run_calls
from support.providers import send_litellm_to

local = ('localhost:11434',) # where LiteLLM looks for Ollama

def enabled(folder, mode):
    return enable_cachy(folder, doms=doms + local, mode=mode)

streamed = ('openai', 'anthropic', 'mistral', 'groq', 'gemini', 'bedrock')

def scene_unclosed(folder, mode):
    "Streams that are iterated to their end and then left alone; how many recordings there are after each"
    session = enabled(folder, mode)
    import litellm
    kept, seen = [], {}
    def ask(provider, kind):
        return dict(model=models[provider]['chat'], messages=[dict(role='user', content=f'{kind}, {provider}')], stream=True)
    for provider in streamed:
        kept.append(stream := litellm.completion(**ask(provider, 'sync')))
        text = ''.join(chunk.choices[0].delta.content or '' for chunk in stream)
        seen[f'{provider} sync'] = len(session.file), text
    async def all_async():
        for provider in streamed:
            kept.append(stream := await litellm.acompletion(**ask(provider, 'async')))
            text = ''.join([chunk.choices[0].delta.content or '' async for chunk in stream])
            seen[f'{provider} async'] = len(session.file), text
    asyncio.run(all_async())
    return dict(seen=seen, counts=dict(session.counts))

parameters = dict(type='object', properties=dict(city=dict(type='string')), required=['city'])
tools = [dict(type='function', function=dict(name=name, description=f'Look up the {name}.', parameters=parameters))
    for name in ('weather', 'population')]
agents = [models[provider]['chat'] for provider in ('openai', 'anthropic', 'gemini', 'ollama', 'ollama_chat', 'bedrock')]

def agent_loop(model, stream):
    "Ask `model` until it has called both tools; what was asked and said, and the ids of the tool calls"
    import litellm
    litellm.modify_params = True
    said, ids, messages = [], [], [dict(role='user', content=f'Tell me about Paris, {"streamed" if stream else "plain"}')]
    for _ in range(5):
        answer = litellm.completion(model=model, messages=messages, tools=tools, stream=stream)
        if stream: answer = litellm.stream_chunk_builder(list(answer), messages=messages)
        message = answer.choices[0].message
        messages.append(message.model_dump())
        if not message.tool_calls: return [*said, message.content], ids
        for call in message.tool_calls:
            said.append(f'{call.function.name} {call.function.arguments}')
            ids.append(call.id)
            name = call.function.name
            messages.append(dict(role='tool', tool_call_id=call.id, name=name, content=f'the {name} of Paris'))

def scene_agents(folder, mode):
    "The loops of all models, plain and streamed"
    session = enabled(folder, mode)
    loops = {f'{model} {stream}': agent_loop(model, stream) for model in agents for stream in (False, True)}
    return dict(loops=loops, counts=dict(session.counts))

def scene_prompt_caching(folder, mode):
    "Usage and cost of calls with `cache_control`"
    enabled(folder, mode)
    import litellm
    system = dict(role='system', content=[dict(type='text', text='You are brief. ' * 400, cache_control=dict(type='ephemeral'))])
    seen = {}
    for model in ('anthropic/claude-sonnet-4-5', 'openai/gpt-4o', models['bedrock']['chat']):
        for stream in (False, True):
            ask = dict(model=model, messages=[system, dict(role='user', content='Hi')])
            if stream: ask |= dict(stream=True, stream_options=dict(include_usage=True))
            answer = litellm.completion(**ask)
            if stream: answer = litellm.stream_chunk_builder(list(answer))
            seen[f'{model} {stream}'] = dict(usage=answer.usage.model_dump(), cost=litellm.completion_cost(answer),
                cached=answer.usage.prompt_tokens_details.cached_tokens, created=getattr(answer.usage, 'cache_creation_input_tokens', None))
    return seen

def scene_all(port, folder, mode):
    "These three, each with a file of its own"
    if port: send_litellm_to(port)
    def one(scene):
        own = Path(folder)/scene.__name__
        own.mkdir(exist_ok=True)
        return scene(own, mode)
    return {scene.__name__: one(scene) for scene in (scene_unclosed, scene_agents, scene_prompt_caching)}

def scene_table(port, folder, mode): return run_calls(port, folder, mode)

def scene_side_requests(port, folder, mode):
    "Switched on first, then LiteLLM is imported and looks up its price list; then a model is looked up"
    session = enable_cachy(folder, mode=mode)
    send_litellm_to(port)
    import litellm
    litellm.completion('huggingface/together/deepseek-ai/DeepSeek-R1', [dict(role='user', content='Hi')], api_key='none-of-yours')
    return dict(counts=dict(session.counts))

def scene_order(port, folder, mode, order):
    "LiteLLM imported before or after; then what is on, and what is off again"
    if order == 'enable first': enable_cachy(folder, mode=mode)
    before = 'litellm' in sys.modules
    from litellm import ModelResponse, Router, completion, stream_chunk_builder
    if order == 'import first': enable_cachy(folder, mode=mode)
    send_litellm_to(port)
    ask = dict(model='anthropic/claude-sonnet-4-5', messages=[dict(role='user', content='Hi')])
    router = Router(model_list=[dict(model_name='any', litellm_params=dict(model=ask['model']))])
    def all_kinds():
        answer, chunks = completion(**ask), list(completion(**ask, stream=True))
        return [answer, *chunks, stream_chunk_builder(chunks), router.completion('any', ask['messages']),
            ModelResponse(**answer.model_dump())]
    on = all_kinds()
    dumps = [item.model_dump() for item in on]
    ids = sorted({(item.id, item.created) for item in on} | {(dump['id'], dump['created']) for dump in dumps})
    disable_cachy()
    off = [ModelResponse(), ModelResponse()]
    if mode != 'replay': off += [completion(**ask), completion(**ask), stream_chunk_builder(list(completion(**ask, stream=True)))]
    return dict(before=before, on=[repr(item) for item in on], ids=ids, off=[item.id for item in off])

def scene_import_first(port, folder, mode): return scene_order(port, folder, mode, 'import first')
def scene_enable_first(port, folder, mode): return scene_order(port, folder, mode, 'enable first')

def scene_records_once(port, folder, mode):
    "Each call twice, to a stand-in by its own address"
    import litellm
    url = f'http://127.0.0.1:{port}'
    options = dict(model='openai/m', messages=[dict(role='user', content='hi')], api_base=url + '/v1', api_key='sk-0123456789')
    async def ask():
        for _ in range(2):
            await litellm.acompletion(**options)
            async for _ in await litellm.acompletion(stream=True, **options): pass
            await litellm.acompletion(**dict(options, model='anthropic/m', api_base=url))
    with enable_cachy(folder, doms=(f'127.0.0.1:{port}',), mode=mode) as session:
        send_litellm_to(port)
        asyncio.run(ask())
    return dict(counts=dict(session.counts), uses_aiohttp='aiohttp' in sys.modules)

proxy_key = 'sk-only-for-this-test-0123456789'

def scene_proxy(port, folder, mode):
    "Calls to a LiteLLM proxy through OpenAI's SDK"
    import openai
    send_litellm_to(port)
    seen = []
    with enable_cachy(folder, doms=doms + (f'127.0.0.1:{port}',), mode=mode) as session:
        client = openai.OpenAI(base_url=f'http://127.0.0.1:{port}/v1', api_key=proxy_key, max_retries=0)
        for stream in (False, True):
            ask = dict(model='mock', messages=[dict(role='user', content='Hi')], stream=stream)
            raw = client.chat.completions.with_raw_response.create(**ask)
            headers = {name: value for name, value in raw.headers.items() if name.startswith('x-litellm-')}
            answer = [chunk.model_dump() for chunk in raw.parse()] if stream else raw.parse().model_dump()
            seen.append([headers, answer])
    return dict(seen=seen, counts=dict(session.counts))

if __name__ == '__main__':
    logging.getLogger('LiteLLM').setLevel(logging.CRITICAL)
    for line in sys.stdin:
        scene, port, folder, mode, out = json.loads(line)
        Path(out).write_text(json.dumps(globals()[f'scene_{scene}'](port, folder, mode)))
        disable_cachy()
        print('played', flush=True)
