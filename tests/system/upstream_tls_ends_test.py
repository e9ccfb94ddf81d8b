"""How TLS to an origin ends, and begins again after the origin was restarted."""

import re
import ssl
import threading

import configs
import harness
from client import Closed
from credentials import Authority


class Ends(harness.SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.made = cls.authority.issue("127.0.0.1")

    def context(self, version=None):
        """A new one has new keys for its tickets."""
        self.write("origin.pem", self.made.chain)
        self.write("origin.key", self.made.key)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.directory / "origin.pem", self.directory / "origin.key")
        if version:
            made.maximum_version = version
        return made

    def start(self, answer, upstream="", version=None):
        """An origin that answers by answer(connection, request) until that says it is enough, and
        then notes how its client ends: "close_notify" or "cut"."""
        self.ends, self.resumed = [], []
        self.serving = self.context(version)

        def serve(c):
            c.socket = self.serving.wrap_socket(c.socket, server_side=True,
                                                suppress_ragged_eofs=False)
            self.resumed.append(c.socket.session_reused)
            try:
                while answer(c, c.read_head()):
                    pass
                while c.socket.recv(65536):
                    pass
                self.ends.append("close_notify")
            except Closed:  # before another head
                self.ends.append("close_notify")
            except (ssl.SSLError, OSError):
                self.ends.append("cut")
        self.upstream = self.origin(None, per_connection=serve)
        return self.gate(configs.plain(
            upstream=f'{upstream}\n[upstream.tls]\nca = "$dir/ca.pem"\n',
            more="[server]\nworkers = 1\n"),
            origin=self.upstream.address, files={"ca.pem": self.authority.root})

    def ends_by(self, *wanted):
        harness.eventually(lambda: len(self.ends) == len(wanted), within=10, what="the ends")
        self.assertEqual(self.ends, list(wanted))

    def test_an_answer_that_is_the_last_one(self):
        """The origin leaves it to the gate to go first."""
        gate = self.start(lambda c, r: c.answer(200, b"ok", {"Connection": "close"}))
        for _ in range(3):
            self.assertEqual(gate.get("/").status, 200)
        self.ends_by(*["close_notify"] * 3)

    def test_a_connection_that_has_served_for_long_enough(self):
        gate = self.start(lambda c, r: c.answer(200, b"ok") or True,
                          "[upstream.pool]\nrequests_per_connection = 2")
        for _ in range(4):
            self.assertEqual(gate.get("/").status, 200)
        self.ends_by("close_notify", "close_notify")

    def test_an_answer_that_does_not_come(self):
        gate = self.start(lambda c, r: False,
                          '[upstream.timeouts]\nfirst_byte = "300ms"')
        self.assertEqual(gate.get("/", method="POST", body=b"").status, 504)
        self.ends_by("close_notify")

    def test_the_gate_goes(self):
        gate = self.start(lambda c, r: c.answer(200, b"ok") or True)
        self.assertEqual(gate.get("/").status, 200)
        gate.stop()
        self.ends_by("close_notify")

    def test_a_client_that_leaves_in_the_middle_cuts_it(self):
        """Nobody may take what was cut off for complete."""
        more = threading.Event()

        def half(c, _):
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            more.set()
        gate = self.start(half)
        with gate.connect() as one:
            one.send_request("GET", "/")
            self.assertEqual(one.read_head().status, 200)
            self.assertTrue(more.wait(harness.patience(5)))
        self.ends_by("cut")

    def test_an_origin_that_was_restarted_refuses_tickets_and_no_request_fails(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                gate = self.start(lambda c, r: c.answer(200, b"ok", {"Connection": "close"}),
                                  "[upstream.retry]\nattempts = 1", version)
                for _ in range(3):
                    self.serving = self.context(version)
                    before = len(self.resumed)
                    for _ in range(4):
                        self.assertEqual(gate.get("/", method="POST", body=b"").status, 200)
                    self.assertFalse(self.resumed[before])
                    self.assertTrue(self.resumed[before + 3])
                failed = re.findall(r'handshakes_total\{.*result="failed"\} (\d+)', gate.metrics())
                self.assertEqual(failed, ["0"])
                gate.stop()


if __name__ == "__main__":
    harness.main()
