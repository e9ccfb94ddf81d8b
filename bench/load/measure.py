"""One measurement, and rounds of them over all servers of a row."""

import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from process import Trouble, cpu_ns
from proxies import KINDS
from server import Origin, Setting, make_certificate

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = ("plain", "tls")


@dataclass
class Plan:
    """How a row is measured; CPUs are numbers as taskset takes them."""

    build: str
    names: list  # of the servers, in order
    rounds: int = 5
    seconds: int = 5  # wrk takes whole ones only
    warm_up_seconds: int = 1
    connections: int = 64
    proxy_cpu: int = 0
    load_cpu: int = 1
    peer_logs: bool = True


@dataclass
class Sample:
    cpu_us: float  # of the proxy's whole process tree, per request
    requests_per_second: float
    p50_us: float
    p99_us: float
    p999_us: float


def wrk(plan, server, seconds):
    """The JSON line of wrk.lua; any error or refusal ends the run: its cost is not what is measured."""
    command = ["taskset", "-c", str(plan.load_cpu), "wrk", "-t1", f"-c{plan.connections}",
               f"-d{seconds}s", "--latency", "-s", os.path.join(HERE, "wrk.lua")]
    for name, value in server.headers.items():
        command += ["-H", f"{name}: {value}"]
    child = subprocess.Popen([*command, server.url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
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
    if got["errors"] or got["refused"] or not got["requests"]:
        raise Trouble(f"{server.name}: {got['requests']} answers, {got['errors']} socket errors, "
                      f"{got['refused']} refusals\n{server.process.said()[-2000:]}")
    return got


def measure(plan, server):
    wrk(plan, server, plan.warm_up_seconds)
    before = cpu_ns(server.process.pid)
    got = wrk(plan, server, plan.seconds)
    spent_ns = cpu_ns(server.process.pid) - before
    server.drop_logs()
    return Sample(spent_ns / 1e3 / got["requests"], got["requests"] / got["microseconds"] * 1e6,
                  got["p50"], got["p99"], got["p999"])


def missing_tools(names):
    return [tool for tool in ("wrk", "taskset", "openssl", *names) if not shutil.which(tool)]


@contextmanager
def servers_of(plan, row):
    """The origin and all servers of the row, started and checked; stopped whatever happens."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="ringward-bench-"))
        origin = Origin(directory, plan.build, plan.load_cpu)
        stack.callback(origin.process.stop)
        setting = Setting(directory, origin.address, row == "tls", make_certificate(directory),
                          plan.build, plan.proxy_cpu, plan.peer_logs)
        started = []
        for name in plan.names:
            server = KINDS[name](setting)
            stack.callback(server.stop)
            server.start()
            started.append(server)
        yield started


def measure_row(plan, row, progress):
    """Samples by server name, one per round; the order turns by one each round."""
    with servers_of(plan, row) as servers:
        samples = {server.name: [] for server in servers}
        for turn in range(plan.rounds):
            shift = turn % len(servers)
            for server in servers[shift:] + servers[:shift]:
                sample = measure(plan, server)
                samples[server.name].append(sample)
                progress(f"{row} {turn + 1}/{plan.rounds} {server.name}: {sample.cpu_us:.2f} us, "
                         f"{sample.requests_per_second:.0f}/s")
    return samples


def median_of(samples, field):
    return statistics.median(getattr(sample, field) for sample in samples)


def ratio(samples, name, to):
    """Median over the rounds of name's CPU per request over that of `to` in the same round."""
    return statistics.median(a.cpu_us / b.cpu_us for a, b in zip(samples[name], samples[to]))
