"The formats of Bedrock, Ollama and Cohere for the stand-in, and a way to reach it under each provider's own host."
import base64, json, struct, time, zlib
from contextlib import contextmanager

import httpx

from cachy.standin import new_id, random_image, routes, sse, tool_arguments, wanted_tool, words

def frame(kind, payload):
    "One message of an AWS event stream (https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html)"
    def header(name, value): return struct.pack('>B', len(name)) + name.encode() + b'\x07' + struct.pack('>H', len(value)) + value.encode()
    headers = header(':event-type', kind) + header(':content-type', 'application/json') + header(':message-type', 'event')
    payload = json.dumps(payload).encode()
    prelude = struct.pack('>II', 16 + len(headers) + len(payload), len(headers))
    data = prelude + struct.pack('>I', zlib.crc32(prelude)) + headers + payload
    return data + struct.pack('>I', zlib.crc32(data))

def converse(handler, body, stream):
    "Bedrock's `/model/M/converse` and `/converse-stream`"
    tool, text = wanted_tool(body), handler.text
    block = dict(toolUse=dict(toolUseId=new_id('tooluse_'), name=tool, input=tool_arguments)) if tool else dict(text=text)
    reason = 'tool_use' if tool else 'end_turn'
    rest = dict(metrics=dict(latencyMs=1), usage=dict(inputTokens=11, outputTokens=7, totalTokens=18, cacheReadInputTokens=4, cacheWriteInputTokens=2))
    if not stream: return dict(rest, output=dict(message=dict(role='assistant', content=[block])), stopReason=reason)
    handler.fields = {'content-type': 'application/vnd.amazon.eventstream'}
    part = lambda kind, **fields: frame(kind, dict(fields, contentBlockIndex=0))
    start = [part('contentBlockStart', start=dict(toolUse=dict(toolUseId=block['toolUse']['toolUseId'], name=tool)))] if tool else []
    deltas = [dict(toolUse=dict(input=json.dumps(tool_arguments)))] if tool else [dict(text=word) for word in words(text)]
    return [frame('messageStart', dict(role='assistant')), *start, *(part('contentBlockDelta', delta=delta) for delta in deltas),
        part('contentBlockStop'), frame('messageStop', dict(stopReason=reason)), frame('metadata', rest)]

def lines(handler, *contents):
    "`contents` as ndjson"
    handler.fields = {'content-type': 'application/x-ndjson'}
    return [json.dumps(content).encode() + b'\n' for content in contents]

def ollama(handler, body, kind):
    "Ollama's `/api/chat` and `/api/generate`, which stream where they are not told otherwise"
    tool = wanted_tool(body)
    head = lambda: dict(model=body['model'], created_at=f'2026-01-01T00:00:00.{time.time_ns() % 10**9:09}Z')
    call = [dict(function=dict(name=tool, arguments=tool_arguments))]
    say = lambda text: dict(message=dict(role='assistant', content=text)) if kind == 'chat' else dict(response=text)
    end = dict(done=True, done_reason='stop', total_duration=time.time_ns() % 10**9, prompt_eval_count=11, eval_count=7)
    if tool and kind == 'generate': handler.text = json.dumps(dict(name=tool, arguments=tool_arguments)) # as LiteLLM asks it to
    whole = dict(message=dict(role='assistant', content='', tool_calls=call)) if tool and kind == 'chat' else say(handler.text)
    if not body.get('stream', True): return dict(head(), **whole, **end)
    parts = [whole] if tool and kind == 'chat' else map(say, words(handler.text))
    return lines(handler, *(dict(head(), **part, done=False) for part in parts), dict(head(), **say(''), **end))

cohere_usage = dict(billed_units=dict(input_tokens=11, output_tokens=7), tokens=dict(input_tokens=11, output_tokens=7))

def cohere_v2(handler, body):
    "Cohere's `/v2/chat`: streams JSON lines to who accepts no event stream (https://docs.cohere.com/reference/chat-stream)"
    tool, text, reply = wanted_tool(body), handler.text, new_id('')
    call = dict(id=new_id('call_'), type='function', function=dict(name=tool, arguments=json.dumps(tool_arguments)))
    message = dict(role='assistant', **(dict(tool_calls=[call]) if tool else dict(content=[dict(type='text', text=text)])))
    usage = cohere_usage
    if not body.get('stream'): return dict(id=reply, finish_reason='TOOL_CALL' if tool else 'COMPLETE', message=message, usage=usage)
    delta = lambda text: dict(type='content-delta', index=0, delta=dict(message=dict(content=dict(text=text))))
    events = (dict(type='message-start', id=reply, delta=dict(message=dict(role='assistant', content=[]))),
        dict(type='content-start', index=0, delta=dict(message=dict(content=dict(type='text', text='')))),
        *map(delta, words(text)), dict(type='content-end', index=0),
        dict(type='message-end', delta=dict(finish_reason='COMPLETE', usage=usage)))
    return sse(*events, named=True) if 'event-stream' in handler.headers.get('accept', '') else lines(handler, *events)

def cohere_v1(handler, body):
    "Cohere's `/v1/chat`, which streams lines of JSON"
    text = f'{body.get("message")}: {handler.text}'
    answer = dict(response_id=new_id(''), generation_id=new_id(''), text=text, finish_reason='COMPLETE', meta=cohere_usage)
    if not body.get('stream'): return answer
    part = lambda word: dict(event_type='text-generation', is_finished=False, text=word)
    start = dict(event_type='stream-start', is_finished=False, generation_id=answer['generation_id'])
    end = dict(event_type='stream-end', is_finished=True, finish_reason='COMPLETE', response=answer)
    return lines(handler, start, *map(part, words(text)), end)

def vector(): return [time.time() % 1, 0.25, -0.5]

def hugging_face_model(model): return dict(inferenceProviderMapping=dict(together=dict(status='live', providerId=model, task='conversational')))

def gemini_image(handler, body, model): return dict(predictions=[dict(bytesBase64Encoded=random_image(), mimeType='image/png')])

provider_routes = (
    ('GET', r'/api/models/(.+)$', lambda handler, body, model: hugging_face_model(model)),
    ('POST', r'/model/[^/]+/converse$', lambda handler, body: converse(handler, body, False)),
    ('POST', r'/model/[^/]+/converse-stream$', lambda handler, body: converse(handler, body, True)),
    ('POST', r'/model/[^/]+titan-embed[^/]*/invoke$', lambda handler, body: dict(embedding=vector(), inputTextTokenCount=3)),
    ('POST', r'/model/[^/]+/invoke$', lambda handler, body: dict(images=[random_image()])),
    ('POST', r'/api/(chat|generate)$', ollama),
    ('POST', r'/api/show$', lambda handler, body: dict(template='{{ tools }}', model_info={'llama.context_length': 8192})),
    ('POST', r'/api/embed$', lambda handler, body: dict(model=body['model'], embeddings=[vector() for _ in body['input']], prompt_eval_count=3)),
    ('POST', r'/v2/chat$', cohere_v2),
    ('POST', r'/v1/chat$', cohere_v1),
    ('POST', r'/v2/embed$', lambda handler, body: dict(id=new_id(''), embeddings={'float': [vector()]}, meta=cohere_usage)),
    ('POST', r'/models/([^/:]+):predict$', gemini_image),
    ('POST', r'/models/[^/:]+:batchEmbedContents$', lambda handler, body: dict(embeddings=[dict(values=vector()) for _ in body['requests']])),
    ('POST', r'/models/([^/:]+):embedContent$', lambda handler, body, model: dict(embedding=dict(values=vector()))),
)

@contextmanager
def provider_server(**options):
    "A stand-in that speaks all formats"
    from cachy.standin import StandIn
    with StandIn(**options) as server:
        server.routes = [*provider_routes, *routes]
        yield server

def send_to(port):
    "Have httpx and LiteLLM connect to 127.0.0.1 wherever they want to go: below `send`, so that cachy sees the true hosts"
    def local(original):
        def handle(self, request):
            url = request.url.copy_with(scheme='http', host='127.0.0.1', port=port) # the Host header keeps the true one
            fields = dict(headers=request.headers, stream=request.stream, extensions=request.extensions)
            return original(self, httpx.Request(request.method, url, **fields))
        return handle
    httpx.HTTPTransport.handle_request = local(httpx.HTTPTransport.handle_request)
    httpx.AsyncHTTPTransport.handle_async_request = local(httpx.AsyncHTTPTransport.handle_async_request)
    from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport # last: its import makes calls
    LiteLLMAiohttpTransport.handle_async_request = local(LiteLLMAiohttpTransport.handle_async_request)
