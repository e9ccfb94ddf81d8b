"""What the tests of `ringward upgrade` share: a gate that is replaced, and clients that nothing of it may
happen to."""

import contextlib
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

import client
import configs
import h2_client
import harness
from manager import Clients, ManagedTest, short_drain

SERVES = re.compile(r"ringward \S+ serves, as process (\d+); process (\d+) ends when")


class Faithful(Clients):
    """Clients that keep their connections, and count it as wrong when one ends that was not told
    to: not even that may happen to a client that goes on asking."""

    def __init__(self, address, threads=4, tls=None):
        super().__init__(address, threads, keep_alive=True, tls=tls)

    def _run(self):
        while not self._ends:
            try:
                with client.connect(self.address, tls=self.tls) as connection:
                    while self._ask(connection) and not self._ends:
                        time.sleep(0.001)
            except Exception as why:
                self.wrong.append(repr(why))


class Http2Clients(Clients):
    """Over HTTP/2, on a connection until the gate wants no more on it. A request that GOAWAY leaves out is made again,
    as every client does (RFC 9113 6.8): that it may be is what the gate has to say."""

    def __init__(self, gate, threads=2):
        self.gate = gate
        self.told = 0
        super().__init__(gate.address(), threads)

    def _run(self):
        while not self._ends:
            try:
                with h2_client.connect(self.gate) as connection:
                    while not connection.goaways and not self._ends:
                        number = connection.begin("GET", "/")
                        try:
                            answer = connection.answer(number)
                        except client.Closed:
                            if connection.goaway and connection.goaway[0] < number:
                                break
                            raise
                        if answer.status != 200:
                            raise AssertionError(f"{answer}")
                        with self._lock:
                            self.served += 1
                    self.told += bool(connection.goaways)
            except Exception as why:
                self.wrong.append(repr(why))


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class UpgradeTest(ManagedTest):
    def command(self, *more):
        return harness.ringward("upgrade", "--socket", self.directory / "admin.sock", *more,
                                timeout=60)

    def ask(self, *words):
        return harness.ringward(*words, "--socket", self.directory / "admin.sock")

    def upgrade(self):
        """The number of the process that serves now."""
        done = self.command()
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        pid, _ = map(int, SERVES.match(done.stdout).groups())
        self.addCleanup(self.end, pid)
        return pid

    def end(self, pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        harness.eventually(lambda: not runs(pid), within=40, what=f"the end of {pid}")

    def pid_of_gate(self):
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(self.directory / "admin.sock"))
            one.sendall(b"upgrade\tabout\n")
            return int(one.makefile().read().split("\n")[1].split("\t")[0])

    def start(self, text=None, drain="3s", workers=2, script=None, **options):
        self.upstream = self.origin(script or (lambda c, r: c.answer(200, b"ok")))
        return self.gate(text or configs.plain(more=short_drain(drain, workers)),
                         origin=self.upstream.address, **options)

    def start_held(self, begun, rest=b"", **options):
        """With an origin whose answers begin so, and have their rest when self.goes_on is set."""
        def script(connection, request):
            connection.send(begun)
            self.goes_on.wait(harness.patience(20))
            connection.send(rest)
        self.goes_on = threading.Event()
        self.addCleanup(self.goes_on.set)
        return self.start(script=script, **options)

    def load(self, gate):
        made = Clients(gate.address()), Faithful(gate.address())
        for one in made:
            self.addCleanup(one.end)
        return made

    def rewrite(self, text, **values):
        self.write_config(text, origin=self.upstream.address, **values)
