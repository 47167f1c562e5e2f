"Only whole answers are recorded; what was not says so in one line."
import asyncio
import logging
import threading
import time

import anthropic
import httpx
import openai
import pytest
from google import genai

from cachy import core, enable_cachy
from support.asking import body, libraries, local, url, warnings

streaming = dict(body, stream=True)

@pytest.mark.parametrize('compress', [None, 'gzip'])
def test_sdk_streams_that_nobody_closes_are_recorded(compress, stand_in, tmp_path):
    stand_in.compress = compress
    left = []
    with enable_cachy(tmp_path, **local) as session:
        ai = openai.OpenAI(base_url=stand_in.url + '/v1', api_key='k' * 20)
        claude = anthropic.Anthropic(base_url=stand_in.url, api_key='k' * 20)
        gemini = genai.Client(api_key='k' * 20, http_options=dict(base_url=stand_in.url))
        def streams():
            yield ai.chat.completions.create(**streaming)
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
        with library.stream('POST', url(stand_in), json=streaming) as response: next(response.iter_lines())
        waited = time.perf_counter() - start
    release.set()
    assert waited < 4, 'closing waited for the rest'
    assert len(session.file) == 0 and len(warnings(caplog)) == 1 and 'was left after' in warnings(caplog)[0]

@libraries
@pytest.mark.parametrize('streamed', [True, False])
def test_cut_connection(library, streamed, stand_in, tmp_path, caplog):
    stand_in.cut_after = 2
    with enable_cachy(tmp_path, **local) as session, pytest.raises(library.HTTPError), library.Client() as client:
        response = client.send(client.build_request('POST', url(stand_in), json=streaming), stream=streamed)
        response.read()
    assert len(session.file) == 0 and len(warnings(caplog)) == 1 and 'RemoteProtocolError after' in warnings(caplog)[0]

@libraries
def test_cancelled_task(library, stand_in, tmp_path, caplog):
    release = threading.Event()
    stand_in.gate = lambda i: release.wait(5) if i == 2 else None
    async def main():
        async def read():
            async with library.AsyncClient() as client, client.stream('POST', url(stand_in), json=streaming) as response:
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
    with enable_cachy(tmp_path, **local) as session: assert httpx.post(url(stand_in), json=streaming).text.endswith('[DONE]\n\n')
    assert len(session.file) == 0 and len(warnings(caplog)) == 1 and 'larger than 100 bytes' in warnings(caplog)[0]

def test_polling_loop_ends_and_replays_in_one_look(stand_in, tmp_path):
    stand_in.looks = 5 # five times "frobnicating"
    def poll():
        for look in range(1, 50):
            if httpx.get(stand_in.url + '/v1/files/file-1').json()['status'] == 'processed': return look
    with enable_cachy(tmp_path, **local): assert (poll(), poll()) == (6, 1)
