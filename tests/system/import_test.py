"""`ringward import`: the folder of nginx, auth_request and a verifier becomes a configuration that
serves the same clients."""

import json
import os
import stat

import credentials
import harness

KEY = "old-key-0123456789abcdef"
LISTED = ("listed-one-0123456789", "listed-two-0123456789")
FILED = "filed-key-0123456789abc"
HOSTILE = "$(touch${IFS}$PWD/rw-pwned)`id`"
ISSUER = "https://old.example"
BCRYPT = "alice:$2b$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"


class Import(harness.SystemTest):
    """The old system is in old/ of the test's directory; what is made of it in new/."""

    def setUp(self):
        super().setUp()
        self.upstream = self.origin(self.answer)
        self.signers = [credentials.SigningKey("RS256", kid="old-1"),
                        credentials.SigningKey("ES256", kid="old-2")]
        theirs = credentials.SigningKey("EdDSA", kid="public")
        self.old(".env", f"""\
            # the old system
            API_KEY={KEY}
            API_KEYS="{LISTED[0]}, {LISTED[1]}"
            API_KEYS_FILE=/app/api_keys.txt
            JWT_ISSUER={ISSUER}
            JWT_AUDIENCE=api
            JWT_TTL=7200
            RATE_LIMIT_API=100r/s
            RATE_LIMIT_API_BURST=50
            RATE_LIMIT_AUTH=1r/m
            RATE_LIMIT_AUTH_BURST=2
            GITHUB_TOKEN=ghp_sesame
            """)
        self.old("api_keys.txt", f"# keys\n{FILED}\n{BCRYPT}\n{HOSTILE}\n")
        self.old("jwks.json", json.dumps({"keys": [
            *(one.private_jwk() for one in self.signers), theirs.jwk()]}))

    def old(self, name, text):
        lines = [line.strip() for line in text.splitlines()]
        return self.write(f"old/{name}", "\n".join(lines) + "\n", 0o644)

    def answer(self, connection, request):
        if request.target != "/stream":
            return connection.answer(200, b"ok")
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            connection.chunk(b"data: %d\n\n" % number)
        connection.send(b"0\r\n\r\n")

    def run_import(self, *more, status=0, output="new"):
        origin = () if "--origin" in more else ("--origin", self.upstream.address)
        done = harness.ringward("import", self.directory / "old", "--output",
                                self.directory / output, *origin, *more)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def start(self):
        """A gate by what was imported; only what would be in the way of other gates is changed."""
        toml = self.directory / "new" / "ringward.toml"
        text = toml.read_text().replace("127.0.0.1:8080", "127.0.0.1:0")
        text = text.replace("[::]:8443", "127.0.0.1:0")
        toml.write_text(text + f'\n[admin]\nsocket = "{self.directory}/admin.sock"\n'
                               'address = "127.0.0.1:0"\n')
        gate = harness.Gate(["run", "--config", toml.parent], self.directory)
        self.addCleanup(gate.stop)
        return gate


class OldClients(Import):
    def setUp(self):
        super().setUp()
        self.run_import()
        self.gateway = self.start()

    def ask(self, *headers, target="/", method="GET"):
        return harness.decided(
            lambda: self.gateway.get(target, headers=list(headers), method=method))

    def test_every_key_by_every_way_in(self):
        for key, name in ((KEY, "api-key"), (LISTED[0], "api-keys-1"), (LISTED[1], "api-keys-2"),
                          (FILED, "key-2"), (HOSTILE, "key-4")):
            for header in (("x-api-key", key), ("Authorization", f"Bearer {key}"),
                           ("Authorization", key)):
                with self.subTest(name, header=header[0]):
                    self.assertEqual(self.ask(header).status, 200)
                    seen = self.upstream.requests[-1]
                    self.assertEqual(seen.get("x-auth-identity"), name)
                    self.assertNotIn(key.encode(), seen.head)

    def test_tokens_of_the_old_system_go_on(self):
        for signer in self.signers:
            token = signer.sign(credentials.claims("carol", issuer=ISSUER))
            self.assertEqual(self.ask(("Authorization", f"Bearer {token}")).status, 200)
            self.assertEqual(self.upstream.requests[-1].get("x-auth-identity"), "carol")
        stranger = credentials.SigningKey("RS256", kid="old-1")
        token = stranger.sign(credentials.claims("carol", issuer=ISSUER))
        self.assertEqual(self.ask(("Authorization", f"Bearer {token}")).status, 401)

    def test_a_token_for_a_key(self):
        answer = self.ask(("x-api-key", KEY), target="/token", method="POST")
        self.assertEqual(answer.status, 200)
        told = json.loads(answer.body)
        self.assertEqual(told["token"], told["access_token"])
        self.assertEqual((told["token_type"], told["expires_in"]), ("Bearer", 7200))
        self.assertEqual((told["kid"], told["alg"]), ("old-1", "RS256"))
        self.assertEqual(self.ask(("Authorization", f"Bearer {told['token']}")).status, 200)
        self.assertEqual(self.upstream.requests[-1].get("x-auth-identity"), "api-key")

    def test_the_burst_of_tokens_is_nginxs(self):
        statuses = [self.ask(("x-api-key", KEY), target="/token", method="POST").status
                    for _ in range(4)]
        self.assertEqual(statuses, [200, 200, 200, 429])  # one, and a burst of two

    def test_a_refusal_has_the_old_error(self):
        for headers in ((), (("x-api-key", "no"),), (("Authorization", "Bearer a.b.c"),)):
            answer = self.ask(*headers)
            self.assertEqual(answer.status, 401)
            self.assertEqual(json.loads(answer.body)["error"], "unauthorized")
        self.assertEqual(self.upstream.requests, [])

    def test_health_is_open_but_limited(self):
        with self.gateway.connect() as connection:
            answers = [connection.request("GET", "/health") for _ in range(200)]
        self.assertEqual((answers[0].status, answers[0].body), (200, b'{"status":"ok"}'))
        self.assertEqual({one.status for one in answers}, {200, 429})
        self.assertEqual(self.upstream.requests, [])

    def test_streams(self):
        answer = self.ask(("x-api-key", KEY), target="/stream")
        self.assertEqual(answer.body, b"data: 0\n\ndata: 1\n\ndata: 2\n\n")


class Report(Import):
    def test_secrets_are_in_closed_files_and_nowhere_else(self):
        said = self.run_import()
        new = self.directory / "new"
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in new.iterdir()}
        self.assertEqual({name for name, mode in modes.items() if mode != 0o600},
                         {"ringward.toml", "jwks.json"})
        self.assertEqual(set(modes), {"ringward.toml", "jwks.json", "api-keys", "mint.jwk",
                                      "github-token"})
        self.assertEqual((new / "github-token").read_text(), "ghp_sesame")
        private = json.loads((new / "mint.jwk").read_text())
        self.assertEqual(private, self.signers[0].private_jwk())
        shown = said.stdout + said.stderr + (new / "ringward.toml").read_text()
        shown += (new / "jwks.json").read_text()
        for secret in (KEY, *LISTED, FILED, HOSTILE, "ghp_sesame", private["d"], private["p"]):
            self.assertNotIn(secret, shown)
        for key in (KEY, *LISTED, FILED, HOSTILE):
            self.assertNotIn(key, (new / "api-keys").read_text())
        members = {name for key in json.loads((new / "jwks.json").read_text())["keys"]
                   for name in key}
        self.assertEqual(members, {"kty", "kid", "alg", "use", "n", "e", "crv", "x", "y"})

    def test_what_is_not_carried_over_is_told(self):
        self.old(".env", "API_KEY=x\nRATE_LIMIT_API=lots\nJWT_TTL=1 hour\nSMTP_HOST=mail\n"
                         "JWKS_URL=https://issuer.example/jwks\nHOST_CERTS_DIR=certs\nnonsense\n")
        said = self.run_import().stdout
        for line in ('.env:2: RATE_LIMIT_API: "lots" is no rate',
                     '.env:3: JWT_TTL: "1 hour" is no duration',
                     ".env:4: SMTP_HOST: nothing is known of this setting",
                     ".env:6: HOST_CERTS_DIR: has none of fullchain.pem",
                     ".env:7: this line is no NAME=VALUE",
                     "JWT_ISSUER is not set", "JWT_AUDIENCE is not set"):
            self.assertIn(line, said)

    def test_a_certificate_stays_where_it_is(self):
        pair = credentials.certificate("localhost", days=90)
        certs = self.directory / "certs"
        self.write("certs/fullchain.pem", pair.chain, 0o644)
        self.write("certs/privkey.pem", pair.key, 0o644)
        self.old(".env", f"API_KEY={KEY}\nHOST_CERTS_DIR={certs}\n")
        self.assertRegex(self.run_import(output="open").stdout,
                         r"HOST_CERTS_DIR: cannot be used: .*privkey.pem.*chmod 0600")
        os.chmod(certs / "privkey.pem", 0o600)
        self.assertNotIn("HOST_CERTS_DIR", self.run_import().stdout)
        gate = self.start()
        trusted = str(certs / "fullchain.pem")
        answer = gate.get("/", headers={"x-api-key": KEY}, tls=trusted)
        self.assertEqual(answer.status, 200)


class Hostile(Import):
    def test_nothing_is_evaluated(self):
        marker = self.directory / "pwned"
        run = f"touch {marker}"
        evil = f'"\\n[[route]]\\nname="evil"\\nauth=[]\\n#$({run})`{run}`'
        self.old(".env", f"""\
            API_KEY='$({run.replace(" ", "${IFS}")})'
            JWT_ISSUER='{evil}'
            JWT_AUDIENCE="`{run}`
            [[route]]
            name = evil"
            RATE_LIMIT_API=$({run})
            JWKS_URL=https://issuer.example/`{run.replace(" ", "+")}`
            """)
        self.run_import()
        gate = self.start()
        self.assertFalse(marker.exists())
        self.assertEqual(gate.get("/").status, 401)
        token = self.signers[0].sign(credentials.claims(
            "carol", issuer=evil, audience=f"`{run}`\n[[route]]\nname = evil"))
        answer = gate.get("/", headers={"authorization": f"Bearer {token}"})
        self.assertEqual(answer.status, 200)

    def test_nothing_outside_of_the_folder_is_read(self):
        self.write("outside", f"{KEY}-outside\n")
        self.old(".env", "API_KEYS_FILE=../outside\n")
        self.assertIn("nothing outside of this folder is read", self.run_import().stdout)
        self.assertNotIn("outside", (self.directory / "new" / "api-keys").read_text())
        (self.directory / "old" / "outside").symlink_to(self.directory / "outside")
        said = self.run_import(output="again").stdout
        self.assertIn("outside: this leads out of the folder; it was left out", said)
        # and a file of keys that .env does not name is not taken in its place
        self.assertIn("api_keys.txt: this was not read", said)
        self.assertEqual((self.directory / "again" / "api-keys").read_text(), "")

    def test_nothing_is_written_over(self):
        kept = self.write("new/api-keys", "kept")
        self.assertIn("is not empty", self.run_import(status=1).stderr)
        self.assertEqual(kept.read_text(), "kept")
        self.assertEqual(os.listdir(kept.parent), ["api-keys"])

    def test_a_folder_without_anything_is_refused(self):
        for name in (".env", "api_keys.txt", "jwks.json"):
            (self.directory / "old" / name).unlink()
        self.assertIn("has none of .env", self.run_import(status=1).stderr)
        self.assertFalse((self.directory / "new").exists())
        self.assertEqual(harness.ringward("import", self.directory / "none").returncode, 1)
        self.assertEqual(harness.ringward("import").returncode, 2)

    def test_an_origin_that_is_no_address_is_refused(self):
        said = self.run_import("--origin", "http://x/\"", status=1).stderr
        self.assertIn('--origin "http://x/\\"":', said)
        self.assertFalse((self.directory / "new").exists())


if __name__ == "__main__":
    harness.main()
