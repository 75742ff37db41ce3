"""Rival meanings of the primitives: what a stranger could take them for, and where the lessons say no.

``rivals.toml`` is the list. Each rival is a reading of one primitive. The primer is clear if under every
rival some statement comes out false, or as an error, in the lesson that teaches the thing in question, or
before. ``contradiction`` finds the first such statement.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any

from isagoge.spec import arithmetic, semantics
from isagoge.spec.errors import MessageError
from isagoge.spec.primitives import number_of
from isagoge.spec.semantics import Array, Function, Machine, Value
from isagoge.spec.terms import At, Block, Define, Fn, If, Listing, Statement, Term, children, free_names

from .chapters import Chapter, Entry

_FORM_OF: dict[type, str] = {Fn: "fn", If: "if", At: "at", Listing: "list", Block: "bits"}
_NUMERIC = frozenset({"<", "+", "-", "×", "÷", "floor", "pow2", "exponent", "round"})


@dataclass(frozen=True, slots=True)
class Rival:
    """One mistaken reading.

    ``of`` is the primitive, ``meaning`` the reading in words, ``python`` the code for it (``RivalMachine``
    says how it is read), ``lesson`` the file that must contradict it; if empty, the first that uses ``of``.
    """

    of: str
    meaning: str
    python: str
    lesson: str = ""


@cache
def rivals() -> tuple[Rival, ...]:
    """Return the rivals listed in ``rivals.toml``.

    Raises ``ValueError`` for a rival of something that is no primitive, or listed twice.

    >>> rivals()[0].of
    '='
    """
    table = tomllib.loads((files(__package__) / "rivals.toml").read_text(encoding="utf-8"))
    found = [Rival(of, **row) for of, rows in table.items() for row in rows]
    for rival in found:
        if rival.of not in number_of():
            raise ValueError(f"rivals.toml: {rival.of} is not a primitive")
        if sum((other.of, other.meaning) == (rival.of, rival.meaning) for other in found) > 1:
            raise ValueError(f"rivals.toml: {rival.of}: {rival.meaning!r} is listed twice")
    return tuple(found)


def names_in(statement: Statement) -> set[str]:
    """Return all names that a statement uses: primitives, forms, and defined names; not the one it defines.

    >>> from isagoge.spec.notation import parse
    >>> sorted(names_in(parse("f(x) := [x + two].")[0]))
    ['+', 'define', 'fn', 'list', 'two']
    """
    found = set(free_names(statement.term)) | ({"define"} if isinstance(statement, Define) else set())
    stack: list[Term] = [statement.term]
    while stack:
        term = stack.pop()
        stack += children(term)
        if type(term) in _FORM_OF:
            found.add(_FORM_OF[type(term)])
    return found


def teaching_lesson(rival: Rival, lessons: Iterable[Chapter]) -> str:
    """Return the file of the lesson that must contradict a rival.

    Raises ``ValueError`` if no lesson uses the primitive or there is no lesson of that name.
    """
    for chapter in lessons:
        if chapter.source == rival.lesson:
            return chapter.source
        if not rival.lesson and any(rival.of in names_in(entry.statement) for entry in chapter.entries):
            return chapter.source
    raise ValueError(f"no lesson {rival.lesson or 'that uses ' + rival.of}")


def contradiction(rival: Rival, lessons: Iterable[Chapter]) -> tuple[Entry, str] | None:
    """Return the first statement that a rival makes false or an error, with its verdict, or None."""
    machine = RivalMachine(rival)
    for chapter in lessons:
        for entry in chapter.entries:
            verdict = machine.judge(entry.statement)
            if verdict not in ("true", "defined"):
                return entry, verdict
    return None


class RivalMachine(Machine):
    """The reference machine with one reading replaced.

    The rival's code is an expression, or a function named ``rival``. For a primitive function it takes the
    operands (checked to be numbers where the primitive wants numbers); for ``if``, ``at``, ``list`` and
    ``bits`` the term and its scope; for ``fn`` a function and its arguments, and it returns what applying the
    one to the others gives. It can use the names below.
    """

    def __init__(self, rival: Rival, budget: int = 1_000_000) -> None:
        super().__init__(budget)
        names: dict[str, Any] = {
            "Fraction": Fraction,
            "Function": Function,
            "apply": super()._apply,
            "call": lambda f, *args: self._apply(f, [float(x) if isinstance(x, int) else x for x in args]),
            "divide": arithmetic.divide,
            "element": self._element,
            "equal": self._equal,
            "evaluate": self.evaluate,
            "exponent": arithmetic.exponent,
            "floor": arithmetic.floor,
            "fold": self._fold,
            "inexact": inexact,
            "leaves": leaves,
            "math": math,
            "natural": semantics.natural,
            "number": semantics.number,
            "pow2": arithmetic.pow2,
            "round_to": arithmetic.round_to,
            "rounded": rounded,
            "scan": self._scan,
            "sign": lambda x: math.copysign(1.0, x),
            "walk": walk,
            "wrong": wrong,
        }
        exec(rival.python if "def rival" in rival.python else f"rival = {rival.python}", names)
        self._of = rival.of
        self._rule: Callable[..., Any] = names["rival"]
        if rival.of in self._primitives:
            self._primitives[rival.of] = self._read

    def _read(self, *args: Value) -> Value:
        return value_of(self._rule(*map(semantics.number, args) if self._of in _NUMERIC else args))

    def evaluate(self, term: Term, scope: Mapping[str, Value]) -> Value:
        """Return the value of a term as the rival reads it."""
        if type(term) is not Fn and _FORM_OF.get(type(term)) == self._of:
            return value_of(self._rule(term, scope))
        return super().evaluate(term, scope)

    def _apply(self, function: Value, args: list[Value]) -> Value:
        if self._of == "fn" and isinstance(function, Function) and function.body is not None:
            return value_of(self._rule(function, args))
        return super()._apply(function, args)


def value_of(found: object) -> Value:
    """Return what a rival's code gave as a value of the language.

    >>> value_of((1, (0.5,)))
    (1.0, (0.5,))
    """
    match found:
        case bool() | int() | float():
            return float(found)
        case Array() | Function():
            return found
        case tuple() | list():
            return Array(semantics.data(value_of(part)) for part in found)
    raise TypeError(f"{found!r} is no value")


def wrong(error: str) -> Value:
    """Raise one of the language's errors, by name; for use in an expression."""
    raise MessageError(error, "in a rival meaning")


def walk(start: Value, indices: Iterable[int], step: Callable[[Value, int], Value]) -> list[Value]:
    """Return the start and the state after each step.

    >>> walk(5.0, range(2), lambda s, i: s + i)
    [5.0, 5.0, 6.0]
    """
    states = [start]
    for i in indices:
        states.append(step(states[-1], i))
    return states


def leaves(value: Value) -> Iterator[Value]:
    """Yield the numbers in an array of arrays, from left to right.

    >>> list(leaves((1.0, (2.0, 3.0))))
    [1.0, 2.0, 3.0]
    """
    if isinstance(value, tuple):
        for part in value:
            yield from leaves(part)
    else:
        yield value


def _whole(q: Fraction, mode: str) -> int:
    """Return a neighbouring whole number; the mode says which."""
    low = math.floor(q)
    rest = q - low
    if rest == 0:
        return low
    up = {"zero": q < 0, "away": q > 0, "below": False, "above": True}
    if mode in up:
        return low + up[mode]
    if rest != Fraction(1, 2):
        return low + (rest > Fraction(1, 2))
    tie = {"even": bool(low & 1), "odd": not low & 1, "tie away": q > 0, "tie zero": q < 0, "tie above": True}
    return low + tie[mode]


def rounded(x: Fraction, mode: str = "even", digits: int = 53, least: int = -1074) -> Fraction:
    """Return x rounded to so many binary digits, in units of 2^least or more.

    ``mode``: ``zero``, ``away``, ``below``, ``above`` for the neighbour on that side; else the nearest, and
    of two equally near ``even``, ``odd``, ``tie away``, ``tie zero``, ``tie above``.

    >>> rounded(Fraction(5), "tie away", digits=2), rounded(Fraction(5), digits=2)
    (Fraction(6, 1), Fraction(4, 1))
    """
    if x == 0:
        return x
    size = abs(x).numerator.bit_length() - x.denominator.bit_length()
    size -= abs(x) < Fraction(2) ** size
    unit = Fraction(2) ** max(size - digits + 1, least)
    return _whole(x / unit, mode) * unit


def inexact(
    sign: str,
    mode: str = "even",
    *,
    digits: tuple[int, ...] = (53,),
    least: int = -1074,
    flush: bool = False,
    saturate: bool = False,
) -> Callable[[float, float], float]:
    """Return a reading of one of ``+ - × ÷`` that rounds otherwise.

    ``digits`` are the roundings, one after the other; ``flush`` makes results below 2^-1022 zero;
    ``saturate`` keeps them from becoming infinite.

    >>> inexact("÷", "above")(1.0, 3.0).hex()
    '0x1.5555555555556p-2'
    """
    standard = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "×": lambda a, b: a * b,
        "÷": arithmetic.divide,
    }

    def operation(a: float, b: float) -> float:
        usual: float = standard[sign](a, b)
        if not (math.isfinite(a) and math.isfinite(b)) or (sign == "÷" and b == 0.0):
            return usual
        left, right = Fraction(a), Fraction(b)
        value = {"+": left + right, "-": left - right, "×": left * right}.get(sign)
        if value is None:
            value = left / right
        if value == 0:
            return usual
        for i, count in enumerate(digits):
            value = rounded(value, mode, count, least if i == len(digits) - 1 else least - 15_000)
        if flush and abs(value) < Fraction(2) ** -1022:
            value = Fraction(0)
        if abs(value) >= Fraction(2) ** 1024:
            return math.copysign((2.0 - 2.0**-52) * 2.0**1023 if saturate else math.inf, usual)
        return math.copysign(float(value), usual)

    return operation
