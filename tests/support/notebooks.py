"Runs a notebook as `nbdev-test` does, in a process of its own that need not import nbdev and IPython again, and sees whether it shows what is saved."
import multiprocessing
import os
import re
import shutil
import sys

from fastcore.nbio import read_nb
from nbdev.clean import clean_nb
from nbdev.test import test_nb

from support import root

method = 'forkserver' if 'forkserver' in multiprocessing.get_all_start_methods() else 'spawn'
processes = multiprocessing.get_context(method)
if method == 'forkserver': processes.set_forkserver_preload(['nbdev.test', 'IPython.core.completer', 'fastcore.all', 'httpx', 'openai', 'support.notebooks'])
is_comparable = sys.version_info[:2] == (3, 11) # the Python with which notebooks are saved: tracebacks and prices are in them

def execute(path, failure):
    "Run the notebook at `path`, and save it; what went wrong goes to the file `failure`"
    os.environ.pop('PYTEST_CURRENT_TEST', None) # else a miss would say how to run this test
    with failure.open('w', encoding='utf-8') as sys.__stderr__:
        passed, _ = test_nb(path, skip_flags=['live'], force_flags=[], basepath=root, cell_timeout=120, save=True)
    os._exit(not passed) # as soon as it is known: some libraries leave threads

def copy_project(folder):
    "Copy to `folder` what notebooks need"
    shutil.copytree(root/'nbs', folder/'nbs', ignore=shutil.ignore_patterns('__pycache__', '.ipynb_checkpoints'))
    (folder/'bench').mkdir()
    figures = [path.relative_to(root) for path in root.glob('bench/*.json')]
    for name in ('pyproject.toml', 'settings.ini', *figures): shutil.copy(root/name, folder/name)

took = re.compile(r'\b\d+(?:\.\d+)?(?= m?s\b)|(?<![\w.$])\d\.\d(?![\w.])') # seconds, which a busy machine needs more of

def shown(path)->dict:
    "What the cells of the notebook at `path` show, by their ids, but for seconds"
    notebook = read_nb(path)
    clean_nb(notebook)
    return {cell.id: took.sub('N', repr(cell.outputs)) for cell in notebook.cells if cell.cell_type == 'code'}

def failure_of(path, folder):
    "What went wrong in a copy of the notebook at `path`, or what it shows that is not saved; empty: nothing"
    copy_project(folder)
    failure, copy = folder/'failure', folder/'nbs'/path.name
    process = processes.Process(target=execute, args=(copy, failure))
    process.start()
    process.join(300)
    process.kill()
    if process.exitcode != 0: return failure.read_text(encoding='utf-8')[-3000:] or f'exit {process.exitcode}'
    before, after = shown(path), shown(copy)
    changed = [f'{cell} showed {before[cell]}\nand shows {after[cell]}' for cell in before if before[cell] != after[cell]]
    return '\n'.join(changed) if is_comparable else ''
