"""Where the time goes: perf over one server while wrk drives it."""

import os
import shutil
import subprocess
import tempfile

from measure import servers_of
from process import Trouble, tree
from rows import ROWS
from throughput import wrk


def hardware_counters():
    """Virtual machines often have none; task-clock then samples by a timer."""
    done = subprocess.run(["perf", "stat", "-x,", "-e", "cycles:u", "true"], capture_output=True, text=True,
                          check=False)
    return done.returncode == 0 and "not supported" not in done.stderr and "not counted" not in done.stderr


def profile(plan, row, lines, keep, progress):
    if not shutil.which("perf"):
        raise Trouble("perf is not here: apt-get install linux-perf")
    event = "cycles" if hardware_counters() else "task-clock"
    with servers_of(plan, ROWS[row]) as servers, tempfile.TemporaryDirectory(prefix="ringward-perf-") as scratch:
        server = servers[0]
        data = os.path.abspath(keep) if keep else os.path.join(scratch, "perf.data")
        wrk(plan, server, plan.warm_up_seconds)
        recorder = subprocess.Popen(
            ["perf", "record", "-q", "-g", "-F", "1999", "-e", event, "-o", data,
             "-p", ",".join(map(str, tree(server.process.pid))), "--", "sleep", str(plan.seconds)],
            stdin=subprocess.DEVNULL)
        try:
            got = wrk(plan, server, plan.seconds + 1)
            recorder.wait(30)
        finally:
            if recorder.poll() is None:
                recorder.kill()
                recorder.wait()
        progress(f"{row}: {got['requests']} requests under perf ({event})")
        done = subprocess.run(
            ["perf", "report", "--stdio", "-q", "--no-children", "-g", "none", "--percent-limit", "0.1",
             "--sort", "overhead,dso,symbol", "-i", data], capture_output=True, text=True, check=False)
        # perf ends each line with two empty columns, "-", which say nothing.
        report = [line.rstrip(" -") for line in done.stdout.splitlines() if line.strip()]
        if not report:
            raise Trouble(f"perf report shows nothing:\n{done.stderr}")
        print("\n".join(report[:lines]))
        if keep:
            print(f"perf report -i {keep}")
    return 0
