"requests, urllib3 and aiohttp beside cachy: bodies go out, and answers come back, as they would without it."
import asyncio
import contextlib
import gzip
import io
import os
import tempfile
import threading
import time
import warnings as python_warnings

import httpx
import httpx2
import pytest

from cachy import stacks
from cachy.core import CachyMiss
from cachy.request import ReadAhead
from support.asking import warnings
from support.http_libraries import aiohttp, requests, urllib3
from support.recordings import recordings

content = b'{"text": "' + b'x' * 70_000 + b'"}'

@pytest.fixture
def seen(echo):
    "What reached the server: framing and body of each request; `/moved` leads elsewhere"
    log = []
    def answer(handler, body):
        if handler.headers.get('transfer-encoding') == 'chunked':
            while size := int(handler.rfile.readline(), 16): body += handler.rfile.read(size + 2)[:-2]
            handler.rfile.readline()
        log.append((handler.path, 'chunked' if handler.headers.get('transfer-encoding') else handler.headers['content-length'], body))
        if handler.path == '/moved': return {':status': 307, 'location': '/there'}, b'moved'
        return {'content-type': 'text/plain'}, b'answer %d' % len(log)
    echo.answer = answer
    yield log
    del echo.answer

def from_disk():
    file = tempfile.TemporaryFile()
    file.write(b'left out' + content)
    file.seek(8)
    return file

def from_pipe():
    reader, writer = os.pipe()
    def write():
        with os.fdopen(writer, 'wb') as file: file.write(content)
    threading.Thread(target=write).start()
    return os.fdopen(reader, 'rb')

def pieces(): yield from (content[:10], b'', content[10:])
async def apieces():
    for piece in pieces(): yield piece

bodies = {'bytes': lambda: content, 'text': content.decode, 'memory': lambda: io.BytesIO(content), 'disk': from_disk, 'pipe': from_pipe, 'generator': pieces,
    'list': lambda: [*filter(None, pieces())]}

def post(name, place, body):
    "Status and text of the answer, or the error"
    try:
        if name == 'requests': return [(response := requests.post(place, data=body)).status_code, response.text]
        if name == 'urllib3': return [(response := urllib3.PoolManager().request('POST', place, body=body, retries=2)).status, response.data.decode()]
        async def ask():
            async with aiohttp.ClientSession() as client, client.post(place, data=body) as response: return [response.status, await response.text()]
        return asyncio.run(ask())
    except Exception as error: return [type(error).__name__]

@pytest.mark.parametrize('path', ['/there', '/moved'])
@pytest.mark.parametrize('name, kind', [(name, kind) for name in ('requests', 'urllib3', 'aiohttp') for kind in bodies if kind != 'list' or name == 'urllib3'])
@pytest.mark.filterwarnings('ignore::DeprecationWarning', 'ignore::ResourceWarning', 'ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_body_goes_out_as_it_would_without(name, kind, path, seen, echo, cached):
    make = apieces if name == 'aiohttp' and kind == 'generator' else bodies[kind]
    results = []
    for context in (contextlib.nullcontext, cached):
        with context():
            outcome = post(name, echo.url + path, make())
            results.append((outcome[:1], [*seen]))
            seen.clear()
    without, live = results
    assert live == without and any(body == content for _, _, body in live[1])

@pytest.mark.parametrize('name', ['requests', 'urllib3', 'aiohttp', 'httpx', 'httpx2', 'async httpx', 'async httpx2'])
def test_a_body_without_end_is_passed_on_while_it_comes(name, seen, echo, tmp_path, cached, caplog, monkeypatch):
    "With the limit at 1 MB; the sender stops when the server has had the first half, so reading all of it first would never end"
    monkeypatch.setattr(ReadAhead, 'limit', 1_000_000)
    piece, arrived = b'x' * 100_000, threading.Event()
    def answer(handler, body):
        total = 0
        while size := int(handler.rfile.readline(), 16):
            total += len(handler.rfile.read(size + 2)) - 2
            if total > 500_000: arrived.set()
        handler.rfile.readline()
        return {'content-type': 'text/plain'}, str(total).encode()
    echo.answer = answer
    def parts():
        for _ in range(15): yield piece
        assert arrived.wait(5), 'nothing was sent before all was read'
        for _ in range(5): yield piece
    async def aparts():
        for _ in range(15): yield piece
        for _ in range(100):
            if arrived.is_set(): break
            await asyncio.sleep(0.05)
        assert arrived.is_set(), 'nothing was sent before all was read'
        for _ in range(5): yield piece
    async def by_httpx(library):
        async with library.AsyncClient(timeout=20) as client: return (await client.post(echo.url, content=aparts())).text
    library = dict(httpx=httpx, httpx2=httpx2).get(name.split()[-1])
    def ask():
        if name.startswith('async'): return asyncio.run(by_httpx(library))
        if library: return library.post(echo.url, content=parts(), timeout=20).text
        return post(name, echo.url, aparts() if name == 'aiohttp' else parts())[1]
    with cached() as session:
        assert ask() == '2000000' and session.counts['not recorded'] == 1 and session.counts['recorded'] == 0
    assert [line for line in warnings(caplog) if 'request is larger than' in line] == warnings(caplog) and len(warnings(caplog)) == 1
    assert not (tmp_path/'cachy.jsonl').exists()
    arrived.set()
    with cached('replay'), pytest.raises(CachyMiss): ask()

def test_response_hooks_of_requests_find_the_body_unread(echo, cached):
    echo.answer = lambda handler, body: ({'content-type': 'text/plain'}, b'x' * 100_000)
    def hook(response, **options): found.append((response._content_consumed, len(response.content)))
    found = []
    def ask(): requests.post(echo.url, data=b'1', hooks=dict(response=hook))
    ask()
    with cached():
        for _ in range(2): ask()
    del echo.answer
    assert found == [(False, 100_000)] * 3

@pytest.mark.parametrize('status', [302, 200])
def test_a_false_content_encoding_raises_where_it_did(status, echo, cached):
    "`requests` forgives it in a redirect"
    def answer(handler, body):
        if handler.path == '/there': return {'content-type': 'text/plain'}, b'arrived'
        return {':status': status, 'location': '/there', 'content-encoding': 'gzip'}, b'this is no gzip'
    echo.answer = answer
    results = []
    for context in (contextlib.nullcontext, cached):
        with context():
            try: results.append(requests.post(echo.url, data=b'1').text)
            except requests.RequestException as error: results.append(type(error))
    del echo.answer
    assert results[0] == results[1]

def test_a_broken_answer_raises_what_it_raised(echo, cached, tmp_path):
    def answer(handler, body):
        handler.wfile.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"half":')
        handler.close_connection = True
        raise ConnectionAbortedError
    echo.answer, echo.server.handle_error = answer, lambda *args: None
    results = []
    for context in (contextlib.nullcontext, cached):
        with context():
            for ask in (lambda: requests.post(echo.url, data=b'1').text, lambda: requests.post(echo.url, data=b'1', stream=True).content):
                with pytest.raises(requests.RequestException) as error: ask()
                results.append(type(error.value))
    del echo.answer
    assert results[:2] == results[2:] and not (tmp_path/'cachy.jsonl').exists()

# aiohttp

def run_aiohttp(ask, place, **options):
    async def main():
        async with aiohttp.ClientSession(**options) as client: return await ask(client, place)
    return asyncio.run(main())

def test_a_header_that_is_no_utf8_replays_everywhere(echo, cached, tmp_path):
    def answer(handler, body):
        handler.wfile.write(b'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-request-id: gr\xfc\xdfe\r\ncontent-length: 2\r\n\r\nhi')
        raise ConnectionAbortedError
    echo.answer, echo.server.handle_error = answer, lambda *args: None
    async def ask(client, place):
        async with client.post(place, data=b'1') as response: return await response.read()
    with cached(): assert run_aiohttp(ask, echo.url) == b'hi'
    del echo.answer
    assert recordings(tmp_path)[0]['headers']['x-request-id'] == 'grüße'
    headers = {'content-type': 'application/octet-stream'}
    with cached('replay'):
        assert run_aiohttp(ask, echo.url) == b'hi'
        for library in (httpx, httpx2): assert library.post(echo.url, content=b'1', headers=headers).headers['x-request-id'] == 'grüße'
        assert requests.post(echo.url, data=b'1', headers=headers).headers['x-request-id'] == 'grüße'

def test_the_total_timeout_is_kept_while_data_comes(echo, cached, tmp_path):
    "The reader is slower than the server, so it never waits for it"
    def answer(handler, body):
        handler.wfile.write(b'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4000\r\n\r\n')
        with contextlib.suppress(OSError):
            for _ in range(40):
                handler.wfile.write(b'x' * 100)
                handler.wfile.flush()
                time.sleep(0.05)
        raise ConnectionAbortedError
    echo.answer, echo.server.handle_error = answer, lambda *args: None
    async def ask(client, place):
        async with client.post(place, data=b'1') as response:
            async for _ in response.content.iter_chunked(10): await asyncio.sleep(0.02)
    timeout = aiohttp.ClientTimeout(total=0.5)
    with pytest.raises(asyncio.TimeoutError): run_aiohttp(ask, echo.url, timeout=timeout)
    with cached(), pytest.raises(asyncio.TimeoutError): run_aiohttp(ask, echo.url, timeout=timeout)
    del echo.answer
    assert not (tmp_path/'cachy.jsonl').exists()

@pytest.mark.filterwarnings('ignore:@streamer is deprecated')
def test_bodies_that_can_only_write(seen, echo, cached):
    with python_warnings.catch_warnings():
        python_warnings.simplefilter('ignore')
        @aiohttp.streamer
        async def sender(writer, times):
            for _ in range(times): await writer.write(b'abc')
    async def ask(client, place):
        async with client.post(place, data=sender(3)) as response: return await response.read()
    run_aiohttp(ask, echo.url)
    with cached(): assert [run_aiohttp(ask, echo.url) for _ in range(2)] == [b'answer 2'] * 2
    assert seen == [('/', 'chunked', b'abcabcabc')] * 2

@pytest.mark.parametrize('mode', ['auto', 'replay'])
def test_a_body_that_waits_for_its_answer(mode, cached, tmp_path, caplog, monkeypatch):
    "As where speech is sent while its text comes back"
    monkeypatch.setattr(stacks.Upload, 'patience', 0.3)
    from aiohttp import web
    from aiohttp.test_utils import TestServer
    async def answer(request):
        response = web.StreamResponse()
        await response.prepare(request)
        async for part in request.content.iter_any(): await response.write(part.upper())
        return response
    async def ask(place):
        came = asyncio.Event()
        async def speech():
            yield b'one'
            await came.wait()
            yield b'two'
        async with aiohttp.ClientSession() as client, client.post(place, data=speech()) as response:
            first = await response.content.readany()
            came.set()
            return first + await response.read()
    async def run():
        app = web.Application()
        app.router.add_post('/', answer)
        async with TestServer(app) as server: return await asyncio.wait_for(ask(server.make_url('/')), 10)
    assert asyncio.run(run()) == b'ONETWO'
    with cached(mode):
        if mode == 'auto': assert asyncio.run(run()) == b'ONETWO'
        else:
            with pytest.raises(CachyMiss): asyncio.run(run())
    assert 'took longer than 0.3 seconds' in caplog.text and not (tmp_path/'cachy.jsonl').exists()

def test_raw_bytes_are_counted(echo, cached):
    packed = gzip.compress(b'hello' * 1000)
    echo.answers['1'] = {'content-type': 'text/plain', 'content-encoding': 'gzip'}, packed
    async def ask(client, place):
        async with client.post(place, data=b'1') as response: return len(await response.read()), getattr(response.content, 'total_raw_bytes', len(packed))
    with cached(): assert run_aiohttp(ask, echo.url) == (5000, len(packed))

def test_buffer_sizes_and_trace_events_are_kept(echo, cached):
    echo.answers['1'] = {'content-type': 'text/plain'}, b'hello'
    async def ask(client, place):
        async with client.post(place, data=b'1', **more) as response: return response.content.get_read_buffer_limits(), await response.read()
    events = []
    def trace():
        config = aiohttp.TraceConfig()
        async def note(session, context, params): events.append(type(params).__name__)
        for name in ('on_request_start', 'on_request_end', 'on_response_chunk_received'): getattr(config, name).append(note)
        return [config]
    for more in ({}, dict(read_bufsize=16)):
        found = []
        for context in (contextlib.nullcontext, cached, cached):
            with context(): found.append(run_aiohttp(ask, echo.url, read_bufsize=1024, trace_configs=trace()))
        assert found[0] == found[1] == found[2] and found[0][0][0] == more.get('read_bufsize', 1024)
    assert events == events[:3] * 6 and len({*events}) == 3

def test_a_long_line_raises_live_what_it_raised(echo, cached):
    echo.answers['1'] = {'content-type': 'text/plain'}, b'x' * 100_000 + b'\n'
    async def ask(client, place):
        async with client.post(place, data=b'1') as response: return await response.content.readline()
    errors = []
    for context in (contextlib.nullcontext, cached):
        with context(), pytest.raises(Exception) as error: run_aiohttp(ask, echo.url, read_bufsize=1024)
        errors.append(type(error.value))
    assert errors[0] is errors[1]

def test_gzip_still_counts_as_its_text(echo, cached, tmp_path):
    echo.answers['1'] = {'content-type': 'text/plain', 'content-encoding': 'gzip'}, gzip.compress(b'hello' * 1000)
    with cached():
        for _ in range(2): assert requests.post(echo.url, data=b'1').content == b'hello' * 1000
    assert len(recordings(tmp_path)) == 1
