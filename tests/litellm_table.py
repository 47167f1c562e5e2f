"""Two processes, one after the other, make the same calls through LiteLLM: the second one with the stand-in provider stopped.

`python tests/litellm_table.py` prints the table of providers and calls, and exits with 1 where a result is not the same in both."""
import asyncio, json, logging, os, subprocess, sys, tempfile, warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

replay_keys = ('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'DEEPSEEK_API_KEY') # cachy sets these in replay mode
other_keys = ('MISTRAL', 'GROQ', 'AZURE', 'COHERE', 'OPENROUTER', 'XAI', 'TOGETHERAI', 'FIREWORKS')

models = { # provider: kind of call: model
    'openai': dict(chat='openai/gpt-4o', embed='openai/text-embedding-3-small', text='text-completion-openai/gpt-3.5-turbo-instruct', image='openai/gpt-image-1',
        hear='openai/whisper-1', speak='openai/tts-1', responses='openai/gpt-4o'),
    'anthropic': dict(chat='anthropic/claude-sonnet-4-5', text='anthropic/claude-sonnet-4-5', responses='anthropic/claude-sonnet-4-5'),
    'gemini': dict(chat='gemini/gemini-2.5-flash', text='gemini/gemini-2.5-flash', embed='gemini/gemini-embedding-001', image='gemini/imagen-4.0-generate-001', responses='gemini/gemini-2.5-flash'),
    'deepseek': dict(chat='deepseek/deepseek-chat', text='deepseek/deepseek-chat'),
    'mistral': dict(chat='mistral/mistral-large-latest', text='mistral/mistral-large-latest', embed='mistral/mistral-embed', hear='mistral/voxtral-mini-latest'),
    'groq': dict(chat='groq/llama-3.3-70b-versatile', text='groq/llama-3.3-70b-versatile', hear='groq/whisper-large-v3', speak='groq/playai-tts'),
    'azure': dict(chat='azure/my-gpt-4o', text='azure/my-gpt-4o', embed='azure/my-embedding', image='azure/my-gpt-image-1', hear='azure/my-whisper', speak='azure/my-tts', responses='azure/gpt-4o'),
    'bedrock': dict(chat='bedrock/converse/anthropic.claude-3-5-sonnet-20241022-v2:0', text='bedrock/converse/anthropic.claude-3-5-sonnet-20241022-v2:0',
        embed='bedrock/amazon.titan-embed-text-v1', image='bedrock/amazon.nova-canvas-v1:0'),
    'ollama': dict(chat='ollama/llama3.2', text='ollama/llama3.2', embed='ollama/nomic-embed-text'),
    'ollama_chat': dict(chat='ollama_chat/llama3.2'),
    'cohere': dict(chat='cohere/command-a-03-2025', text='cohere/command-a-03-2025', embed='cohere/embed-english-v3.0'),
    'cohere v1': dict(chat='cohere_chat/v1/command-r'),
    'openrouter': dict(chat='openrouter/openai/gpt-4o', text='openrouter/openai/gpt-4o', embed='openrouter/openai/text-embedding-3-small', responses='openrouter/openai/gpt-4o'),
    'xai': dict(chat='xai/grok-4', text='xai/grok-4', image='xai/grok-2-image', responses='xai/grok-4'),
    'together_ai': dict(chat='together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo', text='together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo', embed='together_ai/BAAI/bge-large-en-v1.5'),
    'fireworks_ai': dict(chat='fireworks_ai/accounts/fireworks/models/llama-v3p3-70b-instruct', text='fireworks_ai/accounts/fireworks/models/llama-v3p3-70b-instruct',
        embed='fireworks_ai/nomic-ai/nomic-embed-text-v1.5'),
}
bridge = ('LiteLLM builds this answer itself, with ids and times of its own, of the classes that carry OpenAI\'s own ids elsewhere: '
    'those mean something to later requests, so they are left alone')
exceptions = { # (provider, call): why it is not the same, or cannot be called
    (provider, call): bridge for provider in ('anthropic', 'gemini') for call in ('responses', 'aresponses', 'responses stream', 'aresponses stream')}

def environment(keys=()):
    "What LiteLLM needs to make any call, with API keys that nobody has"
    names = [*keys, *(f'{name}_API_KEY' for name in other_keys)]
    return {name: f'none-{name.lower()}' for name in names} | dict(LITELLM_LOCAL_MODEL_COST_MAP='True', HF_HUB_OFFLINE='1', AZURE_API_BASE='https://me.openai.azure.com', AZURE_API_VERSION='2025-03-01-preview',
        AWS_ACCESS_KEY_ID='AKIANOBODY0000000000', AWS_SECRET_ACCESS_KEY='none-aws-secret-key', AWS_REGION_NAME='us-east-1')

# --- in the process that calls ---

kept = [] # streams, so that nothing closes them
def listed(stream):
    kept.append(stream)
    return [repr(item) for item in stream]
async def alisted(stream):
    kept.append(stream)
    return [repr(item) async for item in stream]

def calls_of(provider):
    "The calls of `provider`: name, and a function or coroutine function of a prompt that nobody else uses"
    import litellm
    have, messages = models[provider], lambda prompt: [dict(role='user', content=prompt)]
    router = lambda: litellm.Router(model_list=[dict(model_name='any', litellm_params=dict(model=have['chat']))])
    async def acompletion_stream(prompt): return await alisted(await litellm.acompletion(have['chat'], messages(prompt), stream=True))
    async def aresponses_stream(prompt): return await alisted(await litellm.aresponses(model=have['responses'], input=prompt, stream=True))
    async def router_stream(prompt): return await alisted(await router().acompletion('any', messages(prompt), stream=True))
    sound = lambda prompt: ('a.mp3', prompt.encode())
    voice = dict(voice='alloy')
    yield from {
        'completion': lambda prompt: litellm.completion(have['chat'], messages(prompt)),
        'acompletion': lambda prompt: litellm.acompletion(have['chat'], messages(prompt)),
        'completion stream': lambda prompt: listed(litellm.completion(have['chat'], messages(prompt), stream=True)),
        'acompletion stream': acompletion_stream,
        'stream_chunk_builder': lambda prompt: litellm.stream_chunk_builder(list(litellm.completion(have['chat'], messages(prompt), stream=True, stream_options=dict(include_usage=True)))),
        'Router': lambda prompt: router().completion('any', messages(prompt)),
        'Router stream': router_stream}.items()
    if 'text' in have: yield from {
        'text_completion': lambda prompt: litellm.text_completion(model=have['text'], prompt=prompt),
        'text_completion stream': lambda prompt: listed(litellm.text_completion(model=have['text'], prompt=prompt, stream=True))}.items()
    if 'embed' in have: yield from {
        'embedding': lambda prompt: litellm.embedding(have['embed'], [prompt]),
        'aembedding': lambda prompt: litellm.aembedding(have['embed'], [prompt])}.items()
    if 'responses' in have: yield from {
        'responses': lambda prompt: litellm.responses(model=have['responses'], input=prompt),
        'aresponses': lambda prompt: litellm.aresponses(model=have['responses'], input=prompt),
        'responses stream': lambda prompt: listed(litellm.responses(model=have['responses'], input=prompt, stream=True)),
        'aresponses stream': aresponses_stream}.items()
    if 'image' in have: yield 'image_generation', lambda prompt: litellm.image_generation(prompt, model=have['image'])
    if 'hear' in have: yield 'transcription', lambda prompt: litellm.transcription(have['hear'], sound(prompt))
    if 'speak' in have: yield 'speech', lambda prompt: litellm.speech(have['speak'], prompt, **voice).content

def show(result):
    return result if isinstance(result, list) else repr(result)

def run_calls(port, folder, mode, wanted=None):
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
        from providers import send_to
        send_to(port)
        for provider in models:
            for name, call in calls_of(provider):
                if wanted and (provider, name) not in wanted: continue
                try:
                    result = call(f'{name} with {provider}, please')
                    if asyncio.iscoroutine(result): result = loop.run_until_complete(result)
                    results[f'{provider}|{name}'] = show(result)
                except (Exception, CachyMiss) as error: results[f'{provider}|{name}'] = dict(error=f'{type(error).__name__}: {error}'[:400])
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

def in_process(port, folder, mode, keys=()):
    "The results of `run_calls` in a new process"
    out = Path(folder)/f'{mode}-{os.urandom(4).hex()}.json'
    env = {name: value for name, value in os.environ.items() if not name.endswith('_API_KEY')} | environment(keys)
    subprocess.run([sys.executable, __file__, 'calls', str(port), str(folder), mode, str(out)], env=env, check=True, timeout=280)
    return json.loads(out.read_text())

def compare():
    "Both processes, one after the other: rows `(provider, call, outcome)`, and what the second process did"
    from providers import provider_server
    with tempfile.TemporaryDirectory() as folder:
        with provider_server() as server:
            port = server.server.server_port
            first = in_process(port, folder, 'auto', replay_keys)
            made = server.calls
        second = in_process(port, folder, 'replay')
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
    start = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    return f'{one[max(start - 60, 0):start + 40]!r} and {other[max(start - 60, 0):start + 40]!r}'

def table(rows):
    "`rows` as a table of markdown"
    names = list(dict.fromkeys(call for _, call, *_ in rows))
    cells = {(provider, call): outcome for provider, call, outcome, _ in rows}
    sign = lambda provider, call: {'equal': '=', 'differs': 'differs', 'raised': 'raised', None: ''}[cells.get((provider, call))] + ('*' if (provider, call) in exceptions else '')
    yield f'| | {" | ".join(names)} |'
    yield '|---' * (len(names) + 1) + '|'
    for provider in models: yield f'| {provider} | {" | ".join(sign(provider, name) for name in names)} |'

def unexpected(rows): return [row for row in rows if (row[2] != 'equal') != ((row[0], row[1]) in exceptions)]

if __name__ == '__main__':
    if sys.argv[1:2] == ['calls']:
        port, folder, mode, out = sys.argv[2:]
        Path(out).write_text(json.dumps(run_calls(int(port), folder, mode)))
    else:
        rows, made, first, second = compare()
        print(*table(rows), sep='\n')
        print(f'\n{sum(row[2] == "equal" for row in rows)} of {len(rows)} pairs are equal; the first process made {made} calls ({first}), the second none ({second}).')
        for provider, call, outcome, why in rows:
            if outcome != 'equal': print(f'- {provider}, {call}: {outcome}; {exceptions.get((provider, call), "NOT EXPECTED")}: {why}')
        for provider, call in exceptions:
            if (provider, call, 'equal') in [row[:3] for row in rows]: print(f'- {provider}, {call}: equal, so it is no exception any more')
        sys.exit(1 if unexpected(rows) else 0)
