"""HTTP/1.1 through the gate: connections, framing, interim answers and old versions."""

import subprocess
import threading

import configs
import harness


class Proxy(harness.SystemTest):
    def start(self, script, config=None, **options):
        self.upstream = self.origin(script, **options)
        return self.gate(config or configs.plain(), origin=self.upstream.address)


class Connections(Proxy):
    def test_both_sides_keep_their_connection(self):
        gate = self.start(lambda c, r: c.answer(200, r.target.encode()))
        with gate.connect() as connection:
            for i in range(20):
                answer = connection.request("GET", f"/{i}")
                self.assertEqual((answer.status, answer.body), (200, b"/%d" % i))
        self.assertEqual(self.upstream.connections, 1)

    def test_a_hundred_pipelined_requests_are_answered_in_order(self):
        gate = self.start(lambda c, r: c.answer(200, r.target.encode()))
        with gate.connect() as connection:
            connection.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % i
                                     for i in range(100)))
            for i in range(100):
                self.assertEqual(connection.read_response().body, b"/%d" % i)
            self.assertEqual(connection.request("GET", "/last").body, b"/last")

    def test_pipelined_bodies_stay_with_their_requests(self):
        gate = self.start(lambda c, r: c.answer(200, r.target.encode() + b"=" + r.body))
        with gate.connect() as connection:
            connection.send(b"".join(
                b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n%03d"
                b"POST /c%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"1\r\nx\r\n3\r\n%03d\r\n0\r\n\r\n" % (i, i, i, i) for i in range(20)))
            for i in range(20):
                self.assertEqual(connection.read_response().body, b"/%d=%03d" % (i, i))
                self.assertEqual(connection.read_response().body, b"/c%d=x%03d" % (i, i))

    def test_connection_close_is_honoured(self):
        gate = self.start(lambda c, r: c.answer(200, b"ok"))
        with gate.connect() as connection:
            answer = connection.request("GET", "/", {"Connection": "close"})
            self.assertEqual(answer.body, b"ok")
            self.assertEqual(answer.get("connection", "").lower(), "close")
            self.assertTrue(connection.closed_within(harness.patience(5)))

    def test_a_client_that_announces_the_end_still_gets_the_answer(self):
        gate = self.start(lambda c, r: c.answer(200, b"ok"))
        with gate.connect() as connection:
            connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertEqual(connection.read_response().body, b"ok")
            self.assertTrue(connection.closed_within(harness.patience(5)))

    def test_a_client_that_half_closes_is_taken_to_have_gone(self):
        """docs/architecture.md: it cannot be told from one that went away, so its request ends."""
        left = threading.Event()

        def wait_for_the_end(c, _):
            try:
                while c.receive():
                    pass
            except OSError:
                pass
            left.set()
            c.close()
        gate = self.start(wait_for_the_end)
        with gate.connect() as connection:
            connection.send_request("GET", "/half")
            harness.eventually(lambda: self.upstream.requests, what="the request at the origin")
            connection.finish()
            self.assertTrue(left.wait(harness.patience(5)), "the origin was not told")
            self.assertTrue(connection.closed_within(harness.patience(5)), "there is an answer")
        line = gate.wait_for_access(path="/half")
        self.assertEqual((line["status"], line["reason"]), (499, "client_closed"))

    def test_a_head_in_pieces_of_one_byte(self):
        gate = self.start(lambda c, r: c.answer(200, r.body))
        with gate.connect() as connection:
            for _ in range(2):
                connection.send_slowly(b"POST /a HTTP/1.1\r\nHost: a\r\n"
                                       b"Transfer-Encoding: chunked\r\n\r\n"
                                       b"5;x=y\r\nhello\r\n0\r\n\r\n", pause=0.001)
                self.assertEqual(connection.read_response().body, b"hello")

    def test_an_answer_in_pieces_of_one_byte(self):
        gate = self.start(lambda c, r: c.send_slowly(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n"
            b"5\r\nhello\r\n0\r\nX-T: v\r\n\r\n", pause=0.001))
        with gate.connect() as connection:
            for _ in range(2):
                answer = connection.request("GET", "/")
                self.assertEqual((answer.body, answer.get("x-a")), (b"hello", "b"))

    def test_many_clients_at_once(self):
        gate = self.start(lambda c, r: c.answer(200, r.target.encode()))
        wrong = []

        def ask(n):
            with gate.connect() as connection:
                for i in range(10):
                    if connection.request("GET", f"/{n}/{i}").body != b"/%d/%d" % (n, i):
                        wrong.append((n, i))
        threads = [threading.Thread(target=ask, args=(n,)) for n in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


class Framing(Proxy):
    def test_every_framing_of_an_answer(self):
        for framing in ("length", "chunked", "close"):
            for body in (b"", b"x", b"y" * 200_000):
                with self.subTest(framing, size=len(body)):
                    gate = self.start(lambda c, r, f=framing, b=body: c.answer(200, b, framing=f))
                    with gate.connect() as connection:
                        self.assertEqual(connection.request("GET", "/").body, body)
                    gate.stop()

    def test_every_framing_of_a_request(self):
        gate = self.start(lambda c, r: c.answer(200, r.body))
        with gate.connect() as connection:
            for body in (b"", b"x", b"y" * 200_000):
                length = {"Content-Length": str(len(body))}
                self.assertEqual(connection.request("POST", "/", length, body).body, body)
                chunks = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
                answer = connection.request("PUT", "/", {"Transfer-Encoding": "chunked"},
                                            chunks + b"0\r\n\r\n")
                self.assertEqual(answer.body, body)

    def test_head_has_the_length_and_no_body(self):
        gate = self.start(lambda c, r: c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
                                              + (b"" if r.method == "HEAD" else b"hello")))
        with gate.connect() as connection:
            for method in ("HEAD", "GET", "HEAD", "GET"):
                answer = connection.request(method, "/")
                self.assertEqual(answer.get("content-length"), "5")
        self.assertEqual(self.upstream.connections, 1)

    def test_head_of_a_chunked_answer(self):
        gate = self.start(lambda c, r: c.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + (b"" if r.method == "HEAD" else b"2\r\nok\r\n0\r\n\r\n")))
        with gate.connect() as connection:
            self.assertEqual(connection.request("HEAD", "/").body, b"")
            self.assertEqual(connection.request("GET", "/").body, b"ok")

    def test_204_and_304_have_no_body(self):
        answers = {"/204": b"HTTP/1.1 204 No Content\r\n\r\n",
                   "/304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n"
                           b"ETag: \"a\"\r\n\r\n",
                   "/200": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}
        gate = self.start(lambda c, r: c.send(answers[r.target]))
        with gate.connect() as connection:
            for target in ("/204", "/200", "/304", "/200"):
                answer = connection.request("GET", target)
                self.assertEqual(str(answer.status), target[1:])
                if answer.status == 204:
                    self.assertIsNone(answer.get("content-length"))
                    self.assertIsNone(answer.get("transfer-encoding"))

    def test_trailers_both_ways(self):
        gate = self.start(lambda c, r: c.send(
            b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"))
        with gate.connect() as connection:
            answer = connection.request(
                "POST", "/", {"TE": "trailers", "Connection": "TE", "Trailer": "X-Check",
                              "Transfer-Encoding": "chunked"}, b"1\r\na\r\n0\r\nX-Check: 9\r\n\r\n")
        self.assertEqual([(n.lower(), v) for n, v in answer.trailers], [("x-sum", "7")])
        seen = self.upstream.requests[0].trailers
        self.assertEqual([(n.lower(), v) for n, v in seen], [("x-check", "9")])


class Interim(Proxy):
    def test_100_continue(self):
        gate = self.start(lambda c, r: c.answer(200, r.body))
        with gate.connect() as connection:
            for _ in range(2):
                connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                                b"Expect: 100-continue\r\n\r\n")
                self.assertEqual(connection.read_head().status, 100)
                connection.send(b"hi")
                self.assertEqual(connection.read_response().body, b"hi")

    def test_a_refused_request_is_not_told_to_continue(self):
        gate = self.start(lambda c, r: c.answer(200), configs.plain(route='max_body = "1KiB"'))
        with gate.connect() as connection:
            connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n"
                            b"Expect: 100-continue\r\n\r\n")
            self.assertEqual(connection.read_head().status, 413)

    def test_early_hints_pass(self):
        gate = self.start(lambda c, r: (
            c.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"),
            c.answer(200, b"ok")))
        with gate.connect() as connection:
            connection.send_request("GET", "/")
            interim = []
            self.assertEqual(connection.read_response(interim=interim).body, b"ok")
            self.assertEqual([i.status for i in interim], [103])
            self.assertEqual(interim[0].get("link"), "</a.css>; rel=preload")
            connection.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")  # RFC 9110 15.2: none in 1.0
            self.assertEqual(connection.read_head().status, 200)


class OldVersions(Proxy):
    def test_a_client_of_http_1_0(self):
        for framing in ("length", "chunked", "close"):
            with self.subTest(framing):
                gate = self.start(lambda c, r, f=framing: c.answer(200, b"hello", framing=f))
                with gate.connect() as connection:
                    connection.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
                    answer = connection.read_head()
                    self.assertIsNone(answer.get("transfer-encoding"))
                    self.assertEqual(connection.read_to_end(), b"hello")
                self.assertTrue(self.upstream.requests[0].start.endswith("HTTP/1.1"))
                gate.stop()

    def test_an_origin_of_http_1_0(self):
        def answer(c, _):
            c.send(b"HTTP/1.0 200 OK\r\nX-Old: 1\r\n\r\nhello")
            c.close()
        gate = self.start(answer)
        with gate.connect() as connection:
            for _ in range(3):
                got = connection.request("GET", "/")
                self.assertEqual((got.status, got.body, got.get("x-old")), (200, b"hello", "1"))
                self.assertEqual(got.version, "HTTP/1.1")
        self.assertEqual(self.upstream.connections, 3)


class Curl(Proxy):
    def test_curl_sends_and_fetches(self):
        gate = self.start(lambda c, r: c.answer(200, r.body, framing="chunked"))
        sent = self.write("sent", bytes(range(256)) * 8192)
        for how in (["--data-binary", f"@{sent}"], ["-T", str(sent)],
                    ["-T", str(sent), "-H", "Transfer-Encoding: chunked"],
                    ["-T", str(sent), "-H", "Expect: 100-continue"]):
            with self.subTest(how):
                host, port = gate.address()
                done = subprocess.run(["curl", "-sS", "--max-time", "60", *how,
                                       f"http://{host}:{port}/up"], capture_output=True)
                self.assertEqual(done.stdout, sent.read_bytes(), done.stderr)


if __name__ == "__main__":
    harness.main()
