"""Reload and drain over TLS, with handshakes and resumed sessions in the load."""

import concurrent.futures
import re
import signal
import ssl
import subprocess
import threading

import client
import configs
import credentials
import harness


class UnderLoad(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.go = threading.Event()
        self.addCleanup(self.go.set)
        self.body = b"0123456789abcdef" * 4096  # several records

        def answer(c, request):
            if request.target == "/slow":
                self.go.wait(harness.patience(60))
            c.answer(200, self.body)
        self.upstream = self.origin(answer)
        made = credentials.certificate()
        self.running = self.gate(configs.tls(), origin=self.upstream.address,
                                 files={"cert.pem": made.chain, "key.pem": made.key})

    def ask_anew(self, enough, served):
        """A connection and a handshake for every two requests; anything unusual raises."""
        session, used = None, 0
        while not enough.is_set():
            with self.running.connect(tls=self.context, session=session) as connection:
                for _ in range(2):
                    answer = connection.request("GET", "/")
                    self.assertEqual((answer.status, answer.body), (200, self.body))
                    served.append(1)
                used += 1
                session = connection.socket.session if used % 10 else None

    def ask_to_the_end(self, served, kept):
        """Until nobody listens: a request is answered in full, or its connection ends without a
        byte of an answer. A kept connection is used until it ends."""
        while True:
            try:
                connection = self.running.connect(tls=self.context)
            except ConnectionRefusedError:
                return
            except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                continue
            with connection:
                try:
                    for _ in range(1 << 30 if kept else 1):
                        answer = connection.request("GET", "/")
                        self.assertEqual((answer.status, answer.body), (200, self.body))
                        served.append(1)
                        if answer.get("connection", "").lower() == "close":
                            break
                except (client.Closed, ConnectionResetError, BrokenPipeError,
                        ssl.SSLEOFError) as error:
                    self.assertNotIn("HTTP", str(error))
                    self.assertNotIn("bytes early", str(error))

    def under_load(self, ask, *arguments):
        self.context = client.tls_context()
        pool = concurrent.futures.ThreadPoolExecutor(4)
        self.addCleanup(pool.shutdown)
        return [pool.submit(ask, *one) for one in arguments]

    def test_reload_nobody_sees_an_error(self):
        enough, served = threading.Event(), []
        self.addCleanup(enough.set)
        coming = self.under_load(self.ask_anew, *[(enough, served)] * 4)
        host, port = self.running.address()
        wrk = subprocess.Popen(["wrk", "-t1", "-c16", "-d4s", "--timeout", "20s",
                                f"https://{host}:{port}/"],
                               stdout=subprocess.PIPE, text=True)
        with self.running.connect(tls=True) as kept:
            for name in ("first", "second", "third", "fourth", "fifth", "sixth"):
                before = len(served)
                self.write_config(configs.tls().replace('"all"', f'"{name}"'),
                                  origin=self.upstream.address)
                done = harness.ringward("reload", "--socket", self.directory / "admin.sock")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(kept.request("GET", "/").status, 200)
                harness.eventually(lambda: len(served) >= before + 10, what="more answers")
                self.running.wait_for_access(route=name)
        said = wrk.communicate(timeout=harness.patience(30))[0]
        enough.set()
        for one in coming:
            one.result(harness.patience(30))
        self.assertGreater(int(re.search(r"(\d+) requests in", said)[1]), 100)
        self.assertNotIn("Non-2xx", said)
        self.assertNotIn("Socket errors", said)

    def test_drain_loses_nothing(self):
        slow = [self.running.connect(tls=True) for _ in range(20)]
        idle = [self.running.connect(tls=True) for _ in range(20)]
        for one in slow + idle:
            self.addCleanup(one.close)
        for one in slow:
            one.send_request("GET", "/slow")
        harness.eventually(lambda: len(self.upstream.requests) == len(slow))
        for one in idle:
            self.assertEqual(one.request("GET", "/idle").status, 200)
        served = []
        coming = self.under_load(self.ask_to_the_end, *[(served, kept) for kept in (0, 1, 0, 1)])
        harness.eventually(lambda: len(served) > 50, what="load")
        self.running.signal(signal.SIGTERM)
        for one in coming:
            one.result(harness.patience(30))
        for one in idle:
            one.socket.suppress_ragged_eofs = False  # an end without close_notify raises
            self.assertEqual(one.socket.recv(1), b"")
        self.assertIsNone(self.running.process.poll())
        self.go.set()
        for one in slow:
            answer = one.read_response()
            self.assertEqual((answer.status, answer.body), (200, self.body))
        self.assertEqual(self.running.wait(), 0)
        answered = [line for line in self.running.access if line["status"]]  # 0: no handshake
        self.assertEqual({line["status"] for line in answered}, {200})
        self.assertEqual(len(answered), len(served) + len(slow) + len(idle))


if __name__ == "__main__":
    harness.main()
