"The pytest plugin, run by pytest inside pytest; under pytest-xdist too."
import json
import os

import httpx  # noqa: F401 (httpx here, since a run in this process forgets what it imported)
import pytest

from support import root

conftest = '''
import httpx, pytest
@pytest.fixture
def cachy_options(): return dict(doms=('127.0.0.1',))
@pytest.fixture
def ask():
    def ask(text, model='gpt-4o'):
        return httpx.post('{url}/v1/chat/completions', json=dict(model=model, messages=[dict(role='user', content=text)]), headers=dict(authorization='Bearer sk-0123456789abcdef')).json()
    return ask
'''
three = '''
import pytest
@pytest.mark.parametrize('text', ['one', 'two', 'three'])
def test_text(ask, text): assert text in ask(text)['choices'][0]['message']['content']
'''

@pytest.fixture
def run(pytester, stand_in, monkeypatch):
    "Write a suite that asks the stand-in, and run it: in this process, or in one of its own"
    monkeypatch.setenv('PYTHONPATH', str(root), prepend=os.pathsep)
    monkeypatch.setenv('COLUMNS', '300')
    monkeypatch.setenv('PYTEST_DISABLE_PLUGIN_AUTOLOAD', '1') # other plugins take seconds to load
    pytester.makeconftest(conftest.replace('{url}', stand_in.url))
    pytester.makepyprojecttoml('[tool.pytest.ini_options]')
    def run(*args, own_process=False, **env):
        for name, value in env.items(): monkeypatch.setenv(name, value)
        twice = 'ignore::pytest.PytestAssertRewriteWarning' # the outer pytest may have imported the plugin too
        args = '-p', 'no:cachy', '-p', 'cachy.pytest_plugin', '-p', 'no:cacheprovider', '-W', twice, *args
        return pytester.runpytest_subprocess(*args, timeout=60) if own_process else pytester.runpytest_inprocess(*args)
    return run

def summary(result): return [line for line in result.outlines if line.startswith('cachy: ')]

def test_off_until_asked_for(run, pytester, stand_in):
    pytester.makepyfile(three)
    result = run()
    result.assert_outcomes(passed=3)
    assert stand_in.calls == 3 and not (pytester.path/'cachy.jsonl').exists() and summary(result) == []

def test_auto_then_replay(run, pytester, stand_in):
    pytester.makepyfile(three)
    result = run('--cachy=auto', own_process=True)
    result.assert_outcomes(passed=3)
    assert summary(result) == ['cachy: 0 replayed, 3 recorded, 0 missed; 0 recordings unused'] and stand_in.calls == 3
    stand_in.stop()
    result = run('--cachy=replay', own_process=True)
    result.assert_outcomes(passed=3)
    assert summary(result) == ['cachy: 3 replayed, 0 recorded, 0 missed; 0 recordings unused']
    result = run('--cachy=replay', '-k', 'one or two')
    assert summary(result) == ['cachy: 2 replayed, 0 recorded, 0 missed'] # some were left out, which may need the rest
    assert len((pytester.path/'cachy.jsonl').read_text().splitlines()) == 3

def test_the_calls_of_a_test_and_what_the_run_saved(run, pytester, stand_in):
    pytester.makepyfile(three + """
def test_calls(ask, cachy):
    ask('four'), ask('four')
    assert [call.json()['messages'][0]['content'] for call in cachy.calls] == ['four', 'four']
    assert [call.outcome for call in cachy.calls][1:] == ['replayed']""")
    told = lambda result: [line for line in result.outlines if line.startswith('receipt: ')]
    tokens = 'tokens in, {} out, {} cached'
    line, = told(run('--cachy=auto', own_process=True))
    assert 'saved' in line and 'spent' in line and '11 ' + tokens.format(7, 4) in line and '44 ' + tokens.format(28, 16) in line
    for more in ((), ('-p', 'xdist', '-n', '2')):
        line, = told(run('--cachy=replay', *more, own_process=True))
        assert 'saved' in line and 'spent' not in line and '55 ' + tokens.format(35, 20) in line, line

def test_record_and_off(run, pytester, stand_in):
    pytester.makepyfile(three + '\n@pytest.mark.cachy\ndef test_marked(ask): ask("four")')
    run('--cachy=auto').assert_outcomes(passed=4)
    assert summary(run('--cachy=record')) == ['cachy: 0 replayed, 4 recorded, 0 missed; 0 recordings unused'] and stand_in.calls == 8
    run('--cachy=off').assert_outcomes(passed=4)
    assert stand_in.calls == 12 # the option counts more than the marker
    assert run('--cachy=always').ret == pytest.ExitCode.USAGE_ERROR

def test_not_recorded_is_told(run, pytester, stand_in):
    pytester.makepyfile('def test_it(ask): ask("hello")')
    stand_in.fail = [500]
    assert summary(run('--cachy=auto')) == ['cachy: 0 replayed, 0 recorded, 0 missed, 1 not recorded; 0 recordings unused']

def test_a_failed_test_shows_the_message(run, pytester, stand_in):
    pytester.makepyfile(three)
    run('--cachy=auto')
    pytester.makepyfile('''
import asyncio, logging, sys, pytest
def test_plain(ask):
    logging.getLogger('mine').warning('something else')
    ask('one more')
def test_wrapped(ask):
    try: ask('one')
    finally:
        try: ask('two more')
        except BaseException as error: raise RuntimeError('no luck') from error
@pytest.mark.skipif(sys.version_info < (3, 11), reason='optional: exception groups came with Python 3.11; all is well without them')
def test_group(ask):
    try: ask('three more')
    except BaseException as error: raise BaseExceptionGroup('several', [ValueError(), BaseExceptionGroup('inner', [error])])
def test_other(ask): assert ask('one') == 1
@pytest.mark.xfail(raises=BaseException)
def test_expected(ask): ask('four more')
''')
    calls = stand_in.calls
    result = run('--cachy=replay')
    assert stand_in.calls == calls
    result.assert_outcomes(failed=4, xfailed=1)
    text = result.stdout.str()
    for words in ('one more', 'two more', 'three more'): assert text.count(f'-> {words!r}') == 1, text
    for part in ("model gpt-4o (key", "recordings\n", "since --cachy=replay", "messages[0].content: ", 'pytest --cachy=auto "test_a_failed_test_shows_the_message.py::test_plain"',
            'test_a_failed_test_shows_the_message.py:4: CachyMiss', 'something else', 'FAILED test_a_failed_test_shows_the_message.py::test_plain - CachyMiss: no recording for POST'):
        assert part in text, part
    assert 'httpx/_client.py' not in text and 'sync_send' not in text and 'sk-0123' not in text
    assert "AssertionError: assert {'id':" in text # a test that fails for another reason is shown as ever
    assert summary(result) == ['cachy: 2 replayed, 0 recorded, 4 missed; 2 recordings unused']
    assert len([line for line in text.splitlines() if 'site-packages' in line]) == 0

def test_marker_and_fixture(run, pytester, stand_in):
    pytester.makepyfile('''
import pytest
from cachy import CachyMiss
def test_without(ask): ask('one')
def test_fixture(ask, cachy):
    first, second = ask('two'), ask('two')
    assert first == second and cachy.counts['recorded'] == cachy.counts['replayed'] == 1 and cachy.mode == 'auto'
@pytest.mark.cachy(mode='replay')
def test_marker(ask, cachy):
    assert cachy.mode == 'replay'
    ask('two')
    with pytest.raises(CachyMiss, match="marker mode='auto'"): ask('three')
@pytest.mark.cachy(norm_pats=(('[0-9]+', 'N'),))
def test_options(ask, cachy): assert ask('1 cat') == ask('2 cat')
class TestClass:
    pytestmark = pytest.mark.cachy(mode='record')
    def test_one(self, ask, cachy): assert cachy.mode == 'record' and ask('two')
''')
    result = run()
    result.assert_outcomes(passed=5)
    assert stand_in.calls == 4 and summary(result) == ['cachy: 3 replayed, 3 recorded, 1 missed; 0 recordings unused']

def test_ci_replays(run, pytester, stand_in):
    pytester.makepyfile('def test_it(ask, cachy): assert cachy.mode == "replay" and ask("hello")')
    result = run(CI='true')
    assert 'since CI=true' in result.stdout.str() and 'CACHY_MODE=auto pytest "test_ci_replays.py::test_it"' in result.stdout.str() and stand_in.calls == 0
    assert result.stdout.str().count('to record it') == 1 # pytest does not shorten its summary where CI is set

def test_cachy_dir(run, pytester, stand_in):
    (pytester.path/'here').mkdir()
    pytester.makepyfile(test_here=three + '\n@pytest.fixture\ndef cachy_dir(request): return request.config.rootpath/"here"', test_there=three)
    result = run('--cachy=auto')
    result.assert_outcomes(passed=6)
    assert stand_in.calls == 6 and summary(result) == ['cachy: 0 replayed, 6 recorded, 0 missed; 0 recordings unused']
    for folder in (pytester.path, pytester.path/'here'): assert len((folder/'cachy.jsonl').read_text().splitlines()) == 3

def test_fixtures_of_wider_scope(run, pytester):
    pytester.makepyfile('''
import os, httpx, pytest
@pytest.fixture(scope='session')
def answer(): return httpx.post('https://api.openai.com/v1/embeddings', json=dict(input='x'))
def test_it(answer): pass
def test_key(): assert os.environ['OPENAI_API_KEY'] and not os.environ['OPENAI_API_KEY'].startswith('sk-')
''')
    result = run('--cachy=replay')
    result.assert_outcomes(errors=1, passed=1)
    assert 'no recording for POST https://api.openai.com/v1/embeddings' in result.stdout.str() and 'httpx/_client.py' not in result.stdout.str()
    assert summary(result) == ['cachy: 0 replayed, 0 recorded, 1 missed; 0 recordings unused']

@pytest.mark.slow
def test_xdist(run, pytester, stand_in):
    "Several workers share a file; the controller adds up what they did"
    pytester.makepyfile('''
import pytest
@pytest.mark.parametrize('i', range(12))
def test_it(ask, i): ask(f'text {i % 6}')
def test_more(ask): ask('more')
''')
    result = run('--cachy=auto', '-p', 'xdist', '-n', '2', '--dist=load', own_process=True)
    result.assert_outcomes(passed=13)
    line, = summary(result)
    outcomes = dict(pair.split()[::-1] for pair in line[len('cachy: '):].partition(';')[0].split(', '))
    assert int(outcomes['replayed']) + int(outcomes['recorded']) == 13 and int(outcomes['recorded']) >= 7 and line.endswith('; 0 recordings unused')
    stand_in.stop()
    result = run('--cachy=replay', '-p', 'xdist', '-n', '2', '-k', 'test_it', own_process=True)
    result.assert_outcomes(passed=12)
    assert summary(result) == ['cachy: 12 replayed, 0 recorded, 0 missed']
    pytester.makepyfile("def test_new(ask): ask('new')\ndef test_old(ask): ask('more')")
    result = run('--cachy=replay', '-p', 'xdist', '-n', '2', own_process=True)
    result.assert_outcomes(passed=1, failed=1)
    assert result.stdout.str().count("-> 'new'") == 1 and 'sync_send' not in result.stdout.str()
    assert summary(result) == ['cachy: 1 replayed, 0 recorded, 1 missed; 6 recordings unused']

def test_marker_without_a_name(run, pytester, stand_in):
    "A mode that was meant must not be lost: it would make calls"
    pytester.makepyfile("import pytest\n@pytest.mark.cachy('replay')\ndef test_it(ask): ask('one')")
    result = run()
    result.assert_outcomes(errors=1)
    assert "write mode='replay'" in result.stdout.str() and stand_in.calls == 0

asking = '''
import asyncio, unittest, httpx, pytest
from cachy import CachyMiss
wide = 'https://api.openai.com' # fixtures of a wider scope know the hosts that are cached by default
def options(text): return dict(json=dict(model='m', messages=[dict(role='user', content=text)]))
def ask(text, url='{url}'): return httpx.post(url + '/v1/chat/completions', **options(text)).json()['choices']
async def ask_async(text, url='{url}'):
    async with httpx.AsyncClient() as client: return (await client.post(url + '/v1/chat/completions', **options(text))).json()['choices']
'''
misses = {'anyio': '''
import anyio
pytestmark = pytest.mark.anyio
@pytest.fixture(scope='session')
def anyio_backend(): return 'asyncio'
@pytest.fixture(scope='session', autouse=True)
async def shared(): # keeps one runner for all tests
    async with anyio.create_task_group() as group: yield group
@pytest.fixture(scope='module')
async def in_fixture(shared): return await ask_async('new in fixture', wide)
@pytest.fixture
async def in_group_of_fixture():
    async with anyio.create_task_group() as group: group.start_soon(ask_async, 'new in group of fixture')
@pytest.fixture
async def in_end_of_fixture():
    yield await ask_async('one')
    async with anyio.create_task_group() as group: group.start_soon(ask_async, 'new at the end of fixture')
async def test_miss(): await ask_async('new')
async def test_after(): await ask_async('one')
async def test_miss_in_group():
    async with anyio.create_task_group() as group:
        group.start_soon(ask_async, 'new in group')
        async with anyio.create_task_group() as inner: inner.start_soon(ask_async, 'new in inner group')
async def test_after_group(): await ask_async('one')
async def test_miss_in_fixture(in_fixture): pass
async def test_miss_in_fixture_again(in_fixture): pass
async def test_miss_in_group_of_fixture(in_group_of_fixture): pass
async def test_miss_at_the_end_of_fixture(in_end_of_fixture): pass
async def test_miss_in_thread(): await anyio.to_thread.run_sync(ask, 'new in thread')
async def test_miss_in_gather(): assert all(await asyncio.gather(ask_async('one'), ask_async('new in gather')))
async def test_caught():
    with pytest.raises(CachyMiss): await ask_async('new and expected')
class TestMethods:
    @pytest.fixture
    async def own(self):
        self.answer = await ask_async('one')
        yield self
    async def test_miss(self, own):
        assert own is self and self.answer
        async with anyio.create_task_group() as group: group.start_soon(ask_async, 'new in method')
    async def test_after(self, own): assert own is self and self.answer
async def test_last(shared): await ask_async('one')
''', 'asyncio': '''
pytestmark = pytest.mark.asyncio(loop_scope='module')
import pytest_asyncio
@pytest_asyncio.fixture(loop_scope='module', scope='module')
async def in_fixture(): return await ask_async('new in fixture', wide)
async def test_miss(): await ask_async('new')
async def test_after(): await ask_async('one')
async def test_miss_in_task(): await asyncio.create_task(ask_async('new in task'))
async def test_miss_in_fixture(in_fixture): pass
async def test_last(): await ask_async('one')
''', 'unittest': '''
class Plain(unittest.TestCase):
    def test_1_miss(self): ask('new')
    def test_2_after(self): ask('one')
class Prepared(unittest.TestCase):
    @classmethod
    def setUpClass(cls): ask('new in class', wide)
    def test_miss(self): pass
class Async(unittest.IsolatedAsyncioTestCase):
    async def test_1_miss(self): await ask_async('new')
    async def test_2_miss_in_task(self): await asyncio.gather(ask_async('new in task'))
    async def test_3_after(self): await ask_async('one')
''', 'plain': '''
@pytest.fixture
def at_the_end():
    yield
    ask('new at the end')
@pytest.fixture(scope='module')
def once(): return ask('new in fixture of module', wide)
def test_miss(): ask('new')
def test_miss_at_the_end(at_the_end): pass
def test_miss_once(once): pass
def test_miss_once_more(once): pass
def test_after(): ask('one')
'''}
expected = {'anyio': (dict(passed=6, failed=5, errors=4), 10), 'asyncio': (dict(passed=2, failed=2, errors=1), 3), 'unittest': (dict(passed=2, failed=3, errors=1), 4), 'plain': (dict(passed=2, failed=1, errors=3), 3)}

@pytest.mark.parametrize('runner', misses)
def test_a_miss_fails_its_test_alone(run, pytester, stand_in, runner):
    "Whatever runs it: the tests after it pass, and the run comes to its end"
    plugins = dict(anyio=['anyio.pytest_plugin'], asyncio=['pytest_asyncio.plugin']).get(runner, [])
    for plugin in plugins: pytest.importorskip(plugin, reason=f'optional: {plugin} is not installed; all is well without it')
    pytester.makepyfile(test_first=asking.format(url=stand_in.url) + "def test_it(): ask('one')")
    run('--cachy=auto').assert_outcomes(passed=1)
    pytester.makepyfile(test_runner=asking.format(url=stand_in.url) + misses[runner])
    options = [option for plugin in plugins for option in ('-p', plugin)] + ['-W', 'ignore::DeprecationWarning']
    result = run('--cachy=replay', 'test_runner.py', *options, own_process=True)
    outcomes, missed = expected[runner]
    result.assert_outcomes(**outcomes)
    assert stand_in.calls == 1 and f'{missed} missed' in summary(result)[0] and 'INTERNALERROR' not in result.stdout.str()
def test_no_placeholder_outlives_a_test(run, pytester, monkeypatch):
    "`monkeypatch` puts back what it found, after the session of the test has ended"
    monkeypatch.delenv('OPENAI_API_KEY', raising=False)
    pytester.makepyfile("""
import os, pytest
@pytest.fixture
def with_key(monkeypatch, cachy): monkeypatch.setenv('OPENAI_API_KEY', 'mine')
@pytest.fixture
def early(monkeypatch): return monkeypatch
@pytest.mark.cachy(mode='replay')
def test_one(early, cachy): early.setenv('OPENAI_API_KEY', 'mine')
def test_two(): assert 'OPENAI_API_KEY' not in os.environ
""")
    assert run('-p', 'no:randomly').ret == 0

def test_unused_only_after_a_whole_run(run, pytester, stand_in):
    pytester.makepyfile(test_it=three, test_other="import pytest\n@pytest.mark.slow\ndef test_it(ask): ask('four')\ndef test_last(): assert False")
    run('--cachy=auto')
    (pytester.path/'test_it.py').write_text(three.replace("'three'", "'other'"))
    for args in (['-k', 'one'], ['-m', 'not slow'], ['--deselect', 'test_it.py::test_text[one]'], ['test_it.py::test_text'], ['test_it.py'], ['-x'], ['--ignore=test_other.py']):
        assert 'unused' not in summary(run('--cachy=replay', *args))[0], args
    whole, = summary(run('--cachy=replay'))
    assert whole.endswith('; 1 recording unused') and summary(run('--cachy=replay', '.')) == [whole]

def test_unused_are_named_and_may_fail(run, pytester, stand_in):
    pytester.makepyfile(three)
    assert run('--cachy=auto', '--cachy-unused=fail').ret == 0
    pytester.makepyfile(three.replace("'three'", "'two'"))
    result = run('--cachy=replay', '--cachy-unused=fail', '-v')
    assert result.ret == pytest.ExitCode.TESTS_FAILED and '; 1 recording unused' in summary(result)[0]
    result.stdout.fnmatch_lines(['  gpt-4o, 1 recording:', '    three'])
    assert run('--cachy=replay', '--cachy-unused=fail', '-k', 'one').ret == 0 and run('--cachy=replay').ret == 0
    assert run('--cachy=replay', '--cachy-unused=fail', '-p', 'xdist', '-n', '2', own_process=True).ret == pytest.ExitCode.TESTS_FAILED

def test_mode_in_the_configuration(run, pytester, stand_in, monkeypatch):
    pytester.makepyfile('def test_it(ask, cachy): print(cachy.mode); assert ask("hello")')
    def configure(mode): pytester.makepyprojecttoml(f'[tool.pytest.ini_options]\ncachy = "{mode}"')
    configure('auto')
    assert '1 recorded' in summary(run())[0]
    stand_in.stop()
    monkeypatch.setenv('CI', 'true')
    result = run('-s')
    assert '1 replayed' in summary(result)[0] and 'replay' in result.stdout.str()
    configure('record')
    result = run('-s', CACHY_MODE='replay')
    assert '1 replayed' in summary(result)[0]
    monkeypatch.delenv('CACHY_MODE')
    configure('off')
    assert '1 replayed' in summary(run('--cachy=replay'))[0]
    configure('sometimes')
    assert run(own_process=True).ret == pytest.ExitCode.USAGE_ERROR

def test_a_suite_that_forgot_cachy_says_so(run, pytester, stand_in, monkeypatch):
    def said(*args): return 'nothing switched cachy on' in run(*args, own_process=True).stdout.str()
    pytester.makepyfile('def test_it(): pass')
    assert not said()
    (pytester.path/'cachy.jsonl').write_text('')
    assert said() and not said('--collect-only')
    monkeypatch.setenv('CI', 'true')
    assert said() and not said('--cachy=off')
    pytester.makepyfile('import cachy\ndef test_it():\n    with cachy.enable_cachy(): pass')
    assert not said('-p', 'xdist', '-n', '2')

@pytest.mark.parametrize('marker, words', [('mod="replay"', "knows no 'mod'"), ('mode="reply"', "mode='reply'"), ('"replay"', "write mode='replay'")])
def test_a_wrong_marker_is_one_line(run, pytester, stand_in, marker, words):
    pytester.makepyfile(f"import pytest\n@pytest.mark.cachy({marker})\ndef test_it(ask): ask('one')")
    result = run()
    result.assert_outcomes(errors=1)
    assert words in result.stdout.str() and 'pytest_plugin.py' not in result.stdout.str() and stand_in.calls == 0

@pytest.mark.parametrize('args', [(), pytest.param(('-p', 'xdist', '-n', '2'), marks=pytest.mark.slow)], ids=['alone', 'xdist'])
def test_what_failed_tests_recorded_can_go(run, pytester, stand_in, args):
    pytester.makepyfile('''
import pytest
def test_good(ask): ask('one'); ask('both')
def test_bad(ask):
    ask('two'); ask('both')
    assert False
def test_old(ask):
    ask('old')
    assert False
@pytest.mark.xfail
def test_expected(ask):
    ask('three')
    assert False
''')
    run('--cachy=auto', '-k', 'old') # recorded earlier, kept
    result = run('--cachy=auto', '--cachy-keep=passed', *args, own_process=bool(args))
    result.assert_outcomes(passed=1, failed=2, xfailed=1)
    kept = [json.loads(line)['request']['body']['messages'][0]['content'] for line in (pytester.path/'cachy.jsonl').read_text().splitlines()]
    assert sorted(kept) == ['both', 'old', 'one', 'three']

@pytest.mark.parametrize('args', [(), ('-k', 'one')])
def test_damaged_lines_are_told(run, pytester, stand_in, args):
    pytester.makepyfile("def test_one(ask): assert ask('one')\ndef test_two(ask): assert ask('two')")
    assert 'damaged' not in summary(run('--cachy=auto'))[0]
    path = pytester.path/'cachy.jsonl'
    path.write_bytes(b'<<<<<<< HEAD\n' + path.read_bytes() + b'>>>>>>> branch\n')
    assert summary(run('--cachy=replay', *args))[0].endswith('; 2 damaged lines, which `cachy check` shows')
