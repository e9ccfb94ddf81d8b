"""What the tests of TLS to origins share: an origin that speaks it, and a gate that verifies it."""

import re
import ssl

import configs
import harness
from credentials import Authority

CA = 'ca = "$dir/ca.pem"'


def context(of, directory, name="origin", **settings):
    """What a scripted origin serves TLS with."""
    (directory / f"{name}.pem").write_text(of.chain)
    (directory / f"{name}.key").write_text(of.key)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(directory / f"{name}.pem", directory / f"{name}.key")
    for key, value in settings.items():
        setattr(made, key, value)
    return made


def ok(c, request):
    c.answer(200, b"ok")


class UpstreamTlsTest(harness.SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()

    def tls_origin(self, script=ok, of=None, **settings):
        of = of or self.authority.issue("localhost", "127.0.0.1")
        options = {k: settings.pop(k) for k in ("per_connection",) if k in settings}
        return self.origin(script, tls=context(of, self.directory, **settings), **options)

    running = None

    def tls_gate(self, origin, tls=CA, upstream="", ca=None, **files):
        """A gate in front of the origin; the one that this test had before is stopped."""
        if self.running:
            self.running.stop()
        self.running = self.gate(
            configs.plain(upstream=f"{upstream}\n[upstream.tls]\n{tls}"), origin=origin.address,
            files={"ca.pem": ca or self.authority.root} | files)
        return self.running

    def reload(self):
        done = harness.ringward("reload", "--socket", self.directory / "admin.sock")
        self.assertEqual(done.returncode, 0, done.stderr)

    def refused(self, gate, reason, status=502):
        """The client learns the status and nothing else; the reason is ours."""
        got = gate.get("/")
        self.assertEqual(got.status, status)
        self.assertEqual(got.body, b'{"type":"about:blank","title":"%b","status":%d}'
                         % ({502: b"Bad Gateway", 504: b"Gateway Timeout"}[status], status))
        gate.wait_for_access(status=status, reason=reason)

    def handshakes(self, gate):
        lines = [x for x in gate.metrics().splitlines()
                 if x.startswith("ringward_upstream_tls_handshakes_total{")]
        return {re.search('result="(.*)"', x)[1]: int(x.split()[1]) for x in lines}
