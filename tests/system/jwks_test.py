"""Key sets that are fetched: from a real HTTPS server that behaves, fails, lies and goes away."""

import json
import re
import threading
import time

import credentials
import harness
from credentials import Authority, SigningKey, certificate, key_set, pin
from upstream_tls import context

GATE = """
[[listener]]
name = "main"
address = "127.0.0.1:0"
[[upstream]]
name = "origin"
servers = [{ address = "$origin" }]
[auth.api_keys]
file = "$dir/keys"
[[route]]
name = "keys"
path_prefix = "/keys"
upstream = "origin"
auth = ["api_keys"]
"""
KEY = "k" * 32


def issuer_table(name, jwks, issuer=None):
    return f"""
[auth.jwt.{name}]
issuer = "{issuer or 'https://' + name}"
audiences = ["api"]
jwks = {{ {jwks}, ca = "$dir/ca.pem" }}
[[route]]
name = "{name}"
path_prefix = "/{name}"
upstream = "origin"
auth = ["jwt:{name}"]
"""


class KeyServer:
    """What a test makes of a scripted origin with TLS: `behave(connection, request)` may change at
    any time; `fetches` are the requests so far."""

    def __init__(self, test, name, of, behave):
        self.behave = behave
        self.origin = test.origin(lambda c, r: self.behave(c, r),
                                  tls=context(of, test.directory, name))
        self.url = f"https://{self.origin.address}/keys"

    @property
    def fetches(self):
        return self.origin.requests


def publish(*keys, etag=None, headers=()):
    body = key_set(*keys).encode()

    def answer(c, request):
        more = [("ETag", etag)] if etag else []
        if etag and request.get("if-none-match") == etag:
            c.answer(304, headers=[*headers, *more])
        else:
            c.answer(200, body, headers=[*headers, *more])
    return answer


def status(code):
    return lambda c, r: c.answer(code, b"nothing here")


def hang(c, r):
    c.read_to_end()


def drip(c, r):
    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        c.send(b" ")
        time.sleep(0.1)


def drip_head(c, r):
    c.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        c.send(b"x")
        time.sleep(0.1)


def flood(c, r):
    """80 MB, as long as somebody takes them."""
    c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(80):
        c.chunk(b" " * 1_000_000)
    c.send(b"0\r\n\r\n")


def cut(c, r):
    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"keys\":[")
    c.close()


def redirect(to):
    return lambda c, r: c.answer(302, headers={"Location": to})


def text(body, headers=()):
    return lambda c, r: c.answer(200, body, headers=headers)


class JwksTest(harness.SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.server_certificate = cls.authority.issue("127.0.0.1")
        cls.old = SigningKey("ES256", kid="old")
        cls.new = SigningKey("ES256", kid="new")
        cls.unheard_of = SigningKey("ES256", kid="unheard-of")

    def key_server(self, behave, name="jwks", of=None):
        return KeyServer(self, name, of or self.server_certificate, behave)

    def start(self, tables):
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        return self.gate(GATE + tables, origin=self.upstream.address,
                         files={"ca.pem": self.authority.root, "keys": f"tester:{KEY}\n"})

    def ask(self, gate, name, key, issuer=None, **claims):
        said = credentials.claims(issuer=issuer or f"https://{name}", **claims)
        return gate.get(f"/{name}", headers={"Authorization": "Bearer " + key.sign(said)})

    def eventually_taken(self, gate, name, key, within=30.0, **more):
        harness.eventually(lambda: self.ask(gate, name, key, **more).status == 200, within,
                           f"a token of {name}")

    def metric(self, gate, line):
        for one in gate.metrics().splitlines():
            if one.startswith(line + " "):
                return float(one.rsplit(" ", 1)[1])
        return None

    def wait_until_failing(self, name, says, within=60.0):
        """Until `ringward status` has this reason; the log has one in ten minutes."""
        line = re.compile(rf"^key set +{name}: .*; failed \d+ times in a row: .*{says}", re.M)
        harness.eventually(lambda: line.search(self.cli("status").stdout), within,
                           f"{name}'s failing with {says}")

    def check_fetches(self, gate, name, server, most):
        """No more than so many, but for those that this machine was too slow for."""
        failed = self.metric(
            gate, f'ringward_key_set_fetches_total{{issuer="{name}",result="failed"}}')
        self.assertLessEqual(len(server.fetches), most + failed)

    def cli(self, *arguments):
        return harness.ringward(*arguments, "--socket", self.directory / "admin.sock")

    def test_keys_are_there_when_the_first_token_comes(self):
        server = self.key_server(publish(self.old, self.new))
        gate = self.start(issuer_table("idp", f'url = "{server.url}"'))
        got = self.ask(gate, "idp", self.old)
        # It waits for the first fetch; a machine that is too slow for that says 503, never 401.
        self.assertIn(got.status, (200, 503))
        self.eventually_taken(gate, "idp", self.old)
        self.eventually_taken(gate, "idp", self.new)
        self.check_fetches(gate, "idp", server, 1)
        request = server.fetches[0]
        self.assertEqual((request.method, request.target), ("GET", "/keys"))
        self.assertEqual(request.get("host"), server.origin.address)
        self.assertIsNone(request.get("if-none-match"))
        gate.wait_for_log(r"auth\.jwt\.idp: 2 keys from https://127\.0\.0\.1:\d+/keys")
        self.assertEqual(self.metric(gate, 'ringward_key_set_keys{issuer="idp"}'), 2)
        self.assertIn("idp: 2 keys, fetched ", self.cli("status").stdout)

    def test_whatever_the_server_does_costs_nobody_else_anything(self):
        """Each issuer has a server of another kind; then all behave, and all tokens are taken."""
        elsewhere = self.key_server(publish(self.old), "elsewhere")
        stranger = Authority("Somebody else").issue("127.0.0.1")
        kinds = {
            "hang": (hang, "head: ", {}),
            "drip": (drip, "body: ", {}),
            "driphead": (drip_head, "head: ", {}),
            "flood": (flood, "body: the body is larger than is taken", {}),
            "long": (lambda c, r: c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 80000000\r\n\r\n"),
                     "body: the body is larger than is taken", {}),
            "cut": (cut, "body: ", {}),
            "redirect": (redirect(elsewhere.url), "head: status 302, a redirect", {}),
            "broken": (status(500), "head: status 500", {}),
            "absent": (status(404), "head: status 404", {}),
            "unasked": (status(304), "head: status 304", {}),
            "garbage": (text(b"<html>no keys</html>"), "keys: ", {}),
            "noise": (lambda c, r: c.send(b"\x16\x03\x01 what\r\n\r\n"), "head: ", {}),
            "zipped": (text(b"x", {"Content-Encoding": "gzip"}), "head: the body is encoded", {}),
            "nokeys": (text(b'{"keys":[]}'), "keys: there is no key", {}),
            "private": (text(json.dumps({"keys": [self.old.private_jwk()]}).encode()),
                        "keys: a key has private members", {}),
            "expired": (None, "tls: .*expired", {"of": self.authority.issue("127.0.0.1", days=-1)}),
            "othername": (None, "tls: ", {"of": self.authority.issue("idp.example")}),
            "stranger": (None, "tls: ", {"of": stranger}),
            "selfmade": (None, "tls: ", {"of": certificate("127.0.0.1")}),
            "otherpin": (None, "tls: .*pin", {}),
        }
        wrong_pin = f'pin = ["{pin(stranger.chain)}"]'
        servers, tables = {}, ""
        for name, (behave, _, options) in kinds.items():
            servers[name] = self.key_server(behave or publish(self.old), name, **options)
            more = ", " + wrong_pin if name == "otherpin" else ""
            tables += issuer_table(name, f'url = "{servers[name].url}"{more}')
        gate = self.start(tables)
        # Those who need no key of theirs are served meanwhile.
        for _ in range(20):
            self.assertEqual(gate.get("/keys", headers={"X-Api-Key": KEY}).status, 200)
        for name, (_, says, _) in kinds.items():
            with self.subTest(name):
                self.wait_until_failing(name, says)
                gate.wait_for_log(rf"auth\.jwt\.{name}: keys could not be fetched, 1 times")
                got = self.ask(gate, name, self.old)
                self.assertEqual(got.status, 503)
                self.assertIsNotNone(got.get("retry-after"))
        self.assertEqual(elsewhere.fetches, [])
        self.assertIn("driphead: no keys, its tokens get 503; failed ", self.cli("status").stdout)
        for name, (behave, _, _) in kinds.items():
            servers[name].behave = publish(self.old)
        for name, (behave, _, _) in kinds.items():
            if behave:
                self.eventually_taken(gate, name, self.old, within=60.0)
                gate.wait_for_log(rf"auth\.jwt\.{name}: keys are fetched again, after \d+ failures")
        for name, (behave, _, _) in kinds.items():
            if not behave:
                self.assertEqual(self.ask(gate, name, self.old).status, 503)

    def test_rotation_and_an_outage_in_between(self):
        server = self.key_server(publish(self.old, etag='"one"'))
        gate = self.start(issuer_table("idp", f'url = "{server.url}", refresh = "1h"'))
        self.eventually_taken(gate, "idp", self.old)

        # Somebody's kid that the issuer does not have: one question, answered by 304.
        def refused_after_a_fetch():
            refused = self.ask(gate, "idp", self.unheard_of).status == 401
            return refused and len(server.fetches) >= 2
        harness.eventually(refused_after_a_fetch, 30.0, "a second fetch")
        self.assertEqual(server.fetches[1].get("if-none-match"), '"one"')
        gate.wait_for_access(status=401, reason="unknown_kid")
        harness.eventually(
            lambda: self.metric(gate, 'ringward_key_set_fetches_total{issuer="idp",result="same"}')
            >= 1, what="the answer counted as no news")
        self.assertEqual(self.ask(gate, "idp", self.old).status, 200)

        # An outage: what is known goes on, and what nobody can know is no bad token.
        server.behave = status(500)

        def undecided():
            self.assertEqual(self.ask(gate, "idp", self.old).status, 200)
            return self.ask(gate, "idp", self.new).status == 503
        harness.eventually(undecided, 30.0, "a fetch that fails")
        gate.wait_for_access(status=503, reason="keys_unavailable")
        self.assertGreaterEqual(
            self.metric(gate, 'ringward_key_set_failures_in_a_row{issuer="idp"}'), 1)

        # A forged one is refused as such all the while.
        forged = SigningKey("ES256", kid="old")
        self.assertEqual(self.ask(gate, "idp", forged).status, 401)
        server.behave = publish(self.new, self.old, etag='"two"')
        self.eventually_taken(gate, "idp", self.new)
        self.assertEqual(self.ask(gate, "idp", self.old).status, 200)
        gate.wait_for_log(r"auth\.jwt\.idp: keys are fetched again")

        # The old key goes, and the tokens of it that were cached with it.
        server.behave = publish(self.new, etag='"three"')

        def gone():
            self.ask(gate, "idp", self.unheard_of)
            return self.ask(gate, "idp", self.old).status == 401
        harness.eventually(gone, 30.0, "the old key's end")
        self.assertEqual(self.ask(gate, "idp", self.new).status, 200)

    def test_a_new_key_under_load_fails_no_request(self):
        server = self.key_server(publish(self.old))
        gate = self.start(issuer_table("idp", f'url = "{server.url}", refresh = "1h"'))
        self.eventually_taken(gate, "idp", self.old)
        first = time.monotonic()
        answers = []  # (status, seconds)
        stop = threading.Event()
        rotated = threading.Event()

        def load(number):
            while not stop.is_set():
                key = self.new if rotated.is_set() and number % 2 else self.old
                began = time.monotonic()
                got = self.ask(gate, "idp", key, subject=f"caller-{number}-{len(answers)}")
                answers.append((got.status, time.monotonic() - began, key.kid))

        threads = [threading.Thread(target=load, args=(n,)) for n in range(8)]
        for one in threads:
            one.start()
        try:
            # From when on a fetch may be asked for.
            harness.eventually(lambda: time.monotonic() > first + 10.5, 30.0, "ten seconds")
            server.behave = publish(self.old, self.new)
            rotated.set()
            harness.eventually(lambda: [a for a in list(answers) if a[2] == "new" and a[0] == 200],
                               30.0, "a token of the new key")
            seen = len(answers)
            harness.eventually(lambda: len(answers) > seen + 100, 60.0, "a hundred more")
        finally:
            stop.set()
            for one in threads:
                one.join()
        self.assertEqual([a for a in answers if a[2] == "old" and a[0] != 200], [])
        # Two seconds are what a request waits; a machine may need longer for a handshake.
        self.assertEqual([a for a in answers if a[0] != 200 and not (a[0] == 503 and a[1] >= 1.9)],
                         [])
        self.check_fetches(gate, "idp", server, 2)

    def test_keys_outlive_a_reload_and_go_with_another_pin(self):
        right = f'pin = ["{pin(self.server_certificate.chain)}"]'
        server = self.key_server(publish(self.old))
        tables = issuer_table("idp", f'url = "{server.url}", {right}')
        gate = self.start(tables)
        self.eventually_taken(gate, "idp", self.old)
        server.behave = status(503)
        self.assertEqual(self.cli("reload").returncode, 0)
        gate.wait_for_log("the configuration was reloaded")
        self.assertEqual(self.ask(gate, "idp", self.old).status, 200)
        self.check_fetches(gate, "idp", server, 1)
        wrong = issuer_table(
            "idp", f'url = "{server.url}", pin = ["{pin(certificate("a").chain)}"]')
        self.write_config(GATE + wrong, origin=self.upstream.address)
        self.assertEqual(self.cli("reload").returncode, 0)
        self.wait_until_failing("idp", "tls: .*pin")
        self.assertEqual(self.ask(gate, "idp", self.old).status, 503)
        server.behave = publish(self.old)
        self.write_config(GATE + tables, origin=self.upstream.address)
        self.assertEqual(self.cli("reload").returncode, 0)
        self.eventually_taken(gate, "idp", self.old)

    def test_the_keys_of_an_issuer_are_where_it_says(self):
        keys = self.key_server(publish(self.old), "keys")
        server = self.key_server(status(404))
        issuer = f"https://{server.origin.address}/realm/"
        # A locked-down gate connects to 443, the issuer's port and ports that its configuration names.
        elsewhere = f'[[upstream]]\nname = "keys"\nservers = [{{ address = "{keys.origin.address}" }}]\n'
        gate = self.start(issuer_table("idp", "discover = true", issuer) + elsewhere)

        def says(**more):
            return text(json.dumps({"issuer": issuer, "jwks_uri": keys.url} | more).encode())
        self.wait_until_failing("idp", "head: status 404")
        self.assertEqual(server.fetches[0].target, "/realm/.well-known/openid-configuration")
        for wrong, why in (({"issuer": issuer[:-1]}, "of another `issuer`"),
                           ({"jwks_uri": "http://127.0.0.1/keys"}, "no URL of https")):
            server.behave = says(**wrong)
            self.wait_until_failing("idp", why)
        self.assertEqual(self.ask(gate, "idp", self.old, issuer).status, 503)
        self.assertEqual(keys.fetches, [])
        server.behave = says()
        self.eventually_taken(gate, "idp", self.old, issuer=issuer, within=60.0)
        self.assertEqual(keys.fetches[0].target, "/keys")

    def test_a_name_is_looked_up_and_is_what_the_certificate_has_to_have(self):
        server = self.key_server(publish(self.old), of=self.authority.issue("localhost"))
        other = self.key_server(publish(self.old), "other")
        gate = self.start(
            issuer_table("idp", f'url = "https://localhost:{server.origin.port}/keys"') +
            issuer_table("noname", f'url = "https://localhost:{other.origin.port}/keys"') +
            issuer_table("nobody", 'url = "https://nobody.invalid/keys"'))
        self.eventually_taken(gate, "idp", self.old)
        self.assertEqual(server.fetches[0].get("host"), f"localhost:{server.origin.port}")
        self.wait_until_failing("noname", "tls: ")
        self.wait_until_failing("nobody", "name: ")

    def test_bad_keys_are_left_out_by_name_and_plain_http_is_refused(self):
        small = SigningKey("RS256", kid="small", rsa_bits=1024)
        server = self.key_server(publish(self.old, small))
        gate = self.start(issuer_table("idp", f'url = "{server.url}"'))
        self.eventually_taken(gate, "idp", self.old)
        gate.wait_for_log(r'auth\.jwt\.idp: .*\(kid "small"\) is left out: the modulus has fewer')
        plain = issuer_table("idp", 'url = "http://127.0.0.1:1/keys"')
        said = harness.ringward("check", "--config", self.write_config(
            GATE + plain, origin=self.upstream.address))
        self.assertEqual(said.returncode, 1)
        self.assertIn("auth.jwt.idp.jwks.url: must begin with https://", said.stderr + said.stdout)

    def test_a_gate_stops_while_a_fetch_hangs(self):
        server = self.key_server(hang)
        gate = self.start(issuer_table("idp", f'url = "{server.url}"'))
        harness.eventually(lambda: server.fetches, what="the fetch")
        waiting = gate.connect()
        said = credentials.claims(issuer="https://idp")
        waiting.send_request("GET", "/idp", {"Authorization": "Bearer " + self.old.sign(said)})
        gate.stop()
        waiting.close()


if __name__ == "__main__":
    harness.main()
