"The HTTP libraries beside httpx: what one records the others replay, streams stay live, and nothing is recorded twice."
import asyncio
import concurrent.futures
import io
import itertools
import json
import pickle
import threading
import time
from json import dumps

import httpx
import pytest

from cachy import enable_cachy
from cachy.core import CachyMiss
from cachy.standin import StandIn
from support import python
from support.http_libraries import aiohttp, chat, lm15_request, plain, requests, streamed, streams, urllib3, urllib3_request
from support.providers import provider_server
from support.recordings import recordings

odd = '/v1/ä b/m%3Ax:y/chat/completions?b=a b&a=%7E&c=[1]|{}&d=%2F'

@pytest.mark.parametrize('path', ['/v1/chat/completions', odd])
@pytest.mark.parametrize('recorder', streams)
def test_recorded_by_one_replayed_by_all(recorder, path, stand_in, tmp_path, cached):
    with cached():
        answer = plain(recorder, stand_in.url + path, json=chat())
        events = streamed(recorder, stand_in.url + path, json=chat(stream=True))
        assert stand_in.calls == 2
        assert len(recordings(tmp_path)) == 2
        assert b''.join(events).endswith(b'data: [DONE]\n\n') and len(events) > 5
    with cached('replay'):
        for name in streams:
            assert plain(name, stand_in.url + path, json=chat()) == answer, name
            assert b''.join(streamed(name, stand_in.url + path, json=chat())) == answer, name
            assert streamed(name, stand_in.url + path, json=chat(stream=True)) == [event + b'\n\n' for event in b''.join(events).split(b'\n\n')[:-1]], name
            assert plain(name, stand_in.url + path, json=chat(stream=True)) == b''.join(events), name
    assert stand_in.calls == 2

@pytest.mark.parametrize('name', streams)
def test_streams_are_live_while_recorded(name, stand_in, cached):
    reported, late = threading.Semaphore(1), []
    stand_in.gate = lambda number: reported.acquire(timeout=3) or late.append(number)
    with cached():
        pieces = streamed(name, stand_in.url + '/v1/chat/completions', lambda piece: reported.release(), json=chat(stream=True))
    assert len(pieces) > 5 and late == [], 'the server waited for the client to report an event that it had sent'

@pytest.mark.parametrize('compress', ['gzip', 'deflate'])
@pytest.mark.parametrize('name', streams)
def test_compressed_answers_are_recorded_decoded(name, compress, stand_in, tmp_path, cached):
    stand_in.compress = compress
    options = dict(headers={'accept-encoding': compress})
    with cached():
        answer = plain(name, stand_in.url + '/v1/chat/completions', json=chat(), **options)
        events = streamed(name, stand_in.url + '/v1/chat/completions', json=chat(stream=True), **options)
    assert json.loads(answer)['choices']
    assert [line['response'].encode() for line in recordings(tmp_path)] == [answer, b''.join(events)]
    assert all('content-encoding' not in line['headers'] for line in recordings(tmp_path))
    with cached('replay'): assert plain('httpx', stand_in.url + '/v1/chat/completions', json=chat()) == answer

@pytest.mark.parametrize('name', streams)
def test_only_whole_answers_are_recorded(name, stand_in, tmp_path, cached, caplog):
    with cached():
        stand_in.fail = [500]
        try: assert b'told to fail' in plain(name, stand_in.url + '/v1/chat/completions', json=chat())
        except httpx.HTTPStatusError: pass
        stand_in.cut_after = 3
        with pytest.raises(Exception) as error: streamed(name, stand_in.url + '/v1/chat/completions', json=chat(stream=True))
        assert type(error.value).__module__.partition('.')[0] == name.split()[-1]
        stand_in.cut_after = None
        class Enough(Exception): pass
        def leave(piece): raise Enough
        with pytest.raises(Enough): streamed(name, stand_in.url + '/v1/chat/completions', leave, json=chat(stream=True))
    assert not (tmp_path/'cachy.jsonl').exists()
    assert caplog.text.count('status 500') == 1 and caplog.text.count('the stream was left after') == 1 and caplog.text.count('not recorded') == 3

def answer_with_length(stand_in, missing=0):
    "Have the stand-in send answers with a content-length at one path, and then too little"
    def do_POST(self):
        if not self.path.startswith('/length'): return self.answer()
        self.read_body()
        stand_in.log.append(self.path)
        content = dumps(dict(text='x' * 1000)).encode()
        self.wfile.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s' % (len(content) + missing, content))
        self.close_connection = bool(missing)
    stand_in.server.RequestHandlerClass.do_POST = do_POST

@pytest.mark.parametrize('name', streams)
def test_answers_with_a_length(name, stand_in, tmp_path, cached):
    answer_with_length(stand_in, 1)
    with cached():
        for ask in (plain, streamed):
            with pytest.raises(Exception) as error: ask(name, stand_in.url + '/length', json={})
            assert type(error.value).__module__.partition('.')[0] == name.split()[-1]
        assert not (tmp_path/'cachy.jsonl').exists()
        answer_with_length(stand_in)
        answers = [plain(name, stand_in.url + '/length', json={}), b''.join(streamed(name, stand_in.url + '/length', json=dict(stream=True)))]
        assert [line['response'].encode() for line in recordings(tmp_path)] == answers

@pytest.mark.parametrize('name', streams)
def test_whoever_leaves_at_the_last_event_that_counts(name, stand_in, tmp_path, cached):
    class Enough(Exception): pass
    def leave(piece):
        if b'message_delta' in piece: raise Enough
    with cached():
        with pytest.raises(Enough): streamed(name, stand_in.url + '/v1/messages', leave, json=chat(stream=True))
        assert recordings(tmp_path)[0]['response'].endswith('{"type": "message_stop"}\n\n')

@pytest.mark.parametrize('name', streams)
def test_elapsed_counts_from_sending(name, tmp_path, cached):
    with StandIn(delay=0.2) as stand_in, cached(): plain(name, stand_in.url + '/v1/chat/completions', json=chat())
    assert 0.2 <= recordings(tmp_path)[0]['elapsed'] < 2

@pytest.mark.parametrize('name', streams)
def test_a_head_has_no_body(name, stand_in, cached):
    stand_in.routes.insert(0, ('HEAD', '/models$', lambda handler, body: dict(data=[])))
    for _ in range(2): # a read is asked anew in the session that recorded it
        with cached(): assert plain(name, stand_in.url + '/v1/models', method='HEAD') == b''
    assert stand_in.calls == 1

@pytest.mark.parametrize('name', streams)
def test_a_miss_in_replay_mode(name, stand_in, cached):
    with cached('replay'):
        for ask in (plain, streamed):
            with pytest.raises(CachyMiss, match='POST http://127.0.0.1'): ask(name, stand_in.url + '/v1/chat/completions', json=chat())
    assert stand_in.calls == 0

@pytest.mark.parametrize('name', ['requests', 'urllib3'])
def test_one_call_for_many_threads(name, stand_in, cached):
    stand_in.gate = lambda number: time.sleep(0.3) # between headers and body
    with cached():
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: plain(name, stand_in.url + '/v1/chat/completions', json=chat()), range(8)))
            assert len(set(answers)) == 1 and stand_in.calls == 1
            if name == 'urllib3': # as botocore asks
                asked = lambda _: urllib3_request('POST', stand_in.url + '/v1/chat/completions', json=chat(n=1), preload_content=False).read()
                assert len(set(pool.map(asked, range(8)))) == 1 and stand_in.calls == 2

def test_one_call_for_many_tasks(stand_in, cached):
    async def ask(client, url):
        async with client.post(url, json=chat()) as response: return await response.read()
    async def many(url):
        async with aiohttp.ClientSession() as client: return await asyncio.gather(*(ask(client, url) for _ in range(8)))
    stand_in.gate = lambda number: time.sleep(0.3) # between headers and body
    with cached():
        assert len(set(asyncio.run(many(stand_in.url + '/v1/chat/completions')))) == 1 and stand_in.calls == 1

# one library above the other

class OverRequests(httpx.BaseTransport):
    def handle_request(self, request):
        response = requests.request(request.method, str(request.url), data=request.read(), headers=dict(request.headers))
        return httpx.Response(response.status_code, headers={'content-type': response.headers['content-type']}, content=response.content)

class OverAiohttp(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request):
        async with aiohttp.ClientSession() as client:
            async with client.request(request.method, str(request.url), data=await request.aread(), headers=dict(request.headers)) as response:
                return httpx.Response(response.status, headers={'content-type': response.headers['content-type']}, content=await response.read())

@pytest.mark.parametrize('streams', [False, True])
def test_nothing_is_recorded_twice(streams, stand_in, tmp_path, cached):
    async def over_aiohttp():
        async with httpx.AsyncClient(transport=OverAiohttp()) as client: return (await client.post(stand_in.url + '/v1/chat/completions', json=chat(n=1, stream=streams))).content
    with cached() as session:
        with httpx.Client(transport=OverRequests()) as client: client.post(stand_in.url + '/v1/chat/completions', json=chat(stream=streams))
        asyncio.run(over_aiohttp())
        requests.post(stand_in.url + '/v1/chat/completions', json=chat(n=2, stream=streams))
        assert stand_in.calls == len(recordings(tmp_path)) == session.counts['recorded'] == 3
        asyncio.run(over_aiohttp())
        assert stand_in.calls == session.counts['replayed'] + 2 == 3

# answers are real objects of their library

def test_a_requests_response(stand_in, cached):
    url = stand_in.url + '/v1/chat/completions'
    def look(response):
        seen = dict(status=response.status_code, ok=response.ok, reason=response.reason, text=response.text, json=response.json(), content=response.content,
            encoding=response.encoding, url=response.url, history=response.history, lines=list(response.iter_lines()), chunks=b''.join(response.iter_content(7)),
            type=type(response), content_type=response.headers['Content-Type'], body=response.request.body, closed=response.raw.closed,
            pickled=pickle.loads(pickle.dumps(response)).content)
        assert response.elapsed.total_seconds() >= 0 and response.raise_for_status() is None
        return seen
    with cached(): assert look(requests.post(url, json=chat())) == look(requests.post(url, json=chat()))
    def read(response): return dict(start=response.raw.read(5), line=response.raw.readline(), rest=response.raw.read(), closed=response.raw.closed)
    def lines(response, **options): return [type(response.raw).__name__, *response.iter_lines(**options)]
    with cached():
        assert len({str(read(requests.post(url, json=chat(stream=True), stream=True))) for _ in range(2)}) == 1
        ask = lambda: requests.post(url, json=chat(stream=True, user='u'), stream=True)
        assert lines(ask()) == lines(ask()) == lines(ask(), chunk_size=1)
        with requests.Session() as client:
            seen = []
            client.hooks['response'].append(lambda response, **options: seen.append(response.status_code))
            for _ in range(2): client.post(url, json=chat(n=1))
            assert seen == [200, 200]
    assert stand_in.calls == 4

@pytest.mark.skipif(not hasattr(urllib3.HTTPResponse, 'read1'), reason='optional: this urllib3 is older than 2.2; all is well')
def test_a_urllib3_response(stand_in, cached):
    url = stand_in.url + '/v1/chat/completions'
    def look(response):
        seen = dict(status=response.status, reason=response.reason, data=response.data, again=response.data, json=response.json(), version=response.version,
            content_type=response.headers['Content-Type'], closed=response.closed, url=response.geturl())
        assert isinstance(response, urllib3.HTTPResponse)
        return seen
    def read(response):
        buffer = bytearray(4)
        seen = [response.readinto(buffer), bytes(buffer), response.read(10), response.read1(3), response.readline(), b''.join(response.stream(5)), response.read(), response.closed]
        response.release_conn()
        return seen
    with cached():
        ask = lambda **options: urllib3_request('POST', url, json=chat(stream=True), preload_content=False, **options)
        assert look(urllib3_request('POST', url, json=chat())) == look(urllib3_request('POST', url, json=chat()))
        assert read(ask()) == read(ask())
        assert list(ask()) == list(ask()) and list(ask())[-2:] == [b'data: [DONE]\n', b'\n']
        assert b''.join(ask().read_chunked()) == ask().data
        assert json.load(io.TextIOWrapper(urllib3_request('POST', url, json=chat(), preload_content=False))) == urllib3_request('POST', url, json=chat()).json()
    assert stand_in.calls == 2

def test_connections_go_back_to_their_pool(stand_in, cached):
    answer_with_length(stand_in)
    with cached('record'), urllib3.PoolManager() as pool, requests.Session() as client:
        for n in range(5):
            urllib3_request('POST', stand_in.url + '/v1/chat/completions', json=chat(n=n), pool=pool)
            b''.join(urllib3_request('POST', stand_in.url + '/v1/chat/completions', json=chat(n=n, stream=True), pool=pool, preload_content=False).stream())
            urllib3_request('POST', stand_in.url + '/v1/chat/completions', json=chat(n=n, user='u'), pool=pool, preload_content=False).read()
            for options in (dict(), dict(preload_content=False)): urllib3_request('POST', stand_in.url + '/length', json=chat(n=n, **options), pool=pool, **options).read()
            client.post(stand_in.url + '/length', json=chat(n=n, user='w'))
            list(client.post(stand_in.url + '/v1/chat/completions', json=chat(n=n, stream=True, user='u'), stream=True).iter_lines())
        assert stand_in.calls == 35
        (key,) = pool.pools.keys()
        assert pool.pools[key].num_connections == 1
        assert next(iter(client.adapters['http://'].poolmanager.pools._container.values())).num_connections == 1

def test_an_aiohttp_response(stand_in, cached):
    url = stand_in.url + '/v1/chat/completions'
    async def look(client):
        async with client.post(url, json=chat()) as response:
            seen = dict(status=response.status, ok=response.ok, reason=response.reason, json=await response.json(), text=await response.text(), read=await response.read(),
                content_type=response.content_type, charset=response.charset, url=response.url, method=response.method, history=response.history, type=type(response),
                headers=response.headers['Content-Type'], raw=(b'content-type', b'application/json') in [(name.lower(), value) for name, value in response.raw_headers],
                version=response.version, host=response.host, real=response.real_url, asked=response.request_info.method, cookies=type(response.cookies))
            response.raise_for_status()
            assert 'ClientResponse' in repr(response)
        return {**seen, 'closed': response.closed}
    async def read(client):
        async with client.post(url, json=chat(stream=True)) as response:
            content = response.content
            seen = [await content.readexactly(4), await content.read(3), await content.readline(), await content.readuntil(b'}]'), len(await content.readany()) > 0,
                (await content.readchunk())[1], [chunk async for chunk in content.iter_chunked(1)][:5], content.at_eof(), content.is_eof(), await content.read()]
            assert isinstance(content, aiohttp.StreamReader)
        return seen
    async def lines(client):
        response = await client.post(url, json=chat(stream=True))
        seen = [line async for line in response.content]
        response.release()
        return seen, response.closed
    async def chunks(client):
        async with client.post(url, json=chat(stream=True)) as response: return [chunk async for chunk in response.content.iter_chunks()]
    async def all_of_it():
        async with aiohttp.ClientSession() as client:
            assert await look(client) == await look(client)
            assert await read(client) == await read(client)
            assert await lines(client) == await lines(client)
            assert [chunk async for chunk in (await client.post(url, json=chat(stream=True))).content.iter_any()][-1] == b'data: [DONE]\n\n'
    async def chunked():
        async with aiohttp.ClientSession() as client:
            assert [chunk for chunk in await chunks(client) if chunk[0]] == [chunk for chunk in await chunks(client) if chunk[0]]
    with cached(): asyncio.run(all_of_it())
    assert stand_in.calls == 2
    with cached('record'): asyncio.run(chunked())
    assert stand_in.calls == 3

def test_long_lines(stand_in, cached):
    stand_in.echo = 'x' * 1_000_000
    async def ask():
        async with aiohttp.ClientSession() as client, client.post(stand_in.url + '/v1/chat/completions', json=chat(stream=True)) as response:
            return [line async for line in response.content]
    with cached():
        answers = [streamed('requests', stand_in.url + '/v1/chat/completions', json=chat(stream=True)), asyncio.run(ask())]
        assert b''.join(answers[0]) == b''.join(answers[1]) and len(answers[1]) == 8
    assert stand_in.calls == 1

def test_a_cancelled_read_can_be_repeated(stand_in, tmp_path, cached):
    may_go = threading.Event()
    stand_in.gate = lambda number: number < 2 or may_go.wait(5)
    async def read():
        async with aiohttp.ClientSession() as client, client.post(stand_in.url + '/v1/chat/completions', json=chat(stream=True)) as response:
            start = await response.content.readany()
            while b'data' in start and start.count(b'data:') < 2: start += await response.content.readany()
            with pytest.raises(asyncio.TimeoutError): await asyncio.wait_for(response.content.readany(), 0.1)
            may_go.set()
            return start + await response.content.read()
    with cached():
        answer = asyncio.run(read())
        assert answer.endswith(b'[DONE]\n\n')
        assert [line['response'].encode() for line in recordings(tmp_path)] == [answer]

def test_recorded_errors_raise_as_live_ones(stand_in, cached):
    url = stand_in.url + '/nothing/here'
    async def by_aiohttp():
        async with aiohttp.ClientSession(raise_for_status=True) as client:
            try: await client.post(url, json=chat())
            except aiohttp.ClientResponseError as error: return error.status, error.message, error.request_info.url
    with cached(errors=(404,)):
        for _ in range(2):
            with pytest.raises(requests.HTTPError, match='404 Client Error: Not Found'): requests.post(url, json=chat()).raise_for_status()
        assert asyncio.run(by_aiohttp()) == asyncio.run(by_aiohttp())
    assert stand_in.calls == 1

# what goes out

def test_bodies_of_all_kinds_replay(stand_in, tmp_path, cached):
    url, named = stand_in.url + '/v1/files', lambda: {'file': ('a.txt', io.BytesIO(b'some text'))}
    file = tmp_path/'body.txt'
    file.write_text('a file')
    async def parts():
        for part in (b'a', b'b'): yield part
    async def by_aiohttp(make_data):
        async with aiohttp.ClientSession() as client, client.post(url, data=make_data()) as response: return await response.read()
    def form():
        form = aiohttp.FormData()
        form.add_field('file', open(file, 'rb'), filename='a.txt')
        form.add_field('purpose', 'batch')
        return form
    ways = [lambda: requests.post(url, files=named()).content, lambda: requests.post(url, data=dict(a='1', b='ü')).content, lambda: requests.post(url, data='text ü').content,
        lambda: requests.post(url, data=open(file, 'rb')).content, lambda: requests.post(url, data=(part for part in (b'x', b'y'))).content,
        lambda: urllib3_request('POST', url, fields={'file': ('a.txt', 'other text')}).data, lambda: urllib3_request('POST', url, body=open(file)).data,
        lambda: urllib3_request('POST', url, body=(part for part in (b'u', b'v'))).data, lambda: urllib3_request('POST', url).data,
        lambda: asyncio.run(by_aiohttp(form)), lambda: asyncio.run(by_aiohttp(parts)), lambda: asyncio.run(by_aiohttp(lambda: dict(a='2'))),
        lambda: asyncio.run(by_aiohttp(lambda: io.BytesIO(b'more bytes'))), lambda: asyncio.run(by_aiohttp(lambda: 'a text'))]
    bodies = []
    def keep_body(handler, body):
        bodies.append(handler.raw)
        return dict(id=str(len(bodies)), got=len(handler.raw))
    stand_in.routes.insert(0, ('POST', '/v1/files$', keep_body))
    with cached(): answers = [way() for way in ways]
    assert len(set(answers)) == len({line['key'] for line in recordings(tmp_path)}), 'different bodies share a key, or a body has two'
    assert [len(body) for body in bodies] == [json.loads(answer)['got'] for answer in dict.fromkeys(answers)]
    assert {b'a=1&b=%C3%BC', 'text ü'.encode(), b'a file', b'xy', b'uv', b'', b'ab', b'a=2', b'more bytes', b'a text'} <= set(bodies)
    with cached('replay'): assert [way() for way in ways] == answers

def test_hosts_beyond_doms_pass(stand_in, tmp_path):
    with enable_cachy(tmp_path, doms=('example.com',), mode='replay'):
        for name in streams: plain(name, stand_in.url + '/v1/chat/completions', json=chat())
    assert stand_in.calls == len(streams) and not (tmp_path/'cachy.jsonl').exists()

def test_libraries_imported_afterwards_are_patched(stand_in, tmp_path):
    code = '''
import asyncio, sys
from cachy import enable_cachy
enable_cachy(sys.argv[1], doms=('127.0.0.1',), mode='auto')
import requests, aiohttp
from requests.adapters import HTTPAdapter
print(requests.post(sys.argv[2], json=dict(model='m', messages=[])).json()['id'])
async def ask():
    async with aiohttp.ClientSession(base_url=sys.argv[2].removesuffix('v1/chat/completions')) as client:
        async with client.post('v1/chat/completions', json=dict(model='m', messages=[])) as response: print((await response.json())['id'])
asyncio.run(ask())
'''
    first, second = python('-c', code, tmp_path, stand_in.url + '/v1/chat/completions').stdout.split()
    assert first == second and stand_in.calls == 1

def lm15_seen(url, mode, cached, leave=None, stream=False):
    "What a program sees of an answer of `lm15`, sync and async, and of the pools of both transports afterwards"
    from lm15.transports import StdlibAsyncTransport, StdlibTransport
    request = lm15_request(url, json=chat(stream=stream))
    def seen(response, chunks): return type(response).__name__, response.status, response.http_version, response.header('Content-Type'), chunks
    def pool(transport): return transport.pool_stats()['in_use']
    async def ask():
        async with StdlibAsyncTransport() as transport:
            async with transport.stream(request) as response:
                chunks = []
                async for chunk in response:
                    chunks.append(chunk)
                    if len(chunks) == leave: break
            return seen(response, chunks), pool(transport)
    with cached(mode):
        with StdlibTransport() as transport:
            with transport.stream(request) as response: found = seen(response, [*itertools.islice(response, leave)])
            found = found, pool(transport)
        return found, asyncio.run(ask())

def test_lm15_reads_a_replay_as_a_call(stand_in, cached, caplog):
    url = f'{stand_in.url}/v1/chat/completions'
    for stream in (False, True):
        live = lm15_seen(url, 'auto', cached, stream=stream)
        assert live == lm15_seen(url, 'replay', cached, stream=stream) and [in_use for _, in_use in live] == [0, 0]
        assert [seen[:4] for seen, _ in live] == [(name, 200, 'HTTP/1.1', 'text/event-stream' if stream else 'application/json') for name in ('TransportResponse', 'AsyncTransportResponse')]
    assert stand_in.calls == 2
    left = lm15_seen(url + '?left', 'auto', cached, leave=2, stream=True) # whoever leaves a stream gives its connection back
    assert [(len(seen[4]), in_use) for seen, in_use in left] == [(2, 0), (2, 0)] and stand_in.calls == 4 and caplog.text.count('the stream was left') == 2

def test_a_closed_transport_of_lm15_raises_on_a_replay_too(stand_in, cached):
    from lm15.transports import StdlibAsyncTransport, StdlibTransport, TransportError
    request = lm15_request(f'{stand_in.url}/v1/chat/completions', json=chat())
    with cached(), StdlibTransport() as transport: transport.stream(request).read()
    async def ask():
        await (transport := StdlibAsyncTransport()).aclose()
        async with transport.stream(request): pass
    with cached('replay'):
        with pytest.raises(TransportError, match='closed'): transport.stream(request)
        with pytest.raises(TransportError, match='closed'): asyncio.run(ask())

def test_urls_that_are_none(cached):
    async def ask(url):
        async with aiohttp.ClientSession() as client: await client.get(url)
    with cached():
        with pytest.raises(aiohttp.InvalidURL): asyncio.run(ask('http://[::1'))
        with pytest.raises(aiohttp.InvalidURL): asyncio.run(ask('nothing'))
        with pytest.raises(requests.exceptions.InvalidURL): requests.get('http://[::1')
        with pytest.raises(urllib3.exceptions.LocationParseError): urllib3_request('GET', 'http://[::1')

def test_middlewares_of_others_are_outside(stand_in, tmp_path, cached):
    async def add_header(request, handler):
        request.headers['anthropic-beta'] = 'a feature' # a header that counts
        return await handler(request)
    async def ask(**options):
        async with aiohttp.ClientSession(**options) as client, client.post(stand_in.url + '/v1/chat/completions', json=chat()) as response: return await response.read()
    with cached():
        answers = {asyncio.run(ask()), asyncio.run(ask(middlewares=(add_header,))), asyncio.run(ask(middlewares=(add_header,)))}
        assert len(answers) == stand_in.calls == 2
    assert recordings(tmp_path)[1]['request']['headers'] == {'anthropic-beta': 'a feature'}

# Bedrock

def bedrock(url):
    boto3 = pytest.importorskip('boto3', reason='optional: boto3 is not installed; all is well without it')
    return boto3.client('bedrock-runtime', region_name='us-east-1', endpoint_url=url, aws_access_key_id='AKIA0123456789', aws_secret_access_key='s' * 40)

def converse_stream(url, on_event=lambda event: None, text='Say hi'):
    events = []
    for event in bedrock(url).converse_stream(modelId='m', messages=[dict(role='user', content=[dict(text=text)])])['stream']:
        events.append(event)
        on_event(event)
    return events

def test_bedrock_streams_are_live_while_recorded(tmp_path, cached):
    reported, late = threading.Semaphore(1), []
    with provider_server() as stand_in, cached():
        bedrock(stand_in.url)
        stand_in.gate = lambda number: reported.acquire(timeout=3) or late.append(number)
        events = converse_stream(stand_in.url, lambda event: reported.release())
        stand_in.gate = None
        assert late == [] and len(events) > 5 and converse_stream(stand_in.url) == events
        assert stand_in.calls == 1 and recordings(tmp_path)[0]['headers']['content-type'] == 'application/vnd.amazon.eventstream'

def test_bedrock_answers_that_are_not_whole(tmp_path, cached):
    with provider_server() as stand_in, cached():
        client = bedrock(stand_in.url)
        with pytest.raises(Exception, match='throttlingException'): converse_stream(stand_in.url, text='be throttled')
        stand_in.cut_after = 3
        with pytest.raises(Exception, match='[Bb]roken|Response ended|IncompleteRead'): converse_stream(stand_in.url)
        stand_in.cut_after = None
        stand_in.fail = [400]
        with pytest.raises(client.exceptions.ClientError): client.converse(modelId='m', messages=[dict(role='user', content=[dict(text='hi')])])
        assert not (tmp_path/'cachy.jsonl').exists()

def test_a_bedrock_body_reads_as_live(tmp_path, cached):
    def looks(url):
        ask = lambda: bedrock(url).invoke_model(modelId='m', body=b'{}')['body']
        yield ask().read()
        yield [len(ask().read(10)), list(ask().iter_lines()), list(ask().iter_chunks(7)), json.load(ask())]
        body = ask()
        yield body.read(5), body.tell(), body.read(), body.read()
    with provider_server() as stand_in:
        with cached(): live = list(looks(stand_in.url))
        assert stand_in.calls == 1
    with cached('replay'): assert list(looks(stand_in.url)) == live

def test_google_genai_streams_are_live_while_recorded(tmp_path, cached):
    genai = pytest.importorskip('google.genai', reason='optional: google.genai is not installed; all is well without it')
    reported, late = threading.Semaphore(1), []
    async def ask(url):
        client = genai.Client(api_key='AIza-0123456789', http_options=dict(base_url=url))
        assert client._api_client._use_aiohttp()
        texts = []
        async for chunk in await client.aio.models.generate_content_stream(model='gemini-2.5-flash', contents='Say hi'):
            texts.append(chunk.text)
            reported.release()
        await client.aio.aclose()
        return texts
    with provider_server() as stand_in, cached():
        stand_in.gate = lambda number: reported.acquire(timeout=3) or late.append(number)
        texts = asyncio.run(ask(stand_in.url))
        stand_in.gate = None
        assert late == [] and len(texts) > 3 and asyncio.run(ask(stand_in.url)) == texts and stand_in.calls == 1
