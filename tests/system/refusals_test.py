"""Bad input: a definite status, a closed connection, a reason in the log and a counter."""

import subprocess
import time

import configs
import harness

HOST = b"Host: a\r\n"

# name, what is sent, the statuses that are right
HEADS = [
    ("bare LF", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ("bare LF in a header", b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    ("bare CR in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n", 400),
    ("NUL in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\x00\r\n\r\n", 400),
    ("CTL in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\x01\r\n\r\n", 400),
    ("DEL in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\x7f\r\n\r\n", 400),
    ("CTL in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX\x01: y\r\n\r\n", 400),
    ("high octet in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX\xe9: y\r\n\r\n", 400),
    ("underscore in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX_Y: z\r\n\r\n", 400),
    ("empty name", b"GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", 400),
    ("no colon", b"GET / HTTP/1.1\r\nHost: a\r\nXY\r\n\r\n", 400),
    ("space before the colon", b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400),
    ("space before the first name", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("obs-fold", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400),
    ("obs-fold by a tab", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz\r\n\r\n", 400),
    ("no Host", b"GET / HTTP/1.1\r\nX: y\r\n\r\n", 400),
    ("two Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("a bad Host", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("a Host with userinfo", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    ("a Host with a bad port", b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400),
    ("a Host list", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("absolute-form of another host", b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("CL with TE", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("TE in HTTP/1.0", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"0\r\n\r\n", 400),
    ("two CLs", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
     400),
    ("equal CLs", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
     400),
    ("a CL list", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", 400),
    ("a signed CL", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", 400),
    ("a negative CL", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx", 400),
    ("a hexadecimal CL", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\nx", 400),
    ("an empty CL", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\nx", 400),
    ("an overflowing CL", b"POST / HTTP/1.1\r\nHost: a\r\n"
                          b"Content-Length: 18446744073709551617\r\n\r\nx", (400, 413)),
    ("TE of another coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
     (400, 501)),
    ("TE twice chunked", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                         b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400, 501)),
    ("TE list", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
                b"0\r\n\r\n", (400, 501)),
    ("TE identity", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
     (400, 501)),
    ("TE with a vertical tab", b"POST / HTTP/1.1\r\nHost: a\r\n"
                               b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    ("another expectation", b"POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n"
                            b"Content-Length: 0\r\n\r\n", (400, 417)),
    ("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", (400, 505)),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", (400, 505)),
    ("HTTP/0.9", b"GET /\r\n\r\n", 400),
    ("lower-case http", b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    ("two spaces", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a space in the target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a tab for a space", b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a space after the version", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("a bad method", b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a relative target", b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a high octet in the target", b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", (400, 405, 501)),
    ("an asterisk for GET", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a long target", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ("an endless target", b"GET /" + b"a" * 60000, (414, 431)),
    ("a long head", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40000 + b"\r\n\r\n", 431),
    ("many headers", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
    ("TLS to a plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 512, 400),
    ("HTTP/2 where it is not spoken", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
    ("a bad escape", b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
]

CHUNKS = [
    ("no size", b"\r\n"), ("a bad digit", b"g\r\n"), ("a signed size", b"+1\r\nx\r\n0\r\n\r\n"),
    ("0x", b"0x1\r\nx\r\n0\r\n\r\n"), ("space before", b" 1\r\nx\r\n0\r\n\r\n"),
    ("bare LF", b"1\nx\r\n0\r\n\r\n"), ("bare CR in an extension", b"1;a\rb\r\nx\r\n0\r\n\r\n"),
    ("NUL in an extension", b"1;a\x00\r\nx\r\n0\r\n\r\n"),
    ("too long", b"1\r\nxy\r\n0\r\n\r\n"), ("overflow", b"fffffffffffffffff\r\nx"),
    ("a bad trailer", b"0\r\nX : y\r\n\r\n"), ("a folded trailer", b"0\r\nX: y\r\n z\r\n\r\n"),
    ("an endless extension", b"1;" + b"a" * 100_000),
]


class Refusals(harness.SystemTest):
    def start(self, config=None):
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        return self.gate(config or configs.plain(), origin=self.upstream.address)

    def counted(self, gate):
        """All refusals by the counter: reason -> number."""
        lines = gate.metrics().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines
                 if line.startswith("ringward_refusals_total{"))
        return {name.split('"')[1]: int(value) for name, value in pairs}

    def refused(self, gate, data, statuses):
        """Sends it; the status must be one of these, the connection closed, the reason logged."""
        statuses = statuses if isinstance(statuses, tuple) else (statuses,)
        before = len(gate.access)
        with gate.connect() as connection:
            try:
                connection.send(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = connection.read_response()
            self.assertIn(answer.status, statuses)
            self.assertEqual(answer.get("connection", "").lower(), "close")
            self.assertTrue(connection.closed_within(harness.patience(5)), "it is left open")
        harness.eventually(lambda: len(gate.access) > before, what="a log line")
        self.assertEqual(len(gate.access), before + 1)
        entry = gate.access[before]
        self.assertEqual(entry["status"], answer.status)
        self.assertTrue(entry.get("reason"), entry)
        return entry["reason"]

    def test_malformed_heads(self):
        gate = self.start(configs.plain(listener='protocols = ["http/1.1"]'))
        reasons = {}
        for name, data, statuses in HEADS:
            with self.subTest(name):
                reason = self.refused(gate, data, statuses)
                reasons[reason] = reasons.get(reason, 0) + 1
        self.assertEqual(self.upstream.requests, [])
        self.assertGreater(len(reasons), 5, "the log does not tell them apart")
        counted = self.counted(gate)
        for reason, times in reasons.items():
            self.assertEqual(counted.get(reason), times, reason)

    def test_malformed_chunks(self):
        gate = self.start()
        for name, body in CHUNKS:
            with self.subTest(name):
                self.refused(gate, b"POST / HTTP/1.1\r\nHost: a\r\n"
                                   b"Transfer-Encoding: chunked\r\n\r\n" + body, 400)
        self.assertEqual(self.upstream.requests, [])

    def test_nothing_after_a_refusal_is_read(self):
        gate = self.start()
        for name, data, statuses in HEADS[:30]:
            with self.subTest(name):
                self.refused(gate, data + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", statuses)
        self.assertEqual(self.upstream.requests, [])

    def test_what_is_odd_but_right_passes(self):
        gate = self.start()
        for name, data in (
                ("lower-case names", b"GET / HTTP/1.1\r\nhost:a\r\n\r\n"),
                ("OWS", b"GET / HTTP/1.1\r\nHost: \t a \t \r\n\r\n"),
                ("obs-text", b"GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n"),
                ("TE with OWS", b"POST / HTTP/1.1\r\nHost: a\r\n"
                                b"Transfer-Encoding:\t chunked \r\n\r\n0\r\n\r\n"),
                ("TE in another case", b"POST / HTTP/1.1\r\nHost: a\r\n"
                                       b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"),
                ("an extension", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                                 b"\r\n1;a=\"b c\"\r\nx\r\n0\r\n\r\n"),
                ("a CRLF before", b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
                ("IPv6", b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
                ("a method of its own", b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n")):
            with self.subTest(name), gate.connect() as connection:
                connection.send(data)
                self.assertEqual(connection.read_response().status, 200)

    def test_no_route_and_no_such_method(self):
        gate = self.start(configs.plain(route='methods = ["GET", "POST"]').replace('"/"', '"/a"'))
        with gate.connect() as connection:
            self.assertEqual(connection.request("GET", "/other").status, 404)
            answer = connection.request("DELETE", "/a")
            self.assertEqual(answer.status, 405)
            allowed = {m.strip() for m in answer.get("allow").split(",")}
            self.assertLessEqual({"GET", "POST"}, allowed)
            self.assertNotIn("DELETE", allowed)
            self.assertEqual(connection.request("GET", "/a").status, 200)
        for status in (404, 405):
            self.assertTrue(gate.wait_for_access(status=status)["reason"])

    def test_a_slow_head(self):
        gate = self.start(configs.plain(listener='[listener.timeouts]\nhead = "1s"'))
        with gate.connect() as connection:
            start = time.monotonic()
            for octet in b"GET / HTTP/1.1\r\nHost: a":
                connection.send(bytes([octet]))
                time.sleep(0.02)
            self.assertEqual(connection.read_response().status, 408)
            self.assertLess(time.monotonic() - start, harness.patience(6))
            self.assertTrue(connection.closed_within(harness.patience(5)))
        self.assertTrue(gate.wait_for_access(status=408)["reason"])

    def test_an_idle_connection_ends_without_a_word(self):
        gate = self.start(configs.plain(listener='[listener.timeouts]\nkeepalive = "500ms"'))
        with gate.connect() as connection:
            self.assertEqual(connection.request("GET", "/").status, 200)
            self.assertTrue(connection.closed_within(harness.patience(5)))
        self.assertEqual([e["status"] for e in gate.access], [200])

    def test_a_body_that_is_too_large(self):
        gate = self.start(configs.plain(route='max_body = "10KiB"'))
        with gate.connect() as connection:
            connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10241\r\n\r\n")
            answer = connection.read_response()  # before a byte of the body is there
            self.assertEqual(answer.status, 413)
            if answer.get("connection", "").lower() != "close":  # then it must find the next head
                connection.send(b"x" * 10241)
                self.assertEqual(connection.request("GET", "/").status, 200)
                gate.wait_for_access(status=200)
        self.assertTrue(gate.wait_for_access(status=413)["reason"])
        self.upstream.requests.clear()
        self.refused(gate, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                           + b"400\r\n" + b"x" * 1024 + b"\r\n" + b"2800\r\n" + b"x" * 10240, 413)
        self.assertEqual(self.upstream.requests, [])
        self.assertEqual(gate.get("/", method="POST", body=b"x" * 10240).status, 200)

    def test_a_body_that_stops(self):
        gate = self.start(configs.plain(listener='[listener.timeouts]\nbody_gap = "500ms"'))
        self.refused(gate, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf", 408)

    def test_promtool_accepts_the_metrics(self):
        gate = self.start()
        gate.get("/")
        gate.get("/%00")
        text = gate.metrics().encode()
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, b""))
        for probe in ("/healthz", "/readyz"):
            self.assertEqual(gate.admin_get(probe).status, 200)

    def test_no_descriptor_is_left(self):
        gate = self.start()
        gate.get("/")
        before = gate.descriptors()
        for _, data, _ in HEADS * 2:
            with gate.connect() as connection:
                connection.send(data)
        harness.eventually(lambda: gate.descriptors() <= before + 1, what="every descriptor closed")


if __name__ == "__main__":
    harness.main()
