"""A key set that changes voids the cached tokens of its issuer, and of no other."""

import re

import configs
import credentials
import harness

ISSUERS = """
[auth.jwt.one]
issuer = "https://one"
audiences = ["api"]
jwks = { file = "$dir/one.json" }
[auth.jwt.two]
issuer = "https://two"
audiences = ["api"]
jwks = { file = "$dir/two.json" }
[server]
workers = 1
"""


class KeySetChange(harness.SystemTest):
    def test_only_the_issuers_own_tokens_are_verified_anew(self):
        signer = {name: credentials.SigningKey("ES256", kid=name) for name in ("one", "two", "new")}
        tokens = {name: signer[name].sign(credentials.claims("carol", issuer=f"https://{name}"))
                  for name in ("one", "two")}
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(auth='["jwt:one", "jwt:two"]', more=ISSUERS),
                         origin=origin.address,
                         files={f"{name}.json": credentials.key_set(signer[name])
                                for name in ("one", "two")})

        asked = 0

        def ask(name):
            nonlocal asked
            asked += 1
            return gate.get("/", headers=[("Authorization", f"Bearer {tokens[name]}")]).status

        def misses():
            """Of all requests so far: each looks once, and is counted within a second or so."""
            def counts():
                return [int(re.search(rf"^ringward_token_cache_{what}_total(?:\{{.*\}})? (\d+)",
                                      gate.metrics(), re.M)[1]) for what in ("hits", "misses")]
            return harness.eventually(lambda: sum(now := counts()) == asked and now, 30.0,
                                      "every request's look into the cache")[1]

        def verified(name):
            """How many signatures that took."""
            before = misses()
            self.assertEqual(ask(name), 200)
            return misses() - before
        self.assertEqual([verified("one"), verified("two")], [1, 1])
        self.assertEqual([verified("one"), verified("two")], [0, 0])

        # The worker hears of what was read a moment later: until then nothing changes.
        self.write("one.json", credentials.key_set(signer["one"], signer["new"]))
        harness.eventually(lambda: verified("one") == 1, 30.0, "the token's being verified anew")
        self.assertEqual([verified("one"), verified("two")], [0, 0])
        self.write("one.json", credentials.key_set(signer["new"]))
        harness.eventually(lambda: ask("one") == 401, 30.0, "the end of the key")
        self.assertEqual(verified("two"), 0)


if __name__ == "__main__":
    harness.main()
