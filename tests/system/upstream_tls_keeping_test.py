"""TLS to the origin: connections and sessions that are kept, and certificates of the gate's own."""

import ssl
import threading

import configs
import harness
from credentials import Authority
from upstream_tls import CA, UpstreamTlsTest, ok


class Keeping(UpstreamTlsTest):
    def test_tickets_that_come_while_nobody_waits_do_not_cost_the_connection(self):
        said = threading.Event()

        def late_tickets(c, request):
            c.answer(200, b"ok")
            said.set()
        origin = self.tls_origin(late_tickets, minimum_version=ssl.TLSVersion.TLSv1_3,
                                 num_tickets=2)
        gate = self.tls_gate(origin)
        for _ in range(5):
            self.assertEqual(gate.get("/").status, 200)
        self.assertLessEqual(origin.connections, 2)  # of two workers
        self.assertTrue(said.is_set())

    def test_sessions_are_resumed_with_both_versions(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            resumed = []

            def answer(c, request, resumed=resumed):
                resumed.append(c.socket.session_reused)
                c.answer(200, b"ok", {"Connection": "close"})
                c.close()
            origin = self.tls_origin(answer, maximum_version=version)
            gate = self.tls_gate(origin)
            for _ in range(10):
                self.assertEqual(gate.get("/").status, 200)
            self.assertLessEqual(resumed.count(False), 2)  # of two workers
            self.assertGreaterEqual(self.handshakes(gate)["resumed"], 8)

    def test_an_idle_connection_that_says_something_is_not_used_again(self):
        leftover = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
        said = threading.Event()

        def chatter(c, request):
            c.answer(200, b"ok")
            c.send(leftover)  # a record of its own
            said.set()
        origin = self.tls_origin(chatter)
        gate = self.tls_gate(origin)
        for count in range(1, 11):
            said.clear()
            self.assertEqual(gate.get("/").body, b"ok")
            said.wait(5)
            self.assertEqual(origin.connections, count)

    def test_new_authorities_close_what_the_old_ones_vouched_for(self):
        origin = self.tls_origin()
        gate = self.tls_gate(origin)
        for _ in range(4):
            self.assertEqual(gate.get("/").status, 200)
        self.write("ca.pem", Authority("Another").root)
        gate.wait_for_log("were read anew")
        self.refused(gate, "upstream_tls_untrusted")
        self.write("ca.pem", "no certificate")
        gate.wait_for_log("ca.pem: holds no PEM certificate")
        self.refused(gate, "upstream_tls_untrusted")
        self.write("ca.pem", self.authority.root)
        harness.eventually(lambda: gate.get("/").status == 200)

    def test_a_reload_that_changes_nothing_keeps_connections_and_sessions(self):
        origin = self.tls_origin()
        gate = self.tls_gate(origin)
        for _ in range(10):
            self.assertEqual(gate.get("/").status, 200)
        before = origin.connections
        self.reload()
        for _ in range(10):
            self.assertEqual(gate.get("/").status, 200)
        self.assertLessEqual(origin.connections, max(before, 2))

    def test_authorities_change_under_load_and_nobody_notices(self):
        origin = self.tls_origin()
        gate = self.tls_gate(origin)
        failed = []
        stop = threading.Event()

        def ask():
            while not stop.is_set():
                if (got := gate.get("/").status) != 200:
                    failed.append(got)
        askers = [threading.Thread(target=ask) for _ in range(4)]
        for one in askers:
            one.start()
        for i in range(6):
            self.write("ca.pem", self.authority.root + (Authority(f"More {i}").root if i % 2 else ""))
            harness.eventually(lambda i=i: sum("read anew" in x for x in gate.log) > i)
        stop.set()
        for one in askers:
            one.join()
        self.assertEqual(failed, [])


class MutualTls(UpstreamTlsTest):
    OWN = CA + '\ncertificate = { chain = "$dir/own.pem", key = { file = "$dir/own.key" } }'

    def origin_that_asks(self, script=ok):
        made = self.tls_origin(script)
        (self.directory / "clients.pem").write_text(self.authority.root)
        made._tls.load_verify_locations(self.directory / "clients.pem")
        made._tls.verify_mode = ssl.CERT_REQUIRED
        return made

    def test_the_gate_shows_its_certificate(self):
        for maximum in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            seen = []

            def answer(c, request, seen=seen):
                seen.append(c.socket.getpeercert()["subjectAltName"][0][1])
                c.answer(200, b"ok")
            origin = self.origin_that_asks(answer)
            origin._tls.maximum_version = maximum
            own = self.authority.issue("gate.example")
            gate = self.tls_gate(origin, self.OWN, **{"own.pem": own.chain, "own.key": own.key})
            self.assertEqual(gate.get("/").status, 200)
            self.assertEqual(seen, ["gate.example"])

    def test_without_one_the_origin_refuses(self):
        origin = self.origin_that_asks()
        self.refused(self.tls_gate(origin), "upstream_tls_alert")
        self.assertEqual(origin.requests, [])

    def test_a_new_certificate_is_shown_once_it_is_there(self):
        seen = []

        def answer(c, request):
            seen.append(c.socket.getpeercert()["subjectAltName"][0][1])
            c.answer(200, b"ok")
        own = self.authority.issue("old.example")
        gate = self.tls_gate(self.origin_that_asks(answer), self.OWN,
                             **{"own.pem": own.chain, "own.key": own.key})
        self.assertEqual(gate.get("/").status, 200)
        new = self.authority.issue("new.example")
        self.write("own.pem", new.chain)  # for a moment the key is another's: the old pair stays
        self.write("own.key", new.key)
        gate.wait_for_log("were read anew")
        harness.eventually(lambda: gate.get("/").status == 200 and seen[-1] == "new.example")

    def test_a_key_that_others_can_read_is_refused(self):
        own = self.authority.issue("gate.example")
        self.write("own.key", own.key, 0o644)
        said = self.refused_start(
            configs.plain(upstream=f"[upstream.tls]\n{self.OWN}"), origin="127.0.0.1:9",
            files={"ca.pem": self.authority.root, "own.pem": own.chain})
        self.assertIn("own.key", said)
        self.assertIn("chmod", said)


if __name__ == "__main__":
    harness.main()
