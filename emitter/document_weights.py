"""What a weight's definition says: shape, number format and first elements, read from its bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isagoge.spec.notation import show
from isagoge.spec.terms import Apply, Block, Listing, Name, Num, Term

from .document_model import Spans, code, plain
from .document_reading import elided

_SHOWN = 4
_WIDTHS = {"singles": 32, "doubles": 64}


def weight(term: Term) -> tuple[Spans, ...]:
    """Return shape, format and first elements of a tensor for a table.

    Formats other than ``singles``, ``doubles``, ``integers`` and lists written out are shown as they are
    defined.

    >>> from isagoge.emitter.tensors import tensor_term
    >>> [cell[0].text for cell in weight(tensor_term(np.array([[1.5, 2.0]], np.float32)))]
    ['1 × 2', 'singles', '1.5, 2']
    """
    flat: Term = term
    shape: list[int] | None = None
    found: str
    match term:
        case Apply(Name("nest"), (inside, Listing(lengths))) if all(isinstance(n, Num) for n in lengths):
            flat, shape = inside, [n.value for n in lengths if isinstance(n, Num)]
    match flat:
        case Apply(Name("singles" | "doubles" as name), (Block() as block,)):
            found, elements = name, _floats(block, _WIDTHS[name])
            length = block.count // _WIDTHS[name]
        case Apply(Name("integers"), (Block() as block, Num(width))) if width in (8, 16, 32, 64):
            found, elements = f"integers of {width} bits", _fields(block, f">i{width // 8}")
            length = block.count // width
        case _:
            return plain(_shape(_lengths(term))), code(_short(term)), plain("")
    shape = [length] if shape is None else shape
    return plain(_shape(shape)), plain(found), plain(", ".join(f"{x:.6g}" for x in elements))


def _floats(block: Block, width: int) -> npt.NDArray[np.float64]:
    return _fields(block, f">f{width // 8}")


def _fields(block: Block, dtype: str) -> npt.NDArray[np.float64]:
    size = np.dtype(dtype).itemsize
    count = min(_SHOWN, block.count // (8 * size))
    return np.frombuffer(block.data[: count * size], dtype).astype(np.float64)


def _lengths(term: Term) -> list[int] | None:
    """Return the shape of a tensor that is written out; None for any other term."""
    match term:
        case Listing(items):
            inner = _lengths(items[0]) if items else []
            return None if inner is None else [len(items), *inner]
        case Num() | Apply(Name("-" | "÷" | "×"), _):
            return []
    return None


def _shape(lengths: list[int] | None) -> str:
    if lengths is None:
        return ""
    return " × ".join(map(str, lengths)) or "a number"


def _short(term: Term) -> str:
    text = show(elided(term), 64)
    return text if len(text) <= 80 else text[:79] + "…"
