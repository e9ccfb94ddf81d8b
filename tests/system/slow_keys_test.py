"""API keys whose lines have slow hashes, as old verifiers wrote them: bcrypt and argon2id."""

import re
import threading

import configs
import harness

ALICE = "legacy-key-of-alice-0001"
BOB = "legacy-key-of-bob-000002"
CAROL = "legacy-key-of-carol-0003"
DAVE = "legacy-key-of-dave-00005"
LINES = {
    ALICE: "alice:$2b$04$abcdefghijklmnopqrstuuUvYS9F4GuR7UjKkEdKWp9CaPIxOLmxq",
    BOB: "bob:$2a$04$abcdefghijklmnopqrstuuAAulE.rwYXdmENf5qO0jhF7/BVRCQM6",
    CAROL: "$2y$04$abcdefghijklmnopqrstuulRFb0uOG8QnzkmRxxUYREVy/0Kuyf1W",
    DAVE: "dave:$argon2id$v=19$m=64,t=1,p=1$Cip83S9j3D/oXz0quPGoHg$"
          "95QvaQ7lIXPvtXs2jNGDJ6JqTtjkzS6LiooYVw0lww0",
}
# 2^15 rounds of something nobody has the key of: seconds, however fast the machine.
ENDLESS = "nobody:$2b$15$abcdefghijklmnopqrstuu" + "a" * 31
KEYS = '[auth.api_keys]\nfile = "$dir/keys"\n'


def hashes(gate):
    return int(float(re.search(r"^ringward_key_hashes_total (\S+)", gate.metrics(), re.M)[1]))


class SlowKeys(harness.SystemTest):
    def start(self, *lines):
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        made = harness.ringward("key", "new", "fast").stdout
        self.fast = re.search(r"\brw_fast_\w+", made)[0]
        self.rwk1 = re.search(r"\bfast:rwk1\S+", made)[0]
        self.gateway = self.gate(configs.plain(auth='["api_keys"]', more=KEYS),
                                 origin=self.upstream.address,
                                 files={"keys": "\n".join([self.rwk1, *lines]) + "\n"})

    def ask(self, key):
        return harness.decided(lambda: self.gateway.get("/", headers={"x-api-key": key}))

    def test_every_kind_of_line_lets_its_caller_in(self):
        self.start(*LINES.values(), "plain:a-plain-key-0123456789")
        for key, who in ((ALICE, "alice"), (BOB, "bob"), (CAROL, "key-4"), (DAVE, "dave"),
                         (self.fast, "fast"), ("a-plain-key-0123456789", "plain")):
            with self.subTest(who):
                self.assertEqual(self.ask(key).status, 200)
                self.assertEqual(self.upstream.requests[-1].get("x-auth-identity"), who)
        self.assertEqual(self.ask(ALICE + "x").status, 401)
        self.gateway.wait_for_access(reason="unknown_key")

    def test_a_match_is_remembered_and_a_removed_line_opens_nothing(self):
        self.start(LINES[ALICE])
        self.assertEqual(self.ask(ALICE).status, 200)
        computed = hashes(self.gateway)
        self.assertGreater(computed, 0)
        for _ in range(20):  # on either worker
            self.assertEqual(self.ask(ALICE).status, 200)
        self.assertEqual(hashes(self.gateway), computed)
        self.write("keys", self.rwk1 + "\n" + LINES[BOB] + "\n")
        harness.eventually(lambda: self.ask(ALICE).status == 401, within=10)
        self.assertEqual(self.ask(BOB).status, 200)

    def test_a_line_that_ends(self):
        self.start("alice@2001-01-01" + LINES[ALICE].removeprefix("alice"),
                   "bob@2199-12-31" + LINES[BOB].removeprefix("bob"))
        self.assertEqual(self.ask(ALICE).status, 401)
        self.gateway.wait_for_access(reason="expired")
        self.assertEqual(self.ask(BOB).status, 200)

    def test_a_broken_file_keeps_the_old_keys_and_names_the_line(self):
        self.start(LINES[ALICE])
        self.write("keys", f"{self.rwk1}\nalice:$2b$99$nonsense\n")
        self.gateway.wait_for_log(r"keys:2:.*bcrypt")
        self.gateway.wait_for_log("the configuration in force stays")
        self.assertEqual(self.ask(ALICE).status, 200)

    def test_wrong_guesses_cost_their_address_and_nobody_else(self):
        self.start(LINES[ALICE])
        self.assertEqual(self.ask(ALICE).status, 200)
        statuses = []
        for number in range(40):
            answer = self.ask(f"guess-number-{number:08}")
            statuses.append(answer.status)
            if answer.status == 429:
                self.assertEqual(answer.get("retry-after"), "2")
        self.assertIn(401, statuses)
        self.assertEqual(statuses[-1], 429)
        self.gateway.wait_for_access(reason="too_many_guesses")
        self.assertEqual(self.ask(self.fast).status, 200)
        # Known, to every worker: neither charged nor hashed.
        for _ in range(20):
            self.assertEqual(self.ask(ALICE).status, 200)

    def test_who_waits_for_a_hash_holds_nobody_up_and_may_leave(self):
        self.start(ENDLESS)
        with self.gateway.connect() as waiting:
            waiting.send(b"GET / HTTP/1.1\r\nHost: a\r\nx-api-key: legacy-key-unknown-1\r\n\r\n")
            for _ in range(10):
                self.assertEqual(self.ask(self.fast).status, 200)
        self.gateway.wait_for_access(status=499, within=20)
        self.assertEqual(self.ask(self.fast).status, 200)

    def test_a_gate_that_waits_for_a_hash_can_stop(self):
        self.start(ENDLESS)
        threads = [threading.Thread(target=self.try_to_ask, args=(f"legacy-key-unknown-{i}",))
                   for i in range(8)]
        for one in threads:
            one.start()
        harness.eventually(lambda: hashes(self.gateway) > 0, within=10)
        self.gateway.stop()
        for one in threads:
            one.join()

    def try_to_ask(self, key):
        try:
            self.ask(key)
        except (OSError, AssertionError, EOFError):
            pass  # the gate went meanwhile

    def test_seventeen_slow_lines_are_refused_with_the_way_out(self):
        lines = [f"n{i}:$2b$04$abcdefghijklmnopqrstuu" + chr(97 + i) * 31 for i in range(17)]
        self.write("keys", "\n".join(lines) + "\n")
        path = self.write_config(configs.plain(auth='["api_keys"]', more=KEYS),
                                 origin="127.0.0.1:1")
        found = harness.ringward("check", "--config", path)
        self.assertEqual(found.returncode, 1)
        self.assertIn("keys:17:", found.stderr)
        self.assertIn("ringward key hash NAME", found.stderr)


if __name__ == "__main__":
    harness.main()
