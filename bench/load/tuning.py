"""What kernel settings change: Ringward with and without them, in turn, in the network namespace that this
runs in. bench/tune.sh makes one and calls this."""

import argparse
import glob
import os
import re
import statistics
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass

sys.dont_write_bytecode = True

from measure import Plan, measure_undisturbed, missing_tools, servers_of
from process import Trouble, raised_priority
from report import RESULTS, circumstances, write_json
from rows import named
from server import ROOT

ROWS = "plain,tls-down-1m,resumed-handshake,latency"
LINE_ROWS = "plain,tls-down-1m"  # what each line alone is measured with
# Of a row; those of others are CPU per request and requests per second.
FIGURES = {"latency": ("p50_us", "p99_us"), "tls-latency": ("p50_us", "p99_us"),
           "sse": ("added_p50_us", "added_p99_us")}
AS_IT_IS, AGAIN = "as it is", "as it is, again"  # the second one shows what is only noise
# To be called a difference, a median is so far from 1, over so many rounds, none of them among the noise.
NOISE, ROUNDS_MIN = 0.03, 3


@dataclass(frozen=True)
class Setting:
    name: str
    value: str
    at_least: bool

    @property
    def path(self):
        return "/proc/sys/" + self.name.replace(".", "/")


def settings_of(path):
    """Of a profile, as `ringward tune` reads it."""
    found, at_least = [], False
    with open(path) as lines:
        for line in lines:
            if line.startswith("#: at least"):
                at_least = True
            elif setting := re.match(r"-?([\w.]+)\s*=\s*(.*?)\s*$", line):
                found.append(Setting(setting[1], setting[2], at_least))
                at_least = False
    return found


class Kernel:
    """Parameters of this namespace, and with a process of the host's those of the whole machine."""

    def __init__(self, host):
        self.host = host

    @staticmethod
    def is_local(setting):
        return setting.name.startswith("net.") and os.path.exists(setting.path) \
            and os.stat(setting.path).st_mode & 0o200 != 0

    def shell(self, setting, script, *words):
        enter = [] if self.is_local(setting) else ["nsenter", f"--net=/proc/{self.host}/ns/net"]
        done = subprocess.run([*enter, "sh", "-c", script, "sh", *words], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise Trouble(f"{setting.name}: {done.stderr.strip()}")
        return " ".join(done.stdout.split())

    def read(self, setting):
        return self.shell(setting, 'cat "$1"', setting.path)

    def write(self, setting, value):
        self.shell(setting, 'echo "$2" > "$1"', setting.path, value)

    def wanted(self, setting):
        is_now = self.read(setting)
        if not setting.at_least:
            return setting.value
        both = zip(is_now.split(), setting.value.split())
        return " ".join(str(max(int(a), int(b))) for a, b in both)

    @contextmanager
    def holding(self, settings):
        before = []
        try:
            for setting in settings:
                before.append((setting, self.read(setting)))
                self.write(setting, self.wanted(setting))
            yield
        finally:
            for setting, value in reversed(before):
                self.write(setting, value)


def figures_of(row):
    return FIGURES.get(row.name, ("cpu_us", "requests_per_second"))


def measure(plan, kernel, rows, variants, rounds, progress):
    """Samples by row and variant, one per round; a fresh gate each time, since some settings count when a
    socket is made."""
    samples = {row.name: {name: [] for name in variants} for row in rows}
    for turn in range(rounds):
        for row in rows:
            order = list(variants)
            shift = turn % len(order)
            for name in order[shift:] + order[:shift]:
                with kernel.holding(variants[name]), servers_of(plan, row) as (server,):
                    sample = measure_undisturbed(plan, server)
                samples[row.name][name].append(sample)
                progress(f"{row.name} {turn + 1}/{rounds} {name}: " + ", ".join(
                    f"{figure} {sample[figure]:.2f}" for figure in figures_of(row)))
    return samples


def ratios_of(taken, base, figure):
    """In order, one for each round."""
    return sorted(one[figure] / other[figure] for one, other in zip(taken, base))


def differs(ratios, noise):
    """Whether these are more than what the same settings make of each other."""
    apart = ratios[0] > noise[-1] or ratios[-1] < noise[0]
    return len(ratios) >= ROUNDS_MIN and abs(statistics.median(ratios) - 1) > NOISE and apart


def table(row, by_variant):
    """Markdown: medians, and ratios to the machine as it is."""
    (first, base), *others = by_variant.items()
    figures = figures_of(row)
    lines = [f"### {row.name}", "", "| settings | " + " | ".join(
        f"{figure} | ratio" for figure in figures) + " | difference |",
        "|---" + "|---:|---:" * len(figures) + "|---|"]

    def median(taken, figure):
        return f"{statistics.median(sample[figure] for sample in taken):.{2 if figure == 'cpu_us' else 0}f}"
    lines.append(f"| {first} | " + " | ".join(f"{median(base, f)} |" for f in figures) + " | |")
    for name, taken in others:
        cells, words = [], []
        for figure in figures:
            ratios = ratios_of(taken, base, figure)
            middle = f"{statistics.median(ratios):.2f}"
            cells.append(f"{median(taken, figure)} | {middle} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
            if differs(ratios, ratios_of(by_variant[AGAIN], base, figure)):
                words.append(f"**{figure} {middle}**")
        told = "" if name == AGAIN else ", ".join(words) or "none"
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {told} |")
    return "\n".join(lines) + "\n"


def arguments():
    parser = argparse.ArgumentParser(prog="bench/tune.sh", description=__doc__)
    parser.add_argument("profiles", nargs="*", metavar="PROFILE", help="of tuning/, or files (all)")
    parser.add_argument("--global", dest="machine", action="store_true",
                        help="set what is of the whole machine too, for the time of the run")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement (%(default)s)")
    parser.add_argument("--rows", default=ROWS, help="(%(default)s)")
    parser.add_argument("--line-rows", default=LINE_ROWS, help="for each line alone (%(default)s)")
    parser.add_argument("--no-lines", dest="lines", action="store_false", help="profiles only")
    parser.add_argument("--only-lines", dest="whole", action="store_false", help="no profile as a whole")
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"), help="(%(default)s)")
    parser.add_argument("--save", metavar="NAME", help="write bench/results/NAME.json")
    parser.add_argument("--host", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def profiles_of(words):
    paths = words or sorted(glob.glob(os.path.join(ROOT, "tuning/ringward-*.conf")))
    for word in paths:
        path = word if "/" in word or word.endswith(".conf") else f"{ROOT}/tuning/ringward-{word}.conf"
        if not os.path.exists(path):
            raise Trouble(f"no such profile: {word}")
        yield os.path.basename(path).removeprefix("ringward-").removesuffix(".conf"), settings_of(path)


def run(args, progress):
    kernel = Kernel(args.host)
    variants, lines, left_out = {AS_IT_IS: [], AGAIN: []}, {AS_IT_IS: [], AGAIN: []}, []
    for name, settings in profiles_of(args.profiles):
        usable = [one for one in settings if kernel.is_local(one) or args.machine]
        left_out += [one.name for one in settings if one not in usable]
        changing = [one for one in usable if kernel.read(one) != kernel.wanted(one)]
        variants[name] = changing
        lines.update({f"{one.name} = {one.value}": [one] for one in changing})
    if left_out:
        progress("left alone, being of the whole machine (--global): " + ", ".join(sorted(set(left_out))))
    rows, line_rows = named(args.rows), named(args.line_rows)
    missing = missing_tools([*rows, *line_rows])
    if missing:
        raise Trouble(f"not installed: {', '.join(missing)}")
    plan = Plan(os.path.abspath(args.build), ["ringward"], rounds=args.rounds, seconds=args.seconds, attempts=2)
    kept = {}
    parts = [("profiles", rows, variants)] if args.whole else []
    if args.lines:
        parts.append(("lines", line_rows, lines))
    for part, its_rows, its_variants in parts:
        kept[part] = measure(plan, kernel, its_rows, its_variants, args.rounds, progress)
        for row in its_rows:
            print(table(row, kept[part][row.name]), flush=True)
    if args.save:
        where = os.path.join(RESULTS, f"{args.save}.json")
        print(f"written {write_json(where, {'circumstances': circumstances(plan), **kept})}")


def main():
    args = arguments()
    try:
        with raised_priority(-15):
            run(args, lambda line: print(line, file=sys.stderr, flush=True))
        return 0
    except Trouble as trouble:
        print(f"tune.sh: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
