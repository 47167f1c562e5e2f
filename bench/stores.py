"""What a shared store costs: `python bench/stores.py [--full]`. Needs what the tests of the store need.

A hit from the file, from the store the first time, and a call without either, with many recordings in both; then the wall time of a fleet
with and without a store."""
import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent/'tests'))
import os

import httpx

from cachy import enable_cachy
from cachy.file import Recording, write_line
from cachy.request import Call, request_key
from cachy.standin import StandIn
from support.stores import make_server, s3_variables, start_worker

os.environ.update(s3_variables)
answer = json.dumps(dict(choices=[dict(message=dict(role='assistant', content='word ' * 60), finish_reason='stop')])).encode()

def body(number): return dict(model='m', messages=[dict(role='user', content=f'Question {number}')])

def lines(url, count):
    "Keys and lines of `count` recordings"
    for number in range(count):
        call = Call('POST', url, [('content-type', 'application/json')], json.dumps(body(number)).encode())
        key = request_key(call)
        yield key, write_line(key, call, Recording(200, {'content-type': 'application/json'}, answer, 0.5))

def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start

def ask_all(client, url, numbers):
    "Seconds of a question: the first decile, since other work on the machine only adds to it"
    return statistics.quantiles((timed(lambda number=number: client.post(url, json=body(number)).raise_for_status()) for number in numbers), n=10)[0]

def hits(server, count):
    "Seconds by what was measured, with `count` recordings in file and store"
    url, found = 'http://127.0.0.1:1/v1/chat/completions', {}
    with tempfile.TemporaryDirectory() as folder:
        full, empty = Path(folder)/'full', Path(folder)/'empty'
        for path in (full, empty): path.mkdir()
        batch = server.client.pipeline(transaction=False) if server.kind == 'redis' else None
        with open(full/'cachy.jsonl', 'wb') as file:
            for i, (key, line) in enumerate(lines(url, count)):
                file.write(line)
                if batch:
                    batch.set(f'team/cachy/1/{key}', line)
                    if i % 5000 == 4999: batch.execute()
                elif i < 300: server.overwrite(f'team/cachy/1/{key}', line)
            if batch: batch.execute()
        found['MB'] = (full/'cachy.jsonl').stat().st_size / 1e6
        with httpx.Client() as client:
            options = dict(doms=('127.0.0.1',), mode='replay')
            start = time.perf_counter()
            with enable_cachy(full, store='', **options):
                found['enable'] = time.perf_counter() - start
                found['first hit of a worker'] = timed(lambda: client.post(url, json=body(0))) # it indexes the file
                found['hit from the file'] = ask_all(client, url, range(1, 300))
            with enable_cachy(empty, store=server.url(), **options):
                found['first hit from the store'] = timed(lambda: client.post(url, json=body(0)))
                found['hit from the store'] = ask_all(client, url, range(1, 300))
                found['again, from the file'] = ask_all(client, url, range(1, 300))
    return found

def fleet(store, workers, prompts, delay):
    "Wall seconds, and calls"
    with StandIn(delay=delay) as stand_in, tempfile.TemporaryDirectory() as folder:
        start, running = time.perf_counter(), []
        for seed in range(workers):
            (Path(folder)/str(seed)).mkdir()
            running.append(start_worker(Path(folder)/str(seed), stand_in.url, store, prompts, seed))
        outs = [json.loads(process.communicate(timeout=1200)[0]) for process in running]
        return dict(wall=time.perf_counter() - start, slowest=max(out['seconds'] for out in outs), calls=len(stand_in.log))

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--full', action='store_true', help='a million recordings, and a larger fleet')
    full = parser.parse_args().full
    for kind in ('redis', 's3'):
        for count in ((100_000, 1_000_000) if full else (10_000,)) if kind == 'redis' else (10_000,):
            with make_server(kind) as server: print(kind, count, {name: round(value * (1 if name == 'MB' else 1000), 3) for name, value in hits(server, count).items()}, flush=True)
    with StandIn() as stand_in, httpx.Client() as client:
        print('a call of the stand-in, which takes no time itself', round(1000 * ask_all(client, stand_in.url + '/v1/chat/completions', range(300)), 3))
    workers, prompts, delay = (8, 100, 0.5) if full else (4, 20, 0.2)
    print('without', fleet('', workers, prompts, delay), flush=True)
    for kind in ('redis', 's3'):
        with make_server(kind) as server: print(kind, fleet(server.url(), workers, prompts, delay), flush=True)

if __name__ == '__main__': main()
