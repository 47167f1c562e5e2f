"Formats of further providers, as entries for `StandIn.routes`."
import base64, json, struct, time, zlib

from cachy.standin import StandIn, new_id, sse, words

# AWS event streams: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html (the same frames carry Bedrock's events)

def frame(event, content, kind='event'):
    "One message of an AWS event stream"
    fields = {':event-type' if kind == 'event' else ':exception-type': event, ':content-type': 'application/json', ':message-type': kind}
    headers = b''.join(struct.pack('>B', len(name)) + name.encode() + struct.pack('>BH', 7, len(value)) + value.encode() for name, value in fields.items())
    payload = json.dumps(content).encode()
    prelude = struct.pack('>II', 12 + len(headers) + len(payload) + 4, len(headers))
    message = prelude + struct.pack('>I', zlib.crc32(prelude)) + headers + payload
    return message + struct.pack('>I', zlib.crc32(message))

def converse(handler, body, model):
    return dict(output=dict(message=dict(role='assistant', content=[dict(text=handler.text)])), stopReason='end_turn',
        usage=dict(inputTokens=11, outputTokens=7, totalTokens=18), metrics=dict(latencyMs=12))

def converse_stream(handler, body, model):
    handler.fields['content-type'] = 'application/vnd.amazon.eventstream'
    deltas = [frame('contentBlockDelta', dict(contentBlockIndex=0, delta=dict(text=word))) for word in words(handler.text)]
    last = [frame('throttlingException', dict(message='slow down'), 'exception')] if 'throttled' in handler.text else [
        frame('contentBlockStop', dict(contentBlockIndex=0)), frame('messageStop', dict(stopReason='end_turn')),
        frame('metadata', dict(usage=dict(inputTokens=11, outputTokens=7, totalTokens=18), metrics=dict(latencyMs=12)))]
    return [frame('messageStart', dict(role='assistant')), *deltas, *last]

def invoke(handler, body, model):
    return dict(id=new_id('msg_'), type='message', role='assistant', content=[dict(type='text', text=handler.text)])

def invoke_stream(handler, body, model):
    handler.fields['content-type'] = 'application/vnd.amazon.eventstream'
    chunk = lambda content: frame('chunk', dict(bytes=base64.b64encode(json.dumps(content).encode()).decode()))
    return [chunk(dict(type='content_block_delta', delta=dict(text=word))) for word in words(handler.text)] + [chunk(dict(type='message_stop'))]

def cohere_chat(handler, body):
    "`POST /v2/chat` of Cohere"
    usage, text = dict(tokens=dict(input_tokens=11, output_tokens=7)), handler.text
    if not body.get('stream'): return dict(id=new_id(''), finish_reason='COMPLETE', message=dict(role='assistant', content=[dict(type='text', text=text)]), usage=usage)
    start = dict(type='content-start', index=0, delta=dict(message=dict(content=dict(type='text', text=''))))
    deltas = [dict(type='content-delta', index=0, delta=dict(message=dict(content=dict(text=word)))) for word in words(text)]
    return sse(dict(type='message-start', id=new_id(''), delta=dict(message=dict(role='assistant', content=[]))), start, *deltas,
        dict(type='content-end', index=0), dict(type='message-end', delta=dict(finish_reason='COMPLETE', usage=usage)), '[DONE]', named=False)

def ollama_chat(handler, body):
    "`POST /api/chat` of Ollama; streams unless told otherwise"
    line = lambda text, done: dict(model=body['model'], created_at='2026-01-01T00:00:00Z', message=dict(role='assistant', content=text), done=done,
        **(dict(done_reason='stop', total_duration=time.time_ns()) if done else {}))
    if body.get('stream') is False: return line(handler.text, True)
    handler.fields['content-type'] = 'application/x-ndjson'
    return [json.dumps(line(word, False)).encode() + b'\n' for word in words(handler.text)] + [json.dumps(line('', True)).encode() + b'\n']

def rerank(handler, body):
    "`POST /v1/rerank` of Voyage"
    return dict(object='list', model=body['model'], usage=dict(total_tokens=5),
        data=[dict(index=i, relevance_score=time.time() % 1) for i in range(len(body['documents']))])

def prediction(handler, name, state, text=None):
    url = f"http://{handler.headers['host']}/v1/predictions/{name}"
    return dict(id=name, model='owner/name', version='v1', input={}, logs='', error=None, status=state, created_at='2026-01-01T00:00:00Z',
        output=[text] if text else None, urls=dict(get=url, cancel=url + '/cancel', stream=url + '/stream'))

def start_prediction(handler, body): return prediction(handler, handler.new_file('p'), 'starting')

def look_at_prediction(handler, body, name):
    ready = handler.is_ready(name)
    return prediction(handler, name, 'succeeded' if ready else 'processing', handler.text if ready else None)

def stream_prediction(handler, body, name):
    return [f'event: output\nid: {i}\ndata: {word}\n\n'.encode() for i, word in enumerate(words(handler.text))] + [b'event: done\nid: end\ndata: {}\n\n']

routes = (
    ('POST', r'/model/([^/]+)/converse$', converse),
    ('POST', r'/model/([^/]+)/converse-stream$', converse_stream),
    ('POST', r'/model/([^/]+)/invoke$', invoke),
    ('POST', r'/model/([^/]+)/invoke-with-response-stream$', invoke_stream),
    ('POST', r'/v2/chat$', cohere_chat),
    ('POST', r'/api/chat$', ollama_chat),
    ('POST', r'/v1/rerank$', rerank),
    ('POST', r'/v1/models/owner/name/predictions$', start_prediction),
    ('GET', r'/v1/predictions/([^/]+)$', look_at_prediction),
    ('GET', r'/v1/predictions/([^/]+)/stream$', stream_prediction),
)

def provider(**options):
    "A stand-in that speaks all formats. Gemini takes any bytes in an upload, whatever its content-type says"
    stand_in = StandIn(**options)
    stand_in.routes[:0] = routes
    handler = stand_in.server.RequestHandlerClass
    def post(self):
        if '/upload/' in self.path: del self.headers['content-type']
        self.answer()
    handler.do_POST = post
    return stand_in
