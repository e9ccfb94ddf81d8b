"""How cost grows with what there is: one Ringward for each size, all up at once, measured in turn."""

import base64
import os
import time
from dataclasses import replace

import memory
import throughput
from measure import measure_row
from process import cpu_ns
from proxies import Ringward
from rows import Row

IDLE_SECONDS = 5


class Idle:
    """A row's method: memory and CPU while connections are idle, then CPU per request beside them."""

    FIGURE = throughput.FIGURE
    COLUMNS = (*throughput.COLUMNS[:2], ("bytes/idle connection", "bytes_per_connection", 0),
               ("MiB", "resident_mib", 1), ("CPU ms/s idle", "idle_cpu_ms", 2))
    TOOLS = throughput.TOOLS
    FRESH = True

    @staticmethod
    def measure(plan, server):
        with memory.Clients(plan, server) as clients:
            clients.ask(f"open {memory.FIRST}")
            before = memory.resident_bytes(server.process.pid)
            clients.ask(f"open {server.idle_connections}")
            after = memory.resident_bytes(server.process.pid)
            began, spent = time.monotonic(), cpu_ns(server.process.pid)
            time.sleep(IDLE_SECONDS)
            idle_cpu_ms = (cpu_ns(server.process.pid) - spent) / 1e6 / (time.monotonic() - began)
            sample = throughput.measure(plan, server)
            clients.ask("check")
        return {**sample, "bytes_per_connection": (after - before) / server.idle_connections,
                "resident_mib": after / (1 << 20), "idle_cpu_ms": idle_cpu_ms}


def kind(label, **attributes):
    return type("Sized", (Ringward,), {"name": label, **attributes})


def with_connections(count):
    return kind(f"{count} idle", idle_connections=count)


def service(number):
    return f"/service-{number}/v1/items"


def with_routes(count):
    """As many with a path of their own, beside one for the rest."""
    return kind(f"{count} routes", more="\n".join(f"""
            [[route]]
            name = "service-{number}"
            path_prefix = "{service(number)}"
            methods = ["GET"]
            upstream = "origin"
            auth = ["api_keys"]
            """ for number in range(count)))


def with_keys(count):
    def word(octets):
        return base64.urlsafe_b64encode(os.urandom(octets)).rstrip(b"=").decode()
    return kind(f"{count} keys", other_keys=lambda self: (
        f"client-{number}:rwk1${word(16)}${word(32)}" for number in range(count - 1)))


def with_issuers(count):
    others = [f"other-{number}" for number in range(count - 1)]
    return kind(f"{count} issuers", issuers=["bench", *others], more=property(lambda self: "\n".join(f"""
            [auth.jwt.{name}]
            issuer = "https://{name}.example"
            audiences = ["other"]
            jwks = {{ file = "{self.setting.tokens.jwks}" }}
            algorithms = ["{self.setting.row.token}"]
            """ for name in others)))


def with_workers(count):
    """Whichever their number is, the load is on both CPUs: it has to be for two."""
    return kind(f"{count} workers", workers=count, cpus="0" if count == 1 else "0,1")


SERIES = {  # the row, what makes a server of a size, sizes
    "connections": (Row("connections", Idle, tls=True), with_connections, (1000, 5000, 15000)),
    "routes": (Row("routes", at=service(7)), with_routes, (10, 100, 1000, 10000)),
    "keys": (Row("keys"), with_keys, (10, 100, 1000, 10000, 100000)),
    "issuers": (Row("issuers", token="ES256"), with_issuers, (1, 10, 100)),
    "workers": (Row("workers"), with_workers, (1, 2)),
    "tls-workers": (Row("tls-workers", tls=True), with_workers, (1, 2)),
}


def measure_series(plan, name, progress):
    """The row and its samples by size."""
    row, make, sizes = SERIES[name]
    kinds = {made.name: made for made in map(make, sizes)}
    load_cpu = "0,1" if make is with_workers else plan.load_cpu
    plan = replace(plan, kinds=kinds, names=list(kinds), load_cpu=load_cpu)
    return row, measure_row(plan, row, progress)
