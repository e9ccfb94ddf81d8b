"""What one client may have of a listener: connections at once, TLS handshakes in a time."""

import re
import signal
import socket
import ssl

import configs
import credentials
import harness
from client import Closed, Connection, tls_context


class Bounds(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))

    def start(self, listener, files=None):
        return self.gate(configs.plain(listener=listener, more="[server]\nworkers = 4\n"),
                         files=files, origin=self.upstream.address)

    def connect(self, gate):
        made = gate.connect()
        self.addCleanup(made.close)
        return made

    def connect_from(self, gate, address):
        sock = socket.create_connection(gate.address()[:2], timeout=harness.patience(10),
                                        source_address=(address, 0))
        self.addCleanup(sock.close)
        return Connection(sock, "localhost")

    def served(self, connection):
        """Whether a request is answered; a connection that is closed at once is not."""
        try:
            return connection.request("GET", "/").status == 200
        except (OSError, Closed):
            return False

    def refused(self, gate, reason):
        found = re.search(rf'ringward_refusals_total\{{reason="{reason}"\}} (\d+)', gate.metrics())
        return int(found[1]) if found else 0


class Connections(Bounds):
    def test_no_more_than_it_says_over_all_workers(self):
        gate = self.start("max_connections_per_client = 5")
        held = [self.connect(gate) for _ in range(5)]
        for one in held:
            self.assertTrue(self.served(one))
        for _ in range(8):
            with gate.connect() as surplus:
                self.assertFalse(self.served(surplus))
        harness.eventually(lambda: self.refused(gate, "client_connections") == 8, what="8 refused")
        other = self.connect_from(gate, "127.0.0.2")
        self.assertTrue(self.served(other))
        other.close()
        for one in held:  # nobody who was there is worse off
            self.assertTrue(self.served(one))
        held.pop().close()
        held.pop().reset()
        more = []

        def come_in():
            one = self.connect(gate)
            if not self.served(one):
                one.close()
                return False
            more.append(one)
            return len(more) == 2
        harness.eventually(come_in, what="two places")
        with gate.connect() as surplus:
            self.assertFalse(self.served(surplus))

    def test_a_peer_that_speaks_for_others_is_exempt(self):
        gate = self.start('max_connections_per_client = 2\nclient_address_from = ["127.0.0.2"]')
        proxied = [self.connect_from(gate, "127.0.0.2") for _ in range(6)]
        self.assertTrue(all(self.served(one) for one in proxied))
        direct = [self.connect(gate) for _ in range(2)]
        self.assertTrue(all(self.served(one) for one in direct))
        with gate.connect() as surplus:
            self.assertFalse(self.served(surplus))
        for one in proxied + direct:
            one.close()

    def test_a_reload_changes_the_bound_and_keeps_the_count(self):
        gate = self.start("max_connections_per_client = 3")
        held = [self.connect(gate) for _ in range(3)]
        self.assertTrue(all(self.served(one) for one in held))
        path = self.directory / "config" / "ringward.toml"
        path.write_text(path.read_text().replace("per_client = 3", "per_client = 4"))
        gate.signal(signal.SIGHUP)

        def come_in():
            one = self.connect(gate)
            if self.served(one):
                held.append(one)
                return True
            one.close()
            return False
        harness.eventually(come_in, what="the new bound")
        for _ in range(3):
            with gate.connect() as surplus:
                self.assertFalse(self.served(surplus))
        for one in held:
            self.assertTrue(self.served(one))


class Handshakes(Bounds):
    def test_no_more_than_the_rate(self):
        own = credentials.certificate("localhost")
        gate = self.start('handshakes_per_client = "4/h"\n' + configs.TLS,
                          files={"cert.pem": own.chain, "key.pem": own.key})
        context = tls_context()

        def shakes(address="127.0.0.1"):
            with self.connect_from(gate, address) as plain:
                try:
                    secured = context.wrap_socket(plain.socket, server_hostname="localhost")
                except (ssl.SSLError, ConnectionError):
                    return False
                return self.served(Connection(secured, "localhost"))
        self.assertEqual([shakes() for _ in range(6)], [True] * 4 + [False] * 2)
        self.assertTrue(shakes("127.0.0.2"))
        harness.eventually(lambda: self.refused(gate, "client_handshakes") == 2, what="2 refused")


if __name__ == "__main__":
    harness.main()
