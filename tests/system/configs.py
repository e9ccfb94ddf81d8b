"""The configurations most system tests start from: one listener, one upstream, one route."""

LISTENER = """
[[listener]]
name = "main"
address = "127.0.0.1:0"
"""
UPSTREAM = """
[[upstream]]
name = "origin"
servers = [{ address = "$origin" }]
"""
ROUTE = """
[[route]]
name = "all"
path_prefix = "/"
upstream = "origin"
"""
TLS = """
[listener.tls]
certificates = [{ chain = "$dir/cert.pem", key = { file = "$dir/key.pem" } }]
"""
KEYS = """
[auth.api_keys]
file = "$dir/keys"
"""
# Tokens for the keys at POST /token, and what trusts them. Before a route that takes every path.
MINT = """
[auth.mint]
key = { file = "$dir/mint.jwk" }
issuer = "https://gateway.example"
audience = "api"
[[route]]
name = "token"
path = "/token"
methods = ["POST"]
action = "mint"
auth = ["api_keys"]
"""
OWN_TOKENS = """
[auth.jwt.own]
issuer = "https://gateway.example"
audiences = ["api"]
jwks = { mint = true }
"""
KEY_SET = """
[[route]]
name = "key-set"
path = "/jwks"
action = "jwks"
auth = []
"""


def plain(listener="", upstream="", route="", auth="[]", more=""):
    """Plain HTTP to $origin. Each text is added to its table, `more` at the end."""
    return "\n".join([LISTENER, listener, UPSTREAM, upstream, ROUTE, f"auth = {auth}", route, more])


def tls(listener="", tls="", **parts):
    """The same behind TLS, with cert.pem and key.pem of the test's directory."""
    return plain(listener=listener + TLS + tls, **parts)
