"""Runs one receiver as a process of its own and reads its report (SPEC.md clause 10).

The process starts in an empty folder, with a bare environment and nothing of this project within reach but
the files named on its command line. Whatever it does, the caller gets a ``Report``: a receiver that crashes,
hangs, floods its output or writes anything but a report is stopped, and ``Report.fault`` says what it did.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO

from isagoge.spec.errors import EVALUATING, READING

from . import values

Progress = Callable[[int, str], None]
"""Called with the number of each statement and its verdict as the line arrives."""

SECONDS = 3600.0
MEGABYTES = 4096
"""A receiver's own limits without options (SPEC.md 10.1)."""

GRACE = 10.0
"""A receiver is ended when it goes on for a fifth of its time and so many seconds more."""

_ERRORS = frozenset(READING) | frozenset(EVALUATING)
_STDERR_KEPT = 1 << 16


@dataclass(frozen=True)
class Answer:
    """What a receiver wrote as the value of one claim of a question."""

    text: bytes

    @cached_property
    def value(self) -> values.Value:
        """The value itself."""
        return values.parse(self.text)

    @cached_property
    def sha256(self) -> str:
        """The hash of the text; two receivers agree bit for bit when it is the same."""
        return hashlib.sha256(self.text).hexdigest()


@dataclass
class Report:
    """What a receiver reported of one message, or of one question.

    Attributes:
        receiver: its name.
        verdicts: one word a statement, in order: ``defined``, ``true``, ``false``, ``value`` or an error's
        name.
        answers: the values of a question's claims, by the number of their statement.
        unread: for a question, the number of the message's statement that could not be read and the error.
        seconds: how long it ran.
        status: its exit status, negative for a signal; None if it could not be started.
        stderr: what it wrote there, the first 64 KiB.
        fault: in one line, how it broke clause 10, or why it could not be tried; empty if neither.
        refused: it said itself that the call cannot be carried out, if a message does not fit its memory.
    """

    receiver: str
    verdicts: list[str] = field(default_factory=list)
    answers: dict[int, Answer] = field(default_factory=dict)
    unread: tuple[int, str] | None = None
    seconds: float = 0.0
    status: int | None = None
    stderr: str = ""
    fault: str = ""
    refused: bool = False

    @property
    def failures(self) -> list[int]:
        """The numbers of the statements that are false or errors."""
        return [i for i, verdict in enumerate(self.verdicts) if verdict not in ("defined", "true", "value")]

    @property
    def sound(self) -> bool:
        """Whether the receiver behaved and found nothing false or wrong."""
        return not self.fault and self.unread is None and not self.failures


class _Fault(Exception):
    """A line that is not in its place in a report."""


class _Cut(_Fault):
    """Output that ends within a line; why it ends is told by the exit status."""


class _Reader:
    """Reads a report line by line and holds it against clause 10."""

    def __init__(self, report: Report, asked: bool, most: int) -> None:
        self.report = report
        self.asked = asked
        self.most = most
        self.ended = False
        self.lines = 0

    def line(self, line: bytes) -> tuple[int, str] | None:
        """Take in one line without its line feed; return the statement's number and verdict, None at the end.

        Raises ``_Fault`` for a line that does not belong there.
        """
        report = self.report
        self.lines += 1
        if self.ended:
            raise _Fault(f"wrote {_short(line)} after its last line")
        first, _, rest = line.partition(b" ")
        if first == b"end":
            self.ended = True
            count = report.unread[0] + 1 if report.unread else len(report.verdicts)
            if rest != str(count).encode():
                raise _Fault(
                    f"ended with {_short(line)} after statement {count - 1}, the {count} statements judged"
                )
            return None
        word, _, text = rest.partition(b" ")
        verdict = word.decode("ascii", "replace")
        allowed = ("defined", "value") if self.asked else ("defined", "true", "false")
        if (
            not first.isdigit()
            or (verdict not in _ERRORS and verdict not in allowed)
            or (text and verdict != "value")
        ):
            raise _Fault(f"wrote {_short(line)}, which is no line of a report")
        number = int(first) if len(first) < 20 else -1
        last = report.verdicts[-1] if report.verdicts else ""
        if report.unread or last in READING:
            raise _Fault(f"wrote {_short(line)} after an error that ends the reading")
        if self.asked and not report.verdicts and number > 0 and verdict in READING:
            report.unread = number, verdict
            return number, verdict
        if number != len(report.verdicts):
            raise _Fault(f"wrote {_short(line)} where statement {len(report.verdicts)} was due")
        if number >= self.most:
            raise _Fault(f"reported {number + 1} statements, more than the bits can hold")
        if verdict == "value":
            report.answers[number] = Answer(text)
        report.verdicts.append(verdict)
        return number, verdict

    def expected_status(self) -> int:
        """Return the exit status that goes with what was reported."""
        return int(self.report.unread is not None or bool(self.report.failures))


def _short(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    return repr(text if len(text) <= 60 else text[:57] + "…")


def run(
    name: str,
    command: Sequence[str],
    message: Path | bytes,
    question: Path | bytes | None = None,
    *,
    seconds: float = SECONDS,
    megabytes: int = MEGABYTES,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Report:
    """Run a receiver on a message, or on a question asked of it, and return its report.

    Args:
        name: of the receiver, for the report.
        command: its command line without options, as ``catalogue.command`` gives it.
        message: the message's file, or its bits.
        question: the question's file, or its bits.
        seconds: the time budget told to the receiver; it is stopped when it goes on for a fifth and 10 s
        more.
        megabytes: the memory budget told to it; half as much again and 512 MiB more are refused to it where
        the system
            can (Linux).
        progress: called for each statement as its line arrives.
        stop: ends the run when it is set.
    """
    with tempfile.TemporaryDirectory(prefix="isagoge-") as folder:
        work = Path(folder) / "empty"
        work.mkdir()
        message = _as_file(message, Path(folder) / "message")
        files = [message]
        if question is not None:
            question = _as_file(question, Path(folder) / "question")
            files.append(question)
        words = [
            *command,
            *("--seconds", f"{seconds:g}", "--megabytes", str(megabytes)),
            *map(str, files),
        ]
        report = Report(name)
        most = files[-1].stat().st_size * 8 // 4 + 1  # the shortest statement is 0, of four bits
        reader = _Reader(report, question is not None, most)
        started = time.monotonic()
        try:
            process = subprocess.Popen(
                words,
                cwd=work,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            report.fault = f"could not be started: {error}"
            return report
        with process:
            _cap_memory(process.pid, megabytes)
            watch = _Watch(process, seconds * 1.2 + GRACE, stop)
            assert process.stdout is not None
            killed = False
            try:
                _read(process.stdout, reader, megabytes, progress)
            except _Cut as fault:
                report.fault = str(fault)
            except _Fault as fault:
                report.fault = str(fault)
                watch.kill()
                killed = True
            except BaseException:
                watch.kill()
                raise
            finally:
                report.status = process.wait()
                report.stderr = watch.finish()
        report.seconds = time.monotonic() - started
        report.fault = report.fault if killed else _verdict(report, reader, watch, seconds)
        return report


def _as_file(bits: Path | bytes, path: Path) -> Path:
    if isinstance(bits, bytes):
        path.write_bytes(bits)
        return path
    return bits.resolve()


def _cap_memory(pid: int, megabytes: int) -> None:
    try:
        import resource

        most = (megabytes * 3 // 2 + 512) << 20
        resource.prlimit(pid, resource.RLIMIT_AS, (most, most))
    except (ImportError, AttributeError, OSError, ValueError):
        return  # elsewhere the receiver's own budget has to do


def _lines(stream: IO[bytes], longest: int) -> Iterator[bytes]:
    """Yield lines without their line feed; raise ``_Fault`` for one that is too long or not complete."""
    while line := stream.readline(longest):
        if not line.endswith(b"\n"):
            if len(line) >= longest:
                raise _Fault(f"wrote a line of more than {longest >> 20} MiB")
            raise _Cut(f"stopped in the middle of the line {_short(line)}")
        yield line[:-1]


def _read(stream: IO[bytes], reader: _Reader, megabytes: int, progress: Progress | None) -> None:
    for line in _lines(stream, megabytes << 20):
        found = reader.line(line)
        if found and progress:
            progress(*found)


class _Watch:
    """Threads that keep a process within its time and collect its standard error."""

    def __init__(self, process: subprocess.Popen[bytes], limit: float, stop: threading.Event | None) -> None:
        self.process = process
        self.timed_out = False
        self.stopped = False
        self._done = threading.Event()
        self._kept: list[bytes] = []
        self._threads = [
            threading.Thread(target=self._watch, args=(time.monotonic() + limit, stop), daemon=True),
            threading.Thread(target=self._collect, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def kill(self) -> None:
        """End the process and what it has started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return  # it has ended already

    def finish(self) -> str:
        """Return the standard error of the ended process."""
        self._done.set()
        for thread in self._threads:
            thread.join(5)
        return b"".join(self._kept).decode("utf-8", "replace")

    def _watch(self, deadline: float, stop: threading.Event | None) -> None:
        while not self._done.wait(0.1):
            self.timed_out = time.monotonic() > deadline
            self.stopped = stop is not None and stop.is_set()
            if self.timed_out or self.stopped:
                self.kill()
                return

    def _collect(self) -> None:
        assert self.process.stderr is not None
        room = _STDERR_KEPT
        while piece := os.read(self.process.stderr.fileno(), 4096):
            self._kept.append(piece[:room])
            room -= len(self._kept[-1])


def _verdict(report: Report, reader: _Reader, watch: _Watch, seconds: float) -> str:
    """Return what the receiver did wrong, the root of it first."""
    if watch.stopped:
        return "was stopped"
    if watch.timed_out:
        return f"went on past its limit of {seconds:g} s and was ended"
    status = report.status or 0
    said = report.stderr.strip().splitlines()
    words = f": {said[-1][:200]}" if said else ""
    if status < 0:
        return f"was ended by signal {-status} ({_signal_name(-status)}) after {_judged(report)}{words}"
    if status == 2 and not reader.lines:
        report.refused = True
        return f"could not carry out the call{words}"
    if not reader.ended:
        how = report.fault or "ended without the line `end`"
        return f"{how}, exit status {status}, after {_judged(report)}{words}"
    if status != reader.expected_status():
        return f"exit status {status} where its report asks for {reader.expected_status()}{words}"
    return ""


def _judged(report: Report) -> str:
    count = len(report.verdicts)
    return f"{count} statement{'' if count == 1 else 's'}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
