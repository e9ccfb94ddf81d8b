"""Certificates of clients as credentials beside others: keys, tokens that are worth nothing without one,
and what the audit log has of them."""

import json

import client_authority
import client_certificates
import credentials
import harness


class BoundTokens(client_certificates.CertificateTest):
    def test_a_bound_token_needs_its_certificate(self):
        other = self.authority.issue("bob")
        bound = {"cnf": {"x5t#S256": client_authority.thumbprint(self.alice)}}
        token = [("Authorization",
                  "Bearer " + self.signer.sign(credentials.claims("dave", **bound)))]
        for _ in range(4):  # from the cache as well, on both workers
            self.assertEqual(self.ask(self.alice, "/token", token).body, b"dave")
            refused = self.ask(other, "/token", token)
            self.assertEqual(refused.status, 401)
            self.assertIn('error="invalid_token"', refused.get("www-authenticate"))
            self.assertEqual(self.ask(None, "/token", token, name="optional").status, 401)
            self.assertEqual(self.ask(self.alice, "/token", token, name="off").status, 401)
        self.gateway.wait_for_access(reason="certificate", status=401)
        with self.connect(other) as connection:
            self.assertEqual(connection.request("GET", "/token", token).status, 401)

    def mint(self, shown, name="required", target="/mint"):
        answer = self.ask(shown, target, [self.key], name, "POST")
        self.assertEqual(answer.status, 200)
        token = json.loads(answer.body)["token"]
        return credentials.unverified_claims(token), [("Authorization", "Bearer " + token)]

    def test_a_minted_token_is_bound(self):
        claims, token = self.mint(self.alice)
        self.assertEqual(claims["cnf"], {"x5t#S256": client_authority.thumbprint(self.alice)})
        self.assertEqual(claims["sub"], "carol")
        self.assertEqual(self.ask(self.alice, "/token", token).body, b"carol")
        self.assertEqual(self.ask(self.authority.issue("bob"), "/token", token).status, 401)
        self.assertEqual(self.ask(None, "/token", token, name="optional").status, 401)
        self.assertEqual(self.ask(None, "/token", token, name="off").status, 401)
        claims, free = self.mint(None, "optional")
        self.assertNotIn("cnf", claims)
        self.assertEqual(self.ask(self.alice, "/token", free).body, b"carol")
        # It is the key that is traded, whoever the certificate says is calling.
        claims, token = self.mint(self.alice, target="/mint-both")
        self.assertEqual(claims["sub"], "carol")
        self.assertEqual(self.ask(self.alice, "/token", token).body, b"carol")

    def test_the_audit_log_has_the_certificate(self):
        self.assertEqual(self.caller(self.alice), "spiffe://example.org/alice")
        def records():
            lines = (self.directory / "audit.log").read_text().splitlines(keepends=True)
            whole = [json.loads(line) for line in lines if line.endswith("\n")]
            return [r for r in whole if r.get("credential") == "mtls"]
        record = harness.eventually(records)[0]
        self.assertEqual(record["identity"], "spiffe://example.org/alice")
        self.assertEqual(record["credential_id"], client_authority.thumbprint(self.alice))
        self.assertEqual(record["result"], "allow")

    def test_keys_and_certificates_together(self):
        unnamed = self.authority.issue()
        self.assertEqual(self.ask(self.alice, "/both", [self.key]).body, b"carol")
        self.assertEqual(self.ask(self.alice, "/both").status, 401)
        self.assertEqual(self.ask(None, "/both", [self.key], name="optional").status, 401)
        self.assertEqual(self.ask(unnamed, "/both", [self.key]).status, 401)
        self.assertEqual(self.ask(unnamed, "/key", [self.key]).body, b"carol")
        self.assertEqual(self.ask(self.alice, "/key").status, 401)
        self.gateway.wait_for_access(reason="not_accepted")
        self.assertEqual(self.ask(self.alice, "/", [("X-API-Key", "nobody's")]).status, 401)


if __name__ == "__main__":
    harness.main()
