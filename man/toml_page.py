#!/usr/bin/python3
"""Makes ringward.toml(5), in mdoc(7), of docs/configuration.md, so that no key is described twice.

    toml_page.py docs/configuration.md man/ringward.8 > ringward.toml.5

The date is that of the page that is the second argument. It knows the Markdown that docs/configuration.md is written
in and no more: headings, paragraphs, bullets, tables, fenced blocks, `code` and **bold**. What it
does not know is an error, so that nothing gets lost on the way.
"""

import re
import sys
import textwrap
from pathlib import Path

COLUMNS = 78  # of a source line
PHRASE = 40  # what is not divided
HEAD = """\
.\\" Made of docs/configuration.md by man/toml_page.py: edit that.
.Dd {date}
.Dt RINGWARD.TOML 5
.Os
.Sh NAME
.Nm ringward.toml
.Nd configuration of the ringward gate
.Sh DESCRIPTION
"""
TAIL = """\
.Sh FILES
.Bl -tag -width Ds
.It Pa /etc/ringward
the directory that is read when
.Xr ringward 8
is not told another one
.El
.Sh SEE ALSO
.Xr ringward 8
"""
SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}


class Unknown(Exception):
    pass


def literal(text):
    """Text of which every character stays the one it is."""
    return "".join(SPECIAL.get(c, c) for c in text)


def bold(text):
    """In bold, without hyphens of the formatter's; divided at its blanks where it is long."""
    blank = r"\~" if len(text) <= PHRASE else " "
    return r"\fB" + blank.join(r"\%" + literal(word) for word in text.split()) + r"\fR"


def prose(text):
    """Words with `code` and **bold** in them."""
    if re.search(r"\]\(|<[a-z/!]", re.sub(r"`[^`]*`", "", text)):
        raise Unknown(f"a link or HTML: {text}")
    out = []
    for part in re.split(r"(`[^`]+`|\*\*[^*]+\*\*)", text):
        if part.startswith(("`", "**")):
            out.append(bold(part.strip("`") if part[0] == "`" else part[2:-2]))
        else:
            out.append(part.replace("\\", r"\e"))
    return "".join(out)


def lines_of(text):
    """Source lines: each sentence on a line of its own, folded, none of them a request."""
    for sentence in re.split(r"(?<=[a-z0-9)`\]*R][.?:!])\s+(?=[\\A-Z])", text):
        for line in textwrap.wrap(sentence, COLUMNS, break_long_words=False,
                                  break_on_hyphens=False):
            yield (r"\&" if line[0] in ".'" else "") + line


def paragraph(text):
    return "\n".join(lines_of(prose(text))) + "\n"


def heading(text):
    """A bracket at its end is no punctuation."""
    return text[:-1] + r"\(rB" if text.endswith("]") else text


def cells(row):
    if not row.endswith("|"):
        raise Unknown(f"a table's row: {row}")
    return [cell.strip() for cell in row[1:-1].split("|")]


def table(rows):
    """A list of tags: a table as wide as these does not fit a terminal."""
    head, rule, *body = map(cells, rows)
    if not all(re.fullmatch("-+", cell) for cell in rule):
        raise Unknown(f"a table without a head: {rows[0]}")
    out = [".Bl -tag -width Ds\n"]
    for row in body:
        if len(row) != len(head):
            raise Unknown(f"{len(row)} cells under {len(head)}: {row}")
        out.append(f".It Ic {literal(row[0]).replace(',', ' ,')}\n")
        *facts, meaning = row[1:]
        if facts and head[0] != "key":
            raise Unknown(f"a table of three columns that is not one of keys: {head}")
        if facts:
            bounds = " ".join(f"[{fact}]" for fact in facts[1:] if fact)
            out.append(paragraph(f"{facts[0]} {bounds}".strip()))
            if meaning:
                out.append(".br\n")
        if meaning:
            out.append(paragraph(meaning))
    return "".join(out) + ".El\n"


def bullets(items):
    return (".Bl -bullet\n" + "".join(".It\n" + paragraph(item) for item in items) + ".El\n")


def fenced(block):
    text = "".join((r"\&" if line[:1] in (".", "'") else "") + literal(line) + "\n"
                   for line in block)
    return f".Bd -literal -offset indent\n{text}.Ed\n"


def blocks(text):
    """(kind, content) of each block of the document, in order."""
    fence = re.compile(r"^```\w*\n(.*?)^```$", re.M | re.S)
    for index, part in enumerate(fence.split(text)):
        if index % 2:
            yield "fenced", part.splitlines()
            continue
        for block in re.split(r"\n\s*\n|\n(?=#)|(?<=[a-z\]])\n(?=[-|] )", part.strip("\n")):
            while block.startswith("#"):
                heading, _, block = block.partition("\n")
                yield "heading", heading.lstrip("#").strip()
            rows = block.splitlines()
            if not block.strip():
                continue
            if all(row.startswith("|") for row in rows):
                yield "table", rows
            elif block.startswith("- "):
                items = re.split(r"^- ", block, flags=re.M)[1:]
                yield "bullets", [" ".join(item.split()) for item in items]
            elif block[0] in "*>|+" or re.match(r"\d+\. ", block):
                raise Unknown(f"a block: {rows[0]}")
            else:
                yield "paragraph", " ".join(block.split())


def page(markdown, date):
    out = [HEAD.format(date=date)]
    before = "heading"
    for kind, content in list(blocks(markdown))[1:]:  # the first one is the document's title
        if kind == "heading":
            out.append(f".Ss {heading(content)}\n")
        else:
            if kind == "paragraph" and before != "heading":
                out.append(".Pp\n")
            out.append({"table": table, "bullets": bullets, "fenced": fenced,
                        "paragraph": paragraph}[kind](content))
        before = kind
    return "".join(out) + TAIL


def main():
    document, beside = map(Path, sys.argv[1:])
    date = re.search(r"^\.Dd (.*)$", beside.read_text(), re.M)[1]
    try:
        sys.stdout.write(page(document.read_text(encoding="ascii"), date))
    except (Unknown, UnicodeDecodeError) as what:
        sys.exit(f"{document}: {what}: man/toml_page.py does not know how to print this")


if __name__ == "__main__":
    main()
