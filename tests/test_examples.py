"The examples run as they are in the repository: in replay, without a key, and with no way out of this machine."
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import root

bin_folder = Path(sys.executable).parent
no_way_out = "import socket\ndef connect(*args): raise ConnectionRefusedError('an example tried to make a call')\nsocket.create_connection = socket.getaddrinfo = connect\n"

@pytest.fixture
def run(tmp_path):
    "Run a command in a copy of an example, as a machine with CI=true does that has no key"
    (tmp_path/'site').mkdir()
    (tmp_path/'site'/'sitecustomize.py').write_text(no_way_out)
    def run(example, *command):
        folder = shutil.copytree(root/'examples'/example, tmp_path/example, dirs_exist_ok=True)
        env = {name: value for name, value in os.environ.items() if not name.endswith('_API_KEY') and not name.startswith('PYTEST_')}
        env |= dict(CI='true', PYTHONPATH=f"{tmp_path/'site'}{os.pathsep}{root}", PATH=f'{bin_folder}{os.pathsep}{os.environ["PATH"]}')
        before = (folder/'cachy.jsonl').read_bytes()
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        assert (folder/'cachy.jsonl').read_bytes() == before
        return done.stdout
    return run

@pytest.mark.slow
def test_suite(run): assert re.search(r'cachy: \d+ replayed, 0 recorded, 0 missed; 0 recordings unused', run('pytest_suite', 'pytest', '-q'))

@pytest.mark.slow
def test_project_with_actions(run):
    "What its workflow runs, but for pip"
    workflow = (root/'examples'/'github_actions'/'.github'/'workflows'/'test.yml').read_text(encoding='utf-8')
    commands = [line.partition(' #')[0].split() for line in re.findall(r'- run: (.*)', workflow) if not line.startswith('pip')]
    shown = [run('github_actions', *command) for command in commands]
    assert len(shown) == 2 and 'cachy: 1 replayed, 0 recorded, 0 missed; 0 recordings unused' in shown[-1]

@pytest.mark.slow
def test_notebook(run):
    "Its outputs are those that are saved"
    code = 'import nbformat, sys; from nbclient import NotebookClient; n = nbformat.read("cats.ipynb", 4); NotebookClient(n, kernel_name="python3").execute(); print(nbformat.writes(n))'
    made, saved = json.loads(run('notebook', sys.executable, '-c', code)), json.loads((root/'examples'/'notebook'/'cats.ipynb').read_text(encoding='utf-8'))
    shown = lambda notebook: [[(output.get('text'), output.get('data')) for output in cell.get('outputs', [])] for cell in notebook['cells']]
    assert shown(made) == shown(saved) and any(shown(saved))

@pytest.mark.parametrize('example', ['notebook', 'pytest_suite', 'github_actions'])
def test_files_are_fit_to_be_committed(run, example):
    assert 'fine' in run(example, 'cachy', 'check')
    hosts = {json.loads(line)['request']['url'].split('/')[2] for line in (root/'examples'/example/'cachy.jsonl').read_text(encoding='utf-8').splitlines()}
    assert hosts == {'api.openai.com'}
