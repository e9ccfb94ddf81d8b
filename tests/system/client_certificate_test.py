"""Certificates of clients at the listener: who comes in, and whom the gate takes them for."""

import ssl
import subprocess

import client_authority
import client_certificates
import credentials
import harness
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID


class ClientCertificates(client_certificates.CertificateTest):
    def test_a_client_is_its_certificate(self):
        for name in ("required", "optional"):
            self.assertEqual(self.caller(self.alice, name), "spiffe://example.org/alice")
            self.assertEqual(self.ask(self.alice, "/open", name=name).body, b"nobody")
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                with self.connect(self.alice, name, version) as connection:
                    for _ in range(3):
                        answer = connection.request("GET", "/")
                        self.assertEqual(answer.body, b"spiffe://example.org/alice")

    def test_any_key_and_no_usage_at_all_will_do(self):
        for shown in (self.authority.issue("a", usage=None),
                      self.authority.issue("a", usage=ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE),
                      self.authority.issue("a", signs=True),
                      self.authority.issue("a", key=rsa.generate_private_key(65537, 2048)),
                      self.authority.issue("a", key=ed25519.Ed25519PrivateKey.generate()),
                      self.authority.issue("a", key=ec.generate_private_key(ec.SECP384R1()))):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                with self.connect(shown, version=version) as connection:
                    self.assertEqual(connection.request("GET", "/").body, b"a")

    def served_while_valid(self, seconds):
        """A connection that was served with a certificate of so long a life; None: too late."""
        short = self.authority.issue("short", days=seconds / 86400)
        try:
            connection = self.connect(short)
            self.addCleanup(connection.close)
            return connection if connection.request("GET", "/").status == 200 else None
        except ssl.SSLError:
            return None

    def test_a_connection_ends_with_its_certificate(self):
        for seconds in (5, 20, 80):  # the machine may be too slow for the first ones
            connection = self.served_while_valid(seconds)
            if connection:
                break

        def ended():
            answer = connection.request("GET", "/")
            return answer.status != 200 and answer
        refused = harness.eventually(ended, within=seconds + 30)
        self.assertEqual(refused.status, 401)
        self.assertEqual(refused.get("connection"), "close")
        self.assertTrue(connection.closed_within(harness.patience(5)))
        self.gateway.wait_for_access(reason="expired", status=401)

    def test_who_shows_none(self):
        self.assertEqual(self.refused_with(None), "TLSV13_ALERT_CERTIFICATE_REQUIRED")
        self.assertEqual(self.refused_with(None, version=ssl.TLSVersion.TLSv1_2),
                         "SSLV3_ALERT_HANDSHAKE_FAILURE")
        self.gateway.wait_for_access(reason="client_certificate_missing", status=0)
        self.assertEqual(self.ask(None, "/open", name="optional").status, 200)
        refused = self.ask(None, name="optional")
        self.assertEqual(refused.status, 401)
        self.assertEqual(refused.get("www-authenticate"), 'Bearer realm="api"')
        self.gateway.wait_for_access(reason="missing", status=401)
        # Nobody asks there, and nobody sends one unasked.
        self.assertEqual(self.ask(self.alice, name="off").status, 401)
        self.assertEqual(self.ask(self.alice, "/open", name="off").status, 200)

    def test_what_is_refused_in_the_handshake(self):
        other = client_authority.ClientAuthority()  # of the same name
        cases = {
            "expired": (self.authority.issue("a", days=-0.5), "expired",
                        "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
            "to come": (self.authority.issue("a", since=0.5, days=2.0), "not_yet_valid",
                        "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
            "another's": (other.issue("a"), "untrusted", "ALERT"),
            "its own": (client_authority.self_signed("a"), "untrusted", "ALERT"),
            "a server's": (self.authority.issue("a", usage=ExtendedKeyUsageOID.SERVER_AUTH),
                           "unfit", "SSLV3_ALERT_BAD_CERTIFICATE"),
            "for encipherment": (self.authority.issue("a", signs=False), "unfit",
                                 "SSLV3_ALERT_BAD_CERTIFICATE"),
            "weak": (self.authority.issue("a", key=rsa.generate_private_key(65537, 1024)), "unfit",
                     "SSLV3_ALERT_BAD_CERTIFICATE"),
        }
        for name in ("required", "optional"):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                for what, (shown, reason, alert) in cases.items():
                    with self.subTest(what=what, name=name, version=version):
                        self.assertIn(alert, self.refused_with(shown, name, version))
                        self.gateway.wait_for_access(reason="client_certificate_" + reason)
        metrics = self.gateway.metrics()
        counts = {"expired": 4, "not_yet_valid": 4, "untrusted": 8, "unfit": 12}
        for reason, count in counts.items():
            self.assertRegex(metrics, rf'reason="client_certificate_{reason}".*\}} {count}\n')
        self.assertEqual(self.upstream.requests, [])
        self.assertEqual(self.caller(self.alice), "spiffe://example.org/alice")

    def chained(self, intermediates):
        """A certificate that sends along so many of them."""
        authority, chain = self.authority, ""
        for i in range(intermediates):
            authority = authority.intermediate(f"Below {i}")
            chain = authority.root + chain
        return authority.issue("far", chain=chain)

    def test_a_chain_may_have_nine(self):
        self.assertEqual(self.caller(self.chained(8)), "far")
        self.assertIn("ALERT", self.refused_with(self.chained(9), version=ssl.TLSVersion.TLSv1_2))
        self.gateway.wait_for_access(reason="client_certificate_unfit")

    def test_intermediates_count_for_their_own_handshake_alone(self):
        below = self.authority.intermediate("Below")
        without = below.issue("bob")
        along = credentials.Certificate(without.chain + below.root, without.key)
        self.assertIn("ALERT", self.refused_with(without))
        self.assertEqual(self.caller(along), "bob")
        for _ in range(8):  # on both workers
            self.assertEqual(self.caller(along), "bob")
            self.assertIn("ALERT", self.refused_with(without))
        leaf = self.authority.issue("bob", uris=["urn:bob"])
        signed_by_leaf = client_authority.ClientAuthority.__new__(client_authority.ClientAuthority)
        signed_by_leaf._key = credentials.load_private(leaf.key)
        signed_by_leaf._name = client_authority.common_names("bob")
        forged = signed_by_leaf.issue("admin", chain=leaf.chain)
        self.assertIn("ALERT", self.refused_with(forged))

    def test_name_constraints_hold(self):
        below = self.authority.intermediate("Constrained", x509.NameConstraints(
            [x509.DNSName("a.example")], None))
        self.assertEqual(self.caller(below.issue("x", dns=["x.a.example"], chain=below.root)),
                         "x.a.example")
        self.assertIn("ALERT", self.refused_with(
            below.issue("x", dns=["x.b.example"], chain=below.root)))

    def test_names(self):
        issue = self.authority.issue
        for shown, who in (
                (issue("cn", uris=["urn:x"], dns=["d.example"]), "urn:x"),
                (issue("cn", dns=["D.Example", "e.example"]), "d.example"),
                (issue("alice@example.org"), "alice@example.org"),
                (issue("c" * 64), "c" * 64),
                (issue("cn", uris=["urn:" + "u" * 252]), "urn:" + "u" * 252),
                # Each of these would be somebody else if only part of it counted.
                (issue("cn", uris=["urn:" + "u" * 253]), 401),
                (issue("cn", uris=["urn:a", "urn:b"]), 401),
                (issue("cn", dns=["*.example"]), 401),
                (issue("alice", "bob"), 401),
                (issue("alice\nbob"), 401),
                (issue("Alice Smith"), 401),
                (issue("alic\N{LATIN SMALL LETTER E WITH ACUTE}"), 401),
                (issue(), 401)):
            with self.subTest(who):
                self.assertEqual(self.caller(shown), who)
        self.gateway.wait_for_access(reason="certificate_name", status=401)
        # What wolfSSL lets nobody in with, since 5.9, may name nobody at least.
        for shown in (issue("cn", uris=["urn:a\0b"]), issue("cn", uris=[""]),
                      issue("cn", dns=["a.example\0.b.example"])):
            try:
                self.assertEqual(self.caller(shown), 401)
            except ssl.SSLError:
                self.gateway.wait_for_access(reason="client_certificate_unfit")

    def test_a_session_is_not_resumed(self):
        for name in ("required", "optional"):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                tls = client_authority.context(self.directory, self.alice, version)
                with self.gateway.connect(name, tls=tls) as first:
                    first.request("GET", "/")
                    session = first.socket.session
                with self.gateway.connect(name, tls=tls, session=session) as again:
                    self.assertEqual(again.request("GET", "/").body, b"spiffe://example.org/alice")
                    self.assertFalse(again.socket.session_reused)

    def test_a_ticket_of_another_listener_is_no_certificate(self):
        tls = client_authority.context(self.directory, None, ssl.TLSVersion.TLSv1_2)
        with self.gateway.connect("off", tls=tls) as first:
            first.request("GET", "/open")
            session = first.socket.session
        self.assertTrue(session.has_ticket)
        with self.gateway.connect("optional", tls=tls, session=session) as again:
            self.assertEqual(again.request("GET", "/").status, 401)
            self.assertFalse(again.socket.session_reused)
        with self.assertRaises(ssl.SSLError):
            self.gateway.connect("required", tls=tls, session=session)

    def test_the_bundle_is_reread(self):
        other = client_authority.ClientAuthority("Others")
        bob = other.issue("bob")
        self.assertIn("ALERT", self.refused_with(bob))
        kept = self.connect(self.alice)
        self.addCleanup(kept.close)
        self.assertEqual(kept.request("GET", "/").status, 200)
        self.write("clients.pem", self.authority.root + other.root)
        harness.eventually(lambda: self.is_let_in(bob), within=10)
        # An authority more is no reason to send anybody away.
        self.assertEqual(kept.request("GET", "/").status, 200)
        self.write("clients.pem", other.root)
        self.assertTrue(kept.closed_within(harness.patience(10)))
        harness.eventually(lambda: not self.is_let_in(self.alice), within=10)
        self.write("clients.pem", "no certificate\n")
        self.gateway.wait_for_log("holds no PEM certificate")
        self.assertEqual(self.caller(bob), "bob")

    def test_a_stricter_listener_sends_away_who_has_none(self):
        kept, other = self.connect(None, "optional"), self.connect(self.alice, "optional")
        for connection in (kept, other):
            self.addCleanup(connection.close)
            self.assertEqual(connection.request("GET", "/open").status, 200)
        self.write_config(
            client_certificates.CONFIG.replace('client_auth = "optional"',
                                               'client_auth = "required"'),
            origin=self.upstream.address)
        self.tell("reload")
        self.assertTrue(kept.closed_within(harness.patience(10)))
        self.assertEqual(other.request("GET", "/open").status, 200)

    def test_curl_and_openssl_are_let_in(self):
        (self.directory / "alice.pem").write_text(self.alice.chain + self.alice.key)
        port = self.gateway.listeners["required"][1]
        words = ["curl", "-ksS", "--cert", self.directory / "alice.pem"]
        done = subprocess.run([*words, f"https://127.0.0.1:{port}/"], capture_output=True,
                              text=True, timeout=harness.patience(20), check=True)
        self.assertEqual(done.stdout, "spiffe://example.org/alice")
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet",
             "-cert", self.directory / "alice.pem", "-key", self.directory / "alice.pem"],
            input="GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", capture_output=True,
            text=True, timeout=harness.patience(20), check=False)
        self.assertIn("spiffe://example.org/alice", done.stdout, done.stderr)

    def test_revocation_reaches_certificates(self):
        kept = self.connect(self.alice)
        self.addCleanup(kept.close)
        self.assertEqual(kept.request("GET", "/").status, 200)
        self.tell("revoke", "identity", "spiffe://example.org/alice")
        harness.eventually(lambda: kept.request("GET", "/").status == 401)
        harness.eventually(lambda: self.caller(self.alice) == 401)
        harness.eventually(lambda: self.ask(self.alice, "/key", [self.key]).status == 401)
        self.gateway.wait_for_access(reason="revoked", identity="spiffe://example.org/alice")
        self.assertEqual(self.caller(self.authority.issue("bob")), "bob")
        self.tell("unrevoke", "identity", "spiffe://example.org/alice")
        harness.eventually(lambda: kept.request("GET", "/").status == 200)


if __name__ == "__main__":
    harness.main()
