"""`ringward setup`: the certificate and the keys of a first start, made once and never again."""

import grp
import os
import ssl
import stat
import subprocess
import unittest

import harness

CONFIG = '''
[admin]
socket = "off"
address = "off"
[[listener]]
name = "https"
address = "127.0.0.1:0"
  [listener.tls]
  certificates = [{ chain = "$dir/tls/cert.pem", key = { file = "$dir/tls/key.pem" } }]
[auth.api_keys]
file = "$dir/api-keys"
[auth.mint]
key = { file = "$dir/mint.jwk" }
issuer = "here"
audience = "api"
[[route]]
name = "token"
path = "/token"
action = "mint"
auth = ["api_keys"]
'''
MADE = {"tls/cert.pem", "tls/key.pem", "api-keys", "first-api-key", "mint.jwk"}


class Setup(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.folder = self.directory / "etc"
        self.folder.mkdir()
        self.config = self.folder / "ringward.toml"
        self.configure(CONFIG)

    def configure(self, config):
        self.config.write_text(config.replace("$dir", str(self.folder)))

    def set_up(self, *arguments, status=0):
        done = harness.ringward("setup", "--config", self.folder, *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr

    def files(self):
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)) for path in found} - {"ringward.toml"}

    def contents(self):
        return {name: (self.folder / name).read_bytes() for name in self.files()}

    def test_a_gate_serves_with_what_it_makes(self):
        said = self.set_up()
        self.assertEqual(self.files(), MADE)
        for place in ("tls/cert.pem", "first-api-key", "mint.jwk"):
            self.assertIn(str(self.folder / place), said)
        key = (self.folder / "first-api-key").read_text()
        self.assertNotIn(key.strip(), said)
        gate = self.gate(self.config.read_text())
        name, port = gate.address("https")
        curl = ["curl", "-s", "--cacert", self.folder / "tls/cert.pem", "-X", "POST",
                f"https://localhost:{port}/token", "--resolve", f"localhost:{port}:{name}"]
        refused = subprocess.run(curl + ["-o", "-", "-w", "%{http_code}"], capture_output=True)
        self.assertTrue(refused.stdout.endswith(b"401"), refused)
        minted = subprocess.run(curl + ["-H", f"x-api-key: {key.strip()}"], capture_output=True)
        self.assertIn(b'"token"', minted.stdout, minted)

    def test_nothing_is_made_twice(self):
        self.set_up()
        before = self.contents()
        self.assertEqual(self.set_up(), "")
        self.assertEqual(self.contents(), before)

    def test_two_at_once_make_one_of_each(self):
        command = [harness.BINARY, "setup", "--config", self.folder]
        running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
        said = b"".join(one.communicate()[1] for one in running)
        self.assertEqual([one.returncode for one in running], [0] * 4, said)
        self.assertEqual(said.count(b"first-api-key"), 1)
        self.assertEqual(self.files(), MADE)

    def test_what_an_operator_put_there_stays(self):
        (self.folder / "tls").mkdir()
        mine = {"tls/key.pem": b"my key", "api-keys": b"", "mint.jwk": b"my jwk"}
        for name, text in mine.items():
            (self.folder / name).write_bytes(text)
        self.assertEqual(self.set_up(), "")
        self.assertEqual(self.contents(), mine)

    def test_an_empty_folder_for_certificates_is_filled(self):
        (self.folder / "tls").mkdir()
        self.set_up()
        self.assertEqual(self.files(), MADE)

    def test_only_what_the_configuration_names_is_made(self):
        self.configure('[[listener]]\nname = "plain"\naddress = "127.0.0.1:0"\n')
        self.assertEqual(self.set_up(), "")
        self.assertEqual(self.files(), set())
        # A misspelt path of an operator's own is for the gate to refuse, not to be made true.
        self.configure(CONFIG.replace("tls/cert.pem", "tls/crt.pem").replace("api-keys", "api-kes"))
        self.set_up()
        self.assertEqual(self.files(), {"mint.jwk"})

    # After a power failure between the two the clear text opens nothing.
    def test_a_key_without_its_hash_is_replaced(self):
        (self.folder / "first-api-key").write_text("rw_first_stale\n")
        (self.folder / "api-keys.new").write_text("half a li")
        (self.folder / ".tls.new").mkdir()
        (self.folder / ".tls.new" / "key.pem").write_text("half a ke")
        self.set_up()
        self.assertEqual(self.files(), MADE)
        self.assertNotIn("stale", (self.folder / "first-api-key").read_text())

    def test_secrets_are_for_their_owner_and_the_group(self):
        def modes():
            return {name: stat.S_IMODE((self.folder / name).stat().st_mode)
                    for name in MADE | {"tls"}}
        self.set_up()
        alone = dict.fromkeys(MADE, 0o600) | {"tls/cert.pem": 0o644, "tls": 0o700}
        self.assertEqual(modes(), alone)
        for name in MADE:
            (self.folder / name).unlink()
        group = grp.getgrgid(os.getgroups()[0] if os.geteuid() else 1)
        self.set_up("--group", group.gr_name)
        shared = dict.fromkeys(MADE, 0o640) | {"tls/cert.pem": 0o644, "tls": 0o750}
        self.assertEqual(modes(), shared)
        for name in MADE | {"tls"}:
            self.assertEqual((self.folder / name).stat().st_gid, group.gr_gid, name)

    def test_what_cannot_be_is_said_and_makes_nothing(self):
        self.assertIn("there is no such group", self.set_up("--group", "no-such", status=1))
        self.configure("[[listener]]\nname = 1\n")
        self.assertIn("ringward.toml:2:8: error: listener.name", self.set_up(status=1))
        self.assertEqual(self.files(), set())

    def test_the_certificate_is_for_this_machine(self):
        self.set_up()
        leaf = ssl._ssl._test_decode_cert(str(self.folder / "tls/cert.pem"))
        names = {value for _, value in leaf["subjectAltName"]}
        self.assertLessEqual({"localhost", "127.0.0.1"}, names)
        self.assertEqual(leaf["subject"], leaf["issuer"])

    @unittest.skipIf(os.geteuid(), "needs root, to have files of another group")
    def test_root_checks_with_the_eyes_of_the_service(self):
        service = next(g for g in grp.getgrall() if g.gr_name == "daemon")
        os.chmod(self.directory, 0o755)
        self.set_up("--group", service.gr_name)
        # LeakSanitizer cannot look into a process that has become somebody else.
        options = harness.SANITIZER_OPTIONS["ASAN_OPTIONS"] + ":detect_leaks=0"

        def check():
            return harness.ringward("check", "--config", self.folder, env={"ASAN_OPTIONS": options})

        refused = check()
        self.assertEqual(refused.returncode, 1)
        self.assertIn("group daemon may read it", refused.stderr)
        os.chown(self.folder, 0, service.gr_gid)
        os.chmod(self.folder, 0o750)
        accepted = check()
        self.assertEqual(accepted.returncode, 0, accepted.stderr)
        os.chmod(self.folder / "api-keys", 0o600)  # which root alone could read
        self.assertIn("api-keys: cannot be opened", check().stderr)


if __name__ == "__main__":
    harness.main()
