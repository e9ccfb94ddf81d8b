"""Times and floors a slow peer meets, and how long a connection to an origin is kept."""

import contextlib
import socket
import threading
import time

import client
import configs
import credentials
import harness

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = 64 << 20  # more than the sockets on the way hold


class Timeouts(harness.SystemTest):
    def start(self, script=None, encrypted=False, **parts):
        self.upstream = self.origin(script, **parts.pop("origin", {}))
        made = credentials.certificate()
        make = configs.tls if encrypted else configs.plain
        return self.gate(make(**parts), origin=self.upstream.address,
                         files={"cert.pem": made.chain, "key.pem": made.key})

    def cut(self, connection):
        """What comes until the end, which must not look like the end of an answer."""
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while data := connection.receive(1 << 20):
                got = (got + data)[-64:]
        self.assertFalse(got.endswith(b"0\r\n\r\n"), got)


class Total(Timeouts):
    """upstream.timeouts.total: an origin that is never silent for long has an end as well."""

    LIMITED = '[upstream.timeouts]\ntotal = "500ms"'

    def drip(self, c, _):
        c.send(CHUNKED)
        while True:  # until the gate ends it
            c.chunk(b"x")
            time.sleep(0.02)

    def test_before_the_answer(self):
        gate = self.start(lambda c, r: c.receive(), upstream=self.LIMITED)
        answer = gate.get("/")
        self.assertEqual(answer.status, 504)
        self.assertEqual(answer.get("content-type"), "application/problem+json")
        gate.wait_for_access(status=504, reason="upstream_total_timeout")

    def test_interim_answers_do_not_extend_it(self):
        def hint(c, _):
            for _ in range(10):
                c.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
                time.sleep(0.1)
            c.receive()
        gate = self.start(hint, upstream=self.LIMITED)
        self.assertEqual(gate.get("/").status, 504)

    def test_in_the_middle_of_the_answer(self):
        gate = self.start(self.drip, upstream=self.LIMITED)
        with gate.connect() as connection:
            connection.send_request("GET", "/")
            self.assertEqual(connection.read_head().status, 200)
            self.cut(connection)
        gate.wait_for_access(status=200, reason="upstream_total_timeout")

    def test_it_is_off_unless_written(self):
        def slowly(c, _):
            c.send(CHUNKED)
            for _ in range(40):
                c.chunk(b"x")
                time.sleep(0.02)
            c.send(b"0\r\n\r\n")
        gate = self.start(slowly, upstream='[upstream.timeouts]\ngap = "500ms"')
        self.assertEqual(gate.get("/").body, b"x" * 40)

    def test_a_byte_a_second_is_an_answer(self):
        """Head and body."""
        def a_byte_a_second(c, _):
            c.send(b"HTTP/1.1 200 O")
            for some in (b"K", b"\r", b"\nContent-Length: 3\r\n\r\n", b"1", b"2", b"3"):
                time.sleep(1)
                c.send(some)
        self.assertEqual(self.start(a_byte_a_second).get("/").body, b"123")


class Pool(Timeouts):
    def test_an_idle_connection_is_closed_after_its_time(self):
        closed = threading.Event()

        def serve(c):
            try:
                while True:
                    request = c.read_head()
                    self.upstream.requests.append(request)
                    c.answer(200, b"%d" % c.number)
            finally:
                closed.set()
        gate = self.start(origin={"per_connection": serve}, more="[server]\nworkers = 1\n",
                          upstream='[upstream.pool]\nidle_timeout = "400ms"')
        with gate.connect() as connection:
            for _ in range(3):
                self.assertEqual(connection.request("GET", "/").body, b"0")
            self.assertTrue(closed.wait(harness.patience(5)), "it stays open")
            self.assertEqual(connection.request("GET", "/").body, b"1")

    def test_requests_per_connection(self):
        gate = self.start(lambda c, r: c.answer(200, b"%d" % c.number),
                          upstream="[upstream.pool]\nrequests_per_connection = 3",
                          more="[server]\nworkers = 1\n")
        with gate.connect() as connection:
            numbers = [connection.request("GET", "/").body for _ in range(10)]
        self.assertEqual(numbers, [b"0"] * 3 + [b"1"] * 3 + [b"2"] * 3 + [b"3"])
        self.assertEqual(self.upstream.connections, 4)


class WriteGap(Timeouts):
    """listener.timeouts.write_gap: what is sent may not lie unread for longer."""

    def send(self, c, request):
        block = b"x" * (1 << 20)
        if request.target == "/length":
            c.send(HEAD % LARGE)
            for _ in range(LARGE >> 20):
                c.send(block)
        else:
            c.send(CHUNKED)
            for _ in range(LARGE >> 20):
                c.chunk(block)
            c.send(b"0\r\n\r\n")

    def narrow(self, gate, encrypted):
        """A connection whose receiving side holds little, so that not to read shows soon."""
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        raw.settimeout(harness.patience(30))
        raw.connect(gate.address())
        if encrypted:
            raw = client.tls_context().wrap_socket(raw, server_hostname="localhost")
        return client.Connection(raw, "localhost")

    def test_a_client_that_takes_nothing(self):
        for encrypted in (False, True):
            gate = self.start(self.send, encrypted,
                              listener='[listener.timeouts]\nwrite_gap = "500ms"\n')
            for target in ("/length", "/chunked"):
                with self.subTest(target, tls=encrypted), self.narrow(gate, encrypted) as one:
                    one.send_request("GET", target)
                    line = gate.wait_for_access(path=target, within=10)
                    self.assertEqual((line["status"], line.get("reason")),
                                     (200, "client_takes_nothing"))
                    self.cut(one)
            gate.stop()

    def test_a_slow_reader_is_not_taken_for_one(self):
        gate = self.start(self.send, listener='[listener.timeouts]\nwrite_gap = "1s"\n')
        with self.narrow(gate, False) as connection:
            connection.send_request("GET", "/length")
            self.assertEqual(connection.read_head().status, 200)
            left = LARGE
            for _ in range(30):  # three gaps long
                left -= len(connection.read_exactly(8192))
                time.sleep(0.1)
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            while left:
                data = connection.receive(min(left, 1 << 20))
                self.assertTrue(data, f"it ended {left} bytes early")
                left -= len(data)
        self.assertIsNone(gate.wait_for_access(path="/length").get("reason"))


class LeastRate(Timeouts):
    """listener.timeouts.least_rate: bytes a second over 10 s, either way, of bodies whose length is
    known. All at once, as each of them takes that long."""

    def setUp(self):
        super().setUp()
        self.enough = threading.Event()
        self.addCleanup(self.enough.set)

    def serve(self, c, request):
        if request.target == "/down":
            c.send(HEAD % LARGE)
            for _ in range(LARGE >> 20):
                c.send(b"x" * (1 << 20))
        elif request.target == "/stream":
            c.send(CHUNKED)
            while not self.enough.is_set():
                c.chunk(b"x")
                self.enough.wait(0.1)
            c.send(b"0\r\n\r\n")
        else:
            c.answer(200, b"%d" % len(c.read_body(request)))

    @staticmethod
    def ended(connection, going_on):
        """Whether that has come to an end: True, or what was said to it."""
        try:
            connection.socket.settimeout(0.05)
            return going_on() or False
        except TimeoutError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            return True

    def test_a_body_that_drips_is_ended_and_a_stream_is_not(self):
        gate = self.start(self.serve, listener='[listener.timeouts]\nleast_rate = "4MiB"\n',
                          origin={"read_body": False})
        with contextlib.ExitStack() as stack:
            up, chunks, down, stream = (stack.enter_context(gate.connect()) for _ in range(4))
            up.send_request("PUT", "/up", {"Content-Length": str(LARGE)})
            chunks.send_request("PUT", "/chunks", {"Transfer-Encoding": "chunked"})
            down.send_request("GET", "/down")
            stream.send_request("GET", "/stream")
            for one in (down, stream):
                self.assertEqual(one.read_head().status, 200)
            began = time.monotonic()
            ends, cut = {}, {}
            sent = [0]

            def drip_up():
                up.send(b"x" * 100)
                return up.receive() or True

            def drip_down():
                return not down.receive(8192)

            def go_on():
                """None of them is ever silent for long."""
                if "chunks" not in cut:
                    try:
                        chunks.send(b"1\r\nx\r\n")
                        sent[0] += 1
                    except (BrokenPipeError, ConnectionResetError) as error:
                        cut["chunks"] = error
                for name, one, step in (("up", up, drip_up), ("down", down, drip_down)):
                    if name not in ends and (end := self.ended(one, step)):
                        ends[name] = (end, time.monotonic() - began)
                time.sleep(0.02)
                return len(ends) == 2
            harness.eventually(go_on, within=40, what="the end of both")
            self.assertGreater(min(at for _, at in ends.values()), 9)
            said = ends["up"][0]  # an answer, or it was too late to be told
            self.assertTrue(said is True or said.startswith(b"HTTP/1.1 408 "), said)
            self.assertEqual(gate.wait_for_access(path="/up")["status"], 408)
            self.assertEqual([gate.wait_for_access(path=path)["reason"] for path in ("/up", "/down")],
                             ["body_too_slow", "client_takes_little"])
            self.assertIn('ringward_client_timeouts_total{deadline="least_rate"} 2\n',
                          gate.metrics())
            self.enough.set()
            stream.read_chunked(answer := client.Response())
            self.assertGreater(len(answer.body), 40)
            with self.subTest("a request body of unknown length is exempt too"):
                self.assertEqual(cut, {})
                chunks.send(b"0\r\n\r\n")
                self.assertEqual(chunks.read_response().body, b"%d" % sent[0])
        self.assertIsNone(gate.wait_for_access(path="/stream").get("reason"))


if __name__ == "__main__":
    harness.main()
