"""What has moved since the versions in settings.ini were pinned: `python tools/moved.py`, in the environment to look at, prints it as markdown.

`python tools/moved.py --names` prints the packages without their versions, for `pip install -r`."""
import logging
import re
import sys
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from litellm_hosts import litellm_urls, not_in_doms

pin = r"([\w-]+)(\[\w+\])?==([\w.]+)(?:;python_version(>=|<)'3\.(\d+)')?"

def read_pins():
    "Name, extra and version of each package that `dev_requirements` pins for this Python"
    config = ConfigParser(delimiters=['='], interpolation=None)
    config.read(Path(__file__).parent.parent/'settings.ini', encoding='utf-8')
    for name, extra, version, sign, minor in re.findall(pin, config['DEFAULT']['dev_requirements']):
        if not sign or (sys.version_info.minor >= int(minor)) == (sign == '>='): yield name, extra, version

def installed(name):
    try: return metadata.version(name)
    except metadata.PackageNotFoundError: return 'not installed'

def versions_moved():
    "Lines of a table"
    moved = [(name, version, installed(name)) for name, _, version in read_pins() if installed(name) != version]
    if not moved: return ['The versions that are installed are those that settings.ini pins.']
    return ['| package | pinned | installed |', '|---|---|---|', *(f'| {name} | {pinned} | {now} |' for name, pinned, now in moved)]

def hosts_missing():
    "What to add to `doms`"
    if installed('litellm') == 'not installed': return ['LiteLLM is not installed.']
    missing = not_in_doms(litellm_urls())
    if not missing: return [f'`doms` has each host of LiteLLM {installed("litellm")}.']
    hosts = dict.fromkeys(urlsplit(url).netloc for url in missing.values())
    lines = (f'- `{host}`: {", ".join(f"{name} ({urlsplit(url).path})" for name, url in missing.items() if urlsplit(url).netloc == host)}' for host in hosts)
    return [f'`doms` lacks these hosts of LiteLLM {installed("litellm")}:', '', *lines]

def main():
    if '--names' in sys.argv: print(*(name + extra for name, extra, _ in read_pins()), sep='\n')
    else: print('## Versions', '', *versions_moved(), '', '## Hosts', '', *hosts_missing(), sep='\n')

if __name__ == '__main__':
    logging.disable(logging.CRITICAL)
    main()
