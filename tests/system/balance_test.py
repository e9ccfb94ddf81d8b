"""Clients spread over the workers, whichever the kernel's hash gives them to, and none is lost."""

import concurrent.futures
import random
import re
import resource
import signal
import threading

import configs
import harness
from client import Closed

WORKERS = 4
CLIENTS = 1000


class Balance(harness.SystemTest):
    def setUp(self):
        super().setUp()
        # For this process's side, and for the gate's: it takes fewer clients than it has
        # descriptors.
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertGreaterEqual(before[1], 4096)
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        self.go = threading.Event()
        self.addCleanup(self.go.set)
        self.held = []
        self.addCleanup(self.close_all)

    def close_all(self):
        for one in self.held:
            one.close()

    def answer(self, c, request):
        if request.target == "/slow":
            self.go.wait(60)
        c.answer(200, b"ok")

    def start(self, workers=WORKERS):
        self.upstream = self.origin(self.answer)
        self.config = configs.plain("max_connections = 1500",
                                    more=f"[server]\nworkers = {workers}\n")
        return self.gate(self.config, origin=self.upstream.address)

    def open(self, gate, count):
        for _ in range(count):
            self.held.append(gate.connect())
            self.assertEqual(self.held[-1].request("GET", "/").status, 200)

    def metrics(self, gate):
        text = gate.metrics()
        counts = re.findall(r'^ringward_worker_connections\{worker="\d+"\} (\d+)$', text, re.M)
        handed = re.search(r"^ringward_connections_handed_over_total (\d+)$", text, re.M)
        return [int(n) for n in counts], int(handed[1])

    def counts(self, gate, total):
        """Per worker, once they are as many as there are."""
        return harness.eventually(
            lambda: sum(self.metrics(gate)[0]) == total and self.metrics(gate)[0],
            what=f"{total} connections")

    def expect_even(self, counts):
        mean = sum(counts) / WORKERS
        self.assertEqual(len(counts), WORKERS)
        for one in counts:
            self.assertLessEqual(abs(one - mean), mean / 10, counts)

    def test_a_thousand_spread_within_a_tenth(self):
        gate = self.start()
        self.open(gate, CLIENTS)
        self.expect_even(self.counts(gate, CLIENTS))
        self.assertGreater(self.metrics(gate)[1], 0)
        # Half of them leave, from wherever they are, and as many come anew.
        random.Random(5).shuffle(self.held)
        for one in self.held[CLIENTS // 2:]:
            one.close()
        del self.held[CLIENTS // 2:]
        self.counts(gate, CLIENTS // 2)
        self.open(gate, CLIENTS // 2)
        self.expect_even(self.counts(gate, CLIENTS))

    def test_a_burst_spreads_as_well(self):
        """What is on its way to a worker counts already."""
        gate = self.start()
        burst = [gate.connect() for _ in range(CLIENTS)]
        self.held += burst
        self.expect_even(self.counts(gate, CLIENTS))
        for one in burst:
            one.send_request("GET", "/")
        for one in burst:
            self.assertEqual(one.read_response().status, 200)

    def test_places_stay_exact(self):
        gate = self.start()
        before = gate.descriptors()
        self.open(gate, 1500)
        # One more, and whoever has waited longest is gone for it: as many as before.
        for _ in range(20):
            self.open(gate, 1)
            self.counts(gate, 1500)
        self.close_all()
        self.held.clear()
        self.counts(gate, 0)
        self.open(gate, 1500)
        self.close_all()
        self.held.clear()
        self.counts(gate, 0)
        # One request at a time: an idle connection to the origin per worker, and the admin's.
        harness.eventually(lambda: gate.descriptors() <= before + WORKERS + 2, what="no leak")

    def test_one_worker_hands_nothing_over(self):
        gate = self.start(workers=1)
        self.open(gate, 50)
        self.assertEqual(self.metrics(gate), ([50], 0))

    def test_reload_and_drain_lose_nothing(self):
        gate = self.start()
        self.open(gate, CLIENTS)
        # Clients come and go while the configuration changes, again and again.
        enough = threading.Event()

        def come_and_go():
            served = 0
            while not enough.is_set():
                with gate.connect() as one:
                    self.assertEqual(one.request("GET", "/").status, 200)
                served += 1
            return served

        def come_until_the_end():
            """Each is answered or closed without a byte; nobody is left waiting."""
            outcomes = {"served": 0, "turned away": 0}
            while True:
                try:
                    one = gate.connect(timeout=harness.patience(20))
                except ConnectionRefusedError:
                    return outcomes
                except ConnectionResetError:
                    outcomes["turned away"] += 1
                    continue
                with one:
                    try:
                        self.assertEqual(one.request("GET", "/").status, 200)
                        outcomes["served"] += 1
                    except (Closed, ConnectionResetError, BrokenPipeError) as error:
                        self.assertNotIn("HTTP", str(error))
                        outcomes["turned away"] += 1

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            coming = [pool.submit(come_and_go) for _ in range(4)]
            for path in ("/a", "/b", "/c", "/"):
                self.write_config(self.config.replace('name = "all"', f'name = "all{path[1:]}"'),
                                  origin=self.upstream.address)
                done = harness.ringward("reload", "--socket", self.directory / "admin.sock")
                self.assertEqual(done.returncode, 0, done.stderr)
            enough.set()
            for one in coming:
                self.assertGreater(one.result(), 0)
        for one in self.held:
            self.assertEqual(one.request("GET", "/").status, 200)

        slow, idle = self.held[:100], self.held[100:]
        asked = len(self.upstream.requests)
        for one in slow:
            one.send_request("GET", "/slow")
        harness.eventually(lambda: len(self.upstream.requests) == asked + len(slow))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            coming = [pool.submit(come_until_the_end) for _ in range(4)]
            served = len(self.upstream.requests)
            harness.eventually(lambda: len(self.upstream.requests) > served + 20)
            gate.signal(signal.SIGTERM)
            outcomes = [one.result(harness.patience(30)) for one in coming]
        self.assertGreater(sum(one["served"] for one in outcomes), 0)
        for one in idle:
            self.assertTrue(one.closed_within(harness.patience(5)))
        self.go.set()
        for one in slow:
            self.assertEqual(one.read_response().body, b"ok")
        self.assertEqual(gate.wait(), 0)


if __name__ == "__main__":
    harness.main()
