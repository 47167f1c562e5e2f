"What type checkers see of the installed package: `py.typed` promises them something."
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytest.importorskip('mypy', reason='optional: mypy is not installed; all is well without it')
root, pages = Path(__file__).parent.parent, Path(__file__).parent/'typing'
found = re.compile(r'^(?P<file>.*?):(?P<line>\d+): error: .*\[(?P<code>[\w-]+)\]$', re.M)

@pytest.fixture(scope='module')
def check(tmp_path_factory):
    "Runs mypy in a folder of its own, where the package is installed as from a wheel; gives file, line and kind of each error"
    folder = tmp_path_factory.mktemp('types')
    shutil.copytree(root/'cachy', folder/'source'/'cachy', ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('setup.py', 'settings.ini', 'pyproject.toml', 'MANIFEST.in', 'README.md', 'LICENSE'): shutil.copy(root/name, folder/'source'/name)
    venv.create(folder/'env', with_pip=False)
    python = folder/'env'/('Scripts/python.exe' if sys.platform == 'win32' else 'bin/python')
    where = subprocess.run([python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'], capture_output=True, text=True, check=True).stdout.strip()
    install = [sys.executable, '-m', 'pip', 'install', '-q', '--no-deps', '--no-index', '--no-build-isolation', '--no-compile', '--target', where, './source']
    installed = subprocess.run(install, cwd=folder, capture_output=True, text=True)
    assert installed.returncode == 0, installed.stderr
    def run(*arguments):
        command = [sys.executable, '-m', 'mypy', '--python-executable', python, '--cache-dir', folder/'cache', '--config-file', '', '--platform', 'linux',
            '--ignore-missing-imports', '--no-error-summary', *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        assert done.returncode in (0, 1) and not done.stderr, done.stdout + done.stderr
        return [(Path(error['file']).name, int(error['line']), error['code']) for error in found.finditer(done.stdout)], done.stdout
    return run

def test_user_code_is_well_typed(check):
    errors, said = check('--strict', pages/'user_code.py')
    assert errors == [], said

def test_mistakes_are_found(check):
    page = pages/'wrong_user_code.py'
    wanted = [(page.name, i, line.rpartition('# ')[2]) for i, line in enumerate(page.read_text(encoding='utf-8').splitlines(), 1) if '# ' in line]
    errors, said = check(page)
    assert errors == wanted and len(wanted) > 10, said

def test_each_attribute_of_the_package_is_visible(check):
    _, said = check('-p', 'cachy')
    assert [line for line in said.splitlines() if line.endswith('[attr-defined]')] == []
