"Fixtures of all tests: stand-ins, and a guard against calls beyond this machine."
import os
import socket
from pathlib import Path

import pytest

pytest_plugins = 'pytester' # pytest inside pytest, for the plugin

os.environ.setdefault('LITELLM_LOCAL_MODEL_COST_MAP', 'True') # else LiteLLM fetches its price list at import
os.environ['SSL_CERT_FILE'] = str(Path(__file__).parent/'support'/'certificate.pem') # each client reads it: one certificate takes 1 ms, all 50
for name in ('CI', 'CACHY_MODE', 'CACHY_STORE'): os.environ.pop(name, None) # the tests name their mode

@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch):
    "Refuse each connection that leaves this machine"
    connect = socket.socket.connect
    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ('127.0.0.1', '::1', 'localhost'):
            raise ConnectionRefusedError(f'a test tried to reach {address}')
        return connect(self, address)
    monkeypatch.setattr(socket.socket, 'connect', guarded)

@pytest.fixture
def stand_in():
    from cachy.standin import StandIn
    with StandIn() as server: yield server

@pytest.fixture(scope='module')
def echo():
    from support.echo import Echo
    with Echo() as server: yield server

@pytest.fixture
def cached(tmp_path):
    "Switches cachy on for what the stand-in answers"
    from cachy import enable_cachy
    def on(mode='auto', **options): return enable_cachy(tmp_path, doms=('127.0.0.1',), mode=mode, **options)
    return on

@pytest.fixture(autouse=True)
def switched_off():
    "Each test leaves httpx as it found it"
    from cachy import disable_cachy
    from cachy.core import sessions
    yield
    left = list(sessions)
    disable_cachy()
    assert not left, f'a test left {left} on'
