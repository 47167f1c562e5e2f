"Runs a notebook as `nbdev-test` does, in a process of its own that need not import nbdev and IPython again."
import multiprocessing
import os
import sys

from nbdev.test import test_nb

method = 'forkserver' if 'forkserver' in multiprocessing.get_all_start_methods() else 'spawn'
processes = multiprocessing.get_context(method)
if method == 'forkserver': processes.set_forkserver_preload(['nbdev.test', 'IPython.core.completer', 'fastcore.all', 'httpx', 'openai', 'support.notebooks'])

def execute(path, root, failure):
    "Run the notebook at `path`; what went wrong goes to the file `failure`"
    with failure.open('w', encoding='utf-8') as sys.__stderr__: passed, _ = test_nb(path, skip_flags=['live'], force_flags=[], basepath=root, cell_timeout=120)
    os._exit(not passed) # as soon as it is known: some libraries leave threads

def failure_of(path, root, folder):
    "What went wrong in the notebook at `path`; empty: nothing"
    failure = folder/'failure'
    process = processes.Process(target=execute, args=(path, root, failure))
    process.start()
    process.join(300)
    process.kill()
    return '' if process.exitcode == 0 else failure.read_text(encoding='utf-8')[-3000:] or f'exit {process.exitcode}'
