"""What a server adds to the delay of each server-sent event, on streams that are otherwise quiet."""

import json
import os
import subprocess
import sys

from process import Trouble, cpu_ns

HERE = os.path.dirname(os.path.abspath(__file__))
FIGURE = "added_p50_us"
COLUMNS = (("added p50 us", "added_p50_us", 1), ("added p99 us", "added_p99_us", 1),
           ("p50 us", "p50_us", 1), ("direct p50 us", "direct_p50_us", 1), ("p99.9 us", "p999_us", 1),
           ("CPU us/event", "cpu_us", 2))
TOOLS = ()
FRESH = False
STREAMS = 50
GAP_MILLISECONDS = 50  # between the events of a stream: 1,000 a second in all


def delays(plan, server, port):
    """Percentiles of the delay in microseconds, of all events of all streams."""
    events = max(1, plan.seconds * 1000 // GAP_MILLISECONDS)
    headers = [f"{name}: {value}" for name, value in server.headers.items()]
    done = subprocess.run(
        ["taskset", "-c", str(plan.load_cpu), sys.executable, os.path.join(HERE, "sse_client.py"), str(port),
         str(STREAMS), str(events), str(GAP_MILLISECONDS), *headers],
        capture_output=True, text=True, check=False, timeout=plan.seconds + 30)
    if done.returncode != 0:
        raise Trouble(f"{server.name}: {done.stderr[-2000:]}\n{server.process.said()[-2000:]}")
    return json.loads(done.stdout), events * STREAMS


def measure(plan, server):
    """The same streams past the server and through it, one after the other."""
    direct, _ = delays(plan, server, int(server.setting.origin.rpartition(":")[2]))
    before = cpu_ns(server.process.pid)
    got, events = delays(plan, server, server.port)
    cpu_us = (cpu_ns(server.process.pid) - before) / 1e3 / events
    return {**got, "direct_p50_us": direct["p50_us"], "direct_p99_us": direct["p99_us"],
            "added_p50_us": got["p50_us"] - direct["p50_us"],
            "added_p99_us": got["p99_us"] - direct["p99_us"], "cpu_us": cpu_us}
