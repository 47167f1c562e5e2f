"Whatever the name, the place and the spelling: a credential is neither written nor shown, and an answer that repeats one is not recorded."
import base64
import html
import json
import logging
import random
import re
import sys
from urllib.parse import quote, quote_plus, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachy import CachyMiss, enable_cachy
from cachy.check import check
from cachy.core import read_call
from cachy.request import read_body
from support import shared
from support.property import many

# Real requests, or where there are none, some that look like them

def real_requests(count=150):
    if not (shared/'exchanges').is_dir(): return []
    sys.path.insert(0, str(shared/'exchanges'))
    from load_exchanges import load_exchanges, req_bytes
    dice, bodies = random.Random(3), []
    for exchange in load_exchanges(shared/'exchanges'/'dev-*.jsonl.gz'):
        try: body = json.loads(req_bytes(exchange))
        except ValueError: continue
        if isinstance(body, dict) and len(req_bytes(exchange)) < 20_000: bodies.append((urlsplit(exchange['url']).path or '/', body))
    return dice.sample(bodies, count)

made_up = [
    ('/v1/chat/completions', dict(model='m', max_tokens=5, messages=[dict(role='user', content='Hi')], tools=[dict(type='function', function=dict(name='f', parameters=dict(type='object', properties=dict(password=dict(type='string')))))])),
    ('/v1/messages', dict(model='m', messages=[dict(role='assistant', content=[dict(type='thinking', thinking='x', signature='Eo1' * 20)])], mcp_servers=[dict(type='url', url='https://mcp.example.com/sse', name='s')], metadata=dict(user_id='u'))),
    ('/openai/deployments/m/chat/completions', dict(messages=[], data_sources=[dict(type='azure_search', parameters=dict(endpoint='https://x.example', index_name='i'))])),
    ('/v1/responses', dict(model='m', input='Hi', tools=[dict(type='mcp', server_label='s', server_url='https://mcp.example.com', headers={'x-trace': 'on'})], include=['a'], reasoning=dict(effort='low')))]
requests = real_requests() + made_up

# Where a credential may stand, by a list of the test's own

said = {'messages', 'message', 'input', 'contents', 'content', 'system', 'instructions', 'system_instruction', 'systemInstruction', 'prompt', 'output', 'choices', 'candidates', 'arguments', 'args', 'logprobs', 'inputs',
    'parameters', 'input_schema', 'inputSchema', 'json_schema', 'schema', 'properties', 'response_schema', 'responseSchema', 'responseJsonSchema', 'parameters_json_schema', 'parametersJsonSchema'}

def objects(value, path=()):
    "The paths of all objects in `value` that are not said"
    if isinstance(value, dict):
        yield path
        for name, item in value.items():
            if not name.lower().endswith(tuple(said)): yield from objects(item, (*path, name)) # `jsonSchema` is a schema, too
    elif isinstance(value, list):
        for i, item in enumerate(value): yield from objects(item, (*path, i))

def planted(value, path, name, secret):
    "A copy of `value` with a field more in the object at `path`"
    if not path: return {**value, name: secret}
    copy = value.copy()
    copy[path[0]] = planted(value[path[0]], path[1:], name, secret)
    return copy

words = [('api', 'key'), ('token',), ('auth', 'token'), ('access', 'token'), ('authorization', 'token'), ('secret',), ('client', 'secret'), ('password',), ('authorization',), ('credential',), ('credentials',), ('private', 'key'),
    ('subscription', 'key'), ('secret', 'access', 'key'), ('bearer', 'token'), ('session', 'token')]
spellings = [lambda words: '_'.join(words), lambda words: '-'.join(words), lambda words: '.'.join(words), lambda words: words[0] + ''.join(map(str.title, words[1:])), lambda words: ''.join(map(str.title, words)),
    lambda words: '_'.join(words).upper(), lambda words: '-'.join(map(str.title, words)), lambda words: ''.join(words), lambda words: 'X-' + '-'.join(map(str.title, words))]
names = st.builds(lambda before, end, spell: spell((*before, *end)), st.sampled_from([(), (), ('openai',), ('my', 'service'), ('db',), ('x',), ('mcp', 'server')]), st.sampled_from(words), st.sampled_from(spellings))
alphabets = ['abcdefghijklmnopqrstuvwxyz', 'abcdefghijklmnopqrstuvwxyz0123456789', '0123456789abcdef', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789', 'abcXYZ0189-_', 'abXY01+/=', 'aB3"\\/<>&\'%+;:,{}[]|', 'äöüßéñ中文aB3', 'ab 01.~!$()*@^']
secrets = st.sampled_from(alphabets).flatmap(lambda alphabet: st.text(alphabet, min_size=8, max_size=200)).filter(lambda text: len(set(text)) > 4 and text.strip() == text and '***' not in text)

def is_strong(text): return len(text) >= 12 or (any(map(str.isdigit, text)) and any(map(str.isalpha, text)))

def forms(secret):
    "Each way in which a server may repeat `secret`, by name"
    data = secret.encode()
    yield 'plain', secret
    yield 'escaped', ''.join(f'\\u{ord(letter):04x}' for letter in secret)
    yield 'HTML', html.escape(secret)
    yield 'all entities', ''.join(f'&#{ord(letter)};' for letter in secret)
    yield 'percent', quote(secret, safe='')
    yield 'form', quote_plus(secret)
    yield 'lower percent', ''.join(f'%{byte:02x}' for byte in data)
    for before in ('', 'x', 'me'): yield 'base64', base64.b64encode(f'{before}:{secret}!'.encode()).decode()
    yield 'base64url', base64.urlsafe_b64encode(b'me:' + data).decode()

def answers(form, text, cut):
    "Content-type and body of answers that say `text`"
    quoted = '"' + text + '"' if form == 'escaped' else json.dumps(text)
    yield 'application/json', f'{{"id": "r1", "you": {quoted}}}'.encode()
    if form == 'escaped': return
    yield 'text/html', f'<p>You are {text}</p>'.encode()
    yield 'application/json', json.dumps(dict(arguments=json.dumps(dict(you=text)))).encode()
    pieces = ('You are ', text[:cut], text[cut:], '.')
    yield 'text/event-stream', b''.join(b'data: ' + json.dumps(dict(choices=[dict(delta=dict(content=piece))])).encode() + b'\n\n' for piece in pieces) + b'data: [DONE]\n\n'
    yield 'application/x-ndjson', b''.join(json.dumps(dict(response=piece)).encode() + b'\n' for piece in pieces)

places = ('json', 'json', 'json', 'header', 'query', 'form', 'multipart', 'in a list', 'below', 'json text', 'signed', 'user info', 'header url', 'auth flow', 'named pair')

def carrying(place, url, body, name, secret, at):
    "The arguments of `httpx.Request` for a request that carries `secret` at `place`, or None where none can"
    ascii_only = secret.isascii()
    if place == 'header' or place == 'auth flow': return (url, dict(json=body), {name: secret}) if ascii_only and re.fullmatch(r'[\w.-]+', name) else None
    if place == 'query': return f'{url}?n=1&{quote(name)}={quote(secret, safe="")}', dict(json=body), {}
    if place == 'user info': return url.replace('://', f'://me:{quote(secret, safe="")}@'), dict(json=body), {}
    if place == 'header url': return url, dict(json=body), {'helicone-target-url': f'https://llm.example.com/v1?{quote(name)}={quote(secret, safe="")}'}
    if place == 'form': return url, dict(data={'model': 'm', name: secret}), {}
    if place == 'multipart': return url, dict(data={name: secret, 'prompt': 'a password'}, files={'file': ('a.txt', b'x')}), {}
    if place == 'in a list': name, secret = name, [secret]
    if place == 'below': name, secret = name, dict(value=secret, type='x')
    if place == 'json text': name, secret = 'config', json.dumps({name: secret})
    if place == 'signed': name, secret = 'callback', f'https://x.blob.example.com/a?se=1&sig={quote(secret, safe="")}'
    if place == 'named pair': name, secret = 'extra', [dict(name=name, value=secret)]
    return url, dict(json=planted(body, at, name, secret)), {}

class Caught(logging.Handler):
    "All that is logged"
    def __init__(self):
        super().__init__()
        self.lines = []
    def emit(self, record): self.lines.append(record.getMessage())

@pytest.mark.xfail(strict=False, reason='known: an echo of tools[].authorization is recorded, since the key leaves that field out of the body')
@many
@given(st.sampled_from(places), st.sampled_from(requests), names, secrets, st.data())
def test_nothing_is_written_or_shown(tmp_path_factory, echo, place, request, name, secret, data):
    path, body = request
    at = data.draw(st.sampled_from([at for at in objects(body) if not (at and at[-1] == 'headers')] or [()]))
    made = carrying(place, echo.url + '/v1/chat', body, name, secret, at)
    if made is None or secret in json.dumps(body, ensure_ascii=False): return
    url, content, headers = made
    folder, caught, shown, flow = tmp_path_factory.mktemp('c'), Caught(), [], place == 'auth flow'
    def auth(request):
        if flow: request.headers.update(headers)
        return request
    log = logging.getLogger('cachy')
    level, _ = log.level, log.addHandler(caught)
    log.setLevel(logging.DEBUG)
    try:
        with httpx.Client(auth=auth, timeout=20) as client:
            build = lambda **more: client.build_request('POST', url, headers={} if flow else headers, **{**content, **more})
            with enable_cachy(folder, doms=('127.0.0.1',), mode='auto') as session:
                echo.answer = lambda handler, content: ({'content-type': 'application/json'}, b'{"id": "r1"}')
                client.send(build())
                assert session.counts['recorded'] == 1, 'nothing was echoed'
                file = (folder/'cachy.jsonl').read_text(encoding='utf-8')
                form, text = data.draw(st.sampled_from(list(forms(secret))))
                content_type, answer = data.draw(st.sampled_from(list(answers(form, text, len(text) // 2))))
                echo.answer = lambda handler, content: ({'content-type': content_type}, answer)
                session.mode = 'record'
                session.history.recorded.clear()
                assert client.send(build()).content == answer
                if is_strong(secret): assert session.counts['recorded'] == 1, (form, answer)
                last = build()
                last.read()
                shown += [repr(session), repr(read_call(last)), repr(read_body(read_call(last)))]
            if 'json' in content:
                with enable_cachy(folder, doms=('127.0.0.1',), mode='replay'), pytest.raises(CachyMiss) as miss:
                    client.send(build(json={**content['json'], 'model': 'another'}))
                if not flow: shown += [str(miss.value), repr(miss.value), repr(vars(miss.value))]
    finally:
        log.removeHandler(caught)
        log.setLevel(level)
    everything = dict(file=file, shown='\n'.join(shown), log='\n'.join(caught.lines))
    for where, text in everything.items():
        for form in {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, safe=''), repr(secret)[1:-1]}: assert form not in text, (where, place)
    assert check(folder/'cachy.jsonl', {}) == [] or is_strong(secret) is False
