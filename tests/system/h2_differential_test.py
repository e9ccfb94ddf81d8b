"""200 hostile requests of HTTP/2 through the gate, nginx and HAProxy, to an origin of HTTP/1.1 that writes down what
reaches it: differential_test.py for what is translated. What the gate forwards breaks nothing of RFC 9112, cannot be
read as two requests, and is what a strict reader of RFC 9113 finds in what the client sent, or nothing.
RW_VERBOSE=1 prints where the three differ."""

import collections
import socket

import differential_test as differential
import harness
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


class Differential(differential.Sides):
    def test_nothing_that_could_be_read_as_two_requests(self):
        cases = hostile_streams.cases(COUNT)
        sent = [[one] if (one := hostile_streams.read(case)) else [] for case in cases]
        self.assertGreater(sum(not one for one in sent), COUNT // 2)
        right = [case.number for case, of_it in zip(cases, sent) if of_it and case.kind == "right"]
        self.assertGreater(len(right), COUNT // 20)
        found = self.through_each(cases, exchange, at_once=32, h2=True)
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
