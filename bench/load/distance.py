"""How long an answer takes on a kept connection after a pause, when the client is far away: what
tcp_slow_start_after_idle is about, and what loopback cannot show. The gate is in the network namespace that
this runs in, the client in another; the link between them delays packets, in this process, since not every
kernel can do it (sch_netem).

    unshare -n python3 bench/load/distance.py [--rtt-ms 50] [--pause 2] [--bytes 200000]
"""

import argparse
import ctypes
import fcntl
import http.client
import math
import os
import statistics
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import ExitStack, suppress

sys.dont_write_bytecode = True

from measure import Plan, servers_of
from process import Trouble
from proxies import Ringward
from rows import Row
from server import ROOT
from tuning import Kernel, Setting

HERE, THERE = "198.51.100.1", "198.51.100.2"  # TEST-NET-2, RFC 5737
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
WARM_UP = 5  # answers without a pause, until the congestion window has grown
IDLE = "net.ipv4.tcp_slow_start_after_idle"


class Near(Ringward):
    """A gate that the other namespace reaches."""

    def command(self):
        command = super().command()
        with open(command[-1]) as config:
            text = config.read().replace(f'"127.0.0.1:{self.port}"', f'"0.0.0.0:{self.port}"')
        with open(command[-1], "w") as config:
            config.write(text)
        return command


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"{' '.join(command)}: {done.stderr.strip()}")


def tunnel(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def carry(source, target, seconds):
    """Packets from one device to the other, each so much later, until one of them is deleted; the threads
    that do it."""
    waiting, changed = deque(), threading.Condition()

    def receive():
        packet = b"first"
        while packet:
            try:
                packet = os.read(source, 65536)
            except OSError:
                packet = b""
            with changed:
                waiting.append((time.monotonic() + seconds, packet))
                changed.notify()

    def deliver():
        while True:
            with changed:
                changed.wait_for(lambda: waiting)
                due, packet = waiting.popleft()
            if not packet:
                return
            time.sleep(max(0, due - time.monotonic()))
            with suppress(OSError):
                os.write(target, packet)

    threads = [threading.Thread(target=work, daemon=True) for work in (receive, deliver)]
    for thread in threads:
        thread.start()
    return threads


def be_client(port, headers, size, pause, answers):
    """Waits for a line that says the link is there; prints how many milliseconds each answer took."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    print("ready", flush=True)
    sys.stdin.readline()
    link = http.client.HTTPConnection(HERE, port, timeout=30)
    for turn in range(WARM_UP + answers):
        if turn >= WARM_UP:
            time.sleep(pause)
        began = time.monotonic()
        link.request("GET", f"/bytes/{size}", headers=headers)
        answer = link.getresponse()
        if answer.status != 200 or len(answer.read()) != size:
            raise OSError(f"an answer of {answer.status}")
        if turn >= WARM_UP:
            print(f"{(time.monotonic() - began) * 1e3:.1f}", flush=True)
    sys.stdin.readline()  # the namespace is needed until the link has been taken away


def measure(server, args):
    """Milliseconds of each answer."""
    with ExitStack() as stack:
        client = subprocess.Popen(
            [sys.executable, __file__, "--client", str(server.port), "--bytes", str(args.bytes), "--pause",
             str(args.pause), "--answers", str(args.answers), *(f"{k}:{v}" for k, v in server.headers.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        stack.callback(client.wait)
        stack.callback(client.kill)
        client.stdout.readline()
        there = ["nsenter", f"--net=/proc/{client.pid}/ns/net", "ip"]
        ends, threads = [tunnel("near"), tunnel("far")], []
        for end in ends:
            stack.callback(os.close, end)
        stack.callback(lambda: [thread.join() for thread in threads])
        run("ip", "link", "set", "far", "netns", str(client.pid))
        for name, ip, address in (("near", ["ip"], HERE), ("far", there, THERE)):
            stack.callback(run, *ip, "link", "delete", name)  # which wakes who reads from it
            run(*ip, "address", "add", f"{address}/24", "dev", name)
            run(*ip, "link", "set", name, "up", "txqueuelen", "10000")
        threads += carry(*ends, args.rtt_ms / 2e3) + carry(*reversed(ends), args.rtt_ms / 2e3)
        client.stdin.write("go\n")
        client.stdin.flush()
        taken = [float(client.stdout.readline() or "nan") for _ in range(args.answers)]
        if any(map(math.isnan, taken)):
            raise Trouble("the client got no answer")
        return taken


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rtt-ms", type=float, default=50, help="(%(default)s)")
    parser.add_argument("--pause", type=float, default=2, help="seconds before each answer (%(default)s)")
    parser.add_argument("--bytes", type=int, default=200000, help="of an answer (%(default)s)")
    parser.add_argument("--answers", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"), help="(%(default)s)")
    parser.add_argument("--client", type=int, help=argparse.SUPPRESS)
    parser.add_argument("headers", nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = arguments()
    if args.client:
        headers = dict(each.split(":", 1) for each in args.headers)
        be_client(args.client, headers, args.bytes, args.pause, args.answers)
        return 0
    run("ip", "link", "set", "lo", "up")
    kernel = Kernel("")
    plan = Plan(os.path.abspath(args.build), ["near"], kinds={"near": Near})
    print(f"{args.bytes} bytes after {args.pause:g} s of silence, {args.rtt_ms:g} ms there and back, ms:")
    for control in ("reno", "bbr"):
        for value in ("1", "0"):
            settings = [Setting("net.ipv4.tcp_congestion_control", control, False), Setting(IDLE, value, False)]
            try:
                with kernel.holding(settings), servers_of(plan, Row("plain", down=args.bytes)) as (server,):
                    taken = measure(server, args)
            except Trouble as trouble:
                print(f"{control}, {IDLE} = {value}: {trouble}")
                continue
            print(f"{control}, {IDLE} = {value}: median {statistics.median(taken):.0f}, "
                  f"{min(taken):.0f} to {max(taken):.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
