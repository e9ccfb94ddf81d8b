"""`ringward top`: rates by difference, for scripts and on a terminal that it gives back as it was."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time

import configs
import harness

CONFIG = configs.LISTENER + configs.UPSTREAM + """
[[limit]]
name = "few"
by = "client.ip"
rate = "1/h"
burst = 1
[[route]]
name = "few"
path_prefix = "/few"
action = "respond"
status = 204
auth = []
limits = ["few"]
""" + configs.ROUTE + "auth = []\n"


class Screen:
    """`ringward top` on a terminal of 100 x 30."""

    def __init__(self, *arguments):
        self.terminal, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.before = termios.tcgetattr(inside)
        self.process = subprocess.Popen([harness.BINARY, "top", *map(str, arguments)], stdin=inside, stdout=inside,
                                        stderr=inside, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.inside = inside  # stays open, so that its settings can be looked at afterwards
        self.said = ""

    def write(self, octets):
        os.write(self.terminal, octets)

    def read_until(self, pattern, within=20):
        deadline = time.monotonic() + harness.patience(within)
        while not (found := re.search(pattern, self.said, re.S)):
            ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"no {pattern} in {self.said[-3000:]!r}")
            self.said += os.read(self.terminal, 65536).decode(errors="replace")
        self.said = self.said[found.end():]
        return found

    def wait(self):
        status = self.process.wait(harness.patience(10))
        self.read_until(re.escape("\x1b[?25h\x1b[?1049l"))  # the cursor and the screen are there again
        return status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.terminal)
        os.close(self.inside)


class Top(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        self.gateway = self.gate(CONFIG, origin=self.upstream.address)
        self.socket = ("--socket", self.directory / "admin.sock")
        self.stop = threading.Event()

    def load(self):
        """Requests of both routes, until the test ends."""
        def run():
            with self.gateway.connect() as connection:
                while not self.stop.is_set():
                    connection.request("GET", "/")
                    connection.request("GET", "/few")
        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.stop.set)

    def screen(self, *arguments):
        made = Screen("--interval", "0.2", *self.socket, *arguments)
        self.addCleanup(made.close)
        made.read_until(re.escape("\x1b[?1049h"))
        return made

    def test_json_has_what_came_meanwhile(self):
        self.gateway.get("/")  # before the first look: no part of a rate
        self.gateway.wait_for_access(path="/")
        idle = json.loads(harness.ringward("top", "--json", "--interval", "0.2", *self.socket).stdout)
        self.assertEqual((idle["requests_per_second"], idle["p99_seconds"]), (0, 0))
        self.load()
        said = json.loads(harness.ringward("top", "--json", "--interval", "1", *self.socket).stdout)
        self.assertAlmostEqual(said["seconds"], 1, delta=5)
        self.assertGreater(said["requests_per_second"], 1)
        routes = {one["name"]: one for one in said["routes"]}
        self.assertGreater(routes["all"]["requests_per_second"], 0)
        self.assertEqual(routes["all"]["4xx_per_second"], 0)
        self.assertGreater(routes["few"]["4xx_per_second"], 0)
        self.assertGreater(routes["all"]["p99_seconds"], 0)
        self.assertLessEqual(routes["all"]["p50_seconds"], routes["all"]["p99_seconds"])
        self.assertEqual([one["name"] for one in said["limits"]], ["few"])
        self.assertGreater(said["limits"][0]["refused_per_second"], 0)
        self.assertGreater(said["upstreams"][0]["requests_per_second"], 0)
        self.assertIn("rate_limited", [one["name"] for one in said["refusals"]])
        self.assertEqual(sorted(one["name"] for one in said["workers"]), ["0", "1"])
        self.assertGreater(sum(one["cpu_percent"] for one in said["workers"]), 0)
        self.assertEqual(sum(one["connections"] for one in said["workers"]), said["connections"])
        (caller,) = said["callers"]  # nobody has an identity
        self.assertEqual(caller["name"], "address 127.0.0.1")
        self.assertGreater(caller["requests_per_second"], caller["refused_per_second"])
        self.assertGreater(caller["refused_per_second"], 0)
        self.assertGreater(caller["bytes_out_per_second"], 0)

    def test_once_is_text_sorted_by_a_column(self):
        self.load()
        done = harness.ringward("top", "--once", "--interval", "0.5", "--sort", "4xx/s", *self.socket)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^\d+ requests/s, ")
        routes = done.stdout.split("ROUTE")[1].split("\n\n")[0]
        self.assertRegex(routes, r" 4XX/S\* ")
        self.assertEqual(re.findall(r"^(\w+) ", routes, re.M)[0], "few")

    def test_a_terminal_is_given_back_as_it_was(self):
        self.load()
        for end in (b"q", b"\x03", signal.SIGTERM):
            with self.subTest(end):
                screen = self.screen()
                screen.read_until(r"requests/s.*<routes>.*ROUTE +REQ/S\*")
                self.assertEqual(termios.tcgetattr(screen.inside)[3] & (termios.ICANON | termios.ECHO), 0)
                if isinstance(end, bytes):
                    screen.write(end)
                else:
                    screen.process.send_signal(end)
                self.assertEqual(screen.wait(), 0)
                self.assertEqual(termios.tcgetattr(screen.inside), screen.before)

    def test_keys(self):
        self.load()
        screen = self.screen()
        screen.read_until(r"ROUTE +REQ/S\*")
        screen.write(b">")
        screen.read_until(r"ROUTE +REQ/S +4XX/S\*")
        screen.write(b"\x1b[D")
        screen.read_until(r"ROUTE +REQ/S\*")
        screen.write(b"\t")
        screen.read_until(r"<callers>.*CALLER +REQ/S\*.*address 127\.0\.0\.1")
        screen.write(b"\t")
        screen.read_until(r"<upstreams>.*UPSTREAM +REQ/S\*.*origin")
        screen.write(b"q")
        self.assertEqual(screen.wait(), 0)

    def test_a_gate_that_is_gone_is_said_and_looked_for(self):
        screen = self.screen()
        screen.read_until("ROUTE")
        self.gateway.stop()
        screen.read_until("no gate answers at ")
        screen.write(b"q")
        self.assertEqual(screen.wait(), 0)
        done = harness.ringward("top", "--once", *self.socket)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no gate answers at ", done.stderr)

    def test_without_a_terminal(self):
        done = harness.ringward("top", *self.socket)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--once", done.stderr)


class Callers(harness.SystemTest):
    def test_by_name_over_all_workers(self):
        secrets = {name: harness.new_key(name) for name in ("alice", "bob")}
        upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(auth='["api_keys"]', more=configs.KEYS), origin=upstream.address,
                         files={"keys": "".join(line + "\n" for _, line in secrets.values())})
        for name, times in (("alice", 40), ("bob", 10)):
            for _ in range(times):
                self.assertEqual(gate.get("/", headers={"X-API-Key": secrets[name][0]}).status, 200)
        self.assertEqual(gate.get("/").status, 401)
        said = json.loads(harness.ringward("top", "--json", "--interval", "0.1",
                                           "--socket", self.directory / "admin.sock").stdout)
        self.assertEqual([one["name"] for one in said["callers"]], ["alice", "bob", "address 127.0.0.1"])
        alice, bob, nobody = (one["requests_per_second"] for one in said["callers"])
        self.assertAlmostEqual(alice / bob, 4, delta=1)
        self.assertAlmostEqual(bob / nobody, 10, delta=3)
        self.assertEqual([one["refused_per_second"] > 0 for one in said["callers"]], [False, False, True])


if __name__ == "__main__":
    harness.main()
