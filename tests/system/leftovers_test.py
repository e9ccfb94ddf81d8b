"""What one exchange leaves behind, on the wire or in memory, is nobody else's."""

import contextlib
import os
import signal
import ssl
import threading
import time

import client
import configs
import credentials
import harness

BIG = 200_000
TAIL = 20_000
EXTRA = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
GET = b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n"
ONE_WORKER = "\n[server]\nworkers = 1\n"


class OnTheWire(harness.SystemTest):
    """An origin says more than it said it would: nobody else gets that for an answer."""

    def setUp(self):
        super().setUp()
        self.release, self.sent = threading.Event(), threading.Event()

    def overlong(self, c, request):
        if request.target != "/big":
            return c.answer(200, b"ok")
        c.send(LENGTH % BIG + bytes(BIG - TAIL))
        self.release.wait(harness.patience(10))
        self.release.clear()
        c.send(bytes(TAIL) + EXTRA)
        return self.sent.set()

    def test_with_another_request_in_the_same_turn(self):
        upstream = self.origin(self.overlong)
        gate = self.gate(configs.plain(more=ONE_WORKER), origin=upstream.address)
        with gate.connect() as asks, gate.connect() as other:
            self.assertEqual(other.request("GET", "/small").body, b"ok")
            for _ in range(5):
                asks.send(GET % b"big")
                asks.read_until(b"\r\n\r\n")
                asks.read_exactly(BIG - TAIL)
                # The end of the body, what is too much and the other's request are one turn's work.
                os.kill(gate.process.pid, signal.SIGSTOP)
                self.release.set()
                self.assertTrue(self.sent.wait(harness.patience(5)))
                self.sent.clear()
                other.send(GET % b"small")
                time.sleep(0.05)  # until the kernel has brought it: nobody runs who could say
                os.kill(gate.process.pid, signal.SIGCONT)
                asks.read_exactly(TAIL)
                self.assertEqual(other.read_response("GET").body, b"ok")

    def test_on_an_idle_connection_after_long_bodies(self):
        """TLS clients' long bodies are received in bulk, or when too many are, one buffer at a time:
        whichever it was, what comes while the connection is idle is noticed."""
        bigs, flowed = [], []
        answered, closed = threading.Event(), threading.Event()
        flow, end = threading.Event(), threading.Event()
        streams = 64  # bulk receives a worker has under way at most

        def serve(c, request):
            if request.target == "/stream":
                c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                flow.wait(harness.patience(10))
                c.send(b"40000\r\n" + bytes(0x40000) + b"\r\n")
                flowed.append(c.number)
                end.wait(harness.patience(30))
                return c.send(b"0\r\n\r\n")
            if request.target == "/big":
                bigs.append(c.number)
                c.send(LENGTH % BIG + bytes(BIG))
                if len(bigs) < 2:
                    return None
                answered.wait(harness.patience(5))
                c.send(EXTRA)
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(c.receive(), b"")  # hung up on, though it could have been kept
                return closed.set()
            return c.answer(200, b"ok")

        upstream = self.origin(serve)
        made = credentials.certificate()
        gate = self.gate(configs.tls(more=ONE_WORKER), origin=upstream.address,
                         files={"cert.pem": made.chain, "key.pem": made.key})
        self.addCleanup(end.set)

        def drain(connection):
            try:
                while connection.receive():
                    pass
            except OSError:
                pass

        with gate.connect(tls=True) as asks:
            held = [gate.connect(tls=True) for _ in range(streams)]
            for one in held:
                self.addCleanup(one.close)
                one.send(GET % b"stream")
                threading.Thread(target=drain, args=(one,), daemon=True).start()
            harness.eventually(lambda: len(upstream.requests) == streams, 10.0, "the streams")
            self.assertEqual(len(asks.request("GET", "/big").body), BIG)
            flow.set()
            harness.eventually(lambda: len(flowed) == streams, 10.0, "bulk receives")
            self.assertEqual(len(asks.request("GET", "/big").body), BIG)
            self.assertEqual(bigs[0], bigs[1])
            answered.set()
            self.assertTrue(closed.wait(harness.patience(5)))
            self.assertEqual(asks.request("GET", "/small").body, b"ok")


class InMemory(harness.SystemTest):
    def test_a_head_that_never_ends_does_not_bring_others_into_the_log(self):
        upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        made = credentials.certificate()
        config = configs.tls(listener='[listener.timeouts]\nhead = "1s"\n', more=ONE_WORKER)
        gate = self.gate(config, origin=upstream.address,
                         files={"cert.pem": made.chain, "key.pem": made.key})
        buffer = 16_640  # what a receive takes at most; one octet more and the head moves
        head = b"GET /" + b"A" * 7900 + b" HTTP/1.1\r\nHost: localhost\r\nx: "
        head += b"B" * (buffer - len(head))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with gate.connect() as raw, gate.connect(tls=True) as other:
            session = client.tls_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
            while True:
                try:
                    session.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    raw.send(outgoing.read())
                    incoming.write(raw.receive())
            for part in (head[:16_384], head[16_384:]):
                session.write(part)
            raw.send(outgoing.read())
            raw.send(b"\x17")  # the first octet of a record that does not come
            while not any(line["status"] == 408 for line in gate.access):
                answer = other.request("GET", "/other", {"Authorization": "Bearer of-another"})
                self.assertEqual(answer.status, 200)
        line = gate.wait_for_access(status=408)
        self.assertEqual((line["method"], line["path"]), ("GET", "/" + "A" * 7900))


if __name__ == "__main__":
    harness.main()
