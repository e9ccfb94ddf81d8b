"""Servers that people run, in ways that go wrong: nginx and Node, without TLS.

    nginx = Nginx(directory); nginx.address; nginx.kill(); nginx.start(); nginx.stop(); nginx.go_on()
    node = Node(directory)                                         likewise

Both answer / with their name. What else they do is by path, in NGINX and NODE below.
"""

import os
import shutil
import signal
import socket
import subprocess
from string import Template

import harness

# One process, so that what happens to it happens to all of it.
NGINX = """
master_process off;
daemon off;
pid $dir/nginx.pid;
error_log $dir/nginx.err;
events {}
http {
  access_log off;
  client_body_temp_path $dir/nginx-body;
  proxy_temp_path $dir/nginx-proxy;
  fastcgi_temp_path $dir/nginx-fastcgi;
  uwsgi_temp_path $dir/nginx-uwsgi;
  scgi_temp_path $dir/nginx-scgi;
  client_max_body_size 64m;
  server {
    listen 127.0.0.1:$port backlog=1024 reuseport;
    keepalive_timeout $keepalive;
    keepalive_requests $requests;
    default_type text/plain;
    root $dir/nginx-root;
    location / { return 200 "nginx"; }
    location /closes { return 444; }
    location /fails { return 503; }
    location /early { return 403; }
    location /drips { limit_rate 100; }
  }
  # Behind a proxy that says by a PROXY header whom it connects for.
  server {
    listen 127.0.0.1:$behind_port proxy_protocol;
    access_log $dir/nginx.log;
    default_type text/plain;
    location / {
      return 200 "$$proxy_protocol_addr $$proxy_protocol_port $$proxy_protocol_server_port $$connection_requests";
    }
  }
}
"""
NODE = """
const http = require('http');
const half = 'HTTP/1.1 200 OK\\r\\nContent-Length: 8\\r\\n\\r\\nhalf';
const ways = {
  '/hangs': () => {},
  '/resets': socket => socket.resetAndDestroy(),
  '/resets-in-the-head': socket => socket.write('HTTP/1.1 200 OK\\r\\nX-A', () => socket.resetAndDestroy()),
  '/closes-in-the-head': socket => socket.end('HTTP/1.1 200 OK\\r\\nX-A'),
  '/resets-in-the-body': socket => socket.write(half, () => setTimeout(() => socket.resetAndDestroy(), 50)),
  '/says-less': socket => socket.end(half),
  '/says-more': socket => socket.write(half + ' and more' + 'x'.repeat(9)),
  '/drips': socket => {
    const text = 'HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\ndrips';
    let at = 0;
    const timer = setInterval(() => {
      if (at === text.length || socket.destroyed) return clearInterval(timer);
      socket.write(text[at++]);
    }, 20);
  },
};
http.createServer((request, response) => {
  const way = ways[request.url];
  if (way) return way(request.socket);
  if (request.url === '/early') {
    response.writeHead(403, { Connection: 'close' });
    return response.end('early');
  }
  request.resume();
  request.on('end', () => response.end('node'));
}).listen(Number(process.argv[2]), '127.0.0.1', 1024);
"""


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Server:
    """A process that a test may kill, stop and start again, on one port."""

    def __init__(self, directory, arguments):
        self.directory = directory
        self.arguments = arguments
        self.process = None
        self.address = f"127.0.0.1:{self.port}"
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.arguments, cwd=self.directory,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        harness.eventually(lambda: self.process.poll() is not None or listens(self.port), 20,
                           self.arguments[0])
        if self.process.poll() is not None:
            raise AssertionError(f"{self.arguments} has ended")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)


class Nginx(Server):
    name = "nginx"

    def __init__(self, directory, keepalive="75s", requests=1000):
        self.port = harness.free_port()
        behind_port = harness.free_port()
        self.behind_proxy = f"127.0.0.1:{behind_port}"
        root = directory / "nginx-root"
        root.mkdir()
        (root / "drips").write_text("drip" * 50)
        for one in (directory, root):  # where root runs the test, nginx is nobody
            os.chmod(one, 0o755)
        (directory / "nginx.conf").write_text(Template(NGINX).substitute(
            dir=directory, port=self.port, behind_port=behind_port, keepalive=keepalive,
            requests=requests))
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        super().__init__(directory, [program, "-c", str(directory / "nginx.conf")])


class Node(Server):
    name = "node"

    def __init__(self, directory):
        self.port = harness.free_port()
        (directory / "server.js").write_text(NODE)
        super().__init__(directory, ["node", "server.js", str(self.port)])
