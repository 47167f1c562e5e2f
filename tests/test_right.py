"The same request finds the same recording, and a different one never does: the key against an oracle written from its description alone."
import copy
import json
import re

import httpx
import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cachy import enable_cachy, ignore
from cachy.core import read_call
from cachy.request import Call, request_key
from support.oracle import id_places, oracle, request_of, shuffled
from support.property import many
from support.recordings import recordings

# Requests: few values, so that equal ones are not rare

texts = st.sampled_from(['', 'a', 'b', 'é', 'call-0', 'c1', 'c2', 'c3', '1', '\ud800', 'a\nb', '0x1234567', '0x7654321'])
leaves = texts | st.sampled_from([0, 1, 1.0, -0.0, 0.0, True, False, None, 1e400, 10**30, 0.1])
names = st.sampled_from(['a', 'b', 'id', 'call_id', 'type', 'content', 'tool_call_id', 'stream', 'prompt_cache_key', 'tools', 'authorization'])
json_values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8)
ids = st.sampled_from(['c1', 'c2', 'c3', 'call-0'])

def obj(**fields): return st.fixed_dictionaries(fields)
chat_turns = st.one_of(obj(role=st.just('user'), content=texts), obj(role=st.just('assistant'), tool_calls=st.lists(obj(id=ids, function=obj(name=st.just('f'), arguments=texts)), max_size=2)),
    obj(role=st.just('tool'), tool_call_id=ids, content=texts))
response_items = st.one_of(obj(type=st.sampled_from(['function_call', 'custom_tool_call']), call_id=ids, id=texts, arguments=texts), obj(type=st.sampled_from(['function_call_output', 'shell_call_output']), call_id=ids, output=texts),
    obj(role=st.just('user'), content=texts))
anthropic_turns = obj(role=st.sampled_from(['user', 'assistant']), content=st.lists(st.one_of(obj(type=st.just('tool_use'), id=ids, input=json_values), obj(type=st.just('tool_result'), tool_use_id=ids, content=texts),
    obj(type=st.just('text'), text=texts)), max_size=3))
gemini_turns = obj(role=st.sampled_from(['user', 'model']), parts=st.lists(st.one_of(obj(functionCall=obj(id=ids, args=json_values)), obj(functionResponse=obj(id=ids, response=json_values)), obj(function_call=obj(id=ids)), obj(text=texts)), max_size=3))
bedrock_turns = obj(role=st.sampled_from(['user', 'assistant']), content=st.lists(st.one_of(obj(toolUse=obj(toolUseId=ids, input=json_values)), obj(toolResult=obj(toolUseId=ids, content=json_values)), obj(text=texts)), max_size=3))
conversations = st.one_of(obj(model=texts, messages=st.lists(chat_turns, max_size=4)), obj(model=texts, input=st.lists(response_items, max_size=4)), obj(messages=st.lists(anthropic_turns, max_size=3)),
    obj(contents=st.lists(gemini_turns, max_size=3)), obj(messages=st.lists(bedrock_turns, max_size=3)))
contents = conversations | json_values

def written(content, style=0):
    "`content` as one SDK or another writes it"
    if style == 1: return json.dumps(content, indent=1, ensure_ascii=True).encode()
    if style == 2: return json.dumps(content, separators=(',', ':'), ensure_ascii=False).encode('utf-8', 'surrogatepass')
    if style == 3: return re.sub(r'(?<!\\)a', r'\\u0061', json.dumps(content)).encode().replace(b'f\\u0061lse', b'false').replace(b'N\\u0061N', b'NaN') if 'NaN' not in json.dumps(content) else json.dumps(content).encode()
    return json.dumps(content).encode()

urls = st.builds(lambda scheme, host, path, pairs: f'{scheme}://{host}{path}' + ('?' + '&'.join(pairs) if pairs else ''), st.sampled_from(['https', 'http']),
    st.sampled_from(['api.openai.com', 'API.openai.com', 'api.openai.com:8443', 'u:p@api.openai.com', 'generativelanguage.googleapis.com']), st.sampled_from(['', '/', '/v1', '/V1', '/v1/', '/v1%20x']),
    st.lists(st.sampled_from(['a=1', 'a=2', 'b=1', 'a', 'a=', 'key=k1', 'key=k2', 'api_key=1', 'API-KEY=2', 'X-Amz-Date=1', 'sig=1', 'signature=2', 'access%5Ftoken=3', 'a=%31', 'A=1', 'keys=1']), max_size=4))
header_sets = st.dictionaries(st.sampled_from(['accept', 'anthropic-beta', 'Anthropic-Version', 'OpenAI-Beta', 'range', 'content-range', 'x-goog-upload-command', 'x-goog-upload-offset', 'x-portkey-virtual-key',
    'x-amzn-bedrock-guardrailidentifier', 'x-amzn-bedrock-trace', 'x-amz-target', 'x-amz-date', 'X-DashScope-SSE', 'x-goog-upload-protocol', 'x-goog-api-client', 'helicone-fallbacks', 'helicone-session-id', 'cf-aig-event-id',
    'x-portkey-trace-id', 'x-portkey-strict-open-ai-compliance', 'x-portkey-api-key', 'azureml-model-session', 'azureml-model-deployment', 'x-amzn-sagemaker-inference-id', 'prefer', 'content-encoding', 'authorization', 'x-api-key', 'user-agent', 'x-stainless-retry-count', 'cookie', 'idempotency-key', 'x-other']),
    st.sampled_from(['1', '2', '*/*', 'application/json', 'application/json, text/event-stream;q=1', 'text/event-stream', 'audio/mpeg', 'Audio/MPEG, */*']), max_size=3)
bodies = st.one_of(st.tuples(st.sampled_from(['application/json', 'application/json; charset=utf-8', 'application/vnd.x+json']), st.builds(written, contents, st.sampled_from(range(4)))),
    st.tuples(st.sampled_from(['application/json', 'text/plain', 'Text/Plain', 'audio/l16; rate=16000', 'audio/L16;rate=16000', 'audio/wav', '']), st.sampled_from([b'', b'{', b'[1', b'{"a": 1}', b'{"a":1}', b'\xff', b'\xef\xbb\xbf{}', b'{"a":1,"a":2}', b'{"a":2}'])),
    st.tuples(st.sampled_from(['multipart/form-data; boundary=x1', 'multipart/form-data; boundary="x2"', 'multipart/related; boundary=x1', 'multipart/form-data']),
        st.sampled_from([b'--x1\r\n\r\na\r\n--x1--', b'--x2\r\n\r\na\r\n--x2--', b'--x1\r\n\r\nb\r\n--x1--', b'--x1\r\n\r\na\r\n--x1\r\n\r\n--x1--'])))

requests = st.builds(lambda method, url, headers, body: (method, url, headers, *body), st.sampled_from(['POST', 'GET', 'PUT', 'DELETE']), urls, header_sets, bodies)

@many
@given(requests, requests)
@example(('POST', 'https://api.openai.com', {}, 'application/json', b'{"messages":[{"tool_calls":[{"id":"c1"}]},{"tool_call_id":"c1"}]}'),
    ('POST', 'https://api.openai.com', {}, 'application/json', b'{"messages":[{"tool_calls":[{"id":"call-0"}]},{"tool_call_id":"call-1"}]}'))
def test_any_two_requests(one, two):
    one, two = request_of(httpx, *one), request_of(httpx2, *two)
    assert (request_key(read_call(one)) == request_key(read_call(two))) == (oracle(one) == oracle(two))

@many
@given(conversations, conversations, st.sampled_from(range(4)), st.sampled_from(range(4)))
def test_any_two_conversations(one, two, style, other):
    one, two = (request_of(httpx, 'POST', 'https://api.openai.com/v1', {}, 'application/json', written(content, way)) for content, way in ((one, style), (two, other)))
    assert (request_key(read_call(one)) == request_key(read_call(two))) == (oracle(one) == oracle(two))

def places_in(value, path=()):
    "All places of JSON content"
    yield path
    for name, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else (): yield from places_in(item, (*path, name))

def changed_at(value, path, new):
    if not path: return new
    value = copy.copy(value)
    value[path[0]] = changed_at(value[path[0]], path[1:], new)
    return value

@many
@given(contents, st.data())
def test_one_place_of_the_body(content, data):
    "One value anywhere replaced by another: equal keys only where the oracle says so"
    path = data.draw(st.sampled_from(list(places_in(content))))
    other = changed_at(content, path, data.draw(leaves | ids))
    one, two = (request_of(httpx, 'POST', 'https://api.openai.com/v1', {}, 'application/json', written(item)) for item in (content, other))
    assert (request_key(read_call(one)) == request_key(read_call(two))) == (oracle(one) == oracle(two))

same = [ # changes that leave a request what it is
    lambda m, u, h, t, c: (m, u, {**h, 'user-agent': 'x', 'x-stainless-os': 'y', 'cookie': 'z', 'authorization': 'Bearer 1', 'idempotency-key': '7'}, t, c),
    lambda m, u, h, t, c: (m, u + ('&' if '?' in u else '?') + 'api_key=zz&X-Amz-Signature=1', h, t, c),
    lambda m, u, h, t, c: (m, u.replace('://', '://someone:secret@') if '@' not in u else u, h, t, c),
    lambda m, u, h, t, c: (m, u + '#fragment', h, t, c),
    lambda m, u, h, t, c: (m, u, {**h, 'accept': 'application/json'} if 'accept' not in h else h, t, c),
    lambda m, u, h, t, c: (m, u, h, t, rewritten(t, c, shuffled)),
    lambda m, u, h, t, c: (m, u, h, t, rewritten(t, c, lambda value: value))]
def rewritten(content_type, content, change):
    try: return json.dumps(change(json.loads(content)), indent=2).encode() if 'json' in content_type else content
    except ValueError: return content

different = [ # changes that make it another
    lambda m, u, h, t, c: ('PATCH', u, h, t, c),
    lambda m, u, h, t, c: (m, u.replace('://', '://x.'  if '@' not in u else '://u:p@x.', 1).replace('x.u:p@', 'x.'), h, t, c),
    lambda m, u, h, t, c: (m, u + ('&' if '?' in u else '?') + 'new=1', h, t, c),
    lambda m, u, h, t, c: (m, u, {**h, 'openai-beta': 'new', 'OpenAI-Beta': 'new'}, t, c),
    lambda m, u, h, t, c: (m, u, {**{n: v for n, v in h.items() if n != 'accept'}, 'accept': 'image/new'}, t, c),
    lambda m, u, h, t, c: (m, u, h, t, c + b'x'),
    lambda m, u, h, t, c: (m, u, h, t, b'["new", ' + c + b']' if c else b'x')]

@many
@given(requests, st.sampled_from(range(len(same))))
def test_changes_that_do_not_count(request, change):
    one, two = request_of(httpx, *request), request_of(httpx, *same[change](*request))
    assert request_key(read_call(one)) == request_key(read_call(two)) and oracle(one) == oracle(two)

@many
@given(requests, st.sampled_from(range(len(different))))
def test_changes_that_count(request, change):
    one, two = request_of(httpx, *request), request_of(httpx, *different[change](*request))
    assert request_key(read_call(one)) != request_key(read_call(two)) and oracle(one) != oracle(two)

@many
@given(st.permutations(['c1', 'c2', 'c3', 'call-0']), conversations)
def test_ids_are_only_links(order, content):
    "Other ids in the same places are the same request, where both ends are there; texts with the same letters stay what they are"
    names = dict(zip(['c1', 'c2', 'c3', 'call-0'], [f'new-{name}' for name in order], strict=True))
    other = copy.deepcopy(content)
    for _, holder, field in id_places(other):
        if isinstance(holder.get(field), str): holder[field] = names.get(holder[field], holder[field])
    one, two = (request_of(httpx, 'POST', 'https://api.openai.com/v1', {}, 'application/json', written(item)) for item in (content, other))
    assert (request_key(read_call(one)) == request_key(read_call(two))) == (oracle(one) == oracle(two))

questions = [ # pairs of requests that differ in one header alone: name, value of the first, value of the second; None stands for no header
    ('x-dashscope-sse', None, 'enable'), ('accept', 'application/json', 'text/event-stream'), ('x-amz-target', 'Comprehend_20171127.DetectSentiment', 'Comprehend_20171127.DetectEntities'), ('x-amzn-bedrock-trace', None, 'ENABLED'),
    ('x-goog-upload-header-content-type', 'text/plain', 'text/csv'), ('x-goog-fieldmask', 'name', '*'), ('prefer', None, 'wait'), ('x-http-method-override', None, 'GET'), ('helicone-fallbacks', None, '[]'), ('cf-aig-byok-alias', 'a', 'b'),
    ('x-amzn-sagemaker-target-model', 'a', 'b'), ('azureml-model-deployment', 'a', 'b'), ('extra-parameters', None, 'pass-through'), ('x-portkey-virtual-key', 'vk-1', 'vk-2'), ('anthropic-version', '2023-06-01', '2026-10-21')]
noise = [('x-goog-api-client', 'gl-python/3.11', 'gl-python/3.12'), ('x-amz-date', '1', '2'), ('x-amz-security-token', '1', '2'), ('x-goog-request-params', '1', '2'), ('x-stainless-retry-count', '0', '1'), ('helicone-session-id', '1', '2'),
    ('cf-aig-event-id', '1', '2'), ('cf-aig-cache-ttl', '1', '2'), ('x-portkey-trace-id', '1', '2'), ('x-portkey-metadata', '{"_user":"a"}', '{"_user":"b"}'), ('helicone-user-id', 'a', 'b'), ('x-amzn-sagemaker-inference-id', '1', '2'),
    ('x-portkey-runtime-version', '3.11', '3.12'), ('x-amzn-bedrock-request-metadata', '{}', '{"run":1}'), ('accept', '*/*', 'application/json'), ('accept', None, 'application/json, text/event-stream')]

@pytest.mark.parametrize('name, first, second, counts', [(*row, True) for row in questions] + [(*row, False) for row in noise])
def test_headers_that_ask_and_headers_that_tell_who(name, first, second, counts):
    one, two = (request_of(httpx, 'POST', 'https://api.openai.com/v1', {} if value is None else {name: value}, 'application/json', b'{}') for value in (first, second))
    if first is None: one.headers.pop(name, None) # httpx has an `accept` of its own
    assert (request_key(read_call(one)) != request_key(read_call(two))) is counts

def test_accept_says_nothing_new_where_the_body_asks_for_events():
    keys = {request_key(Call('POST', 'https://api.openai.com/v1', [('content-type', 'application/json'), ('accept', accept)], b'{"stream": true}')) for accept in ('text/event-stream', 'application/json', '*/*')}
    assert len(keys) == 1

def test_ignored_fields(tmp_path, stand_in):
    "By path: `*` stands for any name or item; what is ignored is neither in the key nor in the file, and what is not ignored counts"
    ask = lambda run, **more: dict(model='m', messages=[dict(role='user', content='Hi', id=run)], metadata=dict(run_id=run, kept='k'), **more)
    def calls(*bodies, **options):
        before = stand_in.calls
        with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='auto', **options):
            for body in bodies: httpx.post(stand_in.url + '/v1/chat/completions', json=body).raise_for_status()
        return stand_in.calls - before
    assert calls(ask('r1'), ask('r2')) == 2
    assert calls(ask('r3'), ask('r4'), ignore=ignore + ('metadata.run_id', 'messages.*.id')) == 1
    assert calls(ask('r3', prompt_cache_key='a'), ask('r3', prompt_cache_key='b'), ask('r3', safety_identifier='c')) == 1
    assert calls(ask('r5', prompt_cache_key='a'), ask('r5', prompt_cache_key='b'), ignore=()) == 2
    assert calls(ask('r6', inner=dict(prompt_cache_key='a')), ask('r6', inner=dict(prompt_cache_key='b'))) == 2 # the top level only
    assert 'r3' not in recordings(tmp_path)[2]['request']['body']['metadata'].values() and recordings(tmp_path)[2]['request']['body']['metadata'] == dict(kept='k')
    with pytest.raises(ValueError, match='ignore'): enable_cachy(tmp_path, ignore='metadata')
    with pytest.raises(ValueError, match='ignore'): enable_cachy(tmp_path, ignore=(7,))

def test_who_asks_does_not_count(tmp_path, stand_in):
    "Credentials in the places where providers take them, in bodies"
    secrets = ['first-secret-0123456789', 'other-secret-9876543210']
    def body(secret): return dict(model='m', messages=[dict(role='user', content='Hi')], mcp_servers=[dict(type='url', url='https://mcp.example', authorization_token=secret)],
        tools=[dict(type='mcp', server_url='https://mcp.example', authorization=secret, headers={'x-api-key': secret})], data_sources=[dict(type='azure_search', parameters=dict(index_name='i', authentication=dict(type='api_key', key=secret)))])
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='auto'):
        for secret in secrets: httpx.post(stand_in.url + '/v1/chat/completions', json=body(secret)).raise_for_status()
        assert stand_in.calls == 1
        changed = body(secrets[0])
        changed['tools'][0]['server_url'] += '/other'
        httpx.post(stand_in.url + '/v1/chat/completions', json=changed).raise_for_status()
    assert stand_in.calls == 2 and not any(secret in (tmp_path/'cachy.jsonl').read_text() for secret in secrets)
