"""The gate: Ringward's CPU per request over the relay's, in one run, against the committed ratio.

A slow or busy machine makes both dearer, so the quotient is what a change of ours can spoil."""

import json
import os
from dataclasses import replace

from measure import measure_row, ratio
from process import Trouble
from report import RESULTS, circumstances, table, write_json
from rows import ROWS, STANDING

COMMITTED = os.path.join(RESULTS, "gate.json")
ALLOWED = 1.10
ATTEMPTS = 3
IDLE_BYTES_MAX = 4650


def ratios_of(samples):
    return {name: round(ratio(samples, "ringward", name), 4) for name in samples if name != "ringward"}


def committed_ratios():
    """Ringward over the relay, by row."""
    try:
        with open(COMMITTED) as committed:
            rows = json.load(committed)["ringward_over"]
            return {row: float(rows[row]["relay"]) for row in STANDING}
    except FileNotFoundError as why:
        raise Trouble(f"no {COMMITTED}: make one with `gate --update` and commit it") from why
    except (ValueError, KeyError, TypeError) as why:
        raise Trouble(f"{COMMITTED}: {why!r}; `gate --update` writes it afresh") from why


def update(plan, progress):
    rows = {}
    for name in STANDING:
        samples = measure_row(plan, ROWS[name], progress)
        print(table(ROWS[name], samples))
        rows[name] = ratios_of(samples)
    path = write_json(COMMITTED, {"circumstances": circumstances(plan), "ringward_over": rows})
    print(f"gate: written {path}")
    return 0


def memory_is_good(plan, progress):
    """What an idle TLS connection costs needs no relay to be held against: it is not a matter of speed."""
    sample, = measure_row(replace(plan, names=["ringward"], rounds=1), ROWS["memory"], progress)["ringward"]
    resident, counted = sample["bytes_per_connection"], sample["own_metric"]
    good = resident <= IDLE_BYTES_MAX and counted <= IDLE_BYTES_MAX
    print(f"gate: memory: {resident:.0f} bytes of an idle TLS connection are resident, ringward counts "
          f"{counted:.0f}, allowed {IDLE_BYTES_MAX}: {'good' if good else 'worse'}", flush=True)
    return good


def check(plan, progress):
    """0 when no row is more than 10 % worse than the committed ratio, of which noise gets two more attempts,
    and an idle connection is as small as it has to be."""
    bounds = committed_ratios()
    worse = [] if memory_is_good(plan, progress) else ["memory"]
    for row in STANDING:
        was = bounds[row]
        for attempt in range(ATTEMPTS):
            now = ratios_of(measure_row(plan, ROWS[row], progress))
            others = ", ".join(f"{value:.3f} x {name}" for name, value in now.items() if name != "relay")
            good = now["relay"] <= was * ALLOWED
            print(f"gate: {row}: {now['relay']:.3f} x relay ({others or 'no peer'}), committed {was:.3f}, "
                  f"allowed {was * ALLOWED:.3f}: {'good' if good else 'worse'}", flush=True)
            if good:
                break
        else:
            worse.append(row)
    if worse:
        print(f"gate: FAILED: {', '.join(worse)}; rows: more than {ALLOWED - 1:.0%} worse than committed, "
              f"{ATTEMPTS} times in a row")
        return 1
    print("gate: passed")
    return 0
