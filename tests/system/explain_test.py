"""`ringward explain`: it says what a request then meets, and leaves no trace; --json of the commands."""

import json
import os

import configs
import credentials
import harness

CONFIG = configs.LISTENER + configs.UPSTREAM + configs.KEYS + """
[ban]
exempt = []
[auth.jwt.main]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
replay = "jti"
[[limit]]
name = "per-ip"
by = "client.ip"
rate = "1/h"
burst = 1
[[limit]]
name = "per-caller"
by = "identity"
rate = "5/s"
concurrent = 3
[[route]]
name = "keys"
hosts = ["api.example"]
path_prefix = "/keys"
methods = ["GET"]
upstream = "origin"
auth = ["api_keys"]
limits = ["per-ip", "per-caller"]
[[route]]
name = "tokens"
path_prefix = "/tokens"
upstream = "origin"
auth = ["jwt:main"]
[[route]]
name = "here"
path = "/here"
action = "respond"
status = 204
auth = []
"""


class Explain(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.alice, line = harness.new_key("alice")
        self.key = credentials.SigningKey("ES256")
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        self.gateway = self.gate(CONFIG, origin=self.upstream.address, files={
            "keys": line + "\n", "jwks.json": credentials.key_set(self.key)})

    def command(self, *words, stdin=""):
        return harness.ringward(*words, "--socket", self.directory / "admin.sock", stdin=stdin)

    def explain(self, *options, stdin=""):
        done = self.command("explain", "--json", *options, stdin=stdin)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        said = json.loads(done.stdout)
        return said["status"], [(one["what"], one["is"]) for one in said["lines"]]

    def test_a_request_that_is_let_in(self):
        status, lines = self.explain("--path", "/x/../keys//a?b=c", "--host", "API.example:443",
                                     stdin=f"X-API-Key: {self.alice}\n")
        self.assertEqual((status, lines), (0, [
            ("listener", "main"), ("path", "/keys/a"), ("route", "keys"),
            ("limit", "per-ip: 1/h, burst 1"), ("credential", "api_key"), ("identity", "alice"),
            ("limit", "per-caller: 5/s, burst 20, 3 at once"),
            ("upstream", "origin: 1 of 1 servers get requests")]))
        text = self.command("explain", "--path", "/keys", "--host", "api.example", stdin=self.alice).stdout
        self.assertRegex(text, r"identity +alice\n")

    def test_asking_takes_nothing(self):
        token = self.key.sign(credentials.claims(jti="once"))
        for _ in range(3):
            self.assertEqual(self.explain("--path", "/keys", "--host", "api.example",
                                          "--address", "127.0.0.1", stdin=self.alice)[0], 0)
            status, lines = self.explain("--path", "/tokens", stdin=token)
            self.assertEqual((status, dict(lines)["issuer"]), (0, "main"))
        headers = {"host": "api.example", "x-api-key": self.alice}
        self.assertEqual(self.gateway.get("/keys", headers=headers).status, 200)
        self.assertEqual(self.gateway.get("/keys", headers=headers).status, 429, "the one of an hour is spent")
        bearer = {"authorization": f"Bearer {token}"}
        self.assertEqual(self.gateway.get("/tokens", headers=bearer).status, 200)
        self.assertEqual(self.gateway.get("/tokens", headers=bearer).status, 401, "replayed")
        self.assertEqual(len(self.upstream.requests), 2)

    def test_refusals_are_those_that_a_request_meets(self):
        expired = self.key.sign(credentials.claims(ttl=-3600))
        for target, host, method, stdin, status, reason in (
                ("/nowhere", "api.example", "GET", "", 404, "no_route"),
                ("/keys", "other.example", "GET", "", 404, "no_route"),
                ("/keys", "api.example", "POST", "", 405, "method_not_allowed"),
                ("/a%00", "api.example", "GET", "", 400, None),
                ("/tokens", "api.example", "GET", "", 401, "missing"),
                ("/keys", "api.example", "GET", "x-api-key: " + "z" * 32, 401, "unknown_key"),
                ("/tokens", "api.example", "GET", "authorization: Bearer " + expired, 401, "expired"),
                ("/tokens", "api.example", "GET", "authorization: Basic abcd", 401, None)):
            with self.subTest(target=target, host=host, stdin=stdin[:20]):
                found, lines = self.explain("--path", target, "--host", host, "--method", method, stdin=stdin)
                self.assertEqual(found, status)
                if reason:
                    self.assertEqual(lines[-1], ("answer", f"{status} ({reason})"))
                headers = {"host": host}
                if stdin:
                    name, _, value = stdin.partition(": ")
                    headers[name] = value
                self.assertEqual(self.gateway.get(target, headers=headers, method=method).status, status)

    def test_bans_revocations_and_what_the_gate_answers_itself(self):
        self.assertEqual(self.explain("--path", "/here")[1][-1], ("answer", "204, by the gate"))
        self.assertEqual(self.command("ban", "192.0.2.1", "1h").returncode, 0)
        self.assertEqual(self.explain("--path", "/here", "--address", "192.0.2.1")[0], 403)
        self.assertEqual(self.explain("--path", "/here", "--address", "192.0.2.2")[0], 0)
        self.assertEqual(self.command("revoke", "identity", "alice").returncode, 0)
        status, lines = self.explain("--path", "/keys", "--host", "api.example", stdin=self.alice)
        self.assertEqual((status, lines[-1]), (401, ("answer", "401 (revoked)")))

    def test_nonsense_is_said(self):
        self.assertEqual(self.explain("--listener", "none")[0], 400)
        self.assertEqual(self.explain("--address", "nobody.example")[0], 400)
        self.assertEqual(self.command("explain", "--path", "/a\tb").returncode, 2)


class Json(harness.SystemTest):
    def setUp(self):
        super().setUp()
        made = credentials.certificate(days=40)
        self.gateway = self.gate(configs.tls(more="[ban]\n"), origin="127.0.0.1:1",
                                 files={"cert.pem": made.chain, "key.pem": made.key})

    def ask(self, *words, status=0, socket=None):
        done = harness.ringward(*words, "--json", "--socket", socket or self.directory / "admin.sock")
        self.assertEqual((done.returncode, done.stderr), (status, ""), done.stdout)
        return json.loads(done.stdout)

    def test_status(self):
        said = self.ask("status")
        self.assertEqual((said["state"], said["workers"], said["stale_files"]), ("serving", 2, False))
        self.assertEqual(said["listeners"], [{"name": "main", "address": "127.0.0.1:%d" % self.gateway.address()[1]}])
        self.assertEqual(said["upstreams"][0]["server"], "127.0.0.1:1")
        self.assertGreater(said["certificates"][0]["seconds_left"], 39 * 86400)
        machine = {one["what"]: one for one in said["machine"]}
        self.assertEqual(machine["kernel"]["is"], os.uname().release)
        for what in ("receives", "waiting", "kernel TLS", "wolfSSL", "CPU crypto", "descriptors",
                     "locked memory", "memory", "CPU time", "sysctl"):
            self.assertTrue(machine[what]["is"], what)
        # What costs something is in the log, too.
        for one in said["machine"]:
            if one["cost"]:
                self.assertTrue([line for line in self.gateway.log if one["cost"] in line], one)

    def test_every_command(self):
        self.assertEqual(self.ask("reload")["done"], True)
        self.assertEqual(self.ask("reload", "--explain")["messages"], ["nothing would change"])
        self.assertEqual(self.ask("upstreams")[0]["upstream"], "origin")
        self.assertTrue(self.ask("drain", "127.0.0.1:1")["done"])
        self.assertEqual(self.ask("upstreams")[0]["state"], "drained")
        self.assertTrue(self.ask("undrain", "127.0.0.1:1")["done"])
        self.assertFalse(self.ask("drain", "127.0.0.1:2", status=1)["done"])
        self.assertTrue(self.ask("reopen")["done"])
        self.assertTrue(self.ask("ban", "192.0.2.7", "1h")["done"])
        self.assertEqual([one["address"] for one in self.ask("bans")["bans"]], ["192.0.2.7"])
        self.assertTrue(self.ask("unban", "192.0.2.7")["done"])
        self.assertTrue(self.ask("revoke", "jti", "a")["done"])
        self.assertEqual([one["kind"] for one in self.ask("revoked")["revoked"]], ["jti"])
        self.assertTrue(self.ask("unrevoke", "jti", "a")["done"])
        nobody = self.ask("status", status=1, socket=self.directory / "none.sock")
        self.assertFalse(nobody["done"])
        self.assertIn("no gate answers", nobody["messages"][0])


if __name__ == "__main__":
    harness.main()
