#!/usr/bin/python3
"""clang-tidy over src/, two files at a time, skipping what was clean before. `./dev lint` calls it.

    tidy.py --build DIR [--deep] [PATTERN...]

The static analyzer, half of the time at its full depth, looks into small callees alone; --deep has it
look into all of them, as the nightly run does. A file is clean for as long as it, the headers of ours that it includes, its compile command,
.clang-tidy, clang-tidy itself and the installed packages stay the same; the user's cache keeps one
empty file per such state, for all clones.
PATTERN: only files whose path contains it.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
TIDY = "clang-tidy-19"
SHALLOW = [f"--extra-arg={word}" for word in ("-Xclang", "-analyzer-config", "-Xclang", "mode=shallow")]
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
STATES_KEPT_DAYS = 30


def closure(path: Path, seen: set):
    """The file and every header of ours under it."""
    if path in seen or not path.is_file():
        return seen
    seen.add(path)
    for target in INCLUDE.findall(path.read_text()):
        closure(SRC / target, seen)
    return seen


def state(entry, common: bytes) -> str:
    digest = hashlib.sha256(common + entry["command"].replace(str(ROOT), "").encode())
    for path in sorted(closure(Path(entry["file"]), set())):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def packages() -> bytes:
    """Names and versions of what is installed, for the headers that are not ours."""
    if not shutil.which("dpkg-query"):
        return b""
    return subprocess.run(["dpkg-query", "-W"], capture_output=True, check=True).stdout


def entries(build: Path, patterns):
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = (build / entry["file"]).resolve()
        name = str(path.relative_to(ROOT)) if path.is_relative_to(SRC) else ""
        if name and path.is_file() and (not patterns or any(p in name for p in patterns)):
            yield entry | {"file": str(path), "name": name}


def check(entry, build: Path, depth, stamp: Path) -> str:
    """What clang-tidy has against the file, or nothing."""
    done = subprocess.run([TIDY, "-p", str(build), "--quiet", *depth, entry["file"]], cwd=ROOT, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode == 0:
        stamp.touch()
        return ""
    return done.stdout or done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--deep", action="store_true")
    parser.add_argument("patterns", nargs="*")
    args = parser.parse_args()
    build = args.build.resolve()
    if not shutil.which(TIDY):
        sys.exit(f"{TIDY} is not installed")
    states = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ringward" / "tidy"
    states.mkdir(parents=True, exist_ok=True)
    for old in states.iterdir():
        if time.time() - old.stat().st_mtime > STATES_KEPT_DAYS * 86400:
            old.unlink()

    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    common = version + packages() + (ROOT / ".clang-tidy").read_bytes()
    todo, clean, failed = [], 0, 0
    depth = [] if args.deep else SHALLOW
    for entry in entries(build, args.patterns):
        deep = states / state(entry, common)
        stamp = deep if args.deep else deep.with_suffix(".shallow")
        known = [one for one in (deep, stamp) if one.exists()]
        for one in known:
            one.touch()
        if known:
            clean += 1
        else:
            todo.append((entry, stamp))

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for said in pool.map(lambda item: check(item[0], build, depth, item[1]), todo):
            if said:
                failed += 1
                print(said, flush=True)
    print(f"clang-tidy: {len(todo) - failed} clean, {failed} with findings, {clean} unchanged")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
