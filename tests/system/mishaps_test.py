"""What happens to servers: stopped by a debugger or a hypervisor, killed, out of descriptors, a clock that
jumps, a log whose directory is removed. Traffic goes on, or comes back by itself, and what was lost is named."""

import datetime
import os
import re
import resource
import shutil
import signal
import time

import configs
import harness
from upstreams_test import Load

FAKE_TIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


class Mishaps(harness.SystemTest):
    def start(self, more="", **options):
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        return self.gate(configs.plain(more=more), origin=self.upstream.address, **options)

    def value(self, gate, name):
        return int(re.search(rf"^{name} (\d+)$", gate.metrics(), re.M)[1])

    def more_is_answered(self, load):
        before = len(load.results)
        harness.eventually(lambda: [one[3] for one in load.results[before:]].count(200) > 50, 20, "more answers")

    def failures(self, load):
        return [one for one in load.end() if one[3] != 200]

    def test_stopped_for_a_while(self):
        gate = self.start()
        load = Load(gate)
        self.more_is_answered(load)
        gate.signal(signal.SIGSTOP)
        time.sleep(3)
        gate.signal(signal.SIGCONT)
        self.more_is_answered(load)
        self.assertEqual(self.failures(load), [])
        self.assertFalse([line for line in gate.log if "error" in line])

    def test_killed(self):
        """Nothing of it keeps the next one from starting, and the audit log's chain goes on."""
        audit = '[log]\naudit = { path = "$dir/audit.jsonl" }\n'
        gate = self.start(audit, check_exit=False)
        load = Load(gate)
        self.more_is_answered(load)
        gate.kill()
        harness.eventually(lambda: any(one[3] != 200 for one in load.results), 10, "connections that were cut")
        load.end()
        gate = self.gate(configs.plain(more=audit), origin=self.upstream.address)
        load = Load(gate)
        self.more_is_answered(load)
        self.assertEqual(self.failures(load), [])
        gate.stop()
        found = harness.ringward("audit", "verify", self.directory / "audit.jsonl")
        said = found.stdout + found.stderr
        self.assertEqual(said.count("audit.jsonl:"), 1, said)
        self.assertIn("without an end: the process runs, was killed, or the rest was cut off", said)
        self.assertIn(" 2 chains", said)

    def test_without_descriptors(self):
        """Whom a kept connection to the origin can serve is served; the others are told at once."""
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(upstream="retry.attempts = 1\npool.requests_per_connection = 3\n"
                                                "health.eject_after = 1"), origin=self.upstream.address)
        before = resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE)
        with gate.connect() as connection:
            self.assertEqual(connection.request("GET", "/").status, 200)
            resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
            statuses = [connection.request("GET", "/").status for _ in range(10)]
            self.assertEqual(statuses, 2 * [200] + 8 * [503])
            self.assertEqual(gate.wait_for_access(status=503)["reason"], "out_of_sockets")
            found = harness.ringward("reload", "--socket", self.directory / "admin.sock")
            self.assertEqual(found.returncode, 1)
            self.assertIn("Too many open files", found.stderr)
            resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE, before)
            self.assertEqual(connection.request("GET", "/").status, 200)

    def start_with_a_log(self):
        folder = self.directory / "log"
        folder.mkdir()
        return self.start('[log]\naccess.path = "$dir/log/access.log"\n'), folder / "access.log"

    def test_the_log_is_removed(self):
        gate, log = self.start_with_a_log()
        self.assertEqual(gate.get("/before").status, 200)
        harness.eventually(lambda: "/before" in log.read_text())
        log.unlink()
        harness.eventually(log.exists, 10, "a new file")
        self.assertEqual(gate.get("/after").status, 200)
        harness.eventually(lambda: "/after" in log.read_text())
        self.assertNotIn("/before", log.read_text())
        self.assertEqual(self.value(gate, "ringward_access_log_failing"), 0)

    def test_the_directory_of_the_log_is_removed(self):
        """What waits is kept. A directory that is made anew is another one, which takes a restart."""
        gate, log = self.start_with_a_log()
        load = Load(gate)
        self.more_is_answered(load)
        while log.parent.exists():  # the gate may make its file anew before the directory is gone
            shutil.rmtree(log.parent, ignore_errors=True)
        harness.eventually(lambda: self.value(gate, "ringward_access_log_failing") == 1, 10)
        status = harness.ringward("status", "--socket", self.directory / "admin.sock").stdout
        self.assertRegex(status, r"access log +failing: No such file or directory")
        self.more_is_answered(load)
        self.assertEqual(self.failures(load), [])
        self.assertEqual(self.value(gate, "ringward_access_lines_dropped_total"), 0)

    @harness.skip_under("asan", "tsan")  # whose own libraries have to come first
    def test_the_clock_jumps(self):
        """By an hour there and back: no limit is forgiven, no connection ends, and lines have the new time."""
        jump = self.write("config/jump", "+0")  # where a locked-down gate may read
        limited = configs.plain(upstream="""
[[limit]]
name = "few"
by = "client.ip"
rate = "20/h"
burst = 20
[[route]]
name = "free"
path = "/free"
upstream = "origin"
auth = []
""", route='limits = ["few"]')
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(limited, origin=self.upstream.address, env={
            "LD_PRELOAD": FAKE_TIME, "FAKETIME_TIMESTAMP_FILE": str(jump), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
        with gate.connect() as connection:
            statuses = [connection.request("GET", "/").status for _ in range(25)]
            self.assertEqual((statuses.count(200), statuses.count(429)), (20, 5))
            for shift in (3600, -3600, 0):
                jump.write_text(f"{shift:+d}")
                time.sleep(0.5)
                self.assertEqual(connection.request("GET", "/free").status, 200)
                self.assertEqual(connection.request("GET", "/").status, 429, shift)

        def times():
            return [datetime.datetime.fromisoformat(entry["time"]).timestamp()
                    for entry in gate.access if entry["path"] == "/free"]
        harness.eventually(lambda: len(times()) == 3)
        now = time.time()
        self.assertEqual([round((at - now) / 3600) for at in times()], [1, -1, 0])


if __name__ == "__main__":
    harness.main()
