"""Each call to an LLM API is made once: the answer is written to `cachy.jsonl`, and from then on it comes from there. Notebooks get fast, free and repeatable, and CI runs them without an API key."""

__version__ = "0.1.0"

from .core import *
