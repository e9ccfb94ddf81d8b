"""Calls of gRPC whose callers leave to the gate what a library would do for them: deadlines, and ends from outside. Frames
and messages by hand, on both sides."""

import time

import h2_client
import harness
from upstream_h2_case import UpstreamH2

NO_ERROR, CANCEL = 0, 8
DEADLINE_EXCEEDED, UNAUTHENTICATED = "4", "16"
MESSAGE = b"\0\0\0\0\5hello"


def begin_answer(peer, call):
    """One message of an answer that goes on; nobody says how."""
    peer.begin(call, 200, [("content-type", "application/grpc")])
    peer.send(call, MESSAGE)


class Calls(UpstreamH2):
    def call(self, client, headers=(), ends=True):
        pairs = [("content-type", "application/grpc"), ("te", "trailers"), *headers]
        number = client.begin("POST", "/test.Service/Call", pairs, body=None)
        client.send(number, MESSAGE, last=ends)
        return number

    def status_of(self, got):
        self.assertEqual((got.status, got.ended), (200, True))
        self.assertIn(got.reset, (None, NO_ERROR))  # of what is still to come nothing is wanted (RFC 9113 8.1)
        return dict(got.trailers or got.headers).get("grpc-status")

    def test_a_deadline_passes_before_there_is_an_answer(self):
        gate = self.start(lambda peer, call: None)
        with h2_client.connect(gate, tls=False) as client:
            began = time.monotonic()
            got = client.answer(self.call(client, [("grpc-timeout", "300m")]))
            self.assertGreaterEqual(time.monotonic() - began, 0.3)
        self.assertEqual(self.status_of(got), DEADLINE_EXCEEDED)
        self.assertEqual(got.trailers, [])  # all in one section
        self.assertEqual(self.served.calls[0].get("grpc-timeout"), "300m")
        self.wait_for_reset(self.served.calls[0], CANCEL)
        gate.wait_for_access(status=504, reason="grpc_timeout")

    def test_a_deadline_passes_within_an_answer(self):
        gate = self.start(begin_answer)
        with h2_client.connect(gate, tls=False) as client:
            got = client.answer(self.call(client, [("grpc-timeout", "400m")]))
        self.assertEqual((self.status_of(got), got.body), (DEADLINE_EXCEEDED, MESSAGE))
        self.assertGreater(len(got.trailers), 0)
        self.wait_for_reset(self.served.calls[0], CANCEL)
        gate.wait_for_access(reason="grpc_timeout")

    def test_a_deadline_passes_while_messages_are_still_to_come(self):
        gate = self.start(None, on_head=begin_answer)
        with h2_client.connect(gate, tls=False) as client:
            got = client.answer(self.call(client, [("grpc-timeout", "400m")], ends=False))
        self.assertEqual((self.status_of(got), got.body), (DEADLINE_EXCEEDED, MESSAGE))
        self.wait_for_reset(self.served.calls[0], CANCEL)

    def test_one_that_has_passed_when_it_is_said(self):
        gate = self.start(lambda peer, call: None)
        with h2_client.connect(gate, tls=False) as client:
            for patience in ("1n", "0m"):
                got = client.answer(self.call(client, [("grpc-timeout", patience)]))
                self.assertEqual(self.status_of(got), DEADLINE_EXCEEDED)

    def test_callers_in_a_hurry_leave_the_connection_to_the_others(self):
        gate = self.start(lambda peer, call: call.get("grpc-timeout") or peer.answer(call, 200, b"ok"))
        self.assertEqual(gate.get("/").body, b"ok")
        with h2_client.connect(gate, tls=False) as client:
            for _ in range(10):
                got = client.answer(self.call(client, [("grpc-timeout", "20m")]))
                self.assertEqual(self.status_of(got), DEADLINE_EXCEEDED)
                self.assertEqual(gate.get("/").body, b"ok")
        self.assertEqual(self.served.connections, 1)
        self.assertNotIn("is down", gate.said())

    def test_one_that_is_no_duration_bounds_nothing(self):
        gate = self.start(lambda peer, call: peer.answer(call, 200, MESSAGE, trailers=[("grpc-status", "0")]))
        with h2_client.connect(gate, tls=False) as client:
            for said in ("-1S", "1", "123456789S", "1s", ""):
                got = client.answer(self.call(client, [("grpc-timeout", said)]))
                self.assertEqual(self.status_of(got), "0", said)

    def test_a_caller_whose_key_is_revoked(self):
        key, line = harness.new_key("alice")
        gate = self.start(None, on_head=begin_answer, auth='["api_keys"]', files={"keys": line + "\n"},
                          more='[auth.api_keys]\nfile = "$dir/keys"')
        with h2_client.connect(gate, tls=False) as client, h2_client.connect(gate, tls=False) as other:
            begun = self.call(client, [("x-api-key", key)], ends=False)
            client.until(lambda: client.answers[begun].body == MESSAGE, "a message")
            done = harness.ringward("revoke", "identity", "alice", "--socket", f"{gate.directory}/admin.sock")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.status_of(client.answer(begun)), UNAUTHENTICATED)
            self.wait_for_reset(self.served.calls[0], CANCEL)
            self.assertEqual(self.status_of(other.answer(self.call(other, [("x-api-key", key)]))), UNAUTHENTICATED)
        gate.wait_for_access(reason="revoked")
        self.assertEqual(len(self.served.calls), 1)


class Giving(UpstreamH2):
    def test_clients_who_give_up_all_the_time_cost_nobody_else_an_answer(self):
        """More than servers bear on a connection, on each of which somebody else waits for his answer."""
        held = []
        gate = self.start(lambda peer, call: held.append((peer, call)) if call.get(":path") == "/held" else None)
        with h2_client.connect(gate, tls=False) as patient:
            number = patient.begin("GET", "/held")
            harness.eventually(lambda: held, what="the request that waits")
            for _ in range(3):
                with h2_client.connect(gate, tls=False) as hasty:
                    for _ in range(60):
                        seen = len(self.served.calls)
                        stream = hasty.begin("GET", "/given-up")
                        self.wait_for_calls(seen + 1)
                        hasty.reset(stream)
            harness.eventually(lambda: sum(call.reset == CANCEL for call in self.served.calls) == 180, 30, "180 resets")
            peer, call = held[0]
            peer.answer(call, 200, b"at last")
            self.assertEqual(patient.answer(number).body, b"at last")
        by_connection = [call.connection for call in self.served.calls if call.reset is not None]
        self.assertGreaterEqual(self.served.connections, 3)
        self.assertLess(max(by_connection.count(one) for one in set(by_connection)), 150)


if __name__ == "__main__":
    harness.main()
