"Whole answers in each format that has an end: made by hand, and real ones where the folder of real exchanges is there."
import base64
import json
import re
import sys
from functools import cache

from cachy.request import Call
from support import shared
from support.providers import frame

ask = Call('POST', 'https://api.example.com/v1', [], b'{}')

def events(*contents, named=False, end=b'\n\n'):
    "An event stream of JSON objects, or of bytes as they are"
    name = lambda content: f'event: {content["type"]}\n'.encode() if named else b''
    written = [content if isinstance(content, bytes) else name(content) + b'data: ' + json.dumps(content).encode() for content in contents]
    return b''.join(item.replace(b'\n', end[:len(end) // 2]) + end for item in written)

def choice(text, reason=None, index=0): return dict(id='c1', choices=[dict(index=index, delta=dict(content=text), finish_reason=reason)])
def candidate(text, **more): return dict(candidates=[dict(content=dict(parts=[dict(text=text)]), **more)], usageMetadata=dict(totalTokenCount=3))
def chunk(content): return frame('chunk', dict(bytes=base64.b64encode(json.dumps(content).encode()).decode(), p='abcd'))

done = b'data: [DONE]'
message = [dict(type='message_start', message=dict(id='m', stop_reason=None)), dict(type='ping'), dict(type='content_block_delta', delta=dict(text='Katzen "schnurren" \\ ü')),
    dict(type='message_delta', delta=dict(stop_reason='end_turn')), dict(type='message_stop')]
response = [dict(type='response.created', response=dict(status='in_progress', error=None)), dict(type='response.output_text.delta', delta='Cats purr.'),
    dict(type='response.completed', response=dict(status='completed', error=None, usage=dict(total_tokens=3)))]
sse, lines, aws = 'text/event-stream; charset=utf-8', 'application/x-ndjson', 'application/vnd.amazon.eventstream'

whole = { # name: content-type and body
    'json': ('application/json', json.dumps(dict(id='x', n=[1, -2.5e3, True, None], text='a "b" \\ \n ü €', error=None)).encode()),
    'json as utf-8': ('Application/JSON; charset=utf-8', json.dumps(dict(text='ü€😀', choices=[dict(text='error')]), ensure_ascii=False, indent=1).encode()),
    'json with a wrong escape': ('application/json', b'{"text": "\\d+ \\x", "end": [true]}'),
    'json in latin-1': ('application/json; charset=iso-8859-1', '{"text": "süß"}'.encode('latin-1')),
    'json list': ('application/json', json.dumps([candidate('Cats'), candidate(' purr', finishReason='STOP')], indent=1).encode()),
    'chat': (sse, events(choice(''), choice('Cats'), choice('', 'stop'), done)),
    'chat with CRLF': (sse, events(choice('Cats'), choice('', 'stop'), done, end=b'\r\n\r\n')),
    'chat with CR': (sse, events(choice('Cats'), choice('', 'stop'), done, end=b'\r\r')),
    'chat without blank line': (sse, events(choice('Cats'), choice('', 'stop'), done)[:-2]),
    'chat of two': (sse, events(choice('Cats'), choice('Dogs', index=1), choice('', 'stop'), choice('', 'length', index=1))),
    'chat after comments': (sse, events(b': PROCESSING', b': PROCESSING', dict(choices=[]), choice('Cats'), choice('', 'tool_calls'), done)),
    'chat as json': ('application/json', events(choice('Cats'), choice('', 'stop'), done)),
    'chat without type': ('', events(choice('Cats'), choice('', 'stop'), done)),
    'DashScope': (sse, events(dict(output=dict(choices=[dict(finish_reason='null')])), dict(output=dict(choices=[dict(finish_reason='stop')])))),
    'anthropic': (sse, events(*message, named=True)),
    'anthropic with CRLF': (sse, events(*message, named=True, end=b'\r\n\r\n')),
    'responses': (sse, events(*response, named=True)),
    'responses without names': (sse, events(*response)),
    'gemini': (sse, events(candidate('Cats'), candidate(' purr', finishReason='STOP'))),
    'gemini, blocked': (sse, events(dict(promptFeedback=dict(blockReason='SAFETY'), usageMetadata={}))),
    'cohere': (sse, events(dict(type='message-start'), dict(type='content-delta'), dict(type='message-end', delta=dict(finish_reason='COMPLETE')), named=True)),
    'cohere, lines': ('application/stream+json', b''.join(json.dumps(item).encode() + b'\n' for item in (dict(event_type='stream-start', is_finished=False), dict(event_type='stream-end', is_finished=True)))),
    'mistral': (sse, events(dict(type='conversation.response.started'), dict(type='message.output.delta'), dict(type='conversation.response.done'), named=True)),
    'replicate': (sse, events(b'event: output\nid: 1:0\ndata: Cats', b'event: output\nid: 1:1\ndata:  purr', b'event: done\ndata: {}')),
    'ollama': (lines, b''.join(json.dumps(dict(response=text, done=end)).encode() + b'\n' for text, end in (('Cats', False), (' purr', False), ('', True)))),
    'converse': (aws, frame('messageStart', dict(role='assistant')) + frame('contentBlockDelta', dict(delta=dict(text='Cats'))) + frame('messageStop', dict(stopReason='end_turn')) + frame('metadata', dict(usage={}))),
    'anthropic on bedrock': (aws, b''.join(map(chunk, message))),
    'llama on bedrock': (aws, chunk(dict(generation='Cats', stop_reason=None)) + chunk(dict(generation='', stop_reason='stop'))),
    'titan on bedrock': (aws, chunk(dict(outputText='Cats', index=0)) + chunk({'outputText': '.', 'completionReason': 'FINISH', 'amazon-bedrock-invocationMetrics': {'n': 1}}))}

unknown = { # answers of which nothing is known: they are whole when the connection ends properly
    'events': (sse, events(dict(token='Cats'), dict(token=' purr'))), 'message_delta of a server of your own': (sse, events(dict(type='hello'), dict(type='message_delta', text='a'), named=True)),
    'lines': (lines, b'{"n": 1}\n{"n": 2}\n'), 'lines that are done': (lines, b'{"n": 1, "done": true}\n{"n": 2, "done": true}\n'), 'text in events': (sse, b'data: Hello\n\ndata: [world\n\n'),
    'text': ('text/plain', b'{"no json'), 'bytes': ('audio/mpeg', b'\xff\xfb\x00data'), 'not json': ('application/json', b'<html>{'), 'agent on bedrock': (aws, frame('chunk', dict(bytes=base64.b64encode(b'Cats').decode()))),
    'no frames': (aws, b'what is this? no frame at all'), 'mcp': (sse, events(b'event: message\ndata: {"jsonrpc": "2.0", "id": 1, "result": {}}'))}

def may_end(body, i):
    "Whether `body` is whole where only `body[:i]` is there: blank space alone is missing; None, if whole events, a `[DONE]` or a name are, behind what may be the end itself"
    rest, last_data = body[i:].strip(b' \t\r\n'), body.rfind(b'}\nevent: response.completed') # one provider names its events behind their data
    is_finished = b'"choices"' in body and rest.startswith(b'data: ') and re.search(rb'"finish_reason": ?"', body[:i]) and body.count(b'"index": 1') == 0
    return None if rest and (done.endswith(rest) or -1 < last_data < i or is_finished) else not rest

kinds = { # of real exchanges: in which answers they are
    'json': lambda kind, body: 'application/json' in kind and 200 < len(body) < 3000, 'anthropic': lambda kind, body: 'event-stream' in kind and b'message_start' in body, 'chat': lambda kind, body: 'event-stream' in kind and b'"choices"' in body,
    'responses': lambda kind, body: 'event-stream' in kind and b'"response.completed"' in body, 'gemini': lambda kind, body: 'event-stream' in kind and b'"candidates"' in body, 'bedrock': lambda kind, body: 'amazon' in kind}

@cache
def real_answers():
    "Twenty small real answers of each kind, which differ: lists of call, content-type and body"
    if not (shared/'exchanges').is_dir(): return {}
    sys.path.insert(0, str(shared/'exchanges'))
    from load_exchanges import load_exchanges, req_bytes, resp_bytes
    found = {name: {} for name in kinds}
    for exchange in load_exchanges(shared/'exchanges'/'dev-*.jsonl.gz'):
        kind, body = exchange['resp_headers'].get('content-type', '').lower(), resp_bytes(exchange)
        if exchange['status'] != 200 or exchange.get('synthetic') or b'"error": {' in body or b'"error":{' in body or exchange['method'] != 'POST': continue
        for name, fits in kinds.items():
            if fits(kind, body) and not ('amazon' in kind) > (name == 'bedrock'): found[name].setdefault(body, (Call('POST', exchange['url'], [], req_bytes(exchange)), kind, body))
    return {name: sorted(answers.values(), key=lambda answer: len(answer[2]))[:20] for name, answers in found.items()}
