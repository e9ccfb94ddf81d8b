"""Files that a configuration names are reread when they change, however; the TOML itself is not."""

import os
import re
import signal

import configs
import credentials
import harness

KEYS = '[auth.api_keys]\nfile = "$dir/current/keys"\n'


def key_and_line(name):
    words = harness.ringward("key", "new", name).stdout.split()
    return (next(w for w in words if w.startswith(f"rw_{name}_")),
            next(w for w in words if w.startswith(f"{name}:rwk1")))


class Rereading(harness.SystemTest):
    def lead(self, name, to):
        """As `ln -s TO new && mv -T new NAME`."""
        os.symlink(to, self.directory / "new")
        os.rename(self.directory / "new", self.directory / name)

    def key_files(self):
        """A release per caller, and a gate that reads the one `current` leads to."""
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        (alice, alice_line), (bob, bob_line) = key_and_line("alice"), key_and_line("bob")
        self.write("r1/keys", alice_line + "\n")
        self.write("r2/keys", bob_line + "\n")
        self.lead("current", "r1")
        gate = self.gate(configs.plain(auth='["api_keys"]', more=KEYS),
                         origin=self.upstream.address)

        def statuses():
            return [gate.get("/", headers={"x-api-key": key}).status for key in (alice, bob)]
        self.assertEqual(statuses(), [200, 401])
        return gate, statuses

    def test_a_swapped_directory_link_is_seen(self):
        _, statuses = self.key_files()
        self.lead("current", "r2")
        harness.eventually(lambda: statuses() == [401, 200], within=10)
        self.lead("current", "r1")
        harness.eventually(lambda: statuses() == [200, 401], within=10)

    def test_a_release_that_is_broken_can_be_mended_where_it_is(self):
        gate, statuses = self.key_files()
        good = (self.directory / "r2" / "keys").read_text()
        self.write("r2/keys", "no key at all\n")
        self.lead("current", "r2")
        gate.wait_for_log("the configuration in force stays")
        self.assertEqual(statuses(), [200, 401])
        self.write("r2/keys", good)
        harness.eventually(lambda: statuses() == [401, 200], within=10)

    def test_a_certificate_behind_a_swapped_link(self):
        upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        for release in ("r1", "r2"):
            made = credentials.certificate(f"{release}.example")
            self.write(f"{release}/cert.pem", made.chain)
            self.write(f"{release}/key.pem", made.key)
        self.lead("current", "r1")
        gate = self.gate(configs.tls().replace("$dir/", "$dir/current/"), origin=upstream.address)

        def served():
            with gate.connect(tls=True) as connection:
                der = connection.socket.getpeercert(binary_form=True)
            return b"r2.example" in der
        self.assertFalse(served())
        self.lead("current", "r2")
        harness.eventually(served, within=10)

    def test_saved_toml_waits_for_a_reload(self):
        gate, statuses = self.key_files()
        good = configs.plain(auth='["api_keys"]', more=KEYS)
        self.write_config(good.replace('path_prefix = "/"', 'path_prefix = "/other"'),
                          origin=self.upstream.address)
        self.lead("current", "r2")  # is taken, and the saved text is not
        harness.eventually(lambda: statuses() == [401, 200], within=10)
        self.write_config("this is half of an edit", origin=self.upstream.address)
        self.lead("current", "r1")  # is taken, and the broken text is not in the way
        harness.eventually(lambda: statuses() == [200, 401], within=10)
        gate.signal(signal.SIGHUP)
        gate.wait_for_log("error: .*ringward.toml:1:")

    def test_the_signal_says_each_thing_once(self):
        upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(), origin=upstream.address)
        self.write_config(configs.plain(more="nonsense = 1"), origin=upstream.address)
        gate.signal(signal.SIGHUP)
        gate.wait_for_log("the configuration in force stays")
        with gate.connect() as connection:  # whatever is said twice has been by then
            connection.request("GET", "/")
        self.write_config(configs.plain(), origin=upstream.address)
        gate.signal(signal.SIGHUP)
        gate.wait_for_log("the configuration was reloaded")
        said = [line for line in gate.log if "nonsense" in line]
        self.assertEqual(len(said), 1, gate.log)
        self.assertTrue(re.match(r"ringward: error: \S+ringward.toml:\d+:\d+: error: ", said[0]), said)


if __name__ == "__main__":
    harness.main()
