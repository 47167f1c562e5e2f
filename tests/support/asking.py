"What tests of `httpx` and `httpx2` ask, and of whom."
import logging

import httpx
import httpx2
import pytest

libraries = pytest.mark.parametrize('library', [httpx, httpx2], ids=['httpx', 'httpx2'])
local = dict(doms=('127.0.0.1',), mode='auto')
body = dict(model='gpt-4o', messages=[dict(role='user', content='Tell me about cats')])

def url(server): return server.url + '/v1/chat/completions'

def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.name == 'cachy' and record.levelno >= logging.WARNING]
