"""2,000 hostile requests through the gate, nginx and HAProxy, to an origin that writes down what reaches it.

Of what the gate forwards nothing may break RFC 9112, and nothing may be a request that a strict reader does not
find in what the client sent. The other two are there to compare with: RW_VERBOSE=1 prints where the three differ."""

import collections
import re
import shutil
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from string import Template

import configs
import harness
import hostile_heads
import real_origins

COUNT = 2000
PATH = re.compile(rb"/[cs](\d+)")  # where the label was in a field that was not passed on
CHUNK_LINE = re.compile(rb"[0-9a-f]{1,16}")
NGINX = """
master_process off;
daemon off;
pid $dir/nginx.pid;
error_log $dir/nginx.err;
events { worker_connections 2048; }
http {
  access_log off;
  client_body_temp_path $dir/nginx-body;
  proxy_temp_path $dir/nginx-proxy;
  fastcgi_temp_path $dir/nginx-fastcgi;
  uwsgi_temp_path $dir/nginx-uwsgi;
  scgi_temp_path $dir/nginx-scgi;
  client_header_timeout 1s;
  client_body_timeout 1s;
  proxy_read_timeout 2s;
  server {
    listen 127.0.0.1:$port backlog=1024$http2;
    location / {
      proxy_pass http://$origin;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Host $$http_host;
      proxy_set_header Connection "";
    }
  }
}
"""
HAPROXY = """
global
  maxconn 2000
defaults
  mode http
  timeout connect 2s
  timeout client 1s
  timeout server 2s
  timeout http-request 1s
  retries 0
  http-reuse never
  option http-server-close
frontend in
  bind 127.0.0.1:$port$proto
  default_backend out
backend out
  server one $origin
"""


class Nginx(real_origins.Server):
    def __init__(self, directory, origin, h2=False):
        self.port = harness.free_port()
        (directory / "nginx.conf").write_text(Template(NGINX).substitute(
            dir=directory, port=self.port, origin=origin, http2=" http2" if h2 else ""))
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        super().__init__(directory, [program, "-c", str(directory / "nginx.conf")])


class Haproxy(real_origins.Server):
    def __init__(self, directory, origin, h2=False):
        self.port = harness.free_port()
        (directory / "haproxy.cfg").write_text(Template(HAPROXY).substitute(
            port=self.port, origin=origin, proto=" proto h2" if h2 else ""))
        program = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
        super().__init__(directory, [program, "-db", "-f", str(directory / "haproxy.cfg")])


class Recorder:
    """Keeps all that comes on each connection. Answers what a strict reader finds, one answer each, and closes a
    connection on which there is anything else."""

    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    def __init__(self):
        self.streams = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        stream = bytearray()
        self.streams.append(stream)
        sock.settimeout(10)
        answered = 0
        try:
            while data := sock.recv(65536):
                stream += data
                found = hostile_heads.read(bytes(stream))
                if found.state == "malformed":
                    break
                for _ in range(len(found.requests) - answered):
                    sock.sendall(self.ANSWER)
                answered = len(found.requests)
        except OSError:
            pass
        finally:
            sock.close()

    def close(self):
        self._listener.close()


def exchange(address, octets):
    """The statuses that come back; 0 where the connection ends without one."""
    with socket.create_connection(address, 10) as sock:
        sock.settimeout(harness.patience(10))
        said = b""
        try:
            sock.sendall(octets)
            while data := sock.recv(65536):
                said += data
                last = re.findall(rb"HTTP/1\.[01] (\d{3})", said)
                # The answer to whatever was last: what an idle connection is kept open for is not waited for.
                if len(last) >= 2 and said.endswith(b"ok"):
                    break
                if len(last) == 1 and said.endswith(b"ok") and b"GET /s" not in octets:
                    break
        except OSError:
            pass
        return [int(one) for one in re.findall(rb"HTTP/1\.[01] (\d{3}) ", said)] or [0]


def faults_of(streams, sent):
    """What is wrong with what of one case reached the origin, on whatever connections; `sent` is what a strict
    reader finds in what the client sent."""
    faults = []
    # As often as in `sent`, with the same body.
    left = collections.Counter((one.method, one.body) for one in sent)
    for stream in streams:
        found = hostile_heads.read(stream)
        if found.state == "malformed":
            faults.append(f"malformed: {found.why}")
        for one in found.requests:
            if any(b"_" in name for name, _ in one.fields + one.trailers):
                faults.append("an underscore in a name")
            framing = {b"content-length", b"transfer-encoding", b"host"}
            if any(name.lower() in framing for name, _ in one.trailers):
                faults.append("framing in trailers")
            left[one.method, one.body] -= 1
            if left[one.method, one.body] < 0:
                faults.append("a request that a strict reader does not find")
    return faults


def chunks_are_plain(stream):
    """Sizes as the gate writes them: no extension, no sign, nothing that two readers read as two numbers."""
    head, _, body = stream.partition(b"\r\n\r\n")
    if b"\r\ntransfer-encoding: chunked" not in head:
        return True
    while body:
        line, ended, body = body.partition(b"\r\n")
        if not ended:
            return line == b"" or CHUNK_LINE.fullmatch(line.rstrip(b"\r")) is not None
        if not CHUNK_LINE.fullmatch(line):
            return False
        size = int(line, 16)
        if size == 0:
            return True
        body = body[size + 2:]
    return True


class Sides(harness.SystemTest):
    """The same cases through the gate, nginx and HAProxy; h2_differential_test.py, too."""

    def through_each(self, cases, ask, at_once, h2=False):
        """By name of a side: what `ask` makes of each case, and what reached the origin by the case's number."""
        Path(self.directory).chmod(0o755)
        found = {}
        for name in ("gate", "nginx", "haproxy"):
            recorder = Recorder()
            self.addCleanup(recorder.close)
            address = self.start(name, recorder, h2)
            with ThreadPoolExecutor(at_once) as crew:
                ends = list(crew.map(lambda one, to=address: ask(to, one.octets), cases))
            reached = collections.defaultdict(list)
            for stream in map(bytes, filter(None, list(recorder.streams))):
                named = hostile_heads.LABEL.search(stream) or PATH.search(stream)
                reached[int(named[1]) if named else None].append(stream)
            found[name] = ends, reached
        return found

    def start(self, name, recorder, h2):
        if name == "gate":
            timeouts = "\n".join(f'timeouts.{key} = "1s"' for key in ("head", "body_gap", "keepalive"))
            # A connection for each request: what is on one is of one case.
            alone = ("retry.attempts = 1\nhealth.eject_after = 0\npool.requests_per_connection = 1\n"
                     'timeouts.first_byte = "2s"')
            return self.gate(configs.plain(listener=timeouts, upstream=alone), origin=recorder.address).address()
        server = (Nginx if name == "nginx" else Haproxy)(self.directory, recorder.address, h2)
        self.addCleanup(server.kill)
        return "127.0.0.1", server.port


class Differential(Sides):
    def test_nothing_that_could_be_read_as_two_requests(self):
        cases = hostile_heads.cases(COUNT)
        sent = [hostile_heads.read(one.octets) for one in cases]
        self.assertGreater(sum(one.state == "malformed" for one in sent), COUNT // 2)
        self.assertGreater(sum(one.state == "complete" for one in sent), COUNT // 10)
        found = self.through_each(cases, exchange, at_once=96)
        self.assertNotIn(None, found["gate"][1])
        for case, of_it in zip(cases, sent):
            streams = found["gate"][1].get(case.number, [])
            self.assertEqual(faults_of(streams, of_it.requests), [], (case, streams))
            self.assertTrue(all(map(chunks_are_plain, streams)), (case, streams))
        # Not by refusing everything: what is right and usual goes through.
        taken = [case for case in cases if found["gate"][1].get(case.number)]
        self.assertGreater(len(taken), COUNT // 10)
        self.report(cases, sent, found)

    def report(self, cases, sent, found):
        if not harness.VERBOSE:
            return
        for name, (statuses, reached) in found.items():
            faults = collections.Counter()
            for case, of_it in zip(cases, sent):
                faults.update(set(faults_of(reached.get(case.number, []), of_it.requests)))
            answers = collections.Counter(one[0] for one in statuses)
            print(f"{name}: {len(reached)} of {COUNT} reached the origin; first answers {dict(answers)}; "
                  f"faults {dict(faults)}")
        differ = collections.Counter()
        examples = {}
        for case in cases:
            what = (case.kind, *(name if case.number in reached else "-" for name, (_, reached) in found.items()))
            if len({one != "-" for one in what[1:]}) == 2:
                differ[what] += 1
                examples.setdefault(what, case)
        for what, count in sorted(differ.items()):
            print(f"{count:4} {what[0]:8} forwarded by {' '.join(one for one in what[1:] if one != '-'):20}"
                  f" e.g. {examples[what].octets[:160]!r}")


if __name__ == "__main__":
    harness.main()
