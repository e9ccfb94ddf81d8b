"""docs/operations.md: each console block, run on a gate that is in the state its section is about."""

import os
import re
import subprocess
import time

import configs
import credentials
import harness

PAGE = harness.ROOT / "docs" / "operations.md"
CONFIG = configs.LISTENER.replace("main", "https") + configs.TLS + configs.UPSTREAM + """
[[limit]]
name = "per-ip"
by = "client.ip"
rate = "3/m"
burst = 3
[auth.jwt.main]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { url = "https://127.0.0.1:1/keys", ca = "$dir/cert.pem" }
[[route]]
name = "tokens"
path_prefix = "/tokens"
upstream = "origin"
auth = ["jwt:main"]
[log]
access = { path = "$dir/access.log" }
""" + configs.ROUTE + 'auth = []\nlimits = ["per-ip"]\n'


def sections():
    """Heading -> [(commands and what is expected of each)] of its blocks, in order."""
    found = {}
    for part in re.split(r"^## ", PAGE.read_text(), flags=re.M)[1:]:
        title, _, text = part.partition("\n")
        steps = []
        for block in re.findall(r"^```console\n(.*?)^```", text, re.M | re.S):
            for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.M):
                steps.append((command, expected))
        found[title] = steps
    return found


def as_pattern(expected):
    return re.compile(re.escape(expected.rstrip("\n")).replace(r"\.\.\.", r"[\s\S]*?") + r"\s*")


class Operations(harness.SystemTest):
    def start(self, days=90.0):
        self.delay = 0.0

        def answer(connection, request):
            time.sleep(self.delay)
            connection.answer(200, b"ok")
        self.upstream = self.origin(answer)
        made = credentials.certificate(days=days)
        self.gateway = self.gate(CONFIG, origin=self.upstream.address,
                                 files={"cert.pem": made.chain, "key.pem": made.key})

    def follow(self, title, at_least):
        """Runs the section's commands; `...` in one is the origin's address."""
        steps = sections()[title]
        self.assertGreaterEqual(len(steps), at_least)
        bin_directory = self.directory / "bin"
        bin_directory.mkdir()
        self.write("bin/ringward", f'#!/bin/sh\nexec {harness.BINARY} "$@" --socket {self.directory}/admin.sock\n',
                   mode=0o700)
        environment = os.environ | {
            "PATH": f"{bin_directory}:{os.environ['PATH']}", "TLS": str(self.directory),
            "ADMIN": "http://%s:%d" % self.gateway.admin[:2], "ACCESS_LOG": f"{self.directory}/access.log"}
        for command, expected in steps:
            done = subprocess.run(["sh", "-c", command.replace("...", self.upstream.address)], text=True,
                                  capture_output=True, env=environment, timeout=harness.patience(30))
            self.assertEqual((done.returncode, done.stderr), (0, ""), command)
            self.assertIsNotNone(as_pattern(expected).fullmatch(done.stdout), f"{command}\n{done.stdout}")

    def wait_for_lines(self, number):
        log = self.directory / "access.log"
        harness.eventually(lambda: log.exists() and len(log.read_text().splitlines()) >= number, 20)

    def test_day_2(self):
        self.start()
        self.write_config(CONFIG.replace("3/m", "30/m"), origin=self.upstream.address)
        self.follow("Day 2", 7)
        harness.eventually(lambda: self.gateway.get("/", tls=True).status == 200)

    def test_429s_everywhere(self):
        self.start()
        statuses = [self.gateway.get("/", tls=True).status for _ in range(8)]
        self.assertIn(429, statuses)
        self.wait_for_lines(8)
        self.follow("429s everywhere", 3)

    def test_key_server_down(self):
        self.start()
        self.gateway.wait_for_log("auth.jwt.main: keys could not be fetched")
        self.follow("Key server down", 2)

    def test_origin_slow(self):
        self.start()
        self.delay = 0.3
        self.assertEqual(self.gateway.get("/", tls=True).status, 200)
        self.wait_for_lines(1)
        self.follow("Origin slow", 3)

    def test_certificate_expires(self):
        self.start(days=5)
        self.follow("Certificate expires", 2)

    def test_every_alert_has_something_to_do(self):
        rules = harness.ROOT / "packaging" / "prometheus" / "ringward.rules.yml"
        page = PAGE.read_text()
        for alert in re.findall(r"- alert: (\w+)", rules.read_text()):
            self.assertRegex(page, rf"\b{alert}\b")


if __name__ == "__main__":
    harness.main()
