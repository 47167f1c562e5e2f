"A miss explains itself: what differs, why, what to do; each call can be told, and a session says what happened."
import asyncio
import io
import json
import logging
import os
import pickle
import re
import sys

import httpx
import pytest

from cachy import CachyMiss, enable_cachy
from cachy import file as file_module
from cachy.miss import Difference, machine_pats, machine_texts
from cachy.request import normalizer
from support.asking import body, url

here = ('127.0.0.1', 'localhost')
secret = 'sk-secret-0123456789abcdef'
traceback = '''Traceback (most recent call last):
  File "/home/ann/zoo/.venv/lib/python3.11/site-packages/zoo/cats.py", line 12, in feed
    return food[1] + food[2]
           ~~~~^^^
IndexError: list index out of range'''

def tool(name, description): return dict(type='function', function=dict(name=name, description=description, parameters=dict(type='object', properties={})))
docstring = 'Feed one animal.\n\n    Args:\n        name: whom to feed\n    '

def conversation():
    "A request with much in it that can change"
    return dict(model='gpt-4o', temperature=1, stop=['a', 'b', 'c'], metadata=dict(run='one'), tools=[tool('feed', docstring), tool('clean', 'Clean one cage.')],
        messages=[dict(role='system', content='You keep a zoo. ' * 200 + 'Be brief.'),
            dict(role='user', content='Which animals are hungry?'), dict(role='assistant', content='The cats.'),
            dict(role='user', content='Feed the cats, then the dogs.'),
            dict(role='assistant', content=None, tool_calls=[dict(id='call_1', type='function', function=dict(name='feed', arguments='{}'))]),
            dict(role='tool', tool_call_id='call_1', content=traceback),
            dict(role='user', content=[dict(type='text', text='Today is 2026-11-21, 09:30. Run 123e4567-e89b-12d3-a456-426614174000, <Zoo at 0x7f3a5c0e1d90>, /tmp/tmpa8f3k2/cats.png'),
                dict(type='image_url', image_url=dict(url='data:image/png;base64,' + 'iVBORw0KGgo' * 100))])])

def edit(old, new):
    "Replace `old` in the text of the request"
    def change(body, options):
        text = json.dumps(body)
        assert json.dumps(old)[1:-1] in text
        body.clear()
        body.update(json.loads(text.replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1])))
    return change

def do(code):
    "Change `body` or `options` (path, host, headers) by a line of code"
    return lambda body, options: exec(code, dict(body=body, options=options, tool=tool, docstring=docstring))

changes = [ # what changes, how, the path that the message must name, a part of the reason it must give
    ('text', edit('Today is 2026', 'Now it is 2026'), 'messages[6].content[0].text', ''),
    ('last text, long', do("body['messages'].append(dict(role='user', content='x ' * 2000))"), 'messages[7]', ''),
    ('model', do("body['model'] = 'gpt-5'"), "model: 'gpt-4o' -> 'gpt-5'", 'another model is asked'),
    ('temperature', do("body['temperature'] = 0.5"), 'temperature: 1 -> 0.5', ''),
    ('type of a number', do("body['temperature'] = 1.0"), 'temperature: 1 -> 1.0', ''),
    ('new field', do("body['service_tier'] = 'auto'"), "service_tier: nothing -> 'auto'", 'a field came or went: service_tier (new)'),
    ('field gone', do("del body['metadata']"), 'metadata: {"run": "one"} -> nothing', 'metadata (gone)'),
    ('inner field', do("body['metadata']['run'] = 'two'"), "metadata.run: 'one' -> 'two'", ''),
    ('one more message', do("body['messages'].append(dict(role='user', content='And now?'))"), 'messages[7]: nothing -> {"role": "user", "content": "And now?"}', ''),
    ('one message less', do("body['messages'].pop()"), 'messages[6]: {', ''),
    ('message put in', do("body['messages'].insert(2, dict(role='user', content='Hello?'))"), 'messages[2]: nothing -> {"role": "user", "content": "Hello?"}', ''),
    ('an early message', edit('Which animals', 'What animals'), 'messages[1]: \'sha256:', ''),
    ('the long first message', edit('Be brief', 'Be brave'), "messages[0]: 'sha256:", ''),
    ('role', do("body['messages'][6]['role'] = 'developer'"), "messages[6].role: 'user' -> 'developer'", ''),
    ('other tool', do("body['tools'][1] = tool('wash', 'Wash.')"), "tools[1]: 'clean sha256:", ''),
    ('one more tool', do("body['tools'].append(tool('wash', 'Wash.'))"), 'tools[2]: nothing ->', ''),
    ('docstring', do("body['tools'][0] = tool('feed', docstring.replace('\\n    ', '\\n'))"), 'tools[0]', 'docstrings lose their indentation'),
    ('description', do("body['tools'][0] = tool('feed', 'Feed it.')"), 'tools[0]', 'has another description or schema'),
    ('image', edit('data:image/png;base64,iVBOR', 'data:image/png;base64,jVBOR'), 'messages[6].content[1].image_url.url', ''),
    ('order', do("body['stop'] = ['c', 'b', 'a']"), "stop[0]: 'a' -> 'c'", 'another order'),
    ('date', edit('2026-11-21', '2026-11-22'), 'messages[6].content[0].text', "'<date>'"),
    ('time', edit('09:30', '09:31'), 'messages[6].content[0].text', "'<time>'"),
    ('uuid', edit('123e4567', '223e4567'), 'messages[6].content[0].text', "'<uuid>'"),
    ('memory address', edit('0x7f3a5c0e1d90', '0x7f3a5c0e1e00'), 'messages[6].content[0].text', "'<address>'"),
    ('temporary path', edit('/tmp/tmpa8f3k2', '/tmp/tmpzzz'), 'messages[6].content[0].text', "'<temporary path>'"),
    ('paths in a traceback', edit('/home/ann/zoo/.venv/lib/python3.11', '/home/runner/lib/python3.12'), 'messages[5].content', 'file and line in a traceback'),
    ('caret marks in a traceback', edit('           ~~~~^^^\n', ''), 'messages[5].content', 'caret marks'),
    ('endpoint', do("options['path'] = '/v1/responses'"), "path: '/v1/chat/completions' -> '/v1/responses'", ''),
    ('query', do("options['path'] += '?api-version=2'"), "query.api-version: nothing -> '2'", ''),
    ('repeated query', do("options['path'] += '?a=1&a=2'"), "query.a: nothing -> [\"1\", \"2\"]", ''),
    ('host', do("options['host'] = 'localhost'"), "host: '127.0.0.1:", ''),
    ('method', do("options['method'] = 'PUT'"), "method: 'POST' -> 'PUT'", ''),
    ('key header', do("options['headers']['anthropic-version'] = '2099-01-01'"), "headers.anthropic-version: '2023-06-01' -> '2099-01-01'", "default_headers={'anthropic-version': '2023-06-01'}"),
    ('new key header', do("options['headers']['openai-beta'] = 'assistants=v2'"), "headers.openai-beta: nothing -> 'assistants=v2'", 'made without it'),
    ('secret key header', do("options['headers']['x-portkey-virtual-key'] = 'another-virtual-key'"), 'headers.x-portkey-virtual-key: \'sha256:', 'digest'),
]

def send(server, body, host='127.0.0.1', path='/v1/chat/completions', method='POST', headers=None):
    url = server.url.replace('127.0.0.1', host) + path
    return httpx.request(method, url, json=body, headers=headers)

def first_options():
    return dict(host='127.0.0.1', path='/v1/chat/completions', method='POST', headers={'authorization': f'Bearer {secret}', 'anthropic-version': '2023-06-01',
        'x-portkey-virtual-key': 'a-virtual-key-0123456789', 'cookie': 'session=0123456789abcdefghij'})

@pytest.fixture
def recorded(stand_in, tmp_path):
    "A stand-in of which a conversation was recorded, and others that are further away"
    with enable_cachy(tmp_path, doms=here, mode='auto') as session:
        send(stand_in, conversation(), **first_options())
        for text in ('Hello', 'Which animals are hungry?', 'Feed the cats, then the dogs.'):
            send(stand_in, dict(model='gpt-4o', messages=[dict(role='user', content=text)]), **first_options())
        assert session.counts['recorded'] == 4
    return stand_in

def miss_of(server, folder, body, options, **more):
    calls = server.calls
    with enable_cachy(folder, doms=here, mode='replay', **more):
        with pytest.raises(CachyMiss) as caught: send(server, body, **options)
    assert server.calls == calls
    return caught.value

@pytest.mark.parametrize('name, change, path, reason', changes, ids=[row[0] for row in changes])
def test_the_path_that_changed_is_named(recorded, tmp_path, caplog, name, change, path, reason):
    body, options = conversation(), first_options()
    change(body, options)
    miss = miss_of(recorded, tmp_path, body, options)
    message = str(miss)
    told = message.partition('(recorded -> asked):\n')[2]
    lines = [line for line in told.splitlines() if line.startswith('  ')]
    assert any(line.strip().startswith(path) for line in lines), message
    assert reason in message.partition('likely reason:')[2], message
    assert bool(reason) == ('likely reason:' in message), message
    assert len({difference.path.partition('[')[0].partition('.')[0] for difference in miss.differences}) == 1, message # nothing else is named
    assert message in caplog.text
    for word in (secret, '0123456789abcdefghij', 'a-virtual-key'): assert word not in message + caplog.text + repr(vars(miss)), word

def test_order_of_the_message(recorded, tmp_path):
    miss = miss_of(recorded, tmp_path, dict(conversation(), model='gpt-5'), first_options())
    path = tmp_path/'cachy.jsonl'
    parts = [f'POST {recorded.url}/v1/chat/completions, model gpt-5 (key {miss.key})', f'{path}, 4 recordings', "mode='replay'", f"recording {miss.closest['key']}",
        "model: 'gpt-4o' -> 'gpt-5'", 'likely reason: another model', "enable_cachy(mode='auto')", f'commit {path}']
    places = [str(miss).find(part) for part in parts]
    assert -1 not in places and places == sorted(places), str(miss)
    assert miss.request['body']['model'] == 'gpt-5' and miss.closest['body']['model'] == 'gpt-4o'
    assert miss.differences == (Difference('model', 'gpt-4o', 'gpt-5'),)
    again = pickle.loads(pickle.dumps(miss))
    assert (str(again), again.key, again.differences) == (str(miss), miss.key, miss.differences)

@pytest.mark.parametrize('row', [row for row in changes if 'norm_pats' in row[3] or "'<" in row[3] or 'traceback' in row[3] or 'caret' in row[3]], ids=lambda row: row[0])
def test_the_pattern_that_is_given_helps(recorded, tmp_path, row):
    "The line from the message is pasted, both requests are made again: now they have one key"
    body, options = conversation(), first_options()
    row[1](body, options)
    message = str(miss_of(recorded, tmp_path, body, options))
    given = eval(re.search(r'enable_cachy\(norm_pats=(.*)\)', message)[1])
    assert 1 <= len(given) <= 2
    with enable_cachy(tmp_path, doms=here, mode='auto', norm_pats=given) as session:
        send(recorded, conversation(), **options)
        send(recorded, body, **options)
        assert (session.counts['recorded'], session.counts['replayed']) == (1, 1)

def test_long_texts_are_cut_to_where_they_part(recorded, tmp_path):
    lead = 'A dog walks into a bar and orders water. ' * 20
    ask = lambda text: dict(model='m', messages=[dict(role='user', content=text)])
    with enable_cachy(tmp_path, doms=here, mode='auto'):
        send(recorded, ask(lead + 'It leaves.'))
        send(recorded, ask(lead * 5 + 'It leaves.' + lead * 5))
    message = str(miss_of(recorded, tmp_path, ask(lead + 'It stays.'), {}))
    assert "messages[0].content: '…bar and orders water. It leaves.' -> '…bar and orders water. It stays.'" in message
    message = str(miss_of(recorded, tmp_path, ask(lead * 5 + 'It stays.' + lead * 5), {}))
    assert 'parts between its first 1,000 and its last 500 characters: 8210 -> 8209 characters' in message

def test_a_stored_digest_meets_the_message_in_full(stand_in, tmp_path):
    "The recording holds its early messages as digests; the new request ends where they are, and holds them in full"
    with enable_cachy(tmp_path, doms=here, mode='auto'): send(stand_in, conversation())
    body = conversation()
    body['messages'] = body['messages'][:3]
    miss = miss_of(stand_in, tmp_path, body, {})
    assert [isinstance(turn, dict) for turn in miss.request['body']['messages']] == [False, True, True] # the last two
    assert [isinstance(turn, dict) for turn in miss.closest['body']['messages']] == [False] * 4 + [True] * 3
    assert [(difference.path, difference.asked) for difference in miss.differences] == [(f'messages[{i}]', ...) for i in (3, 4, 5, 6)]

def test_gemini_names_its_model_in_the_path(stand_in, tmp_path):
    ask = lambda model: dict(path=f'/v1beta/models/{model}:generateContent')
    body = dict(contents=[dict(role='user', parts=[dict(text='Hello')])])
    with enable_cachy(tmp_path, doms=here, mode='auto'): send(stand_in, body, **ask('gemini-9'))
    message = str(miss_of(stand_in, tmp_path, body, ask('gemini-10')))
    assert 'model gemini-10' in message and "another model is asked. Ask 'gemini-9', or record 'gemini-10' as well." in message
    body['contents'][0]['parts'][0]['text'] = 'Hullo'
    assert "contents[0].parts[0].text: 'Hello' -> 'Hullo'" in str(miss_of(stand_in, tmp_path, body, ask('gemini-9')))

def test_the_same_place_comes_first(stand_in, tmp_path):
    "The same body was sent to another path and host; nearest is another body at the same place"
    body, other = (dict(model='m', input=text, messages=[dict(role='user', content=text)]) for text in ('Tell me about cats', 'A very different question'))
    with enable_cachy(tmp_path, doms=here, mode='auto'):
        send(stand_in, body, path='/v1/responses')
        send(stand_in, other)
        send(stand_in, body, host='localhost')
        send(stand_in, body, path='/v1/embeddings')
    miss = miss_of(stand_in, tmp_path, body, {})
    assert [difference.path for difference in miss.differences] == ['input', 'messages[0].content']
    miss = miss_of(stand_in, tmp_path, body, dict(path='/v1/messages'))
    assert [difference.path for difference in miss.differences] == ['path'] and '127.0.0.1' in miss.closest['url']

def test_other_bodies(stand_in, tmp_path):
    url = stand_in.url + '/v1/files'
    ask = lambda name: httpx.post(url, files=dict(file=('a.wav', b'RIFF\0\0' + name * 500)), data=dict(model='whisper-1'))
    with enable_cachy(tmp_path, doms=here, mode='auto'):
        ask(b'a')
        httpx.post(stand_in.url + '/v1/chat/completions', content=b'plain text', headers={'content-type': 'text/plain'})
    with enable_cachy(tmp_path, doms=here, mode='replay'):
        with pytest.raises(CachyMiss, match=r'body\[2\]: .*bytes, sha256'): ask(b'b')
        with pytest.raises(CachyMiss, match="body: 'plain text' -> 'other text'"):
            httpx.post(stand_in.url + '/v1/chat/completions', content=b'other text', headers={'content-type': 'text/plain'})
        with pytest.raises(CachyMiss, match='no recording for GET'): httpx.get(stand_in.url + '/v1/models')

def test_odd_bodies_do_not_hinder(stand_in, tmp_path):
    "Whatever is asked and whatever the file holds, it is a miss and nothing else"
    lines = [b'{"key":"0123456789abcdef","request":{"url":7,"body":[],"headers":[1]},"status_code":200,"headers":{},"response":"x"}',
        b'{"key":"0123456789abcde0","request":{"method":"POST","url":"http://[","body":{"messages":3}},"status_code":200,"headers":{},"response":"x"}',
        b'{"key":"0123456789abcde5","request":{"key":"x","url":"%s/v1/chat/completions"},"status_code":200,"headers":{},"response":"x"}' % stand_in.url.encode(),
        b'{"key":"0123456789abcde1","request":{"method"},"status_code":200,"headers":{},"response":"x"}',
        b'{"key": "0123456789abcde2", "response": "x"}', b'{"key":"0123456789abcde3","response":"x"}', b'<<<<<<< HEAD', b'{"key":"01234567","response":"x"}',
        b'{"key":"0123456789abcde4","request":{"method":"POST","url":"%s/v1/chat/completions","body":"\\ud800"},"status_code":200,"headers":{},"response":"x"}' % stand_in.url.encode()]
    (tmp_path/'cachy.jsonl').write_bytes(b'\n'.join(lines) + b'\n')
    deep = b'{"messages":' + b'[' * 3000 + b']' * 3000 + b'}'
    bodies = [b'', b'null', b'3', b'[]', b'{"messages":{}}', b'{"messages":[null,[],3]}', b'{"model":[]}', b'{"model":"\\ud800"}', b'{"tools":[1]}', b'not json', b'\xff\0', deep, b'{"a":NaN}']
    with enable_cachy(tmp_path, doms=here, mode='replay'):
        for body in bodies:
            with pytest.raises(CachyMiss, match='no recording for POST') as caught:
                httpx.post(stand_in.url + '/v1/chat/completions', content=body, headers={'content-type': 'application/json'})
            str(caught.value).encode()
    assert 'older recordings, which do not say what was asked: 1.' in str(caught.value) and 'damaged lines: 1.' in str(caught.value), str(caught.value)

def test_no_file(stand_in, tmp_path):
    message = str(miss_of(stand_in, tmp_path, conversation(), first_options()))
    assert '0 recordings' in message and 'the file does not exist' in message

def test_a_credential_in_the_prompt_stays_out(recorded, tmp_path, caplog):
    body = conversation()
    body['messages'][-1] = dict(role='user', content=f'My key is {secret}, is that safe?')
    body['metadata'] = {'run': secret}
    options = dict(first_options(), path=f'/v1/chat/completions?api_key={secret}&a=1')
    miss = miss_of(recorded, tmp_path, body, options)
    assert secret not in str(miss) + repr(vars(miss)) + caplog.text and '***' in str(miss)
    options['headers']['user-agent'] = f'zoo/1.0 ({secret})'
    message = str(miss_of(recorded, tmp_path, dict(conversation(), service_tier='auto'), options))
    assert 'this is zoo/1.0 (***)' in message and secret not in message + caplog.text

def test_a_credential_where_a_text_is_cut_stays_out(stand_in, tmp_path, caplog):
    "Of long texts the first 1,000 characters are kept; the credential stands across that border, in an early message and in the last"
    text = 'x ' * 495 + secret + ' y' * 1000
    stand_in.echo = 'Yes.' # an answer with the credential would not be recorded
    turns = [dict(role='user', content=text), dict(role='assistant', content='Yes.'), dict(role='user', content='And?'), dict(role='user', content=text)]
    with enable_cachy(tmp_path, doms=here, mode='auto'): send(stand_in, dict(model='m', messages=turns), **first_options())
    miss = miss_of(stand_in, tmp_path, dict(model='m', messages=turns[:2] + [dict(role='user', content='Or?'), turns[3]]), first_options())
    assert [difference.path for difference in miss.differences] == ['messages[2].content']
    miss = miss_of(stand_in, tmp_path, dict(model='m', messages=[dict(turns[0], content=text + '!'), *turns[1:]]), first_options())
    assert [difference.path for difference in miss.differences] == ['messages[0].content'] # its digest is that of the last message, which is there in full
    assert secret[:10] not in str(miss) + repr(vars(miss)) + caplog.text + (tmp_path/'cachy.jsonl').read_text()

def test_recorded_with_patterns(stand_in, tmp_path):
    ask = lambda day: dict(model='m', messages=[dict(role='user', content=f'Today is {day}.')])
    with enable_cachy(tmp_path, doms=here, mode='auto', norm_pats=machine_pats): send(stand_in, ask('2026-11-21'))
    assert 'it was recorded with norm_pats' in str(miss_of(stand_in, tmp_path, ask('2026-11-21'), {}))
    with enable_cachy(tmp_path, doms=here, mode='replay', norm_pats=machine_pats): send(stand_in, ask('2026-11-22'))

unchanged = ['Version 3.12.1 of 4', 'Meet me at 5', 'a hash: deadbeef', 'to 0x10', '1 ^ 2\n~ is not', 'June is warm', '/tmpfiles/x', 'The file is "a.py", line 3', '12:3', '3-4-5']
@pytest.mark.parametrize('text', unchanged)
def test_patterns_leave_alone(text): assert normalizer(machine_pats)(text) == text

def test_patterns_are_fixed_points():
    "What they put in, they leave alone: applied twice they do the same"
    clean = normalizer(machine_pats)
    text = clean(json.dumps(conversation()) + traceback)
    assert clean(text) == text and len(machine_pats) == len(machine_texts) >= 8

def test_why_this_mode(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv('CI', 'true')
    def message(**options):
        with enable_cachy(tmp_path, doms=here, **options), pytest.raises(CachyMiss) as caught: httpx.get(stand_in.url + '/v1/models')
        return str(caught.value)
    assert 'forbids calls, since CI=true\n' in message() and 'CACHY_MODE=auto pytest "tests/test_loud.py::test_why_this_mode"' in message()
    monkeypatch.delenv('PYTEST_CURRENT_TEST')
    monkeypatch.setattr(sys, 'argv', ['/somewhere/zoo.py', '--key', secret])
    assert f'to record it: CACHY_MODE=auto python zoo.py, with the API key set; then commit {tmp_path/"cachy.jsonl"}' in message()
    monkeypatch.setattr(sys, 'argv', ['/somewhere/ipykernel_launcher.py'])
    assert 'run it once with CACHY_MODE=auto in the environment' in message()
    assert "since CI=true; mode='replay'" in message(mode='replay') and "enable_cachy(mode='auto')" in message(mode='replay')
    monkeypatch.setenv('CACHY_MODE', 'replay')
    assert 'since CI=true; CACHY_MODE=replay' in message()

def test_debug_prints_a_line_for_each_call(stand_in, tmp_path, capsys):
    stand_in.routes.insert(0, ('POST', '/v1/models', lambda handler, body: dict(data=[]))) # no read, which would be asked anew
    post = lambda path, host='127.0.0.1': httpx.post(stand_in.url.replace('127.0.0.1', host) + path)
    def printed():
        lines = capsys.readouterr().out.splitlines()
        assert all(line.startswith('cachy ') for line in lines), lines
        return [re.sub(r'\d\.\d s', 'N s', line[len('cachy '):].replace(stand_in.url, '…')) for line in lines]
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='auto', debug=True):
        post('/v1/models'), post('/v1/models'), post('/nothing'), post('/v1/models?api_key=0123456789abcdef', 'localhost')
        assert printed() == ['recorded: POST …/v1/models (N s)', 'replayed: POST …/v1/models (N s)', 'not recorded: POST …/nothing: status 404',
            f"passed through: POST {stand_in.url.replace('127.0.0.1', 'localhost')}/v1/models: its host is not in doms"]
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='replay', debug=True), pytest.raises(CachyMiss): post('/nothing')
    line, = printed()
    assert line.startswith('missed: POST …/nothing: no recording for POST')
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='off', debug=True): post('/v1/models')
    assert printed() == ["passed through: POST …/v1/models: mode 'off' since mode='off'"]
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='auto'): post('/v1/models'), post('/v1/models', 'localhost')
    assert printed() == []

def test_otherwise_it_is_logged(stand_in, tmp_path, caplog):
    caplog.set_level('DEBUG', 'cachy')
    with enable_cachy(tmp_path, doms=('localhost',), mode='auto'): httpx.get(stand_in.url + '/v1/models')
    assert [record.getMessage() for record in caplog.records if record.name == 'cachy'] == [f'cachy passed through: GET {stand_in.url}/v1/models: its host is not in doms']
    caplog.set_level('INFO', 'cachy')
    with enable_cachy(tmp_path, doms=('localhost',), mode='auto') as session: httpx.get(stand_in.url + '/v1/models')
    assert session.counts['passed through'] == 0 # without debug nothing is done for calls to other hosts

def test_the_session_tells_what_happened(stand_in, tmp_path):
    stand_in.routes.insert(0, ('POST', '/v1/models', lambda handler, body: dict(data=[]))) # no read, which would be asked anew
    with enable_cachy(tmp_path, doms=here, mode='auto') as session:
        stand_in.delay = 0.3
        for path in ('/v1/models', '/v1/models', '/nothing'): httpx.post(stand_in.url + path)
    lines = repr(session).splitlines()
    assert lines[:3] == [f"cachy, mode auto (mode='auto'): 1 recording in {tmp_path}/cachy.jsonl", '1 replayed, 1 recorded, 1 not recorded', '']
    assert session.saved >= 0.3 and (session.counts['replayed'], session.mode, session.file.path) == (1, 'auto', tmp_path/'cachy.jsonl')
    assert [line.split() for line in lines[3:]] == [['model', 'calls', 'seconds', 'not', 'told'],
        ['replayed', '?', '1', f'{session.saved:.1f}', '1'], ['recorded', '?', '1', f'{session.saved:.1f}', '1']]
    shown = session._repr_html_()
    assert shown.startswith(f'cachy, mode auto (mode=&#x27;auto&#x27;): 1 recording in {tmp_path}/cachy.jsonl<br>1 replayed, 1 recorded, 1 not recorded<table>')
    assert re.findall(r'<t[dh]>(.*?)</t[dh]>', shown) == ['', 'model', 'calls', 'seconds', 'not told',
        'replayed', '?', '1', f'{session.saved:.1f}', '1', 'recorded', '?', '1', f'{session.saved:.1f}', '1']

@pytest.mark.parametrize('ask', [lambda url: httpx.post(url, json=body), lambda url: asyncio.run(ask_async(url))])
def test_miss_is_raised_at_once_and_logged(ask, stand_in, tmp_path, caplog):
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='replay') as session, pytest.raises(CachyMiss, match='no recording'): ask(url(stand_in))
    assert stand_in.calls == 0 and session.counts == dict(missed=1)
    assert [record.levelno for record in caplog.records if record.name == 'cachy'] == [logging.ERROR]

async def ask_async(url):
    async with httpx.AsyncClient() as client: return await client.post(url, json=body)

def test_answers_are_not_read(recorded, tmp_path, monkeypatch):
    "Only the head of each line is read and only the nearest requests are parsed, however large the answers are"
    ask = lambda i: dict(model='m', messages=[dict(role='user', content=f'Tell me about number {i}')])
    recorded.echo = 'long ' * 50_000
    with enable_cachy(tmp_path, doms=here, mode='auto'):
        for i in range(60): send(recorded, ask(i))
    size, parsed, loads, read = (tmp_path/'cachy.jsonl').stat().st_size, [], json.loads, []
    class Counted(io.FileIO):
        def read(self, size=-1):
            data = super().read(size)
            read.append(len(data))
            return data
    with enable_cachy(tmp_path, doms=here, mode='replay') as session:
        assert len(session.file) == 64 # the index is there
        monkeypatch.setattr(file_module, 'open', lambda path, mode: Counted(path), raising=False)
        monkeypatch.setattr(json, 'loads', lambda text, **rest: parsed.append(len(text)) or loads(text, **rest))
        with pytest.raises(CachyMiss) as caught: send(recorded, ask(60))
    assert size > 10_000_000 and 10_000 < sum(read) < 64 * 4100 and sum(parsed) < 30_000, (size, sum(read), sum(parsed))
    assert caught.value.differences[0].recorded == 'Tell me about number 59' # of those equally near the newest

def test_another_file_is_near(stand_in, tmp_path):
    "The folder is the wrong one: above or below it there is a file"
    here, below = tmp_path/'zoo', tmp_path/'zoo'/'cats'
    below.mkdir(parents=True)
    def told(): return str(miss_of(stand_in, here, conversation(), first_options()))
    assert 'There is ' not in told()
    (tmp_path/'cachy.jsonl').write_text('')
    assert f'There is {os.path.join("..", "cachy.jsonl")}.' in told()
    (below/'cachy.jsonl').write_text('')
    assert f'There is {os.path.join("cats", "cachy.jsonl")}.' in told()

def test_an_empty_file(stand_in, tmp_path):
    (tmp_path/'cachy.jsonl').write_text('')
    assert 'likely reason: the file is there, and empty.' in str(miss_of(stand_in, tmp_path, conversation(), first_options()))
