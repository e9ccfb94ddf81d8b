"""Latency when a server is not busy: requests at a constant rate, half of what it can do at most."""

import os
import subprocess
import tempfile

import throughput
from process import Trouble, cpu_ns

FIGURE = "p99_us"
COLUMNS = (("p99 us", "p99_us", 0), ("p50 us", "p50_us", 0), ("p99.9 us", "p999_us", 0),
           ("requests/s", "requests_per_second", 0),
           ("wanted", "wanted_per_second", 0), ("CPU us/request", "cpu_us", 2))
TOOLS = ("wrk", "h2load")
FRESH = False
UNSTEADY = 0.1  # of the requests, at either end: not all of h2load's clients are there


def percentile(ordered, percent):
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def h2load(plan, server, rate, seconds):
    """(start, microseconds) of each request, in order of start, without the beginning and the end. Each of
    h2load's clients keeps a rate of its own by a timer of 10 ms or more; they start one a millisecond,
    or all timers would fire at once and send a burst."""
    requests = int(rate * seconds)
    with tempfile.NamedTemporaryFile(mode="r", dir=server.directory) as log:
        command = ["taskset", "-c", str(plan.load_cpu), "h2load", "--h1", "-t1", f"-c{plan.connections}",
                   "-r1", "--rate-period=1ms", f"-n{requests}", f"--rps={rate / plan.connections:.3f}",
                   f"--log-file={log.name}"]
        for name, value in server.headers.items():
            command += ["-H", f"{name}: {value}"]
        try:
            done = subprocess.run([*command, server.url("/")], capture_output=True, text=True, check=False,
                                  timeout=3 * seconds + 30)
        except subprocess.TimeoutExpired as why:
            raise Trouble(f"h2load against {server.name} does not end") from why
        rows = [line.split("\t") for line in log.read().splitlines()]
    refused = sum(row[1] != "200" for row in rows)
    if done.returncode != 0 or refused or len(rows) != requests:
        raise Trouble(f"{server.name}: h2load: {len(rows)} of {requests} answers, {refused} refusals\n"
                      f"{(done.stdout + done.stderr)[-2000:]}\n{server.process.said()[-2000:]}")
    unsteady = int(requests * UNSTEADY)
    return sorted((int(row[0]), int(row[2])) for row in rows)[unsteady:requests - unsteady]


def measure(plan, server):
    if server.most is None:
        got = throughput.wrk(plan, server, plan.seconds)
        server.most = got["requests"] / got["microseconds"] * 1e6
    wanted = server.most / 2
    before = cpu_ns(server.process.pid)
    taken = h2load(plan, server, wanted, plan.seconds)
    spent_us = (cpu_ns(server.process.pid) - before) / 1e3
    ordered = sorted(microseconds for _, microseconds in taken)
    return {"p50_us": percentile(ordered, 50), "p99_us": percentile(ordered, 99),
            "p999_us": percentile(ordered, 99.9),
            "requests_per_second": len(taken) / max(1, taken[-1][0] - taken[0][0]) * 1e6,
            "wanted_per_second": wanted, "cpu_us": spent_us / int(wanted * plan.seconds)}
