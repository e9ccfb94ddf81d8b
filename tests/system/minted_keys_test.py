"""Tokens of the mint end with the key that they were minted for, not with the last one of its name."""

import json

import configs
import credentials
import harness

GATE = (configs.LISTENER + configs.UPSTREAM + configs.KEYS + configs.MINT + configs.OWN_TOKENS
        + configs.ROUTE + 'auth = ["api_keys", "jwt:own"]\n')
# Shorter than what `ringward key hash` takes, so that it can only stand there in the clear.
WEAK = "weak-old-key"


class MintedKeys(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        self.old, self.old_line = harness.new_key("alice")
        self.new, self.new_line = harness.new_key("alice")

    def start(self, *lines):
        return self.gate(GATE, origin=self.upstream.address, files={
            "keys": "\n".join(lines) + "\n",
            "mint.jwk": json.dumps(credentials.SigningKey("ES256", kid="m").private_jwk())})

    def mint(self, gate, key):
        got = gate.get("/token", headers=[("x-api-key", key)], method="POST")
        self.assertEqual(got.status, 200)
        return json.loads(got.body)["token"]

    def status(self, gate, token):
        return gate.get("/", headers=[("Authorization", f"Bearer {token}")]).status

    def test_removing_one_of_two_keys_ends_its_tokens_and_no_others(self):
        gate = self.start(self.old_line, self.new_line, f"alice:{WEAK}")
        tokens = [self.mint(gate, key) for key in (self.old, self.new, WEAK)]

        def statuses(at=None):
            return [self.status(at or gate, one) for one in tokens]
        self.assertEqual(statuses(), [200, 200, 200])
        self.write("keys", f"{self.new_line}\nalice:{WEAK}\n")
        harness.eventually(lambda: statuses() == [401, 200, 200], 30.0, "the end of one key")
        gate.wait_for_access(status=401, reason="key_removed")

        # Nothing of this is in the memory of one process.
        gate.stop()
        gate = self.gate(GATE, origin=self.upstream.address)
        self.assertEqual(statuses(gate), [401, 200, 200])
        self.write("keys", f"{self.old_line}\n{self.new_line}\n")
        harness.eventually(lambda: statuses(gate) == [200, 200, 401], 30.0, "its line back")

    def test_another_gate_with_the_same_files_knows_the_keys_too(self):
        first = self.start(self.old_line, self.new_line)
        tokens = [self.mint(first, key) for key in (self.old, self.new)]
        second = self.gate(GATE + '[admin]\nsocket = "$dir/second.sock"\naddress = "127.0.0.1:0"\n',
                           origin=self.upstream.address)
        self.assertEqual([self.status(second, one) for one in tokens], [200, 200])
        self.write("keys", self.new_line + "\n")
        for gate in (first, second):
            harness.eventually(
                lambda at=gate: [self.status(at, one) for one in tokens] == [401, 200], 30.0,
                "the end of one key")


if __name__ == "__main__":
    harness.main()
