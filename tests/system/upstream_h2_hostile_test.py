"""Origins that break HTTP/2 (upstream.protocol = "h2"), or do what costs them little and a gate much: a clear 502 or
504, in bounded memory, and whoever else is served does not notice."""

import struct
import threading

import hpack

import configs
import h2_client
import harness

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 5, 6, 8, 9
END_STREAM, END_HEADERS, PADDED = 1, 4, 8
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 3, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS_FRAME = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
OK = b"\x88"
SAFE = """
[[route]]
name = "safe"
path = "/safe"
action = "respond"
auth = []
body = "safe"
"""


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def section(*pairs):
    return hpack.Encoder().encode([(":status", "200"), *pairs])


class Hostile(harness.SystemTest):
    def start(self, say, upstream="", settings=SETTINGS_FRAME):
        """An origin that says its SETTINGS, and when a request's head has come what `say` gives: octets, or a
        generator of them, sent for as long as they are taken."""
        self.connections = 0

        def serve(c):
            self.connections += 1
            c.read_exactly(len(PREFACE))
            c.send(settings)
            while True:
                head = c.read_exactly(9)
                c.read_exactly(int.from_bytes(head[:3], "big"))
                if head[3] != HEADERS:
                    continue
                said = say() if callable(say) else [say]
                for octets in said:
                    c.send(octets)
        self.upstream = self.origin(None, per_connection=serve)
        bounds = 'timeouts.first_byte = "2s"\npool.requests_per_connection = 1\nhealth.eject_after = 0'
        text = configs.plain(upstream=f'protocol = "h2"\n{bounds}\n{upstream}')
        text = text.replace("[[route]]", SAFE + "[[route]]", 1)
        self.gateway = self.gate(text, origin=self.upstream.address)
        return self.gateway

    def refused(self, reason, status=502, method="GET", body=b""):
        def reasons():
            return [line.get("reason") for line in self.gateway.access if line["path"] == "/"]
        before = len(reasons())
        with self.gateway.connect() as c:
            self.assertEqual(c.request(method, "/", body=body).status, status)
        harness.eventually(lambda: len(reasons()) > before)
        self.assertEqual(reasons()[before], reason)
        self.assertEqual(self.gateway.get("/safe").body, b"safe")

    def test_what_ends_the_connection(self):
        said = [b""]
        self.start(lambda: said)
        for name, octets in {
                "a stream that nobody began": frame(HEADERS, END_HEADERS | END_STREAM, 101, OK),
                "a stream of its own": frame(HEADERS, END_HEADERS | END_STREAM, 2, OK),
                "a push": frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + OK),
                "a frame that is too long": frame(DATA, 0, 1, bytes(17000)),
                "a header block that is none": frame(HEADERS, END_HEADERS, 1, b"\xff" * 20),
                "DATA on no stream": frame(DATA, 0, 0, b"x"),
                "a window beyond all bounds": frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2,
                "other frames within a head": frame(HEADERS, 0, 1, OK) + frame(PING, 0, 0, bytes(8)),
                "more padding than there is": frame(DATA, PADDED, 1, b"\xff"),
                "a head in endless pieces": frame(HEADERS, 0, 1, OK) + frame(CONTINUATION, 0, 1, b"\0\1a\1b") * 100,
                "HTTP/1.1": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        }.items():
            with self.subTest(name):
                said[0] = octets
                self.refused("upstream_malformed")

    def test_answers_that_break_the_protocol(self):
        said = [b""]
        self.start(lambda: said)
        for name, octets in {
                "no status": frame(HEADERS, END_HEADERS, 1, hpack.Encoder().encode([("x-a", "1")])),
                "101": frame(HEADERS, END_HEADERS, 1, hpack.Encoder().encode([(":status", "101")])),
                "a field of a connection": frame(HEADERS, END_HEADERS, 1, section(("connection", "close"))),
                "chunks": frame(HEADERS, END_HEADERS, 1, section(("transfer-encoding", "chunked"))),
                "two lengths": frame(HEADERS, END_HEADERS, 1, section(("content-length", "1"), ("content-length", "2"))),
                "a line in a value": frame(HEADERS, END_HEADERS, 1, section(("x-a", "1\r\nx-b: 2"))),
                "a body before its head": frame(DATA, 0, 1, b"x"),
                "an end before its head": frame(HEADERS, END_HEADERS | END_STREAM, 1,
                                                hpack.Encoder().encode([(":status", "103")])),
                "many interim heads": frame(HEADERS, END_HEADERS, 1, hpack.Encoder().encode([(":status", "103")])) * 40,
                "more than a head may have": frame(HEADERS, END_HEADERS, 1, b"".join(
                    [OK, *(hpack.Encoder().encode([(f"x-{i}", "1")]) for i in range(300))])),
        }.items():
            with self.subTest(name):
                said[0] = octets
                self.refused("upstream_malformed")

    def test_bodies_that_are_not_as_long_as_they_were_said_to_be(self):
        for octets in (frame(HEADERS, END_HEADERS, 1, section(("content-length", "5"))) + frame(DATA, END_STREAM, 1, b"four"),
                       frame(HEADERS, END_HEADERS, 1, section(("content-length", "3"))) + frame(DATA, END_STREAM, 1, b"four")):
            gate = self.start(octets)
            with h2_client.connect(gate, tls=False) as client:
                got = client.request("GET", "/")
            self.assertTrue(got.reset is not None or got.status == 502, got)
            reason = gate.wait_for_access(path="/")["reason"]
            self.assertIn(reason, ("upstream_body_malformed", "upstream_malformed"))
            gate.stop()

    def endless(self, octets):
        """Sends them for as long as they are taken, 16 MiB at most; the gate's memory does not follow."""
        piece = octets * max(1, 16384 // len(octets))

        def say():
            yield frame(HEADERS, END_HEADERS, 1, OK)
            for _ in range((16 << 20) // len(piece)):
                yield piece
        gate = self.start(say)
        before = gate.resident_bytes()
        with h2_client.connect(gate, tls=False) as client:
            self.assertIsNotNone(client.request("GET", "/").reset)
        gate.wait_for_access(reason="upstream_body_malformed")
        self.assertLess(gate.resident_bytes() - before, 16 << 20)
        self.assertEqual(gate.get("/safe").body, b"safe")

    def test_a_flood_of_ping(self):
        self.endless(frame(PING, 0, 0, bytes(8)))

    def test_a_flood_of_settings(self):
        self.endless(SETTINGS_FRAME)

    def test_a_flood_of_empty_data(self):
        self.endless(frame(DATA, 0, 1))

    def test_a_flood_of_window_updates(self):
        self.endless(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"))

    def test_a_flood_of_unknown_frames(self):
        self.endless(frame(0xbe, 0, 0, bytes(64)))

    def test_a_body_that_no_window_admits(self):
        """A client that reads nothing, and an origin that sends all the same: until its connection is ended."""
        over = threading.Event()

        def say():
            try:
                yield frame(HEADERS, END_HEADERS, 1, OK)
                while True:
                    yield frame(DATA, 0, 1, bytes(16384))
            finally:
                over.set()
        gate = self.start(say)
        before = gate.resident_bytes()
        with h2_client.connect(gate, tls=False, settings={INITIAL_WINDOW_SIZE: 0}) as client:
            number = client.begin("GET", "/")
            self.assertTrue(over.wait(harness.patience(20)))
            self.assertLess(gate.resident_bytes() - before, 8 << 20)
            client.h2.increment_flow_control_window(1 << 20, number)
            client.flush()
            client.until(lambda: client.answers[number].reset is not None, "a reset")
        gate.wait_for_access(reason="upstream_body_reset")

    def test_fields_by_reference(self):
        """One field of 4 KB in the table, named again with an octet each."""
        block = OK + b"\x40\x01a\x7f\xa1\x1e" + b"v" * 4000 + b"\xbe" * 10000
        gate = self.start(frame(HEADERS, END_HEADERS, 1, block))
        before = gate.resident_bytes()
        self.refused("upstream_malformed")
        self.assertLess(gate.resident_bytes() - before, 8 << 20)

    def test_a_head_that_never_ends_is_late(self):
        self.start(frame(HEADERS, 0, 1, OK), upstream='retry.attempts = 1')
        self.refused("upstream_first_byte_timeout", 504)

    def test_a_window_that_never_opens(self):
        settings = frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 0))
        self.start(b"", upstream='timeouts.gap = "300ms"', settings=settings)
        self.refused("upstream_takes_nothing", 504, "POST", b"x" * 100)

    def test_an_origin_that_takes_no_streams(self):
        settings = frame(SETTINGS, 0, 0, struct.pack(">HI", MAX_CONCURRENT_STREAMS, 0))
        self.start(b"", settings=settings)
        self.refused("upstream_refused_stream")
        self.assertLessEqual(self.connections, 8)

    def test_settings_that_never_come(self):
        self.start(b"", settings=b"", upstream='timeouts.connect = "300ms"')
        self.refused("upstream_connect_timeout", 504)


if __name__ == "__main__":
    harness.main()
