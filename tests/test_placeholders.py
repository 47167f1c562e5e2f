"Which SDKs replay without an API key: each is tried, and a miss means that it came as far as its call."
import importlib

import pytest

from cachy import CachyMiss, enable_cachy
from cachy.providers import key_variables

said = [dict(role='user', content='hi')]

def by_chat(cls): return lambda module: getattr(module, cls)().chat.completions.create(model='m', messages=said)
def by_google(module):
    client = module.Client() # without a name it would be closed before it is used
    client.models.generate_content(model='m', contents='hi')
def by_xai(module):
    chat = module.Client().chat.create(model='grok-4')
    chat.append(importlib.import_module('xai_sdk.chat').user('hi'))
    return chat.sample()

tried = { # SDK: its variable, and a call. xAI's goes over gRPC, which cachy refuses by name; the keys of Azure and AWS change what SDKs do
    'openai': ('OPENAI_API_KEY', by_chat('OpenAI')), 'anthropic': ('ANTHROPIC_API_KEY', lambda module: module.Anthropic().messages.create(model='m', max_tokens=5, messages=said)),
    'google.genai': ('GEMINI_API_KEY', by_google),
    'cohere': ('CO_API_KEY', lambda module: module.ClientV2().chat(model='m', messages=said)), 'groq': ('GROQ_API_KEY', by_chat('Groq')), 'together': ('TOGETHER_API_KEY', by_chat('Together')),
    'mistralai.client': ('MISTRAL_API_KEY', lambda module: module.Mistral().chat.complete(model='m', messages=said)), 'xai_sdk': ('XAI_API_KEY', by_xai),
    'openrouter': ('OPENROUTER_API_KEY', lambda module: module.OpenRouter().chat.send(model='m', messages=said)), 'fireworks.client': ('FIREWORKS_API_KEY', by_chat('Fireworks')),
    'voyageai': ('VOYAGE_API_KEY', lambda module: module.Client().embed(['hi'], model='voyage-3')), 'perplexity': ('PERPLEXITY_API_KEY', by_chat('Perplexity'))}

@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', tried)
def test_an_sdk_needs_no_key_in_replay_mode(name, tmp_path, monkeypatch):
    module = pytest.importorskip(name, reason=f'optional: {name} is not installed; all is well without it')
    variable, call = tried[name]
    for other in (*key_variables, 'GOOGLE_API_KEY'): monkeypatch.delenv(other, raising=False)
    assert variable in key_variables
    with enable_cachy(tmp_path, mode='replay'), pytest.raises(CachyMiss): call(module)

def test_no_placeholder_for_what_changes_an_sdk(): assert not [name for name in key_variables if 'AZURE' in name or 'AWS' in name]
