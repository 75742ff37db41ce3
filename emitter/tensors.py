"""Tensors as terms: how a numpy array is written in a message, and questions that hand arrays to a
definition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isagoge.spec.bits import Encoder
from isagoge.spec.primitives import number_of
from isagoge.spec.terms import Apply, Block, Claim, Listing, Name, Num, Term, apply

SMALL = 16
"""Tensors of up to this many integers are written out, larger ones as a block of bits."""

FORMATS = ("singles", "doubles", "integers", "nest")
"""Library definitions that tensors are written with; every message links them, so that questions can use
them.
"""


def number_term(value: float) -> Term:
    """Return a term whose value is exactly the given binary64 number.

    >>> from isagoge.spec.notation import show
    >>> [show(number_term(v)) for v in (3.0, -2.0, 0.5, 0.1, math.inf)]
    ['3', '-2', '1 ÷ 2', '3602879701896397 × pow2(-55)', '1 ÷ 0']
    """
    if math.isnan(value):
        return apply("÷", Num(0), Num(0))
    if value < 0 or (value == 0 and math.copysign(1.0, value) < 0):
        magnitude = number_term(-value)
        return apply("-", Num(0), magnitude) if value else apply("×", Num(0), apply("-", Num(0), Num(1)))
    if math.isinf(value):
        return apply("÷", Num(1), Num(0))
    if value == int(value) and value <= 2**53:
        return Num(int(value))
    numerator, denominator = value.as_integer_ratio()
    if denominator <= 1024 and numerator <= 2**53:
        return apply("÷", Num(numerator), Num(denominator))
    mantissa, power = math.frexp(value)
    whole, power = int(math.ldexp(mantissa, 53)), power - 53
    while whole % 2 == 0:
        whole, power = whole // 2, power + 1
    exponent: Term = Num(power) if power >= 0 else apply("-", Num(0), Num(-power))
    return apply("×", Num(whole), apply("pow2", exponent))


def _block(array: npt.NDArray[Any]) -> tuple[str, Block, tuple[Term, ...]]:
    """Return the format of a tensor's elements, their bits and the format's further arguments."""
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.dtype in (np.dtype(np.float32), np.dtype(np.float16)):
        data = flat.astype(">f4")
        return "singles", Block(32 * flat.size, data.tobytes()), ()
    if flat.dtype == np.dtype(np.float64):
        return "doubles", Block(64 * flat.size, flat.astype(">f8").tobytes()), ()
    if flat.dtype.kind not in "iub":
        raise ValueError(f"tensors of dtype {flat.dtype} cannot be written")
    whole = flat.astype(np.int64)
    most = int(max(whole.max(initial=0), -1 - whole.min(initial=0)))
    if most > 2**53:
        raise ValueError(
            "an integer tensor has elements beyond 2^53, which the numbers of a message do not hold exactly"
        )
    width = next(w for w in (8, 16, 32, 64) if most < 2 ** (w - 1))
    return "integers", Block(width * flat.size, whole.astype(f">i{width // 8}").tobytes()), (Num(width),)


def tensor_term(array: npt.NDArray[Any]) -> Term:
    """Return a term whose value is the tensor: a number for rank 0, else nested arrays.

    Raises ``ValueError`` for dtypes without numbers and for integers beyond 2^53.

    >>> from isagoge.spec.notation import show
    >>> show(tensor_term(np.array([[1, 2], [3, -4]])))
    '[[1, 2], [3, -4]]'
    >>> show(tensor_term(np.zeros((2, 1), np.float32)))
    'nest(singles(bits "0000000000000000000000000000000000000000000000000000000000000000"), [2, 1])'
    """
    if array.ndim == 0:
        return number_term(float(array))
    if array.size <= SMALL and array.dtype.kind in "iub":
        return _written_out(array)
    name, block, more = _block(array)
    flat = apply(name, block, *more)
    if array.ndim == 1:
        return flat
    return apply("nest", flat, Listing(tuple(Num(n) for n in array.shape)))


def _written_out(array: npt.NDArray[Any]) -> Term:
    if array.ndim == 0:
        return number_term(float(array))
    return Listing(tuple(_written_out(part) for part in array))


def question(names: Sequence[str], function: str, inputs: Sequence[npt.NDArray[Any]]) -> bytes:
    """Return the bits of a question that asks for a defined function's value on tensors.

    ``names`` are the names that the message defines, in order (the sidecar has them); ``function`` is one of
    them. Without inputs the question asks for the value of the name itself.
    """
    first = len(number_of())
    encoder = Encoder(numbers={**number_of(), **{name: first + i for i, name in enumerate(names)}})
    head = Name(function)
    encoder.statement(Claim(Apply(head, tuple(map(tensor_term, inputs))) if inputs else head))
    return encoder.writer.bytes()
