"""What `ringward revoke` takes away: the next request, those under way, across restarts; streams that
end with their token; tokens that may be used once."""

import base64
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import credentials
import harness

CONFIG = """
[server]
workers = 2
state = "$dir/state"
[admin]
socket = "$dir/admin.sock"
address = "127.0.0.1:0"
[[listener]]
name = "main"
address = "127.0.0.1:0"
[[upstream]]
name = "origin"
servers = [{ address = "$origin" }]
[auth.api_keys]
file = "$dir/keys"
[auth.jwt.main]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
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
[[route]]
name = "ending"
path_prefix = "/ending"
upstream = "origin"
auth = ["api_keys", "jwt:main"]
end_at_expiry = true
[[route]]
name = "all"
path_prefix = "/"
upstream = "origin"
auth = ["api_keys", "jwt:main"]
"""


def bearer(token):
    return ("Authorization", f"Bearer {token}")


class Revocation(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.signer = credentials.SigningKey("ES256", kid="key-1")
        said = harness.ringward("key", "new", "alice").stdout
        self.key = ("x-api-key", re.search(r"\brw_alice_[0-9A-Za-z]+", said)[0])
        self.upstream = self.origin(self.serve)
        self.files = {"keys": re.search(r"\balice:rwk1\S+", said)[0] + "\n",
                      "jwks.json": credentials.key_set(self.signer)}
        self.gateway = self.start()

    def start(self):
        return self.gate(CONFIG, origin=self.upstream.address, files=self.files)

    @staticmethod
    def serve(connection, request):
        if not request.target.endswith("/stream"):
            connection.answer(200, b"ok")
            return
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        connection.read_to_end()  # says no more until the other side goes

    def tell(self, *words, status=0):
        done = harness.ringward(*words, "--socket", f"{self.gateway.directory}/admin.sock")
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout + done.stderr

    def token(self, **claims):
        return self.signer.sign(credentials.claims("carol", **claims))

    def status(self, *headers, target="/"):
        return self.gateway.get(target, headers=list(headers)).status

    def statuses(self, header):
        """On one worker or the other, as connections fall."""
        return {self.status(header) for _ in range(8)}

    def stream(self, header, target="/stream"):
        client = self.gateway.connect()
        self.addCleanup(client.close)
        client.send_request("GET", target, [header])
        self.assertEqual(client.read_head().status, 200)
        self.assertIn(b"first", client.read_until(b"first\r\n"))
        return client

    def test_by_name_by_jti_and_by_kid(self):
        good, other = self.token(jti="7"), self.token(jti="8")
        for words, refused, taken in (
                (("identity", "alice"), self.key, bearer(good)),
                (("identity", "carol"), bearer(good), self.key),
                (("jti", "7"), bearer(good), bearer(other)),
                (("jti", "7", "--issuer", "https://issuer.example"), bearer(good), bearer(other)),
                (("kid", "key-1"), bearer(other), self.key)):
            with self.subTest(words):
                self.assertEqual(self.status(refused), 200)  # from now on it is in the cache
                self.tell("revoke", *words)
                harness.eventually(lambda: self.statuses(refused) == {401}, what="401 on all workers")
                self.assertEqual(self.status(taken), 200)
                self.assertIn(words[1], self.tell("revoked"))
                said = json.loads(self.tell("revoked", "--json"))["revoked"]
                self.assertEqual([(one["kind"], one["id"]) for one in said], [words[:2]])
                self.tell("unrevoke", *words)
                harness.eventually(lambda: self.statuses(refused) == {200}, what="200 again")
        self.assertEqual(self.tell("revoked"), "nothing is revoked\n")
        self.assertEqual(self.gateway.wait_for_access(reason="revoked")["status"], 401)

    def test_every_worker_knows_as_soon_as_the_command_has_returned(self):
        self.gateway.stop()
        self.gateway = self.gate(CONFIG.replace("workers = 2", "workers = 4"),
                                 origin=self.upstream.address)
        clients = [self.gateway.connect() for _ in range(24)]  # spread over all four
        for one in clients:
            self.addCleanup(one.close)
        token = bearer(self.token(jti="7"))

        def answers():
            return [one.request("GET", "/", [token]).status for one in clients]
        self.assertEqual(answers(), [200] * 24)  # from here on in each one's cache
        self.tell("revoke", "jti", "7")
        began = time.monotonic()
        rounds = 0
        while set(got := answers()) != {401}:
            rounds += 1
            self.assertLess(time.monotonic() - began, harness.patience(5), got)
        # A message and a turn of a loop are what it takes: milliseconds, whatever else runs here.
        if harness.VERBOSE:
            print(f"in force after {rounds} rounds, {time.monotonic() - began:.4f} s")

    def test_another_issuers_jti_is_another_jti(self):
        self.tell("revoke", "jti", "7", "--issuer", "https://other.example")
        self.assertEqual(self.status(bearer(self.token(jti="7"))), 200)

    def test_streams_under_way_end(self):
        token = self.token(jti="7")
        for header, words in ((self.key, ("identity", "alice")), (bearer(token), ("jti", "7"))):
            with self.subTest(words):
                streams = [self.stream(header) for _ in range(4)]
                kept = self.stream(bearer(self.token(jti="8")))
                self.tell("revoke", *words, "--for", "1h")
                for one in streams:
                    self.assertTrue(one.closed_within(harness.patience(5)))
                self.assertFalse(kept.closed_within(0.2))
        self.assertEqual(self.gateway.wait_for_access(reason="revoked", identity="alice")["status"],
                         200)  # what was answered when it ended

    def test_what_is_revoked_stays_so_after_a_restart(self):
        self.tell("revoke", "identity", "alice")
        self.gateway.stop()
        self.gateway = self.start()
        self.assertEqual(self.status(self.key), 401)
        self.assertEqual(self.status(bearer(self.token())), 200)

    def test_a_broken_list_is_no_empty_list(self):
        self.tell("revoke", "identity", "alice")
        self.gateway.stop()
        kept = self.directory / "state" / "revocations"
        kept.write_bytes(kept.read_bytes()[:-1])
        said = self.refused_start(CONFIG, origin=self.upstream.address, files=self.files)
        self.assertIn(f"{kept}: it was cut short", said)

    def test_a_stream_ends_with_its_token(self):
        token = self.token(exp=int(time.time() + harness.patience(4)))
        ending = self.stream(bearer(token), "/ending/stream")
        going_on = self.stream(bearer(token), "/stream")
        # One that was slow to begin has the leeway of 30 s.
        self.assertTrue(ending.closed_within(harness.patience(45)))
        self.assertGreaterEqual(time.time(), credentials_expiry(token))
        self.assertFalse(going_on.closed_within(0.2))
        self.gateway.wait_for_access(reason="token_expired")

    def test_a_jti_is_accepted_once(self):
        token = self.token(jti="9")
        with ThreadPoolExecutor(8) as crew:
            seen = list(crew.map(lambda _: self.status(bearer(token), target="/once"), range(24)))
        self.assertEqual(sorted(seen), [200] + [401] * 23)
        self.assertEqual(self.status(bearer(self.token()), target="/once"), 401)  # has no jti
        self.assertEqual(self.status(bearer(self.token(jti="10")), target="/once"), 200)
        self.gateway.wait_for_access(reason="replayed")

    def test_words_nobody_understands(self):
        self.assertIn("identity", self.tell("revoke", "name", "x", status=2))
        self.assertIn("24h", self.tell("revoke", "jti", "x", "--for", "soon", status=2))
        self.assertIn("is not revoked", self.tell("unrevoke", "identity", "bob", status=1))
        self.assertIn("visible ASCII", self.tell("revoke", "identity", "a b", status=1))


def credentials_expiry(token):
    """exp of a token that is known to be good."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]


if __name__ == "__main__":
    harness.main()
