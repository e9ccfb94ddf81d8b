"""Where clients are: routes for some countries, limits by country, what logs and metrics say, and a
database that changes or breaks. Clients say who they are by X-Forwarded-For, from a trusted peer."""

import json

import configs
import harness
import mmdb
from redis_server import value

GERMAN, FRENCH, SWISS, NOBODY = "198.51.100.1", "198.51.100.200", "198.51.100.7", "203.0.114.1"
NETWORKS = {"198.51.100.0/24": "DE", "198.51.100.128/25": "FR", "198.51.100.7/32": "CH",
            "192.0.2.0/24": None, "2001:db8::/32": "DE", "2001:db8:1::/48": "FR"}
TRUSTING = configs.LISTENER + 'client_address_from = ["127.0.0.0/8"]\n'
CONFIG = TRUSTING + configs.UPSTREAM + """
[geo]
database = "$dir/countries.mmdb"
[[limit]]
name = "per-country"
by = "country"
rate = "3/h"
burst = 3
[[limit]]
name = "per-client-there"
by = "client.ip+country"
rate = "1/h"
burst = 1
[[route]]
name = "some"
path_prefix = "/some"
upstream = "origin"
auth = []
countries = ["DE", "CH"]
[[route]]
name = "limited"
path = "/limited"
upstream = "origin"
auth = []
limits = ["per-country"]
[[route]]
name = "joined"
path = "/joined"
upstream = "origin"
auth = []
limits = ["per-client-there"]
[[route]]
name = "some-limited"
path = "/some-limited"
upstream = "origin"
auth = []
countries = ["DE"]
limits = ["per-country"]
[[route]]
name = "all"
path_prefix = "/"
upstream = "origin"
auth = []
"""
KEYED = CONFIG.replace("""
[[route]]
name = "some"
""", """
[admin]
socket = "$dir/admin.sock"
[[route]]
name = "keyed"
path = "/keyed"
upstream = "origin"
auth = ["api_keys"]
[[route]]
name = "some"
""") + configs.KEYS


class Geo(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))

    def start(self, config=CONFIG, networks=None, **options):
        self.write("countries.mmdb", mmdb.database(networks or NETWORKS, **options))
        return self.gate(config, origin=self.upstream.address)

    def ask(self, gate, ip, path, connection=None):
        headers = {"X-Forwarded-For": ip} if ip else {}
        if connection:
            return connection.request("GET", path, headers).status
        return gate.get(path, headers=headers).status

    def test_a_route_for_some_countries(self):
        gate = self.start()
        with gate.connect() as c:  # one connection, many clients
            for ip, status in ((GERMAN, 200), (FRENCH, 403), (SWISS, 200), (GERMAN, 200),
                               (NOBODY, 403), ("192.0.2.1", 403), ("2001:db8::1", 200),
                               ("2001:db8:1::1", 403), ("::ffff:198.51.100.1", 200),
                               ("2002:c633:6401::", 403), (None, 403)):
                self.assertEqual(self.ask(gate, ip, "/some/a", c), status, ip)
        self.assertEqual(gate.wait_for_access(client=FRENCH)["reason"], "country_refused")
        self.assertEqual(gate.wait_for_access(client=NOBODY)["reason"], "country_unknown")
        self.assertEqual(len(self.upstream.requests), 5)
        # What is said is what every 403 says.
        answer = gate.get("/some/b", headers={"X-Forwarded-For": FRENCH})
        self.assertEqual(answer.body, b'{"type":"about:blank","title":"Forbidden","status":403}')
        self.assertEqual(answer.get("cache-control"), "no-store")
        for line in ('ringward_refusals_total{reason="country_refused"} 3',
                     'ringward_refusals_total{reason="country_unknown"} 4'):
            harness.eventually(lambda line=line: line in gate.metrics(), what=line)

    def test_limits_by_country(self):
        gate = self.start()
        with gate.connect() as c:
            # All of a country have one budget, and all of nowhere.
            for ips in ((GERMAN, "198.51.100.2", "2001:db8::1", GERMAN),
                        (FRENCH, "2001:db8:1::1", FRENCH, FRENCH),
                        (NOBODY, "192.0.2.1", NOBODY, NOBODY)):
                self.assertEqual([self.ask(gate, ip, "/limited", c) for ip in ips],
                                 [200, 200, 200, 429])
            self.assertEqual([self.ask(gate, ip, "/joined", c)
                              for ip in (GERMAN, "198.51.100.2", GERMAN)], [200, 200, 429])
            # Who is not let in takes nothing from a budget.
            for ip in (FRENCH, SWISS, SWISS, SWISS, SWISS):
                self.assertEqual(self.ask(gate, ip, "/some-limited", c), 403)
            self.assertEqual(self.ask(gate, SWISS, "/limited", c), 200)

    def test_logs_and_metrics_say_where(self):
        gate = self.start()
        for ip in (GERMAN, GERMAN, FRENCH, NOBODY):
            self.assertEqual(self.ask(gate, ip, "/any"), 200)
        self.assertEqual(gate.wait_for_access(client=GERMAN)["country"], "DE")
        self.assertEqual(gate.wait_for_access(client=FRENCH)["country"], "FR")
        self.assertNotIn("country", gate.wait_for_access(client=NOBODY))
        for line in ('ringward_requests_by_country_total{country="DE"} 2',
                     'ringward_requests_by_country_total{country="FR"} 1',
                     'ringward_requests_by_country_total{country="unknown"} 1',
                     "ringward_geo_database_build_timestamp_seconds 1700000000"):
            harness.eventually(lambda line=line: line + "\n" in gate.metrics(), what=line)
        self.assertNotIn('country="CH"', gate.metrics())

    def test_without_geo_nobody_asks(self):
        gate = self.gate(TRUSTING + configs.UPSTREAM + configs.ROUTE + "auth = []\n",
                         origin=self.upstream.address)
        self.assertEqual(self.ask(gate, GERMAN, "/"), 200)
        self.assertNotIn("country", gate.wait_for_access(client=GERMAN))
        self.assertNotIn("country", gate.metrics())

    def test_every_size_of_records(self):
        for size in (24, 28, 32):
            with self.subTest(size):
                gate = self.start(record_size=size)
                self.assertEqual([self.ask(gate, ip, "/some/a") for ip in (GERMAN, FRENCH)],
                                 [200, 403])
                gate.stop()

    def test_a_new_database_is_taken_up(self):
        gate = self.start()
        with gate.connect() as c:
            self.assertEqual(self.ask(gate, GERMAN, "/some/a", c), 200)
            self.write("countries.mmdb", mmdb.database(NETWORKS | {"198.51.100.0/25": "FR"}))
            # On a connection that knows already where its client was, too.
            harness.eventually(lambda: self.ask(gate, GERMAN, "/some/b", c) == 403, within=20)

    def test_a_broken_one_changes_nothing_and_is_in_nobodys_way(self):
        key, line = harness.new_key("alice")
        self.write("keys", "")
        gate = self.start(KEYED)
        path = self.directory / "countries.mmdb"
        good = path.read_bytes()

        def stale():
            return value(gate, "ringward_geo_database_stale")
        self.assertEqual(stale(), 0)
        # In place, as a careless copy does it: what is there is cut off first.
        for broken in (b"", b"no database", good[:len(good) // 2]):
            path.write_bytes(broken)
        gate.wait_for_log("warning: .*is not a MaxMind DB, or not all of one")
        gate.wait_for_log("warning: .*countries are those of the database that was read before")
        harness.eventually(lambda: stale() == 1, 20, "that the metrics say so")
        self.assertEqual([self.ask(gate, ip, "/some/a") for ip in (GERMAN, FRENCH)], [200, 403])
        path.unlink()
        gate.wait_for_log("warning: .*countries.mmdb: cannot be opened")
        # Another file that changes meanwhile comes into force, and so does a reload.
        self.write("keys", line)
        harness.eventually(lambda: gate.get("/keyed", headers={"x-api-key": key}).status == 200,
                           20, "the new key")
        done = harness.ringward("reload", "--socket", f"{self.directory}/admin.sock")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([self.ask(gate, ip, "/some/a") for ip in (GERMAN, FRENCH)], [200, 403])
        self.assertGreaterEqual(value(gate, "ringward_geo_database_refused_total"), 2)
        self.assertRegex(gate.metrics(), r'ringward_config_reloads_total\{outcome="refused"\} 0\n')
        path.write_bytes(mmdb.database({"198.51.100.128/25": "DE"}))
        harness.eventually(lambda: [self.ask(gate, ip, "/some/a") for ip in (GERMAN, FRENCH)]
                           == [403, 200], within=20)
        self.assertEqual(stale(), 0)
        # Another path has to be right.
        toml = self.directory / "config" / "ringward.toml"
        toml.write_text(toml.read_text().replace("countries.mmdb", "none.mmdb"))
        done = harness.ringward("reload", "--socket", f"{self.directory}/admin.sock")
        self.assertEqual(done.returncode, 1)
        self.assertIn("none.mmdb: cannot be opened", done.stdout + done.stderr)

    def test_a_client_that_a_proxy_header_names(self):
        log = self.directory / "audit"
        gate = self.start(CONFIG.replace("client_address_from", "proxy_protocol_from") +
                          f'[log]\naudit = {{ path = "{log}" }}\n')
        for ip, status in ((GERMAN, 200), (FRENCH, 403), (SWISS, 200), (NOBODY, 403)):
            with gate.connect() as c:
                c.send(f"PROXY TCP4 {ip} 203.0.113.1 5000 443\r\n".encode())
                self.assertEqual(self.ask(gate, None, "/some/a", c), status, ip)
        self.assertEqual(gate.wait_for_access(client=FRENCH)["country"], "FR")

        def recorded():
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            return {r["client"]: (r["result"], r.get("country")) for r in lines if "client" in r}
        harness.eventually(lambda: recorded() == {
            GERMAN: ("allow", "DE"), FRENCH: ("deny", "FR"), SWISS: ("allow", "CH"),
            NOBODY: ("deny", None)}, 20, "records that say where")

    def test_check_reads_it(self):
        for octets, why in ((b"", "is not a MaxMind DB, or not all of one"),
                            (mmdb.database({"192.0.2.0/24": {"asn": 1}}), "has no country in it")):
            said = self.refused_start(CONFIG, files={"countries.mmdb": octets},
                                      origin=self.upstream.address)
            self.assertRegex(said, r"ringward\.toml:\d+:\d+: error: geo\.database: "
                                   rf"\S+/countries\.mmdb: {why}")
        said = self.refused_start(CONFIG.replace("countries.mmdb", "none.mmdb"),
                                  origin=self.upstream.address)
        self.assertIn("none.mmdb: cannot be opened: No such file or directory", said)

    def test_clients_of_a_unix_socket_are_nowhere(self):
        gate = self.start(CONFIG.replace("127.0.0.1:0", "unix:$dir/gate.sock"))
        self.assertEqual(self.ask(gate, None, "/some/a"), 403)
        self.assertEqual(self.ask(gate, None, "/any"), 200)


if __name__ == "__main__":
    harness.main()
