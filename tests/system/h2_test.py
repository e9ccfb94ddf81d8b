"""HTTP/2 with clients (RFC 9113): from ALPN or the preface to an HTTP/1.1 origin and back."""

import contextlib
import subprocess
import threading

import h2.settings

import client as http
import configs
import h2_case
import h2_client
import harness

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PING = b": ping\n\n"


class Basics(h2_case.Http2):
    def test_alpn(self):
        gate = self.start()
        for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"),
                                (["http/1.1"], "http/1.1"), ([], None)):
            with gate.connect(tls=http.tls_context(alpn=offered)) as connection:
                self.assertEqual(connection.socket.selected_alpn_protocol(), chosen)

    def test_a_request_and_its_answer(self):
        gate = self.start()
        with h2_client.connect(gate) as client:
            answer = client.request("GET", "/a/../b?c=d", {"x-one": "1"})
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.get("content-length"), str(len(answer.body)))
            self.assertIsNone(answer.get("connection"))
            lines = answer.body.decode().split("\n")
            self.assertEqual(lines[0], "GET /b?c=d HTTP/1.1")
            self.assertIn("host: localhost", lines)
            self.assertIn("x-one: 1", lines)
            self.assertIn("x-forwarded-proto: https", lines)
        line = gate.wait_for_access(status=200)
        self.assertEqual((line["protocol"], line["tls"], line["path"]), ("HTTP/2.0", "TLSv1.3", "/b?c=d"))

    def test_prior_knowledge_in_the_clear(self):
        gate = self.start(tls=False)
        with h2_client.connect(gate, tls=False) as client:
            self.assertEqual([client.request("GET", f"/{i}").status for i in range(3)], [200] * 3)
        line = gate.wait_for_access(path="/2")
        self.assertEqual((line["protocol"], line.get("tls", "")), ("HTTP/2.0", ""))

    def test_the_preface_may_come_in_pieces(self):
        gate = self.start(tls=False)
        with gate.connect() as stream:
            for octet in h2_client.PREFACE[:20]:
                stream.send(bytes([octet]))
            stream.send(h2_client.PREFACE[20:] + b"\0\0\0\4\0\0\0\0\0")
            self.assertEqual(stream.read_exactly(9)[3], 4)  # SETTINGS

    def test_protocols_that_are_not_configured(self):
        gate = self.start(listener='protocols = ["http/1.1"]', tls=False)
        with gate.connect() as stream:
            stream.send(h2_client.PREFACE)
            self.assertEqual(stream.read_response().status, 505)
        gate.stop()
        gate = self.start(listener='protocols = ["h2"]', tls=False)
        with gate.connect() as stream:
            stream.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertNotIn(b"HTTP/1.1", stream.read_to_end())
        with h2_client.connect(gate, tls=False) as client:
            self.assertEqual(client.request("GET", "/").status, 200)

    def test_an_upgrade_to_it_is_not_taken(self):
        """RFC 9113 3.1: h2c is gone."""
        gate = self.start(tls=False)
        with gate.connect() as connection:
            answer = connection.request("GET", "/", {
                "Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"})
            self.assertEqual(answer.status, 200)
            self.assertNotIn(b"upgrade", answer.body.lower())

    def test_many_streams_at_once(self):
        gate = self.start()
        with h2_client.connect(gate) as client:
            streams = [client.begin("GET", f"/{i}") for i in range(100)]
            for i, stream in enumerate(streams):
                answer = client.answer(stream)
                self.assertEqual((answer.status, answer.body.split()[1]), (200, b"/%d" % i))

    def test_a_small_body_goes_on_with_its_length(self):
        gate = self.start()
        with h2_client.connect(gate) as client:
            answer = client.request("POST", "/", body=b"hello")
        self.assertTrue(answer.body.endswith(b"\n\nhello"), answer.body)
        self.assertEqual(self.upstream.requests[0].get("content-length"), "5")

    def test_a_body_as_it_comes(self):
        gate = self.start()
        body = bytes(range(256)) * 2000
        with h2_client.connect(gate) as client:
            stream = client.begin("POST", "/", {"content-length": str(len(body))}, body=None)
            harness.eventually(lambda: self.upstream.connections, what="a request at the origin")
            client.send(stream, body, last=True)
            self.assertTrue(client.answer(stream).body.endswith(body))
            stream = client.begin("POST", "/", body=None)
            client.send(stream, body[:100])
            client.send(stream, body[100:], last=True)
            answer = client.answer(stream)
            self.assertTrue(answer.body.endswith(b"\n\n" + body))
        self.assertEqual(self.upstream.requests[1].get("transfer-encoding"), "chunked")
        self.assertEqual(gate.wait_for_access(bytes_in=len(body))["status"], 200)

    def test_a_long_answer(self):
        body = bytes(range(256)) * 8000
        for framing in ("length", "chunked", "close"):
            with self.subTest(framing):
                gate = self.start(lambda c, r, f=framing: c.answer(200, body, framing=f))
                with h2_client.connect(gate) as client:
                    answer = client.request("GET", "/")
                    self.assertEqual((answer.status, answer.body), (200, body))
                    self.assertIsNone(answer.get("transfer-encoding"))
                gate.stop()

    def test_answers_without_a_body(self):
        gate = self.start(lambda c, r: c.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + (b"" if r.method == "HEAD" else b"abc"))
            if r.target == "/200" else c.answer(int(r.target[1:])))
        with h2_client.connect(gate) as client:
            for method, path, length in (("HEAD", "/200", "3"), ("GET", "/204", None),
                                         ("GET", "/304", None), ("GET", "/404", "0")):
                answer = client.request(method, path)
                self.assertEqual((answer.status, answer.body, answer.get("content-length")),
                                 (int(path[1:]), b"", length))

    def test_what_is_refused_is_answered(self):
        gate = self.start(auth='["api_keys"]', more=configs.KEYS,
                          files={"keys": harness.new_key("tester")[1]})
        with h2_client.connect(gate) as client:
            answer = client.request("POST", "/", {"content-length": "3"}, body=b"abc")
            self.assertEqual(answer.status, 401)
            self.assertEqual(answer.get("content-type"), "application/problem+json")
            self.assertIn(b'"unauthorized"', answer.body)
        self.assertEqual(self.upstream.requests, [])

    def test_an_origin_that_is_cut_off_resets_the_stream(self):
        def half(connection, _):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            connection.reset()
        gate = self.start(half)
        with h2_client.connect(gate) as client:
            answer = client.request("GET", "/")
            self.assertEqual((answer.ended, answer.reset), (False, 2))
            self.assertEqual(client.request("GET", "/").reset, 2)  # the connection goes on

    def test_heartbeats_go_into_a_stream_of_events(self):
        go_on = threading.Event()

        def events(connection, _):
            connection.send(EVENTS)
            connection.chunk(b"data: 1\n\n")
            go_on.wait(harness.patience(20))
            connection.send(b"0\r\n\r\n")
        gate = self.start(events, route='heartbeat = "100ms"')
        with h2_client.connect(gate) as client:
            stream = client.begin("GET", "/")
            client.until(lambda: client.answers[stream].body.count(PING) >= 3)
            go_on.set()
            answer = client.answer(stream)
        self.assertEqual((answer.body.replace(PING, b""), answer.ended), (b"data: 1\n\n", True))

    def test_a_stream_of_events_that_is_revoked_ends_with_an_error(self):
        def events(connection, request):
            connection.send(EVENTS)
            connection.chunk(b"data: 1\n\n" if request.target == "/event" else b"data: 1")
            connection.closed_within(harness.patience(20))
        key, line = harness.new_key("alice")
        gate = self.start(events, auth='["api_keys"]', more=configs.KEYS, files={"keys": line + "\n"})
        with h2_client.connect(gate) as client:
            event, half = (client.begin("GET", path, {"x-api-key": key}) for path in ("/event", "/half"))
            client.until(lambda: client.answers[event].body and client.answers[half].body)
            done = harness.ringward("revoke", "identity", "alice", "--socket", f"{self.directory}/admin.sock")
            self.assertEqual(done.returncode, 0, done.stderr)
            told, cut = client.answer(event), client.answer(half)
        self.assertTrue(told.body.startswith(b"data: 1\n\nevent: error\ndata: {"), told.body)
        self.assertEqual((told.ended, told.reset), (True, None))
        self.assertEqual((cut.body, cut.ended, cut.reset), (b"data: 1", False, 2))
        for path in ("/event", "/half"):
            self.assertEqual(gate.wait_for_access(path=path)["reason"], "revoked")

    def test_who_takes_nothing_is_cut_off_when_he_is_revoked(self):
        def events(connection, _):
            connection.send(EVENTS)
            with contextlib.suppress(OSError):
                while True:
                    connection.chunk(b"data: " + b"x" * 1000 + b"\n\n")
        key, line = harness.new_key("alice")
        gate = self.start(events, auth='["api_keys"]', more=configs.KEYS, files={"keys": line + "\n"},
                          listener='timeouts.write_gap = "10m"')
        window = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 100}
        with h2_client.connect(gate, automatic_window=False, settings=window) as client:
            stream = client.begin("GET", "/", {"x-api-key": key})
            client.until(lambda: len(client.answers[stream].body) == 100)
            done = harness.ringward("revoke", "identity", "alice", "--socket", f"{self.directory}/admin.sock")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(client.answer(stream).reset, 2)
        self.assertEqual(gate.wait_for_access(path="/")["reason"], "revoked")

    def test_curl(self):
        gate = self.start()
        host, port = gate.address()
        done = subprocess.run(["curl", "-sk", "--http2", "-w", "%{http_version}",
                               f"https://{host}:{port}/x"], capture_output=True, text=True)
        self.assertIn("GET /x HTTP/1.1", done.stdout)
        self.assertTrue(done.stdout.endswith("2"), done.stdout)

    def test_it_ends_in_order(self):
        gate = self.start()
        with h2_client.connect(gate) as client:
            self.assertEqual(client.request("GET", "/").status, 200)
            gate.signal(15)
            self.assertEqual(client.wait_for_end()[1], 0)


if __name__ == "__main__":
    harness.main()
