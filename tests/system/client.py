"""A client that sends exactly the bytes it is told to and reads answers by RFC 9112.

It is no library for programs: it never retries, never follows, never adds what was not asked for
except Host and Content-Length in `request`, and raises on everything it does not expect.
"""

import contextlib
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field

TIMEOUT = 30.0  # seconds a single read or write may take


class Closed(AssertionError):
    """The peer closed the connection where more was due."""


@dataclass
class Message:
    """A request's or an answer's head and body. Header names are as sent; `get` ignores case."""

    start: str = ""
    headers: list = field(default_factory=list)  # (name, value) pairs
    body: bytes = b""
    trailers: list = field(default_factory=list)
    head: bytes = b""  # as it came, with the blank line

    def get(self, name, default=None):
        """The only value of a field; an assertion when there are several."""
        values = self.all(name)
        if len(values) > 1:
            raise AssertionError(f"{name} is there {len(values)} times: {values}")
        return values[0] if values else default

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]


class Response(Message):
    @property
    def version(self):
        return self.start.split(" ", 2)[0]

    @property
    def status(self):
        return int(self.start.split(" ", 2)[1])


class Request(Message):
    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def target(self):
        return self.start.split(" ")[1]


def parse_address(text):
    """"127.0.0.1:80" and "[::1]:80" as (host, port), "unix:/path" as the path."""
    if text.startswith("unix:"):
        return text.removeprefix("unix:")
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def parse_head(cls, head):
    lines = head.decode("latin-1").split("\r\n")
    message = cls(start=lines[0], head=head)
    for line in lines[1:-2]:
        name, colon, value = line.partition(":")
        if not colon:
            raise AssertionError(f"not a header line: {line!r}")
        message.headers.append((name, value.strip(" \t")))
    return message


class Stream:
    """Bytes both ways over a socket, plain or TLS, with what has been read too far kept."""

    def __init__(self, sock):
        self.socket = sock
        self._read_ahead = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_slowly(self, data, piece=1, pause=0.0):
        """In writes of `piece` bytes: segments of their own, as the socket has TCP_NODELAY."""
        for at in range(0, len(data), piece):
            self.socket.sendall(data[at:at + piece])
            if pause:
                time.sleep(pause)

    def receive(self, size=65536):
        """What has come, at least one byte; nothing at the end of the stream."""
        if self._read_ahead:
            data, self._read_ahead = self._read_ahead[:size], self._read_ahead[size:]
            return data
        return self.socket.recv(size)

    def receive_into(self, room):
        """The same into a writable buffer; how many bytes have come, 0 at the end of the stream."""
        if not self._read_ahead:
            return self.socket.recv_into(room)
        data = self.receive(len(room))
        room[:len(data)] = data
        return len(data)

    def read_exactly(self, size):
        parts = []
        while size:
            data = self.receive(min(size, 1 << 20))
            if not data:
                raise Closed(f"the stream ended {size} bytes early")
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def read_until(self, end):
        """Everything up to and with `end`."""
        data = b""
        while end not in data:
            more = self.receive()
            if not more:
                raise Closed(f"the stream ended before {end!r}, after {data!r}")
            data += more
        at = data.index(end) + len(end)
        self._read_ahead = data[at:] + self._read_ahead
        return data[:at]

    def read_to_end(self):
        """Everything until the peer closes in order; a reset raises ConnectionResetError."""
        parts = []
        while data := self.receive():
            parts.append(data)
        return b"".join(parts)

    def read_chunked(self, message):
        """A chunked body and its trailers (RFC 9112 7.1) into the message."""
        parts = []
        while True:
            size = int(self.read_until(b"\r\n")[:-2].split(b";")[0], 16)
            if size == 0:
                break
            parts.append(self.read_exactly(size))
            if self.read_exactly(2) != b"\r\n":
                raise AssertionError("a chunk is longer than it said")
        message.body = b"".join(parts)
        while (line := self.read_until(b"\r\n")) != b"\r\n":
            name, _, value = line[:-2].decode("latin-1").partition(":")
            message.trailers.append((name, value.strip(" \t")))

    def closed_within(self, seconds):
        """True when the peer closes or resets within that time and sends nothing before."""
        if self._read_ahead:
            return False
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except (TimeoutError, ssl.SSLWantReadError):
            return False
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            return True
        finally:
            self.socket.settimeout(TIMEOUT)

    def finish(self):
        """Ends our direction (FIN) and leaves the other open."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Ends both directions with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.close()


class Connection(Stream):
    """The client's end. For requests that no client should send, use send and read_response."""

    def __init__(self, sock, authority):
        super().__init__(sock)
        self.authority = authority  # for Host

    def request(self, method, target, headers=(), body=b""):
        """Sends one request and reads its final answer. Host and, with a body, Content-Length are
        added where the headers do not have them."""
        self.send_request(method, target, headers, body)
        return self.read_response(method)

    def send_request(self, method, target, headers=(), body=b""):
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        names = {name.lower() for name, _ in pairs}
        if "host" not in names:
            pairs.insert(0, ("Host", self.authority))
        if body and not names & {"content-length", "transfer-encoding"}:
            pairs.append(("Content-Length", str(len(body))))
        lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in pairs), "", ""]
        self.send("\r\n".join(lines).encode("latin-1") + body)

    def read_head(self):
        """The next answer's head, 1xx as well; its body is left unread."""
        return parse_head(Response, self.read_until(b"\r\n\r\n"))

    def read_response(self, method="GET", interim=None):
        """The next final answer with its body; 1xx before it go to the list `interim`."""
        while (answer := self.read_head()).status < 200 and answer.status != 101:
            if interim is not None:
                interim.append(answer)
        if method == "HEAD" or answer.status in (101, 204, 304):
            return answer
        if answer.get("transfer-encoding", "").lower() == "chunked":
            self.read_chunked(answer)
        elif answer.get("content-length") is not None:
            answer.body = self.read_exactly(int(answer.get("content-length")))
        else:
            answer.body = self.read_to_end()
        return answer


def tls_context(ca=None, alpn=(), minimum=None, maximum=None, ciphers=None):
    """A client context; `ca` is a PEM file to trust, and without it nothing is verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca:
        context.load_verify_locations(ca)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if minimum:
        context.minimum_version = minimum
    if maximum:
        context.maximum_version = maximum
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def connect(address, tls=None, server_name="localhost", session=None, authority=None,
            timeout=TIMEOUT):
    """A Connection. tls: None for plain, True for one that verifies nothing, an SSLContext, or the
    path of a PEM file to trust. session: an ssl.SSLSession to resume."""
    if isinstance(address, str):
        address = parse_address(address) if not address.startswith("/") else address
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        sock.connect(address)
    else:
        sock = socket.create_connection(address[:2], timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls:
        context = tls
        if not isinstance(tls, ssl.SSLContext):
            context = tls_context(None if tls is True else tls)
        try:
            sock = context.wrap_socket(sock, server_hostname=server_name, session=session)
        except BaseException:
            sock.close()
            raise
    return Connection(sock, authority or (server_name if tls else "localhost"))
