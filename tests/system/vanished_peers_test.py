"""Peers that vanish without a word: a machine that lost its power, a cable that was pulled."""

import contextlib
import itertools
import os
import re
import shutil
import subprocess
import time
import unittest

import configs
import harness

# Connects from another namespace, asks, says what came, and is then cut off.
CLIENT = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(b"GET /%s HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n" % sys.argv[3].encode())
while b"data: 1" not in s.recv(65536):
    pass
print("there", flush=True)
sys.stdin.read()
"""
# Serves one connection: a stream that is silent, or an answer and then never one again.
ORIGIN = """
import socket, sys
listener = socket.create_server((sys.argv[1], 0))
print(listener.getsockname()[1], flush=True)
while True:
    s, _ = listener.accept()
    target = s.recv(65536).split()[1]
    head = b"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\n"
    if target == b"/stream":
        s.sendall(head + b"Transfer-Encoding: chunked\\r\\n\\r\\n9\\r\\ndata: 1\\n\\n\\r\\n")
    else:
        s.sendall(head + b"Content-Length: 2\\r\\n\\r\\nok")
    keep = globals().setdefault("keep", [])
    keep.append(s)
"""


def sh(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=20).stdout


def run_in(name, text, *arguments):
    return subprocess.Popen(["ip", "netns", "exec", name, "/usr/bin/python3", "-c", text, *map(str, arguments)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class Options(harness.SystemTest):
    """What the kernel is told, as ss shows it."""

    def timers(self, port, side):
        said = sh("ss", "-Htno", "state", "established", f"{side} = :{port}")
        return re.findall(r"timer:\(keepalive,([0-9.]+)(min|sec|ms)", said)

    def test_both_sides_are_probed(self):
        upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(listener='timeouts.write_gap = "20s"'), origin=upstream.address)
        with gate.connect() as client:
            self.assertEqual(client.request("GET", "/").status, 200)
            for port, side, at_most in ((gate.address()[1], "sport", 20), (upstream.port, "dport", 30)):
                found = harness.eventually(lambda: self.timers(port, side), what=f"a timer of {side}")
                self.assertEqual(found[0][1], "sec")
                self.assertLessEqual(float(found[0][0]), at_most)


@unittest.skipUnless(os.geteuid() == 0, "network namespaces need root")
class Vanished(harness.SystemTest):
    numbers = itertools.count()

    def setUp(self):
        super().setUp()
        # Another machine, behind a cable: 10.213.N.1 here, 10.213.N.2 there. A namespace that is deleted keeps
        # its cable for a while, so each test has names of its own.
        number = next(self.numbers)
        self.name = f"rw-gone-{os.getpid()}-{number}"
        self.here, net = f"rwg{os.getpid()}-{number}", (os.getpid() * 2 + number) % 256
        self.ours, self.theirs = f"10.213.{net}.1", f"10.213.{net}.2"
        sh("ip", "netns", "add", self.name)
        self.addCleanup(sh, "ip", "netns", "del", self.name)
        sh("ip", "link", "add", self.here, "type", "veth", "peer", "name", "there", "netns", self.name)
        sh("ip", "addr", "add", f"{self.ours}/24", "dev", self.here)
        sh("ip", "link", "set", self.here, "up")
        sh("ip", "-n", self.name, "addr", "add", f"{self.theirs}/24", "dev", "there")
        sh("ip", "-n", self.name, "link", "set", "there", "up")

    def start(self, process):
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdin.close)
        return process.stdout.readline().strip()

    def pull_the_cable(self):
        """What is sent from now on is lost, and nobody is told."""
        drops = "\n".join(f"chain {hook} {{ type filter hook {hook} priority 0; policy drop; }}"
                         for hook in ("input", "output"))
        nft = shutil.which("nft", path="/usr/sbin:/usr/bin")
        sh("ip", "netns", "exec", self.name, nft, f"table inet pulled {{\n{drops}\n}}")

    def test_a_client_in_a_silent_stream(self):
        self.ended = 0

        def stream(c, request):
            c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
            if request.target == "/talks":
                try:
                    while True:
                        c.chunk(b"data: more\n\n")
                        time.sleep(0.2)
                except OSError:
                    pass
            else:
                with contextlib.suppress(OSError):
                    c.read_to_end()
            self.ended += 1
        upstream = self.origin(stream)
        text = configs.plain(listener='timeouts.write_gap = "2s"').replace("127.0.0.1:0", f"{self.ours}:0")
        gate = self.gate(text, origin=upstream.address)
        for target in ("silent", "talks"):
            self.assertEqual(self.start(run_in(self.name, CLIENT, *gate.address()[:2], target)), "there")
        began = time.monotonic()
        self.pull_the_cable()
        # Silence: 2 s, then probes, given up 5 s after the last word. Talk: 5 s unacknowledged.
        harness.eventually(lambda: self.ended == 2, within=60, what="both streams' end at the origin")
        if harness.VERBOSE:
            print(f"noticed after {time.monotonic() - began:.1f} s")
        for path in ("/silent", "/talks"):
            self.assertEqual(gate.wait_for_access(path=path)["reason"], "client_closed")

    def test_a_server_in_a_silent_stream_and_one_that_is_asked_again(self):
        port = self.start(run_in(self.name, ORIGIN, self.theirs))
        gate = self.gate(configs.plain(upstream='timeouts.first_byte = "10m"\nretry.attempts = 1\n'
                                                'health.eject_after = 0'), origin=f"{self.theirs}:{port}")
        stream = gate.connect(timeout=harness.patience(150))
        self.addCleanup(stream.close)
        stream.send_request("GET", "/stream")
        stream.read_until(b"data: 1\n\n\r\n")
        again = gate.connect(timeout=harness.patience(150))
        self.addCleanup(again.close)
        self.assertEqual(again.request("GET", "/").status, 200)  # its connection rests from here on
        self.pull_the_cable()
        began = time.monotonic()
        self.assertEqual(again.request("GET", "/").status, 502)  # 30 s, long before first_byte
        self.assertTrue(stream.closed_within(harness.patience(90)))  # about 40 s, long before gap
        self.assertLess(time.monotonic() - began, harness.patience(150))
        self.assertEqual(gate.wait_for_access(path="/stream")["reason"], "upstream_body_reset")


if __name__ == "__main__":
    harness.main()
