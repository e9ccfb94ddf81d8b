"""Processes of a run: pinned, watched for an early death, ended by their own ids, and their CPU time."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager


class Trouble(Exception):
    """The run cannot go on; the text is for the person who started it."""


@contextmanager
def raised_priority(nice):
    """For this process, its children and, where the kernel groups tasks by session, the session: there
    a nice value counts only among the session's own tasks (sched(7), autogroup)."""
    group = "/proc/self/autogroup"
    before = None
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        with open(group) as now:
            words = now.read().split()
        if words:  # Empty where the session belongs to no such group, as a service's does.
            before = words[-1]
            write_word(group, str(nice))
    except PermissionError:
        print("running at ordinary priority: raising it takes CAP_SYS_NICE", file=sys.stderr)
    except FileNotFoundError:
        pass
    try:
        yield
    finally:
        if before is not None:
            write_word(group, before)


def write_word(path, word):
    with open(path, "w") as out:
        out.write(word)


def tree(pid):
    """pid and all its descendants that are alive."""
    found, waiting = [], [pid]
    while waiting:
        at = waiting.pop()
        found.append(at)
        try:
            for task in os.listdir(f"/proc/{at}/task"):
                with open(f"/proc/{at}/task/{task}/children") as children:
                    waiting.extend(int(child) for child in children.read().split())
        except FileNotFoundError:
            pass
    return found


def cpu_ns(pid):
    """Nanoseconds all threads of the tree have spent on a CPU, kernel and interrupts included."""
    total = 0
    for member in tree(pid):
        try:
            for task in os.listdir(f"/proc/{member}/task"):
                with open(f"/proc/{member}/task/{task}/schedstat") as schedstat:
                    total += int(schedstat.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


class Process:
    """One server of the run on one CPU; stdout and stderr go to a file named after it."""

    def __init__(self, name, command, cpu, directory, environment=None):
        self.name = name
        self.output = os.path.join(directory, f"{name}.out")
        with open(self.output, "ab") as output:
            self.child = subprocess.Popen(
                ["taskset", "-c", str(cpu), *command], stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, cwd=directory, env={**os.environ, **(environment or {})})

    @property
    def pid(self):
        return self.child.pid

    def said(self):
        with open(self.output, errors="replace") as output:
            return output.read()

    def wait_until(self, ready, seconds=10):
        """Polls ready() until it returns something true, which is handed back."""
        deadline = time.monotonic() + seconds
        while True:
            if self.child.poll() is not None:
                raise Trouble(f"{self.name} ended with status {self.child.returncode}:\n{self.said()}")
            got = ready()
            if got:
                return got
            if time.monotonic() > deadline:
                raise Trouble(f"{self.name} is not ready after {seconds} s:\n{self.said()}")
            time.sleep(0.02)

    def stop(self):
        """SIGTERM to the server, five seconds of patience, then SIGKILL to what is left of its tree."""
        members = tree(self.pid)
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                for member in members:
                    try:
                        os.kill(member, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                self.child.wait()
