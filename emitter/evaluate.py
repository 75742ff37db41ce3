"""The writer's own evaluator: the same language as SPEC.md, whole arrays at a time with numpy.

It gives the exact outputs that a message states. It shares nothing with the receivers; sums run in index
order because a fold is a loop here too, and only independent elements are computed together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isagoge.spec.errors import MessageError
from isagoge.spec.primitives import arity_of
from isagoge.spec.terms import (
    Apply,
    At,
    Block,
    Define,
    Fn,
    If,
    Listing,
    Name,
    Num,
    Statement,
    Term,
    free_names,
)

from . import lanes
from .lanes import Data, Irregular, Number, Ragged, Tensor, applied
from .program import Program


@dataclass(frozen=True, slots=True)
class Function:
    """A function value; exactly one of ``term`` and ``primitive`` is given."""

    arity: int
    term: Fn | None
    scope: Mapping[str, Value]
    primitive: str = ""
    given: tuple[Value, ...] = ()


Value = Data | Function
Mask = npt.NDArray[np.bool_]


def _number(value: Value) -> Number:
    if isinstance(value, Tensor | Ragged | Function):
        raise MessageError("kind", "a number is wanted")
    return value


def _loop(n: Value, f: Value) -> int:
    _number(n)
    if not isinstance(f, Function):
        raise MessageError("kind", "a function is wanted")
    return lanes.natural(_number(n))


def _data(value: Value) -> Data:
    if isinstance(value, Function):
        raise MessageError("kind", "a number or an array is wanted, not a function")
    return value


class Evaluator:
    """Evaluates terms over named definitions, which are evaluated when first used.

    >>> from isagoge.spec.notation import parse
    >>> evaluator = Evaluator(parse("square(x) := x × x."))
    >>> evaluator.array(parse("array(3, i ↦ square(i)) .")[0].term)
    array([0., 1., 4.])
    """

    def __init__(self, definitions: Iterable[Statement]) -> None:
        self._terms = {s.name: s.term for s in definitions if isinstance(s, Define)}
        self._values: dict[str, Value] = {}
        self._depth = 0
        self._mask: Mask | None = None
        self._operations: dict[str, Callable[..., Number]] = {
            "<": lambda a, b: np.asarray(a < b, np.float64),
            "+": np.add,
            "-": np.subtract,
            "×": np.multiply,
            "÷": np.divide,
            "floor": np.floor,
            "pow2": lanes.pow2,
            "exponent": lanes.exponent,
            "round": lanes.round_to,
        }
        self._loops: dict[str, Callable[..., Data]] = {
            "array": self._array,
            "fold": self._fold,
            "scan": self._scan,
            "length": self._length,
            "=": lambda a, b: lanes.equal(_data(a), _data(b)),
        }

    def define(self, name: str, value: Data) -> None:
        """Give a name a value that is not computed from a term."""
        self._values[name] = value

    def defined(self, name: str) -> bool:
        """Tell whether a name has a value now."""
        return name in self._values

    def drop(self, name: str) -> None:
        """Forget the value of a name."""
        self._values.pop(name, None)

    def array(self, term: Term) -> npt.NDArray[np.float64]:
        """Return the value of a term, which is a number or a rectangular array, as a numpy array."""
        return to_array(self.value(term))

    def value(self, term: Term) -> Data:
        """Return the value of a term that is not a function. Raises ``MessageError``."""
        with np.errstate(all="ignore"):
            return _data(self._evaluate(term, {}))

    def evaluate_definition(self, name: str) -> None:
        """Evaluate a definition if that has not been done. Raises ``MessageError``."""
        with np.errstate(all="ignore"):
            self._look_up(name)

    def _look_up(self, name: str) -> Value:
        if name in self._values:
            return self._values[name]
        if name in self._operations or name in self._loops:
            return Function(arity_of()[name], None, {}, name)
        if name not in self._terms:
            raise ValueError(f"{name} is not defined")
        # A definition does not depend on the lanes and the mask of the place that first uses it.
        depth, mask = self._depth, self._mask
        self._depth, self._mask = 0, None
        try:
            value = self._evaluate(self._terms[name], {})
        finally:
            self._depth, self._mask = depth, mask
        self._values[name] = value
        return value

    def _evaluate(self, term: Term, scope: Mapping[str, Value]) -> Value:
        match term:
            case Name(name):
                found = scope.get(name)
                return self._look_up(name) if found is None else found
            case Num(n):
                return np.float64(n)
            case Apply(Fn(params, body), args) if len(params) == len(args):
                values = [self._evaluate(arg, scope) for arg in args]
                return self._evaluate(body, {**scope, **dict(zip(params, values, strict=True))})
            case Apply(head, args):
                function = self._evaluate(head, scope)
                # SPEC.md 5.4: only defined names, primitives and functions written in place may receive
                # functions.
                free = isinstance(head, Fn) or (isinstance(head, Name) and head.name not in scope)
                takes = function.arity if free and isinstance(function, Function) else 0
                values = []
                for i, arg in enumerate(args):
                    value = self._evaluate(arg, scope)
                    values.append(value if i < takes else _data(value))
                return self.apply(function, values)
            case At(array, indices):
                found = _data(self._evaluate(array, scope))
                for index in indices:
                    found = lanes.element(found, _number(self._evaluate(index, scope)), self._mask)
                return found
            case Fn(params):
                return Function(len(params), term, scope)
            case If(test, then, other):
                return self._choose(_number(self._evaluate(test, scope)), then, other, scope)
            case Listing(items):
                return lanes.stack([_data(self._evaluate(item, scope)) for item in items], self._depth)
            case Block(count, data):
                bits = np.unpackbits(np.frombuffer(data, np.uint8))[:count]
                return Tensor(bits.astype(np.float64), 1)

    def apply(self, function: Value, args: Sequence[Value]) -> Value:
        """Apply a function to arguments: fewer than its arity leave a function, more go on to the result."""
        while True:
            if not isinstance(function, Function):
                raise MessageError("kind", "a function is wanted")
            given = (*function.given, *args[: function.arity])
            rest = args[function.arity :]
            if len(args) < function.arity:
                left = function.arity - len(args)
                return Function(left, function.term, function.scope, function.primitive, given)
            if function.term is not None:
                scope = {**function.scope, **dict(zip(function.term.params, given, strict=True))}
                result = self._evaluate(function.term.body, scope)
            elif function.primitive in self._operations:
                result = self._operations[function.primitive](*map(_number, given))
            else:
                result = self._loops[function.primitive](*given)
            if not rest:
                return result
            function, args = result, rest

    def _choose(self, test: Number, then: Term, other: Term, scope: Mapping[str, Value]) -> Value:
        mask = self._mask
        wrong = (test != 0) & (test != 1)
        if np.any(wrong if mask is None else wrong & mask):
            raise MessageError("range", "a test is 0 or 1")
        same = lanes.uniform(test)
        if same is not None:
            return self._evaluate(then if same else other, scope)
        yes = test != 0
        no = ~yes
        if mask is not None:
            yes, no = yes & mask, no & mask
            if not np.any(yes) or not np.any(no):
                return self._evaluate(then if np.any(yes) else other, scope)
        try:
            self._mask = yes
            one = _data(self._evaluate(then, scope))
            self._mask = no
            two = _data(self._evaluate(other, scope))
        finally:
            self._mask = mask
        return lanes.chosen(np.asarray(test), one, two)

    def _length(self, array: Value) -> Data:
        if not isinstance(array, Tensor | Ragged):
            raise MessageError("kind", "an array is wanted")
        return np.float64(len(array))

    def _array(self, n: Value, f: Value) -> Data:
        length = _loop(n, f)
        if length > 1:
            try:
                return self._all_at_once(length, f)
            except Irregular:
                pass
        return lanes.stack([_data(self.apply(f, [np.float64(i)])) for i in range(length)], self._depth)

    def _all_at_once(self, length: int, f: Value) -> Data:
        index = np.arange(float(length)).reshape((length,) + (1,) * self._depth)
        self._depth += 1
        try:
            value = _data(self.apply(f, [index]))
        finally:
            self._depth -= 1
        return lanes.gathered(value, self._depth + 1, length)

    def _fold(self, n: Value, start: Value, f: Value) -> Data:
        state = _data(start)
        for i in range(_loop(n, f)):
            state = _data(self.apply(f, [state, np.float64(i)]))
        return state

    def _scan(self, n: Value, start: Value, f: Value) -> Data:
        state, states = _data(start), []
        for i in range(_loop(n, f)):
            state = _data(self.apply(f, [state, np.float64(i)]))
            states.append(state)
        return lanes.stack(states, self._depth)


def to_array(value: Data) -> npt.NDArray[np.float64]:
    """Return a number or rectangular array as a numpy array. Raises ``ValueError`` for a ragged one."""
    if isinstance(value, Ragged):
        return np.array([to_array(item) for item in value.items])
    if isinstance(value, Tensor):
        return np.ascontiguousarray(applied(value).data.T)
    return np.asarray(value, np.float64)


def from_array(array: npt.NDArray[Any]) -> Data:
    """Return a numpy array as a value: a number for rank 0."""
    return Tensor.of(array) if array.ndim else np.float64(array)


class Run:
    """Evaluates a program step by step; values are forgotten after their last use."""

    def __init__(self, program: Program, definitions: Iterable[Statement], keep: Iterable[str] = ()) -> None:
        self.evaluator = Evaluator(definitions)
        self._program = program
        kept = {*keep, *(output.value for output in program.outputs)}
        last: dict[str, int] = {}
        for i, step in enumerate(program.steps):
            for name in free_names(step.term):
                last[name] = i
        produced = {step.value for step in program.steps} | {tensor.value for tensor in program.inputs}
        self._constants: list[list[str]] = [[] for _ in program.steps]
        self._drop: list[list[str]] = [[] for _ in program.steps]
        for i, step in enumerate(program.steps):
            self._constants[i] = [name for name in set(free_names(step.term)) if name in program.constants]
        for name, i in last.items():
            if (name in produced and name not in kept) or name in program.constants:
                self._drop[i].append(name)

    def __call__(self, inputs: Mapping[str, npt.NDArray[Any]]) -> list[npt.NDArray[np.float64]]:
        """Return the outputs for inputs given by their ONNX names.

        Raises ``MessageError`` with the step's node in its text when a step fails.
        """
        for tensor in self._program.inputs:
            self.evaluator.define(tensor.value, from_array(np.asarray(inputs[tensor.name])))
        for output in self._program.outputs:
            if output.value in self._program.constants:
                self.evaluator.define(output.value, from_array(self._program.constants[output.value]))
        for i, step in enumerate(self._program.steps):
            # Weights are widened to float64 only while they are in use.
            for name in self._constants[i]:
                if not self.evaluator.defined(name):
                    self.evaluator.define(name, from_array(self._program.constants[name]))
            try:
                self.evaluator.define(step.value, self.evaluator.value(step.term))
            except MessageError as error:
                raise MessageError(error.name, f"{error}; in {step.operator} node {step.node!r}") from None
            for name in self._drop[i]:
                self.evaluator.drop(name)
        return [self.evaluator.array(Name(output.value)) for output in self._program.outputs]
