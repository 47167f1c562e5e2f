"""A coverage-guided search for bytes that make the reader or the key raise, or give a wrong answer. Not part of the tests: it
needs `pip install atheris`, and runs as long as it is told: `python tools/fuzz.py reader|key|check -max_total_time=600`."""
import json
import logging
import sys
import tempfile
from pathlib import Path

import atheris

root = Path(__file__).parent.parent
sys.path[:0] = [str(root), str(root/'tests')]
with atheris.instrument_imports(include=['cachy']):
    import cachy.check
    import cachy.file
    import cachy.older

import httpx

from cachy.core import build_response, read_call
from cachy.file import Recordings, read_line, summarize_request, write_line
from cachy.request import read_body, request_key
from cachy.secrets import contains_secret, credentials
from support.oracle import good_keys, good_line, last_recording, oracle, shuffled

logging.disable(logging.CRITICAL)
path = Path(tempfile.mkdtemp(dir='/dev/shm' if Path('/dev/shm').is_dir() else None))/'cachy.jsonl' # in memory: faster
request = httpx.Request('POST', 'https://api.openai.com/v1', content=b'0')

def reader(data):
    "Random bytes around good lines, some of them appended later"
    provider = atheris.FuzzedDataProvider(data)
    parts = [provider.ConsumeBytes(provider.ConsumeIntInRange(0, 60)) for _ in range(4)]
    parts[1:1] = [b'\n' * provider.ConsumeBool() + good_line(0, 'answer 0')]
    parts[3:3] = [b'\n' * provider.ConsumeBool() + good_line(1, 'answer 1')]
    rest = provider.ConsumeBytes(300)
    content = b''.join(parts) + rest
    cut = provider.ConsumeIntInRange(0, len(content))
    path.write_bytes(content[:cut])
    recordings = Recordings(path)
    for stage in range(3):
        if stage == 1: path.open('ab').write(content[cut:])
        if stage == 2: recordings.add(good_line(2, 'answer 2'))
        now = path.read_bytes()
        for key in good_keys:
            found, wanted = recordings.find(key), last_recording(now, key)
            assert (found and (found.body, found.status)) == wanted, (now, key, found, wanted)
            if found: assert build_response(found, request, stream=bool(stage)).read() == found.body
        assert stage < 2 or recordings.find(good_keys[2]).body == b'answer 2', now
    for line in now.splitlines(keepends=True):
        try: read_line(line)
        except (ValueError, RecursionError): pass

def check(data):
    "Random bytes as a file: no finding shows a credential"
    path.write_bytes(data + good_line(0, 'sk-Zk3vT9qLwX2mB7nR4cY8pQ'))
    assert 'Zk3vT9' not in str(cachy.check.check(path, {'MY_TOKEN': 'abcdefghijklmnop'}))

types = ['application/json', 'multipart/form-data; boundary=xy', 'text/plain', 'application/json; charset=utf-8', 'multipart/mixed; boundary="']

def key(data):
    "Two requests from random bytes: equal keys exactly where the oracle says equal"
    provider = atheris.FuzzedDataProvider(data)
    method, content_type = provider.PickValueInList(['GET', 'POST']), provider.PickValueInList(types)
    name, value = provider.PickValueInList(['accept', 'authorization', 'openai-beta', 'user-agent', 'range']), provider.ConsumeUnicodeNoSurrogates(12)
    query = provider.ConsumeUnicodeNoSurrogates(20)
    body = provider.ConsumeBytes(provider.ConsumeIntInRange(0, 200))
    other = provider.ConsumeBytes(200)
    requests = []
    for content in (body, other, *rewritten(body)):
        try: requests.append(httpx.Request(method, httpx.URL('https://api.openai.com/v1', query=query.encode()), headers={name: value.encode(), 'content-type': content_type}, content=content))
        except (ValueError, httpx.InvalidURL): return
    first, *others = [(request_key(read_call(one)), meaning(one)) for one in requests]
    for number, (found, wanted) in enumerate(others):
        assert None in (first[1], wanted) or (found == first[0]) == (wanted == first[1]), (number, body, other)
    call = read_call(requests[0])
    summarize_request(call, read_body(call), credentials(call))
    read_line(write_line('0' * 16, call, cachy.file.Recording(200, {}, other)))
    contains_secret(credentials(call._replace(headers=[('authorization', 'Bearer abcdefghijklmn')])), other, provider.PickValueInList(['text/event-stream', 'application/json', '']))
    for formula in cachy.older.formulas:
        cachy.older.keys_of(formula, call)
        cachy.older.may_use(formula, call)
    cachy.older.guess_type(other)

def meaning(one):
    try: return oracle(one)
    except RecursionError: return None

def rewritten(body):
    "The same JSON with its keys in another order"
    try: return [json.dumps(shuffled(json.loads(body))).encode()]
    except (ValueError, RecursionError): return []

atheris.Setup([sys.argv[0], *sys.argv[2:]], {'reader': reader, 'key': key, 'check': check}[sys.argv[1]])
atheris.Fuzz()
