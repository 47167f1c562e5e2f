"What a request means, and what the file holds: worked out without cachy, in the slowest and plainest way."
import base64
import copy
import json
import re
from urllib.parse import unquote_plus, urlsplit

import httpx

from cachy.core import read_call
from cachy.request import request_key

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

says_nothing = {'x-portkey-trace-id', 'x-portkey-api-key', 'helicone-session-id', 'cf-aig-event-id', 'x-amzn-sagemaker-inference-id', 'azureml-model-session'} # of those that the tests send

def counting(body):
    "`body` without the fields that do not count"
    if not isinstance(body, dict): return body
    body = {name: value for name, value in body.items() if name not in ('prompt_cache_key', 'safety_identifier')}
    for name, fields in (('mcp_servers', ('authorization_token',)), ('tools', ('headers', 'authorization'))):
        strip = lambda item, fields=fields: {inner: value for inner, value in item.items() if inner not in fields} if isinstance(item, dict) else item
        if isinstance(body.get(name), list): body[name] = [strip(item) for item in body[name]]
        elif isinstance(body.get(name), dict): body[name] = {inner: strip(item) for inner, item in body[name].items()}
    return body

def oracle(request):
    parts, content, headers = urlsplit(str(request.url)), request.content, {name.lower(): value for name, value in request.headers.items()}
    secret = {'api_key', 'api-key', 'access_token', 'sig', 'signature'} | ({'key'} if f'.{parts.hostname}'.endswith('.googleapis.com') else set())
    pairs = [pair.split('=', 1) if '=' in pair else [pair] for pair in parts.query.split('&') if parts.query]
    pairs = [pair for pair in pairs if unquote_plus(pair[0]).lower() not in secret and not unquote_plus(pair[0]).lower().startswith('x-amz-')]
    by_name = frozenset((name, tuple(tuple(pair) for pair in pairs if pair[0] == name)) for name in {pair[0] for pair in pairs})
    exact = {'anthropic-beta', 'anthropic-version', 'openai-beta', 'range', 'content-range', 'content-encoding', 'prefer', 'x-http-method-override', 'extra-parameters', 'x-goog-fieldmask', 'x-amz-target'}
    families = ('x-dashscope-', 'x-goog-upload-', 'x-amzn-bedrock-', 'x-amzn-sagemaker-', 'x-portkey-', 'helicone-', 'cf-aig-', 'azureml-')
    kept = {name: value for name, value in headers.items() if (name in exact or name.startswith(families)) and name not in says_nothing}
    content_type = headers.get('content-type', '')
    body = ('bytes', content, re.sub(' *([;=]) *', r'\1', content_type.strip().lower())) if content else ('bytes', b'')
    if boundary := re.search(r'^multipart/.*boundary="?([^";,]+)', content_type): body = 'parts', tuple((b'\r\n' + content).split(b'\r\n--' + boundary[1].encode()))
    asks_for_events = False
    if 'json' in content_type:
        try:
            parsed = json.loads(content)
            asks_for_events = isinstance(parsed, dict) and bool(parsed.get('stream'))
            body = 'json', frozen(linked(counting(parsed)))
        except ValueError: pass
    asked = {part.split(';')[0].strip() for part in headers.get('accept', '').lower().split(',')}
    if asked - {'', '*/*', 'application/json', 'text/event-stream'} or (asked == {'text/event-stream'} and not asks_for_events): kept['accept'] = headers['accept']
    host = (parts.hostname or '', parts.port)
    return request.method, parts.scheme, host, parts.path or '/', by_name, frozenset(kept.items()), body

def shuffled(value):
    "`value` with its keys in another order"
    if isinstance(value, dict): return {name: shuffled(value[name]) for name in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value

def request_of(library, method, url, headers, content_type, content):
    headers = {**headers, **({'content-type': content_type} if content_type else {})}
    return library.Request(method, url, headers=headers, content=content)

# The reader: whatever stands in the file, nothing raises and no answer is wrong

good_keys = [request_key(read_call(request_of(httpx, 'POST', 'https://api.openai.com/v1', {}, '', str(number).encode()))) for number in range(3)]
def good_line(number, answer): return json.dumps(dict(key=good_keys[number], response=answer)).encode() + b'\n'

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
