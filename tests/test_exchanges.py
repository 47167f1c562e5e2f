"All of the real recorded exchanges: keys against an oracle of the test's own, and replays against what the server sent."
import asyncio
import json
import logging
import re
import sys
from collections import defaultdict
from urllib.parse import parse_qsl, urlsplit

import httpx
import httpx2
import pytest

from cachy import enable_cachy
from cachy.core import read_call
from cachy.request import request_key
from support import shared

sys.path.insert(0, str(shared/'exchanges'))
pytestmark = pytest.mark.skipif(not (shared/'exchanges').is_dir(), reason='optional: real recorded exchanges, kept outside of the project; all is well without them')
if (shared/'exchanges').is_dir():
    from load_exchanges import load_exchanges, req_bytes, resp_bytes
    from replay_server import ReplayServer
    exchanges = list(load_exchanges(shared/'exchanges'/'dev-*.jsonl.gz'))
else: exchanges = []

sent_headers = {'content-type', 'accept', 'openai-beta', 'anthropic-beta', 'anthropic-version'}

def headers_of(exchange): return {name: value for name, value in exchange['req_headers'].items() if name in sent_headers and value != '**REDACTED**'}

def without_ids(text):
    "JSON `text` with the ids that link a tool call and its result numbered: written for this traffic alone, not as cachy does it"
    calls = re.findall(r'"(?:id|call_id|toolUseId)": "([^"]+)"', text)
    results = re.findall(r'"(?:tool_call_id|tool_use_id|call_id|toolUseId|id)": "([^"]+)"', text)
    linked = [name for name in dict.fromkeys(calls) if calls.count(name) + results.count(name) >= 3 or name in set(results) - set(calls)
        or re.search(r'"tool_(?:call|use)_id": "' + re.escape(name) + '"', text)]
    for i, name in enumerate(linked): text = text.replace(f'"{name}"', f'"#{i}"')
    return text

def oracle(exchange):
    "What makes a request this request and no other, worked out without cachy"
    parts, body, headers = urlsplit(exchange['url']), req_bytes(exchange), headers_of(exchange)
    try: content = json.dumps(json.loads(body), sort_keys=True)
    except ValueError: content = body.hex()
    if 'multipart' in headers.get('content-type', ''):
        boundary = headers['content-type'].split('boundary=')[1].strip('"').encode()
        content = body.replace(boundary, b'').hex()
    elif 'json' in headers.get('content-type', ''): content = without_ids(content)
    query = sorted((pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != 'key'), key=lambda pair: pair[0])
    count = tuple(sorted((name, value) for name, value in headers.items() if 'beta' in name or 'version' in name))
    return exchange['method'], parts.netloc, parts.path or '/', str(query), count, content

def request_of(exchange, library, url=None):
    return library.Request(exchange['method'], url or exchange['url'], headers=headers_of(exchange), content=req_bytes(exchange))

@pytest.mark.parametrize('library', [httpx, httpx2])
def test_each_group_has_one_key(library):
    by_oracle, by_key = defaultdict(set), defaultdict(set)
    for exchange in exchanges:
        key, group = request_key(read_call(request_of(exchange, library))), oracle(exchange)
        by_oracle[group].add(key)
        by_key[key].add(group)
    assert len(exchanges) > 3000
    assert [groups for groups in by_key.values() if len(groups) > 1] == [], 'one key for different requests'
    assert [group for group, keys in by_oracle.items() if len(keys) > 1] == [], 'several keys for one request'

def ask(client, request, streamed):
    response = client.send(request, stream=streamed)
    return response.status_code, response.read(), response.extensions.get('cachy')

async def ask_async(client, request, streamed):
    response = await client.send(request, stream=streamed)
    return response.status_code, await response.aread(), response.extensions.get('cachy')

def first_answers():
    "The first exchange of each different request"
    first = {}
    for exchange in exchanges: first.setdefault(oracle(exchange), exchange)
    return list(first.values())

def may_record(exchange, errors=()):
    "The test's own view of what is a whole, final answer"
    if exchange['status'] in errors: return True
    if not 200 <= exchange['status'] < 300 or 'variant=sse-truncated' in exchange['url']: return False
    body = resp_bytes(exchange)
    if exchange['method'] == 'GET':
        try: content = json.loads(body)
        except ValueError: content = None
        if isinstance(content, dict) and str(content.get('status', 'completed')) not in ('completed', 'SUCCESS', 'succeeded', 'processed', 'ACTIVE', 'failed', 'cancelled', 'expired'):
            return False
    return True

async def play(library, server, folder, ways, mode, errors=(), step=1):
    "Ask for every `step`th first answer in one of the `ways`; what came back, by number of the exchange"
    got = {}
    with enable_cachy(folder, doms=('127.0.0.1',), mode=mode, errors=errors):
        with library.Client(timeout=60) as client:
            async with library.AsyncClient(timeout=60) as async_client:
                for i, exchange in [*enumerate(first_answers())][::step]:
                    if exchange['status'] in (301, 302, 307, 308): continue # a client that follows them is another test
                    kind, streamed = ways[i // step % len(ways)]
                    request = request_of(exchange, library, server.url_for(exchange['url']))
                    try: got[i] = await ask_async(async_client, request, streamed) if kind == 'async' else ask(client, request, streamed)
                    except library.HTTPError as error: got[i] = type(error).__name__, b'', None
    return got

ways = [('sync', False), ('sync', True), ('async', False), ('async', True)]

all_of_them = [pytest.param(httpx, httpx2, 1, marks=pytest.mark.slow), pytest.param(httpx2, httpx, 1, marks=pytest.mark.slow)]

@pytest.mark.parametrize('recorder, replayer, step', [(httpx, httpx2, 8), *all_of_them])
def test_first_answers_replay(recorder, replayer, step, tmp_path, caplog):
    caplog.set_level(logging.CRITICAL, 'cachy')
    firsts = first_answers()
    with ReplayServer(exchanges) as server:
        live = asyncio.run(play(recorder, server, tmp_path, ways, 'auto', step=step))
        server.reset()
        again = asyncio.run(play(replayer, server, tmp_path, ways[1:] + ways[:1], 'auto', step=step))
    wrong, after_live_call = [], False # here all providers share one host, so a read follows the call to another one
    for i, (status, body, source) in again.items():
        exchange = firsts[i]
        assert live[i][2] is None
        if exchange['method'] not in ('GET', 'HEAD'): after_live_call = source != 'replayed'
        elif after_live_call:
            assert source is None
            continue
        if source == 'replayed':
            if not may_record(exchange) or status != exchange['status'] or body != resp_bytes(exchange): wrong.append((exchange['source'], exchange['url'], status))
        elif may_record(exchange) and not holds_error(exchange): wrong.append((exchange['source'], exchange['url'], 'not replayed', live[i][0]))
    assert wrong == []
    assert sum(source == 'replayed' for _, _, source in again.values()) > 1500 // step

def holds_error(exchange):
    "An error inside a 2xx, or a body that no client can read; few, and looked at one by one"
    return b'"error"' in resp_bytes(exchange) or b'event: error' in resp_bytes(exchange) or 'truncated' in str(exchange.get('tags')) or b'exception' in resp_bytes(exchange)

@pytest.mark.slow
def test_errors_are_recorded_where_they_are_asked_for(tmp_path, caplog):
    caplog.set_level(logging.CRITICAL, 'cachy')
    with ReplayServer(exchanges) as server:
        asyncio.run(play(httpx, server, tmp_path, ways[:1], 'auto', errors=(400, 404)))
        again = asyncio.run(play(httpx, server, tmp_path, ways[:1], 'auto', errors=(400, 404)))
    replayed = {status for status, _, source in again.values() if source == 'replayed'}
    live = {status for status, _, source in again.values() if source != 'replayed'}
    assert {400, 404} <= replayed and not {400, 404} & live
    assert all(200 <= status < 300 for status in replayed - {400, 404})
