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


def plain(listener="", upstream="", route="", auth="[]", more=""):
    """Plain HTTP to $origin. Each text is added to its table, `more` at the end."""
    return "\n".join([LISTENER, listener, UPSTREAM, upstream, ROUTE, f"auth = {auth}", route, more])


def tls(listener="", tls="", **parts):
    """The same behind TLS, with cert.pem and key.pem of the test's directory."""
    return plain(listener=listener + TLS + tls, **parts)
