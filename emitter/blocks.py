"""Cuts a program into blocks, so that a receiver that goes wrong can tell where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from isagoge.spec.terms import At, Define, Fn, Listing, Name, Num, Term, apply, free_names, let

from .program import Program, Step

STEPS_A_BLOCK = 16


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive steps as one function: from the values it needs to the values that are needed after it."""

    name: str
    steps: tuple[Step, ...]
    needs: tuple[str, ...]
    gives: tuple[str, ...]

    def result(self, value: str, block_value: Term) -> Term:
        """Return the term for one of the values given; ``block_value`` stands for the function's value."""
        return block_value if len(self.gives) == 1 else At(block_value, (Num(self.gives.index(value)),))

    def definition(self) -> Define:
        """Return the statement that defines the block as a function of what it needs."""
        last = [Name(value) for value in self.gives]
        body: Term = last[0] if len(last) == 1 else Listing(tuple(last))
        for step in reversed(self.steps):
            body = let(step.value, step.term, body)
        return Define(self.name, Fn(self.needs, body) if self.needs else body)

    def call(self, arguments: Sequence[Term]) -> Term:
        """Return the term that applies the block to what it needs."""
        return apply(self.name, *arguments) if self.needs else Name(self.name)


def _last_uses(program: Program) -> dict[str, int]:
    last = {}
    for i, step in enumerate(program.steps):
        for name in free_names(step.term):
            last[name] = i
    for output in program.outputs:
        last[output.value] = len(program.steps)
    return last


def _cuts(program: Program, count: int) -> list[int]:
    """Return the places, in steps, where to cut: near equal parts, where the fewest values pass."""
    steps = program.steps
    last = _last_uses(program)
    passing = []
    for place in range(len(steps) + 1):
        passing.append(sum(last.get(step.value, -1) >= place for step in steps[:place]) if place else 0)
    cuts = [0]
    for k in range(1, count):
        ideal = k * len(steps) / count
        reach = len(steps) / count / 2
        near = range(max(cuts[-1] + 1, round(ideal - reach)), min(len(steps), round(ideal + reach) + 1))
        if near:
            cuts.append(min(near, key=lambda place: (passing[place], abs(place - ideal))))
    return [*cuts, len(steps)]


def blocks(program: Program, count: int | None = None) -> list[Block]:
    """Cut a program into about ``count`` blocks, by default one for every 16 steps.

    Values that only pass by are not handed through a block: the model function knows them from where they
    were made.
    """
    if not program.steps:
        return []
    count = count or max(1, round(len(program.steps) / STEPS_A_BLOCK))
    cuts = _cuts(program, min(count, len(program.steps)))
    last = _last_uses(program)
    available = [tensor.value for tensor in program.inputs]
    made = []
    for k, (start, stop) in enumerate(pairwise(cuts), 1):
        steps = tuple(program.steps[start:stop])
        own = {step.value for step in steps}
        used = {name for step in steps for name in free_names(step.term)}
        needs = tuple(value for value in available if value in used)
        gives = tuple(step.value for step in steps if last.get(step.value, -1) >= stop)
        if gives:
            made.append(Block(f"block{k}", steps, needs, gives))
            available += [value for value in gives if value in own]
    return made


def model_definition(program: Program, parts: Sequence[Block], name: str = "model") -> Define:
    """Return the statement that defines the model: from its inputs to the array of its outputs."""
    known: dict[str, Term] = {tensor.value: Name(tensor.value) for tensor in program.inputs}
    lets: list[tuple[str, Term]] = []
    for part in parts:
        local = f"of_{part.name}"
        lets.append((local, part.call([known[value] for value in part.needs])))
        for value in part.gives:
            known[value] = part.result(value, Name(local))
    body: Term = Listing(tuple(known.get(output.value, Name(output.value)) for output in program.outputs))
    for local, term in reversed(lets):
        body = let(local, term, body)
    inputs = tuple(tensor.value for tensor in program.inputs)
    return Define(name, Fn(inputs, body) if inputs else body)
