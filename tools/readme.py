"Write README.md from nbs/index.ipynb: `python tools/readme.py`. Only what is run and saved in the notebook gets there."
import json
import re
from pathlib import Path

root = Path(__file__).parent.parent

def text_of(output):
    "What an output shows as text"
    return ''.join(output.get('text') or output.get('data', {}).get('text/plain', []))

def cell_to_markdown(cell):
    "A cell as it stands in the README; empty where it is hidden"
    source = ''.join(cell['source'])
    if source.startswith('#| hide'): return ''
    if cell['cell_type'] == 'markdown': return re.sub(r'\]\((\w+\.ipynb)', r'](nbs/\1', source.removeprefix('#| export\n'))
    shown = ''.join(text_of(output) for output in cell['outputs']).rstrip('\n')
    return f'```python\n{source}\n```' + (f'\n\n```text\n{shown}\n```' if shown else '')

def readme():
    "The text of README.md"
    cells = json.loads((root/'nbs'/'index.ipynb').read_text(encoding='utf-8'))['cells']
    head = '<!-- Made from nbs/index.ipynb by tools/readme.py. Do not edit. -->\n\n'
    return head + '\n\n'.join(filter(None, map(cell_to_markdown, cells))) + '\n'

if __name__ == '__main__': (root/'README.md').write_text(readme(), encoding='utf-8')
