"""Normalisation of batches, instances, groups and layers, of rows by norms, of neighbours in channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from isagoge.spec.terms import Apply, At, Fn, Listing, Name, Num, Term, apply, let

from ..lowering import Context, Fact, Node, Output, Unsupported, operator
from ..tensors import number_term
from .lifting import axis_of, call, mapped, rearranged, rounded, rounder
from .spatial import along, size_of, term


def _single(value: Any) -> Term:
    """Return an attribute, which is a float32 value, as a term."""
    return number_term(float(np.float32(value)))


def _spatial(x: Fact) -> int:
    """Return how many axes a channel has. Raises ``Unsupported`` outside of 0 to 3."""
    if not 0 <= x.rank - 2 <= 3:
        raise Unsupported(f"{x.rank} axes")
    return x.rank - 2


@operator("BatchNormalization")
def batch_normalization(node: Node, context: Context) -> Output:
    """Return images whose channels are normalised with given means and variances."""
    if node.attributes.get("training_mode", 0) or any(node.outputs[1:]):
        raise Unsupported("training_mode")
    if not node.attributes.get("spatial", 1):
        raise Unsupported("spatial = 0")
    x, scale, bias, mean, variance = (context.fact(name) for name in node.inputs)
    epsilon = _single(node.attributes.get("epsilon", 1e-5))
    factor = apply("spread_scale", scale.term, variance.term, epsilon)
    each = apply(f"normal{_spatial(x)}", rounder(x.dtype), mean.term, factor, bias.term)
    return Output(mapped(1, each, x.term), x.dtype, x.shape)


def _standard(node: Node, x: Fact, groups: Term, scale: Term, bias: Term) -> Output:
    epsilon = _single(node.attributes.get("epsilon", 1e-5))
    each = apply(f"standard{_spatial(x)}", rounder(x.dtype), groups, epsilon, scale, bias)
    return Output(mapped(1, each, x.term), x.dtype, x.shape)


@operator("InstanceNormalization")
def instance_normalization(node: Node, context: Context) -> Output:
    """Return images each of whose channels has mean 0 and variance 1, then scaled and moved."""
    x, scale, bias = (context.fact(name) for name in node.inputs)
    return _standard(node, x, term(size_of(context, scale, 0)), scale.term, bias.term)


@operator("GroupNormalization")
def group_normalization(node: Node, context: Context) -> Output:
    """Return images each of whose groups of channels has mean 0 and variance 1, then scaled and moved."""
    x, scale, bias = (context.fact(name) for name in node.inputs)
    groups = Num(int(node.attributes["num_groups"]))
    terms = scale.term, bias.term
    if node.version < 21:
        # Up to version 20 there is one scale and one bias for a group, later one for a channel.
        count = apply("÷", term(size_of(context, x, 1)), groups)
        each = Fn(("v",), apply("repeat", Name("v"), count))
        terms = apply("join", mapped(1, each, scale.term)), apply("join", mapped(1, each, bias.term))
    return _standard(node, x, groups, *terms)


def _joined(value: Term, times: int) -> Term:
    for _ in range(times):
        value = apply("join", value)
    return value


def _in_one_row(function: Apply, deep: int) -> Term:
    """Return a function of rows as one of arrays with so many axes, whose numbers it takes in one row."""
    if deep == 1:
        return function
    value = call(function, _joined(Name("part"), deep - 1))
    for level in reversed(range(1, deep)):
        value = apply("group", value, apply("length", At(Name("part"), (Num(0),) * level)))
    return Fn(("part",), value)


@operator("LayerNormalization")
def layer_normalization(node: Node, context: Context) -> list[Output]:
    """Return what lies under the axes before ``axis`` with mean 0 and variance 1, then scaled and moved.

    The further outputs are the means and the reciprocals of the standard deviations.
    """
    x, scale = context.fact(node.inputs[0]), context.fact(node.inputs[1])
    axis = int(node.attributes.get("axis", -1)) % x.rank
    deep = x.rank - axis
    if scale.rank != deep:
        raise Unsupported(f"a scale of {scale.rank} axes where {deep} are normalised")
    for known, wanted in zip(scale.shape, x.shape[axis:], strict=True):
        if known == 1 and wanted != 1:
            raise Unsupported("a scale that is stretched")
    weights = _joined(scale.term, deep - 1)
    if context.has(node, 2):
        bias = _joined(context.fact(node.inputs[2]).term, deep - 1)
    else:
        bias = apply("repeat", Num(0), apply("length", weights))
    epsilon = _single(node.attributes.get("epsilon", 1e-5))
    value = apply("layer_norm", rounder(x.dtype), epsilon, weights, bias)
    outputs = [Output(mapped(axis, _in_one_row(value, deep), x.term), x.dtype, x.shape)]
    shape = (*x.shape[:axis], *(1,) * deep)
    pair = apply("moments", _joined(Name("part"), deep - 1))
    mean, variance = At(Name("pair"), (Num(0),)), At(Name("pair"), (Num(1),))
    stash = np.dtype(np.float32) if int(node.attributes.get("stash_type", 1)) == 1 else x.dtype
    for number in (mean, apply("÷", Num(1), apply("sqrt", apply("+", variance, epsilon)))):
        item: Term = rounded(stash, number)
        for _ in range(deep):
            item = Listing((item,))
        outputs.append(Output(mapped(axis, Fn(("part",), let("pair", pair, item)), x.term), stash, shape))
    return outputs[: len(node.outputs)]


@operator("LpNormalization")
def lp_normalization(node: Node, context: Context) -> Output:
    """Return rows along an axis divided by their norm."""
    x, p = context.fact(node.inputs[0]), int(node.attributes.get("p", 2))
    if p not in (1, 2):
        raise Unsupported(f"p = {p}")
    axis = int(node.attributes.get("axis", -1)) % x.rank
    return Output(along(x, axis, apply(f"unit{p}", rounder(x.dtype))), x.dtype, x.shape)


@operator("LRN")
def local_response_normalization(node: Node, context: Context) -> Output:
    """Return numbers divided by a power of the squares of their neighbours in other channels."""
    x = context.fact(node.inputs[0])
    defaults = {"alpha": 1e-4, "beta": 0.75, "bias": 1.0}
    alpha, beta, bias = (_single(node.attributes.get(name, value)) for name, value in defaults.items())
    row = apply("local_norm", rounder(x.dtype), Num(int(node.attributes["size"])), alpha, beta, bias)
    return Output(along(x, 1, row), x.dtype, x.shape)


@operator("MeanVarianceNormalization")
def mean_variance_normalization(node: Node, context: Context) -> Output:
    """Return numbers less their mean, divided by their standard deviation, both over some of the axes."""
    x = context.fact(node.inputs[0])
    axes = sorted({axis_of(int(axis), x.rank) for axis in node.attributes.get("axes") or (0, 2, 3)})
    order = [axis for axis in range(x.rank) if axis not in axes] + axes
    moved = rearranged(context, x, order)
    row = apply("centred", rounder(x.dtype), number_term(1e-9))
    value = mapped(x.rank - len(axes), _in_one_row(row, len(axes)), moved.term)
    back = Fact(context.step(value, x.dtype, x.rank), x.dtype, moved.shape)
    return rearranged(context, back, [order.index(axis) for axis in range(x.rank)])
