"""One framework in a process of its own: `python harness.py PROGRAM FOLDER PORT MODE OUT`.

All hosts lead to `PORT` on this machine, below the look-up of addresses; with 0 there is no network at all. Each function `case_…` of the program is run,
and what it gave, or its error, is written to `OUT`, with the hosts that were looked up."""
import asyncio
import importlib.util
import inspect
import json
import socket
import sys
import threading
from pathlib import Path

def lead(port:int, seen:list):
    "Have each look-up of a host give this machine, and each connection there reach `port`; 0: nobody is there"
    look_up, connect = socket.getaddrinfo, socket.socket.connect
    def getaddrinfo(host, *args, **options):
        name = host.decode() if isinstance(host, bytes) else host
        if name in (None, 'localhost', '127.0.0.1', '::1'): return look_up(host, *args, **options)
        seen.append(name)
        if not port: raise socket.gaierror(f'no network: {name}')
        return look_up('127.0.0.1', port, type=socket.SOCK_STREAM)
    socket.getaddrinfo = getaddrinfo
    def to_us(self, address):
        if self.family == socket.AF_INET and address[0] not in ('127.0.0.1', 'localhost'):
            seen.append(address[0])
            raise ConnectionRefusedError(f'no network: {address}')
        if self.family == socket.AF_INET and port and address[1] == 443: address = address[0], port # some keep the port that they asked for
        return connect(self, address)
    socket.socket.connect = to_us

loop = asyncio.new_event_loop() # one for all cases, as in a program whose clients outlive a case

def run_case(case)->str:
    "What `case` gives, as text, or its error"
    asyncio.set_event_loop(loop)
    try:
        result = case()
        if inspect.isawaitable(result): result = loop.run_until_complete(wait(result))
        return str(result)
    except BaseException as error: return f'{type(error).__name__}: {error!s:.500}'

async def wait(awaitable): return await asyncio.wait_for(awaitable, 120)

def main(program, folder, port, mode, out):
    "Run all cases of `program`"
    seen:list = []
    lead(int(port), seen)
    from cachy import enable_cachy
    session = enable_cachy(folder, mode=mode)
    spec = importlib.util.spec_from_file_location('program', program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cases = {name.removeprefix('case_'): run_case(case) for name, case in [*vars(module).items()] if name.startswith('case_')}
    Path(out).write_text(json.dumps(dict(cases=cases, counts=dict(session.counts), looked_up=sorted({*seen}), threads=threading.active_count())))

if __name__ == '__main__':
    main(*sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    import os
    os._exit(0) # some leave threads behind
