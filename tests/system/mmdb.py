"""A small writer of MaxMind DB files (https://maxmind.github.io/MaxMind-DB/), for tests.

    mmdb.database({"198.51.100.0/24": "DE", "2001:db8::/32": "FR", "192.0.2.0/24": None})

gives the octets of one: None is a network that is known and has no country. A value may also be a
dict, which is written as it is. Run as a program it writes the vectors of tests/vectors/geo.
"""

import ipaddress
import struct
import sys
from pathlib import Path

UINT16, UINT32, UINT64 = 5, 6, 9
MARKER = b"\xab\xcd\xefMaxMind.com"


def encode(value):
    """A value of the data section: texts, unsigned numbers, lists and maps."""
    if isinstance(value, str):
        octets = value.encode()
        return control(2, len(octets)) + octets
    if isinstance(value, dict):
        return control(7, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, list):
        return control(11, len(value)) + b"".join(map(encode, value))
    kind, number = value if isinstance(value, tuple) else (UINT64, value)
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return control(kind, len(octets)) + octets


def control(kind, size):
    more = b""
    if size >= 29:
        more, size = bytes([size - 29]), 29
        assert more[0] < 256
    first = bytes([(kind if kind < 8 else 0) << 5 | size])
    return first + (bytes([kind - 7]) if kind >= 8 else b"") + more


class Tree:
    """Nodes as [left, right]: None, another node, or ("data", value)."""

    def __init__(self, bits):
        self.bits = bits
        self.root = [None, None]

    def put(self, address, length, value):
        """Networks within another are put after it."""
        node = self.root
        for depth in range(length - 1):
            bit = address >> (self.bits - 1 - depth) & 1
            if not isinstance(node[bit], list):
                node[bit] = [node[bit], node[bit]]
            node = node[bit]
        node[address >> (self.bits - length) & 1] = value

    def nodes(self):
        """Each once, the root first: aliases lead to one that is there already."""
        found, to_do, seen = [], [self.root], set()
        while to_do:
            node = to_do.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            found.append(node)
            to_do += [child for child in reversed(node) if isinstance(child, list)]
        return found


def record_pair(left, right, size):
    if size == 24:
        return left.to_bytes(3, "big") + right.to_bytes(3, "big")
    if size == 28:
        middle = (left >> 24) << 4 | right >> 24
        return ((left & 0xffffff).to_bytes(3, "big") + bytes([middle])
                + (right & 0xffffff).to_bytes(3, "big"))
    return struct.pack(">II", left, right)


def database(networks, version=6, record_size=24, aliases=True, built=1_700_000_000,
             kind="Test-Country"):
    tree = Tree(128 if version == 6 else 32)
    data, offsets = b"", {}
    sized = [(ipaddress.ip_network(text), value) for text, value in networks.items()]
    for network, value in sorted(sized, key=lambda one: one[0].prefixlen
                                 + (96 if one[0].version == 4 else 0)):
        if not isinstance(value, dict):
            value = {"country": {"iso_code": value}} if value else {"traits": {"is_anycast": 1}}
        octets = encode(value)
        if octets not in offsets:
            offsets[octets] = len(data)
            data += octets
        length = network.prefixlen
        if network.version == 4 and version == 6:
            length += 96
        tree.put(int(network.network_address), length, ("data", offsets[octets]))
    if version == 6 and aliases:
        v4 = tree.root
        for _ in range(96):
            v4 = v4[0] if isinstance(v4, list) else None
        if v4 is not None:
            tree.put(0xffff << 32, 96, v4)
            tree.put(0x2002 << 112, 16, v4)
    nodes = tree.nodes()
    numbers = {id(node): i for i, node in enumerate(nodes)}

    def number(record):
        if record is None:
            return len(nodes)
        if isinstance(record, list):
            return numbers[id(record)]
        return len(nodes) + 16 + record[1]

    search = b"".join(record_pair(number(a), number(b), record_size) for a, b in nodes)
    metadata = encode({
        "node_count": (UINT32, len(nodes)), "record_size": (UINT16, record_size),
        "ip_version": (UINT16, version), "database_type": kind, "languages": ["en"],
        "binary_format_major_version": (UINT16, 2), "binary_format_minor_version": (UINT16, 0),
        "build_epoch": built, "description": {"en": "a test"}})
    return search + bytes(16) + data + MARKER + metadata


NETWORKS = {"198.51.100.0/24": "DE", "198.51.100.128/25": "FR", "198.51.100.7/32": "CH",
            "203.0.113.0/24": "US", "192.0.2.0/24": None, "0.0.0.0/8": "AA",
            "255.255.255.255/32": "ZZ", "2001:db8::/32": "DE", "2001:db8:1::/48": "JP",
            "2001:db8:1::42/128": "XK", "ffff::/16": "AQ"}

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    only_v4 = {n: c for n, c in NETWORKS.items() if ":" not in n}
    for name, octets in (
            ("countries.mmdb", database(NETWORKS)),
            ("wide-records.mmdb", database(NETWORKS, record_size=32)),
            ("odd-records.mmdb", database(NETWORKS, record_size=28)),
            ("ipv4.mmdb", database(only_v4, version=4)),
            ("no-countries.mmdb", database({"192.0.2.0/24": {"asn": 1}}))):
        (folder / name).write_bytes(octets)
