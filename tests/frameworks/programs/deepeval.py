# requires: deepeval
from deepeval.models import GPTModel
from pydantic import BaseModel

class Place(BaseModel): city: str

def case_chat(): return GPTModel(model='gpt-4o').generate('Say hi')

async def case_async(): return await GPTModel(model='gpt-4o').a_generate('Say hi, later')

def case_structured(): return GPTModel(model='gpt-4o').generate('Which city?', Place)
