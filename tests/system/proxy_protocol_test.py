"""The PROXY protocol: load balancers in front of the gate that say whom they connect for, and the gate that says it
to its origins. Real ones on either side: HAProxy, curl and nginx."""

import re
import shutil
import socket
import ssl
import subprocess
from string import Template

import configs
import credentials
import harness
from client import Closed, Connection, tls_context
from real_origins import Nginx, Server

BEHIND = 'proxy_protocol_from = ["127.0.0.1/32"]\n'
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT = "203.0.113.9"
V1 = f"PROXY TCP4 {CLIENT} 198.51.100.7 56324 443\r\n".encode()
V2 = SIGNATURE + b"\x21\x11\0\x0c" + socket.inet_aton(CLIENT) + socket.inet_aton("198.51.100.7") + b"\xdc\x04\x01\xbb"
LOCAL = SIGNATURE + b"\x20\0\0\0"

HAPROXY = """
global
  maxconn 100
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:$port
  default_backend gate
backend gate
  server gate $gate $send check inter 100ms
"""


class HaProxy(Server):
    def __init__(self, directory, gate, send):
        self.port = harness.free_port()
        path = directory / "haproxy.cfg"
        path.write_text(Template(HAPROXY).substitute(port=self.port, gate=gate, send=send))
        super().__init__(directory, [shutil.which("haproxy", path="/usr/sbin:/usr/bin"), "-db", "-f", str(path)])


class InFront(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))

    def start(self, listener=BEHIND, tls=False, **parts):
        made = credentials.certificate()
        text = (configs.tls if tls else configs.plain)(listener=listener, **parts)
        self.gateway = self.gate(text, origin=self.upstream.address,
                                 files={"cert.pem": made.chain, "key.pem": made.key} if tls else None)
        return self.gateway

    def raw(self, bytes_, source=None):
        sock = socket.create_connection(self.gateway.address()[:2], timeout=harness.patience(10),
                                        source_address=(source, 0) if source else None)
        self.addCleanup(sock.close)
        sock.sendall(bytes_)
        return sock

    def ask(self, header, source=None):
        with Connection(self.raw(header, source), "localhost") as connection:
            return connection.request("GET", "/")

    def seen_by_the_origin(self):
        return self.upstream.requests[-1].get("x-forwarded-for")

    def shut_out(self, header, reason, source=None):
        with Connection(self.raw(header, source), "localhost") as connection:
            with self.assertRaises((Closed, OSError)):
                connection.request("GET", "/")
        self.gateway.wait_for_access(status=0, reason=reason, protocol="PROXY")

    def test_both_versions_name_the_client(self):
        self.start()
        for header in (V1, V2):
            self.assertEqual(self.ask(header).status, 200)
            self.assertEqual(self.seen_by_the_origin(), CLIENT)
        self.gateway.wait_for_access(status=200, client=CLIENT)

    def test_a_header_that_names_nobody_leaves_the_peer(self):
        self.start()
        for header in (b"PROXY UNKNOWN\r\n", LOCAL):
            self.assertEqual(self.ask(header).status, 200)
            self.assertEqual(self.seen_by_the_origin(), "127.0.0.1")

    def test_in_pieces_and_with_the_request_in_one(self):
        self.start()
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for header in (V1, V2):
            with Connection(self.raw(header + request), "localhost") as connection:
                self.assertEqual(connection.read_response().status, 200)
            with Connection(self.raw(b""), "localhost") as connection:
                connection.send_slowly(header + request, pause=0.001)
                self.assertEqual(connection.read_response().status, 200)
            self.assertEqual(self.seen_by_the_origin(), CLIENT)

    def test_before_tls_in_one_segment_and_in_pieces(self):
        self.start(tls=True)
        for header in (V1, V2):
            for size in (1 << 20, 7):
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                secured = tls_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
                with self.assertRaises(ssl.SSLWantReadError):
                    secured.do_handshake()
                sock = self.raw(b"")
                hello = header + outgoing.read()
                for at in range(0, len(hello), size):
                    sock.sendall(hello[at:at + size])
                while True:
                    try:
                        secured.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        incoming.write(sock.recv(65536))
                secured.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                sock.sendall(outgoing.read())
                answer = b""
                while b"\r\n\r\nok" not in answer:
                    try:
                        answer += secured.read()
                    except ssl.SSLWantReadError:
                        incoming.write(sock.recv(65536))
                self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer)
                self.assertEqual(self.seen_by_the_origin(), CLIENT)

    def test_who_is_not_listed_is_not_believed(self):
        self.start()
        answer = self.ask(V1, source="127.0.0.2")
        self.assertEqual(answer.status, 400)
        self.assertEqual(self.upstream.requests, [])

    def test_who_is_listed_has_to_say_it(self):
        self.start()
        self.shut_out(b"", "proxy_header_malformed")  # a request, and nothing before it
        self.shut_out(V1.replace(b"56324", b"99999"), "proxy_header_malformed")
        self.shut_out(SIGNATURE + b"\x21\x12\0\x0c" + V2[16:], "proxy_header_malformed")
        wrong = V2[:14] + b"\0\x13" + V2[16:] + b"\x03\0\x04abcd"
        self.shut_out(wrong, "proxy_header_malformed")
        found = re.search(r'ringward_refusals_total\{reason="proxy_header_malformed"\} (\d+)', self.gateway.metrics())
        self.assertEqual(found and found[1], "4")
        self.assertEqual(self.upstream.requests, [])

    def test_within_the_time_of_a_handshake(self):
        self.start(BEHIND + 'timeouts.handshake = "300ms"\n')
        with Connection(self.raw(V1[:-1]), "localhost") as connection:
            self.assertTrue(connection.closed_within(harness.patience(10)))
        self.gateway.wait_for_access(reason="proxy_header_late", protocol="PROXY")

    def test_half_of_one_is_told_and_a_probe_is_not(self):
        self.start()
        self.raw(b"").close()
        self.raw(V2[:5]).close()
        self.gateway.wait_for_access(reason="proxy_header_incomplete")
        self.assertEqual(self.ask(V1).status, 200)
        self.gateway.wait_for_access(status=200)
        self.assertEqual([one["status"] for one in self.gateway.access if one["status"] == 0], [0])

    def test_bounds_are_those_of_the_client_that_is_named(self):
        self.start(BEHIND + "max_connections_per_client = 1\n")
        first = Connection(self.raw(V1), "localhost")
        self.assertEqual(first.request("GET", "/").status, 200)
        with Connection(self.raw(V1), "localhost") as second, self.assertRaises((Closed, OSError)):
            second.request("GET", "/")
        self.assertEqual(self.ask(V1.replace(b".9 ", b".8 ")).status, 200)
        self.assertEqual(first.request("GET", "/").status, 200)

    def test_curl(self):
        self.start()
        run = subprocess.run(["curl", "-s", "--haproxy-protocol", "http://%s:%d/" % self.gateway.address()[:2]],
                             capture_output=True, timeout=harness.patience(20), check=True)
        self.assertEqual(run.stdout, b"ok")
        self.assertEqual(self.seen_by_the_origin(), "127.0.0.1")

    def test_haproxy(self):
        for send in ("send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id,ssl"):
            with self.subTest(send):
                self.start(tls=True)
                balancer = HaProxy(self.directory, "%s:%d" % self.gateway.address()[:2], send)
                self.addCleanup(balancer.kill)
                sock = socket.create_connection(("127.0.0.1", balancer.port), timeout=harness.patience(10),
                                                source_address=("127.0.0.3", 0))
                secured = tls_context().wrap_socket(sock, server_hostname="localhost")
                with Connection(secured, "localhost") as connection:
                    self.assertEqual(connection.request("GET", "/").status, 200)
                self.assertEqual(self.seen_by_the_origin(), "127.0.0.3")
                # Its checks, several by now, are no failures.
                self.assertNotIn('reason="proxy_header', self.gateway.metrics())
                balancer.kill()
                self.gateway.stop()

    def test_a_unix_socket_has_no_such_peers(self):
        said = self.refused_start(configs.plain(listener=BEHIND).replace('"127.0.0.1:0"', '"unix:$dir/gate"'),
                                  origin="127.0.0.1:1")
        self.assertIn("has no peers at a unix socket", said)


class Behind(harness.SystemTest):
    def start(self, upstream, **values):
        return self.gate(configs.plain(upstream=upstream, listener='client_address_from = ["127.0.0.5/32"]\n'), **values)

    def connect(self, gate, source):
        sock = socket.create_connection(gate.address()[:2], timeout=harness.patience(10), source_address=(source, 0))
        self.addCleanup(sock.close)
        return Connection(sock, "localhost"), sock.getsockname()[1]

    def test_nginx_is_told_each_client_on_connections_of_its_own(self):
        nginx = Nginx(self.directory)
        self.addCleanup(nginx.kill)
        for version in ("v1", "v2"):
            with self.subTest(version):
                gate = self.start(f'send_proxy = "{version}"\nhealth = {{ path = "/", interval = "100ms" }}\n'
                                  '[server]\nworkers = 1\n', origin=nginx.behind_proxy)
                port = gate.address()[1]
                first, first_port = self.connect(gate, "127.0.0.3")
                second, second_port = self.connect(gate, "127.0.0.4")
                for number in (1, 2, 3):
                    answer = first.request("GET", "/").body.decode()
                    self.assertEqual(answer, f"127.0.0.3 {first_port} {port} {number}")
                    answer = second.request("GET", "/").body.decode()
                    self.assertEqual(answer, f"127.0.0.4 {second_port} {port} {number}")
                # Whom a trusted proxy names; of that one's port nothing is known: 0, which nginx shows as nothing.
                trusted, _ = self.connect(gate, "127.0.0.5")
                answer = trusted.request("GET", "/", {"x-forwarded-for": CLIENT}).body.decode()
                self.assertEqual(answer, f"{CLIENT}  {port} 1")
                gate.stop()
        # The gate's own checks speak for themselves.
        harness.eventually(lambda: re.search(r'"GET / HTTP/1.1" 200 .*ringward-check', self.read("nginx.log")))
        self.assertNotIn("broken header", self.read("nginx.err"))

    def read(self, name):
        return (self.directory / name).read_text()

    def test_idle_connections_of_those_who_left_make_room(self):
        nginx = Nginx(self.directory)
        self.addCleanup(nginx.kill)
        gate = self.start('send_proxy = "v2"\npool = { idle_per_worker = 2 }\n[server]\nworkers = 1\n',
                          origin=nginx.behind_proxy)
        for _ in range(5):
            client, port = self.connect(gate, "127.0.0.3")
            for number in (1, 2):
                self.assertEqual(client.request("GET", "/").body.decode(),
                                 f"127.0.0.3 {port} {gate.address()[1]} {number}")
            client.close()

    def test_one_gate_behind_another_by_tls(self):
        made = credentials.certificate()
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        inner = self.gate(configs.tls(listener=BEHIND, more='[admin]\nsocket = "$dir/inner.sock"\n'), origin=origin.address,
                          files={"cert.pem": made.chain, "key.pem": made.key})
        for version in ("v1", "v2"):
            outer = self.gate(configs.plain(
                upstream=f'send_proxy = "{version}"\ntls = {{ ca = "$dir/cert.pem", server_name = "localhost" }}\n'),
                origin="%s:%d" % inner.address()[:2], files={"cert.pem": made.chain, "key.pem": made.key})
            client, _ = self.connect(outer, "127.0.0.3")
            self.assertEqual(client.request("GET", "/").status, 200)
            self.assertEqual(origin.requests[-1].get("x-forwarded-for"), "127.0.0.3")
            inner.wait_for_access(status=200, client="127.0.0.3")
            outer.stop()


if __name__ == "__main__":
    harness.main()
