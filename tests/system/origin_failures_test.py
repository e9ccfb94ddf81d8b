"""An origin that dies, at every stage: the status, the reason in the log, and who tries again."""

import json
import socket
import time

import client
import configs
import harness


class Failures(harness.SystemTest):
    def start(self, script=None, config=None, **options):
        self.upstream = self.origin(script, **options)
        return self.gate(config or configs.plain(), origin=self.upstream.address)

    def refused(self, gate, status, method="POST", target="/", body=b"x"):
        """The reason in the log of a refusal, after which the gate serves on."""
        answer = gate.get(target, method=method, body=body)
        self.assertEqual(answer.status, status)
        self.assertEqual(answer.get("content-type"), "application/problem+json")
        reason = gate.wait_for_access(status=status).get("reason")
        self.assertTrue(reason)
        return reason


class BeforeTheAnswer(Failures):
    def test_every_failure_has_its_status_and_its_own_reason(self):
        reasons = {}
        def keep(name, gate, status):
            with self.subTest(name):
                reasons[name] = self.refused(gate, status)
            gate.stop()

        refusing = self.start(lambda c, r: c.answer(200))
        self.upstream.refuse()
        keep("refused", refusing, 502)
        keep("closed", self.start(lambda c, r: c.close()), 502)
        keep("reset", self.start(lambda c, r: c.reset()), 502)
        keep("half a head", self.start(lambda c, r: (c.send(b"HTTP/1.1 200 OK\r\nX-A"), c.close())),
             502)
        keep("bad head", self.start(lambda c, r: c.send(b"HTTP/1.1 200 OK\r\nX A: b\r\n\r\n")), 502)
        slow = configs.plain(upstream='[upstream.timeouts]\nfirst_byte = "300ms"')
        keep("slow", self.start(lambda c, r: c.receive(), slow), 504)
        full = configs.plain(upstream="[upstream.pool]\nmax_requests_in_flight = 1")
        gate = self.start(lambda c, r: c.receive(), full)
        with gate.connect() as first:
            first.send_request("GET", "/")
            harness.eventually(lambda: self.upstream.requests)
            with self.subTest("full"):
                answer = gate.get("/")
                self.assertEqual(answer.status, 503)
                self.assertTrue(answer.get("retry-after"))
                reasons["full"] = gate.wait_for_access(status=503).get("reason")
        told_apart = {reasons.get(n) for n in ("refused", "closed", "bad head", "slow", "full")}
        self.assertEqual(len(told_apart), 5, reasons)

    def test_an_operators_words_are_told_when_nobody_is_there_and_only_then(self):
        words = 'Not "started" yet:\n/etc/x, ask \u00fc'
        config = configs.plain(upstream="unreachable_detail = " + json.dumps(words))
        gate = self.start(lambda c, r: c.send(b"garbage\r\n\r\n"), config)
        plain = {"type": "about:blank", "title": "Bad Gateway", "status": 502}
        self.assertEqual(json.loads(gate.get("/").body), plain)
        self.upstream.refuse()
        self.assertEqual(json.loads(gate.get("/").body), plain | {"detail": words})
        self.assertEqual(gate.get("/", method="HEAD").body, b"")

    def test_a_bad_head_of_an_origin_is_502(self):
        heads = [b"garbage\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/2.0 200 OK\r\n\r\n",
                 b"HTTP/1.1 200 OK\nX: y\n\n", b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                 b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
                 b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\na",
                 b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"0\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nX-A: b\r\n c: folded\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n", b"HTTP/1.1 999999 OK\r\n\r\n",
                 b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 300_000 + b"\r\n\r\n"]
        todo = list(heads)
        gate = self.start(lambda c, r: (c.send(todo[0]), c.close()))
        for head in heads:
            with self.subTest(head[:80]):
                todo[0] = head
                self.assertEqual(gate.get("/", method="POST", body=b"x").status, 502)

    def test_nobody_answers_the_connect(self):
        # 192.0.2.0/24 is for documentation: either no route at once, or nobody answers.
        text = configs.plain(upstream='[upstream.timeouts]\nconnect = "300ms"')
        gate = self.gate(text, origin="192.0.2.1:9")
        start = time.monotonic()
        self.assertIn(gate.get("/").status, (502, 504))
        self.assertLess(time.monotonic() - start, harness.patience(5))


class Names(Failures):
    def test_an_origin_on_one_address_of_its_name(self):
        """Where localhost is ::1 as well, half of all connects are refused and tried on 127.0.0.1:
        nobody notices, whatever the method."""
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(), origin=f"localhost:{origin.port}")
        for method in ("GET", "POST") * 10:
            self.assertEqual(gate.get("/", method=method, body=b"x").status, 200)
        entry = gate.wait_for_access(method="POST")
        self.assertEqual(entry["upstream"], f"localhost:{origin.port} (127.0.0.1)")
        found = socket.getaddrinfo("localhost", origin.port, type=socket.SOCK_STREAM,
                                   flags=socket.AI_ADDRCONFIG)
        addresses = {address[0] for *_, address in found}
        if len(addresses) > 1:
            gate.wait_for_access(attempts=2, status=200)


class InTheAnswer(Failures):
    """Once the head is out only the connection can tell: it must not end as if all was well."""

    def cut(self, script):
        gate = self.start(script)
        with gate.connect() as connection:
            connection.send_request("GET", "/")
            try:
                self.assertEqual(connection.read_head().status, 200)
                got = connection.read_to_end()
            except ConnectionResetError:
                got = b""
        entry = gate.wait_for_access(status=200)
        gate.stop()
        self.assertTrue(entry.get("reason"), entry)
        return got

    def test_within_a_content_length(self):
        for end in ("close", "reset"):
            with self.subTest(end):
                got = self.cut(lambda c, r, e=end: (
                    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), getattr(c, e)()))
                self.assertLess(len(got), 10)

    def test_within_a_chunk_and_between_chunks(self):
        for sent in (b"a\r\nhalf", b"4\r\nhalf\r\n", b"4\r\nhalf", b"4", b"4\r\nhalf\r\n0\r\n"):
            for end in ("close", "reset"):
                with self.subTest(sent=sent, end=end):
                    got = self.cut(lambda c, r, s=sent, e=end: (
                        c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + s),
                        getattr(c, e)()))
                    self.assertFalse(got.endswith(b"0\r\n\r\n"), got)

    def test_bad_chunks(self):
        for sent in (b"zz\r\nhi\r\n", b"-1\r\n", b"2\nhi\r\n0\r\n\r\n", b"2\r\nhiX\r\n0\r\n\r\n",
                     b"ffffffffffffffffff\r\nhi", b" 2\r\nhi\r\n0\r\n\r\n"):
            with self.subTest(sent):
                got = self.cut(lambda c, r, s=sent: c.send(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n" + s))
                self.assertFalse(got.endswith(b"0\r\n\r\n"), got)

    def test_a_silence_longer_than_the_gap(self):
        gate = self.start(lambda c, r: (c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
                                        c.receive()),
                          configs.plain(upstream='[upstream.timeouts]\ngap = "300ms"'))
        with self.assertRaises((client.Closed, ConnectionResetError)):
            gate.get("/")
        self.assertTrue(gate.wait_for_access(status=200).get("reason"))

    def test_an_answer_without_length_ends_with_the_connection(self):
        """A reset in a body that ends with the connection is no end."""
        got = self.cut(lambda c, r: (c.send(b"HTTP/1.1 200 OK\r\n\r\nhalf"), time.sleep(0.2),
                                     c.reset()))
        self.assertFalse(got.endswith(b"0\r\n\r\n"), got)


class Retries(Failures):
    """An origin that closes its kept connection just when the second request of it comes."""

    def start_dying(self, on_death):
        seen = self.seen = []

        def serve(c):
            while True:
                request = c.read_head()
                c.read_body(request)
                seen.append((c.number, request.method, request.body))
                if c.number == 0 and len(seen) > 1:
                    on_death(c)
                    return
                c.answer(200, b"ok")
        return self.start(per_connection=serve, config=configs.plain(), script=None)

    def second(self, method, on_death, body=b""):
        gate = self.start_dying(on_death)
        with gate.connect() as connection:
            self.assertEqual(connection.request("GET", "/").status, 200)
            answer = connection.request(method, "/again", body=body)
        gate.wait_for_access(path="/again")
        return answer.status

    def test_idempotent_requests_are_sent_once_more(self):
        for method in ("GET", "PUT", "DELETE"):
            for death in (lambda c: c.close(), lambda c: c.reset()):
                with self.subTest(method):
                    self.assertEqual(self.second(method, death, b"" if method == "GET" else b"b"),
                                     200)
                    self.assertEqual([n for n, *_ in self.seen], [0, 0, 1])
                    self.assertEqual(self.seen[1][1:], self.seen[2][1:])
                    self.doCleanups()
                    self.setUp()

    def test_post_is_not(self):
        self.assertEqual(self.second("POST", lambda c: c.close(), b"once"), 502)
        self.assertEqual(len(self.seen), 2)

    def test_not_after_a_byte_of_the_answer(self):
        self.assertEqual(self.second("GET", lambda c: (c.send(b"HTTP/1.1 2"), c.close())), 502)
        self.assertEqual(len(self.seen), 2)

    def test_once_only(self):
        gate = self.start(lambda c, r: c.close())
        self.assertEqual(gate.get("/").status, 502)
        self.assertLessEqual(len(self.upstream.requests), 2)

    def test_a_pooled_connection_that_died_meanwhile_costs_nobody_an_error(self):
        gate = self.start(lambda c, r: c.answer(200, b"ok"))
        with gate.connect() as connection:
            for _ in range(5):
                for method in ("GET", "POST"):
                    self.assertEqual(connection.request(method, "/").status, 200)
                self.upstream.reset_all()
                time.sleep(0.2)

    def test_the_origin_comes_back(self):
        gate = self.start(lambda c, r: c.answer(200, b"ok"))
        port = self.upstream.port
        self.assertEqual(gate.get("/").status, 200)
        self.upstream.stop()
        self.assertEqual(gate.get("/").status, 502)
        self.origin(lambda c, r: c.answer(200, b"back"), port=port)
        self.assertEqual(gate.get("/").body, b"back")


if __name__ == "__main__":
    harness.main()
