"""What an answer gives away."""

import contextlib
import re
import ssl

from report import Finding, Skipped, check
from wire import parse

PRODUCTS = re.compile(r"\b(ringward|nginx|apache|haproxy|envoy|caddy|traefik|wolfssl|openssl|express|php|"
                      r"python|uvicorn|gunicorn|kestrel|jetty|tomcat)\b|/\d+\.\d+|\b\d+\.\d+\.\d+\b", re.I)
TRACES = re.compile(rb"traceback|stack trace|exception|at [\w.$]+\([\w.]+:\d+\)|/usr/|/home/|/etc/|errno|"
                    rb"127\.0\.0\.1|localhost:\d|upstream", re.I)
HIDDEN = ("/metrics", "/status", "/server-status", "/admin", "/debug/pprof/", "/actuator/env", "/.env",
          "/.git/config", "/config", "/ringward.toml", "/api-keys", "/..%2f..%2fetc/passwd", "/readyz",
          "/healthz", "/backup.zip", "/swagger.json")


def errors(target):
    """An answer for each way to be refused that needs no credential."""
    host = target.authority.encode()
    return {
        "no credential": target.ask(),
        "a wrong key": target.ask(headers=[("x-api-key", "x" * 40)]),
        "a wrong token": target.ask(headers=[("Authorization", "Bearer a.b.c")]),
        "no such path": target.ask(path="/nowhere-7c1f"),
        "an odd method": target.ask("BREW"),
        "a malformed head": target.say(b"GET / HTTP/1.1\nHost: a\n\n"),
        "a long target": target.ask(path="/" + "a" * 20_000),
        "a long head": target.ask(headers=[("X", "a" * 100_000)]),
        "another version": target.say(b"GET / HTTP/2.7\r\nHost: " + host + b"\r\n\r\n"),
        "a bad length": target.say(b"POST / HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: x\r\n\r\n")}


@check("disclosure", "who it is")
def product(target):
    """Names of programs and versions in headers and bodies of errors."""
    for what, heard in (errors(target) | {"an answer": target.ask(headers=target.credentials())}).items():
        for one in heard.answers:
            telling = [f"{n}: {v}" for n, v in one.headers
                       if n in ("server", "x-powered-by", "via", "x-aspnet-version", "x-runtime")
                       or (n not in ("date", "x-request-id", "etag") and PRODUCTS.search(v))]
            if one.status >= 400 and (found := PRODUCTS.search(one.body.decode("latin-1"))):
                telling.append(f"body: {found[0]}")
            for text in telling:
                yield Finding(f"{what}: {one.status} with {text}")
        yield f"{what}: {heard} says nothing of it"


@check("disclosure", "what went wrong")
def reasons(target):
    """Traces, paths and addresses in errors; and whether a wrong key can be told from an unknown one."""
    all_of_them = errors(target)
    for what, heard in all_of_them.items():
        for one in heard.answers:
            if one.status >= 400 and (found := TRACES.search(one.body)):
                yield Finding(f"{what}: {one.status} with {found[0].decode('latin-1')!r}")
    bodies = {all_of_them[what].answers[0].body for what in ("a wrong key", "a wrong token")
              if all_of_them[what].status == 401}
    if target.key:
        wrong = target.ask(headers=[("x-api-key", target.key[:-4] + "zzzz")])
        if wrong.status == 401:
            bodies.add(wrong.answers[0].body)
    if len(bodies) > 1:
        yield Finding("401s differ by why: " + "; ".join(body[:60].decode("latin-1") for body in bodies))
    yield f"{len(all_of_them)} ways to be refused: nothing but the status"


@check("disclosure", "hidden paths")
def hidden(target):
    """Pages for operators and files, to somebody without a credential."""
    baseline = target.ask(path="/nowhere-7c1f")
    for path in HIDDEN:
        heard = target.ask(path=path)
        shown = heard.answers and heard.status < 300 and heard.answers[0].body != (
            baseline.answers[0].body if baseline.answers else None)
        yield Finding(f"{path}: {heard}") if shown else f"{path}: {heard}"


@check("disclosure", "headers for browsers")
def browsers(target):
    """On an error as on any answer."""
    wanted = {"x-content-type-options": "nosniff", "x-frame-options": "", "content-security-policy": "",
              "referrer-policy": ""}
    if target.tls:
        wanted["strict-transport-security"] = "max-age="
    for heard in (target.ask(), target.ask(path="/nowhere-7c1f")):
        for one in heard.answers:
            missing = [name for name, value in wanted.items() if value not in (one.get(name) or "-")
                       or one.get(name) is None]
            yield Finding(f"{one.status} without {', '.join(missing)}") if missing else f"{one.status}: all"


@check("disclosure", "a secret kept by caches")
def caches(target):
    """An error about a credential, and what a credential was needed for, is nobody else's."""
    heard = target.ask()
    if heard.status not in (401, 403):
        raise Skipped(f"{target.path} needs no credential")
    kept = heard.answers[0].get("cache-control") or ""
    said = f"{heard.status} with Cache-Control: {kept or 'none'}"
    yield said if "no-store" in kept or "private" in kept else Finding(said)


@check("disclosure", "old TLS")
def old_tls(target):
    """Versions and suites that do not keep what is said a secret."""
    if not target.tls:
        raise Skipped("not TLS")

    def taken(suites, version=None):
        context = target.context()
        try:
            context.set_ciphers(suites)
            context.maximum_version = version or ssl.TLSVersion.TLSv1_2
            if version:
                context.minimum_version = version
        except (ssl.SSLError, ValueError):
            return None  # the client's own library has none of it
        try:
            with contextlib.closing(target.connect(context)) as link:
                return f"{link.version()} {link.cipher()[0]}"
        except (ssl.SSLError, ConnectionError):
            return ""
    for what, suites, version in (
            ("TLS 1.0", "ALL:@SECLEVEL=0", ssl.TLSVersion.TLSv1),
            ("TLS 1.1", "ALL:@SECLEVEL=0", ssl.TLSVersion.TLSv1_1),
            ("suites without forward secrecy", "kRSA:@SECLEVEL=0", None),
            ("CBC", "AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", None),
            ("no encryption", "eNULL:@SECLEVEL=0", None), ("no authentication", "aNULL:@SECLEVEL=0", None)):
        got = taken(suites, version)
        if got is None:
            yield f"{what}: could not be offered"
        else:
            yield Finding(f"{what}: {got}") if got else f"{what}: refused"


@check("disclosure", "plain text on a TLS port")
def plain_on_tls(target):
    """HTTP where TLS is spoken gets no answer with anything in it."""
    if not target.tls:
        raise Skipped("not TLS")
    with contextlib.closing(target.plain_socket()) as link:
        link.sendall(target.request(headers=target.credentials()))
        link.settimeout(target.patience)
        try:
            raw = link.recv(65536)
        except OSError:
            raw = b""
    told = [one for one in parse(raw) if one.status < 400]
    yield Finding(f"answered by {told[0].status}") if told else f"{len(raw)} octets, no answer"
