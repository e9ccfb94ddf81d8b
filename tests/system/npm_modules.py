"""npm packages that tests use, each by its hash: what the package-lock.json of a directory here names, fetched
once into build/."""

import fcntl
import hashlib
import shutil
import subprocess

import harness

CLIENTS = harness.ROOT / "tests" / "system" / "clients"
GRPC = harness.ROOT / "tests" / "system" / "grpc"


def fetch(wanted):
    """A directory with the packages. None where npm cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    lock = (wanted / "package-lock.json").read_bytes()
    place = harness.ROOT / "build" / "clients" / hashlib.sha256(lock).hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (place / "done").exists():
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(wanted / name, place / name)
            done = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place,
                                  capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                print(done.stderr[-2000:])
                return None
            (place / "done").touch()
    return place / "node_modules"


def need(test, wanted=CLIENTS):
    """The same for a test, which is skipped where they cannot be had."""
    found = fetch(wanted)
    if found is None:
        test.skipTest(f"npm cannot fetch what {wanted.relative_to(harness.ROOT)} names")
    return found
