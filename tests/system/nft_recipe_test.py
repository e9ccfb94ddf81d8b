"""The packet filters of docs/upstream-tls.md, by the real nft in network namespaces of their own."""

import os
import re
import shutil
import subprocess
import unittest

import harness

NFT = shutil.which("nft", path="/usr/sbin:/usr/bin")
LISTEN = """
import socket, sys
s = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready", flush=True)
while True:
    s.accept()[0].close()
"""
CONNECT = """
import os, socket, sys
os.setuid(int(sys.argv[3]))
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 3, (sys.argv[4], 0)).close()
    print("connected")
except OSError as why:
    print(type(why).__name__)
"""


def sh(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=20, **more).stdout


def recipes():
    text = (harness.ROOT / "docs" / "upstream-tls.md").read_text()
    return re.findall(r"```\n(table inet only_the_gate.*?\n})\n```", text, re.S)


@unittest.skipUnless(os.geteuid() == 0, "network namespaces need root")
class Recipes(harness.SystemTest):
    def namespace(self, suffix):
        name = f"rw-nft-{os.getpid()}-{suffix}"
        sh("ip", "netns", "add", name)
        self.addCleanup(sh, "ip", "netns", "del", name)
        sh("ip", "-n", name, "link", "set", "lo", "up")
        return name

    def listen(self, name, port):
        process = subprocess.Popen(["ip", "netns", "exec", name, "/usr/bin/python3", "-c", LISTEN, str(port)],
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")

    def connect(self, name, host, port, source, user=0):
        return sh("ip", "netns", "exec", name, "/usr/bin/python3", "-c", CONNECT, host, str(port), str(user),
                  source).strip()

    def load(self, name, recipe):
        sh("ip", "netns", "exec", name, NFT, "-f", "-", input=recipe)

    def test_only_the_gates_address_reaches_the_origin(self):
        origin, others = self.namespace("origin"), self.namespace("others")
        sh("ip", "link", "add", "rw-o", "netns", origin, "type", "veth", "peer", "rw-c", "netns", others)
        for name, link, addresses in ((origin, "rw-o", ["198.51.100.9"]),
                                      (others, "rw-c", ["198.51.100.1", "198.51.100.2"])):
            for address in addresses:
                sh("ip", "-n", name, "address", "add", f"{address}/24", "dev", link)
            sh("ip", "-n", name, "link", "set", link, "up")
        self.listen(origin, 8443)
        self.assertEqual(self.connect(others, "198.51.100.9", 8443, "198.51.100.2"), "connected")
        self.load(origin, recipes()[0])
        self.assertEqual(self.connect(others, "198.51.100.9", 8443, "198.51.100.1"), "connected")
        self.assertEqual(self.connect(others, "198.51.100.9", 8443, "198.51.100.2"),
                         "ConnectionRefusedError")

    def test_only_the_gates_user_reaches_the_origin_on_its_own_machine(self):
        here = self.namespace("here")
        self.listen(here, 5001)
        recipe = recipes()[1].replace('"ringward"', "12345")
        self.load(here, recipe)
        self.assertEqual(self.connect(here, "127.0.0.1", 5001, "127.0.0.1", 12345), "connected")
        self.assertEqual(self.connect(here, "127.0.0.1", 5001, "127.0.0.1", 0),
                         "ConnectionRefusedError")


if __name__ == "__main__":
    harness.main()
