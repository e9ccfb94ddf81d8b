"""What the gate answers by itself: redirects, fixed answers and the mint's public keys."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

import configs
import credentials
import harness

REDIRECTS = """
[[route]]
name = "moved"
path_prefix = "/moved"
action = "redirect"
redirect = "https://{host}/new{path}"
status = 301
auth = []
[[route]]
name = "kept"
path_prefix = "/kept"
action = "redirect"
redirect = "https://www.example{path}{query}"
auth = []
"""
RESPONSES = """
[[route]]
name = "robots"
path = "/robots.txt"
action = "respond"
body = "User-agent: *\\nDisallow: /\\n"
auth = []
[[route]]
name = "closed"
path_prefix = "/closed"
action = "respond"
status = 503
type = "application/json"
body = '{"closed":true}'
auth = []
[[route]]
name = "nothing"
path = "/nothing"
action = "respond"
status = 204
auth = []
"""


class Actions(harness.SystemTest):
    def start(self, more, **options):
        self.upstream = self.origin(lambda c, r: c.answer(200, b"the origin"))
        # Routes are asked in order: these come before the one for everything else.
        self.running = self.gate(configs.LISTENER + configs.UPSTREAM + more + configs.ROUTE
                                 + "auth = []\n", origin=self.upstream.address, **options)

    def ask(self, target, headers=(), method="GET"):
        """On a connection that must be of use afterwards."""
        with self.running.connect() as connection:
            answer = connection.request(method, target, headers)
            self.assertEqual(connection.request("GET", "/else").body, b"the origin")
        return answer

    def tearDown(self):
        self.assertEqual({r.target for r in self.upstream.requests} - {"/else"}, set())


class Redirects(Actions):
    def setUp(self):
        super().setUp()
        self.start(REDIRECTS)

    def test_where_to(self):
        for target, host, status, location in (
                ("/moved/a", "h.example", 301, "https://h.example/new/moved/a"),
                ("/moved/a?b=c", "h.example:81", 301, "https://h.example/new/moved/a"),
                ("/kept/x/../y%41?q=1&r=%20", "h", 308,
                 "https://www.example/kept/yA?q=1&r=%20"),
                ("/kept", "h", 308, "https://www.example/kept")):
            with self.subTest(target):
                answer = self.ask(target, {"Host": host})
                self.assertEqual((answer.status, answer.get("location")), (status, location))
                self.assertEqual(answer.get("content-length"), "0")
        self.assertEqual(self.running.wait_for_access(status=308)["route"], "kept")

    def test_without_a_host(self):
        for target, status in (("/moved/a", 400), ("/kept/a", 308)):
            with self.running.connect() as connection:
                connection.send(b"GET %b HTTP/1.0\r\n\r\n" % target.encode())
                self.assertEqual(connection.read_response().status, status)
        self.running.wait_for_access(status=400, reason="missing_host")

    def test_nothing_can_be_smuggled_into_location(self):
        answer = self.ask("/kept?%0d%0aX-Evil:%201")
        self.assertEqual(answer.get("location"), "https://www.example/kept?%0d%0aX-Evil:%201")
        self.assertEqual(answer.all("x-evil"), [])
        for target in ("/moved/%0d%0aX-Evil:%201", "/moved/%0aX-Evil:%201"):
            answer = self.running.get(target)
            self.assertEqual((answer.status, answer.all("x-evil")), (400, []), target)


class Responses(Actions):
    def setUp(self):
        super().setUp()
        self.start(RESPONSES)

    def test_what_is_written_is_answered(self):
        answer = self.ask("/robots.txt")
        self.assertEqual((answer.status, answer.body), (200, b"User-agent: *\nDisallow: /\n"))
        self.assertTrue(answer.get("content-type").startswith("text/plain"))
        answer = self.ask("/closed/now", method="POST")
        self.assertEqual((answer.status, answer.body), (503, b'{"closed":true}'))
        self.assertEqual(answer.get("content-type"), "application/json")
        self.assertEqual(answer.get("x-content-type-options"), "nosniff")
        answer = self.ask("/nothing")
        self.assertEqual((answer.status, answer.all("content-type")), (204, []))
        self.assertEqual(self.running.wait_for_access(status=503)["route"], "closed")

    def test_head_has_no_body(self):
        answer = self.ask("/robots.txt", method="HEAD")
        self.assertEqual((answer.status, answer.get("content-length")), (200, "26"))


class PublicKeys(Actions):
    def setUp(self):
        super().setUp()
        self.key, line = harness.new_key("alice")
        self.signer = credentials.SigningKey("ES256", kid="m")
        self.start(configs.KEYS + configs.MINT
                   + configs.KEY_SET.replace("/jwks", "/.well-known/jwks.json"),
                   files={"keys": line + "\n", "mint.jwk": json.dumps(self.signer.private_jwk())})

    def test_they_check_what_the_mint_signs(self):
        answer = self.ask("/.well-known/jwks.json")
        self.assertEqual((answer.status, answer.get("content-type")),
                         (200, "application/jwk-set+json"))
        keys = json.loads(answer.body)["keys"]
        self.assertEqual(len(keys), 1)
        self.assertEqual({n: keys[0].get(n) for n in ("kty", "crv", "x", "y", "kid")},
                         {n: self.signer.jwk()[n] for n in ("kty", "crv", "x", "y", "kid")})
        self.assertNotIn("d", keys[0])

        minted = self.ask("/token", {"x-api-key": self.key}, method="POST")
        self.assertEqual(minted.status, 200)
        token = json.loads(minted.body)["token"]
        signed, _, signature = token.rpartition(".")

        def decode(part):
            return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        self.assertEqual(json.loads(decode(signed.split(".")[0]))["kid"], keys[0]["kid"])
        x, y = (int.from_bytes(decode(keys[0][n]), "big") for n in "xy")
        public = credentials.ec.EllipticCurvePublicNumbers(x, y, credentials.ec.SECP256R1())
        raw = decode(signature)
        r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
        public.public_key().verify(  # raises unless it is right
            encode_dss_signature(r, s), signed.encode(),
            credentials.ec.ECDSA(credentials.hashes.SHA256()))


if __name__ == "__main__":
    harness.main()
