"""Octets that one parser takes for one thing and the next for another."""

from report import Finding, Skipped, check

MARK = "attack-7c1f"


def refused_once(target, data, what):
    """Something of which a second request must not come: one refusal, and the end of the connection."""
    heard = target.say(data, seconds=2.0, most=2)
    text = f"{what}: {heard}"
    if len(heard.answers) > 1:
        return Finding(text + ": what was hidden in it was answered too")
    if heard.answers and heard.status < 400:
        return Finding(text + ": taken")
    if heard.answers and not heard.ended:
        return Finding(text + ": the connection goes on")
    return text


@check("injection", "smuggled requests")
def smuggling(target):
    """Two lengths, odd codings, odd chunks: each hides a second request."""
    hidden = target.request(path="/" + MARK)
    post = (f"POST {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n"
            + "".join(f"{n}: {v}\r\n" for n, v in target.credentials())).encode()
    chunked = b"Transfer-Encoding: chunked\r\n"
    length = b"Content-Length: %d\r\n" % (5 + len(hidden))
    for what, headers, body in (
            ("Content-Length and chunked", length + chunked, b"0\r\n\r\n" + hidden),
            ("chunked and Content-Length", chunked + b"Content-Length: 5\r\n", b"0\r\n\r\n" + hidden),
            ("two Content-Lengths", b"Content-Length: 0\r\n" + length, b"x" * 5 + hidden),
            ("Content-Length, a list", b"Content-Length: 0, %d\r\n" % len(hidden), hidden),
            ("a signed length", b"Content-Length: +%d\r\n" % len(hidden), hidden),
            ("a tab before chunked", b"Transfer-Encoding:\x0bchunked\r\n", b"0\r\n\r\n" + hidden),
            ("xchunked", b"Transfer-Encoding: xchunked\r\n" + length, b"0\r\n\r\n" + hidden),
            ("a space before the colon", b"Transfer-Encoding : chunked\r\n" + length,
             b"0\r\n\r\n" + hidden),
            ("a folded coding", b"Transfer-Encoding:\r\n chunked\r\n" + length, b"0\r\n\r\n" + hidden),
            ("two codings", chunked + b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n" + hidden),
            ("a bare LF in a header", b"X: y\nContent-Length: 0\r\n" + length, b"x" * 5 + hidden),
            ("an underscore", b"Content_Length: 5\r\nContent-Length: 0\r\n", hidden),
            ("a bare LF in a chunk", chunked, b"0\n\n" + hidden),
            ("a signed chunk", chunked, b"+0\r\n\r\n" + hidden),
            ("0x", chunked, b"0x0\r\n\r\n" + hidden),
            ("a chunk that is too long", chunked, b"1\r\nxx\r\n0\r\n\r\n" + hidden),
            ("an overflowing chunk", chunked, b"ffffffffffffffff1\r\nx\r\n0\r\n\r\n" + hidden)):
        yield refused_once(target, post + headers + b"\r\n" + body, what)


@check("injection", "malformed heads")
def malformed(target):
    """NUL, control characters, folding, bare line ends, two Hosts."""
    front = f"GET {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n".encode()
    for what, data in (
            ("NUL in a value", front + b"X: a\x00b\r\n\r\n"), ("CR in a value", front + b"X: a\rb\r\n\r\n"),
            ("a folded line", front + b"X: a\r\n b\r\n\r\n"), ("LF alone", front.replace(b"\r", b"") + b"\n"),
            ("no name", front + b": x\r\n\r\n"), ("no colon", front + b"xy\r\n\r\n"),
            ("two Hosts", front + b"Host: attacker.example\r\n\r\n"),
            ("no Host", f"GET {target.path} HTTP/1.1\r\n\r\n".encode()),
            ("a Host with a path", f"GET {target.path} HTTP/1.1\r\nHost: a/b\r\n\r\n".encode()),
            ("HTTP/0.9", f"GET {target.path}\r\n\r\n".encode()),
            ("HTTP/9.9", f"GET {target.path} HTTP/9.9\r\nHost: a\r\n\r\n".encode()),
            ("a space in the path", f"GET {target.path} x HTTP/1.1\r\nHost: a\r\n\r\n".encode())):
        yield refused_once(target, data, what)


@check("injection", "lines in an answer")
def split_answers(target):
    """CR and LF, encoded, in whatever an answer may be made of."""
    for path in (f"/%0d%0aX-{MARK}:%20x", f"{target.path}?x=%0d%0aX-{MARK}:%20x",
                 f"/%E5%98%8A%E5%98%8DX-{MARK}:x", f"/%0aX-{MARK}:%20x"):
        for headers in ((), target.credentials()):
            heard = target.ask(path=path, headers=headers)
            bad = any(one.get(f"x-{MARK}") for one in heard.answers)
            yield Finding(f"{path}: a header of ours came back") if bad else f"{path}: {heard}"


@check("injection", "reflection")
def reflection(target):
    """Markup in path, query and headers, and another Host: none of it may come back."""
    script = f"<script>{MARK}</script>"
    for what, parts in (
            ("path", {"path": f"/{script}"}), ("query", {"path": f"{target.path}?x={script}"}),
            ("encoded", {"path": f"/%3Cscript%3E{MARK}"}), ("Referer", {"headers": [("Referer", script)]}),
            ("User-Agent", {"headers": [("User-Agent", script)]}),
            ("X-Forwarded-Host", {"headers": [("X-Forwarded-Host", f"{MARK}.example")]}),
            ("Host", {"host": f"{MARK}.example"}), ("x-api-key", {"headers": [("x-api-key", script)]}),
            ("Authorization", {"headers": [("Authorization", f"Bearer {MARK}")]})):
        heard = target.ask(**parts)
        back = [one for one in heard.answers
                if MARK.encode() in one.body and one.status >= 400
                or any(MARK in value for _, value in one.headers)]
        yield Finding(f"{what}: came back in a {heard}") if back else f"{what}: {heard}"


@check("injection", "TRACE and CONNECT")
def methods(target):
    """Methods that show what was added on the way, or open one through."""
    for headers in ([], target.credentials()):
        heard = target.ask("TRACE", headers=[*headers, ("X-Mark", MARK)])
        echoed = any(MARK.encode() in one.body for one in heard.answers)
        yield Finding("TRACE: echoed") if echoed or heard.status == 200 else f"TRACE: {heard}"
        heard = target.ask("CONNECT", path="127.0.0.1:22", headers=headers)
        yield Finding(f"CONNECT: {heard}") if heard.status == 200 else f"CONNECT: {heard}"


@check("injection", "foreign origins")
def cors(target):
    """A page of somebody else's must not be let read answers with a credential."""
    for origin in ("https://attacker.example", "null", f"https://{target.host}.attacker.example"):
        for method in ("GET", "OPTIONS"):
            heard = target.ask(method, headers=[
                ("Origin", origin), ("Access-Control-Request-Method", "GET"), *target.credentials()])
            for one in heard.answers:
                allowed = one.get("access-control-allow-origin")
                if allowed == origin or (allowed == "*" and one.get("access-control-allow-credentials")):
                    yield Finding(f"{method} from {origin}: Access-Control-Allow-Origin: {allowed}")
            yield f"{method} from {origin}: {heard}"


@check("injection", "requests of the gate's own")
def forgery(target):
    """Whatever may be a URL in a request must not be fetched: seen by how long it takes."""
    if not target.credentials():
        raise Skipped("needs --key or --token")
    for path in ("http://127.0.0.1:22/", "http://169.254.169.254/latest/meta-data/"):
        heard = target.ask(path=path, headers=target.credentials())
        if heard.answers and heard.status < 400:
            yield Finding(f"GET {path}: {heard}: taken for another host")
        yield f"GET {path}: {heard}"
