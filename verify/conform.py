"""Runs the examples of SPEC.md, the conformance suite, on a receiver."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from isagoge.spec.conformance import Example

from . import catalogue, drive
from .catalogue import Receiver

SECONDS = 10.0
MEGABYTES = 512
"""Budgets for one example; those of clause 8 have to run into them."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """An example on which a receiver does not say what SPEC.md says."""

    receiver: str
    clause: str
    line: int
    text: str
    expected: str
    got: str

    def __str__(self) -> str:
        """Return the deviation in one line."""
        place = f"SPEC.md line {self.line}, clause {self.clause}"
        return f"{place}: {self.text} ⇒ {self.expected}, but {self.receiver}: {self.got}"


def deviations(
    receiver: Receiver,
    examples: Sequence[Example],
    *,
    seconds: float = SECONDS,
    megabytes: int = MEGABYTES,
    jobs: int | None = None,
    progress: Callable[[], object] | None = None,
) -> list[Deviation]:
    """Run every example on a receiver and return those that come out otherwise, in their order.

    Args:
        receiver: the one to try.
        examples: of ``isagoge.spec.conformance.examples()``.
        seconds: the time budget for one example.
        megabytes: the memory budget for one example.
        jobs: how many run at once; by default one a processor.
        progress: called after each example.

    Raises:
        ReceiverError: the receiver does not build.
    """
    command = catalogue.command(receiver)

    def one(example: Example) -> str:
        question = None if example.question is None else bytes.fromhex(example.question)
        report = drive.run(
            receiver.name,
            command,
            bytes.fromhex(example.bits),
            question,
            seconds=seconds,
            megabytes=megabytes,
        )
        if progress:
            progress()
        return report.fault or " ".join(_words(report)) or "none"

    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        found = list(pool.map(one, examples))
    return [
        Deviation(receiver.name, example.clause, example.line, example.text, expected, got)
        for example, got in zip(examples, found, strict=True)
        if got != (expected := " ".join(example.verdicts) or "none")
    ]


def _words(report: drive.Report) -> Iterator[str]:
    for index, verdict in enumerate(report.verdicts):
        answer = report.answers.get(index)
        yield verdict if answer is None else answer.text.decode("ascii", "replace")
