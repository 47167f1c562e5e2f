"Where the pages are played: the providers' hosts lead to a stand-in on this machine, in a folder of its own, with counted ids and one time."
import itertools
import logging
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import httpx

import cachy
from cachy import disable_cachy, standin

class Warnings(logging.Handler):
    "Print warnings; a miss is an error, which a page prints itself"
    def emit(self, record):
        if record.levelno == logging.WARNING: print(record.getMessage())

def lead(
    port:int # of the stand-in
):
    "Lead what `httpx` sends to any host to `port` on this machine, in this process; gives the function that ends it"
    plain = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request
    def led(request):
        url = request.url.copy_with(scheme='http', host='127.0.0.1', port=port)
        return httpx.Request(request.method, url, headers=request.headers.raw, stream=request.stream, extensions=request.extensions)
    httpx.HTTPTransport.handle_request = lambda transport, request: plain[0](transport, led(request))
    httpx.AsyncHTTPTransport.handle_async_request = lambda transport, request: plain[1](transport, led(request))
    def end(): httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request = plain
    return end

class Project:
    "An empty project to work in, so that files have short names"
    def __init__(self):
        self.home, self.folder = os.getcwd(), tempfile.TemporaryDirectory()
        self.name = os.path.join(os.path.realpath(self.folder.name), 'zoo')
        os.makedirs(self.name)
        os.chdir(self.name)
        open('pyproject.toml', 'w').close()
    def cleanup(self):
        "Go back to where we were"
        os.chdir(self.home)
        self.folder.cleanup()

class Stage:
    "A stand-in that is called in place of every provider, and an empty project to work in"
    def __init__(self,
        delay:float=0., # seconds before each answer
        event_delay:float=0. # seconds before each event of a stream
    ):
        self.project, self.before = Project(), dict(os.environ)
        self.made = standin.new_id, standin.time
        counts = defaultdict(lambda: itertools.count(1))
        standin.new_id = lambda prefix: f'{prefix}{next(counts[prefix]):04}'
        standin.time = SimpleNamespace(time=lambda: 1767225600, sleep=time.sleep) # the first second of 2026
        self.stand_in = standin.StandIn(delay, event_delay).start()
        self.end = lead(self.stand_in.server.server_port)
        self.handler, log = Warnings(), logging.getLogger('cachy')
        log.addHandler(self.handler)
        log.propagate = False
        for name in ('CI', 'CACHY_MODE', 'CACHY_STORE'): os.environ.pop(name, None)
        os.environ['OPENAI_API_KEY'] = 'sk-not-a-real-key'
        self.env = os.environ
    def run(self,
        command:str, # such as 'pytest --cachy=replay'
        live:bool=False, # whether it may call the stand-in
        **env # variables of the environment, besides
    ):
        "Show what `command` prints, in a process of its own, without seconds"
        name, *rest = shlex.split(command)
        start = f'import stage; stage.lead({self.stand_in.server.server_port})' if live else 'pass'
        what = f"run_path({rest[0]!r}" if name == 'python' else f"run_module({name!r}"
        argv = rest if name == 'python' else [name, *rest]
        code = f"{start}; import sys, runpy; sys.argv = {argv!r}; runpy.{what}, run_name='__main__')"
        path = os.pathsep.join([self.project.home, str(Path(cachy.__file__).parent.parent)])
        plain = dict(os.environ, PYTHONPATH=path, COLUMNS='100', NO_COLOR='1', PYTHONDONTWRITEBYTECODE='1', **env)
        plain['PYTEST_DISABLE_PLUGIN_AUTOLOAD'] = '1' # other plugins take seconds to load
        plain['PYTEST_ADDOPTS'] = '-p no:cacheprovider -p cachy.pytest_plugin -W ignore::pytest.PytestAssertRewriteWarning'
        done = subprocess.run([sys.executable, '-c', code], env=plain, capture_output=True, text=True, timeout=60)
        shown = (done.stdout + done.stderr).replace(f'{Path.cwd()}{os.sep}', '').rstrip()
        shown = re.sub(r' in \d+\.\d+s|(?<=core\.py):\d+|(?<=saved|spent) \d+\.\d s,', '', shown)
        print('$ ' + ' '.join([*(f'{name}={value}' for name, value in env.items()), command]), shown, sep='\n', end='\n' if shown else '')
        if done.returncode: print(f'(exit status {done.returncode})')
    @property
    def calls(self)->int:
        "How many calls left the program"
        return self.stand_in.calls
    def close(self):
        "Put everything back"
        disable_cachy()
        self.end()
        standin.new_id, standin.time = self.made
        logging.getLogger('cachy').removeHandler(self.handler)
        logging.getLogger('cachy').propagate = True
        self.stand_in.stop()
        self.project.cleanup()
        os.environ.clear()
        os.environ.update(self.before)
