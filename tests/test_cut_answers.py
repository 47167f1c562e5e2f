"A stream or a JSON that ends in the middle is not recorded, however properly the connection ends; what holds an error is not either."
import copy
import gzip
import json
import os
import zlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachy import core
from cachy.answer import Progress, body_refusal, event_delimiter, split_events
from support.asking import warnings
from support.formats import ask, choice, done, events, kinds, lines, may_end, message, real_answers, sse, unknown, whole
from support.http_libraries import plain, streamed, streams
from support.property import many
from support.recordings import recordings

def wrong_at(call, content_type, body, positions):
    "The positions at which `body` is cut and not refused, or whole and refused; it comes byte by byte"
    progress, wanted, wrong = Progress(content_type), set(positions), []
    for i in range(len(body) + 1):
        if i in wanted:
            progress.splitter.pieces = [b''.join(progress.splitter.pieces)]
            refused = body_refusal(call, content_type, body[:i], progress=copy.deepcopy(progress))
            if may_end(body, i) not in (not refused, None): wrong.append((i, body[i:][:60], refused))
        progress.feed(body[i:i + 1])
    return wrong

@pytest.mark.parametrize('name', whole)
def test_each_format_cut_anywhere(name):
    content_type, body = whole[name]
    start = int(not content_type) # an empty answer without a type says nothing
    assert wrong_at(ask, content_type, body, range(start, len(body) + 1)) == []
    refused = [bool(body_refusal(ask, content_type.upper(), body[:i])) for i in range(start, len(body) + 1)] # in one piece
    assert [i for i, why in enumerate(refused, start) if may_end(body, i) not in (not why, None)] == []
    if b'[DONE]' in body: assert not body_refusal(ask, content_type, body[:body.rindex(done)]) # others send none

@pytest.mark.parametrize('name', unknown)
def test_what_is_unknown_is_whole(name): assert body_refusal(ask, *unknown[name]) == ''

every = bool(os.environ.get('CACHY_FULL')) # at each byte; else at some, and at the last hundred

@pytest.mark.slow
@pytest.mark.skipif(not real_answers(), reason='optional: real recorded exchanges, kept outside of the project; all is well without them')
@pytest.mark.parametrize('kind', kinds)
def test_real_answers_cut_anywhere(kind):
    answers = real_answers()[kind]
    assert len(answers) == 20
    for number, (call, content_type, body) in enumerate(answers):
        some = {*range(number, len(body), max(len(body) // 60, 1)), *range(len(body) - 100, len(body) + 1)}
        assert wrong_at(call, content_type, body, range(len(body) + 1) if every else some) == [], call.url

def served(stand_in, content_type, chunks, **headers):
    "Where the stand-in answers with `chunks`, and ends properly"
    path = f'/cut/{len(stand_in.routes)}'
    def route(handler, body):
        handler.fields.update({'content-type': content_type, **headers})
        return list(chunks)
    stand_in.routes.insert(0, ('POST', path + '$', route))
    return stand_in.url + path

def pack(body):
    packer = zlib.compressobj(wbits=31)
    return packer.compress(body) + packer.flush()

quick = ('httpx', 'async httpx2')

@pytest.mark.parametrize('name', [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in streams])
def test_cut_answers_over_sockets(name, stand_in, tmp_path, cached, caplog):
    "In each library, plain and compressed, streamed and not: the whole answer is recorded once, what a proxy cut never"
    whole_ones = 0
    with cached() as session:
        for number, (content_type, body) in enumerate(whole.values()):
            for i in (len(body), len(body) // 2 + number, max(len(body) - 17 - number % 3, 1)):
                packed = pack(body)[:i * len(pack(body)) // len(body)]
                for sent, encoding in ((body[:i], {}), (pack(body[:i]), {'content-encoding': 'gzip'}), (packed, {'content-encoding': 'gzip'})):
                    came = zlib.decompressobj(31).decompress(sent) if encoding else sent
                    if not came or may_end(body, len(came)) is None: continue # where a whole answer may end, or none has begun
                    url = served(stand_in, content_type, [sent], **encoding)
                    try:
                        if (number + i) % 2: plain(name, url, json=dict(n=i))
                        else: streamed(name, url, json=dict(n=i, stream=True))
                        whole_ones += may_end(body, len(came))
                    except Exception as error: # some libraries see that compressed bytes are missing, be it behind the last event
                        assert sent is packed and i < len(body), error
                        whole_ones += may_end(body, len(came)) and session.counts['recorded'] > whole_ones
                    assert session.counts['recorded'] == whole_ones, (content_type, came)
        assert whole_ones == len(recordings(tmp_path)) >= 3 * len(whole)

@pytest.mark.parametrize('name', streams)
def test_unknown_streams_are_recorded_and_not_held(name, stand_in, tmp_path, cached):
    "Those of a server of your own: each event is handed on before the next is sent, whatever it is called, and one line is written"
    for content_type, body in unknown.values():
        parts, rest = split_events(body, event_delimiter(content_type))
        chunks, came, late = parts + [rest] * bool(rest), [], []
        stand_in.gate = lambda number, came=came, late=late: number == 0 or waited(lambda: len(came) >= number) or late.append(number)
        with cached(): assert b''.join(streamed(name, served(stand_in, content_type, chunks), came.append, json=dict(stream=True))) == body
        assert late == []
    assert [line['response'].encode() for line in recordings(tmp_path) if not line.get('binary')] == [body for _, body in unknown.values() if b'\0' not in body]
    assert len(recordings(tmp_path)) == len(unknown)

def waited(condition, seconds=3):
    import time
    give_up = time.monotonic() + seconds
    while not condition() and time.monotonic() < give_up: time.sleep(0.002)
    return condition()

def bare(name): return {'data' if name in ('requests', 'async aiohttp') else 'content' if 'httpx' in name else 'body': name.encode()} # a body that is just the name

@pytest.mark.parametrize('name', streams)
def test_large_compressed_answers(name, echo, tmp_path, cached):
    "With a content-length, in pieces of 1 MiB as httpx2 hands them out: one line for the whole, and none for a caller who leaves"
    body = json.dumps(dict(text='Cats purr. ' * 400_000)).encode()
    assert len(body) > 3 << 20
    echo.answers[name] = {'content-type': 'application/json', 'content-encoding': 'gzip'}, gzip.compress(body, 1)
    with cached() as session:
        left = streams[name](echo.url, **bare(name))
        if name.startswith('async'): leave_async(left)
        else:
            next(left)
            left.close()
        assert session.counts['recorded'] == (tmp_path/'cachy.jsonl').exists() and all(line['response'].encode() == body for line in (recordings(tmp_path) if session.counts['recorded'] else []))
        if session.counts['recorded'] == 0:
            pieces = streamed(name, echo.url, **bare(name))
            assert b''.join(pieces) == body
    assert [line['response'].encode() == body for line in recordings(tmp_path)] == [True]

def leave_async(pieces):
    import asyncio
    async def leave():
        await anext(pieces)
        await pieces.aclose()
    asyncio.run(leave())

def test_stream_of_ends_writes_one_line(stand_in, tmp_path, cached):
    "`done` in each line, and lines that are done in turns"
    turns = [json.dumps(dict(n=n, done=bool(n % 2))).encode() + b'\n' for n in range(20)]
    for chunks, most in (([b'{"n": %d, "done": true}\n' % n for n in range(20)], 1), (turns, 2), ([events(dict(type='response.completed')), *[events(done)] * 5], 2)):
        before = len(recordings(tmp_path)) if (tmp_path/'cachy.jsonl').exists() else 0
        url = served(stand_in, lines if chunks[0][:1] == b'{' else sse, chunks)
        with cached(): assert httpx.post(url).content == b''.join(chunks)
        assert 1 <= len(recordings(tmp_path)) - before <= most and recordings(tmp_path)[-1]['response'].encode() == b''.join(chunks)

def test_mislabelled_stream_is_recorded_where_the_client_stops(stand_in, tmp_path, cached):
    "OpenAI's SDK leaves at `[DONE]`, also if the stream is called JSON"
    with cached() as session, httpx.stream('POST', served(stand_in, 'application/json', [events(choice('Cats')), events(choice('', 'stop')), events(done)]), json=dict(stream=True)) as response:
        for line in response.iter_lines():
            if 'DONE' in line: break
        assert session.counts['recorded'] == 1

@pytest.mark.parametrize('library', [name for name in streams if 'httpx' in name])
def test_what_was_held_comes_before_the_error(library, stand_in, cached):
    "A connection that breaks behind `message_delta`: the caller sees what came, as without cachy"
    chunks = [events(item, named=True) for item in message]
    stand_in.cut_after = len(chunks) - 1
    def came():
        pieces = []
        with pytest.raises(Exception, match='(?i)peer|incomplete|closed'): streamed(library, served(stand_in, sse, chunks), pieces.append, json={})
        return b''.join(pieces)
    live = came()
    with cached(): assert came() == live and b'message_delta' in live

errors = [dict(error=dict(message='no')), dict(error='no'), dict(error=dict(code=None, details=[dict(reason='x')])), dict(type='error', message='no'), dict(success=False, errors=[dict(code=7003)]), dict(finish_reason='error', text=''),
    dict(choices=[dict(index=0, error=dict(code=502), finish_reason=None)]), dict(choices=[dict(index=0, finish_reason='error', delta={})]), dict(message='', finish_reason='ERROR')]
no_errors = [dict(error=None, id='r'), dict(error=dict(code=None, message=None, param=None)), dict(error=dict(code='', details=[])), dict(error={}), dict(error=''), dict(success=False), dict(success=False, errors=[]), dict(success=True, errors=['x']),
    dict(choices=[dict(index=0, message=dict(content='{"error": "no"}'), error=None, finish_reason='stop')]), dict(errors=[dict(code=1)]), [dict(id=1, error='no'), dict(id=2, text='yes')], dict(data=[dict(error='no'), dict(type='error')]),
    dict(output=dict(text='error'), status='ok'), dict(content=[dict(type='error')])]

def in_stream(content): return (sse, events(choice('Cats'), content, choice('', 'stop'), done)), (lines, b'{"n": 1}\n' + json.dumps(content).encode() + b'\n')

@pytest.mark.parametrize('content', errors, ids=repr)
def test_errors_in_a_2xx(content):
    assert body_refusal(ask, 'application/json', json.dumps(content).encode()) == 'it holds an error'
    assert [body_refusal(ask, *answer) for answer in in_stream(content)] == ['the stream holds an error'] * 2

@pytest.mark.parametrize('content', no_errors, ids=repr)
def test_what_only_looks_like_an_error(content):
    assert body_refusal(ask, 'application/json', json.dumps(content).encode()) == ''
    assert [body_refusal(ask, *answer) for answer in in_stream(content)] == ['', '']

def test_errors_of_a_batch_are_results():
    "A file of results is fetched, and each has its own error; a stream that fails says nothing else"
    results = b'{"custom_id": "1", "response": {}, "error": null}\n{"custom_id": "2", "response": null, "error": {"code": 1}}\n'
    assert body_refusal(ask._replace(method='GET'), 'application/jsonl', results) == '' != body_refusal(ask, 'application/jsonl', results)
    assert body_refusal(ask, lines, b'{"response": "Cats", "done": false}\n{"error": "no"}\n') == 'the stream holds an error'
    assert body_refusal(ask, 'application/json', b'[{"candidates": []}, {"error": {"code": 503}}]') == 'it holds an error'

def test_answers_that_are_empty():
    "A JSON or a stream is not empty, unless nothing was to be said"
    for content_type in ('application/json', sse, lines): assert body_refusal(ask, content_type, b'') == body_refusal(ask, content_type, b'\n') == 'it is empty'
    for options in (dict(status=204), dict(status=202), dict(length='0')): assert body_refusal(ask, 'application/json', b'', **options) == ''
    for method in ('DELETE', 'HEAD'): assert body_refusal(ask._replace(method=method), 'application/json', b'') == ''
    assert body_refusal(ask, 'text/plain', b'') == body_refusal(ask, '', b'') == ''

def test_lines_called_json():
    "Several JSON texts in a row are lines, whatever they are called"
    body = b'{"response": "Cats", "done": false}\n{"response": " purr", "done": false}\n{"response": "", "done": true}\n'
    ends = [i for i, byte in enumerate(body, 1) if byte == ord('\n')]
    assert [bool(body_refusal(ask, 'application/json', body[:i])) for i in range(ends[0] + 1, len(body) + 1)] == [i < len(body) - 1 for i in range(ends[0] + 1, len(body) + 1)]

def test_usage_that_was_asked_for_must_have_come():
    ask_for_usage, finished = ask._replace(body=b'{"stream": true, "stream_options": {"include_usage": true}}'), events(choice('Cats'), choice('', 'stop'))
    assert body_refusal(ask, sse, finished) == '' != body_refusal(ask_for_usage, sse, finished)
    for more in (events(dict(choices=[], usage=dict(total_tokens=1))), events(done)): assert body_refusal(ask_for_usage, sse, finished + more) == ''

def test_recorded_errors_are_whole_too(stand_in, tmp_path, cached):
    stand_in.routes.insert(0, ('POST', '/refused', lambda handler, body: handler.send(dict(error=dict(message='no')), 400)))
    with cached(errors=(400,)) as session:
        httpx.post(stand_in.url + '/refused')
        assert session.counts['recorded'] == 1
    assert body_refusal(ask, 'application/json', b'{"error": {"mess', 400) == 'the JSON ends in the middle'

@many
@given(st.lists(st.sampled_from([b'data: {"a": 1}', b'event: x', b'data: [DONE]', b': note', b'\n', b'\r\n', b'\r', b'\n\n', b'\r\n\r\n', b'x' * 9]), max_size=24), st.lists(st.integers(1, 9), min_size=1, max_size=9), st.sampled_from([sse, lines]))
def test_pieces_end_anywhere(parts, sizes, content_type):
    "Whatever the pieces are, the events are those of the whole; a `\\r` at the end of a piece may belong to the next line"
    body, progress, found, start = b''.join(parts), Progress(content_type), [], 0
    splitter, turn = progress.splitter, 0
    while start < len(body):
        piece = body[start:start + sizes[turn % len(sizes)]]
        found += splitter.feed(piece)
        start, turn = start + len(piece), turn + 1
    rest = b''.join(splitter.pieces)
    assert b''.join(found) + rest == body
    more, rest = split_events(rest, splitter.delimiter)
    said = lambda items: [item.strip(b'\r\n') for item in items if item.strip(b'\r\n')]
    wanted, last = split_events(body, splitter.delimiter)
    assert said(found + more) == said(wanted) and rest.strip(b'\r\n') == last.strip(b'\r\n')

def test_each_byte_is_looked_at_once(monkeypatch):
    "An event of many pieces is not put together, or searched, at each of them"
    from cachy import answer
    searched = []
    monkeypatch.setattr(answer, 'split_events', lambda body, pattern: searched.append(len(body)) or split_events(body, pattern))
    progress, event = Progress(sse), events(choice('a' * 400_000, 'stop'), done)
    for start in range(0, len(event), 100): progress.feed(event[start:start + 100])
    assert progress.ended and sum(searched) < 2000 and progress.splitter.pieces == [b'']

def test_what_is_too_large_is_dropped_at_once(stand_in, cached, caplog, monkeypatch):
    monkeypatch.setattr(core, 'max_bytes', 1000)
    chunks = [events(choice('a' * 300)) for _ in range(9)]
    with cached(), httpx.stream('POST', served(stand_in, sse, chunks), json={}) as response:
        for _ in response.iter_bytes(): pass
    assert [line.rpartition(': ')[2] for line in warnings(caplog)] == ['it is larger than 1,000 bytes']
