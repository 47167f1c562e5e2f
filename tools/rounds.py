"""Rounds of what once hung or broke the run: pools, forks, anyio's tests, patches that are wiped away, folders that are removed. Each round
begins with a new folder; one that fails, or takes longer than it may, ends with exit code 1: `python tools/rounds.py [20 [2 [SCENE ...]]]`."""
import concurrent.futures
import logging
import multiprocessing
import os
import sys
import tempfile
import threading
from multiprocessing.pool import ThreadPool
from pathlib import Path
from time import perf_counter
from unittest import mock

root = Path(__file__).parent.parent
sys.path.insert(0, str(root))
os.environ['SSL_CERT_FILE'] = str(root/'tests'/'support'/'certificate.pem') # one certificate to read for each client, not all
import httpx
import openai
import pytest

from cachy import CachyMiss, enable_cachy
from cachy.standin import StandIn

def ask(text, post=httpx.post):
    "An answer; over plain `httpx`"
    return post(os.environ['ROUNDS_URL'] + '/v1/chat/completions', json=dict(model='m', messages=[dict(role='user', content=text)])).json()

def ask_sdk(text):
    "An answer; over an SDK, which retries each `Exception`"
    return openai.OpenAI(base_url=os.environ['ROUNDS_URL'] + '/v1', api_key='sk-0123456789').chat.completions.create(model='m', messages=[dict(role='user', content=text)]).id

def ask_in_session(text):
    "A session that ends before the miss comes to the worker"
    with enable_cachy(os.environ['ROUNDS_FOLDER'], doms=('127.0.0.1',), mode='replay'): return ask(text)

def miss_of(call, *arguments):
    "The miss that `call` ends with"
    try: call(*arguments)
    except CachyMiss as miss: return miss
    raise AssertionError(f'{call} did not miss')

def missing_texts():
    "Texts for tasks, of which the second is asked for itself"
    yield 'one'
    yield ask('new, in a generator')['id']

def pools(folder):
    "A miss in a worker, or among the tasks, comes to whoever waits for it"
    for make in (multiprocessing.get_context('fork').Pool, ThreadPool):
        with enable_cachy(folder, doms=('127.0.0.1',), mode='replay'), make(2) as pool:
            for function in (ask, ask_sdk):
                miss = miss_of(pool.map_async(function, ['one', 'new', 'newer']).get, 5)
                assert 'no recording' in str(miss) and len(miss.key) == 16 and miss.request['method'] == 'POST' and miss.closest and miss.differences
            miss_of(pool.apply_async(ask_sdk, ['new']).get, 5)
            miss_of(lambda: list(pool.imap_unordered(ask, ['one', 'new'])))
            tasks = pool.imap(ask, missing_texts())
            tasks.next(5)
            miss_of(tasks.next, 5)
        with make(2) as pool: miss_of(pool.map_async(ask_in_session, ['new']).get, 5)
    with enable_cachy(folder, mode='replay'): pass # what a session left in place that ended within a worker goes with the next one
    assert 'Exception' not in vars(multiprocessing.pool)

def executors(folder):
    "`concurrent.futures` hands on whatever it is"
    with enable_cachy(folder, doms=('127.0.0.1',), mode='replay'):
        for make in (lambda: concurrent.futures.ThreadPoolExecutor(2), lambda: concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context('fork'))):
            with make() as executor:
                assert executor.submit(ask_sdk, 'one').result(5)
                assert len(miss_of(executor.submit(ask_sdk, 'new').result, 5).key) == 16

def forks(folder):
    "A child of a process with busy threads replays, and misses"
    stop, mine, *others = threading.Event(), *(httpx.Client() for _ in range(3)) # OpenSSL hangs in a child if a thread made one at the fork
    def busy(client):
        while not stop.is_set(): ask('one', client.post)
    with enable_cachy(folder, doms=('127.0.0.1',), mode='replay'):
        threads = [threading.Thread(target=busy, args=(client,)) for client in others]
        for thread in threads: thread.start()
        for _ in range(3):
            child = os.fork()
            if not child:
                try: os._exit(0 if ask('one', mine.post) and 'no recording' in str(miss_of(ask, 'new', mine.post)) else 1)
                except BaseException: os._exit(2)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        for thread in threads: thread.join()

suite = '''
import anyio, pytest
from rounds import ask, ask_sdk
pytestmark = pytest.mark.anyio
@pytest.fixture(scope='session')
def anyio_backend(): return 'asyncio'
@pytest.fixture(scope='session', autouse=True)
async def shared():
    async with anyio.create_task_group() as group: yield group
@pytest.fixture
def cachy_options(): return dict(doms=('127.0.0.1',))
async def test_miss(): ask_sdk('new')
async def test_miss_in_group():
    async with anyio.create_task_group() as group: group.start_soon(anyio.to_thread.run_sync, ask, 'new')
async def test_hit(): ask('one')
'''

class Outcomes:
    "A plugin of pytest that notes what became of each test"
    def __init__(self): self.seen = {}
    def pytest_runtest_logreport(self, report):
        if report.when == 'call' or report.failed: self.seen[report.nodeid.partition('::')[2]] = report.outcome

def anyio_tests(folder):
    "A miss fails its own test under anyio's runner"
    (folder/'pytest.ini').write_text('[pytest]\n')
    (folder/'test_suite.py').write_text(suite)
    outcomes = Outcomes()
    options = ['-q', '--no-header', '--cachy=replay', '-p', 'no:cacheprovider', '-p', 'no:logging', '-W', 'ignore', '--import-mode=importlib', '--rootdir', str(folder), str(folder)]
    with mock.patch.dict(os.environ, PYTEST_DISABLE_PLUGIN_AUTOLOAD='1'), open(os.devnull, 'w') as nowhere, mock.patch('sys.stdout', nowhere):
        pytest.main([*options, '-p', 'anyio.pytest_plugin', '-p', 'cachy.pytest_plugin'], [outcomes])
    assert outcomes.seen == dict(test_miss='failed', test_miss_in_group='failed', test_hit='passed'), outcomes.seen

def wiped_patches(folder):
    "A patch of somebody else that ends in the session is noticed, and ours comes back"
    theirs = mock.patch.object(httpx.Client, 'send', httpx.Client.send)
    before = theirs.start()
    with enable_cachy(folder, doms=('127.0.0.1',), mode='replay'):
        theirs.stop()
        assert "in place of cachy's httpx.Client.send" in str(miss_of(ask, 'one')) and ask('one')
    assert httpx.Client.send is before

def removed_folders(folder):
    "The answer comes all the same"
    here, inner = os.getcwd(), folder/'inner'
    inner.mkdir()
    os.chdir(inner)
    try:
        with enable_cachy(inner, doms=('127.0.0.1',), mode='auto'):
            inner.rmdir()
            assert ask('one') and ask('one')
    finally: os.chdir(here)

scenes = (pools, executors, forks, anyio_tests, wiped_patches, removed_folders)

def main(rounds=20, most_seconds=2, *names):
    "Print the seconds of each scene in each round; of those called `names`, or of all"
    logging.disable(logging.CRITICAL)
    sys.path.insert(0, str(Path(__file__).parent))
    sys.modules['rounds'] = sys.modules[__name__] # for the suite, so that nothing is imported twice
    slowest = 0
    with StandIn() as server:
        os.environ['ROUNDS_URL'] = server.url
        for number in range(int(rounds)):
            with tempfile.TemporaryDirectory() as name:
                os.environ['ROUNDS_FOLDER'] = name
                with enable_cachy(name, doms=('127.0.0.1',), mode='auto'): ask('one'), ask_sdk('one')
                calls, seconds = server.calls, {}
                for scene in scenes if not names else [scene for scene in scenes if scene.__name__ in names]:
                    start = perf_counter()
                    scene(Path(name))
                    seconds[scene.__name__] = perf_counter() - start
            allowed = 2 # of the scene in which the file cannot be written
            assert server.calls <= calls + allowed, f'{server.calls - calls} calls in round {number}'
            slowest = max(slowest, sum(seconds.values()))
            print(f'{number:3}', *(f'{scene} {time:.2f}' for scene, time in seconds.items()), f'= {sum(seconds.values()):.2f} s', flush=True)
    return f'the slowest round took {slowest:.2f} s' if slowest > float(most_seconds) else None

if __name__ == '__main__': sys.exit(main(*sys.argv[1:]))
