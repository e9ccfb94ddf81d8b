"""What a server holds for each of very many streams of server-sent events, and what an event on them costs."""

import json
import os
import subprocess
import sys

from memory import resident_bytes
from process import Trouble, cpu_ns

HERE = os.path.dirname(os.path.abspath(__file__))
FIGURE = "cpu_us"  # of the proxy's whole process tree, per event, while all streams are open
COLUMNS = (("CPU us/event", "cpu_us", 2), ("bytes/stream", "bytes_per_stream", 0),
           ("MiB with them", "resident_mib", 1), ("p99 us", "p99_us", 0))
TOOLS = ()
FRESH = True  # memory once had is kept: each round begins with new processes
GAP_MILLISECONDS = 1000  # between the events of a stream
ALL = 0.98  # so many of the events that are due must come, or the figure is of another load


def measure(plan, server):
    streams = server.setting.row.connections
    headers = [f"{name}: {value}" for name, value in server.headers.items()]
    before = resident_bytes(server.process.pid)
    with subprocess.Popen(
            ["taskset", "-c", str(plan.load_cpu), sys.executable, os.path.join(HERE, "many_streams_client.py"),
             str(server.port), str(streams), str(GAP_MILLISECONDS), str(plan.seconds), *headers],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        opened = client.stdout.readline() == "open\n"
        began = cpu_ns(server.process.pid)
        got = client.stdout.readline()
        spent = cpu_ns(server.process.pid) - began
        held = resident_bytes(server.process.pid)
        _, said = client.communicate()
    if not opened or not got:
        raise Trouble(f"{server.name}: {said[-2000:]}\n{server.process.said()[-2000:]}")
    got = json.loads(got)
    if got["events"] < ALL * streams * plan.seconds * 1000 / GAP_MILLISECONDS:
        raise Trouble(f"{server.name}: {got['events']} events in {plan.seconds} s of {streams} streams")
    return {"cpu_us": spent / 1e3 / got["events"], "bytes_per_stream": (held - before) / streams,
            "resident_mib": held / (1 << 20), "p99_us": got["p99_us"]}
