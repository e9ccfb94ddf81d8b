"""What the tests of the audit log share: gates that write one, its records, `ringward audit verify`."""

import json
import re

import configs
import harness

SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"  # RFC 8032 7.1
ROUTES = """
[[limit]]
name = "few"
by = "identity"
rate = "1/h"
burst = 3
[[route]]
name = "few"
path_prefix = "/few"
action = "respond"
status = 200
auth = ["api_keys"]
limits = ["few"]
[[route]]
name = "open"
path_prefix = "/open"
action = "respond"
status = 204
auth = []
[[route]]
name = "all"
path_prefix = "/api"
upstream = "origin"
auth = ["api_keys"]
[auth.api_keys]
file = "$dir/keys"
"""


class AuditTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        made = harness.ringward("key", "new", "alice").stdout
        self.key = re.search(r"^key: +(\S+)$", made, re.M)[1]
        self.line = re.search(r"^line: +(\S+)$", made, re.M)[1]
        self.log = self.directory / "log" / "audit.jsonl"
        self.log.parent.mkdir()

    def start(self, more="", path="$dir/log/audit.jsonl", server="workers = 2", **options):
        origin = self.origin(lambda c, request: c.answer(200, b"hello"))
        text = "\n".join([configs.LISTENER, configs.UPSTREAM, ROUTES, f"[server]\n{server}\n[log]",
                          f'audit = {{ path = "{path}", sign = {{ file = "$dir/seed" }} {more} }}'])
        return self.gate(text, origin=origin.address, check_exit="check_exit" not in options,
                         files={"keys": self.line + "\n", "seed": SEED + "\n"})

    def ask(self, gate, target="/api", key=None, **options):
        headers = {"x-api-key": key or self.key, "host": "a"}
        return gate.get(target, headers=headers, **options)

    def records(self, path=None):
        text = (path or self.log).read_text()
        return [json.loads(line) for line in text.splitlines() if line]

    def wait_for_record(self, **fields):
        def found():
            return next((r for r in self.records()
                         if all(r.get(k) == v for k, v in fields.items())), None)
        return harness.eventually(found, within=20, what=f"a record with {fields}")

    def verify(self, *arguments):
        key = self.write("audit.pub", PUBLIC + "\n")
        return harness.ringward("audit", "verify", "--public-key", key, *arguments)

    def stopped_log(self, requests=12):
        """The lines of a log whose gate was stopped, with a few records."""
        gate = self.start()
        for i in range(requests):
            self.ask(gate, f"/api/{i}")
        gate.stop()
        return self.log.read_bytes().splitlines(keepends=True)
