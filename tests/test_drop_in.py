"Lines of older formats: each formula worked out here once more, each shape of line, and the real files."
import asyncio
import base64
import hashlib
import json
import logging

import httpx
import httpx2
import pytest

from cachy import CachyMiss, enable_cachy
from cachy.file import Recordings
from cachy.older import guess_type
from cachy.providers import doms
from cachy.request import is_cached
from support import root, shared

chat_url, chat = 'https://api.openai.com/v1/chat/completions', b'{"model":"gpt-4o","messages":[{"role":"user","content":"Hi \xc3\xa9"}]}'
chat_anew = b'{"messages": [{"content": "Hi \\u00e9", "role": "user"}], "model": "gpt-4o"}'
gemini_url = 'https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent'
gemini = b'{"contents": [{"parts": [{"text": "Hi"}]}]}'
noisy = b'{"input": "0xdeadbeef line 7, in /tmp/tmpab", "prompt_cache_key": "k1"}'
in_json = {'content-type': 'application/json'}
upload = {'content-type': 'multipart/form-data; boundary=xyz123'}
part = b'--%s\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n--%s--\r\n'

bare, with_headers = dict(), dict(headers=None)
early, late = dict(headers=None, status_code=200, binary=False), dict(headers={'content-type': 'application/json'}, status_code=200, binary=False)

cases = { # name: what the key is made of, the request, fields of the line
    '0.0.1': (chat_url.encode() + b'False' + chat, 'POST', chat_url, in_json, chat, bare),
    '0.0.1 with key': (f'{gemini_url}?key=AIza1'.encode() + b'False' + gemini, 'POST', f'{gemini_url}?key=AIza1', in_json, gemini, bare),
    '0.0.2': (b'api.openai.comFalse' + chat, 'POST', chat_url, in_json, chat, bare),
    '0.0.5': (gemini_url.encode() + b'False' + gemini, 'POST', f'{gemini_url}?key=AIza1', in_json, gemini, bare),
    '0.0.5 multipart': (b'https://api.openai.com/v1/filesFalse' + part % (b'cachy-boundary', b'cachy-boundary'), 'POST', 'https://api.openai.com/v1/files',
        upload, part % (b'xyz123', b'xyz123'), bare),
    '0.0.6': (chat_url.encode() + b'False' + chat, 'POST', chat_url, in_json, chat, with_headers),
    '0.0.8': (chat_url.encode() + b'False' + chat, 'POST', chat_url, in_json, chat, early),
    '0.0.9': (chat_url.encode() + b'False' + chat_anew, 'POST', chat_url, in_json, chat, early),
    '0.0.9 get': (b'https://api.openai.com/v1/models?limit=2False', 'GET', 'https://api.openai.com/v1/models?limit=2', {}, b'', early),
    '0.0.12 True': (chat_url.encode() + b'True' + chat_anew, 'POST', chat_url, in_json, chat, late),
    '0.0.12 None': (chat_url.encode() + b'None' + chat_anew, 'POST', chat_url, in_json, chat, late),
    '0.0.13': (chat_url.encode() + b'True{"input": "0xMEM line N, in /tmp/tmpX", "prompt_cache_key": "k1"}', 'POST', chat_url, in_json, noisy, late),
    '0.0.13 bytes': (chat_url.encode() + b'False\xef\xbf\xbd 0xMEM', 'POST', chat_url, {}, b'\xff 0x1234567', late),
    '0.0.20': (b'https://api.openai.com/v1/0xMEMFalse' + chat_anew, 'POST', 'https://api.openai.com/v1/0xabcdef1', {**in_json, 'accept': '*/*'}, chat, late),
    '0.0.21': (chat_url.encode() + b'Truetext/event-stream{"input": "0xMEM line N, in /tmp/tmpX", "prompt_cache_key": "k1"}', 'POST', chat_url,
        {**in_json, 'accept': 'text/event-stream'}, noisy, late),
    '0.0.22': (chat_url.encode() + b'False*/*{"input": "0xMEM line N, in /tmp/tmpX", "prompt_cache_key":"notebook"}', 'POST', chat_url, {**in_json, 'accept': '*/*'}, noisy, late),
    '0.0.22 bytes': (chat_url.encode() + b'False*/*\xff 0xMEM', 'POST', chat_url, {'accept': '*/*'}, b'\xff 0x1234567', late)}

def line_of(text, fields, response='{"answer": 1}'):
    return json.dumps(dict(key=hashlib.sha256(text).hexdigest()[:8], response=response, **fields)) + '\n'

def request_of(library, case): return library.Request(case[1], case[2], headers=case[3], content=case[4])

async def ask_async(library, request, stream):
    async with library.AsyncClient() as client:
        response = await client.send(request, stream=stream)
        return response.status_code, await response.aread(), response.headers.get('content-type')

def ask(library, request, way):
    if way.startswith('async'): return asyncio.run(ask_async(library, request, 'stream' in way))
    with library.Client() as client:
        response = client.send(request, stream='stream' in way)
        return response.status_code, response.read(), response.headers.get('content-type')

@pytest.mark.parametrize('name', cases)
def test_each_formula_finds_its_line(name, tmp_path):
    case = cases[name]
    (tmp_path/'cachy.jsonl').write_text(line_of(case[0], case[5]))
    before = (tmp_path/'cachy.jsonl').read_bytes()
    with enable_cachy(tmp_path, mode='replay') as session:
        for library, way in ((httpx, 'sync'), (httpx, 'async stream'), (httpx2, 'sync stream'), (httpx2, 'async')):
            assert ask(library, request_of(library, case), way) == (200, b'{"answer": 1}', 'application/json')
        for method in {'PUT', 'DELETE', 'PATCH'}:
            with pytest.raises(CachyMiss): ask(httpx, request_of(httpx, (case[0], method, *case[2:])), 'sync')
        other = case[4].replace(b'"', b'"z', 1) if b'"' in case[4] else case[4] + b'x'
        with pytest.raises(CachyMiss): ask(httpx, request_of(httpx, (*case[:4], other, case[5])), 'sync')
    assert (tmp_path/'cachy.jsonl').read_bytes() == before and session.counts['replayed'] == 4

shapes = dict(bare=bare, with_headers=with_headers, early=early, late=late, late_error=dict(late, status_code=404), early_error=dict(early, status_code=503))
fitting = {'0.0.1 with key': {'bare'}, '0.0.2': {'bare'}, '0.0.6': {'bare', 'with_headers', 'early', 'late', 'early_error', 'late_error'}, # 0.0.6 made keys as 0.0.5 to 0.0.8 did
    '0.0.9': {'early', 'late', 'early_error', 'late_error'}, '0.0.12 None': {'late'}, '0.0.13 bytes': {'late'}, '0.0.20': {'late'}, '0.0.21': {'late'},
    '0.0.22': {'late', 'late_error'}}

@pytest.mark.parametrize('name', fitting)
def test_only_lines_that_fit_the_time(name, tmp_path):
    case, found = cases[name], set()
    for shape, fields in shapes.items():
        (tmp_path/'cachy.jsonl').write_text(line_of(case[0], fields))
        with enable_cachy(tmp_path, mode='replay'):
            try: status, _, _ = ask(httpx, request_of(httpx, case), 'sync')
            except CachyMiss: continue
        assert status == fields.get('status_code', 200)
        found.add(shape)
    assert found == fitting[name]

def test_the_newest_formula_wins_and_the_first_line_of_a_key(tmp_path):
    lines = [line_of(cases['0.0.9'][0], early, 'third'), line_of(cases['0.0.12 True'][0], late, 'first'), line_of(cases['0.0.12 True'][0], late, 'second')]
    (tmp_path/'cachy.jsonl').write_text(''.join(lines))
    with enable_cachy(tmp_path, mode='replay'): assert ask(httpx, request_of(httpx, cases['0.0.9']), 'sync')[1] == b'first'

def test_the_hosts_of_earlier_releases_are_cached():
    hosts = ('api.openai.com', 'api.anthropic.com', 'generativelanguage.googleapis.com', 'api.deepseek.com', 'api.fireworks.ai', 'openrouter.ai', 'api.groq.com', 'api.together.xyz',
        'api.mistral.ai', 'api.x.ai', 'api.moonshot.ai')
    urls = [f'https://{host}/v1/x' for host in hosts] + ['https://chatgpt.com/backend-api/codex/responses']
    assert [url for url in urls if not is_cached(url, doms)] == []

def host_line(body, host='generativelanguage.googleapis.com'): return line_of(host.encode() + b'False' + body, bare)

@pytest.mark.parametrize('method, url, body', [
    ('POST', gemini_url, gemini),                                                       # the path names the model
    ('POST', gemini_url.replace('2.5-flash', '2.5-pro'), gemini),
    ('POST', gemini_url, b'{"model": "models/other", "contents": []}'),                 # and counts more than the body
    ('POST', 'https://generativelanguage.googleapis.com/v1/x', b'{"model": ""}'),
    ('POST', 'https://generativelanguage.googleapis.com/v1/x', b'{"model": {"a": 1}}'),
    ('POST', 'https://generativelanguage.googleapis.com/v1/x', b'["model"]'),
    ('POST', 'https://generativelanguage.googleapis.com/v1/x', b'{"model": "broken'),
    ('POST', 'https://generativelanguage.googleapis.com/v1/x', b''),
    ('GET', 'https://generativelanguage.googleapis.com/v1/models', b''),
    ('GET', 'https://generativelanguage.googleapis.com/v1/models', b'{"model": "m"}')])
def test_host_only_lines_need_the_model(method, url, body, tmp_path):
    (tmp_path/'cachy.jsonl').write_text(host_line(body))
    with enable_cachy(tmp_path, mode='replay'), httpx.Client() as client:
        with pytest.raises(CachyMiss): client.send(httpx.Request(method, url, headers=in_json, content=body))

def test_a_get_gets_no_deletion(tmp_path):
    url = 'https://api.openai.com/v1/files/file-1'
    for response, hit in (('{"id": "file-1", "deleted": true}', False), ('{"id": "file-1", "type": "file_deleted"}', False), ('{"id": "deleted"}', True)):
        (tmp_path/'cachy.jsonl').write_text(line_of(url.encode() + b'False', early, response))
        with enable_cachy(tmp_path, mode='replay'), httpx.Client() as client:
            if hit: assert client.get(url).text == response
            else: pytest.raises(CachyMiss, client.get, url)

def test_auto_moves_all_generations_over(tmp_path):
    path, texts = tmp_path/'cachy.jsonl', {name: f'{{"answer": "{name}"}}' for name in cases if name not in ('0.0.6', '0.0.8')}
    old = ''.join(line_of(cases[name][0], cases[name][5], text) for name, text in texts.items())
    path.write_text(old)
    with enable_cachy(tmp_path, mode='auto') as session:
        for _ in range(2):
            got = {name: ask(httpx, request_of(httpx, cases[name]), 'sync')[1].decode() for name in texts}
    newest = {name: got[name] for name in texts} # several formulas fit the same request: then the newest that has a line counts
    assert all(text in texts.values() for text in got.values())
    new = path.read_text()[len(old):]
    assert path.read_text().startswith(old) and session.counts['replayed'] == 2 * len(texts)
    keys = [json.loads(line)['key'] for line in new.splitlines()]
    assert len(keys) == len(set(keys)) and all(len(key) == 16 and json.loads(line)['request'] for key, line in zip(keys, new.splitlines(), strict=True))
    path.write_text(new)
    with enable_cachy(tmp_path, mode='replay'):
        assert {name: ask(httpx2, request_of(httpx2, cases[name]), 'async')[1].decode() for name in texts} == newest

def test_what_moves_over_keeps_to_the_rules(tmp_path, caplog):
    noise = {'date': 'Mon', 'openai-organization': 'acme', 'set-cookie': 'a=b', 'Content-Type': 'application/json', 'x-request-id': 'req_1', 'x-limit': '5'}
    path, secret = tmp_path/'cachy.jsonl', 'sk-canary-0123456789'
    path.write_text(line_of(chat_url.encode() + b'False' + chat_anew, dict(late, headers=noise)) + line_of(b'https://api.openai.com/v1/echoFalse' + chat_anew, late, f'{{"you": "{secret}"}}'))
    size = path.stat().st_size
    with enable_cachy(tmp_path, mode='auto', hdrs=('x-limit',)), httpx.Client(headers=dict(in_json, authorization=f'Bearer {secret}')) as client:
        first, second = (client.post(chat_url, content=chat) for _ in range(2))
        assert dict(first.headers) == dict(second.headers) == {'content-type': 'application/json', 'x-request-id': 'req_1', 'x-limit': '5'}
        assert client.post('https://api.openai.com/v1/echo', content=chat).json() == {'you': secret}
    added = path.read_bytes()[size:]
    assert added.count(b'\n') == 1 and secret.encode() not in added and b'acme' not in added
    assert [record.message for record in caplog.records] == ['cachy not recorded: POST https://api.openai.com/v1/echo: the older recording repeats a credential of the request']

def test_an_unwritable_file_still_replays(tmp_path, caplog, monkeypatch):
    (tmp_path/'cachy.jsonl').write_text(line_of(cases['0.0.9'][0], early))
    def fail(self, line): raise PermissionError(13, 'Permission denied')
    monkeypatch.setattr(Recordings, 'add', fail)
    with enable_cachy(tmp_path, mode='auto'):
        for _ in range(3): assert ask(httpx, request_of(httpx, cases['0.0.9']), 'sync')[1] == b'{"answer": 1}'
    assert len(caplog.records) == 1 and 'cannot be moved over: Permission denied' in caplog.records[0].message

def test_damaged_older_lines_are_skipped(tmp_path):
    key = line_of(cases['0.0.9'][0], early)[:20]
    (tmp_path/'cachy.jsonl').write_text(key + '\n' + key + ', "response": 5}\n' + key + ', "response": "\\ud800"}\n<<<<<<< HEAD\n' + line_of(cases['0.0.9'][0], early))
    with enable_cachy(tmp_path, mode='replay'): assert ask(httpx, request_of(httpx, cases['0.0.9']), 'sync')[1] == b'{"answer": 1}'

@pytest.mark.parametrize('body, content_type', [
    (b'{"a": 1}', 'application/json'), (b' [1]\n', 'application/json'), (b'data: {}\n\n', 'text/event-stream'), (b'event: x\r\ndata: 1\r\n\r\n', 'text/event-stream'),
    (b': PROCESSING\n\ndata: {}\n\n', 'text/event-stream'), (b'id: 5\ndata: x\n\n', 'text/event-stream'), (b'{"a":1}\n{"b":2}\n', 'application/x-ndjson'),
    (b'5', 'text/plain; charset=utf-8'), (b'', 'text/plain; charset=utf-8'), (b'id: no event', 'text/plain; charset=utf-8'), (b'{"a": broken', 'text/plain; charset=utf-8'),
    (b'\xff\xfb\x90', 'application/octet-stream'), (b'[' * 100_000, 'text/plain; charset=utf-8')])
def test_guess_type(body, content_type): assert guess_type(body) == content_type

def test_sdks_accept_lines_without_headers(tmp_path):
    from anthropic import Anthropic
    from openai import OpenAI
    completion = json.dumps(dict(id='c', object='chat.completion', created=1, model='gpt-4o', choices=[dict(index=0, finish_reason='stop', message=dict(role='assistant', content='Miau'))]))
    events = 'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"c","usage":{"input_tokens":1,"output_tokens":1}}}\n\n' \
        'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n' \
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Wuff"}}\n\n' \
        'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    asks = [dict(role='user', content='Hi')]
    def openai(): return OpenAI(api_key='x', max_retries=0).chat.completions.create(model='gpt-4o', messages=asks).choices[0].message.content
    def anthropic():
        with Anthropic(api_key='x', max_retries=0).messages.stream(model='claude', max_tokens=9, messages=asks) as stream: return ''.join(stream.text_stream)
    canonical = lambda body: json.dumps(body, sort_keys=True).encode()
    (tmp_path/'cachy.jsonl').write_text(
        line_of(b'https://api.openai.com/v1/chat/completionsFalse' + canonical(dict(messages=asks, model='gpt-4o')), early, completion) +
        line_of(b'https://api.anthropic.com/v1/messagesFalse' + canonical(dict(max_tokens=9, messages=asks, model='claude', stream=True)), early, events))
    with enable_cachy(tmp_path, mode='replay'): assert (openai(), anthropic()) == ('Miau', 'Wuff')

numbers = json.loads((root/'tests'/'support'/'older_requests.json').read_text()) # key of a real line: a number whose request has that key

@pytest.mark.skipif(not (shared/'upstream_files').is_dir(), reason='optional: real files of earlier versions, kept outside of the project; all is well without them')
@pytest.mark.parametrize('together', [False, True])
def test_each_line_of_the_real_files_is_found(together, tmp_path, caplog):
    "`numbers` were searched for: POST https://api.openai.com/v with `{\"n\": number}` has the key of the line, in each formula but those for the host"
    caplog.set_level(logging.CRITICAL, 'cachy')
    files = [path.read_bytes() for path in sorted((shared/'upstream_files').glob('*.jsonl'))]
    for content in [b''.join(files)] if together else files:
        first = {}
        for line in content.splitlines(): first.setdefault(json.loads(line)['key'], json.loads(line))
        (tmp_path/'cachy.jsonl').write_bytes(content)
        for mode in ('replay', 'auto', 'replay'):
            with enable_cachy(tmp_path, mode=mode), httpx.Client() as client:
                for key, line in first.items():
                    response = client.post('https://api.openai.com/v', headers=in_json, content=json.dumps(dict(n=numbers[key])))
                    wanted = base64.b64decode(line['response']) if line.get('binary') else line['response'].encode()
                    assert response.content == wanted and response.status_code == (line.get('status_code') or 200)
        assert (tmp_path/'cachy.jsonl').read_bytes().startswith(content)
        assert len(Recordings(tmp_path/'cachy.jsonl')) == 2 * len(first)
