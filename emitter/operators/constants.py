"""Operators that make tensors out of little: ConstantOfShape, Range, EyeLike."""

from __future__ import annotations

import numpy as np
from onnx.helper import tensor_dtype_to_np_dtype

from isagoge.spec.terms import Fn, If, Name, Num, Term, apply

from ..lowering import Context, Node, Output, operator
from ..shapes import elements
from .lifting import at, integer, items, rounded
from .shape import filled


@operator("ConstantOfShape")
def constant_of_shape(node: Node, context: Context) -> Output:
    """A tensor of one number with the given axis lengths."""
    target = context.fact(node.inputs[0])
    value = np.asarray(node.attributes.get("value", np.zeros(1, np.float32)))
    lengths = items(target)
    known = elements(target) or (None,) * len(lengths)
    return Output(filled(context.constant(value.reshape(())), lengths), value.dtype, tuple(known))


@operator("Range")
def range_(node: Node, context: Context) -> Output:
    """Numbers from a start on in equal steps, up to and without a limit."""
    facts = [context.fact(name) for name in node.inputs]
    start, limit, step = (at(fact.term, *(0,) * fact.rank) for fact in facts)
    dtype = facts[0].dtype
    span = limit if start == Num(0) else apply("-", limit, start)
    turns = span if step == Num(1) and dtype.kind in "iu" else apply("ceil", apply("÷", span, step))
    if not (start == Num(0) and turns == limit and getattr(limit, "head", None) == Name("length")):
        turns = apply("max", Num(0), turns)
    element: Term = Name("i") if step == Num(1) else apply("×", Name("i"), step)
    element = element if start == Num(0) else apply("+", start, element)
    count = None
    symbol = elements(facts[1])
    if start == Num(0) and step == Num(1) and symbol is not None:
        count = symbol[0]
    return Output(apply("array", turns, Fn(("i",), rounded(dtype, element))), dtype, (count,))


@operator("EyeLike")
def eye_like(node: Node, context: Context) -> Output:
    """Ones on a diagonal and zeros elsewhere, in the form of a matrix."""
    x = context.fact(node.inputs[0])
    dtype = (
        np.dtype(tensor_dtype_to_np_dtype(node.attributes["dtype"]))
        if "dtype" in node.attributes
        else x.dtype
    )
    column = apply("+", Name("i"), integer(node.attributes.get("k", 0)))
    row = apply("array", context.length(x, 1), Fn(("j",), If(apply("=", Name("j"), column), Num(1), Num(0))))
    return Output(apply("array", context.length(x, 0), Fn(("i",), row)), dtype, x.shape)
