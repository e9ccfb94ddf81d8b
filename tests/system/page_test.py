"""The page of the admin address, by a real Chromium (playwright-core, tests/system/clients/page.js) and by what it is
made of: numbers that move under load, a killed origin, nothing from elsewhere, and who may see it."""

import base64
import contextlib
import json
import os
import re
import subprocess
import threading
import time

import client
import configs
import harness
import npm_modules
import origin_process
from browser import CHROMIUM

LIMITED = configs.plain(
    upstream='health.path = "/health"\nhealth.interval = "200ms"\nhealth.fall = 1\nhealth.rise = 1\n',
    route='limits = ["per-ip"]\n', more='[[limit]]\nname = "per-ip"\nby = "client.ip"\nrate = "10/s"\nburst = 10000\n')


@harness.skip_under("asan", "tsan")  # it is the browser that is tested; what it asks for is below
class Page(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.modules = npm_modules.need(self)

    def start_server(self):
        """An origin that is a process of its own."""
        made = origin_process.OriginProcess()
        self.addCleanup(made.kill)
        return made

    def begin(self, gate, thing, *words, **options):
        url = "http://%s:%d/" % gate.admin
        script = npm_modules.CLIENTS / "page.js"
        return subprocess.Popen(
            ["node", str(script), CHROMIUM, url, thing, *map(str, words)], cwd=self.directory, text=True,
            env=os.environ | {"NODE_PATH": str(self.modules), "HOME": str(self.directory)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def end(self, process):
        out, said = process.communicate(timeout=harness.patience(180))
        self.assertEqual(process.returncode, 0, said[-3000:])
        return json.loads(out)

    @contextlib.contextmanager
    def load(self, gate):
        over = threading.Event()

        def ask():
            while not over.is_set():
                self.assertEqual(gate.get("/").status, 200)
                time.sleep(0.01)
        asking = threading.Thread(target=ask)
        asking.start()
        yield
        over.set()
        asking.join()

    def test_numbers_move(self):
        origin = self.start_server()
        gate = self.gate(LIMITED, origin=origin.address)
        with self.load(gate), client.connect(gate.address()):
            found = self.end(self.begin(gate, "load", 20))
        self.assertEqual(found["errors"], [])
        self.assertEqual(found["state"], "serving")
        self.assertRegex(found["about"], r"up \d+ s .* 0 reloads")
        self.assertGreater(float(found["totals"]["requests/s"].replace(",", "")), 19)
        self.assertGreaterEqual(int(found["totals"]["connections"]), 1)
        self.assertEqual(len(found["drawn"]), 4)
        self.assertTrue(all(colours > 2 for colours in found["drawn"]), found["drawn"])
        self.assertEqual([row[0] for row in found["routes"]], ["all"])
        self.assertEqual([row[0] for row in found["callers"]], ["address 127.0.0.1"])
        self.assertRegex(found["callers"][0][4], r"^\d.* (B|KiB)$")
        self.assertEqual([row[1:] for row in found["servers"]], [[origin.address, "up"]])
        self.assertEqual(len(found["workers"]), 2)
        self.assertEqual(found["limits"][0][0], "per-ip")
        self.assertEqual(found["keys"][0][0], "per-ip")
        self.assertIn("kernel", [row[0] for row in found["machine"]])

    def test_a_killed_origin_is_red_within_two_seconds(self):
        origin = self.start_server()
        gate = self.gate(LIMITED, origin=origin.address)
        process = self.begin(gate, "killed")
        self.assertEqual(process.stdout.readline(), "up\n")
        origin.kill()
        process.stdin.write("killed\n")
        found = self.end(process)
        self.assertLess(found["took"], 2000 * harness.patience(1))
        red, green, blue = map(int, re.findall(r"\d+", found["colour"])[:3])
        self.assertGreater(red, 2 * max(green, blue))
        self.assertIn(origin.address, found["alarms"][0])
        self.assertEqual(found["errors"], [])

    def test_light_dark_narrow_and_keys(self):
        gate = self.gate(LIMITED, origin=self.start_server().address)
        pictures = [os.environ["RW_PICTURES"]] if "RW_PICTURES" in os.environ else []
        found = self.end(self.begin(gate, "looks", *pictures))
        for scheme, other in (("light", "dark"), ("dark", "light")):
            seen = found[scheme]
            self.assertEqual(seen["errors"], [])
            self.assertLessEqual(seen["too_wide"], 0, scheme)
            self.assertEqual(seen["other"], found[other]["ground"])
            self.assertEqual(seen["paused"], "true")
            for wanted in ("Pause", "Theme", "Name", "Req/s"):
                self.assertTrue([one for one in seen["reached"] if one.startswith(wanted)], (wanted, seen["reached"]))
        self.assertNotEqual(found["light"]["ground"], found["dark"]["ground"])
        self.assertEqual(found["sorted"], "ascending")

    def test_a_script_from_elsewhere_does_not_run(self):
        gate = self.gate(LIMITED, origin=self.start_server().address)
        found = self.end(self.begin(gate, "injected"))
        self.assertFalse(found["ran"])
        self.assertIn("Failed to fetch", found["refused"])

    def test_with_a_password(self):
        gate = self.gate(LIMITED + Access.LOCKED, origin=self.start_server().address, files={"word": "open sesame\n"})
        found = self.end(self.begin(gate, "password", "open sesame"))
        self.assertEqual(found, {"state": "serving", "errors": []})


class Access(harness.SystemTest):
    LOCKED = '\n[admin]\nsocket = "$dir/admin.sock"\naddress = "127.0.0.1:0"\ncredential = { file = "$dir/word" }\n'

    def ask(self, gate, target, headers=None, method="GET"):
        with client.connect(gate.admin) as one:
            return one.request(method, target, headers=headers or {})

    def locked(self):
        gate = self.gate(configs.plain() + self.LOCKED, origin="127.0.0.1:1", files={"word": "open sesame\n"})
        return gate, lambda user, word: {"Authorization": "Basic " + base64.b64encode(f"{user}:{word}".encode()).decode()}

    def test_its_head(self):
        gate = self.gate(configs.plain(), origin="127.0.0.1:1")
        page = self.ask(gate, "/")
        self.assertEqual((page.status, page.get("content-type")), (200, "text/html; charset=utf-8"))
        policy = page.get("content-security-policy")
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual(page.get("x-content-type-options"), "nosniff")
        self.assertFalse(re.findall(rb"(?:src|href)=\"(?!data:,|#)", page.body))
        self.assertEqual(self.ask(gate, "/", method="HEAD").body, b"")

    def test_another_name_is_refused(self):
        """Somebody's name that his DNS lets point here: his page may read nothing."""
        gate = self.gate(configs.plain(), origin="127.0.0.1:1")
        for target in ("/", "/events", "/metrics"):
            for host in ("gate.attacker.example", "localhost.attacker.example", "127.0.0.1.attacker.example:9180"):
                self.assertEqual(self.ask(gate, target, {"Host": host}).status, 421, (target, host))
        for host in ("localhost", "LocalHost:9180", "127.0.0.1:80", "[::1]:9180", "192.0.2.1"):
            self.assertEqual(self.ask(gate, "/", {"Host": host}).status, 200, host)
        self.assertEqual(self.ask(gate, "/healthz", {"Host": "load-balancer.example"}).status, 200)

    def test_a_credential(self):
        gate, basic = self.locked()
        for target in ("/", "/events", "/metrics"):
            for wrong in ({}, basic("me", "wrong"), basic("open sesame", ""), {"Authorization": "Bearer wrong"},
                          {"Authorization": "Basic open"}, {"Authorization": "Basic"}, {"Authorization": "open sesame"},
                          {"Authorization": "Basic " + "x" * 4000}, basic("me", "open sesame\n")):
                got = self.ask(gate, target, wrong)
                self.assertEqual((got.status, (got.get("www-authenticate") or "")[:5]), (401, "Basic"), (target, wrong))
        for right in (basic("me", "open sesame"), basic("", "open sesame"), {"Authorization": "Bearer open sesame"},
                      {"Authorization": "bearer  open sesame", "Host": "gate.example"}):
            self.assertEqual(self.ask(gate, "/metrics", right).status, 200, right)
        self.assertEqual(self.ask(gate, "/readyz").status, 200)

    def test_a_credential_that_changes(self):
        gate, basic = self.locked()
        (self.directory / "word.new").write_text("another\n")
        (self.directory / "word.new").chmod(0o600)
        (self.directory / "word.new").rename(self.directory / "word")
        gate.wait_for_log("a file that the configuration names has changed")
        harness.eventually(lambda: self.ask(gate, "/metrics", basic("", "another")).status == 200)
        self.assertEqual(self.ask(gate, "/metrics", basic("", "open sesame")).status, 401)

    def test_metrics_through_the_gate(self):
        """As docs/operations.md has it for Prometheus elsewhere."""
        port = harness.free_port()
        gate = self.gate(configs.plain(upstream='host = "upstream"\n')
                         + f'\n[admin]\nsocket = "$dir/admin.sock"\naddress = "127.0.0.1:{port}"\n', origin=f"127.0.0.1:{port}")
        self.assertIn(b"ringward_requests_total", gate.get("/metrics", headers={"Host": "gate.example"}).body)

    def test_other_addresses_need_one(self):
        said = self.refused_start(configs.plain() + '\n[admin]\naddress = "0.0.0.0:0"\n', origin="127.0.0.1:1")
        self.assertIn("others need admin.credential", said)


class Events(harness.SystemTest):
    def watch(self, gate, wanted):
        """Events until all of `wanted` have come: {name: data}."""
        with client.connect(gate.admin) as one:
            one.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            said, found = b"", {}
            while not set(wanted) <= set(found):
                said += one.receive()
                for name, data in re.findall(rb"event: (\w+)\ndata: (.*)\n\n", said):
                    found[name.decode()] = json.loads(data)
            return said, found

    def test_what_they_tell(self):
        gate = self.gate(configs.plain(), origin="127.0.0.1:1")
        said, found = self.watch(gate, ("status", "sample"))
        self.assertIn(b"content-type: text/event-stream", said)
        self.assertEqual(found["status"]["status"]["state"], "serving")
        self.assertEqual(found["sample"]["upstreams"][0]["server"], "127.0.0.1:1")
        self.assertEqual([one["name"] for one in found["sample"]["top"]["workers"]], ["0", "1"])
        self.assertEqual(found["sample"]["top"]["callers"], [])

    def test_many_watch(self):
        """No more than 16, and they leave room for others."""
        gate = self.gate(configs.plain(), origin="127.0.0.1:1")
        watchers = [client.connect(gate.admin) for _ in range(17)]
        for one in watchers:
            self.addCleanup(one.close)
            one.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        heads = [one.receive()[:12] for one in watchers]
        self.assertEqual(sorted(heads), [b"HTTP/1.1 200"] * 16 + [b"HTTP/1.1 503"])
        self.assertEqual(gate.admin_get("/readyz").status, 200)
        for one in watchers:
            one.close()
        # Who has left is noticed.
        time.sleep(0.1)

        def another():
            with client.connect(gate.admin) as one:
                one.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return one.receive()[:12] == b"HTTP/1.1 200"
        harness.eventually(another)


if __name__ == "__main__":
    harness.main()
