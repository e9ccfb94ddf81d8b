"""Octets to and from a gate, with nothing that keeps a request from being wrong."""

import contextlib
import http.client
import io
import socket
import ssl
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

RECEIVED_MAX = 4 << 20


@dataclass
class Answer:
    status: int
    headers: list  # (lower-case name, value)
    body: bytes
    head: bytes

    def get(self, name):
        return next((value for key, value in self.headers if key == name), None)


@dataclass
class Heard:
    """What came back for some octets: whole answers, and how the connection was left."""

    answers: list = field(default_factory=list)
    ended: bool = False  # by the gate
    raw: bytes = b""

    @property
    def status(self):
        """Of the first answer; 0: there was none."""
        return self.answers[0].status if self.answers else 0

    def __str__(self):
        said = ", ".join(str(one.status) for one in self.answers) or "no answer"
        return said + (", closed" if self.ended else "")


class _Octets(io.BytesIO):
    def makefile(self, *_):
        return self


def parse(raw, method="GET"):
    """All whole answers at the front of `raw`."""
    found, stream = [], _Octets(raw)
    while stream.tell() < len(raw):
        begin = stream.tell()
        end = raw.find(b"\r\n\r\n", begin)
        if end < 0:
            break
        one = http.client.HTTPResponse(stream, method=method)
        stream.close = lambda: None  # it is closed with each answer otherwise
        try:
            one.begin()
            body = one.read()
        except (http.client.HTTPException, ValueError, OSError):
            break
        found.append(Answer(one.status, [(k.lower(), v) for k, v in one.getheaders()], body,
                            raw[begin:end]))
    return found


class Target:
    """One URL of a gate, and the credentials that somebody who may do this has been given."""

    def __init__(self, url, key=None, token=None, patience=5.0):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url} is not an http:// or https:// URL")
        self.tls = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.tls else 80)
        self.path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        self.key, self.token, self.patience = key, token, patience

    @property
    def authority(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def context(self):
        """Whose certificate it is does not matter here: who attacks takes any."""
        made = ssl.create_default_context()
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        return made

    def plain_socket(self):
        return socket.create_connection((self.host, self.port), self.patience)

    def connect(self, context=None, again=2):
        """`again`: a busy gate may let a handshake be late. With a context of somebody's own it counts
        at once whether it is taken."""
        try:
            return self.connect_once(context)
        except (ssl.SSLError, ConnectionError):
            if context or not again:
                raise
            return self.connect(again=again - 1)

    def connect_once(self, context):
        raw = self.plain_socket()
        if not self.tls:
            return raw
        try:
            return (context or self.context()).wrap_socket(raw, server_hostname=self.host)
        except BaseException:
            raw.close()
            raise

    def credentials(self):
        """Headers of whoever may ask; none when nobody gave any."""
        if self.key:
            return [("x-api-key", self.key)]
        return [("Authorization", f"Bearer {self.token}")] if self.token else []

    def request(self, method="GET", path=None, headers=(), body=b"", host=None):
        """The octets of one request."""
        lines = [f"{method} {path or self.path} HTTP/1.1", f"Host: {host or self.authority}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + body

    def say(self, data, seconds=None, method="GET", most=1):
        """Sends the octets and listens: for `most` answers, until the gate ends it, or so long."""
        with contextlib.closing(self.connect()) as link:
            with contextlib.suppress(OSError):
                link.sendall(data)
            return listen(link, seconds or self.patience, method, most)

    def ask(self, *args, **parts):
        method = args[0] if args else parts.get("method", "GET")
        return self.say(self.request(*args, **parts), method=method)


def listen(link, seconds, method="GET", most=1):
    heard, until = Heard(), time.monotonic() + seconds
    while len(heard.raw) < RECEIVED_MAX and (left := until - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            data = link.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            break
        except (ConnectionError, ssl.SSLError):
            heard.ended = True
            break
        if not data:
            heard.ended = True
            break
        heard.raw += data
        heard.answers = parse(heard.raw, method)
        if len(heard.answers) >= most:
            break
    heard.answers = parse(heard.raw, method)
    return heard
