"""The rsyslog rules of docs/audit.md with the real rsyslogd: they are taken as they stand, and what arrives
over TCP is the audit log to the octet, so that it can be verified there."""

import re
import shutil
import socket
import subprocess
import threading
import unittest

import audit_log
import harness

RSYSLOGD = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin:/bin")
DOC = (harness.ROOT / "docs" / "audit.md").read_text()


@unittest.skipUnless(RSYSLOGD, "rsyslog is not installed")
class Rsyslog(audit_log.AuditTest):
    def setUp(self):
        super().setUp()
        self.rules = re.search(r"^rsyslog, as [^\n]*:\n```\n(.*?)```", DOC, re.M | re.S)[1]
        (self.directory / "spool").mkdir()

    def rules_with(self, **changes):
        text = f'global(workDirectory="{self.directory}/spool")\n{self.rules}'
        for before, after in changes.values():
            self.assertIn(before, text)
            text = text.replace(before, after)
        return self.write("rsyslog.conf", text)

    def test_the_rules_are_taken_as_they_stand(self):
        done = subprocess.run([RSYSLOGD, "-N1", "-f", self.rules_with()], check=False,
                              capture_output=True, text=True, timeout=harness.patience(60))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("error", done.stdout + done.stderr)
        broken = subprocess.run([RSYSLOGD, "-N1", "-f", self.rules_with(wrong=("omfwd", "omnone"))],
                                check=False, capture_output=True, text=True,
                                timeout=harness.patience(60))
        self.assertIn("omnone", broken.stdout + broken.stderr)  # it does look

    def test_what_arrives_can_be_verified(self):
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        arrived = bytearray()

        def receive():
            try:
                sender, _ = listening.accept()
                with sender:
                    while piece := sender.recv(65536):
                        arrived.extend(piece)
            except OSError:
                pass  # closed at the end of the test
        threading.Thread(target=receive, daemon=True).start()
        gate = self.start()
        self.ask(gate, "/api/" + "long" * 400)
        rules = self.rules_with(
            file=("/var/log/ringward/audit.jsonl", str(self.log)),
            to=("siem.example", "127.0.0.1"), port=("6514", str(listening.getsockname()[1])),
            tls=('StreamDriver="gtls" StreamDriverMode="1"', ""),
            name=('StreamDriverAuthMode="x509/name"', ""))
        daemon = subprocess.Popen([RSYSLOGD, "-n", "-f", rules, "-i", self.directory / "pid"],
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.terminate)
        self.ask(gate, key="guess")
        gate.stop()
        whole = self.log.read_bytes()

        def lines():
            return [line.split(b" ringward-audit - - - ", 1)[1]
                    for line in bytes(arrived).splitlines(keepends=True)
                    if b" ringward-audit - - - " in line]
        harness.eventually(lambda: len(lines()) == whole.count(b"\n") and
                           arrived.endswith(b"\n"), 60.0, "every line's arrival")
        self.assertEqual(b"".join(lines()), whole)
        done = self.verify(self.write("arrived.jsonl", b"".join(lines())))
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    harness.main()
