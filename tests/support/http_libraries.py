"The HTTP libraries that cachy knows, each asked in its own way."
import asyncio
from json import dumps

import httpx
import httpx2
import pytest

aiohttp, requests, urllib3, _ = (pytest.importorskip(name, reason=f'optional: {name} is not installed; all is well without it') for name in ('aiohttp', 'requests', 'urllib3', 'lm15'))

def chat(**fields): return dict(model='m', messages=[dict(role='user', content='Say hi, ü')], **fields)

# one function for each library: it yields the body as it comes

def urllib3_request(method, url, json=None, pool=None, **options):
    if json is not None: options.update(body=dumps(json), headers={**options.get('headers', {}), 'content-type': 'application/json'})
    return (pool or urllib3.PoolManager()).request(method, url, **options)

def by_httpx(library):
    def pieces(url, **options):
        with library.Client(timeout=20, verify=False) as client, client.stream(options.pop('method', 'POST'), url, **options) as response:
            yield from response.iter_bytes()
    return pieces

def by_requests(url, **options):
    with requests.request(options.pop('method', 'POST'), url, stream=True, **options) as response: yield from response.iter_content(None)

def by_urllib3(url, **options):
    response = urllib3_request(options.pop('method', 'POST'), url, preload_content=False, timeout=20, **options)
    yield from response.stream()
    response.release_conn()

def by_httpx_async(library):
    async def pieces(url, **options):
        async with library.AsyncClient(timeout=20, verify=False) as client, client.stream(options.pop('method', 'POST'), url, **options) as response:
            async for piece in response.aiter_bytes(): yield piece
    return pieces

async def by_aiohttp(url, **options):
    async with aiohttp.ClientSession() as client, client.request(options.pop('method', 'POST'), url, **options) as response:
        async for piece in response.content.iter_any(): yield piece

def lm15_request(url, json=None, method='POST', headers=(), **options):
    from lm15.transports import TransportRequest
    fields = [('content-type', 'application/json')] * (json is not None) + list(dict(headers).items())
    return TransportRequest(method, str(httpx.URL(url)), fields, b'' if json is None else dumps(json).encode(), **options)

def by_lm15(url, **options):
    from lm15.transports import StdlibTransport
    with StdlibTransport(read_timeout=20) as transport, transport.stream(lm15_request(url, **options)) as response: yield from response

async def by_lm15_async(url, **options):
    from lm15.transports import StdlibAsyncTransport
    async with StdlibAsyncTransport(read_timeout=20) as transport, transport.stream(lm15_request(url, **options)) as response:
        async for piece in response: yield piece

streams = {'httpx': by_httpx(httpx), 'httpx2': by_httpx(httpx2), 'async httpx': by_httpx_async(httpx), 'async httpx2': by_httpx_async(httpx2),
    'requests': by_requests, 'urllib3': by_urllib3, 'async aiohttp': by_aiohttp, 'lm15': by_lm15, 'async lm15': by_lm15_async}

def plain(name, url, **options):
    "The whole body, by the way that most people ask for it"
    method = options.pop('method', 'POST')
    if name == 'requests': return requests.request(method, url, **options).content
    if name == 'lm15': return b''.join(by_lm15(url, method=method, **options))
    if name == 'urllib3': return urllib3_request(method, url, **options).data
    if not name.startswith('async'): return dict(httpx=httpx, httpx2=httpx2)[name].request(method, url, verify=False, **options).content
    async def ask():
        if name == 'async lm15': return b''.join([piece async for piece in by_lm15_async(url, method=method, **options)])
        if name == 'async aiohttp':
            async with aiohttp.ClientSession() as client, client.request(method, url, **options) as response: return await response.read()
        async with dict(httpx=httpx, httpx2=httpx2)[name.split()[1]].AsyncClient(verify=False) as client: return (await client.request(method, url, **options)).content
    return asyncio.run(ask())

def streamed(name, url, on_piece=lambda piece: None, **options):
    "The pieces of the body"
    pieces = []
    def keep(piece):
        pieces.append(piece)
        on_piece(piece)
    async def ask():
        async for piece in streams[name](url, **options): keep(piece)
    if name.startswith('async'): asyncio.run(ask())
    else:
        for piece in streams[name](url, **options): keep(piece)
    return pieces
