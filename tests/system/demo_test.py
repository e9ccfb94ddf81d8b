"""`ringward demo`: the curl lines it prints do what they say when they are pasted."""

import re
import signal
import subprocess
import threading

import harness


class Demo(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.lines = []
        self.process = subprocess.Popen(
            [harness.BINARY, "demo", "--address", f"127.0.0.1:{harness.free_port()}"], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=harness._die_with_parent)
        self.addCleanup(self.process.kill)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        harness.eventually(lambda: len(self.curls()) >= 6, within=10, what="six curl lines")

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def curls(self):
        return [line.strip() for line in list(self.lines) if re.search(r"\bcurl -", line)]

    def paste(self, *commands):
        return subprocess.run(["bash", "-c", "\n".join(commands)], text=True, capture_output=True,
                              timeout=harness.patience(120)).stdout

    def test_its_lines_work(self):
        key, token, with_token, stream, without, hammered = self.curls()[:6]
        self.assertIn('"method"', self.paste(key))
        self.assertIn('"method"', self.paste(token, with_token))
        streamed = self.paste(token, stream.replace("curl -", "curl --max-time 3 -"))
        self.assertIn("data:", streamed)
        self.assertRegex(self.paste(without), r"HTTP/\S+ 401")
        statuses = self.paste(hammered).split()
        self.assertEqual(len(statuses), 20)
        self.assertLessEqual(set(statuses), {"200", "429"})
        # Twenty processes may take a busy machine longer than the budget needs to fill up again:
        # the same on one connection does not.
        quick = re.sub(r"^for .*; do |; done; echo$", "", hammered)
        quick = re.sub(r"https://\S+/", lambda url: url[0] + "?[1-60]", quick)
        statuses = self.paste(quick.replace("-o /dev/null", "").replace("-sko /dev/null", "-sk"))
        self.assertIn("429 ", statuses)
        harness.eventually(lambda: any(re.search(r"\b401\b.*GET /", line) for line in self.lines),
                           what="a readable line per request")
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(harness.patience(10)), 0)


if __name__ == "__main__":
    harness.main()
