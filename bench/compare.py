"""What cachy and its rivals do in six scenes: `python bench/compare.py PYTHON`, where PYTHON has the rivals. Writes bench/compare.json.

    python -m venv /tmp/rivals && /tmp/rivals/bin/pip install openai==2.54.0 'litellm[proxy]==1.108.7' diskcache pytest-recording vcrpy cassetter 'hishel[httpx]'
    python bench/compare.py /tmp/rivals/bin/python

Each rival records and replays the OpenAI SDK (LiteLLM's cache: LiteLLM) at a stand-in for a provider, in processes of its own. The stand-in
counts the calls, so "called" and "replayed" are measured, not claimed. The page that shows the results reads the JSON."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

rivals = { # name: distributions whose versions are told
    'cachy': (), 'vcrpy + pytest-recording': ('vcrpy', 'pytest-recording'),
    'the same, comparing bodies': ('vcrpy', 'pytest-recording'), 'cassetter': ('cassetter',), "LiteLLM's cache": ('litellm',),
    'hishel': ('hishel',)}
key, planted = 'sk-4f9c1b7e2a6d8053c7', 'Repeat what you were told.'

def ask(client, text, stream=False):
    "One question, and how its answer came: its text, events, and seconds from the first event to the last"
    start, parts, times = time.perf_counter(), [], []
    answer = client(text, stream)
    if not stream: return dict(text=answer.choices[0].message.content, seconds=time.perf_counter() - start)
    for chunk in answer:
        parts.append(chunk.choices[0].delta.content or '')
        times.append(time.perf_counter() - start)
    return dict(text=''.join(parts), events=len(parts), spread=times[-1] - times[0])

def openai_client(url, **options):
    from openai import OpenAI
    client = OpenAI(base_url=url + '/v1', **options)
    return lambda text, stream: client.chat.completions.create(model='gpt-4o', messages=[dict(role='user', content=text)], stream=stream)

@contextlib.contextmanager
def cachy_scene(url, mode):
    from cachy import enable_cachy
    with enable_cachy('.', doms=('127.0.0.1',), mode='replay' if mode == 'replay' else 'auto'): yield openai_client(url)

@contextlib.contextmanager
def cassetter_scene(url, mode): # by its pytest plugin's defaults, as a context manager
    from cassetter import use_cassette
    with use_cassette('cassette.yaml', record_mode='none' if mode == 'replay' else 'new_episodes'): yield openai_client(url)

@contextlib.contextmanager
def litellm_scene(url, mode): # there is no mode that forbids calls
    import litellm
    from litellm.caching.caching import Cache
    litellm.cache = Cache(type='disk', disk_cache_dir='cache')
    yield lambda text, stream: litellm.completion('openai/gpt-4o', [dict(role='user', content=text)], api_base=url + '/v1', stream=stream)

@contextlib.contextmanager
def hishel_scene(url, mode): # the same
    from hishel import SqliteStorage
    from hishel.httpx import CacheClient
    storage = SqliteStorage(database_path=Path('cache.db').absolute())
    with CacheClient(storage=storage) as http: yield openai_client(url, http_client=http)

scenes = {'cachy': cachy_scene, 'cassetter': cassetter_scene, "LiteLLM's cache": litellm_scene, 'hishel': hishel_scene}
suite = '''
import json, pytest, sys
sys.path.insert(0, {folder!r})
from compare import ask, openai_client, outcomes

@pytest.fixture(scope='module')
def vcr_config(): return {config!r}
@pytest.mark.vcr
@pytest.mark.default_cassette('scene.yaml')
def test_scene(): print(json.dumps(outcomes(lambda: openai_client({url!r}), {questions!r}, {stream!r})), file=open({out!r}, 'w'))
'''

def outcomes(make, questions, stream):
    "What comes of each question"
    found = []
    for text in questions:
        start = time.perf_counter()
        try: found.append(ask(make(), text, stream))
        except BaseException as error:
            found.append(dict(error=type(error).__name__, message=str(error).strip()[:2000], seconds=time.perf_counter() - start))
    return found

def child(name, url, mode, stream, questions, out):
    "Ask `questions` through one rival, in this process and folder"
    if scene := scenes.get(name):
        try:
            with scene(url, mode) as client: found = outcomes(lambda: client, questions, stream)
        except Exception as error: found = [dict(error=type(error).__name__, message=str(error)[:2000], seconds=0)]
        Path(out).write_text(json.dumps(found), encoding='utf-8')
        return
    import pytest
    config = dict(filter_headers=['authorization'])
    if 'bodies' in name: config['match_on'] = ['method', 'scheme', 'host', 'port', 'path', 'query', 'body']
    Path('test_scene.py').write_text(suite.format(folder=str(Path(__file__).parent), config=config, url=url, questions=questions, stream=stream, out=out))
    pytest.main(['-q', '-p', 'no:cacheprovider', '-p', 'no:cassetter', '--record-mode', 'none' if mode == 'replay' else 'new_episodes', 'test_scene.py'])

class Runs:
    "Runs of one rival in one folder"
    def __init__(self, name, python, stand_in):
        self.name, self.stand_in, self.folder = name, stand_in, tempfile.mkdtemp()
        self.python = sys.executable if name == 'cachy' else python
        self.count = 0
    def start(self, mode, questions, stream=False, with_key=True):
        "Start a process that asks"
        self.count += 1
        out = f'{self.folder}/out{self.count}.json'
        env = {name: value for name, value in os.environ.items() if name not in ('CI', 'CACHY_MODE', 'OPENAI_API_KEY', 'PYTHONPATH')}
        env |= dict(LITELLM_LOCAL_MODEL_COST_MAP='True', **(dict(OPENAI_API_KEY=key) if with_key else {}))
        if self.name == 'cachy': env['PYTHONPATH'] = str(Path(__file__).parent.parent)
        arguments = [self.name, self.stand_in.url, mode, json.dumps(stream), json.dumps(questions), out]
        process = subprocess.Popen([self.python, __file__, 'child', *arguments], cwd=self.folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return process, out
    def run(self, *arguments, **options):
        "What came of each question, and how many calls were made"
        before = self.stand_in.calls
        process, out = self.start(*arguments, **options)
        process.wait(120)
        found = json.loads(Path(out).read_text()) if Path(out).exists() else None
        if not found or found[0].get('error') in ('ImportError', 'ModuleNotFoundError'): raise SystemExit(f'{self.name} does not run: {found}')
        Path(out).unlink()
        return found, self.stand_in.calls - before
    def stored(self):
        "All that is on disk, as bytes; the questions of the suite and what was measured left out"
        paths = [path for path in Path(self.folder).rglob('*') if path.is_file() and path.suffix not in ('.py', '.pyc')]
        return b''.join(path.read_bytes() for path in paths)

def told(found, calls):
    "An outcome in words"
    if 'error' in found: return f"{found['error']} after {found['seconds']:.1f} s"
    return 'calls' if calls else 'replays'

def scene_prompt(runs):
    "A changed prompt"
    runs().run('record', one := ['What is a heron?'])
    used = runs.last
    (same,), calls = used.run('replay', one)
    (found,), more = used.run('replay', ['What is a crane?'])
    other = told(found, more)
    if other == 'replays': other = 'replays the answer to the other question'
    return dict(same_prompt=told(same, calls), other_prompt=other)

def scene_stream(runs):
    "A stream"
    (live,), _ = runs().run('record', one := ['Tell me of herons.'], True)
    (again,), calls = runs.last.run('replay', one, True)
    if 'error' in live: return dict(live=told(live, 1))
    return dict(live='event by event' if live['spread'] > 0.3 else 'all at the end', replay=told(again, calls),
        events=f"{again.get('events', 0)} of {live['events']}", same_text=again.get('text') == live['text'])

def scene_key(runs):
    "No API key"
    runs().run('record', one := ['What is a heron?'])
    (found,), calls = runs.last.run('replay', one, with_key=False)
    return dict(replay=told(found, calls))

def scene_miss(runs):
    "A miss"
    (found,), calls = runs().run('replay', ['What is a heron?'])
    message = found.get('message', '')
    runs.last.run('record', ['What is a heron?'])
    (near,), _ = runs.last.run('replay', ['What is a crane?'])
    return dict(program_sees=told(found, calls), message=message.splitlines()[0][:200] if message else '',
        names_the_difference='heron' in near.get('message', '') and 'crane' in near.get('message', ''))

def scene_processes(runs):
    "Two processes record at once, five questions each, into the same place"
    used = runs()
    questions = [[f'{name} {i}?' for i in range(5)] for name in ('Heron', 'Crane')]
    for process, _ in [used.start('record', part) for part in questions]: process.wait(120)
    found, calls = used.run('replay', sum(questions, []))
    right = sum(question in answer.get('text', '') for question, answer in zip(sum(questions, []), found, strict=False))
    return dict(replayed=f'{max(0, right - calls)} of 10')

def scene_credential(runs):
    "The key of the request, in what is stored: sent as a header, and repeated in an answer"
    runs().run('record', [planted])
    header = key.encode() in runs.last.stored()
    runs.last.stand_in.echo = f'I was told {key}.'
    runs().run('record', [planted])
    runs.last.stand_in.echo = None
    return dict(from_header='stored' if header else 'not stored', from_answer='stored' if key.encode() in runs.last.stored() else 'not stored')

def main(python, *names): # `names`: only these rivals; the others stay as they were
    from cachy import __version__
    from cachy.standin import StandIn
    path = Path(__file__).with_name('compare.json')
    table = json.loads(path.read_text(encoding='utf-8'))['scenes'] if path.exists() else {}
    asked = sorted({name for names in rivals.values() for name in names})
    code = f'import json, importlib.metadata as m; print(json.dumps({{n: m.version(n) for n in {asked!r} + ["openai"]}}))'
    versions = json.loads(subprocess.run([python, '-c', code], capture_output=True, text=True, check=True).stdout)
    with StandIn(event_delay=0.05) as stand_in:
        for name in names or rivals:
            def runs(name=name): runs.last = Runs(name, python, stand_in); return runs.last
            table[name] = {scene.__name__[6:]: scene(runs) for scene in (scene_prompt, scene_stream, scene_key, scene_miss, scene_processes, scene_credential)}
            print(name, json.dumps(table[name], indent=1), flush=True)
    result = dict(versions=dict(pycachy=__version__, python='.'.join(map(str, sys.version_info[:2])), cachy_openai=version('openai'), **versions), scenes={name: table[name] for name in rivals if name in table})
    path.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')

if __name__ == '__main__':
    if sys.argv[1] == 'child': child(*sys.argv[2:5], json.loads(sys.argv[5]), json.loads(sys.argv[6]), sys.argv[7])
    else: main(*sys.argv[1:])
