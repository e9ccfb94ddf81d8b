"""What HTTP/2 lets a client do cheaply, done as fast as it can be (`limits.h2_glitches`), beside
honest clients: the attacker's connection ends with ENHANCE_YOUR_CALM, and no honest request fails."""

import contextlib
import struct
import threading
import time

import hpack

import configs
import h2_client
import harness

PROTOCOL_ERROR, ENHANCE_YOUR_CALM = 1, 11
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
GOAWAY = 7
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def fields(path="/", method="GET"):
    pairs = [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path)]
    return hpack.Encoder().encode(pairs)


class Honest(threading.Thread):
    """One request every 20 ms on a connection of its own, until stop()."""

    def __init__(self, gate):
        super().__init__(daemon=True)
        self.gate = gate
        self.statuses = []
        self.failure = None
        self._over = threading.Event()
        self.start()

    def run(self):
        try:
            with h2_client.connect(self.gate, tls=False) as client:
                while not self._over.wait(0.02):
                    self.statuses.append(client.request("GET", "/honest").status)
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def stop(self):
        self._over.set()
        self.join()


class Abuse(harness.SystemTest):
    def start(self, **parts):
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        return self.gate(configs.plain(**parts), origin=self.upstream.address)

    def attack(self, pieces, times=3, code=ENHANCE_YOUR_CALM):
        """pieces: a generator of octets to be sent after the preface, for as long as they are taken."""
        gate = self.start()
        honest = Honest(gate)
        for _ in range(times):
            self.assertEqual(self.goaway(gate, pieces()), code)
        harness.eventually(lambda: len(honest.statuses) >= 10, what="honest requests")
        honest.stop()
        self.assertIsNone(honest.failure)
        self.assertEqual(set(honest.statuses), {200})
        return gate

    def goaway(self, gate, pieces):
        """The error code that the attack's connection ended with."""
        with gate.connect() as stream:
            stream.socket.settimeout(harness.patience(20))
            stream.send(h2_client.PREFACE + frame(SETTINGS, 0, 0))
            heard = bytearray()
            ended = threading.Event()

            def listen():
                with contextlib.suppress(OSError):
                    while data := stream.socket.recv(65536):
                        heard.extend(data)
                ended.set()
            listener = threading.Thread(target=listen, daemon=True)
            listener.start()
            deadline = time.monotonic() + harness.patience(20)
            with contextlib.suppress(OSError):
                for piece in pieces:
                    stream.send(piece)
                    if ended.is_set() or time.monotonic() > deadline:
                        break
            self.assertTrue(ended.wait(harness.patience(20)), "the connection goes on")
        return self.code_in(bytes(heard))

    @staticmethod
    def code_in(heard):
        code = None
        while len(heard) >= 9:
            size = int.from_bytes(heard[:3], "big")
            if heard[3] == GOAWAY and len(heard) >= 9 + size:
                code = int.from_bytes(heard[13:17], "big")
            heard = heard[9 + size:]
        return code

    def test_rapid_reset(self):
        head = fields("/attack")

        def pieces():
            for i in range(1, 200_000, 2):
                yield frame(HEADERS, END_HEADERS | END_STREAM, i, head) \
                    + frame(RST_STREAM, 0, i, struct.pack(">I", 8))
        gate = self.attack(pieces)
        self.assertLess(len(self.upstream.requests), 3 * 110 + 2000)
        self.assertIn('reason="h2_glitches"} 3', gate.metrics())

    def test_made_you_reset(self):
        """CVE-2025-8671: what makes the server reset a stream whose request goes on behind it. A window
        that grows too large is the stream's end; one that grows by nothing is the connection's here."""
        head = fields("/attack")
        for growth, code in ((0x7fffffff, ENHANCE_YOUR_CALM), (0, PROTOCOL_ERROR)):
            def pieces(more=struct.pack(">I", growth)):
                for i in range(1, 200_000, 2):
                    yield frame(HEADERS, END_HEADERS | END_STREAM, i, head) + frame(WINDOW_UPDATE, 0, i, more)
            with self.subTest(growth):
                self.attack(pieces, code=code).stop()

    def test_a_flood_of_settings(self):
        self.attack(lambda: (frame(SETTINGS, 0, 0) * 100 for _ in range(10_000)))

    def test_a_flood_of_pings(self):
        self.attack(lambda: (frame(PING, 0, 0, b"12345678") * 100 for _ in range(10_000)))

    def test_a_flood_of_priorities(self):
        self.attack(lambda: (frame(PRIORITY, 0, 3, bytes(5)) * 100 for _ in range(10_000)))

    def test_a_flood_of_frames_that_nobody_knows(self):
        self.attack(lambda: (frame(0xab, 0, 0, b"x") * 100 for _ in range(10_000)))

    def test_a_flood_of_empty_data(self):
        def pieces():
            yield frame(HEADERS, END_HEADERS, 1, fields("/attack", "POST"))
            while True:
                yield frame(DATA, 0, 1) * 100
        self.attack(pieces)

    def test_a_flood_of_data_for_a_stream_that_is_over(self):
        def pieces():
            yield frame(HEADERS, END_HEADERS, 1, fields("/attack", "POST")) \
                + frame(RST_STREAM, 0, 1, struct.pack(">I", 8))
            while True:
                yield frame(DATA, 0, 1, b"x") * 100
        self.attack(pieces)

    def test_a_header_section_that_drips(self):
        """`timeouts.head` holds for it, whatever else is under way: octet by octet, in HEADERS and in
        CONTINUATION."""
        head = harness.patience(0.5)
        self.upstream = self.origin(lambda c, r: c.closed_within(harness.patience(20)))
        gate = self.gate(configs.plain(listener=f'timeouts.head = "{int(head * 1000)}ms"'),
                         origin=self.upstream.address)
        section = fields("/late") + hpack.Encoder().encode([("x", "y" * 2000)])
        for cut in (len(section), 10):
            def pieces(first=section[:cut], rest=section[cut:]):
                yield frame(HEADERS, END_HEADERS | END_STREAM, 1, fields("/silent"))
                whole = frame(HEADERS, END_STREAM, 3, first) + frame(CONTINUATION, END_HEADERS, 3, rest)
                yield whole[:9]
                for octet in whole[9:]:
                    time.sleep(head / 50)
                    yield bytes([octet])
            began = time.monotonic()
            self.assertEqual(self.goaway(gate, pieces()), ENHANCE_YOUR_CALM)
            self.assertGreaterEqual(time.monotonic() - began, head)
        self.assertIn('ringward_client_timeouts_total{deadline="head"} 2', gate.metrics())

    def test_a_flood_of_window_updates(self):
        self.attack(lambda: (frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 100
                             for _ in range(10_000)))

    def test_a_flood_of_continuations(self):
        def pieces():
            yield frame(HEADERS, END_STREAM, 1, fields("/attack"))
            while True:
                yield frame(CONTINUATION, 0, 1, hpack.Encoder().encode([("x", "y" * 100)]))
        self.attack(pieces)

    def test_a_header_section_that_unfolds(self):
        """4,000 octets in the dynamic table, then named in one octet each."""
        encoder = hpack.Encoder()
        first = encoder.encode([(":method", "GET"), (":scheme", "http"), (":authority", "a"),
                                (":path", "/attack"), ("x", "y" * 3900)])
        bomb = fields("/attack")

        def pieces():
            yield frame(HEADERS, END_HEADERS | END_STREAM, 1, first)
            for i in range(3, 200_000, 2):
                yield frame(HEADERS, END_HEADERS | END_STREAM, i, bomb + b"\xbe" * 16_000)
        self.attack(pieces)

    def test_pings_now_and_then_are_no_attack(self):
        gate = self.start(listener="limits.h2_glitches = 20")
        with h2_client.connect(gate, tls=False) as client:
            for _ in range(60):
                client.h2.ping(b"12345678")
                client.flush()
                self.assertEqual(client.request("GET", "/").status, 200)
            client.until(lambda: len(client.pings) == 60)


if __name__ == "__main__":
    harness.main()
