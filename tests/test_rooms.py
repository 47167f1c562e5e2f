"The house: each module stands on those below it, knows nothing of those above, and shows others only what they use."
import ast
from functools import cache
from pathlib import Path

import pytest

import cachy

folder = Path(cachy.__file__).parent
rooms = (('providers',), ('request',), ('answer', 'reads', 'scope', 'settings'), ('secrets',), ('file', 'run'), ('patches', 'terminal', 'store'), ('adopt', 'init'),
    ('miss', 'older', 'check', 'streams'), ('show',), ('tidy', 'diff'), ('receipt',), ('view',), ('core',), ('stacks', 'guard', 'standin'), ('lm15_stack', 'stable'),
    ('pytest_plugin', 'demo', 'vcr'), ('cli',), ('__main__',)) # from the ground up; none knows those beside it
floor = {name: i for i, names in enumerate(rooms) for name in names}
modules = sorted(path.stem for path in folder.glob('*.py') if path.stem not in ('__init__', '_modidx'))
trees = {name: ast.parse((folder/f'{name}.py').read_text(encoding='utf-8')) for name in (*modules, '__init__')}

def imported(tree):
    "What a module imports of the package, anywhere in it, also inside functions: `(module, name)` pairs, the name None for a whole module"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition('.')[2] or '__init__', None) for alias in node.names if alias.name.split('.')[0] == 'cachy')
        elif isinstance(node, ast.ImportFrom) and (node.level == 1 or (node.module or '').split('.')[0] == 'cachy'):
            module = (node.module or '').removeprefix('cachy').lstrip('.') if not node.level else node.module or ''
            for alias in node.names: yield (module, alias.name) if module else (alias.name, None) if alias.name in floor else ('__init__', alias.name)

@cache
def all_imported(name): return [*imported(trees[name])]

def test_each_module_has_a_floor(): assert {*modules} == {*floor}

@pytest.mark.parametrize('name', modules)
def test_no_import_runs_up_or_sideways(name):
    wrong = [module for module, _ in all_imported(name) if floor.get(module, len(rooms)) >= floor[name]]
    assert wrong == []

@cache
def strings(name): return {node.value for node in ast.walk(trees[name]) if isinstance(node, ast.Constant) and isinstance(node.value, str)}

@pytest.mark.parametrize('name', modules)
def test_no_name_of_a_module_above_is_hidden_in_a_text(name):
    "Such as 'cachy.stacks:patch_requests', which is an import by another name"
    named = {other for other in modules for text in strings(name) if text.startswith(f'cachy.{other}:')}
    assert [other for other in named if floor[other] > floor[name]] == []

def public(name):
    "What `__all__` of a module names"
    for node in trees[name].body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == '__all__': return ast.literal_eval(node.value)
    return []

documented = { # what the docs tell users of, though no module of the package needs it
    'core': {'enable_cachy', 'disable_cachy', 'doms', 'CachyMiss', 'Session', 'session', 'live', 'no_cachy', 'fresh', 'sample'}, 'patches': {'register'}, 'miss': {'machine_pats', 'machine_texts'}, 'cli': {'main'}}

@pytest.mark.parametrize('name', [name for name in modules if name != 'pytest_plugin']) # pytest itself uses the names of that one
def test_all_names_only_what_others_use(name):
    used = {what for other in trees if other != name for module, what in all_imported(other) if module == name}
    rows = {text.partition(':')[2] for other in trees for text in strings(other) if text.startswith(f'cachy.{name}:')}
    assert [what for what in public(name) if what not in used | rows | documented.get(name, set())] == []

def test_public_names():
    names = {name for name in vars(cachy) if name.isidentifier() and not name.startswith('_')} - {*modules}
    assert names == {'enable_cachy', 'disable_cachy', 'doms', 'ignore', 'CachyMiss', 'Session', 'session', 'live', 'no_cachy', 'fresh', 'sample'}
    star = {}
    exec('from cachy import *', star)
    assert star.keys() - {'__builtins__'} == {'enable_cachy', 'disable_cachy', 'doms', 'CachyMiss'}
    from cachy.core import CachyMiss, Session, disable_cachy, doms, enable_cachy
    assert (enable_cachy, disable_cachy, doms, CachyMiss, Session) == (cachy.enable_cachy, cachy.disable_cachy, cachy.doms, cachy.CachyMiss, cachy.Session)

def test_core_is_short_enough_to_be_read():
    lines = (folder/'core.py').read_text(encoding='utf-8').splitlines()
    longest = max((node.end_lineno - node.lineno + 1, node.name) for node in ast.walk(trees['core']) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    assert len(lines) <= 850 and longest[0] <= 25, longest
