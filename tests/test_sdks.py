"Real SDKs, each call recorded in one process and replayed in another, with nobody there to answer."
import json
import os
import sys
from functools import cache

import pytest

from cachy.file import Recordings
from cachy.standin import StandIn
from support import environment, python
from support.providers import provider_server
from support.stack_sdks import cases

other_python = os.environ.get('CACHY_OTHER_PYTHON') # of an environment with the other generation of the OpenAI SDK

def run(executable, mode, folder, port=''):
    "What `support.sdk_calls` printed"
    env = environment(('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_API_KEY'))
    given = json.loads(python('-m', 'support.sdk_calls', mode, folder, *[port] * bool(port), executable=executable, env=env, timeout=120).stdout.splitlines()[-1])
    failed = {name: result for name, result in given['results'].items() if str(result).startswith('FAILED')}
    assert not failed, '\n'.join(failed.values())
    return given

@pytest.fixture(scope='module')
def record(tmp_path_factory):
    "Records the calls of `sdk_calls.py` once for each Python: what it printed, the folder, how many calls the stand-in had"
    @cache
    def record(executable):
        folder = tmp_path_factory.mktemp('calls')
        with StandIn() as server: return run(executable, 'auto', folder, server.server.server_port), folder, server.calls
    return record

def without_none(item):
    if isinstance(item, list): return [without_none(part) for part in item]
    return {name: without_none(value) for name, value in item.items() if value is not None} if isinstance(item, dict) else item

def pythons():
    "Who records and who replays"
    yield pytest.param(sys.executable, sys.executable, id='same', marks=pytest.mark.slow)
    why = pytest.mark.skipif(not other_python, reason='optional: a second environment, named by CACHY_OTHER_PYTHON (`.ci/run` makes one); all is well without it')
    for recorder, replayer, name in ((other_python, other_python, 'other'), (sys.executable, other_python, 'to-other'), (other_python, sys.executable, 'from-other')):
        yield pytest.param(recorder, replayer, id=name, marks=[why, pytest.mark.slow])

@pytest.mark.parametrize('recorder, replayer', list(pythons()))
def test_second_run_makes_no_call(recorder, replayer, record):
    live, folder, calls = record(recorder)
    assert calls > 40 and live['counts']['recorded'] > 40
    assert 'missed' not in live['counts']
    again = run(replayer, 'replay', folder)
    assert set(again['counts']) == {'replayed'}
    if recorder == replayer: assert again['results'] == live['results']
    else:
        assert live['openai'].split('.')[0] != again['openai'].split('.')[0]
        assert without_none(again['results']) == without_none(live['results']) # each generation has optional fields of its own

@pytest.mark.slow
def test_nothing_secret_is_in_the_file(record):
    _, folder, _ = record(sys.executable)
    text = (folder/'cachy.jsonl').read_text(encoding='utf-8')
    for secret in ('sk-of-the-test', 'session=', 'acme'): assert secret not in text
    assert len(Recordings(folder/'cachy.jsonl')) == len(text.splitlines())

# the SDKs that stand on other HTTP libraries, or on httpx in a way of their own

def ask_sdks(folder, mode, url, *names):
    return json.loads(python('-m', 'support.stack_sdks', folder, mode, url, *names, timeout=180).stdout.splitlines()[-1])

@pytest.fixture(scope='module')
def asked(tmp_path_factory):
    "What the SDKs answered: live, and on a replay in a new process with the stand-in stopped"
    folder = tmp_path_factory.mktemp('sdks')
    with provider_server() as stand_in: first = ask_sdks(folder, 'auto', stand_in.url)
    assert not [secret for secret in ('0123456789', 's' * 40) if secret in (folder/'cachy.jsonl').read_text()], 'a credential is in the file'
    return first, ask_sdks(folder, 'replay', stand_in.url), stand_in.calls

@pytest.mark.slow
@pytest.mark.parametrize('name', cases)
def test_an_sdk_replays(name, asked):
    first, second, _ = asked
    live = first['results'][name]
    if 'missing' in live: pytest.skip(live['missing'])
    assert 'answer' in live, live['error']
    assert second['results'][name] == live

@pytest.mark.slow
def test_each_call_was_made_once_and_replayed_once(asked):
    first, second, calls = asked
    assert first['counts']['recorded'] + first['counts'].get('not recorded', 0) == calls # not recorded: looks at jobs that were still running
    assert second['counts'] == dict(replayed=first['counts']['recorded']) and 'past the cache' not in first['counts']
