"""`ringward connections`: whose they are, and what each waits for."""

import json
import threading

import client as http
import configs
import credentials
import h2_client
import harness

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
TIMEOUTS = 'timeouts = { head = "5m", handshake = "5m" }\n'
CONFIG = configs.LISTENER + TIMEOUTS + """
[[listener]]
name = "tls"
address = "127.0.0.1:0"
""" + TIMEOUTS + """[listener.tls]
certificates = [{ chain = "$dir/cert.pem", key = { file = "$dir/key.pem" } }]
""" + configs.UPSTREAM + configs.KEYS + configs.ROUTE + 'auth = ["api_keys"]\nupgrade = ["websocket"]\n'


class Connections(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.go_on = threading.Event()
        self.addCleanup(self.go_on.set)

        def script(c, request):
            if request.get("upgrade"):
                c.send(SWITCHED)
                c.read_until(b"bye")
                c.close()
                return
            if request.target.startswith("/slow"):
                self.go_on.wait()
            c.answer(200, b"ok")
        self.alice, line = harness.new_key("alice")
        self.upstream = self.origin(script)
        made = credentials.certificate("localhost")
        self.gateway = self.gate(CONFIG, origin=self.upstream.address, files={
            "keys": line + "\n", "cert.pem": made.chain, "key.pem": made.key})

    def open(self, name="main", **options):
        connection = self.gateway.connect(name, **options)
        self.addCleanup(connection.close)
        return connection

    def command(self, *words, status=0):
        done = harness.ringward("connections", *words, "--socket", self.directory / "admin.sock")
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def ask(self, *words):
        return json.loads(self.command("--json", *words))

    def row_of(self, connection, **fields):
        """Of this client's connection, once it has these fields."""
        port = connection.socket.getsockname()[1]

        def found():
            rows = [one for one in self.ask()["connections"] if one["port"] == port]
            self.assertLessEqual(len(rows), 1)
            return next((one for one in rows
                         if all(one[key] == value for key, value in fields.items())), None)
        return harness.eventually(found, what=f"a connection with {fields}")

    def test_what_each_waits_for(self):
        idle = self.open()
        self.assertEqual(idle.request("GET", "/", {"x-api-key": self.alice}).status, 200)
        row = self.row_of(idle, state="idle")
        self.assertEqual((row["listener"], row["client"], row["protocol"], row["tls"], row["requests"],
                          row["under_way"], row["upstream"], row["identity"]),
                         ("main", "127.0.0.1", "h1", None, 1, 0, None, None))
        self.assertGreater(row["bytes_in"], 40)
        self.assertGreater(row["bytes_out"], 40)
        self.assertLess(row["age_ms"], 60_000)

        half = self.open()
        half.send(b"GET / HTTP/1.1\r\nHost:")
        self.row_of(half, state="reading head", requests=1)

        shaking = self.open("tls")
        self.row_of(shaking, state="opening", listener="tls", protocol=None, tls=None)

        slow = self.open("tls", tls=http.tls_context(alpn=["http/1.1"]))
        slow.send_request("GET", "/slow", {"x-api-key": self.alice})
        self.row_of(slow, state="forwarding", protocol="h1", tls="TLSv1.3", identity="alice",
                    upstream=self.upstream.address)

        tunnel = self.open()
        tunnel.send(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Api-Key: "
                    + self.alice.encode() + b"\r\n\r\n")
        self.assertEqual(tunnel.read_head().status, 101)
        self.row_of(tunnel, state="tunnel", identity="alice", upstream=self.upstream.address)

        text = self.command()
        self.assertRegex(text, r"(?m)^LISTENER +CLIENT +PROTOCOL +STATE +IDENTITY +AGE +REQUESTS +IN +OUT$")
        self.assertRegex(text, rf"(?m)^tls +127\.0\.0\.1:\d+ +h1 TLSv1\.3 +forwarding {self.upstream.address} +alice ")
        self.assertTrue(text.endswith("5 of 5 connections\n"), text)
        # Whose connections they are is nobody's business who reads metrics.
        self.assertNotIn("alice", self.gateway.metrics())
        self.go_on.set()
        self.row_of(slow, state="idle", identity=None)

    def test_streams_of_one_connection(self):
        stream = self.open("tls", tls=http.tls_context(alpn=["h2"]))
        with h2_client.Client(stream) as client:
            streams = [client.begin("GET", f"/slow/{i}", {"x-api-key": self.alice}) for i in range(3)]
            row = self.row_of(client.stream, under_way=3, state="forwarding")
            self.assertEqual((row["protocol"], row["tls"], row["requests"]), ("h2", "TLSv1.3", 3))
            self.assertIn("(3 streams)", self.command())
            self.go_on.set()
            for number in streams:
                self.assertEqual(client.answer(number).status, 200)
            self.row_of(client.stream, under_way=0, state="idle")

    def test_a_limit_keeps_the_newest_or_the_oldest(self):
        ports = []
        for _ in range(12):
            connection = self.open()
            ports.append(connection.socket.getsockname()[1])
            self.row_of(connection)  # it was accepted before the next one comes
        newest = self.ask("--limit", "5")
        self.assertEqual([one["port"] for one in newest["connections"]], ports[:-6:-1])
        self.assertEqual((newest["open"], newest["silent_workers"]), (12, 0))
        oldest = self.ask("--limit", "5", "--oldest")
        self.assertEqual([one["port"] for one in oldest["connections"]], ports[:5])
        self.assertEqual({one["worker"] for one in self.ask()["connections"]}, {0, 1})
        self.assertTrue(self.command("--limit", "5").endswith("5 of 12 connections\n"))
        self.command("--limit", "0", status=2)
        self.command("--limit", "1001", status=2)

    def test_nobody(self):
        self.assertEqual(self.ask()["connections"], [])
        self.assertEqual(self.command(), "0 of 0 connections\n")


if __name__ == "__main__":
    harness.main()
