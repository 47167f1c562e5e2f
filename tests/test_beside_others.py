"A file that others fork with, edit, remove or put something else in place of: nothing waits, raises or gives an old answer."
import fcntl
import os
import threading
import time

import pytest

from cachy import enable_cachy
from cachy.file import Recording, Recordings, write_line
from cachy.request import Call, request_key
from support import python
from support.asking import body, libraries, local, url, warnings

def line_of(number, text, length=0):
    "Key and line of recording `number`, whose answer is `text` and blank space"
    call = Call('POST', f'https://api.openai.com/v1/{number}', [], b'')
    return request_key(call), write_line(request_key(call), call, Recording(200, {}, text.encode() + b' ' * length))

def is_locked(path):
    with open(path, 'rb') as file:
        try: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError: return True
    return False

def fork_while_locked(path):
    "A child that was forked while another thread held the lock on `path`, and lives on"
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        if not is_locked(path): continue
        if child := os.fork(): return child
        time.sleep(8)
        os._exit(0)
    raise AssertionError('the lock was never held')

@pytest.mark.filterwarnings('ignore:This process .* is multi-threaded')
def test_a_fork_during_a_write_holds_no_lock(tmp_path):
    recordings, stop = Recordings(tmp_path/'cachy.jsonl'), threading.Event()
    recordings.add(line_of(0, 'first')[1])
    def write():
        while not stop.is_set(): recordings.add(line_of(1, 'large', 3_000_000)[1])
    writer = threading.Thread(target=write)
    writer.start()
    child = fork_while_locked(recordings.path)
    try:
        start = time.monotonic()
        stop.set()
        writer.join()
        recordings.add(line_of(2, 'later')[1])
        assert time.monotonic() - start < 3 and not is_locked(recordings.path)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)

def edit_in_place(path, old, new):
    content = path.read_bytes()
    assert len(old) == len(new) and content.count(old) == 1
    with open(path, 'r+b') as file:
        file.seek(content.index(old))
        file.write(new)

@pytest.mark.parametrize('then', ['others append', 'we append', 'nobody appends'])
@pytest.mark.parametrize('what', ['answer', 'key'])
def test_an_edit_of_the_same_length_is_seen(what, then, tmp_path):
    recordings = Recordings(tmp_path/'cachy.jsonl')
    lines = [line_of(number, f'cat {number}') for number in range(3)]
    for _, line in lines: recordings.add(line)
    assert [recordings.find(key).body for key, _ in lines] == [b'cat 0', b'cat 1', b'cat 2']
    new_key = 'f' * 16
    if what == 'answer': edit_in_place(recordings.path, b'cat 1', b'dog 1')
    else: edit_in_place(recordings.path, lines[1][0].encode(), new_key.encode())
    other, line = line_of(9, 'more')
    if then == 'others append':
        with open(recordings.path, 'ab') as file: file.write(line)
    if then == 'we append': recordings.add(line)
    if what == 'answer': assert recordings.find(lines[1][0]).body == b'dog 1'
    else: assert (recordings.find(new_key).body, recordings.find(lines[1][0])) == (b'cat 1', None)
    assert (recordings.find(lines[2][0]).body, len(recordings)) == (b'cat 2', 3 if then == 'nobody appends' else 4)

def test_what_we_append_is_not_read_from_the_start(tmp_path):
    "Neither on a hit nor on a miss: a program that records a thousand answers reads none again but the first, with which the file begins"
    recordings, read = Recordings(tmp_path/'cachy.jsonl'), []
    class Watched(Recordings):
        def index_new_lines(self):
            start = self.unread
            super().index_new_lines()
            read.append(self.unread - start)
    recordings = Watched(tmp_path/'cachy.jsonl')
    for number in range(200):
        assert recordings.find(line_of(number, '')[0]) is None
        recordings.add(line_of(number, 'cat')[1])
        assert recordings.find(line_of(0, '')[0]).body == b'cat'
    assert len(recordings) == 200 and sum(read) == len(line_of(0, 'cat')[1])

@libraries
def test_a_removed_working_folder(library, stand_in, tmp_path, monkeypatch, caplog):
    home, gone = tmp_path/'home', tmp_path/'gone'
    for folder in (home, gone): folder.mkdir()
    monkeypatch.chdir(gone)
    with enable_cachy(home, **local) as session:
        gone.rmdir()
        for _ in range(2): assert library.post(url(stand_in), json=body).status_code == 200
        assert 'home' in repr(session) and 'home' in session._repr_html_() and session.counts['replayed'] == 1
    with enable_cachy(**local) as session: # nowhere to write to
        for _ in range(2): assert library.post(url(stand_in), json=body).status_code == 200
        assert 'cachy.jsonl' in repr(session)
    assert stand_in.calls == 3 and sum('No such file' in line for line in warnings(caplog)) == 2
    with pytest.raises(NotADirectoryError): enable_cachy('here', **local)
    monkeypatch.chdir(home)

def make_pipe(path): os.mkfifo(path)
def make_device(path): path.symlink_to('/dev/zero')

@pytest.mark.parametrize('make', [make_pipe, make_device], ids=['pipe', 'device'])
def test_only_a_regular_file_is_used(make, tmp_path):
    "In a process of its own, for what goes wrong never ends"
    make(tmp_path/'cachy.jsonl')
    script = tmp_path/'script.py'
    script.write_text(f'''
import asyncio, httpx, httpx2, logging
from cachy import enable_cachy
from cachy.standin import StandIn
logging.basicConfig(format='%(message)s')
async def ask(client, url):
    async with client: return await client.post(url, json={{}})
with StandIn() as server, enable_cachy({str(tmp_path)!r}, doms=('127.0.0.1',), mode='auto') as session:
    url = server.url + '/v1/chat/completions'
    for library in (httpx, httpx2):
        for _ in range(2): library.post(url, json={{}}).raise_for_status()
        asyncio.run(ask(library.AsyncClient(), url)).raise_for_status()
    print(server.calls, session.counts['not recorded'], len(session.file), session)
''')
    done = python(script, timeout=20)
    assert done.stdout.startswith('6 6 0 cachy, mode auto')
    assert done.stderr.count('no regular file), so it counts as empty') == 1 and done.stderr.count('cachy.jsonl: no regular file') == 6
