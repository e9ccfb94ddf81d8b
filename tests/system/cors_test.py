"""Pages of other origins, by a real browser: what a script may send and read, and what not."""

from string import Template

import configs
import harness
from browser import Pages

CONFIG = configs.LISTENER + configs.UPSTREAM + configs.KEYS + """
[[limit]]
name = "once"
by = "identity"
rate = "1/h"
burst = 1
[[route]]
name = "any"
path_prefix = "/any"
upstream = "origin"
auth = []
cors = { origins = ["*"] }
[[route]]
name = "closed"
path_prefix = "/closed"
upstream = "origin"
auth = []
[[route]]
name = "others"
path_prefix = "/others"
upstream = "origin"
auth = []
cors = { origins = ["https://somebody.example"] }
[[route]]
name = "cookies"
path_prefix = "/cookies"
upstream = "origin"
auth = []
cors = { origins = ["$page"], credentials = true }
[[route]]
name = "limited"
path_prefix = "/limited"
upstream = "origin"
auth = ["api_keys"]
limits = ["once"]
cors = { origins = ["$page"] }
[[route]]
name = "api"
path_prefix = "/api"
methods = ["GET", "POST", "DELETE"]
upstream = "origin"
auth = ["api_keys"]
cors = { origins = ["$page"], max_age = "0s" }
"""

# Each becomes { status, text, and the headers that the script can read }, or "refused": what a
# browser does not let a script see.
SCRIPT = """
<body><script>
const gate = "http://$gate", key = "$key";
async function ask(path, options = {}) {
  try {
    const answer = await fetch(gate + path, {cache: "no-store", ...options});
    const headers = Object.fromEntries(answer.headers);
    return {status: answer.status, text: await answer.text(), headers};
  } catch (problem) {
    return "refused";
  }
}
const sandboxed = new Promise(done => addEventListener("message", e => done(e.data)));
const frame = document.createElement("iframe");
frame.sandbox = "allow-scripts";
frame.srcdoc = `<script>
  const ask = (path) => fetch("http://$gate" + path).then(a => a.status, () => "refused");
  Promise.all([ask("/any"), ask("/cookies")]).then(all => parent.postMessage(all, "*"));
<` + `/script>`;
document.body.append(frame);
async function all() {
  document.cookie = "seen=yes; path=/";
  const json = {"content-type": "application/json", "x-api-key": key};
  return {
    with_key: await ask("/api/a", {headers: {"x-api-key": key}}),
    posted: await ask("/api/b", {method: "POST", headers: json, body: "{}"}),
    without_key: await ask("/api/c"),
    wrong_key: await ask("/api/d", {headers: {"x-api-key": "wrong"}}),
    other_method: await ask("/api/e", {method: "DELETE", headers: {"x-api-key": key}}),
    other_header: await ask("/api/f", {headers: {"x-api-key": key, "x-other": "1"}}),
    first: await ask("/limited/a", {headers: {"x-api-key": key}}),
    second: await ask("/limited/b", {headers: {"x-api-key": key}}),
    any: await ask("/any/a"),
    any_with_cookies: await ask("/any/b", {credentials: "include"}),
    with_cookies: await ask("/cookies/a", {credentials: "include"}),
    without_cookies: await ask("/cookies/b"),
    closed: await ask("/closed/a"),
    closed_with_key: await ask("/closed/b", {headers: {"x-api-key": key}}),
    others: await ask("/others/a"),
    sandboxed: await sandboxed,
  };
}
all().then(report, problem => report(String(problem)));
</script>
"""


class Cors(harness.SystemTest):
    def start(self, page):
        def answer(connection, request):
            connection.answer(200, request.target.encode(), {
                "Access-Control-Allow-Origin": "https://theirs.example", "X-Own": "1",
                "Vary": "Accept"} if "/closed" not in request.target else {})
        self.upstream = self.origin(answer)
        self.key, line = harness.new_key("alice")
        return self.gate(CONFIG, files={"keys": line + "\n"}, page=page,
                         origin=self.upstream.address)

    def asked(self, target):
        return [r for r in self.upstream.requests if r.target == target]

    def test_a_page_in_a_browser(self):
        pages = Pages(self)
        gate = self.start(pages.origin)
        host, port = gate.address()
        pages.pages["/"] = Template(SCRIPT).substitute(gate=f"{host}:{port}", key=self.key)
        seen = pages.visit("/")
        self.assertIsInstance(seen, dict, seen)

        for name, path in (("with_key", "/api/a"), ("posted", "/api/b"), ("any", "/any/a"),
                           ("with_cookies", "/cookies/a"), ("without_cookies", "/cookies/b"),
                           ("first", "/limited/a")):
            self.assertEqual((seen[name]["status"], seen[name]["text"]), (200, path), name)
        # Errors are read by scripts as well, and when to come back.
        self.assertEqual(seen["without_key"]["status"], 401)
        self.assertEqual(seen["wrong_key"]["status"], 401)
        self.assertIn("www-authenticate", seen["without_key"]["headers"])
        self.assertEqual(seen["second"]["status"], 429)
        self.assertGreater(int(seen["second"]["headers"]["retry-after"]), 3000)
        self.assertIn('"once"', seen["first"]["headers"]["ratelimit"])
        self.assertIn("x-request-id", seen["with_key"]["headers"])
        self.assertNotIn("x-own", seen["with_key"]["headers"], "of the origin's, not exposed")
        for name in ("other_method", "other_header", "any_with_cookies", "closed",
                     "closed_with_key", "others"):
            self.assertEqual(seen[name], "refused", name)
        self.assertEqual(seen["sandboxed"], [200, "refused"])

        # Preflights never reach the origin, nor what they refused.
        self.assertNotIn("OPTIONS", {r.method for r in self.upstream.requests
                                     if not r.target.startswith("/closed")})
        for target in ("/api/e", "/api/f"):
            self.assertEqual(self.asked(target), [])
        self.assertIn("seen=yes", self.asked("/cookies/a")[0].get("cookie"))
        self.assertIsNone(self.asked("/cookies/b")[0].get("cookie"))
        self.assertTrue(gate.wait_for_access(method="OPTIONS", path="/api/a", status=204))
        self.assertEqual(gate.wait_for_access(path="/api/e", status=403)["reason"], "cors_method")
        self.assertEqual(gate.wait_for_access(path="/api/f", status=403)["reason"], "cors_header")

    def preflight(self, connection, target, *lines, method="OPTIONS"):
        connection.send("\r\n".join([f"{method} {target} HTTP/1.1", "Host: a", *lines, "", ""])
                        .encode())
        return connection.read_response(method)

    def test_preflights_by_hand(self):
        gate = self.start("https://app.example")
        page = "Origin: https://app.example"
        asks = "Access-Control-Request-Method: "
        with gate.connect() as c:
            answer = self.preflight(c, "/api/a", page, asks + "POST",
                                    "Access-Control-Request-Headers: content-type,x-api-key")
            self.assertEqual((answer.status, answer.body), (204, b""))
            self.assertEqual(answer.get("access-control-allow-origin"), "https://app.example")
            self.assertEqual(answer.get("access-control-allow-methods"), "GET, POST")
            self.assertEqual(answer.get("access-control-max-age"), "0")
            self.assertIsNone(answer.get("access-control-allow-credentials"))
            self.assertTrue(answer.get("vary").startswith("origin"))
            # The connection goes on, whatever the answer was.
            for reason, lines in (
                    ("cors_origin", ("Origin: https://evil.example", asks + "GET")),
                    ("cors_origin", ("Origin: null", asks + "GET")),
                    ("cors_method", (page, asks + "DELETE")),
                    ("cors_header", (page, asks + "GET", "Access-Control-Request-Headers: x"))):
                answer = self.preflight(c, "/api/" + reason, *lines)
                self.assertEqual(answer.status, 403)
                self.assertEqual([n for n, _ in answer.headers if n.startswith("access-control")],
                                 [])
                self.assertEqual(gate.wait_for_access(path="/api/" + reason)["reason"], reason)
            self.assertEqual(self.upstream.requests, [])
            # Without its two headers it is a request: this route has no OPTIONS, the other has.
            self.assertEqual(self.preflight(c, "/api/a", page).status, 405)
            self.assertEqual(self.preflight(c, "/any", asks + "GET").status, 200)
            # A route without cors leaves it to the origin.
            self.assertEqual(self.preflight(c, "/closed", page, asks + "GET").status, 200)
            self.assertEqual([r.method for r in self.upstream.requests], ["OPTIONS"] * 2)
        self.assertIn('ringward_refusals_total{reason="cors_method"} 1', gate.metrics())

    def test_answers_are_decorated_whoever_they_are_from(self):
        gate = self.start("https://app.example")
        page = "Origin: https://app.example"
        with gate.connect() as c:
            for target, lines, status, allowed in (
                    ("/api/a", (page, f"X-API-Key: {self.key}"), 200, "https://app.example"),
                    ("/api/a", (page,), 401, "https://app.example"),
                    ("/api/a", (f"X-API-Key: {self.key}",), 200, None),
                    ("/api/a", ("Origin: https://b", f"X-API-Key: {self.key}"), 200, None),
                    ("/any", (), 200, "*"), ("/any", (page,), 200, "*")):
                answer = self.preflight(c, target, *lines, method="GET")
                self.assertEqual(answer.status, status)
                self.assertEqual(answer.all("access-control-allow-origin"),
                                 [allowed] if allowed else [])
                vary = {200: ["Accept, origin"], 401: ["origin"]}[status]
                self.assertEqual(answer.all("vary"), vary if target == "/api/a" else ["Accept"])


if __name__ == "__main__":
    harness.main()
