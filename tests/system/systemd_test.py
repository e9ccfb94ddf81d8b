"""The gate under a service manager (manager.py plays systemd): what it says, and how its listening sockets
outlive it. docs/systemd.md."""

import ctypes
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import client
import configs
import harness
from manager import Manager


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


class Notifications(ManagedTest):
    def test_start_reload_and_stop_are_told_in_order(self):
        for abstract in (False, True):
            with self.subTest(abstract=abstract):
                manager = self.manager(abstract=abstract)
                gate = self.managed(manager)
                began = manager.wait_for("READY=1") + 1
                self.assertEqual(gate.get("/").status, 200)
                asked = time.monotonic_ns() // 1000
                done = harness.ringward("reload", "--socket", self.directory / "admin.sock")
                self.assertEqual(done.returncode, 0)
                reloading = manager.wait_for("RELOADING=1", began)
                ready = manager.wait_for("READY=1", began)
                self.assertEqual((reloading, ready), (began, began + 1))
                self.assertGreaterEqual(int(manager.messages[reloading]["MONOTONIC_USEC"]), asked)
                self.assertEqual(manager.messages[ready]["STATUS"], "serving")
                gate.stop()
                stopping = manager.wait_for("STOPPING=1", ready)
                self.assertEqual(stopping, ready + 1)
                self.assertEqual([m for m in manager.messages[stopping:] if "READY" in m], [])

    def test_a_refused_reload_ends_too_and_says_why(self):
        manager = self.manager()
        gate = self.managed(manager)
        began = len(manager.messages)
        self.write("config/ringward.toml", "nonsense = 1\n")
        gate.signal(signal.SIGHUP)
        reloading = manager.wait_for("RELOADING=1", began)
        ready = manager.wait_for("READY=1", reloading)
        self.assertRegex(manager.messages[ready]["STATUS"], "^serving as before a reload that was refused: .*ringward.toml")
        self.assertEqual(gate.get("/").status, 200)

    def test_a_manager_that_has_gone_is_in_nobodys_way(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(), origin=origin.address,
                         env={"NOTIFY_SOCKET": f"{self.directory}/nobody", "WATCHDOG_USEC": "200000"})
        self.assertEqual(gate.get("/").status, 200)
        gate.stop()
        gate = self.gate(configs.plain(), origin=origin.address, env={"NOTIFY_SOCKET": "nonsense"})
        self.assertEqual(gate.get("/").status, 200)


class Watchdog(ManagedTest):
    def watched(self, seconds):
        manager = self.manager(watchdog_usec=int(1e6 * seconds))
        return manager, self.managed(manager, check_exit=False)

    def test_it_hears_of_idle_workers_twice_in_its_time(self):
        timeout = harness.patience(2)
        manager, gate = self.watched(timeout)
        beats = [manager.messages[manager.wait_for("READY=1")]["at"]]
        since = 0
        for _ in range(4):
            since = manager.wait_for("WATCHDOG=1", since, within=2 * timeout) + 1
            beats.append(manager.messages[since - 1]["at"])
        gaps = [after - before for before, after in zip(beats, beats[1:])]
        self.assertLess(max(gaps), timeout, "it would have been killed")
        self.assertGreater(min(gaps), 0.4 * timeout, gaps)
        gate.stop()

    def test_a_worker_that_hangs_stops_it(self):
        timeout = harness.patience(1)
        manager, gate = self.watched(timeout)
        manager.wait_for("WATCHDOG=1")
        thread = next(int(task.name) for task in Path(f"/proc/{gate.process.pid}/task").iterdir()
                      if (task / "comm").read_text() == "worker-1\n")
        with held(thread):
            gate.wait_for_log("a worker does not answer")
            last = len(manager.messages)
            time.sleep(1.5 * timeout)
            self.assertEqual(manager.messages[last:], [])
            # The control thread goes on: it is not what was found dead.
            self.assertIn("serving", harness.ringward(
                "status", "--socket", self.directory / "admin.sock").stdout)
        manager.wait_for("WATCHDOG=1", last)
        gate.stop()


class held:
    """A thread that stands still, as one that hangs does; the rest of its process goes on."""
    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
    WALL = 0x40000000

    def __init__(self, thread):
        self.thread = thread
        self.libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(self, request):
        if self.libc.ptrace(request, self.thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def __enter__(self):
        self.ptrace(self.SEIZE)
        self.ptrace(self.INTERRUPT)
        os.waitpid(self.thread, self.WALL)

    def __exit__(self, *_):
        self.ptrace(self.DETACH)


class Clients:
    """Connects, asks once and closes, over and over, in some threads. `wrong` has what went wrong: being
    refused, reset, or left without an answer."""

    def __init__(self, address, threads=4):
        self.address = address
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
                with client.connect(self.address) as connection:
                    status = connection.request("GET", "/").status
                if status != 200:
                    raise AssertionError(f"status {status}")
            except Exception as why:
                self.wrong.append(repr(why))
            with self._lock:
                self.served += 1

    def until_served(self, more):
        goal = self.served + more
        harness.eventually(lambda: self.served >= goal, within=20, what=f"{more} more answers")

    def end(self):
        self._ends = True
        for one in self._threads:
            one.join()
        return self.wrong


class Restarts(ManagedTest):
    def restart(self, manager, gate, text=None, origin=None, **options):
        gate.stop(within=6)
        return self.managed(manager, text, origin, **options)

    def test_nobody_is_refused_while_it_is_started_anew(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        manager = self.manager()
        gate = self.managed(manager, origin=origin.address)
        address = gate.address()
        self.assertEqual(manager.names(), ["listener.main.0", "listener.main.1", "witness"])
        clients = Clients(address)
        for workers in (2, 2, 4, 1, 3):
            clients.until_served(200)
            gate = self.restart(manager, gate, configs.plain(more=short_drain(workers=workers)),
                                origin.address)
            self.assertEqual(gate.address(), address)
        clients.until_served(200)
        self.assertEqual(clients.end(), [])
        # Four once: what is in a queue is accepted by whoever is there.
        self.assertEqual(manager.names(), [f"listener.main.{i}" for i in range(4)] + ["witness"])

    def test_who_waits_in_the_queue_of_a_surplus_socket_is_served(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        manager = self.manager()
        gate = self.managed(manager, configs.plain(more=short_drain(workers=4)), origin.address)
        address = gate.address()
        gate.stop(within=6)
        waiting = [client.connect(address) for _ in range(64)]
        gate = self.managed(manager, configs.plain(more=short_drain(workers=1)), origin.address)
        for one in waiting:
            self.assertEqual(one.request("GET", "/").status, 200)
            one.close()

    def test_a_killed_one_too(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        manager = self.manager()
        gate = self.managed(manager, origin=origin.address, check_exit=False)
        gate.kill()
        with client.connect(gate.address()) as waiting:
            self.managed(manager, origin=origin.address)
            self.assertEqual(waiting.request("GET", "/").status, 200)

    def stream(self):
        """An origin whose answer begins and does not end, and a client that has its head."""
        def script(connection, request):
            connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun")
            self.addCleanup(connection.close)
            time.sleep(harness.patience(8))
        return self.origin(script)

    def test_a_long_stream_is_cut_after_two_seconds(self):
        manager = self.manager()
        gate = self.managed(manager, origin=self.stream().address)
        with gate.connect() as one:
            one.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            one.read_until(b"begun")
            began = time.monotonic()
            gate.stop(within=6)
            self.assertGreater(time.monotonic() - began, 1.9)

    def test_without_a_store_it_has_its_drain_timeout(self):
        manager = self.manager(store_max=0)
        gate = self.managed(manager, configs.plain(more=short_drain("4s")), self.stream().address)
        with gate.connect() as one:
            one.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            one.read_until(b"begun")
            began = time.monotonic()
            gate.signal(signal.SIGTERM)
            gate.wait_for_log("have 4 s to finish$")
            harness.eventually(lambda: refused(gate.address()), what="a refused connection")
            self.assertEqual(gate.wait(), 0)
            self.assertGreater(time.monotonic() - began, 3.9)
        later = [m for m in manager.messages if "EXTEND_TIMEOUT_USEC" in m]
        self.assertGreaterEqual(len(later), 3)
        self.assertGreaterEqual(min(int(m["EXTEND_TIMEOUT_USEC"]) for m in later), 2_000_000)
        self.assertRegex(later[0]["STATUS"], "draining: 1 connections")

    def test_sigquit_stops_for_good(self):
        manager = self.manager()
        gate = self.managed(manager)
        gate.signal(signal.SIGQUIT)
        gate.wait_for_log("have 30 s to finish$")
        self.assertEqual(gate.wait(), 0)
        manager.wait_for("STOPPING=1")
        self.assertEqual(manager.names(), ["witness"])
        self.assertTrue(refused(gate.address()))


def refused(address):
    try:
        client.connect(address).close()
        return False
    except ConnectionRefusedError:
        return True


if __name__ == "__main__":
    harness.main()
