"""Reads very many streams of sse_origin.py. Arguments: port, streams, milliseconds between the events of each,
seconds, headers. Prints `open` when all are and what came meanwhile was read, and after so many seconds more the
events that came in them and a percentile of their delays, as JSON. The streams stay open until stdin ends."""

import json
import selectors
import sys
import time

from sse_client import Stream

EVENTS = 3600  # of each stream, most of which nobody waits for
OPENING_SECONDS = 60  # at most, from the last connection to the first event of all


def read_for(seconds, watched):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for key, _ in watched.select(left):
            if not key.data.read():
                sys.exit("a stream ended")


def main():
    port, streams, gap_ms, seconds = map(int, sys.argv[1:5])
    watched, opened = selectors.DefaultSelector(), []
    for _ in range(streams):
        opened.append(Stream(port, f"/events/{EVENTS}/{gap_ms}", sys.argv[5:]))
        watched.register(opened[-1].link, selectors.EVENT_READ, opened[-1])
    patience = time.monotonic() + OPENING_SECONDS
    while silent := sum(not one.delays_us for one in opened):
        if time.monotonic() > patience:
            sys.exit(f"{silent} of {streams} streams are silent")
        read_for(2 * gap_ms / 1e3, watched)
    for one in opened:
        one.delays_us.clear()
    print("open", flush=True)
    read_for(seconds, watched)
    delays = sorted(delay for one in opened for delay in one.delays_us)
    print(json.dumps({"events": len(delays), "p99_us": round(delays[int(len(delays) * 0.99)])}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
