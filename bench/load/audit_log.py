#!/usr/bin/env python3
"""CPU per request with and without the audit log, all threads of the process together, in one run.
docs/performance.md has what came of it."""

import argparse
import os
import statistics
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from measure import Plan, measure_row, median_of, ratio
from process import raised_priority
from proxies import Ringward
from rows import ROWS
from server import ROOT


class Audited(Ringward):
    name = "audited"
    logs = 'audit = {{ path = "{d}/audit.jsonl", sign = {{ env = "RW_BENCH_SEED" }} }}'


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=5)
    args = parser.parse_args()
    os.environ["RW_BENCH_SEED"] = "5a" * 32
    kinds = {"ringward": Ringward, "audited": Audited}
    plan = Plan(build=args.build, names=list(kinds), rounds=args.rounds, seconds=args.seconds, kinds=kinds)
    with raised_priority(-15):
        samples = measure_row(plan, ROWS["plain"], lambda line: print(line, file=sys.stderr, flush=True))
    more = statistics.median(a["cpu_us"] - b["cpu_us"]
                             for a, b in zip(samples["audited"], samples["ringward"]))
    print(f"without {median_of(samples['ringward'], 'cpu_us'):.2f} us, "
          f"with {median_of(samples['audited'], 'cpu_us'):.2f} us; median of the differences {more:.2f} us, "
          f"of the ratios {ratio(samples, 'audited', 'ringward'):.3f}")


if __name__ == "__main__":
    main()
