"""What a shared store costs: `python bench/stores.py [--full] [--json FILE]`. Needs what the tests of the store need.

A hit from the file, from the store the first time, and a call without either, with many recordings in both, measured in turns; then the wall
time of a fleet with and without a store. `bench/stores.json`, which the page about stores shows, is what `--full` wrote."""
import argparse
import importlib
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent/'tests'))

import httpx

from cachy import disable_cachy, enable_cachy
from cachy.file import Recording, write_line
from cachy.request import Call, request_key
from cachy.standin import StandIn
from cachy.store import store_at
from support.stores import make_server, s3_variables, start_worker

os.environ.update(s3_variables)
asked = 300 # questions
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

def usual(seconds):
    "Milliseconds that are the rule: the first decile, since other work on the machine only adds to it"
    return 1000 * statistics.quantiles(seconds, n=10)[0]

def fill(server, path, url, count):
    "Write `count` recordings to the file at `path` and to the store"
    batch = server.client.pipeline(transaction=False) if server.kind == 'redis' else None
    with open(path, 'wb') as file:
        for i, (key, line) in enumerate(lines(url, count)):
            file.write(line)
            if batch: batch.set(f'team/cachy/1/{key}', line)
            elif i < asked: server.overwrite(f'team/cachy/1/{key}', line) # a key that nobody asks for costs an object store nothing
            if batch and (i % 5000 == 4999 or i == count - 1): batch.execute()

def hits(server, count):
    "Milliseconds by what was measured, with `count` recordings in file and store"
    times = {name: [] for name in ('file', 'store', 'again', 'call')}
    with StandIn() as stand_in, tempfile.TemporaryDirectory() as folder, httpx.Client() as client:
        url = stand_in.url + '/v1/chat/completions'
        full, empty, other = (Path(folder)/name for name in ('full', 'empty', 'other'))
        for path in (full, empty, other): path.mkdir()
        fill(server, full/'cachy.jsonl', url, count)
        ask = lambda number: timed(lambda: client.post(url, json=body(number)).raise_for_status())
        enable = lambda folder, store, mode='replay': enable_cachy(folder, store=store, mode=mode, doms=('127.0.0.1',))
        with enable(other, '', 'auto'): # so that everything is imported
            for _ in range(2): ask(0)
        importlib.import_module(dict(redis='redis', s3='obstore.store')[server.kind])
        stand_in.log.clear()
        found = dict(server=server.kind, recordings=count, megabytes=(full/'cachy.jsonl').stat().st_size / 1e6)
        for name in ('file', 'store'):
            tries = []
            for _ in range(3):
                store_at.cache_clear() # or it is connected
                place = (full, '') if name == 'file' else (Path(tempfile.mkdtemp(dir=folder)), server.url())
                tries.append((1000 * timed(lambda place=place: enable(*place)), 1000 * ask(0))) # it indexes the file, or connects to the store
            found[f'enable, {name}'], found[f'first hit, {name}'] = map(min, zip(*tries, strict=True))
        disable_cachy()
        sessions = dict(file=enable(full, ''), store=enable(empty, server.url()), call=enable(empty, '', 'off'))
        sessions['again'] = sessions['store'] # which finds it in its file by now
        disable_cachy()
        for number in range(1, asked):
            for name in times:
                with sessions[name]: times[name].append(ask(number))
        assert len(stand_in.log) == asked - 1
    return found | {name: usual(seconds) for name, seconds in times.items()}

def fleet(store, workers, prompts, delay):
    "Wall seconds, calls, and those of them that are no turn of an agent"
    with StandIn(delay=delay) as stand_in, tempfile.TemporaryDirectory() as folder:
        start, running = time.perf_counter(), []
        for seed in range(workers):
            (Path(folder)/str(seed)).mkdir()
            running.append(start_worker(Path(folder)/str(seed), stand_in.url, store, prompts, seed))
        outs = [json.loads(process.communicate(timeout=1200)[0]) for process in running]
        return dict(wall=time.perf_counter() - start, slowest=max(out['seconds'] for out in outs), calls=len(stand_in.log), asked=sum('?n=' in line for line in stand_in.log))

def main():
    "Print the figures, and write them where `--json` says"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--full', action='store_true', help='a million recordings, and a larger fleet; takes ten minutes, and 2 GB of memory and of disk')
    parser.add_argument('--json', type=Path, help='file to write the figures to')
    options = parser.parse_args()
    counts = dict(redis=(100_000, 1_000_000) if options.full else (10_000,), s3=(10_000,))
    workers, prompts, delay = (8, 100, 0.5) if options.full else (4, 20, 0.2)
    figures = dict(python=platform.python_version(), cores=os.cpu_count(), hits=[], fleet=dict(workers=workers, prompts=prompts, delay=delay, runs=[]))
    def take(found, place):
        place.append({name: round(value, 3) if isinstance(value, float) else value for name, value in found.items()})
        print(place[-1], flush=True)
    for kind in counts:
        for count in counts[kind]:
            with make_server(kind) as server: take(hits(server, count), figures['hits'])
    take(dict(store='none') | fleet('', workers, prompts, delay), figures['fleet']['runs'])
    for kind in counts:
        with make_server(kind) as server: take(dict(store=kind) | fleet(server.url(), workers, prompts, delay), figures['fleet']['runs'])
    if options.json: options.json.write_text(json.dumps(figures, indent=1) + '\n')

if __name__ == '__main__': main()
