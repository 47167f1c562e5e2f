"The weekly report of what has moved: offline, against what is installed here."
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

root = Path(__file__).parent.parent
sys.path.insert(0, str(root/'tools'))
import moved

def run(*arguments):
    command = [sys.executable, root/'tools'/'moved.py', *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=280).stdout.splitlines()

def test_names():
    names = run('--names')
    assert {'pytest', 'httpx2', 'litellm[proxy]', 'google-genai'} <= {*names} and len(names) == len({*names})
    assert not [name for name in names if '=' in name or ';' in name]

def test_versions_that_moved(monkeypatch):
    pins = {name: version for name, _, version in moved.read_pins()}
    monkeypatch.setattr(moved, 'installed', lambda name: {'openai': '99.0', 'boto3': 'not installed'}.get(name, pins[name]))
    rows = moved.versions_moved()[2:]
    assert sorted(rows) == [f'| boto3 | {pins["boto3"]} | not installed |', f'| openai | {pins["openai"]} | 99.0 |']
    monkeypatch.setattr(moved, 'installed', pins.get)
    assert moved.versions_moved() == ['The versions that are installed are those that settings.ini pins.']

def test_hosts_that_are_missing(monkeypatch):
    urls = {'base of one': 'https://api.one.example/v1', 'call of one': 'https://api.one.example/v1/chat', 'base of openai': 'https://api.openai.com/v1'}
    monkeypatch.setattr(moved, 'litellm_urls', lambda: urls)
    monkeypatch.setattr(moved, 'installed', lambda name: '1.2.3')
    assert moved.hosts_missing() == ['`doms` lacks these hosts of LiteLLM 1.2.3:', '', '- `api.one.example`: base of one (/v1), call of one (/v1/chat)']
    del urls['base of one'], urls['call of one']
    assert moved.hosts_missing() == ['`doms` has each host of LiteLLM 1.2.3.']

@pytest.mark.slow
def test_report():
    "The whole of it, as the workflow runs it"
    lines = run()
    assert lines[0] == '## Versions' and '## Hosts' in lines
    hosts = lines[lines.index('## Hosts') + 2]
    try: version = metadata.version('litellm')
    except metadata.PackageNotFoundError: pytest.skip('optional: LiteLLM is not installed; all is well without it')
    assert hosts.startswith('`doms` ') and version in hosts
