"Print the table of providers and calls that replay through LiteLLM: `python tools/litellm_table.py`. It exits with 1 if a result is not the same."
import sys
from pathlib import Path

root = Path(__file__).parent.parent
sys.path[:0] = [str(root), str(root/'tests')]
from support.litellm_calls import Player, compare, exceptions, models, replay_keys, unexpected

def table(rows):
    "`rows` as a table of markdown"
    names = list(dict.fromkeys(call for _, call, *_ in rows))
    cells = {(provider, call): outcome for provider, call, outcome, _ in rows}
    sign = lambda *pair: cells.get(pair, '').replace('equal', '=') + '*' * (pair in exceptions)
    yield f'| | {" | ".join(names)} |'
    yield '|---' * (len(names) + 1) + '|'
    for provider in models: yield f'| {provider} | {" | ".join(sign(provider, name) for name in names)} |'

def main():
    with Player(replay_keys) as recorder, Player() as replayer: rows, made, first, second = compare(recorder, replayer)
    print(*table(rows), sep='\n')
    print(f'\n{sum(row[2] == "equal" for row in rows)} of {len(rows)} pairs are equal.')
    print(f'The first process made {made} calls ({first}), the second none ({second}).')
    for provider, call, outcome, why in rows:
        if outcome != 'equal': print(f'- {provider}, {call}: {outcome} ({exceptions.get((provider, call), "not expected")}) {why}')
    for provider, call in exceptions:
        if (provider, call, 'equal') in [row[:3] for row in rows]: print(f'- {provider}, {call}: equal, so no exception any more')
    sys.exit(1 if unexpected(rows) else 0)

if __name__ == '__main__': main()
