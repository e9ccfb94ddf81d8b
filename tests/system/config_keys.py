"""The configuration's keys, asked of the program itself.

The names that src/config mentions are tried as keys of each table, all in one file for
`ringward check`, which says of each one in its table whether it is known. So no list of keys is kept
anywhere: a key is what the program does not call unknown.
"""

import re
from dataclasses import dataclass

import harness

STRANGER = "zzz_probe"  # no key of anything
VALUES = {"[%s]": f"{{ {STRANGER} = 1 }}", "[[%s]]": f"[{{ {STRANGER} = 1 }}]"}
SAID = re.compile(r"^.*?:(\d+):\d+: \w+: (\S+): (.*)$", re.M)


@dataclass(frozen=True)
class Table:
    words: tuple     # ("listener", "tls")
    brackets: tuple  # "[%s]" or "[[%s]]" for each

    def below(self, word, brackets="[%s]"):
        return Table(self.words + (word,), self.brackets + (brackets,))

    def header(self):
        """The lines down to the table: [[listener]], then [listener.tls]."""
        return [kind % ".".join(self.words[:i + 1]) for i, kind in enumerate(self.brackets)]


def candidates():
    """Every word of src/config that could be a key's name."""
    words = set()
    for path in sorted((harness.ROOT / "src" / "config").glob("read_*.cc")):
        words |= set(re.findall(r'"([a-z][a-z0-9_]*)"', path.read_text()))
    return sorted(words)


class Schema:
    """`keys` has each key's words; `tables` those that hold others; NAME is a name of an operator's
    choice."""

    def __init__(self, test):
        self.test = test
        self.words = candidates()
        self.keys = set()
        self.tables = set()
        self.explore(Table((), ()))

    def check(self, table, value):
        """(word, key, what was said of it) of each word as a key of the table."""
        header = table.header()
        lines = header + [f"{word} = {value}" for word in self.words]
        path = self.test.write("probe.toml", "\n".join(lines) + "\n")
        said = harness.ringward("check", "--config", path).stderr
        self.test.assertNotRegex(said, r": and \d+ more")
        for number, key, text in SAID.findall(said):
            index = int(number) - len(header) - 1
            if index >= 0:
                yield self.words[index], key, text

    def explore(self, table):
        for brackets, value in VALUES.items():
            inner = {}
            for word, key, text in self.check(table, value):
                full = ".".join(table.words + (word,))
                unknown = text.startswith("unknown key")
                if key == full and unknown:
                    continue
                self.keys.add(table.words + (word,))
                if key == f"{full}.{STRANGER}":
                    inner[word] = unknown
            for word, knows_its_keys in inner.items():
                below = table.below(word, brackets)
                self.tables.add(below.words)
                self.explore(below if knows_its_keys else below.below("NAME"))
