"Nothing is lost: many writers, killed writers, and every bad condition of the file. `CACHY_FULL=1` runs the full sizes."
import asyncio
import errno
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachy import CachyMiss, enable_cachy
from cachy import file as file_module
from cachy.file import Recordings, read_line
from cachy.request import Call
from support import environment, root, shared
from support.oracle import good_keys, good_line, last_recording
from support.property import many
from support.recordings import Caller, hosts, line_for

full = os.environ.get('CACHY_FULL') == '1'

def whole_lines(path):
    "Key: answer of each line of the file; each must be whole"
    return dict(read_line(line) for line in path.read_bytes().splitlines(keepends=True))

def start(code, *args):
    "A process of its own that runs `code`"
    return subprocess.Popen([sys.executable, '-c', textwrap.dedent(code), *map(str, args)], cwd=root, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)

def finish(process, seconds=300):
    try: out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        if os.name == 'posix': os.killpg(process.pid, signal.SIGKILL) # and its children
        process.kill()
        raise
    assert process.returncode == 0, err
    return out

# Many writers

recording_code = '''
    import os, sys, threading, httpx
    from cachy import enable_cachy
    folder, worker, threads, calls = sys.argv[1], *map(int, sys.argv[2:5])
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=dict(answer=request.content.decode() * 20)))
    def work(thread):
        with httpx.Client(transport=transport) as client:
            for call in range(calls):
                content = f'{worker}-{thread}-{call}'
                assert client.post('http://127.0.0.1/v1', content=content).json() == dict(answer=content * 20)
                os.write(1, f'{content}\\n'.encode())
    with enable_cachy(folder, doms=('127.0.0.1',), mode='auto') as session:
        workers = [threading.Thread(target=work, args=[thread]) for thread in range(threads)]
        for worker_thread in workers: worker_thread.start()
        for worker_thread in workers: worker_thread.join()
'''

def assert_all_replay(folder, contents):
    "Each of `contents` replays its own answer"
    with enable_cachy(folder, doms=hosts, mode='replay') as session, httpx.Client() as client:
        for content in contents: assert client.post('http://127.0.0.1/v1', content=content).json() == dict(answer=content * 20)
        assert session.counts['missed'] == 0

@pytest.mark.parametrize('run', range(20 if full else 1))
@pytest.mark.parametrize('killed', [0, 6 if full else 2])
def test_many_writers(run, killed, tmp_path):
    processes, threads, calls = (16, 4, 50) if full else (4, 4, 12)
    dice = random.Random(run)
    victims = [start(recording_code, tmp_path, 100 + i, 4, 10_000) for i in range(killed)]
    writers = [start(recording_code, tmp_path, i, threads, calls) for i in range(processes)]
    outs, readers = [], [threading.Thread(target=lambda process=process: outs.append(process.communicate()[0])) for process in victims]
    for reader in readers: reader.start()
    for victim in victims:
        time.sleep(dice.uniform(0.3, 1.5))
        victim.kill()
    for writer in writers: finish(writer)
    for reader in readers: reader.join(60)
    contents = [f'{process}-{thread}-{call}' for process in range(processes) for thread in range(threads) for call in range(calls)]
    if not killed: assert len(whole_lines(tmp_path/'cachy.jsonl')) == len(contents) == (tmp_path/'cachy.jsonl').read_bytes().count(b'\n')
    returned = [content for out in outs for content in out.split('\n')[:-1]]
    assert_all_replay(tmp_path, contents + returned)
    assert os.listdir(tmp_path) == ['cachy.jsonl']

def test_tasks_of_one_loop(tmp_path):
    async def work():
        transport = httpx.MockTransport(lambda request: httpx.Response(200, json=dict(answer=request.content.decode() * 20)))
        async with httpx.AsyncClient(transport=transport) as client:
            await asyncio.gather(*[client.post('http://127.0.0.1/v1', content=f't-{i}') for i in range(300)])
    with enable_cachy(tmp_path, doms=hosts, mode='auto'): asyncio.run(work())
    assert len(whole_lines(tmp_path/'cachy.jsonl')) == 300
    assert_all_replay(tmp_path, [f't-{i}' for i in range(300)])

@pytest.mark.skipif(not hasattr(os, 'fork'), reason='optional: fork is not on this system; all is well without it')
def test_forks(tmp_path):
    "Children that fork while other threads of the parent hold the locks"
    code = recording_code.split('def work')[0] + '''
    import time
    def ask(client, content): assert client.post('http://127.0.0.1/v1', content=content).json() == dict(answer=content * 20)
    with enable_cachy(folder, doms=('127.0.0.1',), mode='auto') as session, httpx.Client(transport=transport) as client:
        done = False
        def hold():
            while not done:
                with session.file.lock, session.lock: time.sleep(0.002)
        holder = threading.Thread(target=hold)
        holder.start()
        children = []
        for child in range(calls):
            if not (pid := os.fork()):
                try:
                    for call in range(5): ask(httpx.Client(transport=transport), f'{child}-{call}')
                    os._exit(0)
                finally: os._exit(1)
            children.append(pid)
            ask(client, f'parent-{child}')
        statuses = [os.waitpid(pid, 0)[1] for pid in children]
        done = True
        assert statuses == [0] * calls, statuses
    '''
    finish(start(code, tmp_path, 0, 1, 12), seconds=60)
    assert_all_replay(tmp_path, [f'{child}-{call}' for child in range(12) for call in range(5)] + [f'parent-{child}' for child in range(12)])

# Crashes

@pytest.mark.skipif(not hasattr(os, 'fork'), reason='optional: fork is not on this system; all is well without it')
def test_sigkill_at_random_moments(tmp_path):
    "What had returned to its caller before the kill is there, and the file works on"
    # the process that is killed is forked from one that imported everything, so that the moments fall into the writing
    code = '''
        import os, random, signal, sys, time
        from cachy.file import Recordings
        from support.recordings import line_for
        dice = random.Random(int(sys.argv[3]))
        for kill in range(int(sys.argv[2])):
            lines = [line_for(kill * 1000 + i, size=dice.choice((0, 5_000, 300_000)))[1] for i in range(30)]
            get, put = os.pipe()
            if not (pid := os.fork()):
                recordings = Recordings(sys.argv[1])
                for number, line in enumerate(lines):
                    recordings.add(line)
                    os.write(put, b'%d ' % (kill * 1000 + number))
                time.sleep(60)
            os.close(put)
            time.sleep(dice.uniform(0, 0.012))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            print(os.read(get, 1 << 16).decode(), end='', flush=True)
            os.close(get)
    '''
    kills = 200 if full else 40
    path = tmp_path/'cachy.jsonl'
    returned = [int(number) for number in finish(start(code, path, kills, 7)).split()]
    assert len(returned) > kills # the moments do fall into the writing
    recordings = Recordings(path)
    for number in returned: assert recordings.find(line_for(number)[0]).body.startswith(b'answer %d ' % number)
    key, line = line_for(-1)
    recordings.add(line)
    assert recordings.find(key) and recordings.skipped <= kills

def test_a_torn_line_costs_only_itself(tmp_path):
    "Each possible place at which a write can end"
    (one, first), (two, second), (three, third) = line_for(1), line_for(2), line_for(3)
    for end in range(len(second) + 1):
        path = tmp_path/'cachy.jsonl'
        path.write_bytes(first + second[:end])
        before, recordings = Recordings(path), Recordings(path)
        assert before.find(one) and bool(before.find(two)) == (end >= len(second) - 1)
        recordings.add(third)
        for reader in (before, recordings, Recordings(path)):
            assert reader.find(one) and reader.find(three) and bool(reader.find(two)) == (end >= len(second) - 1)
        assert before.skipped == (0 < end < len(second) - 1)

# Bad conditions

@contextmanager
def as_nobody():
    "Permissions do not bind root"
    root_here = hasattr(os, 'geteuid') and os.geteuid() == 0
    if root_here: os.seteuid(65534)
    try: yield
    finally:
        if root_here: os.seteuid(0)

@pytest.fixture
def folder():
    "A folder that nobody may enter too"
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)

def append(path, data):
    with open(path, 'ab') as file: file.write(data)
def edit(path, change):
    content = path.read_bytes()
    with open(path, 'rb+') as file:
        file.truncate(0)
        file.write(change(content))
def replace_by_git(path, change):
    new = path.with_name('new')
    new.write_bytes(change(path.read_bytes()))
    os.replace(new, path)
def swap(content): return b''.join(reversed(content.splitlines(keepends=True)))

skipped = 'skipped 1 line(s) that are no recordings. `cachy check` shows them.'
foreign, huge = b'{"level": "info", "message": "another program"}\n', b'{"key":"0123456789abcdef","x":"' + b'y' * 100_000_000

conditions = { # name: what happens to the file between recording and asking again, and the one warning
    'blank lines': (lambda path: append(path, b'\n\r\n \t\n\n'), None),
    'conflict markers': (lambda path: edit(path, lambda content: b'<<<<<<< HEAD\n' + content.replace(b'\n', b'\n=======\n', 1) + b'>>>>>>> branch\n'), 'skipped 3 line(s)'),
    'torn line': (lambda path: append(path, b'{"key":"0123456789abcdef","request":{"meth\n'), skipped),
    'torn last line': (lambda path: append(path, b'{"key":"0123456789abcdef","request":{"meth'), skipped), # once the next line has ended it
    'torn inside': (lambda path: append(path, b'{"key":"0123456789abcdef",}\n'), None), # looks whole; is found out when it is asked for
    'other program': (lambda path: append(path, foreign), skipped),
    'bom': (lambda path: edit(path, lambda content: b'\xef\xbb\xbf' + content), None),
    'crlf': (lambda path: edit(path, lambda content: content.replace(b'\n', b'\r\n')), None),
    'nul bytes': (lambda path: append(path, b'\0' * 5000 + b'\n'), skipped),
    'nul bytes at the end': (lambda path: append(path, b'\0' * 5000), skipped),
    'lone surrogates': (lambda path: append(path, b'{"key": "0123456789abcdef", "response": "\\ud800"}\n'), skipped),
    'raw surrogates': (lambda path: append(path, b'{"key": "0123456789abcdef", "response": "\xed\xa0\x80"}\n'), skipped),
    'not utf-8': (lambda path: append(path, b'\xff\xfe\n'), skipped),
    'line separators': (lambda path: append(path, '{"key": "0123456789abcdef", "response": "a\u2028b\u2029c\x85d"}\n'.encode()), None),
    'deep': (lambda path: append(path, b'[' * 200_000 + b'\n'), skipped),
    '100 MB line': (lambda path: append(path, huge + b'"}\n'), None),
    '100 MB torn line': (lambda path: append(path, huge + b'\n'), skipped),
    'edited in place': (lambda path: edit(path, lambda content: foreign + content), skipped),
    'edited to the same size': (lambda path: edit(path, swap), None),
    'replaced': (lambda path: replace_by_git(path, swap), None),
    'replaced by more': (lambda path: replace_by_git(path, lambda content: foreign + content), skipped),
    'moved away and back': (lambda path: (path.rename(path.with_name('x')), path.with_name('x').rename(path)), None),
    'a symlink': (lambda path: (path.rename(path.with_name('x')), path.symlink_to('x')), None)}

if os.name != 'posix': del conditions['a symlink'] # only administrators may make one

@pytest.mark.parametrize('fresh', [False, True], ids=['while it runs', 'before it starts'])
@pytest.mark.parametrize('name', [pytest.param(name, marks=pytest.mark.slow if name.startswith('100 MB') else ()) for name in conditions])
def test_conditions_that_keep_hits(name, fresh, tmp_path, caplog):
    change, warning = conditions[name]
    caller, path = Caller(), tmp_path/'cachy.jsonl'
    def session(): return enable_cachy(tmp_path, doms=hosts, mode='auto')
    with session() as first:
        old = {content: caller.ask(content)[0] for content in 'abc'}
        for content in old: assert caller.ask(content) == (old[content], True)
        if fresh: first.__exit__()
        change(path)
        with session() if fresh else first:
            for content in old: assert caller.ask(content) == (old[content], True) # hits still hit
            new, hit = caller.ask('new')                                           # calls still work
            assert not hit and caller.ask('new') == (new, True)                    # and are recorded
    warnings = [record.message for record in caplog.records]
    assert len(warnings) == (1 if warning else 0) and (not warning or warning in warnings[0]), warnings
    with enable_cachy(tmp_path, doms=hosts, mode='replay'):                        # nothing else lost
        assert [caller.ask(content) for content in (*old, 'new')] == [(text, True) for text in (*old.values(), new)]
    assert len(Recordings(path)) - (name in ('line separators', '100 MB line', 'torn inside')) == 4

def lock_away(path): os.chmod(path, 0o444)
def lock_folder(path): os.chmod(path.parent, 0o555)
def hide(path): os.chmod(path, 0)
def in_the_way(path): path.unlink(); path.mkdir()
def remove_folder(path): path.unlink(); path.parent.rmdir()

obstacles = { # name: what happens, whether hits still hit, whether new answers are recorded, the warnings by what they say
    'file read-only': (lock_away, True, False, ['Permission denied']),
    'folder read-only': (lock_folder, True, True, []),
    'file unreadable': (hide, False, False, ['cannot be read (Permission denied)', *['not recorded'] * 5]),
    'file removed': (lambda path: path.unlink(), False, True, []),
    'folder removed': (remove_folder, False, False, ['No such file or directory'] * 5),
    'a folder in its place': (in_the_way, False, False, ['cannot be read (Is a directory)', *['Is a directory'] * 5]),
    'truncated to nothing': (lambda path: os.truncate(path, 0), False, True, []),
    'truncated': (lambda path: os.truncate(path, path.stat().st_size // 2), None, True, ['skipped 1 line(s)'])}

@pytest.mark.skipif(not hasattr(os, 'geteuid'), reason='optional: permissions as POSIX has them are not on this system; all is well without them')
@pytest.mark.parametrize('name', obstacles)
def test_conditions_that_stand_in_the_way(name, folder, caplog):
    change, hits, records, wanted = obstacles[name]
    folder = folder/'inner'
    folder.mkdir()
    os.chmod(folder, 0o777)
    path, caller = folder/'cachy.jsonl', Caller()
    with enable_cachy(folder, doms=hosts, mode='auto'):
        with as_nobody(): old = {content: caller.ask(content)[0] for content in 'abc'}
        change(path)
        with as_nobody():
            for content in old:
                text, hit = caller.ask(content)
                assert text.startswith(f'{content} answered') and hit == (hits if hits is not None else content == 'a')
            new = caller.ask('new')
            assert new[0].startswith('new answered') and not new[1]
            again = caller.ask('new')
            assert again[1] == records and (not records or again[0] == new[0])
    warnings = [record.message for record in caplog.records]
    expected = wanted * (2 if name == 'file read-only' else 1) # each answer that was not recorded says so
    assert len(warnings) == len(expected) and all(part in message for part, message in zip(expected, warnings, strict=True)), warnings
    if path.parent.exists(): os.chmod(path.parent, 0o777)
    if path.is_file(): os.chmod(path, 0o666)

def test_disk_full(tmp_path):
    "A limit on the file's size makes a write end in the middle, as a full disk does"
    code = '''
        import resource, signal, sys
        from cachy import enable_cachy
        from support.recordings import Caller, hosts
        caller = Caller()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with enable_cachy(sys.argv[1], doms=hosts, mode='auto') as session:
            old = {content: caller.ask(content)[0] for content in 'abc'}
            size = session.file.path.stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
            for content in ('new', 'newer'):
                text, hit = caller.ask(content)
                assert text.startswith(content) and not hit
            for content in old: assert caller.ask(content) == (old[content], True)
            assert session.file.path.stat().st_size == size, 'the part that was written is taken back'
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            text, _ = caller.ask('new')
            assert caller.ask('new') == (text, True)
            for content in old: assert caller.ask(content) == (old[content], True)
    '''
    pytest.importorskip('resource', reason='optional: limits of POSIX are not on this system; all is well without them')
    process = start(code, tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert [line.split(': ')[0] for line in err.splitlines()] == ['cachy not recorded'] * 2 and 'disk full?' in err

def test_too_many_open_files(tmp_path, monkeypatch, caplog):
    "What could not be read once is read when it can be"
    key, line = line_for(1)
    recordings = Recordings(tmp_path/'cachy.jsonl')
    recordings.add(line)
    def fail(*args, **kwargs): raise OSError(errno.EMFILE, 'Too many open files')
    for indexed in (False, True):
        if indexed: len(recordings)
        with monkeypatch.context() as patched:
            patched.setattr('builtins.open', fail)
            patched.setattr(os, 'open', fail)
            assert recordings.find(key) is None
    assert recordings.find(key)
    assert [record.message.split(': ', 1)[1] for record in caplog.records] == ['cannot be read (Too many open files), so it counts as empty.']

@pytest.mark.skipif(not file_module.fcntl, reason='optional: this system lets nobody replace a file that is in use; all is well')
def test_replaced_while_appending(tmp_path):
    "Git puts another file in place again and again; no recording is lost with the old one"
    path, done, recordings = tmp_path/'cachy.jsonl', threading.Event(), Recordings(tmp_path/'cachy.jsonl')
    path.write_bytes(line_for(-1)[1])
    seen = set()
    def git():
        while not done.is_set():
            with open(path, 'rb') as file: # what git has of the file, and all that was added since, under the writers' own lock
                if not file_module.try_lock(file): continue
                new = tmp_path/'new'
                new.write_bytes(path.read_bytes())
                os.replace(new, path)
                seen.add(os.stat(path).st_ino)
            time.sleep(0.0005)
    thread = threading.Thread(target=git)
    thread.start()
    try:
        for number in range(300): recordings.add(line_for(number)[1])
    finally:
        done.set()
        thread.join()
    assert len(whole_lines(path)) == 301

@pytest.mark.skipif(os.name != 'posix', reason='optional: only on POSIX is an append one step; all is well without')
@pytest.mark.parametrize('broken', ['no modules', 'no locks'])
def test_without_locks(broken, tmp_path, monkeypatch):
    "Where locks do not exist, one append is all: threads lose nothing"
    if broken == 'no modules':
        monkeypatch.setattr(file_module, 'fcntl', None)
        monkeypatch.setattr(file_module, 'msvcrt', None)
    else:
        class NoLocks:
            LOCK_EX = LOCK_NB = 0
            def flock(self, *args): raise OSError(errno.ENOLCK, 'No locks available')
        monkeypatch.setattr(file_module, 'fcntl', NoLocks())
    path = tmp_path/'cachy.jsonl'
    def work(worker):
        recordings = Recordings(path)
        for number in range(50): recordings.add(line_for(worker * 1000 + number, size=20_000 if number % 5 == 0 else 0)[1])
    threads = [threading.Thread(target=work, args=[worker]) for worker in range(16)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    recordings = Recordings(path)
    assert len(recordings) == 800 and recordings.skipped == 0
    for worker in range(16):
        for number in range(50): assert recordings.find(line_for(worker * 1000 + number)[0]).body.startswith(b'answer %d ' % (worker * 1000 + number))

@pytest.mark.skipif(not file_module.fcntl, reason='optional: flock is not on this system; all is well without it')
def test_a_lock_that_is_never_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr(file_module, 'lock_seconds', 0.05)
    path, (key, line) = tmp_path/'cachy.jsonl', line_for(1)
    with open(path, 'ab') as other:
        file_module.fcntl.flock(other, file_module.fcntl.LOCK_EX)
        Recordings(path).add(line)
    assert Recordings(path).find(key)

@pytest.mark.skipif(not file_module.fcntl, reason='optional: flock is not on this system; all is well without it')
def test_writers_wait_for_the_lock(tmp_path):
    path, (_, line) = tmp_path/'cachy.jsonl', line_for(1)
    with open(path, 'ab') as other:
        file_module.fcntl.flock(other, file_module.fcntl.LOCK_EX)
        writer = threading.Thread(target=Recordings(path).add, args=[line])
        writer.start()
        time.sleep(0.1)
        assert path.stat().st_size == 0
    writer.join(5)
    assert path.read_bytes() == line

@pytest.mark.skipif(os.name != 'posix', reason='optional: permissions as POSIX has them are not on this system; all is well without them')
def test_permissions_stay(tmp_path):
    path = tmp_path/'cachy.jsonl'
    path.touch(mode=0o640)
    os.chmod(path, 0o640)
    (tmp_path/'link').symlink_to('cachy.jsonl')
    Recordings(tmp_path/'link').add(line_for(1)[1])
    assert path.stat().st_mode & 0o777 == 0o640 and (tmp_path/'link').is_symlink() and Recordings(path).find(line_for(1)[0])

def test_a_damaged_line_uncovers_the_one_before(tmp_path):
    "The index knows only how a line starts; what is wrong inside shows when it is asked for"
    path, (key, line) = tmp_path/'cachy.jsonl', line_for(1)
    bad = line[:60] + b'\xff' + line[61:]
    path.write_bytes(line + bad + b'\n' + line_for(2)[1] + bad)
    recordings = Recordings(path)
    assert recordings.find(key).body == b'answer 1 ' and recordings.skipped == 2 and len(recordings) == 2
    path.write_bytes(bad + line_for(2)[1])
    assert recordings.find(key) is None and recordings.find(line_for(2)[0])

def test_readers_while_writers_write(tmp_path):
    path, stop, problems = tmp_path/'cachy.jsonl', threading.Event(), []
    def read():
        recordings = Recordings(path)
        while not stop.is_set():
            size = len(recordings)
            for number in range(0, 400, 37):
                found = recordings.find(line_for(number)[0])
                if found and not found.body.startswith(b'answer %d ' % number): problems.append(number)
            if len(recordings) < size: problems.append('fewer')
    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers: reader.start()
    for number in range(400): Recordings(path).add(line_for(number, size=50_000 if number % 10 == 0 else 0)[1])
    stop.set()
    for reader in readers: reader.join()
    assert problems == [] and len(Recordings(path)) == 400

line_parts = st.sampled_from([b'{"key":"', *(key.encode() for key in good_keys), b'",', b'"response":"', b'"}', b'}', b'\n', b'\r\n', b'\0', b'\xef\xbb\xbf', b'{', b'[', b'"headers":', b'{"a":"\\ud800"},', b'"status_code":', b'999', b'true,',
    b'"elapsed":1e400,', b'"elapsed":NaN,', b'"binary":true,', b'<<<<<<< HEAD\n', b'=======\n', b'0123abcd', b'null', b'\xff', b'\xed\xa0\x80', '\u2028'.encode(), b'\\'])
noise = st.lists(st.one_of(st.lists(line_parts, max_size=12).map(b''.join), st.binary(max_size=40), st.sampled_from([good_line(number, f'answer {number}') for number in range(3)])), max_size=8)

@many
@given(noise, noise)
def test_random_bytes_in_the_file(tmp_path_factory, before, more):
    path = tmp_path_factory.getbasetemp()/'random.jsonl'
    path.write_bytes(b''.join(before))
    reader = Recordings(path)
    for _ in range(2):
        for key in good_keys:
            found = reader.find(key)
            wanted = last_recording(path.read_bytes(), key)
            assert (found.body, found.status) == wanted if wanted else found is None
        len(reader)
        with open(path, 'ab') as file: file.write(b''.join(more))

numbers = st.floats().map(str) | st.integers().map(str) | st.sampled_from(['1e400', 'NaN', '-Infinity', '18446744073709551616', '01', '1.', '-0'])
odd_line = st.tuples(st.text() | st.text(st.characters(categories=['Cs', 'Cc'])), numbers, numbers, st.binary(max_size=3)).map(lambda parts: b'{"key":"0123456789abcdef","request":{"n":%s},"elapsed":%s,%s"response":%s}' % (
    parts[1].encode(), parts[2].encode(), parts[3], json.dumps(parts[0]).encode()))

@many
@given(noise.map(b''.join) | odd_line)
def test_a_line_reads_the_same_with_each_parser(content):
    pytest.importorskip('orjson', reason='optional: orjson is not installed; all is well without it')
    assert file_module.fast_loads() is not json.loads
    for line in content.split(b'\n'): assert outcome(line, file_module.fast_loads) == outcome(line, lambda: json.loads)

@many
@given(st.text() | st.text(st.characters(max_codepoint=0x9f)))
def test_a_text_is_written_the_same_by_each_parser(text):
    pytest.importorskip('orjson', reason='optional: orjson is not installed; all is well without it')
    text = text.encode('utf-8', 'ignore').decode() # as a body can hold it
    file_module.fast_quote.cache_clear()
    fast = file_module.fast_quote()(text)
    with mock.patch.dict(sys.modules, orjson=None):
        file_module.fast_quote.cache_clear()
        assert fast == file_module.fast_quote()(text)
    file_module.fast_quote.cache_clear()

def outcome(line, loads):
    with mock.patch.object(file_module, 'fast_loads', loads):
        try: return repr(file_module.read_line(line))
        except ValueError: return 'no recording'
        except RecursionError: return 'too deep'

@pytest.mark.slow
@pytest.mark.skipif(not (shared/'exchanges').is_dir(), reason='optional: real recorded exchanges, kept outside of the project; all is well without them')
def test_real_lines_read_the_same_with_each_parser():
    pytest.importorskip('orjson', reason='optional: orjson is not installed; all is well without it')
    sys.path.insert(0, str(shared/'exchanges'))
    from load_exchanges import load_exchanges, req_bytes, resp_bytes
    exchanges = [*load_exchanges(shared/'exchanges'/'*.jsonl.gz')]
    assert len(exchanges) > 3000
    for exchange in exchanges:
        call = Call(exchange['method'], exchange['url'], [('content-type', 'application/json')], req_bytes(exchange))
        line = file_module.write_line('0123456789abcdef', call, file_module.Recording(exchange['status'], exchange['resp_headers'], resp_bytes(exchange), 0.5))
        assert outcome(line, file_module.fast_loads) == outcome(line, lambda: json.loads)

@pytest.mark.parametrize('fields', ['"elapsed":1e400', '"elapsed":NaN', '"elapsed":-1', '"elapsed":"1"', '"elapsed":true', '"elapsed":1e8', '"status_code":99', '"status_code":999', '"status_code":1000', '"status_code":true', '"status_code":"200"',
    '"headers":[]', '"headers":"x"', '"headers":["x"]', '"headers":{"a":1,"b":null}', '"headers":{"a":"\\ud800"}', '"headers":{"\\ud800":"a"}', '"headers":{"a":"\u00e9\u2028"}', '"headers":{"Content-Encoding":"gzip"}', '"headers":{"content-type":"text/plain; charset=nonsense"}',
    '"binary":true', '"binary":0', '"unknown":[1]', '"response":null', '"key":5', '"key":"' + 'f' * 16 + '"'])
def test_odd_fields(fields, tmp_path):
    "A line with a strange field is read or skipped, and a recording that is read can be replayed"
    line = f'{{"key":"{good_keys[0]}",{fields},"response":"answer"}}\n'.encode()
    (tmp_path/'cachy.jsonl').write_bytes(line + good_line(1, 'answer 1'))
    wanted = last_recording(line, good_keys[0])
    with enable_cachy(tmp_path, mode='replay') as session, httpx.Client() as client:
        assert session.file.find(good_keys[1]).body == b'answer 1'
        for stream in (False, True):
            request = httpx.Request('POST', 'https://api.openai.com/v1', content=b'0')
            if wanted: assert (client.send(request, stream=stream).read(), client.send(request).status_code) == wanted
            else: pytest.raises(CachyMiss, client.send, request, stream=stream)
