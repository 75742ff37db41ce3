"""What the subcommands share: reading files of users, progress on terminals, and where reports go."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from isagoge.verify import catalogue
from isagoge.verify.report import FAILS, HOLDS, VerifyReport
from isagoge.verify.sidecar import Sidecar, SidecarError, read, sidecar_path
from isagoge.verify.verifier import Limits

Tensor = npt.NDArray[Any]


class UserError(Exception):
    """What was asked for cannot be tried; the message is the one line that the user sees."""


def say(command: str, line: str) -> None:
    """Write one line to standard error."""
    print(f"isagoge {command}: {' '.join(line.split())}", file=sys.stderr)


def positive(text: str) -> float:
    """Return a number above 0 from the command line. Raises ``ArgumentTypeError``."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def budget(text: str) -> tuple[str, float]:
    """Split ``NAME=S`` into a receiver's name and its seconds; the name is empty for ``S`` alone.

    >>> budget("python=5"), budget("60")
    (('python', 5.0), ('', 60.0))
    """
    name, _, seconds = text.rpartition("=")
    return name, positive(seconds)


def count(text: str) -> int:
    """Return a whole number from 1 from the command line. Raises ``ArgumentTypeError``."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def natural(text: str) -> int:
    """Return a whole number from 0 from the command line. Raises ``ArgumentTypeError``."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def named_file(text: str) -> tuple[str, Path]:
    """Split ``NAME=FILE``; the name may itself hold an ``=``. Raises ``ArgumentTypeError``.

    >>> named_file("code=a/b.npy")
    ('code', PosixPath('a/b.npy'))
    """
    name, equals, file = text.rpartition("=")
    if not (name and equals and file):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE.npy")
    return name, Path(file)


def load_tensors(named: Sequence[tuple[str, Path]]) -> dict[str, Tensor]:
    """Read the ``.npy`` files of ``NAME=FILE`` options. Raises ``UserError``."""
    tensors: dict[str, Tensor] = {}
    for name, path in named:
        if name in tensors:
            raise UserError(f"{name} is given twice")
        try:
            tensor = np.load(path, allow_pickle=False)
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror or error}") from None
        except (ValueError, EOFError):
            raise UserError(f"{path} is not a .npy file of numbers") from None
        if not isinstance(tensor, np.ndarray):
            raise UserError(f"{path} holds several arrays; a .npy file with one is wanted")
        tensors[name] = tensor
    return tensors


def message_file(path: Path) -> Path:
    """Return the path of a message that can be read and has something in it. Raises ``UserError``."""
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    if empty:
        raise UserError(f"{path} is empty: there is no statement in it")
    return path


def sidecar_of(message: Path, needed_for: str = "") -> Sidecar | None:
    """Read a message's sidecar; None where there is none and none is needed. Raises ``UserError``."""
    path = sidecar_path(message)
    if not path.exists():
        if needed_for:
            raise UserError(f"{needed_for} needs the sidecar {path}, which is not there")
        return None
    try:
        return read(path)
    except SidecarError as error:
        raise UserError(str(error)) from None


def limits_of(options: argparse.Namespace) -> Limits:
    """Return the limits that ``--seconds`` and ``--megabytes`` ask for. Raises ``UserError``."""
    seconds = dict(options.seconds)
    for name in seconds:
        if name and name not in {receiver.name for receiver in catalogue.receivers()}:
            raise UserError(f"--seconds {name}=…: there is no receiver {name!r}")
    return Limits(seconds=seconds.pop("", None), own=seconds, megabytes=options.megabytes)


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add ``--receiver``, ``--seconds`` and ``--megabytes``."""
    parser.add_argument(
        "--receiver", action="append", default=[], metavar="NAME", help="use this receiver (may be repeated)"
    )
    parser.add_argument(
        "--seconds",
        action="append",
        default=[],
        type=budget,
        metavar="[NAME=]S",
        help="time for each receiver, or for the one named (default: see `isagoge receivers`)",
    )
    parser.add_argument(
        "--megabytes", type=count, default=4096, metavar="M", help="memory for each receiver (default 4096)"
    )


def write_json(report: Any, where: str | None) -> None:
    """Write a report as JSON to a file, or to standard output for ``-``. Raises ``UserError``."""
    if where is None:
        return
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    if where == "-":
        sys.stdout.write(text)
        return
    try:
        Path(where).write_text(text, "utf-8")
    except OSError as error:
        raise UserError(f"cannot write {where}: {error.strerror or error}") from None


def conclude(command: str, report: VerifyReport, where: str | None) -> int:
    """Write a report for people and machines, and its one line; return the exit status."""
    if where != "-":
        print(report.table())
        if report.status == HOLDS:
            print(report.summary())
    write_json(report.as_json(), where)
    if report.status != HOLDS:
        begin = "does not hold: " if report.status == FAILS else "could not be tried: "
        say(command, begin + report.summary())
    return report.status


class Bars:
    """A progress bar for each receiver, on a terminal only; may be called from several threads."""

    def __init__(self, total: int | None, unit: str = " statements") -> None:
        self.total = total
        self.unit = unit
        self._bars: dict[str, tqdm[Any]] = {}
        self._lock = threading.Lock()
        self._shown = sys.stderr.isatty()

    def tell(self, receiver: str, index: int, verdict: str) -> None:
        """Move a receiver's bar by one."""
        if self._shown:
            with self._lock:
                bar = self._bars.get(receiver)
                if bar is None:
                    bar = tqdm(
                        total=self.total, desc=receiver, unit=self.unit, leave=False, position=len(self._bars)
                    )
                    self._bars[receiver] = bar
                bar.update()

    def close(self) -> None:
        """Remove the bars."""
        for bar in self._bars.values():
            bar.close()


@contextmanager
def bars(total: int | None, unit: str = " statements") -> Iterator[Bars]:
    """Progress bars for the time of a ``with``."""
    shown = Bars(total, unit)
    try:
        yield shown
    finally:
        shown.close()
