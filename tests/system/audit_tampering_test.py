"""`ringward audit verify` finds whatever was done to an audit log, and says where."""

import hashlib
import re

import audit_log
import harness


class Tampering(audit_log.AuditTest):
    """Whatever is done to the file is found, and where."""

    def found(self, lines, line, word="broken", arguments=()):
        path = self.directory / "changed.jsonl"
        path.write_bytes(b"".join(lines))
        done = self.verify(*arguments, path)
        self.assertEqual(done.returncode, {"broken": 1, "open": 3}[word], done.stdout)
        self.assertIn(f"{path}:{line}: {word}: ", done.stdout)

    def test_an_edit_of_any_line_is_found_there(self):
        lines = self.stopped_log()
        for i, line in enumerate(lines):
            with self.subTest(line=i + 1):
                edited = re.sub(rb'"time":"2', b'"time":"3', line)
                self.assertNotEqual(edited, line)
                self.found(lines[:i] + [edited] + lines[i + 1:], i + 1)

    def test_an_edit_of_the_link_is_found_there(self):
        lines = self.stopped_log()
        edited = re.sub(rb'"prev":"....', b'"prev":"beef', lines[5])
        self.found(lines[:5] + [edited] + lines[6:], 6)

    def test_a_removed_line_is_found_where_it_was(self):
        lines = self.stopped_log()
        for i in range(1, len(lines) - 2):
            with self.subTest(line=i + 1):
                self.found(lines[:i] + lines[i + 1:], i + 1)
        self.found(lines[1:], 1, "open")

    def test_two_lines_changed_about_are_found(self):
        lines = self.stopped_log()
        self.found(lines[:4] + [lines[5], lines[4]] + lines[6:], 5)

    def test_a_line_twice_is_found(self):
        lines = self.stopped_log()
        self.found(lines[:5] + [lines[4]] + lines[5:], 6)

    def test_a_cut_tail_is_found_within_a_line_and_between_lines(self):
        lines = self.stopped_log()
        for i in range(2, len(lines)):
            with self.subTest(lines=i):
                self.found(lines[:i], i, "open")
        self.found(lines[:-1] + [lines[-1][:40]], len(lines), "open")

    def test_a_checkpoint_of_the_journal_shows_a_cut_that_was_made_to_look_like_a_crash(self):
        lines = self.stopped_log()
        path = self.directory / "changed.jsonl"
        path.write_bytes(b"".join(lines[:-2]))
        done = self.verify("--running", path)
        self.assertEqual(done.returncode, 0, done.stdout)
        done = self.verify("--running", "--since", lines[-1].decode(), path)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("--since is not in these files", done.stdout)

    def test_a_chain_made_anew_without_the_key_fails_at_the_signature(self):
        lines = self.stopped_log()
        head, out = None, []
        for line in lines:
            if b'"path":"/api/3"' in line:
                line = line.replace(b"alice", b"mallo")
            if head:
                line = re.sub(rb'"prev":"[0-9a-f]+"', b'"prev":"' + head + b'"', line)
            head = hashlib.blake2b(line.rstrip(b"\n"), digest_size=32).hexdigest().encode()
            out.append(line)
        self.found(out, len(out))
        plain = [re.sub(rb',"signature":"[0-9a-f]+"', b"", line) for line in out]
        self.found(plain, len(plain))

    def test_a_line_from_outside_is_found(self):
        lines = self.stopped_log()
        self.found(lines[:3] + [b'{"event":"authentication"}\n'] + lines[3:], 4)
        self.found(lines[:3] + [b"\n", b"x\n"] + lines[3:], 5)


if __name__ == "__main__":
    harness.main()
