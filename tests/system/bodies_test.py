"""Large bodies both ways, and back-pressure: what one side does not take, the gate does not keep."""

import hashlib
import os
import threading
import time

import configs
import credentials
import harness

BYTES = int(os.environ.get("RW_BODY_MIB", "128")) << 20
BLOCK = os.urandom(1 << 20)
# The buffer pools of two workers, and a little; sanitizers keep what was freed as well.
ROOM = (48 if not harness.SANITIZER else 512) << 20


def repeated(size):
    for at in range(0, size, len(BLOCK)):
        yield BLOCK[:min(len(BLOCK), size - at)]


def digest(size):
    total = hashlib.sha256()
    for block in repeated(size):
        total.update(block)
    return total.hexdigest()


def serve(c, request):
    """GET /SIZE sends as much, PUT answers with the digest of what came. Both by either framing."""
    if request.method == "PUT":
        total = hashlib.sha256()
        if request.get("transfer-encoding"):
            while size := int(c.read_until(b"\r\n")[:-2].split(b";")[0], 16):
                total.update(c.read_exactly(size))
                c.read_exactly(2)
            c.read_until(b"\r\n")
        else:
            left = int(request.get("content-length"))
            while left:
                data = c.receive(min(left, 1 << 20))
                if not data:
                    return c.close()
                total.update(data)
                left -= len(data)
        return c.answer(200, total.hexdigest().encode())
    _, framing, size = request.target.split("/")
    if framing == "length":
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % int(size))
        for block in repeated(int(size)):
            c.send(block)
            c.sent = getattr(c, "sent", 0) + len(block)
    else:
        c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for block in repeated(int(size)):
            c.chunk(block)
        c.send(b"0\r\n\r\n")


class Bodies(harness.SystemTest):
    def start(self, script=serve, encrypted=False, **parts):
        self.upstream = self.origin(script, read_body=False)
        made = credentials.certificate()
        make = configs.tls if encrypted else configs.plain
        return self.gate(make(route='max_body = "4GiB"', **parts), origin=self.upstream.address,
                         files={"cert.pem": made.chain, "key.pem": made.key})

    def download(self, gate, framing, size, encrypted):
        total = hashlib.sha256()
        with gate.connect(tls=encrypted) as connection:
            connection.send_request("GET", f"/{framing}/{size}")
            answer = connection.read_head()
            self.assertEqual(answer.status, 200)
            if answer.get("content-length"):
                left = int(answer.get("content-length"))
                while left:
                    data = connection.receive(min(left, 1 << 20))
                    self.assertTrue(data, f"the answer ended {left} bytes early")
                    total.update(data)
                    left -= len(data)
            else:
                connection.read_chunked(answer)
                total.update(answer.body)
        return total.hexdigest()

    def upload(self, gate, framing, size, encrypted):
        with gate.connect(tls=encrypted) as connection:
            if framing == "length":
                connection.send_request("PUT", "/", {"Content-Length": str(size)})
                for block in repeated(size):
                    connection.send(block)
            else:
                connection.send_request("PUT", "/", {"Transfer-Encoding": "chunked"})
                for block in repeated(size):
                    connection.send(b"%x\r\n%b\r\n" % (len(block), block))
                connection.send(b"0\r\n\r\n")
            return connection.read_response().body.decode()

    def both_ways(self, encrypted):
        gate = self.start(encrypted=encrypted)
        small = 16 << 20
        self.assertEqual(self.download(gate, "length", BYTES, encrypted), digest(BYTES))
        self.assertEqual(self.upload(gate, "length", BYTES, encrypted), digest(BYTES))
        self.assertEqual(self.download(gate, "chunked", small, encrypted), digest(small))
        self.assertEqual(self.upload(gate, "chunked", small, encrypted), digest(small))

    def test_plain_with_a_checksum(self):
        self.both_ways(False)

    def test_tls_with_a_checksum(self):
        self.both_ways(True)

    def short_and_long_in_turn(self, encrypted):
        """One connection on which the ways that bodies take change with each request; 48 KiB is long."""
        gate = self.start(encrypted=encrypted)
        kib = 1024
        sizes = [0, 1, 47 * kib, 48 * kib, 48 * kib + 1, 300 * kib, 3, 65 * kib, 2 << 20, 40 * kib, 80 * kib]
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
            self.assertEqual(getattr(connections[-1], "sent", 0), sent, "the origin is not held back")
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

    def test_an_answer_before_the_body_is_there(self):
        """An origin that refuses early: the client gets the answer, and nothing hangs."""
        def refuse(c, _):
            c.answer(403, b"no", framing="close")
        gate = self.start(refuse)
        with gate.connect() as connection:
            connection.send_request("PUT", "/", {"Content-Length": str(1 << 20)})
            connection.send(b"x" * 1000)
            answer = connection.read_response()
            self.assertEqual((answer.status, answer.body), (403, b"no"))


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
