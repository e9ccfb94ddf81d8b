"""What costs a client little and could cost the gate much. A few hundred connections at most."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

from report import Finding, Skipped, check
from wire import listen

CROWD = 200


def ended_in_time(target, data, what, drip=b""):
    """Somebody who sends this and then no more, or a little now and then: until the gate ends it."""
    began = time.monotonic()
    with contextlib.closing(target.connect()) as link:
        link.sendall(data)
        while (took := time.monotonic() - began) < target.slow:
            heard = listen(link, 1.0)
            if heard.ended or heard.answers:
                return f"{what}: {heard} after {took:.0f} s"
            with contextlib.suppress(OSError):
                link.sendall(drip)
    return Finding(f"{what}: still open after {target.slow:.0f} s")


@check("denial of service", "a head that drips")
def slow_head(target):
    """slowloris: a header line a second, without an end."""
    front = f"GET {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n".encode()
    yield ended_in_time(target, front, "a line a second", drip=b"X: y\r\n")


@check("denial of service", "a head that stops")
def half_head(target):
    """Half a line, then silence."""
    yield ended_in_time(target, b"GET / HT", "half a line")


@check("denial of service", "a body that stops")
def slow_body(target):
    """R.U.D.Y.: a length is promised and not kept."""
    promised = [*target.credentials(), ("Content-Length", "100000")]
    yield ended_in_time(target, target.request("POST", headers=promised) + b"x", "one octet of 100,000")


@check("denial of service", "a handshake that stops")
def slow_handshake(target):
    """A ClientHello's first octets, then silence."""
    if not target.tls:
        raise Skipped("not TLS")
    began = time.monotonic()
    with contextlib.closing(target.plain_socket()) as link:
        link.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        heard = listen(link, target.slow)
    took = f"{heard} after {time.monotonic() - began:.0f} s"
    yield took if heard.ended else Finding(f"still open after {target.slow:.0f} s")


@check("denial of service", "a huge ClientHello")
def huge_hello(target):
    """Records of a handshake message that is said to have 16 MiB."""
    if not target.tls:
        raise Skipped("not TLS")
    record = b"\x16\x03\x01\x40\x00"
    with contextlib.closing(target.plain_socket()) as link:
        sent = 0
        with contextlib.suppress(OSError):
            for number in range(16):
                first = b"\x01\xff\xff\xff\x03\x03" if number == 0 else b""
                link.sendall(record + first + b"\x00" * (16384 - len(first)))
                sent += 16384
        heard = listen(link, 3.0)
    yield f"{sent >> 10} KiB: {heard}" if heard.ended else Finding(f"{sent >> 10} KiB were taken")


@check("denial of service", "huge heads")
def huge_heads(target):
    """Long targets, long and many headers, a head without an end."""
    front = f"GET {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n".encode()
    for what, data in (("a target of 64 KiB", b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
                       ("a header of 1 MiB", front + b"X: " + b"a" * (1 << 20) + b"\r\n\r\n"),
                       ("20,000 headers", front + b"X: y\r\n" * 20_000 + b"\r\n")):
        heard = target.say(data)
        good = heard.status in (400, 413, 414, 431) or (heard.ended and not heard.answers)
        yield f"{what}: {heard}" if good else Finding(f"{what}: {heard}")


@check("denial of service", "huge bodies")
def huge_bodies(target):
    """A length of a TB, an endless chunk extension, and trailers without an end."""
    headers = target.credentials()
    for what, field, body in (
            ("Content-Length of 1 TB", ("Content-Length", str(10 ** 12)), b"x"),
            ("an endless extension", ("Transfer-Encoding", "chunked"), b"1;" + b"a" * (1 << 20)),
            ("endless trailers", ("Transfer-Encoding", "chunked"), b"0\r\n" + b"X: y\r\n" * 50_000)):
        heard = target.say(target.request("POST", headers=[*headers, field]) + body)
        good = heard.status >= 400 or (heard.ended and not heard.answers)
        yield f"{what}: {heard}" if good else Finding(f"{what}: {heard}")


@check("denial of service", "a crowd", alone=True)
def crowd(target):
    """Hundreds of connections that say nothing, or half a head, and one honest request beside them."""
    held = []
    with contextlib.ExitStack() as stack:
        for number in range(CROWD):
            try:
                link = stack.enter_context(contextlib.closing(target.plain_socket()))
                if number % 2:
                    link.sendall(b"\x16\x03\x01" if target.tls else b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
            except OSError:
                continue  # that there is a bound for each client is as well
            held.append(link)
        began = time.monotonic()
        try:
            heard = target.ask(headers=target.credentials())
        except OSError:
            heard = None
        took = time.monotonic() - began
    said = f"an honest request beside {len(held)} others: {heard or 'not taken'} in {took * 1000:.0f} ms"
    if heard is None and len(held) == CROWD:
        yield Finding(said)
    elif heard is not None and (not heard.answers or took > max(5.0, target.slow / 10)):
        yield Finding(said + ": they hold it up")
    else:
        yield said


@check("denial of service", "guessing", alone=True)
def guessing(target):
    """Hundreds of wrong keys in a row: sooner or later somebody has to say 429, or close the door."""
    if target.ask().status not in (401, 403, 429):
        raise Skipped(f"{target.path} needs no credential")

    def guess(number):
        try:
            return target.ask(headers=[("x-api-key", f"guess-{number}")]).status
        except OSError:
            return 0
    with ThreadPoolExecutor(max_workers=16) as pool:
        statuses = list(pool.map(guess, range(target.guesses)))
    counts = {status or "nothing": statuses.count(status) for status in sorted(set(statuses))}
    bounded = statuses.count(429) + statuses.count(0)
    said = f"{target.guesses} wrong keys: {counts}"
    yield said if bounded else Finding(said + ": nothing bounds guessing")
