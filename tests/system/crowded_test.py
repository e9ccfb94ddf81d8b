"""A listener that is full: whoever has waited longest with nothing under way gives way to who comes."""

import re
import ssl
import threading

import configs
import credentials
import harness
from client import Closed, Connection, tls_context

MOST = 40


class Crowded(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.go = threading.Event()
        self.addCleanup(self.go.set)
        self.held = []
        self.addCleanup(lambda: [one.close() for one in self.held])
        self.upstream = self.origin(self.answer)

    def answer(self, c, request):
        if request.target == "/slow":
            self.go.wait(harness.patience(60))
        c.answer(200, b"ok")

    def start(self, workers=4, more=""):
        own = credentials.certificate("localhost")
        return self.gate(configs.plain(listener=f"max_connections = {MOST}\n{more}",
                                       more=f"[server]\nworkers = {workers}\n"),
                         origin=self.upstream.address,
                         files={"cert.pem": own.chain, "key.pem": own.key})

    def open(self, gate, count, served=True):
        made = [gate.connect() for _ in range(count)]
        self.held += made
        for one in made if served else ():
            self.assertEqual(one.request("GET", "/").status, 200)
        return made

    def counted(self, gate, name):
        return int(re.search(rf"^ringward_connections_{name}_total (\d+)$", gate.metrics(), re.M)[1])

    def served(self, connection):
        try:
            return connection.request("GET", "/").status == 200
        except (OSError, Closed):
            return False

    def come_in(self, gate):
        """One more, however long those who give way take to be gone."""
        def tried():
            one = gate.connect()
            self.held.append(one)
            return self.served(one) and one
        return harness.eventually(tried, 10, "a place")

    def test_who_has_waited_longest_gives_way(self):
        for workers in (1, 4):
            with self.subTest(workers=workers):
                gate = self.start(workers)
                old = self.open(gate, MOST)
                for gone in range(1, MOST // 2 + 1):
                    self.come_in(gate)
                    harness.eventually(lambda n=gone: self.counted(gate, "gave_way") >= n,
                                       what="somebody gives way")
                gave_way = self.counted(gate, "gave_way")
                # Those who came last before are still there, and those who came first are not.
                for one in old[gave_way + 4:]:
                    self.assertTrue(self.served(one))
                for one in old[:MOST // 2 - 4]:
                    self.assertTrue(one.closed_within(harness.patience(5)))
                gate.stop()

    def test_who_has_a_request_under_way_does_not(self):
        gate = self.start()
        busy = self.open(gate, MOST, served=False)
        for one in busy:
            one.send_request("GET", "/slow")
        harness.eventually(lambda: len(self.upstream.requests) == MOST, 20, "all are forwarded")
        for _ in range(20):
            with gate.connect() as surplus:
                self.assertTrue(surplus.closed_within(harness.patience(5)))
        self.assertEqual(self.counted(gate, "gave_way"), 0)
        self.assertEqual(self.counted(gate, "refused"), 20)
        self.go.set()
        for one in busy:
            self.assertEqual(one.read_response().status, 200)
        self.come_in(gate)

    def test_half_heads_and_silence_keep_nobody_out(self):
        gate = self.start(more='[listener.timeouts]\nhead = "10m"\n')
        for part in (b"", b"G", b"GET / HTTP/1.1\r\nHost: a\r\nX: "):
            with self.subTest(part):
                for _ in range(2 * MOST):
                    one = gate.connect()
                    self.held.append(one)
                    try:
                        one.send(part)
                    except OSError:
                        pass
                for _ in range(5):
                    self.come_in(gate)
        self.assertGreater(self.counted(gate, "gave_way"), 0)
        harness.eventually(lambda: {line["reason"] for line in gate.access if line["status"] != 200}
                           == {"gave_way"}, what="lines, and for no other reason")

    def come_and_say_no_more_than(self, part, gate):
        """Twice as many as there is room for."""
        for _ in range(2 * MOST):
            one = gate.connect()
            self.held.append(one)
            try:
                one.send(part)
            except OSError:
                pass

    def test_balancers_that_never_say_for_whom_keep_nobody_out(self):
        gate = self.start(more='proxy_protocol_from = ["127.0.0.0/8"]\n'
                               '[listener.timeouts]\nhandshake = "10m"\n')
        for part in (b"", b"PROXY TCP4 192"):
            with self.subTest(part):
                self.come_and_say_no_more_than(part, gate)

                def served():
                    with gate.connect() as one:
                        try:
                            one.send(b"PROXY TCP4 192.0.2.1 203.0.113.1 5000 443\r\n")
                        except OSError:
                            return False
                        return self.served(one)
                for _ in range(5):
                    harness.eventually(served, 10, "a place")
        self.assertGreater(self.counted(gate, "gave_way"), 0)
        harness.eventually(lambda: len(gate.access) >= 10, what="a line for each request")
        self.assertEqual({line["status"] for line in gate.access}, {200})

    def test_handshakes_that_do_not_end_keep_nobody_out(self):
        gate = self.start(more='[listener.timeouts]\nhandshake = "10m"\n' + configs.TLS)
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        self.come_and_say_no_more_than(hello, gate)

        def served():
            with gate.connect() as plain:
                try:
                    secured = tls_context().wrap_socket(plain.socket, server_hostname="localhost")
                except (ssl.SSLError, OSError):
                    return False
                with Connection(secured, "localhost") as connection:
                    return self.served(connection)
        for _ in range(5):
            harness.eventually(served, 10, "a place")
        self.assertGreater(self.counted(gate, "gave_way"), 0)


if __name__ == "__main__":
    harness.main()
