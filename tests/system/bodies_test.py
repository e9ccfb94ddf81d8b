"""Large bodies both ways, and back-pressure: what a side does not take, the gate does not keep."""

import functools
import hashlib
import os
import re
import threading
import time
from pathlib import Path

import client
import configs
import credentials
import harness

MIB = 1 << 20
BYTES = int(os.environ.get("RW_BODY_MIB", "64" if harness.SANITIZER else "1024")) * MIB
# No multiple of any buffer: what is lost, repeated or exchanged by whole buffers shows.
BLOCK = memoryview(os.urandom(MIB + 4099))
# The buffer pools of two workers, and a little; sanitizers keep what was freed as well.
ROOM = (48 if not harness.SANITIZER else 512) * MIB


def repeated(size):
    for at in range(0, size, len(BLOCK)):
        yield BLOCK[:min(len(BLOCK), size - at)]


@functools.lru_cache
def digest(size):
    total = hashlib.sha256()
    for block in repeated(size):
        total.update(block)
    return total.hexdigest()


def send_body(stream, framing, size):
    stream.sent = 0
    for block in repeated(size):
        if framing == "chunked":
            stream.send(b"%x\r\n" % len(block))
        stream.send(block)
        if framing == "chunked":
            stream.send(b"\r\n")
        stream.sent += len(block)
    if framing == "chunked":
        stream.send(b"0\r\n\r\n")


def digest_of_body(stream, message):
    """The digest of what comes, by either framing, in pieces as large as they come."""
    total = hashlib.sha256()
    room = memoryview(bytearray(MIB))

    def take(left):
        while left:
            got = stream.receive_into(room[:min(left, len(room))])
            if not got:
                raise client.Closed(f"the stream ended {left} bytes early")
            total.update(room[:got])
            left -= got
    if message.get("transfer-encoding"):
        while size := int(stream.read_until(b"\r\n")[:-2].split(b";")[0], 16):
            take(size)
            if stream.read_exactly(2) != b"\r\n":
                raise AssertionError("a chunk is longer than it said")
        stream.read_until(b"\r\n")
    else:
        take(int(message.get("content-length")))
    return total.hexdigest()


def serve(c, request):
    """GET /FRAMING/SIZE sends as much, PUT answers with the digest of what came by either."""
    if request.method == "PUT":
        return c.answer(200, digest_of_body(c, request).encode())
    _, framing, size = request.target.split("/")
    field = "Content-Length: " + size if framing == "length" else "Transfer-Encoding: chunked"
    c.send(f"HTTP/1.1 200 OK\r\n{field}\r\n\r\n".encode())
    send_body(c, framing, int(size))


class Bodies(harness.SystemTest):
    def start(self, script=serve, encrypted=False, **parts):
        self.upstream = self.origin(script, read_body=False)
        made = credentials.certificate()
        make = configs.tls if encrypted else configs.plain
        return self.gate(make(route='max_body = "4GiB"', **parts), origin=self.upstream.address,
                         files={"cert.pem": made.chain, "key.pem": made.key})

    def download(self, gate, framing, size, encrypted):
        with gate.connect(tls=encrypted) as connection:
            connection.send_request("GET", f"/{framing}/{size}")
            answer = connection.read_head()
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.get("content-length") is not None, framing == "length")
            return digest_of_body(connection, answer)

    def upload(self, gate, framing, size, encrypted):
        header = (("Content-Length", str(size)) if framing == "length" else
                  ("Transfer-Encoding", "chunked"))
        with gate.connect(tls=encrypted) as connection:
            connection.send_request("PUT", "/", [header])
            send_body(connection, framing, size)
            return connection.read_response().body.decode()

    @staticmethod
    def peak_bytes(gate):
        """The most memory the gate has ever had."""
        status = Path(f"/proc/{gate.process.pid}/status").read_text()
        return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)[1]) << 10

    def both_ways(self, encrypted):
        gate = self.start(encrypted=encrypted)
        self.assertEqual(self.download(gate, "length", MIB, encrypted), digest(MIB))
        before = gate.resident_bytes()
        for framing in ("length", "chunked"):
            for way in (self.download, self.upload):
                with self.subTest(f"{way.__name__}, {framing}"):
                    self.assertEqual(way(gate, framing, BYTES, encrypted), digest(BYTES))
                    self.assertLess(self.peak_bytes(gate) - before, ROOM)

    def test_plain_with_a_checksum(self):
        self.both_ways(False)

    def test_tls_with_a_checksum(self):
        self.both_ways(True)

    def short_and_long_in_turn(self, encrypted):
        """One connection on which the ways bodies take change with each request; 48 KiB is long."""
        gate = self.start(encrypted=encrypted)
        kib = 1024
        sizes = [0, 1, 47 * kib, 48 * kib, 48 * kib + 1, 300 * kib, 3, 65 * kib, 2 << 20, 40 * kib,
                 80 * kib]
        with gate.connect(tls=encrypted) as connection:
            for size in [*sizes, *reversed(sizes)]:
                for framing in ("length", "chunked"):
                    with self.subTest(size=size, framing=framing):
                        answer = connection.request("GET", f"/{framing}/{size}")
                        self.assertEqual(hashlib.sha256(answer.body).hexdigest(), digest(size))
                body = b"".join(repeated(size))
                answer = connection.request("PUT", "/", {"Content-Length": str(size)}, body)
                self.assertEqual(answer.body.decode(), digest(size), f"{size} bytes up")

    def test_short_and_long_in_turn(self):
        self.short_and_long_in_turn(False)

    def test_short_and_long_in_turn_over_tls(self):
        self.short_and_long_in_turn(True)

    def slow_reader(self, encrypted):
        connections = []
        gate = self.start(lambda c, r: (connections.append(c), serve(c, r)), encrypted)
        size = 256 << 20
        with gate.connect(tls=encrypted) as connection:
            connection.request("GET", "/length/1000")
            before = gate.resident_bytes()
            connection.send_request("GET", f"/length/{size}")
            self.assertEqual(connection.read_head().status, 200)
            taken = len(connection.receive(1000))
            time.sleep(1)
            sent = getattr(connections[-1], "sent", 0)
            time.sleep(0.5)
            self.assertEqual(getattr(connections[-1], "sent", 0), sent,
                             "the origin is not held back")
            self.assertLess(sent, size // 2)
            self.assertLess(gate.resident_bytes() - before, ROOM)
            while taken < size:
                data = connection.receive(1 << 20)
                self.assertTrue(data, f"it ended {size - taken} bytes early")
                taken += len(data)
            self.assertLess(gate.resident_bytes() - before, ROOM)

    def test_a_slow_reader_holds_the_origin_back(self):
        self.slow_reader(False)

    def test_a_slow_reader_over_tls_holds_the_origin_back(self):
        self.slow_reader(True)

    def test_a_slow_origin_holds_the_client_back(self):
        go = threading.Event()
        self.addCleanup(go.set)
        gate = self.start(lambda c, r: (go.wait(harness.patience(20)), serve(c, r)))
        size = 256 << 20
        before = gate.resident_bytes()
        with gate.connect() as connection:
            connection.send_request("PUT", "/", {"Content-Length": str(size)})
            progress = [0]
            failed = []

            def send():
                try:
                    for block in repeated(size):
                        connection.send(block)
                        progress[0] += len(block)
                except OSError as error:
                    failed.append(error)
            sender = threading.Thread(target=send)
            sender.start()
            time.sleep(1.5)
            self.assertLess(progress[0], size // 2)
            self.assertLess(gate.resident_bytes() - before, ROOM)
            go.set()
            sender.join()
            self.assertEqual(failed, [])
            self.assertEqual(connection.read_response().body.decode(), digest(size))

    def early_refusal(self, refuse, times=1):
        """An origin that refuses early: the client gets the answer, and nothing hangs."""
        gate = self.start(refuse)
        for _ in range(times):
            with gate.connect() as connection:
                connection.send_request("PUT", "/", {"Content-Length": str(1 << 20)})
                connection.send(b"x" * 1000)
                answer = connection.read_response()
                self.assertEqual((answer.status, answer.body), (403, b"no"))

    def test_an_answer_before_the_body_is_there(self):
        self.early_refusal(lambda c, _: (c.answer(403, b"no"), c.read_to_end()))

    def test_an_answer_before_the_body_that_ends_with_the_connection(self):
        """As servers that linger do: a FIN ends the answer, and what still comes is read, since a
        RST in place of the FIN would say that the answer is cut short."""
        def refuse(c, _):
            c.send(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nno")
            c.finish()
            c.read_to_end()
        self.early_refusal(refuse)

    def test_an_answer_before_a_reset(self):
        """A server that does not linger: bytes it has not read make its kernel send a RST after an
        answer whose length is known, and so whole."""
        self.early_refusal(lambda c, _: (c.answer(403, b"no"), c.close()), times=50)


class Departures(harness.SystemTest):
    """A client that goes away cancels its upstream request."""

    def setUp(self):
        super().setUp()
        self.started = threading.Event()
        self.left = threading.Event()

    def wait_for_end(self, c):
        self.started.set()
        try:
            while c.receive():
                pass
        except OSError:
            pass
        self.left.set()
        c.close()

    def check(self, script, leave, **options):
        upstream = self.origin(script, **options)
        gate = self.gate(configs.plain(), origin=upstream.address)
        with gate.connect() as connection:
            connection.send_request("GET", "/")
            self.assertTrue(self.started.wait(harness.patience(5)))
            leave(connection)
            self.assertTrue(self.left.wait(harness.patience(5)), "the origin was not told")
        self.assertEqual(gate.wait_for_access(path="/")["status"], self.logged)
        self.assertTrue(gate.wait_for_access(path="/").get("reason"))
        gate.stop()

    def test_before_the_answer(self):
        self.logged = 499
        for leave in (lambda c: c.close(), lambda c: c.reset()):
            self.started.clear()
            self.left.clear()
            self.check(lambda c, r: self.wait_for_end(c), leave)

    def test_in_the_middle_of_the_answer(self):
        self.logged = 200
        self.check(lambda c, r: (c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
                                 self.wait_for_end(c)), lambda c: (c.read_head(), c.reset()))

    def test_in_the_middle_of_a_stream(self):
        self.logged = 200

        def stream(c, _):
            c.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            self.started.set()
            try:
                while True:
                    c.send(b"data: x\n\n")
                    time.sleep(0.01)
            finally:
                self.left.set()
        self.check(stream, lambda c: (c.read_head(), c.close()))


if __name__ == "__main__":
    harness.main()
