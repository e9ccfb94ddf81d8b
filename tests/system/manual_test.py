"""The manual pages: every command, option and configuration key of the program is in them and
nothing else is, and the tools that show them have nothing to complain about."""

import re
import shutil
import subprocess
import sys
import unittest

import commands
import config_keys
import harness

MAN = harness.ROOT / "man"
CONFIGURATION = harness.ROOT / "docs" / "configuration.md"
SECRET = {"file", "credential", "env"}


def make_toml_page(document=CONFIGURATION):
    done = subprocess.run([sys.executable, MAN / "toml_page.py", document, MAN / "ringward.8"],
                          text=True, capture_output=True)
    return done.returncode, done.stdout, done.stderr


class Commands(unittest.TestCase):
    """ringward(8) beside --help."""

    def setUp(self):
        self.page = (MAN / "ringward.8").read_text()
        items = re.split(r"^\.It Cm ", self.page.split(".Sh SIGNALS")[0], flags=re.M)[1:]
        self.items = {}  # "key new" -> what is said of it
        for item in items:
            line, _, text = item.partition("\n")
            name = re.split(r" (?:Ar|Op)\b", line)[0]
            self.assertNotIn(name, self.items, "twice in the page")
            self.items[name] = text

    def test_every_command_is_in_the_page_and_no_other(self):
        known = {" ".join(one.words) for one in commands.everything() if one.alone}
        self.assertGreater(len(known), 5)
        self.assertEqual(set(self.items), known)
        synopsis = self.page.split(".Sh SYNOPSIS")[1].split(".Sh")[0]
        named = {name.strip() for line in re.findall(r"^\.Cm (.*)$", synopsis, re.M)
                 for name in line.split("|")}
        self.assertEqual(named, known)

    def test_every_option_is_in_the_page_and_no_other(self):
        for one in commands.everything():
            if not one.alone:
                continue
            with self.subTest(one.words):
                said = re.findall(r"^\.It Fl Fl (\S+)( Ar)?", self.items[" ".join(one.words)], re.M)
                known = {(name, value) for name, value in one.options.items()
                         if name not in ("-h", "--help")}
                self.assertEqual({(f"--{name}", bool(value)) for name, value in said}, known)


class Keys(harness.SystemTest):
    """ringward.toml(5) beside what `ringward check` knows."""

    def setUp(self):
        super().setUp()
        status, page, said = make_toml_page()
        self.assertEqual(status, 0, said)
        self.entries = {}  # ("server", "workers") -> its text; what is bold has asterisks around
        for section in re.split(r"^\.Ss ", page, flags=re.M)[1:]:
            self.read(section)

    def read(self, section):
        title, _, text = section.split("\n.Sh ")[0].partition("\n")
        text = re.sub(r"\\fB|\\fR", "*", text)
        title = title.replace(r"\(rB", "]")
        for roff, plain in ((r"\%", ""), (r"\~", " "), (r"\-", "-"), (r"\&", ""), (r"\(aq", "'")):
            text = text.replace(roff, plain)
        items = re.split(r"^\.It ?(.*)\n", text.split(".El")[0], flags=re.M)[1:]
        if title.startswith("["):
            for keys, said in zip(items[::2], items[1::2]):
                for key in keys.removeprefix("Ic ").split(" , "):
                    self.entries[self.path(title) + tuple(key.split("."))] = said

    @staticmethod
    def path(title):
        """[[listener]] and `auth.jwt` as the words that lead there."""
        words = tuple(title.strip("[]").split("."))
        return words + ("NAME",) if words == ("auth", "jwt") else words

    def described(self, key):
        """In a row of its own, or by name in that of the table it is in."""
        if key in self.entries:
            return True
        for depth in range(len(key) - 1, 0, -1):
            row = self.entries.get(key[:depth])
            if row is not None:
                shown = " ".join(re.findall(r"\*([^*]*)\*", row))
                return re.search(rf"\b{key[-1]}\b", shown) is not None
        return False

    def test_every_key_is_in_the_page_and_no_other(self):
        schema = config_keys.Schema(self)
        self.assertGreater(len(schema.keys), 150)
        secrets = {key[:-1] for key in schema.keys if key[-1] == "credential"
                   and SECRET <= {one[-1] for one in schema.keys if one[:-1] == key[:-1]}}
        self.assertGreater(len(secrets), 2)
        missing = []
        for key in sorted(schema.keys - schema.tables):
            if key[:-1] in secrets and key[-1] in SECRET:  # those are in the table of types
                row = next(self.entries[key[:n]] for n in range(len(key), 0, -1)
                           if key[:n] in self.entries)
                self.assertRegex(row, r"(?i)\bsecret\b", key)
            elif not self.described(key):
                missing.append(".".join(key))
        self.assertEqual(missing, [], "docs/configuration.md does not have them")
        unknown = {".".join(key) for key in self.entries if key not in schema.keys}
        self.assertEqual(unknown, set(), "docs/configuration.md has them, the program does not")

    def test_a_word_that_is_no_key_is_told_from_one(self):
        schema = config_keys.Schema(self)
        self.assertIn(("listener", "tls", "certificates", "key", "env"), schema.keys)
        self.assertIn(("auth", "jwt", "NAME", "max_age"), schema.keys)
        self.assertIn("respond", schema.words)  # a value, in src/config
        self.assertFalse([key for key in schema.keys if key[-1] == "respond"])
        self.assertFalse(self.described(("listener", "tls", "max_age")))


class Examples(harness.SystemTest):
    def test_the_configuration_in_the_page_is_in_order(self):
        example = re.search(r"^```toml\n(.*?)^```$", CONFIGURATION.read_text(), re.M | re.S)[1]
        for command in (
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes", "-subj", "/CN=localhost", "-days", "90",
                 "-keyout", self.directory / "tls/key.pem", "-out", self.directory / "tls/cert.pem"],
                ["chmod", "600", self.directory / "tls/key.pem"]):
            (self.directory / "tls").mkdir(exist_ok=True)
            subprocess.run(command, check=True, capture_output=True)
        line = harness.ringward("key", "new", "alice").stdout.split("line: ")[1]
        self.write("api-keys", line)
        config = self.write("ringward.toml",
                            example.replace("/etc/ringward", str(self.directory)))
        done = harness.ringward("check", "--config", config)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Tools(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.pages = [MAN / "ringward.8", self.write("ringward.toml.5", make_toml_page()[1])]

    def test_the_same_document_makes_the_same_page(self):
        self.assertEqual(make_toml_page(), make_toml_page())

    def test_what_cannot_be_printed_is_said_and_not_left_out(self):
        for text in ("1. one\n", "See [this](that.md).\n", "| a | b |\n|---|---|\n| c |\n",
                     "caf\u00e9\n"):
            with self.subTest(text):
                document = self.write("bad.md", "# T\n\n" + text)
                status, _, said = make_toml_page(document)
                self.assertEqual(status, 1)
                self.assertIn("bad.md", said)
                self.assertNotIn("Traceback", said)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_mandoc_finds_nothing(self):
        for page in self.pages:
            done = subprocess.run(["mandoc", "-T", "lint", page], text=True, capture_output=True)
            # What other pages this machine has is none of the page's business.
            said = [line for line in (done.stdout + done.stderr).splitlines()
                    if not re.search(r"referenced manual not found|outdated mandoc\.db", line)]
            self.assertEqual(said, [])

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_man_warns_of_nothing_and_shows_the_page(self):
        for page, section in zip(self.pages, ("SIGNALS", "[auth.jwt.NAME]")):
            done = subprocess.run(["man", "--warnings", "-l", page], text=True, capture_output=True,
                                  env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80",
                                       "LC_ALL": "C.UTF-8"})
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(section, re.sub(".\x08", "", done.stdout))


if __name__ == "__main__":
    harness.main()
