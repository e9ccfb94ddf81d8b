"""The audit log's files: rotation, what is kept, a process that is killed, a disk that is full."""

import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import audit_log
import harness


class Files(audit_log.AuditTest):
    def rotate(self, gate, number=1):
        rotated = self.log.with_name(f"audit.jsonl.{number}")
        self.log.rename(rotated)
        gate.signal(signal.SIGUSR1)
        harness.eventually(self.log.exists, what="a new file")
        return rotated

    def test_the_chain_goes_on_in_the_next_file(self):
        gate = self.start()
        self.ask(gate)
        self.wait_for_record(event="authentication")
        old = self.rotate(gate)
        self.ask(gate, "/api/after")
        self.wait_for_record(path="/api/after")
        gate.stop()
        done = self.verify(old, self.log)
        self.assertEqual(done.returncode, 0, done.stdout)
        # The second alone begins in the middle; the wrong order is a break.
        self.assertEqual(self.verify(self.log).returncode, 3)
        self.assertEqual(self.verify(self.log, old).returncode, 1)

    def test_keep_removes_rotated_files_and_nothing_else(self):
        stays = ["audit.jsonl.bak", "audit.jsonlx", "other.1", "audit.jsonl.1.txt", "audit.jsonl-1"]
        goes = ["audit.jsonl.7", "audit.jsonl.8.gz", "audit.jsonl-20200101",
                "audit.jsonl-20200101-1577836800.xz"]
        for name in stays + goes + ["audit.jsonl.9"]:
            (self.log.parent / name).write_text("x\n")
            os.utime(self.log.parent / name, (1e9, 1e9))
        os.utime(self.log.parent / "audit.jsonl.9")
        (self.log.parent / "audit.jsonl.5").symlink_to(self.log.parent / "other.1")
        gate = self.start(', keep = "30d"')
        there = lambda: [n for n in goes if (self.log.parent / n).exists()]  # noqa: E731
        self.wait_for_record(reason="audit_file_expired")
        self.assertEqual(len(there()), 3)  # a clock that is wrong costs one at a time
        for left in (2, 1, 0):
            gate.signal(signal.SIGUSR1)
            harness.eventually(lambda left=left: len(there()) == left, what=f"{left} old files")
        gate.stop()
        left = {p.name for p in self.log.parent.iterdir()}
        self.assertEqual(left, {*stays, "audit.jsonl", "audit.jsonl.9", "audit.jsonl.5"})
        self.assertIn("audit_file_expired", {r.get("reason") for r in self.records()})

    def test_a_clock_that_is_ahead_at_the_start_makes_nothing_old(self):
        """All that is there is years old: the machine was off, or its clock is wrong."""
        days = {"audit.jsonl.1": 0, "audit.jsonl.2": 10, "audit.jsonl.3": 28, "audit.jsonl.4": 31}
        for name, age in days.items():
            (self.log.parent / name).write_text("x\n")
            os.utime(self.log.parent / name, (1e9 - age * 86400, 1e9 - age * 86400))
        gate = self.start(', keep = "30d"')
        self.wait_for_record(reason="audit_file_expired")
        for _ in range(3):
            self.rotate(gate, 9)
        gate.stop()
        left = {p.name for p in self.log.parent.iterdir()}
        self.assertEqual(left, {*days, "audit.jsonl", "audit.jsonl.9"} - {"audit.jsonl.4"})

    def test_killed_under_load_it_says_that_the_end_is_missing_and_goes_on(self):
        gate = self.start(check_exit=False)
        with gate.connect() as c:
            for _ in range(500):
                c.request("GET", "/open", {"host": "a"})
        self.wait_for_record(event="authorization")
        gate.kill()
        done = self.verify(self.log)
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn("without an end", done.stdout)
        self.stopped_log()
        done = self.verify(self.log)
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertNotIn("broken", done.stdout)

    def test_a_process_that_was_killed_within_a_line_is_told_from_an_edit(self):
        lines = self.stopped_log()
        self.log.write_bytes(b"".join(lines[:-2]) + lines[-2][:30])
        self.stopped_log()
        done = self.verify(self.log)
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn(f"{self.log}:{len(lines) - 1}: open: part of a record", done.stdout)

    @unittest.skipUnless(shutil.which("logrotate"), "logrotate is not installed")
    def test_logrotate_with_the_package_s_rules(self):
        gate = self.start()
        self.ask(gate)
        self.wait_for_record(event="authentication")
        rules = (harness.ROOT / "systemd/ringward.logrotate").read_text()
        rules = rules.replace("/var/log/ringward", str(self.log.parent))
        rules = rules.replace("su ringward ringward", f"su {os.geteuid()} {os.getegid()}")
        rules = re.sub(r"systemctl kill.*", f"kill -USR1 {gate.process.pid}", rules)
        config = self.write("logrotate.conf", rules, 0o644)
        for round_ in range(2):
            done = subprocess.run(["logrotate", "-f", "-s", self.directory / "rotated", config],
                                  capture_output=True, text=True,
                                  env=os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin"})
            self.assertEqual(done.returncode, 0, done.stderr)
            harness.eventually(self.log.exists, what="a new file")
            self.ask(gate, f"/api/{round_}")
            self.wait_for_record(path=f"/api/{round_}")
            # The second is part of the next file's name, and logrotate reads it from time(2), whose
            # clock lags the one read here by up to a tick (10 ms at 100 Hz).
            second = int(time.time())
            harness.eventually(lambda: time.time() >= second + 1.1, what="another name")
        gate.stop()
        for packed in self.log.parent.glob("*.gz"):
            subprocess.run(["gzip", "-d", packed], check=True)
        rotated = sorted(self.log.parent.glob("audit.jsonl-*"))
        self.assertEqual(len(rotated), 2)
        done = self.verify(*rotated, self.log)
        self.assertEqual(done.returncode, 0, done.stdout)


@unittest.skipUnless(os.geteuid() == 0, "mounts a file system, which takes root")
class FullDisk(audit_log.AuditTest):
    def setUp(self):
        super().setUp()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs",
                                  self.log.parent], capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest("no file system can be mounted here: " + mounted.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", "-l", self.log.parent])

    def fill(self, gate, requests):
        """How many were let in until one was not, or all of them."""
        long = "/open/" + "x" * 1800
        with gate.connect() as c:
            for done in range(requests):
                if c.request("GET", long, {"host": "a"}).status == 503:
                    return done
        return requests

    def test_reject_answers_503_and_nothing_is_lost_once_there_is_room(self):
        gate = self.start(server="workers = 1")
        answered = self.fill(gate, 20000)
        self.assertLess(answered, 20000)
        # Counted once the answer is out.
        harness.eventually(lambda: 'reason="audit_full"' in gate.metrics())
        self.assertIn("ringward_audit_log_failing 1", gate.metrics())
        subprocess.run(["mount", "-o", "remount,size=64m", self.log.parent], check=True)
        harness.eventually(lambda: gate.get("/open").status == 204, within=20,
                           what="requests are let in again")
        gate.stop()
        done = self.verify(self.log)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(sum(1 for r in self.records() if len(r.get("path", "")) > 1800), answered)

    def test_drop_counts(self):
        gate = self.start(', on_full = "drop"', server="workers = 1")
        self.assertEqual(self.fill(gate, 8000), 8000)
        dropped = re.search(r"^ringward_audit_records_dropped_total (\d+)", gate.metrics(), re.M)
        self.assertGreater(int(dropped[1]), 0)
        subprocess.run(["mount", "-o", "remount,size=64m", self.log.parent], check=True)
        harness.eventually(lambda: "ringward_audit_log_failing 0" in gate.metrics(), within=20)
        gate.stop()
        self.assertEqual(self.verify(self.log).returncode, 0)
        self.assertGreater(max(r.get("dropped", 0) for r in self.records()), 0)


if __name__ == "__main__":
    harness.main()
