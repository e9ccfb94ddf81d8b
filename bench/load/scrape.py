#!/usr/bin/env python3
"""What a scrape of /metrics costs a worker: its CPU time for a request while somebody scrapes, beside the
same without, in turns. The gate has many routes, limits and servers, and all routes are asked.
docs/performance.md has what came of it."""

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ROUTES, LIMITS, UPSTREAMS = 200, 16, 20
WRK = f"""
local n = 0
request = function()
  n = n + 1
  return wrk.format('GET', '/r' .. n % {ROUTES} .. '/')
end
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def configuration(directory, port):
    parts = [f'[[listener]]\nname = "main"\naddress = "127.0.0.1:{port}"\n'
             f'[admin]\naddress = "off"\nsocket = "{directory}/admin.sock"\n'
             f'[server]\nworkers = 1\nstate = "{directory}/state"\n'
             f'[log]\naccess = {{ path = "off" }}\n']
    parts += [f'[[limit]]\nname = "l{i}"\nby = "client.ip"\nrate = "1000000/s"\nburst = 1000000\n'
              for i in range(LIMITS)]
    parts += [f'[[upstream]]\nname = "u{i}"\nservers = [{{ address = "127.0.0.1:1" }}, {{ address = "127.0.0.1:2" }}]\n'
              f'[[route]]\nname = "u{i}"\npath_prefix = "/u{i}"\nupstream = "u{i}"\nauth = []\n'
              for i in range(UPSTREAMS)]
    parts += [f'[[route]]\nname = "r{i}"\npath_prefix = "/r{i}"\naction = "respond"\nbody = "ok"\nauth = []\n'
              f'limits = ["l{i % LIMITS}", "l{(i + 1) % LIMITS}"]\n' for i in range(ROUTES)]
    return "\n".join(parts)


class Gate:
    def __init__(self, binary, directory):
        port = free_port()
        path = os.path.join(directory, "ringward.toml")
        with open(path, "w") as file:
            file.write(configuration(directory, port))
        self.url = f"http://127.0.0.1:{port}/"
        self.admin = f"{directory}/admin.sock"  # the same page; by HTTP it is given some times a second
        self.process = subprocess.Popen([binary, "run", "--config", path], stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if line.startswith("ringward: info: ready"):
                break
        else:
            sys.exit("".join(said))
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        tasks = f"/proc/{self.process.pid}/task"
        self.worker = next(f"{tasks}/{one}" for one in os.listdir(tasks)
                           if open(f"{tasks}/{one}/comm").read().strip() == "worker-0")

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as one, one.makefile() as answer:
            one.connect(self.admin)
            one.sendall(command.encode() + b"\n")
            status, _, page = answer.read().partition("\n")
            if status != "ok":
                sys.exit(page)
            return page

    def reading(self):
        """CPU nanoseconds of the worker, and how many requests it has answered."""
        with open(f"{self.worker}/schedstat") as schedstat:
            used = int(schedstat.read().split()[0])
        return used, int(re.search(r"^requests +(\d+)$", self.ask("status"), re.M)[1])


def measure(gate, seconds, scrapes):
    """CPU us of a request, how many there were, and how many scrapes."""
    cpu, requests = gate.reading()
    made = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if scrapes:
            gate.ask("metrics")
            made += 1
        else:
            time.sleep(min(0.05, max(0, until - time.monotonic())))
    after, answered = gate.reading()
    answered -= requests
    if answered == 0:
        sys.exit("no request was answered")
    return (after - cpu) / 1e3 / answered, answered, made


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=os.path.join(ROOT, "build/release/ringward"))
    parser.add_argument("--rounds", type=int, default=240, help="(%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.25, help="of each half of a round (%(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ringward-scrape-") as directory:
        script = os.path.join(directory, "routes.lua")
        with open(script, "w") as file:
            file.write(WRK)
        gate = Gate(args.binary, directory)
        load = subprocess.Popen(["wrk", "-t1", "-c32", "-d1h", "-s", script, gate.url], stdout=subprocess.DEVNULL)
        try:
            time.sleep(2)
            costs, plain, beside, rates = [], [], [], []
            for number in range(args.rounds):
                halves = {}
                for scrapes in (False, True) if number % 2 else (True, False):
                    halves[scrapes] = measure(gate, args.seconds, scrapes)
                without, (us, answered, made) = halves[False][0], halves[True]
                plain.append(without)
                beside.append(us)
                rates.append(made / args.seconds)
                costs.append((us - without) * answered / made)
            page = gate.ask("metrics")
        finally:
            load.kill()
            load.wait()
            gate.process.terminate()
            gate.process.wait()
    quarters = statistics.quantiles(costs, n=4)
    margin = 1.57 * (quarters[2] - quarters[0]) / len(costs) ** 0.5  # of a median, for 95 of 100 such runs
    print(f"{sum(not line.startswith('#') for line in page.splitlines())} series, {len(page) / 1024:.0f} KiB; "
          f"{statistics.median(rates):.0f} scrapes/s; CPU us/request {statistics.median(plain):.2f} without, "
          f"{statistics.median(beside):.2f} with\n"
          f"CPU us of the worker for a scrape: {statistics.median(costs):.1f} +- {margin:.1f} (median of {args.rounds} "
          f"rounds, of which half are within {quarters[0]:.1f} to {quarters[2]:.1f})")


if __name__ == "__main__":
    main()
