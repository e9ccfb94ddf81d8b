"""Origins by name: one family of addresses that fails, names that never rest, patience, and TLS by
the name wherever it leads."""

import errno
import re
import ssl

import harness
import names_test
from credentials import Authority
from name_server import A, AAAA

NAME = names_test.NAME
QUICK = "options timeout:1 attempts:1"


class Families(names_test.Names):
    """What is asked for is one name; A and AAAA are two questions, and either may fail."""

    def setUp(self):
        super().setUp()
        self.resolv(f"nameserver {self.names.host}\n{QUICK}")
        self.names.records[NAME] = ["127.0.0.2", "::1"]

    def wait_for_addresses(self, *hosts, name=NAME):
        wanted = sorted(f"{name}:9 ({host})" for host in hosts)
        harness.eventually(lambda: sorted(self.rows()) == wanted, 30, f"{wanted}")

    def test_one_that_fails_keeps_its_addresses_and_the_other_one_moves(self):
        for number, how in enumerate(("servfail", "silent")):
            with self.subTest(how):
                self.names.modes.clear()
                self.names.records[NAME] = ["127.0.0.2", "::1"]
                gate = self.start_named(9)
                self.wait_for_addresses("127.0.0.2", "::1")
                self.names.modes[AAAA] = how
                self.names.records[NAME] = [f"127.0.0.{3 + number}"]
                self.wait_for_addresses(f"127.0.0.{3 + number}", "::1")
                gate.wait_for_log(rf"warning: name {NAME}: .*; it keeps ::1 127\.0\.0\.\d until a "
                                  "lookup succeeds")
                # Now it says itself that there is none.
                self.names.modes[AAAA] = "empty"
                self.wait_for_addresses(f"127.0.0.{3 + number}")
                gate.stop()

    def test_it_is_asked_for_where_the_search_domains_led(self):
        self.resolv(f"nameserver {self.names.host}\nsearch wrong.example corp.example\n{QUICK}")
        self.names.records = {"origin.corp.example": ["127.0.0.2", "::1"]}
        self.start_named(9, name="origin")
        self.wait_for_addresses("127.0.0.2", "::1", name="origin")
        self.names.modes[AAAA] = "servfail"
        harness.eventually(lambda: self.kept(), 30, "a lookup that fails for AAAA")
        self.names.records["origin.corp.example"] = ["127.0.0.3"]
        self.wait_for_addresses("127.0.0.3", "::1", name="origin")
        self.names.modes[AAAA] = "empty"
        self.wait_for_addresses("127.0.0.3", name="origin")

    def test_the_other_family_as_well(self):
        self.start_named(9)
        self.wait_for_addresses("127.0.0.2", "::1")
        self.names.modes[A] = "servfail"
        harness.eventually(lambda: self.kept(), 30, "a lookup that fails for A")
        self.wait_for_addresses("127.0.0.2", "::1")
        self.names.modes[A] = "empty"
        self.wait_for_addresses("::1")

    def kept(self):
        return re.search(r"name .*127\.0\.0\.2.*; .*name server", self.command("status"))

    def test_one_that_is_gone_is_let_go_at_once(self):
        self.resolv(f"nameserver {self.names.host}")
        gate = self.start_named(9)
        self.wait_for_addresses("127.0.0.2", "::1")
        self.names.records[NAME] = ["127.0.0.2"]
        self.wait_for_addresses("127.0.0.2")
        self.assertFalse(any("it keeps" in line for line in gate.log))

    def test_a_family_that_never_was_there_is_not_asked_for_again(self):
        self.names.records[NAME] = ["127.0.0.2"]
        self.start_named(9)
        harness.eventually(lambda: len(self.names.asked) > 8, 30)
        asked = [kind for _, kind, _ in self.names.asked]
        self.assertLessEqual(abs(asked.count(A) - asked.count(AAAA)), 1)


class Patience(names_test.Names):
    def asked_per_lookup(self, options, wanted):
        """How often each name server was asked for A, while it said nothing."""
        self.resolv(f"nameserver {self.names.host}\n{options}")
        self.names.mode = "silent"
        gate = self.start_named(9)
        try:
            harness.eventually(lambda: self.lookups(gate) >= 2, 60)
            asked = sum(kind == A for _, kind, _ in self.names.asked)
            lookups = self.lookups(gate)
            # One more may be under way, or have ended in between.
            self.assertLessEqual(wanted * (lookups - 1), asked)
            self.assertLessEqual(asked, wanted * (lookups + 1))
            self.names.asked.clear()
        finally:
            gate.stop()

    def lookups(self, gate):
        return int(re.search(r"ringward_name_lookups_total\{.*\} (\d+)", gate.metrics())[1])

    def test_resolv_conf_says_how_often_and_how_long(self):
        self.asked_per_lookup("options timeout:1 attempts:1", 1)
        self.asked_per_lookup("options attempts:3 timeout:1", 3)


class Restless(names_test.Names):
    def test_a_name_that_changes_without_end_is_held(self):
        self.names.records[NAME] = ["127.8.0.1"] * 64
        self.names.turns = True
        self.names.mode = "truncated"  # so many need TCP
        gate = self.start_named(9)
        gate.wait_for_log(rf"warning: name {NAME}: its addresses have changed too often \(16 times, "
                          r"and once every 5m, are taken\); it keeps 127\.8\.", within=60)
        self.assertIn("changes too often, and keeps these for now", self.command("status"))
        self.assertEqual(len(self.rows()), 64)
        held = lambda: int(re.search(r"ringward_name_changes_held_total\{.*\} (\d+)",  # noqa: E731
                                     gate.metrics())[1])
        harness.eventually(lambda: held() >= 2, 20)
        changes = [line for line in gate.log if re.search(f"name {NAME}: \\+ ", line)]
        self.assertEqual(len(changes), 1 + 16)  # its first addresses are no change


class Tls(names_test.Names):
    def tls_origin(self, host, name, port=0):
        """An origin with a certificate for `name`; who it was asked for is in its `named`."""
        of = self.authority.issue(name)
        self.write(f"{host}.pem", of.chain)
        self.write(f"{host}.key", of.key)
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(self.directory / f"{host}.pem", self.directory / f"{host}.key")
        named = []
        serving.sni_callback = lambda sock, asked, context: named.append(asked)
        made = self.origin(lambda c, request: c.answer(200, host.encode()), tls=serving, host=host,
                           port=port)
        made.named = named
        return made

    def tls_origins(self, names):
        """One at each host, all on one port: another, where somebody else has that at one of them."""
        while True:
            made = []
            try:
                for host, name in names.items():
                    made.append(self.tls_origin(host, name, made[0].port if made else 0))
                return made
            except OSError as why:
                if why.errno != errno.EADDRINUSE:
                    raise

    def test_its_certificate_is_for_the_name_at_whatever_address(self):
        self.authority = Authority()
        self.write("ca.pem", self.authority.root)
        first, second, stranger = self.tls_origins(
            {"127.0.0.2": NAME, "127.0.0.3": NAME, "127.0.0.4": "127.0.0.4"})
        self.names.records[NAME] = ["127.0.0.2"]
        gate = self.start_named(first.port, health=f'[upstream.tls]\nca = "{self.directory}/ca.pem"')
        self.assertEqual(gate.get("/").body, b"127.0.0.2")
        self.names.records[NAME] = ["127.0.0.3"]
        harness.eventually(lambda: gate.get("/").body == b"127.0.0.3", 20)
        self.names.records[NAME] = ["127.0.0.4"]
        harness.eventually(lambda: gate.get("/").status == 502, 20)
        gate.wait_for_access(reason="upstream_tls_name")
        for one in (first, second, stranger):
            self.assertEqual(set(one.named), {NAME})


if __name__ == "__main__":
    harness.main()
