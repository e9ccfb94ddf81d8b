"""CPU per request of HTTP/2: a few connections with many streams at once, by h2load."""

import re
import subprocess

from process import Trouble, cpu_ns

FIGURE = "cpu_us"  # of the proxy's whole process tree, per request
COLUMNS = (("CPU us/request", "cpu_us", 2), ("requests/s", "requests_per_second", 0))
TOOLS = ("h2load",)
FRESH = False
CONNECTIONS = 4
STREAMS = 32  # of each


def h2load(plan, server, seconds):
    """How many requests were answered with 2xx; anything else ends the run."""
    command = ["taskset", "-c", str(plan.load_cpu), "h2load", "-t1", f"-c{CONNECTIONS}", f"-m{STREAMS}",
               f"-D{seconds}"]
    for name, value in server.headers.items():
        command += ["-H", f"{name}: {value}"]
    done = subprocess.run([*command, server.url(server.setting.row.path)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=seconds + 30, check=False)
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", done.stdout)
    good = re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", done.stdout)
    if not counts or not good or any(int(each) for each in counts.groups()[1:]) or "h2" not in done.stdout:
        raise Trouble(f"h2load against {server.name}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return int(good[1])


def measure(plan, server):
    h2load(plan, server, plan.warm_up_seconds)
    before = cpu_ns(server.process.pid)
    answered = h2load(plan, server, plan.seconds)
    return {"cpu_us": (cpu_ns(server.process.pid) - before) / 1e3 / answered,
            "requests_per_second": answered / plan.seconds}
