#!/usr/bin/python3
"""Attacks a gate and reports: authentication bypass, injection, denial of service, disclosure.

    ./dev attack URL [--key KEY | --token TOKEN] [--only WORD] [--patience SECONDS] [--list]

URL is one that needs a credential, of a gate that is yours: some checks open hundreds of connections and
send hundreds of requests. With a good credential the checks that change one are made too. Exit status: 0
when nothing was found, 1 when something was, 2 when the gate cannot be asked.
"""

import argparse
import sys
import time

sys.dont_write_bytecode = True

import authentication  # noqa: F401  each registers its checks
import denial  # noqa: F401
import disclosure  # noqa: F401
import injection  # noqa: F401
import report
from wire import Target


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?")
    parser.add_argument("--key", help="a good API key")
    parser.add_argument("--token", help="a good token")
    parser.add_argument("--only", metavar="WORD", help="checks whose name or category has it")
    parser.add_argument("--patience", type=float, default=45.0, metavar="SECONDS",
                        help="how long the gate may let a slow client be; 45")
    parser.add_argument("--guesses", type=int, default=300, metavar="N", help="wrong keys in a row; 300")
    parser.add_argument("--list", action="store_true", help="what would be done")
    args = parser.parse_args()
    if args.list:
        for one in report.CHECKS:
            print(f"{one.category:<18} {one.name:<24} {(one.run.__doc__ or '').strip()}")
        return 0
    if not args.url:
        parser.error("a URL is needed")
    try:
        target = Target(args.url, args.key, args.token)
        target.slow, target.guesses = args.patience, args.guesses
        target.ask()
    except (ValueError, OSError) as why:
        print(f"attack: {why}", file=sys.stderr)
        return 2
    began = time.monotonic()
    return report.tell(report.run_all(target, args.only), target, began)


if __name__ == "__main__":
    sys.exit(main())
