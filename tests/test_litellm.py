"""LiteLLM over real sockets. Most of it runs in processes of its own: one records, and the next replays with the stand-in stopped.
Such a part is a function `scene_…` of `support.litellm_scenes`, which a `Player` runs."""
import asyncio
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
import uuid

import pytest

from support import environment, root, tool_ids
from support.litellm_calls import Player, compare, exceptions, replay_keys, settings, unexpected
from support.litellm_scenes import proxy_key, streamed
from support.providers import provider_server
from support.recordings import recordings

pytestmark = pytest.mark.skipif(not importlib.util.find_spec('litellm'), reason='optional: LiteLLM is not installed; all is well without it')

@pytest.fixture(scope='module')
def players(tmp_path_factory):
    "A process that records and one that replays, without API keys; and what they saw first: LiteLLM imported before or after"
    folder = tmp_path_factory.mktemp('order')
    with Player(replay_keys) as recorder, Player() as replayer:
        with provider_server() as server: first = recorder.play('import_first', folder, server.server.server_port)
        yield recorder, replayer, (first, replayer.play('enable_first', folder, mode='replay'))

@pytest.fixture(scope='module')
def replayed(players, tmp_path_factory):
    "What `scene_all` gives in two processes, the second one without a provider and without API keys; and the folder"
    (recorder, replayer, _), folder = players, tmp_path_factory.mktemp('litellm')
    with pytest.MonkeyPatch.context() as patch, provider_server(event_delay=0.003) as server:
        for module in ('cachy.standin', 'support.providers'): patch.setattr(f'{module}.wanted_tool', one_after_the_other)
        first = recorder.play('all', folder, server.server.server_port)
        assert server.calls > 50
    return first, replayer.play('all', folder, mode='replay'), folder

@pytest.mark.slow
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

@pytest.mark.slow
def test_agent_loops_replay(replayed):
    first, second = (scenes['scene_agents'] for scenes in replayed[:2])
    assert set(second['counts']) == {'replayed'} # no call was made, nothing missed
    for name, (said, ids) in first['loops'].items():
        assert [text.split()[0] for text in said[:2]] == ['weather', 'population'] and len(said) == 3, name
        assert [said, ids] == second['loops'][name], name
        assert len(set(ids)) == 2, name

@pytest.mark.slow
def test_ids_of_tool_calls_that_litellm_makes_up(players, tmp_path):
    "The same in each process, and different between calls, even if the same is called twice with the same arguments"
    recorder, replayer, _ = players
    with provider_server() as server:
        server.routes[:0] = tool_ids.routes
        first, off = (recorder.play('tool_ids', tmp_path, server.server.server_port, mode) for mode in ('auto', 'off'))
    second = replayer.play('tool_ids', tmp_path, mode='replay')
    assert first['seen'] == second['seen'] and set(second['counts']) == {'replayed'}
    for name, turns in first['seen'].items():
        count, ids = tool_ids.models[name.split()[0]][0], [name for turn in turns for name in turn]
        assert [len(turn) for turn in turns] == [count, count] and len({*ids}) == 2 * count, (name, turns)
        assert not {*ids} & {name for turn in off['seen'][name] for name in turn}, 'LiteLLM makes none up here, so nothing is tested'
        for mine, theirs in zip(ids, [name for turn in off['seen'][name] for name in turn], strict=True):
            assert re.sub('[0-9a-f]{2,}', '', mine) == re.sub('[0-9a-f]{2,}', '', theirs) and len(mine) == len(theirs) # the form stays
    assert all('__thought__c2lnbmVk' in first['seen'][f'gemini/twins {way}'][0][1] for way in tool_ids.all_ways)

@pytest.mark.slow
def test_prompt_caching_and_cost(replayed):
    first, second = (scenes['scene_prompt_caching'] for scenes in replayed[:2])
    assert first == second
    for name, seen in first.items(): assert seen['cost'] > 0 and seen['cached'] == 4, name
    assert first['anthropic/claude-sonnet-4-5 False']['created'] == 2
    lines = [json.loads(line) for line in (replayed[2]/'scene_prompt_caching'/'cachy.jsonl').read_text().splitlines()]
    assert any('cache_control' in json.dumps(line['request']) for line in lines if 'anthropic' in line['request']['url'])

@pytest.mark.slow
def test_side_requests_are_not_recorded(tmp_path):
    with provider_server() as server, Player(replay_keys, LITELLM_LOCAL_MODEL_COST_MAP='') as player:
        seen = player.play('side_requests', tmp_path, server.server.server_port)
        asked = [line for line in server.log]
    assert any('model_prices_and_context_window.json' in line for line in asked) and any('/api/models/' in line for line in asked)
    lines = [json.loads(line) for line in (tmp_path/'cachy.jsonl').read_text().splitlines()]
    assert [line['request']['url'].split('/')[2] for line in lines] == ['router.huggingface.co']
    assert seen['counts'] == {'recorded': 1}

@pytest.mark.slow
def test_imported_before_or_after(players):
    one, other = players[2]
    assert one['on'] == other['on'] and len(one['on']) > 10
    assert one['ids'] == other['ids'] == [['cachy-dummy-id', 1]]
    assert not one['before'] and not other['before']
    off = one['off'] + other['off']
    assert len(set(off)) == 7 and 'cachy-dummy-id' not in off
@pytest.mark.slow
def test_litellm_records_once(players, tmp_path):
    with provider_server() as server:
        seen = players[0].play('records_once', tmp_path, server.server.server_port)
        assert seen['counts'] == dict(recorded=3, replayed=3) and seen['uses_aiohttp']
        assert server.calls == len(recordings(tmp_path)) == 3

@pytest.mark.slow
def test_two_processes_print_the_same(players):
    rows, made, first, second = compare(*players[:2])
    assert unexpected(rows) == []
    equal = [(provider, call) for provider, call, outcome, _ in rows if outcome == 'equal']
    assert len(equal) >= 340
    for call in {call for _, call, *_ in rows}: assert sum(name == call for _, name in equal) >= 2, call
    assert 0 < made == first['recorded'] and set(second) == {'replayed'}
    assert all(reason for reason in exceptions.values())

proxy_config = '''
model_list:
  - {model_name: mock, litellm_params: {model: openai/gpt-4o, api_key: none, mock_response: Hello from the proxy}}
general_settings: {master_key: %s}
''' % proxy_key

proxy_code = '''
import sys
from pathlib import Path
import litellm.proxy.proxy_server
Path(sys.argv.pop(1)).touch()
from litellm.proxy.proxy_cli import run_server
run_server()
'''

@pytest.mark.slow
def test_proxy(players, tmp_path):
    if not importlib.util.find_spec('fastapi'): pytest.skip('needs litellm[proxy]: no fastapi')
    import httpx
    from fastcore.net import free_port
    recorder, replayer, _ = players
    port, config, imported = free_port(), tmp_path/'config.yaml', tmp_path/'imported'
    config.write_text(proxy_config)
    with open(tmp_path/'proxy.log', 'w') as log:
        command = [sys.executable, '-c', proxy_code, str(imported), '--config', str(config), '--host', '127.0.0.1', '--port', str(port)]
        proxy = subprocess.Popen(command, stdout=log, stderr=log, env=environment(**settings()))
    try:
        for _ in range(240):
            ended, told = proxy.poll() is not None, (tmp_path/'proxy.log').read_text()
            if ended and not imported.exists(): pytest.skip(f'needs litellm[proxy]: {told.strip().splitlines()[-1]}')
            assert not ended, told[-2000:]
            try:
                if httpx.get(f'http://127.0.0.1:{port}/health/liveliness').status_code == 200: break
            except httpx.HTTPError: time.sleep(0.25)
        first = recorder.play('proxy', tmp_path, port)
    finally:
        proxy.terminate()
        proxy.wait(20)
    second = replayer.play('proxy', tmp_path, port, 'replay')
    assert first['seen'] == second['seen']
    assert first['counts'] == {'recorded': 2} and second['counts'] == {'replayed': 2}
    (headers, answer), (stream_headers, chunks) = second['seen']
    assert float(headers['x-litellm-response-cost']) > 0 and headers['x-litellm-model-id'] and headers['x-litellm-call-id']
    assert answer['choices'][0]['message']['content'] == 'Hello from the proxy'
    assert stream_headers['x-litellm-call-id'] != headers['x-litellm-call-id']
    assert ''.join(chunk['choices'][0]['delta'].get('content') or '' for chunk in chunks) == 'Hello from the proxy'
    assert proxy_key not in (tmp_path/'cachy.jsonl').read_text()

# --- the compiled core ---

def compiled_calls(server):
    "What runs in LiteLLM's compiled core at all times, sync and async: name, provider, function"
    import litellm
    document = dict(model='mistral/mistral-ocr-latest', document=dict(type='document_url', document_url='https://a.example/a.pdf'), api_key='none', api_base=f'{server.url}/v1')
    audio = dict(model='bedrock/amazon.nova-sonic-v1:0', file=('a.wav', b'RIFF0000WAVE'), aws_access_key_id='none', aws_secret_access_key='none', aws_region_name='us-east-1')
    return [('ocr', 'mistral', lambda: litellm.ocr(**document)), ('ocr', 'mistral', lambda: asyncio.run(litellm.aocr(**document))),
        ('transcription', 'bedrock', lambda: litellm.transcription(**audio)), ('transcription', 'bedrock', lambda: asyncio.run(litellm.atranscription(**audio)))]

def test_what_runs_compiled_is_refused_in_replay_mode_and_said_once_in_others(stand_in, cached, caplog):
    stand_in.routes.insert(0, ('POST', '/ocr$', lambda handler, body: dict(pages=[dict(index=0, markdown='read')], model='m', usage_info=dict(pages_processed=1))))
    from cachy import CachyMiss, live
    for number, (route, provider, call) in enumerate(compiled_calls(stand_in)):
        with cached('replay'):
            with pytest.raises(CachyMiss, match=f"LiteLLM's compiled core calls {provider} past the cache .{route}, model .*mode 'replay' forbids them") as miss: call()
            assert 'test_litellm, line' in str(miss.value) or number % 2 # who asks, in sync code
        assert stand_in.calls == 0
    for read, (_, provider, call) in enumerate(compiled_calls(stand_in)[:2], 1):
        caplog.clear()
        with cached() as session:
            assert call().pages[0].markdown == call().pages[0].markdown == 'read'
            assert caplog.text.count(f"LiteLLM's compiled core calls {provider} past the cache") == 1 and session.counts['past the cache'] == 2
        assert stand_in.calls == 2 * read and caplog.text.count('past the cache') == 1
    with cached('replay'), live(): compiled_calls(stand_in)[0][2]()
    with cached('off'): compiled_calls(stand_in)[0][2]()
    assert stand_in.calls == 6 and caplog.text.count('past the cache') == 1

def test_the_compiled_core_is_off_where_it_can_be(stand_in, cached, monkeypatch):
    from litellm.anthropic_interface.messages import acreate
    monkeypatch.setenv('LITELLM_RUST', '1')
    def ask(): return asyncio.run(acreate(model='anthropic/claude-sonnet-4-5', max_tokens=9, messages=[dict(role='user', content='Hi')], api_key='none', api_base=stand_in.url))
    ask()
    assert stand_in.calls == 1
    with cached(): first = ask()
    with cached('replay') as session: assert ask() == first and session.counts == dict(replayed=1) and os.environ['LITELLM_RUST'] == '0'
    assert stand_in.calls == 2 and os.environ['LITELLM_RUST'] == '1'

@pytest.mark.parametrize('before', [None, '0', '1'])
def test_the_switch_is_put_back(before, cached, monkeypatch):
    import litellm  # noqa: F401 # without it nothing is set
    monkeypatch.delenv('LITELLM_RUST', raising=False)
    if before: monkeypatch.setenv('LITELLM_RUST', before)
    with cached('off'): assert os.environ.get('LITELLM_RUST') == before
    with cached():
        with cached('replay'): assert os.environ['LITELLM_RUST'] == '0'
        assert os.environ['LITELLM_RUST'] == '0'
    assert os.environ.get('LITELLM_RUST') == before
    with cached(): os.environ['LITELLM_RUST'] = 'theirs'
    assert os.environ['LITELLM_RUST'] == 'theirs'

@pytest.mark.slow
def test_the_switch_waits_for_litellm(tmp_path):
    code = '''
import os, sys
from cachy import disable_cachy, enable_cachy
enable_cachy(sys.argv[1], mode='auto')
seen = [os.environ.get('LITELLM_RUST')]
import litellm
seen.append(os.environ.get('LITELLM_RUST'))
disable_cachy()
print([*seen, os.environ.get('LITELLM_RUST')])
'''
    result = subprocess.run([sys.executable, '-c', code, str(tmp_path)], capture_output=True, text=True, timeout=120, env=environment(('LITELLM_RUST',)))
    assert result.stdout.strip() == "[None, '0', None]", result.stderr

# --- hosts: what LiteLLM itself says ---

@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')
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
    import fastuuid
    import litellm.utils
    from litellm.litellm_core_utils.streaming_handler import CustomStreamWrapper
    from litellm.responses.litellm_completion_transformation import streaming_iterator, transformation
    from litellm.rust_bridge import runtime
    from litellm.types import utils

    from cachy.providers import stable_values
    modules = (streaming_iterator, transformation)
    seen = {(module.__name__, name): vars(module).get(name) for module in modules for name in ('uuid', 'time')}
    places = (uuid, 'uuid4'), (fastuuid, 'uuid4'), (litellm.utils, 'post_call_processing'), (CustomStreamWrapper, 'chunk_creator'), (runtime, 'attempt'), (runtime, 'aattempt')
    seen |= {(owner.__name__, name): vars(owner)[name] for owner, name in places}
    return seen | {(name, method): vars(getattr(utils, name)).get(method) for name in stable_values for method in methods}

def test_undone_exactly(tmp_path):
    from litellm.types.utils import ImageResponse, ModelResponse, ModelResponseStream, TextCompletionResponse

    from cachy import disable_cachy, enable_cachy
    from cachy.patches import patcher
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
                item.model = 'm'
                assert (item.id, item.created, item.model) == ('cachy-dummy-id', 1, 'm')
                assert json.loads(item.model_dump_json())['id'] == 'cachy-dummy-id'
        assert ImageResponse(created=7).created == 1
    assert own_methods() == before and patcher.replaced == []
    enable_cachy(tmp_path, mode='off')
    assert ModelResponse(id='theirs').id == 'theirs'
    disable_cachy()
    assert own_methods() == before
    assert ModelResponse().id != ModelResponse().id

def test_the_wrapper_of_another_stays(tmp_path, monkeypatch):
    from litellm.types.utils import ModelResponse

    from cachy import disable_cachy, enable_cachy
    from cachy.patches import patcher
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
        patcher.replaced.clear()
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
    env = environment(PYTHONPATH=f'{tmp_path}{os.pathsep}{root}')
    result = subprocess.run([sys.executable, '-c', '\n'.join(lines)], capture_output=True, text=True, timeout=60, env=env)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(tmp_path/'litellm'/'__init__.py')
    assert result.stderr.count('WARNED') == 1 and 'This LiteLLM has no ModelResponse' in result.stderr
