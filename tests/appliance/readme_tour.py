#!/usr/bin/python3
"""Walks the README's tour: runs its code blocks word for word and compares what they print.

    readme_tour.py NAME [DIRECTORY] [--readme FILE] [--inside COMMAND]

NAME is `demo`, in a clean clone, or `package` or `rpm`, as root on a machine that has nothing of
Ringward's but the .deb or the .rpm in DIRECTORY. COMMAND runs a bash there when that machine is another one (nsenter,
ssh); nothing but bash and coreutils has to be on it. A block belongs to a tour by the comment in the line before its fence:

    <!-- tour: NAME... -->              lines with `$ ` or `# ` are typed into one shell, one after
                                        the other, in the order of the README; what follows such a
                                        line is what it prints
    <!-- tour: NAME, stays -->          its one command stays in a terminal of its own until the end
    <!-- tour: NAME..., file /PATH -->  the block is what is saved as that file

`...` in what is printed stands for anything; in a command, for what the command that stays has
printed: the one line of it that fits. A command that prints nothing in the README may print what it
wants. Every command has to succeed. The shell is on a terminal, as a person's is.
"""

import argparse
import base64
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 1800  # seconds for one command: the first ./dev run builds everything
MARK = re.compile(r"<!-- tour: ([\w ]+)(?:, (stays|file (\S+)))? -->\n```\w+\n(.*?)^```$", re.M | re.S)
END = "tour-step-ended"


@dataclass
class Step:
    command: str
    run: str = ""  # instead of it
    stays: bool = False
    expected: list = field(default_factory=list)  # lines


def read_tour(readme, name):
    """The steps of a tour, in order."""
    steps = []
    for tour, how, path, block in MARK.findall(readme):
        if name not in tour.split():
            continue
        if path:
            steps.append(save(path, block))
            continue
        for line in block.splitlines():
            if line.startswith(("$ ", "# ")):
                steps.append(Step(line[2:], stays=how == "stays"))
            else:
                steps[-1].expected.append(line)
    return steps


def save(path, text):
    """What an editor would do."""
    return Step(f"save {path}", run=f"printf '%s\\n' {literal(text)} >{shlex.quote(path)}")


def pattern(text):
    """A regular expression for text in which `...` is anything."""
    return ".*?".join(re.escape(part) for part in text.split("..."))


def literal(text):
    """Shell that stands for the text, whatever is in it."""
    return f'"$(base64 -d <<<{base64.b64encode(text.encode()).decode()})"'


def tidy(said):
    return "\n".join(line.rstrip() for line in said.replace("\r", "").splitlines()).strip()


class Terminal:
    """A bash whose output is a terminal, and which takes commands without showing them."""

    def __init__(self, shell, directory):
        self.said = ""
        self.changed = threading.Condition()
        ours, its = pty.openpty()
        self.shell = subprocess.Popen(shell, text=True, stdin=subprocess.PIPE, stdout=its, stderr=its,
                                      start_new_session=True)
        os.close(its)
        threading.Thread(target=self.read, args=(ours,), daemon=True).start()
        self.send(f"export TERM=dumb LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive; cd {directory}")

    def read(self, terminal):
        while True:
            try:
                data = os.read(terminal, 65536)
            except OSError:  # the last one at the other end has gone
                return
            with self.changed:
                self.said += data.decode(errors="replace")
                self.changed.notify_all()

    def type(self, command):
        """Begins a command; what earlier ones said is forgotten."""
        with self.changed:
            self.said = ""
        # A command that reads its input must not eat the next one.
        self.send(f"eval {literal(command)} </dev/null; printf '\\n{END} %s\\n' $?")

    def send(self, line):
        self.shell.stdin.write(line + "\n")
        self.shell.stdin.flush()

    def wait_for(self, expression, within=PATIENCE):
        """The match, or nothing when it does not come."""
        deadline = time.monotonic() + within
        with self.changed:
            while not (found := re.search(expression, self.said.replace("\r", ""), re.S | re.M)):
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left) and time.monotonic() > deadline:
                    return None
            return found

    def run(self, command):
        """The exit status and what was printed."""
        self.type(command)
        ended = self.wait_for(rf"(.*?)^{END} (\d+)$")
        if not ended:
            return None, self.said
        return int(ended[2]), tidy(ended[1])

    def close(self):
        """Ends the shell and whatever it started, and waits for that."""
        number = signal.SIGTERM
        deadline = time.monotonic() + 10
        try:
            while True:
                os.killpg(self.shell.pid, number)
                self.shell.poll()  # a zombie counts as one of the group
                time.sleep(0.1)
                number = 0 if time.monotonic() < deadline else signal.SIGKILL
        except ProcessLookupError:
            self.shell.wait()


class Tour:
    def __init__(self, shell, directory):
        self.open = lambda: Terminal(shell, shlex.quote(str(directory)))
        self.shell = self.open()
        self.standing = []
        self.printed = ""  # by what stays

    def fail(self, step, why, said):
        shown = "\n".join("    " + line for line in said.splitlines()[-60:])
        sys.exit(f"readme_tour: FAILED: {step.command}\n  {why}; it printed:\n{shown}")

    def complete(self, command):
        """The printed line that a command with `...` in it stands for."""
        if "..." not in command:
            return command
        fitting = [line.strip() for line in self.printed.splitlines()
                   if re.fullmatch(pattern(command), line.strip())]
        if len(fitting) != 1:
            self.fail(Step(command), f"{len(fitting)} printed lines fit it", self.printed)
        return fitting[0]

    def stay(self, step):
        terminal = self.open()
        self.standing.append(terminal)
        terminal.type(step.command)
        expected = pattern("\n".join(step.expected))
        found = terminal.wait_for(rf"^{END} \d+$|^{expected}$")
        if not found or found[0].startswith(END):
            self.fail(step, "it does not stay and print what the README says", terminal.said)
        self.printed = found[0]

    def take(self, step):
        if step.stays:
            self.stay(step)
            return
        status, said = self.shell.run(step.run or self.complete(step.command))
        if status != 0:
            self.fail(step, f"status {status}", said)
        expected = tidy("\n".join(step.expected))
        if expected and not re.fullmatch(pattern(expected), said, re.S):
            self.fail(step, f"the README says\n{expected}\n ", said)

    def close(self):
        for terminal in [self.shell] + self.standing:
            terminal.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=("demo", "package", "rpm"))
    parser.add_argument("directory", nargs="?", type=Path, default=Path("."))
    parser.add_argument("--readme", type=Path, default=Path("README.md"))
    parser.add_argument("--inside", type=shlex.split, default=["bash", "--norc", "--noprofile"])
    args = parser.parse_args()
    steps = read_tour(args.readme.read_text(), args.name)
    if len(steps) < 3:
        sys.exit(f"readme_tour: {args.readme} has no tour {args.name}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("readme_tour: ended"))  # and what it started
    tour = Tour(args.inside, args.directory)
    compared = 0
    try:
        for step in steps:
            began = time.monotonic()
            tour.take(step)
            compared += bool(step.expected)
            print(f"{time.monotonic() - began:5.1f} s {step.command}", flush=True)
    finally:
        tour.close()
    print(f"readme_tour: {args.name}: {len(steps)} steps, {compared} of them compared: as the README "
          "says")
    print(f"{len(steps)} passed, 0 failed")


if __name__ == "__main__":
    main()
