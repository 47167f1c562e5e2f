"""The same calls through one rival: `python rivals.py NAME COUNT`, in an environment that has it. Prints microseconds as JSON.

Each rival records COUNT answers of a server on this machine; then the server stops, and hits are timed beside the limit, interleaved."""
import contextlib
import json
import statistics
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from measure import headers, kept, limit_send, limit_table, microseconds, plain, question, spots

class Answers(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = 'HTTP/1.1', True
    def log_message(self, *args): pass
    def do_POST(self):
        self.rfile.read(int(self.headers.get('content-length', 0)))
        self.send_response(200)
        for name, value in (kept | {'content-length': str(len(plain))}).items(): self.send_header(name, value)
        self.end_headers()
        self.wfile.write(plain)
    do_GET = do_POST

@contextlib.contextmanager
def pycachy(folder):
    from cachy import enable_cachy
    enable_cachy(cache_dir=folder, doms=('127.0.0.1',))
    yield httpx.Client()

def vcr(serializer):
    @contextlib.contextmanager
    def cassette(folder):
        from vcr import VCR
        recorder = VCR(serializer=serializer, record_mode='new_episodes', match_on=['method', 'uri', 'body'])
        with recorder.use_cassette(str(Path(folder)/f'cassette.{serializer}'), allow_playback_repeats=True): yield httpx.Client()
    return cassette

@contextlib.contextmanager
def cassetter(folder):
    from cassetter import use_cassette
    path = Path(folder)/'cassette.yaml'
    with use_cassette(path, record_mode='none' if path.exists() else 'once', match_on=['method', 'uri', 'body']): yield httpx.Client()

@contextlib.contextmanager
def hishel(folder):
    from hishel import SqliteStorage
    from hishel.httpx import CacheClient
    client = CacheClient(storage=SqliteStorage(database_path=Path(folder)/'cache.db'))
    class AsGet: # it does not cache POST, so it gets the question in the URL
        def send(self, request): return client.send(httpx.Request('GET', f'{request.url}?{request.content.hex()}', headers=headers))
    yield AsGet()
    client.close()

rivals = dict(pycachy=pycachy, vcr_json=vcr('json'), vcr_yaml=vcr('yaml'), cassetter=cassetter, hishel=hishel)

def main(name, count):
    server = ThreadingHTTPServer(('127.0.0.1', 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f'http://127.0.0.1:{server.server_port}/v1/chat/completions'
    make = lambda i: httpx.Request('POST', url, json=question(i), headers=headers)
    numbers = spots(count, 60)
    with tempfile.TemporaryDirectory() as folder:
        with rivals[name](folder) as client:
            for i in range(count): assert client.send(make(i)).content == plain
        server.shutdown()
        server.server_close()
        asked = [make(i) for i in numbers]
        limit, times = limit_send(limit_table(asked, plain)), {'limit': [], 'again': []}
        with rivals[name](folder) as client:
            start = microseconds(client.send, asked[0])
            for request in asked[1:]:
                times['limit'].append(microseconds(limit, request))
                times['again'].append(microseconds(client.send, request))
                assert client.send(make(numbers[0])).content == plain if name != 'cassetter' else True
    print(json.dumps({kind: statistics.median(values) for kind, values in times.items()} | {'very first': start}))

if __name__ == '__main__': main(sys.argv[1], int(sys.argv[2]))
