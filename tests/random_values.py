"""Random terms that mostly have a value: numbers, arrays and functions, mostly where they are wanted."""

from __future__ import annotations

import random
from collections.abc import Sequence

from isagoge.spec.semantics import Machine
from isagoge.spec.terms import (
    Apply,
    At,
    Block,
    Claim,
    Define,
    Fn,
    If,
    Listing,
    Name,
    Num,
    Statement,
    Term,
    apply,
    let,
)

NUMBER, ARRAY, FUNCTION = "number", "array", "function"
EDGES = (0, 1, 2, 3, 5, 52, 53, 54, 1022, 1023, 1074, 1075, 2**52 + 1, 2**53 - 1, 2**53)
STEPS = 20_000
"""A statement that takes the reference semantics more steps is not used."""
Scope = Sequence[tuple[str, str]]


class Writer:
    """Writes terms of a wanted kind; ``wrong`` is how often another kind is put in its place."""

    def __init__(self, seed: int, wrong: float = 0.01) -> None:
        self.random = random.Random(seed)
        self.wrong = wrong
        self.count = 0

    def fresh(self) -> str:
        """Return a new name."""
        self.count += 1
        return f"x{self.count}"

    def term(self, kind: str, size: int, scope: Scope) -> Term:
        """Return a term of about the given depth whose value is of the given kind."""
        if self.random.random() < self.wrong:
            kind = self.random.choice((NUMBER, ARRAY, FUNCTION))
        fitting = [name for name, other in scope if other == kind]
        if fitting and self.random.random() < (0.5 if size > 0 else 0.8):
            return Name(self.random.choice(fitting))
        return {NUMBER: self.number, ARRAY: self.array, FUNCTION: self.function}[kind](size, scope)

    def small(self, size: int, scope: Scope) -> Term:
        """Return a term for a length or an index, seldom too large."""
        return (
            Num(self.random.choice((0, 1, 1, 2, 2, 3, 4)))
            if self.random.random() < 0.9
            else self.term(NUMBER, size, scope)
        )

    def number(self, size: int, scope: Scope) -> Term:
        """Return a term whose value is a number."""
        r, less = self.random, size - 1
        if size <= 0:
            return Num(r.choice(EDGES) if r.random() < 0.3 else r.randrange(10))
        match r.randrange(10):
            case 0 | 1 | 2:
                return apply(r.choice("+-×÷"), self.term(NUMBER, less, scope), self.term(NUMBER, less, scope))
            case 3:
                return apply(r.choice("=<"), self.term(NUMBER, less, scope), self.term(NUMBER, less, scope))
            case 4:
                return apply(r.choice(("floor", "pow2", "exponent")), self.term(NUMBER, less, scope))
            case 5:
                return apply("round", Num(r.choice((1, 2, 11, 24, 53))), self.term(NUMBER, less, scope))
            case 6:
                test = apply("<", self.term(NUMBER, less, scope), self.term(NUMBER, less, scope))
                return If(test, self.term(NUMBER, less, scope), self.term(NUMBER, less, scope))
            case 7:
                s, i = self.fresh(), self.fresh()
                body = self.term(NUMBER, less, [*scope, (s, NUMBER), (i, NUMBER)])
                return apply(
                    "fold", self.small(less, scope), self.term(NUMBER, less, scope), Fn((s, i), body)
                )
            case 8:
                return (
                    apply("length", self.term(ARRAY, less, scope))
                    if r.random() < 0.3
                    else At(self.term(ARRAY, less, scope), (self.small(less, scope),))
                )
            case _:
                return Apply(self.term(FUNCTION, less, scope), (self.term(NUMBER, less, scope),))

    def array(self, size: int, scope: Scope) -> Term:
        """Return a term whose value is an array, mostly of numbers."""
        r, less = self.random, size - 1
        if size <= 0:
            return Listing(tuple(Num(r.randrange(5)) for _ in range(r.randrange(4))))
        match r.randrange(7):
            case 0 | 1:
                i = self.fresh()
                body = self.term(r.choice((NUMBER, NUMBER, ARRAY)), less, [*scope, (i, NUMBER)])
                return apply("array", self.small(less, scope), Fn((i,), body))
            case 2:
                s, i = self.fresh(), self.fresh()
                body = self.term(NUMBER, less, [*scope, (s, NUMBER), (i, NUMBER)])
                return apply(
                    "scan", self.small(less, scope), self.term(NUMBER, less, scope), Fn((s, i), body)
                )
            case 3:
                return Block.of("".join(r.choice("01") for _ in range(r.randrange(80))))
            case 4:
                x = self.fresh()
                kind = r.choice((NUMBER, ARRAY, FUNCTION))
                return let(x, self.term(kind, less, scope), self.term(ARRAY, less, [*scope, (x, kind)]))
            case 5:
                s, i = self.fresh(), self.fresh()
                body = self.term(ARRAY, less, [*scope, (s, ARRAY), (i, NUMBER)])
                return apply("fold", self.small(less, scope), self.term(ARRAY, less, scope), Fn((s, i), body))
            case _:
                return Listing(
                    tuple(self.term(r.choice((NUMBER, ARRAY)), less, scope) for _ in range(r.randrange(4)))
                )

    def function(self, size: int, scope: Scope) -> Term:
        """Return a term whose value is a function of one number."""
        r, less = self.random, size - 1
        if size <= 0:
            return Name(r.choice(("floor", "pow2", "exponent")))
        match r.randrange(4):
            case 0:
                return apply(
                    r.choice(("+", "-", "×", "÷", "=", "<", "round")), self.term(NUMBER, less, scope)
                )
            case 1:
                x, y = self.fresh(), self.fresh()
                body = self.term(NUMBER, less, [*scope, (x, NUMBER), (y, NUMBER)])
                return Apply(Fn((x, y), body), (self.term(NUMBER, less, scope),))
            case _:
                x = self.fresh()
                return Fn((x,), self.term(NUMBER, less, [*scope, (x, NUMBER)]))

    def message(self, statements: int, size: int) -> list[Statement]:
        """Return statements of which many define; later ones use what earlier ones gave, if they gave it."""
        scope: list[tuple[str, str]] = []
        machine = Machine()
        made: list[Statement] = []
        while len(made) < statements:
            kind = self.random.choice((NUMBER, NUMBER, ARRAY, FUNCTION))
            term = self.term(kind, self.random.randint(1, size), scope)
            define = self.random.random() < 0.4
            statement: Statement = Define(self.fresh(), term) if define else Claim(term)
            machine.steps_left = STEPS
            verdict = machine.judge(statement)
            if verdict == "over-limit":
                continue  # receivers differ in what they can do
            made.append(statement)
            if isinstance(statement, Define) and verdict == "defined":
                scope.append((statement.name, kind))
        return made
