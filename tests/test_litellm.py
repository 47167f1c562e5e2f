"""LiteLLM over real sockets. Most of it runs in processes of its own: one records, and the next replays with the stand-in stopped.
Such a part is a function `scene_…` of this file, which `play` runs in a new process."""
import asyncio, importlib.util, json, logging, os, subprocess, sys, time, uuid
from pathlib import Path

root = Path(__file__).parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(root)]

import pytest
from litellm_table import compare, environment, exceptions, models, replay_keys, unexpected
from providers import provider_server, send_to

pytestmark = pytest.mark.skipif(not importlib.util.find_spec('litellm'), reason='optional: LiteLLM is not installed; all is well without it')
local = ('localhost:11434',) # where LiteLLM looks for Ollama

def play(scene, folder, port=0, mode='auto', keys=replay_keys, python=sys.executable, **env):
    "What `scene` gives in a new process"
    out = Path(folder)/f'{scene}-{time.monotonic_ns()}.json'
    own = {name: value for name, value in os.environ.items() if not name.endswith('_API_KEY')}
    command = [python, __file__, scene, str(port), str(folder), mode, str(out)]
    result = subprocess.run(command, env=own | environment(keys) | env, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(out.read_text())

@pytest.fixture(scope='module')
def replayed(tmp_path_factory):
    "What `scene_all` gives in two processes, the second one without a provider and without API keys; and the folder"
    folder = tmp_path_factory.mktemp('litellm')
    with pytest.MonkeyPatch.context() as patch, provider_server(event_delay=0.003) as server:
        for module in ('cachy.standin', 'providers'): patch.setattr(f'{module}.wanted_tool', one_after_the_other)
        first = play('all', folder, server.server.server_port)
        assert server.calls > 50
    return first, play('all', folder, mode='replay', keys=()), folder

# --- scenes ---

def enabled(folder, mode):
    from cachy import doms, enable_cachy
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
    if port: send_to(port)
    def one(scene):
        own = Path(folder)/scene.__name__
        own.mkdir(exist_ok=True)
        return scene(own, mode)
    return {scene.__name__: one(scene) for scene in (scene_unclosed, scene_agents, scene_prompt_caching)}

def scene_side_requests(port, folder, mode):
    "Switched on first, then LiteLLM is imported and looks up its price list; then a model is looked up"
    from cachy import enable_cachy
    session = enable_cachy(folder, mode=mode)
    send_to(port)
    import litellm
    litellm.completion('huggingface/together/deepseek-ai/DeepSeek-R1', [dict(role='user', content='Hi')], api_key='none-of-yours')
    return dict(counts=dict(session.counts))

def scene_order(port, folder, mode, order):
    "LiteLLM imported before or after; then what is on, and what is off again"
    from cachy import disable_cachy, enable_cachy
    if order == 'enable first': enable_cachy(folder, mode=mode)
    before = 'litellm' in sys.modules
    from litellm import ModelResponse, Router, completion, stream_chunk_builder
    if order == 'import first': enable_cachy(folder, mode=mode)
    send_to(port)
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

def scene_proxy(port, folder, mode):
    "Calls to a LiteLLM proxy through OpenAI's SDK"
    import openai
    from cachy import doms, enable_cachy
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

# --- tests ---

def test_two_processes_print_the_same():
    rows, made, first, second = compare()
    assert unexpected(rows) == []
    equal = [(provider, call) for provider, call, outcome, _ in rows if outcome == 'equal']
    assert len(equal) >= 220
    for call in {call for _, call, *_ in rows}: assert sum(name == call for _, name in equal) >= 2, call
    assert 0 < made == first['recorded'] and set(second) == {'replayed'}
    assert all(reason for reason in exceptions.values())

def test_unclosed_streams_are_recorded(replayed):
    first, second = (scenes['scene_unclosed'] for scenes in replayed[:2])
    assert [count for count, _ in first['seen'].values()] == list(range(1, 2 * len(streamed) + 1))
    assert first['counts'] == {'recorded': 12} and second['counts'] == {'replayed': 12}
    assert [text for _, text in first['seen'].values()] == [text for _, text in second['seen'].values()]
    assert all('This is answer number' in text for _, text in first['seen'].values())

def results_so_far(turns): return [name for name in ('weather', 'population') if f'the {name} of Paris' in json.dumps(turns)]

def one_after_the_other(body):
    "The tool to call next: stands in for the stand-in's own choice"
    turns, prompt = body.get('messages') or body.get('contents') or [body.get('prompt', '')], body.get('prompt', '')
    offered = json.dumps(body.get('tools') or body.get('toolConfig') or [])
    named = [name for name in ('weather', 'population') if f'"name": "{name}"' in offered or f"'name': '{name}'" in prompt]
    return next((name for name in named if name not in results_so_far(turns)), None)

def test_agent_loops_replay(replayed):
    first, second = (scenes['scene_agents'] for scenes in replayed[:2])
    assert set(second['counts']) == {'replayed'} # no call was made, nothing missed
    for name, (said, ids) in first['loops'].items():
        assert [text.split()[0] for text in said[:2]] == ['weather', 'population'] and len(said) == 3, name
        assert said == second['loops'][name][0], name
    random = {name.rpartition(' ')[0] for name, (_, ids) in first['loops'].items() if ids != second['loops'][name][1]}
    assert {'gemini/gemini-2.5-flash', 'ollama_chat/llama3.2'} <= random # else this would test nothing

def test_prompt_caching_and_cost(replayed):
    first, second = (scenes['scene_prompt_caching'] for scenes in replayed[:2])
    assert first == second
    for name, seen in first.items(): assert seen['cost'] > 0 and seen['cached'] == 4, name
    assert first['anthropic/claude-sonnet-4-5 False']['created'] == 2
    lines = [json.loads(line) for line in (replayed[2]/'scene_prompt_caching'/'cachy.jsonl').read_text().splitlines()]
    assert any('cache_control' in json.dumps(line['request']) for line in lines if 'anthropic' in line['request']['url'])

def test_side_requests_are_not_recorded(tmp_path):
    with provider_server() as server:
        seen = play('side_requests', tmp_path, server.server.server_port, LITELLM_LOCAL_MODEL_COST_MAP='')
        asked = [line for line in server.log]
    assert any('model_prices_and_context_window.json' in line for line in asked) and any('/api/models/' in line for line in asked)
    lines = [json.loads(line) for line in (tmp_path/'cachy.jsonl').read_text().splitlines()]
    assert [line['request']['url'].split('/')[2] for line in lines] == ['router.huggingface.co']
    assert seen['counts'] == {'recorded': 1}

def test_imported_before_or_after(tmp_path):
    with provider_server() as server: one = play('import_first', tmp_path, server.server.server_port)
    other = play('enable_first', tmp_path, mode='replay', keys=())
    assert one['on'] == other['on'] and len(one['on']) > 10
    assert one['ids'] == other['ids'] == [['cachy-dummy-id', 1]]
    assert not one['before'] and not other['before']
    off = one['off'] + other['off']
    assert len(set(off)) == 7 and 'cachy-dummy-id' not in off

proxy_key = 'sk-only-for-this-test-0123456789'
proxy_config = '''
model_list:
  - {model_name: mock, litellm_params: {model: openai/gpt-4o, api_key: none, mock_response: Hello from the proxy}}
general_settings: {master_key: %s}
''' % proxy_key

def proxy_missing():
    "Why a proxy cannot be started here; empty where it can"
    command = [sys.executable, '-c', 'import litellm.proxy.proxy_server']
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment(), timeout=120)
    return '' if result.returncode == 0 else result.stderr.strip().splitlines()[-1]

def test_proxy(tmp_path):
    why = proxy_missing() if importlib.util.find_spec('fastapi') else 'no fastapi'
    if why: pytest.skip(f'optional: LiteLLM has no proxy here ({why}); all is well without it')
    from fastcore.net import free_port
    import httpx
    port, config = free_port(), tmp_path/'config.yaml'
    config.write_text(proxy_config)
    with open(tmp_path/'proxy.log', 'w') as log:
        command = [sys.executable, '-m', 'litellm.proxy.proxy_cli', '--config', str(config), '--host', '127.0.0.1', '--port', str(port)]
        proxy = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment())
    try:
        for _ in range(240):
            assert proxy.poll() is None, (tmp_path/'proxy.log').read_text()[-2000:]
            try:
                if httpx.get(f'http://127.0.0.1:{port}/health/liveliness').status_code == 200: break
            except httpx.HTTPError: time.sleep(0.25)
        first = play('proxy', tmp_path, port)
    finally:
        proxy.terminate()
        proxy.wait(20)
    second = play('proxy', tmp_path, port, mode='replay')
    assert first['seen'] == second['seen']
    assert first['counts'] == {'recorded': 2} and second['counts'] == {'replayed': 2}
    (headers, answer), (stream_headers, chunks) = second['seen']
    assert float(headers['x-litellm-response-cost']) > 0 and headers['x-litellm-model-id'] and headers['x-litellm-call-id']
    assert answer['choices'][0]['message']['content'] == 'Hello from the proxy'
    assert stream_headers['x-litellm-call-id'] != headers['x-litellm-call-id']
    assert ''.join(chunk['choices'][0]['delta'].get('content') or '' for chunk in chunks) == 'Hello from the proxy'
    assert proxy_key not in (tmp_path/'cachy.jsonl').read_text()

# --- hosts: what LiteLLM itself says ---

def test_default_doms_cover_litellm():
    sys.path.insert(0, str(root/'tools'))
    from litellm_hosts import litellm_urls, not_in_doms
    from moved import installed, read_pins
    pinned, now = next(version for name, _, version in read_pins() if name == 'litellm'), installed('litellm')
    if now != pinned: pytest.skip(f'optional: doms is held against LiteLLM {pinned}, which settings.ini pins; {now} is installed, and all is well')
    urls = litellm_urls()
    assert not_in_doms(urls) == {}, 'add these hosts to doms, or name the provider in local_servers of tools/litellm_hosts.py'
    assert len(urls) > 150
    others = dict(prices='https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json',
        models='https://huggingface.co/api/models/m', ollama='http://localhost:11434/api/show')
    assert not_in_doms(others) == others

# --- patching ---

methods = ('__init__', '__setattr__')
bridge = 'litellm.responses.litellm_completion_transformation'

def own_methods():
    from litellm.types import utils
    from cachy.core import steady_values
    from litellm.responses.litellm_completion_transformation import streaming_iterator, transformation
    modules = (streaming_iterator, transformation)
    seen = {(module.__name__, name): vars(module).get(name) for module in modules for name in ('uuid', 'time')}
    return seen | {(name, method): vars(getattr(utils, name)).get(method) for name in steady_values for method in methods}

def test_undone_exactly(tmp_path):
    from litellm.types.utils import ImageResponse, ModelResponse, ModelResponseStream, TextCompletionResponse
    from cachy import disable_cachy, enable_cachy
    from cachy.core import switch
    before = own_methods()
    assert before[f'{bridge}.streaming_iterator', 'uuid'] is uuid
    assert before['ModelResponse', '__setattr__'] is None # inherited: must be gone again, not copied down
    with enable_cachy(tmp_path, mode='auto'):
        with enable_cachy(tmp_path, mode='replay'): inside = own_methods()
        assert own_methods() == inside
        assert [name for name in before if inside[name] is before[name]] == [(f'{bridge}.transformation', 'time')] # not imported there
        for cls in (ModelResponse, ModelResponseStream, TextCompletionResponse):
            for item in (cls(), cls(id='chatcmpl-1', created=1700000000), cls.model_validate(cls().model_dump()), cls().model_copy()):
                item.id, item.created = 'mine', 5
                setattr(item, 'model', 'm')
                assert (item.id, item.created, item.model) == ('cachy-dummy-id', 1, 'm')
                assert json.loads(item.model_dump_json())['id'] == 'cachy-dummy-id'
        assert ImageResponse(created=7).created == 1
    assert own_methods() == before and switch.replaced == []
    enable_cachy(tmp_path, mode='off')
    assert ModelResponse(id='theirs').id == 'theirs'
    disable_cachy()
    assert own_methods() == before
    assert ModelResponse().id != ModelResponse().id

def test_the_wrapper_of_another_stays(tmp_path, monkeypatch):
    from litellm.types.utils import ModelResponse
    from cachy import disable_cachy, enable_cachy
    from cachy.core import switch
    before, seen = own_methods(), []
    enable_cachy(tmp_path, mode='auto')
    ours = ModelResponse.__init__
    def theirs(self, *args, **options):
        seen.append(options)
        ours(self, *args, **options)
    ModelResponse.__init__ = theirs
    try:
        disable_cachy()
        assert ModelResponse.__init__ is theirs and ModelResponse(id='a').id == 'a' and len(seen) == 1
        with enable_cachy(tmp_path, mode='auto'): assert ModelResponse(id='a').id == 'cachy-dummy-id' and len(seen) == 2
        assert ModelResponse.__init__ is theirs and ModelResponse(id='a').id == 'a'
    finally:
        ModelResponse.__init__ = before['ModelResponse', '__init__']
        switch.replaced.clear()
    assert own_methods() == before

moved = { # what is in `litellm.types.utils`: whether that is as expected
    'no module': None, 'no class': '', 'no fields': 'class ModelResponse:\n    def __init__(self): self.id = "random"\n',
    'no created': 'import pydantic\nclass ModelResponse(pydantic.BaseModel):\n    id: str = "random"\n'}

@pytest.mark.parametrize('kind', moved)
def test_moved_internals(tmp_path, kind):
    "A LiteLLM whose classes are elsewhere: one warning, and the notebook goes on"
    package = tmp_path/'litellm'/'types'
    package.mkdir(parents=True)
    for folder in (package, package.parent): (folder/'__init__.py').write_text('')
    if moved[kind] is not None: (package/'utils.py').write_text(moved[kind])
    enable = f'enable_cachy({str(tmp_path)!r}, mode="auto")'
    lines = ['import logging', 'logging.basicConfig(format="WARNED %(message)s")', 'from cachy import disable_cachy, enable_cachy', enable,
        'import litellm', f'for _ in range(3): {enable}', 'disable_cachy()', enable, 'import httpx', 'assert httpx.Client.send.__wrapped__',
        'print(litellm.__file__)']
    if moved[kind]: lines += ['from litellm.types.utils import ModelResponse', 'assert ModelResponse().id == "random"']
    env = os.environ | dict(PYTHONPATH=f'{tmp_path}{os.pathsep}{root}')
    result = subprocess.run([sys.executable, '-c', '\n'.join(lines)], capture_output=True, text=True, timeout=60, env=env)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(tmp_path/'litellm'/'__init__.py')
    assert result.stderr.count('WARNED') == 1 and 'This LiteLLM has no ModelResponse' in result.stderr

def test_enabling_imports_no_litellm(tmp_path):
    code = f'import sys; from cachy import enable_cachy; enable_cachy({str(tmp_path)!r}, mode="auto"); print(*sys.modules)'
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=root, timeout=60)
    loaded = {name.partition('.')[0] for name in result.stdout.split()}
    assert 'cachy' in loaded and not loaded & {'litellm', 'httpx', 'httpx2', 'openai', 'pydantic'}

if __name__ == '__main__':
    logging.getLogger('LiteLLM').setLevel(logging.CRITICAL)
    scene, port, folder, mode, out = sys.argv[1:]
    Path(out).write_text(json.dumps(globals()[f'scene_{scene}'](int(port), folder, mode)))
    os._exit(0) # LiteLLM leaves tasks behind that Python would complain about
