"Sessions, modes, patches, and calls that are under way at the same time."
import asyncio, json, logging, os, subprocess, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx, httpx2, pytest

from cachy import core, disable_cachy, doms, enable_cachy
from cachy.core import CachyMiss, choose_mode, find_folder

libraries = pytest.mark.parametrize('library', [httpx, httpx2], ids=['httpx', 'httpx2'])
body = dict(model='gpt-4o', messages=[dict(role='user', content='Tell me about cats')])
local = dict(doms=('127.0.0.1',), mode='auto')
root = Path(__file__).parent.parent

def url(server): return server.url + '/v1/chat/completions'

# ---- the same call at the same time

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

# ---- polling

def test_polling_loop_ends_and_replays_in_one_look(stand_in, tmp_path):
    stand_in.looks = 5 # five times "frobnicating"
    def poll():
        for look in range(1, 50):
            if httpx.get(stand_in.url + '/v1/files/file-1').json()['status'] == 'processed': return look
    with enable_cachy(tmp_path, **local): assert (poll(), poll()) == (6, 1)

# ---- sessions

def test_disable_puts_the_very_functions_back():
    before = [vars(cls)['send'] for library in (httpx, httpx2) for cls in (library.Client, library.AsyncClient)]
    finders = list(sys.meta_path)
    enable_cachy(mode='off')
    enable_cachy(mode='replay')
    assert httpx.Client.send is not before[0]
    disable_cachy()
    assert [vars(cls)['send'] for library in (httpx, httpx2) for cls in (library.Client, library.AsyncClient)] == before
    assert sys.meta_path == finders

@pytest.mark.parametrize('order', [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0), (0, 2, 1), (2, 0, 1)])
def test_scopes_left_in_any_order(order, tmp_path):
    before = httpx.Client.send
    sessions = [enable_cachy(tmp_path, mode=mode).__enter__() for mode in ('auto', 'replay', 'record')]
    for i in order:
        sessions[i].__exit__(None, None, None)
        left = [session for session in sessions if session in core.switch.sessions]
        assert (core.switch.sessions[-1:] or [None])[0] is (left[-1] if left else None)
    assert httpx.Client.send is before

def test_plain_replaces_plain_and_with_returns_to_it(tmp_path):
    first = enable_cachy(tmp_path, mode='auto')
    second = enable_cachy(tmp_path, mode='replay')
    assert core.switch.sessions == [second]
    with enable_cachy(tmp_path, mode='off') as scoped: assert core.switch.sessions == [second, scoped]
    assert core.switch.sessions == [second]
    with enable_cachy(tmp_path, mode='off') as scoped:
        third = enable_cachy(tmp_path, mode='auto')
        assert core.switch.sessions == [scoped, third]
    assert core.switch.sessions == [third]
    disable_cachy()
    with third: assert core.switch.sessions == [third]
    assert core.switch.sessions == [] and first is not second

def test_wrapper_of_somebody_else_stays_and_works(stand_in, tmp_path):
    before, seen = httpx.Client.send, []
    enable_cachy(tmp_path, **local)
    ours = httpx.Client.send
    def theirs(self, request, **options):
        seen.append(request.method)
        return ours(self, request, **options)
    httpx.Client.send = theirs
    try:
        assert httpx.post(url(stand_in), json=body).text == httpx.post(url(stand_in), json=body).text
        disable_cachy()
        assert httpx.Client.send is theirs
        httpx.post(url(stand_in), json=body)
        assert (len(seen), stand_in.calls) == (3, 2)
        with enable_cachy(tmp_path, **local) as session: httpx.post(url(stand_in), json=dict(body, n=2)), httpx.post(url(stand_in), json=body)
        assert session.counts == dict(recorded=1, replayed=1) and len(session.file) == 2 and httpx.Client.send is theirs
    finally: httpx.Client.send = before
    disable_cachy()
    core.switch.put_back()
    core.switch.replaced.clear()

def test_client_made_before_and_function_imported_before(stand_in, tmp_path):
    with httpx.Client() as client:
        with enable_cachy(tmp_path, **local) as session: client.post(url(stand_in), json=body), client.post(url(stand_in), json=body)
    assert session.counts == dict(recorded=1, replayed=1)

def test_doms_decide(stand_in, tmp_path):
    with enable_cachy(tmp_path, mode='replay') as session: assert httpx.post(url(stand_in), json=body).status_code == 200
    with enable_cachy(tmp_path, doms=doms + ('127.0.0.1',), mode='replay'), pytest.raises(CachyMiss): httpx.post(url(stand_in), json=body)
    assert session.counts == {}

def test_record_mode_calls_anew_once(stand_in, tmp_path):
    with enable_cachy(tmp_path, **local): old = httpx.post(url(stand_in), json=body).text
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='record') as session:
        new = httpx.post(url(stand_in), json=body).text
        assert new != old and httpx.post(url(stand_in), json=body).text == new
    with enable_cachy(tmp_path, **local): assert httpx.post(url(stand_in), json=body).text == new
    assert stand_in.calls == 2

@pytest.mark.parametrize('ask', [lambda url: httpx.post(url, json=body), lambda url: asyncio.run(ask_async(url))])
def test_miss_is_raised_at_once_and_logged(ask, stand_in, tmp_path, caplog):
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='replay') as session, pytest.raises(CachyMiss, match='no recording'): ask(url(stand_in))
    assert stand_in.calls == 0 and session.counts == dict(missed=1)
    assert [record.levelno for record in caplog.records if record.name == 'cachy'] == [logging.ERROR]

async def ask_async(url):
    async with httpx.AsyncClient() as client: return await client.post(url, json=body)

@pytest.mark.parametrize('env, mode, expected', [
    ({}, None, ('auto', 'the default')), ({'CI': 'true'}, None, ('replay', 'CI=true')), ({'CI': 'false'}, None, ('auto', 'the default')), ({'CI': 'woodpecker'}, None, ('replay', 'CI=woodpecker')),
    ({'CI': 'true', 'CACHY_MODE': 'auto'}, None, ('auto', 'CI=true; CACHY_MODE=auto allows calls')), ({'CACHY_MODE': 'record'}, None, ('record', 'CACHY_MODE=record')),
    ({'CACHY_MODE': 'record'}, 'off', ('off', "mode='off'"))])
def test_mode(env, mode, expected): assert choose_mode(mode, env) == expected

def test_placeholders_come_and_go(monkeypatch, tmp_path):
    names = ('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'DEEPSEEK_API_KEY')
    for name in names + ('GOOGLE_API_KEY',): monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('OPENAI_API_KEY', 'mine')
    before = dict(os.environ)
    with enable_cachy(tmp_path, mode='replay'):
        assert os.environ['OPENAI_API_KEY'] == 'mine' and all(os.environ[name] for name in names)
        with enable_cachy(tmp_path, mode='auto'): assert dict(os.environ) == before
        assert os.environ['GEMINI_API_KEY']
    assert dict(os.environ) == before
    monkeypatch.setenv('ANTHROPIC_API_KEY', '') # as CI sets a secret that it does not have
    with enable_cachy(tmp_path, mode='replay'): assert os.environ['ANTHROPIC_API_KEY']
    assert os.environ['ANTHROPIC_API_KEY'] == ''
    monkeypatch.setenv('GOOGLE_API_KEY', 'mine')
    with enable_cachy(tmp_path, mode='replay'): assert 'GEMINI_API_KEY' not in os.environ

# ---- bad input

@pytest.mark.parametrize('arguments, error, says', [
    (dict(mode='rewind'), ValueError, "no mode. Use one of 'auto'"), (dict(doms='api.openai.com'), ValueError, 'Give a tuple of hosts'),
    (dict(doms=('https://api.openai.com/v1',)), ValueError, "is no host. Write 'api.example.com'"), (dict(doms=('a b',)), ValueError, 'is no host'),
    (dict(doms=(None,)), ValueError, 'is no host'), (dict(doms=None), ValueError, 'Give a tuple of hosts'), (dict(doms=('',)), ValueError, 'is no host'), (dict(doms=('host:port',)), ValueError, 'is no host'),
    (dict(cache_dir='no/such/folder'), NotADirectoryError, 'Create it, or leave cache_dir out'), (dict(cache_dir=__file__), NotADirectoryError, 'no existing folder'),
    (dict(hdrs='x-a'), ValueError, 'Give a tuple of header names'), (dict(errors=404), ValueError, 'errors=(404,)'),
    (dict(norm_pats=('a', 'b')), ValueError, "norm_pats"), (dict(norm_pats=(('(', 'b'),)), ValueError, "norm_pats")])
def test_bad_input(arguments, error, says, tmp_path):
    with pytest.raises(error) as caught: enable_cachy(**({'cache_dir': tmp_path, 'mode': 'auto'} | arguments))
    assert says in str(caught.value) and core.switch.sessions == []

def test_bad_mode_in_the_environment(monkeypatch):
    monkeypatch.setenv('CACHY_MODE', 'rewind')
    with pytest.raises(ValueError, match='CACHY_MODE=rewind is no mode'): enable_cachy()

# ---- where the file is

def test_folder(tmp_path, monkeypatch):
    (tmp_path/'project'/'nbs').mkdir(parents=True)
    monkeypatch.chdir(tmp_path/'project'/'nbs')
    (tmp_path/'project'/'pyproject.toml').touch()
    assert find_folder() == tmp_path/'project'
    (tmp_path/'project'/'nbs'/'settings.ini').touch()
    assert find_folder() == tmp_path/'project'/'nbs'

# ---- imports

def run(code, *options):
    return subprocess.run([sys.executable, *options, '-c', code], cwd=root, env=os.environ | {'CACHY_MODE': 'auto'}, capture_output=True, text=True, timeout=60, check=True)

def test_enabling_imports_no_http_library():
    names = {line.split('|')[-1].strip().split('.')[0] for line in run('import cachy; cachy.enable_cachy()', '-X', 'importtime').stderr.splitlines()}
    assert not names & {'httpx', 'httpx2', 'requests', 'openai', 'anthropic', 'litellm', 'aiohttp', 'urllib3', 'asyncio'} and 'cachy' in names

@pytest.mark.parametrize('before, after', [('', 'import httpx, httpx2'), ('import httpx, httpx2', ''), ('import httpx2', 'import httpx'),
    ('import httpx2; httpx2.alias_httpx()', 'import httpx; assert httpx.Client is httpx2.Client'), ('', 'import httpx2; httpx2.alias_httpx(); import httpx'),
    ('import httpx2; httpx2.alias_httpx(); import httpx', '')])
def test_calls_are_recorded_whenever_the_library_was_imported(before, after, stand_in, tmp_path):
    code = f"""
import sys
{before}
from cachy import disable_cachy, enable_cachy
session = enable_cachy({str(tmp_path)!r}, doms=('127.0.0.1',))
{after}
import httpx, httpx2
texts = {{library.post({url(stand_in)!r}, json={body!r}).text for library in (httpx, httpx2, httpx, httpx2)}}
assert len(texts) == 1 and session.counts == dict(recorded=1, replayed=3), session
disable_cachy()
assert httpx.Client.send.__module__.split('.')[0] in ('httpx', 'httpx2') and not hasattr(httpx.Client.send, '__wrapped__')
assert type(httpx.__spec__.loader).__module__ != 'cachy.core', httpx.__spec__
"""
    run(code)
    assert stand_in.calls == 1
