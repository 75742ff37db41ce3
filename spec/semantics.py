"""The reference semantics (SPEC.md clauses 5 to 8): one case a rule, written to be read, not to be fast."""

from __future__ import annotations

import math
import operator
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from . import arithmetic
from .errors import MessageError
from .primitives import arity_of
from .terms import Apply, At, Block, Claim, Define, Fn, If, Listing, Name, Num, Statement, Term


@dataclass(frozen=True, slots=True)
class Function:
    """A function value: ``body`` with ``scope``, or a primitive; ``given`` are the arguments received."""

    arity: int
    body: Term | None = None
    params: tuple[str, ...] = ()
    scope: Mapping[str, Value] = field(default_factory=dict)
    primitive: str = ""
    given: tuple[Value, ...] = ()


ARRAY_DEPTH = 64
EVALUATION_DEPTH = 10_000

# One level of evaluation takes up to four Python calls.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 4 * EVALUATION_DEPTH + 5_000))


class Array(tuple["Value", ...]):
    """An array that knows how deep it is nested: arrays share elements, so counting anew may never end."""

    nesting: int

    def __new__(cls, items: Iterable[Value] = ()) -> Array:
        """Make an array; raise ``over-limit`` when it is nested more than 64 deep."""
        made = super().__new__(cls, items)
        made.nesting = 1 + max((item.nesting for item in made if isinstance(item, Array)), default=0)
        if made.nesting > ARRAY_DEPTH:
            raise MessageError("over-limit", f"arrays nested more than {ARRAY_DEPTH} deep")
        return made


Value = float | Array | Function
"""A number, an array or a function."""


def number(value: Value) -> float:
    """Return the value if it is a number, else raise ``kind``."""
    if not isinstance(value, float):
        raise MessageError("kind", "a number is wanted")
    return value


def data(value: Value) -> Value:
    """Return the value if it is a number or an array, else raise ``kind``."""
    if isinstance(value, Function):
        raise MessageError("kind", "a number or an array is wanted, not a function")
    return value


def natural(value: Value) -> int:
    """Return a length as an int; raise ``kind`` if it is no number, ``range`` if no natural up to 2^53."""
    n = number(value)
    if not (0.0 <= n <= 2.0**53 and n == math.floor(n)):
        raise MessageError("range", f"{n} is not a length")
    return int(n)


def _less(a: Value, b: Value) -> float:
    return float(number(a) < number(b))


def _binary(operation: Callable[[float, float], float]) -> Callable[[Value, Value], float]:
    def apply(a: Value, b: Value) -> float:
        return operation(number(a), number(b))

    return apply


def _unary(operation: Callable[[float], float]) -> Callable[[Value], float]:
    def apply(x: Value) -> float:
        return operation(number(x))

    return apply


class Machine:
    """Evaluates statements in order.

    ``over-limit`` is raised after ``budget`` steps; calls, loop turns and comparisons are steps.

    >>> from .notation import parse
    >>> list(Machine().run(parse("two := 1 + 1. two = 2. two = 3. [1][two] = 0.")))
    ['defined', 'true', 'false', 'range']
    """

    def __init__(self, budget: int = 10_000_000) -> None:
        self.globals: dict[str, Value | None] = {}
        self.steps_left = budget
        self._depth = 0
        self._primitives: dict[str, Callable[..., Value]] = {
            "=": self._equal,
            "<": _less,
            "+": _binary(operator.add),
            "-": _binary(operator.sub),
            "×": _binary(operator.mul),
            "÷": _binary(arithmetic.divide),
            "floor": _unary(arithmetic.floor),
            "pow2": _unary(arithmetic.pow2),
            "exponent": _unary(arithmetic.exponent),
            "round": _binary(arithmetic.round_to),
            "array": self._array,
            "length": self._length,
            "fold": self._fold,
            "scan": self._scan,
        }

    def run(self, statements: Iterable[Statement]) -> Iterator[str]:
        """Yield the verdict of each statement: ``defined``, ``true``, ``false`` or the name of an error."""
        for statement in statements:
            yield self.judge(statement)

    def judge(self, statement: Statement) -> str:
        """Evaluate one statement and return its verdict."""
        try:
            match statement:
                case Define(name, term):
                    self.globals[name] = None
                    self.globals[name] = self.evaluate(term, {})
                    return "defined"
                case Claim(term):
                    return "true" if self.evaluate(term, {}) == 1.0 else "false"
        except MessageError as error:
            return error.name
        except (MemoryError, RecursionError):
            return "over-limit"

    def evaluate(self, term: Term, scope: Mapping[str, Value]) -> Value:
        """Return the value of a term; ``scope`` holds the parameters around it. Raises ``MessageError``."""
        match term:
            case Num(n):
                return float(n)
            case Name(name):
                return self._look_up(name, scope)
        self._enter()
        try:
            return self._group(term, scope)
        finally:
            self._depth -= 1

    def _enter(self) -> None:
        if self._depth >= EVALUATION_DEPTH:
            raise MessageError("over-limit", f"evaluations nested more than {EVALUATION_DEPTH} deep")
        self._depth += 1

    def _group(self, term: Term, scope: Mapping[str, Value]) -> Value:
        """Return the value of a term that is a group."""
        match term:
            case Fn(params, body):
                return Function(len(params), body, params, scope)
            case If(test, then, other):
                chosen = number(self.evaluate(test, scope))
                if chosen not in (0.0, 1.0):
                    raise MessageError("range", f"a test is 0 or 1, not {chosen}")
                return self.evaluate(then if chosen else other, scope)
            case Listing(items):
                return Array(data(self.evaluate(item, scope)) for item in items)
            case Block():
                return Array(map(float, term.digits()))
            case At(array, indices):
                found = self.evaluate(array, scope)
                for index in indices:
                    found = self._element(found, self.evaluate(index, scope))
                return found
            case Apply(head, terms):
                function = self.evaluate(head, scope)
                # Only a defined name, a primitive or a function written in place may receive functions, and
                # only among the arguments that it takes itself (5.4).
                free = isinstance(head, Fn) or (isinstance(head, Name) and head.name not in scope)
                takes = function.arity if free and isinstance(function, Function) else 0
                args = []
                for i, arg in enumerate(terms):
                    value = self.evaluate(arg, scope)
                    args.append(value if i < takes else data(value))
                return self._apply(function, args)
        raise TypeError(f"{term!r} is no group")

    def _look_up(self, name: str, scope: Mapping[str, Value]) -> Value:
        if name in scope:
            return scope[name]
        if name in self._primitives:
            return Function(arity_of()[name], primitive=name)
        value = self.globals.get(name)
        if value is None:
            raise MessageError("missing", f"the definition of {name} failed")
        return value

    def _step(self, count: int = 1) -> None:
        self.steps_left -= count
        if self.steps_left < 0:
            raise MessageError("over-limit", "steps")

    def _apply(self, function: Value, args: list[Value]) -> Value:
        """Apply to all arguments: too few leave a function of the rest, too many go on to the result."""
        if not isinstance(function, Function):
            raise MessageError("kind", "a function is wanted")
        given = (*function.given, *args[: function.arity])
        rest = args[function.arity :]
        if len(args) < function.arity:
            left = function.arity - len(args)
            return Function(left, function.body, function.params, function.scope, function.primitive, given)
        self._step()
        self._enter()
        try:
            if function.body is None:
                result = self._primitives[function.primitive](*given)
            else:
                scope = {**function.scope, **dict(zip(function.params, given, strict=True))}
                result = self.evaluate(function.body, scope)
        finally:
            self._depth -= 1
        if not rest:
            return result
        return self._apply(result, [data(arg) for arg in rest])

    def _equal(self, a: Value, b: Value) -> float:
        data(a), data(b)
        self._step()
        if isinstance(a, Array) and isinstance(b, Array):
            return float(len(a) == len(b) and all(map(self._equal, a, b)))
        return float(isinstance(a, float) and isinstance(b, float) and a == b)

    def _element(self, array: Value, index: Value) -> Value:
        if not isinstance(array, Array):
            raise MessageError("kind", "an array is wanted")
        i = number(index)
        if not (0.0 <= i < len(array) and i == math.floor(i)):
            raise MessageError("range", f"{i} is not an index into {len(array)} elements")
        return array[int(i)]

    def _length(self, array: Value) -> Value:
        if not isinstance(array, Array):
            raise MessageError("kind", "an array is wanted")
        return float(len(array))

    def _loop(self, n: Value, f: Value) -> range:
        """Check a length and a function, kinds first; count the turns of the loop as steps."""
        number(n)
        if not isinstance(f, Function):
            raise MessageError("kind", "a function is wanted")
        turns = natural(n)
        self._step(turns)
        return range(turns)

    def _array(self, n: Value, f: Value) -> Value:
        return Array([data(self._apply(f, [float(i)])) for i in self._loop(n, f)])

    def _fold(self, n: Value, start: Value, f: Value) -> Value:
        number(n), data(start)
        state = start
        for i in self._loop(n, f):
            state = data(self._apply(f, [state, float(i)]))
        return state

    def _scan(self, n: Value, start: Value, f: Value) -> Value:
        number(n), data(start)
        state, states = start, []
        for i in self._loop(n, f):
            state = data(self._apply(f, [state, float(i)]))
            states.append(state)
        return Array(states)


def spell(value: Value) -> str:
    """Return the text of a value as a receiver reports it (clause 10).

    >>> spell(Array([1.0, Array([0.5])])), spell(math.nan)
    ('[3ff0000000000000 [3fe0000000000000]]', '7ff8000000000000')
    """
    match value:
        case float():
            return "7ff8000000000000" if math.isnan(value) else struct.pack(">d", value).hex()
        case Array():
            return "[" + " ".join(map(spell, value)) + "]"
        case _:
            return "function"
