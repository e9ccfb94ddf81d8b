"""What an attacker tried and must not succeed with again: each is a fault that once was here."""

import os
import resource
import threading
import time

import configs
import credentials
import harness

SMALL = '[server]\nworkers = 1\nbuffers = "1MiB"\n'  # 63 buffers


class Attacks(harness.SystemTest):
    def connections(self, gate, count):
        made = [gate.connect() for _ in range(count)]
        for one in made:
            self.addCleanup(one.close)
        return made


class Buffers(Attacks):
    """However many clients hold a buffer each, answers must have some left to arrive in."""

    def test_more_requests_at_once_than_there_are_buffers(self):
        go = threading.Event()
        origin = self.origin(lambda c, r: (go.wait(harness.patience(20)), c.answer(200, b"ok")))
        gate = self.gate(configs.plain(more=SMALL), origin=origin.address)
        waiting = self.connections(gate, 150)
        for one in waiting:
            one.send_request("GET", "/")
        harness.eventually(lambda: len(origin.requests) == len(waiting), 10, "all are forwarded")
        go.set()
        for one in waiting:
            self.assertEqual(one.read_response().status, 200)

    def test_heads_that_only_begin_hold_nobody_up(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(more=SMALL), origin=origin.address)
        for beginning in ("G", "GET / HTTP/1.1\r\nHost: a\r\n"):
            slow = self.connections(gate, 150)
            for one in slow:
                one.send(beginning.encode())
            started = time.monotonic()
            self.assertEqual(gate.get("/").status, 200)
            self.assertLess(time.monotonic() - started, harness.patience(2))
            for one in slow:
                one.close()

    def test_octets_queued_behind_a_request_hold_nobody_up(self):
        go = threading.Event()

        def script(c, request):
            if request.target == "/slow":
                go.wait(harness.patience(20))
            c.answer(200, b"ok")
        origin = self.origin(script)
        gate = self.gate(configs.plain(more=SMALL), origin=origin.address)
        self.addCleanup(go.set)
        slow = self.connections(gate, 60)
        for one in slow:
            one.send_request("GET", "/slow")
        harness.eventually(lambda: len(origin.requests) == len(slow), 10, "all are forwarded")
        for _ in range(4):
            for one in slow:
                one.send(b"G")
            time.sleep(0.02)
        started = time.monotonic()
        self.assertEqual(gate.get("/").status, 200)
        self.assertLess(time.monotonic() - started, harness.patience(2))


class Desync(harness.SystemTest):
    def test_an_upstream_connection_that_is_owed_a_body_is_not_used_again(self):
        def script(c, request):
            if request.method != "POST":
                c.answer(200, b"ok")
                return
            # An answer that streams for longer than the gap, of a body that is not read.
            c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(6):
                time.sleep(0.3)
                c.chunk(b"abc")
            c.send(b"0\r\n\r\n")
            time.sleep(harness.patience(1))
            c.close()
        origin = self.origin(script, read_body=False)
        gate = self.gate(configs.plain(upstream='[upstream.timeouts]\ngap = "1s"',
                                       more="[server]\nworkers = 1\n"), origin=origin.address)
        attacker = gate.connect()
        size = 32 << 20

        def send():
            try:
                attacker.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
                attacker.send(b"A" * size)
            except OSError:
                pass
        sending = threading.Thread(target=send)
        sending.start()
        self.assertEqual(attacker.read_head().status, 200)
        attacker.read_until(b"0\r\n\r\n")
        self.assertEqual(gate.get("/victim").status, 200)
        self.assertEqual(origin.requests[-1].target, "/victim")
        attacker.close()
        sending.join()


class Clients(Attacks):
    def test_a_request_of_nobody_is_not_served(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(more="[server]\nworkers = 1\n"), origin=origin.address)
        for _ in range(500):
            connection = gate.connect()
            connection.send(b"GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
            connection.reset()
        self.assertEqual(gate.get("/after").status, 200)
        gate.wait_for_access(path="/after")
        self.assertEqual({line["client"] for line in gate.access}, {"127.0.0.1"})
        self.assertEqual({r.get("x-real-ip") for r in origin.requests}, {"127.0.0.1"})

    def test_descriptors_are_left_for_origins(self):
        go = threading.Event()
        self.addCleanup(go.set)
        origin = self.origin(lambda c, r: (go.wait(harness.patience(30)), c.answer(200, b"ok")))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        toml = configs.plain(more='[server]\nworkers = 1\n[admin]\nsocket = "off"\n'
                                  'address = "127.0.0.1:0"\n')
        config = self.write_config(toml, origin=origin.address)
        # The gate raises its own soft limit, so the hard one must come down, in a shell of its own.
        script = self.write("limited", '#!/bin/sh\nulimit -n 200\nexec "$0.bin" "$@"\n', mode=0o700)
        os.symlink(harness.BINARY, f"{script}.bin")
        before, harness.BINARY = harness.BINARY, script
        try:
            gate = harness.Gate(["run", "--config", config], self.directory)
        finally:
            harness.BINARY = before
        self.addCleanup(gate.stop)
        self.assertEqual((soft, hard), resource.getrlimit(resource.RLIMIT_NOFILE))
        gate.wait_for_log(r"warning: 200 descriptors .* are enough for 75 clients")
        held = self.connections(gate, 75)
        for one in held:
            one.send_request("GET", "/")
        harness.eventually(lambda: len(origin.requests) == 75, what="all are forwarded")
        for one in self.connections(gate, 225):
            self.assertTrue(one.closed_within(harness.patience(5)))
        go.set()
        for one in held:
            self.assertEqual(one.read_response().status, 200)
        self.assertEqual(gate.admin_get("/readyz").status, 200)

    def test_a_refused_body_that_drips_holds_nothing(self):
        """Its line is written when it is answered, and there is an end to reading what drips."""
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(auth='["api_keys"]', more=configs.KEYS),
                         origin=origin.address,
                         files={"keys": harness.new_key("alice")[1] + "\n"})
        with gate.connect() as connection:
            began = time.monotonic()
            connection.send_request("POST", "/drip", {"Content-Length": "60000"})
            self.assertEqual(connection.read_response().status, 401)
            self.assertLess(time.monotonic() - began, harness.patience(1))
            line = gate.wait_for_access(within=1, path="/drip")
            self.assertEqual((line["status"], bool(line["reason"])), (401, True))

            def ended():
                try:
                    connection.send(b"x")
                except (BrokenPipeError, ConnectionResetError):
                    return True
                return connection.closed_within(1)
            harness.eventually(ended, within=10, what="the end of the connection")
        # Nobody else's: a body that comes at once leaves the connection as it was.
        with gate.connect() as connection:
            for _ in range(2):
                self.assertEqual(connection.request("POST", "/", (), b"x" * 60000).status, 401)
        self.assertEqual(origin.requests, [])
        harness.eventually(lambda: len(gate.access) == 3, what="a line for each")


class Leaks(harness.SystemTest):
    def test_a_refused_target_is_redacted_too(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(more='[log]\nredact = ["?token"]\n'), origin=origin.address)
        long = b"X: " + b"a" * 40000
        for head in (b"GET /?token=SECRET HTTP/1.1\r\nHost: a\r\nA_B: c\r\n\r\n",
                     b"GET /%2f?token=SECRET HTTP/1.1\r\nHost: a\r\n\r\n",
                     b"GET /?token=SECRET HTTP/1.1\r\nHost: a\r\n" + long + b"\r\n\r\n",
                     b"GET /?token=SECRET HTTP/1.1\r\nHost: a\r\n"):
            with gate.connect() as connection:
                connection.send(head)
                connection.finish()
                connection.read_to_end()
        harness.eventually(lambda: len(gate.access) == 4, what="four lines")
        self.assertNotIn("SECRET", "\n".join(gate.output))
        self.assertIn("token=***", "\n".join(gate.output))

    def test_a_referer_is_redacted_in_combined_lines(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(more='[log]\nredact = ["?token"]\n'
                                            'access = { path = "-", format = "combined" }\n'),
                         origin=origin.address)
        gate.get("/", headers={"Referer": "https://a.example/x?token=SECRET&y=1"})
        harness.eventually(lambda: gate.output, what="a line")
        self.assertIn('"https://a.example/x?token=***&y=1"', gate.output[0])

    def test_trace_does_not_show_what_is_added(self):
        origin = self.origin(lambda c, r: c.answer(200, r.head))
        gate = self.gate(configs.plain(route='[route.request_headers]\nset = { x-secret = "S" }'),
                         origin=origin.address)
        answer = gate.get("/", method="TRACE")
        self.assertEqual(answer.status, 405)
        self.assertNotIn("TRACE", answer.get("allow"))
        self.assertEqual(origin.requests, [])

    def test_what_is_removed_from_answers_is_removed_from_trailers(self):
        origin = self.origin(lambda c, r: c.send(
            b"HTTP/1.1 200 OK\r\nX-Internal: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
            b"0\r\nX-Internal: b\r\nX-Kept: c\r\n\r\n"))
        gate = self.gate(configs.plain(route='[route.response_headers]\nremove = ["x-internal"]'),
                         origin=origin.address)
        answer = gate.get("/", headers={"TE": "trailers", "Connection": "TE"})
        self.assertEqual(answer.all("x-internal"), [])
        self.assertEqual(answer.trailers, [("X-Kept", "c")])


class Identities(harness.SystemTest):
    def test_alice_of_another_issuer_does_not_spend_our_alices_budget(self):
        signers = {name: credentials.SigningKey("ES256", kid=name) for name in ("one", "two")}
        issuers = "".join(
            f'[auth.jwt.{name}]\nissuer = "https://{name}.example"\naudiences = ["api"]\n'
            f'jwks = {{ file = "$dir/{name}.json" }}\n' for name in signers)
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        key, line = harness.new_key("alice")
        gate = self.gate(
            configs.plain(route='limits = ["few"]', auth='["api_keys", "jwt:one", "jwt:two"]',
                          more='[[limit]]\nname = "few"\nby = "identity"\nrate = "1/h"\nburst = 2\n'
                               '[auth.api_keys]\nfile = "$dir/keys"\n' + issuers),
            origin=origin.address,
            files={f"{name}.json": credentials.key_set(signer) for name, signer in signers.items()}
            | {"keys": line + "\n"})
        who = [{"x-api-key": key}]
        for name, signer in signers.items():
            token = signer.sign(credentials.claims("alice", issuer=f"https://{name}.example"))
            who.append({"Authorization": f"Bearer {token}"})
        for headers in who:
            statuses = [gate.get("/", headers=headers).status for _ in range(3)]
            self.assertEqual(statuses, [200, 200, 429], headers)


class Heads(harness.SystemTest):
    def test_a_head_of_any_size_that_is_allowed_goes_through(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok", {"X-Large": "b" * 50000}))
        gate = self.gate(configs.plain("[listener.limits]\nhead_bytes = \"64KiB\""),
                         origin=origin.address)
        answer = gate.get("/", headers={"X-Large": "a" * 50000})
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.get("x-large"), "b" * 50000)
        self.assertEqual(origin.requests[0].get("x-large"), "a" * 50000)


if __name__ == "__main__":
    harness.main()
