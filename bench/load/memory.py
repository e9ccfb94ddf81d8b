"""Bytes a server holds for each idle TLS connection, kept alive after one request."""

import os
import re
import subprocess
import sys
import time

from process import Trouble, tree

HERE = os.path.dirname(os.path.abspath(__file__))
FIGURE = "bytes_per_connection"  # of resident memory of the whole process tree
COLUMNS = (("bytes/idle connection", "bytes_per_connection", 0), ("MiB with them", "resident_mib", 1))
TOOLS = ()
FRESH = True  # memory once had is kept: each round begins with new processes
CONNECTIONS = 5000
METRIC_SECONDS = 1.5  # it is as old as a second
FIRST = 100  # before these a server has not made what it makes only once
LINES = 20000  # nor written to all of the queue of its log, which has room for some 12,000 of them


def resident_bytes(pid):
    """Private and shared pages of the tree; what is shared is there before and after."""
    total = 0
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/status") as status:
                found = re.search(r"^VmRSS:\s+(\d+) kB$", status.read(), re.MULTILINE)
                total += int(found.group(1)) * 1024 if found else 0
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


class Clients:
    """idle_clients.py, told by lines what to do."""

    def __init__(self, plan, server):
        headers = [f"{name}: {value}" for name, value in server.headers.items()]
        self.server = server
        self.child = subprocess.Popen(
            ["taskset", "-c", str(plan.load_cpu), sys.executable, os.path.join(HERE, "idle_clients.py"),
             str(server.port), server.setting.chain, *headers],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ask(self, line):
        try:
            print(line, file=self.child.stdin, flush=True)
        except BrokenPipeError:
            pass  # it has said why
        answer = self.child.stdout.readline().strip()
        if answer != "good":
            self.child.kill()
            raise Trouble(f"{self.server.name}: {line}: {answer}{self.child.stderr.read()[-2000:]}\n"
                          f"{self.server.process.said()[-2000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.communicate()


def measure(plan, server):
    with Clients(plan, server) as clients:
        clients.ask(f"open {FIRST}")
        clients.ask(f"ask {LINES}")
        before = resident_bytes(server.process.pid)
        clients.ask(f"open {CONNECTIONS}")
        after = resident_bytes(server.process.pid)
        sample = {"bytes_per_connection": (after - before) / CONNECTIONS, "resident_mib": after / (1 << 20)}
        if server.name == "ringward":
            time.sleep(METRIC_SECONDS)
            sample["own_metric"] = server.metric("ringward_bytes_per_idle_connection")
        clients.ask("check")  # none was closed meanwhile, or the figure is of fewer
    return sample
