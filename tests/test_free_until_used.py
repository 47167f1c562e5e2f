"What is not used costs nothing: no library is imported before its time, and no answer is read to explain a miss."
import textwrap

import httpx

from cachy import enable_cachy
from support import environment, python, root
from support.asking import local, url

def test_enabling_imports_no_http_library():
    names = {line.split('|')[-1].strip().split('.')[0] for line in python('-X', 'importtime', '-c', 'import cachy; cachy.enable_cachy()', env=environment(CACHY_MODE='auto')).stderr.splitlines()}
    assert not names & {'httpx', 'httpx2', 'requests', 'openai', 'anthropic', 'litellm', 'aiohttp', 'urllib3', 'asyncio'} and 'cachy' in names

def test_enabling_imports_no_litellm(tmp_path):
    code = f'import sys; from cachy import enable_cachy; enable_cachy({str(tmp_path)!r}, mode="auto"); print(*sys.modules)'
    loaded = {name.partition('.')[0] for name in python('-c', code).stdout.split()}
    assert 'cachy' in loaded and not loaded & {'litellm', 'httpx', 'httpx2', 'openai', 'pydantic'}

def test_nothing_is_imported_before_it_is_used(tmp_path):
    code = "import sys; from cachy import enable_cachy; enable_cachy(sys.argv[1]); print([name for name in ('httpx', 'requests', 'urllib3', 'aiohttp', 'cachy.stacks') if name in sys.modules])"
    assert python('-c', code, tmp_path).stdout == '[]\n'

def test_not_imported_before_a_miss(tmp_path, stand_in):
    with enable_cachy(tmp_path, **local): httpx.get(stand_in.url + '/v1/models')
    code = f'''import sys, httpx
from cachy import CachyMiss, enable_cachy
with enable_cachy({str(tmp_path)!r}, doms=('127.0.0.1',), mode='replay'):
    httpx.get('{stand_in.url}/v1/models')
    assert 'cachy.miss' not in sys.modules and 'difflib' not in sys.modules
    try: httpx.get('{stand_in.url}/v1/files')
    except CachyMiss as miss: print('path' in str(miss), 'cachy.miss' in sys.modules)
'''
    assert python('-c', code).stdout == 'True True\n'

def test_a_file_without_older_lines_never_loads_the_module(tmp_path, stand_in):
    code = textwrap.dedent(f'''
        import sys, httpx
        from cachy import enable_cachy
        with enable_cachy({str(tmp_path)!r}, doms=('127.0.0.1',), mode='auto'):
            for _ in range(2): httpx.post('{url(stand_in)}', json=dict(model='m', messages=[]))
        print('cachy.older' in sys.modules)''')
    assert python('-c', code).stdout == 'False\n'

def test_the_plugin_is_found_and_cheap():
    code = "import sys, cachy.pytest_plugin; print(sorted({'httpx', 'httpx2', 'openai', 'cachy.miss', 'asyncio', 'difflib'} & set(sys.modules)))"
    assert python('-c', code).stdout == python('-c', code.replace('cachy.pytest_plugin', 'pytest')).stdout
    assert 'pytest_plugins = cachy=cachy.pytest_plugin' in (root/'settings.ini').read_text() and "'pytest11': settings['pytest_plugins']" in (root/'setup.py').read_text()
