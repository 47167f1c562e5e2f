"The pages: each is in the sidebar, every link holds, every file that the site names exists, and the README stays short."
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import root

nbs = root/'nbs'
notebooks = sorted(nbs.glob('*.ipynb'))
repository, site = 'https://github.com/AnswerDotAI/cachy', 'https://AnswerDotAI.github.io/cachy'

def prose(path):
    "The text of a notebook's markdown cells, or of a Markdown file"
    text = path.read_text(encoding='utf-8')
    if path.suffix != '.ipynb': return text
    return '\n\n'.join(''.join(cell['source']) for cell in json.loads(text)['cells'] if cell['cell_type'] == 'markdown')

def no_code(text): return re.sub(r'`[^`\n]*`', '', re.sub(r'```.*?```', '', text, flags=re.DOTALL))

def anchor(heading):
    "How GitHub, Jupyter and Quarto name a heading in a link, as far as they agree"
    return re.sub(r'[^\w -]', '', heading.lower()).strip().replace(' ', '-')

def anchors(path): return {anchor(heading) for heading in re.findall(r'^#+ (.*)$', re.sub(r'```.*?```', '', prose(path), flags=re.DOTALL), re.MULTILINE)}

def page(name):
    "The notebook that becomes the page `name`"
    return next((path for path in notebooks if re.sub(r'^\d+[a-z]?_', '', path.stem) == name), nbs/f'{name}.ipynb')

def target(link, source):
    "The file in this repository that `link` leads to, if it is one"
    link = re.sub(rf'^{repository}/(?:blob|tree)/main/', f'{root}/', link)
    if match := re.fullmatch(rf'{site}/(\w*)(?:\.html)?(?:\.md)?/?', link): return page(match[1] or 'index')
    return None if '://' in link or link.startswith('mailto:') else source.parent/link

sources = [*notebooks, root/'README.md', *sorted(root.glob('*.md')), root/'examples'/'README.md']

@pytest.mark.parametrize('source', dict.fromkeys(sources), ids=lambda path: path.name)
def test_links_hold(source):
    broken = []
    for link in re.findall(r'\]\(([^)\s]+)\)', no_code(prose(source))):
        name, _, place = link.partition('#')
        path = target(name, source) if name else source
        if path and (not path.exists() or (place and place not in anchors(path))): broken.append(link)
    assert not broken

def test_every_page_is_in_the_sidebar():
    named = re.findall(r'^\s*- (\S+\.ipynb)$', (nbs/'sidebar.yml').read_text(encoding='utf-8'), re.MULTILINE)
    assert sorted(named) == [path.name for path in notebooks]

def test_pages_have_names_of_their_own():
    "The site leaves the number out"
    names = [re.sub(r'^\d+[a-z]?_', '', path.stem) for path in notebooks]
    assert len(names) == len(set(names))

def test_files_of_the_site_exist():
    text = (nbs/'_quarto.yml').read_text(encoding='utf-8')
    named = re.findall(r'\b[\w/]+\.(?:css|yml|scss|html|png|svg)\b', text)
    assert {'styles.css', 'nbdev.yml', 'sidebar.yml'} <= set(named)
    assert [name for name in named if not (nbs/name).exists()] == []

def test_pages_begin_with_what_they_are():
    "A title, and one line that says what the page is about"
    titles = {path.name: re.search(r'^# .+\n+>', prose(path), re.MULTILINE) for path in notebooks if path.name != 'index.ipynb'}
    assert [name for name, found in titles.items() if not found] == []

def test_readme_is_short(): assert len((root/'README.md').read_text(encoding='utf-8').split()) <= 900

def test_pages_show_what_stays():
    "No temporary folder, port or address in memory in a page"
    for path in notebooks:
        if not re.match(r'3\d|4\d|index', path.name): continue
        for cell in json.loads(path.read_text(encoding='utf-8'))['cells']:
            shown = json.dumps(cell.get('outputs', []))
            assert not re.search(r'/tmp/tmp|/private/var|127\.0\.0\.1:\d{4}|0x[0-9a-f]{8}|site-packages', shown), (path.name, shown[:300])

def test_changelog_names_the_version():
    version = re.search(r'__version__ = "(.*)"', (root/'cachy'/'__init__.py').read_text(encoding='utf-8'))[1]
    assert re.search(rf'^## {re.escape(version)}\b', (root/'CHANGELOG.md').read_text(encoding='utf-8'), re.MULTILINE)

def test_badges_are_true():
    "Each badge of the README shows a workflow that exists"
    for name in re.findall(rf'{repository}/actions/workflows/([\w.]+)', (root/'README.md').read_text(encoding='utf-8')):
        assert (root/'.github'/'workflows'/name).exists()
    assert Path(root/'.github'/'workflows'/'release.yml').exists()

@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
    "What Quarto would render: the notebooks as nbdev prepares them for it"
    folder = tmp_path_factory.mktemp('site')
    for name in ('nbs', 'cachy'): shutil.copytree(root/name, folder/name)
    for name in ('pyproject.toml', 'settings.ini'): shutil.copy(root/name, folder/name)
    code = 'from nbdev.config import get_config; from nbdev.serve import proc_nbs; assert get_config().custom_sidebar; proc_nbs(n_workers=0)'
    done = subprocess.run([sys.executable, '-c', code], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder/'_proc'

def first_words(cell):
    "What `cell` begins with, but the words that nbdev makes links of"
    lines = [line for line in ''.join(cell['source']).splitlines() if line.strip() and not line.startswith('#|')]
    return re.split(r'[`\[]', lines[0])[0].rstrip('# ') if lines else ''

def test_the_site_shows_all_that_is_written(prepared):
    for path in notebooks:
        own, made = (json.loads((folder/path.name).read_text(encoding='utf-8'))['cells'] for folder in (nbs, prepared))
        assert made[0]['cell_type'] == 'raw' and 'title: ' in ''.join(made[0]['source']), path.name
        wanted = [first_words(cell) for cell in own if '#| hide' not in ''.join(cell['source'])]
        shown = [first_words(cell) for cell in made[1:]]
        assert [words for words in wanted if words not in shown and not words.startswith('# ')] == [], path.name

@pytest.mark.parametrize('path', notebooks, ids=lambda path: path.stem)
def test_a_title_stands_alone(path):
    "Of the cell with the title, nbdev keeps title and description for the head of the page, and drops all else"
    first = next(cell for cell in json.loads(path.read_text(encoding='utf-8'))['cells'] if cell['cell_type'] == 'markdown')
    assert re.fullmatch(r'# .+\n\n> .+', ''.join(first['source']))
