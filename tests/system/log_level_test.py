"""`ringward log level`: more or fewer of the program's own messages, while it runs."""

import json
import re

import audit_log
import harness


class LogLevel(audit_log.AuditTest):
    def setUp(self):
        super().setUp()
        self.gateway = self.start()

    def command(self, *words, status=0):
        done = harness.ringward(*words, "--socket", self.directory / "admin.sock")
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def level(self):
        return re.search(r"^log level +(.*)$", self.command("status"), re.M)[1]

    def lines(self, text):
        return len([line for line in self.gateway.log if text in line])

    def configure(self, level):
        config = self.directory / "config" / "ringward.toml"
        text = re.sub(r'^level = .*\n', "", config.read_text(), flags=re.M)
        self.write("config/ringward.toml", text.replace("[log]\n", f'[log]\nlevel = "{level}"\n'))
        self.command("reload")

    def test_it_holds_at_once_and_is_said_and_audited(self):
        self.assertEqual(self.command("log", "level"), "info\n")
        self.command("reload")
        self.assertEqual(self.lines("debug: snapshot"), 0)

        self.assertEqual(self.command("log", "level", "debug"), "debug; log.level is info\n")
        self.assertEqual(self.level(), "debug; log.level is info")
        self.gateway.wait_for_log(r"info: log level debug, by the admin socket$")
        self.command("reload")
        self.gateway.wait_for_log("debug: snapshot")
        self.wait_for_record(event="admin", reason="log_level", object="debug", result="done")

        self.command("log", "level", "error")
        # What silences messages is itself among them.
        self.gateway.wait_for_log(r"info: log level error, by the admin socket$")
        before = len(self.gateway.log)
        self.command("reload")
        self.assertEqual(self.gateway.log[before:], [])

    def test_only_a_reload_that_brings_another_one_ends_it(self):
        self.command("log", "level", "debug")
        self.command("reload")
        self.assertEqual(self.level(), "debug; log.level is info")
        self.write("keys", "")  # read anew, with no reload
        self.gateway.wait_for_log("read anew")
        self.assertEqual(self.level(), "debug; log.level is info")
        self.configure("warning")
        self.assertEqual(self.level(), "warning")

    def test_json_and_nonsense(self):
        self.command("log", "level", "warning")
        self.assertEqual(json.loads(self.command("log", "level", "--json")),
                         {"level": "warning", "configured": "info"})
        self.assertEqual(json.loads(self.command("status", "--json"))["log_level"], "warning")
        self.command("log", "level", "loud", status=2)
        self.assertEqual(self.level(), "warning; log.level is info")


if __name__ == "__main__":
    harness.main()
