"""`log.access.path` as "syslog" and "journal": what arrives at the daemon's socket, and one that is slow, gone or
comes back. The gate has /dev and /run of its own, in which these sockets are the test's."""

import json
import os
import re
import shutil
import socket
import subprocess
import unittest

import configs
import harness

RSYSLOGD = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin:/bin")
OWN_DEVICES = """set -e
mkdir -p {here}/dev {here}/sockets
mount -t tmpfs none {here}/dev
for one in null zero full random urandom tty; do cp -a /dev/$one {here}/dev/; done
ln -s {here}/sockets/log {here}/dev/log
mount --move {here}/dev /dev
mount -t tmpfs none /run
mkdir -p /run/systemd
ln -s {here}/sockets /run/systemd/journal
exec "$@"
"""
RFC5424 = re.compile(rb"<30>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (\S+) ringward (\d+) access - (.*)", re.S)


def may_unshare():
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], check=False,
                                                capture_output=True).returncode == 0


@unittest.skipUnless(may_unshare(), "mounts for a process alone take root")
class Daemons(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.sockets = self.directory / "sockets"
        self.sockets.mkdir()
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))

    def start(self, path, more=""):
        script = self.write("own-devices", OWN_DEVICES.format(here=self.directory))

        def start(command, **options):
            return subprocess.Popen(["unshare", "-m", "sh", script, *command], **options)
        self.gateway = self.gate(configs.plain(more=f'[log]\naccess = {{ path = "{path}" {more} }}\n'),
                                 origin=self.upstream.address, start=start)

    def daemon(self, name):
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = self.sockets / name
        path.unlink(missing_ok=True)
        listening.bind(str(path))
        listening.settimeout(harness.patience(10))
        self.addCleanup(listening.close)
        return listening

    def ask(self, target="/"):
        self.assertEqual(self.gateway.get(target).status, 200)

    def metric(self, name):
        return float(re.search(rf"^{name} (\S+)$", self.gateway.metrics(), re.M)[1])

    def status(self):
        return harness.ringward("status", "--socket", self.directory / "admin.sock").stdout

    def test_syslog(self):
        daemon = self.daemon("log")
        self.start("syslog")
        for i in range(3):
            self.ask(f"/{i}")
        seen = []
        for _ in range(3):
            host, process, line = RFC5424.fullmatch(daemon.recv(65536)).groups()
            self.assertEqual((host.decode(), int(process)), (socket.gethostname(), self.gateway.process.pid))
            seen.append(json.loads(line)["path"])
        self.assertEqual(sorted(seen), ["/0", "/1", "/2"])
        self.assertNotIn("failing", self.status())

    def test_journal(self):
        daemon = self.daemon("socket")
        self.start("journal", ', format = "combined"')
        self.ask("/a")
        fields = dict(field.split(b"=", 1) for field in daemon.recv(65536).rstrip(b"\n").split(b"\n"))
        self.assertEqual((fields[b"PRIORITY"], fields[b"SYSLOG_IDENTIFIER"]), (b"6", b"ringward"))
        self.assertRegex(fields[b"MESSAGE"], rb'^127\.0\.0\.1 - - \[.*\] "GET /a HTTP/1\.1" 200 ')

    def test_a_daemon_that_is_not_there_yet_and_goes(self):
        self.start("syslog")
        self.ask("/early")
        harness.eventually(lambda: "access log    failing: No such file" in self.status())
        daemon = self.daemon("log")
        self.assertIn(b'"/early"', daemon.recv(65536))  # kept, and tried again
        harness.eventually(lambda: "failing" not in self.status())
        daemon.close()
        self.ask("/gone")
        harness.eventually(lambda: "access log    failing: Connection refused" in self.status())
        self.ask("/later")
        daemon = self.daemon("log")
        self.assertIn(b'"/gone"', daemon.recv(65536))
        self.assertIn(b'"/later"', daemon.recv(65536))
        self.assertEqual(self.metric("ringward_access_lines_dropped_total"), 0)

    def test_one_that_reads_nothing_stops_nobody(self):
        self.daemon("log")  # its queue takes a few, and nobody reads them
        self.start("syslog")
        with self.gateway.connect() as connection:
            for i in range(200):
                self.assertEqual(connection.request("GET", f"/{i}").status, 200)
        self.gateway.stop()  # and the end does not wait for it

    @unittest.skipUnless(RSYSLOGD, "rsyslog is not installed")
    def test_rsyslogd(self):
        (self.directory / "spool").mkdir()
        rules = self.write("rsyslog.conf", f"""global(workDirectory="{self.directory}/spool")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{self.sockets}/log" UseSpecialParser="off")
template(name="parts" type="string" string="%HOSTNAME%|%APP-NAME%|%PROCID%|%MSGID%|%syslogseverity%|%msg%\\n")
action(type="omfile" file="{self.directory}/arrived" template="parts")
""")
        daemon = subprocess.Popen([RSYSLOGD, "-n", "-f", rules, "-i", self.directory / "pid"],
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.terminate)
        harness.eventually((self.sockets / "log").exists, 20)
        self.start("syslog")
        self.ask("/to-rsyslog")
        arrived = self.directory / "arrived"
        line = harness.eventually(lambda: arrived.exists() and next(
            (one for one in arrived.read_text().splitlines() if "to-rsyslog" in one), None), 20)
        host, name, process, message, severity, text = line.split("|", 5)
        self.assertEqual((host, name, process, message, severity),
                         (socket.gethostname(), "ringward", str(self.gateway.process.pid), "access", "6"))
        self.assertEqual(json.loads(text)["path"], "/to-rsyslog")


if __name__ == "__main__":
    harness.main()
