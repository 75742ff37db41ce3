"""The command line. Exit status: 0 holds, 1 does not hold, 2 could not be tried."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import __version__

COMMANDS = {
    "demo": "the embedded model end to end: a message, every receiver, the decoded pictures, a verdict",
    "generate": "turn an ONNX model into a message",
    "verify": "run the receivers on a message and hold them against each other and against the model",
    "run": "compute the model's outputs with a receiver",
    "read": "print a message as lessons, in notation and plain words",
    "receivers": "list the receivers, and how to get what they need",
    "conformance": "run the examples of the specification on the receivers",
}
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Write one line and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def make_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser; if ``command`` names a subcommand, only the module of that one is loaded."""
    parser = _Parser(
        prog="isagoge",
        description="Turn a trained model into a message that teaches its own decoder, and prove it.",
        epilog="Exit status: 0 holds, 1 does not hold, 2 could not be tried.",
    )
    parser.add_argument("--version", action="version", version=f"isagoge {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, about in COMMANDS.items():
        sub = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
        if command in (None, name):
            importlib.import_module(f"isagoge.commands.{name}").add(sub)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return the exit status; ``arguments`` default to those of the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in given if not word.startswith("-")), "")
    try:
        options = make_parser(command).parse_args(given)
    except SystemExit as end:  # after --help, --version or a wrong option
        return end.code if isinstance(end.code, int) else 2
    return _execute(options)


def _execute(options: argparse.Namespace) -> int:
    from isagoge.verify.catalogue import ReceiverError
    from isagoge.verify.sidecar import SidecarError
    from isagoge.verify.tensors import TensorError

    from .commands.console import UserError, say

    module = importlib.import_module(f"isagoge.commands.{options.command}")
    try:
        status: int = module.execute(options)
        sys.stdout.flush()
        return status
    except (UserError, ReceiverError, SidecarError, TensorError) as error:
        say(options.command, str(error))
    except BrokenPipeError:  # whoever read our output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        say(options.command, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        say(options.command, "interrupted")
        return INTERRUPTED
    except MemoryError:
        say(options.command, "this machine has not enough memory for it")
    return 2


if __name__ == "__main__":
    sys.exit(main())
