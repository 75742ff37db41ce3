"""``isagoge read``: a message as lessons, in notation and plain words."""

from __future__ import annotations

import argparse
from pathlib import Path

from isagoge.emitter.document import read_lines
from isagoge.spec.errors import MessageError

from .common import UserError, count, message_file, natural, say, sidecar_of


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
    if options.section is not None:
        names = [section.name for section in sidecar.sections] if sidecar else []
        if options.section not in names:
            known = f"; there are: {', '.join(names)}" if names else " without a sidecar"
            raise UserError(f"the message has no section {options.section!r}{known}")
    lines = read_lines(
        message,
        sidecar.raw if sidecar else None,
        section=options.section,
        first=options.first,
        count=options.count,
    )
    try:
        for line in lines:
            print(line)
    except MessageError as error:
        say("read", f"{message} cannot be read further: {error}")
        return 1
    return 0
