"""The stand-in that speaks the formats of further providers too, and a way to reach it under each provider's own host."""
import base64
import json
import struct
import time
import zlib
from contextlib import contextmanager

from cachy.standin import StandIn, new_id, random_image, sse, tool_arguments, wanted_tool, words

def lines(handler, *contents):
    "`contents` as ndjson"
    handler.fields['content-type'] = 'application/x-ndjson'
    return [json.dumps(content).encode() + b'\n' for content in contents]

def vector(): return [time.time() % 1, 0.25, -0.5]

# Bedrock. AWS's frames: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html

def frame(event, content, kind='event'):
    "One message of an AWS event stream"
    def header(name, value): return struct.pack('>B', len(name)) + name.encode() + struct.pack('>BH', 7, len(value)) + value.encode()
    fields = {f':{kind}-type': event, ':content-type': 'application/json', ':message-type': kind}
    headers, payload = b''.join(header(*field) for field in fields.items()), json.dumps(content).encode()
    prelude = struct.pack('>II', 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack('>I', zlib.crc32(prelude)) + headers + payload
    return message + struct.pack('>I', zlib.crc32(message))

def framed(handler, *frames):
    handler.fields['content-type'] = 'application/vnd.amazon.eventstream'
    return list(frames)

bedrock_end = dict(metrics=dict(latencyMs=1),
    usage=dict(inputTokens=11, outputTokens=7, totalTokens=18, cacheReadInputTokens=4, cacheWriteInputTokens=2))

def converse(handler, body):
    "`POST /model/M/converse`"
    tool = wanted_tool(body)
    block = dict(toolUse=dict(toolUseId=new_id('tooluse_'), name=tool, input=tool_arguments)) if tool else dict(text=handler.text)
    reason = 'tool_use' if tool else 'end_turn'
    return dict(bedrock_end, output=dict(message=dict(role='assistant', content=[block])), stopReason=reason)

def converse_stream(handler, body):
    "`POST /model/M/converse-stream`, which ends with an exception if it is about being throttled"
    answer = converse(handler, body)
    block, = answer['output']['message']['content']
    part = lambda kind, **fields: frame(kind, dict(fields, contentBlockIndex=0))
    start, deltas = [], [dict(text=word) for word in words(handler.text)]
    if tool := block.get('toolUse'):
        start = [part('contentBlockStart', start=dict(toolUse=dict(toolUseId=tool['toolUseId'], name=tool['name'])))]
        deltas = [dict(toolUse=dict(input=json.dumps(tool['input'])))]
    end = [part('contentBlockStop'), frame('messageStop', dict(stopReason=answer['stopReason'])), frame('metadata', bedrock_end)]
    if 'throttled' in handler.text: end = [frame('throttlingException', dict(message='slow down'), 'exception')]
    return framed(handler, frame('messageStart', dict(role='assistant')), *start,
        *(part('contentBlockDelta', delta=delta) for delta in deltas), *end)

def invoke(handler, body):
    "`POST /model/M/invoke` for one of Anthropic's models"
    return dict(id=new_id('msg_'), type='message', role='assistant', content=[dict(type='text', text=handler.text)])

def invoke_stream(handler, body):
    "`POST /model/M/invoke-with-response-stream` for one of Anthropic's models"
    chunk = lambda content: frame('chunk', dict(bytes=base64.b64encode(json.dumps(content).encode()).decode()))
    deltas = [dict(type='content_block_delta', delta=dict(text=word)) for word in words(handler.text)]
    return framed(handler, *map(chunk, deltas), chunk(dict(type='message_stop')))

# Ollama

def ollama(handler, body, kind):
    "`POST /api/chat` and `/api/generate`, which stream unless they are told otherwise"
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

# Cohere

cohere_usage = dict(billed_units=dict(input_tokens=11, output_tokens=7), tokens=dict(input_tokens=11, output_tokens=7))

def cohere_v2(handler, body):
    "`POST /v2/chat`, which streams lines of JSON to callers that accept nothing else (https://docs.cohere.com/reference/chat-stream)"
    tool, text, reply = wanted_tool(body), handler.text, new_id('')
    call = dict(id=new_id('call_'), type='function', function=dict(name=tool, arguments=json.dumps(tool_arguments)))
    message = dict(role='assistant', **(dict(tool_calls=[call]) if tool else dict(content=[dict(type='text', text=text)])))
    reason = 'TOOL_CALL' if tool else 'COMPLETE'
    if not body.get('stream'): return dict(id=reply, finish_reason=reason, message=message, usage=cohere_usage)
    delta = lambda text: dict(type='content-delta', index=0, delta=dict(message=dict(content=dict(text=text))))
    events = (dict(type='message-start', id=reply, delta=dict(message=dict(role='assistant', content=[]))),
        dict(type='content-start', index=0, delta=dict(message=dict(content=dict(type='text', text='')))),
        *map(delta, words(text)), dict(type='content-end', index=0),
        dict(type='message-end', delta=dict(finish_reason='COMPLETE', usage=cohere_usage)))
    return lines(handler, *events) if handler.headers.get('accept') == 'application/json' else sse(*events, named=True)

def cohere_v1(handler, body):
    "`POST /v1/chat`, which streams lines of JSON"
    text = f'{body.get("message")}: {handler.text}'
    answer = dict(response_id=new_id(''), generation_id=new_id(''), text=text, finish_reason='COMPLETE', meta=cohere_usage)
    if not body.get('stream'): return answer
    part = lambda word: dict(event_type='text-generation', is_finished=False, text=word)
    start = dict(event_type='stream-start', is_finished=False, generation_id=answer['generation_id'])
    end = dict(event_type='stream-end', is_finished=True, finish_reason='COMPLETE', response=answer)
    return lines(handler, start, *map(part, words(text)), end)

# Replicate

def prediction(handler, name, state, text=None):
    url = f"http://{handler.headers['host']}/v1/predictions/{name}"
    return dict(id=name, model='owner/name', version='v1', input={}, logs='', error=None, status=state,
        created_at='2026-01-01T00:00:00Z', output=[text] if text else None,
        urls=dict(get=url, cancel=url + '/cancel', stream=url + '/stream'))

def start_prediction(handler, body): return prediction(handler, handler.new_file('p'), 'starting')

def look_at_prediction(handler, body, name):
    ready = handler.is_ready(name)
    return prediction(handler, name, 'succeeded' if ready else 'processing', handler.text if ready else None)

def stream_prediction(handler, body, name):
    events = [f'event: output\nid: {i}\ndata: {word}\n\n'.encode() for i, word in enumerate(words(handler.text))]
    return [*events, b'event: done\nid: end\ndata: {}\n\n']

# Others

def rerank(handler, body):
    "`POST /v1/rerank` of Voyage"
    return dict(object='list', model=body['model'], usage=dict(total_tokens=5),
        data=[dict(index=i, relevance_score=time.time() % 1) for i in range(len(body['documents']))])

def hugging_face_model(handler, body, model):
    return dict(inferenceProviderMapping=dict(together=dict(status='live', providerId=model, task='conversational')))

def mistral_conversation(handler, body):
    "`POST /v1/conversations`, which Mistral's SDK has for agents"
    output = dict(type='message.output', object='entry', id=new_id('msg_'), role='assistant', model=body.get('model'), content=handler.text)
    usage = dict(prompt_tokens=11, completion_tokens=7, total_tokens=18)
    return dict(object='conversation.response', conversation_id=new_id('conv_'), outputs=[output], usage=usage)

def ollama_embeddings(handler, body):
    return dict(model=body['model'], embeddings=[vector() for _ in body['input']], prompt_eval_count=3)

def gemini_image(handler, body, model): return dict(predictions=[dict(bytesBase64Encoded=random_image(), mimeType='image/png')])

provider_routes = (
    ('GET', r'/api/models/(.+)$', hugging_face_model),
    ('POST', r'/model/[^/]+/converse$', converse),
    ('POST', r'/model/[^/]+/converse-stream$', converse_stream),
    ('POST', r'/model/[^/]+titan-embed[^/]*/invoke$', lambda handler, body: dict(embedding=vector(), inputTextTokenCount=3)),
    ('POST', r'/model/[^/]+canvas[^/]*/invoke$', lambda handler, body: dict(images=[random_image()])),
    ('POST', r'/model/[^/]+/invoke$', invoke),
    ('POST', r'/model/[^/]+/invoke-with-response-stream$', invoke_stream),
    ('POST', r'/api/(chat|generate)$', ollama),
    ('POST', r'/api/show$', lambda handler, body: dict(template='{{ tools }}', model_info={'llama.context_length': 8192})),
    ('POST', r'/v1/responses/input_tokens$', lambda handler, body: dict(object='response.input_tokens', input_tokens=11)),
    ('POST', r'/v1/messages/count_tokens$', lambda handler, body: dict(input_tokens=11)),
    ('POST', r'/v1/conversations$', mistral_conversation),
    ('POST', r'/api/embed$', ollama_embeddings),
    ('POST', r'/v2/chat$', cohere_v2),
    ('POST', r'/v1/chat$', cohere_v1),
    ('POST', r'/v2/embed$', lambda handler, body: dict(id=new_id(''), embeddings={'float': [vector()]}, meta=cohere_usage)),
    ('POST', r'/v1/rerank$', rerank),
    ('POST', r'/v1/models/owner/name/predictions$', start_prediction),
    ('GET', r'/v1/predictions/([^/]+)$', look_at_prediction),
    ('GET', r'/v1/predictions/([^/]+)/stream$', stream_prediction),
    ('POST', r'/models/([^/:]+):predict$', gemini_image),
    ('POST', r'/models/[^/:]+:batchEmbedContents$', lambda handler, body: dict(embeddings=[dict(values=vector()) for _ in body['requests']])),
    ('POST', r'/models/([^/:]+):embedContent$', lambda handler, body, model: dict(embedding=dict(values=vector()))),
)

@contextmanager
def provider_server(**options):
    "A stand-in that speaks all formats"
    with StandIn(**options) as server:
        server.routes[:0] = provider_routes
        yield server

# Below `send`, so that cachy sees the true hosts

port = None # where all clients are led; without a port nobody is there
led = set() # what leads there already

def lead(library, owner, name):
    "Have the method `name` of `owner`, a transport for requests of `library`, reach `port` on 127.0.0.1 whatever host is asked"
    if (owner, name) in led: return
    led.add((owner, name))
    original = getattr(owner, name)
    def handle(self, request):
        if not port: raise library.ConnectError(f'nobody is there for {request.url}')
        request.extensions.pop('sni_hostname', None)
        url = request.url.copy_with(scheme='http', host='127.0.0.1', port=port) # the Host header keeps the true one
        fields = dict(headers=request.headers.raw, stream=request.stream, extensions=request.extensions)
        return original(self, library.Request(request.method, url, **fields))
    setattr(owner, name, handle)

def send_to(new_port, *libraries):
    "Have all clients of `libraries` connect to `new_port` on this machine"
    global port
    port = new_port
    for library in libraries:
        lead(library, library.HTTPTransport, 'handle_request')
        lead(library, library.AsyncHTTPTransport, 'handle_async_request')

def send_litellm_to(new_port):
    "Have LiteLLM connect to `new_port` on this machine"
    import httpx
    send_to(new_port, httpx)
    from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport  # last: its import makes calls
    lead(httpx, LiteLLMAiohttpTransport, 'handle_async_request')
