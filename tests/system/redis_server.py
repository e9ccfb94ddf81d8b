"""A real redis-server for tests, and one that only pretends to be."""

import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import harness

SERVER = shutil.which("redis-server") or "/usr/bin/redis-server"


def value(gate, name):
    """Of a metric, all its labels in the name: 0 when it is not there."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", gate.metrics(), re.M)
    return float(found[1]) if found else 0.0


class Reply(str):
    """An error that the server has answered with."""


class Redis:
    """A redis-server that listens on a port of 127.0.0.1 and keeps nothing on disk. It is there
    once this exists; the port stays its own over kill() and start()."""

    def __init__(self, directory, *options, tls=None, password=None):
        self.directory = Path(directory)
        self.password = password
        self.port = harness.free_port()
        self.path = self.directory / f"redis-{self.port}.sock"
        listening = ["--port", self.port]
        if tls:
            listening = ["--port", 0, "--tls-port", self.port, "--tls-auth-clients", "no",
                         "--tls-cert-file", tls[0], "--tls-key-file", tls[1]]
        if password:
            listening += ["--requirepass", password]
        self.arguments = [*listening, "--bind", "127.0.0.1", "--unixsocket", self.path,
                          "--save", "", "--appendonly", "no", "--dir", self.directory, *options]
        self.process = None
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen([SERVER, *map(str, self.arguments)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL,
                                        preexec_fn=harness._die_with_parent)
        harness.eventually(self._answers, 20, "an answer of redis-server")

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError("redis-server has ended")
        try:
            return self.command("PING") == "PONG"
        except OSError:
            return False

    def command(self, *words):
        """The answer to one command, on a connection of its own: text, a number, a list."""
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(harness.patience(20))
            one.connect(str(self.path))
            stream = one.makefile("rwb")
            if self.password:
                self._send(stream, ["AUTH", self.password])
                self._read(stream)
            self._send(stream, words)
            return self._read(stream)

    @staticmethod
    def _send(stream, words):
        parts = [str(word).encode() for word in words]
        stream.write(b"*%d\r\n" % len(parts) +
                     b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        stream.flush()

    def _read(self, stream):
        line = stream.readline().decode().rstrip("\r\n")
        if not line:
            raise ConnectionError("redis-server has closed the connection")
        kind, rest = line[0], line[1:]
        if kind == "-":
            return Reply(rest)
        if kind == ":":
            return int(rest)
        if kind == "$":
            return None if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()
        if kind == "*":
            return [self._read(stream) for _ in range(int(rest))]
        return rest

    def keys(self):
        return self.command("KEYS", "*")

    def hold(self):
        """Stops it in the middle of whatever it does; go_on() ends that."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Listening:
    """Takes connections and has each served by a thread."""

    def __init__(self):
        self.connections = 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                one, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def stop(self):
        self.listening.close()


class Pretender(Listening):
    """Answers whatever comes with what it is told to."""

    def __init__(self, answer, delay=0.0):
        self.answer, self.delay = answer, delay
        super().__init__()

    def _serve(self, one):
        with one:
            try:
                while one.recv(65536):
                    time.sleep(self.delay)
                    one.sendall(self.answer)
            except OSError:
                pass


class Relay(Listening):
    """Passes bytes on to a Redis, each answer `delay` seconds late."""

    def __init__(self, to, delay=0.0):
        self.to, self.delay = to, delay
        super().__init__()

    def _serve(self, near):
        with near, socket.create_connection(("127.0.0.1", self.to.port)) as far:
            back = threading.Thread(target=self._pass, args=(far, near, True), daemon=True)
            back.start()
            self._pass(near, far, False)
            back.join()

    def _pass(self, source, sink, slow):
        try:
            while got := source.recv(65536):
                if slow:
                    time.sleep(self.delay)
                sink.sendall(got)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
