# requires: langgraph langchain langchain-openai langchain-anthropic
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph

model, claude = ChatOpenAI(model='gpt-4o', use_responses_api=True), ChatAnthropic(model='claude-sonnet-4-5')

@tool
def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

def graph(): return StateGraph(MessagesState).add_node('say', lambda state: dict(messages=model.invoke(state['messages']))).add_edge(START, 'say').compile()

def ask(prompt): return dict(messages=[('user', prompt)])

def case_chat(): return graph().invoke(ask('Say hi'))['messages'][-1].content

def case_stream(): return [part.content for part, _ in graph().stream(ask('Say hi, slowly'), stream_mode='messages')]

async def case_async(): return (await graph().ainvoke(ask('Say hi, later')))['messages'][-1].content

async def case_tools(): return [[message.content for message in (await create_agent(it, [weather]).ainvoke(ask('How is the weather in Paris?')))['messages']] for it in (model, claude)]

def case_parallel():
    @task
    def say(word): return claude.invoke(f'Say {word}').content
    @entrypoint()
    def both(words): return [future.result() for future in [say(word) for word in words]]
    return both.invoke(['one', 'two'])
