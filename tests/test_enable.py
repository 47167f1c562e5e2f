"`enable_cachy`: which session counts, its mode, hosts and file, and what it refuses."
import httpx
import pytest

from cachy import core, disable_cachy, doms, enable_cachy
from cachy.core import CachyMiss, choose_mode
from cachy.file import find_folder
from support import environment, python
from support.asking import body, local, url

def test_plain_replaces_plain_and_with_returns_to_it(tmp_path):
    first = enable_cachy(tmp_path, mode='auto')
    second = enable_cachy(tmp_path, mode='replay')
    assert core.sessions == [second]
    with enable_cachy(tmp_path, mode='off') as scoped: assert core.sessions == [second, scoped]
    assert core.sessions == [second]
    with enable_cachy(tmp_path, mode='off') as scoped:
        third = enable_cachy(tmp_path, mode='auto')
        assert core.sessions == [scoped, third]
    assert core.sessions == [third]
    disable_cachy()
    with third: assert core.sessions == [third]
    assert core.sessions == [] and first is not second

def test_client_made_before_and_function_imported_before(stand_in, tmp_path):
    with httpx.Client() as client:
        with enable_cachy(tmp_path, **local) as session: client.post(url(stand_in), json=body), client.post(url(stand_in), json=body)
    assert session.counts == dict(recorded=1, replayed=1)

def test_doms_decide(stand_in, tmp_path):
    with enable_cachy(tmp_path, mode='replay') as session: assert httpx.post(url(stand_in), json=body).status_code == 200
    with enable_cachy(tmp_path, doms=doms + ('127.0.0.1',), mode='replay'), pytest.raises(CachyMiss): httpx.post(url(stand_in), json=body)
    assert session.counts == {}

def test_record_mode_calls_anew_once(stand_in, tmp_path):
    with enable_cachy(tmp_path, **local): old = httpx.post(url(stand_in), json=body).text
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='record'):
        new = httpx.post(url(stand_in), json=body).text
        assert new != old and httpx.post(url(stand_in), json=body).text == new
    with enable_cachy(tmp_path, **local): assert httpx.post(url(stand_in), json=body).text == new
    assert stand_in.calls == 2

@pytest.mark.parametrize('env, mode, expected', [
    ({}, None, ('auto', 'the default')), ({'CI': 'true'}, None, ('replay', 'CI=true')), ({'CI': 'false'}, None, ('auto', 'the default')), ({'CI': 'woodpecker'}, None, ('replay', 'CI=woodpecker')),
    ({'CI': 'true', 'CACHY_MODE': 'auto'}, None, ('auto', 'CI=true; CACHY_MODE=auto allows calls')), ({'CACHY_MODE': 'record'}, None, ('record', 'CACHY_MODE=record')),
    ({'CACHY_MODE': 'record'}, 'off', ('off', "mode='off'"))])
def test_mode(env, mode, expected): assert choose_mode(mode, env) == expected

@pytest.mark.parametrize('arguments, error, says', [
    (dict(mode='rewind'), ValueError, "no mode. Use one of 'auto'"), (dict(doms='api.openai.com'), ValueError, 'Give a tuple of hosts'),
    (dict(doms=('https://api.openai.com/v1',)), ValueError, "is no host. Write 'api.example.com'"), (dict(doms=('a b',)), ValueError, 'is no host'),
    (dict(doms=(None,)), ValueError, 'is no host'), (dict(doms=None), ValueError, 'Give a tuple of hosts'), (dict(doms=('',)), ValueError, 'is no host'), (dict(doms=('host:port',)), ValueError, 'is no host'),
    (dict(cache_dir='no/such/folder'), NotADirectoryError, 'Create it, or leave cache_dir out'), (dict(cache_dir=__file__), NotADirectoryError, 'no existing folder'),
    (dict(hdrs='x-a'), ValueError, 'Give a tuple of header names'), (dict(errors=404), ValueError, 'errors=(404,)'),
    (dict(norm_pats=('a', 'b')), ValueError, "norm_pats"), (dict(norm_pats=(('(', 'b'),)), ValueError, "norm_pats")])
def test_bad_input(arguments, error, says, tmp_path):
    with pytest.raises(error) as caught: enable_cachy(**({'cache_dir': tmp_path, 'mode': 'auto'} | arguments))
    assert says in str(caught.value) and core.sessions == []

def test_bad_mode_in_the_environment(monkeypatch):
    monkeypatch.setenv('CACHY_MODE', 'rewind')
    with pytest.raises(ValueError, match='CACHY_MODE=rewind is no mode'): enable_cachy()

def test_folder(tmp_path, monkeypatch):
    (tmp_path/'project'/'nbs').mkdir(parents=True)
    monkeypatch.chdir(tmp_path/'project'/'nbs')
    (tmp_path/'project'/'pyproject.toml').touch()
    assert find_folder() == tmp_path/'project'
    (tmp_path/'project'/'nbs'/'settings.ini').touch()
    assert find_folder() == tmp_path/'project'/'nbs'

@pytest.mark.parametrize('before, after', [('', 'import httpx, httpx2'), ('import httpx, httpx2', ''), ('import httpx2', 'import httpx'),
    ('import httpx2; httpx2.alias_httpx()', 'import httpx; assert httpx.Client is httpx2.Client'), ('', 'import httpx2; httpx2.alias_httpx(); import httpx'),
    ('import httpx2; httpx2.alias_httpx(); import httpx', '')])
def test_calls_are_recorded_whenever_the_library_was_imported(before, after, stand_in, tmp_path):
    code = f"""
import sys
{before}
from cachy import disable_cachy, enable_cachy
session = enable_cachy({str(tmp_path)!r}, doms=('127.0.0.1',))
{after}
import httpx, httpx2
texts = {{library.post({url(stand_in)!r}, json={body!r}).text for library in (httpx, httpx2, httpx, httpx2)}}
assert len(texts) == 1 and session.counts == dict(recorded=1, replayed=3), session
disable_cachy()
assert httpx.Client.send.__module__.split('.')[0] in ('httpx', 'httpx2') and not hasattr(httpx.Client.send, '__wrapped__')
assert type(httpx.__spec__.loader).__module__ != 'cachy.core', httpx.__spec__
"""
    python('-c', code, env=environment(CACHY_MODE='auto'))
    assert stand_in.calls == 1
