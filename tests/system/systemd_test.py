"""The gate under a service manager (manager.py plays systemd): what it says, and what it is passed.
docs/systemd.md."""

import ctypes
import os
import signal
import socket
import time
from pathlib import Path

import client
import configs
import credentials
import harness
from manager import Clients, ManagedTest


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
        self.assertRegex(manager.messages[ready]["STATUS"],
                         "^serving as before a reload that was refused: .*ringward.toml")
        self.assertEqual(gate.get("/").status, 200)

    def test_a_manager_that_has_gone_is_in_nobodys_way(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        nobody = {"NOTIFY_SOCKET": f"{self.directory}/nobody", "WATCHDOG_USEC": "200000"}
        gate = self.gate(configs.plain(), origin=origin.address, env=nobody)
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
        with held(worker_thread(gate, 1)):
            gate.wait_for_log(f"worker 1 has not answered for {500 * timeout:g} ms; its stack follows")
            last = len(manager.messages)
            time.sleep(1.5 * timeout)
            self.assertEqual(manager.messages[last:], [])
            # The control thread goes on: it is not what was found dead.
            self.assertIn("serving", harness.ringward(
                "status", "--socket", self.directory / "admin.sock").stdout)
        manager.wait_for("WATCHDOG=1", last)
        gate.wait_for_log("warning: the stack in thread worker-1, build ")
        gate.stop()


def worker_thread(gate, number):
    return next(int(task.name) for task in Path(f"/proc/{gate.process.pid}/task").iterdir()
                if (task / "comm").read_text() == f"worker-{number}\n")


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


class SocketUnits(ManagedTest):
    """Sockets that the manager has bound itself: socket activation."""

    def unit(self, *names):
        made = []
        for name in names:
            one = socket.create_server(("127.0.0.1", 0))
            one.setblocking(False)
            self.addCleanup(one.close)
            made.append((name, one))
        return made

    def test_are_served_and_stay_the_managers(self):
        (named, other) = unit = self.unit("ringward.socket", "stranger.socket")
        where = named[1].getsockname()
        text = configs.plain().replace("127.0.0.1:0", "%s:%d" % where)
        manager = self.manager(sockets=unit)
        waiting = client.connect(where)
        gate = self.managed(manager, text)
        self.assertEqual(waiting.request("GET", "/").status, 200)
        waiting.close()
        gate.wait_for_log('passed socket "stranger.socket", which is at no listener')
        self.assertEqual(manager.names(), ["witness"])
        spent = Path(f"/proc/{gate.process.pid}/schedstat").read_text().split()[0]
        self.assertLess(int(spent), 5e9 * harness.PATIENCE, "it must not turn in vain")
        clients = Clients(where)
        clients.until_served(100)
        gate.signal(signal.SIGTERM)
        gate.wait_for_log("have 2 s to finish; new connections wait")
        self.assertEqual(gate.wait(), 0)
        gate = self.managed(manager, text)
        clients.until_served(100)
        self.assertEqual(clients.end(), [])

    def test_variables_of_another_process_are_ignored(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(), origin=origin.address,
                         env={"LISTEN_PID": "1", "LISTEN_FDS": "9", "LISTEN_FDNAMES": "a:b"})
        self.assertEqual(gate.get("/").status, 200)


class Credentials(harness.SystemTest):
    def test_a_key_that_systemd_has_loaded(self):
        made = credentials.certificate()
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        text = configs.tls().replace('{ file = "$dir/key.pem" }', '{ credential = "tls-key" }')
        self.assertIn("credential", text)
        self.write("cert.pem", made.chain)
        self.assertRegex(self.refused_start(text, origin=origin.address),
                         r"\$CREDENTIALS_DIRECTORY is not set; LoadCredential=tls-key")
        self.write("credentials/tls-key", made.key, mode=0o444)
        gate = self.gate(text, origin=origin.address,
                         env={"CREDENTIALS_DIRECTORY": f"{self.directory}/credentials"})
        self.assertEqual(gate.get("/", tls=True).status, 200)


if __name__ == "__main__":
    harness.main()
