"""What all servers of a run have in common, the certificate they share, and the origin behind them."""

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import textwrap

from process import Process, Trouble

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUITE = "TLS_AES_128_GCM_SHA256"
UPLOAD_BUFFER_BYTES = 1 << 16  # the origin must not be what uploads wait for


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write(path, text, mode=0o644):
    with open(path, "w") as out:
        out.write(textwrap.dedent(text))
    os.chmod(path, mode)
    return path


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def make_certificate(directory):
    """An ECDSA P-256 certificate for localhost: chain, key, and both in one file for HAProxy."""
    chain, key, both = (os.path.join(directory, n) for n in ("cert.pem", "key.pem", "both.pem"))
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", key, "-out", chain, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"openssl req: {done.stderr}")
    with open(chain) as a, open(key) as b:
        write(both, a.read() + b.read(), 0o600)
    os.chmod(key, 0o600)
    return chain, key, both


class Setting:
    """What every server of one row needs to know."""

    def __init__(self, directory, origin, row, certificate, tokens, build, cpu, load_cpu, logs):
        self.directory, self.origin, self.row, self.build, self.cpu = directory, origin, row, build, cpu
        self.load_cpu = load_cpu
        self.tls, self.tokens = row.tls, tokens
        self.logs = logs  # peers write an access log; Ringward always does
        self.chain, self.key, self.both = certificate


class Origin:
    def __init__(self, directory, build, cpu, row):
        if row.streams:
            command = [sys.executable, os.path.join(ROOT, "bench/load/sse_origin.py")]
        else:
            command = [os.path.join(build, "bench/load/origin")]
        if row.up:
            command += ["--buffer-bytes", str(UPLOAD_BUFFER_BYTES)]
        if row.everywhere:
            command += ["--address", "0.0.0.0:0"]
        self.process = Process("origin", command, cpu, directory)
        try:
            self.address = self.process.wait_until(lambda: announced(self.process))
            self.address = self.address.replace("0.0.0.0:", "127.0.0.1:")
        except BaseException:
            self.process.stop()
            raise


def announced(process):
    found = re.search(r"^listening (\S+)$", process.said(), re.MULTILINE)
    return found and found.group(1)


class Server:
    """A proxy on a port of its own. Subclasses say how it is configured and started."""

    name = program = ""
    headers = {}  # what a client must send to be let through
    refused = ()  # headers that must be answered with 401
    cpus = None  # of its own, as taskset takes them; none: the setting's
    most = None  # requests/s, once a measurement has found it out

    def __init__(self, setting):
        self.setting = setting
        self.directory = os.path.join(setting.directory, self.name)
        os.makedirs(self.directory)
        self.port = free_port()
        self.scheme = "https" if setting.tls else "http"
        self.process = None

    def url(self, path, port=None):
        return f"{self.scheme}://127.0.0.1:{port or self.port}{path}"

    @classmethod
    def path(cls, _build):
        """The program, or None when it is not on this machine."""
        return shutil.which(cls.program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

    @classmethod
    def version(cls, build):
        return output_of(cls.path(build), "-v").splitlines()[0]

    def command(self):
        raise NotImplementedError

    def environment(self):
        """What is added to ours for the server."""
        return {}

    def start(self):
        self.process = Process(self.name, self.command(), self.cpus or self.setting.cpu, self.directory,
                               self.environment())
        self.process.wait_until(self.answers)
        self.check()

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def fetch(self, headers, path="/", body=None):
        """Status, body, and of a TLS connection its suite and whether a ticket came with the answer."""
        if self.setting.tls:
            context = ssl.create_default_context(cafile=self.setting.chain)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            link = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)
        else:
            link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            link.request("GET" if body is None else "POST", path, body, headers)
            secured = link.sock if self.setting.tls else None
            answer = link.getresponse()
            content = answer.read()
            if secured is None:
                return answer.status, content, "", False
            session = secured.session
            return answer.status, content, secured.cipher()[0], session is not None and session.has_ticket
        except (OSError, http.client.HTTPException) as why:
            raise Trouble(f"{self.name}: {self.url(path)}: {why!r}\n{self.process.said()}") from why
        finally:
            link.close()

    def check(self):
        """It does the work it is measured for, or nothing is measured."""
        row = self.setting.row
        status, body, suite, ticket = self.fetch(self.headers)
        if (status, body) != (200, b"ok"):
            raise Trouble(f"{self.name} answers {status} {body[:200]!r} where 200 b'ok' is due:\n"
                          f"{self.process.said()}")
        if self.setting.tls and suite != SUITE:
            raise Trouble(f"{self.name} chose {suite}, not {SUITE}")
        if ticket and not row.tickets:
            raise Trouble(f"{self.name} sends session tickets, which this row does without")
        if row.body_bytes:
            status, body, *_ = self.fetch(self.headers, row.path, b"u" * row.up if row.up else None)
            if status != 200 or len(body) != (row.down or len(b"ok")):
                raise Trouble(f"{self.name} answers {status} and {len(body)} bytes to {row.name}")
        for headers in self.refused:
            status, *_ = self.fetch(headers)
            if status != 401:
                raise Trouble(f"{self.name} answers {status} to a request with {headers}, not 401")

    def drop_logs(self):
        """Empties what has grown; all of these servers append, so they go on at the start."""
        for name in os.listdir(self.directory):
            path = os.path.join(self.directory, name)
            if os.path.isfile(path) and os.path.getsize(path) > 1 << 20:
                os.truncate(path, 0)

    def stop(self):
        if self.process is not None:
            self.process.stop()
