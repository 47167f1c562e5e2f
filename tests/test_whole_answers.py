"Streams while they are recorded, and what a replay has in common with the live answer."
import asyncio, gc, json, logging, threading, time

import anthropic, httpx, httpx2, openai, pytest
from google import genai

from cachy import core, enable_cachy

libraries = pytest.mark.parametrize('library', [httpx, httpx2], ids=['httpx', 'httpx2'])
body = dict(model='gpt-4o', stream=True, messages=[dict(role='user', content='Tell me about cats')])
local = dict(doms=('127.0.0.1',), mode='auto')

def url(server): return server.url + '/v1/chat/completions'

def warnings(caplog): return [record.getMessage() for record in caplog.records if record.name == 'cachy' and record.levelno >= logging.WARNING]

def hold_back(server):
    "The server sends event 1 only after `seen` was set, but waits no longer than 5 seconds"
    seen, in_time = threading.Event(), []
    def gate(i):
        if i == 1: in_time.append(seen.wait(5))
    server.gate = gate
    return seen, in_time

@libraries
@pytest.mark.parametrize('compress', [None, 'gzip', 'deflate'])
def test_stream_is_live(library, compress, stand_in, tmp_path):
    stand_in.compress, (seen, in_time) = compress, hold_back(stand_in)
    with enable_cachy(tmp_path, **local) as session, library.stream('POST', url(stand_in), json=body) as response:
        lines = []
        for line in response.iter_lines():
            lines.append(line)
            seen.set()
    assert in_time == [True] and lines[-2] == 'data: [DONE]' and session.counts['recorded'] == 1

@libraries
def test_async_stream_is_live(library, stand_in, tmp_path):
    seen, in_time = hold_back(stand_in)
    async def main():
        async with library.AsyncClient() as client, client.stream('POST', url(stand_in), json=body) as response:
            async for line in response.aiter_lines(): seen.set()
    with enable_cachy(tmp_path, **local) as session: asyncio.run(main())
    assert in_time == [True] and session.counts['recorded'] == 1

@pytest.mark.parametrize('compress', [None, 'gzip'])
def test_sdk_streams_that_nobody_closes_are_recorded(compress, stand_in, tmp_path):
    stand_in.compress = compress
    left = []
    with enable_cachy(tmp_path, **local) as session:
        ai = openai.OpenAI(base_url=stand_in.url + '/v1', api_key='k' * 20)
        claude = anthropic.Anthropic(base_url=stand_in.url, api_key='k' * 20)
        gemini = genai.Client(api_key='k' * 20, http_options=dict(base_url=stand_in.url))
        def streams():
            yield ai.chat.completions.create(**body)
            yield ai.responses.create(model='m', input='Hi', stream=True)
            yield claude.messages.create(model='m', max_tokens=9, messages=body['messages'], stream=True)
            yield gemini.models.generate_content_stream(model='m', contents='Hi')
        for i, stream in enumerate(streams()):
            left.append(stream)
            for _ in stream: pass
            assert session.counts['recorded'] == i + 1
        calls = stand_in.calls
        assert all(len(list(stream)) > 1 for stream in streams()) and stand_in.calls == calls

def test_stop_reason_waits_for_the_stop(stand_in, tmp_path):
    "Whoever leaves Anthropic's stream at its `message_delta`, without closing it, has a whole recording"
    ask = dict(model='m', max_tokens=9, stream=True, messages=body['messages'])
    with enable_cachy(tmp_path, **local) as session, httpx.Client() as client:
        response = client.send(client.build_request('POST', stand_in.url + '/v1/messages', json=ask), stream=True)
        for line in response.iter_lines():
            if 'message_delta' in line: break
        assert session.counts['recorded'] == 1
        assert client.post(stand_in.url + '/v1/messages', json=ask).text.rstrip().endswith('{"type": "message_stop"}')

def test_stream_that_goes_on_after_its_end_is_recorded_whole(stand_in, tmp_path):
    stand_in.routes.insert(0, ('POST', '/completed', lambda handler, body: [b'data: {"type":"response.completed"}\n\n', b'data: [DONE]\n\n', b'\n']))
    with enable_cachy(tmp_path, **local): live = httpx.post(stand_in.url + '/completed').content
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='replay'): assert httpx.post(stand_in.url + '/completed').content == live

@libraries
def test_left_after_the_first_event(library, stand_in, tmp_path, caplog):
    release = threading.Event()
    stand_in.gate = lambda i: release.wait(5) if i == 2 else None
    with enable_cachy(tmp_path, **local) as session:
        start = time.perf_counter()
        with library.stream('POST', url(stand_in), json=body) as response: next(response.iter_lines())
        waited = time.perf_counter() - start
    release.set()
    assert waited < 4, 'closing waited for the rest'
    assert len(session.file) == 0 and len(warnings(caplog)) == 1 and 'was left after' in warnings(caplog)[0]

@libraries
@pytest.mark.parametrize('streamed', [True, False])
def test_cut_connection(library, streamed, stand_in, tmp_path, caplog):
    stand_in.cut_after = 2
    with enable_cachy(tmp_path, **local) as session, pytest.raises(library.HTTPError), library.Client() as client:
        response = client.send(client.build_request('POST', url(stand_in), json=body), stream=streamed)
        response.read()
    assert len(session.file) == 0 and len(warnings(caplog)) == 1 and 'RemoteProtocolError after' in warnings(caplog)[0]

@libraries
def test_cancelled_task(library, stand_in, tmp_path, caplog):
    release = threading.Event()
    stand_in.gate = lambda i: release.wait(5) if i == 2 else None
    async def main():
        async def read():
            async with library.AsyncClient() as client, client.stream('POST', url(stand_in), json=body) as response:
                async for _ in response.aiter_lines(): started.set()
        started, task = asyncio.Event(), asyncio.create_task(read())
        await asyncio.wait_for(started.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError): await task
    with enable_cachy(tmp_path, **local) as session: asyncio.run(main())
    release.set()
    assert len(session.file) == 0 and len(warnings(caplog)) == 1 and 'CancelledError after' in warnings(caplog)[0]

@pytest.mark.parametrize('event', ['event: error\ndata: {"type":"error"}\n\n', 'data: {"error":{"message":"no"}}\n\n',
    'data: {"type":"response.failed","response":{}}\n\n', 'event: error\r\ndata: {"type":"error"}\r\n\r\n'])
@pytest.mark.parametrize('last', ['data: [DONE]\n\n', ''])
def test_error_inside_a_stream(event, last, stand_in, tmp_path, caplog):
    chunks = [chunk.encode() for chunk in ('data: {"delta":"Hi"}\n\n', event, last) if chunk]
    stand_in.routes.insert(0, ('POST', '/fails', lambda handler, body: chunks))
    with enable_cachy(tmp_path, **local) as session, httpx.stream('POST', stand_in.url + '/fails') as response: assert response.read() == b''.join(chunks)
    assert len(session.file) == 0 and warnings(caplog) == [f'cachy not recorded: POST {stand_in.url}/fails: the stream holds an error']

@pytest.mark.parametrize('answer', [{'error': {'message': 'no'}}, {'error': 'no'}, {'status': 'frobnicating'}])
def test_json_that_is_no_answer(answer, stand_in, tmp_path, caplog):
    caplog.set_level(logging.INFO, 'cachy')
    stand_in.routes.insert(0, ('GET', '/thing', lambda handler, body: answer))
    with enable_cachy(tmp_path, **local) as session: assert httpx.get(stand_in.url + '/thing').json() == answer
    assert len(session.file) == 0 and len([record for record in caplog.records if 'not recorded' in record.getMessage()]) == 1

def test_larger_than_the_limit(stand_in, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(core, 'max_bytes', 100)
    with enable_cachy(tmp_path, **local) as session: assert httpx.post(url(stand_in), json=body).text.endswith('[DONE]\n\n')
    assert len(session.file) == 0 and len(warnings(caplog)) == 1 and 'larger than 100 bytes' in warnings(caplog)[0]

def test_answer_that_a_hook_has_read(stand_in, tmp_path):
    hooks = dict(response=[lambda response: response.read()])
    with enable_cachy(tmp_path, **local) as session, httpx.Client(event_hooks=hooks) as client:
        assert client.post(url(stand_in), json=body).content == client.post(url(stand_in), json=body).content
    assert session.counts == dict(recorded=1, replayed=1)

def test_mock_transport_is_recorded(tmp_path):
    answer = lambda request: httpx.Response(200, json=dict(a=1))
    with enable_cachy(tmp_path, **local) as session, httpx.Client(transport=httpx.MockTransport(answer)) as client:
        assert client.get('http://127.0.0.1/').json() == client.get('http://127.0.0.1/').json()
    assert session.counts == dict(recorded=1, replayed=1)

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
            return traits(client.send(client.build_request('POST', stand_in.url + '/fixed', json=body), stream=streamed), streamed)
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
                request = client.build_request('POST', stand_in.url + '/fixed', json=body)
                response = await client.send(request, stream=True)
                seen += [response.is_closed, [chunk async for chunk in getattr(response, read)()], response.is_closed, response.num_bytes_downloaded]
            response = await client.post(stand_in.url + '/fixed', json=body)
            return seen + [await response.aread(), response.text, response.is_closed, response.elapsed.total_seconds() > 0]
    async def thrice():
        live = await ask()
        with enable_cachy(tmp_path, **local) as session: recorded, replayed = await ask(), await ask()
        assert live == recorded == replayed and session.counts['recorded'] == 1
    asyncio.run(thrice())

@libraries
def test_replayed_stream_comes_event_by_event(library, stand_in, tmp_path):
    with enable_cachy(tmp_path, **local):
        library.post(url(stand_in), json=body)
        with library.stream('POST', url(stand_in), json=body) as response: chunks = list(response.iter_bytes())
    assert len(chunks) > 5 and all(chunk.startswith(b'data: ') and chunk.endswith(b'\n\n') for chunk in chunks)
    assert response.extensions['cachy'] == 'replayed'

def test_compressed_answers_replay_decoded(stand_in, tmp_path):
    stand_in.compress = 'gzip'
    with enable_cachy(tmp_path, **local) as session:
        for streamed in (True, False):
            ask = dict(body, stream=streamed)
            live, again = httpx.post(url(stand_in), json=ask), httpx2.post(url(stand_in), json=ask)
            assert live.headers['content-encoding'] == 'gzip' and 'content-encoding' not in again.headers
            assert live.text == again.text and again.extensions['cachy']
    assert json.loads((tmp_path/'cachy.jsonl').read_text().splitlines()[1])['response'] == live.text

def test_wrong_encoding_is_left_to_the_caller(stand_in, tmp_path, caplog):
    def lie(handler, body):
        handler.fields = {'content-encoding': 'gzip'}
        return b'this is not gzip'
    stand_in.routes.insert(0, ('GET', '/lie', lie))
    with enable_cachy(tmp_path, **local) as session:
        with httpx.stream('GET', stand_in.url + '/lie') as response: assert b''.join(response.iter_raw()) == b'this is not gzip'
        with pytest.raises(httpx.DecodingError): httpx.get(stand_in.url + '/lie')
    assert len(session.file) == 0 and len(warnings(caplog)) == 2

@libraries
def test_every_kind_of_request_body(library, stand_in, tmp_path):
    "A body that can be read only once is still sent whole"
    stand_in.routes.insert(0, ('POST', '/body', lambda handler, body: handler.raw))
    async def pieces():
        yield b'in '
        yield b'pieces'
    async def main():
        async with library.AsyncClient() as client: return (await client.post(stand_in.url + '/body', content=pieces())).content
    with enable_cachy(tmp_path, **local) as session:
        assert library.post(stand_in.url + '/body', content=iter([b'in ', b'pieces'])).content == b'in pieces'
        assert asyncio.run(main()) == b'in pieces'
        assert b'name="a"' in library.post(stand_in.url + '/body', files={'a': b'file'}).content
        assert b'name="a"' in library.post(stand_in.url + '/body', files={'a': b'file'}).content
    assert session.counts == dict(recorded=2, replayed=2)
