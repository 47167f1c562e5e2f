"The commands in a terminal of 80 columns: help with an example and exit statuses, and output that fits."
import json
import os
import subprocess
import sys

import httpx
import pytest

import cachy
from cachy import enable_cachy
from cachy.cli import commands, main, overview
from support import environment

names = [name for name, *_ in commands]

def lines_of(text): return [line for line in text.splitlines() if len(line) > 80]

def run(*arguments, **more):
    return subprocess.run([sys.executable, '-m', 'cachy', *arguments], capture_output=True, text=True, timeout=60, env=environment(('CI', 'CACHY_MODE'), COLUMNS='80') | more)

def test_the_command_alone_and_the_version():
    alone = run()
    assert (alone.returncode, alone.stderr) == (0, '') and alone.stdout == overview() + '\n' and lines_of(alone.stdout) == []
    assert run('--version').stdout == f'cachy {cachy.__version__}\n'
    for name, what, example, _ in commands: assert what in alone.stdout and example in alone.stdout and example.startswith(f'cachy {name}')
    wrong = run('no-such')
    assert wrong.returncode == 2 and "no command 'no-such'" in wrong.stderr

@pytest.mark.parametrize('name', names)
def test_help_of_each_command(name, monkeypatch, capsys):
    monkeypatch.setenv('COLUMNS', '80')
    with pytest.raises(SystemExit) as end: main([name, '--help'])
    out = capsys.readouterr().out
    assert end.value.code == 0 and lines_of(out) == []
    examples, _, statuses = out.partition('examples:')[2].partition('exit status: ')
    assert examples.strip() and all(f'cachy {name}' in line for line in examples.strip().splitlines()) and statuses.startswith('0 ')
    assert not [line for line in out.splitlines() if line.rstrip().endswith('-')], 'a word is broken at its hyphen'
    with pytest.raises(SystemExit) as end: main([name, '--no-such-option'])
    assert end.value.code == 2

names_of_models = 'gpt-4o', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'accounts/some-people/models/a-model-with-quite-a-long-name-70b-instruct'

@pytest.fixture
def project(tmp_path, monkeypatch, stand_in):
    "A project with recordings of models with long names"
    monkeypatch.chdir(tmp_path)
    (tmp_path/'pyproject.toml').write_text('')
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='auto'):
        for model in names_of_models:
            for text in ('Tell me about cats', 'Tell me everything about dogs, in as many words as it takes, and then some more of it. ' * 4):
                httpx.post(stand_in.url + '/v1/chat/completions', json=dict(model=model, messages=[dict(role='user', content=text)]))
    return tmp_path

def test_ordinary_output_fits(project, capsys):
    "Also where names of models are long"
    subprocess.run(['git', 'init', '-q'], check=True)
    git = ['git', '-c', 'user.name=x', '-c', 'user.email=x@example.com', '-c', 'commit.gpgsign=false', 'commit', '-qam', 'x', '--allow-empty']
    subprocess.run(git, check=True)
    for arguments, status in ((['init'], 0), (['show', 'cats'], 0), (['check'], 0), (['stats'], 0), (['diff', '--exit-code'], 1), (['tidy'], 0), (['tidy', '--check'], 0), (['rm', 'cats', '--dry-run'], 0), (['rm', 'no such'], 1),
            (['tidy', '--run', 'true'], 2), (['adopt', 'anthropic-2', '--run', 'true'], 1), (['tidy', '--run', 'exit 3'], 3)):
        capsys.readouterr()
        assert main(arguments) == status, arguments
        out = capsys.readouterr()
        assert [line for line in lines_of(out.out + out.err) if 'POST ' not in line and names_of_models[-1] not in line] == [], arguments # what may be looked for is not cut

def test_stats_by_host_and_model(project, capsys):
    with open('cachy.jsonl', 'a') as file: file.write('{"key":"torn\n\n')
    assert main(['stats']) == 0
    table = capsys.readouterr().out.partition('\nstored')[2].splitlines()
    today = json.loads((project/'cachy.jsonl').read_text().splitlines()[0])['at'][:10]
    assert table[1].startswith('127.0.0.1:') and table[2].split() == ['accounts/some-people/models/a-model-wi…', '2', table[2].split()[2], today] and len(table[1:5]) == 4
    size = [int(line.split()[2].replace(',', '')) for line in table[2:5]]
    assert sum(size) == os.path.getsize('cachy.jsonl') - len('{"key":"torn\n\n')
    assert table[6:] == [f"{os.path.getsize('cachy.jsonl'):,} bytes in 7 lines, recorded {today}", '1 line of these counts no more or is damaged: `cachy tidy`']

def test_check_in_ci_without_a_file(tmp_path):
    (tmp_path/'pyproject.toml').write_text('')
    def check(**more): return subprocess.run([sys.executable, '-m', 'cachy', 'check'], cwd=tmp_path, capture_output=True, text=True, env=environment(('CI',), COLUMNS='80') | more)
    here, in_ci = check(), check(CI='true')
    assert here.returncode == 0 and 'nothing to check' in here.stdout
    assert in_ci.returncode == 1 and in_ci.stdout.count('\n') == 1 and 'Is it committed?' in in_ci.stdout and in_ci.stderr == ''
