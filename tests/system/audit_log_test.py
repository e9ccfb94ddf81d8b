"""The audit log: what is in a record and what is never, the chain, its checkpoints, and what
operators do. (audit_test.py is about the supply chain.)"""

import hashlib
import json
import os
import re
import shutil
import signal
import stat

from cryptography.hazmat.primitives.asymmetric import ed25519

import audit_log
import configs
import harness

CONTEXT = b"ringward audit checkpoint 1\n"


class Records(audit_log.AuditTest):
    def test_a_request_that_is_let_in_and_its_fields(self):
        gate = self.start()
        got = self.ask(gate, "/api/x?a=1&token=hush&b=2", method="POST", body=b"12345")
        self.assertEqual(got.status, 200)
        r = self.wait_for_record(event="authentication")
        self.assertEqual(list(r)[:6], ["seq", "prev", "time", "event", "result", "client"])
        wanted = {"result": "allow", "client": "127.0.0.1", "identity": "alice",
                  "credential": "api_key", "credential_id": "alice", "route": "all",
                  "method": "POST", "path": "/api/x?a=1&token=***&b=2", "status": 200,
                  "bytes_in": 5}
        self.assertEqual({k: r.get(k) for k in wanted}, wanted)
        self.assertGreater(r["bytes_out"], 5)
        self.assertGreater(r["port"], 0)
        self.assertEqual(r["id"], gate.wait_for_access(status=200)["id"])
        gate.stop()
        text = self.log.read_text() + "\n".join(gate.log)
        self.assertNotIn(self.key, text)
        self.assertNotIn("hush", text)
        self.assertNotIn(audit_log.SEED, text)

    def test_each_decision_has_its_event(self):
        gate = self.start()
        self.ask(gate, "/api", key="wrong-key")
        self.assertEqual(gate.get("/open").status, 204)
        self.assertEqual(gate.get("/nowhere").status, 404)
        for _ in range(4):
            last = self.ask(gate, "/few")
        self.assertEqual(last.status, 429)
        gate.stop()
        seen = {(r["event"], r["result"], r.get("reason")) for r in self.records()}
        self.assertLessEqual({("authentication", "deny", "unknown_key"),
                              ("authentication", "allow", None),
                              ("authorization", "allow", "open_route"),
                              ("authorization", "deny", "no_route"),
                              ("rate_limit", "deny", "rate_limited"),
                              ("start", "done", None), ("stop", "done", None)}, seen)
        limited = next(r for r in self.records() if r["event"] == "rate_limit")
        self.assertEqual(limited["identity"], "alice")

    def test_what_a_client_sends_cannot_make_a_line_or_a_member(self):
        gate = self.start()
        evil = '/api/%0a{"seq":1,"event":"stop"}","client":"1.2.3.4'
        with gate.connect() as c:
            c.send(b'GET /open/x","event":"stop","client":"9.9.9.9?q="} HTTP/1.1\r\nhost: a\r\n\r\n')
            c.read_until(b"\r\n\r\n")
        self.ask(gate, evil.replace('"', "%22").replace("{", "%7b").replace("}", "%7d"))
        gate.stop()
        for r in self.records():
            self.assertIn(r.get("client", "127.0.0.1"), ("127.0.0.1",))
        self.assertEqual([r["event"] for r in self.records()].count("stop"), 1)
        self.assertEqual(self.verify(self.log).returncode, 0)

    def test_repeated_refusals_of_one_address_fold_and_a_success_is_never_among_them(self):
        gate = self.start(server="workers = 1")
        with gate.connect() as c:
            for _ in range(40):
                c.request("GET", "/api", {"x-api-key": "guess", "host": "a"})
            c.request("GET", "/api", {"x-api-key": self.key, "host": "a"})
        gate.stop()
        records = [r for r in self.records() if r["event"] == "authentication"]
        denied = [r for r in records if r["result"] == "deny"]
        self.assertEqual(sum(r.get("count", 1) for r in denied), 40)
        self.assertLess(len(denied), 12)
        # What failed before it was let in is on record before that.
        self.assertEqual([r["result"] for r in records][-1], "allow")
        self.assertIn("since", denied[-1])

    def test_a_request_that_takes_long_is_on_record_before_its_end(self):
        def hold(c, request):
            c.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345")
            self.wait_for_record(under_way=True)
            c.send(b"67890")
        origin = self.origin(hold)
        text = "\n".join([configs.LISTENER, configs.UPSTREAM, audit_log.ROUTES, "[log]",
                          'audit = { path = "$dir/log/audit.jsonl", sign = { file = "$dir/seed" } }'])
        gate = self.gate(text, origin=origin.address,
                         files={"keys": self.line + "\n", "seed": audit_log.SEED + "\n"})
        self.assertEqual(self.ask(gate).body, b"1234567890")
        early = self.wait_for_record(under_way=True)
        late = self.wait_for_record(id=early["id"], status=200)
        self.assertNotIn("status", early)
        self.assertGreater(late["seq"], early["seq"])


class Operators(audit_log.AuditTest):
    def ask_gate(self, *command):
        return harness.ringward(*command, "--socket", self.directory / "admin.sock")

    def test_what_operators_do_is_on_record_with_who_they_are(self):
        gate = self.start()
        me = f"uid:{os.getuid()}"
        self.ask_gate("reload")
        self.wait_for_record(event="config", reason="reload", result="done", identity=me)
        self.ask_gate("reopen")
        self.wait_for_record(event="admin", reason="reopen", identity=me)
        self.ask_gate("drain", "nobody:1")
        self.wait_for_record(event="admin", reason="drain", result="failed", object="nobody:1")
        gate.signal(signal.SIGHUP)
        harness.eventually(lambda: sum(r.get("reason") == "reload" for r in self.records()) == 2)
        (self.directory / "config/ringward.toml").write_text("[nonsense]\n")
        self.ask_gate("reload")
        refused = self.wait_for_record(event="config", result="failed")
        self.assertIn("there is no [[listener]]", refused["detail"])

    def test_secrets_and_key_sets_loaded_changed_and_refused(self):
        self.start()
        loaded = self.wait_for_record(event="key_set", reason="loaded")
        self.assertEqual(loaded["object"], "auth.api_keys.file")
        self.assertEqual(loaded["detail"], str(self.directory / "keys"))
        other = harness.ringward("key", "new", "bob").stdout
        self.write("keys", re.search(r"^line: +(\S+)$", other, re.M)[1] + "\n")
        self.wait_for_record(event="key_set", reason="changed")
        self.write("keys", "not a key line:\n")
        self.wait_for_record(event="key_set", reason="refused", result="failed")
        self.wait_for_record(event="config", reason="files_changed", result="failed")


class Chain(audit_log.AuditTest):
    def test_another_implementation_verifies_chain_and_signatures(self):
        lines = self.stopped_log(30)
        before = b"0" * 64
        by = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(audit_log.PUBLIC))
        signed = 0
        for number, raw in enumerate(lines, 1):
            line = raw.rstrip(b"\n")
            r = json.loads(line)
            self.assertEqual((r["seq"], r["prev"].encode()), (number, before))
            before = hashlib.blake2b(line, digest_size=32).hexdigest().encode()
            if r["event"] == "checkpoint":
                text = line[:line.rindex(b',"signature":"')]
                by.verify(bytes.fromhex(r["signature"]), CONTEXT + text)
                signed += 1
        self.assertGreaterEqual(signed, 1)
        self.assertEqual([json.loads(x)["event"] for x in lines[-2:]], ["stop", "checkpoint"])

    def test_the_public_key_is_that_of_the_seed(self):
        self.start()
        got = harness.ringward("audit", "public-key", "--config", self.directory / "config")
        self.assertEqual(got.stdout.strip(), audit_log.PUBLIC)

    def test_root_reads_the_seed_as_the_service_that_it_is_for(self):
        seed = self.write("seed", audit_log.SEED + "\n", 0o640)
        config = self.write_config("\n".join([configs.LISTENER, """
[[route]]
name = "all"
path_prefix = "/"
action = "respond"
auth = []
[log]
audit = { path = "$dir/audit.jsonl", sign = { file = "$dir/seed" } }
"""]))
        # As a package and docs/audit.md have it; `daemon` is a user and a group of every Debian.
        others_may_pass = all(p.stat().st_mode & stat.S_IXOTH for p in self.directory.parents)
        if os.geteuid() == 0 and others_may_pass:
            for path, mode in ((self.directory, 0o750), (config, 0o750), (seed, 0o640),
                               (config / "ringward.toml", 0o640)):
                shutil.chown(path, "root", "daemon")
                path.chmod(mode)
        got = harness.ringward("audit", "public-key", "--config", config)
        self.assertEqual(got.stdout.strip(), audit_log.PUBLIC, got.stderr)

    def test_a_thousand_records_have_a_checkpoint_and_the_journal_has_the_last(self):
        gate = self.start()
        with gate.connect() as c:
            for _ in range(1100):
                c.request("GET", "/open", {"host": "a"})
        gate.stop()
        checkpoints = [r for r in self.records() if r["event"] == "checkpoint"]
        self.assertGreaterEqual(len(checkpoints), 2)
        told = [line for line in gate.log if "audit checkpoint: " in line]
        self.assertTrue(told[-1].startswith("ringward: info: audit checkpoint: {"))
        self.assertEqual(told[-1].split(": ", 3)[3], self.log.read_text().splitlines()[-1])
        done = self.verify("--since", told[-1], self.log)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_restarts_are_one_log_and_each_start_names_the_end_before_it(self):
        self.stopped_log()
        self.stopped_log()
        done = self.verify(self.log)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("2 chains", done.stdout)
        second = [r for r in self.records() if r["event"] == "start"][1]
        self.assertEqual(second["follows"], str(self.log))

    def test_a_wrong_seed_is_refused_with_the_way_out(self):
        text = "\n".join([configs.plain(), '[log]',
                          'audit = { path = "$dir/a.jsonl", sign = { file = "$dir/seed" } }'])
        said = self.refused_start(text, files={"seed": "short\n"}, origin="127.0.0.1:1")
        self.assertIn("openssl rand -hex 32", said)


if __name__ == "__main__":
    harness.main()
