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

        def verified(name, status=200):
            """How many signatures that took. What is counted is shown once a second."""
            def counts():
                return [int(re.search(rf"^ringward_token_cache_{what}_total(?:\{{.*\}})? (\d+)",
                                      gate.metrics(), re.M)[1]) for what in ("hits", "misses")]
            before = counts()
            got = gate.get("/", headers=[("Authorization", f"Bearer {tokens[name]}")])
            self.assertEqual(got.status, status)
            after = harness.eventually(lambda: sum(now := counts()) > sum(before) and now, 10.0,
                                       "a look into the cache")
            return after[1] - before[1]
        self.assertEqual([verified("one"), verified("two")], [1, 1])
        self.assertEqual([verified("one"), verified("two")], [0, 0])

        def reread(text, times):
            self.write("one.json", text)
            harness.eventually(lambda: len([line for line in gate.log if "read anew" in line]) ==
                               times, 10.0, "the file's being read")
        reread(credentials.key_set(signer["one"], signer["new"]), 1)
        self.assertEqual([verified("one"), verified("two")], [1, 0])
        reread(credentials.key_set(signer["new"]), 2)
        self.assertEqual(verified("one", status=401), 1)
        self.assertEqual(verified("two"), 0)


if __name__ == "__main__":
    harness.main()
