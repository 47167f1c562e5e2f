"`cachy show`: something to read for every line, nothing that a terminal obeys, and different answers never read the same."
import json
import os
import subprocess
import sys
import time
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachy.cli import main
from cachy.file import Recording, write_line
from cachy.request import Call, request_key
from cachy.show import show_lines
from support import environment, root, shared
from support.recordings import line_for

def line(answer, content_type='application/json', body=None, url='https://api.openai.com/v1/chat/completions', method='POST'):
    "A recording of any answer: bytes, or what JSON can hold"
    call = Call(method, url, [('content-type', 'application/json')], json.dumps(body or dict(model='gpt-4o', messages=[dict(role='user', content='cats?')])).encode())
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return write_line(request_key(call), call, Recording(200, {'content-type': content_type}, data))

def shown(text): return next(show_lines([text])).lines
def chat(text, **more): return dict(id='chatcmpl-1', object='chat.completion', created=1, choices=[dict(index=0, finish_reason='stop', message=dict(role='assistant', content=text, **more))], usage=dict(total_tokens=3))

def sse(*events, done=True): return b''.join(b'data: ' + json.dumps(event).encode() + b'\n\n' for event in events) + b'data: [DONE]\n\n' * done

def test_noise_is_left_out():
    one = chat('Cats purr.')
    other = one | dict(id='chatcmpl-2', created=2, usage=dict(total_tokens=4), system_fingerprint='fp_9', service_tier='default')
    assert shown(line(one)) == shown(line(other)) == ['POST api.openai.com/v1/chat/completions gpt-4o', '  user: cats?', '  -> Cats purr.']

texts = st.text(st.sampled_from('ab .\n\t\r\\↩␛"`-> :\x1b\x00\u2028é'), max_size=12) | st.text(max_size=200) | st.lists(st.sampled_from(['word', 'Yes. ', ' ', '\n', 'a' * 80, '. ']), max_size=60).map(''.join)

@settings(max_examples=150, deadline=None)
@given(texts, texts)
def test_different_texts_read_differently(one, other):
    a, b = (shown(line(chat(text))) for text in (one, other))
    assert (a == b) == (one == other)
    assert all(char.isprintable() or char == '\t' for row in a for char in row if ord(char) < 0xa0) and all(len(row) <= 80 for row in a[1:])

@settings(max_examples=100, deadline=None)
@given(st.text('abc .', min_size=1, max_size=60), st.lists(st.integers(1, 10), min_size=1, max_size=20), st.sampled_from(['openai', 'anthropic', 'gemini', 'ollama']))
def test_streams_are_put_together(text, cuts, kind):
    "The same text reads the same in whatever pieces it came; `x` ends it, so that no two pieces are equal"
    pieces, rest = [], text + 'x'
    for size in cuts: pieces, rest = [*pieces, rest[:size]] if rest[:size] else pieces, rest[size:]
    pieces += [rest] * bool(rest)
    events = {'openai': lambda piece: dict(choices=[dict(index=0, delta=dict(content=piece))]), 'anthropic': lambda piece: dict(type='content_block_delta', index=0, delta=dict(type='text_delta', text=piece)),
        'gemini': lambda piece: dict(candidates=[dict(content=dict(role='model', parts=[dict(text=piece)]))]), 'ollama': lambda piece: dict(message=dict(role='assistant', content=piece), done=False)}[kind]
    stream = [events(piece) for piece in pieces]
    if kind == 'anthropic': stream = [dict(type='message_start', message=dict(id='m', content=[])), dict(type='content_block_start', index=0, content_block=dict(type='text', text='')), *stream, dict(type='message_stop')]
    data = b'\n'.join(json.dumps(event).encode() for event in stream) if kind == 'ollama' else sse(*stream, done=kind == 'openai')
    if len(set(pieces)) == 1 and len(pieces) > 3: return # shown as a piece and a number
    assert shown(line(data, 'application/x-ndjson' if kind == 'ollama' else 'text/event-stream'))[2:] == shown(line(chat(text + 'x')))[2:]

def test_tool_calls_side_by_side():
    calls = [dict(choices=[dict(index=0, delta=dict(tool_calls=[dict(index=i, id=f'call_{i}', type='function', function=dict(name=name, arguments=''))]))]) for i, name in enumerate(('weather', 'news'))]
    more = [dict(choices=[dict(index=0, delta=dict(tool_calls=[dict(index=i, function=dict(arguments=part))]))]) for part in ('{"city": ', '"Paris"}') for i in (0, 1)]
    assert shown(line(sse(*calls, *more), 'text/event-stream'))[2:] == ['  call -> weather({"city": "Paris"})', '  call -> news({"city": "Paris"})']
    blocks = [dict(type='content_block_start', index=1, content_block=dict(type='tool_use', id='t', name='weather', input={})), *(dict(type='content_block_delta', index=1, delta=dict(type='input_json_delta', partial_json=part)) for part in ('{"a"', ':1}'))]
    assert shown(line(sse(*blocks, done=False), 'text/event-stream'))[2:] == ['  call -> weather({"a":1})']
    assert '  call -> weather({"city":"Rome"})' in shown(line(dict(candidates=[dict(content=dict(parts=[dict(functionCall=dict(name='weather', args=dict(city='Rome')))]))])))

different = [chat('a'), chat('A'), chat('a '), chat(None, refusal='a'), chat('a', reasoning='b'), chat('call -> a'), chat('also: a'), chat(None, tool_calls=[dict(id='c', function=dict(name='a', arguments='{}'))]), chat('a({})'),
    chat(None, tool_calls=[dict(id='c', function=dict(name='a', arguments='{ }'))]), dict(choices=[dict(message=dict(content='a')), dict(message=dict(content='b'))]), dict(choices=[dict(message=dict(content='b')), dict(message=dict(content='a'))]), chat('a\n  -> b'), chat('a\nb'),
    dict(choices=[dict(finish_reason='length', message=dict(content='a'))]), dict(unheard_of='a'), dict(unheard_of='b'), dict(new=dict(deep=[1, 2])), dict(new=dict(deep=[2, 1])), dict(data=[dict(embedding=[0.1] * 20)]), dict(data=[dict(embedding=[0.1] * 19 + [0.2])]),
    dict(input_tokens=14), dict(input_tokens=15), {}, [], 'text', 1, None, True, dict(data=[dict(b64_json='A' * 300)]), dict(data=[dict(b64_json='A' * 299 + 'B')]), b'', b'\x89PNG\0', b'\x89PNG\1', b'plain',
    dict(data=[dict(url='https://x/1')]), dict(data=[dict(url='https://x/2')]), dict(results=[dict(flagged=True)]), dict(results=[dict(flagged=False)]), dict(results=[dict(flagged=False, scores=[{'name': f'n{i}', 'v': i} for i in range(99)])]),
    dict(results=[dict(flagged=False, scores=[{'name': f'n{i}', 'v': i + (i == 90)} for i in range(99)])])]

def test_different_answers_read_differently():
    by_reading = defaultdict(set)
    for answer in different: by_reading['\n'.join(shown(line(answer)))].add(str(answer))
    assert [answers for answers in by_reading.values() if len(answers) > 1] == []
    assert [answer for answer in different if not any(' -> ' in row or '-> ' in row for row in shown(line(answer)))] == []

json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
    ['id', 'text', 'content', 'type', 'name', 'arguments', 'input', 'role', 'messages', 'parts', 'tools', 'model', 'delta', 'index', 'response', 'output', 'error', 'usage', 'choices', 'url']) | st.text(max_size=6), inner, max_size=5), max_leaves=30)

@settings(max_examples=150, deadline=None)
@given(json_values, json_values, st.sampled_from(['application/json', 'text/event-stream', 'application/x-ndjson', '', 'image/png', 'application/vnd.amazon.eventstream']), st.booleans())
def test_whatever_comes_gives_something_to_read(request, answer, content_type, streamed):
    data = sse(answer, answer) if streamed else json.dumps(answer).encode()
    for fields in (dict(key='0' * 16, request=request, status_code=200, headers={'content-type': content_type}, response=data.decode()),
            dict(key='0' * 16, request=dict(method='POST', url='https://x/v1', body=request), headers=request, status_code=answer, response=data.decode()), dict(key='0' * 8, response='')):
        one, = show_lines([json.dumps(fields).encode() + b'\n'])
        assert one.key and one.lines[0] and any('-> ' in row for row in one.lines) and not any('\n' in row for row in one.lines)

@pytest.mark.parametrize('data', [b'[' * 90_000 + b']' * 90_000, b'{"a":' * 50_000 + b'1' + b'}' * 50_000, b'\xff\xfe', b'\n', b'', b'<<<<<<< HEAD\n', b'{"key":"\\ud800","response":""}\n', b'\x1b[2J\n'])
def test_ugly_lines(data, tmp_path, capsys):
    path = tmp_path/'cachy.jsonl'
    path.write_bytes(line(data.strip() or b'x', body=dict(model='m', prompt='p')) + data)
    assert main(['show', str(path)]) == 0 and main(['show', '--git', str(path)]) == 0
    assert '\x1b' not in capsys.readouterr().out

def test_what_is_asked_for(tmp_path, capsys):
    path = tmp_path/'cachy.jsonl'
    path.write_bytes(line_for(1)[1] + line(chat('Dogs bark.')) + line(chat('Dogs howl.')))
    def show(*what): return main(['show', str(path), *what]), capsys.readouterr().out.count('POST ')
    assert show() == (0, 3) and show('DOGS') == (0, 2) and show(line_for(1)[0][:8]) == (0, 1) and show('howl') == (0, 1) and show('nothing') == (1, 0)
    assert main(['show', str(path)]) == 0 and capsys.readouterr().out.count('(counts no more)') == 1

def test_more_of_the_question(tmp_path):
    body = dict(model='m', temperature=0, top_p=1, stream=False, seed=None, response_format=dict(type='json_object'), tools=[dict(type='function', function=dict(name='weather', parameters={}))],
        messages=[dict(role='system', content='Be brief.'), *(dict(role=('user', 'assistant')[i % 2], content=f'turn {i}') for i in range(6)), dict(role='user', content=[dict(type='text', text='And this?'), dict(type='image_url', image_url=dict(url='data:image/png;base64,' + 'A' * 400))])])
    rows = shown(line(chat('It is a cat.'), body=body))
    assert rows[1] == '  settings: temperature=0, response_format={"type":"json_object"}' and rows[2].startswith('  tools: weather (') and rows[3] == '  … 6 earlier turns'
    assert rows[4:6] == ['  assistant: turn 5', '  user: And this?'] and rows[6].startswith('  user media: [image_url, 422 characters, sha256:') and rows[7:] == ['  -> It is a cat.']
    assert 'status 404' in shown(line(chat('x')).replace(b'"status_code":200', b'"status_code":404'))[0]

def test_ten_thousand_lines(tmp_path):
    "Within three seconds; of fewer lines in proportion"
    number = 10_000 if os.environ.get('CACHY_FULL') else 2000
    path = tmp_path/'cachy.jsonl'
    answer = chat('The cat sat on the mat. ' * 8)
    with open(path, 'wb') as file: file.writelines(line(answer, body=dict(model='gpt-4o', temperature=0, messages=[dict(role='system', content='Be brief.'), dict(role='user', content=f'Question {n}: ' + 'what is a cat? ' * 6)])) for n in range(number))
    start = time.process_time()
    sum(range(10_000_000))
    unit = time.process_time() - start # about 0.1 s where nobody else works
    done = subprocess.run([sys.executable, '-c', f"import time\nfrom cachy.cli import main\nmain(['show', {str(path)!r}])\nimport sys\nprint(time.process_time(), file=sys.stderr)"],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root)
    assert done.stdout.count(b'\n  user: Question ') == number
    assert float(done.stderr) < 0.3 + max(3, 25 * unit) * number / 10_000

def test_a_reader_that_leaves(tmp_path):
    path = tmp_path/'cachy.jsonl'
    path.write_bytes(b''.join(line_for(n)[1] for n in range(3000)))
    done = subprocess.run(f'"{sys.executable}" -m cachy show "{path}" | head -3', shell=True, env=environment(PYTHONIOENCODING='ascii'), capture_output=True, text=True)
    assert done.stderr == '' and done.stdout.count('\n') == 3

@pytest.mark.skipif(not (shared/'exchanges').is_dir(), reason='optional: real recorded exchanges, kept outside of the project; all is well without them')
def test_real_exchanges():
    sys.path.insert(0, str(shared/'exchanges'))
    from load_exchanges import load_exchanges, req_bytes, resp_bytes
    lines = []
    for exchange in list(load_exchanges(shared/'exchanges'/'dev-*.jsonl.gz'))[::1 if os.environ.get('CACHY_FULL') else 4]:
        call = Call(exchange['method'], exchange['url'], [(name.lower(), value) for name, value in exchange['req_headers'].items()], req_bytes(exchange))
        lines.append(write_line(request_key(call), call, Recording(exchange['status'], {'content-type': exchange['resp_headers'].get('content-type', '')}, resp_bytes(exchange))))
    all_shown = list(show_lines(lines))
    assert len(all_shown) == len(lines) > 700
    assert [one.lines for one in all_shown if not one.key or not any('-> ' in row for row in one.lines) or max(map(len, one.lines[1:])) > 80] == []
    assert sum(any(row.startswith(('  -> ', '  call -> ', '  thinking -> ')) for row in one.lines) for one in all_shown) > 0.85 * len(lines) # others are embeddings, lists, jobs, and what was deleted
