"""Everything at once, for as long as RW_SOAK_SECONDS says: HTTP/1.1, HTTP/2, events, WebSocket, over TLS and
not, and clients that go away in the middle of each. What is not cut short has to arrive to the byte; in
the end nothing may be left: no connection, no socket and, under AddressSanitizer, no memory.

Two minutes under AddressSanitizer in .ci/run, half an hour in .ci/nightly."""

import contextlib
import os
import random
import re
import threading
import time
import traceback
from collections import Counter

import client
import configs
import credentials
import h2_client
import harness
from streams_test import HEAD, PING
from websocket_test import ASKED, SWITCHED

SECONDS = float(os.environ.get("RW_SOAK_SECONDS", "120" if harness.SANITIZER == "asan" else "15"))
LARGEST = 300_000  # more than a window of HTTP/2, and than a socket takes at once
# What is to be gone soon after the last client is.
CONFIG = configs.tls(listener='max_connections_per_client = 0', route='upgrade = ["websocket"]\nheartbeat = "100ms"',
                     upstream='pool.idle_timeout = "500ms"', more="""
[[listener]]
name = "clear"
address = "127.0.0.1:0"
""")
GONE = (client.Closed, ConnectionError, OSError)


def octets(size):
    return (b"%07d." % (size % 10_000_000) * (size // 8 + 1))[:size]


def answer(c, request):
    kind, _, number = request.target[1:].partition("/")
    if kind == "bytes":
        c.answer(200, octets(int(number)), framing="chunked" if int(number) % 2 else "length")
    elif kind == "echo":
        c.answer(200, request.body)
    elif kind == "chat?a=b":
        c.send(SWITCHED)
        while said := c.receive():
            c.send(said)
        c.close()
    else:  # events, paused so that heartbeats come between
        c.send(HEAD)
        for i in range(int(number)):
            c.chunk(b"data: %d\n\n" % i)
            if i % 3 == 0:
                time.sleep(0.15)
        c.send(b"0\r\n\r\n")


class Hand:
    """A client, in a thread of its own, that does one thing after the other until it is over."""

    def __init__(self, gate, number, until, done):
        self.gate = gate
        self.chance = random.Random(number)
        self.until = until
        self.done = done  # what was done -> how often
        self.failure = ""
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        kinds = (self.http1, self.http2, self.events, self.websocket, self.cut_short, self.cancelled)
        while time.monotonic() < self.until and not self.failure:
            one = self.chance.choice(kinds)
            try:
                one()
                self.done[one.__name__] += 1
            except Exception:
                self.failure = traceback.format_exc()

    def connect(self):
        if self.chance.random() < 0.5:
            return self.gate.connect("clear")
        return self.gate.connect("main", tls=client.tls_context(alpn=["http/1.1"]))

    def must(self, found, wanted, what):
        if found != wanted:
            raise AssertionError(f"{what}: {str(found)[:200]} instead of {str(wanted)[:200]}")

    def exchange(self):
        """(method, target, body, what the answer's body has to be)."""
        size = self.chance.choice((0, 1, 100, 5_000, 70_001, LARGEST))
        if self.chance.random() < 0.5:
            return "GET", f"/bytes/{size}", b"", octets(size)
        return "POST", "/echo", octets(size), octets(size)

    def http1(self):
        with self.connect() as connection:
            for _ in range(self.chance.randint(1, 8)):
                method, target, body, wanted = self.exchange()
                got = connection.request(method, target, body=body)
                self.must((got.status, got.body), (200, wanted), f"{method} {target}")

    def http2(self):
        with h2_client.connect(self.gate) as connection:
            begun = []
            for _ in range(self.chance.randint(1, 8)):
                method, target, body, wanted = self.exchange()
                begun.append((connection.begin(method, target, body=body), wanted))
            for stream, wanted in begun:
                if self.chance.random() < 0.2:
                    if not connection.answers[stream].over:
                        connection.reset(stream)
                    continue
                got = connection.answer(stream)
                self.must((got.reset, got.status, got.body), (None, 200, wanted), "a stream of HTTP/2")

    def events(self):
        with self.connect() as connection:
            count = self.chance.randint(1, 20)
            got = connection.request("GET", f"/events/{count}")
            wanted = b"".join(b"data: %d\n\n" % i for i in range(count))
            self.must(got.body.replace(PING, b""), wanted, "events")

    def websocket(self):
        with self.connect() as connection:
            connection.send(ASKED % b"")
            self.must(connection.read_head().status, 101, "the answer to an upgrade")
            for _ in range(self.chance.randint(1, 10)):
                said = octets(self.chance.choice((1, 200, 20_000)))
                connection.send(said)
                self.must(connection.read_exactly(len(said)), said, "an echo")
            if self.chance.random() < 0.5:
                connection.reset()

    def cut_short(self):
        """Half a head, half a body, half an answer, half a stream of events."""
        with self.connect() as connection, contextlib.suppress(*GONE):
            asked = self.chance.choice((
                b"GET /bytes/%d HTTP/1.1\r\nHost: a\r\n\r\n" % LARGEST,
                b"GET /events/50 HTTP/1.1\r\nHost: a\r\n\r\n",
                b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + octets(5000)))
            whole = self.chance.random() < 0.5
            connection.send(asked if whole else asked[:self.chance.randrange(len(asked))])
            if whole:
                connection.receive(self.chance.randint(1, 4096))
            if self.chance.random() < 0.5:
                connection.reset()

    def cancelled(self):
        """A connection of HTTP/2 that goes with all that is under way on it."""
        connection = h2_client.connect(self.gate)
        with contextlib.suppress(*GONE):
            for target in (f"/bytes/{LARGEST}", "/events/50", "/bytes/1"):
                connection.begin("GET", target)
            connection.begin("POST", "/echo", body=None)
            if self.chance.random() < 0.5:
                connection.receive()
        if self.chance.random() < 0.5:
            connection.stream.reset()
        else:
            connection.stream.close()


class Soak(harness.SystemTest):
    def open_connections(self, gate):
        return int(re.search(r"^ringward_connections (\d+)$", gate.metrics(), re.M)[1])

    def sockets(self, gate):
        """Not all descriptors: a worker keeps some pipes for the next splice."""
        open_now = [os.readlink(one.path) for one in os.scandir(f"/proc/{gate.process.pid}/fd")]
        return sum(one.startswith("socket:") for one in open_now)

    def test_nothing_is_left_of_it(self):
        made = credentials.certificate()
        origin = self.origin(answer)
        gate = self.gate(CONFIG, origin=origin.address, files={"cert.pem": made.chain, "key.pem": made.key})
        self.assertEqual(gate.get("/bytes/3", tls=True).body, octets(3))
        harness.eventually(lambda: self.open_connections(gate) == 0)
        time.sleep(1)  # the connection to the origin has been idle for long enough
        sockets = self.sockets(gate)

        done = Counter()
        begun = time.monotonic()
        hands = [Hand(gate, i, begun + SECONDS, done) for i in range(12)]
        resident = 0
        while any(one.thread.is_alive() for one in hands):
            time.sleep(0.25)
            origin.requests.clear()  # this process is not what is tested
            if time.monotonic() - begun < SECONDS / 3:
                resident = gate.resident_bytes()
        self.assertEqual([one.failure for one in hands if one.failure], [])
        self.assertEqual(len(done), 6, done)

        harness.eventually(lambda: self.open_connections(gate) == 0, 10, "the end of every connection")
        harness.eventually(lambda: self.sockets(gate) <= sockets, 10, "the end of every socket")
        if not harness.SANITIZER:  # there what is freed stays for a while
            self.assertLess(gate.resident_bytes(), resident + (16 << 20))
        print(f"{sum(done.values())} in {SECONDS:g} s: {dict(done)}")
        gate.stop()
