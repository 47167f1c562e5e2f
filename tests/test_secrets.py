"Whatever the name, the place and the spelling: a credential is neither written nor shown, and an answer that repeats one is not recorded."
import base64
import html
import json
import logging
import os
import random
import re
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cachy
from cachy import CachyMiss, enable_cachy
from cachy.check import check
from cachy.core import read_call
from cachy.file import Recording, write_line
from cachy.request import Call, read_body, request_key
from cachy.secrets import credential_refusal, credentials, is_credential_name, minted_credential, shown_body
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
    'parameters', 'input_schema', 'inputSchema', 'json_schema', 'jsonSchema', 'schema', 'properties', 'response_schema', 'responseSchema', 'responseJsonSchema', 'parameters_json_schema', 'parametersJsonSchema'}

def objects(value, path=()):
    "The paths of all objects in `value` that are not said"
    if isinstance(value, dict):
        yield path
        for name, item in value.items():
            if name not in said and not name.lower().endswith('schema'): yield from objects(item, (*path, name)) # `jsonSchema` is a schema, too
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

own_words = ''.join(Path(cachy.__file__).with_name(f'{name}.py').read_text(encoding='utf-8') for name in ('core', 'miss', 'request'))

class Caught(logging.Handler):
    "All that is logged"
    def __init__(self):
        super().__init__()
        self.lines = []
    def emit(self, record): self.lines.append(record.getMessage())

@many
@given(st.sampled_from(places), st.sampled_from(requests), names, secrets, st.data())
def test_nothing_is_written_or_shown(tmp_path_factory, echo, place, request, name, secret, data):
    path, body = request
    at = data.draw(st.sampled_from([at for at in objects(body) if not (at and at[-1] == 'headers')] or [()]))
    made = carrying(place, echo.url + '/v1/chat', body, name, secret, at)
    if made is None or secret in json.dumps(body, ensure_ascii=False) + own_words: return # it stands there anyway
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

# What the rule says of names

@pytest.mark.parametrize('name', '''api_key apiKey APIKEY APIkey Api-Key x-openai.api.key AccessToken accesstoken ACCESS_TOKEN token secret clientsecret authorization X-Auth oauth_token dbpassword pwd authorization_token credentials
    private_key privateKeyPem token_value api_keys accessTokens openai_key connectionString connection_string hapikey AZURE_OPENAI_API_KEY secretAccessKey'''.split())
def test_names_of_credentials(name): assert is_credential_name(name) and is_credential_name(name, True)

@pytest.mark.parametrize('name', '''max_tokens tokens token_count maxTokens author next_page_token nextPageToken NextToken continuationToken continuation-token tokenizer prompt_cache_key keyword monkey public_key auth_type token_type
    api_key_id secret_name authority authors stop_tokens stopTokens eos_token completion_tokens_details turkey idempotency-key sessionId keys passage secretary max_completion_tokens token_ids license session client
    x-ratelimit-limit-tokens x-amzn-bedrock-input-token-count language_code x-goog-api-client'''.split())
def test_names_of_other_things(name): assert not is_credential_name(name) and not is_credential_name(name, True)

@pytest.mark.parametrize('name', ['key', 'code', 'sig', 'signature', 'X-Goog-Signature', 'X-Amz-Credential', 'subscription-key', 'x-functions-key'])
def test_names_in_addresses(name): assert is_credential_name(name, True)

def call_of(body, url='https://api.example.com/v1/chat', headers=()): return Call('POST', url, [('content-type', 'application/json'), *headers], json.dumps(body).encode())
def shown_of(call): return shown_body(call, read_body(call), credentials(call))

@pytest.mark.parametrize('body', [
    dict(messages=[dict(role='assistant', content=[dict(type='thinking', signature='Eo1' * 20), dict(type='tool_use', input=dict(password='Secret-123456', api_key='sk-0123456789'))])]),
    dict(contents=[dict(parts=[dict(functionCall=dict(args=dict(password='Secret-123456')), thoughtSignature='CvEC' * 9)])]),
    dict(tools=[dict(function=dict(name='f', parameters=dict(type='object', properties=dict(password=dict(type='string', description='the password', default='correcthorse'), token='string'))))]),
    dict(tools=[dict(input_schema=dict(properties=dict(auth=dict(type='string', enum=['password-based', 'token-based']))))]),
    dict(input=[dict(type='function_call', arguments='{"password": "Secret-123456"}')], instructions='The password is Secret-123456'), dict(prompt=dict(id='p', variables=dict(token='Secret-123456'))),
    dict(max_tokens=100, stop_token_ids=[1, 2], token=17, tokens=[5, 6], password=None, nextPageToken='abcdefghijklmnop', customMetadata=[dict(key='department', value='marketing-and-sales')])])
def test_what_is_said_stays(body):
    call = call_of(body)
    assert shown_of(call) == body and credentials(call) == set()
    assert credential_refusal(credentials(call), call.body, 'application/json', {}) == '' # an answer that repeats all of it

def test_a_conversation_keeps_its_texts_but_no_signature():
    image = 'https://x.blob.core.windows.net/c/cat.png?sv=2024-01-01&sig=aB3%2FcD4eF5gH6iJ7kL8%3D&se=2026-01-01'
    texts = ['My token=abc and ?sig=1, see', image, 'https://example.com/?page=2&q=secret', 's3.amazonaws.com/a?X-Amz-Signature=no-url', 'https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA%2F2026&X-Amz-Signature=0a1b2c&X-Amz-Expires=60.']
    shown = shown_of(call_of(dict(messages=[dict(role='user', content=texts)])))['messages'][0]['content']
    assert shown == [texts[0], image.replace('aB3%2FcD4eF5gH6iJ7kL8%3D', '***'), texts[2], texts[3], texts[4].replace('AKIA%2F2026', '***').replace('0a1b2c', '***')]

@pytest.mark.parametrize('body', [dict(api_key='sk'), dict(mcp_servers=[dict(url='https://m', authorization_token='abc')]), dict(tools=[dict(type='mcp', authorization='abc')]), dict(tools=[dict(type='mcp', headers={'X-Key': 'abc'})]),
    dict(data_sources=[dict(type='azure_search', parameters=dict(authentication=dict(type='api_key', key='abc')))]), dict(secrets=dict(OPENAI='abc', other=['abc'])), dict(env=[dict(name='GITHUB_TOKEN', value='abc')])])
def test_short_ones_are_hidden_where_they_stand(body):
    shown = json.dumps(shown_body(call_of({}), read_body(call_of(body)), set()))
    assert '"abc"' not in shown and '"sk"' not in shown and ('***' in shown or read_body(call_of(body)).left_out)

def test_the_file_stays_readable_where_a_credential_looks_like_json():
    call = call_of(dict(model='m', retry=dict(attempts=3, mode='slow')), headers=[('x-portkey-config', '{"attempts":3,"mode":"slow"}'), ('authorization', 'Bearer "retry":{"attempts"')])
    line = write_line('0' * 16, call, Recording(200, {}, b'{}'))
    assert json.loads(line)['request']['body'] == dict(model='m', retry=dict(attempts=3, mode='slow'))

def test_keys():
    "Who asks does not count; what stands under a name of another place may be a question"
    one, other = (call_of(dict(model='m', messages=[]), headers=[('x-api-key', value)]) for value in ('0123456789ab', 'ba9876543210'))
    assert request_key(one) == request_key(other)
    one, other = (call_of(dict(model='m', unlock=dict(password=value))) for value in ('0123456789ab', 'ba9876543210'))
    assert request_key(one) != request_key(other) and write_line('0' * 16, one, Recording(200, {}, b''))[30:] == write_line('0' * 16, other, Recording(200, {}, b''))[30:]

# Answers that are credentials

@pytest.mark.parametrize('answer', [
    dict(value='ek_68af296e8e408191a1120ab6383263c2', expires_at=1756310470, session=dict(type='realtime')), dict(id='sess_1', client_secret=dict(value='a1b2c3d4e5f6', expires_at=1)), dict(object='chatkit.session', client_secret='ek_68af296e8e408191'),
    dict(object='organization.admin_api_key', redacted_value='sk-admin...xyz', value='sk-admin-1234abcd5678efgh9012'), dict(object='webhook_endpoint', signing_secret='whsec_abcdefgh12345678'), dict(name='auth_tokens/0123456789abcdef0123'),
    dict(tunnel_token='0123456789'), dict(access_token='ya29.a0Af', token_type='Bearer'), dict(api_key=dict(object='key', value='sk-svcacct-0123')), dict(data=dict(id=1), key='sk-or-v1-0123456789abcdef0123'), dict(token='0123456789abcdef', expires_in_seconds=60),
    dict(Credentials=dict(AccessKeyId='x', SecretAccessKey='wJalrXUtnFEMI', SessionToken='IQoJb3JpZ2lu')), 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSIsIm4iOjF9.Qm9vZ2llLXdvb2dpZQ'])
def test_an_answer_that_is_a_credential(answer, echo, tmp_path, caplog):
    body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
    echo.answer = lambda handler, content: ({'content-type': 'application/json'}, body)
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='auto') as session:
        assert httpx.post(echo.url, json=dict(model='m')).content == body
        assert session.counts['recorded'] == 0 and "enable_cachy(mode='off')" in caplog.text
    line = json.dumps(dict(key='0' * 16, headers={}, response=body.decode())).encode() + b'\n'
    (tmp_path/'cachy.jsonl').write_bytes(line) # as an older release wrote it
    findings = check(tmp_path/'cachy.jsonl', {})
    assert findings and all(finding.blocks for finding in findings)

@pytest.mark.parametrize('answer', [dict(next_page_token='abcdefghijkl'), dict(token='understanding'), dict(token=dict(text='abcdefghijkl')), dict(data=[dict(api_key='abcdefghijkl')]), dict(api_key='sk-...abcd'), dict(api_key='***'),
    dict(usage=dict(tokens='12345678')), dict(output=dict(password='swordfish1')), dict(message=dict(content='x', signature='0123456789')), dict(key='uploads/2026/a.png', url='https://x'), dict(general=dict(license='Apache-2.0')), dict(author='somebody else'),
    dict(s3_key='uploads/2026/a.png'), dict(logprobs=dict(token='abcdefghijklmnop', expires_at=1)), dict(url='https://x.blob.core.windows.net/a.png?sig=abcdefgh12345'), dict(password='no password'), ['sk-admin-1234abcd5678efgh9012']])
def test_an_answer_that_is_none(answer): assert minted_credential(json.dumps(answer).encode()) == ''

# The request as it went out at last

class QueryAuth(httpx.Auth):
    "Adds its credential to the URL"
    def auth_flow(self, request):
        request.url = request.url.copy_merge_params(dict(code='minted-0123'))
        yield request

def test_what_auth_added_is_looked_for(echo, tmp_path):
    for auth in (QueryAuth(), lambda request: request.headers.update({'x-service-token': 'minted-0123'}) or request, httpx.BasicAuth('somebody', 'minted-0123')):
        echo.answer = lambda handler, content: ({'content-type': 'text/plain'}, b'You are minted%2D0123')
        with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='record') as session: httpx.post(echo.url, json={}, auth=auth)
        assert session.counts == {'not recorded': 1}

def test_what_was_sent_before_a_redirect_is_looked_for(tmp_path):
    "The header is taken off on the way to another host, and the redirect brings one of its own"
    def answer(request):
        if request.url.host == 'one.example': return httpx.Response(307, headers={'location': 'https://two.example/?token=from-location-1'})
        return httpx.Response(200, text=f"You were {request.headers.get('x-said', 'added-by-auth-1')}")
    def auth(request):
        request.headers['authorization'] = 'Bearer added-by-auth-1'
        return request
    for said in ('added-by-auth-1', 'from-location-1', 'nobody'):
        with enable_cachy(tmp_path, doms=('one.example',), mode='record') as session, httpx.Client(transport=httpx.MockTransport(answer), auth=auth, follow_redirects=True) as client:
            client.post('https://one.example/', json={}, headers={'x-said': said})
        assert session.counts == ({'recorded': 1} if said == 'nobody' else {'not recorded': 1}), said

def test_warnings_print_no_url_with_a_credential(echo, tmp_path, caplog):
    "Neither one in a query, nor one in the path that another place tells"
    echo.answer = lambda handler, content: ({'content-type': 'text/plain'}, b'You are path-0123456789')
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='auto', debug=True):
        httpx.post(f'{echo.url}/bot/path-0123456789/x?ticket_token=query-0123', json={}, headers={'authorization': 'Bearer path-0123456789'})
        echo.answer = lambda handler, content: ({'content-type': 'text/plain'}, b'fine')
        httpx.post(f'{echo.url}/v1/sk-proj-Zk3vT9qLwX2mB7nR4cY8/x', json={})
    assert 'not recorded' in caplog.text and not re.search('path-0123456789|query-0123|Zk3vT9qLwX2mB7nR4cY8', caplog.text + (tmp_path/'cachy.jsonl').read_text())

def test_a_file_of_an_older_release_shows_nothing(tmp_path):
    "A miss prints the closest recording, whose request may hold what an older release did not know"
    stored = dict(method='POST', url='https://api.example.com/v1/chat?token=older-0123', headers={'x-portkey-key': 'older-0123'}, body=dict(model='m', auth_token='older-0123', messages=[dict(role='user', content='Hi')]))
    (tmp_path/'cachy.jsonl').write_text(json.dumps(dict(key='0' * 16, request=stored, status_code=200, headers={}, elapsed=1, response='{}'), separators=(',', ':')) + '\n')
    with enable_cachy(tmp_path, doms=('api.example.com',), mode='replay'), pytest.raises(CachyMiss) as miss: httpx.post('https://api.example.com/v1/chat', json=dict(model='m2', messages=[]))
    assert miss.value.closest and 'older-0123' not in str(miss.value) + repr(vars(miss.value))
    assert {finding.what for finding in check(tmp_path/'cachy.jsonl', {})} == {f'the request holds a credential (its {name})' for name in ('url', 'x-portkey-key', 'auth_token')}

@many
@given(st.sampled_from([place for place in places if place != 'auth flow']), st.sampled_from(requests), names, secrets, st.data())
def test_check_finds_what_an_older_release_left(tmp_path_factory, place, request, name, secret, data):
    "Wherever it is planted in a request that stands in the file as it was sent"
    at = data.draw(st.sampled_from([at for at in objects(request[1]) if not (at and at[-1] == 'headers')] or [()]))
    made = carrying(place, 'https://api.example.com' + request[0], request[1], name, secret, at)
    if made is None: return
    url, content, headers = made
    sent = httpx.Request('POST', url, headers=headers, **content)
    sent.read()
    body = content.get('json') or read_body(read_call(sent)).content
    if not isinstance(body, dict): body = body.decode() if isinstance(body, bytes) else [part.decode() for part in body]
    stored = dict(method='POST', url=url, headers=headers, body=body)
    file = tmp_path_factory.mktemp('c')/'cachy.jsonl'
    def findings(request):
        file.write_text(json.dumps(dict(key='0' * 16, request=request, status_code=200, headers={}, elapsed=1, response='{}'), separators=(',', ':')) + '\n', encoding='utf-8')
        return check(file, {})
    found = findings(stored)
    assert found and all(finding.blocks for finding in found) and secret not in str(found)
    assert [finding for finding in findings(dict(stored, url='https://api.example.com' + request[0], headers={}, body=request[1])) if finding.blocks] == []

# Real traffic

@pytest.mark.slow
@pytest.mark.skipif(not (shared/'exchanges').is_dir(), reason='optional: real recorded exchanges, kept outside of the project; all is well without them')
def test_real_exchanges_lose_nothing(tmp_path):
    "Nothing real is refused or blanked, but for what was looked at one by one: a key in the body, and the tools of MCP servers with headers of their own"
    from load_exchanges import load_exchanges, req_bytes, resp_bytes
    changed, lines = [], []
    for number, exchange in enumerate(load_exchanges(shared/'exchanges'/'dev-*.jsonl.gz')):
        call = Call(exchange['method'], exchange['url'], [(name.lower(), value) for name, value in exchange['req_headers'].items() if value != '**REDACTED**'], req_bytes(exchange))
        headers = {'content-type': exchange['resp_headers'].get('content-type', '')}
        if why := credential_refusal(credentials(call), resp_bytes(exchange), headers['content-type'], headers): changed.append((exchange['url'], why))
        if shown_of(call) != read_body(call).content and 'tavily' not in exchange['url'] and b'"mcp"' not in call.body: changed.append((exchange['url'], 'shown'))
        lines.append(write_line(f'{number:016x}', call, Recording(200, headers, resp_bytes(exchange))))
    (tmp_path/'cachy.jsonl').write_bytes(b''.join(lines if os.environ.get('CACHY_FULL') else lines[::5]))
    assert len(lines) > 3000 and changed == [] and [finding for finding in check(tmp_path/'cachy.jsonl', {}) if finding.blocks] == []

def test_a_configuration_in_a_header_holds_others():
    "Portkey takes a configuration as JSON, with keys of providers in it; its other texts are none"
    config = '{"targets": [{"provider": "openai", "api_key": "0123456789ab", "override_params": {"model": "gpt-4o-mini-2024"}}]}'
    found = credentials(Call('POST', 'https://api.portkey.ai/v1', [('x-portkey-config', config)], b'{}'))
    assert '0123456789ab' in found and config in found and 'gpt-4o-mini-2024' not in found
