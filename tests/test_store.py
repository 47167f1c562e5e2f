"More than one machine: a store that all of them reach saves calls, and never costs an answer. `CACHY_FULL=1` runs the full sizes."
import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter

import httpx
import pytest

from cachy import CachyMiss, enable_cachy
from cachy import store as store_module
from cachy.standin import StandIn
from cachy.store import make_store
from support import environment, python
from support.asking import warnings
from support.fleet import work
from support.recordings import recordings
from support.stores import make_server, password, s3_variables, slow, start_worker

full = os.environ.get('CACHY_FULL') == '1'
kinds = pytest.mark.parametrize('kind', ['redis', 's3'])

@pytest.fixture(scope='module')
def servers():
    "Servers by kind, started when a test asks for one"
    running = {}
    def get(kind):
        if kind not in running: running[kind] = make_server(kind).start()
        return running[kind]
    yield get
    for server in running.values(): server.stop()

@pytest.fixture(autouse=True)
def variables(monkeypatch):
    "Else obstore looks for credentials on the network; and each test has stores of its own"
    store_module.store_at.cache_clear()
    for name, value in s3_variables.items(): monkeypatch.setenv(name, value)

@pytest.fixture
def server(request, servers, kind):
    "A running server that holds nothing"
    server = servers(kind)
    if kind == 'redis': server.client.flushall()
    else: [server.client.delete_object(Bucket='bucket', Key=key) for key in server.keys()]
    return server

class Shelf(dict):
    "The smallest store"
    put = dict.setdefault

class Machine:
    "A folder with a file of its own, and what is asked from there"
    def __init__(self, folder, stand_in, store, mode='auto', **options):
        folder.mkdir(exist_ok=True)
        self.folder, self.stand_in = folder, stand_in
        self.options = dict(cache_dir=folder, doms=('127.0.0.1',), mode=mode, store=store) | options
    def ask(self, text='Hello', session=None):
        "The answer, and whether it took a call"
        before = len(self.stand_in.log)
        with session or enable_cachy(**self.options) as self.session:
            answer = httpx.post(self.stand_in.url + '/v1/chat/completions', json=dict(model='m', messages=[dict(role='user', content=text)]))
        return answer.text, len(self.stand_in.log) - before

@pytest.fixture
def machine(tmp_path, stand_in): return lambda name, store, **options: Machine(tmp_path/name, stand_in, store, **options)

# A fleet

@pytest.mark.slow
@kinds
def test_fleet(server, tmp_path):
    "Each question is asked about once, whoever asks it; workers that come later ask none; each file replays alone"
    workers, prompts = (8, 200) if full else (3, 24)
    names = [f'worker-{i}' for i in range(workers)]
    with StandIn(delay=0.05) as stand_in:
        running = [start_worker(tmp_path/name, stand_in.url, server.url(), prompts, seed) for seed, name in enumerate(names)]
        done = [process.communicate(timeout=300) for process in running]
        assert [(process.returncode, err) for process, (_, err) in zip(running, done, strict=True)] == [(0, '')] * workers
        first = [json.loads(out) for out, _ in done]
        asked = Counter(line.partition('?n=')[2] for line in stand_in.log if '?n=' in line)
        plain, streams = ([asked[str(i)] for i in range(start, prompts, 2)] for start in (0, 1))
        print(f'{server.kind}: {sum(plain) / len(plain):.3f} calls a plain prompt, {sum(streams) / len(streams):.3f} a streamed one, '
            f'{[round(outcome["seconds"], 1) for outcome in first]} seconds')
        assert min(plain) == min(streams) == 1
        assert sum(plain) / len(plain) <= (1.15 if full else 1.5) # fewer prompts meet more often
        calls = len(stand_in.log)
        for seed in (8, 9): work(tmp_path/f'fresh-{seed}', stand_in.url, prompts, seed, store=server.url())
        assert len(stand_in.log) == calls
    for seed, name in enumerate(names): # all servers are gone, too
        again = work(tmp_path/name, stand_in.url, prompts, seed, mode='replay', store='')
        assert (again['answers'], again['turns']) == (first[seed]['answers'], first[seed]['turns'])

@kinds
def test_value_is_the_line_of_the_file(server, machine):
    one = machine('one', server.url())
    one.ask()
    line, = (one.folder/'cachy.jsonl').read_bytes().splitlines(keepends=True)
    key, = server.keys()
    assert key == f'team/cachy/1/{json.loads(line)["key"]}' and server.read(key) == line
    two = machine('two', server.url(), mode='replay')
    assert two.ask() == (one.ask()[0], 0)
    assert (two.folder/'cachy.jsonl').read_bytes() == line

def test_store_keeps_the_first_answer_and_a_file_its_own(machine):
    "Both asked before either had an answer"
    shelf = Shelf()
    one, two = machine('one', shelf), machine('two', shelf, mode='record')
    first, second = one.ask()[0], two.ask()[0]
    assert first != second
    three = machine('three', shelf, mode='replay')
    assert three.ask()[0] == first and machine('two', '', mode='replay').ask()[0] == second

def test_store_is_asked_once_a_call(machine):
    class Counting(Shelf):
        gets = 0
        def get(self, key):
            self.gets += 1
            return super().get(key)
    store = Counting()
    one = machine('one', store)
    one.ask()
    assert store.gets == 1
    one.ask()
    assert store.gets == 1 # a hit of the file

def test_read_only_file_neither_fetches_nor_shares_less(machine, monkeypatch, caplog):
    "What cannot be written here is in the store all the same"
    def refuse(self, line): raise OSError(30, 'Read-only file system')
    shelf = Shelf()
    monkeypatch.setattr('cachy.file.Recordings.add', refuse)
    one = machine('one', shelf)
    answer = one.ask()[0]
    assert len(shelf) == 1
    assert machine('two', shelf).ask() == (answer, 0) and any('cannot be added' in line for line in warnings(caplog))

def test_errors_stay_in_their_file(tmp_path, stand_in):
    "Others did not ask for them"
    shelf = Shelf()
    stand_in.fail = [404]
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='auto', store=shelf, errors=(404,)) as session:
        assert httpx.post(stand_in.url + '/v1/embeddings', json=dict(input='a')).status_code == 404
    assert session.counts['recorded'] == 1 and shelf == {}

def test_variable_names_the_store(servers, machine, monkeypatch):
    server = servers('redis')
    server.client.flushall()
    monkeypatch.setenv('CACHY_STORE', server.url())
    answer = machine('one', None).ask()[0]
    assert machine('two', None).ask() == (answer, 0)
    assert machine('three', '').ask()[1] == 1 # '' asks for none

# Stores that fail

def one_line(caplog, text):
    "What was said of the store, which is one line and no more"
    line, = [line for line in warnings(caplog) if 'tore ' in line]
    assert text in line and '\n' not in line and password not in line
    return line

@kinds
def test_killed_and_brought_back(kind, machine, caplog, monkeypatch):
    with make_server(kind) as server:
        monkeypatch.setattr(store_module, 'rest_seconds', 0.5)
        one = machine('one', server.url())
        session = enable_cachy(**one.options)
        answers = [one.ask('before', session)]
        server.stop()
        answers += [one.ask(f'while it is away {i}', session) for i in range(3)]
        server.start()
        time.sleep(0.6)
        answers.append(one.ask('after', session))
        assert [calls for _, calls in answers] == [1] * 5 and session.counts['recorded'] == 5
        one_line(caplog, 'failed')
        assert machine('two', server.url(), mode='replay').ask('after') == (answers[-1][0], 0)

@kinds
def test_slow(server, machine, caplog, monkeypatch):
    "It answers after five seconds: the program waits for it once, and no longer than three"
    seconds, delay = (3, 5) if full else (0.5, 2)
    monkeypatch.setattr(store_module, 'store_seconds', seconds)
    with slow(server.port, delay) as port:
        one, start = machine('one', server.url(port)), time.perf_counter()
        session = enable_cachy(**one.options)
        assert [one.ask(f'question {i}', session)[1] for i in range(20)] == [1] * 20
        assert time.perf_counter() - start < seconds + 2.5
    one_line(caplog, 'failed')

def test_out_of_memory(machine, caplog):
    "What it holds is still found"
    with make_server('redis') as server:
        answer = machine('one', server.url()).ask('early')[0]
        server.client.config_set('maxmemory', '1')
        two = machine('two', server.url())
        session = enable_cachy(**two.options)
        assert [two.ask(f'late {i}', session)[1] for i in range(3)] == [1] * 3
        assert two.ask('early', session) == (answer, 0)
        one_line(caplog, 'OutOfMemoryError')
        assert len(server.keys()) == 1

def test_bucket_that_is_not_there(servers, machine, caplog):
    server = servers('s3')
    one = machine('one', server.url().replace('bucket', 'nowhere'))
    session = enable_cachy(**one.options)
    assert [one.ask(str(i), session)[1] for i in range(2)] == [1, 1]
    one_line(caplog, 'failed')

def tampered(line, other):
    "Ways in which the value of a key may be wrong"
    fields = json.loads(line)
    changed = lambda **more: json.dumps(fields | more, separators=(',', ':')).encode() + b'\n'
    yield from (b'', b'\0' * 100, b'null\n', line[:-30], line + line, line.rstrip(b'\n'), other, line.replace(b'":', b'":\n', 3))
    yield line.replace(fields['key'].encode(), b'0123456789abcdef')
    yield line.replace(b'"status_code":200', b'"status_code":401')
    yield line.replace(b'"request"', b'"key":"0123456789abcdef","request"', 1)
    yield from (changed(response=1), changed(response='%', binary=True), changed(status_code='200'), changed(headers=[1]), changed(headers={'a': '\ud800'}))
    yield b'{"key":"%s","response":%s}\n' % (fields['key'].encode(), b'[' * 100_000)

@kinds
def test_tampered_lines(server, machine, caplog):
    one = machine('one', server.url())
    one.ask('other')
    other = server.read(server.keys()[0])
    one.ask('this')
    name, = [key for key in server.keys() if server.read(key) != other]
    line = server.read(name)
    for i, value in enumerate(tampered(line, other)):
        server.overwrite(name, value)
        caplog.clear()
        store_module.store_at.cache_clear() # else it has been said
        two = machine(f'two-{i}', server.url())
        session = enable_cachy(**two.options)
        answer, calls = two.ask('this', session)
        assert calls == 1 and 'This is answer' in answer, value[:200]
        assert [len(recordings(two.folder)), two.ask('this', session)] == [1, (answer, 0)]
        if value: one_line(caplog, name.removeprefix('team/'))

def test_too_large(machine, caplog, monkeypatch, servers):
    for kind in ('redis', 's3'):
        server = servers(kind)
        one = machine(f'{kind}-one', server.url())
        one.ask(kind)
        with monkeypatch.context() as patch:
            patch.setattr(store_module, 'max_line', 100)
            caplog.clear()
            store_module.store_at.cache_clear()
            assert machine(f'{kind}-two', server.url()).ask(kind)[1] == 1
            one_line(caplog, 'larger than 100 bytes')

def test_key_of_another_type(servers, machine, caplog):
    server = servers('redis')
    server.client.flushall()
    machine('one', server.url()).ask()
    name, = server.keys()
    server.client.delete(name)
    server.client.lpush(name, 'x')
    assert machine('two', server.url()).ask()[1] == 1
    one_line(caplog, 'no string')

def test_miss_says_that_the_store_was_away(machine):
    class Away:
        def get(self, key): raise ConnectionError('no route')
        put = get
    with pytest.raises(CachyMiss, match=r'the store: Away, which was away \(ConnectionError: no route\)'): machine('one', Away(), mode='replay').ask()
    with pytest.raises(CachyMiss, match='the store: Shelf, which has none either'): machine('one', Shelf(), mode='replay').ask()
    with pytest.raises(CachyMiss) as miss: machine('one', '', mode='replay').ask()
    assert 'the store' not in str(miss.value)

@kinds
def test_store_at_a_cached_host(server, machine, caplog):
    "What the store does on the network is no call of the program: it is neither recorded nor refused"
    hosts = dict(doms=('127.0.0.1', f'127.0.0.1:{server.port}'))
    answer = machine('one', server.url(), **hosts).ask()[0]
    store_module.store_at.cache_clear() # and with it the connection
    assert machine('two', server.url(), mode='replay', **hosts).ask() == (answer, 0)
    with pytest.raises(CachyMiss, match='which has none either'): machine('three', server.url(), mode='replay', **hosts).ask('never asked')
    assert [line for line in warnings(caplog) if 'past the cache' in line] == []

@pytest.mark.parametrize('mode', ['auto', 'replay', 'record'])
def test_store_that_calls_over_http(machine, stand_in, mode):
    shelf = Shelf()
    class Remote:
        def get(self, key): return httpx.get(stand_in.url + '/v1/models') and shelf.get(key)
        def put(self, key, line): httpx.get(stand_in.url + '/v1/models') and shelf.put(key, line)
    machine('one', Remote()).ask()
    two = machine('two', Remote(), mode=mode)
    two.ask()
    assert len(recordings(two.folder)) == 1 == sum(two.session.counts.values())

@pytest.mark.parametrize('error', [RuntimeError('x'), MemoryError(), OSError(), RecursionError(), TimeoutError()])
def test_whatever_it_raises(machine, caplog, error):
    class Bad:
        def get(self, key): raise error
        put = get
    assert machine('one', Bad()).ask()[1] == 1
    one_line(caplog, type(error).__name__)

def test_many_threads_say_it_once(machine, stand_in, caplog):
    class Away:
        def get(self, key):
            time.sleep(0.05)
            raise ConnectionError
        put = get
    one = machine('one', Away())
    with enable_cachy(**one.options):
        threads = [threading.Thread(target=httpx.post, args=(stand_in.url + '/v1/embeddings',), kwargs=dict(json=dict(input=str(i)))) for i in range(16)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    one_line(caplog, 'ConnectionError')

# Passwords

def hidden_urls(server):
    "URLs with the password in every place where one may be, and some where none should be"
    yield from (server.url(), server.url(1), server.url().replace('//:', '//someone:'), f'redis://127.0.0.1:{server.port}/0?password={password}')
    yield from (f'redis://:{password}-wrong@127.0.0.1:{server.port}/0', f'rediss://:{password}@127.0.0.1:{server.port}/0', f'redis://:{password}@nowhere.invalid/0')
    yield from (f'redis://:a/{password}@127.0.0.1:1/0', f'redis://:a#{password}@127.0.0.1:1/0', f'redis://:a?{password}@127.0.0.1:1/0', f'redis://:{password}%40@127.0.0.1:1')
    yield from (f'redis://x:{password}', f'redis:{password}', password, f'nothing://:{password}@127.0.0.1', f'redis://:a@{password}@127.0.0.1:1')
    yield from (f's3://bucket/team?endpoint=http://127.0.0.1:1&secret_access_key={password}', f's3://x:{password}@bucket/team?endpoint=http://127.0.0.1:1',
        f's3://bucket?endpoint=http://me:{password}@127.0.0.1:1', f's3://bucket/team?nonsense={password}')

def test_password_is_nowhere(servers, machine, caplog, capsys, monkeypatch, tmp_path):
    pytest.importorskip('obstore')
    caplog.set_level(logging.DEBUG, 'cachy')
    for i, url in enumerate(hidden_urls(servers('redis'))):
        seen = []
        try:
            one = machine(f'one-{i}', url)
            session = enable_cachy(**one.options)
            one.ask(f'question {i}', session)
            seen += [repr(session), session._repr_html_(), repr(session.store), repr(vars(session.store) | dict(engine=None)), repr(vars(session) | dict(engine=None))]
            with pytest.raises(CachyMiss) as miss: machine(f'two-{i}', url, mode='replay').ask('never asked')
            seen += [str(miss.value)]
        except (ValueError, ImportError) as error: seen += [repr(error), repr(error.__context__)]
        seen += [caplog.text, *capsys.readouterr(), *(path.read_text() for path in tmp_path.rglob('cachy.jsonl'))]
        assert not [text for text in seen if password in text], url

def test_password_is_in_no_traceback(monkeypatch, tmp_path):
    "Such as pytest's, which shows what functions were called with"
    monkeypatch.setenv('CACHY_STORE', f'redis://x:{password}')
    (tmp_path/'test_it.py').write_text('from cachy import enable_cachy\ndef test_it(tmp_path): enable_cachy(tmp_path)\n')
    command = [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', '-c', os.devnull, '--showlocals', str(tmp_path)]
    done = subprocess.run(command, env=environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD='1'), capture_output=True, text=True)
    assert done.returncode == 1 and 'is no number' in done.stdout and password not in done.stdout + done.stderr

# What is a store

def test_objects_of_the_packages(servers, machine):
    redis, obstore = pytest.importorskip('redis'), pytest.importorskip('obstore.store')
    server = servers('redis')
    decoding = redis.Redis(port=server.port, password=password, decode_responses=True)
    for i, store in enumerate([server.client, decoding, obstore.MemoryStore()]):
        answer = machine(f'one-{i}', store).ask(f'store {i}')[0]
        assert machine(f'two-{i}', store).ask(f'store {i}') == (answer, 0)

def test_what_is_no_store(tmp_path):
    class Async:
        async def get(self, key): pass
        async def put(self, key, line): pass
    wrong = [{}, 7, Async(), object()]
    if redis := pytest.importorskip('redis'): wrong.append(redis.asyncio.Redis())
    for store in wrong:
        with pytest.raises(TypeError, match='neither of them async'): enable_cachy(tmp_path, store=store)
    for store in ('http://host', 'redis', 'cache.example.com', '/tmp/x'):
        with pytest.raises(ValueError, match='A store is a URL'): enable_cachy(tmp_path, store=store)

def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(store_module.check_url, '__defaults__', (lambda package: None,))
    for url, extra in (('redis://host', 'redis'), ('valkey://host', 'redis'), ('s3://bucket', 's3'), ('gs://bucket', 's3'), ('az://container', 's3')):
        with pytest.raises(ImportError, match=rf"pip install 'pycachy\[{extra}\]'"): make_store(url)

def test_a_dead_store_is_not_waited_for_by_each_session(tmp_path, stand_in, caplog, monkeypatch):
    "As in a suite with a session for each test"
    pytest.importorskip('redis')
    monkeypatch.setattr(store_module, 'store_seconds', 0.3)
    with socket.socket() as silent:
        silent.bind(('127.0.0.1', 0))
        silent.listen()
        start = time.perf_counter()
        for i in range(8):
            with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='auto', store=f'redis://127.0.0.1:{silent.getsockname()[1]}'):
                httpx.post(stand_in.url + '/v1/embeddings', json=dict(input=str(i)))
        assert time.perf_counter() - start < 2 and len(stand_in.log) == 8
    one_line(caplog, 'failed')

def test_nothing_is_imported_before_it_is_used(tmp_path):
    code = f'''import sys, cachy
for url in ("redis://host", "s3://bucket"):
    with cachy.enable_cachy({str(tmp_path)!r}, store=url) as session: repr(session)
print([name for name in ("redis", "obstore", "yaml", "asyncio", "anyio") if name in sys.modules])'''
    assert python('-c', code).stdout == '[]\n'

# Async

def import_all(name): return [pytest.importorskip(module) for module in dict(google=['google.genai']).get(name, [name])]

chat = dict(model='gpt-4o', messages=[dict(role='user', content='Hi')])

async def with_httpx(url, stream, library=httpx):
    async with library.AsyncClient() as client, client.stream('POST', url + '/v1/chat/completions', json=chat | dict(stream=stream)) as response:
        return [line async for line in response.aiter_lines()]

async def with_httpx2(url, stream):
    import httpx2
    if stream: return await with_httpx(url, stream, httpx2)
    async with httpx2.AsyncClient() as client: return (await client.post(url + '/v1/chat/completions', json=chat)).text

async def with_aiohttp(url, stream):
    import aiohttp
    async with aiohttp.ClientSession() as client, client.post(url + '/v1/chat/completions', json=chat | dict(stream=stream)) as response:
        return [line async for line in response.content]

async def with_openai(url, stream):
    from openai import AsyncOpenAI
    async with AsyncOpenAI(base_url=url + '/v1', api_key='none') as client:
        answer = await client.chat.completions.create(**chat, stream=stream)
        return [chunk async for chunk in answer] if stream else answer

async def with_anthropic(url, stream):
    from anthropic import AsyncAnthropic
    async with AsyncAnthropic(base_url=url, api_key='none') as client:
        answer = await client.messages.create(**chat, max_tokens=9, stream=stream)
        return [event async for event in answer] if stream else answer

async def with_google(url, stream):
    from google import genai
    models = genai.Client(api_key='none', http_options=dict(base_url=url)).aio.models
    if not stream: return await models.generate_content(model='m', contents='Hi')
    return [chunk async for chunk in await models.generate_content_stream(model='m', contents='Hi')]

async def with_litellm(url, stream):
    import litellm
    answer = await litellm.acompletion('openai/gpt-4o', messages=chat['messages'], api_base=url + '/v1', api_key='none', stream=stream)
    return [chunk async for chunk in answer] if stream else answer

async_calls = {function.__name__.removeprefix('with_'): function for function in (with_httpx, with_httpx2, with_aiohttp, with_openai, with_anthropic, with_google, with_litellm)}

def test_async_calls_do_not_block_their_loop(tmp_path, stand_in):
    class Slow(Shelf):
        def get(self, key):
            time.sleep(0.5)
            return super().get(key)
        def put(self, key, line):
            time.sleep(0.5)
            self.setdefault(key, line)
    async def main(session):
        longest, last, done = 0, time.perf_counter(), False
        async def tick():
            nonlocal longest, last
            while not done:
                await asyncio.sleep(0.01)
                longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
        async with httpx.AsyncClient() as client:
            ticking = asyncio.create_task(tick())
            answers = await asyncio.gather(*(client.post(stand_in.url + '/v1/embeddings', json=dict(input=str(i % 2))) for i in range(4)))
            done = True
            await ticking
        return longest, [answer.text for answer in answers]
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='auto', store=Slow()) as session: longest, answers = asyncio.run(main(session))
    assert longest < 0.3 and len(set(answers)) == 2 == session.counts['recorded'] == len(session.store.engine)

@pytest.mark.parametrize('stream', [False, True], ids=['plain', 'stream'])
@pytest.mark.parametrize('name', ['httpx', 'httpx2', 'aiohttp', 'openai', *['anthropic', 'google', 'litellm'] * full])
def test_no_loop_asks_it(tmp_path, stand_in, name, stream):
    "Whatever is called, recorded and replayed: neither verb runs in the thread of the loop"
    import_all(name)
    verbs = []
    class Watched(Shelf):
        def get(self, key): return self.asked('get') or super().get(key)
        def put(self, key, line): self.asked('put') or self.setdefault(key, line)
        def asked(self, verb): verbs.append((verb, asyncio._get_running_loop() is None))
    shelf = Watched()
    for folder, mode in (('one', 'auto'), ('two', 'auto'), ('three', 'replay'), ('three', 'record')):
        (tmp_path/folder).mkdir(exist_ok=True)
        with enable_cachy(tmp_path/folder, doms=('127.0.0.1',), mode=mode, store=shelf): asyncio.run(async_calls[name](stand_in.url, stream))
    assert [verb for verb, _ in verbs] == ['get', 'put', 'get', 'get', 'put'] and all(off for _, off in verbs), verbs

def test_trio(tmp_path, stand_in):
    trio = pytest.importorskip('trio', reason='trio is optional')
    shelf = Shelf()
    async def main():
        async with httpx.AsyncClient() as client: return (await client.post(stand_in.url + '/v1/embeddings', json=dict(input='a'))).text
    for name in ('one', 'two'):
        (tmp_path/name).mkdir()
        with enable_cachy(tmp_path/name, doms=('127.0.0.1',), mode='auto', store=shelf): trio.run(main)
    assert len(stand_in.log) == 1

# Forks

@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system has no fork')
@kinds
def test_fork(server, machine, tmp_path):
    "Redis goes on in the child; obstore cannot, says so, and does not hang"
    code = f'''import os, sys, httpx, logging, signal
from pathlib import Path
from cachy import enable_cachy
logging.basicConfig(stream=sys.stdout, format="%(message)s")
url, folder = sys.argv[1:3]
def ask(n): return httpx.post(url + "/v1/embeddings", json=dict(input=n)).status_code
with enable_cachy(folder, doms=("127.0.0.1",), mode="auto", store={server.url()!r}):
    ask("parent")
    if (child := os.fork()) == 0:
        signal.alarm(20)
        ask("child")
        sys.stdout.flush()
        os._exit(0)
    print("status", os.waitpid(child, 0)[1])'''
    with StandIn() as stand_in: out = python('-c', code, stand_in.url, tmp_path, timeout=60).stdout
    assert 'status 0' in out
    assert len(server.keys()) == (2 if server.kind == 'redis' else 1) and ('forked process' in out) == (server.kind == 's3')
