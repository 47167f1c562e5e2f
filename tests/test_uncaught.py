"A miss that ends a script shows the user's own lines, and all of its message once"
import subprocess
import sys

import pytest

from support import environment

script = '''
import sys{imports}
from cachy import enable_cachy
{before}
def ask(client):
    return client.chat.completions.create(model='gpt-4o', messages=[dict(role='user', content='Why do dogs purr?')])

from openai import OpenAI
{ask}
'''

def run(folder, **parts):
    "What the script prints on stderr"
    parts = dict(imports='', before="enable_cachy(mode='replay')", ask='ask(OpenAI())') | parts
    (folder/'ask.py').write_text(script.format(**parts))
    done = subprocess.run([sys.executable, 'ask.py'], cwd=folder, capture_output=True, text=True, env=environment(), timeout=60)
    assert done.returncode == 1, done
    return done.stderr

def test_frames_of_others_are_left_out(tmp_path):
    told = run(tmp_path)
    assert 'site-packages' not in told and told.count('File "') == 2 and 'return client.chat.completions.create' in told

def test_the_message_stands_there_once(tmp_path):
    told = run(tmp_path)
    assert told.count('the mode: ') == 1 and told.rstrip().splitlines()[-1].startswith('to record it: ')
    assert told.count('no recording for POST') == 2 # in the log, and at the end

def test_a_log_of_ones_own_leaves_it_whole(tmp_path):
    told = run(tmp_path, imports=', logging', before="logging.basicConfig(filename='log.txt')\nenable_cachy(mode='replay')")
    assert told.count('the mode: ') == 1 and 'as above' not in told and 'the mode: ' in (tmp_path/'log.txt').read_text()

def test_where_nothing_was_logged_all_is_shown(tmp_path):
    told = run(tmp_path, imports=', logging', before="logging.getLogger('cachy').setLevel(logging.CRITICAL)\nenable_cachy(mode='replay')")
    assert told.count('the mode: ') == 1 and 'as above' not in told

@pytest.mark.parametrize('parts', [dict(ask="raise ValueError('no recording\\nat all\\nof it')"), dict(before='', ask='ask(None)')], ids=['another error', 'not switched on'])
def test_other_errors_are_shown_as_ever(tmp_path, parts):
    told = run(tmp_path, **parts)
    assert 'as above' not in told and told.startswith('Traceback')

def test_it_is_put_back():
    code = "import sys, cachy\nown = sys.excepthook\ncachy.enable_cachy()\nprint(sys.excepthook is own)\ncachy.disable_cachy()\nprint(sys.excepthook is own)"
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60).stdout.split() == ['False', 'True']
