"""`ringward limits` and `limits reset`: what limits have decided, whose budgets are used up, and one made full."""

import json

import audit_log
import configs
import harness

CONFIG = configs.LISTENER + configs.UPSTREAM + configs.KEYS + """
[log]
audit = { path = "$dir/audit.jsonl" }
[[limit]]
name = "per-ip"
by = "client.ip"
rate = "2/h"
burst = 2
[[limit]]
name = "per-caller"
by = "identity+route"
rate = "4/h"
burst = 4
[[limit]]
name = "tenant"
by = "header:x-tenant+client.ip"
rate = "1/h"
burst = 1
shadow = true
[[limit]]
name = "at-once"
by = "client.ip"
concurrent = 2
[[route]]
name = "open"
path_prefix = "/open"
upstream = "origin"
auth = []
limits = ["per-ip", "at-once"]
[[route]]
name = "keys"
path_prefix = "/keys"
upstream = "origin"
auth = ["api_keys"]
limits = ["per-caller", "tenant"]
"""


class Limits(audit_log.AuditTest):
    def setUp(self):
        super().setUp()
        self.log = self.directory / "audit.jsonl"
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        self.gateway = self.gate(CONFIG, origin=self.upstream.address, files={"keys": self.line + "\n"})

    def command(self, *words, status=0):
        done = harness.ringward("limits", *words, "--socket", self.directory / "admin.sock")
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def ask(self, *words):
        return json.loads(self.command(*words, "--json"))

    def open(self, times, status=None):
        found = [self.gateway.get("/open").status for _ in range(times)]
        if status:
            self.assertEqual(found, [status] * times)

    def keys(self, times=1, **headers):
        return [self.gateway.get("/keys", headers={"x-api-key": self.key} | headers).status for _ in range(times)]

    def test_what_each_has_decided(self):
        self.assertEqual([self.gateway.get("/open").status for _ in range(5)], [200, 200, 429, 429, 429])
        self.assertEqual(self.keys(3), [200, 200, 200])

        def settled():  # an answer is out before it has been counted
            found = {one["limit"]: one for one in self.ask()}
            return found["per-ip"]["refused"] == 3 and found["tenant"]["shadow_refused"] == 2 and found
        found = harness.eventually(settled)
        self.assertEqual(list(found), ["per-ip", "per-caller", "tenant", "at-once"])
        self.assertEqual([(one["admitted"], one["refused"], one["shadow_refused"]) for one in found.values()],
                         [(2, 3, 0), (3, 0, 0), (1, 0, 2), (2, 0, 0)])
        self.assertEqual((found["tenant"]["by"], found["tenant"]["mode"]), ("client.ip+header:x-tenant", "shadow"))
        self.assertEqual((found["at-once"]["rate"], found["at-once"]["concurrent"]), (None, 2))
        self.assertRegex(self.command(), r"(?m)^per-ip +client\.ip +on +2/h +2 +- +2 +3 +0 +0$")

    def test_who_has_used_most_of_it(self):
        self.open(2)
        self.keys(3)
        found = self.ask("per-ip")
        self.assertEqual((found["limit"], found["owing"], len(found["top"])), ("per-ip", 1, 1))
        top = found["top"][0]
        self.assertEqual((top["left"], top["of"], top["name"]), (0, 2, None))
        self.assertRegex(top["key"], r"^[0-9a-f]{16}$")
        self.assertAlmostEqual(top["full_in_ms"], 3_600_000, delta=120_000)

        # The gate knows its own callers and routes, and so whose digest it is.
        caller = self.ask("per-caller")["top"][0]
        self.assertEqual((caller["name"], caller["left"], caller["of"]), ("alice keys", 1, 4))
        self.assertRegex(self.command("per-caller"), rf"(?m)^{caller['key']} +alice keys +1 +4 ")

        for tenant in "abcdef":
            self.gateway.get("/keys", headers={"x-api-key": self.key, "x-tenant": tenant})
        found = self.ask("tenant", "--top", "1")  # the caller's own limit has let one of the six through
        self.assertEqual((len(found["top"]), found["owing"]), (1, 2))
        self.assertIn("no limit is called none", self.command("none", status=1))
        self.command("per-ip", "--top", "0", status=2)

    def test_one_key_is_given_its_budget_back(self):
        self.open(2, 200)
        self.open(1, 429)
        text = self.command("reset", "per-ip", "127.0.0.1")
        self.assertRegex(text, r"^[0-9a-f]{16} has its whole budget again; it had 0 of 2 left\n$")
        self.assertEqual(self.ask("per-ip")["owing"], 0)
        self.open(2, 200)
        self.open(1, 429)
        self.wait_for_record(event="admin", reason="limit_reset", object="per-ip 127.0.0.1", result="done")

        digest = self.ask("per-ip")["top"][0]["key"]
        self.command("reset", "per-ip", digest)
        self.open(2, 200)

        self.assertEqual(self.keys(5)[3:], [200, 429])
        self.command("reset", "per-caller", "route=open", "identity=alice")  # another key
        self.assertEqual(self.keys(), [429])
        self.command("reset", "per-caller", "route=keys", "identity=alice")
        self.assertEqual(self.keys(), [200])

    def test_a_key_that_is_none(self):
        for words, why in ((("none", "127.0.0.1"), "no limit is called none"),
                           (("per-ip", "localhost"), "no IP address"),
                           (("per-caller", "alice"), "not PART=VALUE of identity+route"),
                           (("per-caller", "identity=alice"), "route= is missing"),
                           (("per-caller", "identity=alice", "route=none"), "no such route"),
                           (("per-caller", "identity=a", "issuer=none", "route=keys"), "no table"),
                           (("at-once", "127.0.0.1"), "has no rate")):
            with self.subTest(words):
                self.assertIn(why, self.command("reset", *words, status=1))
        self.wait_for_record(event="admin", reason="limit_reset", object="none 127.0.0.1", result="failed")
        self.command("reset", "per-ip", "a\tb", status=2)


if __name__ == "__main__":
    harness.main()
