"""Names while lowering: which values become steps, which are shared, and which are written where they are
used.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from isagoge.spec.terms import Apply, Block, Fn, If, Listing, Name, Num, Term, children

from .lowering import Output
from .program import Shape, Step
from .tensors import SMALL, number_term, tensor_term

INLINE = 12
"""Terms of up to this many parts that stand for lengths are not named but written where they are used."""

LARGEST = 2**16
"""Integers of a larger magnitude are not written out one by one but stored as a weight."""

_CHEAP = frozenset("length + - × ÷ floor trunc = < max min take wrap quotient".split())
"""Functions that cost next to nothing."""

Scope = tuple[list[Step], dict[Term, str]]


class Names:
    """The steps and constants of a program that is being made, and the identifiers in use."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.steps: list[Step] = []
        self.scalars: list[Step] = []
        self.constants: dict[str, npt.NDArray[Any]] = {}
        self._shared: dict[Term, str] = {}
        self._numbers: dict[Term, str] = {}
        self._digests: dict[tuple[str, Shape, bytes], Term] = {}
        self._used: set[str] = set()

    def identifier(self, wish: str) -> str:
        """Return a new identifier, made from a name of the model.

        It begins as ``wish`` does, with ``v_``, ``w_``, ``x_`` or ``k_``: no library name begins so.

        >>> names = Names()
        >>> names.identifier("v_/conv/Relu:0"), names.identifier("v_/conv/Relu:0")
        ('v_conv_Relu_0', 'v_conv_Relu_0_2')
        """
        plain = re.sub(r"[\W_]+", "_", wish, flags=re.ASCII)[:48].rstrip("_")
        name = plain
        for number in itertools.count(2):
            if name not in self._used:
                break
            name = f"{plain}_{number}"
        self._used.add(name)
        return name

    def define(
        self, term: Term, wish: str, node: str, operator: str, dtype: np.dtype[Any], rank: int
    ) -> Name:
        """Give a term a name of its own, in a new step."""
        identifier = self.identifier(wish)
        self.steps.append(Step(identifier, term, node, operator, dtype, rank))
        return Name(identifier)

    def share(self, term: Term, wish: str, node: str, operator: str, dtype: np.dtype[Any], rank: int) -> Term:
        """Name a term, unless it is a name or a number already; equal terms get the same name."""
        if isinstance(term, Name | Num):
            return term
        if term not in self._shared:
            self._shared[term] = self.define(term, wish, node, operator, dtype, rank).name
        return Name(self._shared[term])

    def constant(self, array: npt.NDArray[Any], name: str) -> Term:
        """Return a term for a constant tensor: written out if small, else a weight of the program.

        Numbers that are no integers get a name, which comes before all steps, so that they are computed once.
        """
        array = np.asarray(array)
        if array.ndim == 0:
            term = number_term(float(array))
            if isinstance(term, Num) or array.dtype.kind in "iub":
                return term
            if term not in self._numbers:
                spelling = f"{float(array):.6g}".replace("-", "minus_")
                self._numbers[term] = self.identifier(f"k_{spelling}")
                self.scalars.append(Step(self._numbers[term], term, "", "Constant", array.dtype, 0))
            return Name(self._numbers[term])
        if _written_out(array):
            return tensor_term(array.astype(np.int64))
        digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()
        key = (array.dtype.str, array.shape, digest)
        if key not in self._digests:
            identifier = self.identifier(f"w_{name}")
            self.constants[identifier] = array
            self._digests[key] = Name(identifier)
        return self._digests[key]

    def enter(self) -> Scope:
        """Begin a branch, whose steps are its own; return what ``leave`` wants."""
        outer = (self.steps, dict(self._shared))
        self.steps = []
        return outer

    def leave(self, outer: Scope) -> None:
        """End a branch: its steps are forgotten."""
        self.steps, self._shared = outer


def _written_out(array: npt.NDArray[Any]) -> bool:
    """Tell whether a tensor is a few integers, none of them large or -0."""
    if array.size > SMALL:
        return False
    if array.dtype.kind not in "iub":
        if not np.all(np.isfinite(array)) or np.any(array != np.floor(array)):
            return False
        if np.any(np.signbit(array) & (array == 0)):
            return False
    return bool(np.all(np.abs(array.astype(np.float64)) < LARGEST))


def inline(term: Term, output: Output) -> bool:
    """Tell whether an output is a length, or a short list of lengths, that may as well be written where it is
    used.
    """
    if output.dtype.kind not in "iub" or len(output.shape) > 1:
        return False
    if isinstance(term, Listing):
        return len(term.items) <= SMALL and all(map(_short, term.items))
    return not output.shape and _short(term)


def _short(term: Term) -> bool:
    return _size(term) <= INLINE and _CHEAP.issuperset(_heads(term))


def _size(term: Term) -> int:
    return 1 + sum(map(_size, children(term)))


def _heads(term: Term) -> Iterator[str]:
    """Yield the names of the functions that a term applies, and ``?`` for what is no plain application."""
    match term:
        case Apply(Name(name), _):
            yield name
        case Apply() | Fn() | If() | Block():
            yield "?"
    for child in children(term):
        yield from _heads(child)
