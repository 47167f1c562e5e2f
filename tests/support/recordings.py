"Lines of a file, what they hold, and a caller whose server answers each request differently."
import json

import httpx

from cachy.file import Recording, write_line
from cachy.request import Call, request_key

hosts = ('127.0.0.1',)

def line_for(number, body=None, size=0):
    "Key and line of the recording with `number`"
    call = Call('POST', 'http://127.0.0.1/v1', [('content-type', 'application/json')], json.dumps(dict(n=number)).encode())
    key = request_key(call)
    return key, write_line(key, call, Recording(200, {'content-type': 'text/plain'}, body if body is not None else f'answer {number} {"x" * size}'.encode()))

def recordings(folder): return [json.loads(line) for line in (folder/'cachy.jsonl').read_text().splitlines()]

class Caller:
    "Calls a server that answers each request differently"
    def __init__(self):
        self.calls = 0
        self.client = httpx.Client(transport=httpx.MockTransport(self.answer))
    def answer(self, request):
        self.calls += 1
        return httpx.Response(200, text=f'{request.content.decode()} answered, call {self.calls}')
    def ask(self, content):
        "The answer, and whether it is a hit"
        before = self.calls
        return self.client.post('http://127.0.0.1/v1', content=content).text, self.calls == before
