"""The deploy hook for certbot that the packages have: what it installs is served, without a reload."""

import grp
import os
import re
import stat
import subprocess

import configs
import credentials
import harness

HOOK = harness.ROOT / "packaging" / "certbot" / "ringward"


class Hook(harness.SystemTest):
    def renew(self, made):
        """A lineage as certbot leaves it: names that are links to numbered files."""
        for name, text in (("fullchain", made.chain), ("privkey", made.key)):
            self.write(f"archive/{name}1.pem", text)
            link = self.directory / "live" / f"{name}.pem"
            link.parent.mkdir(exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(self.directory / "archive" / f"{name}1.pem")

    def run_hook(self, **environment):
        group = grp.getgrgid(os.getegid()).gr_name
        return subprocess.run([HOOK], text=True, capture_output=True, env={
            "PATH": os.environ["PATH"], "RINGWARD_TLS": str(self.directory), "RINGWARD_GROUP": group,
            **environment})

    def serial(self, gate):
        with gate.connect(tls=True) as connection:
            return connection.socket.getpeercert(binary_form=True)

    def test_what_was_renewed_is_served(self):
        first = credentials.certificate(days=20)
        upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.tls(), origin=upstream.address,
                         files={"cert.pem": first.chain, "key.pem": first.key})
        before = self.serial(gate)

        def left():
            found = re.search(r"^ringward_certificate_expiry_seconds\{.*\} (\d+)$", gate.metrics(), re.M)
            return int(found[1])
        self.assertLess(left(), 21 * 86400)
        self.renew(credentials.certificate(days=90))
        done = self.run_hook(RENEWED_LINEAGE=str(self.directory / "live"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(stat.S_IMODE((self.directory / "key.pem").stat().st_mode), 0o640)
        self.assertEqual(stat.S_IMODE((self.directory / "cert.pem").stat().st_mode), 0o644)
        harness.eventually(lambda: self.serial(gate) != before, 20, "the new certificate")
        harness.eventually(lambda: left() > 80 * 86400)
        self.assertEqual([p.name for p in self.directory.iterdir() if p.name.startswith(".")], [])

    def test_says_what_is_missing(self):
        done = self.run_hook()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("RENEWED_LINEAGE", done.stderr)
        done = self.run_hook(RENEWED_LINEAGE=str(self.directory / "nowhere"))
        self.assertNotEqual(done.returncode, 0)
        self.assertFalse((self.directory / "key.pem").exists())
        self.assertEqual([p.name for p in self.directory.iterdir() if p.name.startswith(".")], [])


if __name__ == "__main__":
    harness.main()
