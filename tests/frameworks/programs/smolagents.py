# requires: smolagents[litellm,openai]
from smolagents import LiteLLMModel, OpenAIModel, ToolCallingAgent, tool

@tool
def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: Its name.
    """
    return f'It is sunny in {city}.'

def steps(agent):
    "What an agent did, as it goes into its next prompt"
    agent.run('How is the weather in Paris?')
    return [message.content for step in agent.memory.steps for message in step.to_messages()]

def case_litellm_gemini(): return steps(ToolCallingAgent(tools=[weather], model=LiteLLMModel('gemini/gemini-2.5-flash'), max_steps=3, verbosity_level=0))

def case_litellm_gemini_stream():
    model = LiteLLMModel('gemini/gemini-2.5-flash')
    return steps(ToolCallingAgent(tools=[weather], model=model, max_steps=3, verbosity_level=0, stream_outputs=True))

def case_openai(): return steps(ToolCallingAgent(tools=[weather], model=OpenAIModel('gpt-4o'), max_steps=2, verbosity_level=0))

def case_plain(): return LiteLLMModel('anthropic/claude-sonnet-4-5').generate([dict(role='user', content='Say hi')]).content
