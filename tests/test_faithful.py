"A replay reads like the call that it recorded: bodies of all kinds through a real server, and all that a response offers."
import asyncio
import gzip
import json
import zlib
from itertools import count

import brotli
import httpx
import httpx2
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cachy import CachyMiss, enable_cachy
from cachy.answer import body_refusal
from cachy.core import read_call
from cachy.file import read_line
from support.asking import body, libraries, local, url
from support.property import examples

streaming = dict(body, stream=True)

# Bodies: what the server sends is what a replay gives

packers = {'identity': bytes, 'gzip': gzip.compress, 'br': brotli.compress, 'zstd': zstandard.compress, 'deflate': zlib.compress}

pieces = st.lists(st.sampled_from([b'data: ', b'event: x\n', b'\n', b'\n\n', b'\r\n', b'\r', b'{"a": 1}', b'{"error": 0}', b'[DONE]', b'\xef\xbb\xbf', 'é\u2028'.encode(), b'\0', b'"', b'\\', b'\xff', b'retry: 1\n', b': ping\n']), max_size=20).map(b''.join)
types = ['application/json', 'text/event-stream', 'text/event-stream; charset=utf-8', 'text/plain; charset=latin-1', 'application/x-ndjson', 'application/octet-stream', 'audio/mpeg', 'application/vnd.amazon.eventstream',
    'application/stream+json', 'text/plain; charset=utf-16', '']
ids_used, clients = count(), {library: library.Client() for library in (httpx, httpx2)} # one each: they take long to make

@settings(max_examples=max(examples // 4, 30), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300) | pieces | st.binary(min_size=70_000, max_size=70_010), st.sampled_from(sorted(packers)), st.sampled_from(types), st.sampled_from([httpx, httpx2]), st.booleans(), st.booleans())
def test_bodies_come_back(echo, tmp_path_factory, body, encoding, content_type, library, streamed, replayed_streamed):
    if encoding == 'zstd' and 'zstd' not in library._decoders.SUPPORTED_DECODERS: library = httpx
    if not hasattr(test_bodies_come_back, 'folder'): test_bodies_come_back.folder = tmp_path_factory.mktemp('bodies')
    folder, name = test_bodies_come_back.folder, str(next(ids_used))
    headers = {'content-encoding': encoding, **({'content-type': content_type} if content_type else {})}
    echo.answers[name] = headers, packers[encoding](body)
    def ask(library, mode, stream):
        with enable_cachy(folder, doms=('127.0.0.1',), mode=mode):
            client = clients[library]
            response = client.send(client.build_request('POST', echo.url, content=name), stream=stream)
            raw = b''.join(response.iter_raw()) if stream and mode == 'replay' else None
            return response, raw if raw is not None else response.read()
    _, live = ask(library, 'auto', streamed)
    assert live == body
    refused = body_refusal(read_call(httpx.Request('POST', echo.url)), content_type, body, length=str(len(packers[encoding](body))))
    calls = echo.calls
    if refused:
        with pytest.raises(CachyMiss): ask(httpx, 'replay', False)
        return
    for other in (httpx, httpx2):
        response, again = ask(other, 'replay', replayed_streamed)
        assert again == body and response.headers.get('content-type', '') == content_type and 'content-encoding' not in response.headers
    assert echo.calls == calls and all(read_line(line) for line in (folder/'cachy.jsonl').read_bytes().splitlines(keepends=True)[-1:])

def test_ends_of_the_bodies_test():
    if hasattr(test_bodies_come_back, 'folder'): del test_bodies_come_back.folder

def traits(response, streamed):
    "What can be seen of a response, in the order in which a reader meets it"
    seen = [response.status_code, response.is_success, response.headers.get('content-type'), response.is_closed, response.is_stream_consumed, response.num_bytes_downloaded]
    if streamed:
        seen += [b''.join(response.iter_raw()), response.is_closed, response.is_stream_consumed, response.num_bytes_downloaded]
        for read in (response.read, lambda: list(response.iter_bytes()), lambda: list(response.iter_raw())):
            try: seen.append(read())
            except Exception as error: seen.append(type(error).__name__)
    else:
        seen += [response.read(), b''.join(response.iter_bytes()), ''.join(response.iter_text()), list(response.iter_lines()), response.text]
        try: seen.append(list(response.iter_raw()))
        except Exception as error: seen.append(type(error).__name__)
    return seen + [type(response.elapsed).__name__, response.elapsed.total_seconds() > 0, str(response.request.url), response.request.method]

@libraries
@pytest.mark.parametrize('streamed', [True, False])
def test_replay_behaves_like_the_live_answer(library, streamed, stand_in, tmp_path):
    stand_in.echo = 'always the same'
    stand_in.event_delay = 0.001
    fixed = [b'data: {"n": 1}\n\n', b'data: {"n": 2}\n\n', b'data: [DONE]\n\n']
    stand_in.routes.insert(0, ('POST', '/fixed', lambda handler, body: fixed))
    def ask():
        with library.Client() as client:
            return traits(client.send(client.build_request('POST', stand_in.url + '/fixed', json=streaming), stream=streamed), streamed)
    live = ask()
    with enable_cachy(tmp_path, **local) as session: recorded, replayed = ask(), ask()
    assert live == recorded == replayed and session.counts == dict(recorded=1, replayed=1)

@libraries
def test_async_replay_behaves_like_the_live_answer(library, stand_in, tmp_path):
    fixed = [b'data: {"n": 1}\n\n', b'data: {"n": 2}\n\n', b'data: [DONE]\n\n']
    stand_in.routes.insert(0, ('POST', '/fixed', lambda handler, body: fixed))
    async def ask():
        seen = []
        async with library.AsyncClient() as client:
            for read in ('aiter_raw', 'aiter_bytes', 'aiter_text', 'aiter_lines'):
                request = client.build_request('POST', stand_in.url + '/fixed', json=streaming)
                response = await client.send(request, stream=True)
                seen += [response.is_closed, [chunk async for chunk in getattr(response, read)()], response.is_closed, response.num_bytes_downloaded]
            response = await client.post(stand_in.url + '/fixed', json=streaming)
            return seen + [await response.aread(), response.text, response.is_closed, response.elapsed.total_seconds() > 0]
    async def thrice():
        live = await ask()
        with enable_cachy(tmp_path, **local) as session: recorded, replayed = await ask(), await ask()
        assert live == recorded == replayed and session.counts['recorded'] == 1
    asyncio.run(thrice())

@libraries
def test_replayed_stream_comes_event_by_event(library, stand_in, tmp_path):
    with enable_cachy(tmp_path, **local):
        library.post(url(stand_in), json=streaming)
        with library.stream('POST', url(stand_in), json=streaming) as response: chunks = list(response.iter_bytes())
    assert len(chunks) > 5 and all(chunk.startswith(b'data: ') and chunk.endswith(b'\n\n') for chunk in chunks)
    assert response.extensions['cachy'] == 'replayed'

def test_compressed_answers_replay_decoded(stand_in, tmp_path):
    stand_in.compress = 'gzip'
    with enable_cachy(tmp_path, **local):
        for streamed in (True, False):
            ask = dict(body, stream=streamed)
            live, again = httpx.post(url(stand_in), json=ask), httpx2.post(url(stand_in), json=ask)
            assert live.headers['content-encoding'] == 'gzip' and 'content-encoding' not in again.headers
            assert live.text == again.text and again.extensions['cachy']
    assert json.loads((tmp_path/'cachy.jsonl').read_text().splitlines()[1])['response'] == live.text

def test_answer_that_a_hook_has_read(stand_in, tmp_path):
    hooks = dict(response=[lambda response: response.read()])
    with enable_cachy(tmp_path, **local) as session, httpx.Client(event_hooks=hooks) as client:
        assert client.post(url(stand_in), json=streaming).content == client.post(url(stand_in), json=streaming).content
    assert session.counts == dict(recorded=1, replayed=1)

def test_mock_transport_is_recorded(tmp_path):
    answer = lambda request: httpx.Response(200, json=dict(a=1))
    with enable_cachy(tmp_path, **local) as session, httpx.Client(transport=httpx.MockTransport(answer)) as client:
        assert client.post('http://127.0.0.1/').json() == client.post('http://127.0.0.1/').json()
    assert session.counts == dict(recorded=1, replayed=1)
