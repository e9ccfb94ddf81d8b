"""The fail2ban filter, jail and action of the packages, with the real fail2ban on a real audit log.
Its server has a socket of its own, and its actions write a file or tell a gate: nothing else is
banned on this machine."""

import os
import re
import shutil
import subprocess
import unittest
from datetime import datetime

import audit_log
import client
import harness

PACKAGED = harness.ROOT / "packaging" / "fail2ban"
FILTER = PACKAGED / "filter.d" / "ringward.conf"


@unittest.skipUnless(shutil.which("fail2ban-regex"), "fail2ban is not installed")
class Fail2ban(audit_log.AuditTest):
    def matches(self):
        done = subprocess.run(["fail2ban-regex", self.log, FILTER], capture_output=True, text=True,
                              timeout=harness.patience(60))
        found = re.search(r"(\d+) ignored, (\d+) matched, (\d+) missed", done.stdout)
        self.assertIsNotNone(found, done.stdout + done.stderr)
        return int(found[2])

    def test_the_filter_counts_who_fails_to_prove_who_they_are_and_nobody_else(self):
        gate = self.start()
        for _ in range(3):
            self.ask(gate, key="guess")
        self.ask(gate)
        gate.get("/nowhere")
        gate.get("/open")
        # Text that would be another's failure, if a client could write what it wants.
        with gate.connect() as c:
            c.send(b'GET /open/","event":"authentication","result":"deny","reason":"unknown_key",'
                   b'"client":"192.0.2.9" HTTP/1.1\r\nhost: a\r\n\r\n')
            c.read_until(b"\r\n\r\n")
        gate.stop()
        self.assertEqual(self.matches(), 3)

    def test_folded_failures_and_ipv6_networks_match(self):
        link = '{"seq":9,"prev":"' + "0" * 64 + '","time":"2026-11-29T19:15:47.145344Z",'
        denied = '"event":"authentication","result":"deny","reason":"%s","client":"%s"'
        self.log.write_text("".join(
            link + denied % (reason, client) + ',"count":7}\n'
            for reason, client in (("unknown_key", "192.0.2.1"), ("missing", "2001:db8:1:2::/64"),
                                   ("expired", "192.0.2.2"), ("keys_unavailable", "192.0.2.3"))))
        self.assertEqual(self.matches(), 2)

    def start_jail(self, action):
        """The packaged jail, on, with this action in place of fail2ban's own."""
        etc = self.directory / "etc"
        for name in ("filter.d", "action.d"):
            (etc / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(FILTER, etc / "filter.d")
        shutil.copy(PACKAGED / "action.d" / "ringward.conf", etc / "action.d")
        said = self.directory / "f2b.log"
        self.write("etc/fail2ban.conf", f"""
            [Definition]
            loglevel = INFO
            logtarget = {said}
            syslogsocket = auto
            socket = {self.directory}/f2b.sock
            pidfile = {self.directory}/f2b.pid
            dbfile = None
            """.replace("            ", ""))
        jail = (PACKAGED / "jail.d" / "ringward.conf").read_text()
        jail = jail.replace("enabled  = false",
                            f"enabled = true\naction = {action}\nignoreself = false")
        jail = re.sub(r"backend +=.*", "backend = polling", jail)
        self.write("etc/jail.conf", jail.replace("/var/log/ringward/audit.jsonl", str(self.log)))
        server = subprocess.Popen(
            ["fail2ban-server", "-f", "-c", etc, "start"],
            env=os.environ | {"LC_ALL": "C.UTF-8"}, stdout=subprocess.DEVNULL)

        def end():
            server.terminate()
            server.wait()
        self.addCleanup(end)
        harness.eventually(lambda: said.exists() and "Jail 'ringward' started" in said.read_text(),
                           within=60, what="fail2ban is there")
        return said

    def test_the_jail_bans_an_address_that_keeps_guessing(self):
        gate = self.start()
        banned = self.directory / "banned"
        self.write("etc/action.d/note.conf",
                   f"[Definition]\nactionban = echo <ip> >>{banned}\nactionunban =\n")
        self.start_jail("note")
        self.ask(gate)
        for _ in range(6):
            self.ask(gate, key="guess")
        harness.eventually(banned.exists, within=60, what="a ban")
        harness.eventually(lambda: banned.read_text() == "127.0.0.1\n", within=20)

    def test_the_packaged_action_has_the_gate_shut_it_out(self):
        nothing = "unauthorized = 0, forbidden = 0, malformed = 0, handshake = 0"
        gate = self.start(
            server=f"workers = 2\n[ban]\nexempt = []\nweights = {{ {nothing} }}")
        socket = f"{self.directory}/admin.sock"
        said = self.start_jail(f"ringward[command={harness.BINARY}, socket={socket}]")
        for _ in range(6):
            self.ask(gate, key="guess")

        def bans():
            return harness.ringward("bans", "--socket", socket).stdout
        harness.eventually(lambda: "127.0.0.1 " in bans(), within=60, what="a ban")
        with self.assertRaises((client.Closed, OSError)):
            self.ask(gate)
        since, until = (datetime.fromisoformat(text.rstrip("Z")) for text in bans().split()[-4:-2])
        self.assertAlmostEqual((until - since).total_seconds(), 600, delta=1)  # the jail's bantime
        done = subprocess.run(
            ["fail2ban-client", "-s", self.directory / "f2b.sock", "-c", self.directory / "etc",
             "set", "ringward", "unbanip", "127.0.0.1"],
            capture_output=True, text=True, timeout=harness.patience(60))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        harness.eventually(lambda: bans() == "nobody is banned\n", within=60, what="its end")
        self.assertEqual(self.ask(gate).status, 200)
        self.assertNotIn("Failed to execute", said.read_text())


if __name__ == "__main__":
    harness.main()
