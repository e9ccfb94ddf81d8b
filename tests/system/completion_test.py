"""Completion in a real bash and a real zsh on a terminal: what a person is offered who presses TAB.

Each line is typed, the shell inserts everything that it would offer, and an `echo` put before the
line shows it.
"""

import os
import pty
import re
import select
import shutil
import time
import unittest

import commands
import harness

COMPLETIONS = harness.ROOT / "completions"

BASH = """
PS1= PS2= PATH={bin}:/usr/bin:/bin
bind 'set enable-bracketed-paste off' 'set completion-query-items 0'
source {completions}/ringward.bash
"""
ZSH = """
PS1= PS2= PATH={bin}:/usr/bin:/bin
unsetopt prompt_sp prompt_cr; unset zle_bracketed_paste
fpath=({completions} $fpath)
autoload -Uz compinit && compinit -D -u
zle -C insert-all complete-word _generic
zstyle ':completion:insert-all:*' completer _all_matches _complete
zstyle ':completion:insert-all:*' insert true
bindkey -e
bindkey '^[*' insert-all
"""
INSERT_ALL = b"\x1b*"  # Meta-*: readline's insert-completions, and what ZSH binds above
TO_START = b"\x01"


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, command, directory, profile):
        self.process_id, self.terminal = pty.fork()
        if self.process_id == 0:
            os.chdir(directory)
            os.environ.update(TERM="dumb", HOME=str(directory), LC_ALL="C.UTF-8", COLUMNS="4000")
            os.execvp(command[0], command)
        self.said = ""
        self.write(f"stty -echo cols 4000\n. {profile}\n")
        self.ask("echo ready")

    def write(self, text):
        os.write(self.terminal, text if isinstance(text, bytes) else text.encode())

    def read_until(self, pattern, within=60):
        deadline = time.monotonic() + harness.patience(within)
        while not (found := re.search(pattern, self.said, re.S)):
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.terminal], [], [], max(left, 0))
            if not ready:
                raise AssertionError(f"the shell said only {self.said!r}")
            self.said += os.read(self.terminal, 65536).decode(errors="replace")
        self.said = self.said[found.end():]
        return found

    def ask(self, line):
        """Has the line run; what it prints."""
        self.write(f"{line}; echo ___'end'___\n")
        return self.read_until(r"(.*?)___end___\r?\n")[1].replace("\r", "")

    def offered(self, line):
        """The words that stand at the end of the line once everything offered has been inserted."""
        self.write(line.encode() + INSERT_ALL)
        self.write(TO_START + b"printf '<%s>' ___'begin'___ " + b"\x05" + b"; echo ___'end'___\n")
        words = re.findall("<(.*?)>", self.read_until(r"<___begin___>(.*?)___end___")[1], re.S)
        return words[len(line.rsplit(" ", 1)[0].split()):]

    def close(self):
        os.close(self.terminal)
        os.waitpid(self.process_id, 0)


class Completion(harness.SystemTest):
    """What both shells have to do."""

    def setUp(self):
        super().setUp()
        self.write("bin/.keep", "")
        (self.directory / "bin/ringward").symlink_to(harness.BINARY)
        for name in ("here/a file.toml", "here/conf.d/b.toml"):
            self.write(name, "")
        (self.directory / "here").chmod(0o700)
        profile = self.write("profile", self.profile.format(bin=self.directory / "bin",
                                                            completions=COMPLETIONS))
        self.shell = Shell(self.command, self.directory / "here", profile)
        self.addCleanup(self.shell.close)

    def check_every_command(self):
        for one in commands.everything():
            line = " ".join(("ringward",) + one.words)
            if one.commands:
                self.assertEqual(sorted(self.shell.offered(line + " ")), sorted(one.commands), line)
            offered = self.shell.offered(line + " -")
            self.assertEqual(sorted(offered), sorted(one.options), line)

    def check_a_beginning(self):
        self.assertEqual(self.shell.offered("ringward st"), ["status"])
        self.assertEqual(sorted(self.shell.offered("ringward re")), ["reload", "reopen", "revoke", "revoked"])
        self.assertEqual(self.shell.offered("ringward key n"), ["new"])
        self.assertEqual(self.shell.offered("ringward run --c"), ["--config"])

    def check_values(self):
        everything = ["a file.toml", "conf.d"]
        for line in ("ringward run --config ", "ringward status --socket "):
            self.assertEqual([word.rstrip("/") for word in self.shell.offered(line)], everything)
        self.assertEqual(self.shell.offered("ringward check --config a"), ["a file.toml"])
        self.assertEqual(self.shell.offered("ringward check --config=a"), ["--config=a file.toml"])
        self.assertEqual(self.shell.offered("ringward demo --address "), [])
        self.assertEqual(self.shell.offered("ringward log level d"), ["debug"])
        self.assertEqual(self.shell.offered("ringward audit verify a"), ["a file.toml"])
        with self.subTest("an option's value is no command"):
            self.assertEqual(self.shell.offered("ringward run --config key --c"), ["--config"])


    def check_profiles(self):
        files = (harness.ROOT / "tuning").glob("ringward-*.conf")
        profiles = sorted(file.stem.removeprefix("ringward-") for file in files)
        self.assertGreater(len(profiles), 2)
        self.assertEqual(sorted(self.shell.offered("ringward tune ")), profiles)
        self.assertEqual(sorted(self.shell.offered("ringward tune --check ")), profiles)
        self.assertEqual(self.shell.offered("ringward tune ./a"), ["./a file.toml"])


@unittest.skipUnless(shutil.which("bash"), "bash is not installed")
class Bash(Completion):
    command = ["bash", "--norc", "--noprofile", "-i"]
    profile = BASH

    def test_every_command_and_option_is_offered_and_nothing_else(self):
        self.check_every_command()

    def test_a_beginning_is_completed(self):
        self.check_a_beginning()

    def test_values_are_files(self):
        self.check_values()

    def test_profiles_are_those_that_there_are(self):
        self.check_profiles()


@unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
class Zsh(Completion):
    command = ["zsh", "-f", "-i"]
    profile = ZSH

    def test_every_command_and_option_is_offered_and_nothing_else(self):
        self.check_every_command()

    def test_a_beginning_is_completed(self):
        self.check_a_beginning()

    def test_values_are_files(self):
        self.check_values()

    def test_profiles_are_those_that_there_are(self):
        self.check_profiles()


if __name__ == "__main__":
    harness.main()
