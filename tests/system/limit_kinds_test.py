"""What a limit may be besides a rate of requests: a bound on those under way, a rate of bytes, a
shadow; by headers; and callers with rates of their own."""

import json
import re
import signal
import threading

import configs
import credentials
import harness
from limits_test import Limited, limit

class UnderWay(Limited):
    """An origin that answers /wait when told to, and everything else at once."""

    def start_waiting(self, limits, **parts):
        self.go = threading.Event()

        def answer(c, request):
            if request.target.startswith("/wait"):
                self.go.wait(harness.patience(30))
            c.answer(200, b"ok")
        self.upstream = self.origin(answer)
        self.addCleanup(self.go.set)  # before the origin waits for its threads
        return self.gate(configs.plain(route='limits = ["one"]', more=limits, **parts),
                         origin=self.upstream.address)

    def wait_at_origin(self, gate, count, headers=()):
        """That many requests under way, each on a connection of its own."""
        before = len(self.upstream.requests)
        held = [gate.connect() for _ in range(count)]
        for one in held:
            self.addCleanup(one.close)
            one.send_request("GET", "/wait", headers)
        harness.eventually(lambda: len(self.upstream.requests) == before + count,
                           what="all are at the origin")
        return held

    def wait_for_ends(self, gate, count):
        """Until that many requests are over; they are under way no longer than to their log line."""
        harness.eventually(lambda: sum(line["status"] == 200 for line in gate.access) == count,
                           what=f"{count} are over")

    BOUND = '[server]\nworkers = 4\n[[limit]]\nname = "one"\nconcurrent = 3\n'

    def test_as_many_as_it_says_over_all_workers(self):
        gate = self.start_waiting(self.BOUND)
        held = self.wait_at_origin(gate, 3)
        for _ in range(12):  # whichever worker it is
            refused = gate.get("/")
            self.assertEqual(refused.status, 429)
            self.assertEqual(refused.get("retry-after"), "1")
            self.assertEqual(refused.all("ratelimit"), [])
        gate.wait_for_access(status=429, reason="too_many_under_way")
        self.go.set()
        for one in held:
            self.assertEqual(one.read_response().status, 200)
        self.wait_for_ends(gate, 3)
        # A place that was given up twice would let a fourth in.
        self.go.clear()
        self.wait_at_origin(gate, 3)
        self.assertEqual(gate.get("/").status, 429)

    def test_a_client_that_leaves_gives_its_place_up(self):
        gate = self.start_waiting(self.BOUND)
        held = self.wait_at_origin(gate, 3)
        self.assertEqual(gate.get("/").status, 429)
        held.pop().close()
        harness.eventually(lambda: gate.get("/").status == 200, what="a place")
        held.pop().reset()
        harness.eventually(lambda: self.two_at_once(gate), what="a second place")

    def two_at_once(self, gate):
        """Whether one more may be under way beside another."""
        self.go.clear()
        with gate.connect() as one:
            one.send_request("GET", "/wait")
            status = gate.get("/").status
        return status == 200

    def test_a_reload_keeps_the_count(self):
        gate = self.start_waiting(self.BOUND)
        held = self.wait_at_origin(gate, 3)
        path = self.directory / "config" / "ringward.toml"
        path.write_text(path.read_text().replace("concurrent = 3", "concurrent = 4"))
        gate.signal(signal.SIGHUP)
        harness.eventually(lambda: gate.get("/").status == 200, what="the new bound")
        self.wait_for_ends(gate, 1)
        held += self.wait_at_origin(gate, 1)
        self.assertEqual(gate.get("/").status, 429)
        self.go.set()
        for one in held:
            self.assertEqual(one.read_response().status, 200)
        self.go.clear()
        harness.eventually(lambda: gate.get("/").status == 200, what="a place")

        def is_empty():
            """Those of before the reload have given theirs up too."""
            count = len(self.upstream.requests)
            more = [gate.connect() for _ in range(4)]
            for one in more:
                one.send_request("GET", "/wait")
            try:
                harness.eventually(lambda: len(self.upstream.requests) == count + 4, within=2)
            except AssertionError:
                return False
            finally:
                for one in more:
                    one.close()
            return True
        harness.eventually(is_empty, within=10, what="four places")

    def test_refused_requests_are_not_under_way(self):
        self.write("keys", "k" * 32 + "\n")
        gate = self.start_waiting(
            '[server]\nworkers = 1\n[[limit]]\nname = "one"\nconcurrent = 1\n'
            'rate = "1/h"\nburst = 2\n' + configs.KEYS,
            auth='["api_keys"]')
        # A 401 was admitted by the limit, and is over.
        self.assertEqual([gate.get("/").status for _ in range(5)], [401, 401, 429, 429, 429])
        gate.wait_for_access(status=429, reason="rate_limited")
        self.assertFalse([line for line in gate.access
                          if line.get("reason") == "too_many_under_way"])


class Shadow(Limited):
    def test_it_counts_and_says_and_refuses_nothing(self):
        gate = self.start(limit("hard", rate="1/h", burst=5)
                          + limit("soft", rate="1/h", burst=2, more="shadow = true"))
        answers = [gate.get("/") for _ in range(6)]
        self.assertEqual([a.status for a in answers], [200] * 5 + [429])
        for one in answers:
            self.assertNotIn("soft", one.get("ratelimit") + one.get("ratelimit-policy"))
        entry = gate.wait_for_access(status=200, shadow="soft")
        self.assertNotIn("reason", entry)
        wanted = {("hard", "admitted"): 5, ("hard", "refused"): 1, ("hard", "shadow_refused"): 0,
                  ("soft", "admitted"): 2, ("soft", "refused"): 0, ("soft", "shadow_refused"): 3}

        def counted():
            found = re.findall(r'^ringward_limit_decisions_total\{limit="(\w+)",outcome="(\w+)"\} '
                               r'(\d+)$', gate.metrics(), re.M)
            return {(name, outcome): int(n) for name, outcome, n in found}
        harness.eventually(lambda: counted() == wanted, what=f"{wanted}")
        self.assertEqual(sum("shadow" in line for line in gate.access), 3)


class Headers(Limited):
    def test_each_value_has_its_own_budget(self):
        gate = self.start(limit(by="header:X-Tenant", rate="1/h", burst=2))
        for value in ("blue", "green", ""):
            headers = {"x-tenant": value} if value else {}
            statuses = [gate.get("/", headers=headers).status for _ in range(3)]
            self.assertEqual(statuses, [200, 200, 429], value)
        self.assertEqual(gate.get("/", headers={"X-TENANT": "blue"}).status, 429)

    def test_joined_with_the_address(self):
        gate = self.start(limit(by="client.ip+header:x-tenant", rate="1/h", burst=1),
                          listener='client_address_from = ["127.0.0.1"]')
        seen = [gate.get("/", headers={"X-Forwarded-For": ip, "X-Tenant": tenant}).status
                for ip in ("192.0.2.1", "192.0.2.2") for tenant in ("a", "b", "a")]
        self.assertEqual(seen, [200, 200, 429] * 2)


class Bytes(Limited):
    RULES = 'cost = "request_bytes"'

    def send_chunks(self, gate, *sizes):
        """What a POST of these chunks is answered, and how many were sent."""
        with gate.connect() as c:
            c.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for size in sizes:
                c.send(b"%x\r\n%s\r\n" % (size, b"x" * size))
            c.send(b"0\r\n\r\n")
            return c.read_response("POST")

    def test_what_is_said_to_come_is_charged_before_it_is_read(self):
        gate = self.start(limit(rate="1/h", burst=1000, more=self.RULES))
        first = gate.get("/", method="POST", body=b"x" * 600)
        self.assertEqual(first.status, 200)
        self.assertEqual(first.get("ratelimit-policy"),
                         '"one";q=1000;w=3600000;qu="content-bytes"')
        self.assertRegex(first.get("ratelimit"), '^"one";r=400;')
        second = gate.get("/", method="POST", body=b"x" * 600)
        self.assertEqual(second.status, 429)
        self.assertAlmostEqual(int(second.get("retry-after")), 200 * 3600, delta=300)
        self.assertEqual(gate.get("/", method="POST", body=b"x" * 400).status, 200)
        self.assertEqual(gate.get("/", method="POST", body=b"x").status, 429)
        self.assertEqual(gate.get("/").status, 200)  # no body costs nothing
        never = gate.get("/", method="POST", body=b"x" * 1001)
        self.assertEqual(never.status, 413)
        gate.wait_for_access(status=413, reason="over_the_burst")

    def test_chunks_are_charged_as_they_come(self):
        gate = self.start(limit(rate="1/h", burst=1000, more=self.RULES))
        self.assertEqual(self.send_chunks(gate, 300, 300).status, 200)
        refused = self.send_chunks(gate, 300, 300)
        self.assertEqual(refused.status, 429)
        self.assertGreater(int(refused.get("retry-after")), 0)
        gate.wait_for_access(status=429, reason="rate_limited")
        self.assertEqual(gate.get("/").status, 200)


class OwnRates(Limited):
    """The limit is one an hour with a burst of two: two hours from nothing to full."""

    def setUp(self):
        super().setUp()
        self.keys = {name: name[0] * 32 for name in ("alice", "bob")}
        self.write_keys("3/h")

    def write_keys(self, rate):
        self.write("keys", f"alice:{self.keys['alice']} rate={rate}\nbob:{self.keys['bob']}\n")

    def admitted(self, gate, headers, most=12):
        """How many are let in of as many as that, one after the other."""
        statuses = [gate.get("/", headers=headers).status for _ in range(most)]
        self.assertLessEqual(set(statuses), {200, 429})
        self.assertEqual(statuses, sorted(statuses))
        return statuses.count(200)

    def test_of_the_key_file(self):
        gate = self.start(limit(by="identity", rate="1/h", burst=2) + configs.KEYS,
                          auth='["api_keys"]')
        self.assertEqual(self.admitted(gate, {"x-api-key": self.keys["bob"]}), 2)
        first = gate.get("/", headers={"x-api-key": self.keys["alice"]})
        self.assertEqual(first.get("ratelimit-policy"), '"one";q=6;w=7200')
        self.assertEqual(self.admitted(gate, {"x-api-key": self.keys["alice"]}), 5)

    def test_a_change_of_the_file_is_taken_over(self):
        gate = self.start(limit(by="identity", rate="1/h", burst=2) + configs.KEYS,
                          auth='["api_keys"]')
        alice = {"x-api-key": self.keys["alice"]}
        self.assertEqual(gate.get("/", headers=alice).get("ratelimit-policy"), '"one";q=6;w=7200')
        self.write_keys("5/h")
        harness.eventually(lambda: gate.get("/", headers=alice).get("ratelimit-policy")
                           == '"one";q=10;w=7200', what="the other rate")

    def test_not_of_limits_by_address(self):
        gate = self.start(limit(rate="1/h", burst=2) + configs.KEYS, auth='["api_keys"]')
        self.assertEqual(self.admitted(gate, {"x-api-key": self.keys["alice"]}), 2)

    def test_of_a_token_and_of_one_we_made(self):
        theirs = credentials.SigningKey("ES256")
        own = credentials.SigningKey("ES256", kid="own")
        self.write("jwks.json", credentials.key_set(theirs))
        self.write("mint.jwk", json.dumps(own.private_jwk()))
        gate = self.start(
            limit(by="identity", rate="1/h", burst=2) + configs.KEYS + """
[auth.jwt.theirs]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
rate_claim = "rate"
""" + configs.OWN_TOKENS, auth='["api_keys", "jwt:theirs", "jwt:own"]', upstream=configs.MINT)

        def bearer(token):
            return {"authorization": f"Bearer {token}"}
        rated = theirs.sign(credentials.claims("carol", rate="4/h"))
        self.assertEqual(self.admitted(gate, bearer(rated)), 8)  # the first not from the cache
        plain = theirs.sign(credentials.claims("dave"))
        self.assertEqual(self.admitted(gate, bearer(plain)), 2)
        bad = theirs.sign(credentials.claims("erin", rate=4))
        self.assertEqual(gate.get("/", headers=bearer(bad)).status, 401)
        gate.wait_for_access(status=401, reason="bad_claim")
        made = gate.get("/token", method="POST", headers={"x-api-key": self.keys["alice"]})
        token = json.loads(made.body)["token"]
        self.assertEqual(self.admitted(gate, bearer(token)), 6)


if __name__ == "__main__":
    harness.main()
