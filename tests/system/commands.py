"""The program's commands and options, as `ringward --help` lists them."""

import re
from dataclasses import dataclass, field

import harness

HEADING = re.compile(r" *(\w+):$")
ENTRY = re.compile(r" {2,8}((?:-[^ ,]+, *)*[a-z-][^ ]*)( [A-Z])?")


@dataclass
class Command:
    words: tuple  # ("key", "new"); () is the program itself
    alone: bool = True  # it can be given without one of its commands
    commands: list = field(default_factory=list)
    options: dict = field(default_factory=dict)  # "--config" -> whether it takes a value


def command(*words):
    """What `ringward WORDS... --help` lists."""
    done = harness.ringward(*words, "--help")
    assert done.returncode == 0, done
    found = Command(words)
    section = ""
    found.alone = "SUBCOMMAND" not in done.stdout or "[SUBCOMMAND" in done.stdout
    for line in done.stdout.splitlines():
        heading = HEADING.match(line)
        entry = ENTRY.match(line)
        if heading:
            section = heading[1].lower()
        elif entry and section == "subcommands":
            found.commands.append(entry[1])
        elif entry and section == "options":
            for name in entry[1].replace(" ", "").split(","):
                found.options[name] = entry[2] is not None
    return found


def everything(*words):
    """The command and all below it."""
    found = command(*words)
    yield found
    for name in found.commands:
        yield from everything(*words, name)
