"""/metrics against its table, promtool and a real Prometheus; the alerts that ship; what a scrape costs."""

import json
import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import configs
import credentials
import harness
import mmdb

RULES = harness.ROOT / "packaging" / "prometheus" / "ringward.rules.yml"
CASES = harness.ROOT / "tests" / "vectors" / "prometheus" / "alerts.yml"
PAGE = harness.ROOT / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(ringward_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", re.M)
SERIES = re.compile(r"^(ringward_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$")

# Something for every family: TLS on both sides, an origin by name, fetched keys, countries, a Redis
# (that nobody answers at).
EVERYTHING = configs.tls(more="""
[[upstream]]
name = "named"
servers = [{ address = "localhost:1" }]
[upstream.tls]
ca = "$dir/ca.pem"
certificate = { chain = "$dir/cert.pem", key = { file = "$dir/key.pem" } }
[geo]
database = "$dir/countries.mmdb"
[ban]
[redis]
address = "127.0.0.1:1"
[auth.jwt.away]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { url = "https://127.0.0.1:1/keys", ca = "$dir/ca.pem" }
[[limit]]
name = "per-ip"
by = "client.ip"
rate = "1000/s"
[[route]]
name = "other-one"
path_prefix = "/other"
upstream = "named"
auth = ["jwt:away"]
""").replace('auth = []', 'auth = []\nlimits = ["per-ip"]', 1)


def promtool(*arguments, **options):
    return subprocess.run(["promtool", *map(str, arguments)], text=True, capture_output=True,
                          timeout=harness.patience(60), **options)


def table():
    """docs/metrics.md, which a unit test holds against the table: name -> (type, labels, help)."""
    return {name: (kind, set(re.findall(r"`(\w+)`", labels)), text)
            for name, kind, labels, text in ROW.findall(PAGE.read_text())}


class Rules(harness.SystemTest):
    def test_promtool_finds_nothing_wrong(self):
        done = promtool("check", "rules", RULES)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_each_alert_fires_when_it_should(self):
        for path in (RULES, CASES):
            shutil.copy(path, self.directory)
        done = promtool("test", "rules", self.directory / CASES.name)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
        fired = re.findall(r"alertname: (\w+)\n\s+exp_alerts:", CASES.read_text())
        self.assertEqual(sorted(set(fired)), sorted(alerts), "each alert is seen to fire")

    def test_they_ask_for_what_there_is(self):
        asked = set(re.findall(r"\bringward_\w+", RULES.read_text()))
        self.assertGreater(len(asked), 10)
        self.assertEqual(asked - set(table()), set())


class Scrape(harness.SystemTest):
    def start(self):
        made = credentials.certificate()
        upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        return self.gate(EVERYTHING, origin=upstream.address, files={
            "cert.pem": made.chain, "key.pem": made.key, "ca.pem": credentials.Authority().root,
            "countries.mmdb": mmdb.database({"127.0.0.0/8": "DE"})})

    def test_is_the_table_no_more_and_no_less(self):
        gate = self.start()
        self.assertEqual(gate.get("/", tls=True).status, 200)
        text = gate.metrics()
        documented = table()
        shown = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        self.assertEqual(shown, {name: one[0] for name, one in documented.items()})
        helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.M))
        self.assertEqual(helps, {name: one[2] for name, one in documented.items()})
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            name, labels = SERIES.match(line).groups()
            name = name if name in documented else line.partition("{")[0].partition(" ")[0]
            found = set(re.findall(r'(\w+)="', labels or "")) - {"le"}
            self.assertEqual(found, documented[name][1], line)

    def test_promtool_finds_nothing_wrong(self):
        gate = self.start()
        gate.get("/", tls=True)
        done = promtool("check", "metrics", input=gate.metrics())
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)

    def test_handshakes_certificates_and_staleness(self):
        gate = self.start()
        gate.get("/", tls=True)
        text = gate.metrics()
        self.assertIn('ringward_tls_handshakes_total{version="1.3",resumed="no"} 1\n', text)
        left = re.findall(r'^ringward_certificate_expiry_seconds\{role="(\w+)",name="(\w+)",'
                          r'chain="(\S+)"\} (-?\d+)$', text, re.M)
        self.assertEqual([one[:3] for one in left],
                         [("listener", "main", f"{self.directory}/cert.pem"),
                          ("upstream", "named", f"{self.directory}/cert.pem")])
        for one in left:
            self.assertGreater(int(one[3]), 3600)
        good = (self.directory / "cert.pem").read_bytes()

        def is_stale(what):
            value = re.search(rf'^ringward_config_stale\{{what="{what}"\}} (\d)$', gate.metrics(), re.M)
            return int(value[1])
        self.assertEqual((is_stale("files"), is_stale("configuration")), (0, 0))
        self.write("cert.pem", "not a certificate")
        harness.eventually(lambda: is_stale("files"), within=10)
        self.assertEqual(is_stale("configuration"), 0)
        self.assertEqual(gate.get("/", tls=True).status, 200)
        socket = self.directory / "admin.sock"
        self.assertRegex(harness.ringward("status", "--socket", socket).stdout,
                         r"stale +what is on disk was refused: files")
        self.assertEqual(harness.ringward("reload", "--socket", socket).returncode, 1)
        self.assertEqual(is_stale("configuration"), 1)
        self.write("cert.pem", good)
        harness.eventually(lambda: not is_stale("files"), within=10)
        self.assertEqual(is_stale("configuration"), 1, "what a reload refused was not taken since")
        self.assertEqual(harness.ringward("reload", "--socket", socket).returncode, 0)
        self.assertEqual((is_stale("files"), is_stale("configuration")), (0, 0))

    # No worker is asked for anything: what they use in the meantime is what they use for themselves.
    def test_costs_no_worker_50_microseconds(self):
        gate = self.start()
        gate.get("/", tls=True)

        def worker_ns():
            used = []
            for task in Path(f"/proc/{gate.process.pid}/task").iterdir():
                if (task / "comm").read_text().startswith("worker-"):
                    used.append(int((task / "schedstat").read_text().split()[0]))
            return used
        scrapes = 60
        gate.metrics()
        before = worker_ns()
        for _ in range(scrapes):
            gate.metrics()
        cost = [(b - a) / scrapes / 1000 for a, b in zip(before, worker_ns())]
        self.assertEqual(len(cost), 2)
        self.assertGreater(min(before), 0, "what they used to start")
        print(f"a scrape cost the workers {cost[0]:.1f} and {cost[1]:.1f} us of CPU", flush=True)
        self.assertLess(max(cost), harness.patience(50))


class Server(harness.SystemTest):
    def start_prometheus(self, target):
        shutil.copy(RULES, self.directory)
        config = self.write("prometheus.yml", f"""
global: {{ scrape_interval: 500ms, evaluation_interval: 500ms }}
rule_files: [ringward.rules.yml]
scrape_configs:
  - job_name: ringward
    static_configs: [{{ targets: ["{target}"] }}]
""")
        process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.directory}/data",
             "--web.listen-address=127.0.0.1:0"], stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)

        def stop():
            process.terminate()
            process.wait()
            process.stderr.close()
        self.addCleanup(stop)
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r'msg="Listening on" address=(\S+)', line):
                threading.Thread(target=process.stderr.read, daemon=True).start()
                return f"http://{found[1]}/api/v1"
        self.fail("prometheus did not start:\n" + "".join(said))

    def test_scrapes_a_gate_and_raises_its_alerts(self):
        alice, line = harness.new_key("alice")
        upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        gate = self.gate(configs.plain(auth='["api_keys"]', more=configs.KEYS),
                         origin=upstream.address, files={"keys": line + "\n"})
        for _ in range(3):
            self.assertEqual(gate.get("/", headers={"x-api-key": alice}).status, 200)
        self.assertEqual(gate.get("/").status, 401)
        api = self.start_prometheus("%s:%d" % gate.admin)

        def ask(what):
            with urllib.request.urlopen(f"{api}/{what}", timeout=harness.patience(10)) as answer:
                return json.load(answer)["data"]

        def is_ready():
            try:
                return ask("targets")["activeTargets"]
            except urllib.error.HTTPError:  # 503: it reads what it has stored
                return False
        harness.eventually(is_ready, 30, "Prometheus, ready")

        def value(query):
            found = ask("query?query=" + urllib.request.quote(query))["result"]
            return float(found[0]["value"][1]) if found else None
        harness.eventually(lambda: value('up{job="ringward"}') == 1, 30, "a scrape that succeeds")
        self.assertEqual(value('ringward_requests_total{route="all",code="2xx"}'), 3)
        self.assertEqual(value('ringward_refusals_total{reason="missing"}'), 1)
        self.assertEqual(value('ringward_request_duration_seconds_count{route="all"}'), 4)
        self.assertLess(value('histogram_quantile(0.5, rate(ringward_request_duration_seconds_bucket'
                              '[1h])) or vector(0)'), 100)
        self.assertEqual(ask("targets")["activeTargets"][0]["lastError"], "")
        # A key file that is broken shows as an alert that is on its way.
        self.write("keys", "no line of a key file")

        def alerts():
            return {(a["labels"]["alertname"], a["labels"].get("what")) for a in ask("alerts")["alerts"]}
        harness.eventually(lambda: ("RingwardStaleConfiguration", "files") in alerts(), 30)
        self.write("keys", line + "\n")
        harness.eventually(lambda: ("RingwardStaleConfiguration", "files") not in alerts(), 30)


if __name__ == "__main__":
    harness.main()
