"Record the examples anew, at a stand-in in place of the provider: `python tools/examples.py`."
import os
import subprocess
import sys
from pathlib import Path

root = Path(__file__).parent.parent
sys.path.insert(0, str(root/'nbs'))
from stage import Stage  # noqa: E402

run_notebook = '''import nbformat, sys
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, kernel_name='python3').execute()
for cell in notebook.cells:
    cell.metadata.pop('execution', None)
    if cell.cell_type == 'code': cell.execution_count = None
    for output in cell.get('outputs', []):
        if 'execution_count' in output: output['execution_count'] = None
nbformat.write(notebook, sys.argv[1])'''
commands = dict(notebook=['-c', run_notebook, 'cats.ipynb'], pytest_suite=['-m', 'pytest', '-q'], github_actions=['-m', 'pytest', '-q', '--cachy=auto'])

def main():
    "Record each example"
    stage = Stage()
    site = Path('site') # what runs first in each process there
    site.mkdir()
    (site/'sitecustomize.py').write_text(f'import stage; stage.lead({stage.stand_in.server.server_port})')
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, (site.absolute(), root/'nbs', root))), PYTEST_ADDOPTS='-p no:cacheprovider')
    try:
        for name, command in commands.items():
            folder = root/'examples'/name
            (folder/'cachy.jsonl').unlink(missing_ok=True)
            subprocess.run([sys.executable, *command], cwd=folder, env=env, check=True)
    finally: stage.close()

if __name__ == '__main__': main()
