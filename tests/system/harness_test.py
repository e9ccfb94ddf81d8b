"""The harness on its own: a client that misreads an answer or an origin that hides an error would
let every other system test pass for the wrong reason."""

import json
import ssl
import threading
import time
import unittest.mock

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives import hashes

import base64
import client
import credentials
import harness
from origin import Origin


class Exchange(harness.SystemTest):
    def get(self, origin, **options):
        with client.connect(origin.address, **options) as connection:
            return connection.request("GET", "/a?b=c", {"X-Test": "1"})

    def test_every_framing_is_read_back(self):
        for framing in ("length", "chunked", "close"):
            with self.subTest(framing):
                origin = self.origin(lambda c, r, f=framing: c.answer(200, b"hello", framing=f))
                answer = self.get(origin)
                self.assertEqual((answer.status, answer.body), (200, b"hello"))
                self.assertEqual(origin.requests[0].target, "/a?b=c")
                self.assertEqual(origin.requests[0].get("x-test"), "1")

    def test_requests_share_a_connection_and_keep_their_bodies(self):
        origin = self.origin(lambda c, request: c.answer(200, request.body))
        with client.connect(origin.address) as connection:
            for body in (b"one", b"two" * 100000):
                self.assertEqual(connection.request("POST", "/", body=body).body, body)
            connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                            b"3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n")
            self.assertEqual(connection.read_response().body, b"abc")
        self.assertEqual(origin.connections, 1)
        self.assertEqual(origin.requests[2].trailers, [("X-Sum", "7")])

    def test_a_head_and_an_answer_in_one_byte_pieces(self):
        def drip(c, _):
            c.send_slowly(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        origin = self.origin(drip)
        interim = []
        with client.connect(origin.address) as connection:
            connection.send_slowly(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = connection.read_response(interim=interim)
        self.assertEqual((answer.status, answer.body, interim[0].status), (200, b"ok", 100))

    def test_what_ends_early_is_an_error(self):
        def half(c, _):
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            c.close()
        with self.assertRaises(client.Closed):
            self.get(self.origin(half))
        with self.assertRaises(ConnectionResetError):
            self.get(self.origin(per_connection=lambda c: (c.read_head(), c.reset()), script=None))

    def test_repeated_fields_are_not_overlooked(self):
        origin = self.origin(lambda c, r: c.answer(200, b"", [("X-A", "1"), ("x-a", "2")]))
        answer = self.get(origin)
        self.assertEqual(answer.all("x-a"), ["1", "2"])
        with self.assertRaises(AssertionError):
            answer.get("X-A")

    def test_a_script_that_raises_is_reported(self):
        origin = Origin(lambda c, r: c.answer(200, undefined_name))  # noqa: F821
        with self.assertRaises(client.Closed):
            self.get(origin)
        with self.assertRaisesRegex(AssertionError, "undefined_name"):
            origin.stop()

    def test_refuse_and_reset_all(self):
        started = threading.Event()

        def hang(c, _):
            started.set()
            c.receive()
        origin = self.origin(hang)
        with client.connect(origin.address) as connection:
            connection.send_request("GET", "/")
            self.assertTrue(started.wait(5))
            self.assertFalse(connection.closed_within(0.05))
            origin.refuse()
            with self.assertRaises(ConnectionRefusedError):
                client.connect(origin.address)
            origin.reset_all()
            self.assertTrue(connection.closed_within(5))

    def test_eventually_gives_up(self):
        start = time.monotonic()
        with self.assertRaises(AssertionError):
            harness.eventually(lambda: False, within=0.05)
        self.assertLess(time.monotonic() - start, 5)

    def test_tls_with_a_certificate_of_ours(self):
        made = credentials.certificate("gate.example")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.write("c.pem", made.chain), self.write("k.pem", made.key))
        origin = self.origin(lambda c, r: c.answer(200, b"tls"), tls=context)
        trust = str(self.directory / "c.pem")
        self.assertEqual(self.get(origin, tls=trust, server_name="gate.example").body, b"tls")
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.get(origin, tls=trust, server_name="other.example")
        with self.assertRaises(ssl.SSLCertVerificationError):
            client.connect(origin.address, tls=ssl.create_default_context())


STAND_IN = """#!/usr/bin/python3
import os, signal, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
say = lambda line: print("ringward: info: " + line, file=sys.stderr, flush=True)
say("listener https on 127.0.0.1:%d" % listener.getsockname()[1])
say("admin on [::1]:9180")
if os.environ["STAND_IN"] == "dies":
    sys.exit("ringward: error: " + " ".join(sys.argv[1:]))
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
say("ready")
print('{"status": 401}', flush=True)
signal.sigwait({signal.SIGTERM})
sys.exit(86 if os.environ["STAND_IN"] == "leaks" else 0)
"""


class Gates(harness.SystemTest):
    """A gate's life, with a stand-in for the program that behaves in a known way."""

    def start(self, behaviour):
        program = self.write("stand-in", STAND_IN, mode=0o700)
        with unittest.mock.patch.object(harness, "BINARY", program):
            return self.gate("[server]\nworkers = 1", env={"STAND_IN": behaviour},
                             check_exit=False)

    def test_it_is_ready_and_ends_well(self):
        gate = self.start("well")
        self.assertEqual(gate.address(), gate.listeners["https"])
        self.assertEqual(gate.admin, ("::1", 9180))
        self.assertEqual(gate.wait_for_access(status=401), {"status": 401})
        with self.assertRaises(AssertionError):
            gate.wait_for_access(status=200, within=0.01)
        gate.connect().close()
        gate.stop()

    def test_a_leak_found_at_exit_fails_the_test(self):
        with self.assertRaisesRegex(AssertionError, "ended with 86"):
            self.start("leaks").stop()

    def test_what_it_said_is_shown_when_it_does_not_start(self):
        with self.assertRaisesRegex(AssertionError, "error: run --config .*/config"):
            self.start("dies")

    def test_the_configuration_is_filled_in(self):
        config = self.write_config("[log]\naccess = { path = '$dir/$name' } # $$", name="a.log")
        text = (config / "ringward.toml").read_text()
        self.assertIn(f"path = '{self.directory}/a.log' }} # $\n", text)
        self.assertIn('address = "127.0.0.1:0"', text)


class Credentials(harness.SystemTest):
    def test_signatures_verify(self):
        for algorithm in ("RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA"):
            with self.subTest(algorithm):
                key = credentials.SigningKey(algorithm)
                token = key.sign(credentials.claims("alice"))
                signed, _, signature = token.rpartition(".")
                self.verify(key, signed.encode(), decode(signature))
                self.assertEqual(json.loads(decode(signed.split(".")[0]))["alg"], algorithm)
                self.assertEqual(json.loads(decode(signed.split(".")[1]))["sub"], "alice")
                self.assertNotIn("d", json.loads(credentials.key_set(key))["keys"][0])
                self.assertIn("d", key.private_jwk())

    def verify(self, key, message, signature):
        public = key.private.public_key()
        digest = hashes.SHA256() if key.algorithm == "EdDSA" else \
            credentials.HASHES[key.algorithm[2:]]()
        if key.algorithm == "EdDSA":
            public.verify(signature, message)
        elif key.algorithm in credentials.CURVES:
            half = len(signature) // 2
            r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
            public.verify(encode_dss_signature(r, s), message, ec.ECDSA(digest))
        elif key.algorithm.startswith("PS"):
            pad = padding.PSS(padding.MGF1(digest), digest.digest_size)
            public.verify(signature, message, pad, digest)
        else:
            public.verify(signature, message, padding.PKCS1v15(), digest)

    def test_an_expired_certificate_is_expired(self):
        made = x509.load_pem_x509_certificate(credentials.certificate(days=-1).chain.encode())
        self.assertLess(made.not_valid_before, made.not_valid_after)
        self.assertLess(made.not_valid_after.timestamp(), time.time())


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


if __name__ == "__main__":
    harness.main()
