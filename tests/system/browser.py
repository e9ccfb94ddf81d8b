"""A real browser: Chromium opens a page, and the page says what it has seen.

    pages = Pages(self, {"/": "<script>report(...)</script>"})      more may go to pages.pages
    pages.visit("/")      what the page gave to report(), once it has

Pages are served by an origin of their own at 127.0.0.1. report(value) is defined in each of them and
sends its value back there, as JSON.
"""

import json
import os
import queue
import signal
import subprocess

import harness

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-extensions", "--disable-breakpad", "--no-first-run", "--no-default-browser-check",
         "--no-proxy-server", "--password-store=basic"]
REPORT = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script>
function report(value) {
  return fetch("/report", {method: "POST", body: JSON.stringify(value)});
}
</script>
"""


class Pages:
    def __init__(self, test, pages=None):
        self._test = test
        self.pages = pages or {}  # path -> HTML
        self._reports = queue.Queue()
        self._server = test.origin(self._answer)
        self.address = self._server.address
        self.origin = f"http://{self.address}"

    def _answer(self, connection, request):
        path = request.target.split("?")[0]
        if path == "/report":
            self._reports.put(json.loads(request.body))
            connection.answer(204)
        elif path in self.pages:
            connection.answer(200, (REPORT + self.pages[path]).encode(),
                              {"Content-Type": "text/html", "Cache-Control": "no-store"})
        else:
            connection.answer(404)

    def visit(self, path, within=100.0):
        """Starts a browser with a profile of its own, and ends it when the page has reported."""
        home = self._test.directory / "browser"
        with open(self._test.directory / "browser.log", "ab") as log:
            # A group of its own: it is many processes, and they end together.
            browser = subprocess.Popen(
                [CHROMIUM, *FLAGS, f"--user-data-dir={home}", self.origin + path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=harness._die_with_parent,
                env={"HOME": str(self._test.directory), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})
        try:
            return self._reports.get(timeout=harness.patience(within))
        except queue.Empty:
            said = (self._test.directory / "browser.log").read_text(errors="replace")
            raise AssertionError(f"the page did not report:\n{said[-3000:]}") from None
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
