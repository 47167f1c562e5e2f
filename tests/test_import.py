"Cassettes of vcrpy and pytest-recording: imported, then replayed through the SDKs with no network, equal objects."
import gzip
import json
import subprocess
import sys
import zlib
from pathlib import Path

import brotli
import httpx
import pytest
import zstandard

from cachy import CachyMiss, enable_cachy
from cachy.cli import main
from cachy.request import is_cached
from cachy.vcr import read_cassette
from support import environment, python, root
from support.providers import provider_server
from support.recordings import recordings
from support.vcr_calls import all_parts, results

vcr = pytest.importorskip('vcr')
yaml = pytest.importorskip('yaml')

def take(folder, *arguments): return main(['import', 'vcr', '--to', str(folder), '--doms', '127.0.0.1', *map(str, arguments)])

def replay(folder, **options): return enable_cachy(folder, doms=('127.0.0.1', 'api.openai.com', 'api.anthropic.com'), mode='replay', **options)

def write(folder, *interactions, name='cassette.yaml'):
    "A cassette of `interactions`"
    path = folder/name
    path.write_text(yaml.dump(dict(interactions=list(interactions), version=1)))
    return path

url = 'https://api.openai.com/v1/chat/completions'
question = dict(model='m', messages=[dict(role='user', content='Hello')])

def said(text): return dict(choices=[dict(message=dict(role='assistant', content=text), finish_reason='stop')])

def interaction(answer='Hi.', status=200, uri=url, method='POST', request=None, response=None, headers=None, **more):
    "As vcrpy writes one"
    body = answer if isinstance(answer, (bytes, dict)) else json.dumps(said(answer))
    return dict(request=dict(method=method, uri=uri, body=json.dumps(question), headers={'Content-Type': ['application/json'], 'User-Agent': ['x']} | (headers or {})) | (request or {}),
        response=dict(status=dict(code=status, message='OK'), headers={'Content-Type': ['application/json']}, body=dict(string=body)) | (response or {}))

def ask(folder, sample=0, **options):
    "What a replay gives"
    with replay(folder) as session:
        session.sample_number = sample
        return httpx.request(options.pop('method', 'POST'), options.pop('url', url), **(options or dict(json=question))).json()

# Four SDKs

@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    "What the SDKs gave while vcrpy recorded them, where they were, and the cassettes; most are compressed"
    folder, given = tmp_path_factory.mktemp('recorded'), {}
    with provider_server() as server:
        server.compress = 'gzip'
        for name, options, parts in (('plain', {}, all_parts), ('decoded', dict(decode_compressed_response=True), all_parts[1:2])):
            with vcr.VCR(**options).use_cassette(str(folder/f'{name}.yaml'), record_mode='all'): given[name] = results(server.url, parts)
        server.compress = None
        with vcr.VCR(serializer='json').use_cassette(str(folder/'json.json'), record_mode='all'): given['json'] = results(server.url, all_parts[1:2])
        return given, server.url, folder

@pytest.mark.slow
@pytest.mark.parametrize('name, parts', [('plain.yaml', all_parts), ('decoded.yaml', all_parts[1:2]), ('json.json', all_parts[1:2])])
def test_sdks_replay_what_vcrpy_recorded(recorded, tmp_path, name, parts, capsys):
    given, url, folder = recorded
    assert len(given['plain']) >= 40
    assert take(tmp_path, folder/name) == 0
    assert capsys.readouterr().out.count('\n') == 1 # nothing was refused
    with replay(tmp_path) as session: again = results(url, parts)
    assert again == given[Path(name).stem] and session.counts['missed'] == 0
    text = (tmp_path/'cachy.jsonl').read_text()
    assert 'of-the-test' not in text and 'session=' not in text and 'acme' not in text
    assert all(line['at'].endswith('Z') for line in recordings(tmp_path))
    before = (tmp_path/'cachy.jsonl').read_bytes()
    assert take(tmp_path, folder/name) == 0 and (tmp_path/'cachy.jsonl').read_bytes() == before # again adds nothing

def test_pytest_recording(tmp_path, stand_in):
    "Its tests leave cassettes in a folder for each module; once imported, they replay without marker and plugin"
    (tmp_path/'pytest.ini').write_text('[pytest]')
    (tmp_path/'test_it.py').write_text(f"""import httpx, pytest
@pytest.mark.vcr
@pytest.mark.parametrize('word', ['heron', 'crane'])
def test_it(word): print(httpx.post('{stand_in.url}/v1/chat/completions', json=dict(model='m', messages=[dict(role='user', content=word)])).text)
""")
    command = [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', '-c', 'pytest.ini', '-s', '-q', '-p', 'pytest_recording.plugin', '--record-mode=once']
    done = subprocess.run(command, cwd=tmp_path, env=environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD='1'), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    cassettes = tmp_path/'cassettes'
    assert sorted(path.name for path in cassettes.rglob('*.yaml')) == ['test_it[crane].yaml', 'test_it[heron].yaml']
    assert take(tmp_path, cassettes) == 0
    for word in ('heron', 'crane'):
        answer = ask(tmp_path, url=stand_in.url + '/v1/chat/completions', json=dict(model='m', messages=[dict(role='user', content=word)]))
        assert word in answer['choices'][0]['message']['content'] and json.dumps(answer) in done.stdout

# Forms of cassettes

packers = dict(gzip=gzip.compress, deflate=zlib.compress, br=brotli.compress, zstd=zstandard.compress,
    raw_deflate=lambda body: (packer := zlib.compressobj(wbits=-15)).compress(body) + packer.flush(), identity=bytes)

@pytest.mark.parametrize('name', packers)
@pytest.mark.parametrize('packed', [True, False])
def test_compressed_and_decoded(tmp_path, name, packed):
    body = json.dumps(said('a heron, é' * 20)).encode()
    headers = {'Content-Type': ['application/json'], 'Content-Encoding': [name.removeprefix('raw_')]}
    write(tmp_path, interaction(packers[name](body) if packed else body, response=dict(headers=headers)))
    assert take(tmp_path, tmp_path/'cassette.yaml') == 0 and ask(tmp_path) == json.loads(body)
    assert json.loads(recordings(tmp_path)[0]['response']) == json.loads(body)

def forms():
    "The same exchange in all forms in which cassettes hold one"
    body, asked = json.dumps(said('Hi.')), json.dumps(question)
    plain = interaction()
    yield 'plain', plain
    yield 'bytes', interaction(body.encode(), request=dict(body=asked.encode()))
    yield 'parsed', dict(request=dict(plain['request'], body=None) | dict(parsed_body=question),
        response={name: value for name, value in plain['response'].items() if name != 'body'} | dict(parsed_body=said('Hi.')))
    yield 'older httpx', dict(plain, response=dict(status_code=200, http_version='HTTP/1.1', headers=plain['response']['headers'], content=body))
    yield 'texts as headers', dict(plain, request=dict(plain['request'], headers={'content-type': 'application/json'}))
    yield 'headers as bytes', dict(plain, request=dict(plain['request'], headers={b'content-type': [b'application/json']}))
    yield 'no headers', dict(plain, request=dict(plain['request'], headers={}))
    yield 'lower case', dict(plain, request=dict(plain['request'], method='post', uri=url.replace('https://api.', 'https://API.')))
    yield 'key in the address', dict(plain, request=dict(plain['request'], uri=url + '?api_key=sk-1234567890abcdef'))
    yield 'in base64', dict(plain, response=dict(plain['response'], body=dict(base64_string='eyJjaG9pY2VzIjogW3sibWVzc2FnZSI6IHsicm9sZSI6ICJhc3Npc3RhbnQiLCAiY29udGVudCI6ICJIaS4ifSwgImZpbmlzaF9yZWFzb24iOiAic3RvcCJ9XX0=')))
    yield 'in parts', dict(plain, request=dict(plain['request'], body=[asked[:9].encode(), asked[9:].encode()]))

@pytest.mark.parametrize('form', [pytest.param(form, id=name) for name, form in forms()])
def test_forms(tmp_path, form):
    write(tmp_path, form)
    assert take(tmp_path, tmp_path/'cassette.yaml') == 0
    assert ask(tmp_path) == said('Hi.')

def test_bodies_that_were_files(tmp_path):
    "vcrpy's two kinds of Python object, as it writes them itself; any other object is refused"
    text = f"""interactions:
- request:
    body: !!python/object/new:_io.BytesIO
      state: !!python/tuple [{json.dumps(json.dumps(question))}, 0, null]
    headers: {{content-type: [application/json]}}
    method: POST
    uri: {url}
  response: {{body: {{string: '{json.dumps(said('Hi.'))}'}}, headers: {{content-type: [application/json]}}, status: {{code: 200, message: OK}}}}
version: 1
"""
    (tmp_path/'a.yaml').write_text(text)
    assert take(tmp_path, tmp_path/'a.yaml') == 0 and ask(tmp_path) == said('Hi.')
    (tmp_path/'b.yaml').write_text('interactions: !!python/object/apply:os.system ["touch ran"]')
    assert take(tmp_path, tmp_path/'b.yaml') == 1 and not (root/'ran').exists()

# The same request again

def test_answers_to_the_same_request_become_samples(tmp_path, capsys):
    write(tmp_path, *(interaction(text) for text in ('one', 'two', 'one', 'three')))
    assert take(tmp_path, tmp_path/'cassette.yaml') == 0
    assert [ask(tmp_path, number) for number in range(3)] == [said('one'), said('two'), said('three')]
    with pytest.raises(CachyMiss): ask(tmp_path, 3)
    assert [line.get('sample', 0) for line in recordings(tmp_path)] == [0, 1, 2]
    assert '1 recording and 2 samples added; there already: 1' in capsys.readouterr().out
    before = (tmp_path/'cachy.jsonl').read_bytes()
    take(tmp_path, tmp_path/'cassette.yaml')
    assert (tmp_path/'cachy.jsonl').read_bytes() == before

def test_what_is_in_the_file_stays(tmp_path, capsys):
    "From before, or from another cassette"
    write(tmp_path, interaction('one'), name='a.yaml')
    write(tmp_path, interaction('two'), interaction('three'), name='b.yaml')
    take(tmp_path, tmp_path)
    assert ask(tmp_path) == said('one') and len(recordings(tmp_path)) == 1
    assert capsys.readouterr().out.count('the file has another answer to the same request, which stays') == 2

def test_read_gets_its_last_answer(tmp_path, capsys):
    "As in a live session; a job that still runs is none"
    read = lambda **fields: interaction(fields, method='GET', uri='https://api.openai.com/v1/batches/b', request=dict(body=None))
    looks = [dict(read(), response=dict(status=dict(code=200), headers={'content-type': ['application/json']}, body=dict(string=json.dumps(dict(id='b', status=status, n=n)))))
        for n, status in enumerate(('in_progress', 'completed', 'completed'))]
    write(tmp_path, *looks)
    take(tmp_path, tmp_path/'cassette.yaml')
    assert ask(tmp_path, url='https://api.openai.com/v1/batches/b', method='GET', headers={})['n'] == 2 and len(recordings(tmp_path)) == 1
    said_of = capsys.readouterr().out
    assert "interaction 1 is not imported" in said_of and 'in_progress' in said_of and 'this is an earlier one' in said_of

# What cannot become a recording

def refused():
    yield interaction(status=429), 'status'
    yield interaction(b'{"choices": [{"mess'), 'cut short|ends in the middle|JSON'
    yield interaction(json.dumps(dict(error=dict(message='no'))).encode()), 'error'
    yield interaction(b'data: {"choices":[]}\n\n', response=dict(headers={'content-type': ['text/event-stream']})), 'end|stream'
    yield interaction('You said sk-1234567890abcdef', headers={'authorization': ['Bearer sk-1234567890abcdef']}), 'credential'
    yield interaction('Use sk-proj-Zk3vT9qLwX2mB7nR4cY8.'), 'API key'
    yield interaction(uri='https://example.com/v1/chat'), '--doms'
    yield interaction(uri='https://api.anthropic.com/v1/messages'), '--header'
    yield interaction(b'\x1f\x8b broken', response=dict(headers={'content-encoding': ['gzip']})), 'damaged'
    yield interaction(b'\xff\xfe', response=dict(headers={'content-encoding': ['br']})), 'damaged'
    yield interaction(b'x', response=dict(headers={'content-encoding': ['rot13']})), 'not known'
    for broken in (dict(request={}), dict(response=None), dict(request=dict(uri=url)), dict(response=dict(status=dict(code='x')))): yield interaction() | broken, 'Error'
    yield 'text', 'Error'

@pytest.mark.parametrize('number', range(len(list(refused()))))
def test_what_is_no_recording_is_named(tmp_path, capsys, number):
    "With its number, and why; the rest is imported"
    import re
    wrong, why = list(refused())[number]
    write(tmp_path, wrong, interaction())
    assert take(tmp_path, tmp_path/'cassette.yaml') == 0
    line, total = capsys.readouterr().out.splitlines()
    assert 'interaction 1 is not imported' in line and re.search(why, line), line
    assert 'sk-1234567890abcdef' not in line and 'Zk3vT9' not in line
    assert '1 recording and 0 samples added' in total and 'interactions that are none: 1.' in total
    assert len(recordings(tmp_path)) == 1 and ask(tmp_path) == said('Hi.')

@pytest.mark.parametrize('text', ['', 'a: [', '[]', 'just a text', '{"interactions": 1}', '- 1', 'a: !!python/name:os.system', '\0', '[' * 100_000, 'a: &a [*a]'])
def test_what_is_no_cassette_is_named(tmp_path, capsys, text):
    (tmp_path/'it.yaml').write_text(text)
    write(tmp_path, interaction(), name='other.yaml')
    assert take(tmp_path, tmp_path) == 1
    assert 'it.yaml: no ' in capsys.readouterr().err and ask(tmp_path) == said('Hi.')

def test_paths_that_are_not_there(tmp_path, capsys):
    assert take(tmp_path, tmp_path/'nowhere.yaml') == 1 and 'No such file' in capsys.readouterr().err
    assert main(['import', 'vcr', '--to', str(tmp_path/'nowhere'), str(tmp_path)]) == 2 and 'no existing folder' in capsys.readouterr().err

def test_options(tmp_path):
    "Headers that a suite has taken out, errors that are answers, other hosts"
    other = 'https://llm.example.com/v1/chat/completions'
    write(tmp_path, interaction('anthropic', uri='https://api.anthropic.com/v1/messages'), interaction('gone', status=404), interaction('other', uri=other))
    assert take(tmp_path, tmp_path/'cassette.yaml', '--header', 'api.anthropic.com', 'Anthropic-Version', '2023-06-01', '--errors', '404', '--doms', 'llm.example.com') == 0
    assert ask(tmp_path, url='https://api.anthropic.com/v1/messages', json=question, headers={'anthropic-version': '2023-06-01'}) == said('anthropic')
    assert ask(tmp_path) == said('gone') and len(recordings(tmp_path)) == 3

def test_missing_package_is_named(tmp_path, monkeypatch, capsys):
    write(tmp_path, interaction())
    monkeypatch.setitem(sys.modules, 'yaml', None)
    assert take(tmp_path, tmp_path/'cassette.yaml') == 2 and "pip install 'pycachy[vcr]'" in capsys.readouterr().err

def test_yaml_is_imported_only_for_a_cassette(tmp_path):
    code = 'import sys, cachy.vcr, cachy.cli; print("yaml" in sys.modules); cachy.vcr.read_cassette(\'{"interactions": []}\'); print("yaml" in sys.modules)'
    assert python('-c', code).stdout.split() == ['False', 'False']
    assert read_cassette('interactions: []') == []

def test_real_exchanges(tmp_path, capsys):
    "Real traffic, written as a cassette: whatever is imported replays, and nothing else is"
    shared = root.parent/'shared'/'exchanges'
    if not shared.exists(): pytest.skip('optional: real traffic beside the project; all is well without it')
    sys.path.insert(0, str(shared))
    from load_exchanges import load_exchanges, req_bytes, resp_bytes
    found = [exchange for exchange in load_exchanges(str(shared/'dev-openai.jsonl.gz')) if not exchange.get('synthetic')][:60]
    write(tmp_path, *(dict(request=dict(method=exchange['method'], uri=exchange['url'], headers=exchange['req_headers'], body=req_bytes(exchange)),
        response=dict(status=dict(code=exchange['status'], message=''), headers=exchange['resp_headers'], body=dict(string=resp_bytes(exchange)))) for exchange in found))
    take(tmp_path, tmp_path/'cassette.yaml')
    counts = capsys.readouterr().out.splitlines()[-1]
    print(counts)
    assert len(recordings(tmp_path)) > 30
    replayed = 0
    with enable_cachy(tmp_path, mode='replay') as session:
        for exchange in found:
            if exchange['status'] != 200 or not is_cached(exchange['url'], session.doms): continue
            headers = {name: value for name, value in exchange['req_headers'].items() if name.lower() in ('content-type', 'accept', 'openai-beta')}
            try: answer = httpx.request(exchange['method'], exchange['url'], content=req_bytes(exchange), headers=headers)
            except CachyMiss: continue
            assert any(answer.content == resp_bytes(other) for other in found if other['url'] == exchange['url'])
            replayed += 1
    assert replayed > 40

# The mark that is left over

def run_marked(folder, url, *options):
    "A test that carries vcrpy's mark, run by pytest with cachy's plugin"
    (folder/'pytest.ini').write_text('[pytest]')
    (folder/'test_it.py').write_text(f"""import httpx, pytest
@pytest.fixture
def cachy_options(): return dict(doms=('127.0.0.1',))
@pytest.mark.vcr
def test_it(): assert httpx.post('{url}/v1/embeddings', json=dict(input='a')).status_code == 200
""")
    command = [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', '-c', 'pytest.ini', '-q', '-p', 'cachy.pytest_plugin', *options]
    return subprocess.run(command, cwd=folder, env=environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD='1'), capture_output=True, text=True, timeout=120)

def test_left_over_mark_does_not_go_out(tmp_path, stand_in):
    done = run_marked(tmp_path, stand_in.url)
    assert done.returncode == 1 and stand_in.log == [] and 'since @pytest.mark.vcr, which no plugin reads' in done.stdout, done.stdout
    assert run_marked(tmp_path, stand_in.url, '--cachy=auto').returncode == 0 and len(stand_in.log) == 1
    assert run_marked(tmp_path, stand_in.url).returncode == 0 and len(stand_in.log) == 1
    (tmp_path/'cachy.jsonl').unlink()
    assert run_marked(tmp_path, stand_in.url, '-p', 'pytest_recording.plugin', '--record-mode=once').returncode == 0 and len(stand_in.log) == 2
    assert (tmp_path/'cassettes').exists() and not (tmp_path/'cachy.jsonl').exists() # with its plugin the mark is vcrpy's
