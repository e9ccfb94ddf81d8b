"""TLS to the origin: whom the gate trusts, what it says when it does not, and what it keeps."""

import contextlib
import re
import socket
import ssl
import threading

from cryptography.x509.oid import ExtendedKeyUsageOID

import configs
import harness
from credentials import Authority, certificate, pin

CA = 'ca = "$dir/ca.pem"'


def context(of, directory, name="origin", **settings):
    """What a scripted origin serves TLS with."""
    (directory / f"{name}.pem").write_text(of.chain)
    (directory / f"{name}.key").write_text(of.key)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(directory / f"{name}.pem", directory / f"{name}.key")
    for key, value in settings.items():
        setattr(made, key, value)
    return made


def ok(c, request):
    c.answer(200, b"ok")


class UpstreamTlsTest(harness.SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()

    def tls_origin(self, script=ok, of=None, **settings):
        of = of or self.authority.issue("localhost", "127.0.0.1")
        options = {k: settings.pop(k) for k in ("per_connection",) if k in settings}
        return self.origin(script, tls=context(of, self.directory, **settings), **options)

    running = None

    def tls_gate(self, origin, tls=CA, upstream="", ca=None, **files):
        """A gate in front of the origin; the one that this test had before is stopped."""
        if self.running:
            self.running.stop()
        self.running = self.gate(
            configs.plain(upstream=f"{upstream}\n[upstream.tls]\n{tls}"), origin=origin.address,
            files={"ca.pem": ca or self.authority.root} | files)
        return self.running

    def reload(self):
        done = harness.ringward("reload", "--socket", self.directory / "admin.sock")
        self.assertEqual(done.returncode, 0, done.stderr)

    def refused(self, gate, reason, status=502):
        """The client learns the status and nothing else; the reason is ours."""
        got = gate.get("/")
        self.assertEqual(got.status, status)
        self.assertEqual(got.body, b'{"type":"about:blank","title":"%b","status":%d}'
                         % ({502: b"Bad Gateway", 504: b"Gateway Timeout"}[status], status))
        gate.wait_for_access(status=status, reason=reason)

    def handshakes(self, gate):
        lines = [x for x in gate.metrics().splitlines()
                 if x.startswith("ringward_upstream_tls_handshakes_total{")]
        return {re.search('result="(.*)"', x)[1]: int(x.split()[1]) for x in lines}


class Verifying(UpstreamTlsTest):
    def test_a_chain_with_an_intermediate_and_an_address_for_a_name(self):
        origin = self.tls_origin()
        gate = self.tls_gate(origin)
        with gate.connect() as client:
            for _ in range(3):
                self.assertEqual(client.request("GET", "/").body, b"ok")
        self.assertEqual(origin.connections, 1)
        self.assertEqual(self.handshakes(gate), {"full": 1, "resumed": 0, "failed": 0})

    def test_server_name_is_what_the_certificate_must_be_for_and_what_sni_says(self):
        named = []
        origin = self.tls_origin(of=self.authority.issue("api.origin.example"),
                                 sni_callback=lambda s, name, c: named.append(name))
        gate = self.tls_gate(origin, CA + '\nserver_name = "API.origin.example"')
        self.assertEqual(gate.get("/").status, 200)
        self.assertEqual(named, ["api.origin.example"])

    def test_an_address_is_not_named_by_sni(self):
        named = []
        origin = self.tls_origin(sni_callback=lambda s, name, c: named.append(name))
        self.assertEqual(self.tls_gate(origin).get("/").status, 200)
        self.assertEqual(named, [None])

    def test_each_flaw_has_a_reason_and_a_line_that_names_the_server(self):
        issue = self.authority.issue
        flaws = {
            "upstream_tls_name": issue("elsewhere.example"),
            "upstream_tls_expired": issue("127.0.0.1", days=-2),
            "upstream_tls_not_yet_valid": issue("127.0.0.1", days=3, since=1),
            "upstream_tls_unfit": issue("127.0.0.1", usage=ExtendedKeyUsageOID.CLIENT_AUTH),
            "upstream_tls_untrusted": Authority("Another").issue("127.0.0.1"),
        }
        for reason, of in flaws.items():
            with self.subTest(reason):
                origin = self.tls_origin(of=of)
                gate = self.tls_gate(origin)
                self.refused(gate, reason)
                gate.wait_for_log(f"warning: upstream origin, server {origin.address}: TLS failed")
                self.assertEqual(origin.requests, [])
                self.assertEqual(self.handshakes(gate)["failed"], 2)  # tried twice: retry.attempts

    def test_without_its_intermediate_or_signed_by_itself_it_is_untrusted(self):
        for of in (self.authority.issue("127.0.0.1", with_intermediate=False),
                   certificate("127.0.0.1")):
            self.refused(self.tls_gate(self.tls_origin(of=of)), "upstream_tls_untrusted")

    def test_an_intermediate_that_may_not_sign_is_untrusted(self):
        authority = Authority(signs=False)
        origin = self.tls_origin(of=authority.issue("127.0.0.1"))
        self.refused(self.tls_gate(origin, ca=authority.root), "upstream_tls_untrusted")

    def test_a_certificate_too_many_in_the_chain_does_no_harm(self):
        of = self.authority.issue("127.0.0.1")
        of.chain += Authority("Nobody knows").intermediate
        self.assertEqual(self.tls_gate(self.tls_origin(of=of)).get("/").status, 200)

    def test_one_signed_by_itself_is_its_own_authority_when_told_so(self):
        of = certificate("127.0.0.1")
        self.assertEqual(self.tls_gate(self.tls_origin(of=of), ca=of.chain).get("/").status, 200)

    def test_a_failing_server_has_few_lines(self):
        gate = self.tls_gate(self.tls_origin(of=certificate("127.0.0.1")))
        for _ in range(50):
            self.assertEqual(gate.get("/").status, 502)
        gate.wait_for_log("TLS failed")
        self.assertLessEqual(sum("TLS failed" in line for line in gate.log), 2)

    def test_verification_off_is_said_at_the_start_and_at_every_reload(self):
        gate = self.tls_gate(self.tls_origin(of=certificate("elsewhere")), "verify = false")
        self.assertEqual(gate.get("/").status, 200)
        self.reload()
        harness.eventually(
            lambda: sum("upstream origin is not verified" in x for x in gate.log) == 2)

    def test_the_system_authorities_do_not_trust_a_stranger(self):
        self.refused(self.tls_gate(self.tls_origin(), 'ca = "system"'), "upstream_tls_untrusted")


class Checks(UpstreamTlsTest):
    HEALTH = '[upstream.health]\npath = "/well"\ninterval = "100ms"\nfall = 1\nrise = 1'

    def test_they_speak_tls_and_verify_as_requests_do(self):
        origin = self.tls_origin()
        gate = self.tls_gate(origin, upstream=self.HEALTH)
        harness.eventually(lambda: any(x.target == "/well" for x in origin.requests))
        self.assertEqual(gate.get("/").status, 200)
        self.write("ca.pem", Authority("Another").root)
        gate.wait_for_log(f"server {origin.address}: TLS failed")
        gate.wait_for_log("check_tls")


class Pins(UpstreamTlsTest):
    def test_leaf_intermediate_and_root_may_be_pinned_and_nothing_else(self):
        of = self.authority.issue("127.0.0.1")
        origin = self.tls_origin(of=of)
        for pem in (of.chain, self.authority.intermediate, self.authority.root):
            gate = self.tls_gate(origin, f'{CA}\npin = ["{pin(certificate().chain)}", "{pin(pem)}"]')
            self.assertEqual(gate.get("/").status, 200)
        self.refused(self.tls_gate(origin, f'{CA}\npin = ["{pin(certificate().chain)}"]'),
                     "upstream_tls_pin")

    def test_a_pinned_certificate_that_is_only_sent_along_does_not_count(self):
        other = certificate("127.0.0.1")
        of = self.authority.issue("127.0.0.1")
        of.chain += other.chain
        gate = self.tls_gate(self.tls_origin(of=of), f'{CA}\npin = ["{pin(other.chain)}"]',
                             ca=self.authority.root + other.chain)
        self.refused(gate, "upstream_tls_pin")

    def test_a_pin_holds_without_verification(self):
        of = certificate("elsewhere.example")
        origin = self.tls_origin(of=of)
        for pem, status in ((of.chain, 200), (certificate().chain, 502)):
            gate = self.tls_gate(origin, f'verify = false\npin = ["{pin(pem)}"]')
            self.assertEqual(gate.get("/").status, status)


class Failing(UpstreamTlsTest):
    def test_plain_http_where_tls_should_be(self):
        origin = self.origin(None, per_connection=lambda c: c.send(b"HTTP/1.1 400 No\r\n\r\n"))
        self.refused(self.tls_gate(origin), "upstream_tls_not_tls")

    def test_silence_is_bounded_by_the_connect_timeout(self):
        done = threading.Event()
        self.addCleanup(done.set)
        origin = self.origin(None, per_connection=lambda c: done.wait(30))
        gate = self.tls_gate(origin, upstream='[upstream.timeouts]\nconnect = "200ms"')
        self.refused(gate, "upstream_tls_timeout", 504)

    def test_hanging_up_during_the_handshake(self):
        for how in ("close", "reset"):
            origin = self.origin(None, per_connection=lambda c, how=how: getattr(c, how)())
            self.refused(self.tls_gate(origin), "upstream_tls_closed")

    def test_an_alert(self):
        origin = self.tls_origin(minimum_version=ssl.TLSVersion.TLSv1_3)
        origin._tls.set_alpn_protocols(["h2"])  # pylint: disable=protected-access
        gate = self.tls_gate(origin)
        self.assertEqual(gate.get("/").status, 200)  # OpenSSL then agrees on none

        def refuse(c):
            c.socket.recv(65536)
            c.send(bytes([21, 3, 3, 0, 2, 2, 40]))  # handshake_failure
        origin = self.origin(None, per_connection=refuse)
        self.refused(self.tls_gate(origin), "upstream_tls_alert")

    def test_a_second_server_is_tried_when_the_first_one_is_not_itself(self):
        good = self.tls_origin()
        bad = self.tls_origin(of=certificate("127.0.0.1"))
        servers = f'{good.address}" }}, {{ address = "{bad.address}'
        gate = self.gate(configs.plain(upstream=f"[upstream.tls]\n{CA}"), origin=servers,
                         files={"ca.pem": self.authority.root})
        for _ in range(20):
            self.assertEqual(gate.get("/", method="POST", body=b"x").status, 200)
        self.assertEqual(bad.requests, [])

    def test_an_origin_that_closes_right_after_the_handshake(self):
        seen = []

        def hang_up(c):
            seen.append(1)
            if len(seen) == 1:
                with contextlib.suppress(OSError):
                    c.socket = c.socket.unwrap()
                return c.close()
            return c.answer(200, b"ok") if c.read_head() else None
        gate = self.tls_gate(self.tls_origin(per_connection=hang_up))
        self.assertEqual(gate.get("/").status, 200)

    def test_an_answer_that_ends_without_close_notify_was_cut(self):
        def cut(c, request):
            c.send(b"HTTP/1.1 200 OK\r\n\r\nall of it, or is it")
            if request.target == "/whole":
                with contextlib.suppress(OSError):
                    c.socket = c.socket.unwrap()
            else:
                plain = c.socket.detach()
                socket.socket(fileno=plain).close()
            c.ended = True
        gate = self.tls_gate(self.tls_origin(cut))
        self.assertTrue(gate.get("/whole").body.startswith(b"all of it"))
        with self.assertRaises(Exception):  # noqa: B017: however the client is told
            gate.get("/cut")
        gate.wait_for_access(reason="upstream_body_cut")


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


class Docs(UpstreamTlsTest):
    def test_what_the_page_shows_is_in_order(self):
        own = self.authority.issue("gate.example")
        for name, text in {"origin-ca.pem": self.authority.root, "gate.pem": own.chain,
                           "gate.key": own.key}.items():
            self.write(f"tls/{name}", text)
        page = (harness.ROOT / "docs" / "upstream-tls.md").read_text()
        shown = re.findall(r"```toml\n(.*?)```", page, re.S)
        self.assertEqual(len(shown), 3)
        for text in shown:
            if not text.startswith("[["):
                text = '[[upstream]]\nname = "origin"\n' + text
            # No machine knows these names.
            text = re.sub(r"origin\.(example|internal)", "localhost", text)
            text = text.replace("/etc/ringward/tls", "$dir/tls")
            config = self.write_config(
                configs.LISTENER + text + configs.ROUTE + 'auth = []\n')
            done = harness.ringward("check", "--config", config)
            self.assertEqual(done.returncode, 0, done.stderr + done.stdout)


if __name__ == "__main__":
    harness.main()
