"""`ringward profile`: where the CPU time of the workers goes, under loads whose answer is known."""

import json
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest

import configs
import credentials
import harness
import profile_case

PHASES = ["other", "kernel", "tls", "http1", "http2", "decide", "forward", "answer", "log"]
TOKENS = harness.ROOT / "bench" / "wrk" / "token.lua"
RESPOND = 'action = "respond"\nbody = "pong"\n'
CONFIG = configs.LISTENER + """
[[listener]]
name = "tls"
address = "127.0.0.1:0"
""" + configs.TLS + """
[auth.jwt.main]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
[[route]]
name = "callers"
path_prefix = "/callers"
auth = ["jwt:main"]
""" + RESPOND + """
[[route]]
name = "all"
path_prefix = "/"
auth = []
""" + RESPOND


class Profile(harness.SystemTest):
    def setUp(self):
        super().setUp()
        made = credentials.certificate("localhost")
        self.signer = credentials.SigningKey("ES512")
        self.gateway = self.gate(CONFIG, files={"cert.pem": made.chain, "key.pem": made.key,
                                                "jwks.json": credentials.key_set(self.signer)})

    command = profile_case.command

    def taken(self, seconds=1):
        """One, once no other one is under way any more."""
        def attempt():
            done = harness.ringward(*self.command("profile", "--seconds", str(seconds), "--json")[1:])
            said = json.loads(done.stdout)
            return said if said.get("done", True) else None
        return harness.eventually(attempt, within=10, what="a profile")

    def found(self, enough=40):
        """Samples by phase of profiles one after the other, until there are so many."""
        found = dict.fromkeys(PHASES, 0)
        deadline = time.monotonic() + harness.patience(90)
        harness.eventually(lambda: re.search(r"(?m)^ringward_worker_requests_total.* [1-9]", self.gateway.metrics()),
                           within=20, what="a load")
        while sum(found.values()) < enough and time.monotonic() < deadline:
            for phase, samples in self.by_phase(self.taken(2)).items():
                found[phase] += samples
        self.assertGreaterEqual(sum(found.values()), enough)
        return found

    def url(self, name, path="/"):
        host, port = self.gateway.address(name)[:2]
        return f"{'https' if name == 'tls' else 'http'}://{host}:{port}{path}"

    def load(self, name, *words, path="/"):
        """What is found while wrk is at it, none of whose requests may fail."""
        split = words.index("--") if "--" in words else len(words)
        wrk = subprocess.Popen(["wrk", "-t1", "-c16", "-d10m", "--timeout", "60s", *map(str, words[:split]),
                                self.url(name, path), *map(str, words[split:])],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            found = self.found()
            wrk.send_signal(signal.SIGINT)
            said, _ = wrk.communicate(timeout=harness.patience(60))
        finally:
            wrk.kill()
            wrk.wait()
        self.assertNotRegex(said, "Non-2xx|Socket errors|WARNING")
        self.assertRegex(said, r"\d+ requests in ")
        return found

    def leads(self, phase, samples, but=()):
        """It has more than any other; sanitizers, which make some phases much dearer, leave it some at least."""
        self.assertGreater(samples[phase], 0)
        if not harness.SANITIZER:
            self.assertEqual(max((one for one in PHASES if one not in but), key=samples.get), phase)

    def by_phase(self, found):
        """Samples of each phase, all of it being what the table says that it is."""
        self.assertEqual([one["name"] for one in found["phases"]], PHASES)
        samples = {one["name"]: one["samples"] for one in found["phases"]}
        self.assertEqual(sum(samples.values()), found["samples"])
        self.assertEqual([one["name"] for one in found["workers"]], ["0", "1"])
        for name in PHASES:
            of_workers = [phase["samples"] for one in found["workers"] for phase in one["phases"]
                          if phase["name"] == name]
            self.assertEqual(sum(of_workers), samples[name])
        if found["samples"] == 0:
            return samples
        for one in found["phases"]:
            self.assertAlmostEqual(one["share"], one["samples"] / found["samples"], places=4)
            self.assertAlmostEqual(one["us_per_request"], one["cpu_seconds"] * 1e6 / found["requests"], delta=0.01)
        self.assertAlmostEqual(sum(one["cpu_seconds"] for one in found["phases"]), found["cpu_seconds"], places=3)
        self.assertEqual(sum(one["requests"] for one in found["workers"]), found["requests"])
        # At each tick of the kernel at most, as far as this machine gets them.
        self.assertGreater(found["sample_interval_ms"], 0.5)
        self.assertAlmostEqual(found["sample_interval_ms"] * found["samples"] / 1000, found["cpu_seconds"], places=2)
        return samples

    def test_tls_is_found_in_tls_and_in_the_kernel(self):
        samples = self.load("tls", "-H", "Connection: close")
        self.leads("tls", samples, but=("kernel",))
        self.assertGreater(samples["kernel"], 0)

    @unittest.skipUnless(shutil.which("h2load"), "nghttp2-client, which has h2load, is not installed")
    def test_frames_are_found_in_http2(self):
        load = subprocess.Popen(["h2load", "-D", "600", "-c8", "-m16", self.url("tls")], stdout=subprocess.DEVNULL)
        self.addCleanup(load.wait)
        self.addCleanup(load.kill)
        samples = self.found()
        self.leads("http2", samples)
        self.assertEqual(samples["http1"], 0)

    def test_plain_http_is_the_kernels_and_has_no_tls(self):
        samples = self.load("main")
        self.assertEqual((samples["tls"], samples["http2"], samples["forward"]), (0, 0, 0))
        self.leads("kernel", samples)
        self.assertGreater(sum(samples[one] for one in ("http1", "decide", "answer", "log")), 0)

    def test_tokens_are_found_in_what_decides(self):
        tokens = "\n".join(self.signer.sign(credentials.claims(f"caller-{i}", ttl=3600)) for i in range(6000))
        samples = self.load("main", "-s", TOKENS, "--", self.write("tokens", tokens + "\n"), path="/callers")
        self.leads("decide", samples, but=("kernel",))
        self.assertEqual(samples["tls"], 0)

    def test_who_is_idle_is_hardly_found(self):
        found = self.taken()
        self.assertLess(found["samples"], 10)
        self.assertLess(found["cpu_percent"], 10)
        self.assertAlmostEqual(found["seconds"], 1, delta=0.9 * harness.patience(1))
        self.assertEqual(found["requests"], 0)
        self.assertEqual({one["us_per_request"] for one in found["phases"]}, {None})

    def test_text(self):
        done = harness.ringward(*self.command("profile", "--seconds", "1")[1:])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^\d\.\d s, 0 requests: \d\.\d\d s of CPU by workers; ")
        for wrong in ("0", "61", "1.5", "a"):
            self.assertEqual(harness.ringward(*self.command("profile", "--seconds", wrong)[1:]).returncode, 2)

    def test_one_at_a_time_and_it_ends_with_its_client(self):
        first, said = profile_case.hold(self, "--seconds", "60")
        self.assertRegex(said, r"^a profile is being taken already, for another [1-6]\d s\n$")
        first.kill()
        first.wait()
        self.taken()
        said = self.gateway.admin_get("/metrics")
        self.assertEqual(said.status, 200)

    def test_words_behind_it_do_not_end_it(self):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.directory / "admin.sock"))
            client.sendall(b"profile\t1\nand more\n")
            client.settimeout(harness.patience(10))
            began = time.monotonic()
            self.assertEqual(client.recv(3), b"ok\n")
            self.assertGreater(time.monotonic() - began, 0.9)
        for wrong in (b"profile\t0", b"profile\t61", b"profile\t", b"profile\t-1", b"profile\t1\t2"):
            with self.subTest(wrong), socket.socket(socket.AF_UNIX) as client:
                client.connect(str(self.directory / "admin.sock"))
                client.sendall(wrong + b"\n")
                client.settimeout(harness.patience(10))
                self.assertEqual(client.makefile("rb").read(), b"failed\nno such command\n")

    def test_a_gate_that_stops_does_not_wait_for_it(self):
        running, _ = profile_case.hold(self, "--seconds", "60")
        self.gateway.signal(signal.SIGTERM)
        self.gateway.wait()
        said, complaint = running.communicate(timeout=harness.patience(10))
        self.assertEqual((running.returncode, said), (1, ""))
        self.assertIn("the profile was cut short", complaint)

    def test_a_reload_beside_it(self):
        running, _ = profile_case.hold(self, "--seconds", "5", "--json")
        for _ in range(3):
            done = harness.ringward(*self.command("reload")[1:])
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.gateway.get("/").status, 200)
        said, _ = running.communicate(timeout=harness.patience(20))
        self.assertEqual(json.loads(said)["requests"], 3)

    def test_a_signal_of_its_kind_from_elsewhere_ends_nobody(self):
        self.taken()
        for _ in range(100):
            self.gateway.signal(signal.SIGPROF)
        self.assertEqual(self.gateway.get("/").status, 200)

    @harness.skip_under("asan", "tsan")  # which have the restrictions of rings alone
    def test_it_works_behind_the_list_of_system_calls(self):
        status = harness.ringward(*self.command("status")[1:]).stdout
        lockdown = re.search(r"(?m)^lockdown +(.*)$", status)[1]
        if "system calls" in lockdown:
            self.skipTest(f"no filter of system calls here: {lockdown}")
        self.assertIn("Seccomp:\t2", (self.gateway_proc() / "status").read_text())
        self.taken()

    def gateway_proc(self):
        return harness.Path("/proc") / str(self.gateway.process.pid)


if __name__ == "__main__":
    harness.main()
