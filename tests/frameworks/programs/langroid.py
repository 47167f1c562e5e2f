# requires: langroid
import asyncio

import langroid
from langroid.language_models import OpenAIGPTConfig

def agent(): return langroid.ChatAgent(langroid.ChatAgentConfig(llm=OpenAIGPTConfig(chat_model='gpt-4o', chat_context_length=1000), vecdb=None))

def case_chat(): return agent().llm_response('Say hi').content

async def case_parallel(): return [answer.content for answer in await asyncio.gather(*(agent().llm_response_async(f'Say {word}') for word in ('one', 'two')))]

def case_task(): return langroid.Task(agent(), interactive=False, single_round=True).run('Say hi, as a task').content
