"""`ringward tune` on real parameters: those of a network namespace of its own, with directories of its
own where the machine's /etc/sysctl.d and /var/lib/ringward are. And the profiles that are shipped."""

import os
import re
import subprocess
import unittest

import harness

TUNING = harness.ROOT / "tuning"
LATENCY = TUNING / "ringward-latency.conf"  # which is all of network namespaces
PROFILES = sorted(TUNING.glob("ringward-*.conf"))
SETTING = re.compile(r"^(-?)([\w./-]+) = (.+)$")

# A test is one shell, since what is set in the namespace goes with it.
PRELUDE = """
set -u
mkdir -p "$DIR/sysctl.d" "$DIR/state" /etc/sysctl.d
mount --bind "$DIR/sysctl.d" /etc/sysctl.d
tune() { "$RINGWARD" tune --state "$DIR/state" "$@"; }
set_value() { echo "$2" > "/proc/sys/$1"; }
values() {
  (cd /proc/sys && grep . net/core/somaxconn net/ipv4/tcp_{slow_start_after_idle,notsent_lowat,autocorking} \
    net/ipv4/tcp_{migrate_req,rmem})
}
set_value net/core/somaxconn 128
values > "$DIR/before"
"""


def can_unshare():
    return subprocess.run(["unshare", "-mn", "true"], capture_output=True, check=False).returncode == 0


@unittest.skipUnless(can_unshare(), "needs root, for namespaces of its own")
class Tune(harness.SystemTest):
    def inside(self, script):
        """What a shell in fresh network and mount namespaces says; the script exits with 0."""
        environment = {"DIR": str(self.directory), "RINGWARD": str(harness.BINARY),
                       "LATENCY": str(LATENCY)}
        done = subprocess.run(["unshare", "-mn", "bash", "-c", PRELUDE + script], text=True,
                              capture_output=True, timeout=harness.patience(60), check=False,
                              env=os.environ | harness.SANITIZER_OPTIONS | environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def left(self):
        return os.listdir(self.directory / "sysctl.d") + os.listdir(self.directory / "state")

    def test_a_profile_is_applied_and_put_back(self):
        out, _ = self.inside("""
            tune "$LATENCY" --check; [ $? = 1 ] || exit 10
            tune "$LATENCY" --apply || exit 11
            tune "$LATENCY" --check || exit 12
            tune "$LATENCY" --apply || exit 13   # which must not take this for what was there
            stat -c %a "$DIR/state/tune-before"
            tune | head -1
            values > "$DIR/applied"
            # The next boot: a namespace with its defaults, and the file that is there.
            unshare -n bash -c "$(declare -f values)"'
              while read -r name _ value; do
                case $name in net.*) echo "$value" > "/proc/sys/${name//.//}" ;; esac
              done < /etc/sysctl.d/ringward-tune.conf
              values' | diff "$DIR/applied" - || exit 14
            tune --revert || exit 15
            values | diff "$DIR/before" - || exit 16
            tune --revert || exit 17
        """)
        self.assertIn("net.core.somaxconn: 128 -> 4096\n", out)
        self.assertRegex(out, r"\n600\napplied: latency ")
        self.assertIn("net.core.somaxconn: 4096 -> 128\n", out)
        self.assertIn("there is nothing to put back\n", out)
        self.assertEqual(self.left(), [])

    def test_what_a_namespace_cannot_do_is_told_and_the_rest_is_done(self):
        # Global ones: the first is not there at all, the second is read-only, or was not there once.
        self.write("own.conf", "net.core.netdev_max_backlog = 4000\nnet.core.rmem_max = 300000\n"
                   "net.core.somaxconn = 4096\nnet.ipv4.tcp_migrate_req = 7\n"
                   "-net.no.such.parameter = 1\nnet.ipv4.tcp_rmem = 4096 65536 1000000\n")
        out, err = self.inside("""
            tune "$DIR/own.conf" --apply; [ $? = 1 ] || exit 10
            cat /etc/sysctl.d/ringward-tune.conf
            values | grep -e somaxconn -e rmem
            tune --revert || exit 11
            values | diff "$DIR/before" - || exit 12
        """)
        self.assertRegex(err, r"error: net\.core\.netdev_max_backlog: .* has no such parameter")
        self.assertRegex(err, r"error: net\.core\.rmem_max: ")
        self.assertRegex(err, r"error: net\.ipv4\.tcp_migrate_req: cannot be set to 7: Invalid argument")
        self.assertEqual(err.count("error"), 3, err)
        self.assertIn("somaxconn:4096\n", out)
        self.assertIn("tcp_rmem:4096\t65536\t1000000\n", out)
        written = re.findall(r"^(net\.[\w.]+) = ", out, re.MULTILINE)
        self.assertEqual(written, ["net.core.somaxconn", "net.ipv4.tcp_rmem"])
        self.assertEqual(self.left(), [])

    def test_another_profile_takes_the_place_of_the_first(self):
        self.write("other.conf", "net.core.somaxconn = 512\n")
        out, _ = self.inside("""
            tune "$LATENCY" --apply && tune "$DIR/other.conf" --apply || exit 10
            values | grep -v somaxconn > "$DIR/now"
            grep -v somaxconn "$DIR/before" | diff - "$DIR/now" || exit 11
            values | grep somaxconn
            tune | head -1
            tune --revert || exit 12
            values | diff "$DIR/before" - || exit 13
        """)
        self.assertIn("somaxconn:512\n", out)
        self.assertIn("applied: other ", out)

    def test_a_directory_that_is_read_only_is_told(self):
        _, err = self.inside("""
            mount -o remount,bind,ro /etc/sysctl.d
            tune "$LATENCY" --apply; [ $? = 1 ] || exit 10
            grep -q 4096 /proc/sys/net/core/somaxconn || exit 11
            tune --revert || exit 12
            values | diff "$DIR/before" - || exit 13
        """)
        self.assertRegex(err, r"error: /etc/sysctl\.d/ringward-tune\.conf: Read-only file system")

    def test_without_the_right_nothing_is_changed(self):
        _, err = self.inside("""
            chmod 711 "$DIR"; chmod 755 "$DIR/state"
            cp "$RINGWARD" "$DIR/gate"; cp "$LATENCY" "$DIR/"; chmod 755 "$DIR/gate" "$DIR/"*.conf
            setpriv --reuid 65534 --regid 65534 --clear-groups "$DIR/gate" tune --state "$DIR/state" \\
              "$DIR/ringward-latency.conf" --apply; [ $? = 1 ] || exit 10
            values | diff "$DIR/before" - || exit 11
        """)
        self.assertRegex(err, r"error: \S+/tune-before: Permission denied: run this as root")
        self.assertEqual(self.left(), [])


class Profiles(harness.SystemTest):
    """What meson installs."""

    def test_each_setting_says_why_and_what_it_costs(self):
        self.assertEqual(len(PROFILES), 3)
        for path in PROFILES:
            for block in path.read_text().split("\n\n")[1:]:
                settings = [line for line in block.splitlines() if SETTING.match(line)]
                with self.subTest(f"{path.name}: {settings}"):
                    self.assertEqual(len(settings), 1)
                    words = re.findall(r"^# (why|source|trades|scope): +\S", block, re.MULTILINE)
                    self.assertEqual(words, ["why", "source", "trades", "scope"])

    def test_this_kernel_has_them_and_they_are_of_what_they_say(self):
        """Those of namespaces are there and can be written in a fresh one; no other one can."""
        ours = "; ".join(f"stat -c '%A %n' {self.file_of(name)} 2>&1" for name in self.settings())
        seen = subprocess.run(["unshare", "-n", "bash", "-c", ours] if can_unshare() else ["true"],
                              text=True, capture_output=True, check=True).stdout
        for name, (optional, of_namespace) in self.settings().items():
            with self.subTest(name):
                here = os.path.exists(self.file_of(name))
                self.assertTrue(here or optional)
                if seen and here:
                    can = f"-rw-r--r-- {self.file_of(name)}\n" in seen and name.startswith("net.")
                    self.assertEqual(can, of_namespace, seen)

    @staticmethod
    def file_of(name):
        return "/proc/sys/" + name.replace(".", "/")

    @staticmethod
    def settings():
        """name -> (may be missing, is of a network namespace)"""
        found = {}
        for path in PROFILES:
            for block in path.read_text().split("\n\n")[1:]:
                dash, name, _ = SETTING.match(block.splitlines()[-1]).groups()
                found[name] = (bool(dash), "network namespace" in block)
        return found


if __name__ == "__main__":
    harness.main()
