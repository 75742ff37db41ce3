"""Operators that pick numbers by place: Slice, Gather, Scatter, Pad, OneHot, TopK and the like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isagoge.spec.terms import At, Fn, If, Listing, Name, Num, Term, apply

from ..lowering import Context, Fact, Node, Output, Unsupported, operator
from ..shapes import elements
from .lifting import (
    INT64,
    at,
    axis_of,
    integer,
    integers,
    items,
    mapped,
    rearranged,
    replaced,
    under,
)
from .shape import filled

FAR = 2**53
"""Ends beyond this are cut to it: no array is as long."""


def _bounds(
    node: Node, context: Context, name: str, index: int
) -> tuple[list[int | str | None], list[Term]] | None:
    if name in node.attributes:
        values = list(node.attributes[name])
        return list(values), [_place(n) for n in values]
    if not context.has(node, index):
        return None
    fact = context.fact(node.inputs[index])
    if fact.constant is not None:
        values = [int(n) for n in fact.constant.reshape(-1)]
        return list(values), [_place(n) for n in values]
    terms = items(fact)
    return list(elements(fact) or (None,) * len(terms)), terms


def _place(n: int) -> Term:
    if abs(n) < 2**31 - 1:
        return integer(n)
    far = apply("pow2", Num(53))
    return far if n > 0 else apply("-", Num(0), far)


@operator("Slice")
def slice_(node: Node, context: Context) -> Output:
    """Along some axes every step-th element from a start up to an end, which may lie outside or count from
    the end.
    """
    x = context.fact(node.inputs[0])
    starts, ends = _bounds(node, context, "starts", 1), _bounds(node, context, "ends", 2)
    if starts is None or ends is None:
        raise Unsupported("no starts and ends")
    axes = integers(context, node, 3, "axes") or list(range(len(starts[0])))
    steps = _bounds(node, context, "steps", 4) or ([1] * len(axes), [Num(1)] * len(axes))
    term, shape = x.term, x.shape
    for i, axis in enumerate(axis_of(axis, x.rank) for axis in axes):
        length = shape[axis]
        start, end, step = starts[0][i], ends[0][i], steps[0][i]
        if start == 0 and isinstance(end, int) and end >= 2**31 - 1 and step == 1:
            continue
        if end is not None and end == length and start == 0 and step == 1:
            continue
        if all(isinstance(n, int) for n in (length, start, end, step)):
            first, count = _resolved(length, start, end, step)  # type: ignore[arg-type]
            shape = replaced(shape, axis, count)
            if isinstance(term, Listing) and axis == 0:
                term = Listing(tuple(term.items[first + k * int(step)] for k in range(count)))  # type: ignore[arg-type]
                continue
            if step == 1:
                term = under(axis, lambda a, s=first, n=count: apply("part", a, Num(s), Num(n)), term)  # type: ignore[misc]
                continue
            if step == -1 and count == length:
                term = under(axis, lambda a: apply("reverse", a), term)
                continue
        else:
            shape = replaced(shape, axis, None)
            backwards = isinstance(start, int) and isinstance(end, int)
            if step == -1 and backwards and start in (-1, 2**63 - 1) and end < -(2**31):  # type: ignore[operator]
                term = under(axis, lambda a: apply("reverse", a), term)
                shape = replaced(shape, axis, length)
                continue
        where = (starts[1][i], ends[1][i], steps[1][i])
        term = under(axis, lambda a, w=where: apply("slice", a, *w), term)  # type: ignore[misc]
    return Output(term, x.dtype, shape)


def _resolved(length: int, start: int, end: int, step: int) -> tuple[int, int]:
    """Return the first place and the number of places that a slice takes of an axis.

    >>> _resolved(5, -1, -9, -2), _resolved(5, 1, 99, 2)
    ((4, 3), (1, 2))
    """
    low = -1 if step < 0 else 0
    start, end = (n + length if n < 0 else n for n in (start, end))
    first, last = min(max(start, 0), length + low), min(max(end, low), length + low)
    return first, max(0, -((first - last) // step))


@operator("Gather")
def gather(node: Node, context: Context) -> Output:
    """Whole parts of a tensor, picked along an axis by indices; less than 0 counts from the end."""
    x, where = context.fact(node.inputs[0]), context.fact(node.inputs[1])
    axis = axis_of(node.attributes.get("axis", 0), x.rank)
    shape = (*x.shape[:axis], *where.shape, *x.shape[axis + 1 :])
    length = x.shape[axis]
    index = where.constant
    if index is not None and isinstance(length, int):
        index = np.where(index < 0, index + length, index)
    if (
        index is not None
        and isinstance(x.term, Listing)
        and where.rank <= 1
        and axis == 0
        and isinstance(length, int)
    ):
        picked = [x.term.items[int(i)] for i in index.reshape(-1)]
        return Output(Listing(tuple(picked)) if where.rank else picked[0], x.dtype, shape)
    inside = index is not None and bool(np.all(index >= 0))
    if where.rank == 0:
        if index is not None and inside:
            return Output(under(axis, lambda a: at(a, int(index)), x.term), x.dtype, shape)
        return Output(under(axis, lambda a: apply("take", a, where.term), x.term), x.dtype, shape)
    place = context.constant(index) if index is not None else where.term
    if inside:
        term = under(axis, lambda a: mapped(where.rank, Fn(("i",), At(a, (Name("i"),))), place), x.term)
    else:
        term = under(axis, lambda a: mapped(where.rank, apply("take", a), place), x.term)
    return Output(term, x.dtype, shape)


def _equation(context: Context, x: Fact, body: Term, names: Sequence[str]) -> Term:
    """Return the tensor of the form of ``x`` with ``body`` at each place, whose indices have the given
    names.
    """
    for axis in reversed(range(x.rank)):
        body = apply("array", context.length(x, axis), Fn((names[axis],), body))
    return body


def _named(context: Context, name: str) -> Fact:
    """Return a tensor's fact with a term that may be used many times."""
    fact = context.fact(name)
    return Fact(context.step(fact.term, fact.dtype, fact.rank), fact.dtype, fact.shape, fact.constant)


@operator("GatherElements")
def gather_elements(node: Node, context: Context) -> Output:
    """At each place of the indices, the number at that place but for one axis, along which the index says
    where.
    """
    x, where = _named(context, node.inputs[0]), _named(context, node.inputs[1])
    axis = axis_of(node.attributes.get("axis", 0), x.rank)
    names = [f"i{k}" for k in range(x.rank)]
    places: list[Term] = [Name(name) for name in names]
    places[axis] = apply("wrap", At(where.term, tuple(places)), context.length(x, axis))
    term = _equation(context, where, At(x.term, tuple(places)), names)
    return Output(term, x.dtype, where.shape)


@operator("ScatterElements", "Scatter")
def scatter_elements(node: Node, context: Context) -> Output:
    """A tensor with some numbers replaced, or combined with updates, where indices say so along an axis."""
    x, where, updates = (_named(context, name) for name in node.inputs)
    axis = axis_of(node.attributes.get("axis", 0), x.rank)
    others = [(a, b) for k, (a, b) in enumerate(zip(x.shape, where.shape, strict=True)) if k != axis]
    if any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in others):
        raise Unsupported("indices that do not reach over all other axes")
    names = [f"i{k}" for k in range(x.rank)]
    old = At(x.term, tuple(map(Name, names)))
    places = tuple(Name("e" if k == axis else name) for k, name in enumerate(names))
    hit = apply("=", apply("wrap", At(where.term, places), context.length(x, axis)), Name(names[axis]))
    new = _combined(node.attributes.get("reduction", "none"), x, Name("s"), At(updates.term, places))
    step = Fn(("s", "e"), If(hit, new, Name("s")))
    body = apply("fold", context.length(where, axis), old, step)
    if x.dtype.name == "float32" and node.attributes.get("reduction", "none") in ("add", "mul"):
        body = apply("f32", body)
    return Output(_equation(context, x, body, names), x.dtype, x.shape)


def _combined(reduction: str, x: Fact, old: Term, update: Term) -> Term:
    if reduction == "none":
        return update
    name = {"add": "+", "mul": "×", "max": "max", "min": "min"}.get(reduction)
    if name is None:
        raise Unsupported(f"reduction {reduction}")
    return apply(name, old, update)


@operator("GatherND")
def gather_nd(node: Node, context: Context) -> Output:
    """Parts of a tensor, picked by index vectors that stand in the last axis of the indices."""
    x, where = context.fact(node.inputs[0]), context.fact(node.inputs[1])
    batch = node.attributes.get("batch_dims", 0)
    depth = where.shape[-1]
    if not isinstance(depth, int):
        raise Unsupported("the length of the index vectors depends on data")

    def picked(a: Term) -> Term:
        found = a
        for k in range(depth):
            found = apply("take", found, At(Name("p"), (Num(k),)))
        return Fn(("p",), found)

    levels = where.rank - 1 - batch
    shape = (*where.shape[:-1], *x.shape[batch + depth :])
    if batch == 0:
        return Output(mapped(levels, picked(x.term), where.term), x.dtype, shape)
    inner = Fn(("a", "b"), mapped(levels, picked(Name("a")), Name("b")))
    return Output(mapped(batch, inner, x.term, where.term), x.dtype, shape)


@operator("ScatterND")
def scatter_nd(node: Node, context: Context) -> Output:
    """A tensor with parts replaced, or combined with updates, one index vector after the other."""
    x, where, updates = (context.fact(name) for name in node.inputs)
    depth = where.shape[-1]
    if not isinstance(depth, int):
        raise Unsupported("the length of the index vectors depends on data")
    reduction = node.attributes.get("reduction", "none")
    places, values = where.term, updates.term
    for _ in range(where.rank - 2):
        places, values = apply("join", places), apply("join", values)
    if where.rank == 1:
        places, values = Listing((places,)), Listing((values,))
    places, values = context.step(places, where.dtype, 2), context.step(values, x.dtype, updates.rank)
    rest = x.rank - depth

    def changed(a: Term, k: int) -> Term:
        index = At(places, (Name("e"), Num(k)))
        if k < depth:
            part = apply("take", a, index)
            return apply("update", a, index, changed(part, k + 1))
        update = At(values, (Name("e"),))
        if reduction == "none":
            return update
        combine = Fn(("x", "y"), _round_if(x, reduction, _combined(reduction, x, Name("x"), Name("y"))))
        return mapped(rest, combine, a, update)

    step = Fn(("s", "e"), changed(Name("s"), 0))
    return Output(apply("fold", apply("length", places), x.term, step), x.dtype, x.shape)


def _round_if(x: Fact, reduction: str, term: Term) -> Term:
    return apply("f32", term) if x.dtype.name == "float32" and reduction in ("add", "mul") else term


@operator("Pad")
def pad(node: Node, context: Context) -> Output:
    """Elements set before and behind along some axes: a constant, the edge, a mirror image, or the other
    end.
    """
    x = context.fact(node.inputs[0])
    mode = node.attributes.get("mode", "constant")
    given = _bounds(node, context, "pads" if "pads" in node.attributes else "paddings", 1)
    if given is None:
        raise Unsupported("no pads")
    known, terms = given
    axes = integers(context, node, 3, "axes") if node.version >= 18 else None
    axes = list(range(x.rank)) if axes is None else [axis_of(axis, x.rank) for axis in axes]
    value: Term = Num(0)
    if "value" in node.attributes:
        value = context.constant(np.asarray(node.attributes["value"], x.dtype))
    elif context.has(node, 2):
        fact = context.fact(node.inputs[2])
        value = (
            context.constant(fact.constant.reshape(()))
            if fact.constant is not None
            else at(fact.term, *(0,) * fact.rank)
        )
    count = len(axes)
    lengths: list[Term] = []
    shape, term = x.shape, x.term
    ends = {axis: (known[i], known[count + i], terms[i], terms[count + i]) for i, axis in enumerate(axes)}
    for axis in reversed(range(x.rank)):
        before, after, first, last = ends.get(axis, (0, 0, Num(0), Num(0)))
        old = x.shape[axis]
        new = old + before + after if all(isinstance(n, int) for n in (old, before, after)) else None  # type: ignore[operator]
        if before == after == 0:
            lengths.insert(0, context.length(x, axis))
            continue
        shape = replaced(shape, axis, new)
        if mode == "constant":
            row = filled(value, lengths)
            term = under(axis, lambda a, b=first, e=last, r=row: apply("pad1", a, b, e, r), term)  # type: ignore[misc]
        elif mode in ("edge", "reflect", "wrap"):
            name = f"pad_{mode}"
            term = under(axis, lambda a, b=first, e=last, f=name: apply(f, a, b, e), term)  # type: ignore[misc]
        else:
            raise Unsupported(f"mode {mode}")
        padded = apply("+", context.length(x, axis), apply("+", first, last))
        lengths.insert(0, Num(new) if isinstance(new, int) else padded)
    return Output(term, x.dtype, shape)


@operator("OneHot")
def one_hot(node: Node, context: Context) -> Output:
    """For each index a row with one value at that place and another one elsewhere."""
    where, depth, values = (context.fact(name) for name in node.inputs)
    known = elements(Fact(depth.term, depth.dtype, (), depth.constant)) if depth.constant is None else None
    length = int(depth.constant.reshape(-1)[0]) if depth.constant is not None else known[0] if known else None
    count: Term = Num(length) if isinstance(length, int) else at(depth.term, *(0,) * depth.rank)
    off, on = at(values.term, 0), at(values.term, 1)
    if values.constant is not None:
        off, on = (context.constant(v.reshape(())) for v in values.constant)
    hit = apply("=", Name("j"), apply("wrap", Name("i"), count))
    row = Fn(("i",), apply("array", count, Fn(("j",), If(hit, on, off))))
    rank = where.rank + 1
    axis = axis_of(node.attributes.get("axis", -1), rank)
    whole = Output(mapped(where.rank, row, where.term), values.dtype, (*where.shape, length))
    if axis == rank - 1:
        return whole
    order = [*range(axis), rank - 1, *range(axis, rank - 1)]
    return rearranged(context, Fact(whole.term, whole.dtype, whole.shape), order)


@operator("Trilu")
def trilu(node: Node, context: Context) -> Output:
    """The upper or lower triangle of matrices, 0 elsewhere."""
    x = context.fact(node.inputs[0])
    k: Term = Num(0)
    if context.has(node, 1):
        fact = context.fact(node.inputs[1])
        k = (
            integer(int(fact.constant.reshape(-1)[0]))
            if fact.constant is not None
            else at(fact.term, *(0,) * fact.rank)
        )
    name = "upper" if node.attributes.get("upper", 1) else "lower"
    return Output(under(x.rank - 2, lambda a: apply(name, a, k), x.term), x.dtype, x.shape)


@operator("TopK")
def top_k(node: Node, context: Context) -> list[Output]:
    """The largest or smallest numbers along an axis, in order, and where they stand."""
    x = context.fact(node.inputs[0])
    axis = axis_of(node.attributes.get("axis", -1), x.rank)
    if "k" in node.attributes:
        length: int | None = int(node.attributes["k"])
        count: Term = Num(node.attributes["k"])
    else:
        fact = context.fact(node.inputs[1])
        length = int(fact.constant.reshape(-1)[0]) if fact.constant is not None else None
        count = Num(length) if length is not None else at(fact.term, *(0,) * fact.rank)
    order = [k for k in range(x.rank) if k != axis] + [axis]
    back = [order.index(k) for k in range(x.rank)]
    rows = rearranged(context, x, order)
    whole = context.step(rows.term, x.dtype, x.rank)
    before: Term = (
        Fn(("x", "y"), apply("<", Name("y"), Name("x"))) if node.attributes.get("largest", 1) else Name("<")
    )
    found = mapped(x.rank - 1, apply("first_places", before, count), whole)
    places = context.step(found, INT64, x.rank)
    pick = Fn(("a", "p"), mapped(1, Fn(("i",), At(Name("a"), (Name("i"),))), Name("p")))
    values = mapped(x.rank - 1, pick, whole, places)
    shape = (*rows.shape[:-1], length)
    return [
        rearranged(context, Fact(values, x.dtype, shape), back),
        rearranged(context, Fact(places, INT64, shape), back),
    ]


@operator("ReverseSequence")
def reverse_sequence(node: Node, context: Context) -> Output:
    """For each element of a batch the first so many steps in the opposite order."""
    x, counts = context.fact(node.inputs[0]), context.fact(node.inputs[1])
    time, batch = node.attributes.get("time_axis", 0), node.attributes.get("batch_axis", 1)
    order = [batch, time, *range(2, x.rank)]
    rows = rearranged(context, x, order)
    n, i, a = Name("n"), Name("i"), Name("a")
    mirrored = If(apply("<", i, n), apply("-", apply("-", n, Num(1)), i), i)
    turned = Fn(("a", "n"), apply("array", apply("length", a), Fn(("i",), At(a, (mirrored,)))))
    result = mapped(1, turned, rows.term, counts.term)
    return rearranged(context, Fact(result, x.dtype, rows.shape), order)
