"""TLS to an origin that fails: silence, alerts, ends where none should be."""

import contextlib
import socket
import ssl
import threading

import configs
import harness
from credentials import certificate
from upstream_tls import CA, UpstreamTlsTest


class Failing(UpstreamTlsTest):
    def test_plain_http_where_tls_should_be(self):
        origin = self.origin(None, per_connection=lambda c: c.send(b"HTTP/1.1 400 No\r\n\r\n"))
        self.refused(self.tls_gate(origin), "upstream_tls_not_tls")

    def test_silence_is_bounded_by_the_connect_timeout(self):
        done = threading.Event()
        self.addCleanup(done.set)
        origin = self.origin(None, per_connection=lambda c: done.wait(30))
        gate = self.tls_gate(origin, upstream='[upstream.timeouts]\nconnect = "200ms"')
        self.refused(gate, "upstream_tls_timeout", 504)

    def test_hanging_up_during_the_handshake(self):
        for how in ("close", "reset"):
            origin = self.origin(None, per_connection=lambda c, how=how: getattr(c, how)())
            self.refused(self.tls_gate(origin), "upstream_tls_closed")

    def test_an_alert(self):
        origin = self.tls_origin(minimum_version=ssl.TLSVersion.TLSv1_3)
        origin._tls.set_alpn_protocols(["h2"])  # pylint: disable=protected-access
        gate = self.tls_gate(origin)
        self.assertEqual(gate.get("/").status, 200)  # OpenSSL then agrees on none

        def refuse(c):
            c.socket.recv(65536)
            c.send(bytes([21, 3, 3, 0, 2, 2, 40]))  # handshake_failure
        origin = self.origin(None, per_connection=refuse)
        self.refused(self.tls_gate(origin), "upstream_tls_alert")

    def test_a_second_server_is_tried_when_the_first_one_is_not_itself(self):
        good = self.tls_origin()
        bad = self.tls_origin(of=certificate("127.0.0.1"))
        servers = f'{good.address}" }}, {{ address = "{bad.address}'
        gate = self.gate(configs.plain(upstream=f"[upstream.tls]\n{CA}"), origin=servers,
                         files={"ca.pem": self.authority.root})
        for _ in range(20):
            self.assertEqual(gate.get("/", method="POST", body=b"x").status, 200)
        self.assertEqual(bad.requests, [])

    def test_an_origin_that_closes_right_after_the_handshake(self):
        seen = []

        def hang_up(c):
            seen.append(1)
            if len(seen) == 1:
                with contextlib.suppress(OSError):
                    c.socket = c.socket.unwrap()
                return c.close()
            return c.answer(200, b"ok") if c.read_head() else None
        gate = self.tls_gate(self.tls_origin(per_connection=hang_up))
        self.assertEqual(gate.get("/").status, 200)

    def test_an_answer_that_ends_without_close_notify_was_cut(self):
        def cut(c, request):
            c.send(b"HTTP/1.1 200 OK\r\n\r\nall of it, or is it")
            if request.target == "/whole":
                with contextlib.suppress(OSError):
                    c.socket = c.socket.unwrap()
            else:
                plain = c.socket.detach()
                socket.socket(fileno=plain).close()
            c.ended = True
        gate = self.tls_gate(self.tls_origin(cut))
        self.assertTrue(gate.get("/whole").body.startswith(b"all of it"))
        with self.assertRaises(Exception):  # noqa: B017: however the client is told
            gate.get("/cut")
        gate.wait_for_access(reason="upstream_body_cut")


if __name__ == "__main__":
    harness.main()
