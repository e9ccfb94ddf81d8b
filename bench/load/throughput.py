"""CPU per request while wrk keeps a server busy."""

import json
import os
import re
import subprocess

from process import Trouble, cpu_ns

HERE = os.path.dirname(os.path.abspath(__file__))
FIGURE = "cpu_us"  # of the proxy's whole process tree, per request
COLUMNS = (("CPU us/request", "cpu_us", 2), ("requests/s", "requests_per_second", 0),
           ("p50 us", "p50_us", 0), ("p99 us", "p99_us", 0), ("p99.9 us", "p999_us", 0))
TOOLS = ("wrk",)
TROUBLES = ("connect_errors", "read_errors", "write_errors", "timeouts", "refused")
FRESH = False
MIB = 1 << 20


def wrk(plan, server, seconds, port=None):
    """The JSON line of wrk.lua; any error or refusal ends the run: its cost is not what is measured."""
    row = server.setting.row
    command = ["taskset", "-c", str(plan.load_cpu), "wrk", "-t1", f"-c{row.connections or plan.connections}",
               f"-d{seconds}s", "--timeout", "20s", "--latency", "-s", os.path.join(HERE, "wrk.lua")]
    headers = {**server.headers, **({"Connection": "close"} if row.new_connections else {})}
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    command += [server.url(row.path, port), *([str(row.up)] if row.up else [])]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             stdin=subprocess.DEVNULL, text=True)
    try:
        said, _ = child.communicate(timeout=seconds + 30)
    except BaseException as why:
        child.kill()
        child.wait()
        if isinstance(why, subprocess.TimeoutExpired):
            raise Trouble(f"wrk against {server.name} does not end") from why
        raise
    found = re.search(r"^JSON (.*)$", said, re.MULTILINE)
    if not found:
        raise Trouble(f"wrk against {server.name}:\n{said}")
    got = json.loads(found.group(1))
    wrong = {kind: got[kind] for kind in TROUBLES if got[kind]}
    if wrong or not got["requests"]:
        raise Trouble(f"{server.name}: {got['requests']} answers, {wrong or 'no error'}\n"
                      f"{server.process.said()[-2000:]}")
    return got


def measure(plan, server):
    row = server.setting.row
    wrk(plan, server, plan.warm_up_seconds)
    before = cpu_ns(server.process.pid)
    got = wrk(plan, server, plan.seconds)
    cpu_us = (cpu_ns(server.process.pid) - before) / 1e3 / got["requests"]
    sample = {"cpu_us": cpu_us, "requests_per_second": got["requests"] / got["microseconds"] * 1e6,
              "p50_us": got["p50"], "p99_us": got["p99"], "p999_us": got["p999"]}
    if row.body_bytes:
        sample["cpu_us_per_mib"] = cpu_us * MIB / row.body_bytes
    return sample
