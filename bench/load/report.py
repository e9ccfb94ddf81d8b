"""What a run leaves behind: a Markdown table, and JSON with all that is needed to judge the figures."""

import json
import os
import platform
import re
import subprocess

import plot
from measure import median_of, ratio
from proxies import KINDS
from server import ROOT

RESULTS = os.path.join(ROOT, "bench/results")


def table(row, samples):
    """One Markdown table; ratios are those of the first server to each of the others."""
    first, *others = samples
    figure = row.method.FIGURE
    titles = [title for title, _, _ in row.columns]
    head = ["server", titles[0], "lowest", *titles[1:], f"{first} / it"]
    lines = [f"### {row.name}", "", "| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for server, taken in samples.items():
        cells = [f"{median_of(taken, field):.{decimals}f}" for _, field, decimals in row.columns]
        lowest = f"{min(sample[figure] for sample in taken):.{row.columns[0][2]}f}"
        quotient = ratio(samples, first, server, figure) if server in others else None
        cells = [server, cells[0], lowest, *cells[1:], "" if quotient is None else f"{quotient:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def git(*arguments):
    done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def compiler_flags(build):
    """What Meson compiles this program's own sources with: the options, then one full command line."""
    introspected = subprocess.run(["meson", "introspect", build, "--buildoptions"], capture_output=True,
                                  text=True, check=False)
    options = {}
    if introspected.returncode == 0:
        wanted = ("buildtype", "optimization", "debug", "b_lto", "b_lto_mode", "b_pie", "b_pgo", "b_sanitize")
        options = {o["name"]: o["value"] for o in json.loads(introspected.stdout) if o["name"] in wanted}
    command = ""
    database = os.path.join(build, "compile_commands.json")
    if os.path.exists(database):
        with open(database) as entries:
            command = next((entry["command"] for entry in json.load(entries)
                            if entry["file"].endswith("base/text.cc")), "")
    # Paths say where somebody's tree is, not how it was built.
    flags = [word for word in command.split() if re.match(r"-(?!I|o$|c$|M)", word)]
    return options, " ".join(flags)


def cpu_model():
    with open("/proc/cpuinfo") as info:
        found = re.search(r"^model name\s*: (.*)$", info.read(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def circumstances(plan):
    options, flags = compiler_flags(plan.build)
    return {
        "commit": git("rev-parse", "HEAD"), "modified": bool(git("status", "--porcelain", "-uno")),
        "kernel": platform.release(), "cpu": cpu_model(), "cpus": os.cpu_count(),
        "load_average": os.getloadavg(), "build": options, "compiler_flags": flags,
        "versions": {name: KINDS[name].version(plan.build) for name in plan.names},
        "rounds": plan.rounds, "seconds": plan.seconds, "connections": plan.connections,
        "peer_logs": plan.peer_logs,
    }


def save(name, plan, rows):
    """Both files that a run leaves."""
    path = os.path.join(RESULTS, f"{name}.json")
    write_json(path, {"circumstances": circumstances(plan), "rows": {row.name: samples for row, samples in rows.items()}})
    return path, plot.save(os.path.join(RESULTS, f"{name}.svg"), rows)


def write_json(path, content):
    os.makedirs(RESULTS, exist_ok=True)
    with open(path, "w") as out:
        json.dump(content, out, indent=1)
        out.write("\n")
    return path
