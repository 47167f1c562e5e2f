"Where the pages are played: the providers' hosts lead to a stand-in on this machine, in a folder of its own, with counted ids and one time."
import itertools
import logging
import os
import tempfile
import time
from types import SimpleNamespace

import httpx

from cachy import disable_cachy, standin

def no_miss(record): return record.levelno < logging.ERROR # a page prints the miss itself

class Stage:
    "A stand-in that is called in place of every provider, and an empty project to work in"
    def __init__(self,
        delay:float=0., # seconds before each answer
        event_delay:float=0. # seconds before each event of a stream
    ):
        self.home, self.folder, self.before = os.getcwd(), tempfile.TemporaryDirectory(), dict(os.environ)
        self.plain = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request
        self.made = standin.new_id, standin.time
        count = itertools.count(1)
        standin.new_id = lambda prefix: f'{prefix}{next(count):04}'
        standin.time = SimpleNamespace(time=lambda: 1767225600, sleep=time.sleep) # the first second of 2026
        self.stand_in = standin.StandIn(delay, event_delay).start()
        handle, handle_async = self.plain
        httpx.HTTPTransport.handle_request = lambda transport, request: handle(transport, self.lead(request))
        httpx.AsyncHTTPTransport.handle_async_request = lambda transport, request: handle_async(transport, self.lead(request))
        os.makedirs(f'{self.folder.name}/zoo')
        os.chdir(f'{self.folder.name}/zoo')
        open('pyproject.toml', 'w').close()
        logging.getLogger('cachy').addFilter(no_miss)
        for name in ('CI', 'CACHY_MODE', 'CACHY_STORE'): os.environ.pop(name, None)
        os.environ['OPENAI_API_KEY'] = 'sk-not-a-real-key'
    def lead(self, request):
        "`request`, but to the stand-in"
        url = request.url.copy_with(scheme='http', host='127.0.0.1', port=self.stand_in.server.server_port)
        return httpx.Request(request.method, url, headers=request.headers.raw, stream=request.stream, extensions=request.extensions)
    @property
    def calls(self)->int:
        "How many calls left the program"
        return self.stand_in.calls
    def close(self):
        "Put everything back"
        disable_cachy()
        httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request = self.plain
        standin.new_id, standin.time = self.made
        logging.getLogger('cachy').removeFilter(no_miss)
        os.chdir(self.home)
        self.stand_in.stop()
        self.folder.cleanup()
        os.environ.clear()
        os.environ.update(self.before)
