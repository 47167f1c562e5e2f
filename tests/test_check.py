"`cachy check`: what it reports, what it lets pass, and that it shows no credential."
import base64
import json
import random
import sys

import pytest

from cachy.check import check, check_command, shapes_in, without_escapes
from cachy.file import Recording, write_line
from cachy.request import Call
from support import shared

key = 'sk-proj-Zk3vT9qLwX2mB7nR4cY8'
def call_of(body=b'{"model": "m"}'): return Call('POST', 'https://api.openai.com/v1/chat/completions', [('content-type', 'application/json')], body)
def line_of(body=b'{"text": "Hi"}', number=1, headers=None, call=None):
    if headers is None: headers = {'content-type': 'application/json'}
    return write_line(f'{number:016x}', call or call_of(), Recording(200, headers, body))
events = {'content-type': 'text/event-stream'}

def found(tmp_path, content, env=None):
    "Line and text of each finding that blocks, and of each note"
    (tmp_path/'cachy.jsonl').write_bytes(content)
    findings = check(tmp_path/'cachy.jsonl', env or {})
    assert key not in repr(findings) and key[8:] not in repr(findings)
    return [(finding.line, finding.what) for finding in findings if finding.blocks], [(finding.line, finding.what) for finding in findings if not finding.blocks]

good = line_of()

@pytest.mark.parametrize('content', [b'', good, b'\xef\xbb\xbf' + good, good.replace(b'\n', b'\r\n'), good.rstrip(), b'\n\n' + good + b'  \n'])
def test_nothing_to_report(content, tmp_path): assert found(tmp_path, content) == ([], [])

@pytest.mark.parametrize('bad', [b'{"key":"torn', good[:-20], b'null', b'[]', b'{}', b'\0' * 50, b'\xff\xfe', b'some log line', b'[' * 100_000, good.replace(b'"key":"0', b'"key":"z'),
    b'{"key": "0123456789abcdef", "response": "\\ud800"}', b'{"key": "0123456789abcdef", "response": "%%", "binary": true}', b'{"key": "0123456789abcde", "response": ""}'])
def test_damage(bad, tmp_path): assert found(tmp_path, good + bad.rstrip() + b'\n' + line_of(number=2)) == ([(2, 'damaged: no recording')], [])

def test_conflict_markers(tmp_path):
    content = b'<<<<<<< HEAD\n' + good + b'||||||| 5c1d\n=======\r\n' + line_of(number=2) + b'>>>>>>> branch'
    assert found(tmp_path, content) == ([(line, "git's conflict marker") for line in (1, 3, 4, 6)], [])

def test_duplicates_and_older_lines_are_notes(tmp_path):
    older = b'{"key": "0123abcd", "response": "{}"}\n'
    assert found(tmp_path, good + older + good + older) == ([], [
        (2, '1 recording(s) in an older format, the first here'), (3, 'the key 0000000000000001 again, as in line 1'), (4, 'the key 0123abcd again, as in line 2')])

@pytest.mark.parametrize('body, headers', [
    (f'{{"text": "{key}"}}'.encode(), {}), (f'{{"text": "It is\\n{key}"}}'.encode(), {}), (json.dumps(dict(arguments=json.dumps(dict(t=f'is\n{key}')))).encode(), {}),
    (b'data: {"d": "It is sk-proj-Zk3vT9qL"}\n\ndata: {"d": "wX2mB7nR4cY8 I guess"}\n\n', events), (f'Authorization: Bearer {key}'.encode(), {}), (b'\xff' + key.encode(), {}),
    (f'https://example.com/?api_key={key}&x=1'.encode(), {})])
def test_a_key_in_the_answer(body, headers, tmp_path):
    (blocking, notes) = found(tmp_path, line_of(body, headers=headers))
    assert len(blocking) == 1 and 'what looks like' in blocking[0][1] and notes == []

@pytest.mark.parametrize('content', [json.dumps(dict(key='0123456789abcdef', request=dict(body=dict(prompt=f'Use {key}')), response='')).encode(),
    json.dumps(dict(key='0123456789abcdef', headers={'x-debug': key}, response='')).encode(), f'{{"torn {key}'.encode()])
def test_a_key_elsewhere(content, tmp_path): assert 'what looks like an API key' in str(found(tmp_path, content)[0])

@pytest.mark.parametrize('name', ['set-cookie', 'Set-Cookie', 'openai-organization', 'anthropic-organization-id', 'authorization', 'x-api-key'])
def test_headers(name, tmp_path):
    blocking, _ = found(tmp_path, json.dumps(dict(key='0123456789abcdef', headers={name: 'short'}, response='')).encode())
    assert len(blocking) == 1 and f'the header {name} ' in blocking[0][1]

@pytest.mark.parametrize('text, what', [
    ('sk-ant-api03-' + 'Ab3-_dE5fG7h' * 3, 'an API key'), ('sk-' + '0a9b7c3d4e8f6152' * 2, 'an API key'), ('gsk_' + 'Ab3dE5fG7hIjK' * 3, 'an API key'), ('AIza' + 'Ab3dE_fG7h-Jk' * 2 + 'Ab3dE5fG7', 'a Google API key'),
    ('AKIAQ7WERTYUZ5PASDFG', 'an AWS access key id'), ('hf_' + 'QbCdEzGhIjKwMnOpQrStUvWxYz' * 2, 'a Hugging Face token'), ('ghp_' + 'AbC1EfGhIjKlMnOpQrStUvWxYz0987654321', 'a GitHub token'),
    ('-----BEGIN RSA PRIVATE KEY-----', 'a private key'), ('org-' + 'QbCdEzGhIjKwMnOpQrStUvWx', 'an organization id'), ('proj_' + 'QbCdEzGhIjKwMnOpQrStUvWx', 'a project id'),
    ('user-' + 'QbCdEzGhIjKwMnOpQrStUvWx', 'a user id'), ('arn:aws:bedrock:eu-west-1:498713265407:inference-profile/x', 'an AWS account id'),
    ('eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSIsIm4iOjF9.Qm9vZ2llLXdvb2dpZQ', 'a signed token (JWT)')])
def test_shapes(text, what):
    for around in ('{}', '"{}"', 'is {}.', '?k={}&', '\\n{}\\n'): assert [name for name, _ in shapes_in(without_escapes(around.format(text)))] == [what], around

@pytest.mark.parametrize('text', ['sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxx', 'sk-your-api-key-goes-here-12', 'risk-assessment-of-2024-and-2025-projects', 'AKIAIOSFODNN7EXAMPLE', 'org-123456789012345678901234',
    'msg_01B88A6kxkEzGAUrG9RdeNom', 'resp_002599978eed4a5a006a796e0bc3448190813ca423b9a837c2', 'call_9f3aB88A6kxkEzGAUrG9Rd', 'chatcmpl-ECCmRElIhRlbb7LOUbLHEPG06nQoA', 'req_011CTQaiFEZeqyYJdjh2a9Cp',
    'fp_ab0a2ab924', 'user-agent-of-the-browser', 'arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude', 'arn:aws:bedrock:us-east-1:123456789012:x', 'sk-learn', 'desk-' + 'a1b2c3d4' * 4])
def test_no_false_alarms(text): assert shapes_in(text) == []

def test_no_false_alarms_in_base64():
    dice = random.Random(5)
    assert shapes_in(' '.join(base64.b64encode(dice.randbytes(3000)).decode() for _ in range(300))) == []

@pytest.mark.slow
@pytest.mark.skipif(not (shared/'exchanges').is_dir(), reason='optional: real recorded exchanges, kept outside of the project; all is well without them')
def test_no_false_alarms_on_real_traffic(tmp_path):
    sys.path.insert(0, str(shared/'exchanges'))
    from load_exchanges import load_exchanges, req_bytes, resp_bytes
    exchanges = [exchange for exchange in load_exchanges(shared/'exchanges'/'dev-*.jsonl.gz', limit=1500) if exchange['status'] < 300]
    lines = [line_of(resp_bytes(exchange), number, {'content-type': exchange['resp_headers'].get('content-type', '')}, call_of(req_bytes(exchange))) for number, exchange in enumerate(exchanges)]
    assert len(lines) > 1000 and found(tmp_path, b''.join(lines)) == ([], [])

@pytest.mark.parametrize('name, value, body, hit', [
    ('OPENAI_API_KEY', 'abcdef-ghij-12', b'{"t": "abcdef-ghij-12"}', True), ('MY_TOKEN', 'quo"ted-12345', json.dumps('quo"ted-12345').encode(), True),
    ('my_secret', 'abcdefghijkl', b'abcdefghijkl', True), ('OPENAI_API_KEY', 'short', b'short', False), ('OPENAI_API_KEY', 'cachy-replays-without-a-key', b'cachy-replays-without-a-key', False),
    ('HOME', '/home/somebody', b'/home/somebody', False), ('MY_TOKEN', 'deltas-joined', b'data: {"d": "deltas-"}\n\ndata: {"d": "joined"}\n\n', True)])
def test_the_environment(name, value, body, hit, tmp_path):
    (blocking, _) = found(tmp_path, line_of(body, headers={}), {name: value})
    assert blocking == ([(1, f'the response holds the value of {name}')] if hit else [])

def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv('OPENAI_API_KEY', key)
    path = tmp_path/'cachy.jsonl'
    path.write_bytes(good)
    assert check_command([str(path)]) == 0 and capsys.readouterr().out == f'{path}: fine.\n'
    path.write_bytes(good + good)
    assert check_command([str(path)]) == 0 and capsys.readouterr().out.startswith(f'{path}:2: note: the key')
    path.write_bytes(good + line_of(f'{{"t": "{key}"}}'.encode(), 2))
    assert check_command([str(path)]) == 1
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 2 and all(line.startswith(f'{path}:2: ') for line in out.splitlines()) and 'the value of OPENAI_API_KEY' in out and key not in out
    assert check_command([str(tmp_path/'none.jsonl'), str(path)]) == 2 and 'No such file' in capsys.readouterr().err
    (tmp_path/'pyproject.toml').touch()
    monkeypatch.chdir(tmp_path)
    assert check_command([]) == 1 and capsys.readouterr().out.startswith('cachy.jsonl:2: ')
    path.unlink()
    assert check_command([]) == 0 and 'nothing to check' in capsys.readouterr().out
    monkeypatch.setenv('CI', 'true') # where nothing can replay without it
    assert check_command([]) == 1 and capsys.readouterr().out == f'{path}: no such file. Is it committed?\n'

@pytest.mark.parametrize('form', ['abcdefg%2Dhij-12', 'abcdefg&#45;hij-12', base64.b64encode(b'You are abcdefg-hij-12!').decode(), r'abcdefg\\u002dhij-12'])
def test_the_environment_in_other_forms(form, tmp_path):
    for body, headers in ((f'{{"t": "{form}"}}'.encode(), {}), (b'data: {"d": "' + form[:9].encode() + b'"}\n\ndata: {"d": "' + form[9:].encode() + b'"}\n\n', events)):
        if '\\' in form and headers: continue # an escape is not cut in two
        assert found(tmp_path, line_of(body, headers=headers), dict(serviceToken='abcdefg-hij-12'))[0] == [(1, 'the response holds the value of serviceToken')], body

def test_a_key_that_holds_a_word_by_chance_is_found():
    from cachy.check import shapes_in
    assert shapes_in('sk-proj-Zk3vT9qLwX2mB7nR4cYfAKe8Jd0PqWv5') and not shapes_in('sk-your-key-Zk3vT9qLwX2mB7nR4cY8')
