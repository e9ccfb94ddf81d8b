"""Secrets of every kind and from everywhere they may come, and none of them in anything that the gate
says: logs, audit, metrics, status, errors of commands, arguments, a core."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import unittest

import client
import credentials
import harness

CONFIG = """
[server]
workers = 2
state = "$dir/state"
[log]
level = "debug"
audit = { path = "$dir/audit.jsonl", sign = { file = "$dir/seed" } }
[[listener]]
name = "plain"
address = "127.0.0.1:0"
[[listener]]
name = "tls"
address = "127.0.0.1:0"
[listener.tls]
certificates = [{ chain = "$dir/cert.pem", key = { file = "$dir/key.pem" } }]
[[upstream]]
name = "origin"
servers = [{ address = "$origin" }]
[[upstream]]
name = "down"
servers = [{ address = "127.0.0.1:1" }]
[auth.api_keys]
file = "$dir/keys"
[auth.mint]
key = { file = "$dir/mint.jwk" }
issuer = "https://gate.example"
audience = "api"
[auth.jwt.own]
issuer = "https://gate.example"
audiences = ["api"]
jwks = { mint = true }
[[route]]
name = "token"
path = "/token"
action = "mint"
auth = ["api_keys"]
[[route]]
name = "down"
path_prefix = "/down"
upstream = "down"
auth = ["api_keys"]
[[route]]
name = "all"
path_prefix = "/api"
upstream = "origin"
auth = ["api_keys", "jwt:own"]
[route.request_headers]
set = { authorization = { file = "$dir/header", prefix = "Bearer " }, x-two = { credential = "two" }, x-three = { env = "RW_CANARY" } }
"""
# bcrypt of cost 4, as another verifier left it.
LEGACY = "legacy-key-of-alice-0001"
LEGACY_LINE = "legacy:$2b$04$abcdefghijklmnopqrstuuUvYS9F4GuR7UjKkEdKWp9CaPIxOLmxq"


def canary(what):
    """A text that is nowhere else, and that a header may hold."""
    return f"canary-{what}-{os.urandom(12).hex()}"


class Canaries(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        self.secrets = {what: canary(what) for what in
                        ("plain-key", "header-file", "header-credential", "header-env", "wrong-key",
                         "broken-line", "literal")}
        self.secrets["audit-seed"] = os.urandom(32).hex()
        self.secrets["legacy-key"] = LEGACY
        self.secrets["key"], line = harness.new_key("bob")
        certificate = credentials.certificate("gate.example")
        self.secrets["tls-key"] = certificate.key.splitlines()[2]
        mint = credentials.SigningKey("ES256", kid="m").private_jwk()
        self.secrets["mint-key"] = mint["d"]
        self.write("credentials/two", self.secrets["header-credential"])
        self.keys = "\n".join((line, LEGACY_LINE,
                               f"carol:{self.secrets['plain-key']}", ""))
        self.gateway = self.gate(
            CONFIG, origin=self.upstream.address,
            env={"RW_CANARY": self.secrets["header-env"],
                 "CREDENTIALS_DIRECTORY": str(self.directory / "credentials")},
            files={"keys": self.keys, "cert.pem": certificate.chain, "key.pem": certificate.key,
                   "mint.jwk": json.dumps(mint), "seed": self.secrets["audit-seed"] + "\n",
                   "header": self.secrets["header-file"] + "\n"})
        self.said = {}

    def ask(self, target, key=None, **options):
        headers = options.pop("headers", [("x-api-key", key)] if key else [])
        answer = self.gateway.get(target, headers=headers, **options)
        self.said[f"answer {len(self.said)} to {target}"] = (
            f"{answer.status} {answer.headers} ".encode() + answer.body)
        return answer

    def ask_raw(self, listener, text):
        with client.connect(self.gateway.address(listener)) as bad:
            bad.send(text.encode())
            with contextlib.suppress(ConnectionResetError):  # it may close with something unread
                self.said[f"answer {len(self.said)}"] = b"to what is no request: " + bad.read_to_end()

    def command(self, *words):
        done = harness.ringward(*words)
        self.said[" ".join(map(str, words[:2]))] = (done.stdout + done.stderr).encode()
        return done

    def traffic(self):
        """Everything that could make the gate talk. What clients are told is kept, too."""
        key, plain = self.secrets["key"], self.secrets["plain-key"]
        for good in (key, plain, LEGACY):
            answer = harness.decided(lambda given=good: self.ask("/api", given))
            self.assertEqual(answer.status, 200)
        seen = self.upstream.requests[-1]
        self.assertEqual((seen.get("authorization"), seen.get("x-two"), seen.get("x-three")),
                         ("Bearer " + self.secrets["header-file"],
                          self.secrets["header-credential"], self.secrets["header-env"]))
        with self.gateway.connect("tls", tls=True) as secure:
            self.assertEqual(secure.request("GET", "/api", [("x-api-key", key)]).status, 200)
        minted = self.gateway.get("/token", headers=[("x-api-key", key)], method="POST")
        token = json.loads(minted.body)["token"]
        self.secrets["token"] = token.rsplit(".", 1)[1]
        bearer = [("authorization", f"Bearer {token}")]
        self.assertEqual(self.ask("/api", headers=bearer).status, 200)
        self.assertEqual(self.ask(f"/api?api_key={key}&token={token}", key).status, 200)
        # Refused, in each way that there is.
        self.assertEqual(self.ask("/api", headers=[("authorization", f"Bearer {token}x")]).status,
                         401)
        self.assertEqual(self.ask("/api", self.secrets["wrong-key"]).status, 401)
        self.assertEqual(self.ask("/api", headers=[("authorization", f"Basic {key}")]).status, 401)
        self.assertEqual(self.ask("/api", headers=[("x-api-key", key), ("x-api-key", plain)]).status,
                         400)
        self.assertEqual(self.ask("/nowhere", key).status, 404)
        self.assertEqual(self.ask("/down", key).status, 502)
        self.assertEqual(self.ask("/token", key).status, 405)
        for raw in (f"GET /api HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\x01\r\n\r\n",
                    f"GET /api HTTP/9.9\r\nauthorization: {key}\r\n\r\n", f"{key}\r\n\r\n"):
            self.ask_raw("plain", raw)
        self.ask_raw("tls", f"GET / HTTP/1.1\r\nx-api-key: {key}\r\n\r\n")

    def operators(self):
        """Commands and reloads, those that fail above all."""
        config, socket = self.directory / "config", self.directory / "admin.sock"
        self.command("key", "list", "--config", config)
        self.command("status", "--socket", socket)
        self.command("upstreams", "--socket", socket)
        self.write("keys", self.keys + f"mallory@never:{self.secrets['broken-line']}\n")
        self.gateway.wait_for_log("the configuration in force stays", within=30.0)
        self.assertEqual(self.command("check", "--config", config).returncode, 1)
        self.write("keys", self.keys)
        text = (config / "ringward.toml").read_text()
        literal = f'key = "{self.secrets["literal"]}"'
        wrong = text.replace(f'key = {{ file = "{self.directory}/mint.jwk" }}', literal)
        self.assertIn(literal, wrong)
        self.write("config/ringward.toml", wrong)
        refused = self.command("reload", "--socket", socket)
        self.assertEqual(refused.returncode, 1)
        # Which of the three forms there are is what it says instead.
        self.assertRegex(refused.stdout + refused.stderr,
                         r"auth\.mint\.key: a secret is never written here: .*\{ file = .*"
                         r"\{ credential = .*\{ env = ")
        self.write("config/ringward.toml", text)
        self.assertEqual(self.command("reload", "--socket", socket).returncode, 0)

    def nowhere_in(self, what, data, also=()):
        for name, secret in [*self.secrets.items(), *also]:
            raw = secret if isinstance(secret, bytes) else secret.encode()
            self.assertFalse(raw in data, f"{name} is in {what}")

    def test_no_secret_is_in_anything_that_is_said(self):
        self.traffic()
        self.operators()
        self.said["metrics"] = self.gateway.metrics().encode()
        pid = self.gateway.process.pid
        with open(f"/proc/{pid}/cmdline", "rb") as arguments:
            self.said["its arguments"] = arguments.read()
        self.gateway.stop()
        self.said["the log"] = "\n".join(self.gateway.log).encode()
        self.said["the access log"] = "\n".join(self.gateway.output).encode()
        self.said["the audit log"] = (self.directory / "audit.jsonl").read_bytes()
        # They are there, and they do say who it was.
        self.assertIn(b'"bob"', self.said["the access log"])
        self.assertIn(b'"legacy"', self.said["the audit log"])
        for what, data in self.said.items():
            self.assertTrue(data, what)
            self.nowhere_in(what, data)

    @unittest.skipIf(harness.SANITIZER, "a sanitizer's shadow is terabytes")
    @unittest.skipUnless(shutil.which("gcore"), "gdb, which has gcore, is not installed")
    @unittest.skipUnless(os.geteuid() == 0, "nobody but root can make a core of a gate")
    def test_a_core_has_no_memory_in_it(self):
        self.traffic()
        pid = self.gateway.process.pid
        done = subprocess.run(["gcore", "-o", self.directory / "core", str(pid)], check=False,
                              capture_output=True, text=True, timeout=harness.patience(300))
        if "ptrace" in done.stderr + done.stdout:
            self.skipTest("this machine lets nobody trace a process")
        core = (self.directory / f"core.{pid}").read_bytes()
        self.assertEqual((core[:4], core[16]), (b"\x7fELF", 4), done.stderr)  # ET_CORE
        self.assertIn(b"ringward", core)  # its name, in a note
        mint = base64.urlsafe_b64decode(self.secrets["mint-key"] + "=")
        self.nowhere_in("a core", core, [("mint-key as a number", mint)])
        self.assertLess(len(core), 16 << 20)
        self.assertEqual(self.ask("/api", self.secrets["key"]).status, 200)  # it goes on


if __name__ == "__main__":
    harness.main()
