"After an upgrade of an SDK the old answers replay under the new keys; no rule gives an answer to another question."
import json
import logging
import os
import sys

import httpx
import pytest

from cachy import CachyMiss, enable_cachy
from cachy.adopt import former_calls, parse_rule, rules_of
from cachy.cli import main
from cachy.request import Call
from cachy.standin import StandIn
from support import environment, python, root

old_python, other_python = os.environ.get('CACHY_OLD_PYTHON'), os.environ.get('CACHY_OTHER_PYTHON')

def ask(form, text, **more):
    "A question to Anthropic or Google as one release of the SDK sends it; gives the answer's text"
    name, generation = form
    if name == 'anthropic':
        headers, url = {'anthropic-version': '2026-10-21' if generation else '2023-06-01'}, 'https://api.anthropic.com/v1/messages' + ('?beta=true' * more.pop('beta', False) if not generation else '')
        body = dict(model='claude', max_tokens=10, messages=[dict(role='user', content=text)], **more)
    else:
        headers, url = {}, f"https://generativelanguage.googleapis.com/{'v1' if generation else 'v1beta'}/models/gemini:generateContent"
        body = dict(contents=[dict(role='user', parts=[dict(text=text)])], **more)
    if generation: body.pop('beta', None)
    with httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, json=dict(said=f'{request.url} {request.content.decode()}')))) as client:
        return client.post(url, json=body, headers=headers).json()['said']

program = '''
import sys, httpx, cachy
sys.path.insert(0, {tests!r})
from test_adopt import ask
with cachy.enable_cachy({folder!r}, mode='auto'):
    for name, text in {asked!r}: ask((name, 1), text)
'''

@pytest.fixture
def run(tmp_path):
    "Writes a program that asks as the new SDKs do, and gives the command"
    def run(*asked):
        (tmp_path/'run.py').write_text(program.format(tests=str(root/'tests'), folder=str(tmp_path), asked=asked))
        os.environ['PYTHONPATH'] = os.pathsep.join([str(root), str(root/'tests')])
        return f'"{sys.executable}" "{tmp_path/"run.py"}"'
    before = os.environ.get('PYTHONPATH')
    yield run
    if before is None: os.environ.pop('PYTHONPATH', None)
    else: os.environ['PYTHONPATH'] = before

asked = [('anthropic', 'one'), ('anthropic', 'two'), ('genai', 'one'), ('genai', 'three')]

def test_old_answers_under_new_keys(tmp_path, run, capfd):
    path = tmp_path/'cachy.jsonl'
    with enable_cachy(tmp_path, mode='auto'): old = {pair: ask((pair[0], 0), pair[1]) for pair in asked}
    lines = path.read_bytes().splitlines()
    path.write_bytes(b''.join(line.replace(b'"elapsed":', b'"more":[1, 2],"elapsed":') + b'\n' for line in lines)) # unknown fields stay too
    assert main(['adopt', 'anthropic-2', '--file', str(path), '--run', run(*asked)]) == 1 # genai misses
    assert main(['adopt', 'anthropic-2', 'genai-3', '--file', str(path), '--run', run(*asked)]) == 0
    out = capfd.readouterr()
    assert '2 recordings adopted' in out.out and 'cachy adopt genai-3' in out.err
    with enable_cachy(tmp_path, mode='replay') as session:
        assert {pair: ask((pair[0], 1), pair[1]) for pair in asked} == old and session.counts['replayed'] == 4
    before, after = path.read_bytes().splitlines()[:4], path.read_bytes().splitlines()[4:]
    assert [line.partition(b',"status_code"')[2] for line in after] == [line.partition(b',"status_code"')[2] for line in before]
    assert [json.loads(line)['request'].get('headers') for line in after] == [{'anthropic-version': '2026-10-21'}] * 2 + [None] * 2
    assert main(['adopt', 'anthropic-2', 'genai-3', '--file', str(path), '--run', run(*asked)]) == 1 # nothing more
    assert main(['tidy', str(path), '--run', run(*asked)]) == 0 and path.read_bytes().splitlines() == after

def test_never_to_another_question(tmp_path, run):
    with enable_cachy(tmp_path, mode='auto'):
        for name, text in asked: ask((name, 0), text)
    before = (tmp_path/'cachy.jsonl').read_bytes()
    for other in (('anthropic', 'One'), ('anthropic', 'three'), ('genai', 'two')):
        assert main(['adopt', 'anthropic-2', 'genai-3', '--file', str(tmp_path/'cachy.jsonl'), '--run', run(other)]) == 1
    assert (tmp_path/'cachy.jsonl').read_bytes() == before

def test_said_once_before_it_is_paid(tmp_path, caplog):
    with enable_cachy(tmp_path, mode='auto'):
        for name, text in asked: ask((name, 0), text)
    said = []
    with enable_cachy(tmp_path, mode='replay'), pytest.raises(CachyMiss, match=r'2 recordings of .*cachy adopt anthropic-2 --run'): ask(('anthropic', 1), 'one')
    with enable_cachy(tmp_path, mode='replay'), pytest.raises(CachyMiss) as miss: ask(('anthropic', 1), 'four')
    assert 'adopt' not in str(miss.value)
    caplog.clear()
    with enable_cachy(tmp_path, mode='auto') as session:
        for text in ('four', 'one', 'two'):
            said.append(len([record for record in caplog.records if 'cachy adopt' in record.getMessage()]))
            ask(('anthropic', 1), text)
    record, = [record for record in caplog.records if 'cachy adopt' in record.getMessage()]
    assert said == [0, 0, 1] and record.levelno == logging.WARNING and '2 recordings of' in record.getMessage() and session.counts['recorded'] == 3

def test_what_is_no_rule(tmp_path, capsys):
    for text in ('anthropic', 'header:x', 'url:', 'body:x=nonsense'):
        with pytest.raises(SystemExit) as end: main(['adopt', text, '--run', 'true'])
        assert end.value.code == 2
    assert 'anthropic-2, genai-3' in capsys.readouterr().err

def test_rules():
    call = Call('POST', 'https://a.example/v1/x?b=1', [('h', 'new')], b'{"a":{"b":1},"c":2}')
    def former(*texts): return former_calls(call, rules_of(texts))
    assert [dict(one.headers) for one in former('header:H=old')] == [{'h': 'old'}] and former('header:h=')[0].headers == []
    assert former('url:/v1/=/v0/')[0].url == 'https://a.example/v0/x?b=1' and former('url:/v9/=/v1/') == []
    assert former('query:b=')[0].url == 'https://a.example/v1/x' and former('query:c=2')[0].url == 'https://a.example/v1/x?b=1&c=2'
    assert json.loads(former('body:a.b=[1]')[0].body) == {'a': {'b': [1]}, 'c': 2} and json.loads(former('body:c=')[0].body) == {'a': {'b': 1}}
    assert former('body:c.d=1') == [] and len(former('header:h=old', 'url:/v1/=/v0/')) == 3
    assert parse_rule('url:/v1/=/v1beta/') == ('url', '/v1/', '/v1beta/')

optional = pytest.mark.skipif(not old_python, reason='optional: an environment with anthropic 1, google-genai 2 and openai 2, named by CACHY_OLD_PYTHON; all is well without it')

@optional
@pytest.mark.parametrize('new_python', [sys.executable, other_python or pytest.param('', marks=pytest.mark.skip(reason='optional: CACHY_OTHER_PYTHON, with openai 3; all is well without it'))])
def test_upgrade_of_real_sdks(tmp_path, new_python, monkeypatch):
    "OpenAI 2 -> 3, Anthropic 1 -> 2, google-genai 2 -> 3: each answer is found again, and none goes to another question"
    env = environment(('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_API_KEY'))
    def calls(executable, mode, *port): return json.loads(python('-m', 'support.sdk_calls', mode, tmp_path, *port, executable=executable, env=env, timeout=120).stdout.splitlines()[-1])
    with StandIn() as server: live = calls(old_python, 'auto', server.server.server_port)
    for name, value in env.items(): monkeypatch.setenv(name, value)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"): monkeypatch.delenv(name, raising=False)
    assert main(['adopt', 'anthropic-2', 'genai-3', '--file', str(tmp_path/'cachy.jsonl'), '--run', f'cd "{root}" && "{new_python}" -m support.sdk_calls replay "{tmp_path}" > "{tmp_path/"out"}"']) == 0
    again = calls(new_python, 'replay')
    assert set(again['counts']) == {'replayed'} and again['counts']['replayed'] > 40
    def without_none(item):
        if isinstance(item, list): return [without_none(part) for part in item]
        return {name: without_none(value) for name, value in item.items() if value is not None} if isinstance(item, dict) else item
    assert without_none(again['results']) == without_none(live['results'])
