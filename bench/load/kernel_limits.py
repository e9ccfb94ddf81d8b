"""What docs/tuning.md says of the kernel and load over loopback cannot show, each as a line of its own:

    unshare -n python3 bench/load/kernel_limits.py [migrate] [pipes] [slab] [stall]

migrate  what becomes of connections that wait at one of two SO_REUSEPORT sockets when it is closed
pipes    how many pipes of 256 KiB an ordinary user gets, and of what size the next one is
slab     bytes of slab for both ends of an idle connection over loopback
stall    bytes that a client which reads quickly and then stops leaves in the gate's socket
Takes root and a network namespace of its own; stall also build/release with its benchmarks (./dev bench).
"""

import argparse
import errno
import fcntl
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, suppress

sys.dont_write_bytecode = True

from distance import run
from measure import Plan, servers_of
from process import Trouble
from rows import MIB, Row
from server import ROOT
from tuning import Kernel, Setting

WAITING = 40  # connections, for migrate
PIPE_BYTES = 256 << 10
NOBODY = 65534
IDLE = 9000  # connections, for slab
STALLED = 20  # clients, for stall
READ = 16 * MIB  # what each of them takes
LOWAT = (None, 131072, 65536, 16384)  # None: the default
F_SETPIPE_SZ, F_GETPIPE_SZ = 1031, 1032
SETTLED = 0.5  # seconds in which a full queue has not changed


def listener(port=0):
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    made.listen(4096)
    made.setblocking(False)
    return made


def accepted(of):
    """The connections in its queue."""
    some = []
    with suppress(BlockingIOError):
        while True:
            some.append(of.accept()[0])
    return some


def migrate(kernel, _):
    for value in ("0", "1"):
        with kernel.holding([Setting("net.ipv4.tcp_migrate_req", value, False)]):
            first = listener()
            second = listener(first.getsockname()[1])
            clients = [socket.create_connection(first.getsockname()) for _ in range(WAITING)]
            second.close()
            served = accepted(first)
            print(f"migrate: tcp_migrate_req = {value}: {len(served)} of {len(clients)} accepted")
            for one in (first, *clients, *served):
                one.close()


def pipes(*_):
    """In a child, since there is no way back from an ordinary user."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        if os.waitpid(child, 0)[1] != 0:
            raise Trouble("pipes: it failed")
        return
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    got = 0
    while True:
        end, _ = os.pipe()
        try:
            fcntl.fcntl(end, F_SETPIPE_SZ, PIPE_BYTES)
        except OSError as why:
            print(f"pipes: {got} of {PIPE_BYTES >> 10} KiB, then {errno.errorcode[why.errno]}; "
                  f"a new one has {fcntl.fcntl(end, F_GETPIPE_SZ) >> 10} KiB", flush=True)
            os._exit(0)
        got += 1


def slab_bytes():
    with open("/proc/meminfo") as lines:
        return int(re.search(r"^Slab:\s+(\d+) kB$", lines.read(), re.MULTILINE)[1]) * 1024


def slab(*_):
    with listener() as here, ExitStack() as stack:
        def open_some(count):
            for _ in range(count):
                stack.enter_context(socket.create_connection(here.getsockname()))
                for one in accepted(here):
                    stack.enter_context(one)
        open_some(IDLE // 20)  # what is only made once
        before = slab_bytes()
        open_some(IDLE)
        print(f"slab: {(slab_bytes() - before) / IDLE:.0f} bytes for both ends of a connection")


def queued(port):
    """Bytes in the gate's sockets, of each connection: what has not been acknowledged or not been sent."""
    said = subprocess.run(["ss", "-tmnH", "state", "established", f"sport = :{port}"], capture_output=True,
                          text=True, check=True).stdout
    return [int(each) for each in re.findall(r"skmem:\(.*?,w(\d+),", said)]


def settled(port):
    """The same once nothing moves."""
    before = None
    while (now := queued(port)) != before:
        before = now
        time.sleep(SETTLED)
    return now


def stalled_client(server):
    request = [f"GET /bytes/{4 * READ} HTTP/1.1", "host: localhost",
               *(f"{name}: {value}" for name, value in server.headers.items()), "", ""]
    link = socket.create_connection(("127.0.0.1", server.port))
    if server.setting.tls:
        import ssl
        link = ssl.create_default_context(cafile=server.setting.chain).wrap_socket(link, server_hostname="localhost")
    link.sendall("\r\n".join(request).encode())
    taken = 0
    while taken < READ:
        got = len(link.recv(1 << 16))
        if got == 0:
            raise Trouble("stall: the answer ended")
        taken += got
    return link


def stall(kernel, plan):
    for tls in (False, True):
        for value in LOWAT:
            settings = [Setting("net.ipv4.tcp_notsent_lowat", str(value), False)] if value else []
            row = Row("tls-stall" if tls else "stall", tls=tls)
            with kernel.holding(settings), servers_of(plan, row) as (server,), ExitStack() as stack:
                for _ in range(STALLED):
                    stack.enter_context(stalled_client(server))
                kept = settled(server.port)
                if len(kept) < STALLED:
                    raise Trouble(f"stall: {len(kept)} connections")
                print(f"stall: {'TLS' if tls else 'plain'}, tcp_notsent_lowat {value or 'as it is'}: "
                      f"{statistics.mean(kept) / 1024:.0f} KiB", flush=True)


PARTS = {"migrate": migrate, "pipes": pipes, "slab": slab, "stall": stall}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all without")
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"), help="(%(default)s)")
    args = parser.parse_args()
    unknown = [name for name in args.parts if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    run("ip", "link", "set", "lo", "up")
    plan = Plan(os.path.abspath(args.build), ["ringward"])
    try:
        for name in args.parts or PARTS:
            PARTS[name](Kernel(""), plan)
        return 0
    except Trouble as trouble:
        print(f"kernel_limits.py: {trouble}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
