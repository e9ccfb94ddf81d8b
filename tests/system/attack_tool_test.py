"""`./dev attack`: it finds nothing on a gate that is set up sensibly, and what is there on weak ones."""

import base64
import contextlib
import http.server
import json
import re
import subprocess
import threading

import configs
import credentials
import harness

TOOL = harness.ROOT / "tests" / "attack" / "attack.py"
SHORT = '[listener.timeouts]\nhandshake = "5s"\nhead = "3s"\nbody_gap = "3s"\n'
LONG = '[listener.timeouts]\nhead = "10m"\nbody_gap = "10m"\n'
TOKENS = """
[auth.jwt.main]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
"""
LIMITS = """
[[limit]]
name = "per-ip"
rate = "1/s"
burst = 400
"""


class AttackTool(harness.SystemTest):
    def attack(self, url, *options, patience=30):
        done = subprocess.run(["/usr/bin/python3", TOOL, url, "--patience", str(harness.patience(patience)),
                               *options], capture_output=True, text=True,
                              timeout=harness.patience(300))
        self.assertIn("checks in", done.stdout, done.stderr)
        return done

    @staticmethod
    def found(done):
        """Names of the checks that found something."""
        return {line[11:35].strip() for line in done.stdout.splitlines() if line[2:10] == "FINDING "}

    def start(self, listener, route="", limits=""):
        """A gate in front of an origin that says what it is; a key and a token for it."""
        self.upstream = self.origin(
            lambda c, r: c.answer(200, b"secret", {"Server": "origin/9.9.9"}))
        own, signer = credentials.certificate("localhost"), credentials.SigningKey("ES256", kid="a")
        self.key, line = harness.new_key("alice")
        self.token = signer.sign(credentials.claims("carol"))
        return self.gate(
            configs.plain(listener=listener, route=route, auth='["api_keys", "jwt:main"]',
                          more=configs.KEYS + TOKENS + limits + "[server]\nworkers = 2\n"),
            origin=self.upstream.address,
            files={"cert.pem": own.chain, "key.pem": own.key, "keys": line + "\n",
                   "jwks.json": credentials.key_set(signer)})

    def test_nothing_is_found_on_a_sensible_gate(self):
        gate = self.start(SHORT + configs.TLS, 'limits = ["per-ip"]', LIMITS)
        host, port = gate.address()
        url = f"https://{host}:{port}/v1/things"
        for options in (("--key", self.key, "--only", "good key"), ("--token", self.token, "--guesses", "700")):
            done = self.attack(url, *options)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertEqual(self.found(done), set())
            self.assertRegex(done.stdout, r"\d+ ok, 0 with findings, [01] skipped, 0 failed")
        seen = {r.get("x-auth-identity") for r in self.upstream.requests}
        self.assertLessEqual(seen, {"alice", "carol"})  # nobody else ever got through

    def test_a_careless_gate_is_told_so(self):
        gate = self.start(LONG, 'security_headers = false\n[route.response_headers]\nremove = []')
        host, port = gate.address()
        done = self.attack(f"http://{host}:{port}/", "--key", self.key, patience=3)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(self.found(done), {"a head that drips", "a head that stops", "a body that stops",
                                            "guessing", "who it is", "headers for browsers"})

    def test_holes_are_found(self):
        """A server with the faults that the other checks are for."""
        with WeakServer() as weak:
            done = self.attack(f"http://127.0.0.1:{weak.port}/private", patience=3)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertLessEqual(
            {"no credential", "other spellings of path", "headers that reroute", "an address of trust",
             "tokens nobody signed", "smuggled requests", "malformed heads", "reflection",
             "TRACE and CONNECT", "foreign origins", "guessing", "who it is", "what went wrong",
             "hidden paths"}, self.found(done), done.stdout)

    def test_what_cannot_be_asked(self):
        for url in ("nonsense", f"http://127.0.0.1:{harness.free_port()}/"):
            done = subprocess.run(["/usr/bin/python3", TOOL, url], capture_output=True, text=True,
                                  timeout=harness.patience(20))
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, r"^attack: ")

    def test_every_check_says_what_it_does(self):
        done = subprocess.run(["/usr/bin/python3", TOOL, "--list"], capture_output=True, text=True,
                              timeout=harness.patience(20))
        lines = done.stdout.splitlines()
        self.assertGreaterEqual(len(lines), 25)
        for line in lines:
            self.assertRegex(line, r"^(authentication|injection|denial of service|disclosure) +\S.+\.$")


class WeakServer:
    """The standard library's server, and the mistakes that people make with it."""

    def __enter__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def let_in(self):
                if self.command in ("PUT", "PROPFIND"):
                    return True  # forgotten
                if self.headers.get("X-Forwarded-For") == "127.0.0.1" or self.headers.get("X-Original-URL"):
                    return True
                token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                with contextlib.suppress(ValueError, IndexError):
                    top = token.split(".")[0]
                    return json.loads(base64.urlsafe_b64decode(top + "=="))["alg"].lower() == "none"
                return False

            def answer(self, status, body, *headers):
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def serve(self):
                origin = self.headers.get("Origin")
                cors = [("Access-Control-Allow-Origin", origin)] if origin else []
                path = self.path.split("?")[0]
                if self.command == "TRACE":
                    self.answer(200, bytes(self.headers))
                elif path == "/.env":
                    self.answer(200, b"PASSWORD=x")
                elif path != "/private":
                    spelt = re.sub(r"/+", "/", path.lower()) == "/private"
                    text = b"secret" if spelt else f"<p>{self.path}: Exception in /usr/lib".encode()
                    self.answer(200 if spelt else 404, text, *cors)
                else:
                    self.answer(200 if self.let_in() else 401, b"{}", *cors)

            def __getattr__(self, name):
                if name.startswith("do_"):
                    return self.serve
                raise AttributeError(name)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # who attacks leaves when it likes
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


if __name__ == "__main__":
    harness.main()
