"""Reload after reload under load of every kind, and what `ringward reload --explain` says before one."""

import json
import re
import subprocess
import threading
import time

import client
import configs
import credentials
import h2_client
import harness

RELOADS = 100
WITHIN = 60.0  # seconds, on a machine that has time; a busy one does as many as it can, see below
ASKED = (b"GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
SWITCHED = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
MIXED = configs.LISTENER + """
[[listener]]
name = "tls"
address = "127.0.0.1:0"
""" + configs.TLS + configs.UPSTREAM + """
[[limit]]
name = "per-ip"
by = "client.ip"
rate = "$rate/s"
burst = 1000000
[[route]]
name = "all"
path_prefix = "/"
upstream = "origin"
auth = []
limits = ["per-ip"]
upgrade = ["websocket"]
response_headers = { set = { x-round = "$round" } }
"""


class Load(harness.SystemTest):
    def serve(self, connection, request):
        if request.target == "/events":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                            b"Transfer-Encoding: chunked\r\n\r\n")
            for number in range(1_000_000):
                connection.chunk(b"data: %d\n\n" % number)
                if self.over.wait(0.02):
                    break
            connection.send(b"0\r\n\r\n")
        elif request.target == "/chat":
            connection.send(SWITCHED)
            while data := connection.receive():
                connection.send(data)
            connection.ended = True
        else:
            connection.answer(200, b"ok")

    def follow_events(self, address):
        """Every event in order, to the end that the origin makes."""
        with address() as connection:
            connection.send_request("GET", "/events")
            answer = connection.read_response()
            events = [int(n) for n in re.findall(rb"data: (\d+)\n\n", answer.body)]
            self.assertEqual(events, list(range(len(events))))
            return len(events)

    def chat(self, address):
        """Something there and back, over and over on one WebSocket connection."""
        rounds = 0
        with address() as connection:
            connection.send(ASKED)
            self.assertEqual(connection.read_head().status, 101)
            while not self.over.is_set():
                words = b"round %d" % rounds
                connection.send(words)
                self.assertEqual(connection.read_exactly(len(words)), words)
                rounds += 1
        return rounds

    def keep_asking(self, address):
        """Requests on one connection that nobody may close."""
        asked = 0
        with address() as connection:
            while not self.over.is_set():
                self.assertEqual(connection.request("GET", "/").status, 200)
                asked += 1
        return asked

    def ask_by_h2(self, address):
        """Five requests at once on one HTTP/2 connection, beside a stream of events that goes on."""
        asked = 0
        with h2_client.Client(address()) as connection:
            events = connection.begin("GET", "/events")
            while not self.over.is_set():
                for number in [connection.begin("GET", "/") for _ in range(5)]:
                    self.assertEqual(connection.answer(number).status, 200)
                    asked += 1
            answer = connection.answer(events)
            self.assertTrue(answer.ended, answer.reset)
            seen = [int(n) for n in re.findall(rb"data: (\d+)\n\n", answer.body)]
            self.assertGreater(len(seen), 10)
            self.assertEqual(seen, list(range(len(seen))))
            self.assertIsNone(connection.goaway)
        return asked

    def in_background(self, what, *arguments):
        def run():
            try:
                self.results.append((what.__name__, what(*arguments)))
            except BaseException as error:
                self.results.append((what.__name__, error))
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.threads.append(thread)

    def test_a_hundred_reloads_close_nothing_and_lose_nothing(self):
        self.over, self.results, self.threads = threading.Event(), [], []
        self.addCleanup(self.over.set)
        upstream = self.origin(self.serve)
        made = credentials.certificate()

        def write(number):
            return self.write_config(MIXED, origin=upstream.address, rate=900_000 + number, round=number)
        gate = self.gate(MIXED, origin=upstream.address, rate=900_000, round="none",
                         files={"cert.pem": made.chain, "key.pem": made.key})
        for name, tls in (("main", None), ("tls", True)):
            def connect(name=name, tls=tls):
                return gate.connect(name, tls=tls)
            for what in (self.follow_events, self.chat, self.keep_asking, self.keep_asking):
                self.in_background(what, connect)
            h2 = client.tls_context(alpn=["h2"]) if tls else None
            self.in_background(self.ask_by_h2, lambda name=name, tls=h2: gate.connect(name, tls=tls))
        loads = [subprocess.Popen(["wrk", "-t1", "-c8", "-d600s", "--timeout", "60s",
                                   "%s://%s:%d/" % (scheme, *gate.address(name)[:2])],
                                  stdout=subprocess.PIPE, text=True)
                 for scheme, name in (("http", "main"), ("https", "tls"))]
        for one in loads:
            self.addCleanup(one.kill)
        harness.eventually(lambda: len(upstream.requests) > 50)
        began, early, done = time.monotonic(), 0, 0
        # All of them, or for three times as long as they may take where the machine is too busy.
        while done < RELOADS and time.monotonic() - began < harness.patience(3 * WITHIN):
            done += 1
            write(done)
            said = harness.ringward("reload", "--socket", self.directory / "admin.sock",
                                    timeout=harness.patience(30))
            self.assertEqual(said.returncode, 0, said.stderr)
            if done == 20:
                early = gate.resident_bytes()
        took = time.monotonic() - began
        late = gate.resident_bytes()
        self.assertEqual(gate.get("/", name="main").get("x-round"), str(done))
        for one in loads:
            one.send_signal(2)
        said = "".join(one.communicate(timeout=harness.patience(60))[0] for one in loads)
        self.over.set()
        for thread in self.threads:
            thread.join(harness.patience(60))
        self.assertEqual(len(self.results), 10, self.results)
        for what, count in self.results:
            self.assertIsInstance(count, int, f"{what}: {count!r}")
            self.assertGreater(count, 10, what)
        self.assertEqual(len(re.findall(r"(\d+) requests in", said)), 2, said)
        self.assertNotIn("Non-2xx", said)
        self.assertNotIn("Socket errors", said)
        requests = sum(int(n) for n in re.findall(r"(\d+) requests in", said))
        print(f"{done} reloads in {took:.1f} s, {requests} requests and 10 connections beside: "
              f"none failed; resident {early >> 10} KiB after 20, {late >> 10} KiB at the end", flush=True)
        self.assertGreaterEqual(done, 20)
        if not harness.SANITIZER:  # they keep what was freed
            self.assertLess(late - early, 8 << 20)
        metrics = gate.metrics()
        self.assertIn(f'ringward_config_reloads_total{{outcome="taken"}} {done}\n', metrics)


class Explain(harness.SystemTest):
    TEXT = configs.plain(auth='["api_keys"]', route='limits = ["per-ip"]', more=configs.KEYS + """
[[limit]]
name = "per-ip"
by = "client.ip"
rate = "10/s"
""")

    def setUp(self):
        super().setUp()
        self.alice, self.alice_line = harness.new_key("alice")
        self.gateway = self.gate(self.TEXT, origin="127.0.0.1:1", files={"keys": self.alice_line + "\n"})

    def change(self, *pairs, more=""):
        text = self.TEXT + more
        for before, after in pairs:
            self.assertIn(before, text)
            text = text.replace(before, after)
        self.write_config(text, origin="127.0.0.1:1")

    def explain(self, *options):
        return harness.ringward("reload", "--explain", "--socket", self.directory / "admin.sock", *options)

    def test_nothing(self):
        done = self.explain()
        self.assertEqual((done.returncode, done.stdout), (0, "nothing would change\n"))

    def test_what_would_change_and_changes_nothing(self):
        _, bob_line = harness.new_key("bob")
        self.write("more-keys", bob_line + "\n")
        edits = (('rate = "10/s"', 'rate = "20/s"'), ('file = "$dir/keys"', 'file = "$dir/more-keys"'),
                 ('name = "all"', 'name = "everything"'))
        more = """
[[upstream]]
name = "second"
servers = [{ address = "127.0.0.2:1" }]
[[route]]
name = "new"
path_prefix = "/new"
upstream = "second"
auth = []
"""
        self.change(*edits, more=more)
        self.assertIn("takes all of its requests", self.explain().stdout, "a warning is said, too")
        self.change(*edits, ('path_prefix = "/"', 'path_prefix = "/old"'), more=more)
        done = self.explain()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(done.stdout.splitlines()), sorted([
            "- route all", "+ route everything", "+ route new", "+ upstream second",
            f'~ auth.api_keys: file "{self.directory}/keys" -> "{self.directory}/more-keys"',
            '~ limit per-ip: rate "10/s" -> "20/s"', "- key of alice", "+ key of bob"]))
        metrics = self.gateway.metrics()
        self.assertNotIn('route="new"', metrics)
        self.assertIn('ringward_config_reloads_total{outcome="taken"} 0\n', metrics)
        self.assertEqual(self.gateway.get("/new").status, 401, "the route in force")
        said = json.loads(self.explain("--json").stdout)
        self.assertTrue(said["done"])
        self.assertIn("+ route new", said["messages"])
        self.assertEqual(harness.ringward("reload", "--socket", self.directory / "admin.sock").returncode, 0)
        self.assertEqual(self.explain().stdout, "nothing would change\n")

    def test_what_is_wrong_is_said_as_by_a_reload(self):
        self.change(("api_keys", "api_kys"))
        done = self.explain()
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("api_kys", done.stderr)
        reload = harness.ringward("reload", "--socket", self.directory / "admin.sock")
        self.assertEqual((reload.returncode, reload.stderr), (1, done.stderr))

    def test_what_a_running_gate_cannot_take_is_named_with_everything_else(self):
        self.change(('address = "127.0.0.1:0"\n', 'address = "127.0.0.2:0"\n'),
                    ('file = "$dir/keys"', 'file = "$dir/none"'))
        for command in (self.explain(), harness.ringward("reload", "--socket",
                                                         self.directory / "admin.sock")):
            self.assertEqual(command.returncode, 1)
            self.assertIn("the address of listener main has changed: that takes `ringward upgrade`", command.stderr)
            self.assertRegex(command.stderr, r"auth\.api_keys\.file: \S*/none: cannot be opened")
        self.assertEqual(self.gateway.get("/", headers={"x-api-key": self.alice}).status, 502)


if __name__ == "__main__":
    harness.main()
