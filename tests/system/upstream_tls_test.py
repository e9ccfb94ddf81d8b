"""TLS to the origin: whom the gate trusts, and what it says when it does not."""

import re

from cryptography.x509.oid import ExtendedKeyUsageOID

import configs
import harness
from credentials import Authority, certificate, pin
from upstream_tls import CA, UpstreamTlsTest


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
