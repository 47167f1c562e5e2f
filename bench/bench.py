"""All benchmarks of a call in one command: `python bench/bench.py [--full] [--no-rivals]`. Writes bench/bench.json; `waits.py` measures whole processes.

Every figure is a ratio of medians that were measured interleaved in one process. The rivals get environments of their own in
`bench/.venvs`, made on the first run; `measure.py` and `rivals.py` say what is measured."""
import argparse
import json
import platform
import subprocess
import sys
import venv
from pathlib import Path

here = Path(__file__).parent
rivals = dict(pycachy=('pycachy', 'pycachy==0.0.22'), vcr_json=('vcrpy', 'vcrpy'), vcr_yaml=('vcrpy', 'vcrpy'), cassetter=('cassetter', 'cassetter[httpx]'),
    hishel=('hishel', 'hishel[httpx]'))

def run(python, script, *arguments):
    "What `script` printed; its last line is JSON"
    done = subprocess.run([python, here/script, *map(str, arguments)], capture_output=True, text=True, timeout=1800)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else dict(error=done.stderr.strip().splitlines()[-1])

def rival_python(name, package):
    "The interpreter of an environment that has `package`"
    folder = here/'.venvs'/name
    python = folder/('Scripts' if sys.platform == 'win32' else 'bin')/'python'
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, '-m', 'pip', 'install', '-q', package, 'httpx'], check=True, stderr=subprocess.DEVNULL)
    return python

def rows(full):
    "Yield what is compared, the ratio, and the aim"
    measure = lambda *arguments: run(sys.executable, 'measure.py', *arguments)
    ratio = lambda figures, name, base='limit': figures[name] / figures[base]
    counts = (10, 1000, 100_000) if full else (10, 1000)
    hits = {count: measure('hit', count) for count in counts}
    for count, figures in hits.items():
        yield f'hit, {count:,} recordings: again', ratio(figures, 'again'), 1.5
        yield f'hit, {count:,} recordings: first time', ratio(figures, 'first'), 2.5
    most = max(counts)
    yield f'hit, {most:,} beside 10 recordings: again', ratio(hits[most], 'again') / ratio(hits[10], 'again'), 1.2
    yield f'hit, {most:,} beside 10 recordings: first time', ratio(hits[most], 'first') / ratio(hits[10], 'first'), 1.2
    figures = measure('async_hit', 1000)
    yield 'async hit: again', ratio(figures, 'again'), 1.5
    yield 'async hit: first time', ratio(figures, 'first'), 2.5
    figures = measure('stream_read', 100)
    yield 'event stream of 50 kB, read whole: again', ratio(figures, 'again'), 2
    yield 'event stream of 50 kB, read whole: first time', ratio(figures, 'first'), 8
    figures = measure('big_request', 1_000_000)
    yield 'request of 1 MB beside hashing its canonical form: again', ratio(figures, 'again', 'canonical'), 1.5
    yield 'request of 1 MB beside hashing its canonical form: first time', ratio(figures, 'first', 'canonical'), 1.5
    for count in (10, most):
        figures = measure('recording', count)
        yield f'recording beside the call without cachy, {count:,} recordings', ratio(figures['call'], 'recording', 'without'), 1.15
        yield f'first event of a stream, {count:,} recordings', ratio(figures['first_event'], 'recording', 'without'), 1.1
    figures = measure('import_time')
    yield 'import cachy; enable_cachy(), in ms over a bare interpreter', figures['cachy'] - figures['bare'], 100
    for count in (100_000, 1_000_000) if full else (10_000,):
        figures = measure('first_hit', count)
        yield f'first hit on {count:,} recordings ({figures["bytes"] / 1e6:.0f} MB) beside reading the bytes', ratio(figures, 'first', 'reading'), 2
        yield f'memory in MB after 1,000 hits on {count:,}, beside none', figures['memory_with'] - figures['memory_without'], 64 * max(count // 100_000, 1)
    figures = measure('concurrent', 200)
    yield '200 async hits at once beside one after the other', ratio(figures, 'together', 'apart'), 1

def rival_rows(full):
    "Yield name, number of recordings, and the ratio of a hit to the limit"
    for name, (folder, package) in rivals.items():
        for count in (10, 1000) if full else (10, 100):
            figures = run(rival_python(folder, package), 'rivals.py', name, count)
            yield name, count, figures.get('error') or f"{figures['again'] / figures['limit']:,.1f}"

def main():
    "Print the tables, and write them where `--json` says"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--full', action='store_true', help='up to a million recordings; takes some minutes and 3 GB of disk')
    parser.add_argument('--no-rivals', action='store_true', help='cachy alone')
    parser.add_argument('--json', type=Path, default=here/'bench.json', help='file to write the figures to, which the page about benchmarks reads')
    arguments = parser.parse_args()
    print(f'Python {platform.python_version()}, {platform.machine()}\n\n| what | measured | aim |\n|---|---|---|', flush=True)
    figures = []
    for what, measured, aim in rows(arguments.full):
        figures.append(dict(what=what, measured=measured, aim=aim))
        print(f"| {what} | {measured:.2f}{'' if measured <= aim else ' (missed)'} | {aim} |", flush=True)
    others = []
    if not arguments.no_rivals: print('\n| rival | recordings | a hit beside the limit |\n|---|---|---|', flush=True)
    for rival, count, measured in () if arguments.no_rivals else rival_rows(arguments.full):
        others.append(dict(rival=rival, recordings=count, measured=measured))
        print(f'| {rival} | {count:,} | {measured} |', flush=True)
    found = dict(machine=f'Python {platform.python_version()}, {platform.machine()}', cachy=figures, rivals=others, profile=run(sys.executable, 'measure.py', 'profile'))
    arguments.json.write_text(json.dumps(found, indent=1) + '\n')

if __name__ == '__main__': main()
