"""`ringward demo`: the curl lines it prints do what they say when they are pasted."""

import contextlib
import ipaddress
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time

from cryptography import x509

import client
import harness


class Demo(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.start()

    def start(self, address="127.0.0.1:0"):
        self.lines = []
        self.process = subprocess.Popen(
            [harness.BINARY, "demo", "--address", address], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, preexec_fn=harness._die_with_parent)
        self.addCleanup(self.process.kill)
        reader = threading.Thread(target=self.read, args=(self.process, self.lines), daemon=True)
        reader.start()
        harness.eventually(lambda: len(self.curls()) >= 6, within=10, what="six curl lines")
        self.address = client.parse_address(re.search(r"https://([\d.]+:\d+)/", self.curls()[0])[1])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(harness.patience(10)), 0)

    @staticmethod
    def read(process, lines):
        for line in process.stdout:
            lines.append(line)

    def curls(self):
        return [line.strip() for line in list(self.lines) if re.search(r"\bcurl -", line)]

    def paste(self, *commands):
        return subprocess.run(["bash", "-c", "\n".join(commands)], text=True, capture_output=True,
                              timeout=harness.patience(120)).stdout

    def paste_until(self, pattern, *commands):
        """For a line that goes on for ever: it is ended once the pattern has come."""
        process = subprocess.Popen(["bash", "-c", "\n".join(commands)], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True, start_new_session=True)
        ends = threading.Timer(harness.patience(30), os.killpg, (process.pid, signal.SIGKILL))
        ends.start()
        said = ""
        for line in process.stdout:
            said += line
            if re.search(pattern, said):
                break
        ends.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()
        self.assertRegex(said, pattern)

    def get(self, target, key=True, **options):
        headers = {}
        if key:
            headers["x-api-key"] = re.search(r"x-api-key: (\w+)", self.curls()[0])[1]
        with client.connect(self.address, **{"tls": True} | options) as connection:
            return connection.request("GET", target, headers)


class Lines(Demo):
    """Word for word, in the order they are printed in."""

    def test_they_work(self):
        key, token, with_token, stream, without, hammered = self.curls()[:6]
        echo = json.loads(self.paste(key))
        self.assertEqual((echo["method"], echo["path"]), ("GET", "/"))
        self.assertNotIn("x-api-key", {name.lower() for name in echo["headers"]})
        self.assertEqual(json.loads(self.paste(token, with_token))["method"], "GET")
        self.assertRegex(self.paste(token, 'echo "$TOKEN"'), r"^[\w-]+\.[\w-]+\.[\w-]+\n$")
        self.paste_until(r"(?s)data:.*data:", token, stream)
        self.assertRegex(self.paste(without), r"^HTTP/\S+ 401")

        def limited():
            """Twenty processes may take a busy machine longer than the budget needs to fill up."""
            statuses = self.paste(hammered).split()
            self.assertEqual(len(statuses), 20)
            self.assertLessEqual(set(statuses), {"200", "429"})
            return "429" in statuses
        harness.eventually(limited, within=60, what="a 429 when hammered")
        for pattern in (r"\b200\b.*GET /", r"\b401\b.*GET /", r"\b429\b.*GET /", r"POST /token"):
            harness.eventually(lambda p=pattern: any(re.search(p, line) for line in self.lines),
                               what=f"a readable line with {pattern}")
        self.stop()


class Served(Demo):
    def test_bytes_and_health(self):
        for size in (0, 1, 70_000, 3 << 20):
            answer = self.get(f"/bytes/{size}")
            self.assertEqual((answer.status, len(answer.body)), (200, size))
        self.assertEqual(self.get("/bytes/5", key=False).status, 401)
        self.assertEqual(self.get("/health", key=False).status, 200)
        self.stop()

    def test_the_certificate_is_for_this_machine(self):
        pem = ssl.get_server_certificate(self.address)
        made = x509.load_pem_x509_certificate(pem.encode())
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(x509.DNSName), ["localhost"])
        self.assertEqual(set(names.get_values_for_type(x509.IPAddress)),
                         {ipaddress.ip_address(one) for one in ("127.0.0.1", "::1")})
        self.assertEqual(made.public_key().curve.name, "secp256r1")
        trusted = str(self.write("demo.pem", pem))
        for name in ("localhost", "127.0.0.1", "::1"):
            with self.subTest(name):
                answer = self.get("/health", key=False, tls=trusted, server_name=name,
                                  authority="localhost")
                self.assertEqual(answer.status, 200)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.get("/health", tls=trusted, server_name="other.example")
        self.stop()

    def test_a_second_start_serves_within_two_seconds(self):
        first = self.curls()[0]
        self.assertEqual(self.get("/").status, 200)
        self.stop()
        began = time.monotonic()
        self.start("%s:%d" % self.address)
        self.assertEqual(self.get("/").status, 200)
        self.assertLess(time.monotonic() - began, harness.patience(2))
        self.assertNotEqual(self.curls()[0], first, "the key is not a fresh one")
        self.stop()


if __name__ == "__main__":
    harness.main()
