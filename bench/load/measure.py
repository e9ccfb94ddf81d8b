"""Rounds of measurements over all servers of a row."""

import shutil
import statistics
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import handshakes
from process import Trouble
from proxies import KINDS, VARIANTS
from server import Origin, Setting, make_certificate
from tokens import make_tokens

STOLEN_PERCENT_MAX = 3.0


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
    load_cpu: int | str = 1  # or several, as taskset takes them
    peer_logs: bool = True
    kinds: dict = field(default_factory=lambda: KINDS)  # Server classes by name
    attempts: int = 4  # at a measurement that loses time to other machines


def missing_tools(rows):
    wanted = {"taskset", "openssl", *(tool for row in rows for tool in row.method.TOOLS)}
    return sorted(tool for tool in wanted if not shutil.which(tool))


def names_for(plan, row):
    names = [name for name in plan.names if name in (row.servers or set(plan.names) - set(VARIANTS))]
    if not names:
        raise Trouble(f"{row.name} is for {', '.join(row.servers)}, none of which is to be measured")
    return names


@contextmanager
def servers_of(plan, row):
    """The origin and all servers of the row, started and checked; stopped whatever happens."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="ringward-bench-"))
        origin = Origin(directory, plan.build, plan.load_cpu, row)
        stack.callback(origin.process.stop)
        setting = Setting(directory, origin.address, row, make_certificate(directory),
                          make_tokens(directory, row.token) if row.token else None, plan.build, plan.proxy_cpu,
                          plan.load_cpu, plan.peer_logs)
        started = []
        for name in names_for(plan, row):
            server = plan.kinds[name](setting)
            stack.callback(server.stop)
            server.start()
            started.append(server)
        yield started


def stolen_ticks(cpus):
    """Of 1/100 s in which the hypervisor ran something else where these CPUs wanted to run, by CPU."""
    wanted = {f"cpu{cpu}" for each in cpus for cpu in str(each).split(",")}
    with open("/proc/stat") as stat:
        lines = (line.split() for line in stat)
        return {words[0]: int(words[8]) for words in lines if words[0] in wanted}


def measure_undisturbed(plan, server):
    """Neighbours on the same machine take caches and the core's other thread along with the time, so a
    measurement that lost time is taken again; the least disturbed one counts."""
    taken = []
    for _ in range(plan.attempts):
        before, began = stolen_ticks((plan.proxy_cpu, plan.load_cpu)), time.monotonic()
        sample = server.setting.row.method.measure(plan, server)
        elapsed, after = time.monotonic() - began, stolen_ticks((plan.proxy_cpu, plan.load_cpu))
        sample["stolen_percent"] = max(after[cpu] - before[cpu] for cpu in after) / elapsed
        taken.append(sample)
        server.drop_logs()
        if sample["stolen_percent"] <= STOLEN_PERCENT_MAX or server.setting.row.method.FRESH:
            break
    return min(taken, key=lambda sample: sample["stolen_percent"])


def measure_row(plan, row, progress):
    """Samples by server name, one per round; the order turns by one each round."""
    samples = {server: [] for server in names_for(plan, row)}
    runs = plan.rounds if row.method.FRESH else 1
    for run in range(runs):
        with servers_of(plan, row) as servers:
            if row.new_connections:
                for server in servers:
                    resumed, full = handshakes.check(plan, server)
                    progress(f"{row.name}: {server.name}: of wrk's connections {resumed} resumed, {full} full")
            turns = [run] if row.method.FRESH else range(plan.rounds)
            for turn in turns:
                shift = turn % len(servers)
                for server in servers[shift:] + servers[:shift]:
                    sample = measure_undisturbed(plan, server)
                    samples[server.name].append(sample)
                    figures = ", ".join(f"{title} {sample[field]:.{decimals}f}"
                                        for title, field, decimals in row.columns[:3])
                    progress(f"{row.name} {turn + 1}/{plan.rounds} {server.name}: {figures}, "
                             f"stolen {sample['stolen_percent']:.1f} %")
    return samples


def median_of(samples, field):
    return statistics.median(sample[field] for sample in samples)


def ratio(samples, name, to, field="cpu_us"):
    """Median over the rounds of name's figure over that of `to` in the same round; None when the other's
    is nothing."""
    pairs = [(a[field], b[field]) for a, b in zip(samples[name], samples[to])]
    if any(other <= 0 for _, other in pairs):
        return None
    return statistics.median(own / other for own, other in pairs)
