"""`ringward upgrade`: a new process takes over the listening sockets of the one that runs, which
finishes what it has under way. docs/systemd.md."""

import json
import time

import client
import configs
import credentials
import harness
import profile_case
from manager import refused, short_drain
from upgrade_case import SERVES, Http2Clients, UpgradeTest, runs


class Upgrades(UpgradeTest):
    def test_nobody_is_refused_and_no_request_fails(self):
        gate = self.start()
        clients = self.load(gate)
        before = gate.process.pid
        for workers in (2, 4, 1):
            for some in clients:
                some.until_served(100)
            self.rewrite(configs.plain(more=short_drain("3s", workers))
                         .replace("127.0.0.1:0", "%s:%d" % gate.address()))
            pid = self.upgrade()
            self.assertNotEqual(pid, before)
            self.assertEqual(self.pid_of_gate(), pid)
            for some in clients:
                some.until_served(100)
            harness.eventually(lambda one=before: not runs(one) or one == gate.process.pid,
                               within=10, what="the end of the one before")
            before = pid
        for some in clients:
            some.until_served(100)
            self.assertEqual(some.end(), [])
        self.assertEqual(gate.wait(), 0)

    def test_streams_under_way_finish_on_the_old_one(self):
        gate = self.start_held(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                               b"transfer-encoding: chunked\r\n\r\n8\r\ndata: 0\n\r\n",
                               b"8\r\ndata: 1\n\r\n0\r\n\r\n", drain="20s")
        with gate.connect() as one:
            one.send(b"GET /events HTTP/1.1\r\nhost: a\r\n\r\n")
            one.read_until(b"data: 0")
            self.upgrade()
            self.assertIsNone(gate.process.poll())
            self.goes_on.set()
            one.read_until(b"data: 1\n\r\n0\r\n\r\n")
        self.assertEqual(gate.wait(), 0)

    def test_those_that_last_longer_are_cut(self):
        gate = self.start_held(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun", drain="2s")
        with gate.connect() as one:
            one.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            one.read_until(b"begun")
            self.upgrade()
            began = time.monotonic()
            with self.assertRaises((client.Closed, ConnectionResetError)):
                one.read_until(b"never")
            self.assertGreater(time.monotonic() - began, 1.5)
        self.assertEqual(gate.wait(), 0)

    def test_a_websocket_goes_on(self):
        def script(connection, request):
            connection.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                            b"Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")
            while data := connection.receive():
                connection.send(data)
        gate = self.start(configs.plain(route='upgrade = ["websocket"]',
                                        more=short_drain("20s")), script=script)
        with gate.connect() as one:
            one.send(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                     b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n")
            one.read_until(b"\r\n\r\n")
            self.upgrade()
            for word in (b"first", b"second"):
                one.send(word)
                one.read_until(word)
        self.assertEqual(gate.wait(), 0)

    def test_http2_clients_lose_no_request(self):
        made = credentials.certificate()
        gate = self.start(configs.tls(more=short_drain("3s")),
                          files={"cert.pem": made.chain, "key.pem": made.key})
        load = Http2Clients(gate)
        self.addCleanup(load.end)
        for _ in range(2):
            load.until_served(50)
            self.upgrade()
        load.until_served(50)
        self.assertEqual(load.end(), [])
        self.assertGreater(load.told, 0)
        self.assertEqual(gate.wait(), 0)

    def test_an_idle_connection_has_its_next_request_answered(self):
        gate = self.start(drain="8s")
        with gate.connect() as one:
            self.assertEqual(one.request("GET", "/").status, 200)
            self.upgrade()
            time.sleep(1)  # longer than one that hurries
            answer = one.request("GET", "/")
            self.assertEqual((answer.status, answer.get("connection")), (200, "close"))
        self.assertEqual(gate.wait(), 0)

    def test_one_after_the_other(self):
        gate = self.start(drain="1s")
        pids = [gate.process.pid, self.upgrade(), self.upgrade()]
        self.assertEqual(len(set(pids)), 3)
        self.assertEqual(gate.get("/").status, 200)
        self.assertIn('ringward_upgrades_total{outcome="done"} 2\n', gate.metrics())
        gate.wait_for_log(r"ringward \S+, process \d+ has taken over$")

    def test_a_profile_is_cut_short_and_holds_up_nobody(self):
        gate = self.start(drain="1s")
        profile, said = profile_case.hold(self, "--seconds", "60")
        self.assertIn("already", said)
        self.upgrade()
        _, said = profile.communicate(timeout=harness.patience(5))
        self.assertEqual((profile.returncode, said),
                         (1, "the profile was cut short: this gate ends, or another one takes over\n"))
        self.assertEqual(gate.wait(), 0)
        self.assertEqual(self.ask("profile", "--seconds", "1").returncode, 0)

    def test_another_port_directory_and_number_of_workers(self):
        """What a reload refuses."""
        gate = self.start()
        made = credentials.certificate()
        self.write("elsewhere/cert.pem", made.chain)
        self.write("elsewhere/key.pem", made.key)
        before = gate.address()
        port = harness.free_port()
        more = configs.tls().replace("$dir/", "$dir/elsewhere/").replace("127.0.0.1:0", f"127.0.0.1:{port}")
        text = (more + short_drain("3s", 3)).replace('"main"', '"secure"') \
            + f'[[listener]]\nname = "main"\naddress = "127.0.0.1:{before[1]}"\n'
        self.rewrite(text)
        refused_reload = self.ask("reload")
        self.assertEqual(refused_reload.returncode, 1)
        self.assertIn("that takes `ringward upgrade`", refused_reload.stderr)
        self.upgrade()
        gate.wait_for_log("listener secure on")
        self.assertEqual(gate.get("/", "secure", tls=True).status, 200)
        self.assertEqual(gate.get("/", "main").status, 200)
        # And back: the port is given up.
        self.rewrite(configs.plain(more=short_drain()).replace("127.0.0.1:0", "%s:%d" % before))
        self.upgrade()
        harness.eventually(lambda: refused(("127.0.0.1", port)), what="a refused connection")
        self.assertEqual(gate.get("/", "main").status, 200)

    def test_another_admin_socket(self):
        gate = self.start(drain="1s")
        text = configs.plain(more=short_drain("1s")) + '[admin]\nsocket = "$dir/other.sock"\n'
        self.rewrite(text)
        self.upgrade()
        self.assertEqual(gate.wait(), 0)
        self.assertFalse((self.directory / "admin.sock").exists())
        done = harness.ringward("status", "--socket", self.directory / "other.sock")
        self.assertIn("serving", done.stdout)

    def test_json(self):
        self.start(drain="1s")
        done = self.command("--json")
        said = json.loads(done.stdout)
        self.assertTrue(said["done"])
        self.addCleanup(self.end, int(SERVES.match(said["messages"][0])[1]))


if __name__ == "__main__":
    harness.main()
