"""A gate that its service manager gives ports below 1024, by an ambient capability, and that cannot
call capset(2), as under the package's units: it has no capability by the time that it serves."""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
import unittest
from pathlib import Path

import client
import configs
import harness
from manager import short_drain
from upgrade_case import SERVES, UpgradeTest

USER = 65534
CAPABILITY = "-all,+net_bind_service"
# Runs what it is given, with capset(2) refused as by SystemCallErrorNumber=EPERM.
WITHOUT_CAPSET = """
import ctypes, os, sys
filters = ctypes.CDLL("libseccomp.so.2")
filters.seccomp_init.restype = ctypes.c_void_p
made = ctypes.c_void_p(filters.seccomp_init(0x7FFF0000))
call = filters.seccomp_syscall_resolve_name(b"capset")
assert filters.seccomp_rule_add(made, 0x00050001, call, 0) == 0
assert filters.seccomp_load(made) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""
AS_A_MANAGER = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups",
                "--inh-caps", CAPABILITY, "--ambient-caps", CAPABILITY,
                "--bounding-set", CAPABILITY, "--no-new-privs",
                sys.executable, "-c", WITHOUT_CAPSET]


def free_low_ports():
    for port in range(1023, 600, -1):
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            yield port


def capabilities(pid):
    """What every thread has of those that count: of inheritable ones nothing comes."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        of = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines()
                  if ":\t" in line)
        yield from (int(of[which], 16) for which in ("CapPrm", "CapEff", "CapAmb"))


@unittest.skipUnless(os.geteuid() == 0, "another user's gate, which takes root")
@unittest.skipUnless(int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) >= 1024,
                     "everybody may bind to ports below 1024 here")
class LowPorts(UpgradeTest):
    def setUp(self):
        super().setUp()
        self.program = self.directory / "gate"
        shutil.copy(harness.BINARY, self.program)

    def own(self):
        for path in [self.directory, *self.directory.rglob("*")]:
            os.chown(path, USER, USER)

    def as_a_manager(self, command, **options):
        self.own()
        return subprocess.Popen([*AS_A_MANAGER, str(self.program), *command[1:]], **options)

    def command(self, *more):
        self.own()
        return subprocess.run([*AS_A_MANAGER, str(self.program), "upgrade", "--socket",
                               str(self.directory / "admin.sock"), *more], capture_output=True,
                              text=True, timeout=harness.patience(60), check=False)

    def listening(self, *ports):
        more = "".join(f'[[listener]]\nname = "more{port}"\naddress = "127.0.0.1:{port}"\n'
                       for port in ports[1:])
        return configs.plain(more=short_drain("1s") + more).replace(
            "127.0.0.1:0", f"127.0.0.1:{ports[0]}")

    def processes(self):
        """Those of the program, a helper that binds included."""
        found = []
        for one in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.readlink(one / "exe") == str(self.program):
                    found.append(int(one.name))
        return sorted(found)

    def served_by(self, pid, *ports):
        for port in ports:
            with client.connect(("127.0.0.1", port)) as one:
                self.assertEqual(one.request("GET", "/").status, 200)
        self.assertEqual(set(capabilities(pid)), {0})

    def test_a_gate_serves_there_and_has_no_capability(self):
        port = next(free_low_ports())
        gate = self.start(self.listening(port), start=self.as_a_manager)
        self.served_by(gate.process.pid, port)
        self.assertEqual(self.processes(), [gate.process.pid])
        self.assertIn(f"{self.program} run --config=", Path(f"/proc/{gate.process.pid}/cmdline")
                      .read_text().replace("\0", " "))

    def test_an_upgrade_gets_another_one(self):
        port, other = itertools.islice(free_low_ports(), 2)
        gate = self.start(self.listening(port), start=self.as_a_manager)
        self.rewrite(self.listening(port, other))
        pid = self.upgrade()
        self.served_by(pid, port, other)
        self.assertEqual(gate.wait(), 0)
        self.assertEqual(self.processes(), [pid])

    def test_a_port_that_somebody_has_is_said(self):
        with socket.socket() as other:
            port = next(free_low_ports())
            other.bind(("127.0.0.1", port))
            other.listen()
            config = self.write_config(self.listening(port), origin="127.0.0.1:1")
            done = self.as_a_manager(["", "run", "--config", str(config)], stderr=subprocess.PIPE,
                                     text=True)
            _, said = done.communicate(timeout=harness.patience(20))
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"listener main: 127.0.0.1:{port}: the port is in use by another program",
                          said)


if __name__ == "__main__":
    unittest.main()
