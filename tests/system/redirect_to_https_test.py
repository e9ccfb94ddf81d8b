"""A plain listener that does nothing but lead to the one with TLS."""

import configs
import credentials
import h2_client
import harness

PLAIN = """
[[listener]]
name = "plain"
address = "127.0.0.1:0"
redirect_to_https = true
"""
ROUTES = """
[[limit]]
name = "once"
rate = "1/h"
burst = 1
[[route]]
name = "named"
path_prefix = "/"
hosts = ["gate.example", "*.wild.example", "[::1]", "127.0.0.1"]
upstream = "origin"
auth = ["api_keys"]
limits = ["once"]
"""


class RedirectToHttps(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        made = credentials.certificate()
        _, line = harness.new_key("alice")
        self.gateway = self.gate(
            "\n".join([configs.LISTENER, configs.TLS, PLAIN, configs.UPSTREAM, ROUTES, configs.KEYS]),
            origin=self.upstream.address,
            files={"cert.pem": made.chain, "key.pem": made.key, "keys": line + "\n"})
        self.port = self.gateway.address("main")[1]

    def ask(self, head):
        with self.gateway.connect("plain") as client:
            client.send(head.encode("latin-1"))
            return client.read_response("HEAD" if head.startswith("HEAD") else "GET")

    def test_the_same_url_and_method_at_the_port_of_the_other_listener(self):
        for target, due in (("/", "/"), ("/a/b?c=d&e", "/a/b?c=d&e"), ("/a/../b//c?x=//y", "/b/c?x=//y"),
                            ("//evil.example/x", "/evil.example/x"), ("/%2e%2e/x", "/x"),
                            ("http://gate.example/abs?q", "/abs?q"), ("/?", "/?")):
            for method in ("GET", "POST", "HEAD", "DELETE", "TRACE", "OPTIONS"):
                with self.subTest(target=target, method=method):
                    answer = self.ask(f"{method} {target} HTTP/1.1\r\nHost: gate.example\r\n\r\n")
                    self.assertEqual((answer.status, answer.get("location"), answer.body),
                                     (308, f"https://gate.example:{self.port}{due}", b""))
                    self.assertEqual(answer.all("strict-transport-security"), [])  # RFC 6797 7.2
                    self.assertEqual(answer.get("x-content-type-options"), "nosniff")
        self.assertEqual(self.upstream.requests, [])
        line = self.gateway.wait_for_access(reason="redirected_to_https", method="POST")
        self.assertEqual((line["status"], line.get("route"), line.get("identity")), (308, None, None))
        counted = 'ringward_refusals_total{reason="redirected_to_https"} 42\n'
        harness.eventually(lambda: counted in self.gateway.metrics(), what="42 of them counted")

    def test_where_it_leads_leads_there(self):
        answer = self.ask("GET /x HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n")
        self.assertEqual(answer.get("location"), f"https://127.0.0.1:{self.port}/x")
        there = self.gateway.get("/x", "main", tls=True, authority=f"127.0.0.1:{self.port}")
        self.assertEqual(there.status, 401)
        self.assertIn("max-age=", there.get("strict-transport-security"))

    def test_to_no_host_but_those_of_routes(self):
        for host, status in (("gate.example", 308), ("GATE.example.", 308), ("a.b.wild.example", 308),
                             ("gate.example:1", 308), ("[::1]:8080", 308), ("wild.example", 404),
                             ("evil.example", 404), ("gate.example.evil.example", 404), ("10.0.0.1", 404),
                             ("gate.example@evil.example", 400), ("evil.example/gate.example", 400),
                             ("gate.example\\evil", 400), ("", 400), ("gate.example:x", 400),
                             ("gate.example, evil.example", 400)):
            with self.subTest(host):
                answer = self.ask(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
                self.assertEqual(answer.status, status)
                self.assertNotIn("evil", answer.get("location", ""))
        self.assertEqual(self.ask("GET / HTTP/1.0\r\n\r\n").status, 400)
        self.assertEqual(self.ask("GET / HTTP/1.0\r\nHost: gate.example\r\n\r\n").status, 308)
        self.assertEqual(self.ask("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 404)
        self.assertEqual(self.ask("GET /a%2fb HTTP/1.1\r\nHost: gate.example\r\n\r\n").status, 400)

    def test_by_http2_too(self):
        with self.gateway.connect("plain") as stream:
            client = h2_client.Client(stream, authority="gate.example:80")
            answer = client.request("POST", "/a/../b?c=d", body=b"x" * 100)
            self.assertEqual((answer.status, answer.get("location"), answer.body),
                             (308, f"https://gate.example:{self.port}/b?c=d", b""))
            client.authority = "evil.example"
            self.assertEqual(client.request("GET", "/").status, 404)
        self.assertEqual(self.upstream.requests, [])
        line = self.gateway.wait_for_access(reason="redirected_to_https")
        self.assertEqual((line["status"], line["protocol"]), (308, "HTTP/2.0"))

    def test_a_body_is_not_taken_for_a_request(self):
        with self.gateway.connect("plain") as client:
            body = b"GET /smuggled HTTP/1.1\r\nHost: gate.example\r\n\r\n"
            client.send(b"POST /1 HTTP/1.1\r\nHost: gate.example\r\nContent-Length: %d\r\n\r\n%b"
                        b"POST /2 HTTP/1.1\r\nHost: gate.example\r\nTransfer-Encoding: chunked\r\n\r\n"
                        b"%x\r\n%b\r\n0\r\n\r\n"
                        b"GET /3 HTTP/1.1\r\nHost: gate.example\r\n\r\n" % (len(body), body, len(body), body))
            for path in ("/1", "/2", "/3"):
                answer = client.read_response()
                self.assertEqual((answer.status, answer.get("location")[-2:]), (308, path))
            client.send(b"PUT /big HTTP/1.1\r\nHost: gate.example\r\nContent-Length: 99999999\r\n\r\n")
            answer = client.read_response()
            self.assertEqual((answer.status, answer.get("connection")), (308, "close"))


if __name__ == "__main__":
    harness.main()
