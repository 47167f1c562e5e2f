"`cachy tidy` and `cachy rm`: what counts stays as it is, whoever else writes, and whenever the power fails."
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachy.cli import main
from cachy.file import Recordings, read_line
from support import environment, root
from support.recordings import line_for

def older(key, text): return json.dumps(dict(key=key, response=text)).encode() + b'\n'

@st.composite
def files(draw):
    "Lines of a few keys, old and new, with damage among them"
    good = st.one_of(st.builds(lambda n, text: line_for(n, text.encode())[1], st.integers(0, 5), st.sampled_from(['a', 'b\u2028', 'ü' * 30])),
        st.builds(older, st.sampled_from(['80acdde4', '0000000f']), st.sampled_from(['one', 'two'])))
    bad = st.sampled_from([b'\n', b'\r\n', b'<<<<<<< HEAD\n', b'=======\n', b'{}\n', b'[]\n', b'\xff\xfe\n', line_for(1)[1][:-9] + b'\n', b'{"key":"nonsense","response":"x"}\n',
        line_for(2)[1].replace(b'"status_code":200', b'"status_code":"x"')])
    lines = draw(st.lists(st.one_of(good, good, bad), max_size=20))
    if draw(st.booleans()): lines = [line[:-1] + b'\r\n' if draw(st.booleans()) else line for line in lines]
    if lines and draw(st.booleans()): lines[-1] = lines[-1].rstrip(b'\n')
    if draw(st.booleans()): lines[:1] = [b'\xef\xbb\xbf' + line for line in lines[:1]]
    return lines

def answers(path):
    "What a reader finds: the body of each key"
    file = Recordings(path)
    len(file)
    return {key: found for key in {*file.index, *file.older} if (found := file.find(key))}

@settings(max_examples=60, deadline=None)
@given(files())
def test_what_counts_stays(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp('tidy')/'cachy.jsonl'
    path.write_bytes(b''.join(lines))
    before = answers(path)
    assert main(['tidy', str(path), '--dry-run']) == 0 and path.read_bytes() == b''.join(lines)
    changes = main(['tidy', str(path), '--check'])
    assert main(['tidy', str(path)]) == 0
    after = path.read_bytes()
    assert answers(path) == before and (changes == 1) == (after != b''.join(lines))
    kept = after.splitlines(keepends=True) if b'\r' not in after else [line for line in after.split(b'\n') if line]
    assert len(kept) == len(before) and {line.strip(b'\r\n') for line in kept} <= {line.strip(b'\r\n') for line in lines}
    first = [key for key in dict.fromkeys(key_of(line) for line in lines) if key]
    assert [key_of(line) for line in kept] == first, 'in the order in which the keys came'
    assert main(['tidy', str(path), '--check']) == 0 and main(['tidy', str(path)]) == 0 and path.read_bytes() == after
    assert [entry.name for entry in path.parent.iterdir()] == ['cachy.jsonl']

def key_of(line):
    try: key = read_line(line)[0]
    except ValueError: return ''
    return key if key != 'nonsense' else ''

def test_links_and_permissions_stay(tmp_path):
    real = tmp_path/'there'/'real.jsonl'
    real.parent.mkdir()
    real.write_bytes(line_for(1)[1] * 2)
    real.chmod(0o604)
    link = tmp_path/'cachy.jsonl'
    link.symlink_to('there/real.jsonl')
    assert main(['tidy', str(link)]) == 0
    assert link.is_symlink() and real.read_bytes() == line_for(1)[1] and real.stat().st_mode & 0o777 == 0o604

def test_a_file_that_cannot_be_changed(tmp_path, capsys):
    assert main(['tidy', str(tmp_path/'none.jsonl')]) == 2 and main(['rm', 'x', '--file', str(tmp_path/'none.jsonl')]) == 2
    assert 'none.jsonl: No such file' in capsys.readouterr().err
    assert main(['show', str(tmp_path/'none.jsonl')]) == 2

appender = '''
import sys
from cachy.file import Recordings
from support.recordings import line_for
file, start = Recordings(sys.argv[1]), int(sys.argv[2])
for i in range(300): file.add(line_for(start + i // 2, str(i).encode())[1])
'''

def test_tidied_while_four_processes_append(tmp_path):
    path = tmp_path/'cachy.jsonl'
    path.write_bytes(b''.join(line_for(n, b'old')[1] for n in range(300)) * 2)
    writers = [subprocess.Popen([sys.executable, '-c', appender, str(path), str(10_000 * (i + 1))], env=environment()) for i in range(4)]
    tidied = 0
    while tidied < 10 or any(writer.poll() is None for writer in writers):
        assert main(['tidy', str(path)]) == 0
        tidied += 1
        time.sleep(0.02)
    assert [writer.returncode for writer in writers] == [0] * 4
    found = answers(path)
    wanted = {line_for(10_000 * (i + 1) + n)[0]: str(2 * n + 1).encode() for i in range(4) for n in range(150)}
    assert {key: found[key].body for key in wanted} == wanted and len(found) == 900
    assert main(['tidy', str(path)]) == 0 and len(path.read_bytes().splitlines()) == 900

def test_killed_at_any_moment(tmp_path):
    "The old file or the new one, never a piece of one"
    path, lines = tmp_path/'cachy.jsonl', [line_for(n, size=200)[1] for n in range(1500)]
    old, new = b''.join(lines + lines), b''.join(lines)
    code = f"import sys, time\nfrom cachy.tidy import rewrite, tidy_lines\nprint(flush=True)\nrewrite({str(path)!r}, tidy_lines)"
    seen = set()
    for i in range(int(os.environ.get('CACHY_KILLS', 12))):
        path.write_bytes(old)
        process = subprocess.Popen([sys.executable, '-c', code], env=environment(), stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(0.01 * i % 0.25)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        content = path.read_bytes()
        assert content in (old, new)
        seen.add(content == new)
    assert main(['tidy', str(path)]) == 0 and path.read_bytes() == new
    assert [entry.name for entry in tmp_path.iterdir()] == ['cachy.jsonl']

script = '''
import asyncio, os, sys, threading, httpx, cachy
def ask(text, **options):
    with cachy.enable_cachy({folder!r}, doms=('127.0.0.1',), **options): return httpx.post('http://127.0.0.1:9/v1', json=dict(model='m', prompt=text)).text
'''

@pytest.fixture
def project(tmp_path):
    "A file with the recordings of some prompts, and a way to run code that asks"
    import httpx

    from cachy.file import Recording, write_line
    from cachy.request import Call, request_key
    path = tmp_path/'cachy.jsonl'
    def line_of(text):
        content = httpx.Request('POST', 'http://x', json=dict(model='m', prompt=text)).content
        call = Call('POST', 'http://127.0.0.1:9/v1', [('content-type', 'application/json')], content)
        return write_line(request_key(call), call, Recording(200, {'content-type': 'text/plain'}, f'{text}!'.encode()))
    def command(code):
        (tmp_path/'run.py').write_text(script.format(folder=str(tmp_path)) + code)
        return f'"{sys.executable}" "{tmp_path/"run.py"}"'
    return path, line_of, command

@pytest.fixture(autouse=True)
def found_by_processes(monkeypatch):
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join([str(root), str(root/'tests')]))

ways = { # code that asks 'one' and 'two', and nothing else
    'plain': "ask('one'); ask('two')",
    'record': "ask('one', mode='record'); ask('two', mode='record')",
    'threads': "threads = [threading.Thread(target=ask, args=(text,)) for text in ('one', 'two')]\nfor thread in threads: thread.start()\nfor thread in threads: thread.join()",
    'forks': "for text in ('one', 'two'):\n    if not os.fork():\n        ask(text)\n        os._exit(0)\nfor _ in range(2): assert os.wait()[1] == 0",
    'a fork below a session': "with cachy.enable_cachy({folder!r}, doms=('127.0.0.1',)):\n    httpx.post('http://127.0.0.1:9/v1', json=dict(model='m', prompt='one'))\n    pid = os.fork()\n    if not pid:\n        httpx.post('http://127.0.0.1:9/v1', json=dict(model='m', prompt='two'))\n        os._exit(0)\n    assert os.waitpid(pid, 0)[1] == 0",
    'a pool': "from concurrent.futures import ProcessPoolExecutor\nif __name__ == '__main__':\n    with ProcessPoolExecutor(2) as pool: list(pool.map(ask, ['one', 'two']))",
    'the environment': "os.environ['CACHY_MODE'] = 'record'\nask('one'); ask('two')"}

@pytest.mark.parametrize('way', [pytest.param(way, marks=() if way in ('plain', 'forks') else pytest.mark.slow) for way in ways])
def test_what_a_run_does_not_use_goes(project, way, capfd):
    path, line_of, command = project
    path.write_bytes(b''.join(map(line_of, ['old', 'one', 'older', 'two', 'one'])))
    code = ways[way].replace('{folder!r}', repr(str(path.parent)))
    assert main(['tidy', str(path), '--dry-run', '--run', command(code)]) == 0 and len(path.read_bytes().splitlines()) == 5
    assert main(['tidy', str(path), '--run', command(code)]) == 0
    assert path.read_bytes() == line_of('one') + line_of('two')
    out = capfd.readouterr().out
    assert '2 recordings used, 2 not used' in out and 'm, 2 recordings:' in out and '  old\n' in out and max(map(len, out.splitlines())) < 200

def test_two_commands_add_up(project):
    path, line_of, command = project
    path.write_bytes(b''.join(map(line_of, ['old', 'one', 'two'])))
    first = command("ask(sys.argv[1])")
    assert main(['tidy', str(path), '--run', first + ' one', '--run', first + ' two']) == 0
    assert path.read_bytes() == line_of('one') + line_of('two')

@pytest.mark.parametrize('code, status', [("ask('one'); sys.exit(3)", 3), ("ask('one'); ask('no such recording')", 1), ("ask('one'); os.kill(os.getpid(), 9)", 137), ('', 2), ("ask('one', mode='off')", 1)])
def test_a_run_that_fails_changes_nothing(project, code, status, capfd):
    path, line_of, command = project
    path.write_bytes(b''.join(map(line_of, ['old', 'one', 'two', 'one'])) + b'\n')
    before = path.read_bytes()
    assert main(['tidy', str(path), '--run', command(code)]) == status
    assert path.read_bytes() == before and 'stays as it is' in capfd.readouterr().err

def test_other_files_keep_their_mode(project, stand_in):
    "A suite that tests its own calling code keeps a file of its own, and calls"
    path, line_of, command = project
    path.write_bytes(line_of('one') + line_of('old'))
    other = path.parent/'other'
    other.mkdir()
    code = f"""ask('one')
with cachy.enable_cachy({str(other)!r}, doms=('127.0.0.1',), mode='auto') as session:
    httpx.post('{stand_in.url}/v1/chat/completions', json=dict(model='m', messages=[dict(role='user', content='x')]))
    assert session.mode == 'auto' and session.counts['recorded'] == 1
with cachy.enable_cachy({str(path.parent)!r}, doms=('127.0.0.1',), mode='off') as session:
    assert session.mode == 'off' and httpx.post('{stand_in.url}/v1/chat/completions', json=dict(model='m', messages=[])).status_code == 200"""
    assert main(['tidy', str(path), '--run', command(code)]) == 0
    assert path.read_bytes() == line_of('one') and stand_in.calls == 2

def test_a_link_is_the_same_file(project):
    path, line_of, command = project
    path.write_bytes(line_of('one') + line_of('old'))
    there = path.parent/'there'
    there.mkdir()
    (there/'cachy.jsonl').symlink_to(path)
    assert main(['tidy', str(there/'cachy.jsonl'), '--run', command("ask('one')")]) == 0
    assert path.read_bytes() == line_of('one')

def test_what_is_recorded_meanwhile_stays(project):
    path, line_of, command = project
    path.write_bytes(line_of('one') + line_of('old') + line_of('again'))
    extra = path.parent/'extra'
    newer = line_of('again').replace(b'again!', b'anew')
    extra.write_bytes(line_of('new') + newer)
    assert main(['tidy', str(path), '--run', command(f"ask('one')\nwith open({str(path)!r}, 'ab') as file: file.write(open({str(extra)!r}, 'rb').read())")]) == 0
    assert path.read_bytes() == line_of('one') + newer + line_of('new')

def test_older_keys_are_noted(tmp_path):
    from support import shared
    source = shared/'upstream_files'
    if not source.is_dir(): pytest.skip('optional: real older files, kept outside of the project; all is well without them')
    requests = json.loads((root/'tests'/'support'/'older_requests.json').read_text())
    assert requests # tests/test_drop_in.py replays them; here one line of our own is enough
    from cachy.older import formulas, keys_of
    from cachy.request import Call
    call = Call('POST', 'https://api.openai.com/v1/chat/completions', [('content-type', 'application/json')], b'{"model":"m"}')
    key = keys_of(formulas[5], call)[0]
    path = tmp_path/'cachy.jsonl'
    path.write_bytes(older('80acdde4', 'gone') + json.dumps(dict(key=key, response='{}', status_code=200, headers={'content-type': 'application/json'})).encode() + b'\n')
    (tmp_path/'run.py').write_text(f"""import httpx, cachy
with cachy.enable_cachy({str(tmp_path)!r}): httpx.post('{call.url}', content=b'{{"model":"m"}}', headers={{'content-type': 'application/json'}})""")
    assert main(['tidy', str(path), '--run', f'"{sys.executable}" "{tmp_path/"run.py"}"']) == 0
    assert [json.loads(line)['key'] for line in path.read_text().splitlines()] == [key]

def test_pytest_and_xdist(project):
    path, line_of, command = project
    path.write_bytes(b''.join(map(line_of, ['old', *'abcdef'])))
    (path.parent/'test_it.py').write_text("""import httpx, pytest
@pytest.fixture
def cachy_options(): return dict(doms=('127.0.0.1',))
@pytest.mark.parametrize('text', 'abcde')
def test_it(text, cachy): assert cachy.mode == 'replay' and httpx.post('http://127.0.0.1:9/v1', json=dict(model='m', prompt=text)).text == text + '!'
@pytest.mark.cachy(mode='record')
def test_marker(): assert httpx.post('http://127.0.0.1:9/v1', json=dict(model='m', prompt='f')).text == 'f!'
""")
    (path.parent/'pyproject.toml').write_text('[tool.pytest.ini_options]\n')
    run = f'cd "{path.parent}" && PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 "{sys.executable}" -m pytest -q -p no:cacheprovider -p cachy.pytest_plugin -p xdist -n 2'
    assert main(['tidy', str(path), '--run', run]) == 0
    assert path.read_bytes() == b''.join(map(line_of, 'abcdef'))

def test_rm(project, capsys):
    path, line_of, _ = project
    key = json.loads(line_of('one'))['key']
    def after(*patterns):
        path.write_bytes(b''.join(map(line_of, ['one', 'two', 'three', 'one'])) + older('80acdde4', 'x'))
        return main(['rm', *patterns, '--file', str(path)]), [json.loads(line)['request']['body']['prompt'] if b'request' in line else 'older' for line in path.read_bytes().splitlines()]
    assert after('one') == (0, ['two', 'three', 'older']) and after(key) == (0, ['two', 'three', 'older'])
    assert after('two', 'three') == (0, ['one', 'one', 'older']) and after('80acdde4') == (0, ['one', 'two', 'three', 'one'])
    assert after('127.0.0.1:9') == (0, ['older']) and after('m') == (0, ['older'])
    assert after('one!') == (1, ['one', 'two', 'three', 'one', 'older']) # what was answered does not count
    assert after('one', 'no such') == (1, ['two', 'three', 'older'])
    assert after('one', '--dry-run') == (0, ['one', 'two', 'three', 'one', 'older'])
    assert "no recording holds 'no such'" in capsys.readouterr().err
    with pytest.raises(SystemExit): after('')

@pytest.mark.parametrize('pattern', ['bike', 'Tyres', 'gpt', '0123', 'example.com', 'x' * 40])
def test_rm_shows_where_the_text_stands(tmp_path, capsys, pattern):
    "In the line that lists a recording, in its heading, or in a line below"
    said = [dict(role='system', content='You are the assistant of a bike shop.\n' + 'x' * 99), dict(role='user', content='Tyres?')]
    recording = dict(key='0123456789abcdef', request=dict(url='https://example.com/v1', body=dict(model='gpt-4o', messages=said)), response='Yes.')
    path = tmp_path/'cachy.jsonl'
    path.write_text(json.dumps(recording) + '\n')
    assert main(['rm', pattern, '--dry-run', '--file', str(path)]) == 0
    assert pattern == '0123' or pattern in capsys.readouterr().out.rpartition(str(path))[0]
