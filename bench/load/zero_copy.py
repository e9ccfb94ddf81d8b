#!/usr/bin/env python3
"""CPU per MiB of IORING_OP_SEND and IORING_OP_SEND_ZC by the size of a send, over loopback and, as root,
over a veth pair into a network namespace of its own. docs/performance.md has what came of it."""

import argparse
import json
import os
import statistics
import subprocess
import sys
from contextlib import contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PIECES = (4, 16, 64, 256, 1024)  # KiB
SINK = """
import socket, sys
taken = socket.create_server((sys.argv[1], 0))
print(taken.getsockname()[1], flush=True)
while True:
    one, _ = taken.accept()
    while one.recv(1 << 20, socket.MSG_TRUNC):  # dropped where it lies
        pass
    one.close()
"""
NAMESPACE, OURS, THEIRS = "rw-zero-copy", "198.51.100.1", "198.51.100.2"  # TEST-NET-2 (RFC 5737)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


@contextmanager
def veth():
    ip("netns", "add", NAMESPACE)
    try:
        ip("link", "add", "rwzc0", "type", "veth", "peer", "name", "rwzc1", "netns", NAMESPACE)
        ip("addr", "add", f"{OURS}/30", "dev", "rwzc0")
        ip("link", "set", "rwzc0", "up")
        ip("-n", NAMESPACE, "addr", "add", f"{THEIRS}/30", "dev", "rwzc1")
        ip("-n", NAMESPACE, "link", "set", "rwzc1", "up")
        yield
    finally:
        ip("netns", "del", NAMESPACE)


@contextmanager
def sink(address, prefix=()):
    child = subprocess.Popen([*prefix, "taskset", "-c", "1", sys.executable, "-c", SINK, address],
                             stdout=subprocess.PIPE, text=True)
    try:
        yield f"{address}:{int(child.stdout.readline())}"
    finally:
        child.kill()
        child.wait()


def cost(program, to, kib, zero_copy):
    done = subprocess.run(["taskset", "-c", "0", program, "--to", to, "--piece", str(kib << 10),
                           *(["--zero-copy"] if zero_copy else [])], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def table(title, program, to, rounds):
    print(f"### {title}\n\n| a send | copying, CPU us/MiB | zero-copy | zero-copy / copying | copied all the same |\n"
          "|---:|---:|---:|---:|---:|")
    for kib in PIECES:
        plain, zero = [], []
        for _ in range(rounds):
            plain.append(cost(program, to, kib, False))
            zero.append(cost(program, to, kib, True))
        ratio = statistics.median(z["cpu_us_per_mib"] / p["cpu_us_per_mib"] for z, p in zip(zero, plain))
        copied = 100 * sum(z["copied"] for z in zero) / sum(z["notified"] for z in zero)
        print(f"| {kib} KiB | {statistics.median(p['cpu_us_per_mib'] for p in plain):.0f} "
              f"| {statistics.median(z['cpu_us_per_mib'] for z in zero):.0f} | {ratio:.2f} | {copied:.0f} % |",
              flush=True)
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"))
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    program = os.path.join(args.build, "bench/load/zero_copy")
    with sink("127.0.0.1") as to:
        table("loopback", program, to, args.rounds)
    if os.geteuid() == 0:
        with veth(), sink(THEIRS, ("ip", "netns", "exec", NAMESPACE)) as to:
            table("veth", program, to, args.rounds)
    else:
        print("veth: only root can make one", file=sys.stderr)


if __name__ == "__main__":
    main()
