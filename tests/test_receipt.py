"What a session asked, saved and cost: the receipt, the view, and the calls themselves."
import asyncio
import json
import logging
import math
import os
import re
import sys
from functools import cache

import httpx
import pytest

import cachy
from cachy import CachyMiss, enable_cachy
from cachy.cli import main
from cachy.core import Session
from cachy.file import Recording, Recordings, write_line
from cachy.receipt import read_usage, unpack_frames
from cachy.request import Call
from support import python, shared
from support.asking import body, libraries, local, url

sys.path.insert(0, str(shared/'exchanges'))
real = pytest.mark.skipif(not (shared/'exchanges').is_dir(), reason='optional: real recorded exchanges, kept outside of the project; all is well without them')
if (shared/'exchanges').is_dir():
    from load_exchanges import load_exchanges, req_bytes, resp_bytes

@cache
def exchanges():
    "The real exchanges that could be recorded: each with its headers and its answer"
    found = []
    for exchange in load_exchanges(shared/'exchanges'/'dev-*.jsonl.gz'):
        headers = {name.lower(): value if isinstance(value, str) else value[0] for name, value in dict(exchange['resp_headers']).items()}
        if (exchange['status'] or 0) // 100 == 2: found.append((exchange, headers, resp_bytes(exchange)))
    return found

# --- what the SDKs' own models parse: tokens in with those of the cache, out with thoughts, those of the cache ---

def by_openai(cls, content):
    from openai._models import construct_type
    usage = construct_type(type_=cls, value=content).usage
    if usage is None: return None
    details = getattr(usage, 'prompt_tokens_details', None) or getattr(usage, 'input_tokens_details', None)
    cached = details.get('cached_tokens') if isinstance(details, dict) else getattr(details, 'cached_tokens', None)
    if hasattr(usage, 'prompt_tokens'): return usage.prompt_tokens, getattr(usage, 'completion_tokens', None) or 0, cached or 0
    return usage.input_tokens, usage.output_tokens, cached or 0

def by_anthropic(*usages):
    fields = {}
    for usage in usages: fields |= {name: value for name, value in usage.to_dict().items() if isinstance(value, int)}
    cached = fields.get('cache_read_input_tokens', 0)
    return fields['input_tokens'] + cached + fields.get('cache_creation_input_tokens', 0), fields['output_tokens'], cached

def by_google(content):
    from google.genai.types import GenerateContentResponseUsageMetadata as Usage
    known = {name for field, info in Usage.model_fields.items() for name in (field, info.alias)}
    usage = Usage.model_validate({name: value for name, value in content['usageMetadata'].items() if name in known})
    number = lambda name: getattr(usage, name) or 0
    if usage.prompt_token_count is None: return usage.total_token_count and (usage.total_token_count, 0, 0) # a cache was made
    return (number('prompt_token_count') + number('tool_use_prompt_token_count'),
        number('candidates_token_count') + number('thoughts_token_count'), number('cached_content_token_count'))

def by_cohere(content):
    from cohere.core.unchecked_base_model import construct_type
    from cohere.types import Usage
    usage = construct_type(type_=Usage, object_=content)
    units = usage.billed_units or usage.tokens
    return int(units.input_tokens), int(units.output_tokens), min(int(usage.cached_tokens or 0), int(units.input_tokens))

def by_bedrock(usage):
    "By the shape that botocore parses"
    read, write = usage.get('cacheReadInputTokens') or 0, usage.get('cacheWriteInputTokens') or 0
    return usage['inputTokens'] + read + write, usage['outputTokens'], read

says_usage = re.compile(rb'usage|token|_count\b|billed', re.IGNORECASE)

def parsed_by_sdk(kind, body, tells_in_header=False):
    "`(in, out, cached)`; None: it tells none; `...`: no SDK has a model for it"
    import openai.types as openai
    from anthropic._models import construct_type
    from anthropic.types import Message, RawMessageDeltaEvent
    from openai.types.beta.threads import Run
    from openai.types.chat import ChatCompletion, ChatCompletionChunk
    from openai.types.responses import Response
    if 'amazon.eventstream' in kind:
        events = [json.loads(event) for event in unpack_frames(body)]
        return next((by_bedrock(event['usage']) for event in events if 'usage' in event), ...)
    if body[:1] == b'{' and body.count(b'\n{') > 2 and 'ndjson' in kind: contents = [json.loads(line) for line in body.splitlines()]
    elif 'event-stream' in kind:
        pieces = re.findall(rb'^data: ?(\{.*\})\r?$', body, re.MULTILINE)
        contents = [json.loads(piece) for piece in pieces]
    else:
        try: contents = json.loads(body)
        except ValueError: return ...
        contents = contents if isinstance(contents, list) else [contents]
    contents = [content for content in contents if isinstance(content, dict)]
    kinds = {content.get('type') for content in contents if isinstance(content.get('type'), str)}
    first, last = (contents or [{}])[0], (contents or [{}])[-1]
    if 'message_start' in kinds:
        usages = [construct_type(type_=Message, value=content['message']).usage for content in contents if content.get('type') == 'message_start']
        usages += [construct_type(type_=RawMessageDeltaEvent, value=content).usage for content in contents if content.get('type') == 'message_delta']
        return by_anthropic(*usages)
    if first.get('type') == 'message' and 'usage' in first: return by_anthropic(construct_type(type_=Message, value=first).usage)
    if 'response.completed' in kinds: return by_openai(Response, [content for content in contents if content.get('type') == 'response.completed'][-1]['response'])
    if first.get('object') == 'response': return by_openai(Response, first)
    if any('usageMetadata' in content for content in contents): return by_google([content for content in contents if 'usageMetadata' in content][-1])
    if any(content.get('object') == 'thread.run' for content in contents):
        return by_openai(Run, [content for content in contents if content.get('object') == 'thread.run'][-1])
    if any(content.get('object') == 'chat.completion.chunk' for content in contents): # Azure's begin with one that is none
        return next((usage for content in reversed(contents) if content.get('object') == 'chat.completion.chunk' and (usage := by_openai(ChatCompletionChunk, content))), None)
    if first.get('object') == 'chat.completion': return by_openai(ChatCompletion, first)
    if first.get('object') == 'text_completion': return by_openai(openai.Completion, first)
    if first.get('object') == 'list' and 'prompt_tokens' in (first.get('usage') or {}): return by_openai(openai.CreateEmbeddingResponse, first)
    if 'billed_units' in str(first.get('usage')): return by_cohere(first['usage'])
    if 'usage' in first and 'inputTokens' in (first['usage'] or {}) and 'outputTokens' in first['usage']: return by_bedrock(first['usage'])
    if 'eval_count' in last:
        from ollama import ChatResponse
        parsed = ChatResponse.model_validate(dict(last, message=dict(role='assistant', content='')))
        return parsed.prompt_eval_count or 0, parsed.eval_count, 0
    return ... if says_usage.search(body) or tells_in_header else None

# answers of which the SDK does not see all that they tell: Groq's streams tell it under `x_groq`, Mistral counts cached tokens beside the details
told_elsewhere = re.compile(rb'"x_groq": ?\{[^\n]*"usage"|"num_cached_tokens": ?[1-9]')

@real
def test_tokens_are_those_that_the_sdks_parse():
    different, equal, told, untold = [], 0, 0, 0
    every = 1 if os.environ.get('CACHY_FULL') else 5
    for exchange, headers, answer in exchanges()[::every]:
        kind = headers.get('content-type', '')
        usage = read_usage(Recording(200, headers, answer, 1.))[0]
        mine = tuple(usage)[:3] if usage else None
        told, untold = told + bool(usage), untold + (usage is None)
        expected = parsed_by_sdk(kind, answer, any('token' in name for name in headers)) # as Bedrock does
        if expected is ... or (told_elsewhere.search(answer) and mine and (expected is None or mine[:2] == expected[:2])): continue
        if expected == mine: equal += 1
        else: different.append((exchange['provider'], exchange['url'], exchange['source'], expected, mine))
    assert different == [] and equal > 2500 // every and told + untold > 2900 // every, (equal, told, untold)

def recorded(folder, only):
    "A file of real exchanges, and these"
    file, kept = Recordings(folder/'cachy.jsonl'), {}
    for i, (exchange, headers, answer) in enumerate(exchanges()):
        call = Call(exchange['method'], exchange['url'], [('content-type', 'application/json')], req_bytes(exchange))
        if only(exchange, headers, answer): kept[f'{i:016x}'] = call, Recording(200, {'content-type': headers.get('content-type', '')}, answer, 2.)
    for key, (call, recording) in kept.items(): file.add(write_line(key, call, recording))
    return file, kept

@real
def test_a_cost_that_is_stated_goes_before(tmp_path):
    file, kept = recorded(tmp_path, lambda exchange, headers, body: 'openrouter' in exchange['url'] and re.search(rb'"cost": ?[\d.]', body))
    stated = [float(re.findall(rb'"usage":.*?"cost": ?([\d.e-]+)', recording.body, re.DOTALL)[-1]) for _, recording in kept.values()]
    from cachy.receipt import file_receipt
    total = file_receipt(file.path).recorded
    assert len(stated) > 40 and total.calls == len(stated) and total.not_told == total.not_priced == 0
    assert math.isclose(total.cost, math.fsum(stated), abs_tol=1e-12) and total.seconds == 2 * len(stated)

@real
def test_streams_without_usage_are_not_told(tmp_path):
    file, kept = recorded(tmp_path, lambda exchange, headers, body: exchange['provider'] == 'openai' and 'event-stream' in headers.get('content-type', ''))
    from cachy.receipt import file_receipt
    total = file_receipt(file.path).recorded
    without = sum(not re.search(rb'"usage": ?\{', recording.body) for _, recording in kept.values())
    assert without > 50 and (total.calls, total.not_told) == (len(kept), without)

@pytest.mark.parametrize('answer, expected', [
    (dict(usage=dict(prompt_tokens=20, completion_tokens=5, total_tokens=25, prompt_tokens_details=dict(cached_tokens=16))), (20, 5, 16)),
    (dict(usage=dict(prompt_tokens=20, completion_tokens=5, total_tokens=125, completion_tokens_details=dict(reasoning_tokens=100))), (20, 105, 0)), # xAI
    (dict(usage=dict(prompt_tokens=20, completion_tokens=105, total_tokens=125, completion_tokens_details=dict(reasoning_tokens=100))), (20, 105, 0)),
    (dict(usage=dict(input_tokens=20, output_tokens=5, cache_read_input_tokens=100, cache_creation_input_tokens=10)), (130, 5, 100)),
    (dict(usage=dict(prompt_tokens=130, completion_tokens=5, total_tokens=135, cache_read_input_tokens=100, cache_creation_input_tokens=10)), (130, 5, 100)), # LiteLLM's proxy
    (dict(usage=dict(prompt_tokens=20, completion_tokens=5, prompt_cache_hit_tokens=16, prompt_cache_miss_tokens=4)), (20, 5, 16)),
    (dict(object='list', data=[dict(embedding=[1.])], usage=dict(total_tokens=9)), (9, 0, 0)),
    (dict(promptFeedback={}, usageMetadata={}), None), (dict(usage=None), None), (dict(usage=dict(type='duration', seconds=3)), None),
    (dict(input_tokens=20), None), (dict(totalTokens=20, promptTokensDetails=[dict(tokenCount=20)]), None), (dict(object='response.input_tokens', input_tokens=3), None),
    (dict(max_output_tokens=300, total_tokens=0, data=[]), (0, 0, 0)), (dict(usage=dict(prompt_tokens=True, completion_tokens='7')), None),
    ([1, 2], None), ('text', None), (dict(usage=dict(input_tokens=-1)), None), (dict(usage=[dict(input_tokens=1)]), None)])
def test_usage(answer, expected):
    usage = read_usage(Recording(200, {'content-type': 'application/json'}, json.dumps(answer).encode(), 1.))[0]
    assert (tuple(usage)[:3] if usage else None) == expected

def with_usage(server, **usage):
    "Have `server` answer with `usage`"
    usage = usage or dict(prompt_tokens=1000, completion_tokens=200, total_tokens=1200, prompt_tokens_details=dict(cached_tokens=400))
    answer = lambda handler, body: dict(id=f'chatcmpl-{server.calls}', model='gpt-4o-2024-08-06', choices=[], usage=usage)
    server.routes.insert(0, ('POST', '/v1/chat/completions', answer))

def test_the_receipt_of_a_session(stand_in, tmp_path):
    genai_prices = pytest.importorskip('genai_prices', reason='optional: prices')
    with_usage(stand_in)
    stand_in.delay = 0.2
    with enable_cachy(tmp_path, **local) as session:
        assert session.receipt().rows == []
        for n in (1, 1, 1, 2): httpx.post(url(stand_in), json=dict(body, n=n))
    line = json.loads((tmp_path/'cachy.jsonl').read_text().splitlines()[0])
    assert list(line)[-3:] == ['elapsed', 'at', 'response'] and re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ', line['at'])
    price = float(genai_prices.calc_price(genai_prices.Usage(input_tokens=1000, output_tokens=200, cache_read_tokens=400), 'gpt-4o', provider_id='openai').total_price)
    receipt = session.receipt()
    assert [(row.outcome, row.model, row.calls, row.tokens_in, row.tokens_out, row.cached, row.not_told, row.not_priced) for row in receipt.rows] == [
        ('replayed', 'gpt-4o', 2, 2000, 400, 800, 0, 0), ('recorded', 'gpt-4o', 2, 2000, 400, 800, 0, 0)]
    assert math.isclose(receipt.replayed.cost, 2 * price) and receipt.replayed.seconds >= 0.4
    assert f'{2 * price:.4f}' in repr(receipt) and '2,000' in repr(receipt) and '2,000' in receipt._repr_html_() and 'not told' not in repr(receipt)

def test_each_recording_of_a_key_counts_for_itself(stand_in, tmp_path):
    with enable_cachy(tmp_path, **local) as session:
        for number in (10, 20, 40):
            with_usage(stand_in, prompt_tokens=number, completion_tokens=1)
            with session.fresh(): httpx.post(url(stand_in), json=body)
    assert (session.receipt().recorded.calls, session.receipt().recorded.tokens_in) == (3, 70)

def test_an_answer_that_is_fetched_again_costs_nothing(stand_in, tmp_path):
    usage = dict(input_tokens=9, output_tokens=1, total_tokens=10)
    stand_in.routes[:0] = [('POST', '/v1/responses', lambda handler, body: dict(id='resp_1', status='completed', usage=usage)),
        ('GET', '/v1/responses/resp_1', lambda handler, body: dict(id='resp_1', status='completed', usage=usage))]
    with enable_cachy(tmp_path, **local) as session:
        httpx.post(stand_in.url + '/v1/responses', json=body)
        httpx.get(stand_in.url + '/v1/responses/resp_1')
    assert (session.receipt().recorded.calls, session.receipt().recorded.tokens_in) == (2, 9)

def test_prices_are_imported_for_a_receipt_only(stand_in, tmp_path):
    with_usage(stand_in)
    with enable_cachy(tmp_path, **local): httpx.post(url(stand_in), json=body)
    code = f'''import sys, httpx
sys.modules.update({{}} if sys.argv[1] == 'there' else {{'genai_prices': None}})
from cachy import enable_cachy
with enable_cachy({str(tmp_path)!r}, doms=('127.0.0.1',), mode='replay') as session:
    for _ in range(2): httpx.post({url(stand_in)!r}, json={body!r})
    session.calls
    assert not sys.modules.get('genai_prices')
    print(session.receipt().replayed.tokens_in, session.receipt().replayed.cost, session.receipt().note())'''
    assert python('-c', code, 'away').stdout == "2000 None 2 calls have no known price: pip install 'pycachy[prices]'\n"
    if sys.version_info >= (3, 11): assert re.fullmatch(r'2000 0\.\d+ \n', python('-c', code, 'there').stdout)

def test_stats_of_a_file(stand_in, tmp_path, capsys):
    with_usage(stand_in)
    with enable_cachy(tmp_path, **local):
        httpx.post(url(stand_in), json=body)
        httpx.post(stand_in.url + '/v1/embeddings', json=dict(model='text-embedding-3-small', input='cats'))
        httpx.post(stand_in.url + '/v1/chat/completions', json=dict(body, n=2))
    assert main(['stats', str(tmp_path/'cachy.jsonl')]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert '3 recordings' in ' '.join(lines[0]) and '2,003 tokens in, 400 out' in ' '.join(lines[0])
    assert [line[:3] for line in lines[2:5]] == [['recorded', 'gpt-4o', '2'], ['recorded', 'text-embedding-3-small', '1'], ['recorded', 'all', '3']]
    assert main(['stats', str(tmp_path/'none.jsonl')]) == 2

def test_lines_of_older_formats_and_damaged_ones(tmp_path, capsys):
    (tmp_path/'cachy.jsonl').write_text('{"key":"0123abcd","response":"{\\"usage\\":{\\"prompt_tokens\\":3,\\"completion_tokens\\":1}}"}\n{"key":"torn\n'
        '{"key":"0123456789abcdef","request":[],"at":7,"status_code":200,"headers":{},"response":"' + '[' * 3000 + '"}\n'
        '{"key":"0123456789abcde0","request":{"url":5,"body":[]},"at":"yesterday","response":"{\\"model\\":\\"gpt-4o\\",\\"created\\":\\"?\\",\\"usage\\":{\\"total_tokens\\":1e400}}"}\n')
    assert main(['stats', str(tmp_path/'cachy.jsonl')]) == 0
    assert '3 recordings, 0.0 s, 3 tokens in, 1 out' in capsys.readouterr().out

# --- the same question again ---

def told(caplog): return [record.getMessage() for record in caplog.records if record.levelno == logging.INFO and record.name == 'cachy']

@pytest.mark.parametrize('more, path, open', [(dict(), '/v1/chat/completions', True), (dict(temperature=0.7), '/v1/chat/completions', True),
    (dict(temperature=0), '/v1/chat/completions', False), (dict(generationConfig=dict(temperature=0)), '/v1beta/models/gemini:generateContent', False),
    (dict(generationConfig=dict(temperature=1)), '/v1beta/models/gemini:generateContent', True), (dict(input='cats'), '/v1/embeddings', False)])
def test_repeats_are_said_once_and_counted(stand_in, tmp_path, caplog, more, path, open):
    caplog.set_level('INFO', 'cachy')
    with enable_cachy(tmp_path, **local) as session:
        for _ in range(5): httpx.post(stand_in.url + path, json=dict(body, **more))
        for _ in range(5): httpx.post(stand_in.url + path, json=dict(body, **more, n=2))
    assert len([line for line in told(caplog) if 'with cachy.sample(n):' in line]) == open
    assert ('8 repeats of the same question' in repr(session)) == open and ('8 repeats' in session._repr_html_()) == open
    with enable_cachy(tmp_path, **{**local, 'mode': 'replay'}) as session:
        for _ in range(5): httpx.post(stand_in.url + path, json=dict(body, **more))
    assert ('4 repeats of the same question' in repr(session)) == open and len(told(caplog)) == open

def test_one_replay_is_no_repeat(stand_in, tmp_path, caplog):
    caplog.set_level('INFO', 'cachy')
    with enable_cachy(tmp_path, **local): httpx.post(url(stand_in), json=body)
    with enable_cachy(tmp_path, **local) as session:
        httpx.post(url(stand_in), json=body)
        for number in range(3):
            with session.sample(number + 1): httpx.post(url(stand_in), json=body)
    assert told(caplog) == [] and 'of the same question' not in repr(session)

def test_followers_are_repeats(stand_in, tmp_path, caplog):
    caplog.set_level('INFO', 'cachy')
    stand_in.delay = 0.2
    async def five():
        async with httpx.AsyncClient() as client: await asyncio.gather(*(client.post(url(stand_in), json=body) for _ in range(5)))
    with enable_cachy(tmp_path, **local) as session: asyncio.run(five())
    assert stand_in.calls == 1 and '4 repeats of the same question' in repr(session) and len(told(caplog)) == 1
    assert sorted(call.outcome for call in session.calls) == ['recorded', *['replayed'] * 4]

# --- the calls of a session ---

@libraries
def test_calls_in_order(library, stand_in, tmp_path):
    stand_in.routes.insert(0, ('POST', '/v1/broken', lambda handler, body: handler.send(500, dict(error='no'))))
    with enable_cachy(tmp_path, **local) as session:
        first = library.post(url(stand_in), json=body, headers={'x-mine': 'yes'})
        library.post(url(stand_in), json=body, headers={'authorization': 'Bearer sk-0123456789abcdefghij'})
        library.post(stand_in.url + '/v1/nothing', json=dict(model='m'))
        with library.Client() as client, client.stream('POST', url(stand_in), json=dict(body, stream=True)) as response: response.read()
        with pytest.raises(library.ConnectError): library.post('http://127.0.0.1:9/v1/chat/completions', json=body)
        with session.live(): library.post(url(stand_in), json=body)
        library.post(url(stand_in).replace('127.0.0.1', 'localhost'), json=body)
    with pytest.raises(CachyMiss), enable_cachy(tmp_path, **{**local, 'mode': 'replay'}) as replaying: library.post(url(stand_in), json=dict(body, n=7))
    calls = session.calls
    assert [(call.outcome, call.status) for call in calls] == [('recorded', 200), ('replayed', 200), ('not recorded', 404), ('recorded', 200), ('not recorded', None)]
    assert [call.json().get('stream', False) for call in calls] == [False, False, False, True, False]
    assert calls[0].request.method == 'POST' and calls[0].request.url == url(stand_in) and calls[0].request.body == first.request.content
    assert calls[0].request.header('x-mine') == 'yes' and calls[0].key == calls[1].key != calls[2].key and calls[0].seconds > 0 and calls[4].seconds is None
    assert calls[1].seconds == json.loads((tmp_path/'cachy.jsonl').read_text().splitlines()[0])['elapsed']
    assert 'sk-0123' not in repr(calls)
    assert [(call.outcome, call.status, call.json()['n']) for call in replaying.calls] == [('missed', None, 7)]

def test_calls_are_bounded(stand_in, tmp_path):
    with enable_cachy(tmp_path, **local) as session, httpx.Client() as client:
        for _ in range(3): client.post(url(stand_in), json=body)
        for _ in range(2100): client.post(url(stand_in), json=body)
        assert len(session.calls) == 1000 and len(session.ledger.notes) <= 2000
        large = dict(body, messages=[dict(role='user', content='x' * 1_000_000)])
        for _ in range(40):
            client.post(url(stand_in), json=large)
            assert session.ledger.size <= 16_000_000 and sum(len(call.request.body) for call in session.calls) <= 16_000_000
        assert session.calls[-1].request.body.count(b'x') == 1_000_000 and session.receipt().replayed.calls == session.counts['replayed'] == 2102 + 39

def test_calls_of_other_libraries(stand_in, tmp_path):
    requests, urllib3 = pytest.importorskip('requests'), pytest.importorskip('urllib3')
    with enable_cachy(tmp_path, **local) as session:
        for _ in range(2): requests.post(url(stand_in), json=body)
        urllib3.PoolManager().request('POST', url(stand_in), json=dict(body, n=2))
    assert [(call.outcome, call.status, call.json().get('n')) for call in session.calls] == [('recorded', 200, None), ('replayed', 200, None), ('recorded', 200, 2)]

# --- the view ---

def test_the_view_does_not_change_from_run_to_run(stand_in, tmp_path, monkeypatch):
    folder = tmp_path/'zoo'
    (folder/'nbs').mkdir(parents=True)
    (folder/'pyproject.toml').touch()
    monkeypatch.chdir(folder/'nbs')
    def shown():
        with enable_cachy(doms=('127.0.0.1',), mode='auto') as session:
            first = repr(session), session._repr_html_()
            for n in (1, 1, 2): httpx.post(url(stand_in), json=dict(body, n=n))
            return *first, repr(cachy.session()), cachy.session()._repr_html_()
    assert shown()[0] == "cachy, mode auto (mode='auto'): 0 recordings in zoo/cachy.jsonl"
    second = shown()
    assert second == shown() and second[0] == "cachy, mode auto (mode='auto'): 2 recordings in zoo/cachy.jsonl" and '\n' not in second[0]
    assert '3 replayed' in second[2] and not re.search(r'\b0 (?:missed|recorded|not)', second[2]) and '<table>' in second[3]

def test_debug_names_model_and_seconds(stand_in, tmp_path, capsys):
    with enable_cachy(tmp_path, **local, debug=True):
        for _ in range(2): httpx.post(url(stand_in), json=body)
        httpx.post(stand_in.url + '/v1beta/models/gemini-2.5-flash:generateContent', json=dict(contents=[]))
    lines = [re.sub(r'\d+\.\d s', 'N s', line) for line in capsys.readouterr().out.splitlines()]
    assert [line.rpartition(' (')[2] for line in lines] == ['gpt-4o, N s)', 'gpt-4o, N s)', 'gemini-2.5-flash, N s)']

def test_where_the_file_is(stand_in, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    for n in (1, 2):
        with enable_cachy(doms=('127.0.0.1',), mode='auto'): httpx.post(url(stand_in), json=dict(body, n=n))
    assert [record.getMessage().partition(':')[0] for record in caplog.records if record.name == 'cachy' and record.levelno >= logging.WARNING] == [f'recordings go to {tmp_path}/cachy.jsonl']
    (tmp_path/'pyproject.toml').touch()
    (tmp_path/'nbs').mkdir()
    (tmp_path/'cachy.jsonl').unlink()
    monkeypatch.chdir(tmp_path/'nbs')
    caplog.clear()
    with enable_cachy(doms=('127.0.0.1',), mode='auto'): httpx.post(url(stand_in), json=body)
    with enable_cachy(tmp_path/'nbs', doms=('127.0.0.1',), mode='auto'): httpx.post(url(stand_in), json=body)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []

def test_moved_lines_do_not_say_when(tmp_path):
    call = Call('POST', 'https://api.openai.com/v1/chat/completions', [('content-type', 'application/json')], json.dumps(body).encode())
    assert b'"at"' not in write_line('0' * 16, call, Recording(200, {}, b'{}'))

cells = '''import asyncio, httpx
from cachy import enable_cachy
import cachy
enable_cachy({folder!r}, doms=('127.0.0.1',), mode='replay')
----
for _ in range(2): answer = httpx.post({url!r}, json=dict(model='gpt-4o', messages=[dict(role='user', content='Tell me about cats')]))
answer.json()['id']
----
cachy.session()
----
httpx.post({url!r}, json=dict(model='gpt-5', messages=[]))
----
async with httpx.AsyncClient() as client: await client.post({url!r}, json=dict(model='gpt-6', messages=[]))
----
async with httpx.AsyncClient() as client:
    answers = await asyncio.gather(client.post({url!r}, json=dict(model='gpt-7', messages=[])), return_exceptions=True)
type(answers[0]).__name__
----
cachy.disable_cachy()'''

@pytest.mark.slow
def test_a_notebook(stand_in, tmp_path):
    "Run twice in replay mode it has equal outputs; a miss is its message, and stands there once"
    nbclient, nbformat = pytest.importorskip('nbclient'), pytest.importorskip('nbformat')
    with enable_cachy(tmp_path, **local): httpx.post(url(stand_in), json=body)
    texts = cells.format(folder=str(tmp_path), url=url(stand_in)).split('----\n')
    def outputs():
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in texts])
        nbclient.NotebookClient(notebook, timeout=60, allow_errors=True, kernel_name='python3').execute()
        return [cell.outputs for cell in notebook.cells]
    first, second = outputs(), outputs()
    assert json.dumps(first) == json.dumps(second)
    assert first[0][0]['data']['text/plain'] == f"cachy, mode replay (mode='replay'): 1 recording in {tmp_path}/cachy.jsonl"
    assert '2 replayed' in first[2][0]['data']['text/plain']
    for cell, model in ((3, 'gpt-5'), (4, 'gpt-6')):
        only, = first[cell]
        assert only['output_type'] == 'error' and only['ename'] == 'CachyMiss' and f'model {model}' in only['evalue']
        assert only['traceback'] == ['CachyMiss: ' + only['evalue']]
    assert sorted(output['output_type'] for output in first[5]) == ['execute_result', 'stream'] and str(first[5]).count('no recording for') == 1
    assert first[6] == []

def test_the_parts_that_stay(stand_in, tmp_path):
    with enable_cachy(tmp_path, **local) as session: httpx.post(url(stand_in), json=body)
    assert isinstance(session, Session) and session.counts == {'recorded': 1} and session.mode == 'auto' and str(session.file).endswith('cachy.jsonl')
