"""Checks, what they found, and how that is told."""

import concurrent.futures
import time
from dataclasses import dataclass

CATEGORIES = ("authentication", "injection", "denial of service", "disclosure")
CHECKS = []


class Skipped(Exception):
    """A check that cannot say anything about this target, and why."""


@dataclass
class Check:
    category: str
    name: str
    run: callable
    alone: bool  # not beside others: it counts what is let in, or how long something takes


def check(category, name, alone=False):
    """Registers a function of a target that yields what it saw: text, or a Finding."""
    assert category in CATEGORIES
    def register(function):
        CHECKS.append(Check(category, name, function, alone))
        return function
    return register


class Finding(str):
    """What should not be so."""


@dataclass
class Result:
    of: Check
    seen: list
    outcome: str  # "ok", "FINDING", "skipped" or "failed"

    def lines(self):
        findings = [text for text in self.seen if isinstance(text, Finding)]
        shown = findings or self.seen[-1:]
        for number, text in enumerate(shown):
            yield f"  {self.outcome if number == 0 else '':<8} {self.of.name if number == 0 else '':<24} {text}"


def run(one, target):
    try:
        seen = list(one.run(target))
    except Skipped as why:
        return Result(one, [str(why)], "skipped")
    except OSError as why:
        return Result(one, [f"could not be done: {why!r}"], "failed")
    found = any(isinstance(text, Finding) for text in seen)
    return Result(one, seen or ["nothing was seen"], "FINDING" if found else "ok")


def run_all(target, chosen=None):
    """All checks, or those whose name or category has `chosen` in it. Those that wait do so together."""
    wanted = [one for one in CHECKS if not chosen or chosen in one.name or chosen in one.category]
    results = {}
    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        together = [one for one in wanted if not one.alone]
        for one, result in zip(together, pool.map(lambda c: run(c, target), together)):
            results[one.name] = result
    for one in wanted:
        if one.alone:
            results[one.name] = run(one, target)
    return [results[one.name] for one in wanted]


def tell(results, target, began, write=print):
    """The report; its exit status: 0, or 1 when something was found or could not be done."""
    write(f"{'https' if target.tls else 'http'}://{target.authority}{target.path}")
    for category in CATEGORIES:
        some = [one for one in results if one.of.category == category]
        if some:
            write(f"\n{category}")
        for one in some:
            for line in one.lines():
                write(line)
    count = {kind: sum(one.outcome == kind for one in results)
             for kind in ("ok", "FINDING", "skipped", "failed")}
    write(f"\n{len(results)} checks in {time.monotonic() - began:.0f} s: {count['ok']} ok, "
          f"{count['FINDING']} with findings, {count['skipped']} skipped, {count['failed']} failed")
    return 1 if count["FINDING"] or count["failed"] else 0
