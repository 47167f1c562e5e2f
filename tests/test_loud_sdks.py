"Replay without keys and network, and misses, through OpenAI's, Anthropic's and Google's SDKs and LiteLLM: plain, in tasks, in threads, in Jupyter."
import asyncio
import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import nbformat
import pytest
from jupyter_client import KernelManager
from nbclient import NotebookClient

from cachy import CachyMiss, enable_cachy
from cachy.core import Question
from cachy.providers import key_variables
from support import environment
from support.miss_calls import sdks

known, unknown = 'Tell me about cats', 'Tell me about dogs'

def misses_in(error):
    "All misses in `error`, which may be an exception group"
    if isinstance(error, CachyMiss): return [error]
    return [miss for inner in getattr(error, 'exceptions', ()) for miss in misses_in(inner)]

def plain(sdk): return sdk[0](unknown)
def plain_stream(sdk): return sdk[2](unknown)
def coroutine(sdk): return asyncio.run(sdk[1](unknown))
def async_stream(sdk): return asyncio.run(sdk[3](unknown))
def thread_pool(sdk):
    with ThreadPoolExecutor(3) as pool: return [future.result() for future in [pool.submit(sdk[0], text) for text in (known, unknown, known)]]
def gather(sdk):
    async def run(): return await asyncio.gather(*(sdk[1](text) for text in (known, unknown, known)))
    return asyncio.run(run())
def gather_returning(sdk):
    async def run(): return await asyncio.gather(*(sdk[1](text) for text in (known, unknown, known)), return_exceptions=True)
    first, miss, last = asyncio.run(run())
    assert known in first and first == last # the others have their answers
    raise miss # handed back as data: the log has shown it
def task_group(sdk):
    async def run():
        async with anyio.create_task_group() as group:
            for text in (known, unknown, known): group.start_soon(sdk[1], text)
    return anyio.run(run)
def asyncio_task_group(sdk):
    if sys.version_info < (3, 11): return plain(sdk)
    async def run():
        async with asyncio.TaskGroup() as group:
            for text in (known, unknown, known): group.create_task(sdk[1](text))
    return asyncio.run(run())

ways = [plain, plain_stream, coroutine, async_stream, thread_pool, gather, gather_returning, task_group, asyncio_task_group]

@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    "A stand-in that has gone, and what was recorded of it through each SDK"
    from cachy.standin import StandIn
    folder, before = tmp_path_factory.mktemp('recorded'), {name: os.environ.pop(name, None) for name in key_variables}
    with StandIn() as server, enable_cachy(folder, doms=('127.0.0.1',), mode='auto') as session:
        os.environ.update(dict.fromkeys(key_variables, 'sk-real-0123456789abcdef'))
        for make in sdks.values(): make(server.url)[0](known)
        assert session.counts['recorded'] == 3 # LiteLLM's request is the same as OpenAI's
        for name, value in before.items(): os.environ.pop(name) if value is None else os.environ.update({name: value})
    return server, folder

@pytest.fixture
def slept(monkeypatch):
    "What was waited for: SDKs sleep before they try again"
    naps = []
    def nap(seconds, *rest): naps.append(seconds)
    async def async_nap(seconds, *rest):
        if seconds: naps.append(seconds)
    monkeypatch.setattr(time, 'sleep', nap)
    monkeypatch.setattr(asyncio, 'sleep', async_nap)
    monkeypatch.setattr(anyio, 'sleep', async_nap)
    return naps

@pytest.mark.parametrize('way', ways, ids=lambda way: way.__name__)
@pytest.mark.parametrize('name', sdks)
def test_a_miss_surfaces_once(recorded, slept, monkeypatch, caplog, name, way):
    server, folder = recorded
    for variable in key_variables: monkeypatch.delenv(variable, raising=False)
    asked, miss_of = [], Question.miss
    monkeypatch.setattr(Question, 'miss', lambda self: asked.append(self.call) or miss_of(self))
    calls = server.calls
    with enable_cachy(folder, doms=('127.0.0.1',), mode='replay') as session:
        with pytest.raises(BaseException) as caught: way(sdks[name](server.url))
    miss, = misses_in(caught.value)
    for part in (f'no recording for POST {server.url}/', str(folder/'cachy.jsonl'), '3 recordings', f'{known!r} -> {unknown!r}', 'commit'): assert part in str(miss), str(miss)
    told = [record.getMessage() for record in caplog.records if record.name == 'cachy']
    assert len(told) == 1 and str(miss) in told[0] 
    assert [record.levelno for record in caplog.records if record.name == 'cachy'] == [logging.ERROR]
    assert len(asked) == session.counts['missed'] == 1 and slept == [] and server.calls == calls

cut = '''
import os, socket, sys
for name in {variables}: os.environ.pop(name, None)
if {cut}:
    connect = socket.socket.connect
    def refused(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6): raise ConnectionRefusedError(f'the network is cut: {{address}}')
        return connect(self, address)
    socket.socket.connect = refused
    os.environ['CI'] = 'true'
else: os.environ.update(dict.fromkeys({variables}, 'sk-real-0123456789abcdef'))
before = dict(os.environ)
os.chdir({folder!r})
from cachy import disable_cachy, enable_cachy

session = enable_cachy({folder!r}, doms=('127.0.0.1',))
from support.miss_calls import sdks
'''

@pytest.fixture(scope='module')
def kernel():
    "A kernel for all notebooks that replay, since SDKs take long to import"
    manager = KernelManager(kernel_name='python3')
    yield manager
    manager.shutdown_kernel(now=True)

def notebook(folder, cells, cut_off, kernel=None):
    "Run `cells` in `kernel`, or in one of their own; the notebook with its outputs"
    first = cut.format(variables=key_variables, cut=cut_off, folder=str(folder))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in [first, *cells]])
    client = NotebookClient(book, km=kernel, timeout=120, kernel_name='python3', allow_errors=True, resources=dict(metadata=dict(path=str(folder))))
    client.execute(env=environment(LITELLM_LOCAL_MODEL_COST_MAP='True'))
    return book

def text_of(cell): return ''.join(output.get('text', '') for output in cell.outputs if output.get('name') == 'stdout')

@pytest.mark.slow
def test_a_notebook_replays_without_keys_and_network(stand_in, tmp_path, kernel):
    cells = [f'''plain, later, stream, stream_later = sdks[{name!r}]({stand_in.url!r})
print(plain('One'), await later('Two'), stream('Three'), await stream_later('Four'))''' for name in sdks]
    cells += ['''disable_cachy() # the variable below is LiteLLM's own
print(session.mode, [name for name in {**before, **os.environ} if before.get(name) != os.environ.get(name) and name != 'TIKTOKEN_CACHE_DIR'], session.counts['missed'], session.counts['not recorded'])''']
    first = notebook(tmp_path, cells, False)
    assert [output for cell in first.cells for output in cell.outputs if output.output_type == 'error'] == []
    calls, _ = stand_in.calls, stand_in.stop()
    again = notebook(tmp_path, cells, True, kernel)
    assert [output for cell in again.cells for output in cell.outputs if output.output_type == 'error'] == []
    assert [text_of(cell) for cell in again.cells[1:-1]] == [text_of(cell) for cell in first.cells[1:-1]] and 'One' in text_of(again.cells[1])
    assert text_of(first.cells[-1]) == 'auto [] 0 0\n' and text_of(again.cells[-1]) == 'replay [] 0 0\n'
    assert stand_in.calls == calls

@pytest.mark.slow
def test_a_miss_in_jupyter(recorded, kernel):
    "Each cell ends with the miss, at once, and its message stands there whole; the next cell goes on"
    server, folder = recorded
    setup = f'''import anyio, asyncio, threading, time
naps, real, real_async, real_anyio = [], time.sleep, asyncio.sleep, anyio.sleep
def nap(seconds): naps.append(seconds) if threading.current_thread() is threading.main_thread() and seconds > 0.01 else real(seconds) # the kernel naps 0.0005 s
async def async_nap(seconds, *rest): naps.append(seconds) if seconds else await real_async(0)
time.sleep, anyio.sleep = nap, async_nap
async def gather(later): await asyncio.gather(*(later(text) for text in ({known!r}, {unknown!r})))'''
    cells = [cell for name in sdks for cell in (f'plain, later, *_ = sdks[{name!r}]({server.url!r})', f'plain({unknown!r})', f'await later({unknown!r})', 'await gather(later)')]
    book = notebook(folder, [setup, *cells, "print(naps, session.counts['missed'])\ntime.sleep, anyio.sleep = real, real_anyio"], True, kernel)
    missed = [cell for cell in book.cells if cell.source.startswith(('plain(', 'await'))]
    for cell in missed:
        error, = [output for output in cell.outputs if output.output_type == 'error']
        assert error.ename == 'CachyMiss' and f'{known!r} -> {unknown!r}' in error.evalue and error.evalue.endswith('; then commit cachy.jsonl'), error
        assert error.traceback == [f'CachyMiss: {error.evalue}'] and len(cell.outputs) == 1, cell.outputs # once, and without the frames of an SDK
    assert [output for cell in book.cells if cell not in missed for output in cell.outputs if output.output_type == 'error'] == []
    assert len(missed) == 12 and text_of(book.cells[-1]) == '[] 12\n'
