"""A gate that is started anew by its service manager: its listening sockets outlive it, and nobody
is refused. docs/systemd.md."""

import signal
import subprocess
import time

import client
import configs
import credentials
import harness
from manager import Clients, ManagedTest, refused, short_drain


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
        clients = (Clients(address), Clients(address, keep_alive=True))
        for workers in (2, 2, 4, 1, 3):
            for some in clients:
                some.until_served(200)
            gate = self.restart(manager, gate, configs.plain(more=short_drain(workers=workers)),
                                origin.address)
            self.assertEqual(gate.address(), address)
        for some in clients:
            some.until_served(200)
            self.assertEqual(some.end(), [])
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

    def test_handshakes_fail_no_more_than_requests(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        made = credentials.certificate()
        manager = self.manager()
        options = {"files": {"cert.pem": made.chain, "key.pem": made.key}}
        gate = self.managed(manager, configs.tls(), origin.address, **options)
        clients = Clients(gate.address(), tls=True)
        for _ in range(2):
            clients.until_served(50)
            gate = self.restart(manager, gate, configs.tls(), origin.address, **options)
        clients.until_served(50)
        self.assertEqual(clients.end(), [])

    def test_a_unix_socket_stays_where_it_is(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        path = self.directory / "gate.sock"
        text = configs.plain().replace("127.0.0.1:0", f"unix:{path}")
        manager = self.manager()
        gate = self.managed(manager, text, origin.address)
        file = path.stat().st_ino
        clients = Clients(str(path))
        for _ in range(2):
            clients.until_served(100)
            gate = self.restart(manager, gate, text, origin.address)
        clients.until_served(100)
        self.assertEqual(clients.end(), [])
        self.assertEqual(path.stat().st_ino, file)
        # A start that fails leaves it to the next one.
        gate.stop(within=6)
        config = self.write_config(text + "[log]\naccess = { path = \"$dir/none/log\" }\n",
                                   origin=origin.address)
        failed = manager.start([harness.BINARY, "run", "--config", config],
                               stderr=subprocess.DEVNULL)
        self.assertEqual(failed.wait(harness.patience(10)), 1)
        waiting = client.connect(str(path))
        gate = self.managed(manager, text, origin.address)
        self.assertEqual(waiting.request("GET", "/").status, 200)
        waiting.close()
        gate.signal(signal.SIGQUIT)
        gate.wait()
        self.assertFalse(path.exists())

    def test_a_listener_that_is_somewhere_else_now_leaves_no_socket(self):
        manager = self.manager()
        gate = self.managed(manager)
        before = gate.address()
        text = configs.plain().replace("127.0.0.1:0", "127.0.0.2:0")
        gate = self.restart(manager, gate, text)
        self.assertEqual(gate.get("/").status, 200)
        self.assertTrue(refused(before))
        self.assertEqual(manager.names(), ["listener.main.0", "listener.main.1", "witness"])
        # One that has another name is known by its address.
        address = "%s:%d" % gate.address()
        text = configs.plain().replace("127.0.0.1:0", address).replace('"main"', '"other"')
        gate = self.restart(manager, gate, text)
        self.assertEqual(gate.get("/").status, 200)
        self.assertEqual(manager.names(), ["listener.other.0", "listener.other.1", "witness"])

    def test_a_killed_one_too(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        manager = self.manager()
        gate = self.managed(manager, origin=origin.address, check_exit=False)
        gate.kill()
        # Its ring, and the sockets with it, may outlive it for a while: no reason not to start.
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
        self.assertEqual(manager.names(), [])
        self.assertTrue(refused(gate.address()))


if __name__ == "__main__":
    harness.main()
