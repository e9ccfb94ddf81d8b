"""nginx and Node as origins that fail, and three kinds of origins under one load that nobody may
notice anything of."""

import time

import client
import configs
import harness
import upstreams_test
from origin_process import OriginProcess
from real_origins import Nginx, Node


class RealOrigins(upstreams_test.Servers):
    def nginx(self, **options):
        return self.kept(Nginx(self.directory, **options))

    def node(self):
        return self.kept(Node(self.directory))

    def kept(self, made):
        self.addCleanup(made.kill)
        return made

    def gate_to(self, origin, upstream=""):
        return self.gate(configs.plain(upstream=upstream, route='max_body = "64MiB"'),
                         origin=origin.address)

    def cut(self, gate, target):
        """An answer that began well, and must not end as if it had."""
        with gate.connect() as one:
            one.send_request("GET", target)
            self.assertEqual(one.read_head().status, 200)
            with self.assertRaises((client.Closed, ConnectionResetError)):
                one.read_exactly(8)
        self.assertTrue(gate.wait_for_access(path=target)["reason"])

    def still_serves(self, gate, origin):
        for _ in range(4):
            self.assertEqual(gate.get("/").body.decode(), origin.name)


class OfNginx(RealOrigins):
    def test_one_that_closes_without_an_answer(self):
        origin = self.nginx()
        gate = self.gate_to(origin)
        for method in ("GET", "POST"):
            self.assertEqual(gate.get("/closes", method=method).status, 502)
            self.assertEqual(gate.wait_for_access(method=method, status=502)["reason"],
                             "upstream_closed")
        self.still_serves(gate, origin)

    def test_a_hundred_bytes_a_second(self):
        gate = self.gate_to(self.nginx())
        self.assertEqual(gate.get("/drips").body, b"drip" * 50)

    def test_an_answer_before_the_request_is_complete(self):
        origin = self.nginx()
        gate = self.gate_to(origin)
        for _ in range(4):
            with gate.connect() as one:
                one.send_request("POST", "/early", {"Content-Length": str(32 << 20)}, b"x" * 100_000)
                self.assertEqual(one.read_response().status, 403)
        self.still_serves(gate, origin)

    def test_5xx_in_bursts(self):
        bad = self.nginx()
        good = self.kept(OriginProcess())
        gate = self.start([bad.address, good.address])
        seen = set()
        harness.eventually(lambda: seen.add(gate.get("/fails").status) or
                           self.rows()[bad.address]["STATE"] == "ejected", 20)
        self.assertLessEqual(seen, {200, 503})
        self.assertEqual(self.rows()[bad.address]["WHY"], "answered_5xx (503)")
        self.assertEqual({gate.get("/fails").status for _ in range(4)}, {200})

    def test_kept_connections_that_it_closes_just_when_they_are_wanted(self):
        origin = self.nginx(keepalive="1s", requests=3)
        gate = self.gate_to(origin)
        for _ in range(10):
            self.assertEqual(gate.get("/").body, b"nginx")
        for pause in (0.97, 0.99, 1.0, 1.01, 1.03):  # whichever it is that meets the close
            self.assertEqual(gate.get("/").body, b"nginx")
            time.sleep(pause)
            self.assertEqual(gate.get("/").body, b"nginx")


class OfNode(RealOrigins):
    def test_every_end_before_the_answer(self):
        origin = self.node()
        gate = self.gate_to(origin, '[upstream.health]\neject_after = 0')
        for target in ("/resets", "/resets-in-the-head", "/closes-in-the-head"):
            for method in ("GET", "POST"):
                with self.subTest(target, method=method):
                    self.assertEqual(gate.get(target, method=method).status, 502)
                    self.assertTrue(gate.wait_for_access(path=target, method=method)["reason"])
        self.still_serves(gate, origin)

    def test_one_that_hangs(self):
        origin = self.node()
        gate = self.gate_to(origin, '[upstream.timeouts]\nfirst_byte = "300ms"')
        self.assertEqual(gate.get("/hangs", method="POST").status, 504)
        gate.wait_for_access(path="/hangs", reason="upstream_first_byte_timeout")
        self.assertEqual(gate.get("/", method="HEAD").status, 200)

    def test_bodies_that_are_cut(self):
        origin = self.node()
        gate = self.gate_to(origin)
        for target in ("/resets-in-the-body", "/says-less"):
            self.cut(gate, target)
        self.still_serves(gate, origin)

    def test_more_than_it_announced_is_nobodys(self):
        origin = self.node()
        gate = self.gate_to(origin)
        for _ in range(4):
            self.assertEqual(gate.get("/says-more").body, b"half and")
            self.still_serves(gate, origin)

    def test_one_byte_at_a_time(self):
        self.assertEqual(self.gate_to(self.node()).get("/drips").body, b"drips")

    def test_an_answer_before_the_request_is_complete(self):
        origin = self.node()
        gate = self.gate_to(origin)
        with gate.connect() as one:
            one.send_request("POST", "/early", {"Content-Length": str(32 << 20)}, b"x" * 100_000)
            self.assertEqual(one.read_response().status, 403)
        self.still_serves(gate, origin)


class InTurn(RealOrigins):
    def trouble(self, victim, body, hurt, mend):
        """What it says of the load's results while that lasts, once it is over."""
        struck = time.monotonic()
        hurt()
        self.wait_for_state(victim.address, "ejected", within=20)
        noticed = time.monotonic()
        harness.eventually(lambda: self.load.results[-1][0] > noticed + 1, 20)
        mended = time.monotonic()
        mend()
        self.wait_for_state(victim.address, "up", within=30)
        back = time.monotonic()
        harness.eventually(lambda: any(r[0] > back and r[4] == body for r in self.load.results), 20,
                           f"{victim.address} serves again")
        self.phases.append((struck, noticed, mended, back, body))

    def test_one_is_killed_one_is_stopped_and_one_is_slow(self):
        nginx, node, ours = self.nginx(), self.node(), self.kept(OriginProcess())
        first_byte = harness.patience(0.4)
        gate = self.start([one.address for one in (nginx, node, ours)],
                          first_byte=f"{int(first_byte * 1000)}ms")
        self.phases = []
        self.load = upstreams_test.Load(gate)
        self.addCleanup(self.load.end)
        harness.eventually(lambda: len({r[4] for r in self.load.results}) == 3, 20, "all serve")
        for victim, body in ((nginx, "nginx"), (node, "node"), (ours, str(ours.port))):
            self.trouble(victim, body, victim.kill, victim.start)
            self.trouble(victim, body, victim.stop, victim.go_on)
        # Slower than first_byte: as good as dead.
        self.trouble(ours, str(ours.port), lambda: ours.slow(5 * first_byte),
                     lambda: ours.slow(0))
        results = self.load.end()
        self.assertGreater(len(results), 500)
        self.judge(results)

    def judge(self, results):
        for start, end, method, status, _ in results:
            if status == 200:
                continue
            told = f"{method} {status}, {self.phases}, {start} to {end}"
            struck, noticed = max(p[:2] for p in self.phases if p[0] <= end)
            # No idempotent request fails once a second has passed; others where it was their server.
            if method == "GET":
                self.assertLess(end, struck + harness.patience(1), told)
            else:
                self.assertLess(start, noticed, told)


if __name__ == "__main__":
    harness.main()
