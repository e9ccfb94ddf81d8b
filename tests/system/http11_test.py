"""What HTTP/1.1 has beside the usual request: expectations that are not met, ranges, conditions, other
forms of the target, upgrades nobody offers, octets that are no ASCII, answers that would be two."""

import configs
import harness
from client import Closed

BIG = 4 << 20


class Http11(harness.SystemTest):
    def start(self, script=None, **parts):
        self.upstream = self.origin(script or (lambda c, r: c.answer(200, b"ok")))
        return self.gate(configs.plain(**parts), origin=self.upstream.address)

    def ask(self, gate, head, method="GET"):
        with gate.connect() as one:
            one.send(head)
            return one.read_response(method)


class Expectations(Http11):
    def refused(self, gate, lines, waits):
        """An answer without a 100 and without an origin; the connection ends as one that was told so, even of a
        client that sends its body all the same."""
        with gate.connect() as one:
            one.send(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n%b\r\n"
                     % (BIG, lines))
            if not waits:
                try:
                    one.send(b"x" * BIG)
                except OSError:
                    pass  # the gate had its say, and does not listen for ever
            interim = []
            answer = one.read_response(interim=interim)
            self.assertEqual((interim, answer.get("connection")), ([], "close"))
            if waits:
                self.assertEqual(one.read_to_end(), b"")  # FIN, not a reset
        return answer.status

    def test_too_large_or_of_a_stranger_it_is_not_invited(self):
        key, line = harness.new_key("alice")
        self.write("keys", line + "\n")
        gate = self.start(route='max_body = "1MiB"', auth='["api_keys"]', more=configs.KEYS)
        with_key = b"X-Api-Key: %b\r\n" % key.encode()
        self.assertEqual(self.refused(gate, with_key, waits=True), 413)
        self.assertEqual(self.refused(gate, b"", waits=True), 401)
        self.assertEqual(self.upstream.connections, 0)

    def test_who_sends_it_all_the_same_can_read_why(self):
        gate = self.start(route='max_body = "1MiB"')
        answered = 0
        for _ in range(10):
            try:
                answered += self.refused(gate, b"", waits=False) == 413
            except (Closed, OSError):
                pass  # 4 MiB are more than is read to be polite; most of it is lost to the reset
        self.assertGreater(answered, 0)
        self.assertEqual(self.upstream.connections, 0)


class Conditions(Http11):
    def test_ranges_and_conditions_are_the_origins_to_judge(self):
        asked = [("Range", "bytes=0-1,4-5"), ("If-Range", '"a"'), ("If-Match", '"a", "b"'), ("If-None-Match", "W/\"c\""),
                 ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"),
                 ("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")]
        statuses = {"/206": 206, "/304": 304, "/412": 412, "/416": 416}
        told = {"Content-Range": "bytes 0-1/9", "ETag": '"a"', "Accept-Ranges": "bytes", "Last-Modified": "x"}

        def script(c, request):
            status = statuses[request.target]
            c.answer(status, b"" if status == 304 else b"ok", told)
        gate = self.start(script)
        for target, status in statuses.items():
            with self.subTest(target):
                answer = gate.get(target, headers=asked)
                self.assertEqual(answer.status, status)
                for name, value in told.items():
                    self.assertEqual(answer.all(name), [value])
                for name, value in asked:
                    self.assertEqual(self.upstream.requests[-1].all(name), [value])


class Targets(Http11):
    def test_absolute_form(self):
        gate = self.start()
        for target, due in ((b"http://a", "/"), (b"http://a/", "/"), (b"HTTP://A:80/x?y", "/x?y"), (b"https://a?q", "/?q"),
                            (b"http://a//x", "/x")):
            host = b"A:80" if b"80" in target else b"a"
            answer = self.ask(gate, b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, host))
            self.assertEqual(answer.status, 200, target)
            self.assertEqual(self.upstream.requests[-1].target, due)
        for target in (b"http://b/", b"http://u@a/", b"http:///x", b"http://a:b/", b"ftp://a/", b"http:a", b"//a"):
            answer = self.ask(gate, b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
            if target == b"//a":
                self.assertEqual(self.upstream.requests[-1].target, "/a")  # a path, not an authority
            else:
                self.assertEqual(answer.status, 400, target)

    def test_the_asterisk_is_no_resource_of_an_origins(self):
        gate = self.start()
        answer = self.ask(gate, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(answer.status, 404)
        for method in (b"GET", b"POST", b"HEAD"):
            self.assertEqual(self.ask(gate, method + b" * HTTP/1.1\r\nHost: a\r\n\r\n", method.decode()).status, 400)
        self.assertEqual(self.upstream.connections, 0)

    def test_connect_and_http_0_9_are_refused(self):
        gate = self.start()
        for head, status in ((b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501),
                             (b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
                             (b"GET /\r\n\r\n", 400), (b"GET / \r\nHost: a\r\n\r\n", 400)):
            answer = self.ask(gate, head + b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual((answer.status, answer.get("connection")), (status, "close"), head)
        self.assertEqual(self.upstream.connections, 0)


class Upgrades(Http11):
    def test_h2c_is_not_heard_of_and_not_passed_on(self):
        """RFC 9110 7.8: a server may ignore it; RFC 9113 3.1 has it no more."""
        gate = self.start(route='upgrade = ["websocket"]')
        for connection in (b"Upgrade, HTTP2-Settings", b"upgrade", b"HTTP2-Settings"):
            answer = self.ask(gate, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: %b\r\nUpgrade: h2c\r\n"
                                    b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n" % connection)
            self.assertEqual((answer.status, answer.all("upgrade"), answer.body), (200, [], b"ok"))
            seen = self.upstream.requests[-1]
            self.assertEqual((seen.all("upgrade"), seen.all("connection")), ([], []))
            if b"HTTP2" in connection:
                self.assertEqual(seen.all("http2-settings"), [])


class Octets(Http11):
    def test_obs_text_passes_both_ways_as_it_came(self):
        octets = bytes(range(0x80, 0x100)).decode("latin-1")
        gate = self.start(lambda c, r: c.answer(200, b"", {"X-Octets": octets}))
        answer = gate.get("/", headers={"X-Octets": octets})
        self.assertEqual(answer.get("x-octets"), octets)
        self.assertEqual(self.upstream.requests[-1].get("x-octets"), octets)

    def test_no_answer_is_two(self):
        second = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nowned"
        bad = [b"X: a\r\rb", b"X: a\rb", b"X: a\nY: b", b"X: a\x00b", b"X: a\x0bb", b"X: a\r\n folded", b"X\r: a",
               b"X : a", b": a", b"X", b"X: a\nContent-Length: 0\n\n" + second,
               b"Content-Length: 0\r\nContent-Length: 2", b"Content-Length: 2, 2", b"Content-Length: +2",
               b"Transfer-Encoding: chunked\r\nContent-Length: 2", b"Transfer-Encoding: gzip, chunked"]

        def script(c, request):
            line = bad[int(request.target[1:])]
            c.send(b"HTTP/1.1 200 OK\r\n" + (b"" if b"Length" in line or b"Transfer" in line else b"Content-Length: 2\r\n")
                   + line + b"\r\n\r\nok" + second)
            c.close()
        gate = self.start(script, upstream="retry.attempts = 1\nhealth.eject_after = 0")
        for i, line in enumerate(bad):
            with self.subTest(line), gate.connect() as one:
                for _ in range(2):
                    answer = one.request("GET", f"/{i}")
                    self.assertEqual(answer.status, 502)
                    self.assertNotIn(b"owned", answer.body)

    def test_what_a_client_says_ends_no_line_of_an_answer(self):
        moved = self.gate("""
            [[listener]]
            name = "main"
            address = "127.0.0.1:0"
            [[route]]
            name = "moved"
            path_prefix = "/"
            action = "redirect"
            redirect = "https://{host}{path}{query}"
            auth = []
        """)
        for target in (b"/%0d%0aX:%20y", b"/%0aX", b"/%00", b"/a%0D"):
            self.assertEqual(self.ask(moved, b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target).status, 400, target)
        answer = self.ask(moved, b"GET /?%0d%0aX:y HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual((answer.get("location"), answer.all("x")), ("https://a/?%0d%0aX:y", []))
        for host in (b"a\rb", b"a\tb", b"a b", b"a\x00"):
            self.assertEqual(self.ask(moved, b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host).status, 400, host)


if __name__ == "__main__":
    harness.main()
