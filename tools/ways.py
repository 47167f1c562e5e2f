"""Which ways to call a cached host does the guard see? `python tools/ways.py` tries each against a server on this machine, and prints a table.

In replay mode: how often the server was called, and whether the message names the host and who asks; in mode 'auto': is it told? Of what nobody sees:
does a proxy on which nobody listens stop it? The first rows are those of `tests/test_guard.py`, plain, in a thread and in a task; the last ones are
other processes, and clients in C and Rust, as far as they are installed
(`pip install pycurl curl_cffi primp rnet httpr pyreqwest`)."""
import asyncio
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent.parent/'tests'))
from cachy import CachyMiss, enable_cachy
from test_guard import Listener, in_task, in_thread, plainly, ways

def with_pycurl(url):
    import pycurl
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, url)
    handle.setopt(pycurl.WRITEFUNCTION, lambda data: None)
    handle.perform()
def with_curl_cffi(url):
    from curl_cffi import requests
    requests.get(url, timeout=5)
def with_primp(url):
    import primp
    primp.Client(timeout=5).get(url)
def with_rnet(url):
    import rnet
    asyncio.run(fetch(rnet.get, url))
async def fetch(get, url): await get(url)
def with_httpr(url):
    import httpr
    httpr.get(url)
def with_pyreqwest(url):
    from pyreqwest.client import SyncClientBuilder
    with SyncClientBuilder().build() as client: client.get(url).build().send()
def curl(url): subprocess.run(['curl', '-s', url], check=True, timeout=20, stdout=subprocess.DEVNULL)
def python_without_cachy(url): subprocess.run([sys.executable, '-c', f'import urllib.request as r; r.urlopen({url!r})'], check=True, timeout=20)

clients = [with_pycurl, with_curl_cffi, with_primp, with_rnet, with_httpr, with_pyreqwest]
outside = [client for client in clients if find_spec(client.__name__.removeprefix('with_'))] + [curl] * bool(shutil.which('curl')) + [python_without_cachy]

dead_proxy = dict.fromkeys(('http_proxy', 'https_proxy', 'all_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'), 'http://127.0.0.1:9') # nobody listens there

class Told(logging.Handler):
    "Counts warnings"
    count = 0
    def emit(self, record): self.count += record.levelno >= logging.WARNING

def run(way, manner, listener, mode)->tuple: # the miss, if there was one; whether there was a warning
    "Call the server of `listener`"
    told, log, port = Told(), logging.getLogger('cachy'), listener.port
    log.addHandler(told)
    log.propagate = False
    try:
        with tempfile.TemporaryDirectory() as folder, enable_cachy(folder, doms=(f'localhost:{port}',), mode=mode):
            if way not in outside: manner(way, 'localhost', port)
            else:
                with suppress(Exception): way(f'http://localhost:{port}/v1/models') # the server does not read, which some do not like
    except CachyMiss as miss: return str(miss), True
    finally: log.removeHandler(told)
    return '', bool(told.count)

def row(way)->list: # of cells
    "What happened to `way`, in each of the manners"
    manners = [plainly] if way in outside else [plainly, in_thread, in_task]
    called, hosts, callers, told = 0, 0, 0, 0
    for manner in manners:
        with Listener() as listener:
            message, _ = run(way, manner, listener, 'replay')
            called += listener.was_called(10)
            hosts += 'localhost is called past the cache' in message
            callers += 'test_guard, line' in message or 'ways, line' in message
        with Listener() as listener: told += run(way, manner, listener, 'auto')[1]
    stopped = ''
    if way in outside:
        with Listener() as listener, mock.patch.dict(os.environ, dead_proxy):
            run(way, plainly, listener, 'replay')
            stopped = 'no' if listener.was_called(10) else 'yes'
    of = f' of {len(manners)}'
    name = way.__name__.removeprefix('by_').removeprefix('with_').replace('_', ' ')
    return [name, called, f'{hosts}{of}', f'{callers}{of}', f'{told}{of}', stopped]

if __name__ == '__main__':
    print('| way | the server was called | named: the host | named: who asks | told in auto | a dead proxy stops it |\n|---|---|---|---|---|---|')
    for way in [*ways, *outside]:
        print('| ' + ' | '.join(map(str, row(way))) + ' |', flush=True)
