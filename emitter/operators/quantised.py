"""Quantised numbers: integers that stand for (integer - zero point) × scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx.helper import tensor_dtype_to_np_dtype

from isagoge.spec.terms import Term, apply

from ..lowering import Context, Fact, Node, Output, Unsupported, operator
from .lifting import FLOAT32, axis_of, elementwise, integer, rounded, under, wrapped


def _spread(context: Context, x: Fact, name: str, axis: int) -> Fact:
    """Return a scale or zero point as it is broadcast to ``x``: one number, or one for each place of an axis.

    Raises:
        Unsupported: it has more axes, as scales of blocks have.
    """
    fact = context.fact(name)
    if fact.rank == 0:
        return fact
    if fact.constant is not None and fact.constant.size == 1:
        array = fact.constant.reshape(())
        return Fact(context.constant(array), fact.dtype, (), array)
    if fact.rank > 1:
        raise Unsupported("scales of blocks")
    behind = x.rank - 1 - axis
    shape = (*fact.shape, *(1,) * behind)
    if fact.constant is not None:
        array = fact.constant.reshape(tuple(map(int, fact.constant.shape)) + (1,) * behind)
        return Fact(context.constant(array), fact.dtype, shape, array)
    return Fact(under(1, lambda a: wrapped(a, behind), fact.term) if behind else fact.term, fact.dtype, shape)


def _parts(node: Node, context: Context) -> tuple[Fact, Fact, Fact | None]:
    if node.attributes.get("block_size", 0):
        raise Unsupported("scales of blocks")
    x = context.fact(node.inputs[0])
    axis = axis_of(node.attributes.get("axis", 1), x.rank) if x.rank > 1 else 0
    scale = _spread(context, x, node.inputs[1], axis)
    zero = _spread(context, x, node.inputs[2], axis) if context.has(node, 2) else None
    if zero is not None and zero.constant is not None and not np.any(zero.constant):
        return x, scale, None
    return x, scale, zero


@operator("DequantizeLinear")
def dequantize_linear(node: Node, context: Context) -> Output:
    """``(x - zero point) × scale``, rounded once."""
    x, scale, zero = _parts(node, context)
    dtype = scale.dtype
    if zero is None:
        return elementwise(context, [scale, x], lambda s, v: rounded(dtype, apply("×", v, s)), dtype)

    def body(v: Term, s: Term, z: Term) -> Term:
        return rounded(dtype, apply("×", apply("-", v, z), s))

    return elementwise(context, [x, scale, zero], body, dtype)


@operator("QuantizeLinear")
def quantize_linear(node: Node, context: Context) -> Output:
    """``x / scale``, rounded to the nearest integer, ties to even, plus the zero point, held within the
    format.
    """
    x, scale, zero = _parts(node, context)
    target: np.dtype[Any] = np.dtype(np.uint8)
    if context.has(node, 2):
        target = context.fact(node.inputs[2]).dtype
    elif node.attributes.get("output_dtype", 0):
        target = np.dtype(tensor_dtype_to_np_dtype(node.attributes["output_dtype"]))
    if target.kind not in "iu":
        raise Unsupported(f"quantisation to {target.name}")
    least, most = (integer(int(n)) for n in (np.iinfo(target).min, np.iinfo(target).max))

    def body(v: Term, s: Term, *z: Term) -> Term:
        nearest = apply("round_half_even", rounded(FLOAT32, apply("÷", v, s)))
        return apply("clamp", apply("+", nearest, *z) if z else nearest, least, most)

    facts = [x, scale] if zero is None else [x, scale, zero]
    return elementwise(context, facts, body, target)
