"Two processes, one after the other, make the same calls through LiteLLM; the second one with the stand-in stopped."
import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import warnings
from pathlib import Path

from support import environment, root, tool_ids
from support.providers import provider_server, send_litellm_to

replay_keys = ('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'DEEPSEEK_API_KEY') # cachy sets these in replay mode
other_keys = ('MISTRAL', 'GROQ', 'AZURE', 'COHERE', 'OPENROUTER', 'XAI', 'TOGETHERAI', 'FIREWORKS')

models = { # provider: kind of call: model; `chat` also serves `text` and `responses` where these are not named
    'openai': dict(chat='openai/gpt-4o', text='text-completion-openai/gpt-3.5-turbo-instruct', embed='openai/text-embedding-3-small',
        image='openai/gpt-image-1', hear='openai/whisper-1', speak='openai/tts-1'),
    'anthropic': dict(chat='anthropic/claude-sonnet-4-5'),
    'gemini': dict(chat='gemini/gemini-2.5-flash', embed='gemini/gemini-embedding-001', image='gemini/imagen-4.0-generate-001'),
    'deepseek': dict(chat='deepseek/deepseek-chat'),
    'mistral': dict(chat='mistral/mistral-large-latest', embed='mistral/mistral-embed', hear='mistral/voxtral-mini-latest'),
    'groq': dict(chat='groq/llama-3.3-70b-versatile', hear='groq/whisper-large-v3', speak='groq/playai-tts'),
    'azure': dict(chat='azure/my-gpt-4o', responses='azure/gpt-4o', embed='azure/my-embedding', image='azure/my-gpt-image-1',
        hear='azure/my-whisper', speak='azure/my-tts'),
    'bedrock': dict(chat='bedrock/converse/anthropic.claude-3-5-sonnet-20241022-v2:0', embed='bedrock/amazon.titan-embed-text-v1',
        image='bedrock/amazon.nova-canvas-v1:0'),
    'ollama': dict(chat='ollama/llama3.2', embed='ollama/nomic-embed-text'),
    'ollama_chat': dict(chat='ollama_chat/llama3.2'),
    'cohere': dict(chat='cohere/command-a-03-2025', embed='cohere/embed-english-v3.0'),
    'cohere v1': dict(chat='cohere_chat/v1/command-r'),
    'openrouter': dict(chat='openrouter/openai/gpt-4o', embed='openrouter/openai/text-embedding-3-small'),
    'xai': dict(chat='xai/grok-4', image='xai/grok-2-image'),
    'together_ai': dict(chat='together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo', embed='together_ai/BAAI/bge-large-en-v1.5'),
    'fireworks_ai': dict(chat='fireworks_ai/accounts/fireworks/models/llama-v3p3-70b-instruct', embed='fireworks_ai/nomic-ai/nomic-embed-text-v1.5'),
}
exceptions = {} # (provider, call): why it is not the same, or cannot be called

def settings(keys=()):
    "What LiteLLM needs in the environment to make any call, with API keys that nobody has"
    names = [*keys, *(f'{name}_API_KEY' for name in other_keys)]
    return {name: f'none-{name.lower()}' for name in names} | dict(LITELLM_LOCAL_MODEL_COST_MAP='True', HF_HUB_OFFLINE='1',
        AZURE_API_BASE='https://me.openai.azure.com', AZURE_API_VERSION='2025-03-01-preview',
        AWS_ACCESS_KEY_ID='AKIANOBODY0000000000', AWS_SECRET_ACCESS_KEY='none-aws-secret-key', AWS_REGION_NAME='us-east-1')

def litellm_environment(keys=(), **more):
    "The environment of a process that calls through LiteLLM, with no other API keys"
    return environment([name for name in os.environ if name.endswith('_API_KEY')], **{**settings(keys), **more})

# --- in the process that calls ---

kept = [] # streams, so that nothing closes them
def listed(stream):
    kept.append(stream)
    return [repr(item) for item in stream]
async def alisted(stream):
    kept.append(stream)
    return [repr(item) async for item in stream]

def calls_of(provider):
    "The calls of `provider`: name, and a function of a prompt that nobody else uses, which may give a coroutine"
    import litellm
    chat = models[provider]['chat']
    have = dict(text=chat, responses=chat) | models[provider]
    router = lambda: litellm.Router(model_list=[dict(model_name='any', litellm_params=dict(model=chat))])
    plain = lambda prompt: dict(model=chat, messages=[dict(role='user', content=prompt)])
    streamed = lambda prompt: dict(plain(prompt), stream=True, stream_options=dict(include_usage=True))
    text = lambda prompt, **more: litellm.text_completion(model=have['text'], prompt=prompt, **more)
    respond = lambda prompt: dict(model=have['responses'], input=prompt)
    with_tool = lambda prompt, **more: dict(plain(prompt), tools=[tool_ids.tool], **more)
    async def atools_stream(prompt): return await alisted(await litellm.acompletion(**with_tool(prompt, stream=True)))
    flat_tool = dict(tool_ids.tool['function'], type='function')
    async def acompletion_stream(prompt): return await alisted(await litellm.acompletion(**streamed(prompt)))
    async def router_stream(prompt): return await alisted(await router().acompletion(**dict(streamed(prompt), model='any')))
    async def aresponses_stream(prompt): return await alisted(await litellm.aresponses(**respond(prompt), stream=True))
    calls = {
        'completion': lambda prompt: litellm.completion(**plain(prompt)),
        'acompletion': lambda prompt: litellm.acompletion(**plain(prompt)),
        'completion stream': lambda prompt: listed(litellm.completion(**streamed(prompt))),
        'acompletion stream': acompletion_stream,
        'stream_chunk_builder': lambda prompt: litellm.stream_chunk_builder(list(litellm.completion(**streamed(prompt)))),
        'Router': lambda prompt: router().completion(**dict(plain(prompt), model='any')),
        'Router stream': router_stream,
        'text_completion': text,
        'text_completion stream': lambda prompt: listed(text(prompt, stream=True)),
        'responses': lambda prompt: litellm.responses(**respond(prompt)),
        'aresponses': lambda prompt: litellm.aresponses(**respond(prompt)),
        'responses stream': lambda prompt: listed(litellm.responses(**respond(prompt), stream=True)),
        'aresponses stream': aresponses_stream,
        'tools': lambda prompt: litellm.completion(**with_tool(prompt)),
        'atools': lambda prompt: litellm.acompletion(**with_tool(prompt)),
        'tools stream': lambda prompt: listed(litellm.completion(**with_tool(prompt, stream=True))),
        'atools stream': atools_stream,
        'tools stream_chunk_builder': lambda prompt: litellm.stream_chunk_builder(list(litellm.completion(**with_tool(prompt, stream=True)))),
        'tools Router': lambda prompt: router().completion(**dict(with_tool(prompt), model='any')),
        'tools responses': lambda prompt: litellm.responses(**respond(prompt), tools=[flat_tool]),
        'tools responses stream': lambda prompt: listed(litellm.responses(**respond(prompt), tools=[flat_tool], stream=True))}
    if 'embed' in have: calls |= {
        'embedding': lambda prompt: litellm.embedding(have['embed'], [prompt]),
        'aembedding': lambda prompt: litellm.aembedding(have['embed'], [prompt])}
    if 'image' in have: calls['image_generation'] = lambda prompt: litellm.image_generation(prompt, model=have['image'])
    if 'hear' in have: calls['transcription'] = lambda prompt: litellm.transcription(have['hear'], ('a.mp3', prompt.encode()))
    if 'speak' in have: calls['speech'] = lambda prompt: litellm.speech(have['speak'], prompt, voice='alloy').content
    return calls

def show(result):
    return result if isinstance(result, list) else repr(result)

def run_calls(port, folder, mode):
    "Make all calls in this process; provider and call: what it printed, or the error"
    warnings.simplefilter('ignore')
    from cachy import doms, enable_cachy
    from cachy.core import CachyMiss
    results, loop = {}, asyncio.new_event_loop()
    with enable_cachy(folder, doms=doms + ('localhost:11434',), mode=mode) as session:
        import litellm
        litellm.suppress_debug_info = True
        logging.getLogger('LiteLLM').setLevel(logging.CRITICAL)
        logging.getLogger('LiteLLM Router').setLevel(logging.CRITICAL)
        send_litellm_to(port)
        for provider in models:
            for name, call in calls_of(provider).items():
                try:
                    result = call(f'{name} with {provider}, please')
                    if asyncio.iscoroutine(result): result = loop.run_until_complete(result)
                    results[f'{provider}|{name}'] = show(result)
                except (Exception, CachyMiss) as error: results[f'{provider}|{name}'] = dict(error=f'{error!r:.400}')
        loop.run_until_complete(end_tasks())
        loop.close()
    return dict(results=results, counts=dict(session.counts))

async def end_tasks():
    "Cancel what LiteLLM has left running"
    from litellm.llms.custom_httpx.async_client_cleanup import close_litellm_async_clients
    await close_litellm_async_clients()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks: task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

# --- in the process that compares ---

class Player:
    "A process of its own that plays scenes of `support.litellm_scenes`; LiteLLM is imported once for all of them"
    def __init__(self, keys=(), **env):
        self.folder = tempfile.TemporaryDirectory()
        self.errors = open(Path(self.folder.name)/'stderr', 'w+')
        self.process = subprocess.Popen([sys.executable, '-m', 'support.litellm_scenes'], cwd=root, env=litellm_environment(keys, **env),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
    def play(self, scene, folder, port=0, mode='auto'):
        "What `scene` gives"
        out, timer = Path(self.folder.name)/'out.json', threading.Timer(280, self.process.kill)
        timer.start()
        print(json.dumps([scene, port, str(folder), mode, str(out)]), file=self.process.stdin, flush=True)
        for line in self.process.stdout:
            if line == 'played\n': break
        else:
            self.errors.seek(0)
            raise AssertionError(f'{scene} failed: {self.errors.read()[-3000:]}')
        timer.cancel()
        return json.loads(out.read_text())
    def __enter__(self): return self
    def __exit__(self, *error):
        self.process.kill()
        self.process.communicate()
        self.errors.close()
        self.folder.cleanup()

def compare(recorder, replayer):
    "Both processes, one after the other: rows `(provider, call, outcome)`, and what the second process did"
    with tempfile.TemporaryDirectory() as folder:
        with provider_server() as server:
            port = server.server.server_port
            first = recorder.play('table', folder, port)
            made = server.calls
        second = replayer.play('table', folder, port, 'replay')
    rows = []
    for pair, one in first['results'].items():
        other, (provider, call) = second['results'].get(pair), pair.split('|')
        error = next((result['error'] for result in (one, other) if isinstance(result, dict)), '')
        outcome = 'raised' if error else 'equal' if one == other else 'differs'
        rows.append((provider, call, outcome, error or (difference(one, other) if outcome == 'differs' else '')))
    return rows, made, first['counts'], second['counts']

def difference(one, other):
    "Where two texts, or lists of texts, part"
    one, other = str(one), str(other)
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return f'{one[max(start - 60, 0):start + 40]!r} and {other[max(start - 60, 0):start + 40]!r}'

def unexpected(rows): return [row for row in rows if (row[2] != 'equal') != ((row[0], row[1]) in exceptions)]
