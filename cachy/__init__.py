"""Each call to an LLM API is made once: the answer is written to `cachy.jsonl`, and from then on it comes from there. Notebooks get fast, free and repeatable, and CI runs them without an API key."""

__version__ = "0.2.0"

from . import patches
from .core import CachyMiss as CachyMiss
from .core import Session as Session
from .core import disable_cachy, doms, enable_cachy
from .core import fresh as fresh
from .core import ignore as ignore
from .core import live as live
from .core import no_cachy as no_cachy
from .core import sample as sample
from .core import session as session
from .providers import bridge_modules as _bridge_modules

__all__ = ['enable_cachy', 'disable_cachy', 'doms', 'CachyMiss']

patches.registered.update({ # module: the function that patches it, once both are needed
    'requests.adapters': 'cachy.stacks:patch_requests',
    'urllib3.connectionpool': 'cachy.stacks:patch_urllib3',
    'aiohttp.client': 'cachy.stacks:patch_aiohttp',
    'grpc._channel': 'cachy.stacks:patch_grpc',
    'grpc.aio._channel': 'cachy.stacks:patch_grpc',
    'websockets.asyncio.client': 'cachy.stacks:patch_websockets',
    'websockets.sync.client': 'cachy.stacks:patch_websockets',
    'websockets.legacy.client': 'cachy.stacks:patch_websockets',
    'websocket._core': 'cachy.stacks:patch_websockets',
    **dict.fromkeys((f'{place}lm15.transports.{name}' for place in ('', 'dspy._vendor.') for name in ('_sync', '_async')),
        'cachy.lm15_stack:patch_lm15'),
    'litellm': 'cachy.stable:stabilize_ids',
    'litellm.utils': 'cachy.stable:stabilize_answers',
    'litellm.litellm_core_utils.streaming_handler': 'cachy.stable:stabilize_streams',
    'litellm.rust_bridge.runtime': 'cachy.stable:guard_compiled_core',
    **dict.fromkeys(_bridge_modules, 'cachy.stable:stabilize_bridge'),
    'socket': 'cachy.guard:patch_socket',
    'ssl': 'cachy.guard:patch_tls',
    'asyncio.base_events': 'cachy.guard:patch_loop',
    'httpx._transports.default': 'cachy.guard:patch_transports',
    'httpx2._transports.default': 'cachy.guard:patch_transports',
    'multiprocessing.pool': 'cachy.guard:patch_catchers',
    'multiprocess.pool': 'cachy.guard:patch_catchers',
    'unittest.suite': 'cachy.guard:patch_catchers'})
