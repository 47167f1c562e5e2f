# requires: openai-agents
from agents import Agent, Runner, function_tool

@function_tool
def weather(city: str) -> str:
    "The weather in a city"
    return f'It is sunny in {city}.'

helper = Agent(name='Helper', instructions='Help.', model='gpt-4o')
tools = Agent(name='Tools', instructions='Use the tool.', model='gpt-4o', tools=[weather])

def case_plain(): return Runner.run_sync(helper, 'Say hi').final_output

async def case_async(): return (await Runner.run(helper, 'Say hi, later')).final_output

async def case_stream():
    result = Runner.run_streamed(helper, 'Say hi, slowly')
    return [event.data.delta async for event in result.stream_events() if getattr(getattr(event, 'data', None), 'type', '') == 'response.output_text.delta']

async def case_tools(): return (await Runner.run(tools, 'How is the weather in Paris?')).final_output

async def case_handoff(): return (await Runner.run(Agent(name='Front', instructions='Hand off.', model='gpt-4o', handoffs=[helper]), 'Help me')).final_output
