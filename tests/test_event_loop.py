"Nothing waits on the event loop: while the file is locked or slow, other tasks go on, and what is handed on was written before."
import asyncio
import fcntl
import hashlib
import json
import threading
import time

import httpx
import httpx2
import pytest

from support.asking import url
from support.http_libraries import aiohttp, chat
from support.recordings import recordings

async def by_httpx(library, place, stream, on_piece):
    async with library.AsyncClient() as client:
        if not stream: return (await client.post(place, json=chat())).raise_for_status()
        async with client.stream('POST', place, json=chat(stream=True)) as response:
            async for piece in response.aiter_bytes(): on_piece(piece)

async def by_aiohttp(_, place, stream, on_piece):
    async with aiohttp.ClientSession() as client, client.post(place, json=chat(**dict(stream=True) if stream else {})) as response:
        if not stream: return await response.read()
        async for piece in response.content.iter_any(): on_piece(piece)

asking = pytest.mark.parametrize('ask, library', [(by_httpx, httpx), (by_httpx, httpx2), (by_aiohttp, None)], ids=['httpx', 'httpx2', 'aiohttp'])

class Locked:
    "Another program holds the lock on the file for some seconds"
    def __init__(self, path, seconds=1.): self.path, self.seconds = path, seconds
    def __enter__(self):
        self.file = open(self.path, 'ab')
        fcntl.flock(self.file, fcntl.LOCK_EX)
        self.timer = threading.Timer(self.seconds, fcntl.flock, (self.file, fcntl.LOCK_UN))
        self.timer.start()
        return self
    def __exit__(self, *error):
        self.timer.join()
        self.file.close()

async def longest_pause(call):
    "How long no other task came to work while `call` ran, and how long that took"
    pauses, running = [], asyncio.ensure_future(call)
    start = last = time.monotonic()
    while not running.done():
        await asyncio.sleep(0.005)
        now = time.monotonic()
        pauses.append(now - last)
        last = now
    await running
    return max(pauses), last - start

@pytest.mark.parametrize('stream', [False, True], ids=['plain', 'stream'])
@asking
def test_the_loop_goes_on_while_the_file_is_locked(ask, library, stream, stand_in, tmp_path, cached):
    asyncio.run(ask(library, url(stand_in), stream, lambda piece: None)) # imports, and what else is slow once
    pieces = []
    def taken(piece):
        pieces.append(piece)
        if b'[DONE]' in piece: assert len(recordings(tmp_path)) == 1, 'the last piece was handed on before it was written'
    with cached() as session, Locked(tmp_path/'cachy.jsonl'):
        pause, took = asyncio.run(longest_pause(ask(library, url(stand_in), stream, taken)))
        assert session.counts['recorded'] == 1
    assert pause < 0.5 and 0.7 < took < 5 and bool(pieces) == stream

old_body = b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}'

async def post_bytes(library, place):
    headers = {'content-type': 'application/json'}
    if library:
        async with library.AsyncClient() as client: return (await client.post(place, content=old_body, headers=headers)).content
    async with aiohttp.ClientSession() as client, client.post(place, data=old_body, headers=headers) as response: return await response.read()

@pytest.mark.parametrize('library', [httpx, httpx2, None], ids=['httpx', 'httpx2', 'aiohttp'])
def test_older_recordings_move_over_beside_the_loop(library, stand_in, tmp_path, cached):
    asyncio.run(post_bytes(library, url(stand_in)))
    key = hashlib.sha256(url(stand_in).encode() + b'False' + old_body).hexdigest()[:8] # as releases 0.0.5 to 0.0.8 made it
    line = dict(key=key, response='{"answer": 1}', headers=None, status_code=200, binary=False)
    (tmp_path/'cachy.jsonl').write_text(json.dumps(line) + '\n')
    with cached(), Locked(tmp_path/'cachy.jsonl'):
        answers = []
        async def call(): answers.append(await post_bytes(library, url(stand_in)))
        pause, took = asyncio.run(longest_pause(call()))
    assert answers == [b'{"answer": 1}'] and stand_in.calls == 1 and pause < 0.5 and took > 0.7 and len(recordings(tmp_path)) == 2

def test_many_writes_at_once(stand_in, tmp_path, cached):
    "All tasks go on when the lock is free, each with its recording, though asyncio's own threads are all taken"
    release = threading.Event()
    async def main():
        loop = asyncio.get_running_loop()
        taken = [loop.run_in_executor(None, release.wait, 20) for _ in range(64)]
        async with httpx.AsyncClient() as client:
            await asyncio.gather(*(client.post(url(stand_in), json=dict(chat(), n=n)) for n in range(20)))
        release.set()
        await asyncio.gather(*taken)
    start = time.monotonic()
    with cached() as session: asyncio.run(main())
    assert session.counts['recorded'] == len(recordings(tmp_path)) == 20 and time.monotonic() - start < 10

@asking
def test_a_cancelled_caller_leaves_no_half(ask, library, stand_in, tmp_path, cached):
    async def main():
        with pytest.raises(asyncio.TimeoutError): await asyncio.wait_for(ask(library, url(stand_in), False, None), 0.4)
    with cached() as session, Locked(tmp_path/'cachy.jsonl'): asyncio.run(main())
    for _ in range(100):
        if session.counts['recorded']: break
        time.sleep(0.02)
    assert len(recordings(tmp_path)) == 1
