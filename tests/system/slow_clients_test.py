"""slowhttptest's four modes, hundreds of connections each, beside honest requests: none of those fails.
bench/load/slow.py has the same with 5,000, and what it costs."""

import re
import shutil
import subprocess
import threading
import unittest

import configs
import harness

CONNECTIONS = 300
SECONDS = 6  # slowhttptest's; clients that are cut off do not come again
LARGE = b"x" * (1 << 20)
MODES = {
    "slow headers": ("-H", "-u", "{url}/"),
    "slow bodies": ("-B", "-t", "POST", "-s", "100000", "-u", "{url}/"),
    "ranges": ("-R", "-a", "1", "-b", "3000", "-u", "{url}/"),
    "slow reading": ("-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "3",
                     "-u", "{url}/large")}


@unittest.skipUnless(shutil.which("slowhttptest"), "slowhttptest is not installed")
class SlowClients(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.origin(
            lambda c, r: c.answer(200, LARGE if r.target == "/large" else b"ok"))
        self.gateway = self.gate(
            configs.plain(listener='[listener.timeouts]\nhead = "2s"\nbody_gap = "2s"\nwrite_gap = "2s"\n',
                          more="[server]\nworkers = 2\n"),
            origin=self.upstream.address)

    def honest(self, enough, seen):
        """One after the other, on a connection that is kept, until it is enough."""
        with self.gateway.connect() as connection:
            while not enough.is_set():
                seen.append(connection.request("GET", "/honest").status)

    def connections(self):
        return int(re.search(r"^ringward_connections (\d+)$", self.gateway.metrics(), re.M)[1])

    def attack(self, words, most):
        host, port = self.gateway.address()
        url = f"http://{host}:{port}"
        process = subprocess.Popen(
            ["slowhttptest", "-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-i", "1", "-p", "3",
             "-l", str(SECONDS), *(word.format(url=url) for word in words)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        try:
            while process.poll() is None:
                most.append(self.connections())
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    pass
        finally:
            process.kill()
            process.wait()

    def test_no_honest_request_fails(self):
        for mode, words in MODES.items():
            with self.subTest(mode):
                enough, seen, most = threading.Event(), [[] for _ in range(4)], []
                threads = [threading.Thread(target=self.honest, args=(enough, one)) for one in seen]
                for one in threads:
                    one.start()
                try:
                    self.attack(words, most)
                    # They come to an end by the gate, or with the program; the honest do not.
                    harness.eventually(lambda: self.connections() <= len(threads), 20, "they are gone")
                finally:
                    enough.set()
                    for one in threads:
                        one.join()
                for statuses in seen:
                    self.assertGreater(len(statuses), 5)
                    self.assertEqual(set(statuses), {200})
                # Ranges are answered like anything else, and gone before anybody has counted them.
                asked = sum(r.target != "/honest" for r in self.upstream.requests)
                self.assertGreater(max(*most, asked), CONNECTIONS / 4, "there was no attack")
                self.upstream.requests.clear()


if __name__ == "__main__":
    harness.main()
