"""The clients that users of LLM APIs have (the npm packages openai and @anthropic-ai/sdk, of the versions in
tests/system/clients), pointed at a gate in front of an origin that answers as those APIs do."""

import contextlib
import json
import os
import subprocess
import threading

import credentials
import harness
import npm

CLIENTS = harness.ROOT / "tests" / "system" / "clients"
CONFIG = """
[[listener]]
name = "main"
address = "127.0.0.1:0"
[listener.tls]
certificates = [{ chain = "$dir/cert.pem", key = { file = "$dir/key.pem" } }]
[auth.api_keys]
file = "$dir/keys"
[[limit]]
name = "slow"
by = "identity"
rate = "10/m"
burst = 1
[[upstream]]
name = "origin"
servers = [{ address = "$origin" }]
[[upstream]]
name = "one"
servers = [{ address = "$origin" }]
pool.max_requests_in_flight = 1
[[route]]
name = "limited"
path_prefix = "/limited"
upstream = "origin"
auth = ["api_keys"]
limits = ["slow"]
[[route]]
name = "busy"
path_prefix = "/busy"
upstream = "one"
auth = ["api_keys"]
[[route]]
name = "api"
path_prefix = "/"
upstream = "origin"
auth = ["api_keys"]
heartbeat = "100ms"
"""
WORDS = [f"w{i} " for i in range(10)]


def openai_events(words):
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    for word in words:
        delta = {"index": 0, "delta": {"content": word}, "finish_reason": None}
        yield b"data: %b\n\n" % json.dumps({**chunk, "choices": [delta]}).encode()
    yield b"data: [DONE]\n\n"


def anthropic_events(words):
    def event(kind, **more):
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **more}).encode())
    yield event("message_start", message={"id": "m", "type": "message", "role": "assistant", "content": [],
                                          "model": "m", "usage": {"input_tokens": 1, "output_tokens": 1}})
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    yield event("ping")
    for word in words:
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
    yield event("content_block_stop", index=0)
    yield event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9})
    yield event("message_stop")


class Clients(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.modules = npm.modules("clients")
        if self.modules is None:
            self.skipTest("npm cannot fetch the clients (tests/system/clients)")
        self.key, line = harness.new_key("alice")
        made = credentials.certificate()
        self.left = threading.Semaphore(0)
        self.upstream = self.origin(self.serve)
        self.gateway = self.gate(CONFIG, origin=self.upstream.address,
                                 files={"cert.pem": made.chain, "key.pem": made.key, "keys": line + "\n"})

    def serve(self, c, request):
        json_type = {"Content-Type": "application/json"}
        if request.target.endswith("/files"):
            name = b'name="file"'
            size = len(request.body) if name in request.body[:4096] + request.body[-4096:] else 0
            c.answer(200, json.dumps({"id": "f", "object": "file", "bytes": size}).encode(), json_type)
            return
        asked = json.loads(request.body)
        is_openai = request.target.endswith("/chat/completions")
        if not asked.get("stream"):
            usage = {"input_tokens": len(asked["messages"][0]["content"]), "output_tokens": 1}
            message = {"role": "assistant", "content": "hi"}
            answer = ({"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message": message}]}
                      if is_openai else {"id": "m", "type": "message", "role": "assistant", "usage": usage,
                                         "content": [{"type": "text", "text": "hi"}]})
            c.answer(200, json.dumps(answer).encode(), json_type)
            return
        c.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        endless = asked["model"] in ("hold", "cancel")
        words = WORDS[:1] if asked["model"] == "hold" else WORDS
        events = list((openai_events if is_openai else anthropic_events)(words))
        for event in events[:(-1 if is_openai else -3) if endless else None]:
            c.chunk(event)
        if endless:
            with contextlib.suppress(OSError):
                c.read_to_end()
            self.left.release()
            c.close()
        else:
            c.send(b"0\r\n\r\n")

    def run_client(self, mode, which):
        base = "https://localhost:%d" % self.gateway.address()[1]
        env = os.environ | {"NODE_PATH": str(self.modules),
                            "NODE_EXTRA_CA_CERTS": str(self.directory / "cert.pem")}
        return subprocess.Popen(["node", str(CLIENTS / "llm.js"), mode, which, base, self.key], env=env,
                                cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def check_all(self, which):
        out, said = self.run_client("all", which).communicate(timeout=harness.patience(120))
        self.assertTrue(out, said)
        found = json.loads(out)
        self.assertEqual(found["streamed"], "".join(WORDS))
        self.assertEqual(found["begun"], "".join(WORDS[:3]))
        self.assertGreaterEqual(found["uploaded"], 50 << 20)
        self.assertEqual(found["unauthorized"], {"name": "AuthenticationError", "status": 401, "after": None})
        self.assertEqual(found["first"], {"text": "hi"})
        limited = found["limited"]
        self.assertEqual((limited["name"], limited["status"]), ("RateLimitError", 429))
        self.assertIn(limited["after"], [str(seconds) for seconds in range(1, 7)])
        # It waited as long as it was told: by its own pace it would have met a second 429.
        self.assertEqual(found["retried"], {"text": "hi"})
        self.assertLessEqual(len([one for one in self.gateway.access if one["status"] == 429]), 2)
        self.assertEqual(found["unavailable"], {"name": "InternalServerError", "status": 503, "after": "1"})
        for _ in range(2):  # the cancelled one and the one that was held
            self.assertTrue(self.left.acquire(timeout=harness.patience(10)))
        self.gateway.wait_for_access(reason="client_closed")

    def test_openai(self):
        self.check_all("openai")

    def test_anthropic(self):
        self.check_all("anthropic")

    def test_a_revoked_callers_stream_is_an_exception(self):
        waiting = [self.run_client("wait", which) for which in ("openai", "anthropic")]
        for one in waiting:
            self.addCleanup(one.stdout.close)
            self.addCleanup(one.stderr.close)
            self.addCleanup(one.wait, 10)
            self.addCleanup(one.kill)
            self.assertEqual(one.stdout.readline(), "there\n")
        done = harness.ringward("revoke", "identity", "alice", "--socket", f"{self.directory}/admin.sock")
        self.assertEqual(done.returncode, 0, done.stderr)
        for one in waiting:
            found = json.loads(one.stdout.readline())
            self.assertEqual(found["name"], "APIError", found)
            self.assertIn("unauthorized", found["message"].lower())


if __name__ == "__main__":
    harness.main()
