"""What the audit log says of tokens, of the keys that verify them and of secrets."""

import json

import audit_log
import configs
import credentials
import harness
import jwks_test

LOG = """
[log]
audit = { path = "$dir/log/audit.jsonl", sign = { file = "$dir/seed" } }
"""
ISSUER = """
[auth.jwt.main]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
[[route]]
name = "tokens"
path_prefix = "/tokens"
action = "respond"
status = 204
auth = ["jwt:main"]
"""


class Tokens(audit_log.AuditTest):
    def test_a_token_is_named_by_its_id_and_its_issuer(self):
        signer = credentials.SigningKey("ES256", kid="2026-11")
        self.write("keys", self.line + "\n")
        self.write("seed", audit_log.SEED + "\n")
        gate = self.gate(configs.LISTENER + configs.UPSTREAM + audit_log.ROUTES + ISSUER + LOG,
                         origin="127.0.0.1:1",
                         files={"jwks.json": credentials.key_set(signer)})

        def ask(header=None, **more):
            token = signer.sign(credentials.claims("carol", **more), header)
            got = gate.get("/tokens", headers={"authorization": f"Bearer {token}"})
            self.assertEqual(got.status, 204)
            return token
        given = [ask(jti="7f3a"), ask(), ask(jti=""), ask({"kid": None})]
        gate.stop()
        said = [(r["credential"], r.get("credential_id"), r["issuer"], r["identity"])
                for r in self.records() if r["event"] == "authentication"]
        self.assertCountEqual(said, [("jwt", "7f3a", "main", "carol"),
                                     ("jwt", "kid:2026-11", "main", "carol"),
                                     ("jwt", "kid:2026-11", "main", "carol"),
                                     ("jwt", None, "main", "carol")])
        for token in given:
            self.assertNotIn(token.rsplit(".", 1)[1], self.log.read_text())

    def test_the_seed_that_signs_is_a_secret_that_was_loaded(self):
        self.start()
        r = self.wait_for_record(event="secret", object="log.audit.sign")
        self.assertEqual((r["result"], r["reason"], r["detail"]),
                         ("done", "loaded", str(self.directory / "seed")))


class Fetched(harness.SystemTest):
    def test_keys_that_are_fetched_are_on_record_like_those_of_a_file(self):
        old, new, unheard_of = (credentials.SigningKey("ES256", kid=kid) for kid in "abc")
        authority = credentials.Authority()
        server = jwks_test.KeyServer(self, "jwks", authority.issue("127.0.0.1"),
                                     jwks_test.publish(old))
        (self.directory / "log").mkdir()
        table = jwks_test.issuer_table("idp", f'url = "{server.url}", refresh = "1h"')
        upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(jwks_test.GATE + table + LOG, origin=upstream.address, files={
            "seed": audit_log.SEED + "\n", "ca.pem": authority.root,
            "keys": f"tester:{jwks_test.KEY}\n"})

        def wait_for_record(**fields):
            wanted = {"event": "key_set", "object": "auth.jwt.idp.jwks", **fields}.items()

            def found():
                lines = (self.directory / "log" / "audit.jsonl").read_text().splitlines()
                return next((r for r in map(json.loads, lines) if wanted <= r.items()), None)
            return harness.eventually(found, 30.0, f"a record with {fields}")
        loaded = wait_for_record(result="done", reason="loaded")
        self.assertEqual(loaded["detail"], server.url)

        def until(key, status):
            token = key.sign(credentials.claims(issuer="https://idp"))
            harness.eventually(
                lambda: gate.get("/idp", headers={"Authorization": f"Bearer {token}"}).status ==
                status, 60.0, f"an answer of {status}")
        server.behave = jwks_test.publish(old, new)
        until(new, 200)
        wait_for_record(result="done", reason="changed")
        server.behave = jwks_test.status(500)
        until(unheard_of, 503)
        failed = wait_for_record(result="failed", reason="fetch_failed")
        self.assertIn("head: status 500", failed["detail"])


if __name__ == "__main__":
    harness.main()
