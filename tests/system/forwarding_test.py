"""What the origin is sent and the client is given: headers, the path, names of those involved."""

import json

import configs
import credentials
import harness

HOP_BY_HOP = ["Keep-Alive", "Proxy-Connection", "Upgrade", "X-Mine", "X-Other"]


class Forwarding(harness.SystemTest):
    def start(self, config=None, script=None):
        self.upstream = self.origin(script or (lambda c, r: c.answer(200, b"ok")))
        return self.gate(config or configs.plain(), origin=self.upstream.address)

    def forwarded(self, gate, target="/", headers=(), **options):
        self.assertEqual(gate.get(target, headers=headers, **options).status, 200)
        return self.upstream.requests[-1]


class RequestHeaders(Forwarding):
    def test_hop_by_hop_and_listed_headers_stop_here(self):
        seen = self.forwarded(self.start(), headers=[
            ("Connection", "keep-alive, X-Mine"), ("Connection", "x-other"), ("Keep-Alive", "5"),
            ("Proxy-Connection", "keep-alive"), ("TE", "gzip"), ("Upgrade", "foo"),
            ("X-Mine", "1"), ("X-Other", "2"), ("X-Kept", "3")])
        for name in HOP_BY_HOP:
            self.assertEqual(seen.all(name), [], name)
        self.assertEqual(seen.get("x-kept"), "3")
        self.assertNotIn("gzip", seen.get("te", ""))

    def test_a_client_cannot_have_host_or_length_removed_by_listing_them(self):
        gate = self.start()
        with gate.connect() as connection:
            connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                            b"Connection: content-length, host, x-forwarded-for\r\n\r\nhi")
            answer = connection.read_response()
        self.assertIn(answer.status, (200, 400))
        for seen in self.upstream.requests:
            self.assertEqual((seen.get("host"), seen.body), ("a", b"hi"))
            self.assertEqual(seen.get("x-forwarded-for"), "127.0.0.1")

    def test_the_ordinary_ones_pass_and_may_repeat(self):
        seen = self.forwarded(self.start(), headers=[
            ("Accept", "a/b"), ("X-Many", "1"), ("X-Many", "2"), ("X-Empty", ""),
            ("Cookie", "a=b; c=d"), ("X-Latin", "caf\xe9"), ("User-Agent", "me")])
        self.assertEqual(seen.get("accept"), "a/b")
        self.assertEqual(seen.all("x-many"), ["1", "2"])
        self.assertEqual(seen.all("x-empty"), [""])
        self.assertEqual(seen.get("cookie"), "a=b; c=d")
        self.assertEqual(seen.get("x-latin"), "caf\xe9")
        self.assertEqual(seen.get("user-agent"), "me")

    def test_a_spoofed_identity_is_dropped_on_every_route(self):
        gate = self.start(configs.plain(more="""
            [[route]]
            name = "other"
            path_prefix = "/other"
            upstream = "origin"
            auth = []
            forward_identity = "x-who"
        """))
        seen = self.forwarded(gate, headers={"X-Auth-Identity": "root", "x-who": "root",
                                             "X-AUTH-IDENTITY": "admin"})
        self.assertEqual(seen.all("x-auth-identity") + seen.all("x-who"), [])

    def test_set_and_remove(self):
        gate = self.start(configs.plain(route="""
            request_headers = { set = { x-added = "yes", x-over = "gate" }, remove = ["x-gone"] }
            response_headers = { set = { x-out = "1" }, remove = ["server", "x-gone"] }
        """), lambda c, r: c.answer(200, b"", {"Server": "s", "X-Gone": "g", "X-Kept": "k"}))
        answer = gate.get("/", headers={"X-Over": "client", "X-Gone": "1"})
        seen = self.upstream.requests[0]
        self.assertEqual((seen.all("x-added"), seen.all("x-over"), seen.all("x-gone")),
                         (["yes"], ["gate"], []))
        self.assertEqual((answer.all("server"), answer.all("x-gone")), ([], []))
        self.assertEqual((answer.get("x-out"), answer.get("x-kept")), ("1", "k"))

    def test_underscores_in_names_are_the_origins_alone(self):
        gate = self.start(configs.plain(route='response_headers = { remove = ["x_gone"] }'),
                          lambda c, r: c.answer(200, b"", {"X_Kept": "k", "X_Gone": "g", "Content_Length": "7"}))
        answer = gate.get("/")
        self.assertEqual(answer.status, 200)
        self.assertEqual([answer.get(name) for name in ("x_kept", "x_gone", "content_length", "content-length")],
                         ["k", None, "7", "0"])
        self.assertEqual(gate.get("/", headers={"X_Kept": "k"}).status, 400)


class ClientAddress(Forwarding):
    SPOOFED = [("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https"),
               ("X-Forwarded-Host", "evil"), ("X-Real-IP", "1.2.3.4"),
               ("Forwarded", "for=1.2.3.4;proto=https;host=evil"), ("Host", "gate.example")]

    def test_from_a_stranger_they_are_rewritten(self):
        seen = self.forwarded(self.start(), headers=self.SPOOFED)
        self.assertEqual(seen.get("x-forwarded-for"), "127.0.0.1")
        self.assertEqual(seen.get("x-forwarded-proto"), "http")
        self.assertEqual(seen.get("x-forwarded-host"), "gate.example")
        self.assertEqual(seen.get("x-real-ip"), "127.0.0.1")
        forwarded = seen.get("forwarded", "")
        self.assertNotIn("1.2.3.4", forwarded)
        self.assertNotIn("evil", forwarded)

    def test_from_a_trusted_peer_the_right_most_stranger_is_the_client(self):
        gate = self.start(configs.plain(
            listener='client_address_from = ["127.0.0.0/8", "10.0.0.0/8"]'))
        seen = self.forwarded(gate, headers={"X-Forwarded-For": "6.6.6.6, 1.2.3.4, 10.0.0.1"})
        self.assertEqual(seen.get("x-real-ip"), "1.2.3.4")
        self.assertEqual(gate.wait_for_access(status=200)["client"], "1.2.3.4")

    def test_a_request_id_is_made_and_told_to_all(self):
        gate = self.start()
        for given in (None, "client-chose-this"):
            headers = {"X-Request-Id": given} if given else {}
            answer = gate.get("/", headers=headers)
            made = self.upstream.requests[-1].get("x-request-id")
            self.assertGreaterEqual(len(made), 16)
            self.assertNotEqual(made, given)
            self.assertEqual(answer.get("x-request-id", made), made)
            gate.wait_for_access(id=made)

    def test_a_request_id_of_a_trusted_peer_is_kept_if_sane(self):
        gate = self.start(configs.plain(listener='client_address_from = ["127.0.0.1/32"]'))
        for given, kept in (("abc-1~!", True), ("x" * 128, True), ("x" * 129, False),
                            ("two words", False), ("caf\xe9", False)):
            with self.subTest(given):
                seen = self.forwarded(gate, headers={"X-Request-Id": given})
                self.assertEqual(seen.get("x-request-id") == given, kept)

    def test_a_trace_goes_on_or_begins_and_is_in_both_logs(self):
        gate = self.start(configs.plain(more="[log]\naudit = { path = \"$dir/audit.log\" }"))
        trace, span, state = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "a=1,b=2"
        for given, kept, sampled in ((f"00-{trace}-{span}-01", True, "01"), (f"00-{trace}-{span}-00", True, "00"),
                                     (f"01-{trace}-{span}-03-new", True, "01"), (None, False, "01"),
                                     (f"00-{trace.upper()}-{span}-01", False, "01"),
                                     (f"00-{trace}-{span}-01-x", False, "01"), (f"ff-{trace}-{span}-01", False, "01")):
            with self.subTest(given):
                headers = [("Tracestate", state)] + ([("Traceparent", given)] if given else [])
                seen = self.forwarded(gate, headers=headers)
                self.assertEqual(len(seen.all("traceparent")), 1)
                version, of, parent, flags = seen.get("traceparent").split("-")
                self.assertEqual((version, of == trace, flags), ("00", kept, sampled))
                self.assertRegex(of + parent, r"^[0-9a-f]{48}$")
                self.assertNotEqual(parent, span)
                self.assertEqual(seen.all("tracestate"), [state] if kept else [])
                line = gate.wait_for_access(trace=of, span=parent)
                self.assertEqual(line["id"], seen.get("x-request-id"))
                audited = harness.eventually(lambda: [
                    one for one in map(json.loads, (self.directory / "audit.log").read_text().rpartition("\n")[0].splitlines())
                    if one.get("id") == line["id"]], what="its audit record")
                self.assertEqual(audited[0]["trace"], of)

    def test_no_two_requests_begin_the_same_trace(self):
        gate = self.start()
        for _ in range(20):
            self.forwarded(gate)
        parts = [part for r in self.upstream.requests for part in r.get("traceparent").split("-")[1:3]]
        self.assertEqual(len(set(parts)), 40)

    def test_forwarded_by_ipv6_and_tls(self):
        made = credentials.certificate()
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.tls().replace('"127.0.0.1:0"', '"[::1]:0"'), origin=self.upstream.address,
                         files={"cert.pem": made.chain, "key.pem": made.key})
        seen = self.forwarded(gate, headers={"Host": "[::1]:8443", "Forwarded": "for=evil;host=evil"}, tls=True)
        self.assertEqual(seen.all("forwarded"), ['for="[::1]";proto=https;host="[::1]:8443"'])
        self.assertEqual((seen.get("x-forwarded-for"), seen.get("x-forwarded-proto")), ("::1", "https"))


class Paths(Forwarding):
    def test_the_path_is_normalised_once(self):
        gate = self.start()
        for sent, due in (("/a/b", "/a/b"), ("/a/./b", "/a/b"), ("/a/../b", "/b"),
                          ("/../../b", "/b"), ("//a///b", "/a/b"), ("/%61%2e%2E/x", "/a../x"),
                          ("/a/%2e%2e/b", "/b"), ("/%7Euser", "/~user"), ("/a%20b", "/a%20b"),
                          ("/a/..", "/"), ("/a/b/.", "/a/b/"), ("/%c3%a9", "/%C3%A9"),
                          ("/%2561", "/%2561"), ("/a;b=c", "/a;b=c"), ("/a%3Fb", "/a%3Fb"),
                          ("/a?x=/../%2f%2e//", "/a?x=/../%2f%2e//"), ("/?", "/?")):
            with self.subTest(sent):
                target = self.forwarded(gate, sent).target
                if due == "/%C3%A9":
                    self.assertEqual(target.lower(), due.lower())  # either case is the same path
                else:
                    self.assertEqual(target, due)

    def test_what_cannot_be_normalised_safely_is_refused(self):
        gate = self.start()
        for sent in ("/a%2fb", "/a%2Fb", "/a%5cb", "/a%00b", "/a%", "/a%2", "/a%zz", "/%2e%2e%2fa"):
            with self.subTest(sent):
                self.assertEqual(gate.get(sent).status, 400)
        self.assertEqual(self.upstream.requests, [])

    def test_an_encoded_slash_may_be_kept(self):
        gate = self.start(configs.plain(listener='[listener.limits]\nencoded_slash = "keep"'))
        self.assertEqual(self.forwarded(gate, "/a%2Fb/..").target, "/")
        self.assertEqual(self.forwarded(gate, "/x/a%2Fb").target.lower(), "/x/a%2fb")
        self.assertEqual(gate.get("/a%00").status, 400)

    def test_routes_see_the_normal_form(self):
        made = harness.ringward("key", "new", "a").stdout
        self.write("keys", made.split("line: ")[1])
        gate = self.start("""
            [[listener]]
            name = "main"
            address = "127.0.0.1:0"
            [[upstream]]
            name = "origin"
            servers = [{ address = "$origin" }]
            [[route]]
            name = "admin"
            path_prefix = "/admin"
            upstream = "origin"
            auth = ["api_keys"]
            [[route]]
            name = "rest"
            path_prefix = "/"
            upstream = "origin"
            auth = []
            [auth.api_keys]
            file = "$dir/keys"
        """)
        for target in ("/admin", "/admin/", "/%61dmin/x", "/x/../admin", "//admin", "/./admin/",
                       "/x/%2e%2e/admin", "/admin/./x?y"):
            with self.subTest(target):
                self.assertEqual(gate.get(target).status, 401)
        for target in ("/administrator", "/x/admin", "/admin/../x"):
            with self.subTest(target):
                self.assertEqual(gate.get(target).status, 200)

    def test_strip_prefix(self):
        gate = self.start(configs.plain().replace('"/"', '"/api"') + "\nstrip_prefix = true\n")
        self.assertEqual(self.forwarded(gate, "/api/x?y=1").target, "/x?y=1")
        for sent, due in (("/api", "/"), ("/api/", "/"), ("/api?q", "/?q"), ("/api//x", "/x"),
                          ("/%61pi/a%20b", "/a%20b"), ("/x/../api/api/y", "/api/y")):
            self.assertEqual(self.forwarded(gate, sent).target, due, sent)
        self.assertEqual(gate.get("/apix").status, 404)

    def test_an_absolute_target(self):
        gate = self.start()
        with gate.connect() as connection:
            connection.send(b"GET http://a.example/x/../y?q HTTP/1.1\r\nHost: a.example\r\n\r\n")
            self.assertEqual(connection.read_response().status, 200)
        self.assertEqual(self.upstream.requests[0].target, "/y?q")
        self.assertEqual(self.upstream.requests[0].get("host"), "a.example")


class Answers(Forwarding):
    def test_hop_by_hop_headers_of_the_origin_stop_here(self):
        gate = self.start(script=lambda c, r: c.answer(200, b"ok", [
            ("Connection", "x-mine"), ("X-Mine", "1"), ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "x"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"),
            ("Server", "old"), ("X-Powered-By", "php")]))
        answer = gate.get("/")
        for name in ("x-mine", "keep-alive", "proxy-connection", "server", "x-powered-by"):
            self.assertEqual(answer.all(name), [], name)
        self.assertEqual(answer.all("set-cookie"), ["a=1", "b=2"])

    def test_security_headers_and_the_origins_own_policy(self):
        gate = self.start(script=lambda c, r: c.answer(200, b"", {
            "Content-Security-Policy": "default-src *", "X-Frame-Options": "SAMEORIGIN"}))
        answer = gate.get("/")
        self.assertEqual(answer.get("x-content-type-options"), "nosniff")
        self.assertEqual(answer.get("x-frame-options"), "DENY")
        self.assertEqual(answer.get("content-security-policy"), "default-src *")
        self.assertEqual(answer.all("strict-transport-security"), [])  # on TLS only

    def test_the_host_an_upstream_sees(self):
        for setting, due in (("preserve", "client.example"), ("fixed.example", "fixed.example"),
                             ("upstream", None)):
            with self.subTest(setting):
                gate = self.start(configs.plain(upstream=f'host = "{setting}"'))
                seen = self.forwarded(gate, headers={"Host": "client.example"})
                self.assertEqual(seen.get("host"), due or self.upstream.address)
                gate.stop()

    def test_a_request_without_host_is_for_the_server(self):
        gate = self.start()
        with gate.connect() as connection:
            connection.send(b"GET / HTTP/1.0\r\n\r\n")
            self.assertEqual(connection.read_response().status, 200)
        self.assertEqual(self.upstream.requests[-1].all("host"), [self.upstream.address])


if __name__ == "__main__":
    harness.main()
