"A read follows the call before it: polls end, lists are right, and cells that are run again fit together."
import asyncio
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cachy import CachyMiss, enable_cachy
from support.asking import libraries, warnings

class Provider:
    "Answers from `answers`: a function of method, path and the number of times that it was asked this"
    def __init__(self): self.answer, self.seen, self.lock = None, [], threading.Lock()
    def __enter__(self):
        provider = self
        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'
            def log_message(self, *args): pass
            def reply(self):
                body = self.rfile.read(int(self.headers.get('content-length') or 0))
                with provider.lock:
                    provider.seen.append(f'{self.command} {self.path}')
                    number = provider.seen.count(provider.seen[-1])
                status, content = provider.answer(self.command, self.path, number, body)
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header('content-type', 'application/json')
                self.send_header('content-length', str(len(data)))
                self.end_headers()
                if self.command != 'HEAD': self.wfile.write(data)
            do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = reply
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, kwargs=dict(poll_interval=0.02), daemon=True).start()
        return self
    def __exit__(self, *error): self.stop()
    def stop(self):
        self.server.shutdown()
        self.server.server_close()

@pytest.fixture
def provider():
    with Provider() as server: yield server

def sync_ask(library):
    def ask(method, url, content=None): return library.request(method, url, json=content)
    return ask

def async_ask(library):
    async def send(method, url, content):
        async with library.AsyncClient() as client: return await client.request(method, url, json=content)
    def ask(method, url, content=None): return asyncio.run(send(method, url, content))
    return ask

ways = pytest.mark.parametrize('ask', [way(library) for library in (httpx, httpx2) for way in (sync_ask, async_ask)],
    ids=[f'{library}-{way}' for library in ('httpx', 'httpx2') for way in ('sync', 'async')])
here = dict(doms=('127.0.0.1',))

def jobs(states, field='phase', create=200, look=200):
    "A provider whose job runs through `states`, one a look, the last one for ever"
    def answer(method, path, number, body):
        if method == 'POST': return create, {'id': 'job-1'}
        return look if number < len(states) else 200, {'id': 'job-1', field: states[min(number, len(states)) - 1]}
    return answer

def program(ask, url, final, field='phase', most=40, stop_after=None):
    "Create a job, and look until it is final; gives how many looks that took"
    job = ask('POST', f'{url}/jobs', {'prompt': 'Hi'}).json()['id']
    for look in range(1, most + 1):
        if ask('GET', f'{url}/jobs/{job}').json()[field] == final or look == stop_after: return look
    raise AssertionError('the loop does not end')

@ways
@pytest.mark.parametrize('field', ['phase', 'status', 'jobState'])
def test_a_poll_with_unknown_states(provider, tmp_path, ask, field):
    provider.answer = jobs(['mulling', 'frobnicating', 'frobnicating', 'baked'], field)
    with enable_cachy(tmp_path, **here, mode='auto'): assert program(ask, provider.url, 'baked', field) == 4
    if field == 'phase':
        provider.stop()
        for mode in ('auto', 'replay'):
            with enable_cachy(tmp_path, **here, mode=mode): assert program(ask, provider.url, 'baked', field) == 1

@ways
@pytest.mark.parametrize('answers', [jobs(['mulling', 'frobnicating', 'baked'] * 1), jobs(['RUNNING', 'RUNNING', 'succeeded'], 'task_status'),
    jobs(['a', 'b', 'baked'], look=202)], ids=['unknown', 'known', '202'])
def test_an_interrupted_loop_goes_on(provider, tmp_path, ask, answers):
    provider.answer = answers
    final, field = ('succeeded', 'task_status') if 'task_status' in answers('GET', '/', 1, b'')[1] else ('baked', 'phase')
    with enable_cachy(tmp_path, **here, mode='auto'): program(ask, provider.url, final, field, stop_after=1)
    with enable_cachy(tmp_path, **here, mode='auto'): program(ask, provider.url, final, field)
    with enable_cachy(tmp_path, **here, mode='replay'): assert program(ask, provider.url, final, field) == 1

@ways
def test_lists_and_cells_that_are_run_again(provider, tmp_path, ask, caplog):
    made = []
    def answer(method, path, number, body):
        if method == 'POST': made.append(f'file-{number}'); return 200, {'id': made[-1]}
        if method == 'DELETE': made.remove(path.rpartition('/')[2]); return 200, {'deleted': True}
        return 200, {'data': list(made)} if path == '/files' else {'id': path.rpartition('/')[2]}
    provider.answer = answer
    def cells():
        new = ask('POST', f'{provider.url}/files', {'name': 'a'}).json()['id']
        first = ask('GET', f'{provider.url}/files').json()['data']
        got = ask('GET', f'{provider.url}/files/{new}').json()
        ask('DELETE', f'{provider.url}/files/{new}')
        return first, got, ask('GET', f'{provider.url}/files').json()['data']
    live = [['file-1'], {'id': 'file-1'}, []]
    with enable_cachy(tmp_path, **here, mode='auto'):
        assert [*cells()] == live
        told = [text for text in warnings(caplog) if 'another answer than before' in text]
        assert len(told) == 1 and '/files' in told[0]
        calls = len(provider.seen)
        assert [*cells()] == [[], {'id': 'file-1'}, []] and len(provider.seen) == calls # create and get are replayed, and fit together
    provider.stop()
    with enable_cachy(tmp_path, **here, mode='replay'): assert [*cells()] == [[], {'id': 'file-1'}, []]

@ways
def test_a_new_create_before_a_list_that_was_recorded_earlier(provider, tmp_path, ask):
    made = []
    def answer(method, path, number, body):
        if method == 'POST': made.append(json.loads(body)['name'])
        return 200, {'data': list(made)}
    provider.answer = answer
    names = lambda: ask('GET', f'{provider.url}/files').json()['data']
    create = lambda name: ask('POST', f'{provider.url}/files', {'name': name})
    with enable_cachy(tmp_path, **here, mode='auto'):
        create('a')
        assert names() == ['a']
    with enable_cachy(tmp_path, **here, mode='auto'):
        assert names() == ['a'] and len(provider.seen) == 2 # nothing was called before, so the recording will do
        create('a')
        assert names() == ['a'] and len(provider.seen) == 2
        create('b')
        assert names() == ['a', 'b'] and len(provider.seen) == 4

@libraries
def test_ten_equal_reads_at_once_are_one_request(provider, tmp_path, library):
    for state in ('mulling', 'in_progress'):
        def answer(method, path, number, body, state=state):
            if method == 'GET': threading.Event().wait(0.3)
            return 200, {'status' if state == 'in_progress' else 'phase': state, 'number': number}
        provider.answer = answer
        folder = tmp_path/state
        folder.mkdir()
        with enable_cachy(folder, **here, mode='auto'):
            for round_ in (1, 2):
                library.post(f'{provider.url}/{state}', json={'round': round_}) # made live, so the reads are live as well
                with ThreadPoolExecutor(10) as pool: texts = {*pool.map(lambda _, state=state: library.get(f'{provider.url}/{state}').text, range(10))}
                assert len(texts) == 1 and provider.seen.count(f'GET /{state}') == round_
            async def gather(state=state):
                async with library.AsyncClient() as client:
                    return {answer.text for answer in await asyncio.gather(*(client.get(f'{provider.url}/{state}') for _ in range(10)))}
            library.post(f'{provider.url}/{state}', json={'round': 3})
            assert len(asyncio.run(gather())) == 1 and provider.seen.count(f'GET /{state}') == 3

@ways
def test_record_mode(provider, tmp_path, ask):
    provider.answer = jobs(['a', 'b', 'baked'])
    with enable_cachy(tmp_path, **here, mode='auto'): program(ask, provider.url, 'baked')
    provider.seen.clear()
    with enable_cachy(tmp_path, **here, mode='record'): assert program(ask, provider.url, 'baked') == 3
    with enable_cachy(tmp_path, **here, mode='replay'): assert program(ask, provider.url, 'baked') == 1

@ways
def test_sixty_equal_reads_without_key_and_network(provider, tmp_path, ask, caplog):
    provider.answer = lambda method, path, number, body: (200, {'models': ['a', 'b']})
    def look(): return [ask('GET', f'{provider.url}/models').json() for _ in range(60)]
    with enable_cachy(tmp_path, **here, mode='auto'): assert look() == [{'models': ['a', 'b']}] * 60
    provider.answer = lambda method, path, number, body: (401, {'error': 'no key'})
    calls = len(provider.seen)
    with enable_cachy(tmp_path, **here, mode='auto') as session: assert look() == [{'models': ['a', 'b']}] * 60
    assert len(provider.seen) == calls + 1 and session.counts['replayed'] == 60
    provider.stop()
    for mode in ('auto', 'replay'):
        caplog.clear()
        with enable_cachy(tmp_path, **here, mode=mode) as session: assert look() == [{'models': ['a', 'b']}] * 60
        assert session.counts['replayed'] == 60 and len([text for text in warnings(caplog) if '20 times' in text]) == 1

@ways
def test_a_loop_of_replays_is_tried_live(provider, tmp_path, ask):
    provider.answer = lambda method, path, number, body: (200, {'phase': 'mulling'})
    with enable_cachy(tmp_path, **here, mode='auto'): ask('GET', f'{provider.url}/jobs/1')
    provider.answer = lambda method, path, number, body: (200, {'phase': 'baked'})
    with enable_cachy(tmp_path, **here, mode='auto'):
        looks = [ask('GET', f'{provider.url}/jobs/1').json()['phase'] for _ in range(8)]
    assert looks == ['mulling'] * 5 + ['baked'] * 3

@ways
def test_what_is_not_final_says_so_and_a_miss_repeats_it(provider, tmp_path, ask, caplog):
    provider.answer = lambda method, path, number, body: (200, {'status': 'in_progress'})
    with enable_cachy(tmp_path, **here, mode='auto') as session:
        for _ in range(3): ask('GET', f'{provider.url}/jobs/1')
    assert session.counts == {'not recorded': 3} and provider.seen == ['GET /jobs/1'] * 3
    told = warnings(caplog)
    assert len(told) == 1 and "the answer is not final (status: 'in_progress')" in told[0]
    with enable_cachy(tmp_path, **here, mode='replay'), pytest.raises(CachyMiss, match='the answer is not final') as caught: ask('GET', f'{provider.url}/jobs/1')
    assert "status: 'in_progress'" in str(caught.value)

def test_posts_that_only_fetch(provider, tmp_path):
    "Vertex's operations are looked at by a POST"
    def answer(method, path, number, body):
        if not path.endswith(':fetchPredictOperation'): return 200, {'name': 'models/m/operations/1'}
        return 200, {'name': 'models/m/operations/1'} | ({'done': True, 'response': {}} if number == 4 else {})
    provider.answer = answer
    def ask():
        name = httpx.post(f'{provider.url}/models/m:predictLongRunning', json={}).json()['name']
        for look in range(1, 10):
            if httpx.post(f'{provider.url}/models/m:fetchPredictOperation', json={'operationName': name}).json().get('done'): return look
    with enable_cachy(tmp_path, **here, mode='auto'): assert ask() == 4
    with enable_cachy(tmp_path, **here, mode='replay'): assert ask() == 1

def test_other_calls_say_once_that_nothing_changes(stand_in, tmp_path, caplog):
    with enable_cachy(tmp_path, **here, mode='auto'):
        for _ in range(50): httpx.post(f'{stand_in.url}/v1/chat/completions', json=dict(model='m', messages=[dict(role='user', content='Hi')]))
    assert len([text for text in warnings(caplog) if '20 times' in text]) == 1

def test_a_follower_waits_no_longer_than_its_own_time_out(provider, tmp_path):
    release = threading.Event()
    def answer(method, path, number, body):
        if number == 1: release.wait(5)
        return 200, {'number': number}
    provider.answer = answer
    with enable_cachy(tmp_path, **here, mode='auto'), ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: httpx.post(f'{provider.url}/slow', json={}, timeout=10).json())
        while not provider.seen: threading.Event().wait(0.01)
        assert httpx.post(f'{provider.url}/slow', json={}, timeout=0.3).json() == {'number': 2}
        release.set()
        assert first.result(5) == {'number': 1}

objects = st.dictionaries(st.text(max_size=8), st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6), max_size=4)

@pytest.fixture(scope='module')
def long_lived():
    with Provider() as server: yield server

@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(before=objects, after=objects, create=st.booleans())
def test_a_loop_sees_what_it_sees_without_cachy(long_lived, tmp_path_factory, before, after, create):
    "Four looks at an answer that changes at the third, whatever is in it"
    folder, provider, looks = tmp_path_factory.mktemp('loop'), long_lived, []
    def answer(method, path, number, body):
        if method == 'POST': return 200, {}
        looks.append(path)
        return 200, before if len(looks) < 3 else after
    provider.answer = answer
    logging.disable(logging.CRITICAL)
    try:
        with enable_cachy(folder, **here, mode='auto'):
            if create: httpx.post(f'{provider.url}/jobs', json={})
            seen = [httpx.get(f'{provider.url}/jobs/1').json() for _ in range(4)]
        assert seen == [before, before, after, after]
    finally: logging.disable(logging.NOTSET)

# ---- the other libraries

def requests_look(url):
    import requests
    return requests.get(url).json()

def urllib3_look(url):
    import urllib3
    return json.loads(urllib3.request('GET', url).data)

def aiohttp_look(url):
    import aiohttp
    async def look():
        async with aiohttp.ClientSession() as client, client.get(url) as response: return await response.json()
    return asyncio.run(look())

def lm15_look(url, name='lm15'):
    from support.http_libraries import plain
    return json.loads(plain(name, url, method='GET'))

def async_lm15_look(url): return lm15_look(url, 'async lm15')

@pytest.mark.parametrize('look', [requests_look, urllib3_look, aiohttp_look, lm15_look, async_lm15_look])
def test_reads_of_the_other_libraries(provider, tmp_path, look):
    "Live as without cachy; a loop of replays is tried live; and where that is in vain, the recording is the answer"
    provider.answer = lambda method, path, number, body: (200, {'phase': 'mulling' if number < 3 else 'baked'})
    with enable_cachy(tmp_path, **here, mode='auto'): assert [look(f'{provider.url}/jobs/1')['phase'] for _ in range(4)] == ['mulling', 'mulling', 'baked', 'baked']
    provider.answer = lambda method, path, number, body: (401, {'error': 'no key'})
    calls = len(provider.seen)
    with enable_cachy(tmp_path, **here, mode='auto'): assert [look(f'{provider.url}/jobs/1')['phase'] for _ in range(12)] == ['baked'] * 12
    assert len(provider.seen) == calls + 1
    provider.stop()
    for mode in ('auto', 'replay'):
        with enable_cachy(tmp_path, **here, mode=mode): assert [look(f'{provider.url}/jobs/1')['phase'] for _ in range(12)] == ['baked'] * 12

# ---- real SDKs

def genai_batch(url):
    "Google's batch: `state` runs through names of its own"
    from google import genai
    client = genai.Client(api_key='none', http_options=dict(base_url=url))
    for look in range(1, 20):
        if str(client.batches.get(name='batches/b1').state).endswith('SUCCEEDED'): return look

def genai_operation(url):
    "Google leaves a `done` that is false out"
    from google import genai
    from google.genai import types
    client = genai.Client(api_key='none', http_options=dict(base_url=url))
    operation = types.GenerateVideosOperation(name='models/veo/operations/o1')
    for look in range(1, 20):
        if client.operations.get(operation).done: return look

def openai_batch(url):
    from openai import OpenAI
    client = OpenAI(api_key='none', base_url=url + '/v1')
    for look in range(1, 20):
        if client.batches.retrieve('b1').status == 'completed': return look

def cohere_dataset(url):
    "One level down"
    import cohere
    client = cohere.Client('none', base_url=url)
    for look in range(1, 20):
        if client.datasets.get('d1').dataset.validation_status == 'validated': return look

def batch_state(number): return {'name': 'batches/b1', 'metadata': {'@type': 'x', 'state': 'BATCH_STATE_RUNNING' if number < 4 else 'BATCH_STATE_SUCCEEDED'}}
def operation_state(number): return {'name': 'models/veo/operations/o1'} | ({'done': True, 'response': {}} if number >= 4 else {})
def openai_state(number): return {'id': 'b1', 'object': 'batch', 'endpoint': '/v1/chat/completions', 'input_file_id': 'f', 'completion_window': '24h', 'created_at': 1,
    'status': 'in_progress' if number < 4 else 'completed'}
def dataset_state(number): return {'dataset': {'id': 'd1', 'name': 'd', 'dataset_type': 'embed-input', 'created_at': '2026-01-01T00:00:00Z',
    'updated_at': '2026-01-01T00:00:00Z', 'validation_status': 'processing' if number < 4 else 'validated'}}

@pytest.mark.parametrize('poll, state', [(genai_batch, batch_state), (genai_operation, operation_state), (openai_batch, openai_state), (cohere_dataset, dataset_state)],
    ids=['genai-batch', 'genai-operation', 'openai', 'cohere'])
def test_polls_of_real_sdks_end(provider, tmp_path, poll, state):
    provider.answer = lambda method, path, number, body: (200, state(number))
    with enable_cachy(tmp_path, **here, mode='auto'): assert poll(provider.url) == 4
    provider.stop()
    with enable_cachy(tmp_path, **here, mode='replay'): assert poll(provider.url) == 1
