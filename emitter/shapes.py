"""Shapes while lowering: broadcasting, and what is known of the small integer tensors that hold lengths.

A model computes many of its shapes: it takes the shape of a tensor, picks and joins lengths, and reshapes to
the result. The elements of such tensors are followed here, one by one: a number, the name of a symbolic
length, or None where nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .lowering import Fact, Node
from .program import Shape

Partial = tuple[int | str | None, ...]
LONGEST = 64
"""Integer tensors with more elements are not followed."""


def broadcast(*shapes: Shape) -> Shape:
    """Return the shape of an operation on each place of several tensors, as ONNX broadcasts them.

    Raises:
        ValueError: two known lengths differ and neither is 1.

    >>> broadcast(("batch", 1, 4), (3, 1), ())
    ('batch', 3, 4)
    """
    rank = max(map(len, shapes))
    whole = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(_meet(lengths) for lengths in zip(*whole, strict=True))


def _meet(lengths: tuple[int | str | None, ...]) -> int | str | None:
    rest = {n for n in lengths if n != 1}
    known = {n for n in rest if isinstance(n, int)}
    if len(known) > 1:
        raise ValueError(f"lengths {sorted(known)} do not go together")
    if known:
        return known.pop()
    if not rest:
        return 1
    # An unknown length may turn out to be 1, so of two different ones nothing is known.
    return rest.pop() if len(rest) == 1 else None


def elements(fact: Fact) -> Partial | None:
    """Return what is known of the elements of an integer tensor of rank 0 or 1, else None."""
    if fact.partial is not None:
        return fact.partial
    if fact.constant is not None and fact.constant.dtype.kind in "iub" and fact.constant.ndim <= 1:
        return tuple(map(int, fact.constant.reshape(-1))) if fact.constant.size <= LONGEST else None
    if fact.dtype.kind in "iub" and fact.rank == 0:
        return (None,)
    if (
        fact.dtype.kind in "iub"
        and fact.rank == 1
        and isinstance(fact.shape[0], int)
        and fact.shape[0] <= LONGEST
    ):
        return (None,) * fact.shape[0]
    return None


Follow = Callable[[Node, Sequence[Fact | None]], Partial | None]


def _shape(node: Node, given: Sequence[Fact | None]) -> Partial | None:
    assert given[0] is not None
    whole = given[0].shape
    return whole[slice(node.attributes.get("start", 0), node.attributes.get("end"))]


def _size(node: Node, given: Sequence[Fact | None]) -> Partial | None:
    assert given[0] is not None
    count = 1
    for n in given[0].shape:
        if not isinstance(n, int):
            return given[0].shape if given[0].rank == 1 else None
        count *= n
    return (count,)


def _same(node: Node, given: Sequence[Fact | None]) -> Partial | None:
    return elements(given[0]) if given[0] is not None else None


def _integers(fact: Fact | None) -> list[int] | None:
    if fact is None or fact.constant is None:
        return None
    return [int(n) for n in fact.constant.reshape(-1)]


def _gather(node: Node, given: Sequence[Fact | None]) -> Partial | None:
    data, at = given[0], _integers(given[1])
    known = elements(data) if data is not None else None
    if known is None or at is None or given[1] is None or given[1].rank > 1:
        return None
    return tuple(known[i] for i in at) if all(-len(known) <= i < len(known) for i in at) else None


def _concat(node: Node, given: Sequence[Fact | None]) -> Partial | None:
    parts: list[int | str | None] = []
    for fact in given:
        known = elements(fact) if fact is not None and fact.rank == 1 else None
        if known is None:
            return None
        parts += known
    return tuple(parts)


def _slice(node: Node, given: Sequence[Fact | None]) -> Partial | None:
    known = elements(given[0]) if given[0] is not None else None
    if known is None:
        return None
    if node.version < 10:
        return known[node.attributes["starts"][0] : node.attributes["ends"][0]]
    start, end = _integers(given[1]), _integers(given[2])
    step = _integers(given[4]) if len(given) > 4 and given[4] is not None else [1]
    if start is None or end is None or step is None:
        return None
    if step[0] < 0 and (start[0] < -len(known) or end[0] < -len(known)):
        return None
    return known[start[0] : end[0] : step[0]]


def _arithmetic(node: Node, given: Sequence[Fact | None]) -> Partial | None:
    if len(given) != 2 or given[0] is None or given[1] is None:
        return None
    a, b = elements(given[0]), elements(given[1])
    if a is None or b is None:
        return None
    if len(a) != len(b):
        a, b = (a * len(b) if len(a) == 1 else a), (b * len(a) if len(b) == 1 else b)
    if len(a) != len(b):
        return None
    return tuple(_compute(node.operator, x, y) for x, y in zip(a, b, strict=True))


def _compute(operator: str, a: int | str | None, b: int | str | None) -> int | str | None:
    if isinstance(a, int) and isinstance(b, int):
        if operator == "Div":
            return None if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return {
            "Add": a + b,
            "Sub": a - b,
            "Mul": a * b,
            "Equal": int(a == b),
            "Max": max(a, b),
            "Min": min(a, b),
        }[operator]
    if b == {"Add": 0, "Sub": 0, "Mul": 1, "Div": 1}.get(operator, -1):
        return a
    if a == {"Add": 0, "Mul": 1}.get(operator, -1):
        return b
    if operator == "Mul" and 0 in (a, b):
        return 0
    # A length is never negative, which is how models ask whether a target length is to be kept.
    if operator == "Equal" and any(
        isinstance(n, int) and n < 0 and isinstance(m, str) for n, m in ((a, b), (b, a))
    ):
        return 0
    return None


def _where(node: Node, given: Sequence[Fact | None]) -> Partial | None:
    parts = [elements(fact) if fact is not None else None for fact in given]
    if any(part is None for part in parts):
        return None
    longest = max(len(part or ()) for part in parts)
    test, then, other = ((part or ()) * longest if len(part or ()) == 1 else part or () for part in parts)
    if not len(test) == len(then) == len(other):
        return None
    chosen = zip(test, then, other, strict=True)
    return tuple(a if c == 1 else b if c == 0 else a if a == b else None for c, a, b in chosen)


def _product(node: Node, given: Sequence[Fact | None]) -> Partial | None:
    known = elements(given[0]) if given[0] is not None else None
    if known is None or node.attributes.get("axes", [0]) not in ([0], [-1]):
        return None
    product: int | str | None = 1
    for n in known:
        product = _compute("Mul", product, n)
    return (product,)


_FOLLOW: dict[str, Follow] = {
    "Shape": _shape,
    "Size": _size,
    "Gather": _gather,
    "Concat": _concat,
    "Slice": _slice,
    "Where": _where,
    "ReduceProd": _product,
    **dict.fromkeys(("Identity", "Unsqueeze", "Squeeze", "Reshape", "Cast"), _same),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Max", "Min", "Equal"), _arithmetic),
}


def follow(node: Node, given: Sequence[Fact | None], rank: int, length: int | str | None) -> Partial | None:
    """Return what is known of the elements of a node's output, an integer tensor of rank 0 or 1, else None.

    ``given`` are the facts of the node's inputs, None for one that is left out; ``length`` is the output's
    only length.
    """
    rule = _FOLLOW.get(node.operator)
    if rule is None or node.domain or rank > 1:
        return None
    known = rule(node, given)
    if known is None or len(known) != (1 if rank == 0 else length) or len(known) > LONGEST:
        return None
    return known
