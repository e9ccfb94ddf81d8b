#!/usr/bin/env python3
"""Puts the page's files and uPlot's into one document, and that into a C++ source: embed.py OUT LIBRARY_JS LIBRARY_CSS

What the browser may run of it, and use as its style, is said by hashes (CSP Level 3, 2.3.1)."""

import base64
import hashlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
PIECE = 8192  # octets of one string literal


def source(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def literal(text):
    octets = text.encode()
    pieces = [octets[at:at + PIECE] for at in range(0, len(octets), PIECE)]
    return "".join("\n  " + quoted(piece) for piece in pieces)


def quoted(octets):
    plain = {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n"}
    return '"%s"' % "".join(plain.get(c) or (chr(c) if 32 <= c < 127 and c != ord("?") else "\\%03o" % c) for c in octets)


def main(out, library_js, library_css):
    script = Path(library_js).read_text() + "".join((HERE / name).read_text() for name in ("format.js", "charts.js", "page.js"))
    style = Path(library_css).read_text() + (HERE / "page.css").read_text()
    if "</script" in script or "</style" in style:
        sys.exit("embed.py: an end tag within what it would end")
    page = (HERE / "index.html").read_text()
    for mark, text in (("/*style*/", style), ("/*script*/", script)):
        if page.count(mark) != 1:
            sys.exit(f"embed.py: {mark} is wanted once in index.html")
        page = page.replace(mark, text)
    policy = (f"default-src 'none'; script-src 'sha256-{source(script)}'; style-src 'sha256-{source(style)}'; "
              "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    Path(out).write_text('#include "control/page/page.h"\n\nnamespace rw::control {\n\n'
                         f"const std::string_view page_html = {literal(page)};\n\n"
                         f"const std::string_view page_policy = {literal(policy)};\n\n}}  // namespace rw::control\n")


main(*sys.argv[1:])
