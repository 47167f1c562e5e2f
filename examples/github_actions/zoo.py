"Ask about a zoo: `python zoo.py QUESTION`"
import sys

from openai import OpenAI

def ask(question):
    "The answer of the model"
    return OpenAI().responses.create(model='gpt-4o', input=question).output_text

if __name__ == '__main__': print(ask(' '.join(sys.argv[1:])))
