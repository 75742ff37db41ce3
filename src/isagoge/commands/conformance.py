"""``isagoge conformance``: the examples of SPEC.md on every receiver."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from functools import partial

from isagoge.spec.conformance import examples
from isagoge.verify import catalogue, conform

from .console import bars, say, write_json


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--receiver", action="append", default=[], metavar="NAME", help="try this receiver (may be repeated)"
    )
    parser.add_argument("--dump", action="store_true", help="print the examples as JSON and run nothing")
    parser.add_argument("--json", metavar="FILE", help="write the deviations as JSON (- for standard output)")


def execute(options: argparse.Namespace) -> int:
    """Run the suite; 1 if any receiver deviates from it."""
    suite = examples()
    if options.dump:
        json.dump([asdict(example) for example in suite], sys.stdout, ensure_ascii=False, indent=1)
        print()
        return 0
    chosen = catalogue.choose(options.receiver)
    results = {}
    with bars(len(suite), " examples") as shown:
        for receiver in chosen:
            step = partial(shown.tell, receiver.name, 0, "")
            results[receiver.name] = conform.deviations(receiver, suite, progress=step)
    if options.json != "-":
        for name, found in results.items():
            print(f"{name}: {len(suite) - len(found)} of {len(suite)} examples")
            for deviation in found:
                print(f"  {deviation}")
    write_json(
        {
            "examples": len(suite),
            "receivers": {name: [asdict(d) for d in found] for name, found in results.items()},
        },
        options.json,
    )
    wrong = [f"{name} in {len(found)}" for name, found in results.items() if found]
    if wrong:
        say("conformance", f"not as SPEC.md says, of {len(suite)} examples: {', '.join(wrong)}")
        return 1
    return 0
