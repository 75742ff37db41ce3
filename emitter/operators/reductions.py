"""Operators that make one number, or a row, of the numbers along axes: sums, extremes, running sums,
softmax.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np

from isagoge.spec.terms import Apply, Fn, Name, Num, Term, apply, let

from ..lowering import Context, Fact, Node, Output, operator
from .lifting import INT64, axis_of, integers, mapped, mentions, rearranged, rounded
from .shape import unsqueezed

Row = Callable[[Term], Term]
A = Name("a")


def _squares(a: Term) -> Term:
    return let("y", a, apply("dot", Name("y"), Name("y")))


def _magnitudes(a: Term) -> Term:
    return apply("sum", apply("lift", Name("abs"), a))


def _log_sum_exp(a: Term) -> Term:
    """Return the logarithm of a sum of exponentials; the largest is taken out first, so that none is too
    large.
    """
    y, m = Name("y"), Name("m")
    powers = apply("lift", Fn(("x",), apply("exp", apply("-", Name("x"), m))), y)
    total = apply("+", m, apply("log", apply("sum", powers)))
    return let("y", a, let("m", apply("clamp", apply("largest", y), *_finite()), total))


def _finite() -> tuple[Term, Term]:
    most = apply("pow2", Num(1000))
    return apply("-", Num(0), most), most


def _mean(a: Term) -> Term:
    return let("y", a, apply("÷", apply("sum", Name("y")), apply("length", Name("y"))))


_ROUNDED: dict[str, Row] = {
    "ReduceSum": lambda a: apply("sum", a),
    "ReduceMean": _mean,
    "ReduceProd": lambda a: apply("product", a),
    "ReduceL1": _magnitudes,
    "ReduceL2": lambda a: apply("sqrt", _squares(a)),
    "ReduceSumSquare": _squares,
    "ReduceLogSum": lambda a: apply("log", apply("sum", a)),
    "ReduceLogSumExp": _log_sum_exp,
}
_EXACT: dict[str, Row] = {
    "ReduceMax": lambda a: apply("largest", a),
    "ReduceMin": lambda a: apply("smallest", a),
}
_SHORT = {"ReduceSum": "sum32", "ReduceMean": "mean32"}


def _reduce(node: Node, context: Context) -> Output:
    """Reduce over some axes; none given means all, or with ``noop_with_empty_axes`` none at all."""
    x = context.fact(node.inputs[0])
    given = integers(context, node, 1, "axes")
    if not given:
        if node.attributes.get("noop_with_empty_axes", 0):
            return Output(x.term, x.dtype, x.shape)
        given = list(range(x.rank))
    axes = sorted({axis_of(axis, x.rank) for axis in given}) if x.rank else []
    row: Row
    if node.operator in _EXACT:
        row = _EXACT[node.operator]
    elif node.operator in _SHORT and x.dtype.name == "float32":
        row = partial(apply, _SHORT[node.operator])
    elif node.operator == "ReduceMean" and x.dtype.kind in "iu":
        row = lambda a: apply("trunc", _mean(a))  # noqa: E731
    else:
        make = _ROUNDED[node.operator]
        row = lambda a: rounded(x.dtype, make(a))  # noqa: E731
    return over(context, x, axes, row, x.dtype, bool(node.attributes.get("keepdims", 1)))


for _operator in (*_ROUNDED, *_EXACT):
    operator(_operator)(_reduce)


def function_of_row(make: Row) -> Term:
    """Return the function of a row ``a`` with a body; if the body is f(a), it is f."""
    body = make(A)
    if isinstance(body, Apply) and isinstance(body.head, Name) and body.args[-1] == A:
        if not any(mentions(arg, "a") for arg in body.args[:-1]):
            return Apply(body.head, body.args[:-1]) if len(body.args) > 1 else body.head
    return Fn(("a",), body)


def over(
    context: Context, x: Fact, axes: Sequence[int], row: Row, dtype: np.dtype[Any], keep: bool
) -> Output:
    """Make a number of all numbers along some axes: these are brought to the end, joined to a row, and the
    row reduced.
    """
    rest = [axis for axis in range(x.rank) if axis not in axes]
    turned = rearranged(context, x, [*rest, *axes])

    def joined(a: Term) -> Term:
        return row(reduce(lambda b, _: apply("join", b), axes[1:], a))

    if axes:
        if rest:
            term = mapped(len(rest), function_of_row(joined), turned.term)
        else:
            term = joined(turned.term)
    else:
        term = mapped(x.rank, Fn(("v",), row(apply("repeat", Name("v"), Num(1)))), x.term)
    output = Output(term, dtype, tuple(x.shape[axis] for axis in rest))
    if not keep or not axes:
        return output
    return unsqueezed(Fact(output.term, dtype, output.shape), axes)


@operator("ArgMax", "ArgMin")
def arg_extreme(node: Node, context: Context) -> Output:
    """Where the largest or smallest number along an axis stands: the first of equal ones, or the last."""
    x = context.fact(node.inputs[0])
    axis = axis_of(node.attributes.get("axis", 0), x.rank)
    name = "arg_max" if node.operator == "ArgMax" else "arg_min"
    if node.attributes.get("select_last_index", 0):
        name += "_last"
    return over(context, x, [axis], partial(apply, name), INT64, bool(node.attributes.get("keepdims", 1)))


def along(context: Context, x: Fact, axis: int, row: Row) -> Output:
    """Change each row along an axis into a row of the same length."""
    order = [k for k in range(x.rank) if k != axis] + [axis]
    back = [order.index(k) for k in range(x.rank)]
    turned = rearranged(context, x, order)
    term = mapped(x.rank - 1, function_of_row(row), turned.term) if x.rank > 1 else row(turned.term)
    return rearranged(context, Fact(term, x.dtype, turned.shape), back)


@operator("CumSum")
def cum_sum(node: Node, context: Context) -> Output:
    """At each place the sum up to it along an axis, or up to the place before; or so from the end."""
    x = context.fact(node.inputs[0])
    axis = axis_of((integers(context, node, 1, "axis") or [0])[0], x.rank)
    name = "running_sum_before" if node.attributes.get("exclusive", 0) else "running_sum"
    backwards = node.attributes.get("reverse", 0)

    def row(a: Term) -> Term:
        sums = apply(name, apply("reverse", a) if backwards else a)
        if x.dtype.kind == "f" and x.dtype.itemsize < 8:
            sums = apply("lift", Fn(("x",), rounded(x.dtype, Name("x"))), sums)
        return apply("reverse", sums) if backwards else sums

    return along(context, x, axis, row)


def _softmax(name: str, node: Node, context: Context) -> Output:
    """Softmax or its logarithm along an axis; before version 13 over all axes from one on together."""
    x = context.fact(node.inputs[0])
    old = node.version < 13
    axis = axis_of(node.attributes.get("axis", 1 if old else -1), x.rank)

    def row(a: Term) -> Term:
        if x.dtype.name == "float32":
            return apply(name, a)
        return apply("lift", Fn(("x",), rounded(x.dtype, Name("x"))), apply(name, a))

    if not old or axis == x.rank - 1:
        return along(context, x, axis, row)

    def all_axes(a: Term) -> Term:
        flat = reduce(lambda b, _: apply("join", b), range(x.rank - axis - 1), a)
        whole = row(flat)
        for k in reversed(range(axis + 1, x.rank)):
            whole = apply("group", whole, context.length(x, k))
        return whole

    term = mapped(axis, Fn(("a",), all_axes(A)), x.term) if axis else all_axes(x.term)
    return Output(term, x.dtype, x.shape)


operator("Softmax")(partial(_softmax, "softmax"))
operator("LogSoftmax")(partial(_softmax, "log_softmax"))
