"No credential is written, logged or shown: a canary in each place that holds one."
import base64
import json
import logging
from urllib.parse import quote

import httpx
import pytest

from cachy import CachyMiss, enable_cachy
from cachy.core import read_call

# Credentials: a canary of its own in each place

odd = '"q/u+o\\te'
canaries = {name: f'canary{number:02}-{name}' + (odd if name not in ('userinfo', 'query', 'google', 'aws-signature') else '') for number, name in enumerate(
    ['authorization', 'basic', 'proxy-authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'cookie', 'x-amz-security-token', 'aws-signature', 'query', 'access', 'google', 'userinfo', 'username', 'auth-flow', 'x-portkey-virtual-key', 'ocp-apim-subscription-key'])}
percent = lambda text: quote(text, safe='')

def carrying(name, url):
    "URL and headers of a request that carries the canary `name`, and the client's `auth`"
    value = canaries[name]
    host = url.removeprefix('http://')
    if name == 'authorization': return url, {'authorization': f'Bearer {value}'}, None
    if name == 'basic': return url, {'authorization': 'Basic ' + base64.b64encode(f'somebody:{value}'.encode()).decode()}, None
    if name == 'aws-signature': return url, {'authorization': f'AWS4-HMAC-SHA256 Credential=AKIAcanary/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature={value}'}, None
    if name == 'cookie': return url, {'cookie': f'a=b; session={value}'}, None
    if name == 'query': return f'{url}?api_key={value}', {}, None
    if name == 'access': return f'{url}?access_token={percent(value)}', {}, None
    if name == 'google': return f'{url}?X-Amz-Signature={value}', {}, None
    if name == 'userinfo': return f'http://me:{value}@{host}', {}, None
    if name == 'username': return f'http://{percent(value)}:@{host}', {}, None
    if name == 'auth-flow': return url, {}, lambda request: request.headers.update({'authorization': f'Bearer {value}'}) or request
    return url, {name: value}, None

def echoes(value, rest='and more'):
    "Ways in which a server can repeat a credential: content-type, body"
    half, quoted = len(value) // 2, json.dumps(value)
    yield 'text/plain', f'You are {value}'.encode()
    yield 'application/json', json.dumps(dict(you=value, rest=rest)).encode()
    yield 'application/json', json.dumps(dict(you=value)).replace('/', '\\/').encode()
    yield 'application/json', ('{"you": "' + ''.join(f'\\u{ord(letter):04x}' for letter in value) + '"}').encode()
    yield 'application/json', json.dumps(dict(arguments=json.dumps(dict(you=value)))).encode()
    split = lambda make: b''.join(b'data: ' + json.dumps(make(piece)).encode() + b'\n\n' for piece in ('You are ', value[:half], value[half:], '.'))
    yield 'text/event-stream', split(lambda piece: dict(choices=[dict(delta=dict(content=piece))])) + b'data: [DONE]\n\n'
    yield 'text/event-stream', split(lambda piece: dict(type='content_block_delta', delta=dict(text=piece))).replace(b'\n', b'\r\n')
    yield 'text/event-stream', b''.join(b'data: ' + json.dumps(dict(delta=dict(partial_json=piece))).encode() + b'\n\n' for piece in ('{"you": ', quoted[:half], quoted[half:], '}'))
    yield 'text/event-stream', f'data: {value[:half]}\n\ndata: {value[half:]}\n\n'.encode()
    yield 'application/x-ndjson', b''.join(json.dumps(dict(response=piece)).encode() + b'\n' for piece in (value[:half], value[half:]))
    frame = lambda content: b'\0\0\0\x7f\0\0\0\x20\xaa\xbb\xcc\xdd\x0b:event-type\x07\0\x05chunk' + json.dumps(content).encode() + b'\xde\xad\xbe\xef' # AWS's binary frames
    deltas = [dict(delta=dict(text=piece)) for piece in ('You are ', value[:half], value[half:])]
    yield 'application/vnd.amazon.eventstream', b''.join(map(frame, deltas))
    yield 'application/vnd.amazon.eventstream', b''.join(frame(dict(bytes=base64.b64encode(json.dumps(delta).encode()).decode(), p='abc')) for delta in deltas)
    yield 'application/json', ('[' + ',\n'.join(json.dumps(dict(candidates=[dict(content=piece)])) for piece in (value[:half], value[half:])) + ']').encode()

@pytest.mark.parametrize('name', canaries)
def test_no_canary_anywhere(name, echo, tmp_path, caplog, capsys):
    caplog.set_level(logging.DEBUG, 'cachy')
    value, answers, shown = canaries[name], list(echoes(canaries[name])), []
    forms = {value, json.dumps(value)[1:-1], percent(value), base64.b64encode(value.encode()).decode()}
    url, headers, auth = carrying(name, echo.url)
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='auto', debug=True) as session, httpx.Client(auth=auth or (lambda request: request)) as client:
        for number, (content_type, body) in enumerate(answers):
            content = f'{name} {number}'
            echo.answers[content] = {'content-type': content_type}, body
            for stream in (False, True):
                calls = echo.calls
                response = client.send(client.build_request('POST', url, headers=headers, content=content), stream=stream)
                assert response.read() == body and echo.calls == calls + 1, (content_type, body) # the caller gets it, it is not recorded
        assert session.counts['recorded'] == 0 and session.counts['not recorded'] == 2 * len(answers)
        # a request whose body mentions it, also where texts are cut, is recorded without it
        prompts = [value, f'Use {value}', 'x ' * 495 + value + ' y' * 900, 'x ' * 900 + value + ' y' * 245, json.dumps(dict(key=value))]
        for number, (make, content_type) in enumerate([(lambda prompt: json.dumps(dict(messages=[dict(content=prompt)])), 'application/json'), (str, 'text/plain')] * len(prompts)):
            content = make(prompts[number // 2])
            echo.answers[content] = {'content-type': 'text/plain', 'x-request-id': 'r1'}, b'fine'
            assert client.send(client.build_request('POST', url, headers={**headers, 'content-type': content_type}, content=content)).text == 'fine'
        assert session.counts['recorded'] == 2 * len(prompts)
        shown += [repr(session), str(session)]
        call = read_call(client.build_request('POST', url, headers=headers, content='x'))
        if not auth: shown += [repr(call), str([call])]
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='replay', debug=True), httpx.Client(auth=auth or (lambda request: request)) as client:
        for prompt in (value, 'x ' * 495 + value + ' y' * 900):
            with pytest.raises(CachyMiss) as miss: client.post(url, headers=headers, json=dict(model='other', messages=[dict(content=prompt)]))
            if not auth: shown += [str(miss.value), repr(miss.value), repr(miss.value.request), repr(vars(miss.value))] # what `auth` would have added is not known before it is sent
    out = capsys.readouterr()
    everything = dict(file=(tmp_path/'cachy.jsonl').read_text(), shown='\n'.join(shown), log='\n'.join(record.getMessage() for record in caplog.records), out=out.out + out.err)
    for place, text in everything.items():
        for form in forms: assert form not in text, (place, form)
        if place == 'file': assert value[:20] not in text, 'a part of it'

def test_credentials_in_answer_headers(echo, tmp_path):
    "Kept headers count as the answer does"
    echo.answers['headers'] = {'content-type': 'text/plain', 'x-litellm-key': 'canary-in-a-header'}, b'fine'
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='auto') as session:
        assert httpx.post(echo.url, content='headers', headers={'x-api-key': 'canary-in-a-header'}).text == 'fine'
        assert session.counts['recorded'] == 0
    assert not (tmp_path/'cachy.jsonl').exists()
