"""The bound that a gate prints at its start holds, whatever 15,000 clients do: say nothing over TLS, begin heads,
send bodies that nobody takes."""

import re
import resource
import socket

import configs
import credentials
import harness
from client import tls_context

CLIENTS = 15000
TIMEOUTS = '[listener.timeouts]\nhandshake = "1h"\nhead = "1h"\nbody_gap = "1h"\n'
OF_ORIGIN = '[upstream.timeouts]\nconnect = "60s"\ngap = "10m"\n'  # thousands at once, on a machine that has no time
HEAD = b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Long: " + b"a" * 30000  # of 32 KiB, and no end


@harness.skip_under("asan", "tsan")  # what they need themselves is most of it
class MemoryBound(harness.SystemTest):
    def setUp(self):
        super().setUp()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        # A machine with fewer descriptors has fewer clients, and a smaller bound.
        self.clients = min(CLIENTS, (before[1] - 2000) * 5 // 6)
        self.held = []
        self.addCleanup(lambda: [one.close() for one in self.held])
        # An origin that the kernel takes connections for, and that reads nothing.
        self.silent = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.addCleanup(self.silent.close)

    def start(self):
        own = credentials.certificate("localhost")
        third = self.clients // 3
        self.bodies = third * 2 // 3
        plain = configs.LISTENER.replace("main", "plain") + f"max_connections = {2 * third}\n" + TIMEOUTS
        return self.gate(
            plain + configs.LISTENER + f"max_connections = {third}\n" + TIMEOUTS + configs.TLS
            + configs.UPSTREAM + f"[upstream.pool]\nmax_requests_in_flight = {self.bodies}\n"
            "idle_per_worker = 1\n" + OF_ORIGIN + configs.ROUTE.replace('"/"', '"/up"') + "auth = []\n"
            '[[route]]\nname = "here"\npath_prefix = "/"\naction = "respond"\nstatus = 204\nauth = []\n'
            "[server]\nworkers = 2\n",
            origin="127.0.0.1:%d" % self.silent.getsockname()[1],
            files={"cert.pem": own.chain, "key.pem": own.key})

    def connect(self, gate, listener, number):
        """From one of a few addresses: one has 28,000 ports, and others use them too."""
        one = socket.create_connection(gate.address(listener)[:2], harness.patience(30),
                                       source_address=(f"127.0.0.{2 + number % 8}", 0))
        self.held.append(one)
        return one

    def metric(self, gate, name):
        return int(re.search(rf"^ringward_{name} (\d+)$", gate.metrics(), re.M)[1])

    def test_fifteen_thousand_clients_stay_within_it(self):
        gate = self.start()
        said = gate.wait_for_log(r"memory: at most \d+ MiB whatever clients do")
        bound = self.metric(gate, "memory_bound_bytes")
        self.assertIn(f"at most {-(-bound >> 20)} MiB", said)
        before = gate.resident_bytes()
        third = self.clients // 3
        context = tls_context()
        for number in range(third):
            one = self.connect(gate, "main", number)
            self.held[-1] = context.wrap_socket(one, server_hostname="localhost")
        for number in range(2 * third - self.bodies):
            self.connect(gate, "plain", number).sendall(HALF)
        for number in range(self.bodies):
            one = self.connect(gate, "plain", number)
            one.sendall(HEAD)
            one.setblocking(False)
        for _ in range(3):  # as much as is taken, now and when the gate has taken that
            for one in self.held[-self.bodies:]:
                try:
                    one.send(b"x" * 131072)
                except BlockingIOError:
                    pass
        harness.eventually(lambda: self.metric(gate, "connections") == 3 * third, 30, "all are there")
        # It has read what it reads: what it holds has come to rest.
        last = [0]

        def at_rest():
            now = gate.resident_bytes()
            moved, last[0] = abs(now - last[0]), now
            return moved < 1 << 20
        harness.eventually(at_rest, 30, "memory at rest")
        resident = gate.resident_bytes()
        print(f"\n{3 * third} clients: {resident >> 20} MiB of at most {bound >> 20}, "
              f"{before >> 20} before", flush=True)
        self.assertGreater(resident - before, self.clients * 10_000)  # they do cost something
        self.assertLessEqual(resident, bound)
        self.assertLess(bound, 30 * resident)  # and it is no number out of the air: heads here have few fields
        self.assertEqual(gate.get("/", name="plain").status, 204)  # whoever waited longest made room
        gate.stop(within=60)  # the bodies have their 30 s, and then there are 15,000 to be closed

    def test_what_a_flood_took_is_given_back(self):
        gate = self.start()
        pool = 2 * (16 << 20)  # of each worker's buffers, whose pages stay once they were used
        before = gate.resident_bytes()
        for number in range(3000):
            self.connect(gate, "plain", number).sendall(HALF)
        harness.eventually(lambda: self.metric(gate, "connections") == 3000, 30, "all are there")
        harness.eventually(lambda: gate.resident_bytes() > before + (100 << 20), 30, "their heads")
        peak = gate.resident_bytes()
        for one in self.held:
            one.close()
        harness.eventually(lambda: self.metric(gate, "connections") == 0, 30, "all are gone")
        harness.eventually(lambda: gate.resident_bytes() < before + pool + (peak - before - pool) // 4,
                           60, "what they took is given back")
        if harness.VERBOSE:
            print(f"{before >> 20} MiB, {peak >> 20} with 3,000 half heads, "
                  f"{gate.resident_bytes() >> 20} after them")


if __name__ == "__main__":
    harness.main()
