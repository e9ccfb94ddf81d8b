"""A name server that answers well or badly, on port 53 of a loopback address of its own.

    names = NameServer()
    names.records["origin.example"] = ["127.0.0.2", "::1"]
    names.mode = "servfail"          for all names; see MODES
    names.modes[AAAA] = "silent"     for one type, of names that have records

Over UDP and TCP; takes root, for the port. What it was asked is in `asked`: (name, type, "udp" or
"tcp").
"""

import contextlib
import ipaddress
import os
import random
import socket
import struct
import threading

# well; no such name; the name without a record; SERVFAIL; nothing at all; octets that are no
# message; over UDP only that there is more.
MODES = ("well", "nxdomain", "empty", "servfail", "silent", "garbage", "truncated")
A, AAAA = 1, 28


def bind_somewhere():
    """A UDP and a TCP socket on port 53 of one loopback address."""
    while True:
        host = f"127.53.{random.randrange(256)}.{random.randrange(1, 255)}"
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            udp.bind((host, 53))
            tcp.bind((host, 53))
            tcp.listen(16)
            return host, udp, tcp
        except OSError:
            udp.close()
            tcp.close()


class NameServer:
    def __init__(self):
        self.records = {}
        self.mode = "well"
        self.modes = {}
        self.turns = False  # each answer with other addresses than the one before
        self.ttl = 1
        self.asked = []
        self.host, self.udp, self.tcp = bind_somewhere()
        for run in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=run, daemon=True).start()

    def stop(self):
        for one in (self.udp, self.tcp):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve_udp(self):
        with contextlib.suppress(OSError):
            while True:
                query, sender = self.udp.recvfrom(4096)
                if not query:  # stop()
                    return
                if answer := self.answer(query, "udp"):
                    self.udp.sendto(answer, sender)

    def _serve_tcp(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.tcp.accept()
                threading.Thread(target=self._serve_client, args=(client,), daemon=True).start()

    def _serve_client(self, client):
        with contextlib.suppress(OSError), client:
            while head := client.recv(2, socket.MSG_WAITALL):
                query = client.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
                if answer := self.answer(query, "tcp"):
                    client.sendall(struct.pack("!H", len(answer)) + answer)

    def answer(self, query, how):
        labels, at = [], 12
        while size := query[at]:
            labels.append(query[at + 1:at + 1 + size].decode())
            at += 1 + size
        name = ".".join(labels).lower()
        kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        question = query[12:at + 5]
        mode = self.modes.get(kind, self.mode) if name in self.records else self.mode
        self.asked.append((name, kind, how))
        if mode == "silent":
            return None
        if mode == "garbage":
            return query[:2] + b"\x81\x80" + os.urandom(40)
        flags, data = 0x8180, []
        if mode == "nxdomain" or name not in self.records:
            flags |= 3
        elif mode == "servfail":
            flags |= 2
        elif mode == "truncated" and how == "udp":
            flags |= 0x0200
        elif mode != "empty":
            found = [ipaddress.ip_address(one) for one in self.records[name]]
            data = [one.packed for one in found if kind == (A if one.version == 4 else AAAA)]
            if self.turns and kind == A:
                turn = sum(asked[1] == A for asked in self.asked) % 250
                data = [bytes([127, 8, turn, 1 + i]) for i in range(len(data))]
        records = [struct.pack("!HHHIH", 0xc00c, kind, 1, self.ttl, len(one)) + one for one in data]
        return query[:2] + struct.pack("!HHHHH", flags, 1, len(data), 0, 0) + question + b"".join(
            records)
