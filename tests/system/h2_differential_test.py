"""200 hostile requests of HTTP/2 through the gate, nginx and HAProxy, to an origin of HTTP/1.1 that writes down what
reaches it: differential_test.py for what is translated. What the gate forwards breaks nothing of RFC 9112, cannot be
read as two requests, and is what a strict reader of RFC 9113 finds in what the client sent, or nothing.
RW_VERBOSE=1 prints where the three differ."""

import collections
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import configs
import differential_test as differential
import harness
import hostile_heads
import hostile_streams
from hostile_streams import DATA, END_STREAM, GOAWAY, HEADERS, RST_STREAM

COUNT = 200


def exchange(address, octets):
    """What becomes of the first stream: "answered", "reset", "goaway", or "closed" without a word."""
    with socket.create_connection(address, 10) as sock:
        sock.settimeout(harness.patience(10))
        said = b""
        try:
            sock.sendall(octets)
            while data := sock.recv(65536):
                said += data
                while len(said) >= 9 and len(said) >= 9 + int.from_bytes(said[:3], "big"):
                    size, kind, flags = int.from_bytes(said[:3], "big"), said[3], said[4]
                    if kind in (DATA, HEADERS) and flags & END_STREAM:
                        return "answered"
                    if kind in (RST_STREAM, GOAWAY):
                        return "reset" if kind == RST_STREAM else "goaway"
                    said = said[9 + size:]
        except OSError:
            pass
        return "closed"


class Differential(harness.SystemTest):
    def through(self, address, recorder, cases):
        with ThreadPoolExecutor(32) as crew:
            ends = list(crew.map(lambda one: exchange(address, one.octets), cases))
        reached = collections.defaultdict(list)
        for stream in map(bytes, filter(None, list(recorder.streams))):
            named = hostile_heads.LABEL.search(stream) or differential.PATH.search(stream)
            reached[int(named[1]) if named else None].append(stream)
        return ends, reached

    def start(self, name, recorder):
        if name == "gate":
            timeouts = "\n".join(f'timeouts.{key} = "1s"' for key in ("head", "body_gap", "keepalive"))
            alone = ("retry.attempts = 1\nhealth.eject_after = 0\npool.requests_per_connection = 1\n"
                     'timeouts.first_byte = "2s"')
            return self.gate(configs.plain(listener=timeouts, upstream=alone), origin=recorder.address).address()
        make = differential.Nginx if name == "nginx" else differential.Haproxy
        server = make(self.directory, recorder.address, h2=True)
        self.addCleanup(server.kill)
        return "127.0.0.1", server.port

    def test_nothing_that_could_be_read_as_two_requests(self):
        cases = hostile_streams.cases(COUNT)
        sent = [[one] if (one := hostile_streams.read(case)) else [] for case in cases]
        self.assertGreater(sum(not one for one in sent), COUNT // 2)
        right = [case.number for case, of_it in zip(cases, sent) if of_it and case.kind == "right"]
        self.assertGreater(len(right), COUNT // 20)
        Path(self.directory).chmod(0o755)
        found = {}
        for name in ("gate", "nginx", "haproxy"):
            recorder = differential.Recorder()
            self.addCleanup(recorder.close)
            found[name] = self.through(self.start(name, recorder), recorder, cases)
        ends, reached = found["gate"]
        self.assertNotIn(None, reached)
        for case, of_it in zip(cases, sent):
            streams = reached.get(case.number, [])
            self.assertEqual(differential.faults_of(streams, of_it), [], (case, streams))
            self.assertTrue(all(map(differential.chunks_are_plain, streams)), (case, streams))
            self.assertLessEqual(sum(one.count(b"HTTP/1.1\r\n") for one in map(head_of, streams)), 1, (case, streams))
        for number in right:  # not by refusing everything
            self.assertEqual((ends[number], len(reached[number])), ("answered", 1), cases[number])
        self.report(cases, sent, found)

    def report(self, cases, sent, found):
        if not harness.VERBOSE:
            return
        for name, (ends, reached) in found.items():
            faults = collections.Counter()
            for case, of_it in zip(cases, sent):
                faults.update(set(differential.faults_of(reached.get(case.number, []), of_it)))
            print(f"{name}: {len(reached)} of {COUNT} reached the origin; {dict(collections.Counter(ends))}; "
                  f"faults {dict(faults)}")
        for case in cases:
            by = [name for name, (_, reached) in found.items() if case.number in reached]
            if by and len(by) < len(found):
                print(f"{case.kind:9} forwarded by {' '.join(by):20} {case.fields} {case.trailers} {case.body}")


def head_of(stream):
    return stream.partition(b"\r\n\r\n")[0] + b"\r\n"


if __name__ == "__main__":
    harness.main()
