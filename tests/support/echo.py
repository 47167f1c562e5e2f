"A server that answers with what it is told to, to the letter."
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Echo:
    "A server that answers with what it is told to"
    def __init__(self):
        self.answers, self.calls = {}, 0
        echo = self
        class Handler(BaseHTTPRequestHandler):
            protocol_version, wbufsize, disable_nagle_algorithm = 'HTTP/1.1', -1, True
            def log_message(self, *args): pass
            def do_POST(self):
                content = self.rfile.read(int(self.headers.get('content-length') or 0))
                echo.calls += 1
                headers, body = echo.answer(self, content)
                headers = dict(headers)
                self.send_response(headers.pop(':status', 200))
                for name, value in {**headers, 'content-length': str(len(body))}.items(): self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}'
    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs=dict(poll_interval=0.02), daemon=True).start()
        return self
    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
    def answer(self, handler, content): return self.answers[content.decode()]
