"""``isagoge receivers``: which receivers there are and which can run here."""

from __future__ import annotations

import argparse

from isagoge.verify import catalogue

from .console import say, write_json


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--json", metavar="FILE", help="write the list as JSON (- for standard output)")


def execute(options: argparse.Namespace) -> int:
    """List the receivers; 2 if none can run."""
    known = catalogue.receivers()
    rows = []
    for receiver in known:
        why = receiver.missing()
        row = {
            "name": receiver.name,
            "language": receiver.language,
            "source": str(receiver.source),
            "lines": receiver.lines if receiver.source.is_file() else None,
            "found": not why,
            "tool": receiver.tool(),
            "missing": why,
            "get": receiver.get,
            "seconds": receiver.seconds,
        }
        rows.append(row)
        if options.json != "-":
            state = f"ready, with {row['tool']}; {row['lines']} lines" if not why else f"missing: {why}"
            print(f"{receiver.name:8} {receiver.language:8} {receiver.seconds:5g} s  {state}")
    write_json(rows, options.json)
    if not any(row["found"] for row in rows):
        say("receivers", "no receiver can run on this machine")
        return 2
    return 0
