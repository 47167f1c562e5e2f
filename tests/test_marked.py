"A replay says so on the span of OpenTelemetry that is current, if there is one."
import asyncio
import threading

import pytest

from cachy.standin import StandIn
from support import python
from support.http_libraries import chat, plain, streamed, streams
from support.recordings import recordings

trace = pytest.importorskip('opentelemetry.trace', reason='optional: OpenTelemetry is not installed; all is well without it')
sdk = pytest.importorskip('opentelemetry.sdk.trace', reason='optional: the SDK of OpenTelemetry is not installed; all is well without it')
tracer = sdk.TracerProvider().get_tracer('test')

def spanned(act):
    "The attributes of the span in which `act` ran"
    with tracer.start_as_current_span('call') as span: act()
    return dict(span.attributes)

@pytest.mark.parametrize('name', streams)
def test_replays_are_marked_and_calls_are_not(name, stand_in, tmp_path, cached):
    url = f'{stand_in.url}/v1/chat/completions'
    with cached(): assert [spanned(lambda: plain(name, url, json=chat())), spanned(lambda: streamed(name, url, json=chat(stream=True)))] == [{}, {}]
    keys = [line['key'] for line in recordings(tmp_path)]
    for mode in ('auto', 'replay'):
        with cached(mode): marks = [spanned(lambda: plain(name, url, json=chat())), spanned(lambda: streamed(name, url, json=chat(stream=True)))]
        assert marks == [{'cachy.replayed': True, 'cachy.key': key} for key in keys]
        with cached(mode): plain(name, url, json=chat()) # no span is current
    with cached('off'): assert spanned(lambda: plain(name, url, json=chat())) == {}

@pytest.mark.parametrize('asynchronous', [False, True])
def test_who_waits_for_the_same_call_is_marked_too(asynchronous, tmp_path, cached):
    marks, start = [], threading.Barrier(3)
    def ask():
        start.wait()
        marks.append(spanned(lambda: plain('httpx', url, json=chat())))
    async def ask_async(client):
        with tracer.start_as_current_span('call') as span: await client.post(url, json=chat())
        marks.append(dict(span.attributes))
    async def all_async():
        import httpx
        async with httpx.AsyncClient() as client: await asyncio.gather(*(ask_async(client) for _ in range(3)))
    with StandIn(delay=0.2) as stand_in, cached():
        url = f'{stand_in.url}/v1/chat/completions'
        if asynchronous: asyncio.run(all_async())
        else:
            threads = [threading.Thread(target=ask) for _ in range(3)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        assert stand_in.calls == 1
    key = recordings(tmp_path)[0]['key']
    assert sorted(marks, key=len) == [{}, *[{'cachy.replayed': True, 'cachy.key': key}] * 2]

def test_opentelemetry_is_not_imported_by_us(stand_in, tmp_path):
    code = '''
import sys
from cachy import enable_cachy
import httpx
with enable_cachy(sys.argv[1], doms=('127.0.0.1',), mode='auto') as session:
    for _ in range(2): httpx.post(sys.argv[2], json=dict(model='m', messages=[]))
print(session.counts['replayed'], [name for name in sys.modules if name.startswith('opentelemetry')])
'''
    assert python('-c', code, tmp_path, f'{stand_in.url}/v1/chat/completions').stdout.strip() == '1 []'
