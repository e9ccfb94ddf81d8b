#!/usr/bin/python3
"""Runs the tests and counts them. People call it through ./dev test, asan, tsan and fuzz.

    run.py [KIND] [FILTER] --build DIR [--binary FILE] [--seconds N]

KIND is unit, sim, system, fuzz or all (unit, sim and system). FILTER picks test programs whose name
contains it; where it is no program's name, it picks the cases whose name contains it.

The unit tests and the simulation are those Meson knows in DIR; each case inside a program counts.
The system tests are tests/system/*_test.py, against FILE. A program that fails without a failed
case (a crash, a leak at exit, a time-out) counts as one failure. The last line is
`N passed, N failed`.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORES = len(os.sched_getaffinity(0))
SANITIZER = os.environ.get("RW_SANITIZER", "")
PATIENCE = {"": 1, "asan": 3, "tsan": 6}.get(SANITIZER, 6)  # how much slower a build may be
OUTPUT_LINES_MAX = 200


@dataclass
class Program:
    kind: str
    name: str
    command: list
    timeout: float  # seconds
    env: dict = field(default_factory=dict)
    directory: Path = ROOT
    cases: str = "none"  # how to pick some of its cases: gtest, unittest or none


@dataclass
class Outcome:
    program: Program
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    output: str = ""


def native_programs(build: Path):
    """What Meson registered: tests/sim is the simulation, everything else is a unit test."""
    listed = json.loads((build / "meson-info" / "intro-tests.json").read_text())
    for test in listed:
        gtest = "python3" not in test["cmd"][0]
        yield Program(
            kind="sim" if "/tests/sim/" in test["cmd"][0] else "unit",
            name=test["name"],
            command=test["cmd"],
            timeout=max(test["timeout"], 60) * PATIENCE,
            env=test["env"],
            directory=Path(test["workdir"] or build),
            cases="gtest" if gtest else "none",
        )


def system_programs(binary: Path):
    directory = ROOT / "tests" / "system"
    for file in sorted(directory.glob("*_test.py")):
        yield Program(
            kind="system",
            name=file.stem.removesuffix("_test"),
            command=[sys.executable, "-m", "unittest", file.stem],
            timeout=300 * PATIENCE + float(os.environ.get("RW_SOAK_SECONDS", "0")),
            env={"RW_BINARY": str(binary), "PYTHONDONTWRITEBYTECODE": "1"},
            directory=directory,
            cases="unittest",
        )


def fuzz_programs(build: Path, seconds: int):
    """What a target finds joins BUILD/corpus; the seeds in tests/fuzz/corpus stay as they are."""
    crashes = build / "crashes"
    crashes.mkdir(exist_ok=True)
    for target in sorted((build / "tests" / "fuzz").glob("fuzz_*")):
        if target.is_dir() or not os.access(target, os.X_OK):
            continue
        name = target.name.removeprefix("fuzz_")
        found = build / "corpus" / name
        found.mkdir(parents=True, exist_ok=True)
        seeds = ROOT / "tests" / "fuzz" / "corpus" / name
        yield Program(
            kind="fuzz",
            name=name,
            command=[str(target), f"-max_total_time={seconds}", "-timeout=10",
                     "-rss_limit_mb=2048", f"-artifact_prefix={crashes}/{name}-", str(found)]
            + ([str(seeds)] if seeds.is_dir() else []),
            timeout=seconds + 120,
        )


def select(programs, pattern):
    """Programs that have the name run whole; else every program runs its cases that have."""
    if not pattern:
        return programs
    named = [p for p in programs if pattern in p.name]
    if named:
        return named
    chosen = [p for p in programs if p.cases != "none"]
    for program in chosen:
        if program.cases == "gtest":
            program.env["GTEST_FILTER"] = f"*{pattern}*"
        else:
            program.command = program.command + ["-k", pattern]
    return chosen


def count_gtest(outcome: Outcome, report: Path):
    for suite in json.loads(report.read_text())["testsuites"]:
        for case in suite["testsuite"]:
            if case.get("failures"):
                outcome.failed += 1
            elif case["result"] == "SKIPPED" or case["status"] == "NOTRUN":
                outcome.skipped += case["result"] == "SKIPPED"
            else:
                outcome.passed += 1


def count_unittest(outcome: Outcome, ran: int):
    words = dict(re.findall(r"(failures|errors|unexpected successes|skipped)=(\d+)",
                            outcome.output))
    outcome.skipped = int(words.pop("skipped", 0))
    outcome.failed = sum(map(int, words.values()))
    outcome.passed = max(ran - outcome.failed - outcome.skipped, 0)


def count(outcome: Outcome, status: int, report: Path):
    ran = re.search(r"^Ran (\d+) tests? in ", outcome.output, re.M)
    if report.exists() and report.stat().st_size:
        count_gtest(outcome, report)
    elif ran:
        count_unittest(outcome, int(ran[1]))
        if status == 5 and ran[1] == "0":  # Python 3.12 and later: no case has the name
            return
    elif status == 77 and outcome.program.kind in ("unit", "sim"):  # Meson's word for skipped
        outcome.skipped = 1
        return
    elif status == 0:
        outcome.passed = 1
    if status != 0 and outcome.failed == 0:
        outcome.failed = 1
        outcome.output += f"\n{outcome.program.name}: exit status {status} without a failed case\n"


running = set()  # process groups, ended with us


def interrupted(number, _frame):
    for group in list(running):
        end_group(group)
    os._exit(128 + number)


def execute(program: Program) -> Outcome:
    outcome = Outcome(program)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rw-test-") as scratch:
        report = Path(scratch) / "report.json"
        env = os.environ | program.env | {"GTEST_OUTPUT": f"json:{report}", "GTEST_BRIEF": "1"}
        with tempfile.TemporaryFile(mode="w+", errors="replace") as output:
            process = subprocess.Popen(program.command, cwd=program.directory, env=env,
                                       stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT, start_new_session=True)
            running.add(process.pid)
            try:
                status = process.wait(program.timeout)
            except subprocess.TimeoutExpired:
                status = "time-out"
            finally:
                end_group(process.pid)
                process.wait()
            output.seek(0)
            outcome.output = output.read()
        count(outcome, status, report)
    outcome.seconds = time.monotonic() - start
    return outcome


def end_group(group: int):
    """Nothing a test started outlives it."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
    running.discard(group)


def describe(outcome: Outcome):
    words = f"{outcome.passed} passed, {outcome.failed} failed"
    if outcome.skipped:
        words += f", {outcome.skipped} skipped"
    if outcome.program.kind == "fuzz":
        cov = re.findall(r"^#(\d+)\s+DONE\s+(?:cov: (\d+))?", outcome.output, re.M)
        words += f" ({cov[-1][0]} runs, {cov[-1][1]} edges)" if cov else ""
    print(f"{outcome.program.kind} {outcome.program.name}: {words} ({outcome.seconds:.1f} s)")
    if outcome.failed:
        lines = outcome.output.splitlines()
        if len(lines) > OUTPUT_LINES_MAX:
            print(f"    ... {len(lines) - OUTPUT_LINES_MAX} lines above are left out")
        print("\n".join("    " + line for line in lines[-OUTPUT_LINES_MAX:]))
    sys.stdout.flush()


def failures(outcome: Outcome):
    """What failed, a line each: for the end of a log of which perhaps only the end is kept."""
    cases = re.findall(r"^\[  FAILED  \] (\S+?),? ", outcome.output, re.M)
    for kind, case, said in re.findall(r"^(FAIL|ERROR): (\S+)(.*?)(?=^=====|^Ran )", outcome.output, re.M | re.S):
        last = [line for line in said.splitlines() if line and not line.startswith((" ", "-"))]
        cases.append(f"{case}: {last[-1][:300] if last else kind}")
    for case in cases or outcome.output.splitlines()[-1:]:
        print(f"failed: {outcome.program.kind} {outcome.program.name}: {case}")


def run_all(programs):
    """The native tests and the fuzz targets take a core each; system tests go two at a time, since
    their gates and clients have threads of their own."""
    outcomes = []
    for kinds, jobs in ((("unit", "sim", "fuzz"), CORES), (("system",), min(2, CORES))):
        batch = [p for p in programs if p.kind in kinds]
        with ThreadPoolExecutor(jobs) as pool:
            for finished in as_completed([pool.submit(execute, p) for p in batch]):
                outcomes.append(finished.result())
                describe(outcomes[-1])
    return outcomes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", nargs="?", default="all")
    parser.add_argument("filter", nargs="?", default="")
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--binary", type=Path, default=Path("build/release/ringward"))
    parser.add_argument("--seconds", type=int, default=20)
    args = parser.parse_args()
    wanted = {"all": ("unit", "sim", "system")}.get(args.kind, (args.kind,))
    if not set(wanted) <= {"unit", "sim", "system", "fuzz"}:
        parser.error(f"'{args.kind}' is not unit, sim, system, fuzz or all")

    programs = []
    if "unit" in wanted or "sim" in wanted:
        programs += [p for p in native_programs(args.build.resolve()) if p.kind in wanted]
    if "system" in wanted:
        programs += system_programs(args.binary.resolve())
    if "fuzz" in wanted:
        programs += fuzz_programs(args.build.resolve(), args.seconds)

    outcomes = run_all(select(programs, args.filter))
    passed, failed, skipped = (sum(getattr(o, n) for o in outcomes)
                               for n in ("passed", "failed", "skipped"))
    for one in outcomes:
        if one.failed:
            failures(one)
    if passed + failed + skipped == 0:
        print("no test has that name" if args.filter else "there is no test")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(0 if failed == 0 and passed > 0 else 1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    main()
