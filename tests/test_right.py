"""The key against an oracle written from its description alone, bodies of all kinds through a real server, and canaries in
every place that holds a credential."""
import base64, copy, gzip, json, logging, os, re, threading, zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import quote, unquote_plus, urlsplit

import brotli, httpx, httpx2, pytest, zstandard
from hypothesis import HealthCheck, example, given, settings, strategies as st

from cachy import CachyMiss, enable_cachy
from cachy.core import Recordings, body_refusal, read_call, read_line, request_key
from conftest import root

examples = int(os.environ.get('CACHY_EXAMPLES', 150))
many = settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))

# The oracle: what a request means, in values that Python compares. Written from the description, not from the code.

def frozen(value):
    "JSON content by its meaning: `1`, `1.0` and `True` differ, the order of keys does not count"
    if isinstance(value, dict): return 'object', frozenset((name, frozen(item)) for name, item in value.items())
    if isinstance(value, list): return 'list', tuple(frozen(item) for item in value)
    return type(value).__name__, repr(value)

class Link:
    "An id that links a call and its result"
    def __init__(self, number): self.number = number
    def __repr__(self): return f'link {self.number}'

def id_places(body):
    "Where providers put ids: end, the object, its field"
    if not isinstance(body, dict): return
    turns = [turn for name in ('messages', 'input', 'contents') if isinstance(body.get(name), list) for turn in body[name] if isinstance(turn, dict)]
    for turn in turns:
        yield 'result', turn, 'tool_call_id'                                                       # chat completions
        for call in turn['tool_calls'] if isinstance(turn.get('tool_calls'), list) else []:
            if isinstance(call, dict): yield 'call', call, 'id'
        parts = [turn] + [part for name in ('content', 'parts') if isinstance(turn.get(name), list) for part in turn[name] if isinstance(part, dict)]
        for part in parts:
            kind = part.get('type') if isinstance(part.get('type'), str) else ''
            if kind.endswith('_call_output'): yield 'result', part, 'call_id'                      # Responses
            elif kind.endswith('_call'): yield 'call', part, 'call_id'
            elif kind.endswith('tool_use'): yield 'call', part, 'id'                               # Anthropic
            elif kind.endswith('tool_result'): yield 'result', part, 'tool_use_id'
            for end, names, field in (('call', ('functionCall', 'function_call'), 'id'), ('result', ('functionResponse', 'function_response'), 'id'), # Gemini
                                      ('call', ('toolUse',), 'toolUseId'), ('result', ('toolResult',), 'toolUseId')):                                # Bedrock
                for name in names:
                    if isinstance(part.get(name), dict): yield end, part[name], field

def linked(body):
    "`body` with the ids numbered of which both ends are there"
    body = copy.deepcopy(body)
    places = [(end, holder, field) for end, holder, field in id_places(body) if isinstance(holder.get(field), str)]
    both = {holder[field] for end, holder, field in places if end == 'call'} & {holder[field] for end, holder, field in places if end == 'result'}
    numbers = {}
    for _, holder, field in places:
        if isinstance(holder[field], str) and holder[field] in both: holder[field] = Link(numbers.setdefault(holder[field], len(numbers)))
    return body

def oracle(request):
    parts, content, headers = urlsplit(str(request.url)), request.content, {name.lower(): value for name, value in request.headers.items()}
    secret = {'api_key', 'api-key', 'access_token', 'sig', 'signature'} | ({'key'} if f'.{parts.hostname}'.endswith('.googleapis.com') else set())
    pairs = [pair.split('=', 1) if '=' in pair else [pair] for pair in parts.query.split('&') if parts.query]
    pairs = [pair for pair in pairs if unquote_plus(pair[0]).lower() not in secret and not unquote_plus(pair[0]).lower().startswith('x-amz-')]
    by_name = frozenset((name, tuple(tuple(pair) for pair in pairs if pair[0] == name)) for name in {pair[0] for pair in pairs})
    counting = {'anthropic-beta', 'anthropic-version', 'openai-beta', 'range', 'content-range', 'x-goog-upload-command', 'x-goog-upload-offset', 'x-portkey-virtual-key', 'x-amzn-bedrock-guardrailidentifier'}
    kept = {name: value for name, value in headers.items() if name in counting}
    asked = {part.split(';')[0].strip() for part in headers.get('accept', '').lower().split(',')}
    if asked - {'', '*/*', 'application/json', 'text/event-stream'}: kept['accept'] = headers['accept']
    content_type = headers.get('content-type', '')
    body = 'bytes', content
    if boundary := re.search(r'^multipart/.*boundary="?([^";,]+)', content_type): body = 'parts', tuple((b'\r\n' + content).split(b'\r\n--' + boundary[1].encode()))
    if 'json' in content_type:
        try: body = 'json', frozen(linked(json.loads(content)))
        except ValueError: pass
    host = (parts.hostname or '', parts.port)
    return request.method, parts.scheme, host, parts.path or '/', by_name, frozenset(kept.items()), body

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

def shuffled(value):
    "`value` with its keys in another order"
    if isinstance(value, dict): return {name: shuffled(value[name]) for name in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value

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

def request_of(library, method, url, headers, content_type, content):
    headers = {**headers, **({'content-type': content_type} if content_type else {})}
    return library.Request(method, url, headers=headers, content=content)

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
    names = dict(zip(['c1', 'c2', 'c3', 'call-0'], [f'new-{name}' for name in order]))
    other = copy.deepcopy(content)
    for _, holder, field in id_places(other):
        if isinstance(holder.get(field), str): holder[field] = names.get(holder[field], holder[field])
    one, two = (request_of(httpx, 'POST', 'https://api.openai.com/v1', {}, 'application/json', written(item)) for item in (content, other))
    assert (request_key(read_call(one)) == request_key(read_call(two))) == (oracle(one) == oracle(two))

# Bodies: what the server sends is what a replay gives

packers = {'identity': bytes, 'gzip': gzip.compress, 'br': brotli.compress, 'zstd': zstandard.compress, 'deflate': zlib.compress}

class Echo:
    "A server that answers with what it is told to"
    def __init__(self):
        self.answers, self.calls = {}, 0
        echo = self
        class Handler(BaseHTTPRequestHandler):
            protocol_version, wbufsize, disable_nagle_algorithm = 'HTTP/1.1', -1, True
            def log_message(self, *args): pass
            def do_POST(self):
                content = self.rfile.read(int(self.headers.get('content-length') or 0))
                echo.calls += 1
                headers, body = echo.answer(self, content)
                self.send_response(200)
                for name, value in {**headers, 'content-length': str(len(body))}.items(): self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, kwargs=dict(poll_interval=0.02), daemon=True).start()
    def answer(self, handler, content): return self.answers[content.decode()]

@pytest.fixture(scope='module')
def echo():
    server = Echo()
    yield server
    server.server.shutdown()
    server.server.server_close()

pieces = st.lists(st.sampled_from([b'data: ', b'event: x\n', b'\n', b'\n\n', b'\r\n', b'\r', b'{"a": 1}', b'{"error": 0}', b'[DONE]', b'\xef\xbb\xbf', 'é\u2028'.encode(), b'\0', b'"', b'\\', b'\xff', b'retry: 1\n', b': ping\n']), max_size=20).map(b''.join)
types = ['application/json', 'text/event-stream', 'text/event-stream; charset=utf-8', 'text/plain; charset=latin-1', 'application/x-ndjson', 'application/octet-stream', 'audio/mpeg', 'application/vnd.amazon.eventstream',
    'application/stream+json', 'text/plain; charset=utf-16', '']
ids_used, clients = count(), {library: library.Client() for library in (httpx, httpx2)} # one each: they take long to make

@settings(max_examples=max(examples // 2, 60), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300) | pieces | st.binary(min_size=70_000, max_size=70_010), st.sampled_from(sorted(packers)), st.sampled_from(types), st.sampled_from([httpx, httpx2]), st.booleans(), st.booleans())
def test_bodies_come_back(echo, tmp_path_factory, body, encoding, content_type, library, streamed, replayed_streamed):
    if encoding == 'zstd' and 'zstd' not in library._decoders.SUPPORTED_DECODERS: library = httpx
    if not hasattr(test_bodies_come_back, 'folder'): test_bodies_come_back.folder = tmp_path_factory.mktemp('bodies')
    folder, name = test_bodies_come_back.folder, str(next(ids_used))
    headers = {'content-encoding': encoding, **({'content-type': content_type} if content_type else {})}
    echo.answers[name] = headers, packers[encoding](body)
    def ask(library, mode, stream):
        with enable_cachy(folder, doms=('127.0.0.1',), mode=mode):
            client = clients[library]
            response = client.send(client.build_request('POST', echo.url, content=name), stream=stream)
            raw = b''.join(response.iter_raw()) if stream and mode == 'replay' else None
            return response, raw if raw is not None else response.read()
    _, live = ask(library, 'auto', streamed)
    assert live == body
    refused = body_refusal(read_call(httpx.Request('POST', echo.url)), content_type, body)
    calls = echo.calls
    if refused:
        with pytest.raises(CachyMiss): ask(httpx, 'replay', False)
        return
    for other in (httpx, httpx2):
        response, again = ask(other, 'replay', replayed_streamed)
        assert again == body and response.headers.get('content-type', '') == content_type and 'content-encoding' not in response.headers
    assert echo.calls == calls and all(read_line(line) for line in (folder/'cachy.jsonl').read_bytes().splitlines(keepends=True)[-1:])

def test_ends_of_the_bodies_test():
    if hasattr(test_bodies_come_back, 'folder'): del test_bodies_come_back.folder

# The reader: whatever stands in the file, nothing raises and no answer is wrong

good_keys = [request_key(read_call(request_of(httpx, 'POST', 'https://api.openai.com/v1', {}, '', str(number).encode()))) for number in range(3)]
def good_line(number, answer): return json.dumps(dict(key=good_keys[number], response=answer)).encode() + b'\n'
line_parts = st.sampled_from([b'{"key":"', *(key.encode() for key in good_keys), b'",', b'"response":"', b'"}', b'}', b'\n', b'\r\n', b'\0', b'\xef\xbb\xbf', b'{', b'[', b'"headers":', b'{"a":"\\ud800"},', b'"status_code":', b'999', b'true,',
    b'"elapsed":1e400,', b'"elapsed":NaN,', b'"binary":true,', b'<<<<<<< HEAD\n', b'=======\n', b'0123abcd', b'null', b'\xff', b'\xed\xa0\x80', '\u2028'.encode(), b'\\'])
noise = st.lists(st.one_of(st.lists(line_parts, max_size=12).map(b''.join), st.binary(max_size=40), st.sampled_from([good_line(number, f'answer {number}') for number in range(3)])), max_size=8)

@many
@given(noise, noise)
def test_random_bytes_in_the_file(tmp_path_factory, before, more):
    path = tmp_path_factory.getbasetemp()/'random.jsonl'
    path.write_bytes(b''.join(before))
    reader = Recordings(path)
    for step in range(2):
        for number, key in enumerate(good_keys):
            found = reader.find(key)
            wanted = last_recording(path.read_bytes(), key)
            assert (found.body, found.status) == wanted if wanted else found is None
        len(reader)
        with open(path, 'ab') as file: file.write(b''.join(more))

@pytest.mark.parametrize('fields', ['"elapsed":1e400', '"elapsed":NaN', '"elapsed":-1', '"elapsed":"1"', '"elapsed":true', '"elapsed":1e8', '"status_code":99', '"status_code":999', '"status_code":1000', '"status_code":true', '"status_code":"200"',
    '"headers":[]', '"headers":"x"', '"headers":["x"]', '"headers":{"a":1,"b":null}', '"headers":{"a":"\\ud800"}', '"headers":{"\\ud800":"a"}', '"headers":{"a":"\u00e9\u2028"}', '"headers":{"Content-Encoding":"gzip"}', '"headers":{"content-type":"text/plain; charset=nonsense"}',
    '"binary":true', '"binary":0', '"unknown":[1]', '"response":null', '"key":5', '"key":"' + 'f' * 16 + '"'])
def test_odd_fields(fields, tmp_path):
    "A line with a strange field is read or skipped, and a recording that is read can be replayed"
    line = f'{{"key":"{good_keys[0]}",{fields},"response":"answer"}}\n'.encode()
    (tmp_path/'cachy.jsonl').write_bytes(line + good_line(1, 'answer 1'))
    wanted = last_recording(line, good_keys[0])
    with enable_cachy(tmp_path, mode='replay') as session, httpx.Client() as client:
        assert session.file.find(good_keys[1]).body == b'answer 1'
        for stream in (False, True):
            request = httpx.Request('POST', 'https://api.openai.com/v1', content=b'0')
            if wanted: assert (client.send(request, stream=stream).read(), client.send(request).status_code) == wanted
            else: pytest.raises(CachyMiss, client.send, request, stream=stream)

def last_recording(content, key):
    "Body and status of the last whole line of `key`, read in the slowest and plainest way"
    found = None
    for line in content.split(b'\n'):
        try:
            fields = json.loads(line.lstrip(b'\xef\xbb\xbf'))
            if fields['key'] != key: continue
            headers, elapsed, status = fields.get('headers') or {}, fields.get('elapsed') or 0, fields.get('status_code') or 200
            assert isinstance(headers, dict) and type(status) is int and 100 <= status <= 999 and 0 <= elapsed < 1e9 and isinstance(fields['response'], str)
            for name, value in headers.items():
                if isinstance(value, str): (name + value).encode()
            found = base64.b64decode(fields['response'], validate=True) if fields.get('binary') else fields['response'].encode(), status
        except (ValueError, TypeError, KeyError, AttributeError, AssertionError, RecursionError): pass
    return found

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
