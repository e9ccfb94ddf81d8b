"""A gate that asks its clients for certificates, and clients that have some: what the tests of that
have in common."""

import json
import ssl

import client_authority
import credentials
import harness

CONFIG = """
[server]
workers = 2
state = "$dir/state"
[log]
audit.path = "$dir/audit.log"
[admin]
socket = "$dir/admin.sock"
address = "127.0.0.1:0"
[[listener]]
name = "required"
address = "127.0.0.1:0"
tls.certificates = [{ chain = "$dir/cert.pem", key = { file = "$dir/key.pem" } }]
tls.client_auth = "required"
tls.client_ca = "$dir/clients.pem"
[[listener]]
name = "optional"
address = "127.0.0.1:0"
tls.certificates = [{ chain = "$dir/cert.pem", key = { file = "$dir/key.pem" } }]
tls.client_auth = "optional"
tls.client_ca = "$dir/clients.pem"
[[listener]]
name = "off"
address = "127.0.0.1:0"
tls.certificates = [{ chain = "$dir/cert.pem", key = { file = "$dir/key.pem" } }]
[[upstream]]
name = "origin"
servers = [{ address = "$origin" }]
[auth.api_keys]
file = "$dir/keys"
[auth.mint]
key = { file = "$dir/mint.jwk" }
issuer = "https://mint.example"
audience = "api"
[auth.jwt.main]
issuer = "https://issuer.example"
audiences = ["api"]
jwks = { file = "$dir/jwks.json" }
[auth.jwt.minted]
issuer = "https://mint.example"
audiences = ["api"]
jwks = { mint = true }
[[route]]
name = "open"
path_prefix = "/open"
upstream = "origin"
auth = []
[[route]]
name = "mint"
path = "/mint"
action = "mint"
auth = ["api_keys"]
[[route]]
name = "mint-both"
path = "/mint-both"
action = "mint"
auth = ["mtls"]
auth_all = ["api_keys"]
[[route]]
name = "token"
path_prefix = "/token"
upstream = "origin"
auth = ["jwt:main", "jwt:minted"]
[[route]]
name = "key"
path_prefix = "/key"
upstream = "origin"
auth = ["api_keys"]
[[route]]
name = "both"
path_prefix = "/both"
upstream = "origin"
auth = ["api_keys"]
auth_all = ["mtls"]
[[route]]
name = "certificate"
path_prefix = "/"
upstream = "origin"
auth = ["mtls"]
"""


class CertificateTest(harness.SystemTest):
    """A gate with a listener of each kind, and clients of one authority."""

    authority = client_authority.ClientAuthority()
    alice = authority.issue("not this", uris=["spiffe://example.org/alice"], dns=["a.example.org"])

    def setUp(self):
        super().setUp()
        self.signer = credentials.SigningKey("ES256", kid="key-1")
        key, line = harness.new_key("carol")
        self.key = ("X-API-Key", key)
        self.upstream = self.origin(self.serve)
        own = credentials.certificate("localhost")
        self.gateway = self.gate(CONFIG, origin=self.upstream.address, files={
            "keys": line + "\n",
            "jwks.json": credentials.key_set(self.signer),
            "mint.jwk": json.dumps(credentials.SigningKey("ES256", kid="mint-1").private_jwk()),
            "cert.pem": own.chain, "key.pem": own.key, "clients.pem": self.authority.root})

    @staticmethod
    def serve(connection, request):
        connection.answer(200, (request.get("x-auth-identity") or "nobody").encode())

    def connect(self, shown=None, name="required", version=None, **options):
        tls = client_authority.context(self.directory, shown, version)
        return self.gateway.connect(name, tls=tls, **options)

    def ask(self, shown=None, target="/", headers=(), name="required", method="GET"):
        with self.connect(shown, name) as connection:
            return connection.request(method, target, headers)

    def caller(self, shown, name="required"):
        """What the origin is told, or the status of a refusal."""
        answer = self.ask(shown, name=name)
        return answer.body.decode() if answer.status == 200 else answer.status

    def is_let_in(self, shown):
        try:
            return self.ask(shown, "/open").status == 200
        except OSError:  # ssl.SSLError is one
            return False

    def refused_with(self, shown, name="required", version=ssl.TLSVersion.TLSv1_3):
        """The alert that a handshake, or in TLS 1.3 the first read after it, ends with."""
        with self.assertRaises(ssl.SSLError) as caught:
            with self.connect(shown, name, version) as connection:
                connection.receive()
        return caught.exception.reason

    def tell(self, *words):
        done = harness.ringward(*words, "--socket", self.directory / "admin.sock")
        self.assertEqual(done.returncode, 0, done.stderr)
