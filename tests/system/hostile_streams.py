"""Hostile requests of HTTP/2, each a connection of its own, and a strict reader of RFC 9113 8.1 to 8.3.

    for one in cases(200): one.number, one.kind, one.octets
    read(one) -> the request that one's first stream is to a recipient that takes nothing else; None: none

The generator is seeded: a number is the same case for ever, on every machine.
"""

import random
import re
import struct
from dataclasses import dataclass

import hpack

import hostile_heads
from hostile_heads import HOST, LENGTHS, TOKEN, Request

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY, CONTINUATION = 0, 1, 3, 4, 7, 9
END_STREAM, END_HEADERS, PADDED = 1, 4, 8
# RFC 9113 8.2.1: what no value has; obs-text may be in one.
VALUE = re.compile(rb"([\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")
PATH = re.compile(rb"/[\x21-\x22\x24-\x7e]*|\*")
OF_CONNECTIONS = (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"http2-settings")
PSEUDO = (b":method", b":scheme", b":authority", b":path")


@dataclass
class Case:
    number: int
    kind: str
    fields: list
    body: list  # of DATA frames' payloads; None: the head ends the stream
    trailers: list = None
    frames: bytes = None  # instead of those that the three make
    right_frames: bool = True
    trailers_end: bool = True

    @property
    def octets(self):
        return PREFACE + frame(SETTINGS, 0, 0) + (self.frames or self.own_frames())

    def own_frames(self):
        encoder = hpack.Encoder()
        flags = END_HEADERS | (END_STREAM if self.body is None and self.trailers is None else 0)
        out = frame(HEADERS, flags, 1, encoder.encode(self.fields, huffman=False))
        pieces = self.body or []
        for i, piece in enumerate(pieces):
            last = i == len(pieces) - 1 and self.trailers is None
            out += frame(DATA, END_STREAM if last else 0, 1, piece)
        if self.trailers is not None:
            flags = END_HEADERS | (END_STREAM if self.trailers_end else 0)
            out += frame(HEADERS, flags, 1, encoder.encode(self.trailers, huffman=False))
        return out


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


# ------------------------------------------------------------------------------------- the reader

def read_fields(fields):
    """Whether each is one that RFC 9113 8.2 lets be, pseudo-header fields aside."""
    for name, value in fields:
        if not TOKEN.fullmatch(name) or name != name.lower() or name in OF_CONNECTIONS:
            return False
        if not VALUE.fullmatch(value) or (name == b"te" and value != b"trailers"):
            return False
    return True


def read_pseudo(pairs):
    known = dict(pairs)
    if len(known) != len(pairs) or any(name not in PSEUDO for name in known):
        return None
    if any(name not in known for name in (b":method", b":scheme", b":path")):
        return None
    path, method = known[b":path"], known[b":method"]
    if not TOKEN.fullmatch(method) or method == b"CONNECT" or known[b":scheme"].lower() not in (b"http", b"https"):
        return None
    if not PATH.fullmatch(path) or (path == b"*" and method != b"OPTIONS"):
        return None
    return known


def read(case):
    if not case.right_frames or not case.trailers_end:
        return None
    first = next((i for i, (name, _) in enumerate(case.fields) if not name.startswith(b":")), len(case.fields))
    known, rest = read_pseudo(case.fields[:first]), case.fields[first:]
    if known is None or not read_fields(rest) or not read_fields(case.trailers or []):
        return None
    hosts = {value.lower() for name, value in rest if name == b"host"}  # RFC 9110 4.2.3
    hosts |= {known[b":authority"].lower()} if b":authority" in known else set()
    if len(hosts) != 1 or not HOST.fullmatch(next(iter(hosts))):
        return None
    body = b"".join(case.body or [])
    lengths = [value for name, value in rest if name == b"content-length"]
    if lengths and (len(lengths) > 1 or not re.fullmatch(rb"[0-9]{1,25}", lengths[0]) or int(lengths[0]) != len(body)):
        return None
    return Request(known[b":method"], known[b":path"], rest, body, case.trailers or [])


# ---------------------------------------------------------------------------------- the generator

INJECTED = [b"\r\nX: y", b"\nX: y", b"\rX: y", b"\x00", b"\x0b", b"\x7f", b"\r\n\r\nGET /s HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\nTransfer-Encoding: chunked",
            b"\r\nContent-Length: 0\r\n\r\n", b" HTTP/1.1\r\nHost: a\r\n\r\nGET /s", b"\n\nGET /s HTTP/1.1\n\n", b" ", b"\t", b"\xe9", b"\xe5\x98\x8a\xe5\x98\x8d"]
METHODS = [b"", b"get", b"G T", b"GET /s HTTP/1.1\r\nX:", b"G\x00T", b"G\xc3T", b"CONNECT", b"G@T", b"GET:", b"POST\n", b"PRI", b"M-SEARCH"]
SCHEMES = [b"", b"ftp", b"http ", b"HTTP", b"http://b/ HTTP/1.1\r\nX: y\r\n", b"https\x00", b"ws"]
AUTHORITIES = [b"", b"a b", b"u@a", b"a/s", b"a:b", b"a:99999", b"a,b", b"[::1", b"a#b", b"a\\b", b"a\x00", b"\xe9", b"a\r\nX: y", b"a HTTP/1.1\r\nHost: b"]
NAMES = [b"", b"X-A", b"x a", b"x:", b":x", b"x\r\ny", b"x: y\r\nz", b"x\x00", b"x\xe9", b"x_y", b"content_length", b"transfer_encoding", b"content-length ",
         b" content-length", b"transfer-encoding\x0b", b"content-length\r\n", b"x()", b"x\x7f", b"\r\nx", b"Content-Length", b"Transfer-Encoding", b"host:"]
OWN = [(b"connection", b"content-length"), (b"connection", b"close"), (b"keep-alive", b"5"), (b"proxy-connection", b"close"), (b"upgrade", b"h2c"),
       (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"identity"), (b"transfer-encoding", b""), (b"te", b"chunked"), (b"te", b"trailers"),
       (b"te", b"trailers, chunked"), (b"http2-settings", b"AAMAAABk"), (b"expect", b"100-continue"), (b"trailer", b"content-length")]
PATHS = [b"", b"*", b"/%b s", b"%b", b"http://b/%b", b"/%b#s", b"/%b\\s", b"/%b/../..", b"/%b%zz", b"/%b%00", b"/%b%0d%0aX:y", b"/%b%20HTTP/1.1%0d%0a",
         b"//b/%b", b"/%b?\xff", b"/%b;x", b"?%b", b"/%b\x01"]
TRAILERS = [[(b"x", b"y")], [(b"content-length", b"9")], [(b"transfer-encoding", b"chunked")], [(b"host", b"b")], [(b":path", b"/s")], [(b":status", b"200")],
            [(b"X", b"y")], [(b"x", b"y\r\nz: q")], [(b"x", b"\r\n\r\nGET /s HTTP/1.1\r\nHost: a\r\n\r\n")], [(b"x\r\n", b"y")], [(b"x", b"\x00")], [(b"x_y", b"z")],
            [(b"", b"y")], [], [(b"authorization", b"x")], [(b"x", b" y ")]]


def request(number, changes=(), method=b"POST"):
    known = {b":method": method, b":scheme": b"http", b":authority": b"a", b":path": b"/c%d" % number} | dict(changes)
    return [pair for pair in known.items() if pair[1] is not None]


def of_pseudo(rng, number):
    which = rng.choice(("method", "scheme", "authority", "path", "path", "injected", "injected", "double", "missing", "unknown", "late", "empty"))
    own = request(number)
    if which == "path":
        own = request(number, [(b":path", rng.choice(PATHS).replace(b"%b", b"c%d" % number))])
    elif which in ("method", "scheme", "authority"):
        values = {"method": METHODS, "scheme": SCHEMES, "authority": AUTHORITIES}[which]
        own = request(number, [(b":" + which.encode(), rng.choice(values))])
    elif which == "injected":
        at = rng.randrange(4)
        name, value = own[at]
        own[at] = (name, value + rng.choice(INJECTED))
    elif which == "double":
        own.append(rng.choice(own))
    elif which == "missing":
        del own[rng.randrange(4)]
    elif which == "unknown":
        own.insert(rng.randrange(5), rng.choice([(b":status", b"200"), (b":protocol", b"websocket"), (b":", b"x"), (b":Path", b"/s"), (b":host", b"b")]))
    elif which == "late":
        at = rng.randrange(4)
        own.append((b"x", b"y"))
        own.append(own.pop(at))
    return own


def frames_of(rng, number, label):
    """Right fields in frames that are odd, or only unusual; whether they are right."""
    block = hpack.Encoder().encode(request(number) + label, huffman=False)
    inner = hostile_heads.second(number)
    body = frame(DATA, END_STREAM, 1, b"hello")
    cut = rng.randrange(1, len(block))
    return rng.choice([
        (frame(HEADERS, 0, 1, block[:cut]) + frame(CONTINUATION, END_HEADERS, 1, block[cut:]) + body, True),
        (frame(HEADERS, 0, 1, block[:cut]) + frame(CONTINUATION, 0, 1) + frame(CONTINUATION, END_HEADERS, 1, block[cut:]) + body, True),
        (frame(HEADERS, 0, 1, block[:cut]) + frame(DATA, 0, 1, inner) + frame(CONTINUATION, END_HEADERS, 1, block[cut:]) + body, False),
        (frame(HEADERS, 0, 1, block[:cut]) + frame(CONTINUATION, END_HEADERS, 3, block[cut:]) + body, False),
        (frame(HEADERS, END_HEADERS, 1, block) + frame(DATA, END_STREAM | PADDED, 1, b"\x04hello" + bytes(4)), True),
        (frame(HEADERS, END_HEADERS, 1, block) + frame(DATA, END_STREAM | PADDED, 1, b"\x09hello" + bytes(4)), False),
        (frame(HEADERS, END_HEADERS, 1, block) + frame(CONTINUATION, END_HEADERS, 1, block) + body, False),
        (frame(HEADERS, END_HEADERS, 2, block) + frame(DATA, END_STREAM, 2, b"hello"), False),
        (frame(HEADERS, END_HEADERS, 0, block) + body, False),
        (frame(DATA, 0, 1, inner) + frame(HEADERS, END_HEADERS, 1, block) + body, False),
        (frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff" + block) + body, False),
        (frame(HEADERS, END_HEADERS, 1, block[:cut]) + body, False),
    ])


def make(rng, number):
    kind = rng.choice(("right", "pseudo", "pseudo", "pseudo", "name", "value", "own", "length", "length", "host", "trailers", "frames"))
    label = [(b"x-case", b"case-%d." % number)]
    inner = hostile_heads.second(number)
    chunks = b"5\r\nhello\r\n0\r\n\r\n"
    body = rng.choice([[b"hello"], [b"hello"], [inner], [chunks + inner], [b"he", b"", b"llo"], [b"0\r\n\r\n" + inner]])
    case = Case(number, kind, request(number) + label, body)
    if kind == "right":
        length = [(b"content-length", b"%d" % len(b"".join(body)))] if rng.random() < 0.5 else []
        case.fields = request(number) + rng.choice([[], [(b"x", b"\xe9 y")], [(b"cookie", b"a=b"), (b"cookie", b"c=d")]]) + length + label
    elif kind == "pseudo":
        case.fields = of_pseudo(rng, number) + label
    elif kind == "name":
        case.fields = request(number) + [(rng.choice(NAMES), rng.choice([b"y", b"5", b"chunked"]))] + label
    elif kind == "value":
        case.fields = request(number) + [(rng.choice([b"x", b"cookie", b"content-type", b"user-agent"]), rng.choice([b"y", b"", b" "]) + rng.choice(INJECTED))] + label
    elif kind == "own":
        case.fields = request(number) + [rng.choice(OWN)] + label
    elif kind == "length":
        size = rng.choice([*LENGTHS, b"0", b"4", b"6", b"5"])
        double = [(b"content-length", rng.choice([b"5", b"0", b"6"]))] if rng.random() < 0.3 else []
        case.fields = request(number) + [(b"content-length", size)] + double + label
        case.body = rng.choice([body, None])
    elif kind == "host":
        hosts = rng.sample([b"a", b"b", b"", b"a b", b"u@a", b"a\r\nX: y", b"A", b"a:80", b"a."], rng.choice((1, 2)))
        case.fields = request(number, [(b":authority", rng.choice([b"a", None]))]) + [(b"host", one) for one in hosts] + label
    elif kind == "trailers":
        case.trailers = rng.choice(TRAILERS)
        case.trailers_end = rng.random() < 0.8
    elif kind == "frames":
        case.frames, case.right_frames = frames_of(rng, number, label)
        case.body = [b"hello"]
    return case


def cases(count, seed=9113):
    rng = random.Random(seed)
    return [make(rng, number) for number in range(count)]
