"A call through a client is what it would be without cachy, live and replayed: hooks, closed clients, bodies of the wrong kind."
import asyncio
import json

import pytest

from support.asking import body, libraries, url
from support.recordings import recordings

both = pytest.mark.parametrize('is_async', [False, True], ids=['sync', 'async'])

def make_hook(is_async, hook):
    "`hook` as a client of that kind has it"
    if not is_async: return hook
    async def awaited(item):
        await asyncio.sleep(0)
        hook(item)
    return awaited

def run(library, is_async, calls, **options):
    "What `calls`, functions of a client that give responses, one after the other gave"
    if not is_async:
        with library.Client(**options) as client: return [call(client) for call in calls]
    async def main():
        async with library.AsyncClient(**options) as client: return [await call(client) for call in calls]
    return asyncio.run(main())

def post(place, **options): return lambda client: client.post(place, **{'json': body, **options})

@both
@libraries
def test_event_hooks_run_on_a_replay_as_on_a_call(library, is_async, stand_in, cached):
    seen = []
    def asking(request): seen.append(('asking', request.method, json.loads(request.content)['model']))
    def answered(response): seen.append(('answered', response.status_code, response.request.url.path, 'content-type' in response.headers))
    hooks = dict(request=[make_hook(is_async, asking)], response=[make_hook(is_async, answered)])
    once = [('asking', 'POST', 'gpt-4o'), ('answered', 200, '/v1/chat/completions', True)]
    with cached():
        run(library, is_async, [post(url(stand_in))] * 2, event_hooks=hooks)
        assert seen == once * 2 and stand_in.calls == 1
    with cached('replay'): run(library, is_async, [post(url(stand_in))], event_hooks=hooks)
    assert seen == once * 3

@both
@libraries
def test_what_a_hook_changes_is_what_is_asked(library, is_async, stand_in, tmp_path, cached):
    def hook(version):
        def change(request): request.headers['openai-beta'] = version
        return dict(request=[make_hook(is_async, change)])
    def ask(*more): return run(library, is_async, [post(url(stand_in))], **dict(more))[0].json()['id']
    with cached():
        answers = [ask(), ask(('event_hooks', hook('a'))), ask(('event_hooks', hook('b')))]
        assert len({*answers}) == 3 and stand_in.calls == 3
        assert [line['request'].get('headers', {}).get('openai-beta') for line in recordings(tmp_path)] == [None, 'a', 'b']
        assert [ask(), ask(('event_hooks', hook('a'))), ask(('event_hooks', hook('b')))] == answers
        assert run(library, is_async, [post(url(stand_in), headers={'openai-beta': 'b'})])[0].json()['id'] == answers[2]
    assert stand_in.calls == 3

@both
@libraries
def test_a_response_hook_reads_the_answer_and_may_raise(library, is_async, stand_in, cached):
    class Refused(Exception): pass
    seen = []
    async def aread(response): seen.append((response.is_closed, await response.aread()))
    def read(response): seen.append((response.is_closed, response.read()))
    with cached():
        for _ in range(2): run(library, is_async, [post(url(stand_in))], event_hooks=dict(response=[aread if is_async else read]))
        assert seen[0] == seen[1] and not seen[0][0] and stand_in.calls == 1
        def refuse(response): raise Refused
        with pytest.raises(Refused): run(library, is_async, [post(url(stand_in))], event_hooks=dict(response=[make_hook(is_async, refuse)]))

@both
@libraries
def test_hooks_run_for_each_request_of_a_call(library, is_async, echo, cached):
    "A redirect and an auth flow ask more than once; the first request was shown to the hooks before it was looked up"
    seen = []
    class Twice(library.Auth):
        def auth_flow(self, request):
            yield request
            request.headers['x-again'] = 'yes'
            yield request
    hooks = dict(request=[make_hook(is_async, lambda request: seen.append((request.url.path, request.headers.get('x-again'))))])
    def ask(): return run(library, is_async, [post(echo.url + '/moved', json=None, content='x')], event_hooks=hooks, auth=Twice(), follow_redirects=True)
    echo.answer = lambda handler, content: ({':status': 307, 'location': '/there'}, b'') if handler.path == '/moved' else ({}, b'yes')
    ask()
    without, seen = seen, []
    hooks['request'] = [make_hook(is_async, lambda request: seen.append((request.url.path, request.headers.get('x-again'))))]
    with cached(): ask()
    del echo.answer
    assert seen == without and len(seen) == 4

@both
@libraries
def test_hooks_stay_where_they_are(library, is_async, stand_in, cached):
    kind, hook = library.AsyncClient if is_async else library.Client, make_hook(is_async, lambda item: None)
    client, before = kind(event_hooks=dict(request=[hook])), dict(vars(kind))
    with cached():
        assert client.event_hooks == dict(request=[hook], response=[])
        client.event_hooks['response'].append(hook)
        client.event_hooks = dict(response=[hook])
        assert client.event_hooks == dict(request=[], response=[hook])
        new = kind(event_hooks=dict(request=[hook]))
    assert client.event_hooks == dict(request=[], response=[hook]) and new.event_hooks == dict(request=[hook], response=[])
    assert dict(vars(kind)) == before

@both
@libraries
def test_a_closed_client_raises(library, is_async, stand_in, cached):
    async def ask():
        client = library.AsyncClient()
        await client.aclose()
        await client.post(url(stand_in), json=body)
    with cached():
        run(library, is_async, [post(url(stand_in))])
        with pytest.raises(RuntimeError, match='the client has been closed'):
            if is_async: asyncio.run(ask())
            client = library.Client()
            client.close()
            client.post(url(stand_in), json=body)
    assert stand_in.calls == 1

@libraries
def test_a_body_of_the_wrong_kind_raises_what_httpx_raises(library, stand_in, cached):
    async def apieces(): yield b'{}'
    def pieces(): yield b'{}'
    def errors():
        found = []
        for is_async, content in ((False, apieces()), (True, pieces())):
            with pytest.raises(Exception) as error: run(library, is_async, [lambda client, content=content: client.post(url(stand_in), content=content)])
            found.append((type(error.value), str(error.value)))
        return found
    without = errors()
    for mode in ('auto', 'replay'):
        with cached(mode): assert errors() == without
    assert stand_in.calls == 0

@both
@libraries
def test_a_text_has_the_encoding_that_its_client_has(library, is_async, echo, cached):
    echo.answers['x'] = {'content-type': 'text/plain'}, 'größer'.encode('latin-1')
    with cached():
        texts = [run(library, is_async, [post(echo.url, json=None, content='x')], default_encoding='latin-1')[0].text for _ in range(2)]
    assert texts == ['größer'] * 2
