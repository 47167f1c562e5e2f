"""What a person waits for, in whole processes: `python bench/waits.py [--runs 5] [--large]`. Writes bench/waits.json, which the page about benchmarks reads.

Each task runs with the OpenAI SDK, at a stand-in on this machine that answers at once, in a process of its own, cachy and its rivals in turn; a figure is
the median in seconds. `no cache` calls each time, so what it takes is the program itself. The environments are made in bench/.venvs on the first run.
`--large` adds files of 100,000 recordings. hishel is not among them: it caches no POST, so with it each call is made again."""
import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

here = Path(__file__).parent
packages = { # of the environments; both have the same SDK
    'new': (str(here.parent), 'openai==2.54.0', 'vcrpy', 'pytest-recording', 'cassetter[httpx]', 'pytest', 'pytest-xdist'),
    'old': ('pycachy==0.0.22', 'openai==2.54.0', 'pytest', 'pytest-xdist')}
names = ('no cache', 'cachy', 'pycachy', 'vcrpy, JSON', 'vcrpy, YAML', 'cassetter')
limit = 120 # seconds that a run may take

def python_of(name):
    "The interpreter of an environment"
    folder = here/'.venvs'/f'waits-{name}'
    python = folder/('Scripts' if sys.platform == 'win32' else 'bin')/'python'
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, '-m', 'pip', 'install', '-q', *packages[name]], check=True, stderr=subprocess.DEVNULL)
    return python

# --- in the process that is measured ---

@contextlib.contextmanager
def caching(name, folder, record):
    "Record or replay what is called meanwhile"
    if name == 'cachy':
        from cachy import enable_cachy
        with enable_cachy(folder, doms=('127.0.0.1',), mode='auto' if record else 'replay'): yield
    elif name == 'pycachy':
        from cachy import enable_cachy
        yield enable_cachy(cache_dir=folder, doms=('127.0.0.1',))
    elif name.startswith('vcrpy'):
        from vcr import VCR
        recorder = VCR(serializer=name[-4:].lower(), record_mode='new_episodes' if record else 'none', match_on=['method', 'uri', 'body'])
        with recorder.use_cassette(f'{folder}/cassette', allow_playback_repeats=True): yield
    elif name == 'cassetter':
        from cassetter import use_cassette
        with use_cassette(Path(folder)/'cassette.yaml', record_mode='new_episodes' if record else 'none', match_on=['method', 'uri', 'body']): yield
    else: yield

def client_of(url):
    from openai import OpenAI
    client = OpenAI(base_url=url + '/v1', api_key='none', max_retries=0)
    return lambda messages: client.chat.completions.create(model='gpt-4o', messages=messages).choices[0].message.content

def ask_each(ask, count):
    "`count` questions that have nothing to do with each other"
    for number in range(count): assert ask([dict(role='user', content=f'Question {number}')])

def converse(ask, count):
    "`count` turns of a conversation"
    messages = []
    for number in range(count):
        messages.append(dict(role='user', content=f'Turn {number}'))
        messages.append(dict(role='assistant', content=ask(messages)))

def child(name, task, count, url, folder, record):
    with caching(name, folder, record == 'record'): globals()[task](client_of(url), int(count))

suite = '''
import sys
import pytest
sys.path.insert(0, {here!r})
from waits import caching, client_of

@pytest.fixture(scope='session')
def ask(): return client_of({url!r})
@pytest.mark.parametrize('number', range({count}))
{marks}
def test_it(ask, number{more}): assert ask([dict(role='user', content=f'Question {{number}}')])
'''
conftest = '''
import sys
import pytest
sys.path.insert(0, {here!r})
from waits import caching
@pytest.fixture(scope='session', autouse=True)
def cached():
    with caching('pycachy', {folder!r}, True): yield
'''
per_test = '''
@pytest.fixture
def cassette(number):
    with caching({name!r}, {folder!r} + f'/{{number}}', {record}): yield
'''
markers = {'vcrpy, YAML': "@pytest.mark.vcr(match_on=['method', 'uri', 'body'])"}
plugins = {'cachy': 'cachy.pytest_plugin', 'vcrpy, YAML': 'pytest_recording.plugin'}

def write_suite(name, count, url, folder):
    "A suite of `count` tests, as users of `name` write it: pytest-recording and cassetter have a cassette for each test"
    text = suite.format(here=str(here), url=url, count=count, marks=markers.get(name, ''), more=', cassette' * (name == 'cassetter'))
    if name == 'cassetter': text = text.replace('@pytest.mark.parametrize', per_test.format(name=name, folder=str(folder), record="not __import__('os').path.exists(" + repr(f'{folder}/recorded') + ')') + '@pytest.mark.parametrize', 1)
    if name == 'cassetter':
        for number in range(count): (folder/str(number)).mkdir()
    (folder/'test_it.py').write_text(text)
    (folder/'pytest.ini').write_text('[pytest]\n')
    if name == 'cachy': (folder/'conftest.py').write_text("import pytest\n@pytest.fixture\ndef cachy_options(): return dict(doms=('127.0.0.1',))\n")
    if name == 'pycachy': (folder/'conftest.py').write_text(conftest.format(here=str(here), folder=str(folder)))

def suite_command(name, record, workers):
    plugin = [part for part in (plugins.get(name),) if part]
    mode = {'cachy': [f'--cachy={"auto" if record else "replay"}'], 'vcrpy, YAML': [f'--record-mode={"new_episodes" if record else "none"}']}.get(name, [])
    more = ['-p', 'xdist', '-n', str(workers)] if workers else []
    return ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', *(part for one in plugin for part in ('-p', one)), *mode, *more, 'test_it.py']

# --- in the process that measures ---

class Fell(Exception): "A process that ended with an error"

def timed(name, arguments, folder):
    "Seconds of a process"
    env = {key: value for key, value in os.environ.items() if key not in ('CI', 'CACHY_MODE', 'PYTHONPATH', 'PYTEST_ADDOPTS')} | dict(PYTEST_DISABLE_PLUGIN_AUTOLOAD='1')
    start = time.perf_counter()
    done = subprocess.run([python_of('old' if name == 'pycachy' else 'new'), *map(str, arguments)], cwd=folder, env=env, capture_output=True, text=True, timeout=limit)
    if done.returncode: raise Fell(f'{name}: {(done.stdout + done.stderr)[-2000:]}')
    return time.perf_counter() - start

class Place:
    "A folder with the recordings of one rival"
    def __init__(self, name, url): self.name, self.url, self.folder = name, url, Path(tempfile.mkdtemp())
    def run(self, task, count, record=False):
        return timed(self.name, [__file__, 'child', self.name, task, count, self.url, self.folder, 'record' if record else 'replay'], self.folder)
    def run_suite(self, record=False, workers=0): return timed(self.name, suite_command(self.name, record, workers), self.folder)

def multiply(place, count):
    "Have the one recording of `place` stand among `count` others"
    path = next(path for path in place.folder.iterdir() if path.is_file())
    head, one, tail = parts_of(place.name, path.read_text())
    def other(number):
        text = one.replace('Question 0', f'Other question {number}')
        return re.sub(r'("key": ?)"\w+"', rf'\1"{number:016x}"', text, count=1) if 'cachy' in place.name else text
    path.write_text(head + {'vcrpy, JSON': ',\n'}.get(place.name, '').join([*map(other, range(count)), one]) + tail)

def parts_of(name, text):
    "What stands before, in, and after the recording in the file of a rival"
    if 'cachy' in name: return '', text.rstrip('\n') + '\n', ''
    if name == 'vcrpy, JSON':
        data = json.loads(text)
        return '{"version": 1, "interactions": [', json.dumps(data['interactions'][0]), ']}'
    start = text.index('- ')
    end = text.index('\nversion:') + 1 if '\nversion:' in text[start:] else len(text)
    return text[:start], text[start:end], text[end:]

def measure(runs, large, only):
    "Yield the task, and the seconds that each takes; of a task whose title lacks `only`, none"
    from cachy.standin import StandIn
    def compare(title, make, run, among=names):
        if only not in title: return title, {}
        failed = {}
        places = {name: make(name) for name in among}
        times = {name: [] for name in among}
        for _ in range(runs):
            for name in list(times):
                try: times[name].append(run(places[name]))
                except subprocess.TimeoutExpired: failed[name] = f'more than {limit}'
                except Fell: failed[name] = 'fails'
                if name in failed: del times[name]
        return title, failed | {name: statistics.median(values) for name, values in times.items()}
    with StandIn() as server:
        url = server.url
        def recorded(task, count):
            def make(name):
                place = Place(name, url)
                place.run(task, count, True)
                return place
            return make
        def with_suite(name):
            place = Place(name, url)
            write_suite(name, 300, url, place.folder)
            place.run_suite(True)
            (place.folder/'recorded').touch()
            return place
        def grown(count):
            def make(name):
                place = recorded('ask_each', 1)(name)
                multiply(place, count)
                return place
            return make
        def afresh(task, count): return lambda place: Place(place.name, url).run(task, count, True)
        in_suites = tuple(name for name in names if name != 'vcrpy, JSON')
        yield compare('a script with one replayed call', recorded('ask_each', 1), lambda place: place.run('ask_each', 1))
        yield compare('30 replayed calls', recorded('ask_each', 30), lambda place: place.run('ask_each', 30))
        yield compare('a suite of 300 tests, replayed', with_suite, lambda place: place.run_suite(), in_suites)
        yield compare('the same with two workers', with_suite, lambda place: place.run_suite(workers=2), in_suites)
        yield compare('an agent of 100 turns, recorded', lambda name: Place(name, url), afresh('converse', 100))
        yield compare('the same, replayed', recorded('converse', 100), lambda place: place.run('converse', 100))
        yield compare('200 calls, recorded', lambda name: Place(name, url), afresh('ask_each', 200))
        sizes = (10_000, 100_000) if large else (10_000,)
        caches = tuple(name for name in names if name != 'no cache')
        for size in sizes:
            title, seconds = compare(f'one replayed call, {size:,} recordings in the file', grown(size), lambda place: place.run('ask_each', 1), caches)
            yield title, {name: seconds.get(name, 'not tried') for name in names[1:]} if seconds else {}
            caches = tuple(name for name in caches if not seconds or (isinstance(seconds[name], float) and seconds[name] < limit / 10))

def show(found):
    "Markdown"
    rows = [f'| {title} | ' + ' | '.join(f'{value:.2f}' if isinstance(value := seconds.get(name, ''), float) else value for name in names) + ' |' for title, seconds in found.items()]
    return '\n'.join(['| seconds | ' + ' | '.join(names) + ' |', '|---' * (len(names) + 1) + '|', *rows])

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--large', action='store_true', help='files of 100,000 recordings, too')
    parser.add_argument('--only', default='', metavar='TEXT', help='measure the tasks anew whose title has this text')
    options = parser.parse_args()
    for name in packages: python_of(name)
    subprocess.run([python_of('new'), '-m', 'pip', 'install', '-q', '--no-deps', '--force-reinstall', here.parent], check=True) # cachy as it is now, compiled
    out = here/'waits.json'
    found, runs = map(json.loads(out.read_text()).get, ('seconds', 'runs')) if options.only and out.exists() else ({}, {})
    for title, seconds in measure(options.runs, options.large, options.only):
        if not seconds: continue
        found[title], runs[title] = seconds, options.runs
        print(title, {name: round(value, 2) if isinstance(value, float) else value for name, value in seconds.items()}, file=sys.stderr)
    versions = {name: subprocess.run([python_of('new'), '-c', f'from importlib.metadata import version; print(version({name!r}))'], capture_output=True, text=True).stdout.strip()
        for name in ('vcrpy', 'pytest-recording', 'cassetter', 'openai')}
    out.write_text(json.dumps(dict(versions=versions | dict(pycachy='0.0.22', python='.'.join(map(str, sys.version_info[:2]))), runs=runs, seconds=found), indent=1) + '\n')
    print(show(found))

if __name__ == '__main__': child(*sys.argv[2:]) if sys.argv[1:2] == ['child'] else main()
