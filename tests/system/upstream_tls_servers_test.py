"""TLS to origins that people run: nginx, Node and openssl s_server."""

import hashlib
import os
import shutil
import socket
import subprocess

import configs
import harness
from credentials import Authority

NGINX = """
worker_processes 1;
daemon off;
pid $dir/nginx.pid;
error_log $dir/nginx.err info;
events {}
http {
  log_format tls "$$ssl_protocol $$ssl_session_reused $$ssl_client_s_dn $$connection_requests";
  access_log $dir/nginx.log tls;
  client_body_temp_path $dir/body;
  proxy_temp_path $dir/proxy;
  fastcgi_temp_path $dir/fastcgi;
  uwsgi_temp_path $dir/uwsgi;
  scgi_temp_path $dir/scgi;
  client_max_body_size 1g;
  server {
    listen 127.0.0.1:$port ssl;
    ssl_certificate $dir/origin.pem;
    ssl_certificate_key $dir/origin.key;
    ssl_protocols $protocols;
    ssl_session_tickets $tickets;
    ssl_session_cache shared:one:1m;
    keepalive_timeout $keepalive;
    $more
    root $dir/root;
    location / {}
    location /up { dav_methods PUT; create_full_put_path on; }
  }
}
"""

NODE = """
const https = require('https'), fs = require('fs'), crypto = require('crypto');
const options = { key: fs.readFileSync('origin.key'), cert: fs.readFileSync('origin.pem') };
https.createServer(options, (request, response) => {
  const digest = crypto.createHash('sha256');
  request.on('data', piece => digest.update(piece));
  request.on('end', () => {
    if (request.url.startsWith('/down/')) {
      const size = Number(request.url.slice(6));
      response.setHeader('content-length', size);
      return response.end(Buffer.alloc(size, 'n'));
    }
    response.setHeader('x-reused', String(request.socket.isSessionReused()));
    response.end(digest.digest('hex'));
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
"""

BIG = (8 if harness.SANITIZER else 64) << 20


def digest(data):
    return hashlib.sha256(data).hexdigest()


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Servers(harness.SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()

    def setUp(self):
        super().setUp()
        of = self.authority.issue("localhost", "127.0.0.1")
        self.write("origin.pem", of.chain)
        self.write("origin.key", of.key)
        self.write("ca.pem", self.authority.root)

    def run_server(self, *arguments, port):
        process = subprocess.Popen(arguments, cwd=self.directory, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.terminate)
        harness.eventually(lambda: process.poll() is not None or listens(port), 15, arguments[0])
        self.assertIsNone(process.poll(), arguments)
        return f"127.0.0.1:{port}"

    def nginx(self, protocols="TLSv1.2 TLSv1.3", tickets="on", keepalive="75s", more=""):
        port = harness.free_port()
        (self.directory / "root" / "up").mkdir(parents=True, exist_ok=True)
        for one in (self.directory / "root", self.directory / "root" / "up", self.directory):
            os.chmod(one, 0o777)
        text = harness.Template(NGINX).substitute(
            dir=self.directory, port=port, protocols=protocols, tickets=tickets,
            keepalive=keepalive, more=more)
        self.write("nginx.conf", text)
        return self.run_server(shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-c",
                               str(self.directory / "nginx.conf"), port=port)

    def seen(self):
        """nginx's lines: version, "r" or ".", who the client is, which request on its connection."""
        return [x.split() for x in (self.directory / "nginx.log").read_text().splitlines()]

    running = None

    def tls_gate(self, address, tls="", upstream=""):
        if self.running:
            self.running.stop()
        text = f'{upstream}\n[upstream.tls]\nca = "$dir/ca.pem"\n{tls}'
        self.running = self.gate(configs.plain(upstream=text, route='max_body = "1GiB"'),
                                 origin=address)
        return self.running


class Nginx(Servers):
    def test_both_versions_reuse_a_connection(self):
        for version in ("TLSv1.2", "TLSv1.3"):
            address = self.nginx(protocols=version)
            self.write("root/index.html", "from nginx", 0o644)
            gate = self.tls_gate(address)
            for _ in range(10):
                self.assertEqual(gate.get("/").body, b"from nginx")
            lines = harness.eventually(
                lambda v=version: len(found := [x for x in self.seen() if x[0] == v]) == 10 and found)
            self.assertLessEqual(sum(x[-1] == "1" for x in lines), 2)  # of two workers

    def test_sessions_are_resumed(self):
        for version, tickets in (("TLSv1.2", "on"), ("TLSv1.2", "off"), ("TLSv1.3", "on")):
            with self.subTest(version=version, tickets=tickets):
                address = self.nginx(protocols=version, tickets=tickets, keepalive="0")
                (self.directory / "nginx.log").write_text("")
                self.write("root/index.html", "from nginx", 0o644)
                gate = self.tls_gate(address)
                for _ in range(10):
                    self.assertEqual(gate.get("/").body, b"from nginx")
                harness.eventually(lambda: len(self.seen()) == 10)
                self.assertLessEqual(sum(x[1] == "." for x in self.seen()), 2)

    def test_long_bodies_both_ways_arrive_whole(self):
        body = os.urandom(BIG)
        for version in ("TLSv1.2", "TLSv1.3"):
            gate = self.tls_gate(self.nginx(protocols=version))
            self.write("root/big", body, 0o644)
            self.assertEqual(digest(gate.get("/big").body), digest(body))
            name = f"/up/{version}"
            self.assertIn(gate.get(name, method="PUT", body=body).status, (201, 204))
            stored = (self.directory / "root" / name[1:]).read_bytes()
            self.assertEqual(digest(stored), digest(body))

    def test_mutual_tls(self):
        own = self.authority.issue("gate.example")
        self.write("own.pem", own.chain)
        self.write("own.key", own.key)
        show = 'certificate = { chain = "$dir/own.pem", key = { file = "$dir/own.key" } }'
        more = f"ssl_client_certificate {self.directory}/ca.pem; ssl_verify_client on; ssl_verify_depth 3;"
        for version in ("TLSv1.2", "TLSv1.3"):
            address = self.nginx(protocols=version, more=more)
            self.write("root/index.html", "from nginx", 0o644)
            self.assertEqual(self.tls_gate(address, show).get("/").body, b"from nginx")
            harness.eventually(lambda v=version: [x[:3] for x in self.seen()][-1:] ==
                               [[v, ".", "CN=gate.example"]])
            self.assertEqual(self.tls_gate(address).get("/").status, 400)  # nginx says so in HTTP


class Node(Servers):
    def node(self):
        port = harness.free_port()
        self.write("server.js", NODE)
        return self.run_server("node", "server.js", str(port), port=port)

    def test_long_bodies_and_one_connection(self):
        gate = self.tls_gate(self.node())
        body = os.urandom(BIG)
        with gate.connect() as connection:
            self.assertEqual(connection.request("POST", "/", body=body).body.decode(), digest(body))
            got = connection.request("GET", f"/down/{BIG}").body
            self.assertEqual(digest(got), digest(b"n" * BIG))
            self.assertEqual(connection.request("GET", "/").body.decode(), digest(b""))
        self.assertRegex(gate.metrics(), r'(?m)^ringward_upstream_tls_handshakes_total'
                                         r'\{.*result="full"\} 1$')


class Openssl(Servers):
    def test_two_tickets_after_the_handshake_leave_the_connection_idle_and_fit(self):
        port = harness.free_port()
        address = self.run_server("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert",
                                  "origin.pem", "-cert_chain", "origin.pem", "-key", "origin.key",
                                  "-num_tickets", "2", "-www", "-tls1_3", port=port)
        gate = self.tls_gate(address)

        def resumed():
            """Not the first of each worker, nor where the server closed before its tickets came."""
            got = gate.get("/")
            self.assertEqual(got.status, 200)
            self.assertIn(b"TLSv1.3", got.body)
            return b"Reused, TLSv1.3" in got.body
        for _ in range(3):
            harness.eventually(resumed, what="a session is resumed")


if __name__ == "__main__":
    harness.main()
