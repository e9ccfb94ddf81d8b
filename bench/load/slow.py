#!/usr/bin/env python3
"""What slowhttptest's four modes cost the honest: heads that drip, bodies that drip, overlapping ranges, answers that
are read by the octet, from 5,000 connections each, to a route that needs no credential, beside honest requests at a
constant rate. Prints all CPU time of the workers per honest request, the attack's part included, against that
without an attack, and fails when an honest request does. bench/results/slow-clients.json keeps the samples."""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import latency
from guesses import cpu_by_thread
from measure import Plan, servers_of
from process import Trouble, raised_priority
from proxies import Ringward
from rows import ROWS
from server import ROOT

MODES = {"alone": (), "slow headers": ("-H", "-u", "{url}/open"),
         "slow bodies": ("-B", "-t", "POST", "-s", "8192", "-u", "{url}/open"),
         "ranges": ("-R", "-a", "1", "-b", "3000", "-u", "{url}/open"),
         "slow reading": ("-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-u", "{url}/bytes/{bytes}")}


class Attacked(Ringward):
    """Beside the route of the honest, one that anybody may use, with an upstream of its own."""

    more = """
            [[upstream]]
            name = "anybody"
            servers = [{{ address = "{origin}" }}]
              [upstream.pool]
              max_requests_in_flight = 6000
            [[route]]
            name = "open"
            path_prefix = "/open"
            upstream = "anybody"
            auth = []
            [[route]]
            name = "bytes"
            path_prefix = "/bytes"
            upstream = "anybody"
            auth = []
            """

    def __init__(self, setting):
        super().__init__(setting)
        self.more = Attacked.more.format(origin=setting.origin)


@contextmanager
def attack(mode, plan, server, args, peak):
    """slowhttptest, until the block has ended; `peak` gets how many connections the gate had."""
    if not MODES[mode]:
        yield
        return
    words = [word.format(url=server.url(""), bytes=args.bytes) for word in MODES[mode]]
    done = threading.Event()

    def watch():
        while not done.wait(0.5):
            peak.append(server.metric("ringward_connections"))
    watcher = threading.Thread(target=watch)
    watcher.start()
    process = subprocess.Popen(
        ["taskset", "-c", str(plan.load_cpu), "slowhttptest", "-c", str(args.connections), "-r", "2000", "-i", "5",
         "-l", str(args.seconds + 5), "-p", "5", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
        done.set()
        watcher.join()


def sample(mode, plan, server, args):
    peak = []
    before = cpu_by_thread(server.process.pid)["worker"]
    with attack(mode, plan, server, args, peak):
        taken = latency.h2load(plan, server, args.rate, args.seconds)  # Trouble unless all are 200
        spent = cpu_by_thread(server.process.pid)["worker"] - before
    ordered = sorted(microseconds for _, microseconds in taken)
    return {"worker_us": spent / 1e3 / (args.rate * args.seconds), "p99_us": latency.percentile(ordered, 99),
            "connections": int(max(peak, default=plan.connections)),
            "resident_bytes": int(server.metric("ringward_resident_memory_bytes"))}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--rate", type=int, default=30000, help="honest requests a second")
    parser.add_argument("--connections", type=int, default=5000, help="slow ones")
    parser.add_argument("--bytes", type=int, default=65536, help="of each answer that is read slowly")
    parser.add_argument("--out", default=os.path.join(ROOT, "bench/results/slow-clients.json"))
    args = parser.parse_args()
    if not shutil.which("slowhttptest"):
        sys.exit("slowhttptest is missing: apt-get install slowhttptest")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    plan = Plan(build=args.build, names=["ringward"], connections=32, kinds={"ringward": Attacked})
    samples = {mode: [] for mode in MODES}
    try:
        with raised_priority(-15), servers_of(plan, ROWS["plain"]) as (server,):
            latency.h2load(plan, server, args.rate, 1)
            for number in range(args.rounds):
                for mode in list(MODES)[number % len(MODES):] + list(MODES)[:number % len(MODES)]:
                    samples[mode].append(sample(mode, plan, server, args))
                    print(f"{mode}: {samples[mode][-1]}", file=sys.stderr, flush=True)
                    time.sleep(2)  # whoever is left of the attack is gone then
                    server.drop_logs()
    except Trouble as why:
        sys.exit(f"an honest request failed: {why}")
    for mode, found in samples.items():
        ratio = statistics.median(a["worker_us"] / b["worker_us"] for a, b in zip(found, samples["alone"]))
        middle = {name: statistics.median(one[name] for one in found) for name in found[0]}
        print(f"{mode:<13} {middle['worker_us']:6.2f} us of the workers per honest request, {ratio:.3f} of alone; "
              f"p99 {middle['p99_us']:.0f} us; {middle['connections']:.0f} connections, "
              f"{middle['resident_bytes'] / (1 << 20):.0f} MiB")
    print(f"{args.rounds * args.seconds * args.rate} honest requests of each kind, none failed")
    with open(args.out, "w") as out:
        json.dump({"rate": args.rate, "seconds": args.seconds, "connections": args.connections,
                   "load": os.getloadavg(), "samples": samples}, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
