"""Values of a whole array of cases at once: the numbers and tensors of the vectorised evaluator.

``array(n, f)`` asks for f(0), f(1), … f(n - 1). Instead of n evaluations there is one, in which a number is a
numpy array with an axis, a *lane axis*, for the index. Arrays inside arrays give more lane axes. The
innermost one comes first, so that numpy's broadcasting, which aligns shapes at their ends, lets a number from
further out meet one from further in.

A tensor is a numpy array whose first axes are its own, innermost first, followed by lane axes. Turning the
values of f over the lanes into an array is then free: the first lane axis becomes the tensor's outermost own
axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isagoge.spec.errors import MessageError

Number = np.float64 | npt.NDArray[np.float64]
"""A number in every lane; its axes are lane axes, of which those that do not matter may be missing or of
length 1.
"""


class Irregular(Exception):
    """Lengths or structures differ between lanes: the evaluator goes through them one by one instead."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An array of numbers with ``rank`` own axes; ``indices`` select in the outermost ones and are not
    applied yet.
    """

    data: npt.NDArray[np.float64]
    rank: int
    indices: tuple[Number, ...] = ()

    @property
    def left(self) -> int:
        """How many own axes the indices leave."""
        return self.rank - len(self.indices)

    def __len__(self) -> int:
        return int(self.data.shape[self.left - 1])

    @staticmethod
    def of(array: npt.NDArray[Any]) -> Tensor:
        """Return the tensor of a numpy array of rank 1 or more, without copying float64."""
        return Tensor(np.asarray(array, np.float64).T, array.ndim)


@dataclass(frozen=True, slots=True)
class Ragged:
    """An array whose elements have different structures."""

    items: tuple[Data, ...]

    def __len__(self) -> int:
        return len(self.items)


Data = Number | Tensor | Ragged


def uniform(value: Number) -> float | None:
    """Return the value that a number has in all lanes, or None if it differs.

    >>> uniform(np.full((2, 1), 3.0)), uniform(np.arange(2.0))
    (3.0, None)
    """
    if value.ndim == 0:
        return float(value)
    first = value.flat[0] if value.size else 0.0
    return float(first) if np.all(value == first) else None


def spread(value: npt.NDArray[np.float64], axis_from_end: int, length: int) -> npt.NDArray[np.float64]:
    """Return a view in which the axis at a place counted from the end exists and has the given length."""
    missing = axis_from_end - value.ndim
    if missing > 0:
        value = value.reshape((1,) * missing + value.shape)
    axis = value.ndim - axis_from_end
    if value.shape[axis] == length:
        return value
    return np.broadcast_to(value, (*value.shape[:axis], length, *value.shape[axis + 1 :]))


def applied(tensor: Tensor) -> Tensor:
    """Return the tensor with its indices carried out."""
    if not tensor.indices:
        return tensor
    data, rank, left = tensor.data, tensor.rank, tensor.left
    simple = [uniform(index) for index in tensor.indices]
    if all(index is not None for index in simple):
        chosen = tuple(int(index) for index in reversed(simple) if index is not None)
        return Tensor(data[(slice(None),) * left + chosen], left)
    lanes = max(data.ndim - rank, *(index.ndim for index in tensor.indices))
    place: list[Any] = []
    for own in range(left):
        place.append(np.arange(data.shape[own]).reshape((-1,) + (1,) * (left - 1 - own + lanes)))
    for index, same in zip(reversed(tensor.indices), reversed(simple), strict=True):
        place.append(int(same) if same is not None else index.astype(np.intp))
    for axis in range(rank, data.ndim):
        length = data.shape[axis]
        place.append(0 if length == 1 else np.arange(length).reshape((-1,) + (1,) * (data.ndim - 1 - axis)))
    return Tensor(data[tuple(place)], left)


def element(array: Data, index: Number, mask: npt.NDArray[np.bool_] | None) -> Data:
    """Return an element (SPEC.md 5.6); in lanes outside the mask any element will do.

    Raises ``MessageError`` (kind, range) and ``Irregular``.
    """
    if not isinstance(array, Tensor | Ragged):
        raise MessageError("kind", "an array is wanted")
    n = len(array)
    wrong = ~((index >= 0) & (index < n) & (index == np.floor(index)))
    if np.any(wrong):
        if mask is None or np.any(wrong & mask) or n == 0:
            raise MessageError("range", f"index into {n} elements")
        index = np.where(wrong, 0.0, index)
    if isinstance(array, Ragged):
        same = uniform(index)
        if same is None:
            raise Irregular
        return array.items[int(same)]
    found = Tensor(array.data, array.rank, (*array.indices, index))
    return found if found.left else applied(found).data


def stack(items: list[Data], depth: int) -> Tensor | Ragged:
    """Return the array of the given elements; ``depth`` is the number of lane axes in use."""
    whole = [applied(item) if isinstance(item, Tensor) else item for item in items]
    if whole and all(not isinstance(item, Tensor | Ragged) for item in whole):
        numbers = [np.asarray(item, np.float64) for item in whole if not isinstance(item, Tensor | Ragged)]
        shape = np.broadcast_shapes(*(number.shape for number in numbers))
        return Tensor(np.stack([np.broadcast_to(number, shape) for number in numbers]), 1)
    tensors = [item for item in whole if isinstance(item, Tensor)]
    if tensors and len(tensors) == len(whole):
        rank = tensors[0].rank
        own = {(t.rank, t.data.shape[: t.rank]) for t in tensors}
        if len(own) == 1:
            lanes = np.broadcast_shapes(*(t.data.shape[rank:] for t in tensors))
            full = [np.broadcast_to(_with_lanes(t, len(lanes)), t.data.shape[:rank] + lanes) for t in tensors]
            return Tensor(np.stack(full, axis=rank), rank + 1)
    if not whole:
        return Tensor(np.zeros(0), 1)
    return Ragged(tuple(whole))


def _with_lanes(tensor: Tensor, lanes: int) -> npt.NDArray[np.float64]:
    """Return the data with exactly so many lane axes, new ones of length 1 between own axes and lanes."""
    data, rank = tensor.data, tensor.rank
    return data.reshape(data.shape[:rank] + (1,) * (lanes - (data.ndim - rank)) + data.shape[rank:])


def gathered(value: Data, depth: int, length: int) -> Tensor:
    """Return the array over the lane axis that is the ``depth``-th from the end; its length is given.

    Raises ``Irregular`` when the elements differ in structure.
    """
    if isinstance(value, Ragged):
        raise Irregular
    if not isinstance(value, Tensor):
        return Tensor(spread(np.asarray(value, np.float64), depth, length), 1)
    value = applied(value)
    data = _with_lanes(value, depth)
    if data.shape[value.rank] != length:
        data = np.broadcast_to(data, (*data.shape[: value.rank], length, *data.shape[value.rank + 1 :]))
    return Tensor(data, value.rank + 1)


def chosen(test: npt.NDArray[np.float64], then: Data, other: Data) -> Data:
    """Return, lane by lane, one of two values. Raises ``Irregular`` when their structures differ."""
    if isinstance(then, Tensor) and isinstance(other, Tensor):
        then, other = applied(then), applied(other)
        if then.rank == other.rank and then.data.shape[: then.rank] == other.data.shape[: other.rank]:
            lanes = max(test.ndim, then.data.ndim - then.rank, other.data.ndim - other.rank)
            return Tensor(np.where(test != 0, _with_lanes(then, lanes), _with_lanes(other, lanes)), then.rank)
        raise Irregular
    if isinstance(then, Tensor | Ragged) or isinstance(other, Tensor | Ragged):
        raise Irregular
    return np.where(test != 0, then, other)


def equal(a: Data, b: Data) -> Number:
    """Return 1.0 where two values are equal, else 0.0 (SPEC.md 6.4)."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        a, b = applied(a), applied(b)
        if a.rank == b.rank and a.data.shape[: a.rank] == b.data.shape[: b.rank]:
            lanes = max(a.data.ndim - a.rank, b.data.ndim - b.rank)
            same = _with_lanes(a, lanes) == _with_lanes(b, lanes)
            return np.asarray(np.all(same, axis=tuple(range(a.rank))), np.float64)
        return np.float64(len(a) == len(b) == 0)
    if isinstance(a, Tensor | Ragged) and isinstance(b, Tensor | Ragged):
        if len(a) != len(b):
            return np.float64(0)
        result: Number = np.float64(1)
        for i in range(len(a)):
            result = result * equal(element(a, np.float64(i), None), element(b, np.float64(i), None))
        return result
    if isinstance(a, Tensor | Ragged) or isinstance(b, Tensor | Ragged):
        return np.float64(0)
    return np.asarray(a == b, np.float64)


def pow2(x: Number) -> Number:
    """Return 2 to the power floor(x) (SPEC.md 6.6)."""
    whole = np.nan_to_num(np.clip(np.floor(x), -1100, 1100))
    return np.where(np.isnan(x), np.nan, np.ldexp(1.0, whole.astype(np.int64)))


def exponent(x: Number) -> Number:
    """Return the binary exponent (SPEC.md 6.7)."""
    power = np.frexp(x)[1] - 1.0
    power = np.where(x == 0, -np.inf, power)
    return np.where(np.isfinite(x), power, np.abs(x))


def round_to(p: Number, x: Number) -> Number:
    """Return x rounded to p binary digits (SPEC.md 6.8). Raises ``range`` for an impossible p."""
    if np.any(~((p >= 1) & ((p == np.floor(p)) | np.isinf(p)))):
        raise MessageError("range", "cannot round to so many binary digits")
    digits = np.minimum(p, 53).astype(np.int64)
    mantissa, power = np.frexp(x)
    return np.ldexp(np.rint(np.ldexp(mantissa, digits)), power - digits)


def natural(value: Number) -> int:
    """Return a length. Raises ``range`` and, when lanes differ, ``Irregular``."""
    if np.any(~((value >= 0) & (value <= 2.0**53) & (value == np.floor(value)))):
        raise MessageError("range", "not a length")
    same = uniform(value)
    if same is None:
        raise Irregular
    return math.floor(same)
