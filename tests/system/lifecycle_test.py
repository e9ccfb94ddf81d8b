"""A gate's life: what keeps it from starting, how it ends, how it takes a changed configuration."""

import ctypes
import os
import re
import signal
import stat
import struct
import subprocess
import threading
import time
import unittest.mock
from pathlib import Path

import configs
import credentials
import harness

KEYS = '[auth.api_keys]\nfile = "$dir/keys"\n'


def without_io_uring():
    """A seccomp filter as container runtimes set one: io_uring_setup gives EPERM."""
    load, equal, answer = 0x20, 0x15, 0x06  # BPF: the system call's number; jump; return
    program = b"".join(struct.pack("HBBI", *one) for one in (
        (load, 0, 0, 0), (equal, 0, 1, 425),
        (answer, 0, 0, 0x00050001), (answer, 0, 0, 0x7fff0000)))
    held = ctypes.create_string_buffer(program, len(program))
    filters = struct.pack("HxxxxxxP", 4, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(set_seccomp, filter_mode, filters):
        raise OSError(ctypes.get_errno(), "prctl")


class Start(harness.SystemTest):
    def one_line(self, said):
        lines = [line for line in said.splitlines() if "error" in line]
        self.assertEqual(len(lines), 1, said)
        return lines[0]

    def test_a_port_in_use(self):
        origin = self.origin(lambda c, r: c.answer(200, b""))
        said = self.refused_start(configs.plain().replace("127.0.0.1:0", origin.address),
                                  origin=origin.address)
        self.assertIn(str(origin.port), self.one_line(said))

    def test_an_access_log_that_cannot_be_written(self):
        """Nobody is served whose line would be lost: no worker has begun."""
        log = '[log]\naccess.path = "$dir/none/access.log"'
        said = self.refused_start(configs.plain(more=log), origin="127.0.0.1:1")
        self.assertRegex(self.one_line(said), "log.access: .*none/access.log: No such file")

    def test_a_port_of_another_gate(self):
        gate = self.gate(configs.plain(), origin="127.0.0.1:1")
        taken = "%s:%d" % gate.address()
        admin = f'[admin]\nsocket = "{self.directory}/other.sock"\naddress = "off"\n'
        said = self.refused_start(configs.plain(more=admin).replace("127.0.0.1:0", taken),
                                  origin="127.0.0.1:1")
        self.assertIn(taken, self.one_line(said))

    def test_io_uring_refused_by_seccomp(self):
        self.write("gate.toml", configs.plain().replace("$origin", "127.0.0.1:1"))
        done = subprocess.run([harness.BINARY, "run", "--config", self.directory / "gate.toml"],
                              capture_output=True, text=True, timeout=harness.patience(20),
                              preexec_fn=without_io_uring)
        self.assertEqual(done.returncode, 1)
        self.assertIn("seccomp", self.one_line(done.stderr))

    def test_a_secret_others_can_read(self):
        self.write("keys", harness.new_key("alice")[1] + "\n", mode=0o644)
        line = self.one_line(self.refused_start(configs.plain(auth='["api_keys"]', more=KEYS),
                                                origin="127.0.0.1:1"))
        self.assertRegex(line, r"chmod \S* .*keys")
        (self.directory / "keys").chmod(0o600)
        self.gate(configs.plain(auth='["api_keys"]', more=KEYS), origin="127.0.0.1:1")

    def test_an_access_log_that_cannot_be_written_shows(self):
        origin = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(more='[log]\naccess = { path = "/dev/full" }\n'),
                         origin=origin.address)
        self.assertEqual(gate.get("/").status, 200)

        def status():
            return harness.ringward("status", "--socket", self.directory / "admin.sock").stdout
        harness.eventually(lambda: "failing: No space left" in status(), what="the status")

    def test_check_reports_everything_at_once(self):
        text = configs.plain(listener="max_conections = 5", upstream="colour = 1",
                             route='limits = ["nosuch"]\nmax_body = "many"')
        done = harness.ringward("check", "--config", self.write_config(text, origin="1.2.3.4:5"))
        self.assertEqual(done.returncode, 1)
        said = done.stdout + done.stderr
        for part in ("max_conections", "max_connections", "colour", "nosuch", "max_body"):
            self.assertIn(part, said)
        self.assertGreaterEqual(len(re.findall(r"ringward\.toml:\d+:\d+:", said)), 4, said)

    def test_check_reads_the_files_of_what_is_wrong_too(self):
        self.write("keys", harness.new_key("alice")[1] + "\n", mode=0o644)
        self.write("key.pem", "not looked at", mode=0o600)
        text = configs.tls(listener="max_conections = 5", auth='["api_keys"]', more=KEYS)
        config = self.write_config(text, origin="1.2.3.4:5")
        done = harness.ringward("check", "--config", config)
        self.assertEqual(done.returncode, 1)
        place = r"^%s/ringward\.toml:\d+:\d+: error: " % re.escape(str(config))
        for rest in (r"listener\.max_conections: unknown key",
                     r"listener\.tls\.certificates\.chain: \S*/cert\.pem: cannot be opened: No such",
                     r"auth\.api_keys\.file: \S*/keys: others may reach it .*chmod 0600"):
            self.assertRegex(done.stderr, re.compile(place + rest, re.M))
        # A start, and a check of what is otherwise right, say it the same way.
        self.write_config(text.replace("max_conections = 5", ""), origin="1.2.3.4:5")
        for command in ("run", "check"):
            said = harness.ringward(command, "--config", config).stderr
            self.assertEqual(len(re.findall(r"ringward\.toml:\d+:\d+: error: ", said)), 2, said)

    def test_check_and_version_of_what_is_right(self):
        config = self.write_config(configs.plain(), origin="1.2.3.4:5")
        for path in (config, config / "ringward.toml"):
            self.assertEqual(harness.ringward("check", "--config", path).returncode, 0)
        self.assertIn("wolfSSL", harness.ringward("version").stdout)
        self.assertNotEqual(harness.ringward("key", "hash", "a", stdin="short\n").returncode, 0)


class AdminSocket(harness.SystemTest):
    CONFIG = configs.plain(more='[admin]\naddress = "127.0.0.1:0"\n')

    def with_run(self, options):
        """Gates from now on see a /run of their own: an empty file system, mounted with options."""
        program = self.write("ringward", f'''#!/bin/sh
            exec unshare {"" if os.geteuid() == 0 else "-r"} -m sh -c \
              'mount -t tmpfs {options} none /run && exec "$@"' sh {harness.BINARY} "$@"
        ''', mode=0o700)
        if subprocess.run([program, "--help"], capture_output=True).returncode != 0:
            self.skipTest("no mount namespace can be made here")
        patch = unittest.mock.patch.object(harness, "BINARY", program)
        patch.start()
        self.addCleanup(patch.stop)

    def test_the_default_makes_its_directory(self):
        self.with_run("")
        gate = self.gate(self.CONFIG, origin="127.0.0.1:1")
        made = Path(f"/proc/{gate.process.pid}/root/run/ringward")
        self.assertEqual(stat.S_IMODE(made.stat().st_mode) & 0o755, 0o755)
        self.assertTrue(stat.S_ISSOCK((made / "admin.sock").stat().st_mode))
        self.assertFalse([line for line in gate.log if "admin.socket" in line])

    def test_the_default_is_done_without_where_it_cannot_be(self):
        self.with_run("-o ro")
        gate = self.gate(self.CONFIG, origin="127.0.0.1:1")
        said = [line for line in gate.log if "admin.socket" in line]
        self.assertEqual(len(said), 1, gate.log)
        self.assertRegex(said[0], r"warning: admin\.socket: /run/ringward/admin\.sock: .*"
                                  r"mkdir /run/ringward")

    def test_what_somebody_wrote_has_to_be(self):
        said = self.refused_start(configs.plain(
            more='[admin]\nsocket = "$dir/none/admin.sock"\naddress = "127.0.0.1:0"\n'),
            origin="127.0.0.1:1")
        self.assertRegex(said, r"error: admin\.socket: \S*/none/admin\.sock: No such file.*"
                               r"mkdir \S*/none.*RuntimeDirectory=")
        self.assertFalse((self.directory / "none").exists())


class Stop(harness.SystemTest):
    def begin_a_slow_request(self):
        self.go = threading.Event()
        self.addCleanup(self.go.set)
        upstream = self.origin(lambda c, r: (self.go.wait(60), c.answer(200, b"slow")))
        gate = self.gate(configs.plain(), origin=upstream.address, check_exit=False)
        connection = gate.connect()
        self.addCleanup(connection.close)
        connection.send_request("GET", "/")
        harness.eventually(lambda: upstream.requests)
        return gate, connection

    def test_sigterm_lets_what_is_under_way_finish(self):
        gate, connection = self.begin_a_slow_request()
        gate.signal(signal.SIGTERM)

        def refused():
            try:
                gate.connect().close()
            except ConnectionRefusedError:
                return True
        harness.eventually(refused, what="that it stops accepting")
        self.assertIsNone(gate.process.poll())
        self.go.set()
        self.assertEqual(connection.read_response().body, b"slow")
        self.assertTrue(connection.closed_within(harness.patience(5)))
        self.assertEqual(gate.wait(), 0)
        self.assertEqual([e["status"] for e in gate.access], [200])

    def test_a_second_sigterm_ends_it_at_once(self):
        gate, _ = self.begin_a_slow_request()
        gate.signal(signal.SIGTERM)
        gate.wait_for_log("stopping")
        start = time.monotonic()
        gate.signal(signal.SIGTERM)
        gate.wait(10)
        self.assertLess(time.monotonic() - start, harness.patience(8))

    def test_drain_timeout_bounds_it(self):
        upstream = self.origin(lambda c, r: c.receive())
        gate = self.gate(configs.plain(more='[server]\nworkers = 2\ndrain_timeout = "1s"\n'),
                         origin=upstream.address)
        with gate.connect() as connection, gate.connect() as idle:
            connection.send_request("GET", "/")
            harness.eventually(lambda: upstream.requests)
            gate.stop(within=10)
            self.assertTrue(idle.closed_within(5))


class Reload(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok", {"X-Is": "old"}))
        self.running = self.gate(self.config("/old"), origin=self.upstream.address)

    def config(self, prefix):
        # The same ports again: a reload is no new start.
        return configs.plain().replace('path_prefix = "/"', f'path_prefix = "{prefix}"')

    def change(self, text):
        self.write_config(text, origin=self.upstream.address)

    def command(self, name):
        return harness.ringward(name, "--socket", self.directory / "admin.sock")

    def test_by_the_command_and_by_the_signal(self):
        self.assertEqual(self.running.get("/new").status, 404)
        self.change(self.config("/new"))
        done = self.command("reload")
        self.assertEqual(done.returncode, 0, done.stderr)
        harness.eventually(lambda: self.running.get("/new").status == 200)
        self.assertEqual(self.running.get("/old").status, 404)
        self.change(self.config("/third"))
        self.running.signal(signal.SIGHUP)
        harness.eventually(lambda: self.running.get("/third").status == 200)

    def test_a_kept_connection_takes_it_too(self):
        with self.running.connect() as connection:
            self.assertEqual(connection.request("GET", "/new").status, 404)
            self.change(self.config("/new"))
            self.assertEqual(self.command("reload").returncode, 0)
            harness.eventually(lambda: self.running.get("/new").status == 200)

    def test_an_error_keeps_the_old_one_and_says_so(self):
        self.change(self.config("/new") + "\nnonsense = 1\n")
        done = self.command("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nonsense", done.stdout + done.stderr)
        self.running.signal(signal.SIGHUP)
        self.running.wait_for_log(r"error.*nonsense")
        self.assertEqual(self.running.get("/old").status, 200)
        self.assertEqual(self.running.get("/new").status, 404)

    def test_status(self):
        self.running.get("/old")
        done = self.command("status")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"workers\s+2")
        self.assertIn("%s:%d" % self.running.address(), done.stdout)
        self.assertEqual(harness.ringward("status", "--socket", "/nowhere.sock").returncode, 1)

    def test_under_load_nobody_sees_an_error(self):
        host, port = self.running.address()
        wrk = subprocess.Popen(["wrk", "-t1", "-c16", "-d4s", "--timeout", "20s",
                                f"http://{host}:{port}/old"],
                               stdout=subprocess.PIPE, text=True)
        for _ in range(6):
            time.sleep(0.5)
            self.assertEqual(self.command("reload").returncode, 0)
        said = wrk.communicate(timeout=harness.patience(30))[0]
        self.assertGreater(int(re.search(r"(\d+) requests in", said)[1]), 100)
        self.assertNotIn("Non-2xx", said)
        self.assertNotIn("Socket errors", said)


class Files(harness.SystemTest):
    def test_a_changed_key_file_takes_effect(self):
        upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        (alice, alice_line), (bob, bob_line) = harness.new_key("alice"), harness.new_key("bob")
        gate = self.gate(configs.plain(auth='["api_keys"]', more=KEYS), origin=upstream.address,
                         files={"keys": alice_line + "\n"})

        def status(key):
            return gate.get("/", headers={"x-api-key": key}).status
        self.assertEqual((status(alice), status(bob)), (200, 401))
        self.write("keys", bob_line + "\n")  # by a rename
        harness.eventually(lambda: (status(alice), status(bob)) == (401, 200), within=10)
        (self.directory / "keys").write_text(f"{alice_line}\n{bob_line}\n")  # in place
        harness.eventually(lambda: (status(alice), status(bob)) == (200, 200), within=10)

    def test_a_changed_key_set_takes_effect(self):
        upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        old, new = (credentials.SigningKey("ES256", kid=k) for k in ("old", "new"))
        gate = self.gate(configs.plain(auth='["jwt:main"]', more="""
            [auth.jwt.main]
            issuer = "https://issuer.example"
            audiences = ["api"]
            jwks = { file = "$dir/jwks.json" }
        """), origin=upstream.address, files={"jwks.json": credentials.key_set(old)})
        tokens = [k.sign(credentials.claims()) for k in (old, new)]

        def statuses():
            return [gate.get("/", headers={"authorization": f"Bearer {t}"}).status for t in tokens]
        self.assertEqual(statuses(), [200, 401])
        self.write("jwks.json", credentials.key_set(new))
        harness.eventually(lambda: statuses() == [401, 200], within=10)


if __name__ == "__main__":
    harness.main()
