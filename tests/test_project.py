"The project itself: notebooks run, the modules and the README are what the notebooks say, nothing is imported before its time."
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import root
from support.notebooks import failure_of

sys.path.insert(0, str(root/'tools'))
from readme import readme

notebooks = sorted((root/'nbs').glob('*.ipynb'))
bin_folder = Path(sys.executable).parent

def run(*command, cwd=root):
    done = subprocess.run([bin_folder/command[0], *command[1:]], cwd=cwd, env=os.environ | {'PATH': f'{bin_folder}{os.pathsep}{os.environ["PATH"]}'},
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]

pages = [pytest.param(path, id=path.stem, marks=pytest.mark.slow if path.stem[0] in '34' else ()) for path in notebooks]

@pytest.mark.parametrize('notebook', pages)
def test_notebook(notebook, tmp_path):
    "Each runs, and shows what is saved: a run changes nothing in git"
    assert failure_of(notebook, tmp_path) == ''

def test_modules_and_notebooks_are_in_step(tmp_path):
    "Exporting and cleaning again changes nothing"
    for name in ('nbs', 'cachy'): shutil.copytree(root/name, tmp_path/name, ignore=shutil.ignore_patterns('__pycache__', '.ipynb_checkpoints'))
    for name in ('pyproject.toml', 'settings.ini', 'README.md'): shutil.copy(root/name, tmp_path/name)
    run('nbdev-clean', cwd=tmp_path)
    run('nbdev-export', cwd=tmp_path)
    paths = [path.relative_to(tmp_path) for path in tmp_path.rglob('*') if path.suffix in ('.py', '.ipynb', '.toml')]
    assert len(paths) > 10
    assert [path for path in paths if (tmp_path/path).read_bytes() != (root/path).read_bytes()] == []

def test_readme_is_in_step(): assert (root/'README.md').read_text(encoding='utf-8') == readme()

def test_readme_names_the_commands():
    "What the README tells newcomers to run is what CI runs"
    text, ci = (root/'README.md').read_text(encoding='utf-8'), (root/'.ci'/'run').read_text(encoding='utf-8')
    assert 'pip install . && cachy demo' in text and "pip install -e '.[dev]' && pytest" in text
    assert "-e '.[dev]' && pytest" in ci

def test_every_line_fits():
    assert [f'{path.name}:{i}' for path in (root/'cachy').glob('*.py') if path.name not in ('_modidx.py', '__init__.py')
        for i, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1) if len(line) > 130] == []

def test_demo(tmp_path):
    done = subprocess.run([bin_folder/'cachy', 'demo'], cwd=tmp_path, capture_output=True, text=True, timeout=60, env=os.environ | {'CI': 'true'})
    assert done.returncode == 0, done.stderr
    for text in ('called 6 times for 20 answers', 'no recording for POST', "'Why do cats purr?' -> 'Why do dogs purr?'"): assert text in done.stdout
    assert [line.split()[-1] for line in done.stdout.splitlines() if ' ms ' in line] == ['recorded', 'replayed'] * 3
    assert done.stdout.count('the same, byte for byte') == 3 and max(map(len, done.stdout.splitlines())) <= 80
    assert done.stderr == ''
    assert list(tmp_path.iterdir()) == []
