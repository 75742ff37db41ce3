"""What the verifier found, as data, as JSON and as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from .tensors import Comparison

HOLDS, FAILS, UNTRIED = 0, 1, 2


@dataclass
class Failure:
    """A statement that some receivers found false or in error; the words around it come from the sidecar."""

    index: int
    verdicts: dict[str, str]
    section: str = ""
    title: str = ""
    english: str = ""
    notation: str = ""

    def line(self) -> str:
        """Return the failure in one line."""
        by_verdict: dict[str, list[str]] = {}
        for receiver, verdict in self.verdicts.items():
            by_verdict.setdefault(verdict, []).append(receiver)
        found = " and ".join(f"{verdict} ({', '.join(who)})" for verdict, who in by_verdict.items())
        place = ", ".join(part for part in (self.section, self.title) if part)
        text = f"statement {self.index}{f' ({place})' if place else ''} is {found}"
        more = " ".join(part for part in (self.english, self.notation) if part)
        return f"{text}: {more}" if more else text


@dataclass
class Outcome:
    """What one receiver did with the message.

    Attributes:
        receiver, language, lines: which one, and the length of its program.
        judged, total: statements judged, and how many there are (None if not known).
        defined, true, false, errors: verdicts; errors by name.
        seconds: for the message; ``asked_seconds`` for the questions.
        complete: every statement was judged and is defined or true.
        limited: it came as far as its limit allowed, past primer and library, and all that it judged holds.
        account: in words, how far it came; ``fault``: how it broke clause 10.
        refused: it said itself that it could not be tried.
    """

    receiver: str
    language: str
    lines: int
    judged: int = 0
    total: int | None = None
    defined: int = 0
    true: int = 0
    false: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    asked_seconds: float = 0.0
    complete: bool = False
    limited: bool = False
    account: str = ""
    fault: str = ""
    refused: bool = False
    outputs: str = ""
    """One hash over all its answers; empty where it was asked nothing or did not answer all."""


@dataclass
class Question:
    """What the receivers answered to one question."""

    label: str
    hashes: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def agree(self) -> bool:
        """Whether all answers are the same bit for bit."""
        return len(set(self.hashes.values())) <= 1


@dataclass
class VerifyReport:
    """All that the verifier found. ``status``: 0 holds, 1 does not hold, 2 could not be tried."""

    message: str
    bytes: int
    sha256: str
    statements: int | None
    receivers: list[Outcome]
    failures: list[Failure] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    tolerance: float | None = None
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    status: int = HOLDS

    @property
    def holds(self) -> bool:
        """Whether the message holds."""
        return self.status == HOLDS

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON object; infinite errors become null."""
        words = {HOLDS: "holds", FAILS: "does not hold", UNTRIED: "could not be tried"}
        report: dict[str, Any] = {"verdict": words[self.status], **asdict(self)}
        for mine, theirs in zip(report["questions"], self.questions, strict=True):
            mine["agree"] = theirs.agree
        clean: dict[str, Any] = _finite(report)
        return clean

    def summary(self) -> str:
        """Return the verdict in one line."""
        if self.status != HOLDS:
            more = len(self.reasons) - 1
            return self.reasons[0] + (f" (and {more} more)" if more else "")
        full = [outcome.receiver for outcome in self.receivers if outcome.complete]
        count = f"all {self.statements} statements" if self.statements != 1 else "its one statement"
        text = f"holds: {count} in {_listed(full)}"
        limited = [outcome.receiver for outcome in self.receivers if outcome.limited]
        if limited:
            text += f", and as far as {_listed(limited)} came"
        if len(full) + len(limited) == 1:
            text += " (one receiver alone: no other to agree with)"
        return text

    def table(self) -> str:
        """Return the report for people: a table of the receivers, what the outputs are like, notes."""
        head = ("receiver", "language", "lines", "statements", "true", "false", "errors", "outputs", "time")
        rows = [head, *(_row(outcome) for outcome in self.receivers)]
        lines = [_aligned(rows, left={0, 1, 7})]
        lines += [f"{o.receiver}: {o.account}" for o in self.receivers if o.limited]
        lines += [f"{name}: not tried, {why}" for name, why in self.missing.items()]
        for question in self.questions:
            lines += [f"{question.label}, {_compared(c)}" for c in question.comparisons]
        return "\n".join([*lines, *self.notes])


def _compared(comparison: Comparison) -> str:
    text = f"{comparison.name} {list(comparison.shape)}: "
    if comparison.problem:
        return text + comparison.problem
    text += f"largest difference from ONNX Runtime {comparison.absolute:.2g}"
    text += f", {comparison.relative:.2g} of the largest value"
    if comparison.same_largest is not None:
        text += f"; largest element in the same place in {100 * comparison.same_largest:g} % of rows"
    return text


def _row(outcome: Outcome) -> tuple[str, ...]:
    total = "?" if outcome.total is None else str(outcome.total)
    return (
        outcome.receiver,
        outcome.language,
        str(outcome.lines),
        f"{outcome.judged} of {total}",
        str(outcome.true),
        str(outcome.false),
        str(sum(outcome.errors.values())),
        outcome.outputs[:12] or "-",
        f"{outcome.seconds + outcome.asked_seconds:.2f} s",
    )


def _aligned(rows: Sequence[Sequence[str]], left: set[int]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
