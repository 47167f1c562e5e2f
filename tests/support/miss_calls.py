"The same question through four SDKs, for tests and for notebooks that tests run; no API key is given."

def openai(url):
    import openai
    client, async_client = openai.OpenAI(base_url=f'{url}/v1'), openai.AsyncOpenAI(base_url=f'{url}/v1')
    body = lambda text: dict(model='gpt-4o', messages=[dict(role='user', content=text)])
    def plain(text): return client.chat.completions.create(**body(text)).choices[0].message.content
    async def later(text): return (await async_client.chat.completions.create(**body(text))).choices[0].message.content
    def stream(text): return ''.join(chunk.choices[0].delta.content or '' for chunk in client.chat.completions.create(**body(text), stream=True))
    async def stream_later(text): return ''.join([chunk.choices[0].delta.content or '' async for chunk in await async_client.chat.completions.create(**body(text), stream=True)])
    return plain, later, stream, stream_later

def anthropic(url):
    import anthropic
    client, async_client = anthropic.Anthropic(base_url=url), anthropic.AsyncAnthropic(base_url=url)
    body = lambda text: dict(model='claude', max_tokens=9, messages=[dict(role='user', content=text)])
    def plain(text): return client.messages.create(**body(text)).content[0].text
    async def later(text): return (await async_client.messages.create(**body(text))).content[0].text
    def stream(text):
        with client.messages.stream(**body(text)) as events: return ''.join(events.text_stream)
    async def stream_later(text):
        async with async_client.messages.stream(**body(text)) as events: return ''.join([piece async for piece in events.text_stream])
    return plain, later, stream, stream_later

def gemini(url):
    from google import genai
    client = genai.Client(http_options=dict(base_url=url))
    body = lambda text: dict(model='gemini-9', contents=text)
    def plain(text): return client.models.generate_content(**body(text)).text
    async def later(text): return (await client.aio.models.generate_content(**body(text))).text
    def stream(text): return ''.join(part.text for part in client.models.generate_content_stream(**body(text)))
    async def stream_later(text): return ''.join([part.text async for part in await client.aio.models.generate_content_stream(**body(text))])
    return plain, later, stream, stream_later

def litellm(url):
    import litellm
    body = lambda text: dict(model='openai/gpt-4o', api_base=f'{url}/v1', messages=[dict(role='user', content=text)])
    def plain(text): return litellm.completion(**body(text)).choices[0].message.content
    async def later(text): return (await litellm.acompletion(**body(text))).choices[0].message.content
    def stream(text): return ''.join(chunk.choices[0].delta.content or '' for chunk in litellm.completion(**body(text), stream=True))
    async def stream_later(text): return ''.join([chunk.choices[0].delta.content or '' async for chunk in await litellm.acompletion(**body(text), stream=True)])
    return plain, later, stream, stream_later

sdks = dict(openai=openai, anthropic=anthropic, gemini=gemini, litellm=litellm)
