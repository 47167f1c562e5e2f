"The same call by several threads or tasks at the same time is made once, and nobody waits for too long."
import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from cachy import enable_cachy
from support.asking import body, libraries, local, url

@libraries
def test_64_threads_make_one_call(library, stand_in, tmp_path):
    stand_in.delay = 0.3
    with enable_cachy(tmp_path, **local) as session, ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: library.post(url(stand_in), json=body).text, range(64)))
    assert stand_in.calls == 1 and len(set(answers)) == 1 and session.counts == dict(recorded=1, replayed=63)

@libraries
def test_64_tasks_make_one_call(library, stand_in, tmp_path):
    stand_in.delay = 0.3
    async def main():
        async with library.AsyncClient() as client: return await asyncio.gather(*(client.post(url(stand_in), json=body) for _ in range(64)))
    with enable_cachy(tmp_path, **local) as session: answers = {response.text for response in asyncio.run(main())}
    assert stand_in.calls == 1 and len(answers) == 1 and session.counts == dict(recorded=1, replayed=63)

def test_leader_that_fails_does_not_hold_the_others_up(stand_in, tmp_path):
    stand_in.delay, stand_in.fail = 0.5, [429]
    with enable_cachy(tmp_path, **local), ThreadPoolExecutor(64) as pool:
        start = time.perf_counter()
        statuses = list(pool.map(lambda _: httpx.post(url(stand_in), json=body, timeout=30).status_code, range(64)))
        assert time.perf_counter() - start < 10 # one after the other it would be 32
    assert sorted(statuses) == [200] * 63 + [429]

@pytest.mark.parametrize('ending', ['raise', 'cancel'])
def test_leading_task_that_ends_early(ending, stand_in, tmp_path):
    stand_in.delay = 0.5
    async def main():
        async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=100)) as client:
            leader = asyncio.create_task(client.post(url(stand_in), json=body, timeout=0.2 if ending == 'raise' else 30))
            await asyncio.sleep(0.1)
            others = [asyncio.create_task(client.post(url(stand_in), json=body)) for _ in range(63)]
            await asyncio.sleep(0.05)
            if ending == 'cancel': leader.cancel()
            with pytest.raises(asyncio.CancelledError if ending == 'cancel' else httpx.ReadTimeout): await leader
            start = time.perf_counter()
            answers = await asyncio.gather(*others)
            return time.perf_counter() - start, answers
    with enable_cachy(tmp_path, **local): took, answers = asyncio.run(main())
    assert {response.status_code for response in answers} == {200} and took < 10

def test_sync_call_inside_the_loop_of_an_async_one(stand_in, tmp_path):
    stand_in.delay = 0.3
    async def main():
        async with httpx.AsyncClient() as client:
            task = asyncio.create_task(client.post(url(stand_in), json=body))
            await asyncio.sleep(0.05)
            sync = httpx.post(url(stand_in), json=body)
            return sync.status_code, (await task).status_code
    with enable_cachy(tmp_path, **local): assert asyncio.run(asyncio.wait_for(main(), 10)) == (200, 200)

def test_loops_in_different_threads_do_not_wait_for_each_other(stand_in, tmp_path):
    stand_in.delay = 0.2
    async def one():
        async with httpx.AsyncClient() as client: return (await client.post(url(stand_in), json=body)).status_code
    with enable_cachy(tmp_path, **local), ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: asyncio.run(asyncio.wait_for(one(), 10)), range(4))) == [200] * 4

def test_call_inside_its_own_call(stand_in, tmp_path):
    "A hook that makes the very call it hangs on waits for nobody"
    inner = []
    def hook(request):
        if not inner: inner.append(None) or inner.append(httpx.post(url(stand_in), json=body).status_code)
    with enable_cachy(tmp_path, **local), httpx.Client(event_hooks=dict(request=[hook])) as client:
        assert client.post(url(stand_in), json=body).status_code == 200 and inner[1] == 200

def test_streams_do_not_wait(stand_in, tmp_path):
    release = threading.Event()
    stand_in.gate = lambda i: release.wait(5) if i == 1 else None
    with enable_cachy(tmp_path, **local), httpx.stream('POST', url(stand_in), json=dict(body, stream=True)):
        with httpx.stream('POST', url(stand_in), json=dict(body, stream=True)) as second: release.set(); second.read()
    assert stand_in.calls == 2

@pytest.mark.skipif(not hasattr(os, 'fork'), reason='optional: fork is not on this system; all is well without it')
@pytest.mark.filterwarnings('ignore:.*fork:DeprecationWarning')
def test_fork_inside_a_call(stand_in, tmp_path):
    "Parent and child both come to the end of the call that was under way"
    forked = []
    with enable_cachy(tmp_path, **local), httpx.Client(event_hooks=dict(request=[lambda request: forked.append(os.fork())])) as client:
        try: status = client.post(url(stand_in), json=body).status_code
        except BaseException:
            if forked[0] == 0: os._exit(1)
            raise
        if forked[0] == 0: os._exit(0 if status == 200 else 2)
        assert status == 200 and os.waitstatus_to_exitcode(os.waitpid(forked[0], 0)[1]) == 0
