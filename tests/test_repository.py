"A repository that holds recordings: `cachy init`, merges, and what git and reviewers see."
import io
import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout

import pytest

from cachy.cli import main
from cachy.file import read_line
from support import environment, root
from support.recordings import line_for

def git(folder, *arguments, status=0):
    options = '-c', 'user.name=x', '-c', 'user.email=x@example.com', '-c', 'core.autocrlf=true', '-c', 'commit.gpgsign=false'
    done = subprocess.run(['git', *options, *arguments], cwd=folder, capture_output=True, text=True, env=environment(GIT_CONFIG_GLOBAL=os.devnull, GIT_EDITOR='true'))
    assert done.returncode == status, (arguments, done.stdout, done.stderr)
    return done.stdout

@pytest.fixture
def repo(tmp_path, monkeypatch):
    git(tmp_path, 'init', '-q', '-b', 'main')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PYTHONPATH', str(root))
    monkeypatch.setenv('GIT_CONFIG_GLOBAL', os.devnull)
    assert main(['init']) == 0
    return tmp_path

def line(number, answer=''): return line_for(number, answer.encode() or None)[1]
def commit(folder, *lines, end=b'\n', name='cachy.jsonl'):
    (folder/name).write_bytes(b''.join(lines)[:-1] + end)
    git(folder, 'add', '-A')
    git(folder, 'commit', '-qm', 'x')

base = [line(n) for n in range(6)]
scenarios = { # what main has, what the branch has, how they meet
    'both add': (base + [line(10)], base + [line(11)], 'merge'),
    'both add the same': (base + [line(10), line(12)], base + [line(10)], 'merge'),
    'both record one anew': (base + [line(2, 'anew')], base + [line(2, 'again')], 'merge'),
    'both replace one': (base[:2] + [line(2, 'anew')] + base[3:], base[:2] + [line(2, 'again')] + base[3:], 'merge'),
    'one adds, one starts over': (base + [line(10)], [line(20 + n) for n in range(6)], 'merge'),
    'one tidies, one adds': (base[:3] + base[4:], base + [line(11)], 'merge'),
    'both tidy': (base[1:], base[:-1], 'merge'),
    'rebase': (base + [line(10)], base + [line(11)], 'rebase'),
    'rebase of a new order': (base[::-1], base + [line(11)], 'rebase'),
    'cherry-pick': (base + [line(10), line(13)], base + [line(11)], 'cherry-pick'),
    'moved': (base + [line(10)], base + [line(11)], 'moved')}

@pytest.mark.parametrize('end', [b'\n', b''], ids=['newline', 'no newline at the end'])
@pytest.mark.parametrize('name', scenarios)
def test_merges(repo, name, end):
    ours, theirs, how = scenarios[name]
    commit(repo, *base, end=end)
    git(repo, 'checkout', '-qb', 'branch')
    commit(repo, *theirs, end=end)
    git(repo, 'checkout', '-q', 'main')
    path = repo/'cachy.jsonl'
    if how == 'moved':
        (repo/'nbs').mkdir()
        git(repo, 'mv', 'cachy.jsonl', 'nbs/cachy.jsonl')
        path, how = repo/'nbs'/'cachy.jsonl', 'merge'
    commit(repo, *ours, end=end, name=path.relative_to(repo))
    if how == 'rebase':
        git(repo, 'checkout', '-q', 'branch')
        git(repo, 'rebase', '-q', 'main')
    else: git(repo, *(['merge', '-q', '--no-edit', 'branch'] if how == 'merge' else ['cherry-pick', 'branch']))
    keys = {read_line(text)[0] for text in {*ours, *theirs} if text not in base or (text in ours and text in theirs)}
    kept = [read_line(text) for text in path.read_bytes().splitlines()]
    assert keys <= {key for key, _ in kept}, 'a recording was lost'
    assert b'\r' not in path.read_bytes()
    if 'both record' in name: assert [found for key, found in kept if key == read_line(line(2))[0]][-1].body in (b'anew', b'again')
    assert main(['tidy', str(path)]) == 0 and main(['tidy', str(path), '--check']) == 0
    after = [read_line(text)[0] for text in path.read_bytes().splitlines()]
    assert len(after) == len({*after}) and keys <= {*after}

def test_init_twice_is_the_same(repo, capsys):
    first = {path.name: path.read_bytes() for path in (repo/'.gitattributes', repo/'.git'/'config')}
    assert main(['init']) == 0 and 'Nothing to do' in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in (repo/'.gitattributes', repo/'.git'/'config')} == first
    assert sorted(path.name for path in repo.iterdir()) == ['.git', '.gitattributes'] # nothing is made for tools that are not used

def test_init_from_below_and_beside_other_lines(tmp_path, monkeypatch):
    git(tmp_path, 'init', '-q')
    (tmp_path/'.gitattributes').write_bytes(b'*.ipynb merge=nbdev-merge\n* text=auto') # no newline at the end
    (tmp_path/'a'/'b').mkdir(parents=True)
    monkeypatch.chdir(tmp_path/'a'/'b')
    assert main(['init']) == 0
    assert (tmp_path/'.gitattributes').read_text() == '*.ipynb merge=nbdev-merge\n* text=auto\ncachy.jsonl merge=union diff=cachy -text\n'
    assert not (tmp_path/'a'/'.gitattributes').exists()

def test_init_outside(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('GIT_CEILING_DIRECTORIES', str(tmp_path.parent))
    assert main(['init']) == 2 and 'no git repository' in capsys.readouterr().err and list(tmp_path.iterdir()) == []

checkers = {'.gitleaks.toml': 'title = "mine"\n[extend]\nuseDefault = true\n', '.secrets.baseline': json.dumps(dict(version='1.5.0', filters_used=[dict(path='x')], results={})),
    '.pre-commit-config.yaml': "# ours\nrepos:\n# first\n- repo: https://github.com/pre-commit/pre-commit-hooks\n  rev: v5.0.0\n  hooks:\n  - id: check-yaml\n  - id: check-added-large-files\n    args: ['--maxkb=400']\n  - id: end-of-file-fixer\n"}

def test_init_tells_checkers_that_are_there(repo, capsys):
    for name, text in checkers.items(): (repo/name).write_text(text)
    assert main(['init']) == 0
    after = {name: (repo/name).read_text() for name in checkers}
    if sys.version_info >= (3, 11):
        import tomllib
        toml = tomllib.loads(after['.gitleaks.toml'])
        assert toml['extend'] == dict(useDefault=True) and toml['allowlists'][0]['paths'] == [r'(^|/)cachy\.jsonl$']
    assert json.loads(after['.secrets.baseline'])['filters_used'] == [dict(path='x'), dict(path='detect_secrets.filters.regex.should_exclude_file', pattern=[r'(^|/)cachy\.jsonl$'])]
    yaml = pytest.importorskip('yaml').safe_load(after['.pre-commit-config.yaml'])
    own, theirs = yaml['repos']
    assert own['hooks'][0]['id'] == 'cachy-check' and theirs['hooks'][1] == dict(id='check-added-large-files', exclude=r'(^|/)cachy\.jsonl$', args=['--maxkb=400'])
    assert '# ours\n' in after['.pre-commit-config.yaml']
    assert main(['init']) == 0 and {name: (repo/name).read_text() for name in checkers} == after
    (repo/'.gitleaks.toml').write_text('[allowlist]\npaths = []\n')
    (repo/'.pre-commit-config.yaml').write_text('repos: [{repo: meta, hooks: [{id: identity}]}]\n')
    capsys.readouterr()
    assert main(['init']) == 0
    assert capsys.readouterr().out.count('yourself') == 2 and (repo/'.pre-commit-config.yaml').read_text() == 'repos: [{repo: meta, hooks: [{id: identity}]}]\n'

def chat(text, answer, model='gpt-4o'):
    from cachy.file import Recording, write_line
    from cachy.request import Call, request_key
    call = Call('POST', 'https://api.openai.com/v1/chat/completions', [('content-type', 'application/json')], json.dumps(dict(model=model, temperature=0, messages=[
        dict(role='system', content='You are a careful assistant.'), dict(role='user', content=text)])).encode())
    said = dict(id=f'chatcmpl-{abs(hash(text + answer))}', created=1764032407, model=model, choices=[dict(index=0, message=dict(role='assistant', content=answer), finish_reason='stop')], usage=dict(total_tokens=9))
    return write_line(request_key(call), call, Recording(200, {'content-type': 'application/json', 'x-request-id': f'req_{hash(answer)}'}, json.dumps(said).encode(), 0.8))

many = [chat(f'Summarise chapter {n} in two sentences.', f'In chapter {n} much happens. It ends well, as most chapters do.') for n in range(160)]
edited = chat('Summarise chapter 80 in two short sentences.', 'Chapter 80 is short. Nobody dies.')

@pytest.mark.parametrize('after', [many + [edited], many[:80] + many[81:] + [edited]], ids=['added', 'tidied'])
def test_a_changed_prompt_reads_well(repo, after, capsys):
    commit(repo, *many)
    (repo/'cachy.jsonl').write_bytes(b''.join(after))
    diff, in_log = git(repo, 'diff'), git(repo, 'diff', '--no-ext-diff') # the same conversion as `git log -p` and `git show`
    for text in (diff, in_log): assert len(text) <= 1400 and len(text.splitlines()) <= 25 and max(map(len, text.splitlines())) <= 100, text
    assert main(['diff', '--format', 'github', '--exit-code']) == 1
    comment = capsys.readouterr().out
    assert len(comment) <= 1000
    for text in (diff, in_log, comment):
        for part in ('+  user: Summarise chapter 80 in two short sentences.', '+  -> Chapter 80 is short. Nobody dies.', 'Summarise chapter 80 in two sentences.', 'In chapter 80 much happens.'): assert part in text, text

def test_git_diff_without_cachy(repo, monkeypatch):
    commit(repo, *many[:3])
    (repo/'cachy.jsonl').write_bytes(b''.join(many[:2]))
    monkeypatch.setenv('PYTHONPATH', '')
    for name in ('diff.cachy.textconv', 'diff.cachy.command'): git(repo, 'config', name, git(repo, 'config', name).strip().replace(sys.executable, '/no/such/python'))
    assert '-' + many[2].decode() in git(repo, 'diff') and '-' + many[2].decode() in git(repo, 'diff', '--no-ext-diff')

def test_order_ids_and_times_are_no_difference(repo):
    commit(repo, *many[:20])
    (repo/'cachy.jsonl').write_bytes(b''.join(line.replace(b'chatcmpl-', b'chatcmpl-x').replace(b'1764032407', b'1764032408').replace(b'req_', b'req_x').replace(b'"total_tokens\\": 9', b'"total_tokens\\": 8') for line in many[19::-1]))
    assert git(repo, 'diff', '--stat') and git(repo, 'diff') == ''.join(git(repo, 'diff').splitlines(keepends=True)[:2])
    assert main(['diff', '--exit-code']) == 0

def diffed(*arguments):
    with redirect_stdout(io.StringIO()) as out: status = main(['diff', *arguments])
    return status, out.getvalue()

def test_diff_between_commits(repo):
    commit(repo, *many[:5])
    git(repo, 'tag', 'one')
    commit(repo, *many[1:4], chat('Summarise chapter 4 in two sentences.', 'Another answer.'), chat('What is a cat?', 'A pet.'))
    (repo/'cachy.jsonl').write_bytes(b'')
    status, text = diffed('one', 'HEAD')
    assert status == 0 and text.endswith('cachy.jsonl: 1 answer changed, 1 new, 1 gone, 3 equal\n') and text.startswith('answer changed:') and '+  -> Another answer.' in text
    assert diffed('one..HEAD') == (status, text) and diffed('HEAD', 'HEAD', '--exit-code')[0] == 0
    assert diffed('--exit-code')[0] == 1 and '5 gone, 0 equal' in diffed()[1]
    assert diffed('one')[1].endswith('5 gone, 0 equal\n')
    (repo/'cachy.jsonl').unlink()
    assert '5 gone' in diffed()[1] and diffed('no-such-commit')[0] == 2 and diffed('--file', 'other.jsonl') == (0, 'other.jsonl: 0 equal\n')

def test_a_new_model_is_a_change_of_each_question(repo):
    commit(repo, *many[:20])
    (repo/'cachy.jsonl').write_bytes(b''.join(chat(f'Summarise chapter {n} in two sentences.', 'Short.', 'gpt-5') for n in range(20)))
    assert '20 questions changed, 0 equal' in diffed()[1]

evil = ['```\n</details>\n@octocat <script>alert(1)</script>', '````' * 5 + '\n\n# Title', '@octocat #1 `x` </code></summary></details> &amp; [x](javascript:1)', '\x1b[31m\u202e@octocat\r\n```', '~~~\n```diff\n</details>']

@pytest.mark.parametrize('text', evil)
def test_nothing_breaks_out_of_a_comment(repo, text):
    commit(repo, *many[:3])
    (repo/'cachy.jsonl').write_bytes(b''.join([*many[:2], chat(text, text), chat('x' + text, text * 50)]))
    comment = diffed('--format', 'github')[1]
    outside, fence = [], None
    for row in comment.split('\n'):
        if fence is None and row.startswith('```'): fence = row.rstrip('dif')
        elif fence is None: outside.append(row)
        elif row == fence: fence = None
    assert fence is None
    rest = '\n'.join(outside)
    assert rest.count('<details>') == rest.count('</details>') == rest.count('<summary>') == rest.count('</summary>') in (2, 3) and '@octo' not in rest and '<script' not in rest and '\x1b' not in comment

def test_a_large_diff_fits_into_a_comment(repo):
    commit(repo, *many[:3])
    (repo/'cachy.jsonl').write_bytes(b''.join(chat(f'Question {n}? ' + 'word ' * 300, 'an answer ' * 500) for n in range(400)))
    comment = diffed('--format', 'github')[1]
    assert 40_000 < len(comment) <= 60_000 and '400 new, 3 gone' in comment.split('\n')[0] and comment.rstrip().endswith('recordings more') and comment.count('<details>') == comment.count('</details>')

def test_git_diff_wherever_the_file_is(repo):
    "Below a folder with a blank, new, gone, moved, staged, in colours; and hunks can still be chosen one by one"
    (repo/'my notes').mkdir()
    path, name = repo/'my notes'/'cachy.jsonl', 'my notes/cachy.jsonl'
    commit(repo, *many[:3], name=name)
    path.write_bytes(b''.join(many[:2] + [edited]))
    for folder, more in ((repo, []), (path.parent, []), (path.parent, ['cachy.jsonl']), (repo, ['HEAD'])):
        assert f'diff --git a/{name} b/{name}\n' in git(folder, 'diff', *more) and f'{name}: 1 question changed, 2 equal\n' in git(folder, 'diff', *more)
    assert '\x1b[32m+  user: Summarise chapter 80' in git(repo, '-c', 'color.diff=always', 'diff') and '\x1b' not in git(repo, '-c', 'color.diff=never', 'diff')
    assert 'cachy.jsonl | 2 +-' in git(repo, 'diff', '--stat') and git(repo, 'diff', '--name-only', '-z') == name + '\0'
    assert '+  user: Summarise chapter 80' in git(repo, 'diff', '--no-ext-diff')
    git(repo, 'add', '-A')
    assert '1 question changed, 2 equal' in git(repo, 'diff', '--cached')
    git(repo, 'commit', '-qm', 'x')
    assert '+  user: Summarise chapter 80' in git(repo, 'show') and '+  user: Summarise chapter 80' in git(repo, 'log', '-p', '-1')
    git(repo, 'mv', name, 'cachy.jsonl')
    assert '3 equal' in git(repo, 'diff', '--cached', '-M')
    git(repo, 'rm', '-qf', '--cached', 'cachy.jsonl')
    assert '3 gone, 0 equal' in git(repo, 'diff', '--cached', 'HEAD')
    git(repo, 'reset', '-q', '--hard')
    path.write_bytes(b''.join(many[:4]))
    done = subprocess.run(['git', 'add', '-p'], cwd=repo, input='y\n', capture_output=True, text=True)
    assert done.returncode == 0 and git(repo, 'diff') == ''
    assert git(repo, 'show', ':' + name).encode() == b''.join(many[:4])

@pytest.mark.parametrize('size', [1, 5, 50, 500])
def test_a_diff_of_long_texts_is_short(repo, size, capsys):
    "The beginning of what changed, in the question and in the answer"
    lines = [chat(f'Please read this, number {n}.\n' + 'A sentence of the article that is to be read. ' * size, f'It says {n}. ' + 'And this is what it says, in other words. ' * size) for n in range(20)]
    commit(repo, *lines)
    new = chat('Please read this twice, number 7.\n' + 'A sentence of the article that is to be read. ' * size, 'It says seven. ' + 'And this is what it says, in quite other words. ' * size)
    for after in (lines + [new], lines[:7] + lines[8:] + [new]):
        (repo/'cachy.jsonl').write_bytes(b''.join(after))
        diff = git(repo, 'diff')
        assert main(['diff', '--format', 'github']) == 0
        comment = capsys.readouterr().out
        assert len(diff) <= 1400 and len(diff.splitlines()) <= 25 and len(comment) <= 1000, (diff, comment)
        for text in (diff, comment):
            for part in ('+  user: Please read this twice, number 7.', '-  user: Please read this, number 7.', '+  -> It says seven.', '-  -> It says 7.'): assert part in text, text

def test_workflows_of_the_docs():
    "They are YAML, and the shell understands their steps"
    yaml = pytest.importorskip('yaml')
    cells = json.loads((root/'nbs'/'23_file_in_git.ipynb').read_text(encoding='utf-8'))['cells']
    blocks = [yaml.safe_load(block) for cell in cells if cell['cell_type'] == 'markdown' for block in re.findall(r'```yaml\n(.*?)```', ''.join(cell['source']), re.DOTALL)]
    workflows = [block for block in blocks if 'jobs' in block]
    steps = [step for workflow in workflows for job in workflow['jobs'].values() for step in job['steps']]
    assert len(workflows) == 2 and all(workflow['permissions'] and (True in workflow) for workflow in workflows) # YAML 1.1 reads `on` as true
    for step in steps:
        if 'run' in step: subprocess.run(['sh', '-n', '-c', step['run']], check=True)
    hooks = yaml.safe_load((root/'.pre-commit-hooks.yaml').read_text())
    used = [hook['id'] for block in blocks for repository in block.get('repos', []) for hook in repository['hooks']]
    assert used and {*used} <= {hook['id'] for hook in hooks}
    for hook in hooks:
        with redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as end: main([*hook['entry'].split()[1:], '--help'])
        assert end.value.code == 0 and re.search(hook['files'], 'nbs/cachy.jsonl') and not re.search(hook['files'], 'nbs/mycachy.jsonl')

def test_a_diff_runs_no_code_of_the_working_tree(repo):
    commit(repo, *many[:3])
    for name in ('cachy', 'json', 'argparse', 'os'): (repo/f'{name}.py').write_text(f'open("ran", "w")\nraise SystemExit("{name}")\n')
    (repo/'cachy.jsonl').write_bytes(b''.join(many[:2]))
    assert '2 equal' in git(repo, 'diff') and '-  user: Summarise chapter 2' in git(repo, 'diff', '--no-ext-diff') and not (repo/'ran').exists()
