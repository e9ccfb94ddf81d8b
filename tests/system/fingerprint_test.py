"""What a stranger learns from refusals: the status, and nothing of who refuses, or why."""

import json
import re
import socket

import configs
import credentials
import harness

CONFIG = configs.LISTENER + """
[listener.limits]
target_bytes = "1KiB"
[listener.timeouts]
head = "300ms"
body_gap = "300ms"
""" + configs.UPSTREAM + """
[upstream.timeouts]
first_byte = "300ms"
[[upstream]]
name = "gone"
servers = [{ address = "$gone" }]
""" + configs.KEYS + """
[auth.jwt.main]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
[auth.jwt.scoped]
issuer = "https://scoped.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
scopes = ["write"]
[[limit]]
name = "few"
rate = "1/h"
burst = 1
[[limit]]
name = "streams"
concurrent = 1
""" + "".join(f"""
[[route]]
name = "{name}"
path_prefix = "/{name}"
auth = {auth}
{more}
""" for name, auth, more in (
    ("keys", '["api_keys"]', 'upstream = "origin"'),
    ("tokens", '["api_keys", "jwt:main"]', 'upstream = "origin"'),
    ("scoped", '["jwt:scoped"]', 'upstream = "origin"'),
    ("few", "[]", 'upstream = "origin"\nlimits = ["few"]'),
    ("streams", "[]", 'upstream = "origin"\nlimits = ["streams"]'),
    ("small", "[]", 'upstream = "origin"\nmax_body = "10B"\nmethods = ["GET", "POST"]'),
    ("gone", "[]", 'upstream = "gone"'),
    ("open", "[]", 'upstream = "origin"')))

# What may differ between two refusals with one status: it is made of the request, or of the time.
OWN = {"date", "x-request-id", "content-length", "connection"}
TELLING = re.compile(r"ringward|wolfssl|nginx|liburing|mimalloc|\b\d+\.\d+\.\d+\b", re.I)


class Fingerprint(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.signer = credentials.SigningKey("ES256", kid="a")
        self.other = credentials.SigningKey("ES256", kid="a")
        self.key, line = harness.new_key("alice")
        old, old_line = harness.new_key("gone")
        self.old_key = old
        self.upstream = self.origin(self.serve)
        self.gateway = self.gate(
            CONFIG, origin=self.upstream.address, gone=f"127.0.0.1:{harness.free_port()}",
            files={"keys": line + "\n" + old_line.replace("gone:", "gone@2020-01-01:") + "\n",
                   "jwks.json": credentials.key_set(self.signer)})

    def serve(self, c, request):
        telling = {"Server": "origin/9.9.9", "X-Powered-By": "PHP/8.1.2"}
        if request.target.endswith("/silent"):
            c.receive()
        elif request.target.endswith("/garbage"):
            c.send(b"nonsense\r\n\r\n")
            c.close()
        elif request.target.endswith("/reset"):
            c.reset()
        else:
            c.answer(200, b"ok", telling)

    def token(self, issuer="https://issuer.example", signer=None, **claims):
        made = credentials.claims("carol", issuer=issuer, **claims)
        return {"Authorization": f"Bearer {(signer or self.signer).sign(made)}"}

    def raw(self, data):
        with self.gateway.connect() as connection:
            connection.send(data)
            return connection.read_response()

    def ask(self, target, headers=(), method="GET", body=b""):
        return self.gateway.get(target, headers=headers, method=method, body=body)

    def revoked(self):
        done = harness.ringward("revoke", "identity", "mallory", "--socket",
                                self.directory / "admin.sock")
        self.assertEqual(done.returncode, 0, done.stderr)
        claims = credentials.claims("mallory", issuer="https://issuer.example")
        header = {"Authorization": f"Bearer {self.signer.sign(claims)}"}
        harness.eventually(lambda: {self.ask("/tokens", header).status for _ in range(8)} == {401},
                           what="it is revoked on all workers")
        return self.ask("/tokens", header)

    def refusals(self):
        """Status -> what was answered, by reason."""
        ask, key = self.ask, self.key
        wrong = key[:-4] + ("0000" if not key.endswith("0000") else "1111")
        held = self.gateway.connect()
        self.addCleanup(held.close)
        held.send_request("GET", "/streams/silent")
        harness.eventually(lambda: any(r.target == "/streams/silent"
                                       for r in self.upstream.requests), what="a stream")
        streams = ask("/streams")
        ask("/few")
        return {
            400: [self.raw(b"GET / HTTP/1.1\nHost: a\n\n"), self.raw(b"GET /%zz HTTP/1.1\r\n"
                                                                      b"Host: a\r\n\r\n"),
                  self.raw(b"GET / HTTP/1.1\r\n\r\n"), self.raw(b"\x16\x03\x01\x02\x00" + b"a" * 99),
                  self.raw(b"POST /open HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                           b"zz\r\n")],
            401: [ask("/keys", {"x-api-key": wrong}), ask("/keys", {"x-api-key": "x"}),
                  ask("/keys", {"x-api-key": "rw_nobody_" + "0" * 43}),
                  ask("/keys", {"x-api-key": self.old_key}), ask("/keys", self.token()),
                  ask("/tokens", self.token(signer=self.other)),
                  ask("/tokens", self.token(issuer="https://elsewhere.example")),
                  ask("/tokens", self.token(audience="another")),
                  ask("/tokens", self.token(ttl=-600)), self.revoked()],
            403: [ask("/scoped", self.token(issuer="https://scoped.example")),
                  ask("/scoped", self.token(issuer="https://scoped.example", scope="read"))],
            404: [ask("/"), ask("/nowhere/at/all?x=1"), ask("/", {"x-api-key": key})],
            405: [ask("/small", method="PUT"), ask("/small", method="DELETE")],
            408: [self.raw(b"GET / HT"), self.raw(b"GET / HTTP/1.1\r\nHost: a\r\nX: "),
                  self.raw(b"POST /open HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")],
            413: [ask("/small", method="POST", body=b"x" * 11),
                  self.raw(b"POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                           b"b\r\nxxxxxxxxxxx\r\n0\r\n\r\n")],
            414: [ask("/" + "a" * 2000), ask("/keys?" + "a" * 2000)],
            429: [ask("/few"), streams],
            431: [ask("/open", {"X-Long": "a" * 40_000}),
                  ask("/open", [(f"X-{i}", "y") for i in range(101)])],
            502: [ask("/gone"), ask("/open/garbage"), ask("/open/reset")],
            504: [ask("/open/silent"), ask("/tokens/silent", {"x-api-key": key})],
        }

    def test_all_refusals_of_a_status_are_one(self):
        for status, answers in self.refusals().items():
            self.assertGreater(len(answers), 1)
            first = answers[0]
            for number, one in enumerate(answers):
                with self.subTest(status, number=number):
                    self.assertEqual(one.status, status)
                    self.assertEqual(one.body, first.body)
                    self.assertEqual(self.shape(one), self.shape(first))
                    said = json.loads(one.body)
                    self.assertLessEqual(set(said), {"type", "title", "status", "error"})
                    self.assertEqual(said["status"], status)
                    self.assertIsNone(TELLING.search(one.head.decode("latin-1")))
                    self.assertIsNone(TELLING.search(one.body.decode("latin-1")))
                    for name in ("server", "x-powered-by", "via"):
                        self.assertIsNone(one.get(name))

    @staticmethod
    def shape(answer):
        """Headers in their order: with their values, but for those that are made of something
        else. A limit's own are about that limit."""
        return [(name.lower(), None if name.lower() in OWN | {"allow", "retry-after"} else value)
                for name, value in answer.headers
                if name.lower() not in OWN and not name.lower().startswith("ratelimit")]

    def test_an_answer_of_the_origin_does_not_say_what_it_runs(self):
        answer = self.ask("/open")
        self.assertEqual(answer.status, 200)
        for name in ("server", "x-powered-by", "via"):
            self.assertIsNone(answer.get(name))
        self.assertIsNone(TELLING.search(answer.head.decode("latin-1")))

    def test_tls_is_refused_without_a_word_of_ours(self):
        """A plain listener answers TLS as it answers any other nonsense, and a certificate's names
        are the operator's."""
        with socket.create_connection(self.gateway.address(), harness.patience(5)) as raw:
            raw.sendall(b"\x16\x03\x01\x00\x05hello\r\n\r\n")
            self.assertTrue(raw.recv(100).startswith(b"HTTP/1.1 400 "))


if __name__ == "__main__":
    harness.main()
