"""Tokens and key sets against an implementation that is not ours: jwcrypto, all algorithms, both ways."""

import json
import time
import unittest

import configs
import harness

try:
    from jwcrypto import jwk, jwt
except ImportError:
    jwk = jwt = None

KINDS = {"RS": {"kty": "RSA", "size": 2048}, "PS": {"kty": "RSA", "size": 2048},
         "ES256": {"kty": "EC", "crv": "P-256"}, "ES384": {"kty": "EC", "crv": "P-384"},
         "ES512": {"kty": "EC", "crv": "P-521"}, "EdDSA": {"kty": "OKP", "crv": "Ed25519"}}
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
              "EdDSA")
ISSUER = """
[auth.jwt.main]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
"""


def make_key(algorithm):
    """A private key that is for this algorithm alone and is called by its name."""
    kind = KINDS.get(algorithm) or KINDS[algorithm[:2]]
    return jwk.JWK.generate(kid=algorithm, alg=algorithm, use="sig", **kind)


@unittest.skipUnless(jwk, "python3-jwcrypto is not installed")
class Jose(harness.SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.keys = {algorithm: make_key(algorithm) for algorithm in ALGORITHMS}

    def test_its_tokens_are_accepted(self):
        upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        published = jwk.JWKSet()
        for key in self.keys.values():
            published.add(key)
        gate = self.gate(configs.plain(auth='["jwt:main"]', more=ISSUER),
                         origin=upstream.address,
                         files={"jwks.json": published.export(private_keys=False)})
        now = int(time.time())
        for algorithm, key in self.keys.items():
            with self.subTest(algorithm):
                token = jwt.JWT(
                    header={"alg": algorithm, "kid": algorithm, "typ": "JWT"},
                    claims={"iss": "https://issuer.example", "aud": ["other", "api"],
                            "sub": f"carol-{algorithm}", "iat": now, "exp": now + 600})
                token.make_signed_token(key)
                text = token.serialize()
                answer = gate.get("/", headers=[("Authorization", f"Bearer {text}")])
                self.assertEqual(answer.status, 200)
                self.assertEqual(upstream.requests[-1].get("x-auth-identity"),
                                 f"carol-{algorithm}")
                forged = text[:-8] + ("AAAAAAAA" if text[-8:] != "AAAAAAAA" else "BBBBBBBB")
                answer = gate.get("/", headers=[("Authorization", f"Bearer {forged}")])
                self.assertEqual(answer.status, 401)
        self.assertEqual(len(upstream.requests), len(ALGORITHMS))

    def test_it_accepts_our_tokens_by_the_keys_that_we_publish(self):
        key, line = harness.new_key("alice")
        gate = self.gate(configs.LISTENER + configs.KEYS + configs.MINT + configs.KEY_SET, files={
            "keys": line + "\n",
            "mint.jwk": self.keys[ALGORITHMS[0]].export(private_key=True)})
        for algorithm in ALGORITHMS:
            with self.subTest(algorithm):
                self.write("mint.jwk", self.keys[algorithm].export(private_key=True))

                def published(kid=algorithm):
                    text = gate.get("/jwks").body.decode()
                    return text if json.loads(text)["keys"][0]["kid"] == kid else None
                found = jwk.JWKSet.from_json(harness.eventually(published, 30.0, "the next key"))
                self.assertFalse(found.get_key(algorithm).has_private)
                # The other worker may have the key before: nobody is told which one answers.
                def minted(kid=algorithm):
                    answer = gate.get("/token", headers=[("x-api-key", key)], method="POST")
                    self.assertEqual(answer.status, 200)
                    said = json.loads(answer.body)
                    return said if said["kid"] == kid else None
                said = harness.eventually(minted, 30.0, "a token of the next key")
                self.assertEqual(said["alg"], algorithm)
                token = jwt.JWT(jwt=said["token"], key=found, algs=[algorithm], check_claims={
                    "iss": "https://gateway.example", "aud": "api", "sub": "alice", "exp": None,
                    "nbf": None, "iat": None, "jti": None})
                header = json.loads(token.header)
                self.assertEqual(header, {"alg": algorithm, "typ": "JWT", "kid": algorithm})
                claims = json.loads(token.claims)
                self.assertEqual(claims["exp"] - claims["iat"], said["expires_in"])


if __name__ == "__main__":
    harness.main()
