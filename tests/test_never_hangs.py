"A miss stops: it comes to whoever waits, through pools and forks, and the runs of others go on."
import os
import sys
import textwrap

import pytest

from cachy import CachyMiss
from support import environment, python, root

rounds = ('20', '2') if os.environ.get('CACHY_FULL') else ('2', '60') # how many, and how many seconds each may take

@pytest.mark.slow
def test_rounds():
    "See `tools/rounds.py`"
    pytest.importorskip('openai', reason='optional: openai is not installed; all is well without it')
    if not hasattr(os, 'fork'): pytest.skip('optional: no forks here')
    scenes = 'pools', 'executors', 'forks', 'anyio_tests', 'wiped_patches'
    lines = python(root/'tools'/'rounds.py', *rounds, *scenes, timeout=300).stdout.splitlines()
    assert len(lines) == int(rounds[0]) and all(scene in line for line in lines for scene in scenes)

def test_unittest_by_itself(tmp_path):
    "A miss in the preparation of a class or module fails these alone"
    (tmp_path/'test_it.py').write_text(textwrap.dedent('''
        import asyncio, sys, unittest, httpx
        from cachy import enable_cachy
        enable_cachy(sys.argv[0].rpartition('/')[0] or '.', mode='replay')
        def ask(): httpx.get('https://api.openai.com/v1/models')
        class First(unittest.TestCase):
            @classmethod
            def setUpClass(cls): ask()
            def test_it(self): pass
        class Second(unittest.IsolatedAsyncioTestCase):
            async def test_1_miss(self): await asyncio.gather(asyncio.to_thread(ask))
            async def test_2_good(self): pass
        class Third(unittest.TestCase):
            @classmethod
            def tearDownClass(cls): ask()
            def test_miss(self): ask()
            def test_miss_in_part(self):
                for i in range(2):
                    with self.subTest(i=i): ask()
        class Fourth(unittest.TestCase):
            def test_good(self): pass
        if __name__ == '__main__': unittest.main(exit=False)'''))
    said = python(tmp_path/'test_it.py', env=environment(('CI',))).stderr
    assert 'Ran 5 tests' in said and 'FAILED (errors=6)' in said and said.count('ERROR: setUpClass') == said.count('ERROR: tearDownClass') == 1, said

def test_a_pool_of_processes_that_are_spawned(tmp_path):
    "They find cachy again by the main module, as they find all else"
    (tmp_path/'main.py').write_text(textwrap.dedent('''
        import multiprocessing, os, httpx
        from cachy import CachyMiss, enable_cachy
        enable_cachy(os.path.dirname(__file__), mode='replay')
        def ask(name): return httpx.get(f'https://api.openai.com/v1/{name}').text
        if __name__ == '__main__':
            with multiprocessing.get_context('spawn').Pool(1) as pool:
                try: pool.apply_async(ask, ['models']).get(30)
                except CachyMiss as miss: print(miss.request['url'], len(miss.key), isinstance(miss, Exception))'''))
    assert python(tmp_path/'main.py').stdout == 'https://api.openai.com/v1/models 16 False\n'

def test_what_a_worker_sees():
    "There a miss is an exception too, unless code stands in between that might retry it"
    from multiprocessing.pool import ThreadPool
    with ThreadPool(1) as pool: miss = pool.apply(CachyMiss, ['no recording'], dict(key='0123456789abcdef'))
    assert isinstance(miss, Exception) and miss.key == '0123456789abcdef' and not isinstance(CachyMiss('no recording'), Exception)
    assert type(miss).__name__ == 'CachyMiss' and str(miss) == 'no recording' and sys.exc_info() == (None, None, None)
