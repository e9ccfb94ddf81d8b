"""The npm packages that tests use, of the versions in tests/system/clients: fetched once into build/."""

import fcntl
import hashlib
import shutil
import subprocess

import harness

CLIENTS = harness.ROOT / "tests" / "system" / "clients"


def fetch():
    """A directory with what package-lock.json names, each package by its hash: fetched once. None where npm
    cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    lock = (CLIENTS / "package-lock.json").read_bytes()
    place = harness.ROOT / "build" / "clients" / hashlib.sha256(lock).hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (place / "done").exists():
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(CLIENTS / name, place / name)
            done = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place,
                                  capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                print(done.stderr[-2000:])
                return None
            (place / "done").touch()
    return place / "node_modules"


def need(test):
    """The same for a test, which is skipped where they cannot be had."""
    found = fetch()
    if found is None:
        test.skipTest("npm cannot fetch what tests/system/clients names")
    return found
