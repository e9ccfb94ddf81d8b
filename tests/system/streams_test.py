"""Server-sent events through the gate: nothing held back, heartbeats, ends that are told, clients that
go away."""

import contextlib
import threading
import time

import client
import configs
import credentials
import harness

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PING = b": ping\n\n"
ERROR = (b'event: error\ndata: {"type":"about:blank","title":"Unauthorized","status":401,'
         b'"error":"unauthorized"}\n\n')


def read_chunk(stream):
    size = int(stream.read_until(b"\r\n").split(b";")[0], 16)
    return stream.read_exactly(size + 2)[:-2]


def wait_until_gone(c):
    """Until the other side has gone, in order or by a reset."""
    with contextlib.suppress(OSError):
        c.read_to_end()


class Streams(harness.SystemTest):
    def start(self, script, config=None, **options):
        self.upstream = self.origin(script, **options)
        self.gateway = self.gate(config or configs.plain(), origin=self.upstream.address)
        return self.gateway

    def stream(self, target="/", **options):
        one = self.gateway.connect(**options)
        self.addCleanup(one.close)
        one.send_request("GET", target)
        return one


class Events(Streams):
    def test_each_write_is_there_before_the_next_one(self):
        """The origin writes an event only when the client has told it of the one before: one that is held
        back, or waits for another, would end it."""
        seen = threading.Semaphore(0)
        count, delays = 300, []

        def script(c, request):
            c.send(HEAD)
            for i in range(count):
                self.wrote = time.monotonic()
                c.chunk(b"data: %d\n\n" % i)
                if not seen.acquire(timeout=harness.patience(20)):
                    raise AssertionError(f"event {i} did not come")
            c.send(b"0\r\n\r\n")
        self.start(script)
        one = self.stream()
        self.assertEqual(one.read_head().status, 200)
        for i in range(count):
            self.assertEqual(read_chunk(one), b"data: %d\n\n" % i)
            delays.append(time.monotonic() - self.wrote)
            seen.release()
        self.assertEqual(one.read_until(b"0\r\n\r\n"), b"0\r\n\r\n")
        if harness.VERBOSE:
            delays.sort()
            print(f"from write to read: median {delays[150] * 1e6:.0f} us, p99 {delays[297] * 1e6:.0f} us")

    def test_gap_ends_silence_and_nothing_else_does(self):
        def script(c, request):
            c.send(HEAD)
            for _ in range(6 if request.target == "/talks" else 0):
                c.chunk(b"data: x\n\n")
                time.sleep(harness.patience(0.4))
            if request.target == "/talks":
                c.send(b"0\r\n\r\n")
            else:
                wait_until_gone(c)
        gap = f'timeouts.gap = "{int(harness.patience(1000))}ms"'
        self.start(script, configs.plain(upstream=gap, route=f'heartbeat = "{int(harness.patience(200))}ms"'))
        talks, silent = self.stream("/talks"), self.stream("/silent")
        self.assertEqual(talks.read_response().body.replace(PING, b""), b"data: x\n\n" * 6)
        self.assertEqual(silent.read_head().status, 200)
        said = b""  # heartbeats are no word of the origin's
        with self.assertRaises((client.Closed, OSError)):
            while True:
                said += silent.read_exactly(1)
        self.assertIn(PING, said)
        self.assertNotIn(b"0\r\n\r\n", said)
        self.assertEqual(self.gateway.wait_for_access(path="/silent")["reason"], "upstream_body_timeout")


class Heartbeats(Streams):
    ROUTE = 'heartbeat = "100ms"'

    def start(self, script, config=None, **options):
        return super().start(script, config or configs.plain(route=self.ROUTE), **options)

    def test_into_silence_between_events_only(self):
        go_on = threading.Event()

        def script(c, request):
            c.send(HEAD)
            # Half an event, in halves of chunks: what belongs together is not torn apart.
            c.send(b"e\r\ndata: ")
            go_on.wait(20)
            c.send(b"one\ndata\r\n5\r\n: two\r\n1\r\n\n\r\n")
            time.sleep(0.5)
            c.send(b"1\r\n\n\r\n")
            wait_until_gone(c)
        self.start(script)
        one = self.stream()
        one.read_head()
        got = read_chunk(one)
        self.assertIn(got, (b"", b"data: ", PING))
        while got == PING:  # before the first event
            got = read_chunk(one)
        self.assertEqual(got, b"data: ")
        self.assertFalse(one.closed_within(0.5))
        go_on.set()
        said = b""
        while said.count(PING) < 3:
            said += read_chunk(one)
        self.assertTrue(said.startswith(b"one\ndata: two\n\n" + PING), said)
        self.assertEqual(said.replace(PING, b""), b"one\ndata: two\n\n")

    def test_before_the_first_event_and_to_a_client_of_http_1_0(self):
        def script(c, request):
            c.send(HEAD)
            wait_until_gone(c)
        self.start(script)
        one = self.stream()
        one.read_head()
        self.assertEqual([read_chunk(one) for _ in range(3)], [PING] * 3)
        with self.gateway.connect() as old:
            old.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            head = old.read_head()
            self.assertEqual((head.get("transfer-encoding"), head.get("connection")), (None, "close"))
            self.assertEqual(old.read_exactly(3 * len(PING)), PING * 3)

    def test_into_nothing_else(self):
        event = b"data: x\n\n"
        answers = {
            "/plain": (b"Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n", b"\r\n0\r\n\r\n"),
            "/coded": (b"Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
                       b"Transfer-Encoding: chunked\r\n\r\n9\r\n", b"\r\n0\r\n\r\n"),
            "/long": (b"Content-Type: text/event-stream\r\nContent-Length: 18\r\n\r\n", event),
        }

        def script(c, request):
            before, after = answers[request.target]
            c.send(b"HTTP/1.1 200 OK\r\n" + before + event)
            time.sleep(0.5)
            c.send(after)
        self.start(script)
        for target in answers:
            with self.subTest(target):
                body = self.gateway.get(target).body
                self.assertEqual(body, event * (2 if target == "/long" else 1))


class Ends(Streams):
    CONFIG = """
[admin]
socket = "$dir/admin.sock"
address = "127.0.0.1:0"
[[listener]]
name = "main"
address = "127.0.0.1:0"
timeouts.write_gap = "10m"
[[upstream]]
name = "origin"
servers = [{ address = "$origin" }]
[auth.api_keys]
file = "$dir/keys"
[auth.jwt.main]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
leeway = "1s"
[[route]]
name = "all"
path_prefix = "/"
upstream = "origin"
auth = ["api_keys", "jwt:main"]
end_at_expiry = true
heartbeat = "100ms"
"""

    def setUp(self):
        super().setUp()
        self.signer = credentials.SigningKey("ES256", kid="key-1")
        self.key, line = harness.new_key("alice")
        self.sent = float("inf")
        self.upstream = self.origin(self.serve)
        self.gateway = self.gate(self.CONFIG, origin=self.upstream.address, files={
            "keys": line + "\n", "jwks.json": credentials.key_set(self.signer)})

    def serve(self, c, request):
        if request.target == "/flood":
            c.send(HEAD)
            with contextlib.suppress(OSError):
                while True:
                    c.chunk(b"data: " + b"x" * 1000 + b"\n\n")
                    self.sent = time.monotonic()
            return
        begun = {"/event": b"data: 1\n\n", "/half": b"data: 1\n\ndata: 2", "/plain": b"data: 1\n\n"}[request.target]
        c.send(HEAD.replace(b"text/event-stream", b"text/plain") if request.target == "/plain" else HEAD)
        c.chunk(begun)
        wait_until_gone(c)

    def begin(self, target, header):
        one = self.gateway.connect()
        self.addCleanup(one.close)
        one.send_request("GET", target, [header])
        self.assertEqual(one.read_head().status, 200)
        read_chunk(one)
        return one

    @staticmethod
    def after_pings(stream):
        while (got := read_chunk(stream)) == PING:
            pass
        return got

    def test_who_takes_nothing_is_cut_off(self):
        one = self.gateway.connect()
        self.addCleanup(one.close)
        one.send_request("GET", "/flood", [("x-api-key", self.key)])
        # The origin has more to say than there is room for: it is sent nothing once the client takes nothing.
        harness.eventually(lambda: time.monotonic() - self.sent > 1, what="an origin that cannot send")
        done = harness.ringward("revoke", "identity", "alice", "--socket", f"{self.directory}/admin.sock")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.gateway.wait_for_access(path="/flood")["reason"], "revoked")

    def test_revoked_it_ends_with_an_error_where_one_can_stand(self):
        key = ("x-api-key", self.key)
        streams = {target: self.begin(target, key) for target in ("/half", "/plain")}
        told = [self.begin("/event", key) for _ in range(20)]  # so that one is being sent a heartbeat, too
        done = harness.ringward("revoke", "identity", "alice", "--socket", f"{self.directory}/admin.sock")
        self.assertEqual(done.returncode, 0, done.stderr)
        for one in told:
            self.assertEqual(self.after_pings(one), ERROR)
            self.assertEqual(one.read_to_end(), b"0\r\n\r\n")
        for target in ("/half", "/plain"):  # cut off: half an event is not to be taken for a whole one
            with self.assertRaises((client.Closed, OSError)):
                streams[target].read_exactly(1)
        for target in (*streams, "/event"):
            line = self.gateway.wait_for_access(path=target)
            self.assertEqual((line["status"], line["reason"]), (200, "revoked"))

    def test_expired_it_does_too(self):
        token = self.signer.sign(credentials.claims("carol", exp=int(time.time() + harness.patience(3))))
        one = self.begin("/event", ("authorization", f"Bearer {token}"))
        self.assertEqual(self.after_pings(one), ERROR)
        self.assertEqual(one.read_to_end(), b"0\r\n\r\n")
        self.assertEqual(self.gateway.wait_for_access(path="/event")["reason"], "token_expired")


class Departures(Streams):
    def test_the_origin_sees_it_at_once_before_its_first_byte_too(self):
        """Within a turn of the loop: 50 ms are plenty, and the median of ten is what a busy machine leaves."""
        ended, waits = threading.Semaphore(0), threading.Semaphore(0)

        def script(c, request):
            if request.target == "/event":
                c.send(HEAD)
                c.chunk(b"data: 1\n\n")
            waits.release()
            wait_until_gone(c)
            self.saw = time.monotonic()
            ended.release()
        self.start(script)
        for target in ("/silent", "/event"):
            took = []
            for how in ("close", "reset") * 5:
                one = self.stream(target)
                self.assertTrue(waits.acquire(timeout=harness.patience(10)))
                if target == "/event":
                    one.read_until(b"data: 1\n\n\r\n")
                left = time.monotonic()
                getattr(one, how)()
                self.assertTrue(ended.acquire(timeout=harness.patience(10)))
                took.append(self.saw - left)
            median = sorted(took)[5]
            if harness.VERBOSE:
                print(f"{target}: noticed after {median * 1e3:.2f} ms")
            self.assertLess(median, harness.patience(0.05), took)
            self.assertEqual(self.gateway.wait_for_access(path=target)["reason"], "client_closed")

    def test_one_that_leaves_while_it_uploads(self):
        begun, ended = threading.Event(), threading.Event()

        def script(c, request):
            c.read_exactly(10)
            begun.set()
            wait_until_gone(c)
            ended.set()
        self.start(script, read_body=False)
        with self.gateway.connect() as one:
            one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n0123456789")
            self.assertTrue(begun.wait(harness.patience(10)))
        self.assertTrue(ended.wait(harness.patience(10)))


if __name__ == "__main__":
    harness.main()
