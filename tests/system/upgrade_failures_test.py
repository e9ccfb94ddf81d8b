"""`ringward upgrade` that comes to nothing, at any moment, or is nobody's to ask for."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import unittest
from pathlib import Path

import configs
import harness
from manager import short_drain
from upgrade_case import UpgradeTest


class Failures(UpgradeTest):
    """The gate that runs serves on, as it did."""

    def serves_on(self, gate):
        self.assertEqual(self.pid_of_gate(), gate.process.pid)
        self.assertEqual(gate.get("/").status, 200)
        self.assertEqual(self.ask("reload").returncode, 0)
        self.assertEqual(gate.admin_get("/healthz").status, 200)

    def test_a_configuration_that_is_wrong(self):
        gate = self.start()
        good = (self.directory / "config" / "ringward.toml").read_text()
        for text, why in ((good + "nonsense\n", "cannot parse key-value pair"),
                          (good.replace('"127.0.0.1:0"', '"192.0.2.1:1"', 1),
                           r"listener main: 192.0.2.1:1: Cannot assign")):
            self.write("config/ringward.toml", text)
            done = self.command()
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, why)
            self.assertIn("the gate before serves on", done.stderr)
        self.write("config/ringward.toml", good)
        self.serves_on(gate)
        self.assertIn('ringward_upgrades_total{outcome="failed"} 2\n', gate.metrics())
        gate.wait_for_log("error: an upgrade failed, and this gate serves on")

    def take(self):
        """A process that says it is another gate, with the sockets it got."""
        one = socket.socket(socket.AF_UNIX)
        self.addCleanup(one.close)
        one.connect(str(self.directory / "admin.sock"))
        one.sendall(b"upgrade\ttake\n")
        text, descriptors = b"", []
        while not text.endswith(b"\n\n"):
            data, fds, _, _ = socket.recv_fds(one, 65536, 250)
            self.assertTrue(data, text)
            text += data
            descriptors += fds
        for fd in descriptors:
            os.close(fd)
        return one, text.decode()

    def test_one_that_dies_at_any_moment(self):
        gate = self.start(configs.plain(more=short_drain()) +
                          '[log]\naudit = { path = "$dir/state/audit.jsonl" }\n')
        load = self.load(gate)
        audit = f"{self.directory}/state/audit.jsonl"
        words = f"ready\t9.9\t{audit}\t{self.directory}/admin.sock\n".encode()
        for moment in range(3):
            one, given = self.take()
            self.assertIn(f"configuration\t{self.directory}/config\n", given)
            if moment > 0:
                one.sendall(words)
                self.assertEqual(one.recv(16), b"go\n")
            if moment > 1:
                one.sendall(b"nonsense\n")
            one.close()
            self.serves_on(gate)
            for some in load:
                some.until_served(50)
        for some in load:
            self.assertEqual(some.end(), [])
        gate.stop()
        done = harness.ringward("audit", "verify", audit)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(" 3 chains,", done.stdout)  # two were ended for somebody

    def test_one_that_is_killed_while_it_starts(self):
        gate = self.start()
        fifo = self.directory / "config" / "slow.toml"
        os.mkfifo(fifo)
        with subprocess.Popen([harness.BINARY, "upgrade", "--socket", self.directory / "admin.sock"],
                              stderr=subprocess.PIPE) as command:
            new = harness.eventually(self.starting, what="a process that starts")
            os.kill(new, signal.SIGKILL)
            self.assertIn(b"the gate before serves on", command.stderr.read())
        self.assertEqual(command.returncode, 1)
        fifo.unlink()
        self.serves_on(gate)
        self.upgrade()

    def starting(self):
        """The new gate, which has a session of its own."""
        for one in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (one / "cmdline").read_bytes()
                session = (one / "stat").read_text().rsplit(")", 1)[1].split()[3]
                if b"--after" in command and str(self.directory).encode() in command \
                        and session == one.name:
                    return int(one.name)
        return None

    def test_standard_descriptors_that_are_closed(self):
        """No less than with them, done or failed."""
        gate = self.start(drain="1s")
        good = (self.directory / "config" / "ringward.toml").read_text()
        for shut in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            command = ["sh", "-c", f'exec "$0" upgrade --socket "$1" {shut}', harness.BINARY,
                       str(self.directory / "admin.sock")]
            before = self.pid_of_gate()
            self.write("config/ringward.toml", good + "nonsense\n")
            done = subprocess.run(command, timeout=harness.patience(20), capture_output=True)
            self.assertEqual((done.returncode, self.pid_of_gate()), (1, before), shut)
            self.write("config/ringward.toml", good)
            done = subprocess.run(command, timeout=harness.patience(20), capture_output=True)
            self.assertEqual(done.returncode, 0, shut)
            self.assertNotEqual(self.pid_of_gate(), before)
            self.addCleanup(self.end, self.pid_of_gate())
            self.assertEqual(gate.get("/").status, 200)
        gate.wait_for_log("an upgrade failed, and this gate serves on")

    def test_only_one_at_a_time(self):
        gate = self.start()
        one, _ = self.take()
        done = self.command()
        self.assertEqual(done.returncode, 1)
        self.assertIn("another upgrade is under way", done.stderr)
        one.close()
        self.serves_on(gate)

    @unittest.skipUnless(os.geteuid() == 0, "it takes root to be somebody else")
    def test_somebody_without_the_right(self):
        gate = self.start(configs.plain(more=short_drain()) +
                          '[log]\naudit = { path = "$dir/state/audit.jsonl" }\n')
        os.chmod(self.directory, 0o755)
        os.chmod(self.directory / "admin.sock", 0o666)  # who is in the gate's group
        code = ("import os, socket, sys\nos.setuid(65534)\ns = socket.socket(socket.AF_UNIX)\n"
                "s.connect(sys.argv[1])\ns.sendall(sys.argv[2].encode() + b'\\n')\n"
                "print(s.makefile().read())")
        for word in ("upgrade\ttake", "upgrade\task", "upgrade\tfailed\tlies"):
            done = subprocess.run(["/usr/bin/python3", "-c", code, self.directory / "admin.sock", word],
                                  capture_output=True, text=True, check=True)
            self.assertEqual(done.stdout, "failed\nonly root and the gate's own user can replace it\n\n")
        self.serves_on(gate)
        self.assertIn('ringward_upgrades_total{outcome="refused"} 3\n', gate.metrics())
        gate.stop()
        records = (self.directory / "state" / "audit.jsonl").read_text()
        self.assertEqual(len(re.findall(r'"event":"admin","result":"failed","reason":"upgrade","identity":"uid:65534"',
                                        records)), 3, records)

    def test_no_gate_at_all(self):
        done = self.command()
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: no gate answers at", done.stderr)


if __name__ == "__main__":
    harness.main()
