#!/usr/bin/env python3
"""What 100 wrong API keys a second, each from an address of its own and each to be held against sixteen bcrypt
lines, cost the honest: the workers' CPU per request, and whether one fails. Half of the honest have an rwk1 key,
half one of a bcrypt line, at a constant rate. Beside them, too: as many requests without a key, on as many
connections, and a loop of class SCHED_IDLE on the worker's CPU, which never idles then, and the worker wakes for
fewer requests at a time. docs/performance.md has what came of it."""

import argparse
import copy
import http.client
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import latency
from measure import Plan, servers_of
from process import raised_priority
from proxies import Ringward
from rows import ROWS
from server import ROOT

LEGACY = "legacy-key-of-alice-0001"
LEGACY_LINE = "alice:$2b$04$abcdefghijklmnopqrstuuUvYS9F4GuR7UjKkEdKWp9CaPIxOLmxq"
NOBODY = "nobody-{0}:$2b$12$abcdefghijklmnopqrstuu{1}"  # 2^12 rounds, as is usual


class Legacy(Ringward):
    """Sixteen bcrypt lines, one of which somebody has the key of."""

    def other_keys(self):
        return (LEGACY_LINE, *(NOBODY.format(c, c * 31) for c in "abcdefghijklmno"))


class Guesser:
    """Wrong keys, or none, at a constant rate, until stop(). 127.0.0.0/8 has an address for each."""

    def __init__(self, port, rate, has_key):
        self.port, self.rate, self.has_key, self.outcomes = port, rate, has_key, Counter()
        self.done = threading.Event()
        self.pool = ThreadPoolExecutor(max_workers=256)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        began = time.monotonic()
        number = 0
        while not self.done.wait(max(0.0, began + number / self.rate - time.monotonic())):
            self.pool.submit(self.guess, number)
            number += 1

    def guess(self, number):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(
            f"127.{1 + number // 62500 % 250}.{number // 250 % 250}.{1 + number % 250}", 0))
        try:
            guess = {"x-api-key": f"guess-{os.urandom(12).hex()}"} if self.has_key else {}
            link.request("GET", "/", headers=guess)
            self.outcomes[link.getresponse().status] += 1
        except OSError as why:
            self.outcomes[type(why).__name__] += 1
        finally:
            link.close()

    def stop(self):
        self.done.set()
        self.thread.join()
        self.pool.shutdown(cancel_futures=True)


def cpu_by_thread(pid):
    """Nanoseconds on a CPU by the names of threads, workers counted as one."""
    total = Counter()
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm") as name, \
                open(f"/proc/{pid}/task/{task}/schedstat") as spent:
            kind = name.read().strip().split("-")[0]
            total[kind] += int(spent.read().split()[0])
    return total


def wait_for_hashes(pid):
    """Until nothing that was asked for before is computed any more: it would be the next sample's."""
    spent = None
    while spent != (now := cpu_by_thread(pid)["hashes"]):
        spent = now
        time.sleep(0.5)


def wait_until_held(pid):
    """Until what guesses may take at once is spent (gateway/guess_budget.h), and a quarter of the time is left."""
    spent = cpu_by_thread(pid)["hashes"]
    for _ in range(60):
        time.sleep(2)
        before, spent = spent, cpu_by_thread(pid)["hashes"]
        if spent - before < 1e9:
            return
    sys.exit("guesses are not held to their part")


def honest(plan, server, rate, seconds):
    """Requests of both kinds at once, so many a second together; Trouble when one is not answered by 200."""
    other = copy.copy(server)
    other.headers = {"x-api-key": LEGACY}
    before = cpu_by_thread(server.process.pid)
    with ThreadPoolExecutor(max_workers=2) as pool:
        runs = [pool.submit(latency.h2load, plan, each, rate / 2, seconds) for each in (server, other)]
        taken = [microseconds for run in runs for _, microseconds in run.result()]
    spent = cpu_by_thread(server.process.pid)
    requests = rate * seconds
    return {"worker_us": (spent["worker"] - before["worker"]) / 1e3 / requests,
            "hashes_s": (spent["hashes"] - before["hashes"]) / 1e9 / seconds,
            "p99_us": latency.percentile(sorted(taken), 99)}


@contextmanager
def beside(kind, plan, server, rate, outcomes):
    if kind == "alone":
        yield
    elif kind == "beside a loop":
        loop = subprocess.Popen(["taskset", "-c", str(plan.proxy_cpu), "chrt", "--idle", "0", sys.executable, "-c",
                                 "while True: pass"])
        try:
            yield
        finally:
            loop.kill()
            loop.wait()
    else:
        guesser = Guesser(server.port, rate, kind == "beside guesses")
        try:
            if guesser.has_key:
                wait_until_held(server.process.pid)
            yield
        finally:
            guesser.stop()
            outcomes.update(guesser.outcomes)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=30000, help="honest requests a second")
    parser.add_argument("--guesses", type=int, default=100, help="a second")
    args = parser.parse_args()
    plan = Plan(build=args.build, names=["ringward"], connections=32, kinds={"ringward": Legacy})
    kinds = ("alone", "beside a loop", "beside strangers", "beside guesses")
    samples = {kind: [] for kind in kinds}
    outcomes = {kind: Counter() for kind in kinds}
    with raised_priority(-15), servers_of(plan, ROWS["plain"]) as (server,):
        status, *_ = server.fetch({"x-api-key": LEGACY})  # the one bcrypt in five minutes
        if status != 200:
            sys.exit(f"the legacy key gets {status}")
        honest(plan, server, args.rate, 1)
        for number in range(args.rounds):
            for kind in kinds[number % len(kinds):] + kinds[:number % len(kinds)]:
                wait_for_hashes(server.process.pid)
                with beside(kind, plan, server, args.guesses, outcomes[kind]):
                    sample = honest(plan, server, args.rate, args.seconds)
                samples[kind].append(sample)
                print(f"{kind}: {sample}", file=sys.stderr, flush=True)
    for kind, found in samples.items():
        def median(name, of=found):
            return statistics.median(sample[name] for sample in of)
        ratios = [f"{statistics.median(a['worker_us'] / b['worker_us'] for a, b in zip(found, samples[to])):.3f}"
                  for to in ("alone", "beside a loop")]
        print(f"{kind:<17} {median('worker_us'):6.2f} us of the workers per honest request, {ratios[0]} of alone, "
              f"{ratios[1]} of beside a loop; p99 {median('p99_us'):.0f} us; threads for hashes "
              f"{median('hashes_s'):.2f} s/s; the others got {dict(outcomes[kind])}")
    print(f"{args.rounds * args.seconds * args.rate} honest requests of each kind, none failed")


if __name__ == "__main__":
    main()
