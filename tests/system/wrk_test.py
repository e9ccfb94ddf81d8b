"""The scripts of bench/wrk, with wrk itself, at a gate that looks at keys and tokens."""

import collections
import json
import re
import subprocess

import configs
import credentials
import harness

SCRIPTS = harness.ROOT / "bench" / "wrk"
AUTH = """
[auth.api_keys]
file = "$dir/keys"
[auth.jwt.main]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
[auth.mint]
key = { file = "$dir/mint.jwk" }
issuer = "https://gateway.example"
audience = "api"
"""
MINT = """
[[route]]
name = "token"
path = "/token"
methods = ["POST"]
action = "mint"
auth = ["api_keys"]
"""

CONNECTIONS = 4


class Scripts(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.origin(lambda c, request: c.answer(200, b"ok"))
        made = [harness.ringward("key", "new", name).stdout for name in ("alice", "bob")]
        self.keys = [re.search(r"^key: +(\S+)$", text, re.MULTILINE)[1] for text in made]
        lines = [re.search(r"^line: (\S+)$", text, re.MULTILINE)[1] for text in made]
        signing = credentials.SigningKey("ES256")
        self.tokens = [signing.sign(credentials.claims(name)) for name in ("carol", "dave")]
        toml = configs.plain(auth='["api_keys", "jwt:main"]', more=AUTH)
        self.gate_up = self.gate(
            toml.replace("[[route]]", MINT + "\n[[route]]", 1), origin=self.upstream.address,
            files={"keys": "\n".join(lines) + "\n", "jwks.json": credentials.key_set(signing),
                   "mint.jwk": json.dumps(credentials.SigningKey("ES256").private_jwk())})

    def run_wrk(self, script, *words, path="/"):
        host, port = self.gate_up.address()[:2]
        return subprocess.run(
            ["wrk", "-t2", f"-c{CONNECTIONS}", "-d1s", "--latency", "-s", SCRIPTS / script,
             f"http://{host}:{port}{path}", *map(str, words)],
            capture_output=True, text=True, timeout=harness.patience(30), check=False)

    def wrk(self, script, *words, path="/"):
        done = self.run_wrk(script, *words, path=path)
        self.assertEqual(done.stderr, "", done.stdout)
        self.assertRegex(done.stdout, r"\n  \d+ requests/s; us: p50 \d+, p90 \d+, p99 \d+, p99\.9 \d+")
        return done.stdout

    def callers(self):
        """Who asked how often, by the access log, with what status. What is under way on a connection
        when its time is over, wrk leaves behind."""
        seen = [(entry.get("identity"), entry["status"]) for entry in self.gate_up.access]
        left = [one for one in seen if one[1] == 499]
        self.assertLessEqual(len(left), CONNECTIONS)
        return collections.Counter(one for one in seen if one[1] != 499)

    def file_of(self, words):
        return self.write("words", "# one each\n" + "\n".join(words) + "\n\n")

    def test_keys_take_turns(self):
        self.assertNotIn("WARNING", self.wrk("key.lua", self.file_of(self.keys)))
        counts = self.callers()
        self.assertEqual(set(counts), {("alice", 200), ("bob", 200)})
        self.assertGreater(min(counts.values()) / max(counts.values()), 0.8)

    def test_a_key_goes_into_the_header_that_is_named(self):
        self.assertNotIn("WARNING", self.wrk("key.lua", self.file_of(self.keys), "authorization"))
        self.assertEqual(set(self.callers()), {("alice", 200), ("bob", 200)})

    def test_tokens_take_turns(self):
        self.assertNotIn("WARNING", self.wrk("token.lua", self.file_of(self.tokens)))
        self.assertEqual(set(self.callers()), {("carol", 200), ("dave", 200)})

    def test_bodies_are_posted(self):
        self.assertNotIn("WARNING", self.wrk("post.lua", self.file_of(self.keys[:1]), 5000))
        request = self.upstream.requests[0]
        self.assertEqual(request.method, "POST")
        self.assertEqual(len(json.loads(request.body)["prompt"]), 5000 - len('{"prompt":""}'))

    def test_tokens_are_minted(self):
        said = self.wrk("post.lua", self.file_of(self.keys[:1]), path="/token")
        self.assertNotIn("WARNING", said)
        self.assertEqual(self.gate_up.wait_for_access(route="token")["status"], 200)
        self.assertEqual(self.upstream.requests, [])

    def test_refusals_are_not_taken_for_speed(self):
        said = self.wrk("key.lua", self.file_of(["rw_nobody_0123456789"]))
        self.assertRegex(said, r"WARNING: \d+ of \d+ answers were not 2xx or 3xx")

    def test_a_file_that_is_missing_is_said(self):
        for words, what in (((), "a file is needed"), ((self.file_of([]),), "has no line"),
                            ((self.directory / "none",), "No such file")):
            done = self.run_wrk("key.lua", *words)
            self.assertIn(what, done.stdout + done.stderr)


if __name__ == "__main__":
    harness.main()
