from zoo import ask

def test_ask(): assert 'visitors' in ask('How many visitors do you have?')
