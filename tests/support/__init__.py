"What the tests share and is no test. This page imports little, since processes of other environments begin with it."
import os
import subprocess
import sys
from pathlib import Path

root = Path(__file__).parent.parent.parent
shared = root.parent/'shared' # real traffic and real files, which are not in the project

def environment(without=(), **more):
    "For a process that finds the project and what the tests share"
    here = {name: value for name, value in os.environ.items() if name not in without}
    return here | {'PYTHONPATH': os.pathsep.join([str(root), str(root/'tests')])} | more

def python(*arguments, executable=sys.executable, env=None, timeout=60):
    "A Python process of its own that has ended well: its `stdout` and `stderr`"
    command = [str(part) for part in (executable, *arguments)]
    done = subprocess.run(command, cwd=root, env=env or environment(), capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr[-3000:]
    return done
