"""An origin that does what a test tells it, well or badly, down to the byte.

    Origin(lambda c, request: c.answer(200, b"ok"))      answers each request

    def half_an_answer(c, request):
        c.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\nhalf")
        c.reset()
    Origin(half_an_answer)

    Origin(per_connection=lambda c: c.reset())           before any request is read

The script runs on a thread per connection. It may call c.close() or c.reset(); else the next
request on the connection is read, until the client closes. An exception in a script fails the test
at stop().
"""

import contextlib
import socket
import ssl
import struct
import threading
import traceback

from client import Closed, Request, Stream, parse_head

REASONS = {200: "OK", 204: "No Content", 304: "Not Modified", 404: "Not Found",
           500: "Internal Server Error", 503: "Service Unavailable"}


class OriginConnection(Stream):
    """The origin's end of a connection; client.Stream has the reading and writing."""

    def __init__(self, sock, number):
        super().__init__(sock)
        self.number = number  # 0 for the origin's first connection
        self.ended = False

    def read_head(self):
        return parse_head(Request, self.read_until(b"\r\n\r\n"))

    def read_body(self, request):
        if request.get("transfer-encoding", "").lower() == "chunked":
            self.read_chunked(request)
        else:
            request.body = self.read_exactly(int(request.get("content-length", "0")))
        return request.body

    def answer(self, status, body=b"", headers=(), framing="length"):
        """framing: "length", "chunked" (one chunk), or "close"."""
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        if framing == "chunked":
            pairs.append(("Transfer-Encoding", "chunked"))
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        elif framing == "length" and status not in (204, 304):
            pairs.append(("Content-Length", str(len(body))))
        elif framing == "close":
            pairs.append(("Connection", "close"))
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in pairs]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        if framing == "close":
            self.close()

    def chunk(self, data):
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def reset(self):
        self.ended = True
        super().reset()

    def close(self):
        self.ended = True
        super().close()


class Origin:
    """Listens on a free port of 127.0.0.1, or of `host`, from the start.

    address       "127.0.0.1:PORT", for `servers`
    requests      every request read so far, in order of arrival, with its body
    connections   how many it has accepted
    """

    def __init__(self, script=None, per_connection=None, read_body=True, tls=None, port=0,
                 host="127.0.0.1"):
        """script(connection, request) answers a request; per_connection(connection) replaces the
        whole loop. read_body=False leaves request bodies to the script. tls: an SSLContext."""
        self._script = script
        self._per_connection = per_connection or self._serve
        self._read_body = read_body
        self._tls = tls
        self._lock = threading.Lock()
        self._open = set()
        self._threads = []
        self._stopping = False
        self.errors = []
        self.requests = []
        self.connections = 0
        self._listener = socket.create_server((host, port), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self.address = f"{host}:{self.port}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                if self._stopping:
                    sock.close()
                    return
                connection = OriginConnection(sock, self.connections)
                self.connections += 1
                self._open.add(connection)
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            self._threads = [t for t in self._threads if t.is_alive()] + [thread]
            thread.start()

    def _run(self, connection):
        try:
            if self._tls:
                connection.socket = self._tls.wrap_socket(connection.socket, server_side=True)
            self._per_connection(connection)
        except (Closed, ConnectionError, ssl.SSLError):
            pass  # clients come and go; what matters is asserted on their side
        except Exception:
            if not self._stopping:
                self.errors.append(traceback.format_exc())
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _serve(self, connection):
        while not connection.ended:
            request = connection.read_head()
            if self._read_body:
                connection.read_body(request)
            with self._lock:
                self.requests.append(request)
            self._script(connection, request)

    def refuse(self):
        """Stops listening: from now on connections are refused; those open go on."""
        self._shut_listener()

    def reset_all(self):
        """Resets every open connection, as a machine that was restarted would."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                 struct.pack("ii", 1, 0))
                    connection.socket.shutdown(socket.SHUT_RD)  # wakes the thread that reads
                connection.ended = True

    def _shut_listener(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        self._accepting.join(5)

    def stop(self):
        self._stopping = True
        self._shut_listener()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        if self.errors:
            raise AssertionError("an origin's script failed:\n" + "\n".join(self.errors))
