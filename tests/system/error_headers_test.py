"""Security headers are on errors too, whichever part of the gate makes them, and HSTS on TLS alone."""

import threading

import configs
import credentials
import harness

SECURITY = {"x-content-type-options": "nosniff", "x-frame-options": "DENY",
            "referrer-policy": "strict-origin-when-cross-origin",
            "content-security-policy": "default-src 'self'"}
HSTS = "max-age=63072000; includeSubDomains; preload"
CONFIG = configs.LISTENER + """
[[listener]]
name = "tls"
address = "127.0.0.1:0"
""" + configs.TLS + configs.UPSTREAM + """
[[upstream]]
name = "narrow"
servers = [{ address = "$origin" }]
pool.max_requests_in_flight = 1
[[upstream]]
name = "gone"
servers = [{ address = "127.0.0.1:$nobody" }]
[auth.api_keys]
file = "$dir/keys"
[auth.jwt.main]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
scopes = ["write"]
[[limit]]
name = "once"
rate = "1/h"
burst = 1
[[route]]
name = "keys"
path = "/keys"
upstream = "origin"
auth = ["api_keys"]
[[route]]
name = "scoped"
path = "/scoped"
upstream = "origin"
auth = ["jwt:main"]
[[route]]
name = "posts"
path = "/posts"
methods = ["POST"]
upstream = "origin"
auth = []
max_body = "1KiB"
[[route]]
name = "once"
path = "/once"
action = "respond"
auth = []
limits = ["once"]
[[route]]
name = "gone"
path = "/gone"
upstream = "gone"
auth = []
[[route]]
name = "narrow"
path_prefix = "/narrow"
upstream = "narrow"
auth = []
[[route]]
name = "origin"
path_prefix = "/origin"
upstream = "origin"
auth = []
"""


class ErrorHeaders(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.go_on = threading.Event()
        self.addCleanup(self.go_on.set)
        self.held = threading.Event()

        def answer(connection, request):
            if request.target == "/narrow/held":
                self.held.set()
                self.go_on.wait()
            own = {"Content-Security-Policy": "default-src 'none'",
                   "Strict-Transport-Security": "max-age=1", "X-Frame-Options": "SAMEORIGIN"}
            connection.answer(404 if request.target == "/origin/404" else 200, b"", own)
        upstream = self.origin(answer)
        made = credentials.certificate("localhost")
        self.signer = credentials.SigningKey("ES256", kid="k")
        self.running = self.gate(CONFIG, origin=upstream.address, nobody=harness.free_port(), files={
            "cert.pem": made.chain, "key.pem": made.key, "keys": harness.new_key("alice")[1] + "\n",
            "jwks.json": credentials.key_set(self.signer)})

    def check(self, answer, status, listener, policy=SECURITY["content-security-policy"]):
        self.assertEqual(answer.status, status)
        for name, value in (SECURITY | {"content-security-policy": policy}).items():
            self.assertEqual(answer.get(name), value, name)
        self.assertEqual(answer.get("strict-transport-security"),
                         HSTS if listener == "tls" else None)
        self.assertIsNone(answer.get("server"))

    def each(self):
        return (("main", {}), ("tls", {"tls": True}))

    def ask(self, listener, options, head):
        with self.running.connect(listener, **options) as connection:
            connection.send(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
            return connection.read_response(head.split(" ")[0])

    def test_of_every_kind(self):
        token = self.signer.sign(credentials.claims("alice"))
        for listener, options in self.each():
            for status, head in (
                    (400, "GET / HTTP/1.1\nHost: a\nHost: b"),
                    (400, "GET /%zz HTTP/1.1\nHost: a"),
                    (401, "GET /keys HTTP/1.1\nHost: a"),
                    (401, "GET /keys HTTP/1.1\nHost: a\nX-API-Key: wrong"),
                    (403, f"GET /scoped HTTP/1.1\nHost: a\nAuthorization: Bearer {token}"),
                    (404, "GET /nowhere HTTP/1.1\nHost: a"),
                    (405, "GET /posts HTTP/1.1\nHost: a"),
                    (413, "POST /posts HTTP/1.1\nHost: a\nContent-Length: 1025"),
                    (414, f"GET /{'a' * 9000} HTTP/1.1\nHost: a"),
                    (431, "GET / HTTP/1.1\nHost: a\nX: " + "a" * 40000),
                    (502, "GET /gone HTTP/1.1\nHost: a"),
                    (505, "GET / HTTP/2.0\nHost: a")):
                with self.subTest(listener, status=status, head=head[:40]):
                    self.check(self.ask(listener, options, head), status, listener)

    def test_over_a_limit(self):
        once = "GET /once HTTP/1.1\nHost: a"
        self.check(self.ask("main", {}, once), 200, "main")
        for listener, options in self.each():
            self.check(self.ask(listener, options, once), 429, listener)

    def test_when_the_origin_has_no_room(self):
        with self.running.connect("main") as connection:
            connection.send_request("GET", "/narrow/held")
            self.assertTrue(self.held.wait(harness.patience(20)))
            for listener, options in self.each():
                self.check(self.ask(listener, options, "GET /narrow/a HTTP/1.1\nHost: a"), 503,
                           listener)
            self.go_on.set()
            self.check(connection.read_response(), 200, "main", "default-src 'none'")

    def test_the_origins_policy_is_kept_and_nothing_else_of_it(self):
        for listener, options in self.each():
            for status in (200, 404):
                answer = self.ask(listener, options, f"GET /origin/{status} HTTP/1.1\nHost: a")
                self.check(answer, status, listener, "default-src 'none'")


if __name__ == "__main__":
    harness.main()
