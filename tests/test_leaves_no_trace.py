"`disable_cachy()`, or the end of a `with` block, puts everything back: functions, import hooks and the environment."
import os
import sys

import httpx
import httpx2
import pytest

from cachy import core, disable_cachy, enable_cachy
from cachy.providers import key_variables
from support.asking import body, local, url

def test_disable_puts_the_very_functions_back():
    before = [vars(cls)['send'] for library in (httpx, httpx2) for cls in (library.Client, library.AsyncClient)]
    finders = list(sys.meta_path)
    enable_cachy(mode='off')
    enable_cachy(mode='replay')
    assert httpx.Client.send is not before[0]
    disable_cachy()
    assert [vars(cls)['send'] for library in (httpx, httpx2) for cls in (library.Client, library.AsyncClient)] == before
    assert sys.meta_path == finders

def test_all_is_as_it_was_afterwards(cached):
    import aiohttp
    import requests.adapters
    import urllib3
    places = (requests.adapters.HTTPAdapter, 'send'), (urllib3.HTTPConnectionPool, 'urlopen'), (aiohttp.ClientSession, '_request')
    before = [vars(cls)[name] for cls, name in places]
    with cached(), cached('off'): assert all(vars(cls)[name] is not original for (cls, name), original in zip(places, before, strict=True))
    assert [vars(cls)[name] for cls, name in places] == before

@pytest.mark.parametrize('order', [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0), (0, 2, 1), (2, 0, 1)])
def test_scopes_left_in_any_order(order, tmp_path):
    before = httpx.Client.send
    sessions = [enable_cachy(tmp_path, mode=mode).__enter__() for mode in ('auto', 'replay', 'record')]
    for i in order:
        sessions[i].__exit__(None, None, None)
        left = [session for session in sessions if session in core.sessions]
        assert (core.sessions[-1:] or [None])[0] is (left[-1] if left else None)
    assert httpx.Client.send is before

def test_wrapper_of_somebody_else_stays_and_works(stand_in, tmp_path):
    before, seen = httpx.Client.send, []
    enable_cachy(tmp_path, **local)
    ours = httpx.Client.send
    def theirs(self, request, **options):
        seen.append(request.method)
        return ours(self, request, **options)
    httpx.Client.send = theirs
    try:
        assert httpx.post(url(stand_in), json=body).text == httpx.post(url(stand_in), json=body).text
        disable_cachy()
        assert httpx.Client.send is theirs
        httpx.post(url(stand_in), json=body)
        assert (len(seen), stand_in.calls) == (3, 2)
        with enable_cachy(tmp_path, **local) as session: httpx.post(url(stand_in), json=dict(body, n=2)), httpx.post(url(stand_in), json=body)
        assert session.counts == dict(recorded=1, replayed=1) and len(session.file) == 2 and httpx.Client.send is theirs
    finally: httpx.Client.send = before
    disable_cachy()
    core.patcher.restore()
    core.patcher.replaced.clear()

def test_placeholders_come_and_go(monkeypatch, tmp_path):
    names = ('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'DEEPSEEK_API_KEY')
    for name in names + ('GOOGLE_API_KEY',): monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('OPENAI_API_KEY', 'mine')
    before = dict(os.environ)
    with enable_cachy(tmp_path, mode='replay'):
        assert os.environ['OPENAI_API_KEY'] == 'mine' and all(os.environ[name] for name in names)
        with enable_cachy(tmp_path, mode='auto'): assert dict(os.environ) == before | {'LITELLM_RUST': '0'}
        assert os.environ['GEMINI_API_KEY']
    assert dict(os.environ) == before
    monkeypatch.setenv('ANTHROPIC_API_KEY', '') # as CI sets a secret that it does not have
    with enable_cachy(tmp_path, mode='replay'): assert os.environ['ANTHROPIC_API_KEY']
    assert os.environ['ANTHROPIC_API_KEY'] == ''
    monkeypatch.setenv('GOOGLE_API_KEY', 'mine')
    with enable_cachy(tmp_path, mode='replay'): assert 'GEMINI_API_KEY' not in os.environ

def test_placeholders(tmp_path, monkeypatch):
    "In replay mode, and only there, the four keys are set where they are missing, and taken back"
    for name in (*key_variables, 'GOOGLE_API_KEY'): monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('DEEPSEEK_API_KEY', 'mine')
    before = dict(os.environ)
    with enable_cachy(tmp_path, mode='replay'):
        assert {name for name in os.environ if name not in before} == {'OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'LITELLM_RUST'} and os.environ['DEEPSEEK_API_KEY'] == 'mine'
        with enable_cachy(tmp_path, mode='auto'): assert dict(os.environ) == before | {'LITELLM_RUST': '0'} # a placeholder would keep `load_dotenv` from setting the real key
        assert 'OPENAI_API_KEY' in os.environ
        os.environ['OPENAI_API_KEY'] = 'set meanwhile'
    assert dict(os.environ) == before | {'OPENAI_API_KEY': 'set meanwhile'}
    monkeypatch.delenv('OPENAI_API_KEY')
    monkeypatch.setenv('GOOGLE_API_KEY', 'mine')
    with enable_cachy(tmp_path, mode='replay'): assert 'GEMINI_API_KEY' not in os.environ
    for mode in ('auto', 'record', 'off'):
        with enable_cachy(tmp_path, mode=mode): assert 'OPENAI_API_KEY' not in os.environ
