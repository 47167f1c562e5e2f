"A project of five scripts with 160 calls, after a week of 20 edits and a change of model: `tidy --run` leaves what a run uses, and a reviewer sees what changed."
import json
import os
import random
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

from cachy.cli import main
from cachy.standin import StandIn
from support import environment, root

scripts, calls, edits = 5, 32, 20 # calls of each script

code = '''import json, sys
from pathlib import Path
import httpx, cachy

def ask_all(number, **options):
    "Ask what the plan says for one script"
    plan = json.loads(Path(__file__).with_name('plan.json').read_text())
    with cachy.enable_cachy(Path(__file__).parent, doms=('127.0.0.1',), **options) as session, httpx.Client() as client:
        for prompt in plan['prompts'][number]:
            body = dict(model=plan['model'], temperature=0, messages=[dict(role='system', content=plan['rules']), dict(role='user', content=prompt)])
            assert client.post(plan['url'], json=body).raise_for_status()
    return session.counts

if __name__ == '__main__': ask_all(int(sys.argv[1]))
'''

rules = """You are the editor of a small magazine about gardens and the people who keep them.
Answer in plain English, in at most three sentences. Name plants by their common names.
If you are not sure, say so; never make up a source."""
subjects = 'roses', 'ferns', 'the old pear tree', 'mint', 'tulips', 'moss', 'hedges', 'a pond'
tasks = 'Write a headline for an article about', 'Summarise what a beginner must know about', 'Name three mistakes people make with', 'Translate into German: our readers ask about'

old_words = 'Name three mistakes people make with moss, part 2 of our series for the autumn.'
new_words = old_words.replace('three', 'the two worst')

def plan_of(url):
    prompts = [[f'{task} {subject}, part {number} of our series for the autumn.' for task in tasks for subject in subjects] for number in range(scripts)]
    return dict(url=url + '/v1/chat/completions', model='gpt-4o-mini', rules=rules, prompts=prompts)

def write_plan(folder, plan): (folder/'plan.json').write_text(json.dumps(plan))
def ask_all(folder, number, **options):
    names = {'__file__': str(folder/'script.py'), '__name__': 'script'}
    exec(code, names)
    return names['ask_all'](number, **options)

def notebook(number): return json.dumps(dict(nbformat=4, nbformat_minor=5, metadata={}, cells=[dict(cell_type='code', id='a', metadata={}, outputs=[], execution_count=None,
    source=f'import sys\nsys.path.insert(0, "..")\nfrom script import ask_all\nask_all({number})')]))

@pytest.fixture(scope='module')
def week(tmp_path_factory):
    "The project on Friday, its plan, and the lines that the last run of each script uses"
    folder = tmp_path_factory.mktemp('week')
    (folder/'script.py').write_text(code)
    (folder/'nbs').mkdir()
    for number in range(scripts): (folder/'nbs'/f'{number}.ipynb').write_text(notebook(number))
    (folder/'pyproject.toml').write_text('[project]\nname = "week"\n[tool.nbdev]\nlib_path = "week"\n[tool.pytest.ini_options]\n')
    (folder/'test_week.py').write_text(f'import pytest, script\n@pytest.mark.parametrize("number", range({scripts}))\ndef test_it(number): script.ask_all(number)\n')
    dice = random.Random(14)
    with StandIn() as server:
        plan = plan_of(server.url)
        def run(*numbers):
            write_plan(folder, plan)
            for number in numbers: ask_all(folder, number, mode='auto')
        run(*range(scripts))
        for edit in range(edits):
            number = dice.randrange(scripts)
            plan['prompts'][number][dice.randrange(calls)] += f' Edit {edit}.'
            run(number)
        plan['model'] = 'gpt-5-mini'
        run(*range(scripts))
        assert server.calls == scripts * calls * 2 + edits
        content = (folder/'cachy.jsonl').read_bytes()
        number, place = next((number, prompts.index(old_words)) for number, prompts in enumerate(plan['prompts']) if old_words in prompts)
        wanted = json.loads(json.dumps(plan))
        plan['prompts'][number][place] = new_words
        run(number)
        (folder/'changed').write_bytes((folder/'cachy.jsonl').read_bytes()[len(content):])
        (folder/'cachy.jsonl').write_bytes(content)
        write_plan(folder, plan := wanted)
    lines = content.splitlines(keepends=True)
    return folder, plan, [line for line in lines if b'gpt-5-mini' in line.partition(b'"status_code"')[0]]

@pytest.fixture
def project(week, tmp_path, monkeypatch):
    "A copy of it"
    folder, plan, used = week
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PYTHONPATH', str(root))
    return tmp_path, plan, used

python = f'"{sys.executable}"'
pytest_command = f'PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {python} -m pytest -q -p no:cacheprovider -p xdist -n 2'
ways = { # commands that run all five scripts
    'side by side': [f'for n in 0 1 2 3 4; do {python} script.py $n & all="$all $!"; done; for one in $all; do wait $one || exit 1; done'],
    'one after the other': [f'{python} script.py {number}' for number in range(2)] + [f'{python} -c "import script\nfor n in 2, 3, 4: script.ask_all(n, mode=\'record\')"'],
    'nbdev-test': [f'cd nbs && {python} -c "from nbdev.test import nbdev_test; nbdev_test(path=\'.\', n_workers=0)"'],
    'nbdev-test with two workers': [f'cd nbs && {python} -c "from nbdev.test import nbdev_test; nbdev_test(path=\'.\', n_workers=2)"'],
    'xdist': [pytest_command]}

@pytest.mark.slow
@pytest.mark.parametrize('way', ways)
def test_what_a_run_uses_stays(project, way, capfd):
    if 'nbdev' in way and not find_spec('nbdev'): pytest.skip('optional: nbdev; all is well without it')
    folder, _, used = project
    path = folder/'cachy.jsonl'
    assert len(path.read_bytes().splitlines()) == 340 and len(used) == 160
    assert main(['tidy', *[part for command in ways[way] for part in ('--run', command)]]) == 0
    assert path.read_bytes() == b''.join(used), 'just these, as they were, in their order'
    assert '160 recordings used, 180 not used' in capfd.readouterr().out
    for number in range(scripts): assert ask_all(folder, number, mode='replay') == {'replayed': calls} # nobody listens there any more

@pytest.mark.parametrize('command, status', [(f'{python} script.py 0 && exit 7', 7), (f'{python} script.py 9', 1)])
def test_a_command_that_fails_changes_nothing(project, command, status, capfd):
    path = project[0]/'cachy.jsonl'
    before = path.read_bytes()
    assert main(['tidy', '--run', command]) == status
    assert path.read_bytes() == before and f'status {status}' in capfd.readouterr().err

def git(*arguments):
    options = '-c', 'user.name=x', '-c', 'user.email=x@example.com', '-c', 'commit.gpgsign=false'
    return subprocess.run(['git', *options, *arguments], capture_output=True, text=True, check=True, env=environment(GIT_CONFIG_GLOBAL=os.devnull)).stdout

@pytest.mark.parametrize('tidied', [False, True])
def test_one_changed_prompt_in_review(project, monkeypatch, capsys, tidied):
    folder, plan, used = project
    path, changed = folder/'cachy.jsonl', (folder/'changed').read_bytes()
    (folder/'changed').unlink()
    monkeypatch.setenv('GIT_CONFIG_GLOBAL', os.devnull)
    git('init', '-q')
    assert main(['init']) == 0
    path.write_bytes(b''.join(used))
    git('add', '-A')
    git('commit', '-qm', 'the week')
    path.write_bytes(b''.join([line for line in used if not (tidied and old_words.encode() in line)] + [changed]))
    capsys.readouterr()
    assert main(['diff', '--format', 'github']) == 0
    diff, comment = git('diff', 'cachy.jsonl'), capsys.readouterr().out
    if os.environ.get('CACHY_PRINT'): print(diff, comment, len(diff), len(diff.splitlines()), len(comment), sep='\n')
    assert len(diff) <= 1400 and len(diff.splitlines()) <= 25 and len(comment) <= 1000, (diff, comment)
    for part in ('Name the two worst mistakes', 'Name three mistakes', '->'): assert part in diff and part in comment
