"Whatever Python code looks up or connects to a cached host without cachy is refused in replay mode, and told in the others."
import asyncio
import http.client
import logging
import socket
import ssl
import threading
import timeit
import urllib.request
from contextlib import contextmanager, suppress
from time import sleep
from unittest import mock

import anyio
import httpcore
import httpx
import httpx2
import pytest

from cachy import CachyMiss, disable_cachy, doms, enable_cachy, patches
from support import python
from support.asking import body, libraries, warnings

class Listener:
    "A server that counts who connects, and gives each the same answer"
    def __enter__(self):
        self.socket, self.calls = socket.create_server(('127.0.0.1', 0)), 0
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()
        return self
    def serve(self):
        with suppress(OSError):
            while True:
                peer, _ = self.socket.accept()
                self.calls += 1
                peer.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok')
                peer.close()
    def was_called(self, tries=100):
        while not self.calls and (tries := tries - 1): sleep(0.01)
        return self.calls
    def __exit__(self, *error): self.socket.close()

@pytest.fixture
def listener():
    with Listener() as server: yield server

# ways to call a host; each returns once there was a connection

def by_urllib(host, port): urllib.request.urlopen(f'http://{host}:{port}/v1/models', timeout=5).read()
def by_http_client(host, port): http.client.HTTPConnection(host, port, timeout=5).connect()
def by_https(host, port):
    with suppress(ssl.SSLError, OSError): http.client.HTTPSConnection(host, port, timeout=5).connect()
def by_httpcore(host, port):
    with httpcore.ConnectionPool() as pool: pool.request('GET', f'http://{host}:{port}/v1/models')
def by_transport(host, port):
    with httpx.HTTPTransport() as transport: transport.handle_request(httpx.Request('GET', f'http://{host}:{port}/v1/models')).read()
def by_create_connection(host, port): socket.create_connection((host, port), 5).close()
def by_socket(host, port):
    with socket.socket() as sock: sock.connect((host, port))
def by_connect_ex(host, port):
    with socket.socket() as sock: sock.connect_ex((host, port))
def by_bytes(host, port):
    address = socket.getaddrinfo(host.encode(), str(port).encode(), socket.AF_INET, socket.SOCK_STREAM)[0][4]
    socket.create_connection(address, 5).close()
def by_names(host, port):
    address = socket.getaddrinfo(host=host, port=port, family=socket.AF_INET)[0][4]
    socket.create_connection(address, 5).close()
async def by_open_connection(host, port):
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
async def by_asyncio_tls(host, port):
    with suppress(ssl.SSLError, OSError): await asyncio.open_connection(host, port, ssl=ssl.create_default_context())
async def by_loop_lookup(host, port):
    address = (await asyncio.get_running_loop().getaddrinfo(host.encode(), port, family=socket.AF_INET))[0][4]
    socket.create_connection(address, 5).close()
async def by_executor(host, port):
    address = (await asyncio.get_running_loop().run_in_executor(None, socket.getaddrinfo, host, port, socket.AF_INET))[0][4]
    socket.create_connection(address, 5).close()
async def by_sock_connect(host, port):
    with socket.socket() as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (host, port))
async def by_anyio(host, port): await (await anyio.connect_tcp(host, port)).aclose()
async def by_async_httpcore(host, port):
    async with httpcore.AsyncConnectionPool() as pool: await pool.request('GET', f'http://{host}:{port}/v1/models')

ways = [way for name, way in list(vars().items()) if name.startswith('by_')]

def plainly(way, *place): asyncio.run(way(*place)) if asyncio.iscoroutinefunction(way) else way(*place)

def in_thread(way, *place):
    errors = []
    def work():
        try: plainly(way, *place)
        except BaseException as error: errors.append(error)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors: raise errors[0]

def in_task(way, *place):
    async def work():
        if asyncio.iscoroutinefunction(way): await asyncio.gather(asyncio.create_task(way(*place)))
        else: await asyncio.to_thread(way, *place)
    asyncio.run(work())

@pytest.mark.parametrize('manner', [plainly, in_thread, in_task])
@pytest.mark.parametrize('way', ways)
def test_each_way_is_guarded(way, manner, listener, tmp_path, caplog):
    place = 'localhost', listener.port
    here = (f'localhost:{listener.port}',)
    with enable_cachy(tmp_path, doms=here, mode='replay'):
        for _ in range(2):
            with pytest.raises(CachyMiss) as caught: manner(way, *place)
            text = str(caught.value)
            assert 'localhost is called past the cache' in text and 'forbids' in text and text in caplog.text
            assert ('test_guard, line' in text) or way is by_executor
    assert listener.calls == 0
    caplog.clear()
    with enable_cachy(tmp_path, doms=here, mode='auto'):
        for _ in range(2): manner(way, *place)
        warned, = warnings(caplog)
        assert 'localhost is called past the cache' in warned and listener.was_called()
        caplog.clear()
        with enable_cachy(tmp_path, doms=here, mode='off'): manner(way, *place)
        if way is not by_transport: # which sees the whole URL
            with enable_cachy(tmp_path, doms=('localhost', '127.0.0.1', '[::1]', '*'), mode='replay'): manner(way, *place) # this machine counts with its port only
        with enable_cachy(tmp_path, doms=(*here, f'!{here[0]}'), mode='replay'): manner(way, *place)
        with enable_cachy(tmp_path, doms=(*here, '!localhost/v1'), mode='replay'), pytest.raises(CachyMiss): manner(way, *place)
        caplog.clear()
    disable_cachy()
    manner(way, *place)
    assert not warnings(caplog)

@pytest.mark.parametrize('host', ['api.openai.com', 'API.OpenAI.com', 'eu.api.openai.com.', b'api.openai.com', bytearray(b'api.openai.com'), '10.1.2.3', '::ffff:10.1.2.3', 'fe80::1', 'fe80::1%eth0', 'ollama.com', 'llm.example'])
def test_names_and_addresses(host, tmp_path):
    "In each form that sockets take, before a packet is sent"
    with enable_cachy(tmp_path, doms=(*doms, '10.1.2.3', '[fe80::1]', 'llm.example:443', '!api.openai.com/v1/traces'), mode='replay'):
        is_address = host[:2] in ('10', '::', 'fe')
        family = socket.AF_INET6 if is_address and ':' in host else socket.AF_INET
        asks = [lambda: socket.getaddrinfo(host, 443), lambda: socket.getaddrinfo(host, 'https'), lambda: socket.socket(family).connect((host, 443)), lambda: socket.socket(family).connect_ex((host, 443))]
        if host != 'llm.example': asks += [lambda: socket.gethostbyname(host), lambda: socket.gethostbyname_ex(host), lambda: socket.getaddrinfo(host, None)]
        for ask in asks:
            with pytest.raises(CachyMiss, match='is called past the cache'): ask()
        for free in ('example.com', 'api.openai.com.example', '10.1.2.4', None, ''):
            with suppress(OSError): socket.getaddrinfo(free, 80, flags=socket.AI_NUMERICHOST)
        with suppress(OSError): socket.socket(socket.AF_UNIX).connect('/no/such/socket')
        for wrong in (('api.openai.com',), 'api.openai.com', None, (None, 80), ([], 80)):
            with pytest.raises((TypeError, ValueError, OSError)): socket.socket().connect(wrong)
        with pytest.raises(TypeError): socket.getaddrinfo()

def test_tls_names_the_host(tmp_path):
    "Who found the address otherwise, or goes through a proxy, is seen at the beginning of TLS"
    context, (mine, other) = ssl.create_default_context(), socket.socketpair()
    with mine, other, enable_cachy(tmp_path, mode='replay'):
        for ask in (lambda: context.wrap_socket(mine, server_hostname='api.openai.com'), lambda: context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), False, 'api.openai.com'),
                lambda: context.wrap_socket(mine, False, False, True, 'api.openai.com')):
            with pytest.raises(CachyMiss, match='api.openai.com is called past the cache, through TLS, by test_guard, line'): ask()
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname='example.com')

def places():
    socket_names = [(socket, name) for name in ('getaddrinfo', 'gethostbyname', 'gethostbyname_ex', 'gethostbyaddr')]
    transports = [(cls, name) for library in (httpx, httpx2) for cls, name in ((library.HTTPTransport, 'handle_request'), (library.AsyncHTTPTransport, 'handle_async_request'))]
    return [*socket_names, *transports, (asyncio.BaseEventLoop, 'getaddrinfo'), (ssl.SSLContext, 'wrap_socket'), (ssl.SSLContext, 'wrap_bio')]

def test_all_is_as_it_was_afterwards(monkeypatch, tmp_path):
    import multiprocessing.pool
    import unittest.suite
    monkeypatch.undo() # of `conftest`, which guards `connect` too
    names = ('connect', 'connect_ex')
    before, inherited = [vars(owner)[name] for owner, name in places()], [name for name in names if name in vars(socket.socket)]
    assert inherited == []
    with enable_cachy(tmp_path, mode='replay'), enable_cachy(tmp_path, mode='off'):
        assert all(vars(owner)[name] is not original for (owner, name), original in zip(places(), before, strict=True))
        assert [name for name in names if name in vars(socket.socket)] == [*names] and CachyMiss in multiprocessing.pool.Exception
    assert [vars(owner)[name] for owner, name in places()] == before and not [name for name in names if name in vars(socket.socket)]
    assert not [module for module in (multiprocessing.pool, unittest.suite) if 'Exception' in vars(module)]
    assert asyncio.iscoroutinefunction(httpx.AsyncHTTPTransport.handle_async_request)

def test_patched_once_imported(tmp_path):
    "Nothing is imported for the guard; it comes with the modules"
    code = '''import sys
from cachy import CachyMiss, enable_cachy
with enable_cachy(sys.argv[1], mode='replay'):
    assert not {'socket', 'asyncio', 'ssl', 'cachy.guard'} & {*sys.modules}
    import socket, ssl, asyncio, urllib.request
    for ask in (lambda: urllib.request.urlopen('http://api.openai.com/'), lambda: asyncio.run(asyncio.open_connection('api.openai.com', 443))):
        try: ask()
        except CachyMiss as miss: print(str(miss).splitlines()[0])
print(socket.getaddrinfo.__module__, 'connect' in vars(socket.socket))'''
    lines = python('-c', code, tmp_path).stdout.splitlines()
    assert [line.partition('.com is called past the cache, through a DNS look-up, by __main__, line')[0] for line in lines] == ['api.openai', 'api.openai', 'socket False']

def test_who_listens_does_not_call(tmp_path):
    "A server of one's own, at an address that is cached"
    import http.server
    from contextlib import closing
    with closing(socket.create_server(('localhost', 0))) as free: port = free.getsockname()[1]
    async def listen():
        async with await asyncio.start_server(print, 'localhost', port): pass
        async with await anyio.create_tcp_listener(local_host='localhost', local_port=port): pass
    with enable_cachy(tmp_path, doms=(f'localhost:{port}', f'127.0.0.1:{port}'), mode='replay'):
        asyncio.run(listen())
        http.server.ThreadingHTTPServer(('localhost', port), http.server.BaseHTTPRequestHandler).server_close()

def test_uvloop_with_tls(listener, tmp_path):
    "It looks addresses up in C, but begins TLS in Python"
    uvloop = pytest.importorskip('uvloop', reason='optional: uvloop is not installed; all is well without it')
    async def ask():
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(), mounts={}) as client: await client.get('https://api.example.com')
    async def connect(): await asyncio.open_connection('127.0.0.1', listener.port, ssl=ssl.create_default_context(), server_hostname='api.example.com')
    with enable_cachy(tmp_path, doms=('api.example.com',), mode='replay'), uvloop_runner(uvloop) as run:
        with pytest.raises(CachyMiss, match='through TLS'): run(connect())
        with pytest.raises(CachyMiss, match='no recording'): run(ask())

@libraries
@pytest.mark.parametrize('is_async', [False, True], ids=['sync', 'async'])
def test_what_cachy_sends_or_lets_through_does_not_ring(library, is_async, stand_in, tmp_path, caplog):
    "Recorded, replayed, live for a reason, not cached by its path, or taken out"
    port = stand_in.server.server_port
    def ask(path, **options):
        url = f'http://localhost:{port}{path}'
        if not is_async: return library.request('POST', url, json=body, **options)
        async def ask():
            async with library.AsyncClient() as client: return await client.post(url, json=body, **options)
        return asyncio.run(ask())
    with enable_cachy(tmp_path, doms=(f'localhost:{port}/v1', f'!localhost:{port}/v1/files'), mode='auto') as session:
        for path in ('/v1/chat/completions', '/v1/chat/completions', '/v1/files', '/other'): ask(path)
    with enable_cachy(tmp_path, doms=(f'localhost:{port}',), mode='record'): ask('/v1/chat/completions')
    assert warnings(caplog) == [] or all('not recorded' in line for line in warnings(caplog))
    assert session.counts['past the cache'] == 0 and session.counts['recorded'] == 1
    calls = stand_in.calls
    with enable_cachy(tmp_path, doms=(f'localhost:{port}/v1',), mode='replay'):
        ask('/v1/chat/completions')
        ask('/other')
    assert stand_in.calls == calls + 1

def test_one_pool_for_many_tasks(stand_in, tmp_path, caplog):
    "Connections that tasks share, under clients that look a host up in tasks of their own"
    import aiohttp
    port = stand_in.server.server_port
    url = f'http://localhost:{port}/v1/chat/completions'
    async def work():
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=3)) as first, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=2)) as second:
            async def by_aiohttp(i):
                async with second.post(url, json=dict(body, aiohttp=i)) as response: await response.read()
            await asyncio.gather(*(first.post(url, json=dict(body, httpx=i)) for i in range(8)), *(by_aiohttp(i) for i in range(8)))
    with enable_cachy(tmp_path, doms=(f'localhost:{port}',), mode='auto') as session: asyncio.run(work())
    assert session.counts == dict(recorded=16) and not warnings(caplog)

def test_a_library_without_a_caller(tmp_path):
    "A thread of its own, with no frame of the user on its stack"
    code = '''import sys, threading
from cachy import enable_cachy
enable_cachy(sys.argv[1], doms=('127.0.0.1:9',), mode='auto')
import logging, socket
logging.basicConfig(format='%(message)s')
threading.Thread(target=socket.create_connection, args=[('127.0.0.1', 9)], name='its own').start()'''
    done = python('-c', code, tmp_path)
    assert '127.0.0.1 is called past the cache, through a DNS look-up, by the thread its own. ' in done.stderr and 'AttributeError' not in done.stderr

@libraries
def test_a_patch_that_ends_in_the_session(library, stand_in, tmp_path, caplog):
    "It puts back what it found, which is not ours; the call is refused, with the reason, and the next one is seen again"
    url = stand_in.url + '/v1/chat/completions'
    here = dict(doms=('127.0.0.1',)) # without a port, so that the addresses are not guarded
    with enable_cachy(tmp_path, **here, mode='auto'): library.post(url, json=body)
    before, calls = library.Client.send, stand_in.calls
    theirs = mock.patch.object(library.Client, 'send', lambda *args, **options: 1 / 0)
    theirs.start()
    with enable_cachy(tmp_path, **here, mode='replay'):
        theirs.stop()
        with pytest.raises(CachyMiss, match=f"in place of cachy's {library.__name__}.Client.send") as caught: library.post(url, json=body)
        assert '127.0.0.1 is called past the cache' in str(caught.value) and 'call again' in str(caught.value)
        assert library.post(url, json=body).extensions['cachy'] == 'replayed'
    assert library.Client.send is before and stand_in.calls == calls
    theirs.start()
    with enable_cachy(tmp_path, **here, mode='auto') as session:
        theirs.stop()
        caplog.clear()
        assert library.post(url, json=dict(body, n=1)).json()['id'] != library.post(url, json=dict(body, n=1)).json()['id'] # the first was not seen
        assert session.counts == {'past the cache': 1, 'recorded': 1} and len(warnings(caplog)) == 1
    assert library.Client.send is before and stand_in.calls == calls + 2
    patches.patcher.replaced.clear()

def test_patches_of_others_that_reach_nobody_are_left_alone(tmp_path):
    with enable_cachy(tmp_path, mode='replay'):
        with mock.patch.object(httpx.Client, 'send', lambda self, request, **options: httpx.Response(200, request=request, text='theirs')) as theirs:
            assert httpx.get('https://api.openai.com/v1/models').text == 'theirs' and httpx.Client.send is theirs
        with pytest.raises(CachyMiss, match='no recording'): httpx.get('https://api.openai.com/v1/models')
        with mock.patch.object(httpx.AsyncHTTPTransport, 'handle_async_request') as theirs: assert isinstance(theirs, mock.AsyncMock)

@pytest.mark.parametrize('name', ['httpx_ws', 'httpx2'])
def test_websockets_of_httpx(name, listener, tmp_path, caplog):
    library = pytest.importorskip(name, reason=f'optional: {name} is not installed; all is well without it')
    pytest.importorskip('wsproto', reason='optional: wsproto is not installed; all is well without it')
    url = f'ws://localhost:{listener.port}/v1/realtime'
    def open_one():
        with (httpx2.Client().websocket(url) if library is httpx2 else library.connect_ws(url)): pass
    async def open_async():
        if library is httpx2:
            async with httpx2.AsyncClient() as client, client.websocket(url): pass
        else:
            async with library.aconnect_ws(url): pass
    for way in (open_one, lambda: asyncio.run(open_async())):
        for entries in ((f'localhost:{listener.port}',), ('localhost',)):
            with enable_cachy(tmp_path, doms=entries, mode='replay'), pytest.raises(BaseException) as caught: way()
            miss = caught.value if isinstance(caught.value, CachyMiss) else caught.value.exceptions[0]
            assert isinstance(miss, CachyMiss) and 'localhost is called past the cache, through a websocket, by' in str(miss) and 'test_guard, line' in str(miss) and listener.calls == 0
    caplog.clear()
    with enable_cachy(tmp_path, doms=(f'localhost:{listener.port}',), mode='auto') as session:
        for _ in range(2):
            with pytest.raises(Exception, match='Upgrade|200|101|accept|handshake|HTTP'): open_one()
    assert len(warnings(caplog)) == 1 and listener.calls == 2 and session.counts['not recorded'] == 0

def test_an_ordinary_call_costs_the_same(tmp_path):
    "A look-up of a host that is not cached: some microseconds, beside a call of milliseconds"
    def seconds(): return min(timeit.repeat(lambda: socket.getaddrinfo('127.0.0.1', 80), number=100, repeat=20)) / 100
    without = seconds()
    with enable_cachy(tmp_path, mode='replay'): assert seconds() < without + 50e-6

@contextmanager
def uvloop_runner(uvloop):
    "Runs coroutines on a loop of uvloop"
    loop = uvloop.new_event_loop()
    try: yield loop.run_until_complete
    finally: loop.close()

# telemetry

@libraries
@pytest.mark.parametrize('is_async', [False, True], ids=['sync', 'async'])
def test_telemetry_is_neither_recorded_nor_sent_on_a_replay(library, is_async, stand_in, tmp_path, caplog):
    port = stand_in.server.server_port
    entries = (f'localhost:{port}', f'!localhost:{port}/v1/traces')
    def send(path):
        url = f'http://localhost:{port}{path}'
        if not is_async: return library.post(url, json=dict(body, at=path))
        async def send():
            async with library.AsyncClient() as client: return await client.post(url, json=dict(body, at=path))
        return asyncio.run(send())
    with enable_cachy(tmp_path, doms=entries, mode='auto') as session:
        send('/v1/traces/ingest')
        send('/v1/traces')
        send('/v1/chat/completions')
    assert stand_in.calls == 3 and session.counts['recorded'] == 1 and len(session.file) == 1
    with enable_cachy(tmp_path, doms=entries, mode='replay') as session:
        for path in ('/v1/traces/ingest', '/v1/traces'):
            answer = send(path)
            assert (answer.status_code, answer.content) == (204, b'') and answer.raise_for_status() is answer
        send('/v1/chat/completions')
        with pytest.raises(CachyMiss, match='no recording'): send('/v1/tracesque')
    assert stand_in.calls == 3 and session.counts == dict(replayed=1, missed=1)
    with enable_cachy(tmp_path, doms=('api.anthropic.com', entries[1]), mode='replay'): send('/v1/traces') # its host is not cached
    assert stand_in.calls == 4

def test_telemetry_over_other_libraries(stand_in, tmp_path):
    from support.http_libraries import plain
    port = stand_in.server.server_port
    for name in ('requests', 'urllib3', 'async aiohttp'):
        for mode, answers in (('auto', True), ('replay', False)):
            with enable_cachy(tmp_path, doms=(f'localhost:{port}', f'!localhost:{port}/v1/traces'), mode=mode) as session:
                assert bool(plain(name, f'http://localhost:{port}/v1/traces/ingest', json=body)) == answers
            assert not {'missed', 'recorded', 'replayed', 'past the cache'} & {*session.counts}, (name, mode)

def test_the_traces_of_the_agents_sdk(tmp_path, caplog):
    "Are new at each run, and nobody's business: taken out by default"
    processors = pytest.importorskip('agents.tracing.processors', reason='optional: openai-agents is not installed; all is well without it')
    class Span:
        tracing_api_key = None
        def export(self): return dict(object='trace', id='trace_1')
    with enable_cachy(tmp_path, mode='replay') as session: processors.BackendSpanExporter(api_key='sk-0123456789').export([Span()])
    assert not session.counts and not caplog.text and not len(session.file)

@pytest.mark.parametrize('entry', ['!', '!!api.openai.com', '!https://api.openai.com/v1/traces', '! api.openai.com', '!api.openai.com?x', 'api.openai.com!'])
def test_a_wrong_entry_is_named(entry, tmp_path):
    with pytest.raises(ValueError) as caught: enable_cachy(tmp_path, doms=(*doms, entry))
    assert repr(entry) in str(caught.value)

def test_debug_says_what_was_not_sent(stand_in, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, 'cachy')
    with enable_cachy(tmp_path, doms=('127.0.0.1', '!127.0.0.1/v1/traces'), mode='replay'): httpx.post(stand_in.url + '/v1/traces')
    assert [record.getMessage() for record in caplog.records if record.name == 'cachy'] == [f'cachy not sent: POST {stand_in.url}/v1/traces: `!` in doms names it'] and stand_in.calls == 0
