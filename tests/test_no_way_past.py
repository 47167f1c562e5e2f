"What reaches a cached host through another door is refused in replay mode, and said once in the others."
import asyncio

import pytest

from cachy import enable_cachy
from cachy.core import CachyMiss
from support import python

aiohttp = pytest.importorskip('aiohttp', reason='optional: aiohttp is not installed; all is well without it')

def test_websockets_ring_the_alarm(cached, caplog):
    pytest.importorskip('websockets', reason='optional: websockets is not installed; all is well without it')
    import websockets.asyncio.client
    import websockets.sync.client
    def by_websockets(): websockets.sync.client.connect('ws://127.0.0.1:9/v1/realtime', open_timeout=1)
    async def open_socket():
        async with websockets.asyncio.client.connect('ws://127.0.0.1:9/v1/realtime', open_timeout=1): pass
    def by_asyncio(): asyncio.run(open_socket())
    async def open_aiohttp():
        async with aiohttp.ClientSession() as client, client.ws_connect('ws://127.0.0.1:9/v1/realtime'): pass
    def by_aiohttp(): asyncio.run(open_aiohttp())
    ways = [by_websockets, by_asyncio, by_aiohttp]
    try:
        import websocket
    except ImportError: pass
    else: ways.append(lambda: websocket.create_connection('ws://127.0.0.1:9/v1/realtime', timeout=1))
    for way in ways:
        caplog.clear()
        with cached():
            for _ in range(2):
                with pytest.raises(OSError): way()
        assert caplog.text.count('127.0.0.1 is called past the cache') == 1 and 'test_no_way_past, line' in caplog.text, way
        with cached('replay'), pytest.raises(CachyMiss, match='127.0.0.1 is called past the cache'): way()
    with enable_cachy(mode='replay'), pytest.raises(OSError): by_websockets() # a host that is not cached

def test_grpc_rings_the_alarm(cached, caplog):
    grpc = pytest.importorskip('grpc', reason='optional: grpc is not installed; all is well without it')
    ask = lambda channel: channel.unary_unary('/service/method')(b'', timeout=1)
    async def ask_async():
        import grpc.aio
        async with grpc.aio.insecure_channel('dns:///127.0.0.1:9') as channel: return await ask(channel)
    with grpc.insecure_channel('127.0.0.1:9') as channel: # made before
        for way in (lambda: ask(channel), lambda: channel.unary_unary('/service/method').future(b'').result(1), lambda: asyncio.run(ask_async())):
            caplog.clear()
            with cached():
                for _ in range(2):
                    with pytest.raises((grpc.RpcError, grpc.FutureTimeoutError)): way()
            assert caplog.text.count('127.0.0.1 is called past the cache, through gRPC, by test_no_way_past, line') == 1
            with cached('replay'), pytest.raises(CachyMiss, match='127.0.0.1 is called past the cache, through gRPC'): way()
            with cached('off'), pytest.raises((grpc.RpcError, grpc.FutureTimeoutError)): way()

def test_xai_sdk_rings_the_alarm(tmp_path, caplog):
    xai_sdk = pytest.importorskip('xai_sdk', reason='optional: xai_sdk is not installed; all is well without it')
    from xai_sdk.chat import user
    def ask(client, name='sample'):
        chat = client.chat.create(model='grok-4')
        chat.append(user('Say hi'))
        return getattr(chat, name)()
    async def ask_async(): return await ask(xai_sdk.AsyncClient(api_key='xai-0123456789'))
    client = xai_sdk.Client(api_key='xai-0123456789') # made before
    with enable_cachy(tmp_path, mode='replay'):
        for way in (lambda: ask(client), lambda: list(ask(client, 'stream')), lambda: asyncio.run(ask_async())):
            with pytest.raises(CachyMiss, match='api.x.ai is called past the cache, through gRPC, by xai_sdk[.a-z]* for test_no_way_past, line'): way()
    with enable_cachy(tmp_path, doms=('127.0.0.1',), mode='auto'):
        local = xai_sdk.Client(api_key='xai-0123456789', api_host='127.0.0.1:9', use_insecure_channel=True, timeout=1)
        for _ in range(2):
            with pytest.raises(Exception, match='UNAVAILABLE|DEADLINE'): ask(local)
    assert caplog.text.count('127.0.0.1 is called past the cache') == 1

def test_doors_imported_afterwards_ring_the_alarm(tmp_path):
    for name in ('grpc', 'websockets'): pytest.importorskip(name, reason=f'optional: {name} is not installed; all is well without it')
    code = '''
import asyncio, sys
from cachy import enable_cachy
from cachy.core import CachyMiss
enable_cachy(sys.argv[1], doms=('127.0.0.1',), mode='replay')
import grpc, websockets, websockets.sync.client
async def ask_async():
    async with grpc.aio.insecure_channel('127.0.0.1:9') as channel: await channel.unary_unary('/service/method')(b'', timeout=1)
async def open_async():
    async with websockets.connect('ws://127.0.0.1:9'): pass
for way in (lambda: grpc.insecure_channel('127.0.0.1:9').unary_stream('/service/method')(b'', timeout=1), lambda: asyncio.run(ask_async()),
        lambda: asyncio.run(open_async()), lambda: websockets.sync.client.connect('ws://127.0.0.1:9')):
    try: way()
    except CachyMiss as miss: print(miss)
'''
    assert python('-c', code, tmp_path).stdout.count('127.0.0.1 is called past the cache') == 4
