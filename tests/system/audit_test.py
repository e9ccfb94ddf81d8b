"""packaging/audit.sh with an apt that says what a test wants: what makes it fail, what does not, and
when it says that there is no telling. The program it audits is the real one."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness

BUILD = harness.BINARY.parent
AUDIT = harness.ROOT / "packaging" / "audit.sh"
SUITE = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.M)[1]

# Of apt: the list of its sources, a fetch that works or does not, and versions out of files.
APT = """#!/bin/sh
case " $* " in
  *" --print-uris "*)
    while read -r suite; do
      echo "'http://mirror.example/debian/dists/$suite/main/binary-amd64/Packages.xz' Packages 0 "
    done <"$RW_STUB/suites" ;;
  *" update "*) cat "$RW_STUB/errors" >&2; [ ! -s "$RW_STUB/errors" ] ;;
  *" madison "*)
    for name; do :; done
    sed -n "s,^\\($name\\) \\(.*\\), \\1 | \\2 | http://mirror.example/debian main Packages,p" \
      "$RW_STUB/packages" ;;
  *" showsrc "*)
    for name; do :; done
    sed -n "s/^$name \\(.*\\)/Version: \\1/p" "$RW_STUB/sources" ;;
  *) echo "the test knows no: $*" >&2; exit 9 ;;
esac
"""


@unittest.skipIf(harness.SANITIZER, "the bill is of what ships, which has no sanitizer linked")
@unittest.skipUnless((BUILD / "ringward.map").exists(), "the binary is not in its build directory")
class Audit(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.build = self.directory / "build"
        self.build.mkdir()
        for entry in BUILD.iterdir():
            if entry.name not in ("audit", "ringward.cdx.json"):
                (self.build / entry.name).symlink_to(entry)
        for tool in ("apt-get", "apt-cache"):
            (self.directory / tool).write_text(APT)
            (self.directory / tool).chmod(0o755)
        installed = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "libsodium-dev"],
                                   capture_output=True, text=True, check=True)
        self.sodium = installed.stdout

    def audit(self, packages="", sources="", errors="", suites=None):
        suites = suites or [SUITE, f"{SUITE}-security"]
        for name, text in (("packages", packages), ("sources", sources), ("errors", errors),
                           ("suites", "".join(f"{suite}\n" for suite in suites))):
            (self.directory / name).write_text(text)
        return subprocess.run(
            [AUDIT, self.build, "libsodium-dev"], capture_output=True, text=True, check=False,
            env={**os.environ, "RW_STUB": str(self.directory), "SOURCE_DATE_EPOCH": "1",
                 "PATH": f"{self.directory}:{os.environ['PATH']}"})

    def test_nothing_waits(self):
        done = self.audit(packages=f"libsodium-dev {self.sodium}\nlibfmt-dev 0.1-1\n")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"audit: [1-9]\d* packages and sources, 0 with an update")
        self.assertIn(f"{self.build}/ringward.cdx.json is for scanners", done.stdout)
        self.assertTrue((self.build / "ringward.cdx.json").stat().st_size)

    def test_an_update_of_what_is_linked_fails(self):
        done = self.audit(packages="libfmt-dev 0.1-1\nlibfmt-dev 999-1+deb1\nlibfmt-dev 998-1\n")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stdout,
                         r"(?m)^audit: libfmt-dev \S+: the security suite has 999-1\+deb1$")
        self.assertIn(", 1 with an update", done.stdout)

    def test_an_update_of_what_builds_it_fails(self):
        done = self.audit(packages=f"libsodium-dev {self.sodium}+deb99u1\n")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(f"libsodium-dev {self.sodium}: the security suite has", done.stdout)

    def test_an_update_of_something_else_does_not(self):
        self.assertEqual(self.audit(packages="bash 999\n").returncode, 0)

    def test_a_newer_source_in_unstable_is_told(self):
        done = self.audit(sources="wolfssl 999.0-1\nsimdjson 0.1-1\n")
        if "pkg:generic/wolfssl" in (self.build / "ringward.cdx.json").read_text():
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, r"(?m)^audit: wolfssl \S+: unstable has 999.0-1; read")
        else:  # Debian's own, patched: that suite has security updates
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stdout, r"(?m)^audit: wolfssl \S+: the security suite has 999.0-1")

    def test_without_a_security_suite_there_is_no_telling(self):
        done = self.audit(suites=[SUITE])
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn(f"audit: {SUITE}-security is not among apt's sources", done.stderr)

    def test_without_debian_there_is_none_either(self):
        done = self.audit(suites=["elsewhere"])
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("no Debian mirror", done.stderr)

    def test_a_mirror_out_of_reach_is_no_clean_bill(self):
        done = self.audit(errors="E: Could not connect to mirror.example\n")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn(f"{SUITE}-security is out of reach", done.stderr)
        self.assertIn("E: Could not connect to mirror.example", done.stderr)


if __name__ == "__main__":
    harness.main()
