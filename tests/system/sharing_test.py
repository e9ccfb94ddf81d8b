"""Three gateways on one Redis: a ban, a revocation and a token that counts once are so on all of them,
whatever becomes of that Redis meanwhile."""

import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import configs
import credentials
import harness
from client import Closed, Connection
from redis_server import Redis, Relay, value

CONFIG = configs.LISTENER + 'client_address_from = ["127.0.0.2"]\n' + configs.UPSTREAM + """
[auth.api_keys]
file = "$dir/keys"
[auth.jwt.once]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
replay = "jti"
[[route]]
name = "once"
path_prefix = "/once"
upstream = "origin"
auth = ["jwt:once"]
""" + configs.ROUTE + """
auth = ["api_keys"]
[ban]
failures = 5
exempt = ["127.0.0.1/32"]
for = "$for"
[redis]
address = "$redis"
$more
"""
OWN = """
[server]
state = "$dir/state$n"
workers = 2
[log]
audit = { path = "$dir/audit$n" }
[admin]
socket = "$dir/admin$n.sock"
"""
CLIENT = "127.0.0.5"
NEVER_BANNED = "127.0.0.1"


def port(gate):
    return gate.address()[1]


class Sharing(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.signer = credentials.SigningKey("ES256", kid="key-1")
        self.key, self.line = harness.new_key("alice")
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        self.write("keys", self.line)
        self.write("jwks.json", credentials.key_set(self.signer))
        self.gates = {}

    def redis(self, *options):
        made = Redis(self.directory, *options)
        self.addCleanup(made.kill)
        return made

    def start(self, n, address, more="", lasts="10m", wait=True):
        """Gateway `n`, which has a state of its own, once it and the Redis know what the other does."""
        text = (CONFIG + OWN).replace("$redis", address).replace("$more", more)
        text = text.replace("$for", lasts).replace("$n", str(n))
        gate = self.gate(text, origin=self.upstream.address)
        self.gates[n] = gate
        if wait:
            self.wait_until_in_step(gate)
        return gate

    def wait_until_in_step(self, gate):
        before = value(gate, "ringward_sharing_exchanges_total")
        harness.eventually(lambda: value(gate, "ringward_sharing_exchanges_total") > before + 1, 30,
                           "an answer about bans and revocations")

    def three(self, **options):
        self.server = self.redis()
        return [self.start(n, self.server.address, **options) for n in (1, 2, 3)]

    def tell(self, n, *words, status=0):
        done = harness.ringward(*words, "--socket", f"{self.directory}/admin{n}.sock")
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def status(self, gate, key=None, address=CLIENT):
        """Of one request on a connection of its own; 0: closed without an answer."""
        with socket.create_connection(gate.address()[:2], timeout=harness.patience(10),
                                      source_address=(address, 0)) as sock:
            try:
                one = Connection(sock, "localhost")
                return one.request("GET", "/", [("x-api-key", key or self.key)]).status
            except (OSError, Closed):
                return 0

    def once(self, gate, token):
        return gate.get("/once", headers=[("Authorization", f"Bearer {token}")]).status

    def token(self, jti):
        return self.signer.sign(credentials.claims("carol", jti=jti))

    def guess(self, gate):
        self.assertEqual([self.status(gate, "guess") for _ in range(5)], [401] * 5)

    def wait_for_bans(self, numbers, wanted):
        for n in numbers:
            harness.eventually(lambda: (CLIENT + " " in self.tell(n, "bans")) == wanted, 30,
                               f"that gateway {n} knows")

    def wait_for_revoked(self, numbers, name, wanted):
        for n in numbers:
            harness.eventually(lambda: (name in self.tell(n, "revoked")) == wanted, 30,
                               f"that gateway {n} knows")

    def records(self, n, **wanted):
        lines = (self.directory / f"audit{n}").read_text().splitlines()
        return [r for r in map(json.loads, lines) if all(r.get(k) == v for k, v in wanted.items())]

    def wait_for_record(self, n, **wanted):
        harness.eventually(lambda: self.records(n, **wanted), 30, f"a record of {wanted}")
        return self.records(n, **wanted)[0]


class Bans(Sharing):
    def test_who_fails_at_one_is_out_at_all_and_back_at_all(self):
        gates = self.three()
        began = time.monotonic()
        self.guess(gates[0])
        self.wait_for_bans((1, 2, 3), True)
        self.assertLess(time.monotonic() - began, harness.patience(5))
        self.assertEqual([self.status(gate) for gate in gates], [0] * 3)
        self.assertEqual([self.status(gate, address="127.0.0.6") for gate in gates], [200] * 3)
        heard = self.wait_for_record(2, event="ban", reason="banned_elsewhere")
        self.assertEqual(heard["client"], CLIENT)
        self.assertRegex(heard["detail"], r"^until \S+Z, time 1, for unauthorized$")
        self.assertEqual(heard["identity"], f"gateway:{socket.gethostname()}:{port(gates[0])}")
        self.tell(3, "unban", CLIENT)
        self.wait_for_bans((1, 2, 3), False)
        self.assertEqual([self.status(gate) for gate in gates], [200] * 3)
        back = self.wait_for_record(1, event="ban", reason="unbanned_elsewhere")
        self.assertRegex(back["identity"], rf":{port(gates[2])} uid:\d+$")
        for n in (1, 2, 3):  # nothing came back to who said it, or was heard twice
            self.assertLessEqual(len(self.records(n, reason="banned_elsewhere")), 1)
            self.assertLessEqual(len(self.records(n, reason="unbanned_elsewhere")), 1)

    def test_a_repeat_elsewhere_is_twice_as_long_and_no_longer(self):
        gates = self.three(lasts="2s")
        self.guess(gates[0])
        self.wait_for_record(2, reason="banned_elsewhere", client=CLIENT)
        for gate in gates:
            harness.eventually(lambda: self.status(gate) == 200, 30, "its end")
        for n in (1, 2, 3):
            self.wait_for_record(n, event="ban", reason="ban_ended", client=CLIENT)
        self.guess(gates[1])
        harness.eventually(lambda: self.records(2, event="ban", reason="banned"), 30, "the second")
        made = self.records(2, event="ban", reason="banned")
        self.assertRegex(made[0]["detail"], r"time 2$")
        harness.eventually(lambda: any("time 2," in r["detail"] for r in self.records(
            1, reason="banned_elsewhere")), 30, "that it is the second there too")
        self.assertFalse([r for n in (1, 2, 3) for r in self.records(n, event="ban")
                          if re.search(r"time [3-9]", r.get("detail", ""))])

    def test_a_gateway_that_comes_later_or_comes_back(self):
        self.server = self.redis()
        first = self.start(1, self.server.address)
        self.guess(first)
        self.tell(1, "ban", "127.0.0.9", "1h")
        second = self.start(2, self.server.address)
        self.wait_for_bans((2,), True)
        self.assertEqual(self.status(second), 0)
        second.stop()
        self.tell(1, "unban", CLIENT)
        self.wait_until_in_step(first)
        second = self.start(2, self.server.address)  # its own file says that it is banned
        self.wait_for_bans((2,), False)
        self.wait_for_bans((1,), False)
        self.assertIn("127.0.0.9 ", self.tell(2, "bans"))

    def test_an_emptied_redis_is_filled_again(self):
        gates = self.three()
        self.guess(gates[0])
        self.wait_for_bans((1, 2, 3), True)
        self.tell(2, "revoke", "identity", "bob")
        self.wait_for_revoked((1, 2, 3), "bob", True)
        self.server.command("FLUSHALL")
        self.server.command("SCRIPT", "FLUSH")
        self.assertEqual([self.status(gate) for gate in gates], [0] * 3)
        for gate in gates:
            self.wait_until_in_step(gate)
        self.start(4, self.server.address)
        self.wait_for_bans((4,), True)
        self.wait_for_revoked((4,), "bob", True)

    def test_gone_and_back_empty_with_changes_on_both_sides_meanwhile(self):
        gates = self.three()
        self.tell(1, "ban", CLIENT, "1h")
        self.tell(1, "revoke", "identity", "bob")
        self.wait_for_bans((1, 2, 3), True)
        self.wait_for_revoked((1, 2, 3), "bob", True)
        self.server.kill()
        for gate in gates:
            gate.wait_for_log("redis .*: no answer; bans and revocations hold as they are known", 60)
            self.assertEqual(value(gate, "ringward_sharing_in_step"), 0)
            self.assertEqual(self.status(gate), 0)
        self.tell(1, "unban", CLIENT)
        self.tell(2, "ban", "127.0.0.9", "1h")
        self.tell(3, "unrevoke", "identity", "bob")
        self.tell(3, "revoke", "identity", "eve")
        gates[0].stop()  # what it has taken back is in its state
        self.assertEqual(self.status(gates[1]), 0)
        self.server.start()
        self.start(1, self.server.address)
        self.wait_for_bans((1, 2, 3), False)
        self.wait_for_revoked((1, 2, 3), "eve", True)
        self.wait_for_revoked((1, 2, 3), "bob", False)
        for n in (1, 2, 3):
            harness.eventually(lambda: "127.0.0.9 " in self.tell(n, "bans"), 30, "the other ban")
        for gate in gates[1:]:
            gate.wait_for_log("redis .*: bans and revocations are shared again", 60)

    def test_a_redis_that_is_stopped_or_slow_delays_nothing_here(self):
        gates = self.three()
        self.server.hold()
        self.guess(gates[0])
        self.assertEqual(self.status(gates[0]), 0)
        self.assertEqual(self.status(gates[1]), 200)
        self.server.go_on()
        self.wait_for_bans((1, 2, 3), True)


class Revocations(Sharing):
    def six(self, gate):
        return {self.status(gate, address=NEVER_BANNED) for _ in range(6)}

    def test_who_is_revoked_at_one_is_so_at_all(self):
        gates = self.three()
        self.assertEqual([self.status(gate, address=NEVER_BANNED) for gate in gates], [200] * 3)
        self.tell(1, "revoke", "identity", "alice", "--for", "1h")
        for gate in gates:
            harness.eventually(lambda: self.six(gate) == {401}, 30, "401 on all workers")
        heard = self.wait_for_record(3, event="revocation", reason="revoked_elsewhere")
        self.assertEqual(heard["object"], "identity alice")
        self.assertRegex(heard["identity"], rf"^gateway:\S+:{port(gates[0])} uid:\d+$")
        self.tell(2, "unrevoke", "identity", "alice")
        for gate in gates:
            harness.eventually(lambda: self.six(gate) == {200}, 30, "200 again")
        self.wait_for_record(1, event="revocation", reason="unrevoked_elsewhere")
        for n in (2, 3):
            self.assertEqual(len(self.records(n, reason="revoked_elsewhere")), 1)

    def test_what_was_heard_is_in_the_file(self):
        self.server = self.redis()
        self.start(1, self.server.address)
        second = self.start(2, self.server.address)
        self.tell(1, "revoke", "jti", "7", "--issuer", "https://issuer.example")
        self.wait_for_revoked((2,), "7", True)
        second.stop()
        self.server.kill()
        self.start(2, self.server.address, wait=False)
        self.assertIn("https://issuer.example", self.tell(2, "revoked"))

    def test_what_redis_holds_tells_nothing_without_its_password(self):
        self.server = Redis(self.directory, password="a long one")
        self.addCleanup(self.server.kill)
        password = self.write("password", "a long one")
        gate = self.start(1, self.server.address, f'password = {{ file = "{password}" }}')
        self.tell(1, "revoke", "identity", "somebody")
        self.tell(1, "ban", CLIENT)
        self.wait_until_in_step(gate)
        keys = [key for key in self.server.keys() if key.startswith("rw:words:")]
        what = [key for key in keys if key.endswith(":what") and ":probe:" not in key]
        self.assertEqual(len(what), 1, keys)
        names = self.server.command("HKEYS", what[0])
        self.assertEqual(len(names), 4)
        for name in set(names) - {"epoch", "last"}:
            self.assertRegex(name, r"^[0-9a-f]{32}$")
            dumped = self.server.command("EVAL", "return redis.sha1hex(redis.call('HGET', KEYS[1], "
                                         "ARGV[1])) .. tostring(string.find(redis.call('HGET', "
                                         "KEYS[1], ARGV[1]), ARGV[2], 1, true))", 1, what[0], name,
                                         "somebody")
            self.assertTrue(dumped.endswith("nil"), dumped)
        # What somebody else writes there is counted and means nothing.
        self.server.command("EVAL", "redis.call('HSET', KEYS[1], 'x', '9 nonsense') "
                            "redis.call('ZADD', KEYS[2], 99, 'x') "
                            "redis.call('ZADD', KEYS[3], 9e15, 'x')", 3, what[0],
                            what[0].replace(":what", ":order"), what[0].replace(":what", ":ends"))
        harness.eventually(lambda: value(gate, "ringward_sharing_unreadable_total") == 1, 30,
                           "that it is noticed")


class Once(Sharing):
    def test_a_token_is_taken_once_by_all_of_them(self):
        gates = self.three(more='timeout = "10s"')
        for gate in gates:
            self.wait_for_workers(gate)
        for i in range(8):
            token = self.token(f"once-{i}")
            with ThreadPoolExecutor(12) as crew:
                seen = list(crew.map(lambda n: self.once(gates[n % 3], token), range(24)))
            self.assertEqual(sorted(seen), [200] + [401] * 23)
        self.assertEqual(value(gates[0], "ringward_redis_lost_decisions_total"), 0)
        self.assertRegex(" ".join(self.server.keys()), r"\brw:jti:[0-9a-f]{32}\b")
        gates[1].wait_for_access(reason="replayed", status=401)

    def wait_for_workers(self, gate, state="closed"):
        harness.eventually(
            lambda: value(gate, f'ringward_redis_breakers{{state="{state}"}}') == 2, 30,
            f"breakers that are {state}")

    def test_local_takes_it_once_on_each_while_redis_is_lost(self):
        gates = self.three(more='timeout = "10s"')
        self.server.kill()
        for gate in gates:
            self.wait_for_workers(gate, "open")
        token = self.token("local")
        self.assertEqual([self.once(gate, token) for gate in gates + gates], [200] * 3 + [401] * 3)
        self.assertEqual(value(gates[0], "ringward_redis_lost_decisions_total"), 1)

    def test_reject_takes_none_and_uses_none_up(self):
        gates = self.three(more='timeout = "10s"\non_loss = "reject"')
        for gate in gates:
            self.wait_for_workers(gate)
        self.server.kill()
        for gate in gates:
            self.wait_for_workers(gate, "open")
        token = self.token("rejected")
        refused = gates[0].get("/once", headers=[("Authorization", f"Bearer {token}")])
        self.assertEqual((refused.status, refused.get("retry-after")), (503, "1"))
        gates[0].wait_for_access(status=503, reason="replay_unknown")
        self.server.start()
        for gate in gates:
            self.wait_for_workers(gate)
        self.assertEqual(sorted(self.once(gate, token) for gate in gates), [200, 401, 401])

    def test_no_answer_in_time_is_on_loss(self):
        self.server = self.redis()
        relay = Relay(self.server)
        self.addCleanup(relay.stop)
        gate = self.start(1, relay.address, 'timeout = "200ms"')
        self.wait_for_workers(gate)
        self.server.hold()
        self.assertEqual(self.once(gate, self.token("late")), 200)
        self.assertEqual(self.once(gate, self.token("late")), 401)
        self.server.go_on()


if __name__ == "__main__":
    harness.main()
