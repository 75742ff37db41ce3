"""Operators that change a tensor's form and keep its numbers: Reshape, Transpose, Squeeze, Concat, Split,
Tile and the like.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from isagoge.spec.terms import Apply, Fn, Listing, Name, Num, Term, apply

from ..lowering import Context, Fact, Node, Output, Unsupported, operator
from ..program import Shape
from ..shapes import elements
from .lifting import INT64, at, axis_of, integers, items, mapped, rearranged, replaced, under, wrapped

Length = int | str | None


@operator("Shape")
def shape(node: Node, context: Context) -> Output:
    """The lengths of the axes, or of some of them."""
    x = context.fact(node.inputs[0])
    axes = range(x.rank)[slice(node.attributes.get("start", 0), node.attributes.get("end"))]
    return Output(Listing(tuple(context.length(x, axis) for axis in axes)), INT64, (len(axes),))


@operator("Size")
def size(node: Node, context: Context) -> Output:
    """How many numbers a tensor has."""
    return Output(_count(context, context.fact(node.inputs[0])), INT64, ())


def _count(context: Context, x: Fact) -> Term:
    known = 1
    rest: list[Term] = []
    for axis, n in enumerate(x.shape):
        if isinstance(n, int):
            known *= n
        else:
            rest.append(context.length(x, axis))
    terms = rest if known == 1 and rest else [*rest, Num(known)]
    return reduce(lambda a, b: apply("×", a, b), terms)


@operator("Reshape")
def reshape(node: Node, context: Context) -> Output:
    """The same numbers in row-major order with other axis lengths; one length may be left open, 0 keeps a
    length.
    """
    x = context.fact(node.inputs[0])
    if "shape" in node.attributes:
        array = np.array(node.attributes["shape"], np.int64)
        target = Fact(context.constant(array), INT64, array.shape, array)
    else:
        target = context.fact(node.inputs[1])
    wanted = items(target)
    known = list(elements(target) or (None,) * len(wanted))
    keep = not node.attributes.get("allowzero", 0)
    for i, n in enumerate(known):
        if n == 0 and keep and i < x.rank:
            known[i], wanted[i] = x.shape[i], context.length(x, i)
    if any(n is None and not _natural(term) for n, term in zip(known, wanted, strict=True)):
        # A length given by data may be 0 or -1, which only the data can tell.
        whole = Listing(tuple(context.length(x, axis) for axis in range(x.rank)))
        found = context.step(apply("lengths", whole, target.term, _count(context, x)), INT64, 1)
        free = [None if n is None or n == -1 else n for n in known]
        return form(context, x, free, [at(found, i) for i in range(len(free))])
    if -1 in known:
        i = known.index(-1)
        known[i], wanted[i] = _left_over(context, x, known, wanted, i)
    return form(context, x, known, wanted)


def _natural(term: Term) -> bool:
    """Tell whether a term is made from lengths in such a way that it is never negative."""
    match term:
        case Num(_) | Apply(Name("length"), _):
            return True
        case Apply(Name("+" | "×" | "quotient" | "max"), args):
            return all(map(_natural, args))
    return False


def _left_over(
    context: Context, x: Fact, known: Sequence[Length], wanted: Sequence[Term], open_axis: int
) -> tuple[Length, Term]:
    """Return the length for -1: what is left of the count of numbers when the other lengths are divided
    out.
    """
    mine, others = list(x.shape), [n for i, n in enumerate(known) if i != open_axis]
    for n in list(others):
        if isinstance(n, str) and n in mine:
            mine.remove(n)
            others.remove(n)
    top = int(np.prod([n for n in mine if isinstance(n, int)], dtype=object))
    bottom = int(np.prod([n for n in others if isinstance(n, int)], dtype=object))
    names = [n for n in mine if not isinstance(n, int)]
    open_others = [n for n in others if not isinstance(n, int)]
    if not names and not open_others and bottom:
        return top // bottom, Num(top // bottom)
    if len(names) == 1 and not open_others and top == bottom and isinstance(names[0], str):
        return names[0], context.length(x, x.shape.index(names[0]))
    rest = [term for i, term in enumerate(wanted) if i != open_axis]
    divisor = reduce(lambda a, b: apply("×", a, b), rest) if rest else Num(1)
    return None, apply("quotient", _count(context, x), divisor)


def form(context: Context, x: Fact, lengths: Sequence[Length], wanted: Sequence[Term]) -> Output:
    """Return a tensor with other axis lengths: what stays as it is in front and behind is not touched."""
    old, new = list(x.shape), list(lengths)
    result = tuple(n if n != -1 else None for n in new)
    front = 0
    while front < min(len(old), len(new)) and old[front] == new[front] is not None:
        front += 1
    back = 0
    while back < min(len(old), len(new)) - front and old[-1 - back] == new[-1 - back] is not None:
        back += 1
    before, after = old[front : len(old) - back], new[front : len(new) - back]
    terms = list(wanted)[front : len(new) - back]
    while before and after and len(before) > 1 and before[-1] == 1 == after[-1]:
        before, after, terms = before[:-1], after[:-1], terms[:-1]
    if not before and not after:
        return Output(x.term, x.dtype, x.shape)
    if not after:
        return Output(under(front, lambda a: at(a, *(0,) * len(before)), x.term), x.dtype, result)
    if not before:
        return Output(under(front, lambda a: wrapped(a, len(after)), x.term), x.dtype, result)

    def change(a: Term) -> Term:
        for _ in before[1:]:
            a = apply("join", a)
        # Leading axes of length 1 are lists of one element.
        ones = next((i for i, n in enumerate(after[:-1]) if n != 1), len(after) - 1)
        for term in reversed(terms[ones + 1 :]):
            a = apply("group", a, term)
        return wrapped(a, ones)

    return Output(under(front, change, x.term), x.dtype, result)


@operator("Flatten")
def flatten(node: Node, context: Context) -> Output:
    """A matrix: the axes before ``axis`` joined, and the others."""
    x = context.fact(node.inputs[0])
    axis = node.attributes.get("axis", 1)
    axis = axis + x.rank if axis < 0 else axis

    def product(part: Shape) -> Length:
        if all(isinstance(n, int) for n in part):
            return int(np.prod([n for n in part if isinstance(n, int)], dtype=object))
        return part[0] if len(part) == 1 else None

    def joined(a: Term, times: int) -> Term:
        return reduce(lambda b, _: apply("join", b), range(times), a)

    result = (product(x.shape[:axis]), product(x.shape[axis:]))
    if axis == 0:
        return Output(wrapped(joined(x.term, x.rank - 1), 1 if x.rank else 2), x.dtype, result)
    if axis == x.rank:
        return Output(
            mapped(1, Fn(("a",), wrapped(Name("a"), 1)), joined(x.term, x.rank - 1)), x.dtype, result
        )
    inner = under(axis, lambda a: joined(a, x.rank - axis - 1), x.term) if x.rank - axis > 1 else x.term
    return Output(joined(inner, axis - 1), x.dtype, result)


@operator("Squeeze")
def squeeze(node: Node, context: Context) -> Output:
    """Without the axes of length 1, all or some."""
    x = context.fact(node.inputs[0])
    axes = integers(context, node, 1, "axes")
    if axes is None:
        if any(n != 1 and not isinstance(n, int) for n in x.shape):
            raise Unsupported("which axes have length 1 depends on data")
        axes = [axis for axis, n in enumerate(x.shape) if n == 1]
    return squeezed(x, [axis_of(axis, x.rank) for axis in axes])


def squeezed(x: Fact, axes: Sequence[int]) -> Output:
    """Return a tensor without some axes, of which only the first element is kept."""
    term, gone = x.term, set(axes)
    for last in sorted(axes, reverse=True):
        if last + 1 in gone:
            continue
        first = last
        while first - 1 in gone:
            first -= 1
        term = under(first, lambda a, n=last - first + 1: at(a, *(0,) * n), term)  # type: ignore[misc]
    return Output(term, x.dtype, tuple(n for axis, n in enumerate(x.shape) if axis not in gone))


@operator("Unsqueeze")
def unsqueeze(node: Node, context: Context) -> Output:
    """With more axes, of length 1."""
    x = context.fact(node.inputs[0])
    axes = integers(context, node, 1, "axes") or []
    return unsqueezed(x, sorted(axis_of(axis, x.rank + len(axes)) for axis in axes))


def unsqueezed(x: Fact, axes: Sequence[int]) -> Output:
    """Return a tensor with axes of length 1 put in, each where it is counted in the result."""
    term, lengths = x.term, list(x.shape)
    for axis in axes:
        term = under(axis, lambda a: wrapped(a, 1), term)
        lengths.insert(axis, 1)
    return Output(term, x.dtype, tuple(lengths))


@operator("Transpose")
def transpose(node: Node, context: Context) -> Output:
    """The axes in another order: axis i of the result is axis ``perm[i]``."""
    x = context.fact(node.inputs[0])
    order = node.attributes.get("perm") or list(range(x.rank))[::-1]
    return rearranged(context, x, order)


@operator("Concat")
def concat(node: Node, context: Context) -> Output:
    """Tensors one behind the other along an axis."""
    parts = [context.fact(name) for name in node.inputs]
    rank = parts[0].rank
    axis = axis_of(node.attributes.get("axis", 1), rank)
    parts = [part for part in parts if part.shape[axis] != 0] or parts[:1]
    lengths = [part.shape[axis] for part in parts]
    numbers = [n for n in lengths if isinstance(n, int)]
    whole = list(parts[0].shape)
    for part in parts[1:]:
        # Where one part knows a length, all have it.
        whole = [
            a if isinstance(a, int) or not isinstance(b, int) else b
            for a, b in zip(whole, part.shape, strict=True)
        ]
    length: Length = sum(numbers) if len(numbers) == len(lengths) else lengths[0] if len(parts) == 1 else None
    return Output(
        joined_along(axis, [part.term for part in parts]),
        parts[0].dtype,
        replaced(tuple(whole), axis, length),
    )


def joined_along(axis: int, terms: list[Term]) -> Term:
    """Return a term for tensors one behind the other along an axis: two and two, so that little is copied
    twice.

    >>> from isagoge.spec.notation import show
    >>> show(joined_along(1, [Name("v_a"), Name("v_b")]))
    'lift2(concat2, v_a, v_b)'
    """
    if axis == 0 and all(isinstance(term, Listing) for term in terms):
        return Listing(tuple(item for term in terms if isinstance(term, Listing) for item in term.items))
    while len(terms) > 1:
        pairs = [
            mapped(axis, Name("concat2"), *terms[i : i + 2]) if i + 1 < len(terms) else terms[i]
            for i in range(0, len(terms), 2)
        ]
        terms = pairs
    return terms[0]


@operator("Split")
def split(node: Node, context: Context) -> list[Output]:
    """A tensor in parts along an axis, of given lengths or as equal as can be."""
    x = context.fact(node.inputs[0])
    axis = axis_of(node.attributes.get("axis", 0), x.rank)
    count = len(node.outputs)
    whole = x.shape[axis]
    sizes: list[Term]
    if "split" in node.attributes:
        sizes = [Num(n) for n in node.attributes["split"]]
    elif context.has(node, 1):
        sizes = items(context.fact(node.inputs[1]))
    elif isinstance(whole, int):
        most = -(-whole // count)
        sizes = [Num(max(0, min(most, whole - i * most))) for i in range(count)]
    else:
        total = context.length(x, axis)
        most_term = context.step(apply("ceil", apply("÷", total, Num(count))), INT64, 0)
        rest = apply("-", total, apply("×", most_term, Num(count - 1)))
        sizes = [most_term] * (count - 1) + [rest]
    outputs, start = [], 0
    begin: Term = Num(0)
    for size_term in sizes:
        length = size_term.value if isinstance(size_term, Num) else None
        term = under(axis, lambda a, s=begin, n=size_term: apply("part", a, s, n), x.term)  # type: ignore[misc]
        outputs.append(Output(term, x.dtype, replaced(x.shape, axis, length)))
        if isinstance(begin, Num) and length is not None:
            start += length
            begin = Num(start)
        else:
            begin = size_term if begin == Num(0) else apply("+", begin, size_term)
    return outputs


@operator("Tile")
def tile(node: Node, context: Context) -> Output:
    """A tensor several times behind itself along each axis."""
    x = context.fact(node.inputs[0])
    repeats = context.fact(node.inputs[1])
    known = elements(repeats) or (None,) * x.rank
    term, result = x.term, x.shape
    for axis, (n, count) in enumerate(zip(known, items(repeats), strict=True)):
        if n == 1:
            continue
        term = under(axis, lambda a, c=count: apply("tile", a, c), term)  # type: ignore[misc]
        length = x.shape[axis]
        both = length * n if isinstance(length, int) and isinstance(n, int) else n if length == 1 else None
        result = replaced(result, axis, both)
    return Output(term, x.dtype, result)


@operator("Expand")
def expand(node: Node, context: Context) -> Output:
    """A tensor broadcast to a shape: axes of length 1 are stretched."""
    x, target = context.fact(node.inputs[0]), context.fact(node.inputs[1])
    wanted = items(target)
    known = list(elements(target) or (None,) * len(wanted))
    rank = max(x.rank, len(wanted))
    wanted = [*[Num(1)] * (rank - len(wanted)), *wanted]
    known = [*[1] * (rank - len(known)), *known]
    lengths: list[Length] = [*[1] * (rank - x.rank), *x.shape]
    if all(n == 1 for n in lengths) and x.constant is not None and all(n is not None for n in known):
        value = context.constant(x.constant.reshape(()))
        return Output(filled(value, wanted), x.dtype, tuple(known))
    term = wrapped(x.term, rank - x.rank)
    result: list[Length] = []
    for axis, (mine, n, count) in enumerate(zip(lengths, known, wanted, strict=True)):
        if n == 1 or (n is not None and n == mine):
            result.append(mine)
            continue
        term = under(axis, lambda a, c=count: apply("stretch", a, c), term)  # type: ignore[misc]
        result.append(
            n if isinstance(n, int) or mine == 1 else mine if isinstance(mine, int) and mine > 1 else None
        )
    return Output(term, x.dtype, tuple(result))


def filled(value: Term, lengths: Sequence[Term]) -> Term:
    """Return a term for a tensor of one number.

    >>> from isagoge.spec.notation import show
    >>> show(filled(Num(0), [Num(2), Num(3)]))
    'repeat(repeat(0, 3), 2)'
    """
    for length in reversed(lengths):
        value = apply("repeat", value, length)
    return value


@operator("DepthToSpace", "SpaceToDepth")
def blocks(node: Node, context: Context) -> Output:
    """Channels spread over blocks of the plane, or blocks gathered into channels."""
    x = context.fact(node.inputs[0])
    b = node.attributes["blocksize"]
    n, c, h, w = x.shape
    if node.operator == "SpaceToDepth":
        halves = [v // b if isinstance(v, int) else None for v in (h, w)]
        split_term = under(3, lambda a: apply("group", a, Num(b)), x.term)
        split_term = under(2, lambda a: apply("group", a, Num(b)), split_term)
        fact = Fact(context.step(split_term, x.dtype, 6), x.dtype, (n, c, halves[0], b, halves[1], b))
        moved = rearranged(context, fact, [0, 3, 5, 1, 2, 4])
        term = under(1, lambda a: apply("join", apply("join", a)), moved.term)
        return Output(term, x.dtype, (n, c * b * b if isinstance(c, int) else None, *halves))
    deep = c // (b * b) if isinstance(c, int) else None
    channels = Num(deep) if deep is not None else apply("÷", context.length(x, 1), Num(b * b))
    if node.attributes.get("mode", "DCR") == "DCR":
        parts, order, shape6 = (Num(b), channels), [0, 3, 4, 1, 5, 2], (n, b, b, deep, h, w)
    else:
        parts, order, shape6 = (Num(b), Num(b)), [0, 1, 4, 2, 5, 3], (n, deep, b, b, h, w)
    grouped = under(1, lambda a: apply("group", apply("group", a, parts[1]), parts[0]), x.term)
    moved = rearranged(context, Fact(context.step(grouped, x.dtype, 6), x.dtype, shape6), order)
    term = under(4, lambda a: apply("join", a), moved.term)
    term = under(2, lambda a: apply("join", a), term)
    lengths = [v * b if isinstance(v, int) else None for v in (h, w)]
    return Output(term, x.dtype, (n, deep, *lengths))
