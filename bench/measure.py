"""What cachy's benchmarks measure, one case at a time: `python measure.py CASE [SIZE]` prints figures as JSON.

The yardstick is `limit`: a `send` that takes the sha256 of URL and body, looks it up in a dict that holds bytes and headers, and builds
the `Response`. Whatever is compared runs interleaved in one process, and medians are compared."""
import asyncio
import gc
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

headers = {'user-agent': 'bench', 'accept': 'application/json', 'authorization': 'Bearer not-a-real-key', 'x-stainless-lang': 'python',
    'x-stainless-os': 'Linux', 'x-stainless-arch': 'x64', 'x-stainless-runtime': 'CPython', 'x-stainless-async': 'false', 'x-stainless-retry-count': '0'}
kept = {'content-type': 'application/json', 'x-request-id': 'req_0123456789'}
url = 'http://127.0.0.1:9/v1/chat/completions' # nobody listens there
plain = json.dumps(dict(id='chatcmpl-0123', choices=[dict(message=dict(role='assistant', content='Cats "purr" when they feel well. ' * 55))])).encode()
stream = b''.join(b'data: {"id":"chatcmpl-0123","choices":[{"index":0,"delta":{"content":" word%d"}}]}\n\n' % i for i in range(600)) + b'data: [DONE]\n\n'

def question(i, size=0):
    "The body of request number `i`, of at least `size` bytes"
    return dict(model='gpt-4o', messages=[dict(role='system', content='You are helpful.' + 'x ' * (size // 2)), dict(role='user', content=f'Tell me fact {i} about cats')])

def requests(numbers, size=0): return [httpx.Request('POST', url, json=question(i, size), headers=headers) for i in numbers]

def limit_table(asked, answer):
    "What the limit needs to know for the requests in `asked`"
    return {hashlib.sha256(str(request.url).encode() + request.content).hexdigest(): bytes(bytearray(answer)) for request in asked}

def limit_send(table, kept=kept):
    "The fastest `send` that could be right"
    def send(request, stream=False):
        body = table[hashlib.sha256(str(request.url).encode() + request.content).hexdigest()]
        return httpx.Response(200, headers=kept, content=body, request=request)
    return send

def write_recordings(folder, count, answer=plain, kept=kept, size=0):
    "A file of `count` recordings"
    from cachy.core import read_call
    from cachy.file import Recording, write_line
    from cachy.request import request_key
    recording = Recording(200, kept, answer, 0.8)
    with open(Path(folder)/'cachy.jsonl', 'wb') as file:
        for start in range(0, count, 1000):
            for request in requests(range(start, min(start + 1000, count)), size):
                call = read_call(request)
                file.write(write_line(request_key(call), call, recording))

def microseconds(function, *args, **kwargs):
    start = time.perf_counter()
    function(*args, **kwargs)
    return (time.perf_counter() - start) * 1e6

def spots(count, wanted=300):
    "Numbers of recordings at the first, middle and last part of a file"
    each = min(wanted // 3, max(count // 3, 1))
    return sorted({*range(each), *range(count // 2, min(count // 2 + each, count)), *range(max(count - each, 0), count)})

def hit(count=1000, answer=plain, kept=kept, size=0, streamed=False):
    "A sync hit, the first time and again, and the same by place in the file"
    from cachy import enable_cachy
    numbers = spots(count)
    asked = requests(numbers, size)
    limit, client = limit_send(limit_table(asked, answer), kept), httpx.Client()
    with tempfile.TemporaryDirectory() as folder:
        write_recordings(folder, count, answer, kept, size)
        with enable_cachy(folder, doms=('127.0.0.1',), mode='replay') as session:
            len(session.file)
            def ask(request):
                response = client.send(request, stream=streamed)
                if streamed: response.read()
            times = {'limit': [], 'first': [], 'again': []}
            for _ in range(3):
                session.remembered_keys.clear()
                session.file.reset()
                len(session.file)
                for request in asked:
                    times['limit'].append(microseconds(limit, request))
                    times['first'].append(microseconds(ask, request))
                    times['again'].append(microseconds(ask, request))
    return {name: statistics.median(values) for name, values in times.items()}

def async_hit(count=1000):
    "An async hit"
    from cachy import enable_cachy
    asked = requests(spots(count))
    limit = limit_send(limit_table(asked, plain))
    async def main(session):
        times = {'limit': [], 'first': [], 'again': []}
        async with httpx.AsyncClient() as client:
            for request in asked * 3:
                times['limit'].append(microseconds(limit, request))
                for name in ('first', 'again'):
                    start = time.perf_counter()
                    await client.send(request)
                    times[name].append((time.perf_counter() - start) * 1e6)
        return times
    with tempfile.TemporaryDirectory() as folder:
        write_recordings(folder, count)
        with enable_cachy(folder, doms=('127.0.0.1',), mode='replay') as session:
            len(session.file)
            times = asyncio.run(main(session))
    return {name: statistics.median(values[:len(asked)] if name == 'first' else values) for name, values in times.items()}

def concurrent(count=200):
    "Hits of many tasks at once, beside hits one after the other, per hit"
    from cachy import enable_cachy
    asked = requests(range(count))
    async def main():
        together, apart = [], []
        async with httpx.AsyncClient() as client:
            for _ in range(15):
                start = time.perf_counter()
                await asyncio.gather(*map(client.send, asked))
                middle = time.perf_counter()
                for request in asked: await client.send(request)
                together.append((middle - start) / count * 1e6)
                apart.append((time.perf_counter() - middle) / count * 1e6)
        return dict(together=statistics.median(together), apart=statistics.median(apart))
    with tempfile.TemporaryDirectory() as folder:
        write_recordings(folder, count)
        with enable_cachy(folder, doms=('127.0.0.1',), mode='replay'): return asyncio.run(main())

def big_request(size=1_000_000):
    "A hit on a large request, beside hashing its canonical form"
    given = hit(6, size=size)
    body = requests([0], size)[0].content
    hashing = statistics.median(microseconds(lambda: hashlib.sha256(json.dumps(json.loads(body), sort_keys=True).encode())) for _ in range(30))
    return dict(given, canonical=hashing, sha256=statistics.median(microseconds(lambda: hashlib.sha256(body)) for _ in range(30)))

def recording(count=1000):
    "A call that is recorded, beside the same call without cachy, on loopback; plain calls, and the first event of a stream"
    from cachy import enable_cachy
    with subprocess.Popen([sys.executable, '-c', 'from cachy.standin import StandIn; s = StandIn().start(); print(s.url, flush=True); input()'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server, httpx.Client() as client:
        here = server.stdout.readline().strip() + '/v1/chat/completions'
        times, events, fresh = {'without': [], 'recording': []}, {'without': [], 'recording': []}, iter(range(10**9))
        def ask(): client.post(here, json=question(next(fresh)), headers=headers)
        def first_event():
            start = time.perf_counter()
            with client.stream('POST', here, json=dict(question(next(fresh)), stream=True), headers=headers) as response:
                lines = response.iter_lines()
                next(lines)
                took = time.perf_counter() - start
                for _ in lines: pass
            return took * 1e6
        with tempfile.TemporaryDirectory() as folder:
            write_recordings(folder, count)
            with enable_cachy(folder, doms=('127.0.0.1',), mode='auto') as session:
                len(session.file)
                for _ in range(400):
                    for name, mode in (('without', 'off'), ('recording', 'auto')):
                        session.mode = mode
                        times[name].append(microseconds(ask))
                        events[name].append(first_event())
        server.stdin.close()
    medians = lambda group: {name: statistics.median(values) for name, values in group.items()}
    return dict(call=medians(times), first_event=medians(events))

def profile(count=1000):
    "Where the time of a first hit goes, stage by stage, each request once as in `hit`"
    from cachy import enable_cachy
    from cachy.core import build_response, read_call, session_for, wire_form
    from cachy.file import read_line
    from cachy.request import request_key
    asked, times = requests(spots(count)), {}
    limit = limit_send(limit_table(asked, plain))
    def stage(name, function, *args):
        start = time.perf_counter()
        result = function(*args)
        times.setdefault(name, []).append((time.perf_counter() - start) * 1e6)
        return result
    with tempfile.TemporaryDirectory() as folder:
        write_recordings(folder, count)
        with enable_cachy(folder, doms=('127.0.0.1',), mode='replay') as session:
            len(session.file)
            for request in asked * 3:
                stage('the limit', limit, request)
                stage('is its host cached', session_for, request, str(request.url))
                stage('the bytes of the request', wire_form, request, str(request.url))
                call = stage('its neutral form', read_call, request)
                key = stage('its key', request_key, call)
                stage('has the file changed', session.file.refresh)
                line = stage('reading the line', session.file.read, *session.file.index[key])
                _, recording = stage('parsing the line', read_line, line)
                stage('building the response', build_response, recording, request, False)
    return {name: statistics.median(values) for name, values in times.items()}

def profile_recording(count=400):
    "Where the time of recording a plain call goes; a stage includes those that it calls"
    from cachy import core
    times = {}
    def timed(holder, name):
        original = getattr(holder, name)
        def measured(*args, **kwargs):
            start = time.perf_counter()
            try: return original(*args, **kwargs)
            finally: times.setdefault(name, []).append((time.perf_counter() - start) * 1e6)
        setattr(holder, name, measured)
    for holder, names in ((core, ('request_key', 'tee_response', 'write_line', 'contains_secret', 'credentials', 'body_refusal')),
            (core.Exchange, ('record', 'start_recording')), (core.Recordings, ('find', 'refresh', 'add'))):
        for name in names: timed(holder, name)
    figures = recording(10)['call']
    calls = len(times['record'])
    return figures | {name: sum(values) / calls for name, values in times.items()}

def import_time():
    "`import cachy; enable_cachy()` in a new process, beside a bare interpreter, in milliseconds"
    code = "import cachy; cachy.enable_cachy('.', mode='auto')"
    times = {'bare': [], 'cachy': [], 'httpx': []}
    for _ in range(15):
        for name, text in (('bare', 'pass'), ('cachy', code), ('httpx', 'import httpx')):
            times[name].append(microseconds(subprocess.run, [sys.executable, '-c', text], check=True) / 1000)
    return {name: statistics.median(values) for name, values in times.items()}

def peak_memory():
    "Of this process, in megabytes. `ru_maxrss` would count what the parent had before it started us"
    try: return next(int(line.split()[1]) / 1024 for line in open('/proc/self/status') if line.startswith('VmHWM'))
    except FileNotFoundError: return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 # not on Linux

def first_hit(count=100_000):
    "The first hit on a large file, beside reading its bytes once; in milliseconds, and memory in megabytes after 1,000 hits"
    from cachy import enable_cachy
    client = httpx.Client()
    with tempfile.TemporaryDirectory() as folder:
        write_recordings(folder, count)
        path = Path(folder)/'cachy.jsonl'
        def read():
            with open(path, 'rb') as file:
                while file.read(1 << 20): pass
        reading, first = [], []
        for _ in range(5):
            reading.append(microseconds(read) / 1000)
            with enable_cachy(folder, doms=('127.0.0.1',), mode='replay'):
                first.append(microseconds(client.send, requests([count // 2])[0]) / 1000)
        code = f"import sys, resource; sys.argv = ['x']; sys.path.insert(0, {str(Path(__file__).parent)!r})\nfrom measure import *\nasked = requests(range(1000))\n"
        hits = f"from cachy import enable_cachy\nenable_cachy({folder!r}, doms=('127.0.0.1',), mode='replay'); client = httpx.Client()\nfor request in asked: client.send(request)\n"
        show = 'print(peak_memory())'
        memory = [float(subprocess.run([sys.executable, '-c', code + more + show], check=True, capture_output=True, text=True).stdout) for more in ('client = httpx.Client()\n', hits)]
        size = path.stat().st_size
    return dict(bytes=size, reading=statistics.median(reading), first=statistics.median(first), memory_without=memory[0], memory_with=memory[1])

if __name__ == '__main__':
    gc.freeze()
    case, *rest = sys.argv[1:]
    event_stream = dict(answer=stream, kept={'content-type': 'text/event-stream'})
    cases = dict(hit=hit, async_hit=async_hit, concurrent=concurrent, big_request=big_request, recording=recording, import_time=import_time, first_hit=first_hit, profile=profile,
        profile_recording=profile_recording,
        stream_read=lambda count=100: hit(count, **event_stream), stream_events=lambda count=100: hit(count, **event_stream, streamed=True))
    print(json.dumps(cases[case](*map(int, rest))))
