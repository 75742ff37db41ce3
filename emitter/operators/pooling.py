"""Pools: MaxPool, AveragePool, LpPool and their global forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from isagoge.spec.terms import Apply, At, Fn, Listing, Name, Num, Term, apply, let

from ..lowering import Context, Fact, Node, Output, Unsupported, operator
from ..tensors import number_term
from .lifting import mapped, rounded, rounder
from .spatial import Axis, axes_of, check_axes, padded, per_axis, shape_of, term

LOWEST = apply("-", Num(0), apply("÷", Num(1), Num(0)))
PLACES = ("r", "p", "q")
"""Names of a window's place: plane, row, column."""


def _windows(node: Node, context: Context, x: Fact) -> list[Axis]:
    kernel = [int(k) for k in node.attributes["kernel_shape"]]
    if len(kernel) != check_axes(x, 3):
        raise Unsupported(f"a kernel of {len(kernel)} axes for {x.rank - 2} spatial axes")
    return axes_of(node, context, x, kernel, ceil=bool(node.attributes.get("ceil_mode", 0)))


def _moves(axes: Sequence[Axis]) -> tuple[Term, Term, Term]:
    """Return kernel, strides and dilations as arguments."""
    columns = ([a.kernel for a in axes], [a.stride for a in axes], [a.dilation for a in axes])
    kernel, strides, dilations = (per_axis(values) for values in columns)
    return kernel, strides, dilations


@operator("MaxPool")
def max_pool(node: Node, context: Context) -> Output:
    """Return the largest number of each window; padding is less than every number."""
    if len(node.outputs) > 1 and node.outputs[1]:
        raise Unsupported("the output Indices")
    x = context.fact(node.inputs[0])
    axes = _windows(node, context, x)
    pool = apply(f"max_pool{len(axes)}", *_moves(axes))
    return Output(mapped(2, pool, padded(x.term, axes, LOWEST)), x.dtype, shape_of(x, x.shape[1], axes))


@operator("AveragePool")
def average_pool(node: Node, context: Context) -> Output:
    """Return the average of each window, over the padding too if count_include_pad says so."""
    x = context.fact(node.inputs[0])
    axes = _windows(node, context, x)
    counted = Num(int(node.attributes.get("count_include_pad", 0)))
    marks = [apply("marks", *map(term, (a.size, a.before, a.after, a.over)), counted) for a in axes]
    marked = marks[0] if len(axes) == 1 else Listing(tuple(marks))
    pool = apply(f"average_pool{len(axes)}", rounder(x.dtype), *_moves(axes), marked)
    return Output(mapped(2, pool, padded(x.term, axes, Num(0))), x.dtype, shape_of(x, x.shape[1], axes))


def _norm(p: float) -> tuple[Term, Term]:
    """Return the step that adds a number x to a sum t of powers of magnitudes, and the root of t."""
    t, x = Name("t"), Name("x")
    if p == 1:
        return Fn(("t", "x"), apply("+", t, apply("abs", x))), t
    if p == 2:
        return Fn(("t", "x"), apply("+", t, apply("×", x, x))), apply("sqrt", t)
    power = number_term(float(p))
    step = Fn(("t", "x"), apply("+", t, apply("power", apply("abs", x), power)))
    return step, apply("power", t, apply("÷", Num(1), power))


@operator("LpPool")
def lp_pool(node: Node, context: Context) -> Output:
    """Return the Lp norm of each window."""
    x = context.fact(node.inputs[0])
    axes = _windows(node, context, x)
    step, root = _norm(node.attributes.get("p", 2))
    end = Fn(("t", *PLACES[3 - len(axes) :]), rounded(x.dtype, root))
    pool = apply(f"pool{len(axes)}", Num(0), step, end, *_moves(axes))
    return Output(mapped(2, pool, padded(x.term, axes, Num(0))), x.dtype, shape_of(x, x.shape[1], axes))


def _global(x: Fact, reduce: Callable[[Term], Term]) -> Output:
    """Return what ``reduce`` makes of all numbers of each channel; every spatial axis then has length 1."""
    axes = check_axes(x, 4)
    row: Term = Name("channel")
    for _ in range(axes - 1):
        row = apply("join", row)
    value = reduce(row) if axes == 1 else let("row", row, reduce(Name("row")))
    for _ in range(axes):
        value = Listing((value,))
    return Output(mapped(2, Fn(("channel",), value), x.term), x.dtype, (*x.shape[:2], *(1,) * axes))


@operator("GlobalAveragePool")
def global_average_pool(node: Node, context: Context) -> Output:
    """Return the average of each channel."""
    x = context.fact(node.inputs[0])
    return _global(x, lambda row: apply("average", rounder(x.dtype), row))


@operator("GlobalMaxPool")
def global_max_pool(node: Node, context: Context) -> Output:
    """Return the largest number of each channel."""
    return _global(context.fact(node.inputs[0]), lambda row: apply("largest", row))


@operator("GlobalLpPool")
def global_lp_pool(node: Node, context: Context) -> Output:
    """Return the Lp norm of each channel."""
    x = context.fact(node.inputs[0])
    step, root = _norm(node.attributes.get("p", 2))

    def reduce(row: Term) -> Term:
        item = Apply(step, (Name("t"), At(row, (Name("i"),))))
        total = apply("fold", apply("length", row), Num(0), Fn(("t", "i"), item))
        return let("t", total, rounded(x.dtype, root))

    return _global(x, reduce)
