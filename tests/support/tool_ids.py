"Providers that give their tool calls no id of their own, so that LiteLLM makes one up; each answer calls the same tool twice with the same arguments."
import asyncio
import json

from cachy.standin import sse
from support.providers import lines

call = dict(name='weather', arguments=dict(city='Paris'))
as_text = dict(call, arguments=json.dumps(call['arguments']))

def gemini(handler, body, how):
    "`POST …/models/twins:generateContent`; the second call comes with a signature, which LiteLLM writes into the id"
    part = dict(functionCall=dict(name=call['name'], args=call['arguments']))
    candidates = [dict(index=0, content=dict(role='model', parts=[item])) for item in (part, dict(part, thoughtSignature='c2lnbmVk'))]
    candidates[1]['finishReason'] = 'STOP'
    rest = dict(usageMetadata=dict(promptTokenCount=1, candidatesTokenCount=1, totalTokenCount=2), modelVersion='gemini')
    whole = dict(candidates[1], content=dict(role='model', parts=[item['content']['parts'][0] for item in candidates]))
    return sse(*(dict(candidates=[item], **rest) for item in candidates)) if how == 'streamGenerate' else dict(candidates=[whole], **rest)

def ollama(handler, body, kind):
    "`POST /api/chat` and `/api/generate`; the latter has room for a single call"
    said = dict(message=dict(role='assistant', content='', tool_calls=[dict(function=call)] * 2)) if kind == 'chat' else dict(response=json.dumps(call))
    head, end = dict(model=body['model'], created_at='2026-01-01T00:00:00Z'), dict(done=True, done_reason='stop', prompt_eval_count=1, eval_count=1)
    if not body.get('stream', True): return dict(head, **said, **end)
    empty = dict(message=dict(role='assistant', content='')) if kind == 'chat' else dict(response='')
    return lines(handler, dict(head, **said, done=False), dict(head, **empty, **end))

def completions(handler, body):
    "`POST …/chat/completions`, in the ways in which providers fall short of OpenAI's"
    kind = body['model'].rpartition('/')[2]
    deltas = {
        'text': [dict(content=json.dumps(dict(call, arguments=as_text['arguments'])))], # Fireworks
        'function': [dict(content='', function_call=call)], # GigaChat
        'openai.gpt-oss-20b-1:0': [dict(tool_calls=[dict(id=f'call_{i}', index=i, type='function', function=as_text)]) for i in range(2)]} # Bedrock
    deltas = deltas.get(kind, [dict(tool_calls=[dict(index=i, type='function', function=as_text)]) for i in range(2)])
    message = dict(deltas[0], role='assistant', content=deltas[0].get('content'))
    if 'tool_calls' in message: message['tool_calls'] = [item for delta in deltas for item in delta['tool_calls']]
    reason = 'function_call' if kind == 'function' else 'tool_calls'
    head, usage = dict(id='c', created=1, model=kind), dict(prompt_tokens=1, completion_tokens=1, total_tokens=2)
    if not body.get('stream'): return dict(head, object='chat.completion', choices=[dict(index=0, message=message, finish_reason=reason)], usage=usage)
    chunk = lambda delta, reason=None: dict(head, object='chat.completion.chunk', choices=[dict(index=0, delta=delta, finish_reason=reason)])
    *first, last = deltas
    return sse(*map(chunk, first), chunk(last, reason), '[DONE]')

routes = (('POST', r'/models/twins:(generate|streamGenerate)Content$', gemini), ('POST', r'/api/(chat|generate)$', ollama), ('POST', r'/chat/completions$', completions))
plain, all_ways = ('plain', 'async'), ('plain', 'stream', 'async', 'async stream')
models = { # model: how many calls an answer brings, and the ways in which LiteLLM finds or names them
    'gemini/twins': (2, all_ways), 'ollama_chat/twins': (2, all_ways), 'ollama/twins': (1, all_ways), 'gigachat/function': (1, all_ways),
    'bedrock/chat_completions/openai.gpt-oss-20b-1:0': (2, all_ways), 'fireworks_ai/text': (1, plain), 'openai/none': (2, plain)}
options = { # of some models
    'gigachat/function': dict(gigachat_access_token='none'), 'bedrock/chat_completions/openai.gpt-oss-20b-1:0': dict(allowed_openai_params=['tools'])}

tool = dict(type='function', function=dict(name='weather', description='The weather.',
    parameters=dict(type='object', properties=dict(city=dict(type='string')), required=['city'])))

async def ask(model, way, messages):
    "The message of an answer, asked for in one of four ways"
    import litellm
    given = dict(model=model, messages=messages, tools=[tool], stream='stream' in way, **options.get(model, {}))
    answer = await litellm.acompletion(**given) if 'async' in way else litellm.completion(**given)
    if 'stream' in way: answer = litellm.stream_chunk_builder([chunk async for chunk in answer] if 'async' in way else list(answer), messages=messages)
    return answer.choices[0].message

async def two_turns(model, way):
    "The ids of the calls of two answers. The second prompt holds the ids of the first, among the messages and in its text, as smolagents has it"
    messages = [dict(role='user', content=f'The weather in Paris, {way}?')]
    first = await ask(model, way, messages)
    results = [dict(role='tool', tool_call_id=item.id, name='weather', content='sunny') for item in first.tool_calls]
    text = f"Calling tools: {[dict(id=item.id, function=item.function.name) for item in first.tool_calls]}"
    second = await ask(model, way, [*messages, first.model_dump(), *results, dict(role='user', content=text)])
    return [[item.id for item in message.tool_calls] for message in (first, second)]

def all_ids(session):
    "Model and way: the ids of two turns, or the error"
    seen, loop = {}, asyncio.new_event_loop()
    for model, (_, ways) in models.items():
        for way in ways:
            try: seen[f'{model} {way}'] = loop.run_until_complete(two_turns(model, way))
            except BaseException as error: seen[f'{model} {way}'] = f'{error!r:.500}'
    return dict(seen=seen, counts=dict(session.counts))
