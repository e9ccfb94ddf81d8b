#!/usr/bin/python3
"""Checks the rules for src/ that the compiler cannot: which folder may include which, which library
belongs to whom, what a pure folder must not do, and how long a file and a line may be.

docs/style.md explains the rules. A new folder gets a line in MAY_INCLUDE.
"""

import re
import sys
import tempfile
import unittest
from pathlib import Path

SRC = Path(__file__).resolve().parents[2] / "src"

BELOW_GATEWAY = {"base", "io", "tls", "http", "config", "observe", "auth", "geo", "limit", "route",
                 "net", "redis", "upstream"}
MAY_INCLUDE = {
    "base": set(),
    "io": {"base"},
    "tls": {"base"},
    "http": {"base"},
    "config": {"base"},
    "observe": {"base"},
    "auth": {"base", "config"},
    "geo": {"base"},
    "limit": {"base", "config"},
    "route": {"base", "config"},
    "net": {"base", "config", "io", "tls"},
    "redis": {"base", "config", "io", "net", "observe", "tls"},
    "upstream": {"base", "config", "http", "io", "net", "observe", "tls"},
    "gateway": BELOW_GATEWAY,
    "control": BELOW_GATEWAY | {"gateway"},
    "": BELOW_GATEWAY | {"gateway", "control"},  # src/main.cc
}

# A library's headers and the folders that may include them.
OWNERS = (
    (re.compile(r"liburing(/|\.h)"), ("io",)),
    (re.compile(r"wolfssl/ssl\.h"), ("tls",)),
    (re.compile(r"wolfssl/"), ("auth", "tls")),
    (re.compile(r"toml\+\+/"), ("config",)),
    (re.compile(r"CLI/"), ("control", "")),
    (re.compile(r"ares"), ("control",)),
    (re.compile(r"seccomp\.h"), ("control",)),
    (re.compile(r"maxminddb"), ("geo",)),
    (re.compile(r"hiredis/"), ("redis",)),
    (re.compile(r"nghttp2/"), ("http",)),
)

# Pure folders: no I/O on the request path, time is an argument.
PURE = {"http", "auth", "limit", "route"}
IMPURE = re.compile(
    r"\bco_(await|return|yield)\b|_clock::now\b|\bclock_gettime\b|\btime\(nullptr\)")

# Names, and the header that they are from by the standard: another one of the library may bring it
# along here and not with the next compiler. Headers that every other one needs are not in the table.
STANDARD = (
    (re.compile(r"\bstd::u?int(8|16|32|64|ptr)_t\b"), "cstdint"),
    (re.compile(r"\bstd::(min|max|clamp|copy|fill|ranges::(find|sort|any_of|all_of|replace))\("),
     "algorithm"),
    (re.compile(r"\berrno\b"), "cerrno"),
    (re.compile(r"\bstd::(mem(cpy|cmp|move|set|chr)|str(len|error))\("), "cstring"),
    (re.compile(r"\bstd::(getenv|abort|exit)\("), "cstdlib"),
    (re.compile(r"\bstd::(make_)?(unique|shared)(_ptr)?<"), "memory"),
    (re.compile(r"\bstd::(array|vector|optional|span|atomic|deque|map|set)<"), None),
    (re.compile(r"\bstd::function<"), "functional"),
    (re.compile(r"\bstd::(from|to)_chars\("), "charconv"),
)

FILE_LINES_MAX = 400
LINE_COLUMNS_MAX = 100
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def check_include(src, folder, quote, target):
    """Why this include is wrong, or nothing."""
    if quote == "<":
        for library, owners in OWNERS:
            if library.match(target) and folder not in owners:
                return f"<{target}> belongs to {' and '.join(o or 'main.cc' for o in owners)}"
        return None
    if "/" not in target or ".." in target:
        return f'"{target}" is not written as "folder/file.h"'
    if not (src / target).is_file():
        return f'"{target}" does not exist in src/'
    other = target.split("/")[0]
    if other != folder and other not in MAY_INCLUDE[folder]:
        return f"{folder or 'main.cc'} may not include {other}"
    return None


def brought(src, path, seen):
    """The library's headers that a file includes, by way of ours too."""
    if path in seen or not path.is_file():
        return set()
    seen.add(path)
    found = set()
    for quote, target in INCLUDE.findall(path.read_text()):
        found |= {target} if quote == "<" else brought(src, src / target, seen)
    return found


def check_standard(src, path, lines):
    headers = brought(src, path, set())
    for number, line in enumerate(lines, 1):
        for name, header in STANDARD:
            used = name.search(line.split("//")[0])
            wanted = used and (header or used[1])
            if wanted and wanted not in headers:
                yield number, f"{used[0]} is from <{wanted}>, which is not included"
                headers.add(wanted)


def check_file(src, path):
    name = path.relative_to(src)
    folder = name.parts[0] if len(name.parts) > 1 else ""
    if folder not in MAY_INCLUDE:
        yield 1, f"the folder {folder} is not known to this test"
        return
    lines = path.read_text().splitlines()
    yield from check_standard(src, path, lines)
    if len(lines) > FILE_LINES_MAX:
        yield len(lines), f"{len(lines)} lines; {FILE_LINES_MAX} at most"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_COLUMNS_MAX:
            yield number, f"{len(line)} columns; {LINE_COLUMNS_MAX} at most"
        include = INCLUDE.match(line)
        problem = include and check_include(src, folder, *include.groups())
        if problem:
            yield number, problem
        if folder in PURE and IMPURE.search(line.split("//")[0]):
            yield number, f"{folder} is pure: no coroutine and no clock"


def violations(src):
    for path in sorted(src.rglob("*")):
        if path.suffix in (".cc", ".h"):
            for number, problem in check_file(src, path):
                yield f"src/{path.relative_to(src)}:{number}: {problem}"


class Includes(unittest.TestCase):
    def test_the_tree_keeps_the_rules(self):
        found = list(violations(SRC))
        if found:
            self.fail("\n" + "\n".join(found))

    def test_each_rule_is_seen_when_broken(self):
        broken = {
            "io/a.h": "#include <liburing.h>\n",
            "net/a.cc": '#include "io/a.h"\n  #  include <liburing/io_uring.h>\n',
            "http/a.cc": '#include "io/a.h"\n#include "a.h"\n#include "http/none.h"\n',
            "observe/a.cc": '#include "config/a.h"\n',
            "config/a.h": "#include <wolfssl/ssl.h>\n",
            "auth/a.cc": '#include <wolfssl/wolfcrypt/rsa.h>\n#include <wolfssl/ssl.h>\n',
            "limit/a.cc": "auto t = std::chrono::steady_clock::now();  // now\n// clock::now\n",
            "route/a.cc": "x" * 101 + "\n" + "\n" * 400,
            "misc/a.cc": "",
            "base/b.h": "#include <cstdint>\n",
            "base/b.cc": '#include "base/b.h"\nstd::uint8_t a;\nstd::array<int, 2> b;  // std::map<\n',
            "main.cc": '#include "net/none.h"\n#include <CLI/CLI.hpp>\n',
        }
        expected = [
            "src/auth/a.cc:2", "src/base/b.cc:3", "src/config/a.h:1", "src/http/a.cc:1", "src/http/a.cc:2",
            "src/http/a.cc:3", "src/limit/a.cc:1", "src/main.cc:1", "src/misc/a.cc:1",
            "src/net/a.cc:2", "src/observe/a.cc:1", "src/route/a.cc:1", "src/route/a.cc:401",
        ]
        with tempfile.TemporaryDirectory() as scratch:
            src = Path(scratch)
            for name, text in broken.items():
                (src / name).parent.mkdir(exist_ok=True)
                (src / name).write_text(text)
            found = sorted(v.split(": ")[0] for v in violations(src))
        self.assertEqual(found, sorted(expected))


if __name__ == "__main__":
    if not SRC.is_dir():
        sys.exit(f"{SRC} is not there")
    unittest.main()
