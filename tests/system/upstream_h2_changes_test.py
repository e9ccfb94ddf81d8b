"""Origins of HTTP/2 that change under load: another protocol, a connection that drips, one that is killed and comes
back. What may be repeated never fails; what may not is never sent twice."""

import signal
import socket
import threading
import time

import configs
import h2_origin
import harness
from upstream_h2_case import UpstreamH2

HEADERS, CONTINUATION = 1, 9
SLOWLY = 0.5  # seconds between two octets that drip


class Load:
    """Threads that ask for as long as they are let, each on connections of its own; (method, number, status) in `got`."""

    def __init__(self, gateway, *methods):
        self.got = []
        self.over = threading.Event()
        self.gateway = gateway
        self.threads = [threading.Thread(target=self._ask, args=(n, method)) for n, method in enumerate(methods)]
        for one in self.threads:
            one.start()

    def _ask(self, thread, method):
        asked = 0
        while not self.over.is_set():
            number = f"{thread}-{asked}"
            asked += 1
            body = b"once" if method == "POST" else b""
            got = self.gateway.get(f"/{number}", method=method, body=body)
            self.got.append((method, number, got.status))

    def wait_for(self, more):
        wanted = len(self.got) + more
        harness.eventually(lambda: len(self.got) >= wanted, 30, f"{more} more answers")

    def stop(self):
        self.over.set()
        for one in self.threads:
            one.join(harness.patience(30))


class Changes(UpstreamH2):
    def reload(self, gateway, text, number, **values):
        self.write_config(text, **values)
        gateway.signal(signal.SIGHUP)
        harness.eventually(lambda: sum("the configuration was reloaded" in line for line in gateway.log) >= number,
                           what="a reload")

    def test_a_reload_to_another_protocol_and_back(self):
        served = h2_origin.serve(lambda peer, call: peer.answer(call, 200, b"ok"))
        spoken = []

        def both(connection):
            begins = connection.socket.recv(3, socket.MSG_PEEK)
            spoken.append(begins)
            if begins == b"PRI":
                return served(connection)
            while not connection.ended:
                connection.read_body(connection.read_head())
                connection.answer(200, b"ok")
        origin = self.origin(None, per_connection=both)
        texts = [configs.plain(), configs.plain(upstream='protocol = "h2"')]
        gateway = self.gate(texts[0], origin=origin.address)
        load = Load(gateway, "GET", "POST", "GET", "POST")
        try:
            for number in range(1, 9):
                self.reload(gateway, texts[number % 2], number, origin=origin.address)
                load.wait_for(20)
        finally:
            load.stop()
        self.assertEqual([one for one in load.got if one[2] != 200], [])
        self.assertGreater(spoken.count(b"PRI"), 1)
        self.assertIn(b"GET", spoken)

    def test_heads_of_clients_that_servers_end_a_connection_for(self):
        gateway = self.start(lambda peer, call: peer.answer(call, 200, b"ok"), listener='limits.head_bytes = "256KiB"')
        for size, status in ((10, 200), (60_000, 200), (200_000, 431), (10, 200)):
            self.assertEqual(gateway.get("/", headers={"X-Long": "~" * size}).status, status)
        self.assertEqual([len(call.get("x-long")) for call in self.served.calls], [10, 60_000, 10])
        self.assertEqual(self.served.connections, 1)
        self.assertEqual(gateway.wait_for_access(status=431)["reason"], "head_too_large")

    def test_a_head_that_drips_holds_up_its_connection_for_ten_seconds(self):
        def drip(peer, call):
            if call.get(":path") != "/drips" or len(served.calls) > 1:
                return peer.answer(call, 200, b"ok")
            number = call.id.to_bytes(4, "big")
            # A frame of 16 KiB, an octet at a time: the connection is long over when it has come.
            peer.raw(b"\0\0\1" + bytes([HEADERS, 0]) + number + b"\x88")
            peer.raw(b"\0\x40\0" + bytes([CONTINUATION, 0]) + number)
            began = time.monotonic()
            while time.monotonic() - began < harness.patience(60):
                time.sleep(SLOWLY)
                peer.raw(b"\0")
        served = h2_origin.serve(drip)
        origin = self.origin(None, per_connection=served)
        gateway = self.start(origin=origin, upstream="retry.attempts = 2\nretry.budget = 1.0")
        began = time.monotonic()
        answers = {}
        threads = [threading.Thread(target=lambda p=path: answers.update({p: gateway.get(p, timeout=harness.patience(40))}))
                   for path in ("/drips", "/beside")]
        threads[0].start()
        harness.eventually(lambda: served.calls, what="the first request")
        threads[1].start()
        for one in threads:
            one.join(harness.patience(40))
        # Both may be sent again, and are.
        self.assertEqual({path: got.status for path, got in answers.items()}, {"/drips": 200, "/beside": 200})
        self.assertGreaterEqual(time.monotonic() - began, 9)
        self.assertGreaterEqual(served.connections, 2)

    def test_one_that_is_killed_and_comes_back(self):
        """Two of them. The one that lives takes what may be repeated; no POST reaches an origin twice."""
        def script(peer, call):
            time.sleep(0.002)
            peer.answer(call, 200)
        first, second = h2_origin.serve(script), h2_origin.serve(script)
        killed = self.origin(None, per_connection=first)
        other = self.origin(None, per_connection=second)
        upstream = (f'servers = [{{ address = "{killed.address}" }}, {{ address = "{other.address}" }}]\n'
                    'protocol = "h2"\nretry.attempts = 2\nretry.budget = 1.0\nhealth.eject_after = 0')
        text = configs.plain(upstream=upstream).replace('servers = [{ address = "$origin" }]\n', "", 1)
        gateway = self.gate(text)
        load = Load(gateway, "GET", "POST", "GET", "POST", "POST")
        try:
            for _ in range(4):
                load.wait_for(30)
                killed.refuse()
                killed.reset_all()
                load.wait_for(30)
                killed = self.origin(None, per_connection=first, port=killed.port)
            load.wait_for(60)
        finally:
            load.stop()
        calls = [call for served in (first, second) for call in served.calls if call.get(":method") == "POST"]
        times = {}
        for call in calls:
            path = call.get(":path")
            times[path] = times.get(path, 0) + 1
        self.assertEqual([path for path, many in times.items() if many > 1], [])
        self.assertEqual([one for one in load.got if one[0] == "GET" and one[2] != 200], [])
        posts = [one for one in load.got if one[0] == "POST"]
        self.assertLessEqual({status for _, _, status in posts}, {200, 502})
        for _, number, status in posts:
            if status == 200:
                self.assertEqual(times.get(f"/{number}"), 1)
        self.assertGreater(sum(status == 200 for _, _, status in posts), len(posts) // 2)
        before = len(first.calls)
        harness.eventually(lambda: gateway.get("/").status == 200 and len(first.calls) > before,
                           what="requests at the one that came back")


if __name__ == "__main__":
    harness.main()
