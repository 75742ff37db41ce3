"""Test vectors: inputs, the exact outputs of the message's own semantics, and their distance to ONNX
Runtime's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isagoge.spec.terms import At, Claim, Define, Name, Num, Term, apply

from .blocks import Block
from .evaluate import Run
from .message import Message
from .program import Program, Tensor
from .tensors import number_term, tensor_term

Arrays = Mapping[str, npt.NDArray[Any]]


class TooFar(Exception):
    """The message's outputs are further from ONNX Runtime's than the stated tolerance."""


@dataclass(frozen=True, slots=True)
class Distance:
    """How far an output is from ONNX Runtime's: ``relative`` is to the largest magnitude of that output."""

    output: str
    absolute: float
    relative: float


def random_inputs(tensors: Sequence[Tensor], seed: int) -> dict[str, npt.NDArray[Any]]:
    """Return inputs of the right dtypes and shapes: normal numbers, small naturals, truth values.

    Symbolic lengths become small; equal names get equal lengths.
    """
    random = np.random.default_rng(seed)
    lengths: dict[str, int] = {}
    made: dict[str, npt.NDArray[Any]] = {}
    for tensor in tensors:
        shape = []
        for length in tensor.shape:
            if isinstance(length, int):
                shape.append(length)
            else:
                shape.append(
                    lengths.setdefault(length or f"{tensor.name}.{len(shape)}", 1 if not shape else 4)
                )
        if tensor.dtype.kind == "f":
            made[tensor.name] = random.standard_normal(shape).astype(tensor.dtype)
        elif tensor.dtype.kind == "b":
            made[tensor.name] = random.integers(0, 2, shape).astype(bool)
        else:
            made[tensor.name] = random.integers(0, 4, shape).astype(tensor.dtype)
    return made


def distances(
    outputs: Sequence[Tensor], ours: Sequence[npt.NDArray[Any]], theirs: Sequence[npt.NDArray[Any]]
) -> list[Distance]:
    """Compare outputs; NaN against NaN and equal infinities are at distance 0, otherwise non-finite is
    infinite.

    Raises ``TooFar`` when a shape differs.
    """
    found = []
    for tensor, a, b in zip(outputs, ours, theirs, strict=True):
        if a.size == b.size == 0:
            a = a.reshape(b.shape)  # nested arrays do not keep the lengths inside an empty one
        if a.shape != b.shape:
            raise TooFar(f"output {tensor.name}: the message gives shape {a.shape}, ONNX Runtime {b.shape}")
        a, b = a.astype(np.float64), b.astype(np.float64)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        with np.errstate(invalid="ignore"):
            gap = np.where(same, 0.0, np.abs(a - b))
        absolute = float(np.where(np.isnan(gap), np.inf, gap).max(initial=0.0))
        largest = float(np.abs(b[np.isfinite(b)]).max(initial=0.0))
        found.append(
            Distance(tensor.name, absolute, absolute / largest if largest and absolute else absolute)
        )
    return found


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far a vector's outputs are from the runtime's, and why if that is further than wanted.

    ``stated`` is the distance that the message claims. ``message`` and ``runtime`` are the relative distances
    of the two from the outputs of the same definitions without rounding to float32; they are measured only
    where the two differ by more than the tolerance, and then the message must be within it.
    """

    absolute: float
    relative: float
    stated: float
    message: float | None = None
    runtime: float | None = None

    def facts(self) -> dict[str, Any]:
        """Return the sidecar's words for it."""
        facts: dict[str, Any] = {
            "absolute": self.absolute,
            "relative": self.relative,
            "tolerance": self.stated,
        }
        if self.message is not None:
            facts["explained"] = {"message_to_unrounded": self.message, "runtime_to_unrounded": self.runtime}
        return facts


class VectorWriter:
    """Adds test vectors to a message.

    ``run`` evaluates the program as the message does, ``unrounded`` without rounding to float32.
    """

    def __init__(
        self, message: Message, program: Program, run: Run, unrounded: Callable[[], Run], tolerance: float
    ) -> None:
        self._message = message
        self._program = program
        self._run = run
        self._unrounded = unrounded
        self._tolerance = tolerance
        self._count = 0
        self._ranks: list[int | None] = []
        self._accuracy = Accuracy(0.0, 0.0, tolerance)

    def _judge(
        self, inputs: Arrays, ours: Sequence[npt.NDArray[Any]], theirs: Sequence[npt.NDArray[Any]]
    ) -> Accuracy:
        """Compare with the runtime. Raises ``TooFar`` when the message itself is further from the truth than
        the tolerance.
        """
        gaps = distances(self._program.outputs, ours, theirs)
        worst = max(gaps, key=lambda gap: gap.relative)
        absolute = max(gap.absolute for gap in gaps)
        if worst.relative <= self._tolerance:
            return Accuracy(absolute, worst.relative, self._tolerance)
        exact = self._unrounded()(inputs)
        message = max(gap.relative for gap in distances(self._program.outputs, ours, exact))
        runtime = max(gap.relative for gap in distances(self._program.outputs, theirs, exact))
        if message > self._tolerance or not math.isfinite(worst.relative):
            raise TooFar(
                f"output {worst.output} is {worst.relative:.3g} (relative) from ONNX Runtime's, more than "
                f"the tolerance {self._tolerance:g}; without rounding to float32 the outputs would move by "
                f"{message:.3g} in the message and by {runtime:.3g} in ONNX Runtime; state another tolerance "
                "with --tolerance"
            )
        return Accuracy(
            absolute, worst.relative, 10.0 ** math.ceil(math.log10(worst.relative)), message, runtime
        )

    def _inputs(self, inputs: Arrays, english: str, names: Sequence[str]) -> list[int]:
        return [
            self._message.add(Define(name, tensor_term(inputs[tensor.name])), f"{english}: {tensor.name}.")
            for tensor, name in zip(self._program.inputs, names, strict=True)
        ]

    def _outputs(
        self,
        inputs: Arrays,
        terms: Sequence[Term],
        ours: Sequence[npt.NDArray[Any]],
        theirs: Sequence[npt.NDArray[Any]],
    ) -> int:
        """State the exact outputs and how close the original runtime comes; return the first statement's
        index.
        """
        first = self._message.statements
        k = self._count
        self._ranks = [y.ndim if np.isnan(x).any() else None for x, y in zip(ours, theirs, strict=True)]
        accuracy = self._judge(inputs, ours, theirs)
        self._accuracy = accuracy
        for i, (tensor, term, exact, other) in enumerate(
            zip(self._program.outputs, terms, ours, theirs, strict=True), 1
        ):
            name = f"output{k}_{i}"
            self._message.add(
                Define(name, tensor_term(exact.astype(tensor.dtype))), f"The exact output {tensor.name}."
            )
            self._equal(term, name, None if not np.isnan(exact).any() else other.ndim)
            if tensor.dtype.kind in "iub" and np.array_equal(exact, other):
                continue
            original = f"original{k}_{i}"
            self._message.add(
                Define(original, tensor_term(other)),
                f"The output {tensor.name} of the runtime the model was made for.",
            )
            close = apply(
                f"within{other.ndim}", Name(name), Name(original), number_term_ratio(accuracy.stated)
            )
            self._message.add(Claim(close), f"The two lie within {accuracy.stated:g} of the largest element.")
        return first

    def _equal(self, term: Term, name: str, rank_if_nan: int | None) -> None:
        """Claim that a value is exactly the named output; NaN equals nothing and is compared by distance."""
        claim = apply("=", term, Name(name))
        if rank_if_nan is not None:
            claim = apply("=", apply(f"distance{rank_if_nan}", term, Name(name)), Num(0))
        self._message.add(Claim(claim), f"The model gives {name} bit for bit.")

    def staged(
        self, inputs: Arrays, theirs: Sequence[npt.NDArray[Any]], parts: Sequence[Block]
    ) -> tuple[dict[str, Any], list[int]]:
        """Add a vector that goes through the model block by block; return its facts and the checks'
        statements.
        """
        self._count += 1
        names = [f"input{self._count}_{i}" for i in range(1, len(self._program.inputs) + 1)]
        ours = self._run(inputs)
        indices = self._inputs(inputs, "An input of the model", names)
        known: dict[str, Term] = {
            t.value: Name(name) for t, name in zip(self._program.inputs, names, strict=True)
        }
        checks = []
        for part in parts:
            stage = f"stage{self._count}_{part.name}"
            call = part.call([known[value] for value in part.needs])
            self._message.add(Define(stage, call), f"What {part.name} makes of it.")
            for value in part.gives:
                known[value] = part.result(value, Name(stage))
                rank = next(step.rank for step in part.steps if step.value == value)
                witness = apply(f"trace{rank}", known[value])
                number = float(self._run.evaluator.array(apply(f"trace{rank}", Name(value))))
                index = self._message.add(
                    Claim(apply("=", witness, number_term(number))),
                    f"Check: the witness number of {part.name}'s result.",
                )
            checks.append(index)
        terms = [known.get(output.value, Name(output.value)) for output in self._program.outputs]
        first = self._outputs(inputs, terms, ours, theirs)
        return {"inputs": indices, "outputs": first, **self._accuracy.facts()}, checks

    def again(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Claim that the model, applied as one function, gives the staged outputs; return the facts."""
        names = [f"input{self._count}_{i}" for i in range(1, len(self._program.inputs) + 1)]
        answer = f"answer{self._count}"
        call = apply("model", *map(Name, names)) if names else Name("model")
        first = self._message.add(Define(answer, call), "What the model makes of it as one function.")
        for i, rank in enumerate(self._ranks):
            term = At(Name(answer), (Num(i),))
            self._equal(term, f"output{self._count}_{i + 1}", rank)
        return {**facts, "outputs": first}

    def whole(
        self, inputs: Arrays, theirs: Sequence[npt.NDArray[Any]], names: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Add a vector that states what the model, applied as one function, gives; return its facts."""
        self._count += 1
        names = names or [f"input{self._count}_{i}" for i in range(1, len(self._program.inputs) + 1)]
        ours = self._run(inputs)
        indices = self._inputs(inputs, "An input of the model", names)
        answer = f"answer{self._count}"
        call = apply("model", *map(Name, names)) if names else Name("model")
        self._message.add(Define(answer, call), "What the model makes of it.")
        terms = [At(Name(answer), (Num(i),)) for i in range(len(self._program.outputs))]
        first = self._outputs(inputs, terms, ours, theirs)
        return {"inputs": indices, "outputs": first, **self._accuracy.facts()}


def number_term_ratio(value: float) -> Term:
    """Return a term for a small tolerance: 1 ÷ n where that is meant, else the exact number.

    >>> from isagoge.spec.notation import show
    >>> show(number_term_ratio(1e-5)), show(number_term_ratio(0.75))
    ('1 ÷ 100000', '3 ÷ 4')
    """
    inverse = round(1 / value) if value > 0 else 0
    if inverse and 1 / inverse == value:
        return apply("÷", Num(1), Num(inverse))
    return number_term(value)
