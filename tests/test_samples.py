"Ask again, ask five times, ask past it: for one part of a program, in tasks as in plain code."
import asyncio
import json
import threading

import httpx
import pytest

import cachy
from cachy import CachyMiss, enable_cachy
from cachy.file import Recordings
from support.asking import body, libraries, url

here = dict(doms=('127.0.0.1',))

def text(library, server, **more): return library.post(url(server), json=dict(body, **more)).text

@libraries
def test_samples_are_other_answers_to_the_same_question(library, stand_in, tmp_path):
    def five():
        answers = []
        for number in range(5):
            with cachy.sample(number): answers.append(text(library, stand_in))
        return answers
    with enable_cachy(tmp_path, **here, mode='auto'):
        first = five()
        assert text(library, stand_in) == first[0] # sample 0 is no sample
    assert len({*first}) == 5 and stand_in.calls == 5
    lines = [json.loads(line) for line in (tmp_path/'cachy.jsonl').read_text(encoding='utf-8').splitlines()]
    assert [line.get('sample') for line in lines] == [None, 1, 2, 3, 4] and len({json.dumps(line['request']) for line in lines}) == 1
    with enable_cachy(tmp_path, **here, mode='replay'):
        assert five() == first
        with pytest.raises(CachyMiss, match='sample 7 of this question is not recorded; 0, 1, 2, 3, 4 of the first hundred are') as miss, cachy.sample(7): text(library, stand_in)
        assert str(miss.value).count('likely reason') == 1 and 'which reads the same' in str(miss.value) # and nothing is said of other options

def test_twenty_tasks_each_with_a_sample(stand_in, tmp_path):
    async def ask(client, number):
        with cachy.sample(number): return (await client.post(url(stand_in), json=body)).text
    async def twenty():
        async with httpx.AsyncClient() as client: return await asyncio.gather(*(ask(client, number) for number in range(20)))
    with enable_cachy(tmp_path, **here, mode='auto'): first = asyncio.run(twenty())
    assert len({*first}) == 20
    with enable_cachy(tmp_path, **here, mode='replay'): assert asyncio.run(twenty()) == first

@libraries
def test_fresh_calls_once_for_each_key_and_entry(library, stand_in, tmp_path):
    with enable_cachy(tmp_path, **here, mode='auto') as session:
        old, other = text(library, stand_in), text(library, stand_in, n=2)
        for _ in range(2):
            with session.fresh():
                new = text(library, stand_in)
                assert new != old and text(library, stand_in) == new # once for each key, then it is replayed
            old = new
        assert text(library, stand_in) == new and text(library, stand_in, n=2) == other
    with enable_cachy(tmp_path, **here, mode='replay'), cachy.fresh(): assert text(library, stand_in) == new
    assert stand_in.calls == 4

@pytest.mark.parametrize('mode', ['auto', 'replay', 'record'])
@pytest.mark.parametrize('live', [cachy.live, cachy.no_cachy])
def test_live_goes_past_the_cache(stand_in, tmp_path, mode, live):
    with enable_cachy(tmp_path, **here, mode='auto'): recorded = text(httpx, stand_in)
    with enable_cachy(tmp_path, **here, mode=mode) as session:
        with live(): assert text(httpx, stand_in) != recorded
        with session.live(), session.sample(0): before = text(httpx, stand_in) # the innermost counts
        if mode != 'record': assert before == recorded
    assert len(Recordings(tmp_path/'cachy.jsonl')) == 1

def test_tasks_do_not_touch_each_other(stand_in, tmp_path):
    "One live, one fresh, one replayed, at the same time; threads start outside"
    async def main():
        async with httpx.AsyncClient() as client:
            async def ask(scope):
                with scope(): return (await client.post(url(stand_in), json=body)).text
            async def plain():
                await asyncio.sleep(0.01)
                return (await client.post(url(stand_in), json=body)).text
            return await asyncio.gather(ask(cachy.live), ask(cachy.live), plain())
    with enable_cachy(tmp_path, **here, mode='auto') as session:
        recorded = text(httpx, stand_in)
        one, two, replayed = asyncio.run(main())
        assert len({one, two, recorded}) == 3 and replayed == recorded
        seen = []
        with cachy.sample(3):
            thread = threading.Thread(target=lambda: seen.append(text(httpx, stand_in)))
            thread.start()
            thread.join()
        assert seen == [recorded] and cachy.session() is session
    assert cachy.session() is None

@pytest.mark.parametrize('number', [-1, 1.0, True, None, '2'])
def test_bad_numbers(number):
    with pytest.raises(ValueError, match='give a whole number'): cachy.sample(number)
