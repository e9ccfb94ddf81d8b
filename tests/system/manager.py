"""A service manager for tests, gates under it, and clients of those. It listens on NOTIFY_SOCKET
as systemd does, keeps descriptors and hands them to the next process.

    manager = Manager(directory, store_max=64)
    process = manager.start([harness.BINARY, "run", ...], stderr=...)
    manager.wait_for("READY=1")
    manager.stored        [(name, descriptor)]
    manager.messages      one dictionary per datagram, in order; "at" is when it came, in seconds
"""

import array
import contextlib
import os
import socket
import subprocess
import threading
import time

import client
import configs
import harness

FIRST = 3  # SD_LISTEN_FDS_START
NAME = "FDNAME"


def same_file(one, other):
    """As systemd finds out whether it has a socket already: by its inode."""
    return os.fstat(one)[:2] == os.fstat(other)[:2]


class Manager:
    """store_max: as FileDescriptorStoreMax=; 0 is a manager that keeps nothing. abstract: its
    socket is in the abstract namespace. sockets: (name, socket) pairs of a .socket unit."""

    def __init__(self, directory, store_max=64, abstract=False, sockets=(), watchdog_usec=None):
        self.store_max = store_max
        self.sockets = list(sockets)
        self.watchdog_usec = watchdog_usec
        self.stored = []
        self.messages = []
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.address = f"@rw-{os.getpid()}-{id(self)}" if abstract else f"{directory}/notify"
        self._socket.bind("\0" + self.address[1:] if abstract else self.address)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        room = socket.CMSG_SPACE(16 * 4)
        while True:
            data, control, _, _ = self._socket.recvmsg(4096, room)
            if data == b"end":
                return
            descriptors = array.array("i")
            for level, kind, value in control:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    descriptors.frombytes(value)
            message = dict(line.split("=", 1) for line in data.decode().split("\n"))
            message["at"] = time.monotonic()
            with self._changed:
                self._take(message, descriptors)
                self.messages.append(message)
                self._changed.notify_all()

    def _take(self, message, descriptors):
        name = message.get(NAME, "stored")
        if "FDSTOREREMOVE" in message:
            for one in [one for one in self.stored if one[0] == name]:
                self.stored.remove(one)
                os.close(one[1])
        for fd in descriptors:
            known = any(same_file(fd, one[1]) for one in self.stored)
            if "FDSTORE" in message and len(self.stored) < self.store_max and not known:
                assert name.isascii() and name.isprintable() and 0 < len(name) < 256
                assert ":" not in name
                self.stored.append((name, fd))
            else:
                os.close(fd)

    def names(self):
        with self._changed:
            return sorted(name for name, _ in self.stored)

    def wait_for(self, line, since=0, within=10.0):
        """The index of the first message from number `since` on that has the line NAME=VALUE, or a
        line NAME= of any value."""
        key, value = line.split("=", 1)

        def found():
            for index, one in enumerate(self.messages[since:], since):
                if key in one and value in ("", one[key]):
                    return index + 1
            return None
        with self._changed:
            index = self._changed.wait_for(found, within)
        assert index, f"no {line} in {self.messages[since:]}"
        return index - 1

    def start(self, arguments, env=None, preexec_fn=None, **options):
        """A process as systemd starts one: with the sockets of the unit, then those of the store.
        For harness.Gate instead of subprocess.Popen."""
        with self._changed:
            passed = [(name, one.fileno()) for name, one in self.sockets] + self.stored
        environment = dict(os.environ if env is None else env, NOTIFY_SOCKET=self.address)
        if self.watchdog_usec:
            environment["WATCHDOG_USEC"] = str(self.watchdog_usec)
        environment["LISTEN_FDS"] = str(len(passed))
        environment["LISTEN_FDNAMES"] = ":".join(name for name, _ in passed)
        return subprocess.Popen(["/bin/sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh",
                                 *map(str, arguments)], env=environment, close_fds=False,
                                preexec_fn=lambda: self._arrange(passed, preexec_fn),
                                **options)

    @staticmethod
    def _arrange(passed, before):
        if before:
            before()
        last = FIRST + len(passed)
        moved = [os.dup2(fd, 500 + index) for index, (_, fd) in enumerate(passed)]
        os.closerange(FIRST, 500)
        for index, fd in enumerate(moved):
            os.dup2(fd, FIRST + index)
        os.closerange(last, 500 + len(moved))

    def stop(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"end", self._socket.getsockname())
        self._thread.join()
        self._socket.close()
        for _, fd in self.stored:
            os.close(fd)


def short_drain(limit="30s", workers=2):
    return f'[server]\nworkers = {workers}\ndrain_timeout = "{limit}"\n'


class ManagedTest(harness.SystemTest):
    def manager(self, **options):
        made = Manager(self.directory, **options)
        self.addCleanup(made.stop)
        return made

    def managed(self, manager, text=None, origin=None, **options):
        origin = origin or self.origin(lambda c, r: c.answer(200, b"ok")).address
        since = len(manager.messages)
        gate = self.gate(text or configs.plain(more=short_drain()), origin=origin,
                         start=manager.start, **options)
        manager.wait_for("READY=1", since)
        return gate


class Clients:
    """Connects, asks once and closes, over and over, in some threads; or asks until it is told to
    close, with keep_alive. `wrong` has what went wrong: being refused, reset, or left without an
    answer; but for an open connection that ends between two requests, which every client has to
    expect (RFC 9112 9.3.1)."""

    def __init__(self, address, threads=4, keep_alive=False, tls=None):
        self.address = address
        self.keep_alive = keep_alive
        self.tls = tls
        self.served = 0
        self.wrong = []
        self._ends = False
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        for one in self._threads:
            one.start()

    def _run(self):
        while not self._ends:
            try:
                with client.connect(self.address, tls=self.tls) as connection:
                    more = self._ask(connection)
                    with contextlib.suppress(client.Closed):
                        while more and self.keep_alive and not self._ends:
                            more = self._ask(connection)
            except Exception as why:
                self.wrong.append(repr(why))

    def _ask(self, connection):
        answer = connection.request("GET", "/")
        if answer.status != 200:
            raise AssertionError(f"status {answer.status}")
        with self._lock:
            self.served += 1
        return answer.get("connection") != "close"

    def until_served(self, more):
        goal = self.served + more
        harness.eventually(lambda: self.served >= goal, within=20, what=f"{more} more answers")

    def end(self):
        self._ends = True
        for one in self._threads:
            one.join()
        return self.wrong


def refused(address):
    try:
        client.connect(address).close()
        return False
    except (ConnectionRefusedError, ConnectionResetError):
        # A listener that closes while the handshake is under way answers with a reset.
        return True
