"""What outlives `ringward upgrade`: logs, bans, revocations, and what a service manager knows."""

import json
import os
import socket
import threading

import audit_log
import client
import configs
import harness
from manager import Clients, short_drain
from upgrade_case import SERVES, Faithful, UpgradeTest


class WhatLivesOn(UpgradeTest):
    def test_the_audit_log_has_one_writer_and_every_request(self):
        path = self.directory / "log" / "audit.jsonl"
        path.parent.mkdir()
        text = (configs.plain(more=short_drain("3s")) + '[log]\naudit = { path = "$dir/log/audit.jsonl", '
                'sign = { file = "$dir/seed" } }\n')
        self.goes_on = threading.Event()
        self.addCleanup(self.goes_on.set)

        def script(connection, request):
            if request.target == "/late":
                self.goes_on.wait(harness.patience(20))
            connection.answer(200, b"ok")
        gate = self.start(text, script=script, files={"seed": audit_log.SEED + "\n"})
        load = self.load(gate)
        for some in load:
            some.until_served(50)
        with gate.connect() as late:
            late.send(b"GET /late HTTP/1.1\r\nhost: a\r\n\r\n")
            harness.eventually(lambda: any(r.target == "/late" for r in self.upstream.requests))
            pid = self.upgrade()
            for some in load:
                some.until_served(50)
            self.goes_on.set()
            self.assertEqual(late.read_response().status, 200)
        self.assertEqual(gate.wait(), 0)
        for some in load:
            self.assertEqual(some.end(), [])
        self.end(pid)
        public = self.write("audit.pub", audit_log.PUBLIC + "\n")
        done = harness.ringward("audit", "verify", "--public-key", public, path)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        records = [json.loads(line) for line in path.read_text().splitlines()]
        asked = [one for one in records if one.get("path")]
        served = sum(some.served for some in load) + 1
        self.assertEqual(len([one for one in asked if one.get("status") == 200]), served)
        self.assertEqual(len([one for one in asked if one["path"] == "/late" and "status" in one]), 1)
        starts = [i for i, one in enumerate(records) if one["event"] == "start"]
        self.assertEqual(len(starts), 2)
        late = next(i for i, one in enumerate(records) if one.get("path") == "/late" and "status" in one)
        self.assertGreater(late, starts[1], "it ended when the new one wrote")
        handed = next(one for one in records if one.get("reason") == "upgrade")
        self.assertEqual((handed["result"], handed["identity"]), ("done", f"uid:{os.geteuid()}"))
        self.assertIn(f"process {pid}", handed["object"])

    def test_bans_and_revocations(self):
        gate = self.start(configs.plain(more=short_drain("2s")) + "[ban]\nexempt = []\n")
        self.assertEqual(self.ask("ban", "192.0.2.7", "1h").returncode, 0)
        self.assertEqual(self.ask("revoke", "identity", "mallory").returncode, 0)
        self.upgrade()
        self.assertIn("192.0.2.7", self.ask("bans").stdout)
        self.assertIn("mallory", self.ask("revoked").stdout)
        self.assertEqual(self.ask("ban", "192.0.2.8", "1h").returncode, 0)
        self.assertEqual(gate.wait(), 0)
        self.upgrade()
        for one in ("192.0.2.7", "192.0.2.8"):
            self.assertIn(one, self.ask("bans").stdout)

    def test_a_revocation_ends_streams_of_the_old_one(self):
        key, line = harness.new_key("alice")

        def script(connection, request):
            connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun")
            self.goes_on.wait(harness.patience(20))
        self.goes_on = threading.Event()
        self.addCleanup(self.goes_on.set)
        gate = self.start(configs.plain(auth='["api_keys"]', more=short_drain("30s")) + configs.KEYS,
                          script=script, files={"keys": line + "\n"})
        with gate.connect() as one:
            one.send(f"GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n\r\n".encode())
            one.read_until(b"begun")
            self.upgrade()
            self.assertEqual(self.ask("revoke", "identity", "alice").returncode, 0)
            with self.assertRaises((client.Closed, ConnectionResetError)):
                one.read_until(b"never")
        self.assertEqual(gate.wait(), 0)

    def test_access_lines_go_where_they_went(self):
        gate = self.start(drain="1s")
        self.upgrade()
        self.assertEqual(gate.get("/after").status, 200)
        gate.wait_for_access(path="/after")

    def test_a_unix_socket(self):
        path = self.directory / "gate.sock"
        gate = self.start(configs.plain(more=short_drain("2s")).replace("127.0.0.1:0", f"unix:{path}"))
        file = path.stat().st_ino
        load = Clients(str(path)), Faithful(str(path))
        for some in load:
            self.addCleanup(some.end)
        self.upgrade()
        for some in load:
            some.until_served(50)
        self.assertEqual(gate.wait(), 0)
        for some in load:
            some.until_served(50)
            self.assertEqual(some.end(), [])
        self.assertEqual(path.stat().st_ino, file)


class UnderAManager(UpgradeTest):
    """In the group that the manager's processes are in, as one that it has started."""

    def test_the_manager_hears_of_the_new_one_in_order(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        self.upstream = origin
        manager = self.manager(watchdog_usec=int(harness.patience(2) * 1e6))
        gate = self.managed(manager, configs.plain(more=short_drain("2s")), origin.address)
        stored = manager.names()
        load = self.load(gate)
        for some in load:
            some.until_served(50)
        last = len(manager.messages)
        pid = self.upgrade()
        handed = manager.wait_for(f"MAINPID={pid}", last)
        self.assertGreater(manager.wait_for("READY=1", last), handed)
        for one in manager.messages[last:handed]:
            self.assertNotIn("FDSTORE", one)
            self.assertNotIn("STOPPING", one)
        told = [one for one in manager.messages[last:handed] if "FDSTOREREMOVE" in one]
        self.assertEqual([one["FDNAME"] for one in told], ["witness"])
        manager.wait_for("WATCHDOG=1", handed)
        self.assertEqual(gate.wait(), 0)
        self.assertEqual(manager.names(), stored)
        self.assertFalse([one for one in manager.messages[handed:] if "STOPPING" in one])
        # Started by the manager once more, with what is in its store.
        for some in load:
            some.until_served(50)
        self.end(pid)
        gate = self.managed(manager, configs.plain(more=short_drain("2s")), origin.address)
        for some in load:
            some.until_served(50)
        self.assertEqual(load[0].end(), [])
        self.assertEqual(gate.get("/").status, 200)

    def test_a_reload_that_the_manager_runs_becomes_one_when_it_is_due(self):
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        manager = self.manager()
        gate = self.managed(manager, configs.plain(more=short_drain("1s")), self.upstream.address)

        def reload(pid):
            return harness.ringward("reload", "--socket", self.directory / "admin.sock",
                                    env={"MAINPID": str(pid)}, timeout=60)
        done = reload(gate.process.pid)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertEqual(self.pid_of_gate(), gate.process.pid)
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(self.directory / "admin.sock"))
            one.sendall(b"upgrade\task\n")
            self.assertTrue(one.makefile().read().startswith("ok\n"))
        self.assertEqual(reload(1).stdout, "")  # of another unit
        self.assertEqual(self.ask("reload").stdout, "")
        self.assertEqual(self.pid_of_gate(), gate.process.pid)
        done = reload(gate.process.pid)
        self.addCleanup(self.end, int(SERVES.match(done.stdout)[1]))
        manager.wait_for(f"MAINPID={self.pid_of_gate()}")
        self.assertEqual(gate.wait(), 0)


if __name__ == "__main__":
    harness.main()
