"""The access log as a whole: which requests it samples, and a disk that is full."""

import json
import os
import re
import subprocess
import unittest
from pathlib import Path

import configs
import harness

OPEN_AND_CLOSED = configs.plain(more=configs.KEYS + """
[[route]]
name = "closed"
path_prefix = "/closed"
upstream = "origin"
auth = ["api_keys"]
""").replace('path_prefix = "/"', 'path_prefix = "/open"')


class Log(harness.SystemTest):
    def start(self, access):
        upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        key, line = harness.new_key("alice")
        return self.gate(OPEN_AND_CLOSED + f"\n[log]\naccess = {{ {access} }}\n[server]\nworkers = 1\n",
                         origin=upstream.address, files={"keys": line + "\n"})


class Sample(Log):
    def count(self, gate, requests, target):
        with gate.connect() as connection:
            for _ in range(requests):
                connection.request("GET", target)

    def test_a_part_of_what_is_answered_and_every_error(self):
        gate = self.start('path = "-", sample = 0.1')
        self.count(gate, 600, "/open")
        self.count(gate, 50, "/closed")  # 401
        self.count(gate, 50, "/nowhere")  # 404

        def statuses():
            return [entry["status"] for entry in gate.access]
        harness.eventually(lambda: (statuses().count(401), statuses().count(404)) == (50, 50))
        # 60 of 600; what is asked here is so far out that it comes once in 10^12.
        self.assertGreater(statuses().count(200), 15)
        self.assertLess(statuses().count(200), 130)
        self.assertIn('ringward_requests_total{route="all",code="2xx"} 600\n', gate.metrics())

    def test_none_of_it(self):
        gate = self.start('path = "-", sample = 0.0')
        self.count(gate, 50, "/open")
        self.count(gate, 1, "/closed")
        gate.wait_for_access(status=401)
        self.assertEqual(len(gate.access), 1)


@unittest.skipUnless(os.geteuid() == 0, "mounts a file system, which takes root")
class FullDisk(Log):
    def test_traffic_goes_on_and_what_is_lost_is_counted(self):
        folder = self.directory / "small"
        folder.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest("no file system can be mounted here: " + mounted.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", "-l", folder])
        gate = self.start('path = "$dir/small/access.log"')

        def value(name):
            return int(re.search(rf"^{name} (\d+)$", gate.metrics(), re.M)[1])
        long = "/open/" + "x" * 6000
        sent = 0
        with gate.connect() as connection:
            # More than the file system and the worker's queue (4 MiB) hold.
            while value("ringward_access_lines_dropped_total") == 0:
                for _ in range(100):
                    self.assertEqual(connection.request("GET", long).status, 200)
                    sent += 1
                self.assertLess(sent, 5000)
            self.assertEqual(value("ringward_access_log_failing"), 1)
            self.assertRegex(harness.ringward("status", "--socket", self.directory / "admin.sock").stdout,
                             r"access log +failing: No space left on device")
            subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
            harness.eventually(lambda: value("ringward_access_log_failing") == 0, 20)
            self.assertEqual(connection.request("GET", "/open/after").status, 200)
        log = Path(folder / "access.log")
        harness.eventually(lambda: "/open/after" in log.read_text(), 20, "a line once there is room")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        self.assertEqual(len(lines) + value("ringward_access_lines_dropped_total"), sent + 1)


if __name__ == "__main__":
    harness.main()
