"The same request finds the same recording, and a different one never does: the key against an oracle written from its description alone."
import copy
import json
import re

import httpx
import httpx2
from hypothesis import example, given
from hypothesis import strategies as st

from cachy.core import read_call
from cachy.request import request_key
from support.oracle import id_places, oracle, request_of, shuffled
from support.property import many

# Requests: few values, so that equal ones are not rare

texts = st.sampled_from(['', 'a', 'b', 'é', 'call-0', 'c1', 'c2', 'c3', '1', '\ud800', 'a\nb', '0x1234567', '0x7654321'])
leaves = texts | st.sampled_from([0, 1, 1.0, -0.0, 0.0, True, False, None, 1e400, 10**30, 0.1])
names = st.sampled_from(['a', 'b', 'id', 'call_id', 'type', 'content', 'tool_call_id'])
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
    'x-amzn-bedrock-guardrailidentifier', 'authorization', 'x-api-key', 'user-agent', 'x-stainless-retry-count', 'cookie', 'idempotency-key', 'x-other']),
    st.sampled_from(['1', '2', '*/*', 'application/json', 'application/json, text/event-stream;q=1', 'audio/mpeg', 'Audio/MPEG, */*']), max_size=3)
bodies = st.one_of(st.tuples(st.sampled_from(['application/json', 'application/json; charset=utf-8', 'application/vnd.x+json']), st.builds(written, contents, st.sampled_from(range(4)))),
    st.tuples(st.sampled_from(['application/json', 'text/plain', 'application/octet-stream', '']), st.sampled_from([b'', b'{', b'[1', b'{"a": 1}', b'{"a":1}', b'\xff', b'\xef\xbb\xbf{}', b'{"a":1,"a":2}', b'{"a":2}'])),
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
