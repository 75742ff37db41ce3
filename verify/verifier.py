"""Runs receivers on a message and holds their reports against each other, the sidecar and ONNX Runtime."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from isagoge.spec.bits import Decoder
from isagoge.spec.errors import MessageError
from isagoge.spec.notation import show_statement

from . import catalogue, drive
from .catalogue import Receiver
from .drive import Report
from .report import FAILS, UNTRIED, Failure, Outcome, Question, VerifyReport
from .sidecar import Sidecar
from .tensors import Tensor, TensorError, compare, outputs_of

TOLERANCE = 1e-5
"""The greatest relative error where the sidecar states none."""
SHOWN = 5
"""So many failing statements are shown with their words."""
LONGEST_NOTATION = 160

Progress = Callable[[str, int, str], None]
"""Called with a receiver's name, the number of a statement and its verdict."""


@dataclass(frozen=True)
class Limits:
    """Time and memory for each receiver.

    A receiver's time is what ``own`` says for its name, else ``seconds``, else what ``receivers.toml`` says.
    """

    seconds: float | None = None
    own: Mapping[str, float] = field(default_factory=dict)
    megabytes: int = drive.MEGABYTES
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)

    def seconds_for(self, receiver: Receiver) -> float:
        """Return the time budget of one receiver."""
        return self.own.get(receiver.name, receiver.seconds if self.seconds is None else self.seconds)


@dataclass(frozen=True)
class Trial:
    """A question to ask of the message: its bits, what to call it, and ONNX Runtime's outputs where known."""

    bits: bytes
    label: str
    names: tuple[str, ...] = ()
    expected: tuple[Tensor, ...] | None = None


@dataclass
class _Run:
    """What one receiver reported: of the message, and of each question in order."""

    receiver: Receiver
    judged: Report
    asked: list[Report]


def verify(
    message: Path,
    sidecar: Sidecar | None,
    receivers: Sequence[Receiver],
    *,
    trials: Sequence[Trial] = (),
    limits: Limits | None = None,
    tolerance: float | None = None,
    progress: Progress | None = None,
    answers: dict[str, list[Report]] | None = None,
) -> VerifyReport:
    """Run receivers on a message, side by side as far as there are processors, and report whether it holds.

    It holds when at least one receiver judged every statement and found nothing false or wrong; each other
    one did the same, or got past primer and library and found nothing wrong before its limit; all verdicts
    and all answers to ``trials`` agree, answers bit for bit; answers are within ``tolerance`` (default: what
    the sidecar states) of ONNX Runtime's outputs, relative to the largest magnitude of an output; and the
    file is the one that the sidecar describes.

    ``answers`` is filled with each receiver's reports of the questions, for who wants the values themselves.

    Raises ``ReceiverError`` when a receiver does not build and ``OSError`` when the message cannot be read.
    """
    data = message.read_bytes()
    limits = limits or Limits()
    runs = run_all(message, receivers, [trial.bits for trial in trials], limits, progress)
    total = sidecar.statements if sidecar else _total(runs)
    if answers is not None:
        answers.update({run.receiver.name: run.asked for run in runs})
    outcomes = [_outcome(run, sidecar, total, limits.seconds_for(run.receiver)) for run in runs]
    report = VerifyReport(str(message), len(data), hashlib.sha256(data).hexdigest(), total, outcomes)
    report.failures = _failures(runs, outcomes)
    _describe(report.failures[:SHOWN], data, sidecar)
    report.tolerance = _tolerance(tolerance, sidecar) if trials else None
    report.questions = [_question(trial, i, runs) for i, trial in enumerate(trials)]
    _judge(report, runs, sidecar)
    return report


def run_all(
    message: Path,
    receivers: Sequence[Receiver],
    questions: Sequence[bytes],
    limits: Limits,
    progress: Progress | None = None,
) -> list[_Run]:
    """Run each receiver on the message and then on each question; the receivers run side by side."""
    stop = threading.Event()

    def one(receiver: Receiver) -> _Run:
        command = catalogue.command(receiver)
        seconds = limits.seconds_for(receiver)

        def tell(index: int, verdict: str) -> None:
            if progress:
                progress(receiver.name, index, verdict)

        def run(question: bytes | None) -> Report:
            return drive.run(
                receiver.name,
                command,
                message,
                question,
                seconds=seconds,
                megabytes=limits.megabytes,
                progress=tell if question is None else None,
                stop=stop,
            )

        judged = run(None)
        return _Run(receiver, judged, [run(q) for q in questions] if _worth_asking(judged) else [])

    with ThreadPoolExecutor(max(1, min(len(receivers), limits.jobs))) as pool:
        futures = [pool.submit(one, receiver) for receiver in receivers]
        try:
            for future in as_completed(futures):
                future.result()  # an exception ends the others at once
        except BaseException:
            stop.set()
            raise
        return [future.result() for future in futures]


def _worth_asking(judged: Report) -> bool:
    """Whether the message could be read at all: a question meets the same error otherwise."""
    return not judged.fault


def _total(runs: Sequence[_Run]) -> int | None:
    """Return the number of statements where no sidecar tells it: what a receiver that finished found."""
    counts = [
        len(r.judged.verdicts) for r in runs if not r.judged.fault and "over-limit" not in r.judged.verdicts
    ]
    return max(counts, default=None)


def _outcome(run: _Run, sidecar: Sidecar | None, total: int | None, seconds: float) -> Outcome:
    judged = run.judged
    counts = Counter(judged.verdicts)
    outcome = Outcome(
        run.receiver.name,
        run.receiver.language,
        run.receiver.lines,
        judged=len(judged.verdicts),
        total=total,
        defined=counts.pop("defined", 0),
        true=counts.pop("true", 0),
        false=counts.pop("false", 0),
        errors=dict(counts),
        seconds=judged.seconds,
        asked_seconds=sum(report.seconds for report in run.asked),
        refused=judged.refused,
        fault=judged.fault or next((report.fault for report in run.asked if report.fault), ""),
    )
    outcome.complete = judged.sound and len(judged.verdicts) == total
    bad = judged.failures
    if bad and not judged.fault:
        taught = sidecar.taught() if sidecar else 0
        words = {judged.verdicts[i] for i in bad}
        first = judged.verdicts[bad[0]] == "over-limit" and bad[0] >= taught
        outcome.limited = first and words <= {
            "over-limit",
            "missing",
        }  # what needs a name given up on is missing
    outcome.account = _account(judged, sidecar, total, seconds)
    if run.asked and all(report.sound and report.answers for report in run.asked):
        text = "\n".join(a.sha256 for report in run.asked for a in report.answers.values())
        outcome.outputs = hashlib.sha256(text.encode()).hexdigest()
    return outcome


def _account(judged: Report, sidecar: Sidecar | None, total: int | None, seconds: float) -> str:
    """Say how far a receiver came, as in ``statements 0–812 of 940, all true; … over its limit of 110 s``."""
    bad = judged.failures
    reached = bad[0] if bad else len(judged.verdicts)
    of = f" of {total}" if total is not None else ""
    text = f"statements 0–{reached - 1}{of}, all true" if reached else f"no statement{of}"
    if sidecar and sidecar.checks:
        done = sum(check < reached for check in sidecar.checks)
        text += f"; staged checks 1–{done} of {len(sidecar.checks)}" if done else "; no staged check"
    if bad and judged.verdicts[bad[0]] == "over-limit":
        text += (
            f"; over its limit of {seconds:g} s"
            if judged.seconds >= seconds
            else "; over its limit of memory"
        )
    return text


def _failures(runs: Sequence[_Run], outcomes: Sequence[Outcome]) -> list[Failure]:
    """Return the statements that are false or in error somewhere, or on which receivers do not agree."""
    verdicts: dict[int, dict[str, str]] = {}
    for run, outcome in zip(runs, outcomes, strict=True):
        for index in [] if outcome.limited else run.judged.failures:
            verdicts.setdefault(index, {})[run.receiver.name] = run.judged.verdicts[index]
    for index, found in verdicts.items():
        for run, outcome in zip(runs, outcomes, strict=True):
            judged = run.judged.verdicts
            if index < len(judged) and not (outcome.limited and judged[index] in ("over-limit", "missing")):
                found.setdefault(run.receiver.name, judged[index])
    return [Failure(index, verdicts[index]) for index in sorted(verdicts)]


def _describe(failures: Sequence[Failure], data: bytes, sidecar: Sidecar | None) -> None:
    """Add section, title, English and notation to failures."""
    if not failures:
        return
    if sidecar:
        for failure in failures:
            failure.section = sidecar.section(failure.index)
            failure.title = sidecar.title(failure.index)
            failure.english = sidecar.about(failure.index)
    wanted = {failure.index: failure for failure in failures}
    statements = Decoder(data, names=sidecar.names if sidecar else ()).statements()
    for index in range(max(wanted) + 1):
        try:
            statement, _ = next(statements)
        except (MessageError, StopIteration) as error:
            if index in wanted and isinstance(error, MessageError):
                wanted[index].notation = f"({error})"
            return
        if index in wanted:
            text = show_statement(statement, longest_block=64)
            long = len(text) > LONGEST_NOTATION
            wanted[index].notation = text[: LONGEST_NOTATION - 1] + "…" if long else text


def _tolerance(tolerance: float | None, sidecar: Sidecar | None) -> float:
    stated = sidecar.tolerance if sidecar else None
    return next(value for value in (tolerance, stated, TOLERANCE) if value is not None)


def _question(trial: Trial, index: int, runs: Sequence[_Run]) -> Question:
    question = Question(trial.label)
    value = None
    for run in runs:
        if index >= len(run.asked):
            continue
        asked = run.asked[index]
        answer = asked.answers.get(0)
        if asked.fault or answer is None:
            unread = asked.unread[1] if asked.unread else ""
            question.errors[run.receiver.name] = unread or asked.fault or (asked.verdicts or ["nothing"])[0]
            continue
        question.hashes[run.receiver.name] = answer.sha256
        if value is None and trial.expected is not None:
            try:
                value = outputs_of(answer.value, len(trial.expected))
            except (TensorError, ValueError) as error:
                question.errors[run.receiver.name] = str(error)
    if value is not None and trial.expected is not None:
        question.comparisons = [
            compare(name, got, want)
            for name, got, want in zip(trial.names, value, trial.expected, strict=True)
        ]
    return question


def _judge(report: VerifyReport, runs: Sequence[_Run], sidecar: Sidecar | None) -> None:
    """Fill in reasons and status."""
    given_up = {"defined", "true", "over-limit", "missing"}
    reasons = [f.line() for f in report.failures[:SHOWN] if not set(f.verdicts.values()) <= given_up]
    reasons += [f"receiver {o.receiver} {o.fault}" for o in report.receivers if o.fault and not o.refused]
    reasons += [f.line() for f in report.failures[:SHOWN] if set(f.verdicts.values()) <= given_up]
    if len(report.failures) > SHOWN:
        reasons.append(f"{len(report.failures) - SHOWN} more statements are false or in error")
    whole = [o for o in report.receivers if not (o.limited or o.refused)]
    if not reasons and len({o.judged for o in whole}) > 1:
        counts = ", ".join(f"{o.receiver} {o.judged}" for o in whole)
        reasons.append(f"the receivers find different numbers of statements: {counts}")
    if sidecar and report.sha256 != sidecar.sha256:
        short = [o for o in whole if o.judged != report.statements]
        if short and not reasons:
            reasons.append(f"the message ends after {short[0].judged} of {report.statements} statements")
        reasons.append(f"{report.message} is not the file that its sidecar describes: its SHA-256 differs")
    elif sidecar and not reasons:
        reasons += [
            f"receiver {o.receiver} judged {o.judged} statements, the sidecar tells of {o.total}"
            for o in whole
            if not o.complete
        ]
    untried = [f"receiver {o.receiver} {o.fault}" for o in report.receivers if o.refused]
    untried += _judge_questions(report, reasons)
    if reasons:
        report.reasons, report.status = reasons, FAILS
    elif untried:
        report.reasons, report.status = untried, UNTRIED
    elif not any(outcome.complete for outcome in report.receivers):
        report.reasons = [
            f"no receiver judged the whole message: {o.receiver}: {o.account}" for o in report.receivers
        ]
        report.status = UNTRIED


def _judge_questions(report: VerifyReport, reasons: list[str]) -> list[str]:
    """Add to ``reasons`` what is wrong with the answers; return which questions were given up on by all."""
    given_up = []
    for question in report.questions:
        wrong = {name: word for name, word in question.errors.items() if word != "over-limit"}
        reasons += [f"{question.label}: receiver {name} answers {word}" for name, word in wrong.items()]
        if not question.agree:
            hashes = ", ".join(f"{name} {found[:12]}" for name, found in question.hashes.items())
            reasons.append(f"{question.label}: the receivers' answers differ: {hashes}")
        for found in question.comparisons:
            if found.problem:
                reasons.append(f"{question.label}: output {found.name} {list(found.shape)}: {found.problem}")
            elif report.tolerance is not None and not found.relative <= report.tolerance:
                reasons.append(
                    f"{question.label}: output {found.name} is {found.relative:.2g} of its largest value "
                    f"away from ONNX Runtime's, more than {report.tolerance:g}"
                )
        if not wrong and not question.hashes:
            given_up.append(f"{question.label}: no receiver answered within its limit")
    return given_up
