"Where LiteLLM sends its calls, by its own account; and which of these hosts cachy's `doms` lacks. Nothing leaves this machine."
import os
import socket
from contextlib import contextmanager
from unittest.mock import patch

local_servers = ('docker_model_runner', 'langflow', 'langgraph', 'lemonade', 'llamafile', 'ollama', 'ollama_chat') # no hosts of `doms`
need_a_person = ('github_copilot', 'chatgpt') # to log in, before LiteLLM tells their host
side_requests = ('huggingface.co/model/', '/oauth', '/identity/token') # tokenizers and credentials
key_names = ('OPENAI', 'ANTHROPIC', 'GEMINI', 'DEEPSEEK', 'MISTRAL', 'GROQ', 'AZURE', 'COHERE', 'OPENROUTER', 'XAI', 'TOGETHERAI', 'FIREWORKS')
environment = {f'{name}_API_KEY': 'none-such-key' for name in key_names} | dict(LITELLM_LOCAL_MODEL_COST_MAP='True', HF_HUB_OFFLINE='1',
    AZURE_API_BASE='https://me.openai.azure.com', AZURE_API_VERSION='2025-03-01-preview',
    AWS_ACCESS_KEY_ID='AKIANOBODY0000000000', AWS_SECRET_ACCESS_KEY='none-aws-secret-key', AWS_REGION_NAME='us-east-1')

class Stop(BaseException): "Instead of a call"

@contextmanager
def no_network():
    "Nothing is sent or looked up; gives the list of URLs that were asked for through httpx"
    import httpx
    asked = []
    def stop(self, request):
        asked.append(str(request.url))
        raise Stop
    def look_up(*args, **options): raise socket.gaierror('no host is looked up here')
    with patch.dict(os.environ, environment), patch.object(httpx.HTTPTransport, 'handle_request', stop), patch.object(socket, 'getaddrinfo', look_up):
        yield asked

def urls_of_constants():
    "What LiteLLM lists as compatible with OpenAI"
    from litellm import constants
    for entry in constants.openai_compatible_endpoints:
        url = 'ollama.com/v1' if entry == 'ollama.com' else entry # its other pages are no calls
        yield f'constant {entry}', url if '://' in url else f'https://{url}'

def urls_of_providers(asked):
    "Where a chat with each provider would go: what LiteLLM's table says, and what it asks for when it is called"
    import litellm
    for provider in sorted({str(getattr(item, 'value', item)) for item in litellm.provider_list} - {*local_servers, *need_a_person}):
        try: base = litellm.get_llm_provider(f'{provider}/model', api_key='none')[3]
        except Exception: base = None
        if base: yield f'base of {provider}', base
        asked.clear()
        ask = dict(model=f'{provider}/model', messages=[dict(role='user', content='Hi')], api_key='none-such-key', max_retries=0)
        try: litellm.completion(**ask)
        except (Exception, Stop): pass
        yield from ((f'call of {provider}', url) for url in asked if not any(part in url for part in side_requests))

def litellm_urls():
    "What names a URL, and the URL"
    with no_network() as asked:
        import litellm  # not before: it would fetch its price list
        with patch.object(litellm, 'suppress_debug_info', True): return dict(urls_of_constants()) | dict(urls_of_providers(asked))

def not_in_doms(urls):
    "Those of `urls` that cachy's `doms` do not match"
    from cachy.providers import doms
    from cachy.request import is_cached
    return {name: url for name, url in urls.items() if not is_cached(url, doms)}
