"The SDKs of OpenAI, Anthropic and Google, each call recorded in one process and replayed in another, with nobody there to answer."
import json, os, subprocess, sys
from pathlib import Path

import pytest

from cachy.core import Recordings

here = Path(__file__).parent
other_python = os.environ.get('CACHY_OTHER_PYTHON') # of an environment with the other generation of the OpenAI SDK

def run(python, mode, folder, port=None):
    "What `sdk_calls.py` printed"
    keys = ('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_API_KEY')
    env = {name: value for name, value in os.environ.items() if name not in keys} | {'PYTHONPATH': str(here.parent)}
    done = subprocess.run([python, here/'sdk_calls.py', mode, folder, *([str(port)] if port else [])], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    given = json.loads(done.stdout.splitlines()[-1])
    failed = {name: result for name, result in given['results'].items() if str(result).startswith('FAILED')}
    assert not failed, '\n'.join(failed.values())
    return given

def without_none(item):
    if isinstance(item, list): return [without_none(part) for part in item]
    return {name: without_none(value) for name, value in item.items() if value is not None} if isinstance(item, dict) else item

def pythons():
    "Who records and who replays"
    yield pytest.param(sys.executable, sys.executable, id='same')
    why = pytest.mark.skipif(not other_python, reason='optional: a second environment, named by CACHY_OTHER_PYTHON (`.ci/run` makes one); all is well without it')
    for recorder, replayer, name in ((other_python, other_python, 'other'), (sys.executable, other_python, 'to-other'), (other_python, sys.executable, 'from-other')):
        yield pytest.param(recorder, replayer, id=name, marks=why)

@pytest.mark.parametrize('recorder, replayer', list(pythons()))
def test_second_run_makes_no_call(recorder, replayer, stand_in, tmp_path):
    live = run(recorder, 'auto', tmp_path, stand_in.server.server_port)
    assert stand_in.calls > 40 and live['counts']['recorded'] > 40
    assert 'missed' not in live['counts']
    again = run(replayer, 'replay', tmp_path)
    assert set(again['counts']) == {'replayed'}
    if recorder == replayer: assert again['results'] == live['results']
    else:
        assert live['openai'].split('.')[0] != again['openai'].split('.')[0]
        assert without_none(again['results']) == without_none(live['results']) # each generation has optional fields of its own

def test_nothing_secret_is_in_the_file(stand_in, tmp_path):
    run(sys.executable, 'auto', tmp_path, stand_in.server.server_port)
    text = (tmp_path/'cachy.jsonl').read_text(encoding='utf-8')
    for secret in ('sk-of-the-test', 'session=', 'acme'): assert secret not in text
    assert len(Recordings(tmp_path/'cachy.jsonl')) == len(text.splitlines())
