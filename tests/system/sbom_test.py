"""The bill of materials against the program it is of: what the loader maps, what the linker took,
what Meson found and what the program says of itself all have to be in it, and nothing else as
linked."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import harness

BUILD = harness.BINARY.parent
SBOM = harness.ROOT / "packaging" / "sbom.py"
EPOCH = "1700000000"
# A word of each licence that the copyright file of a Debian package has when it is under it.
WORDS = {
    "Apache-2.0": "Apache", "Apache-2.0 WITH LLVM-exception": "Apache", "BSD-3-Clause": "BSD",
    "GPL-3.0-or-later WITH GCC-exception-3.1": "GCC Runtime Library", "ISC": "ISC",
    "LGPL-2.1-only": "Lesser", "LGPL-2.1-or-later": "Lesser", "MIT": "Expat|MIT",
}


def write_bill(build=BUILD, **options):
    done = subprocess.run([sys.executable, SBOM, "--build", build], text=True, capture_output=True,
                          check=False, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH}, **options)
    return done.returncode, done.stdout, done.stderr


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def package_of(path):
    real = os.path.realpath(path)
    for name in (str(path), real, real.removeprefix("/usr"), "/usr" + real):
        if owner := output("dpkg-query", "-S", name):
            return owner.split(":")[0]
    return None


@unittest.skipIf(harness.SANITIZER, "the bill is of what ships, which has no sanitizer linked")
@unittest.skipUnless((BUILD / "ringward.map").exists(), "the binary is not in its build directory")
class BillOfMaterials(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        status, cls.text, errors = write_bill()
        if status:
            raise AssertionError(errors)
        cls.bill = json.loads(cls.text)
        cls.libraries = [c for c in cls.bill["components"] if c["type"] == "library"]

    def linked(self, *kinds):
        return {c["name"]: c["version"] for c in self.libraries
                if c["properties"][0]["value"] in kinds}

    def test_what_the_loader_maps_is_in_it_with_its_version_and_nothing_else_is(self):
        paths = re.findall(r"(/\S+) \(0x", output("ldd", str(harness.BINARY)))
        self.assertGreater(len(paths), 1)
        packages = {package_of(path) for path in paths}
        expected = {name: output("dpkg-query", "-W", "-f", "${Version}", name)
                    for name in packages}
        self.assertEqual(self.linked("dynamic"), expected)

    def test_every_archive_that_gave_the_program_code_is_in_it(self):
        text = (BUILD / "ringward.map").read_text(errors="replace")
        archives = set(re.findall(r"(\S+\.a)\(", text))
        foreign = {name for name in archives if not re.match(r"(\S*/)?src/", name)}
        self.assertIn("wolfssl", " ".join(foreign))
        listed = {**self.linked("static"), **self.linked("dynamic")}
        for name in foreign:
            path = (BUILD / name).resolve()
            if "subprojects" in path.parts:
                wrapped = path.parts[path.parts.index("subprojects") + 1].split("-")[0]
                self.assertIn(wrapped, listed)
            else:
                self.assertIn(package_of(path), listed)

    def test_it_has_the_wolfssl_that_the_program_says_it_has(self):
        said = output(str(harness.BINARY), "version")
        version = re.search(r"wolfSSL +(\d+\.\d+\.\d+)", said)[1]
        wolfssl = next(c for c in self.libraries if c["name"] == "wolfssl")
        self.assertTrue(wolfssl["version"].startswith(version), wolfssl["version"])
        self.assertIn(f":wolfssl:wolfssl:{version}:", wolfssl["cpe"])

    def test_what_meson_found_is_in_it(self):
        found = json.loads((BUILD / "meson-info" / "intro-dependencies.json").read_text())
        names = {"libcares", "hiredis", "libnghttp2", "libmaxminddb", "libseccomp", "liburing", "libsodium", "tomlplusplus", "CLI11",
                 "fmt"}
        versions = [c["version"] for c in self.libraries]
        seen = set()
        for dependency in found:
            if dependency["name"] in names:
                seen.add(dependency["name"])
                self.assertTrue(any(v.startswith(dependency["version"]) for v in versions),
                                dependency)
        self.assertEqual(seen, names)

    def test_the_script_that_the_page_has_is_in_it(self):
        version = re.search(rb"uPlot \(v([0-9.]+)\)", harness.BINARY.read_bytes())[1].decode()
        self.assertEqual(self.linked("embedded"), {"uplot": version})

    def test_pinned_sources_have_the_hash_of_their_wrap_file(self):
        wraps = {path.stem: re.search(r"^source_hash = (\w+)$", path.read_text(), re.M)[1]
                 for path in (harness.ROOT / "subprojects").glob("*.wrap")}
        for component in self.libraries:
            if component["purl"].startswith(("pkg:generic/", "pkg:npm/")):
                self.assertEqual(component["hashes"],
                                 [{"alg": "SHA-256", "content": wraps[component["name"]]}])
            if component["purl"].startswith("pkg:generic/"):
                self.assertTrue(component["purl"].endswith(wraps[component["name"]]))

    def test_licences_are_those_of_the_packages_own_copyright_files(self):
        for component in self.libraries:
            licence = component["licenses"][0]
            licence = licence.get("expression") or licence["license"]["id"]
            file = Path("/usr/share/doc") / component["name"] / "copyright"
            if file.exists():
                self.assertRegex(file.read_text(), WORDS[licence], component["name"])

    def test_it_is_cyclonedx_with_what_scanners_look_for(self):
        bill = self.bill
        self.assertEqual((bill["bomFormat"], bill["specVersion"]), ("CycloneDX", "1.5"))
        self.assertRegex(bill["serialNumber"], r"^urn:uuid:[0-9a-f-]{36}$")
        references = [c["bom-ref"] for c in bill["components"]]
        self.assertEqual(len(references), len(set(references)))
        self.assertEqual(bill["dependencies"][0]["dependsOn"],
                         [c["bom-ref"] for c in self.libraries])
        for component in self.libraries:
            self.assertRegex(component["purl"], r"^pkg:(deb/debian|generic|npm)/[a-z0-9+.%-]+@[^:@]+")
            self.assertTrue(component["licenses"] and component["supplier"]["name"])

    def test_it_is_the_same_each_time_and_has_the_time_it_was_given(self):
        self.assertEqual(write_bill()[1], self.text)
        self.assertEqual(self.bill["metadata"]["timestamp"], "2023-11-14T22:13:20Z")

    def test_something_linked_that_nobody_knows_is_an_error(self):
        with tempfile.TemporaryDirectory() as directory:
            other = Path(directory)
            for entry in BUILD.iterdir():
                if entry.name != "ringward.map":
                    (other / entry.name).symlink_to(entry)
            (other / "libodd.a").write_bytes(b"!<arch>\n")
            text = (BUILD / "ringward.map").read_text(errors="replace")
            (other / "ringward.map").write_text(text + f" 0 0 0 1   {other}/libodd.a(odd.o):(.text)\n")
            status, _, errors = write_bill(other)
        self.assertNotEqual(status, 0)
        self.assertIn("libodd.a", errors)


if __name__ == "__main__":
    harness.main()
