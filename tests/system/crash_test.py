"""What a gate says of itself when it crashes, or one of its threads stands still: enough to find the
place, and nothing of what it holds."""

import re
import signal
import subprocess

import configs
import harness
from systemd_test import held, worker_thread

FRAME = re.compile(r"^ringward:   ringward\+0x([0-9a-f]+)$")


@harness.skip_under("asan", "tsan")  # their own handlers stay
class Crash(harness.SystemTest):
    def start(self):
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        key, line = harness.new_key("alice")
        gate = self.gate(configs.plain(auth='["api_keys"]', more=configs.KEYS), check_exit=False,
                         origin=self.upstream.address, files={"keys": line + "\n"})
        self.assertEqual(gate.get("/", headers={"x-api-key": key}).status, 200)
        self.key = key
        return gate

    def functions(self, lines):
        """Those that the offsets of our own frames lie in, by the symbols of the program."""
        offsets = ["0x" + found[1] for line in lines if (found := FRAME.match(line))]
        self.assertGreater(len(offsets), 2, lines)
        done = subprocess.run(["llvm-symbolizer-19", "--obj", harness.BINARY, "--output-style=GNU", "-f",
                               "--no-inlines", *offsets], text=True, capture_output=True, check=True)
        return done.stdout

    def test_it_says_where_and_dies_of_the_same_signal(self):
        build = re.search(r"^build +([0-9a-f]{16,})$", harness.ringward("version").stdout, re.M)[1]
        for one in (signal.SIGSEGV, signal.SIGABRT):
            with self.subTest(one.name):
                gate = self.start()
                gate.signal(one)
                self.assertEqual(gate.wait(), -one)
                first = next(i for i, line in enumerate(gate.log) if "fatal" in line)
                self.assertRegex(gate.log[first], rf"^ringward: fatal: {one.name} sent by process \d+ in thread "
                                                  rf"ringward, build {build}$")
                self.assertIn("rw::io::loop::turn", self.functions(gate.log[first:]))
                self.assertNotIn(self.key, "\n".join(gate.log))

    def test_a_worker_that_stands_still_is_asked_where(self):
        gate = self.start()
        with held(worker_thread(gate, 1)):
            gate.wait_for_log("worker 1 has not answered for 5000 ms; its stack follows once it runs", within=15)
        line = gate.wait_for_log("warning: the stack in thread worker-1, build ")
        harness.eventually(lambda: len(gate.log) > gate.log.index(line) + 3)
        self.assertIn("rw::io::loop::turn", self.functions(gate.log[gate.log.index(line):]))
        for _ in range(8):  # both of them go on
            self.assertEqual(gate.get("/", headers={"x-api-key": self.key}).status, 200)
        gate.stop()


if __name__ == "__main__":
    harness.main()
