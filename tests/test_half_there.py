"A module that is a stub, or is being imported at this moment: cachy says so, goes on, and patches it once it is whole."
import pytest

from support import environment, python

half = '''
from cachy import enable_cachy
session = enable_cachy({folder!r}, doms=('127.0.0.1',), mode='auto')
from httpx import *
from httpx import Client as C, AsyncClient as A
class Client(C):
    def send(self, *args, **options): return C.send.__wrapped__(self, *args, **options)
class AsyncClient(A): pass
'''

@pytest.mark.parametrize('code', ['''
import httpx2 # the module below, which enables cachy while it is imported
assert type(httpx2.__spec__).__name__ == 'ModuleSpec' and 'patch' not in vars(httpx2.__spec__)
ours = httpx2.Client.__dict__['send']
''', '''
import types
sys.modules['httpx2'] = stub = types.ModuleType('httpx2')
with enable_cachy(folder, doms=('127.0.0.1',), mode='auto') as session:
    import httpx
    for _ in range(2): httpx.post(url, json={}).raise_for_status()
    assert session.counts['replayed'] == 1
    class Client:
        def send(self, request): pass
    class AsyncClient(Client): pass
    stub.Client, stub.AsyncClient = Client, AsyncClient
    import anything
    ours = Client.__dict__['send']
assert Client.__dict__['send'] is not ours
''', '''
import types
sys.modules['httpx2'] = None # forbidden
with enable_cachy(folder, doms=('127.0.0.1',), mode='auto') as session: pass
sys.modules['httpx2'] = object() # no module at all: said once, as is the next
with enable_cachy(folder, doms=('127.0.0.1',), mode='auto') as session: pass
class Odd(types.ModuleType):
    def __getattr__(self, name): raise RuntimeError('no')
sys.modules['httpx2'] = Odd('httpx2')
with enable_cachy(folder, doms=('127.0.0.1',), mode='auto') as session: pass
del sys.modules['httpx2']
with enable_cachy(folder, doms=('127.0.0.1',), mode='auto') as session:
    sys.path.remove(parts)
    import httpx2
    ours = httpx2.Client.__dict__['send']
'''], ids=['half imported', 'stub', 'odd'])
def test_a_module_that_is_not_whole(code, tmp_path):
    (tmp_path/'parts').mkdir()
    (tmp_path/'parts'/'anything.py').touch()
    (tmp_path/'parts'/'httpx2.py').write_text(half.format(folder=str(tmp_path)))
    script = tmp_path/'script.py'
    script.write_text(f'''
import logging, sys
logging.basicConfig(format='%(message)s')
folder, parts = {str(tmp_path)!r}, {str(tmp_path/'parts')!r}
sys.path.insert(0, parts)
from cachy import enable_cachy
from cachy.standin import StandIn
server = StandIn().start()
url = server.url + '/v1/chat/completions'
{code}
assert ours.__code__.co_filename.endswith('core.py'), ours.__code__
print('patched')
''')
    done = python(script, env=environment())
    assert done.stdout == 'patched\n'
    assert done.stderr.count('Calls through httpx2 go past the cache') == (0 if 'while it is imported' in code else 1)
