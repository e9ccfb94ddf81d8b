"""The rows of the table: what clients ask for, of which servers, and how it is measured."""

from dataclasses import dataclass

import events
import h2
import latency
import many_streams
import memory
import throughput
from process import Trouble

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Row:
    name: str
    method: object = throughput  # the module that measures: FIGURE, COLUMNS, TOOLS, FRESH, measure()
    tls: bool = False
    token: str = ""  # the algorithm of a JWT that takes the API key's place: RS256 or ES256
    down: int = 0  # bytes of the answer's body; 0: the two of "ok"
    up: int = 0  # bytes of the request's body
    new_connections: bool = False  # one for each request
    tickets: bool = True  # TLS sessions may be resumed
    streams: bool = False  # the origin sends events
    h2: bool = False  # clients speak HTTP/2
    connections: int = 0  # of wrk; 0: as the plan has it
    at: str = "/"  # the path that is asked for when there is no body to bring down
    everywhere: bool = False  # the origin is at every address of this machine
    servers: tuple = ()  # those that can do it; empty: all

    @property
    def path(self):
        return f"/bytes/{self.down}" if self.down else self.at

    @property
    def body_bytes(self):
        return self.down + self.up

    @property
    def columns(self):
        """(title, field of a sample, decimals), the figure that ratios are of first."""
        per_mib = [("CPU us/MiB", "cpu_us_per_mib", 0)] if self.body_bytes else []
        return [*self.method.COLUMNS[:1], *per_mib, *self.method.COLUMNS[1:]]


def bodies():
    for tls in (False, True):
        for direction in ("down", "up"):
            for size, word in ((64 * KIB, "64k"), (MIB, "1m")):
                yield Row(f"{'tls-' if tls else ''}{direction}-{word}", tls=tls, connections=8,
                          **{direction: size})


HANDSHAKES = ("ringward", "nginx", "haproxy")
VERIFIERS = ("ringward", "relay", "haproxy")  # nginx and h2o have nothing for tokens
ROWS = {row.name: row for row in (
    Row("plain"),
    Row("tls", tls=True),
    Row("token", token="ES256", servers=VERIFIERS),
    Row("tls-token", tls=True, token="ES256", servers=VERIFIERS),
    Row("tls-token-rs256", tls=True, token="RS256", servers=VERIFIERS),
    Row("full-handshake", tls=True, new_connections=True, tickets=False, servers=HANDSHAKES),
    Row("resumed-handshake", tls=True, new_connections=True, servers=HANDSHAKES),
    *bodies(),
    Row("servers", everywhere=True, servers=("ringward", "ringward-16")),
    Row("upstream-tls", servers=("ringward-relayed", "ringward-to-tls")),
    Row("h2", h2, tls=True, h2=True, servers=("ringward", "nginx", "haproxy", "h2o")),
    Row("memory", memory, tls=True),
    Row("latency", latency),
    Row("tls-latency", latency, tls=True),
    Row("sse", events, streams=True),
    Row("streams", many_streams, streams=True, connections=9_500))}
STANDING = ("plain", "tls")  # measured by the gate


def named(words):
    """The rows of a comma-separated list, or all of them."""
    names = list(ROWS) if words == "all" else words.split(",")
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        raise Trouble(f"no such row: {', '.join(unknown)}; rows are {', '.join(ROWS)}, or all")
    return [ROWS[name] for name in names]
