"""gRPC end to end: the npm package @grpc/grpc-js on both sides of a gate, by HTTP/2 over TLS from its clients and
to its server, in the clear too."""

import json
import os
import re
import subprocess
import threading

import credentials
import harness
import npm_modules

CONFIG = """
[server]
workers = 1
[[listener]]
name = "main"
address = "127.0.0.1:0"
timeouts.body_gap = "300ms"
[listener.tls]
certificates = [{ chain = "$dir/cert.pem", key = { file = "$dir/key.pem" } }]
[auth.api_keys]
file = "$dir/keys"
[[limit]]
name = "slow"
by = "identity"
rate = "1/h"
burst = 1
[[upstream]]
name = "origin"
protocol = "h2"
servers = [{ address = "$origin" }]
$tls
[[upstream]]
name = "nobody"
protocol = "h2"
servers = [{ address = "127.0.0.1:$closed" }]
[[upstream]]
name = "hasty"
protocol = "h2"
servers = [{ address = "$origin" }]
timeouts.total = "300ms"
$tls
"""
ROUTE = """
[[route]]
name = "%s"
path = "/test.Service/%s"
upstream = "%s"
auth = [%s]
%s
"""
OK, CANCELLED, DEADLINE_EXCEEDED, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 0, 1, 4, 7, 8
FAILED_PRECONDITION, UNIMPLEMENTED, UNAVAILABLE, UNAUTHENTICATED = 9, 12, 14, 16
ALL = ("Unary", "Fails", "Hangs", "ServerStream", "ClientStream", "Bidi")


class Server:
    def __init__(self, modules, arguments):
        self.said = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            ["node", harness.ROOT / "tests/system/grpc/server.js", *map(str, arguments)],
            env=os.environ | {"GRPC": str(modules)}, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(self.wait_for(r"PORT (\d+)")[1])

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.said.append(line.strip())
                self.changed.notify_all()

    def wait_for(self, pattern):
        def found():
            return next((m for line in self.said if (m := re.search(pattern, line))), None)
        with self.changed:
            got = self.changed.wait_for(found, harness.patience(20))
        if not got:
            raise AssertionError(f"the server did not say {pattern}: {self.said}")
        return got

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Grpc(harness.SystemTest):
    with_tls = True

    def setUp(self):
        super().setUp()
        self.modules = npm_modules.need(self, npm_modules.GRPC)
        made = credentials.certificate("localhost", "127.0.0.1")
        self.write("cert.pem", made.chain)
        self.write("key.pem", made.key)
        pair = [self.directory / "cert.pem", self.directory / "key.pem"] if self.with_tls else []
        self.server = Server(self.modules, pair)
        self.addCleanup(self.server.stop)

    def start(self, *routes, more=""):
        """routes: (method, upstream, auth, more); for the methods without one: open, to the server."""
        self.key, line = harness.new_key("alice")
        named = {one[0] for one in routes}
        routes += tuple((method, "origin", "", "") for method in ALL if method not in named)
        text = CONFIG + "".join(ROUTE % (method, method, *rest) for method, *rest in routes) + more
        tls = '[upstream.tls]\nca = "$dir/cert.pem"\nserver_name = "localhost"' if self.with_tls else ""
        text = text.replace("$tls", tls)
        self.gateway = self.gate(text, origin=f"127.0.0.1:{self.server.port}", closed=harness.free_port(),
                                 files={"keys": line + "\n"})
        return self.gateway

    def call(self, case, **options):
        host, port = self.gateway.address()[:2]
        done = subprocess.run(
            ["node", npm_modules.GRPC / "client.js", f"localhost:{port}", self.directory / "cert.pem",
             case, json.dumps(options)], env=os.environ | {"GRPC": str(self.modules)}, capture_output=True, text=True,
            timeout=harness.patience(60))
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)


class Calls(Grpc):
    def test_one_message_each_with_metadata_both_ways(self):
        self.start()
        got = self.call("unary", metadata={"x-given": "a b"})
        self.assertEqual((got["code"], got["same"]), (OK, True))
        self.assertEqual(got["first"]["x-seen"], ["a b"])
        self.assertEqual(got["trailers"]["x-sum"], ["5"])
        line = self.gateway.wait_for_access(status=200, path="/test.Service/Unary")
        self.assertEqual(line["protocol"], "HTTP/2.0")

    def test_a_message_of_4_mib(self):
        self.start()
        got = self.call("big", bytes=4 << 20)
        self.assertEqual((got["code"], got["same"]), (OK, True))
        self.assertEqual(got["trailers"]["x-sum"], [str(4 << 20)])

    def test_an_error_of_the_server_reaches_its_caller(self):
        self.start()
        got = self.call("fails")
        self.assertEqual((got["code"], got["details"]), (FAILED_PRECONDITION, "not now: ü"))

    def test_a_stream_of_answers(self):
        self.start()
        got = self.call("serverStream", number=5000)
        self.assertEqual((got["code"], got["messages"]), (OK, 5000))

    def test_a_stream_of_requests_which_pauses_for_longer_than_a_body_may(self):
        self.start()
        got = self.call("clientStream", number=3, bytes=100000, pause=500)
        self.assertEqual((got["code"], got["answer"]), (OK, "300000"))

    def test_both_at_once_each_waiting_for_the_other(self):
        self.start()
        got = self.call("bidi", number=3, pause=500)
        self.assertEqual((got["code"], got["messages"]), (OK, ["re:n0", "re:n1", "re:n2"]))

    def test_a_caller_that_cancels(self):
        self.start()
        self.assertEqual(self.call("cancel", after=300)["code"], CANCELLED)
        self.server.wait_for('"cancelled":true')
        self.gateway.wait_for_access(status=499)

    def test_a_deadline_reaches_the_server_and_ends_the_call(self):
        self.start()
        self.assertEqual(self.call("hangs", deadline=400)["code"], DEADLINE_EXCEEDED)
        self.server.wait_for('"hangs":true')
        self.server.wait_for('"cancelled":true')

    def test_our_own_deadline(self):
        self.start(("Hangs", "hasty", "", ""))
        self.assertEqual(self.call("hangs")["code"], DEADLINE_EXCEEDED)
        self.gateway.wait_for_access(status=504, reason="upstream_total_timeout")

    def test_an_answer_that_we_cut_off_says_so_in_its_trailers(self):
        self.start(("Bidi", "hasty", "", ""))
        got = self.call("bidi", number=100, pause=100)
        self.assertEqual(got["code"], DEADLINE_EXCEEDED)
        self.assertGreater(len(got["messages"]), 0)
        self.gateway.wait_for_access(reason="upstream_total_timeout")


class InTheClear(Calls):
    with_tls = False


class Refusals(Grpc):
    def test_who_has_no_key_and_who_has_called_too_often(self):
        self.start(("Unary", "origin", '"api_keys"', 'limits = ["slow"]'))
        got = self.call("unary")
        self.assertEqual((got["code"], got["details"]), (UNAUTHENTICATED, "Unauthorized"))
        self.gateway.wait_for_access(status=401)
        key = {"authorization": f"Bearer {self.key}"}
        self.assertEqual(self.call("unary", metadata=key)["code"], OK)
        got = self.call("unary", metadata=key)
        self.assertEqual((got["code"], got["details"]), (RESOURCE_EXHAUSTED, "Too Many Requests"))
        self.assertIn("ratelimit", got["trailers"])
        self.assertIn("retry-after", got["trailers"])
        self.gateway.wait_for_access(status=429)

    def test_where_nobody_is(self):
        self.start(("Unary", "nobody", "", ""))
        self.assertEqual(self.call("unary")["code"], UNAVAILABLE)
        self.gateway.wait_for_access(status=502, reason="upstream_refused")

    def test_a_method_that_no_route_takes(self):
        self.start(("Unary", "origin", "", 'methods = ["GET"]'))
        self.assertEqual(self.call("unary")["code"], UNIMPLEMENTED)

    def test_messages_that_are_too_much(self):
        self.start(("ClientStream", "origin", "", 'max_body = "100KiB"'))
        got = self.call("clientStream", number=10, bytes=50000)
        self.assertEqual(got["code"], RESOURCE_EXHAUSTED)
        self.gateway.wait_for_access(reason="body_too_large")

    def test_a_server_that_is_killed_in_a_call(self):
        self.start()
        def kill():
            self.server.wait_for('"bidi":2')
            self.server.process.kill()
        killer = threading.Thread(target=kill)
        killer.start()
        got = self.call("bidi", number=100, pause=100)
        self.assertEqual(got["code"], UNAVAILABLE)
        self.assertGreater(len(got["messages"]), 0)
        killer.join()


if __name__ == "__main__":
    harness.main()
