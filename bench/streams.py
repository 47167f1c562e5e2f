"""What recording a stream costs: the same call with and without cachy, interleaved, over loopback: `python bench/streams.py [--quick]`.

Events of 64 kB, 1 MB and 16 MB come in chunks of 4 to 64 kB; and 4 MB of small events. The server is a process of its own, so that its work is
not ours. The quickest of several are compared, since others may use the machine."""
import argparse
import asyncio
import base64
import os
import random
import socketserver
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import httpx2

from cachy import enable_cachy

def events_of(size, count):
    "`count` events of `size` bytes, and the last one"
    text = base64.b64encode(random.Random(7).randbytes(size * 3 // 4)).decode()
    event = b'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n' % text.encode()
    return event * count + b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

class Handler(socketserver.StreamRequestHandler):
    "Answers `POST /SIZE/COUNT/CHUNK` with a chunked event stream"
    disable_nagle_algorithm = True # else small writes wait 40 ms for each other
    def handle(self):
        while line := self.rfile.readline():
            size, count, chunk = map(int, line.split()[1].decode().strip('/').split('/')[:3])
            length = 0
            while (header := self.rfile.readline()).strip():
                if header.lower().startswith(b'content-length:'): length = int(header.split(b':')[1])
            self.rfile.read(length)
            body = self.server.bodies.setdefault((size, count), events_of(size, count))
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
            for start in range(0, len(body), chunk):
                piece = body[start:start + chunk]
                self.wfile.write(b'%x\r\n%s\r\n' % (len(piece), piece))
            self.wfile.write(b'0\r\n\r\n')

def serve():
    class Server(socketserver.ThreadingTCPServer): daemon_threads, allow_reuse_address, bodies = True, True, {}
    with Server(('127.0.0.1', 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()

def read_sync(client, url, number):
    with client.stream('POST', url, json=dict(stream=True, number=number)) as response: return sum(map(len, response.iter_bytes()))

def read_async(client, url, number):
    async def read():
        async with client.stream('POST', url, json=dict(stream=True, number=number)) as response:
            return sum([len(piece) async for piece in response.aiter_bytes()])
    return read()

def measure(call, url, rounds):
    "Least seconds of a call without cachy, and with it"
    plain, recorded = [], []
    for number in range(rounds):
        start = time.perf_counter()
        call(url, number)
        plain.append(time.perf_counter() - start)
        with tempfile.TemporaryDirectory() as folder, enable_cachy(folder, doms=('127.0.0.1',), mode='auto') as session:
            start = time.perf_counter()
            call(url, number)
            recorded.append(time.perf_counter() - start)
            assert session.counts['recorded'] == 1 == (Path(folder)/'cachy.jsonl').read_bytes().count(b'\n')
    return min(plain), min(recorded)

def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument('--quick', action='store_true', help='the largest events only, with httpx')
    options.add_argument('--serve', action='store_true', help='be the server')
    args = options.parse_args()
    if args.serve: return serve()
    server = subprocess.Popen([sys.executable, __file__, '--serve'], stdout=subprocess.PIPE, text=True)
    try:
        port, loop = int(server.stdout.readline()), asyncio.new_event_loop()
        clients = {'httpx': httpx.Client(timeout=60), 'httpx2': httpx2.Client(timeout=60)}
        async_clients = {'httpx': httpx.AsyncClient(timeout=60), 'httpx2': httpx2.AsyncClient(timeout=60)}
        calls = {name: lambda url, number, client=client: read_sync(client, url, number) for name, client in clients.items()}
        calls |= {'async ' + name: lambda url, number, client=client: loop.run_until_complete(read_async(client, url, number))
            for name, client in async_clients.items()}
        cases = [(64_000, 1), (64_000, 16), (1_000_000, 1), (4_000_000, 1), (16_000_000, 1), (300, 14_000)]
        print(f'{"client":13} {"event":>10} {"count":>6} {"chunk":>6} {"plain":>9} {"recorded":>9}  times')
        worst = 0
        for name, call in calls.items():
            if args.quick and name != 'httpx': continue
            for size, count in cases[-2:-1] if args.quick else cases:
                for chunk in (4096, 16384, 65536):
                    url = f'http://127.0.0.1:{port}/{size}/{count}/{chunk}'
                    call(url, -1)
                    plain, recorded = measure(call, url, 5 if size * count > 2_000_000 else 15)
                    worst = max(worst, recorded / plain)
                    print(f'{name:13} {size:10} {count:6} {chunk:6} {plain*1e3:7.1f}ms {recorded*1e3:7.1f}ms  {recorded/plain:.2f}', flush=True)
        print(f'at most {worst:.2f} times the call without cachy; {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}')
    finally: server.kill()

if __name__ == '__main__': main()
