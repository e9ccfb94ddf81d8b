"""The proxies under test: one configuration each, all for the same work with one worker."""

import getpass
import grp
import http.client
import json
import os
import re

from process import Process, Trouble
from server import SUITE, Server, free_port, output_of, write
from tokens import AUDIENCE, ISSUER


def bearer(tokens):
    """Headers of a good token, and those that have to be refused."""
    return ({"authorization": f"Bearer {tokens.good}"},
            [{}, *({"authorization": f"Bearer {bad}"} for bad in tokens.bad)])


def openssl_settings(directory, **settings):
    """The environment of a program on OpenSSL that has no setting of its own for these."""
    return {"OPENSSL_CONF": write(os.path.join(directory, "openssl.cnf"), "\n".join((
        "openssl_conf = program", "[program]", "ssl_conf = ssl", "[ssl]", "system_default = only", "[only]",
        *(f"{name} = {value}" for name, value in settings.items()), "")))}


class Ringward(Server):
    """With everything on that the row promises: a key, two limits, an access log."""

    name = program = "ringward"
    workers = 1
    issuers = ("bench",)  # that the route admits
    logs = ""  # more of [log]
    more = ""  # tables of the configuration that come before the others

    @classmethod
    def path(cls, build):
        program = os.path.join(build, "ringward")
        return program if os.access(program, os.X_OK) else None

    @classmethod
    def version(cls, build):
        return output_of(cls.path(build), "version")

    def __init__(self, setting):
        super().__init__(setting)
        self.admin_port = free_port()

    def metric(self, name):
        """Of its own, as a number."""
        link = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=5)
        try:
            link.request("GET", "/metrics")
            found = re.search(rf"^{name} (\S+)$", link.getresponse().read().decode(), re.MULTILINE)
        finally:
            link.close()
        if not found:
            raise Trouble(f"ringward has no metric {name}")
        return float(found[1])

    def keys(self):
        """The tables of an API key that is good."""
        made = output_of(self.path(self.setting.build), "key", "new", "bench")
        key = re.search(r"\brw_bench_[0-9A-Za-z]{20,}", made)
        line = re.search(r"\bbench:rwk1\$[\w-]+\$[\w-]+", made)
        if not key or not line:
            raise Trouble(f"ringward key new bench: no key or no key line in\n{made}")
        self.headers = {"x-api-key": key.group(0)}
        self.refused = [{}]
        lines = "".join(f"{each}\n" for each in (*self.other_keys(), line.group(0)))
        file = write(os.path.join(self.directory, "api-keys"), lines, 0o600)
        return f"""
            [auth.api_keys]
            file = "{file}"
            """

    def other_keys(self):
        """Lines of keys that nobody presents."""
        return ()

    def upstream(self):
        """Its servers, and how they are spoken to."""
        return f'servers = [{{ address = "{self.setting.origin}" }}]'

    def issuer(self):
        """Those of an issuer of tokens."""
        self.headers, self.refused = bearer(self.setting.tokens)
        return f"""
            [auth.jwt.bench]
            issuer = "{ISSUER}"
            audiences = ["{AUDIENCE}"]
            jwks = {{ file = "{self.setting.tokens.jwks}" }}
            algorithms = ["{self.setting.row.token}"]
            """

    def command(self):
        s, d = self.setting, self.directory
        tls = f"""
            [listener.tls]
            certificates = [{{ chain = "{s.chain}", key = {{ file = "{s.key}" }} }}]
            min_version = "1.3"
            ciphers = ["{SUITE}"]
            groups = ["X25519"]
            session_tickets = {str(s.row.tickets).lower()}
            """ if s.tls else ""
        config = write(os.path.join(d, "ringward.toml"), f"""
            [server]
            workers = {self.workers}
            state = "{d}"

            [log]
            level = "warning"
            access = {{ path = "{d}/access.log", format = "json", sample = 1.0 }}
            {self.logs.format(d=d)}

            [admin]
            socket = "off"
            address = "127.0.0.1:{self.admin_port}"

            [[listener]]
            name = "bench"
            address = "127.0.0.1:{self.port}"
            protocols = {'["h2", "http/1.1"]' if s.row.h2 else '["http/1.1"]'}
            {tls}{self.more}{self.issuer() if s.row.token else self.keys()}
            [[limit]]
            name = "per-ip"
            by = "client.ip"
            rate = "100000000/s"
            burst = 1000000

            [[limit]]
            name = "per-identity"
            by = "identity"
            rate = "100000000/s"
            burst = 1000000

            [[upstream]]
            name = "origin"
            {self.upstream()}
              [upstream.pool]
              idle_per_worker = 256
              max_requests_in_flight = {max(s.row.connections, 2048)}  # what is left of descriptors is for clients

            [[route]]
            name = "bench"
            path_prefix = "/"
            upstream = "origin"
            auth = {json.dumps([f"jwt:{name}" for name in self.issuers] if s.row.token else ["api_keys"])}
            limits = ["per-ip", "per-identity"]
            """)
        return [self.path(s.build), "run", "--config", config]


class Relay(Server):
    """The floor: bytes both ways, unread. It has no session tickets."""

    name = program = "relay"

    @classmethod
    def path(cls, build):
        program = os.path.join(build, "bench/load/relay")
        return program if os.access(program, os.X_OK) else None

    @classmethod
    def version(cls, build):
        return "this tree's bench/load/relay"

    def command(self):
        s = self.setting
        if s.row.token:
            self.headers, _ = bearer(s.tokens)  # as many bytes as the others move
        out = [self.path(s.build), "--address", f"127.0.0.1:{self.port}", "--upstream", s.origin]
        return out + (["--tls", "--chain", s.chain, "--key", s.key] if s.tls else [])


NGINX_NO_TICKETS = """
                ssl_session_tickets off;
                ssl_session_cache off;
                ssl_conf_command NumTickets 0;"""


class Nginx(Server):
    name = program = "nginx"

    @classmethod
    def version(cls, build):
        return output_of(cls.path(build), "-v").removeprefix("nginx version: ")

    def command(self):
        s, d = self.setting, self.directory
        user = f"user {getpass.getuser()} {grp.getgrgid(os.getgid()).gr_name};" if os.geteuid() == 0 else ""
        tls = f"""
                ssl_certificate {s.chain};
                ssl_certificate_key {s.key};
                ssl_protocols TLSv1.3;
                ssl_conf_command Ciphersuites {SUITE};
                ssl_ecdh_curve X25519;{"" if s.row.tickets else NGINX_NO_TICKETS}""" if s.tls else ""
        temporary = "\n".join(f"              {kind}_temp_path {d}/{kind};"
                              for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = write(os.path.join(d, "nginx.conf"), f"""
            {user}
            daemon off;
            worker_processes 1;
            pid {d}/nginx.pid;
            error_log stderr warn;
            events {{ worker_connections 32768; }}
            http {{
            {temporary}
              access_log {f"{d}/access.log combined" if s.logs else "off"};
              keepalive_requests 1000000000;
              client_max_body_size 0;
              proxy_request_buffering off;
              proxy_max_temp_file_size 0;
              proxy_buffering {"off" if s.row.streams else "on"};
              upstream origin {{
                server {s.origin};
                keepalive 256;
                keepalive_requests 1000000000;
              }}
              server {{
                listen 127.0.0.1:{self.port}{" ssl" if s.tls else ""}{" http2" if s.row.h2 else ""} backlog=4096;{tls}
                location / {{
                  proxy_pass http://origin;
                  proxy_http_version 1.1;
                  proxy_set_header Connection "";
                  proxy_set_header Host $http_host;
                }}
              }}
            }}
            """)
        return [self.path(s.build), "-p", d, "-c", config, "-e", "stderr"]


class Haproxy(Server):
    name = program = "haproxy"

    def environment(self):
        """`no-tls-tickets` only makes OpenSSL send tickets of another kind."""
        return {} if self.setting.row.tickets else openssl_settings(self.directory, NumTickets=0)

    def verification(self):
        """The signature and the claims, as its documentation has it; the key is read once."""
        self.headers, self.refused = bearer(self.setting.tokens)
        refusals = (f"{{ var(txn.alg) -m str {self.setting.row.token} }}", f"{{ var(txn.iss) -m str {ISSUER} }}",
                    f"{{ var(txn.aud) -m str {AUDIENCE} }}", "{ var(txn.left) -m int gt 0 }",
                    f'{{ http_auth_bearer,jwt_verify(txn.alg,"{self.setting.tokens.pem}") -m int 1 }}')
        return "\n              ".join((
            "http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')",
            "http-request set-var(txn.iss) http_auth_bearer,jwt_payload_query('$.iss')",
            "http-request set-var(txn.aud) http_auth_bearer,jwt_payload_query('$.aud')",
            "http-request set-var(txn.now) date()",
            "http-request set-var(txn.left) http_auth_bearer,jwt_payload_query('$.exp','int'),sub(txn.now)",
            *(f"http-request deny deny_status 401 unless {condition}" for condition in refusals)))

    def command(self):
        s, d = self.setting, self.directory
        # HAProxy writes logs to a descriptor or a socket, not to a file by name: its stdout is one.
        logs = ["log stdout format raw local0 info", "log global", "option httplog"] if s.logs else [""] * 3
        tls = (f" ssl crt {s.both} ssl-min-ver TLSv1.3 ciphersuites {SUITE} curves X25519 "
               f"alpn {'h2,http/1.1' if s.row.h2 else 'http/1.1'}"
               if s.tls else "")
        # Without the cache, which OpenSSL's other kind of ticket would be resumed from.
        tls += "" if s.row.tickets or not s.tls else " no-tls-tickets"
        config = write(os.path.join(d, "haproxy.cfg"), f"""
            global
              nbthread 1
              maxconn 9600
              maxpipes 256
              {"" if s.row.tickets else "tune.ssl.cachesize 0"}
              {logs[0]}
            defaults
              mode http
              {"option splice-auto" if s.row.body_bytes else ""}
              {"option http-no-delay" if s.row.streams else ""}
              {logs[1]}
              {logs[2]}
              timeout connect 2s
              timeout client 75s
              timeout server 60s
              http-reuse always
            frontend bench
              bind 127.0.0.1:{self.port}{tls}
              {self.verification() if s.row.token else ""}
              default_backend origin
            backend origin
              server origin {s.origin} pool-max-conn 256
            """)
        return [self.path(s.build), "-db", "-f", config]


class H2o(Server):
    name = program = "h2o"

    def environment(self):
        """h2o 2.2 has no setting for TLS 1.3's suites and groups."""
        return openssl_settings(self.directory, MinProtocol="TLSv1.3", Ciphersuites=SUITE, Groups="X25519")

    def command(self):
        s, d = self.setting, self.directory
        tls = f"""
              ssl:
                certificate-file: {s.chain}
                key-file: {s.key}""" if s.tls else ""
        user = f"user: {getpass.getuser()}" if os.geteuid() == 0 else ""
        config = write(os.path.join(d, "h2o.yaml"), f"""
            num-threads: 1
            max-connections: 16384
            pid-file: {d}/h2o.pid
            error-log: {d}/error.log
            {f"access-log: {d}/access.log" if s.logs else ""}
            {user}
            listen:
              host: 127.0.0.1
              port: {self.port}{tls}
            http1-request-timeout: 75
            proxy.timeout.keepalive: 60000
            proxy.preserve-host: ON
            hosts:
              default:
                paths:
                  /:
                    proxy.reverse.url: http://{s.origin}/
            """)
        return [self.path(s.build), "-c", config]


class ManyServers(Ringward):
    """The origin by 16 addresses, each checked every second, every failure counted."""

    name = "ringward-16"

    def upstream(self):
        port = self.setting.origin.rpartition(":")[2]
        servers = ", ".join(f'{{ address = "127.0.0.{i}:{port}" }}' for i in range(1, 17))
        return f"""servers = [{servers}]
              [upstream.health]
              path = "/"
              interval = "1s"
              eject_after = 5"""


class Relayed(Ringward):
    """By way of a relay on the origin's CPU: what the next one is to be held against."""

    name = "ringward-relayed"
    secured = False
    relay = None

    def upstream(self):
        return f'servers = [{{ address = "127.0.0.1:{self.relay_port}" }}]'

    def start(self):
        s, self.relay_port = self.setting, free_port()
        command = [Relay.path(s.build), "--address", f"127.0.0.1:{self.relay_port}", "--upstream", s.origin]
        command += ["--tls", "--chain", s.chain, "--key", s.key] if self.secured else []
        self.relay = Process(f"{self.name}-relay", command, s.load_cpu, self.directory)
        super().start()

    def stop(self):
        super().stop()
        if self.relay is not None:
            self.relay.stop()


class ToTls(Relayed):
    """The same, and TLS from the gate to the relay, on connections that are kept."""

    name = "ringward-to-tls"
    secured = True

    def upstream(self):
        tls = f'{{ ca = "{self.setting.chain}", server_name = "localhost" }}'
        return f"{super().upstream()}\n              tls = {tls}"


# Ringward itself in circumstances of its own: for rows that name them.
VARIANTS = {kind.name: kind for kind in (ManyServers, Relayed, ToTls)}
KINDS = {kind.name: kind for kind in (Ringward, Relay, Nginx, Haproxy, H2o)} | VARIANTS
