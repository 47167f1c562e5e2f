from datetime import date

import pytest

from zoo import ask, open_at, tell

@pytest.mark.parametrize('animal', ['heron', 'crane'])
def test_ask(animal): assert animal in ask(f'Where is the {animal}?')

def test_tell():
    words = list(tell('What do herons eat?'))
    assert len(words) > 5 and 'herons' in ''.join(words)

def test_today(): assert 'open' in open_at(date.today())

def test_what_was_sent(cachy): # the session of this test
    ask('Where is the heron?')
    assert cachy.calls[0].json()['messages'][0]['role'] == 'system'

@pytest.mark.parametrize('n', [pytest.param(n, marks=pytest.mark.cachy(sample=n)) for n in range(3)])
def test_three_answers(n): assert 'joke' in ask('Tell me a joke.')
