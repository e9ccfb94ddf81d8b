"""Origins by name: addresses that change under load, name servers that fail, files that change."""

import fcntl
import os
import re
import signal
import subprocess
import time
import unittest

import harness
import upstreams_test
from name_server import NameServer, bind_somewhere
from origin_process import OriginProcess

NAME = "origin.example"
# The gate in a mount namespace of its own, where these two files are the test's.
MOUNT = """set -e
mount --bind "$1/resolv.conf" /etc/resolv.conf
mount --bind "$1/hosts" /etc/hosts
shift
exec "$@"
"""


@unittest.skipUnless(os.geteuid() == 0, "mounts and port 53 need root")
class Names(upstreams_test.Servers):
    def setUp(self):
        super().setUp()
        self.names = NameServer()
        self.addCleanup(self.names.stop)
        self.resolv(f"nameserver {self.names.host}")
        self.hosts("127.0.0.1 localhost")

    # In place: what is mounted is the file, not its name.
    def hosts(self, text):
        (self.directory / "hosts").write_text(text + "\n")

    def resolv(self, text):
        (self.directory / "resolv.conf").write_text(text + "\n")

    def origins(self, *hosts):
        """One on each of these loopback addresses, all on one port."""
        made = []
        for host in hosts:
            made.append(OriginProcess(host, made[0].port if made else 0))
            self.addCleanup(made[-1].kill)
        return made

    def apart(self, arguments):
        return ["unshare", "--mount", "sh", "-c", MOUNT, "sh", str(self.directory),
                *map(str, arguments)]

    def start_named(self, port, name=NAME, health="", first_byte="5s"):
        config = upstreams_test.CONFIG.replace("$upstream", "")
        return self.gate(config, start=lambda words, **how: subprocess.Popen(self.apart(words), **how),
                         servers=f'{{ address = "{name}:{port}" }}', first_byte=first_byte,
                         health=health)

    def server(self, origin, name=NAME):
        return f"{name}:{origin.port} ({origin.host})"

    def wait_for_servers(self, *origins, name=NAME, within=20):
        wanted = sorted(self.server(one, name) for one in origins)
        harness.eventually(lambda: sorted(self.rows()) == wanted, within, f"servers {wanted}")

    def moves_without_a_failure(self, gate, before, after, change):
        load = upstreams_test.Load(gate)
        self.addCleanup(load.end)
        served = lambda by: any(r[4] == by.host for r in load.results)  # noqa: E731
        harness.eventually(lambda: served(before), 20, "the first one serves")
        change()
        harness.eventually(lambda: served(after), 20, "the other one serves")
        self.wait_for_servers(after)
        mark = time.monotonic()
        harness.eventually(lambda: sum(r[0] > mark for r in load.results) > 50, 20)
        results = load.end()
        self.assertEqual({r[3] for r in results}, {200}, [r for r in results if r[3] != 200][:5])
        self.assertEqual({r[4] for r in results if r[0] > mark}, {after.host})


class Moves(Names):
    def test_an_origin_moves_under_load_as_dnsmasq_says(self):
        old, new = self.origins("127.0.0.2", "127.0.0.3")
        host, udp, tcp = bind_somewhere()
        udp.close()
        tcp.close()
        records = self.directory / "records"
        records.write_text(f"{old.host} {NAME}\n")
        daemon = subprocess.Popen(
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
             f"--addn-hosts={records}", "--local-ttl=1", f"--listen-address={host}",
             "--bind-interfaces", "--user=root", f"--pid-file={self.directory}/pid"],
            stderr=subprocess.PIPE, text=True)
        self.addCleanup(daemon.stderr.close)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.terminate)
        for line in daemon.stderr:
            if "read" in line and "records" in line:
                break
        self.resolv(f"nameserver {host}")
        gate = self.start_named(old.port)

        def change():
            records.write_text(f"{new.host} {NAME}\n")
            daemon.send_signal(signal.SIGHUP)
        self.moves_without_a_failure(gate, old, new, change)
        self.assertIn(f"+ {new.host}, - {old.host}; for 1s",
                      gate.wait_for_log(re.escape(f"+ {new.host}")))

    def test_one_that_stays_keeps_what_is_known_of_it(self):
        stays, goes, comes = self.origins("127.0.0.2", "127.0.0.3", "127.0.0.4")
        self.names.records[NAME] = [stays.host, goes.host]
        gate = self.start_named(stays.port)
        self.wait_for_servers(stays, goes)
        for _ in range(40):
            self.assertEqual(gate.get("/").status, 200)
        before = int(self.rows()[self.server(stays)]["REQUESTS"])
        self.command("drain", self.server(stays))
        self.names.records[NAME] = [comes.host, stays.host]
        self.wait_for_servers(stays, comes)
        row = self.rows()[self.server(stays)]
        self.assertEqual((row["STATE"], int(row["REQUESTS"])), ("drained", before))
        self.assertEqual(gate.get("/").body.decode(), comes.host)

    def test_what_is_under_way_at_one_that_goes_is_finished(self):
        old, new = self.origins("127.0.0.2", "127.0.0.3")
        self.names.records[NAME] = [old.host]
        gate = self.start_named(old.port, first_byte="120s")
        old.stop()
        with gate.connect(timeout=harness.patience(20)) as client:
            client.send_request("GET", "/")
            harness.eventually(lambda: self.rows()[self.server(old)]["NOW"] == "1")
            self.names.records[NAME] = [new.host]
            self.wait_for_servers(new)
            old.go_on()
            answer = client.read_response()
            self.assertEqual((answer.status, answer.body.decode()), (200, old.host))
        self.assertEqual(gate.get("/").body.decode(), new.host)

    def test_a_and_aaaa_over_tcp_where_udp_has_no_room(self):
        v4, = self.origins("127.0.0.2")
        self.names.records[NAME] = [v4.host, "::1"]
        self.names.mode = "truncated"
        gate = self.start_named(v4.port)
        rows = harness.eventually(lambda: self.rows(), 20)
        self.assertEqual(sorted(rows), [f"{NAME}:{v4.port} (127.0.0.2)", f"{NAME}:{v4.port} (::1)"])
        self.assertIn("tcp", {how for _, _, how in self.names.asked})
        self.assertIn(f"name          {NAME}: ::1 127.0.0.2, for 1s", self.command("status"))
        self.assertIn(f'ringward_name_addresses{{name="{NAME}"}} 2\n', gate.metrics())

    def test_no_more_than_64_addresses_are_taken(self):
        self.names.records[NAME] = [f"127.7.{i}.1" for i in range(100)]
        self.names.mode = "truncated"
        self.start_named(1)
        harness.eventually(lambda: len(self.rows()) == 64, 20)


class Failures(Names):
    def failing(self, gate):
        return f'ringward_name_failing{{name="{NAME}"}} 1\n' in gate.metrics()

    def test_what_fails_or_is_empty_keeps_the_addresses(self):
        origin, = self.origins("127.0.0.2")
        self.names.records[NAME] = [origin.host]
        gate = self.start_named(origin.port)
        for mode in ("servfail", "empty", "nxdomain", "garbage", "silent"):
            with self.subTest(mode):
                self.names.mode = mode
                harness.eventually(lambda: self.failing(gate), 40, f"a failure by {mode}")
                self.assertEqual(gate.get("/").body.decode(), origin.host)
                self.names.mode = "well"
                harness.eventually(lambda: not self.failing(gate), 60, f"the end of {mode}")
        said = [line for line in gate.log if f"warning: name {NAME}" in line]
        self.assertEqual(len(said), 5, said)
        self.assertTrue(all("it keeps 127.0.0.2 until a lookup succeeds" in s for s in said), said)
        self.assertIn("(SERVFAIL)", said[0])
        self.assertIn("the name has no address", said[1])
        self.assertIn("no such host name", said[2])

    def test_a_gate_can_stop_while_a_name_server_is_silent(self):
        """Held up by its access log, the control thread finds all it does now and then overdue when
        the workers are gone; a lookup under way then takes it another turn to end."""
        origin, = self.origins("127.0.0.2")
        self.names.records[NAME] = [origin.host]
        pipe = self.directory / "pipe"
        os.mkfifo(pipe)
        with open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)) as unread:
            fcntl.fcntl(unread, fcntl.F_SETPIPE_SZ, 4096)
            gate = self.start_named(origin.port,
                                    health=f'tcp = true\n[log]\naccess.path = "{pipe}"')
            with gate.connect() as connection:
                for _ in range(50):  # more lines than the pipe has room for
                    self.assertEqual(connection.request("GET", "/").status, 200)
            self.names.mode = "silent"
            before = len(self.names.asked)
            harness.eventually(lambda: len(self.names.asked) > before, 30)
            gate.stop()

    def test_a_gate_starts_without_an_address_and_serves_once_there_is_one(self):
        origin, = self.origins("127.0.0.2")
        gate = self.start_named(origin.port)
        self.assertEqual(gate.get("/").status, 503)
        self.assertEqual(gate.wait_for_access(status=503)["reason"], "no_server_left")
        gate.wait_for_log(f"warning: name {NAME}: no such host name; it has no address, and its "
                          "requests get 503")
        gate.wait_for_log("error: upstream origin: no server is left, requests get 503")
        row = self.rows()[f"{NAME}:{origin.port}"]
        self.assertEqual((row["STATE"], row["WHY"]), ("unresolved", "no such host name"))
        self.assertIn(f"{NAME}:{origin.port} has no address (no such host name)",
                      self.command("status"))
        done = subprocess.run(self.apart([harness.BINARY, "check", "--config",
                                          self.directory / "config"]), capture_output=True,
                              text=True, timeout=harness.patience(30), check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{NAME}:{origin.port} has no address yet", done.stderr)
        self.names.records[NAME] = [origin.host]
        harness.eventually(lambda: gate.get("/").status == 200, 40, "an answer")

    def test_a_reload_waits_for_a_new_name(self):
        origin, = self.origins("127.0.0.2")
        self.names.records |= {NAME: [origin.host], "other.example": [origin.host]}
        gate = self.start_named(origin.port)
        config = self.directory / "config" / "ringward.toml"
        self.write("config/ringward.toml", config.read_text().replace(NAME, "other.example"))
        load = upstreams_test.Load(gate)
        self.addCleanup(load.end)
        self.command("reload")
        self.wait_for_servers(origin, name="other.example")
        self.assertEqual({r[3] for r in load.end()}, {200})


class Files(Names):
    def test_a_search_domain_completes_a_name(self):
        origin, = self.origins("127.0.0.2")
        self.resolv(f"nameserver {self.names.host}\nsearch wrong.example corp.example")
        self.names.records["origin.corp.example"] = [origin.host]
        gate = self.start_named(origin.port, name="origin")
        self.assertEqual(gate.get("/").body.decode(), origin.host)
        self.assertIn("origin.wrong.example", {name for name, _, _ in self.names.asked})

    def test_hosts_is_read_again_when_it_changes(self):
        old, new = self.origins("127.0.0.2", "127.0.0.3")
        self.hosts(f"{old.host} {NAME}")
        gate = self.start_named(old.port)
        self.moves_without_a_failure(gate, old, new, lambda: self.hosts(f"{new.host} {NAME}"))
        self.assertEqual(self.names.asked, [])

    def test_another_name_server_is_asked_once_resolv_conf_names_it(self):
        old, new = self.origins("127.0.0.2", "127.0.0.3")
        self.names.records[NAME] = [old.host]
        self.names.ttl = 3600
        gate = self.start_named(old.port)
        self.assertEqual(gate.get("/").body.decode(), old.host)
        other = NameServer()
        self.addCleanup(other.stop)
        other.records[NAME] = [new.host]
        self.resolv(f"nameserver {other.host}")
        harness.eventually(lambda: gate.get("/").body.decode() == new.host, 20)


if __name__ == "__main__":
    harness.main()
