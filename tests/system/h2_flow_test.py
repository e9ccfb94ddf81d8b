"""What the streams of one HTTP/2 connection owe each other: flow control both ways, ends that one has and the others
go on from, trailers, and a gate that stops while they run. With python3-h2; with curl and nghttp, too."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import threading
import time
import unittest

import h2_case
import h2_client
import harness

CANCEL = 8
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
UNREAD = 'timeouts.write_gap = "10m"'


def wait_until_gone(c):
    """Until the other side has gone, in order or by a reset."""
    with contextlib.suppress(OSError):
        c.read_to_end()


class FlowControl(h2_case.Http2):
    def test_who_does_not_read_holds_up_nobody_else(self):
        """20 streams with answers of 2 MB that their client does not take: little of that may be in the gate, and
        others go by. Read at last, they are whole."""
        size, stuck = 2 << 20, 20

        def script(c, request):
            with contextlib.suppress(OSError):
                c.answer(200, bytes(size if request.target == "/long" else 60_000))
        gate = self.start(script, tls=False, listener=UNREAD)
        with h2_client.connect(gate, tls=False, automatic_window=False) as one:
            one.h2.increment_flow_control_window(1 << 28)
            one.request("GET", "/")
            before = gate.resident_bytes()
            long = [one.begin("GET", "/long") for _ in range(stuck)]
            one.until(lambda: all(len(one.answers[i].body) == 65535 for i in long))
            began = time.monotonic()
            for _ in range(20):
                self.assertEqual(len(one.request("GET", "/").body), 60_000)
            self.assertLess(time.monotonic() - began, harness.patience(5))
            self.assertLess(gate.resident_bytes() - before, stuck * (512 << 10))
            self.assertTrue(all(len(one.answers[i].body) == 65535 for i in long))
            for i in long[:3]:
                one.h2.increment_flow_control_window(size, i)
            one.flush()
            for i in long[:3]:
                self.assertEqual((len(one.answer(i).body), one.answers[i].ended), (size, True))

    def test_a_slow_origin_holds_back_its_upload_alone(self):
        go_on = threading.Event()

        def script(c, request):
            if request.target == "/slow":
                go_on.wait(harness.patience(60))
            c.answer(200, b"%d" % len(c.read_body(request)))
        gate = self.start(script, tls=False, origin={"read_body": False})
        with h2_client.connect(gate, tls=False) as one:
            slow = one.begin("POST", "/slow", body=None)
            sent = shut = 0
            while shut < 5:  # since sockets on the way take some, too
                window = one.h2.local_flow_control_window(slow)
                shut = shut + 1 if window == 0 else 0
                one.send(slow, bytes(window))
                sent += window
                self.assertLess(sent, 32 << 20)
                self.assertEqual(one.request("POST", "/", body=bytes(200_000)).body, b"200000")
            go_on.set()
            one.send(slow, bytes(1 << 20), last=True)
            self.assertEqual(one.answer(slow).body, b"%d" % (sent + (1 << 20)))

    def test_write_gap_ends_one_stream_alone(self):
        gap = harness.patience(0.5)

        def script(c, request):
            if request.target == "/events":
                c.send(EVENTS)
                for _ in range(8):
                    c.chunk(b"data: 1\n\n")
                    time.sleep(gap / 2)
                return c.send(b"0\r\n\r\n")
            return c.answer(200, bytes(1 << 20))
        gate = self.start(script, tls=False, listener=f'timeouts.write_gap = "{int(gap * 1000)}ms"')
        with h2_client.connect(gate, tls=False, automatic_window=False) as one:
            one.h2.increment_flow_control_window(1 << 28)
            events, stuck = one.begin("GET", "/events"), one.begin("GET", "/stuck")
            answer = one.answer(stuck)
            self.assertEqual((len(answer.body), answer.ended, answer.reset), (65535, False, CANCEL))
            answer = one.answer(events)  # goes on
            self.assertEqual((answer.body, answer.ended), (b"data: 1\n\n" * 8, True))
        line = gate.wait_for_access(path="/stuck")
        self.assertEqual((line["status"], line["reason"]), (200, "client_takes_nothing"))


class Windows(h2_case.Http2):
    FIRST = 65535

    def upload(self, one, streams, size, enough=lambda largest: False):
        """Up to so many octets on each, in turns, as the windows let them go: the largest window that was seen of
        each. Streams whose window stays shut are left as they are once the others have nothing to send."""
        left, largest = dict.fromkeys(streams, size), dict.fromkeys(streams, 0)
        while any(left.values()) and not enough(largest):
            moved = False
            for i in streams:
                window = one.h2.local_flow_control_window(i)
                largest[i] = max(largest[i], window)
                some = min(window, left[i])
                if some:
                    one.send(i, bytes(some))
                    left[i] -= some
                    moved = True
            if not moved:
                one.receive()
        return largest

    def test_one_that_is_drained_grows(self):
        gate = self.start(lambda c, r: c.answer(200, b"%d" % len(r.body)), tls=False,
                          route='max_body = "1GiB"')
        with h2_client.connect(gate, tls=False) as one:
            stream = one.begin("POST", "/", body=None)
            largest = self.upload(one, [stream], 128 << 20, lambda of: of[stream] > 4 * self.FIRST)
            self.assertGreater(largest[stream], 4 * self.FIRST)
            self.assertLessEqual(largest[stream], 6_250_000)
            one.send(stream, b"", last=True)
            self.assertEqual(one.answer(stream).status, 200)

    def test_never_by_more_than_is_free(self):
        """Of 1 MiB, to one worker; what is given back when bodies end is the next ones'."""
        gate = self.start(lambda c, r: c.answer(200), tls=False,
                          more='[server]\nworkers = 1\nbuffers = "1MiB"', route='max_body = "1GiB"')
        with h2_client.connect(gate, tls=False) as one:
            for _ in range(2):
                streams = [one.begin("POST", "/", body=None) for _ in range(8)]
                largest = self.upload(one, streams, 4 << 20)
                self.assertLessEqual(sum(max(of - self.FIRST, 0) for of in largest.values()), 1 << 20)
                self.assertGreater(max(largest.values()), self.FIRST)
                for i in streams:
                    one.send(i, b"", last=True)
                self.assertEqual({one.answer(i).status for i in streams}, {200})

    def test_origins_that_stop_after_they_have_grown(self):
        """What is held then is what was promised, however much more their clients have."""
        go_on = threading.Event()

        def script(c, request):
            c.read_exactly(4 << 20)
            go_on.wait(harness.patience(60))
            c.close()
        gate = self.start(script, tls=False, origin={"read_body": False},
                          more='[server]\nworkers = 1\nbuffers = "4MiB"', route='max_body = "1GiB"')
        with h2_client.connect(gate, tls=False) as one:
            before = gate.resident_bytes()
            streams = [one.begin("POST", "/", {"content-length": str(1 << 29)}, body=None) for _ in range(8)]
            one.stream.socket.settimeout(2)
            with contextlib.suppress(TimeoutError):  # all windows are shut, and stay so
                self.upload(one, streams, 64 << 20)
            self.assertTrue(all(one.h2.local_flow_control_window(i) == 0 for i in streams))
            # The pool, what windows have grown by, 128 KiB for each stream, and what the allocator makes of it.
            if not harness.SANITIZER:  # there what is freed stays for a while
                self.assertLess(gate.resident_bytes() - before, (4 + 4 + 1 + 4) << 20)
            go_on.set()


class Trailers(h2_case.Http2):
    def test_of_an_answer_to_who_takes_them(self):
        gate = self.start(lambda c, r: c.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\nX-Two: b\r\n\r\n"))
        with h2_client.connect(gate) as one:
            answer = one.request("GET", "/", {"te": "trailers"})
            self.assertEqual((answer.body, answer.trailers, answer.ended),
                             (b"abc", [("x-sum", "6"), ("x-two", "b")], True))
            answer = one.request("GET", "/")  # RFC 9110 6.5.1
            self.assertEqual((answer.body, answer.trailers, answer.ended), (b"abc", [], True))

    def test_of_a_request(self):
        gate = self.start()
        with h2_client.connect(gate) as one:
            for body in (b"abc", bytes(200_000)):
                stream = one.begin("POST", "/", body=None)
                one.send(stream, body)
                one.h2.send_headers(stream, [("x-sum", "6"), ("x-two", "b")], end_stream=True)
                one.flush()
                self.assertTrue(one.answer(stream).body.endswith(body))
        for request in self.upstream.requests:
            self.assertEqual(request.get("transfer-encoding"), "chunked")
            self.assertEqual([(n.lower(), v) for n, v in request.trailers], [("x-sum", "6"), ("x-two", "b")])


class Departures(h2_case.Http2):
    def test_the_origin_sees_at_once_that_a_stream_was_cancelled(self):
        """As streams_test.py has it for connections: before its first byte, within its answer, and while a body
        goes up; the connection goes on."""
        ended, waits = threading.Semaphore(0), threading.Semaphore(0)

        def script(c, request):
            if request.target == "/":
                return c.answer(200)
            if request.target == "/event":
                c.send(EVENTS)
                c.chunk(b"data: 1\n\n")
            waits.release()
            wait_until_gone(c)
            self.saw = time.monotonic()
            return ended.release()
        gate = self.start(script, tls=False, origin={"read_body": False}, listener="limits.h2_glitches = 1000")
        with h2_client.connect(gate, tls=False) as one:
            for target in ("/silent", "/event", "/upload"):
                took = []
                for _ in range(9):
                    stream = one.begin("GET", target, body=None if target == "/upload" else b"")
                    if target == "/event":
                        one.until(lambda s=stream: one.answers[s].body)
                    elif target == "/upload":
                        one.send(stream, b"some")
                    self.assertTrue(waits.acquire(timeout=harness.patience(10)))
                    left = time.monotonic()
                    one.reset(stream)
                    self.assertTrue(ended.acquire(timeout=harness.patience(10)))
                    took.append(self.saw - left)
                if harness.VERBOSE:
                    print(f"{target}: noticed after {sorted(took)[4] * 1e3:.2f} ms")
                self.assertLess(sorted(took)[4], harness.patience(0.05), took)
                self.assertEqual(gate.wait_for_access(path=target)["reason"], "client_closed")
                self.assertEqual(one.request("GET", "/").status, 200)


class Draining(h2_case.Http2):
    def test_streams_finish_and_new_ones_may_be_tried_again(self):
        go_on = threading.Event()

        def script(c, request):
            if request.target == "/long":
                c.send(EVENTS)
                c.chunk(b"data: 1\n\n")
                go_on.wait(harness.patience(20))
                c.chunk(b"data: 2\n\n")
                return c.send(b"0\r\n\r\n")
            if request.target == "/silent":
                go_on.wait(harness.patience(20))
            return c.answer(200, b"%d" % len(request.body))
        gate = self.start(script)
        with h2_client.connect(gate) as one:
            long, silent = one.begin("GET", "/long"), one.begin("GET", "/silent")
            upload = one.begin("POST", "/upload", body=None)
            one.send(upload, bytes(70_000))
            one.until(lambda: one.answers[long].body)
            harness.eventually(lambda: self.upstream.connections == 3, what="three requests at the origin")
            gate.signal(signal.SIGTERM)
            one.until(lambda: one.goaways)
            self.assertEqual(one.goaway, (2**31 - 1, 0))  # RFC 9113 6.8: what is on its way is still served
            between = one.begin("GET", "/between")
            one.until(lambda: len(one.goaways) == 2)
            last, code = one.goaway
            self.assertEqual((last in (upload, between), code), (True, 0))
            if last == between:  # or a busy machine has taken longer than 200 ms
                self.assertEqual(one.answer(between).status, 200)
            late = one.begin("GET", "/late")  # above what GOAWAY said: it was not processed
            one.send(upload, bytes(70_000), last=True)
            self.assertEqual(one.answer(upload).body, b"140000")
            self.assertEqual(one.answers[late], h2_client.Answer())
            go_on.set()
            self.assertEqual((one.answer(long).body, one.answers[long].ended), (b"data: 1\n\ndata: 2\n\n", True))
            self.assertEqual(one.answer(silent).status, 200)
            self.assertEqual(one.wait_for_end(), (last, 0))
            self.assertEqual(one.answers[late], h2_client.Answer())
        self.assertEqual(gate.wait(), 0)
        self.assertNotIn("/late", [request.target for request in self.upstream.requests])


class Clients(h2_case.Http2):
    """Programs that others wrote."""

    def run_client(self, *arguments):
        done = subprocess.run(arguments, capture_output=True, timeout=harness.patience(60), check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_curl_brings_and_takes_much(self):
        body = os.urandom(8 << 20)
        gate = self.start(lambda c, r: c.answer(200, r.body, framing="chunked"))
        host, port = gate.address()
        self.write("body", body)
        got = self.run_client("curl", "-sk", "--http2", "-H", "Expect:", "--data-binary",
                              f"@{self.directory}/body", f"https://{host}:{port}/")
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(body).digest())

    @unittest.skipUnless(shutil.which("nghttp"), "nghttp2-client is not installed")
    def test_nghttp_with_small_windows_and_trailers(self):
        body = os.urandom(1 << 20)
        gate = self.start(lambda c, r: c.answer(200, r.body, framing="chunked"))
        host, port = gate.address()
        self.write("body", body)
        got = self.run_client("nghttp", "--window-bits=10", "--connection-window-bits=12",
                              "--no-content-length", "--data", str(self.directory / "body"), "--trailer=x-sum: 6", f"https://{host}:{port}/")
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(body).digest())
        self.assertEqual([(n.lower(), v) for n, v in self.upstream.requests[0].trailers], [("x-sum", "6")])

    @unittest.skipUnless(shutil.which("nghttp"), "nghttp2-client is not installed")
    def test_a_gate_that_stops_while_nghttp_waits(self):
        asked, go_on = threading.Event(), threading.Event()

        def script(c, request):
            asked.set()
            go_on.wait(harness.patience(20))
            c.answer(200, b"whole")
        gate = self.start(script)
        host, port = gate.address()
        with subprocess.Popen(["nghttp", f"https://{host}:{port}/"], stdout=subprocess.PIPE) as running:
            self.assertTrue(asked.wait(harness.patience(10)))
            gate.signal(signal.SIGTERM)
            harness.eventually(lambda: gate_refuses(gate), what="a gate that accepts nobody")
            go_on.set()
            self.assertEqual(running.stdout.read(), b"whole")
        self.assertEqual((running.returncode, gate.wait()), (0, 0))


def gate_refuses(gate):
    try:
        with gate.connect():
            return False
    except OSError:
        return True


if __name__ == "__main__":
    harness.main()
