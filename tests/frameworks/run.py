"""Do the frameworks replay? `python tests/frameworks/run.py` tries each program of the folder `programs` with the newest release of its framework, in an
environment of its own: once against a stand-in, recording, and once more in another process, in replay mode, with no key, no server and no network.

It prints a table, as markdown, and exits with 1 if a row fell. `run.py dspy smolagents` tries these two. `CACHY_FRAMEWORKS` names the folder for the
environments, which are used again if they are there; `--keep` leaves the newest release alone that was installed then. `--write` puts the rows into
`nbs/frameworks.json`, which the page about frameworks shows. Where `uv` is installed it makes the environments, in a tenth of the time."""
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import venv
from contextlib import contextmanager
from pathlib import Path

here = Path(__file__).parent
root = here.parent.parent
sys.path.insert(0, str(root/'tests'))

keys = ('OPENAI', 'ANTHROPIC', 'GEMINI', 'GOOGLE', 'MISTRAL', 'DEEPSEEK', 'GROQ', 'COHERE')
always = dict(LITELLM_LOCAL_MODEL_COST_MAP='True', HF_HUB_OFFLINE='1', ANONYMIZED_TELEMETRY='False', DO_NOT_TRACK='1', OTEL_SDK_DISABLED='true',
    HAYSTACK_TELEMETRY_ENABLED='False', LANGSMITH_TRACING='false', CREWAI_DISABLE_TELEMETRY='true', PYTHONHASHSEED='random')

def requirements(program:Path)->list: # as pip takes them
    "What `program` says it requires, in its first line"
    return re.match('# requires: (.+)', program.read_text(encoding='utf-8'))[1].split()

def certificate(folder:Path)->Path: # with its key, for all hosts of `doms`
    "A certificate for the stand-in, made for this run"
    from cachy import doms
    hosts = {entry.partition('/')[0] for entry in doms}
    names = sorted(host for host in hosts if '*' not in host.removeprefix('*.')) + ['localhost']
    path, extra = folder/'certificate.pem', 'subjectAltName=' + ','.join(f'DNS:{name}' for name in names)
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=stand-in', '-addext', extra,
        '-keyout', str(path), '-out', str(folder/'public.pem')], check=True, capture_output=True)
    path.write_text(path.read_text() + (folder/'public.pem').read_text())
    return path

def wants_json(body:dict)->bool: # in any format
    "Does the request ask for JSON of a shape?"
    formats = body.get('response_format'), (body.get('text') or {}).get('format'), (body.get('output_config') or {}).get('format'), body.get('output_format')
    return any(form and 'json' in str(form.get('type')) for form in formats) or 'json' in str((body.get('generationConfig') or {}).get('responseMimeType'))

def shaped(handler, body:dict)->str: # JSON, if the request asks for it
    "What the stand-in says"
    from cachy.standin import tool_arguments, wanted_tool
    return json.dumps(tool_arguments) if wants_json(body) and not wanted_tool(body) else handler.text

def structured_routes()->list: # as `StandIn.routes`
    "Routes that give JSON of the one shape that the programs ask for"
    from cachy.standin import chat_completion, generate_content, message, responses_answer
    return [('POST', r'/chat/completions$', lambda handler, body: chat_completion(body, shaped(handler, body))),
        ('POST', r'/responses$', lambda handler, body: responses_answer(body, shaped(handler, body))),
        ('POST', r'/v1/messages$', lambda handler, body: message(body, shaped(handler, body))),
        ('POST', r'/models/[^/:]+:(generate|streamGenerate)Content$', lambda handler, body, how: generate_content(body, shaped(handler, body), how != 'generate'))]

@contextmanager
def tls_server(certificate:Path):
    "A stand-in that speaks all formats, over TLS"
    from cachy.standin import StandIn
    from support.providers import provider_routes
    server = StandIn()
    server.routes[:0] = [*structured_routes(), *provider_routes]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True, do_handshake_on_connect=False)
    with server: yield server

def python_for(program:Path, folder:Path, keep:bool)->Path:
    "The Python of an environment that has what `program` requires"
    place = folder/program.stem
    python = place/('Scripts' if os.name == 'nt' else 'bin')/'python'
    is_new, uv = not python.exists(), shutil.which('uv')
    if is_new: venv.create(place, with_pip=not uv)
    pip = [uv, 'pip', 'install', '--python', python] if uv else [python, '-m', 'pip', 'install']
    if is_new or not keep: subprocess.run([*pip, '-q', '--upgrade', '-e', str(root), *requirements(program)], check=True)
    return python

def version(python:Path, name:str)->str:
    "The installed version of a package"
    code = 'import sys; from importlib.metadata import version; print(version(sys.argv[1]))'
    return subprocess.run([python, '-c', code, re.split(r'[\[<>=]', name)[0]], capture_output=True, text=True).stdout.strip()

def play(python:Path, program:Path, folder:Path, port:int, mode:str, public:Path)->dict: # what `harness` found
    "Run `program` in a process of its own"
    env = {name: value for name, value in os.environ.items() if not name.endswith('_API_KEY')} | always
    env |= dict.fromkeys(('SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'AWS_CA_BUNDLE'), str(public))
    if mode != 'replay': env |= {f'{name}_API_KEY': 'none' for name in keys}
    out = folder/f'{mode}.json'
    done = subprocess.run([python, here/'harness.py', program, folder, str(port), mode, out], env=env, cwd=folder, capture_output=True, text=True, timeout=600)
    if out.exists(): return json.loads(out.read_text())
    return dict(cases={'start': done.stderr[-1500:]}, counts={}, looked_up=[])

def try_program(program:Path, python:Path, folder:Path)->dict: # a row
    "Record and replay `program`"
    path = certificate(folder)
    with tls_server(path) as server: live = play(python, program, folder, server.server.server_port, 'auto', folder/'public.pem')
    replay = play(python, program, folder, 0, 'replay', folder/'public.pem')
    name = requirements(program)[0]
    errors = {case: text for case, text in live['cases'].items() if re.match(r'\w*(Error|Exception|Miss|Exit)\w*: ', text) or case == 'start'}
    other = {case: (text, replay['cases'].get(case)) for case, text in live['cases'].items() if text != replay['cases'].get(case)}
    recorded, missed = live['counts'].get('recorded', 0), replay['counts'].get('missed', 0)
    fell = bool(errors or other or missed or not recorded or replay['looked_up'])
    return dict(program=program.stem, name=re.split(r'[\[<>=]', name)[0], version=version(python, name), cases=list(live['cases']), equal=len(live['cases']) - len({*errors, *other}),
        recorded=recorded, missed=missed, looked_up=replay['looked_up'], errors=errors, other=other, fell=fell)

def show(rows:list)->str: # markdown
    "The table"
    lines = ['| framework | version | cases | equal on replay | recorded | looked up on replay |', '|---|---|---|---|---|---|']
    for row in rows:
        equal, looked_up = f"{row['equal']} of {len(row['cases'])}", ', '.join(row['looked_up']) or 'nothing'
        lines.append(f"| {row['name']} | {row['version']} | {', '.join(row['cases'])} | {equal} | {row['recorded']} | {looked_up} |")
    return '\n'.join(lines)

def write(rows:list):
    "Put `rows` in place of those in `nbs/frameworks.json` that have their names"
    path = root/'nbs'/'frameworks.json'
    old = json.loads(path.read_text()) if path.exists() else []
    shown = ('program', 'name', 'version', 'cases', 'equal', 'recorded', 'looked_up')
    new = {row['name']: {name: row[name] for name in shown} for row in [*old, *rows]}
    path.write_text('[\n' + ',\n'.join(json.dumps(new[name]) for name in sorted(new)) + '\n]\n')

def main(names:list, keep:bool, is_written:bool)->int: # exit code
    "Try the programs called `names`; all if there are none"
    programs = [path for path in sorted((here/'programs').glob('*.py')) if not names or path.stem in names]
    with tempfile.TemporaryDirectory() as temporary:
        environments, rows = Path(os.environ.get('CACHY_FRAMEWORKS') or temporary), []
        for program in programs:
            folder = Path(temporary)/f'run-{program.stem}'
            folder.mkdir()
            try: rows.append(try_program(program, python_for(program, environments, keep), folder))
            except subprocess.SubprocessError as error:
                rows.append(dict(program=program.stem, name=program.stem, version='', cases=[], equal=0, recorded=0, looked_up=[], errors={'start': str(error)}, other={}, fell=True))
            row = rows[-1]
            print(f"{program.stem}: {'fell' if row['fell'] else 'well'}", file=sys.stderr)
            for case, text in row['errors'].items(): print(f'  {case}: {text}', file=sys.stderr)
            for case, texts in row['other'].items(): print(f'  {case}: {texts[0]!s:.300}\n    replayed as {texts[1]!s:.600}', file=sys.stderr)
    print(show(rows))
    if is_written: write(rows)
    return int(not rows or any(row['fell'] for row in rows))

if __name__ == '__main__':
    sys.exit(main([name for name in sys.argv[1:] if not name.startswith('-')], '--keep' in sys.argv, '--write' in sys.argv))
