"""TLS whose records the kernel makes on the sending side, where it can; what clients see is the
same where it cannot. `tests/appliance/ktls_test.sh` runs this on kernels that can."""

import hashlib
import re
import socket
import ssl
import subprocess
import threading
import time

import client
import configs
import credentials
import harness

VERSION = harness.ringward("version").stdout
KERNEL = re.search(r"^kernel TLS (.*)$", VERSION, re.M)[1]
OFFLOADED = KERNEL.startswith("makes the records")
RENEWABLE = OFFLOADED and "renews its keys" in KERNEL

SUITES = [("-tls1_3", "-ciphersuites", name) for name in (
    "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")]
SUITES += [("-tls1_2", "-cipher", name) for name in (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305")]
BODY = hashlib.shake_256(b"kernel").digest(3 << 20)
GET = "GET /{} HTTP/1.1\r\nHost: localhost\r\n{}\r\n"


class Kernel(harness.SystemTest):
    tls = ""  # keys of [listener.tls]

    def setUp(self):
        super().setUp()
        made = credentials.certificate()
        self.half_seen = threading.Event()
        upstream = self.origin(self.serve)
        self.gate = self.gate(configs.tls(tls=self.tls), origin=upstream.address,
                              files={"cert.pem": made.chain, "key.pem": made.key})

    def serve(self, c, request):
        if request.target == "/halves":
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            self.half_seen.wait(harness.patience(30))
            return c.send(b"more")
        return c.answer(200, BODY if request.target == "/big" else b"small")

    def counted(self, name):
        text = self.gate.metrics()
        return int(re.search(rf"^{name} (\d+)$", text, re.M)[1])

    def assert_offloaded(self, connections):
        self.assertEqual(self.counted("ringward_ktls_connections_total"),
                         connections if OFFLOADED else 0)

    def s_client(self, *options, target="big"):
        host, port = self.gate.address()
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"{host}:{port}", "-quiet", *options],
            input=GET.format(target, "Connection: close\r\n").encode(), capture_output=True,
            timeout=harness.patience(60))

    def interactive(self):
        """openssl s_client with a pipe to say things to; `said` grows, `wait_for` waits for it."""
        return Interactive(self.gate.address(), self.addCleanup)


class Interactive:
    def __init__(self, address, clean_up):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", "{}:{}".format(*address), "-tls1_3", "-msg"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said = ""
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()

        def end():
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            reader.join()
            self.process.stdout.close()
        clean_up(end)
        self.wait_for("Verify return code")
        self.wait_for("NewSessionTicket")

    def _read(self):
        while data := self.process.stdout.read1():
            self.said += data.decode("latin-1")

    def say(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def wait_for(self, pattern):
        return harness.eventually(lambda: re.search(pattern, self.said, re.S), 30.0,
                                  f"{pattern!r} in what openssl says")

    def update_keys(self):
        """Sends a KeyUpdate with update_requested."""
        self.say("K\n")
        self.wait_for(r">>> TLS 1.3, Handshake \[length 0005\], KeyUpdate")

    def has(self, pattern):
        return re.search(pattern, self.said, re.S) is not None


ANSWERED = r"<<< TLS 1.3, Handshake \[length 0005\], KeyUpdate"
CLOSE_NOTIFY = r"<<< TLS 1.3, Alert \[length 0002\], warning close_notify"


class Bodies(Kernel):
    def test_large_ones_with_every_suite(self):
        for number, options in enumerate(SUITES, 1):
            with self.subTest(options[2]):
                done = self.s_client(*options)
                head, _, body = done.stdout.partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"HTTP/1.1 200"), done.stderr)
                self.assertEqual(hashlib.sha256(body).digest(), hashlib.sha256(BODY).digest())
                self.assert_offloaded(number)

    def test_many_answers_on_one_connection(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = client.tls_context()
            context.minimum_version = context.maximum_version = version
            with self.gate.connect(tls=context) as connection:
                for target in ("/", "/big", "/", "/big", "/"):
                    answer = connection.request("GET", target)
                    self.assertEqual(answer.body, BODY if target == "/big" else b"small")
        self.assert_offloaded(2)

    def test_a_resumed_session(self):
        for version, label in (("-tls1_2", "1.2"), ("-tls1_3", "1.3")):
            with self.subTest(version):
                ticket = str(self.directory / f"session{version}")
                self.assertIn(b"small", self.s_client(version, "-sess_out", ticket,
                                                      target="").stdout)
                self.assertIn(b"small", self.s_client(version, "-sess_in", ticket,
                                                      target="").stdout)
                self.assertEqual(self.counted(
                    f'ringward_tls_handshakes_total{{version="{label}",resumed="yes"}}'), 1)
        self.assert_offloaded(4)


class SwitchedOff(Kernel):
    tls = 'kernel_offload = "off"'

    def test_no_kernel_makes_records(self):
        for version in ("-tls1_2", "-tls1_3"):
            self.assertIn(BODY, self.s_client(version).stdout)
        self.assertEqual(self.counted("ringward_ktls_connections_total"), 0)


class TheEnd(Kernel):
    def ask(self, size=None):
        """A connection that has asked for the large body and to be closed after it."""
        raw = socket.socket()
        if size:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        raw.settimeout(harness.patience(60))
        raw.connect(self.gate.address())
        connection = client.tls_context().wrap_socket(raw, server_hostname="localhost",
                                                      suppress_ragged_eofs=False)
        connection.sendall(GET.format("big", "Connection: close\r\n").encode())
        return connection

    def test_is_said_by_close_notify_and_then_fin(self):
        connection = self.ask()
        got = b""
        while data := connection.recv(1 << 16):  # raises when the end comes without close_notify
            got += data
        self.assertTrue(got.endswith(BODY))
        with socket.socket(fileno=connection.detach()) as raw:
            raw.settimeout(harness.patience(30))
            self.assertEqual(raw.recv(1), b"")  # FIN, though this client has not answered
        self.assert_offloaded(1)

    def test_comes_after_the_last_byte_to_a_slow_reader(self):
        with self.ask(4096) as connection:
            got = b""
            # Longer than the farewell: what the kernel holds by then must outlive it.
            slow = 3.0
            while data := connection.recv(1 << 14):
                got += data
                if slow > 0:
                    time.sleep(0.03)
                    slow -= 0.03 if self.gate.output else 0.0
            self.assertTrue(got.endswith(BODY))

    def test_of_a_client_that_says_it_first(self):
        with self.gate.connect(tls=True) as connection:
            self.assertEqual(connection.request("GET", "/").body, b"small")
            connection.socket.unwrap()  # raises unless the other side's close_notify comes
        harness.eventually(lambda: self.counted("ringward_connections") == 0, 10.0,
                           "the end of the connection")


class NewKeys(Kernel):
    """A client asks for ours (RFC 8446 4.6.3), which kernels before 6.14 do not renew."""

    def test_before_a_request(self):
        one = self.interactive()
        one.update_keys()
        one.say(GET.format("", ""))
        one.wait_for("small")
        if OFFLOADED and not RENEWABLE:
            self.assertTrue(one.has("(?i)connection: close"), one.said)
            one.wait_for(CLOSE_NOTIFY)
            self.assertFalse(one.has(ANSWERED), one.said)
        else:
            self.assertTrue(one.has(ANSWERED), one.said)
            self.assertFalse(one.has("(?i)connection: close"), one.said)
            one.said = ""
            one.say(GET.format("", ""))
            one.wait_for("small")
        self.assert_offloaded(1)

    def test_in_the_middle_of_an_answer(self):
        one = self.interactive()
        one.say(GET.format("halves", ""))
        one.wait_for("half")
        one.update_keys()
        # What decrypts it is the request behind it; both have been read once that one is answered.
        self.half_seen.set()
        one.wait_for("more")
        if OFFLOADED and not RENEWABLE:
            one.wait_for(CLOSE_NOTIFY)
        else:
            one.said = ""
            one.say(GET.format("", ""))
            one.wait_for("small")
            self.assertFalse(one.has("alert"), one.said)

    def test_again_and_again(self):
        if OFFLOADED and not RENEWABLE:
            return self.assertIn("answered once", KERNEL)
        one = self.interactive()
        for _ in range(5):
            one.said = ""
            one.update_keys()
            one.say(GET.format("", ""))
            one.wait_for("small")
            self.assertTrue(one.has(ANSWERED), one.said)


if __name__ == "__main__":
    harness.main()
