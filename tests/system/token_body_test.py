"""A small max_body, on the route that mints and on one that forwards: what is too large is refused
before it is sent, or where it becomes too much."""

import json

import configs
import credentials
import harness

KIB = 1024
CONFIG = configs.LISTENER + configs.UPSTREAM + configs.KEYS + configs.MINT + """
max_body = "1KiB"
[[limit]]
name = "bytes"
by = "route"
cost = "request_bytes"
rate = "1/h"
burst = 10
[[route]]
name = "counted"
path = "/counted"
action = "respond"
body = "ok"
auth = []
limits = ["bytes"]
[[route]]
name = "all"
path_prefix = "/"
upstream = "origin"
auth = ["api_keys"]
max_body = "1KiB"
"""


class TokenBody(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.origin(lambda c, r: c.answer(200, r.body))
        self.key, line = harness.new_key("alice")
        signer = credentials.SigningKey("ES256", kid="m")
        self.gate_ = self.gate(CONFIG, origin=self.upstream.address, files={
            "keys": line + "\n", "mint.jwk": json.dumps(signer.private_jwk())})

    def begin(self, connection, target, *lines):
        connection.send("\r\n".join([f"POST {target} HTTP/1.1", "Host: a",
                                     f"X-API-Key: {self.key}", *lines, "", ""]).encode())

    def test_a_length_is_enough(self):
        for target in ("/token", "/other"):
            for more in ((), ("Expect: 100-continue",)):
                with self.subTest(target, more=more), self.gate_.connect() as c:
                    self.begin(c, target, "Content-Length: 1025", *more)
                    # Not a byte of it was sent; and what comes is not "100 Continue".
                    self.assertEqual(c.read_head().status, 413)
                    self.assertEqual(self.gate_.wait_for_access(path=target, status=413)["reason"],
                                     "body_too_large")
        self.assertEqual(self.upstream.requests, [])

    def test_what_fits_is_taken(self):
        for target in ("/token", "/other"):
            with self.subTest(target), self.gate_.connect() as c:
                self.begin(c, target, "Content-Length: 1024")
                c.send(b"x" * KIB)
                self.assertEqual(c.read_response("POST").status, 200)
                self.begin(c, target, "Transfer-Encoding: chunked")
                for _ in range(4):
                    c.send(b"100\r\n" + b"x" * 256 + b"\r\n")
                c.send(b"0\r\n\r\n")
                answer = c.read_response("POST")
                self.assertEqual(answer.status, 200)
                self.assertIsNone(answer.get("connection"))
                self.assertEqual(c.request("GET", "/other", {"x-api-key": self.key}).status, 200)

    def test_chunks_are_refused_where_they_become_too_much(self):
        for target in ("/token", "/other"):
            with self.subTest(target), self.gate_.connect() as c:
                self.begin(c, target, "Transfer-Encoding: chunked")
                c.send(b"400\r\n" + b"x" * KIB + b"\r\n1\r\nx\r\n")
                answer = c.read_response("POST")  # with no end of the body in sight
                self.assertEqual(answer.status, 413)
                self.assertEqual(answer.get("connection"), "close")
                self.assertTrue(c.closed_within(harness.patience(5)))
                self.assertEqual(self.gate_.wait_for_access(path=target, status=413)["reason"],
                                 "body_too_large")

    def test_chunks_that_are_none_buy_no_token(self):
        with self.gate_.connect() as c:
            self.begin(c, "/token", "Transfer-Encoding: chunked")
            c.send(b"g\r\n")
            self.assertEqual(c.read_response("POST").status, 400)
            self.assertTrue(c.closed_within(harness.patience(5)))

    def test_an_invitation_is_answered_with_the_token(self):
        with self.gate_.connect() as c:
            self.begin(c, "/token", "Transfer-Encoding: chunked", "Expect: 100-continue")
            self.assertEqual(c.read_response("POST").status, 200)
            self.assertTrue(c.closed_within(harness.patience(5)))

    def test_octets_in_chunks_are_counted(self):
        with self.gate_.connect() as c:
            self.begin(c, "/counted", "Transfer-Encoding: chunked")
            c.send(b"b\r\n" + b"x" * 11 + b"\r\n")
            self.assertEqual(c.read_response("POST").status, 429)
            self.assertTrue(c.closed_within(harness.patience(5)))


if __name__ == "__main__":
    harness.main()
