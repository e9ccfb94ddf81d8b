"""Who is let in: API keys, tokens of the mint and of an issuer, and how all others are refused."""

import base64
import json
import re
import time

import configs
import credentials
import harness

CONFIG = (configs.LISTENER + configs.UPSTREAM + configs.KEYS + configs.MINT + configs.OWN_TOKENS
          + configs.KEY_SET + """
[auth.jwt.main]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
[[route]]
name = "keys-only"
path_prefix = "/keys"
upstream = "origin"
auth = ["api_keys"]
[[route]]
name = "forwarding"
path_prefix = "/forwarding"
upstream = "origin"
auth = ["api_keys", "jwt:main"]
forward_credentials = true
[[route]]
name = "all"
path_prefix = "/"
upstream = "origin"
auth = ["api_keys", "jwt:main", "jwt:own"]
""")
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
              "EdDSA")


class Auth(harness.SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.signers = {a: credentials.SigningKey(a, kid=a) for a in ALGORITHMS}
        cls.alice, cls.alice_line = harness.new_key("alice")
        cls.bob, cls.bob_line = harness.new_key("bob")

    def setUp(self):
        super().setUp()
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        self.gateway = self.gate(CONFIG, origin=self.upstream.address, files={
            "keys": f"{self.alice_line}\n{self.bob_line}\n",
            "jwks.json": credentials.key_set(*self.signers.values()),
            "mint.jwk": json.dumps(credentials.SigningKey("ES256", kid="m").private_jwk())})

    def ask(self, *headers, target="/", method="GET"):
        return self.gateway.get(target, headers=list(headers), method=method)

    def allowed(self, identity, *headers):
        self.assertEqual(self.ask(*headers).status, 200)
        self.assertEqual(self.upstream.requests[-1].get("x-auth-identity"), identity)
        return self.upstream.requests[-1]

    def refused(self, *headers, status=401, target="/"):
        before = len(self.upstream.requests)
        answer = self.ask(*headers, target=target)
        self.assertEqual(answer.status, status)
        self.assertEqual(len(self.upstream.requests), before)
        return answer

    def token(self, algorithm="ES256", header=None, **claims):
        return self.signers[algorithm].sign(credentials.claims("carol", **claims), header)


def bearer(credential):
    return ("Authorization", f"Bearer {credential}")


class Keys(Auth):
    def test_every_place_a_key_may_be_in(self):
        for header in (("x-api-key", self.alice), bearer(self.alice),
                       ("Authorization", self.alice), ("authorization", f"bEaReR {self.alice}")):
            with self.subTest(header[1][:8]):
                self.allowed("alice", header)
        self.allowed("bob", ("X-API-Key", self.bob))
        self.assertEqual(self.gateway.wait_for_access(identity="bob")["status"], 200)

    def test_wrong_keys(self):
        for key in ("", "x", self.alice[:-1], self.alice + "x", self.alice.lower(),
                    self.alice.replace("alice", "bob"), self.alice_line, "rw_alice_" + "0" * 43,
                    "x" * 10_000):
            with self.subTest(key[:20]):
                self.refused(("x-api-key", key))
        self.refused(("Authorization", f"Basic {self.alice}"))
        self.refused(("x-api-key", self.token()))  # only ever an API key

    def test_both_headers(self):
        good, bad = self.token(), self.token()[:-8] + "AAAAAAAA"
        self.refused(("x-api-key", self.alice), bearer("x" * 40))
        self.refused(("x-api-key", "x" * 40), bearer(self.alice))
        self.refused(("x-api-key", self.alice), bearer(bad))
        self.refused(("x-api-key", "x" * 40), bearer(good))
        self.allowed("alice", ("x-api-key", self.alice), bearer(self.alice))

    def test_a_header_that_is_left_out_is_not_read(self):
        for kept, read, left_out in (
                ("authorization", bearer(self.alice), ("x-api-key", self.alice)),
                ("x-api-key", ("x-api-key", self.alice), bearer(self.alice))):
            with self.subTest(kept):
                keys = f'file = "$dir/keys"\nheaders = ["{kept}"]'
                self.gateway.stop()
                self.gateway = self.gate(CONFIG.replace('file = "$dir/keys"', keys),
                                         origin=self.upstream.address)
                self.allowed("alice", read)
                self.refused(left_out, target="/keys/x")

    def test_two_authorization_lines_are_malformed(self):
        self.refused(bearer(self.alice), bearer(self.alice), status=400)
        self.refused(bearer(self.token()), ("authorization", self.alice), status=400)

    def test_credentials_are_not_forwarded(self):
        seen = self.allowed("alice", ("x-api-key", self.alice), bearer(self.alice))
        self.assertEqual(seen.all("authorization") + seen.all("x-api-key"), [])
        self.assertNotIn(self.alice.encode(), seen.head)
        self.assertEqual(self.ask(bearer(self.bob), target="/forwarding").status, 200)
        self.assertEqual(self.upstream.requests[-1].get("authorization"), f"Bearer {self.bob}")

    def test_nothing_secret_is_logged(self):
        self.ask(("x-api-key", self.alice), target=f"/?api_key={self.alice}")
        self.gateway.wait_for_access(identity="alice")
        self.assertNotIn(self.alice, "\n".join(self.gateway.output + self.gateway.log))


class KeyHeaders(harness.SystemTest):
    """auth.api_keys.headers beside the two that are there by default."""

    def test_one_of_ones_own_is_refused(self):
        _, line = harness.new_key("alice")
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        text = configs.plain(
            auth='["api_keys"]',
            more='[auth.api_keys]\nfile = "$dir/keys"\nheaders = ["x-my-key"]\n')
        self.write("keys", line + "\n")
        checked = harness.ringward("check", "--config",
                                   self.write_config(text, origin=origin.address))
        self.assertEqual(checked.returncode, 1)
        self.assertRegex(checked.stdout + checked.stderr,
                         r':\d+:\d+: error: auth.api_keys.headers: must be one of "x-api-key"')


class Refusals(Auth):
    def test_they_say_no_more_than_they_must(self):
        forged = self.token()[:-8] + "AAAAAAAA"
        expired = self.token(ttl=-3600)
        bodies = set()
        for headers in ((("x-api-key", "x" * 43),), (bearer("x" * 43),), (bearer(forged),),
                        (bearer(expired),), (bearer(self.token(issuer="https://x")),)):
            answer = self.refused(*headers)
            self.assertEqual(answer.get("content-type"), "application/problem+json")
            self.assertTrue(answer.get("www-authenticate").startswith("Bearer"))
            problem = json.loads(answer.body)
            self.assertEqual((problem["status"], problem["error"]), (401, "unauthorized"))
            for name in ("instance", "request_id", "id"):
                problem.pop(name, None)
            bodies.add(json.dumps(problem, sort_keys=True))
        self.assertEqual(len(bodies), 1, bodies)
        harness.eventually(lambda: len({e["reason"] for e in self.gateway.access}) >= 3,
                           what="reasons in the log that tell them apart")

    def test_www_authenticate(self):
        # RFC 6750 3.1: without a credential no error code, with a bad token invalid_token.
        missing = self.refused().get("www-authenticate")
        self.assertTrue(missing.startswith("Bearer"))
        self.assertNotIn("error=", missing)
        self.assertIn('error="invalid_token"',
                      self.refused(bearer(self.token(ttl=-3600))).get("www-authenticate"))

    def test_the_connection_lives_on(self):
        with self.gateway.connect() as connection:
            for _ in range(3):
                self.assertEqual(connection.request("POST", "/", (), b"body").status, 401)
                self.assertEqual(connection.request("GET", "/", [bearer(self.alice)]).status, 200)


class Tokens(Auth):
    def test_every_algorithm(self):
        for algorithm in ALGORITHMS:
            with self.subTest(algorithm):
                for _ in range(3):  # verified, then found in the cache
                    self.allowed("carol", bearer(self.token(algorithm)))

    def test_a_cached_token_with_another_body_is_refused(self):
        token = self.token()
        self.allowed("carol", bearer(token))
        header, payload, signature = token.split(".")
        other = credentials.b64url(json.dumps(credentials.claims("root")))
        self.refused(bearer(f"{header}.{other}.{signature}"))
        self.allowed("carol", bearer(token))

    def test_claims(self):
        now = int(time.time())
        for name, change in (("expired", {"exp": now - 120}), ("wrong aud", {"aud": "other"}),
                             ("no aud", {"aud": None}), ("wrong iss", {"iss": "https://x"}),
                             ("iss with a slash", {"iss": "https://issuer.example/"}),
                             ("not yet", {"nbf": now + 120}), ("no exp", {"exp": None}),
                             ("issued later", {"iat": now + 120}), ("text exp", {"exp": str(now)}),
                             ("too long", {"exp": now + 200_000}), ("no sub", {"sub": None})):
            with self.subTest(name):
                claims = credentials.claims("carol") | change
                claims = {k: v for k, v in claims.items() if v is not None}
                self.refused(bearer(self.signers["ES256"].sign(claims)))
        for change in ({"aud": ["x", "api"]}, {"exp": now - 10}, {"nbf": now + 10}):
            with self.subTest(change):
                claims = credentials.claims("carol") | change
                self.allowed("carol", bearer(self.signers["ES256"].sign(claims)))

    def test_attacks(self):
        good = self.token()
        signed, _, signature = good.rpartition(".")
        payload = signed.split(".")[1]
        def with_header(text, signature=signature):
            return f"{credentials.b64url(text)}.{payload}.{signature}"
        stranger = credentials.SigningKey("ES256", kid="ES256")
        twice = '{"iss":"https://issuer.example","aud":"api","sub":"a","sub":"root","exp":%d}' % (
            time.time() + 60)
        one = self.signers["ES256"]
        text = credentials.b64url('{"alg":"ES256","kid":"ES256"}') + "." + credentials.b64url(twice)
        attacks = {
            "none": with_header('{"alg":"none"}', ""), "None": with_header('{"alg":"None"}', "AA"),
            "HS256": with_header('{"alg":"HS256","kid":"RS256"}'),
            "another key": stranger.sign(credentials.claims()),
            "kid of another": self.token(header={"kid": "RS256"}),
            "unknown kid": self.token(header={"kid": "other"}),
            "alg of another": self.token("RS256", header={"alg": "PS256"}),
            "crit": self.token(header={"crit": ["x"], "x": 1}),
            "b64": self.token(header={"b64": False, "crit": ["b64"]}),
            "embedded jwk": stranger.sign(credentials.claims(), {"jwk": stranger.jwk()}),
            "jku": self.token(header={"jku": "https://evil/"}),
            "x5u": self.token(header={"x5u": "https://evil/"}),
            "padded": good + "=", "standard alphabet": good + "+", "newline": good[:20] + "\t",
            "no signature": signed + ".", "zero signature": signed + "." + "A" * 86,
            "a duplicate member": text + "." + credentials.b64url(one.signature(text.encode())),
            "empty": "..", "four parts": good + ".x",
            "DER": signed + "." + credentials.b64url(one.private.sign(
                signed.encode(), credentials.ec.ECDSA(credentials.hashes.SHA256()))),
        }
        for name, token in attacks.items():
            with self.subTest(name):
                self.refused(bearer(token))
        self.allowed("carol", bearer(good))

    def test_a_token_where_only_keys_are_taken(self):
        self.assertIn(self.ask(bearer(self.token()), target="/keys").status, (401, 403))
        self.assertEqual(self.ask(bearer(self.alice), target="/keys").status, 200)

    def test_the_mint(self):
        answer = self.ask(("x-api-key", self.alice), target="/token", method="POST")
        self.assertEqual((answer.status, answer.get("content-type")), (200, "application/json"))
        self.assertIn("no-store", answer.get("cache-control", ""))
        token = re.search(r"[\w-]+\.[\w-]+\.[\w-]+", answer.body.decode())[0]
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        self.assertEqual((claims["iss"], claims["sub"]), ("https://gateway.example", "alice"))
        self.assertAlmostEqual(claims["exp"] - time.time(), 3600, delta=60)
        self.allowed("alice", bearer(token))
        self.assertEqual(self.ask(target="/token", method="POST").status, 401)
        self.assertIn(self.ask(bearer(token), target="/token", method="POST").status, (401, 403))
        for size, status in ((8192, 401), (8193, 400)):
            line = ("Authorization", "x" * size)
            self.assertEqual(self.ask(line, target="/token", method="POST").status, status)

    def test_the_key_set_is_read_and_nothing_else(self):
        answer = self.ask(target="/jwks")
        self.assertEqual((answer.status, answer.get("content-type")),
                         (200, "application/jwk-set+json"))
        (key,) = json.loads(answer.body)["keys"]
        self.assertEqual((key["kid"], key["crv"], key.get("d")), ("m", "P-256", None))
        head = self.ask(target="/jwks", method="HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.get("content-length"), answer.get("content-length"))
        same = self.ask(("If-None-Match", answer.get("etag")), target="/jwks")
        self.assertEqual((same.status, same.body), (304, b""))
        tag = answer.get("etag")
        for tags, status in ((f'"x", {tag}', 304), (f"W/{tag}", 304), ("*", 304), ('"x"', 200),
                             (tag.strip('"'), 200), (f'"x",{tag[:-2]}"', 200)):
            with self.subTest(tags):
                self.assertEqual(self.ask(("If-None-Match", tags), target="/jwks").status, status)
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
            with self.subTest(method):
                refused = self.ask(target="/jwks", method=method)
                self.assertEqual((refused.status, refused.get("allow")), (405, "GET, HEAD"))
                self.assertEqual(json.loads(refused.body)["status"], 405)
        self.gateway.wait_for_access(method="BREW", status=405, reason="method_not_allowed")


if __name__ == "__main__":
    harness.main()
