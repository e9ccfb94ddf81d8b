"""Connections that switch to WebSocket: raw ones down to the byte, and the ws package of Node on both sides."""

import json
import os
import random
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import configs
import credentials
import harness
from client import Closed, tls_context
from real_origins import Server

ASKED = (b"GET /chat?a=b HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%b\r\n")
SWITCHED = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
UPGRADE = 'upgrade = ["websocket"]\n'

SERVER = """
const { WebSocketServer } = require('ws');
const server = new WebSocketServer({ port: Number(process.argv[2]), host: '127.0.0.1', maxPayload: 64 << 20 });
server.on('connection', socket => socket.on('message', (data, binary) => socket.send(data, { binary })));
"""
# Sends `messages` of mixed sizes on each of `clients` sockets, fragments and pings among them; each has to come back
# as it was. One JSON line at the end.
CLIENT = """
const { WebSocket } = require('ws');
const [url, clients, messages, largest] = process.argv.slice(2).map((v, i) => i ? Number(v) : v);
const options = { rejectUnauthorized: false, headers: { 'x-api-key': process.env.KEY || '' }, maxPayload: 64 << 20 };
const found = { echoed: 0, pongs: 0, closed: 0, bytes: 0 };
function run(number) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, options);
    let sent = 0, expected = null;
    const next = () => {
      if (sent === messages) return socket.close(1000, 'done');
      const size = sent === 1 ? largest : (number * 7919 + sent * 104729) % 3000;
      expected = Buffer.alloc(size, (number + sent) & 255);
      sent += 1;
      if (sent % 3 === 0) socket.ping('are you there');
      if (sent % 2 === 0 && size > 10) {
        const third = Math.floor(size / 3);
        socket.send(expected.subarray(0, third), { fin: false });
        socket.send(expected.subarray(third, 2 * third), { fin: false });
        socket.send(expected.subarray(2 * third), { fin: true });
      } else {
        socket.send(expected);
      }
    };
    socket.on('open', next);
    socket.on('pong', () => { found.pongs += 1; });
    socket.on('message', data => {
      if (!expected.equals(data)) return reject(new Error('not what was sent'));
      found.echoed += 1;
      found.bytes += data.length;
      next();
    });
    socket.on('close', code => { if (code === 1000) found.closed += 1; resolve(); });
    socket.on('unexpected-response', (_, response) => reject(new Error('status ' + response.statusCode)));
    socket.on('error', reject);
  });
}
Promise.all(Array.from({ length: clients }, (_, i) => run(i)))
  .then(() => console.log(JSON.stringify(found)), why => { console.log(JSON.stringify({ why: String(why) })); process.exit(1); });
"""
MODULES = {**os.environ, "NODE_PATH": "/usr/share/nodejs"}


class Switches(harness.SystemTest):
    """Raw connections to an origin of ours that switches."""

    def start(self, script, route=UPGRADE, tls=False, **parts):
        self.upstream = self.origin(script)
        made = credentials.certificate()
        text = (configs.tls if tls else configs.plain)(route=route, **parts)
        self.gateway = self.gate(text, origin=self.upstream.address,
                                 files={"cert.pem": made.chain, "key.pem": made.key})

    def switch(self, more=b"", behind=b"", **options):
        connection = self.gateway.connect(**options)
        self.addCleanup(connection.close)
        connection.send(ASKED % more + behind)
        return connection, connection.read_head()

    def test_what_both_sides_are_told(self):
        def script(c, request):
            c.send(SWITCHED.replace(b"\r\n\r\n", b"\r\nServer: somebody\r\nX-Mine: 1\r\n\r\nhello"))
            c.read_until(b"ping")
            c.send(b"pong")
            c.close()
        self.start(script)
        connection, head = self.switch(behind=b"early ping")
        self.assertEqual(head.status, 101)
        self.assertEqual([(name.lower(), value) for name, value in head.headers if name.lower() != "x-request-id"],
                         [("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), ("x-mine", "1"),
                          ("connection", "upgrade"), ("upgrade", "websocket")])
        self.assertEqual(connection.read_exactly(9), b"hellopong")
        self.assertEqual(connection.read_to_end(), b"")
        connection.close()  # the other half
        asked = self.upstream.requests[-1]
        self.assertEqual((asked.target, asked.all("connection"), asked.all("upgrade")),
                         ("/chat?a=b", ["upgrade"], ["websocket"]))
        self.assertEqual(asked.get("sec-websocket-key"), "dGhlIHNhbXBsZSBub25jZQ==")
        line = self.gateway.wait_for_access(status=101)
        self.assertEqual(line["bytes_in"], len("early ping"))
        self.assertNotIn("reason", line)

    def test_a_route_that_does_not_say_so_asks_for_nothing(self):
        self.start(lambda c, r: c.answer(200, b"plain"), route="")
        connection, head = self.switch()
        self.assertEqual(head.status, 200)
        self.assertEqual(self.upstream.requests[-1].all("upgrade"), [])
        self.assertEqual(self.upstream.requests[-1].all("connection"), [])

    def test_nor_does_another_protocol_a_body_or_another_method(self):
        self.start(lambda c, r: c.answer(200, b"plain"))
        for asked in (ASKED.replace(b"WebSocket\r\n", b"h2c\r\n") % b"",
                      ASKED.replace(b"WebSocket\r\n", b"websocket, h2c\r\n") % b"",
                      ASKED % b"Upgrade: h2c\r\n",
                      ASKED % b"Content-Length: 2\r\n" + b"hi",
                      ASKED.replace(b"GET", b"POST") % b"",
                      ASKED.replace(b"HTTP/1.1", b"HTTP/1.0") % b"",
                      ASKED.replace(b"keep-alive, Upgrade", b"keep-alive") % b""):
            with self.subTest(asked), self.gateway.connect() as connection:
                connection.send(asked)
                self.assertEqual(connection.read_head().status, 200)
                self.assertEqual(self.upstream.requests[-1].all("upgrade"), [])

    def test_an_origin_that_does_not_switch_answers_as_any(self):
        self.start(lambda c, r: c.answer(426, b"no", {"Upgrade": "websocket"}))
        connection, head = self.switch()
        self.assertEqual(head.status, 426)
        self.assertEqual(connection.read_exactly(2), b"no")
        self.assertEqual(connection.request("GET", "/").status, 426)  # the connection goes on

    def test_a_switch_to_something_else_is_502(self):
        for answer in (SWITCHED.replace(b"websocket", b"h2c"), SWITCHED.replace(b"Upgrade: websocket\r\n", b""),
                       SWITCHED.replace(b"Connection: Upgrade\r\n", b"")):
            with self.subTest(answer):
                self.start(lambda c, r, answer=answer: c.send(answer))
                _, head = self.switch()
                self.assertEqual(head.status, 502)
                self.gateway.stop()

    def test_who_may_not_gets_no_switch(self):
        key, line = harness.new_key("alice")
        self.write("keys", line + "\n")
        self.start(lambda c, r: (c.send(SWITCHED), c.read_to_end()), auth='["api_keys"]', more=configs.KEYS)
        _, head = self.switch()
        self.assertEqual(head.status, 401)
        self.assertEqual(self.upstream.requests, [])
        connection, head = self.switch(b"X-Api-Key: %b\r\n" % key.encode())
        self.assertEqual(head.status, 101)
        self.assertEqual(self.upstream.requests[-1].get("x-auth-identity"), "alice")
        # Revoked while it is open: both sides end.
        harness.ringward("revoke", "--socket", str(self.directory / "admin.sock"), "identity", "alice")
        self.assertTrue(connection.closed_within(harness.patience(10)))
        self.gateway.wait_for_access(status=101, reason="revoked")

    def test_one_counts_for_as_long_as_it_is_open(self):
        self.start(lambda c, r: (c.send(SWITCHED), c.read_to_end()), route=UPGRADE + 'limits = ["open"]\n',
                   more='[[limit]]\nname = "open"\nby = "client.ip"\nconcurrent = 1\n')
        first, head = self.switch()
        self.assertEqual(head.status, 101)
        _, head = self.switch()
        self.assertEqual(head.status, 429)
        first.close()
        harness.eventually(lambda: self.switch()[1].status == 101)

    @staticmethod
    def answers_after_the_end(c, request):
        c.send(SWITCHED)
        asked = c.read_to_end()
        c.send(b"answer to " + asked)
        c.close()

    def test_the_client_may_end_its_side_alone(self):
        self.start(self.answers_after_the_end)
        connection, head = self.switch()
        self.assertEqual(head.status, 101)
        connection.send(b"question")
        connection.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(connection.read_to_end(), b"answer to question")
        self.assertNotIn("reason", self.gateway.wait_for_access(status=101))

    def test_over_tls_too(self):
        self.start(self.answers_after_the_end, tls=True)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = tls_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        sock = socket.create_connection(self.gateway.address()[:2], timeout=harness.patience(10))
        self.addCleanup(sock.close)

        def until_done(step):
            while True:
                try:
                    done = step()
                    sock.sendall(outgoing.read())
                    return done
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    more = sock.recv(65536)
                    incoming.write(more) if more else incoming.write_eof()
        until_done(secured.do_handshake)
        until_done(lambda: secured.write(ASKED % b"" + b"question"))
        got = b""
        while b"\r\n\r\n" not in got:
            got += until_done(secured.read)
        with self.assertRaises(ssl.SSLWantReadError):  # close_notify goes out, none has come
            secured.unwrap()
        sock.sendall(outgoing.read())
        while not got.endswith(b"answer to question"):
            got += until_done(secured.read)
        self.assertTrue(got.startswith(b"HTTP/1.1 101"))
        self.assertNotIn("reason", self.gateway.wait_for_access(status=101))

    def test_the_origin_may_too(self):
        heard = []

        def script(c, request):
            c.send(SWITCHED + b"all I say")
            c.socket.shutdown(socket.SHUT_WR)
            heard.append(c.read_to_end())
        self.start(script)
        connection, _ = self.switch()
        self.assertEqual(connection.read_to_end(), b"all I say")
        connection.send(b"and what I say")
        connection.close()
        harness.eventually(lambda: heard == [b"and what I say"])

    def test_an_end_by_force_reaches_the_other_side(self):
        self.start(lambda c, r: (c.send(SWITCHED), c.read_until(b"now"), c.reset()))
        connection, _ = self.switch()
        connection.send(b"now")
        with self.assertRaises((Closed, OSError)):
            connection.read_exactly(1)
        self.gateway.wait_for_access(status=101, reason="upstream_body_reset")
        ended = threading.Event()

        def script(c, request):
            c.send(SWITCHED)
            try:
                c.read_to_end()
            except (Closed, OSError):
                pass
            ended.set()
        self.gateway.stop()
        self.start(script)
        connection, _ = self.switch()
        connection.reset()
        self.assertTrue(ended.wait(harness.patience(10)))
        self.gateway.wait_for_access(status=101, reason="client_closed")

    def test_silence_both_ways_ends_it_and_one_way_does_not(self):
        def script(c, request):
            c.send(SWITCHED)
            for _ in range(10):
                c.send(b"tick")
                time.sleep(0.2)
            c.read_to_end()
        self.start(script, upstream='timeouts = { gap = "1s" }\n')
        connection, _ = self.switch()
        self.assertEqual(connection.read_exactly(40), b"tick" * 10)  # two seconds, and not a word from here
        self.assertTrue(connection.closed_within(harness.patience(10)))
        self.gateway.wait_for_access(status=101, reason="tunnel_idle")

    def test_who_does_not_read_holds_up_only_himself(self):
        size = 64 << 20

        def script(c, request):
            c.send(SWITCHED)
            c.socket.settimeout(harness.patience(60))
            block = bytes(range(256)) * 4096
            for _ in range(size // len(block)):
                c.socket.sendall(block)
            c.close()
        self.start(script)
        before = self.gateway.resident_bytes()
        connection, _ = self.switch()
        other, _ = self.switch()
        self.assertEqual(other.read_exactly(256), bytes(range(256)))
        self.gateway.metrics()  # it has time for others
        self.assertLess(self.gateway.resident_bytes() - before, 32 << 20)
        block = bytes(range(256)) * 4096
        for _ in range(size // len(block)):
            self.assertEqual(connection.read_exactly(len(block)), block)
        self.assertEqual(connection.read_to_end(), b"")

    def pipes(self):
        place = Path(f"/proc/{self.gateway.process.pid}/fd")
        return sum(os.readlink(one).startswith("pipe:") for one in place.iterdir())

    def test_what_is_long_goes_on_past_user_space(self):
        """Both ways at once, each with words between and an end of its own."""
        long = random.Random(7).randbytes(1 << 20)
        rounds = 24

        def read_all(c):
            got = [c.read_exactly(len(long)) == long for _ in range(rounds)]
            return all(got) and c.read_exactly(5) == b"words"

        def send_all(c):
            for _ in range(rounds):
                c.socket.sendall(long)
            c.socket.sendall(b"words")

        seen = []

        def script(c, request):
            c.socket.settimeout(harness.patience(60))
            c.send(SWITCHED)
            c.send(c.read_exactly(4))
            sender = threading.Thread(target=send_all, args=(c,))
            sender.start()
            seen.append(read_all(c))
            sender.join()
            c.send(c.read_exactly(4))
            seen.append(c.read_to_end())
            c.send(b"over")
            c.close()
        self.start(script)
        connection, _ = self.switch(timeout=harness.patience(60))
        before = self.pipes()
        connection.send(b"chat")
        self.assertEqual(connection.read_exactly(4), b"chat")
        self.assertEqual(self.pipes(), before)
        sender = threading.Thread(target=send_all, args=(connection,))
        sender.start()
        self.assertTrue(read_all(connection))
        sender.join()
        self.assertGreater(self.pipes(), before)
        connection.send(b"chat")
        self.assertEqual(connection.read_exactly(4), b"chat")
        connection.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(connection.read_to_end(), b"over")
        self.assertEqual(seen, [True, b""])
        line = self.gateway.wait_for_access(status=101)
        self.assertNotIn("reason", line)
        self.assertEqual(line["bytes_in"], rounds * len(long) + 13)
        self.assertGreater(line["bytes_out"], rounds * len(long) + 13)

    def test_silence_after_much_ends_it(self):
        def script(c, request):
            c.send(SWITCHED)
            try:
                for _ in range(16):
                    c.socket.sendall(bytes(1 << 20))
                c.read_to_end()
            except (Closed, OSError):
                pass
        self.start(script, upstream='timeouts.gap = "500ms"')
        connection, _ = self.switch()
        connection.read_exactly(16 << 20)
        self.assertTrue(connection.closed_within(harness.patience(10)))
        self.gateway.wait_for_access(status=101, reason="tunnel_idle")

    def test_a_gate_that_stops_waits_as_long_as_it_says_and_cuts(self):
        self.start(lambda c, r: (c.send(SWITCHED), c.read_to_end()),
                   more='[server]\nworkers = 2\ndrain_timeout = "1s"\n')
        connection, _ = self.switch()
        self.gateway.stop()  # exit status 0
        with self.assertRaises((Closed, OSError)):
            connection.read_exactly(1)


class WsServer(Server):
    def __init__(self, directory):
        self.port = harness.free_port()
        (directory / "ws-server.js").write_text(SERVER)
        super().__init__(directory, ["env", "NODE_PATH=/usr/share/nodejs", "node", "ws-server.js", str(self.port)])


class OfNode(harness.SystemTest):
    def test_ws_under_load(self):
        if not Path("/usr/share/nodejs/ws").is_dir():
            self.skipTest("the ws package of Node is not installed (node-ws)")
        server = WsServer(self.directory)
        self.addCleanup(server.kill)
        key, line = harness.new_key("alice")
        made = credentials.certificate()
        (self.directory / "ws-client.js").write_text(CLIENT)
        self.write("keys", line + "\n")
        for scheme, text in (("ws", configs.plain), ("wss", configs.tls)):
            gate = self.gate(text(route=UPGRADE, auth='["api_keys"]', more=configs.KEYS), origin=server.address,
                             files={"cert.pem": made.chain, "key.pem": made.key})
            url = "%s://%s:%d/" % (scheme, *gate.address()[:2])
            for clients, messages, largest in ((50, 20, 100_000), (2, 4, 16 << 20)):
                with self.subTest(scheme=scheme, largest=largest):
                    run = subprocess.run(["node", "ws-client.js", url, *map(str, (clients, messages, largest))],
                                         cwd=self.directory, env={**MODULES, "KEY": key}, capture_output=True,
                                         text=True, timeout=harness.patience(60))
                    found = json.loads(run.stdout)
                    self.assertEqual(run.returncode, 0, found)
                    self.assertEqual((found["echoed"], found["closed"]), (clients * messages, clients))
                    self.assertEqual(found["pongs"], clients * (messages // 3))
            refused = subprocess.run(["node", "ws-client.js", url, "1", "1", "1"], cwd=self.directory, env=MODULES,
                                     capture_output=True, text=True, timeout=harness.patience(60))
            self.assertIn("status 401", refused.stdout)
            lines = [one for one in gate.access if one["status"] == 101]
            self.assertEqual(len(lines), 52)
            self.assertTrue(all(one["bytes_in"] > 0 and one["bytes_out"] > 0 for one in lines))
            gate.stop()


if __name__ == "__main__":
    harness.main()
