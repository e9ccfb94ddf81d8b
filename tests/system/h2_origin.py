"""An origin of tests that speaks HTTP/2: python3-h2 for frames and HPACK, which is nobody's we link, on the
connections of a scripted origin (origin.py), so that a test may say on them what it likes.

    def script(peer, call):                    # a request has come, whole
        peer.answer(call, 200, b"ok", trailers=[("x-sum", "1")])
    origin = self.origin(None, per_connection=h2_origin.serve(script))

The script runs on the connection's thread, between frames. It may leave a call unanswered and answer it later,
within another one's script. `calls` of what serve() returns has all that came, over all connections.
"""

import threading
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings


@dataclass
class Call:
    connection: int  # the number of its connection
    id: int
    fields: list
    body: bytes = b""
    trailers: list = field(default_factory=list)
    ended: bool = False
    reset: int = None  # the error code, when the gate has reset it

    def get(self, name):
        values = [v for n, v in self.fields if n == name]
        return values[0] if values else None

    @property
    def names(self):
        return [n for n, _ in self.fields]


class Peer:
    """One connection's origin side."""

    def __init__(self, of, connection):
        self.of = of
        self.connection = connection
        self.number = connection.number
        self.mine = {}
        self.unsent = {}  # stream -> [what of its body is left, its trailers]
        config = h2.config.H2Configuration(client_side=False, header_encoding="latin-1",
                                           validate_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        if of.settings:
            self.h2.local_settings = h2.settings.Settings(client=False, initial_values=of.settings)
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.connection.send(data)

    def raw(self, data):
        self.connection.send(data)

    def begin(self, call, status, headers=()):
        self.h2.send_headers(call.id, [(":status", str(status)), *headers])
        self.flush()

    def send(self, call, body=b"", last=False, trailers=()):
        """More of a body, as the gate's windows let it go."""
        left = self.unsent.setdefault(call.id, [b"", None])
        left[0] += body
        if last:
            left[1] = list(trailers)
        self._pump(call.id)

    def answer(self, call, status, body=b"", headers=(), trailers=()):
        if not body and not trailers:
            self.h2.send_headers(call.id, [(":status", str(status)), *headers], end_stream=True)
            return self.flush()
        self.begin(call, status, headers)
        self.send(call, body, True, trailers)

    def _pump(self, number):
        left = self.unsent.get(number)
        while left and left[0]:
            size = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, len(left[0]))
            if size <= 0:
                return self.flush()
            done = size == len(left[0]) and left[1] == []
            self.h2.send_data(number, left[0][:size], end_stream=done)
            left[0] = left[0][size:]
            if done:
                del self.unsent[number]
                return self.flush()
        if left and left[1] is not None:
            if left[1]:
                self.h2.send_headers(number, left[1], end_stream=True)
            else:
                self.h2.end_stream(number)
            del self.unsent[number]
        self.flush()

    def reset(self, call, code):
        self.h2.reset_stream(call.id, code)
        self.flush()

    def goaway(self, last, code=0):
        self.h2.close_connection(error_code=code, last_stream_id=last)
        self.flush()

    def run(self):
        while True:
            try:
                data = self.connection.receive()
            except OSError:
                data = b""
            if not data:
                return
            try:
                events = self.h2.receive_data(data)
            except h2.exceptions.ProtocolError:
                return
            for event in events:
                self._take(event)
                if self.connection.ended:
                    return
            self.flush()

    def _take(self, event):
        number = getattr(event, "stream_id", None)
        call = self.mine.get(number)
        if isinstance(event, h2.events.RequestReceived):
            call = self.mine[number] = Call(self.number, number, list(event.headers))
            self.of.note(call)
            if self.of.on_head:
                self.of.on_head(self, call)
        elif isinstance(event, h2.events.DataReceived):
            call.body += event.data
            if self.of.takes_bodies and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, number)
            if self.of.on_data:
                self.of.on_data(self, call, event.data)
        elif isinstance(event, h2.events.TrailersReceived):
            call.trailers = list(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            call.ended = True
            if self.of.script:
                self.of.script(self, call)
        elif isinstance(event, h2.events.StreamReset):
            call.reset = int(event.error_code)
            self.unsent.pop(number, None)
        elif isinstance(event, h2.events.WindowUpdated):
            for waiting in list(self.unsent) if number == 0 else [number]:
                self._pump(waiting)


class serve:
    """What runs a connection of a scripted origin. on_head(peer, call), on_data(peer, call, data): as those come.
    takes_bodies=False: no window is ever opened again. settings: by their codes."""

    def __init__(self, script=None, on_head=None, on_data=None, takes_bodies=True, settings=None):
        self.script = script
        self.on_head = on_head
        self.on_data = on_data
        self.takes_bodies = takes_bodies
        self.settings = settings
        self.calls = []
        self.changed = threading.Condition()
        self.connections = 0

    def note(self, call):
        with self.changed:
            self.calls.append(call)
            self.changed.notify_all()

    def __call__(self, connection):
        with self.changed:
            self.connections += 1
        try:
            Peer(self, connection).run()
        except (ConnectionError, TimeoutError):
            pass
