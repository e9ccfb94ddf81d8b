"""Audit records of connections that never came to a request: TLS that fails, heads that are none."""

import contextlib
import socket
import ssl

import audit_log
import client
import configs
import credentials
import harness


class Connections(audit_log.AuditTest):
    def start(self, tls=""):
        """A gate that speaks TLS 1.3 with clients, where it speaks TLS."""
        made = credentials.certificate()
        text = "\n".join([configs.LISTENER, '[listener.timeouts]\nhead = "300ms"', tls,
                          configs.UPSTREAM, configs.ROUTE, "auth = []",
                          "[server]\nworkers = 1\n[log]",
                          'audit = { path = "$dir/log/audit.jsonl", sign = { file = "$dir/seed" } }'])
        return self.gate(text, origin="127.0.0.1:9", files={
            "cert.pem": made.chain, "key.pem": made.key, "seed": audit_log.SEED + "\n"})

    @staticmethod
    def to_the_end(of):
        of.settimeout(harness.patience(20))
        with contextlib.suppress(ConnectionResetError):
            while of.recv(4096):
                pass

    def refusals(self):
        return [r for r in self.records() if r["result"] == "deny"]

    def test_a_handshake_that_fails(self):
        gate = self.start(configs.TLS)
        with socket.create_connection(gate.address()) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            own = "%s:%d" % plain.getsockname()
            self.to_the_end(plain)
        record = self.wait_for_record(event="authentication", reason="tls_malformed")
        self.assertEqual(f"{record['client']}:{record['port']}", own)
        self.assertNotIn("method", record)
        wants_more = client.tls_context()
        wants_more.check_hostname = True
        wants_more.verify_mode = ssl.CERT_REQUIRED
        with socket.create_connection(gate.address()) as strict:
            with self.assertRaises(ssl.SSLCertVerificationError):
                wants_more.wrap_socket(strict, server_hostname="localhost")
        self.wait_for_record(event="authentication", reason="tls_alert")
        gate.stop()
        self.assertEqual(self.verify(self.log).returncode, 0)

    def test_a_connection_that_says_nothing_leaves_none(self):
        gate = self.start(configs.TLS)
        for _ in range(3):
            socket.create_connection(gate.address()).close()
        self.assertEqual(gate.get("/", tls=True).status, 502)
        gate.stop()
        self.assertEqual(self.refusals(), [])

    def test_heads_that_are_none(self):
        gate = self.start()
        heads = {b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n": 400,
                 b"GET / HTTP/1.1\r\n\r\n": 400,
                 b"GET /slow HTTP/1.1\r\n": 408,
                 b"GET /secret?key=1 HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000: 431,
                 b"GET / HTTP/3.0\r\nHost: a\r\n\r\n": 505}
        for head, status in heads.items():
            with self.subTest(head[:40]), gate.connect() as one:
                one.send(head)
                self.assertEqual(one.read_response().status, status)
                record = self.wait_for_record(event="authorization", result="deny", status=status)
                self.assertEqual(record["reason"], gate.wait_for_access(status=status)["reason"])
                self.assertEqual(record["client"], "127.0.0.1")
        with gate.connect() as left:
            left.send(b"GET /left HT")
        gate.wait_for_access(reason="head_incomplete")
        gate.stop()
        self.assertNotIn("head_incomplete", {r["reason"] for r in self.refusals()})
        self.assertEqual(self.verify(self.log).returncode, 0)

    def test_many_are_folded(self):
        for tls, event in ((configs.TLS, "authentication"), ("", "authorization")):
            with self.subTest(event):
                gate = self.start(tls)
                for _ in range(60):
                    with socket.create_connection(gate.address()) as one:
                        one.sendall(b"nonsense\r\n\r\n")
                        self.to_the_end(one)
                gate.stop()
                found = [r for r in self.refusals() if r["event"] == event]
                # Five of their own, and one for each ten seconds that it took.
                self.assertEqual(sum(r.get("count", 1) for r in found), 60, found)
                self.assertEqual(sum("count" not in r for r in found), 5)


if __name__ == "__main__":
    harness.main()
