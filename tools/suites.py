"""Run the test suite of an HTTP library with and without cachy, and print what differs: `python tools/suites.py FOLDER [--python PYTHON] [pytest arguments]`.

FOLDER is a checkout of httpx, requests or aiohttp at the tag that PYTHON, an environment with their test requirements, has installed. Each test
has a cache of its own, and every host is cached. A test that asks the same thing twice gets the same answer twice: that is what a cache is. To
tell such tests from defects, those that differ are run once more with a cache that renews each recording (`fresh`): what still differs needs an explanation."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

root = Path(__file__).parent.parent
suites = { # a folder or file that tells the library: what of its suite concerns clients
    'httpx': ['tests'], 'src/requests': ['tests'],
    'aiohttp': sorted(f'tests/test_client_{name}.py' for name in ('functional', 'session', 'request', 'response', 'middleware', 'middleware_digest_auth', 'proto', 'connection', 'exceptions', 'fingerprint'))}

# --- in the process of the suite, as the plugin `suites` ---

modes = {'cached': 'auto', 'fresh': 'record'}

def pytest_configure(config):
    if os.environ.get('SUITES_MODE') not in modes: return
    import pytest

    from cachy import enable_cachy
    tell_blockbuster()
    class Plugin:
        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_protocol(self, item):
            with tempfile.TemporaryDirectory() as folder:
                mode = os.environ['SUITES_MODE']
                with enable_cachy(folder, doms=('*', '[::1]'), mode=modes[mode]) as session:
                    if mode == 'fresh': renew_always(session)
                    yield
    config.pluginmanager.register(Plugin(), 'cachy-suites')

def tell_blockbuster():
    "Have blockbuster, if the suite runs under it, tolerate the look-up of a recording on the event loop"
    try:
        from blockbuster import BlockBuster
    except ImportError: return
    activate = BlockBuster.activate
    def tolerant(self):
        for name in ('os.stat', 'os.read', 'io.BufferedReader.read'): self.functions[name].can_block_in('cachy/file.py', {'find', 'refresh', 'requests'})
        activate(self)
    BlockBuster.activate = tolerant

def renew_always(session):
    "Have `session` call for each question, though it was asked before"
    class Nothing(set):
        def add(self, key): pass
    session.history.recorded = Nothing()

def pytest_runtest_logreport(report):
    path = os.environ.get('SUITES_OUT')
    if path and (report.when == 'call' or report.outcome != 'passed'):
        text = str(report.longrepr or '')
        with open(path, 'a') as file: file.write(json.dumps([report.nodeid, report.outcome, text[-2000:]]) + '\n')

# --- in the process that compares ---

def run(folder, python, arguments, mode):
    "Test: outcome and error"
    with tempfile.TemporaryDirectory() as place:
        out = Path(place)/'out'
        paths = os.pathsep.join([str(root/'tools'), str(root)])
        env = os.environ | dict(PYTHONPATH=paths, SUITES_MODE=mode, SUITES_OUT=str(out), CACHY_MODE='', CI='')
        command = [python, '-m', 'pytest', '-p', 'suites', '-q', '--no-header', '-p', 'no:cacheprovider', *arguments]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        print(f'{mode}: {done.stdout.strip().rpartition(chr(10))[2]}', file=sys.stderr)
        if not out.exists(): raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
        outcomes = {}
        for line in out.read_text().splitlines():
            name, outcome, error = json.loads(line)
            if outcomes.get(name, ('passed',))[0] in ('passed', 'skipped'): outcomes[name] = outcome, error
        return outcomes

def last_line(error):
    lines = [line for line in error.splitlines() if line.startswith('E ')] or error.splitlines() or ['']
    return lines[-1][2:].strip()[:150]

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', help='the checkout')
    parser.add_argument('--python', default=sys.executable, help='of an environment with the library and its test requirements')
    options, arguments = parser.parse_known_args()
    folder = Path(options.folder).resolve()
    if all(argument.startswith('-') for argument in arguments): arguments += next(paths for name, paths in suites.items() if (folder/name).is_dir())
    without, cached = (run(folder, options.python, arguments, mode) for mode in ('without', 'cached'))
    flags = [argument for argument in arguments if argument.startswith('-')]
    differ = [name for name in {**without, **cached} if without.get(name, ('absent',))[0] != cached.get(name, ('absent',))[0]]
    again = run(folder, options.python, flags + differ, 'fresh') if differ else {}
    twice = [name for name in differ if again.get(name, ('absent',))[0] == without.get(name, ('absent',))[0]]
    print(f'{len(without)} tests, {len(differ)} differ; {len(twice)} of them ask the same twice')
    for name in differ:
        outcome, error = cached.get(name, ('absent', ''))
        why = 'asks the same twice' if name in twice else last_line(again.get(name, ('', ''))[1])
        print(f'| {name} | {without.get(name, ("absent",))[0]} | {outcome}: {last_line(error)} | {why} |')

if __name__ == '__main__': main()
