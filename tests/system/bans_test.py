"""Clients that keep failing are shut out: at accept, behind a proxy, over workers, reloads and
restarts; `ringward ban`, `unban` and `bans`; and whom no ban ever hits."""

import json
import re
import socket
import ssl

import audit_log
import configs
import credentials
import harness
from client import Closed, Connection

BAN = """
[ban]
failures = 5
exempt = []
"""
OPEN = """
[[route]]
name = "open"
path_prefix = "/open"
upstream = "origin"
auth = []
"""


class BanTest(audit_log.AuditTest):
    """Clients have addresses of 127.0.0.0/8; a proxy is at 127.0.0.2."""

    def start(self, ban=BAN, listener="", more="", server="workers = 2", own_table=True, **options):
        self.upstream = self.origin(self.serve)
        self.config = "\n".join([
            configs.LISTENER, 'client_address_from = ["127.0.0.2"]', listener, configs.UPSTREAM,
            OPEN, configs.ROUTE, 'auth = ["api_keys"]', configs.KEYS,
            f'[server]\nstate = "$dir/state"\n{server}', '[log]\naudit = { path = "$log" }',
            '[admin]\nsocket = "$dir/admin.sock"', ban, more])
        return self.again(**options)

    def again(self, **options):
        options.setdefault("files", {})["keys"] = self.line + "\n"
        self.gateway = self.gate(self.config, origin=self.upstream.address, log=self.log, **options)
        return self.gateway

    @staticmethod
    def serve(connection, request):
        connection.answer(401 if request.target == "/open/401" else 200, b"of the origin")

    def connect(self, address="127.0.0.5"):
        sock = socket.create_connection(self.gateway.address()[:2], timeout=harness.patience(10),
                                        source_address=(address, 0))
        self.addCleanup(sock.close)
        return Connection(sock, "localhost")

    def status(self, address="127.0.0.5", key=None, target="/", speaking_for=None):
        """Of one request on a connection of its own; 0: closed without an answer."""
        headers = [("x-api-key", key or self.key)]
        if speaking_for:
            headers.append(("x-forwarded-for", speaking_for))
        with self.connect(address) as one:
            try:
                return one.request("GET", target, headers).status
            except (OSError, Closed):
                return 0

    def guess(self, times=5, **who):
        self.assertEqual([self.status(key="guess", **who) for _ in range(times)], [401] * times)

    def tell(self, *words, status=0):
        done = harness.ringward(*words, "--socket", f"{self.directory}/admin.sock")
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def metric(self, name):
        return int(re.search(rf"^{name} (\d+)$", self.gateway.metrics(), re.M)[1])

    def change(self, before, after):
        path = self.directory / "config" / "ringward.toml"
        text = path.read_text()
        self.assertIn(before, text)
        path.write_text(text.replace(before, after))
        self.tell("reload")


class Failures(BanTest):
    def test_the_fifth_failure_closes_the_door_on_every_worker(self):
        self.start(server="workers = 4")
        kept = self.connect()
        self.assertEqual(kept.request("GET", "/", [("x-api-key", self.key)]).status, 200)
        self.guess(4)
        self.assertEqual(self.status(), 200)  # who proves to be somebody is not forgiven for it
        self.guess(1)
        self.assertEqual([self.status() for _ in range(12)], [0] * 12)
        self.assertEqual(self.status("127.0.0.6"), 200)
        answer = kept.request("GET", "/", [("x-api-key", self.key)])  # on a connection from before
        self.assertEqual((answer.status, answer.get("connection")), (403, "close"))
        self.assertTrue(kept.closed_within(harness.patience(5)))
        harness.eventually(lambda: self.metric("ringward_banned_connections_total") == 12)
        self.assertEqual(self.metric("ringward_banned_requests_total"), 1)
        self.assertEqual(self.metric("ringward_bans_made_total"), 1)
        harness.eventually(lambda: self.metric("ringward_bans") == 1)
        self.assertRegex(self.tell("bans"), r"\n127\.0\.0\.5 +\S+Z +\S+Z +1 unauthorized\n")
        said = json.loads(self.tell("bans", "--json"))
        self.assertEqual((said["act"], [(b["address"], b["time"], b["reason"]) for b in said["bans"]]),
                         (True, [("127.0.0.5", 1, "unauthorized")]))
        self.assertRegex(self.tell("status"), r"(?m)^bans +1$")
        self.gateway.wait_for_log(r"banned: 127\.0\.0\.5, until \S+, time 1, for unauthorized")

    def test_the_audit_log_has_the_reason(self):
        self.start()
        kept = self.connect()
        self.guess()
        made = self.wait_for_record(event="ban", result="done")
        self.assertEqual((made["reason"], made["client"]), ("banned", "127.0.0.5"))
        self.assertRegex(made["detail"], r"^5 within 1m, the last unknown_key; "
                                         r"until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, time 1$")
        self.assertEqual(kept.request("GET", "/").status, 403)
        refused = self.wait_for_record(event="ban", result="deny")
        self.assertEqual((refused["reason"], refused["status"]), ("banned", 403))
        # Of each worker's queue in its own time.
        harness.eventually(
            lambda: sum(r.get("reason") == "unknown_key" for r in self.records()) == 5,
            within=20, what="the five failures")
        self.gateway.wait_for_access(reason="banned", status=403)

    def test_it_ends_by_itself_and_the_next_is_twice_as_long(self):
        self.start(BAN + 'for = "2s"\n')
        self.guess()
        harness.eventually(lambda: self.status() == 200, within=30, what="its end")
        self.wait_for_record(event="ban", reason="ban_ended", client="127.0.0.5")
        self.assertEqual(self.tell("bans"), "nobody is banned\n")
        self.guess()
        harness.eventually(lambda: any(
            r.get("reason") == "banned" and r["detail"].endswith("time 2")
            for r in self.records() if r["event"] == "ban"), within=20, what="the second ban")

    def test_what_is_malformed_and_what_weighs_nothing(self):
        self.start(BAN + "weights = { unauthorized = 0, malformed = 3 }\n")
        self.guess(12)

        def send_nonsense():
            with self.connect("127.0.0.7") as one:
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
                return one.read_response().status
        self.assertEqual([send_nonsense(), send_nonsense()], [400, 400])
        self.assertEqual(self.status("127.0.0.7"), 0)
        self.assertEqual(self.status(), 200)

    def test_what_an_origin_refuses_is_no_failure(self):
        self.start()
        self.assertEqual([self.status(target="/open/401") for _ in range(12)], [401] * 12)
        self.assertEqual(self.status(), 200)

    def test_exempt_networks(self):
        self.start(BAN.replace("exempt = []", 'exempt = ["127.0.0.5"]'))
        self.guess(12)
        self.assertEqual(self.status(), 200)
        self.assertIn("is in ban.exempt", self.tell("ban", "127.0.0.5", status=1))

    def test_without_the_table_nothing_acts(self):
        self.start(ban="")
        self.guess(12)
        self.assertIn("without a [ban] table", self.tell("ban", "127.0.0.5", status=1))
        self.assertEqual(self.status(), 200)


class Proxies(BanTest):
    def test_who_is_behind_a_proxy_is_banned_and_the_proxy_never(self):
        self.start()
        proxy = {"address": "127.0.0.2"}
        self.guess(speaking_for="192.0.2.1", **proxy)
        self.assertEqual(self.status(speaking_for="192.0.2.1", **proxy), 403)
        self.assertEqual(self.status(speaking_for="192.0.2.2", **proxy), 200)
        self.guess(12, **proxy)  # its own
        for _ in range(12):
            with self.connect("127.0.0.2") as one:
                one.send(b"nonsense\r\n\r\n")
                self.assertEqual(one.read_response().status, 400)
        self.assertEqual(self.status(**proxy), 200)
        self.assertIn("is a proxy", self.tell("ban", "127.0.0.2", status=1))

    def test_the_connection_of_the_proxy_goes_on_and_the_answer_tells_nothing(self):
        self.start()
        with self.connect("127.0.0.2") as one:
            def ask(client, key):
                return one.request("GET", "/", [("x-api-key", key), ("x-forwarded-for", client)])
            for _ in range(5):
                self.assertEqual(ask("2001:db8:1:2::a", "guess").status, 401)
            banned = ask("2001:db8:1:2::b", self.key)  # another of its /64
            self.assertEqual(banned.status, 403)
            self.assertEqual(banned.body,
                             b'{"type":"about:blank","title":"Forbidden","status":403}')
            self.assertIsNone(banned.get("www-authenticate"))
            self.assertEqual(ask("2001:db8:1:3::a", self.key).status, 200)
        harness.eventually(lambda: "2001:db8:1:2::/64 " in self.tell("bans"))
        self.assertEqual(self.tell("unban", "2001:db8:1:2::ffff"),
                         "2001:db8:1:2::/64 is no longer banned\n")
        self.assertEqual(self.status("127.0.0.2", speaking_for="2001:db8:1:2::a"), 200)

    def test_whom_a_proxy_header_names(self):
        self.start(listener='proxy_protocol_from = ["127.0.0.3"]')

        def ask(header, key="guess"):
            with self.connect("127.0.0.3") as one:
                one.send(header)
                try:
                    return one.request("GET", "/", [("x-api-key", key)]).status
                except (OSError, Closed):
                    return 0
        client, other = (b"PROXY TCP4 192.0.2.%d 203.0.113.1 5000 443\r\n" % n for n in (1, 2))
        itself = b"PROXY UNKNOWN\r\n"
        self.assertEqual([ask(client) for _ in range(5)], [401] * 5)
        self.assertEqual(ask(client, self.key), 0)
        self.assertEqual(ask(other, self.key), 200)
        self.assertEqual([ask(itself) for _ in range(12)], [401] * 12)
        self.assertEqual(ask(itself, self.key), 200)
        self.assertIn("is a proxy", self.tell("ban", "127.0.0.3", status=1))

    def test_a_flood_of_addresses_washes_no_ban_away(self):
        self.start(BAN + "weights = { unauthorized = 5 }\n")
        with self.connect("127.0.0.2") as one:
            def ask(client, key):
                return one.request("GET", "/", [("x-api-key", key), ("x-forwarded-for", client)])
            self.assertEqual(ask("192.0.2.1", "guess").status, 401)
            flood = [f"198.51.{i // 200}.{i % 200}" for i in range(600)]
            for client in flood:
                self.assertEqual(ask(client, "guess").status, 401)
            for client in ["192.0.2.1", *flood]:
                self.assertEqual(ask(client, self.key).status, 403)
            self.assertEqual(ask("192.0.2.2", self.key).status, 200)
        self.assertEqual(self.metric("ringward_bans_without_room_total"), 0)


class Handshakes(BanTest):
    def test_before_tls(self):
        own = credentials.certificate("localhost")
        self.start(listener=configs.TLS, files={"cert.pem": own.chain, "key.pem": own.key})
        for _ in range(5):
            with self.connect() as one:
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(one.closed_within(harness.patience(10)))
        harness.eventually(lambda: self.metric("ringward_bans") == 1)
        failed = self.metric("ringward_tls_handshake_failures_total")
        self.assertEqual(failed, 5)
        context = ssl.create_default_context(cadata=own.chain)
        with self.connect() as one, self.assertRaises((OSError, ssl.SSLError)):
            context.wrap_socket(one.socket, server_hostname="localhost")
        self.assertEqual(self.metric("ringward_tls_handshake_failures_total"), failed)
        self.assertEqual(self.metric("ringward_banned_connections_total"), 1)
        with context.wrap_socket(self.connect("127.0.0.6").socket,
                                 server_hostname="localhost") as other:
            answer = Connection(other, "localhost").request("GET", "/open")
            self.assertEqual(answer.status, 200)

    def test_who_comes_and_says_nothing_is_no_failure(self):
        own = credentials.certificate("localhost")
        self.start(listener='proxy_protocol_from = ["127.0.0.3"]' + configs.TLS,
                   files={"cert.pem": own.chain, "key.pem": own.key})
        for _ in range(12):
            self.connect().close()
            with self.connect("127.0.0.3") as balancer:  # for somebody who says nothing either
                balancer.send(b"PROXY TCP4 192.0.2.1 203.0.113.1 5000 443\r\n")
        harness.eventually(
            lambda: self.metric("ringward_tls_handshake_failures_total") == 24, within=10)
        self.assertEqual(self.metric("ringward_bans_made_total"), 0)


class Operators(BanTest):
    def test_by_hand(self):
        self.start()
        self.assertRegex(self.tell("ban", "127.0.0.5", "1h"),
                         r"^127\.0\.0\.5 is banned until \S+Z\n$")
        self.assertEqual(self.status(), 0)
        self.assertRegex(self.tell("bans"), r"127\.0\.0\.5 .* 1 by_hand\n")
        made = self.wait_for_record(event="ban", reason="banned_by_hand")
        self.assertRegex(made["identity"], r"^uid:\d+$")
        self.assertRegex(made["detail"], r"^until \S+Z$")
        self.assertEqual(self.tell("unban", "127.0.0.5"), "127.0.0.5 is no longer banned\n")
        self.assertEqual(self.status(), 200)
        self.wait_for_record(event="ban", reason="unbanned", client="127.0.0.5")
        self.assertIn("is not banned", self.tell("unban", "127.0.0.5", status=1))
        self.assertIn("no address", self.tell("ban", "somebody", status=1))
        self.assertIn("no address", self.tell("ban", "127.0.0.0/24", status=1))
        self.assertIn("90s", self.tell("ban", "127.0.0.5", "soon", status=2))

    def test_a_reload_keeps_bans_and_takes_other_rules(self):
        self.start()
        self.guess()
        self.change("failures = 5", "failures = 2")
        others = (f"127.0.1.{i}" for i in range(1, 255))

        def two_are_enough():
            one = next(others)
            self.guess(2, address=one)
            return self.status(one) == 0
        harness.eventually(two_are_enough, what="the new rule")  # workers hear of it one by one
        self.assertEqual(self.status(), 0)
        self.change("exempt = []", 'exempt = ["127.0.0.5"]')
        harness.eventually(lambda: [self.status() for _ in range(8)] == [200] * 8, what="exempt")
        self.change('exempt = ["127.0.0.5"]', "exempt = []")
        harness.eventually(lambda: [self.status() for _ in range(8)] == [0] * 8, what="banned")

    def test_a_reload_takes_the_table_away_and_brings_it_back(self):
        self.start()
        self.guess()
        path = self.directory / "config" / "ringward.toml"
        with_table = path.read_text()
        self.change(BAN, "")
        harness.eventually(lambda: [self.status() for _ in range(8)] == [200] * 8, what="no table")
        # A ban is listed once the control thread has seen it.
        harness.eventually(lambda: "none of this acts" in self.tell("bans"))
        path.write_text(with_table)
        self.tell("reload")
        harness.eventually(lambda: [self.status() for _ in range(8)] == [0] * 8, what="the table")

    def test_a_restart_keeps_bans_and_their_repeats(self):
        for end in ("stop", "kill"):
            with self.subTest(end):
                self.start(check_exit=end == "stop")
                self.guess()
                harness.eventually(lambda: "127.0.0.5 " in self.tell("bans"))
                since = self.tell("bans")
                kept = self.directory / "state" / "bans"
                harness.eventually(lambda: kept.exists() and "127.0.0.5\n" in kept.read_text(),
                                   what="the file")
                getattr(self.gateway, end)()
                self.again()
                self.assertEqual(self.status(), 0)
                self.assertEqual(self.tell("bans"), since)
                self.tell("unban", "127.0.0.5")
                self.gateway.stop()

    def test_a_broken_file_is_put_by(self):
        self.write("state/bans", "ringward bans 1\nnonsense\n")
        self.start()
        self.gateway.wait_for_log(r"error: server\.state: \S+/state/bans: it is not as it was "
                                  r"written; nobody is banned, and it is called bans\.broken now")
        self.assertTrue((self.directory / "state" / "bans.broken").exists())
        self.assertEqual(self.status(), 200)
        self.tell("ban", "127.0.0.5")
        harness.eventually((self.directory / "state" / "bans").exists, what="the file")


if __name__ == "__main__":
    harness.main()
