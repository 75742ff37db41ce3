"""``isagoge read``: a message as lessons, in notation and plain words."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from isagoge.emitter.dump import read_lines

from .console import UserError, count, message_file, natural, say, sidecar_of

_DAMAGE = re.compile(r"statement \d+, which begins at bit .*; reading stops here")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("message", type=Path, metavar="M.isa")
    parser.add_argument(
        "--section", metavar="NAME", help="only this section: primer, library, weights, model, vectors"
    )
    parser.add_argument(
        "--from",
        dest="first",
        type=natural,
        default=0,
        metavar="N",
        help="begin with this statement (default 0)",
    )
    parser.add_argument("--count", type=count, metavar="N", help="print so many statements")


def execute(options: argparse.Namespace) -> int:
    """Print; 1 if the message cannot be read to its end."""
    message = message_file(options.message)
    sidecar = sidecar_of(message)
    lines = read_lines(
        message,
        sidecar.raw if sidecar else None,
        section=options.section,
        first=options.first,
        count=options.count,
    )
    damage = ""
    try:
        for line in lines:
            if damage := line if _DAMAGE.fullmatch(line) else "":
                break  # the reader's last words on a damaged message
            print(line)
    except ValueError as error:
        raise UserError(str(error)) from None
    if damage:
        say("read", f"{message}: {damage}")
        return 1
    return 0
