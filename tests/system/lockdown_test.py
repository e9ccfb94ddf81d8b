"""What a gate gives up once it has started: the kernel refuses it the rest, and what this kernel cannot
refuse is said. docs/lockdown.md"""

import ctypes
import os
import signal
import struct
import subprocess
import unittest

import configs
import harness

OPEN_AT, NO_OPERATION = 18, 0  # of io_uring
CREATE_RULESET, SECCOMP, PRCTL_SECCOMP = 444, 317, 22
KEYS = '[auth.api_keys]\nfile = "$dir/keys"\n'


def landlock():
    """The version of the kernel's interface; 0: there is none."""
    return max(ctypes.CDLL(None).syscall(CREATE_RULESET, None, 0, 1), 0)


def without(call, code=1):
    """A seccomp filter as container runtimes set one: this call gives an errno, EPERM by default."""
    load, equal, answer = 0x20, 0x15, 0x06  # BPF: the system call's number; jump; return

    def restrict():
        program = b"".join(struct.pack("HBBI", *one) for one in (
            (load, 0, 0, 0), (equal, 0, 1, call),
            (answer, 0, 0, 0x00050000 | code), (answer, 0, 0, 0x7fff0000)))
        held = ctypes.create_string_buffer(program, len(program))
        filters = struct.pack("HxxxxxxP", 4, ctypes.addressof(held))
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(PRCTL_SECCOMP, 2, filters):
            raise OSError(ctypes.get_errno(), "prctl")
    return restrict


@harness.skip_under("asan", "tsan")
class Attempts(harness.SystemTest):
    """`ringward version --lockdown --try` locks itself down as `run` does, and then tries."""

    def setUp(self):
        super().setUp()
        self.server = self.origin(lambda c, r: c.answer(200, b"ok"))
        self.write("keys", harness.new_key("alice")[1] + "\n")
        self.write("state/revoked", "")
        self.config = self.write_config(configs.plain(auth='["api_keys"]', more=KEYS),
                                        origin=self.server.address)

    def attempt(self, what):
        return harness.ringward("version", "--lockdown", "--config", self.config, "--try", what)

    def assert_refused(self, what):
        done = self.attempt(what)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        self.assertIn(f"{what}: refused: ", done.stdout)

    def assert_not_refused(self, what):
        done = self.attempt(what)
        self.assertEqual((done.returncode, done.stdout), (1, f"{what}: not refused\n"), done)

    @unittest.skipUnless(landlock() >= 1, "this kernel has no Landlock")
    def test_files(self):
        # Root may read it without any capability: it is the owner.
        self.assert_refused("open:/etc/shadow")
        self.assert_refused("open:/usr/bin/env")
        self.assert_refused(f"write:{self.config}/ringward.toml")
        for name in (self.config / "ringward.toml", self.directory / "keys", "/etc/resolv.conf",
                     "/proc/self/status"):
            self.assert_not_refused(f"open:{name}")
        self.assert_not_refused(f"write:{self.directory}/state/revoked")

    @unittest.skipUnless(landlock() >= 4, "Landlock bounds no ports here (Linux 6.7)")
    def test_connections(self):
        other = self.origin(lambda c, r: c.answer(200, b"ok"))
        self.assert_refused(f"connect:{other.address}")
        self.assert_not_refused(f"connect:{self.server.address}")
        self.assert_refused("bind:127.0.0.1:0")

    def test_operations_of_a_ring(self):
        self.assert_refused(f"operation:{OPEN_AT}")
        self.assert_not_refused(f"operation:{NO_OPERATION}")

    def test_a_program_is_the_end(self):
        done = self.attempt("exec:/bin/true")
        self.assertEqual((done.returncode, done.stdout), (-signal.SIGSYS, ""))

    def test_system_calls(self):
        self.assert_refused("ring")
        self.assert_refused(f"signal:{os.getpid()}")

    def test_words_that_nobody_understands(self):
        self.assertEqual(self.attempt("fly:high").returncode, 2)

    def test_it_says_what_is_in_force(self):
        said = harness.ringward("version", "--lockdown", "--config", self.config).stdout
        parts = {line[:14].strip(): line[14:] for line in said.splitlines()}
        self.assertEqual(parts["privileges"], "no new ones")
        self.assertEqual(parts["capabilities"], "none")
        self.assertIn("no other operation", parts["io_uring"])
        if landlock() >= 4:
            self.assertEqual(parts["connections"], f"TCP to port 53, {self.server.port}")
        self.assertRegex(said, rf"(?m)^reads +{self.directory}$")
        self.assertRegex(said, rf"(?m)^writes +{self.directory}/state$")


@harness.skip_under("asan", "tsan")
class Running(harness.SystemTest):
    """The gate itself."""

    def start(self, **options):
        self.server = self.origin(lambda c, r: c.answer(200, b"ok"))
        return self.gate(configs.plain(), origin=self.server.address, **options)

    def status(self):
        said = harness.ringward("status", "--socket", self.directory / "admin.sock").stdout
        return next(line for line in said.splitlines() if line.startswith("lockdown"))

    def test_every_thread_is_locked_down(self):
        gate = self.start()
        self.assertEqual(gate.get("/").status, 200)
        names = set()
        for task in os.listdir(f"/proc/{gate.process.pid}/task"):
            with open(f"/proc/{gate.process.pid}/task/{task}/status") as file:
                of = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            names.add(of["Name"])
            with self.subTest(of["Name"]):
                self.assertEqual((of["NoNewPrivs"], of["Seccomp"]), ("1", "2"))
                for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                    self.assertEqual(int(of[which], 16), 0, which)
        self.assertLessEqual({"worker-0", "worker-1", "hashes"}, names)
        if landlock() >= 6:
            self.assertEqual(self.status().split(), ["lockdown", "whole"])

    def refused_reload(self):
        """What a reload is told, and --explain before it."""
        command = ("reload", "--socket", self.directory / "admin.sock")
        explained = harness.ringward(*command, "--explain")
        done = harness.ringward(*command)
        self.assertEqual((explained.returncode, done.returncode), (1, 1))
        self.assertIn("is not reachable for a locked-down gate", explained.stdout + explained.stderr)
        return done

    @unittest.skipUnless(landlock() >= 1, "this kernel has no Landlock")
    def test_a_reload_names_what_is_out_of_reach(self):
        gate = self.start()
        elsewhere = harness.SystemTest()
        elsewhere.setUp()
        self.addCleanup(elsewhere.doCleanups)
        keys = elsewhere.write("keys", harness.new_key("alice")[1] + "\n")
        text = configs.plain(auth='["api_keys"]', more=f'[auth.api_keys]\nfile = "{keys}"\n')
        self.write_config(text, origin=self.server.address)
        done = self.refused_reload()
        self.assertIn(f"{keys} is not reachable for a locked-down gate", done.stdout + done.stderr)
        self.assertEqual(gate.get("/").status, 200)
        # In a directory that it was started with it may be, by rename.
        key, line = harness.new_key("alice")
        self.write("config/keys", line + "\n")
        text = configs.plain(auth='["api_keys"]',
                             more='[auth.api_keys]\nfile = "$dir/config/keys"\n')
        self.write_config(text, origin=self.server.address)
        done = harness.ringward("reload", "--socket", self.directory / "admin.sock")
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(gate.get("/", headers=[("x-api-key", key)]).status, 200)
        self.assertEqual(gate.get("/").status, 401)

    @unittest.skipUnless(landlock() >= 4, "Landlock bounds no ports here (Linux 6.7)")
    def test_a_reload_names_a_port_out_of_reach(self):
        gate = self.start()
        other = self.origin(lambda c, r: c.answer(200, b"other"))
        self.write_config(configs.plain(), origin=other.address)
        done = self.refused_reload()
        self.assertIn(f"port {other.port} is not reachable for a locked-down gate",
                      done.stdout + done.stderr)
        self.assertEqual(gate.get("/").body, b"ok")

    def restricted(self, call, code=1):
        def start(*arguments, **options):
            die = options.pop("preexec_fn")
            restrict = without(call, code)

            def before():
                die()
                restrict()
            return subprocess.Popen(*arguments, preexec_fn=before, **options)
        gate = self.start(start=start)
        self.assertEqual(gate.get("/").status, 200)
        return gate

    def test_without_landlock_it_serves_and_says_so(self):
        gate = self.restricted(CREATE_RULESET, code=38)
        self.assertRegex(self.status(), r"files: all that its user may \(.*no Landlock")
        self.assertTrue(any("lockdown: " in line and "no Landlock" in line for line in gate.log))

    def test_without_seccomp_it_serves_and_says_so(self):
        gate = self.restricted(SECCOMP)
        self.assertRegex(self.status(), r"system calls: all that its user may")
        self.assertTrue(any("lockdown: " in line and "system calls" in line for line in gate.log))


if __name__ == "__main__":
    harness.main()
