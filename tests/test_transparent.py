"Recording changes nothing: streams reach the caller as the server sends them, and the server gets what the caller sends."
import asyncio
import threading

import httpx
import pytest

from cachy import enable_cachy
from support.asking import body, libraries, local, url, warnings

streaming = dict(body, stream=True)

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
    with enable_cachy(tmp_path, **local) as session, library.stream('POST', url(stand_in), json=streaming) as response:
        lines = []
        for line in response.iter_lines():
            lines.append(line)
            seen.set()
    assert in_time == [True] and lines[-2] == 'data: [DONE]' and session.counts['recorded'] == 1

@libraries
def test_async_stream_is_live(library, stand_in, tmp_path):
    seen, in_time = hold_back(stand_in)
    async def main():
        async with library.AsyncClient() as client, client.stream('POST', url(stand_in), json=streaming) as response:
            async for _ in response.aiter_lines(): seen.set()
    with enable_cachy(tmp_path, **local) as session: asyncio.run(main())
    assert in_time == [True] and session.counts['recorded'] == 1

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
