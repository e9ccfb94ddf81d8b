"""Every deadline is told apart: the status, the reason in the log, the metric, `ringward status`."""

import contextlib
import re
import socket
import threading
import time

import client
import configs
import credentials
import harness

SHORT = '"300ms"'
SERVERS = ("connect", "tls", "first_byte", "gap", "total")
CLIENTS = ("handshake", "head", "body_gap", "write_gap", "least_rate")
RESPOND = """
[[route]]
name = "large"
path = "/large"
action = "respond"
body = "%s"
auth = []
""" % ("x" * (1 << 20))


class Deadlines(harness.SystemTest):
    def start(self, script=None, text=None, origin=None, **options):
        """A gate in front of a scripted origin, or of the address `origin`."""
        self.upstream = None if origin else self.origin(script, **options)
        made = credentials.certificate()
        return self.gate(text or configs.plain(), origin=origin or self.upstream.address,
                         files={"cert.pem": made.chain, "key.pem": made.key})

    @staticmethod
    def timeouts(**of):
        return "[upstream.timeouts]\n" + "".join(f"{k} = {v}\n" for k, v in of.items())

    def narrow(self, gate):
        """A connection whose receiving side holds little."""
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        raw.settimeout(harness.patience(30))
        raw.connect(gate.address())
        return client.Connection(raw, "localhost")

    def status(self):
        done = harness.ringward("status", "--socket", self.directory / "admin.sock")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def told(self, gate, which, **access):
        """One miss of that deadline, and of no other, wherever such are told."""
        line = gate.wait_for_access(**access)
        metrics = gate.metrics()
        counted = re.findall(r'_timeouts_total\{.*deadline="(\w+)"\} ([1-9]\d*)$', metrics, re.M)
        self.assertEqual(counted, [(which, "1")])
        if access.get("reason"):
            self.assertIn(f'ringward_refusals_total{{reason="{access["reason"]}"}} 1\n', metrics)
        said = [x.split(None, 1)[1] for x in self.status().splitlines() if x.startswith("timeouts")]
        whose = "upstream origin" if which in SERVERS else "clients"
        self.assertEqual(said, [f"{whose}: {which} 1"])
        return line


class OfServers(Deadlines):
    """upstream.timeouts, each with a status of its own where the client can still have one."""

    def test_all_of_them_are_there_from_the_start(self):
        gate = self.start(lambda c, r: c.answer(200))
        metrics = gate.metrics()
        for which in SERVERS:
            self.assertIn("ringward_upstream_server_timeouts_total{upstream=\"origin\",server=\""
                          f"{self.upstream.address}\",deadline=\"{which}\"}} 0\n", metrics)
        for which in CLIENTS:
            self.assertIn(f'ringward_client_timeouts_total{{deadline="{which}"}} 0\n', metrics)
        self.assertNotIn("timeouts", self.status())

    def full_listener(self):
        """An address whose queue of connections is full: what comes next is not answered."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(listener.close)
        address = listener.getsockname()
        for _ in range(10):
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.settimeout(0.2)
            try:
                waiting.connect(address)
            except TimeoutError:
                return f"127.0.0.1:{address[1]}"
        self.fail("its queue does not fill")

    def post(self, gate):
        """A method that is not tried twice: one miss is one."""
        return gate.get("/", method="POST", body=b"x").status

    def test_connect(self):
        text = configs.plain(upstream=self.timeouts(connect=SHORT) + "[upstream.retry]\nattempts = 1")
        gate = self.start(text=text, origin=self.full_listener())
        self.assertEqual(self.post(gate), 504)
        self.told(gate, "connect", status=504, reason="upstream_connect_timeout")

    def test_tls(self):
        done = threading.Event()
        gate = self.start(per_connection=lambda c: done.wait(60), text=configs.plain(
            upstream=self.timeouts(connect=SHORT) + "[upstream.retry]\nattempts = 1\n"
            "[upstream.tls]\nverify = false"))
        self.addCleanup(done.set)
        self.assertEqual(self.post(gate), 504)
        self.told(gate, "tls", status=504, reason="upstream_tls_timeout")

    def test_first_byte(self):
        gate = self.start(lambda c, r: c.receive(),
                          configs.plain(upstream=self.timeouts(first_byte=SHORT)))
        self.assertEqual(self.post(gate), 504)
        self.told(gate, "first_byte", status=504, reason="upstream_first_byte_timeout")

    def test_gap_within_an_answer(self):
        def half(c, _):
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            c.receive()
        gate = self.start(half, configs.plain(upstream=self.timeouts(gap=SHORT)))
        with self.assertRaises((client.Closed, ConnectionResetError)):
            gate.get("/")
        self.told(gate, "gap", status=200, reason="upstream_body_timeout")

    def test_gap_of_a_server_that_does_not_read(self):
        done = threading.Event()
        gate = self.start(lambda c, r: done.wait(60), read_body=False,
                          text=configs.plain(upstream=self.timeouts(gap=SHORT)))
        self.addCleanup(done.set)
        with gate.connect() as one:
            one.send_request("POST", "/", {"Content-Length": str(64 << 20)})
            sending = threading.Thread(target=self.flood, args=(one,))
            sending.start()
            self.told(gate, "gap", status=504, reason="upstream_takes_nothing")
            sending.join()

    @staticmethod
    def flood(one):
        try:
            for _ in range(64):
                one.send(b"x" * (1 << 20))
        except OSError:
            pass  # the gate has answered and gone

    def test_total(self):
        gate = self.start(lambda c, r: c.receive(),
                          configs.plain(upstream=self.timeouts(total=SHORT)))
        self.assertEqual(self.post(gate), 504)
        self.told(gate, "total", status=504, reason="upstream_total_timeout")

    def test_total_within_an_answer(self):
        gone = threading.Event()

        def drip(c, _):
            c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while not gone.wait(0.02):
                c.chunk(b"x")
        gate = self.start(drip, configs.plain(upstream=self.timeouts(total=SHORT)))
        self.addCleanup(gone.set)
        with self.assertRaises((client.Closed, ConnectionResetError)):
            gate.get("/")
        self.told(gate, "total", status=200, reason="upstream_total_timeout")


class OfClients(Deadlines):
    """listener.timeouts: who is slow is not the server's fault, and each way has its own reason."""

    def listener(self, **of):
        return "[listener.timeouts]\n" + "".join(f"{k} = {v}\n" for k, v in of.items())

    def test_handshake(self):
        gate = self.start(lambda c, r: c.answer(200),
                          configs.tls(listener=self.listener(handshake=SHORT)))
        with gate.connect() as silent:
            self.assertTrue(silent.closed_within(harness.patience(10)))
        self.told(gate, "handshake", reason="tls_timeout")

    def test_head(self):
        gate = self.start(lambda c, r: c.answer(200), configs.plain(self.listener(head=SHORT)))
        with gate.connect() as slow:
            slow.send(b"GET / HTTP/1.1\r\n")
            self.assertEqual(slow.read_response().status, 408)
        self.told(gate, "head", status=408, reason="slow_head")

    def test_body_gap(self):
        gate = self.start(lambda c, r: c.receive(), read_body=False, text=configs.plain(
            self.listener(body_gap=SHORT)))
        with gate.connect() as slow:
            slow.send_request("POST", "/", {"Content-Length": "10"}, b"half")
            self.assertEqual(slow.read_response().status, 408)
        self.told(gate, "body_gap", status=408, reason="body_timeout")

    def test_write_gap_in_an_answer_of_the_origin(self):
        def much(c, _):
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 << 20))
            for _ in range(64):
                c.send(b"x" * (1 << 20))
        gate = self.start(much, configs.plain(self.listener(write_gap=SHORT)))
        with self.narrow(gate) as one:
            one.send_request("GET", "/much")
            self.told(gate, "write_gap", status=200, reason="client_takes_nothing")

    def test_write_gap_in_interim_answers(self):
        """Half a head can be followed by nothing: a final one would be taken for its rest."""
        hint = b"HTTP/1.1 103 Early Hints\r\nLink: </%b>\r\n\r\n" % (b"a" * 15_000)

        def hints(c, _):
            c.send(hint * 16)
            c.answer(200)
        gate = self.start(hints, configs.plain(self.listener(write_gap=SHORT)))
        with self.narrow(gate) as one:
            for _ in range(60):
                one.send_request("GET", "/hints")
            self.told(gate, "write_gap", status=499, reason="client_takes_nothing")

    def test_write_gap_in_an_answer_of_ours(self):
        text = configs.plain(self.listener(write_gap=SHORT))
        gate = self.start(lambda c, r: c.answer(200),
                          text.replace(configs.ROUTE, RESPOND + configs.ROUTE))
        with self.narrow(gate) as one:
            for _ in range(16):
                one.send_request("GET", "/large")
            self.told(gate, "write_gap", status=200, reason="client_takes_nothing")


class Blame(Deadlines):
    """What a client takes its time for must not take a server out, whoever else needs that."""

    def states(self):
        done = harness.ringward("upstreams", "--socket", self.directory / "admin.sock")
        return [line.split()[2] for line in done.stdout.splitlines()[1:]]

    def start_two(self, script, **options):
        others = self.origin(script, **options)
        gate = self.start(script, configs.plain(
            upstream=self.timeouts(total=SHORT) +
            "[upstream.health]\neject_after = 1").replace(
                '"$origin" }', f'"$origin" }}, {{ address = "{others.address}" }}'), **options)
        return gate

    def test_a_slow_upload_that_takes_all_the_time(self):
        gate = self.start_two(lambda c, r: c.receive(), read_body=False)
        for i in range(6):
            with gate.connect() as slow:
                slow.send_request("POST", f"/{i}", {"Content-Length": "10"}, b"half")
                self.assertEqual(slow.read_response().status, 504)
            gate.wait_for_access(path=f"/{i}", reason="upstream_total_timeout")
        self.assertEqual(self.states(), ["up", "up"])

    def test_a_slow_reader_that_takes_all_the_time(self):
        def much(c, _):
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 << 20))
            for _ in range(64):
                c.send(b"x" * (1 << 20))
        gate = self.start_two(much)
        for i in range(6):
            with self.narrow(gate) as slow:
                slow.send_request("GET", f"/{i}")
                self.assertEqual(slow.read_head().status, 200)
                got = 0
                with contextlib.suppress(client.Closed, ConnectionResetError):
                    while got < 64 << 20 and (data := slow.receive(8192)):
                        got += len(data)
                        time.sleep(0.01)
                self.assertLess(got, 64 << 20)
            gate.wait_for_access(path=f"/{i}", status=200, reason="upstream_total_timeout")
        self.assertEqual(self.states(), ["up", "up"])
        self.assertIn('timeouts      upstream origin: total 6', self.status())

    def test_a_server_that_ends_an_upload_it_does_not_want(self):
        """Its answer may be lost to the reset: the next client is not to suffer for that."""
        gate = self.start_two(lambda c, r: c.reset(), read_body=False)
        for i in range(6):
            with gate.connect() as one:
                one.send_request("POST", f"/{i}", {"Content-Length": str(1 << 20)}, b"x" * 1000)
                self.assertEqual(one.read_response().status, 502)
            gate.wait_for_access(path=f"/{i}", status=502)
        self.assertEqual(self.states(), ["up", "up"])
        # One that ends what it has in full does not serve.
        self.assertEqual(gate.get("/", method="POST", body=b"x").status, 502)
        harness.eventually(lambda: sorted(self.states()) == ["ejected", "up"])

    def test_a_server_that_takes_all_the_time_is_to_blame(self):
        gate = self.start_two(lambda c, r: c.receive())
        self.assertEqual(gate.get("/", method="POST", body=b"x").status, 504)
        harness.eventually(lambda: sorted(self.states()) == ["ejected", "up"])


if __name__ == "__main__":
    harness.main()
