"""The text of values in reports (SPEC.md 10.3) as numbers and arrays, fast enough for millions of numbers."""

from __future__ import annotations

import struct
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Value = float | Floats | list[Any] | Literal["function"]
"""A number; an array whose lengths agree, as float64; a list of values where they do not; or a function."""

FUNCTION: Final = "function"

_HEX = b"0123456789abcdef"
_BLANK = bytes.maketrans(_HEX, b"0" * 16)
_OPEN, _CLOSE = b"["[0], b"]"[0]
_DEPTH = 200
"""Arrays nested deeper are refused: clause 8.1 lets a receiver stop at 64."""


def parse(text: bytes) -> Value:
    """Return the value that a receiver wrote.

    An array whose parts agree in length comes as one float64 array of that shape; an empty one ends the shape
    with 0. Any other array comes as a list of its elements, each as it comes by itself.

    Raises ``ValueError`` for text that is not a value.

    >>> parse(b"3fe0000000000000")
    0.5
    >>> parse(b"[[3ff0000000000000 4000000000000000] [0000000000000000 8000000000000000]]").tolist()
    [[1.0, 2.0], [0.0, -0.0]]
    >>> parse(b"[[3ff0000000000000] [[]] 3ff0000000000000]")
    [array([1.]), array([], shape=(1, 0), dtype=float64), 1.0]
    """
    if text == b"function":
        return FUNCTION
    if not text.startswith(b"["):
        return _number(text)
    blank = text.translate(_BLANK)
    shape = _shape(blank)
    if shape is not None:
        return _numbers(text).reshape(shape)
    return _parts(text, blank)


def spell(value: Any) -> bytes:
    """Return the text of nested arrays or lists of numbers, as a receiver writes it.

    >>> spell(np.array([[1.0], [float("nan")]]))
    b'[[3ff0000000000000] [7ff8000000000000]]'
    """
    if isinstance(value, np.ndarray) and value.ndim:
        value = list(value)
    if isinstance(value, list | tuple):
        return b"[" + b" ".join(map(spell, value)) + b"]"
    number = float(value)
    return b"7ff8000000000000" if number != number else struct.pack(">d", number).hex().encode()


def _number(text: bytes) -> float:
    if len(text) != 16 or text.translate(_BLANK) != b"0" * 16:
        raise ValueError(f"not a value: {text[:40]!r}")
    return float(struct.unpack(">d", bytes.fromhex(text.decode("ascii")))[0])


def _numbers(text: bytes) -> Floats:
    """Return the numbers of a text whose brackets are known to be right."""
    digits = text.translate(None, b"[] ").decode("ascii")
    return np.frombuffer(bytes.fromhex(digits), ">f8").astype(np.float64)


def _shape(blank: bytes) -> tuple[int, ...] | None:
    """Return the shape of an array whose lengths agree, or None; ``blank`` has all digits made 0.

    The first row, plane, … give lengths that every other one must share; the text is then compared with the
    one text that an array of this shape can have.
    """
    depth = len(blank) - len(blank.lstrip(b"["))
    if depth > _DEPTH:
        raise ValueError(f"arrays nested more than {_DEPTH} deep")
    lengths: list[int] = []
    pattern = b"0" * 16
    for level in range(1, depth + 1):
        first = depth - level  # where the first array of this level opens
        close = blank.find(b"]" * level, first)
        if close < 0:
            return None
        size = close + level - first
        if size == 2:
            count = 0
        else:
            count, over = divmod(size - 1, len(pattern) + 1)
            if over:
                return None
        pattern = b"[" + b" ".join([pattern] * count) + b"]"
        lengths.insert(0, count)
    return tuple(lengths) if pattern == blank else None


def _parts(text: bytes, blank: bytes) -> list[Value]:
    """Return the elements of an array whose lengths do not agree."""
    codes = np.frombuffer(blank, np.uint8)
    brackets = np.flatnonzero((codes == _OPEN) | (codes == _CLOSE))
    opens = codes[brackets] == _OPEN
    depth = np.cumsum(np.where(opens, 1, -1))
    if depth[-1] != 0 or np.any(depth[:-1] < 1) or brackets[-1] != len(text) - 1:
        raise ValueError("brackets of an array do not match")
    starts = brackets[opens & (depth == 2)].tolist()
    stops = (brackets[~opens & (depth == 1)] + 1).tolist()
    parts: list[Value] = []
    at = 1
    for start, stop in zip([*starts, len(text) - 1], [*stops, len(text)], strict=True):
        between = text[at:start]
        first, last = at == 1, stop == len(text)
        neighbours = (first and not between) or (between == b" " and not (first or last))
        if last or not neighbours:
            parts += _loose(between, first, last)
        if not last:
            parts.append(parse(text[start:stop]))
        at = stop
    return parts


def _loose(text: bytes, first: bool, last: bool) -> list[Value]:
    """Return the numbers between two arrays; ``first`` and ``last`` tell that there is none on that side."""
    if not text and last and not first:
        return []
    words = text.split(b" ")
    if len(words) < 3 - first - last or (not first and words.pop(0)) or (not last and words.pop()):
        raise ValueError(f"not a value: {text[:40]!r}")
    return [_number(word) for word in words]
