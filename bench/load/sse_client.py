"""Reads streams of sse_origin.py and prints percentiles of the events' delays as JSON. Arguments: port,
streams, events of each, milliseconds between them, headers."""

import json
import re
import selectors
import socket
import sys
import time

EVENT = re.compile(rb"data: (\d+)\n\n")


class Stream:
    def __init__(self, port, target, headers):
        lines = (f"GET {target} HTTP/1.1", "Host: localhost", *headers, "")
        self.link = socket.create_connection(("127.0.0.1", port), 5)
        self.link.sendall("".join(f"{line}\r\n" for line in lines).encode())
        self.head, self.rest, self.delays_us = b"", b"", []

    def read(self):
        """False at the end."""
        data = self.link.recv(65536)
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        self.rest += data
        if not self.head:
            self.head, blank, body = self.rest.partition(b"\r\n\r\n")
            if not blank:
                self.head = b""
                return bool(data)
            if not self.head.startswith(b"HTTP/1.1 200 "):
                raise OSError(f"answered {self.head!r}")
            self.rest = body
        end = 0
        for found in EVENT.finditer(self.rest):
            self.delays_us.append((now - int(found[1])) / 1e3)
            end = found.end()
        self.rest = self.rest[end:]
        return bool(data)


def main():
    port, streams, events, gap_ms = map(int, sys.argv[1:5])
    watched, opened = selectors.DefaultSelector(), []
    for _ in range(streams):  # evenly over the gap, so that each event travels alone
        opened.append(Stream(port, f"/events/{events}/{gap_ms}", sys.argv[5:]))
        watched.register(opened[-1].link, selectors.EVENT_READ, opened[-1])
        time.sleep(gap_ms / streams / 1e3)
    deadline = time.monotonic() + events * gap_ms / 1e3 + 10
    waiting = streams
    while waiting and time.monotonic() < deadline:
        for key, _ in watched.select(1):
            going = key.data.read()
            if not going or len(key.data.delays_us) >= events:
                watched.unregister(key.fileobj)
                waiting -= 1
    delays = sorted(delay for one in opened for delay in one.delays_us)
    if len(delays) != streams * events:
        sys.exit(f"{len(delays)} of {streams * events} events arrived whole")
    print(json.dumps({name: round(delays[min(len(delays) - 1, int(len(delays) * share))], 1)
                      for name, share in (("p50_us", 0.5), ("p99_us", 0.99), ("p999_us", 0.999))}))


if __name__ == "__main__":
    main()
