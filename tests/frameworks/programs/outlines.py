# requires: outlines openai anthropic<1
import anthropic
import openai
import outlines
from pydantic import BaseModel

class Place(BaseModel): city: str

def model(): return outlines.from_openai(openai.OpenAI(), 'gpt-4o')

def case_chat(): return model()('Say hi'), outlines.from_anthropic(anthropic.Anthropic(), 'claude-sonnet-4-5')('Say hi', max_tokens=99)

def case_stream(): return list(model().stream('Say hi, slowly'))

async def case_async(): return await outlines.from_openai(openai.AsyncOpenAI(), 'gpt-4o')('Say hi, later')

def case_structured(): return model()('Which city?', Place)
