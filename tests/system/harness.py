"""What a system test needs: a temporary directory, the real binary on port 0, clients and origins.

    import harness

    class Keys(harness.SystemTest):
        def test_a_stranger_is_refused(self):
            origin = self.origin(lambda c, request: c.answer(200, b"ok"))
            gate = self.gate('''
                [[listener]]
                name = "plain"
                address = "127.0.0.1:0"
                [[upstream]]
                name = "origin"
                servers = [{ address = "$origin" }]
                [[route]]
                name = "all"
                path_prefix = "/"
                upstream = "origin"
                auth = ["api_keys"]
                [auth.api_keys]
                file = "$dir/keys"
            ''', origin=origin.address, files={"keys": "tester:" + HASH})
            self.assertEqual(gate.get("/").status, 401)
            self.assertEqual(origin.requests, [])

    if __name__ == "__main__":
        harness.main()

Everything a test starts is stopped when it ends, and then the gate must exit with 0: under a
sanitizer that is how a leak or a race fails the test. `./dev test system NAME` runs one file,
RW_BINARY=build/asan/ringward runs the tests on another binary, RW_VERBOSE=1 shows what gates print.

Other parts: client.py (raw HTTP and TLS clients), origin.py (scripted origins), credentials.py
(certificates, key sets and tokens).
"""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from string import Template

import client
from origin import Origin

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("RW_BINARY", ROOT / "build" / "release" / "ringward")).resolve()
SANITIZER = os.environ.get("RW_SANITIZER", "")  # "", "asan" or "tsan"
PATIENCE = {"": 1.0, "asan": 3.0, "tsan": 6.0}.get(SANITIZER, 6.0)
VERBOSE = bool(os.environ.get("RW_VERBOSE"))

SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:exitcode=86",
    "LSAN_OPTIONS": "exitcode=86",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "exitcode=86:second_deadlock_stack=1",
}

LISTENER = re.compile(r"^ringward: info: listener (\S+) on (\S+)$")
ADMIN = re.compile(r"^ringward: info: admin on (\S+)$")
READY = "ringward: info: ready"

main = unittest.main


def patience(seconds):
    """A time-out for something that should take less than `seconds` in a release build."""
    return seconds * PATIENCE


def skip_under(*sanitizers):
    """A decorator for tests too heavy for these sanitizers: @skip_under("tsan")."""
    return unittest.skipIf(SANITIZER in sanitizers, f"too heavy under {SANITIZER}")


def eventually(condition, within=5.0, what="the condition"):
    """Waits until condition() is true and returns its value; fails after `within` seconds."""
    deadline = time.monotonic() + patience(within)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {patience(within):g} s")
        time.sleep(0.01)


def decided(ask, within=120.0):
    """What ask() is answered once that is not 503. Slow hashes are computed when nothing else needs
    the CPU: on a machine that is busy for long, whose key it is cannot be said in time. One answer alone
    may take the gate 20 s."""
    answers = []

    def is_decided():
        answers.append(ask())
        return answers[-1].status != 503
    eventually(is_decided, within, "a slow hash in time")
    return answers[-1]


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: of the thread that started it


def _environment(extra):
    options = {k: v for k, v in SANITIZER_OPTIONS.items() if k not in os.environ}
    return os.environ | options | (extra or {})


def ringward(*arguments, stdin="", env=None, timeout=20.0):
    """Runs one of the program's commands to its end: ringward("key", "new", "alice").stdout."""
    return subprocess.run([BINARY, *map(str, arguments)], input=stdin, text=True,
                          capture_output=True, timeout=patience(timeout), env=_environment(env))


def new_key(name):
    """A key of `ringward key new`, and its line for the key file."""
    said = ringward("key", "new", name).stdout
    return (re.search(rf"\brw_{name}_[0-9A-Za-z]+", said)[0],
            re.search(rf"\b{name}:rwk1\S+", said)[0])


class Gate:
    """A running `ringward run`. Made by SystemTest.gate; ready to serve once it exists.

    log           lines of its standard error so far
    access        its access log so far, one dictionary per line (with `log.access` at its default)
    listeners     name -> address of the configuration's listeners, as client.connect takes it
    admin         address of the admin listener, or None
    """

    def __init__(self, arguments, directory, env=None, start_within=10.0, start=None):
        self.directory = directory
        self.listeners = {}
        self.admin = None
        self.log = []
        self.output = []
        self._changed = threading.Condition()
        self._ready = False
        self._told_to_end = False
        self._open = 2  # of the streams that are read
        start = start or subprocess.Popen
        self.process = start([BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=_environment(env), preexec_fn=_die_with_parent)
        for stream, lines in ((self.process.stderr, self.log), (self.process.stdout, self.output)):
            threading.Thread(target=self._read, args=(stream, lines), daemon=True).start()
        self._wait_until_ready(patience(start_within))

    def _read(self, stream, lines):
        for raw in stream:
            line = raw.decode(errors="replace").rstrip("\n")
            if VERBOSE:
                print(f"[{self.process.pid}] {line}", file=sys.stderr)
            with self._changed:
                lines.append(line)
                if lines is self.log:
                    self._notice(line)
                self._changed.notify_all()
        stream.close()
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def _notice(self, line):
        if found := LISTENER.match(line):
            self.listeners[found[1]] = client.parse_address(found[2])
        elif found := ADMIN.match(line):
            self.admin = client.parse_address(found[1])
        elif line == READY:
            self._ready = True

    def _wait_until_ready(self, seconds):
        with self._changed:
            self._changed.wait_for(lambda: self._ready or not self._open, seconds)
            if self._ready:
                return
        self.process.kill()
        self.process.wait()
        raise AssertionError(f"the gate did not get ready:\n{self.said()}")

    def said(self):
        return "\n".join(self.log[-100:])

    def wait_for_log(self, pattern, within=5.0):
        """The first line of standard error, from the start, that matches the pattern."""
        return self._wait_for(self.log, re.compile(pattern).search, within, pattern)

    def wait_for_access(self, within=5.0, **fields):
        """The first access line that has these fields: gate.wait_for_access(status=401)."""
        def has(line):
            entry = json.loads(line)
            return all(entry.get(k) == v for k, v in fields.items())
        return json.loads(self._wait_for(self.output, has, within, fields))

    def _wait_for(self, lines, matches, within, what):
        def found():
            return next((line for line in lines if matches(line)), None)
        with self._changed:
            line = self._changed.wait_for(found, patience(within))
        if line is None:
            raise AssertionError(f"no line has {what} in:\n" + "\n".join(lines[-100:]))
        return line

    @property
    def access(self):
        with self._changed:
            return [json.loads(line) for line in self.output]

    def address(self, name=None):
        """The address of a listener; of the only one, or the first, without a name."""
        return self.listeners[name] if name else next(iter(self.listeners.values()))

    def connect(self, name=None, **options):
        """A client.Connection to a listener; options as for client.connect."""
        return client.connect(self.address(name), **options)

    def get(self, target="/", name=None, headers=(), method="GET", body=b"", **options):
        """One request on a connection of its own; headers are pairs or a dictionary."""
        with self.connect(name, **options) as connection:
            return connection.request(method, target, headers, body)

    def admin_get(self, target):
        with client.connect(self.admin) as connection:
            return connection.request("GET", target)

    def metrics(self):
        """The text of /metrics, however often it is asked for: who asks too often has to wait."""
        def answer():
            got = self.admin_get("/metrics")
            return got.status != 429 and got
        return eventually(answer, what="an answer of /metrics").body.decode()

    def signal(self, number):
        self._told_to_end |= number == signal.SIGTERM
        self.process.send_signal(number)

    def wait(self, within=10.0):
        """Its exit status, once it has ended by itself or by a signal sent before."""
        try:
            status = self.process.wait(patience(within))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the gate did not end; it said:\n{self.said()}") from None
        with self._changed:
            self._changed.wait_for(lambda: not self._open, 5.0)
        return status

    def stop(self, within=35.0):
        """SIGTERM, and an exit status of 0 within the drain time-out. One that had it is not told again:
        the second ends it at once."""
        if self.process.poll() is None and not self._told_to_end:
            self.signal(signal.SIGTERM)
        status = self.wait(within)
        if status != 0:
            raise AssertionError(f"the gate ended with {status}; it said:\n{self.said()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    # What a leak would show in.
    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_bytes(self):
        statm = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(statm[1]) * os.sysconf("SC_PAGE_SIZE")


class SystemTest(unittest.TestCase):
    """The base of all system tests. `self.directory` is a fresh one for every test."""

    maxDiff = None

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="rw-system-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def write(self, name, text, mode=0o600):
        """A file in the test's directory, replaced in one step as an operator's tools would."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        data = text if isinstance(text, bytes) else text.encode()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            os.write(descriptor, data)
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)
        fresh.rename(path)
        return path

    def write_config(self, toml, **values):
        """DIRECTORY/config/ringward.toml from the text: $dir and $NAME stand for the directory and
        for the values, $$ for a dollar. Without an [admin] table of its own, the text gets one
        whose socket is in the directory; without [server], two workers. Nobody gets the default
        admin address or state directory, which another test, or a service, may have at the same time."""
        text = Template(toml).substitute(values, dir=self.directory)
        if not re.search(r"^\s*\[admin\]", text, re.M):
            text += f'\n[admin]\nsocket = "{self.directory}/admin.sock"\naddress = "127.0.0.1:0"\n'
        admin = re.search(r"^\s*\[admin\]\n([^\[]*)", text, re.M)
        if not re.search(r"^address *=", admin[1], re.M):
            text = text[:admin.start(1)] + 'address = "127.0.0.1:0"\n' + text[admin.start(1):]
        if not re.search(r"^\s*\[server\]", text, re.M):
            text += '\n[server]\nworkers = 2\n'
        server = re.search(r"^\s*\[server\]\n([^\[]*)", text, re.M)
        if not re.search(r"^state *=", server[1], re.M):
            text = text[:server.start(1)] + f'state = "{self.directory}/state"\n' + text[server.start(1):]
        return self.write("config/ringward.toml", text).parent

    def gate(self, toml, files=None, env=None, start_within=10.0, check_exit=True, start=None,
             **values):
        """Starts `ringward run` on a configuration and stops it when the test ends.

        files: name -> text of more files for the directory. check_exit=False is for a test that
        ends the gate by itself, in a way that is not 0. start: who starts the process, as
        subprocess.Popen does (manager.Manager.start)."""
        for name, text in (files or {}).items():
            self.write(name, text)
        config = self.write_config(toml, **values)
        gate = Gate(["run", "--config", config], self.directory, env, start_within, start)
        self.addCleanup(gate.stop if check_exit else gate.kill)
        return gate

    def refused_start(self, toml, files=None, **values):
        """What a gate that must not start prints; its exit status must be 1."""
        for name, text in (files or {}).items():
            self.write(name, text)
        done = ringward("run", "--config", self.write_config(toml, **values))
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def origin(self, script, **options):
        """A scripted origin (origin.Origin), stopped when the test ends."""
        origin = Origin(script, **options)
        self.addCleanup(origin.stop)
        return origin


def free_port():
    """A port nobody listens on now, for what has to be refused; a listener takes port 0 instead."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
