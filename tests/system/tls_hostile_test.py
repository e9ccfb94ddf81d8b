"""What TLS clients may not do: renegotiate, send a ClientHello without end, send data before the
handshake is over. With openssl's s_client where it can."""

import struct
import subprocess
import threading

import configs
import credentials
import harness

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Hostile(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.origin(lambda c, r: c.answer(200, b"over tls"))
        made = credentials.certificate()
        self.gateway = self.gate(configs.tls(), origin=self.upstream.address,
                                 files={"cert.pem": made.chain, "key.pem": made.key})

    def s_client(self, *options):
        """A running s_client; what it says so far is in `said`."""
        host, port = self.gateway.address()
        running = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"{host}:{port}", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        running.said = b""

        def read():
            while piece := running.stdout.read1():
                running.said += piece
        reader = threading.Thread(target=read, daemon=True)
        reader.start()

        def end():
            running.kill()
            running.wait()
            reader.join()
            running.stdin.close()
            running.stdout.close()
        self.addCleanup(end)
        return running

    @staticmethod
    def say(running, text):
        running.stdin.write(text)
        running.stdin.flush()

    def wait_until_said(self, running, text):
        harness.eventually(lambda: text in running.said, within=20, what=f"{text} of s_client")

    def test_renegotiation_is_refused(self):
        one = self.s_client("-tls1_2")
        self.wait_until_said(one, b"Verify return code")
        self.say(one, GET)
        self.wait_until_said(one, b"over tls")
        self.say(one, b"R\n")
        one.wait(harness.patience(20))  # the gate ends the connection
        self.assertIn(b"RENEGOTIATING", one.said)
        self.assertIn(b"Secure Renegotiation IS supported", one.said)  # RFC 5746 is answered
        self.assertEqual(len(self.upstream.requests), 1)
        self.assertEqual(self.gateway.get("/", tls=True).status, 200)

    def test_a_clienthello_that_is_too_large_is_refused_and_counted(self):
        for kib in (17, 65, 1024):
            with self.subTest(kib=kib), self.gateway.connect() as one:
                size = kib << 10
                message = b"\x01" + struct.pack(">I", size)[1:] + b"\x03\x03"  # and no more of it
                one.send(b"\x16\x03\x01" + struct.pack(">H", 16000) + message)
                # fatal, illegal_parameter, and the end
                self.assertEqual(one.read_exactly(7), b"\x15\x03\x03\x00\x02\x02\x2f")
        line = self.gateway.wait_for_access(reason="tls_hello_too_large")
        self.assertEqual((line["protocol"], line["status"]), ("TLS", 0))
        harness.eventually(lambda: 'ringward_refusals_total{reason="tls_hello_too_large"} 3\n'
                           in self.gateway.metrics(), what="three of them counted")
        self.assertIn("ringward_tls_handshake_failures_total 3\n", self.gateway.metrics())
        self.assertEqual(self.gateway.get("/", tls=True).status, 200)

    def test_no_data_is_taken_before_the_handshake_is_over(self):
        session = self.directory / "session.pem"
        first = self.s_client("-tls1_3", "-sess_out", str(session))
        self.wait_until_said(first, b"Verify return code")
        self.say(first, GET)
        self.wait_until_said(first, b"over tls")  # the tickets have come before this
        self.say(first, b"Q\n")
        first.wait(harness.patience(20))
        shown = subprocess.run(["openssl", "sess_id", "-noout", "-text", "-in", session],
                               capture_output=True, text=True, timeout=harness.patience(20))
        self.assertIn("Max Early Data: 0\n", shown.stdout)
        early = self.write("early", GET)
        second = self.s_client("-tls1_3", "-sess_in", str(session), "-early_data", str(early))
        self.wait_until_said(second, b"Verify return code")
        self.assertIn(b"Reused, TLSv1.3", second.said)
        self.assertIn(b"Early data was not sent", second.said)
        self.assertEqual(len(self.upstream.requests), 1)


if __name__ == "__main__":
    harness.main()
