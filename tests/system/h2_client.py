"""An HTTP/2 client of tests: python3-h2 for frames and HPACK, which is nobody's we link, and raw
frames where a test wants what no client may send.

    with h2_client.connect(gate) as client:
        answer = client.request("GET", "/")
        first = client.begin("POST", "/a", body=None)      # its body is to come
        client.send(first, b"part"); client.send(first, b"the rest", last=True)
        client.answer(first).status
"""

from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.settings

import client as http
import harness

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GOAWAY = 7


@dataclass
class Answer:
    """What has come on one stream so far."""

    status: int = 0
    headers: list = field(default_factory=list)
    body: bytes = b""
    trailers: list = field(default_factory=list)
    interim: list = field(default_factory=list)
    reset: int = None  # the error code, when the server has reset it
    ended: bool = False

    def get(self, name):
        values = [v for n, v in self.headers if n == name]
        if len(values) > 1:
            raise AssertionError(f"{name} is there {len(values)} times: {values}")
        return values[0] if values else None

    @property
    def over(self):
        return self.ended or self.reset is not None


class Client:
    def __init__(self, stream, authority="localhost", settings=None, automatic_window=True):
        """stream: a client.Connection, TLS or not, on which nothing was said yet."""
        self.stream = stream
        self.authority = authority
        self.automatic_window = automatic_window
        self.answers = {}
        self.goaways = []  # (last stream, error code)
        self.pings = []
        self.closed = False
        self._unread = b""
        config = h2.config.H2Configuration(
            client_side=True, header_encoding="latin-1", validate_outbound_headers=False,
            normalize_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        if settings:  # by their codes
            self.h2.local_settings = h2.settings.Settings(client=True, initial_values=settings)
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.stream.send(data)

    def raw(self, data):
        """Octets as they are, past the library."""
        self.stream.send(data)

    def fields(self, method, path, headers=()):
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        return [(":method", method), (":scheme", "https"), (":authority", self.authority),
                (":path", path), *pairs]

    def begin(self, method, path, headers=(), body=b""):
        """A request; its stream's id. body=None: more is to come by send()."""
        return self.begin_with(self.fields(method, path, headers), body)

    def begin_with(self, fields, body=b""):
        """The same with exactly these header fields."""
        number = self.h2.get_next_available_stream_id()
        self.answers[number] = Answer()
        self.h2.send_headers(number, fields, end_stream=body == b"")
        if body:
            self.send(number, body, last=True)
        self.flush()
        return number

    def send(self, number, data, last=False):
        """Part of a request's body, as the windows let it go."""
        while len(data) > self.h2.local_flow_control_window(number):
            window = self.h2.local_flow_control_window(number)
            if window > 0:
                self._data(number, data[:window], False)
                data = data[window:]
            elif self.answers[number].over:
                return
            else:
                self.receive()
        self._data(number, data, last)

    def _data(self, number, data, last):
        size = self.h2.max_outbound_frame_size
        while len(data) > size:
            self.h2.send_data(number, data[:size])
            data = data[size:]
        self.h2.send_data(number, data, end_stream=last)
        self.flush()

    def reset(self, number, code=8):
        self.h2.reset_stream(number, code)
        self.flush()

    def receive(self):
        """What comes next; False at the end of the connection."""
        try:
            data = self.stream.receive()
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            return False
        for event in self.h2.receive_data(self._without_goaways(data)):
            self._take(event)
        self.flush()
        return True

    def _without_goaways(self, data):
        """Whole frames. To the library a connection is over with the first GOAWAY, though what is under way
        goes on (RFC 9113 6.8), so it hears of none."""
        self._unread += data
        frames = []
        while len(self._unread) >= 9:
            size = 9 + int.from_bytes(self._unread[:3], "big")
            if len(self._unread) < size:
                break
            one, self._unread = self._unread[:size], self._unread[size:]
            if one[3] == GOAWAY:
                self.goaways.append((int.from_bytes(one[9:13], "big"), int.from_bytes(one[13:17], "big")))
            else:
                frames.append(one)
        return b"".join(frames)

    @property
    def goaway(self):
        """What the server said last; None before."""
        return self.goaways[-1] if self.goaways else None

    def _take(self, event):
        answer = self.answers.get(getattr(event, "stream_id", None), Answer())
        if isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append(dict(event.headers)[":status"])
        elif isinstance(event, h2.events.ResponseReceived):
            answer.status = int(dict(event.headers)[":status"])
            answer.headers = list(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            if self.automatic_window and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = list(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = int(event.error_code)
        elif isinstance(event, h2.events.PingAckReceived):
            self.pings.append(event.ping_data)

    def until(self, condition, what="what was waited for"):
        while not condition():
            if not self.receive():
                raise http.Closed(f"the connection ended before {what}; GOAWAY {self.goaway}")

    def answer(self, number):
        """The whole answer, or where it was reset."""
        self.until(lambda: self.answers[number].over, f"stream {number} ended")
        return self.answers[number]

    def request(self, method, path, headers=(), body=b""):
        return self.answer(self.begin(method, path, headers, body))

    def wait_for_end(self):
        """Until the server closes; what it said with GOAWAY."""
        while self.receive():
            pass
        return self.goaway


def connect(gate, tls=True, **options):
    """Over TLS with ALPN h2, or in the clear by prior knowledge."""
    context = http.tls_context(alpn=["h2"]) if tls else None
    stream = gate.connect(tls=context)
    stream.socket.settimeout(harness.patience(20))
    return Client(stream, **options)
