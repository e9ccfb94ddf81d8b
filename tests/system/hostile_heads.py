"""Hostile requests by the thousand, and a strict reader of RFC 9112 that nobody else's parser went into.

    for one in cases(2000): one.number, one.kind, one.octets
    read(octets) -> Reading(requests, state): what the octets are, to a recipient that takes nothing else

The generator is seeded: a number is the same case for ever, on every machine.
"""

import random
import re
from dataclasses import dataclass, field

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
TARGET = re.compile(rb"[\x21-\x22\x24-\x7e]+")
LABEL = re.compile(rb"case-(\d+)\.")
HOST = re.compile(rb"([A-Za-z0-9\-._~!$&'()*+,;=]+|\[[0-9a-fA-F:.]+\])(:[0-9]{0,5})?")


@dataclass
class Case:
    number: int
    kind: str
    octets: bytes


@dataclass
class Request:
    method: bytes
    target: bytes
    fields: list
    body: bytes
    trailers: list = field(default_factory=list)

    def all(self, name):
        return [value for known, value in self.fields if known.lower() == name]


@dataclass
class Reading:
    requests: list
    state: str  # complete: nothing is left; incomplete: more may come; malformed: `why`
    why: str = ""


class Malformed(Exception):
    pass


class Incomplete(Exception):
    pass


# ------------------------------------------------------------------------------------- the reader

def take_line(data, at):
    """A line that ends in CRLF and has neither CR nor LF within."""
    end = data.find(b"\n", at)
    line = data[at:end if end >= 0 else None]
    if end < 0:
        if b"\r" in line[:-1]:
            raise Malformed("bare CR")
        raise Incomplete
    if not line.endswith(b"\r"):
        raise Malformed("bare LF")
    if b"\r" in line[:-1]:
        raise Malformed("bare CR")
    return line[:-1], end + 1


def take_fields(data, at):
    fields = []
    while True:
        line, at = take_line(data, at)
        if not line:
            return fields, at
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.fullmatch(name):
            raise Malformed("field name")
        if not VALUE.fullmatch(value):
            raise Malformed("field value")
        fields.append((name, value.strip(b" \t")))


def take_chunked(data, at):
    body = b""
    while True:
        line, at = take_line(data, at)
        size, _, extension = line.partition(b";")
        size = size.rstrip(b" \t") if extension else size  # RFC 9112 7.1.1: BWS
        if not re.fullmatch(rb"0*[0-9A-Fa-f]{1,16}", size) or not VALUE.fullmatch(extension):
            raise Malformed("chunk size")
        count = int(size, 16)
        if count == 0:
            trailers, at = take_fields(data, at)
            return body, trailers, at
        if len(data) < at + count:
            raise Incomplete
        body += data[at:at + count]
        at += count
        ending = data[at:at + 2]
        if ending != b"\r\n":
            if b"\r\n".startswith(ending):
                raise Incomplete
            raise Malformed("chunk end")
        at += 2


def take_request(data, at):
    line, at = take_line(data, at)
    parts = line.split(b" ")
    if len(parts) != 3 or not TOKEN.fullmatch(parts[0]) or not TARGET.fullmatch(parts[1]):
        raise Malformed("request line")
    if parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise Malformed("version")
    fields, at = take_fields(data, at)
    one = Request(parts[0], parts[1], fields, b"")
    hosts = one.all(b"host")
    if len(hosts) > 1 or (not hosts and parts[2] == b"HTTP/1.1"):
        raise Malformed("host")
    if hosts and not HOST.fullmatch(hosts[0]):
        raise Malformed("host")
    lengths, codings = one.all(b"content-length"), one.all(b"transfer-encoding")
    if codings:
        if lengths or parts[2] == b"HTTP/1.0" or [c.lower() for c in codings] != [b"chunked"]:
            raise Malformed("coding")
        one.body, one.trailers, at = take_chunked(data, at)
    elif lengths:
        if len(lengths) != 1 or not re.fullmatch(rb"0*[0-9]{1,18}", lengths[0]):
            raise Malformed("length")
        end = at + int(lengths[0])
        if len(data) < end:
            raise Incomplete
        one.body, at = data[at:end], end
    return one, at


def read(data):
    requests, at = [], 0
    while at < len(data):
        try:
            # RFC 9112 2.2: an empty line in front is passed over.
            if data[at:at + 2] == b"\r\n":
                at += 2
                continue
            one, at = take_request(data, at)
        except Incomplete:
            return Reading(requests, "incomplete")
        except Malformed as why:
            return Reading(requests, "malformed", str(why))
        requests.append(one)
    return Reading(requests, "complete")


# ---------------------------------------------------------------------------------- the generator

def head(number, line=None, fields=(), host=b"Host: a"):
    lines = [line or b"POST /c%d HTTP/1.1" % number, *([host] if host else []), b"X-Case: case-%d." % number, *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def second(number):
    return b"GET /s%d HTTP/1.1\r\nHost: a\r\nX-Case: case-%d.\r\n\r\n" % (number, number)


def hostile_line(rng, number):
    path = b"/c%d" % number
    return rng.choice([
        b"GET  %b HTTP/1.1", b"GET %b  HTTP/1.1", b"GET\t%b HTTP/1.1", b"GET %b\tHTTP/1.1", b"GET %b HTTP/1.1 ", b" GET %b HTTP/1.1",
        b"GET %b", b"GET %b HTTP/1.2", b"GET %b HTTP/2.0", b"GET %b HTTP/0.9", b"GET %b HTTP/11", b"GET %b http/1.1", b"GET %b HTTP/1.1x",
        b"GET %b HTTP/1.\xb1", b"GET %b\x00 HTTP/1.1", b"GET %b\x0b HTTP/1.1", b"GET %b#x HTTP/1.1", b"GET %b?\xff HTTP/1.1",
        b"GET %b/%%zz HTTP/1.1", b"GET %b/%%00 HTTP/1.1", b"GET %b/%%0d%%0aX:y HTTP/1.1", b"GET %b/../.. HTTP/1.1",
        b"GET %b\r HTTP/1.1", b"GET %b\n HTTP/1.1", b"G\xc3T %b HTTP/1.1", b"G@T %b HTTP/1.1", b"get %b HTTP/1.1",
        b"GET http://a%b HTTP/1.1", b"GET http://b%b HTTP/1.1", b"GET a%b HTTP/1.1", b"GET http://u@a%b HTTP/1.1",
        b"CONNECT a:80 HTTP/1.1", b"OPTIONS * HTTP/1.1", b"GET * HTTP/1.1", b"GET %b HTTP/1.0", b"\r\nGET %b HTTP/1.1",
        b"\r\n\r\n\r\nGET %b HTTP/1.1", b"\nGET %b HTTP/1.1", b"\rGET %b HTTP/1.1", b"GET %b HTTP/1.1\n", b"GET %b HTTP/1.1\r",
    ]).replace(b"%b", path).replace(b"%%", b"%")


def hostile_field(rng):
    return rng.choice([
        b"X : y", b" X: y", b"\tX: y", b"X", b": y", b"X: y\r\n z", b"X: y\r\n\tz", b"X: y\rz", b"X: y\nZ: q", b"X: y\x00", b"X: \x01",
        b"X: \x7f", b"X\x00: y", b"X\xe9: y", b"X: \xe9", b"X_Y: z", b"X(): y", b"X: y\n", b"X\r: y", b"X\n: y", b"\r: y", b"X: " + b"a" * 9000,
        b"Content-Length : 9", b"Content-Length\x00: 9", b"Content_Length: 9", b"\x0bContent-Length: 9", b"X: y\r\n Content-Length: 9",
        b"X: y\nContent-Length: 9", b"X: y\rContent-Length: 9", b"Transfer-Encoding : chunked", b"Transfer_Encoding: chunked",
        b"X: y\nTransfer-Encoding: chunked", b"Host : b", b"Connection: content-length", b"Connection: transfer-encoding",
        b"Connection: host", b"Connection: close, x-case", b"Connection: ,,", b"Connection: \"close\"", b"Expect: 100-continue",
        b"Expect: tea", b"Upgrade: h2c\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAMAAABk", b"TE: trailers, chunked",
        b"Trailer: content-length", b"X:y", b"X:\t y \t", b"X:",
    ])


HOSTS = [None, b"Host: a\r\nHost: a", b"Host: a\r\nHost: b", b"Host:", b"Host: a b", b"Host: a/b", b"Host: u@a", b"Host: a:b", b"Host: a:99999",
         b"Host: a,b", b"Host: a, b", b"Host: [::1", b"Host: [::1]x", b"Host: %61", b"Host: a\x00b", b"Host: \xe9", b"Host : a", b" Host: a",
         b"Host: a\\b", b"Host: a?b", b"Host: a#b", b"Host: \"a\"", b"Host: a\r\n b", b"Host: <a>"]
LENGTHS = [b"+5", b"-5", b"0x5", b"5,5", b"5, 5", b"5 5", b"5;", b"5.0", b"5e0", b"", b" ", b"05", b"0000000000000000000000005",
           b"18446744073709551621", b"4294967301", b"9223372036854775808", b"99999999999999999999999999", b"five", b"\xb5", b"5\x00", b"5\x0b",
           b"\x0b5", b"5\r\nContent-Length: 5", b"5\r\nContent-Length: 6", b"5\r\nContent-Length: 0", b"0\r\nContent-Length: 5", b"5,", b",5", b"\"5\""]
CODINGS = [b"chunked, chunked", b"identity", b"gzip, chunked", b"chunked, gzip", b"chunked, identity", b"xchunked", b"chunkedx", b"\x0bchunked",
           b"chunked\x0b", b"chunked\x00", b"\"chunked\"", b"chunked;q=1", b"chunked;", b",chunked", b"chunked,", b"chunked ,", b"Chunked", b"CHUNKED",
           b"\tchunked\t", b"chun\tked", b"chunked\r\nTransfer-Encoding: chunked", b"chunked\r\nTransfer-Encoding: identity",
           b"identity\r\nTransfer-Encoding: chunked", b"\r\n chunked", b"chunked\r\n , identity", b"", b"chunked\xff", b"\xa0chunked",
           b"chunked\r\nContent-Length: 5", b"x\r\nContent-Length: 5", b"cow\r\nTransfer-Encoding: chunked"]
SIZES = [b"0x5", b"+5", b"-5", b" 5", b"5 ", b"\t5", b"5\t", b"05", b"0" * 20 + b"5", b"5;", b"5;a", b"5;a=b", b"5 ;a", b"5;a=\"b;c\"", b"5;a=\"\r\n", b"5;a\nb",
         b"5;a\rb", b"5;\x00", b"5;\xe9", b"5,", b"5x", b"x", b"", b"5\r", b"5\n", b"fffffffffffffffff", b"ffffffffffffffff", b"100000005",
         b"10000000000000005", b"5h", b"5L", b"\xb5", b"5;" + b"a" * 5000, b"5\x00", b"5\x0b", b"5 5", b"5.", b"(5)"]
ENDINGS = [b"\r\n", b"\n", b"\r", b"", b"\r\r\n", b"\n\r", b" \r\n", b"xx", b"\x00\r\n", b"\r\n\r\n"]
TRAILERS = [b"", b"X: y\r\n", b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n", b"X : y\r\n", b"X: y\r\n z\r\n", b"X: y\n", b"X\r\n",
            b": y\r\n", b"X: \x00\r\n", b"X: y\rz\r\n", b"Authorization: x\r\n", b"X_Y: z\r\n", b"\xe9: y\r\n", b"X-Auth-Identity: root\r\n"]


def chunked(rng, number):
    """A body in chunks of which one thing is odd, with something behind that another reader may take for a request."""
    inner = second(number)
    what = rng.choice(["size", "ending", "trailer", "last", "line", "inner"])
    good = b"%x\r\n%b\r\n" % (len(inner), inner)
    if what == "size":
        return rng.choice(SIZES) + b"\r\nhello\r\n0\r\n\r\n" + inner
    if what == "ending":
        return b"5\r\nhello" + rng.choice(ENDINGS) + rng.choice([b"0\r\n\r\n", good + b"0\r\n\r\n"]) + inner
    if what == "trailer":
        return b"5\r\nhello\r\n0\r\n" + rng.choice(TRAILERS) + rng.choice([b"\r\n", b"\n", b"\r"]) + inner
    if what == "last":
        return b"5\r\nhello\r\n" + rng.choice([b"0\n\r\n", b"0\r\n\n", b"0\n\n", b"00\r\n\r\n", b"0;a\r\n\r\n", b"0 \r\n\r\n", b"-0\r\n\r\n", b"0x0\r\n\r\n",
                                               b"0\r\r\n\r\n", b"\r\n\r\n", b"0\r\nX", b"0"]) + inner
    if what == "line":
        return b"5" + rng.choice(ENDINGS) + b"hello\r\n0\r\n\r\n" + inner
    return good + b"0\r\n\r\n" + rng.choice([b"", inner])


def mutated(rng, octets):
    out = bytearray(octets)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(out))
        octet = rng.choice(b"\r\n\t \x00\x0b\x7f\x80\xff:;,0159aAxX\"\\/%#?@[]")
        how = rng.randrange(4)
        if how == 0:
            out[at] = octet
        elif how == 1:
            out.insert(at, octet)
        elif how == 2:
            del out[at]
        else:
            size = rng.randrange(1, 20)
            out[at:at] = out[at:at + size]
    return bytes(out)


def make(rng, number):
    kind = rng.choice(("line", "field", "host", "length", "coding", "chunks", "chunks", "octets", "octets"))
    body = b"hello"
    inner = second(number)
    if kind == "line":
        octets = head(number, hostile_line(rng, number))
    elif kind == "field":
        octets = head(number, fields=rng.sample([b"X-A: b", hostile_field(rng), b"Content-Length: 5"], 3)) + body
    elif kind == "host":
        octets = head(number, host=rng.choice(HOSTS), fields=[b"Content-Length: 5"]) + body
    elif kind == "length":
        octets = head(number, fields=[b"Content-Length: " + rng.choice(LENGTHS)]) + rng.choice([body, inner, b""])
    elif kind == "coding":
        fields = [b"Transfer-Encoding: " + rng.choice(CODINGS)]
        if rng.random() < 0.3:
            fields.insert(rng.randrange(2), b"Content-Length: %d" % rng.choice((0, 5, 6, 15, 60)))
        octets = head(number, fields=fields) + rng.choice([b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", body])
    elif kind == "chunks":
        return Case(number, kind, head(number, fields=[b"Transfer-Encoding: chunked"]) + chunked(rng, number))
    else:
        whole = rng.choice([head(number, fields=[b"Content-Length: 5"]) + body,
                            head(number, fields=[b"Transfer-Encoding: chunked"]) + b"5\r\nhello\r\n0\r\nX: y\r\n\r\n",
                            head(number, b"GET /c%d?q HTTP/1.1" % number)])
        octets = mutated(rng, whole)
        while set(LABEL.findall(octets)) != {b"%d" % number}:  # what becomes of it has to be told from the others
            octets = mutated(rng, whole)
    if rng.random() < 0.5:
        octets += inner
    return Case(number, kind, octets)


def cases(count, seed=9112):
    rng = random.Random(seed)
    return [make(rng, number) for number in range(count)]
