"""Operators that work on each place of their tensors alone: arithmetic, comparison, logic, activations,
casts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from onnx.helper import tensor_dtype_to_np_dtype

from isagoge.spec.terms import At, If, Name, Num, Term, apply, let

from ..lowering import Context, Fact, Node, Output, Unsupported, operator
from .lifting import BOOL, elementwise, integer, rounded, rounding

ONE, ZERO = Num(1), Num(0)


def _facts(node: Node, context: Context) -> list[Fact]:
    return [context.fact(name) for name in node.inputs if name]


def _unchanged(operator: str, a: Fact, b: Fact) -> Fact | None:
    """Return the operand that the other one does not change: the sum with 0, the product with 1."""
    neutral = 0 if operator in ("Add", "Sub") else 1
    pairs = [(a, b)] if operator in ("Sub", "Div") else [(a, b), (b, a)]
    for kept, other in pairs:
        if other.constant is not None and other.constant.size == 1 and other.rank <= kept.rank:
            if float(other.constant.reshape(-1)[0]) == neutral:
                return kept
    return None


def _arithmetic(sign: str, short: str, node: Node, context: Context) -> Output:
    """Add, Sub, Mul: exact for integers, rounded once for floating formats."""
    a, b = _facts(node, context)
    kept = _unchanged(node.operator, a, b)
    if kept is not None:
        return Output(kept.term, kept.dtype, kept.shape)
    if a.dtype.name == "float32":
        first_scalar = a.rank == 0 or (a.constant is not None and a.constant.size == 1)
        if sign in "+×" and not first_scalar:
            # The constant first: then it is given once, not at every place.
            b, a = (a, b) if b.rank == 0 or (b.constant is not None and b.constant.size == 1) else (b, a)
        return elementwise(context, [a, b], partial(apply, short), a.dtype, short)
    body = partial(apply, sign)
    return elementwise(context, [a, b], lambda x, y: rounded(a.dtype, body(x, y)), a.dtype)


for _operator, _sign, _short in (("Add", "+", "add32"), ("Sub", "-", "sub32"), ("Mul", "×", "mul32")):
    operator(_operator)(partial(_arithmetic, _sign, _short))


@operator("Div")
def div(node: Node, context: Context) -> Output:
    """Quotient; of integers without what is behind the point."""
    a, b = _facts(node, context)
    kept = _unchanged(node.operator, a, b)
    if kept is not None:
        return Output(kept.term, kept.dtype, kept.shape)
    if a.dtype.kind in "iub":
        return elementwise(context, [a, b], partial(apply, "quotient"), a.dtype, "quotient")
    if a.dtype.name == "float32":
        return elementwise(context, [a, b], partial(apply, "div32"), a.dtype, "div32")
    return elementwise(context, [a, b], lambda x, y: rounded(a.dtype, apply("÷", x, y)), a.dtype)


def _unary(make: Callable[[Term], Term], node: Node, context: Context) -> Output:
    """Apply a function of one number whose values need no rounding."""
    (x,) = _facts(node, context)
    return elementwise(context, [x], make, x.dtype)


_EXACT: dict[str, Callable[[Term], Term]] = {
    "Neg": lambda v: apply("negative", v),
    "Abs": lambda v: apply("abs", v),
    "Floor": lambda v: apply("floor", v),
    "Ceil": lambda v: apply("ceil", v),
    "Round": lambda v: apply("round_half_even", v),
    "Sign": lambda v: apply("sign", v),
    "Relu": lambda v: apply("relu", v),
}
_ROUNDED = (
    "Sqrt Exp Log Tanh Sigmoid Erf Softplus Softsign Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh"
).split()
_SHORT = frozenset(
    f"{name}32"
    for name in "sqrt exp log tanh sigmoid erf softplus sin cos hard_sigmoid hard_swish leaky_relu".split()
)
"""Functions of float32 numbers that the library has."""

for _operator, _make in _EXACT.items():
    operator(_operator)(partial(_unary, _make))

Parameters = tuple[tuple[str, float], ...]


def _activation(name: str, parameters: Parameters, node: Node, context: Context) -> Output:
    """Apply a library function, first to attributes (each a float32 number, with its default), then to the
    element.
    """
    (x,) = _facts(node, context)
    values = [
        context.constant(np.asarray(np.float32(node.attributes.get(key, default))))
        for key, default in parameters
    ]
    if x.dtype.name == "float32" and f"{name}32" in _SHORT:
        return elementwise(context, [x], lambda v: apply(f"{name}32", *values, v), x.dtype)
    return elementwise(context, [x], lambda v: rounded(x.dtype, apply(name, *values, v)), x.dtype)


for _operator in _ROUNDED:
    operator(_operator)(partial(_activation, _operator.lower(), ()))
_ACTIVATIONS: dict[str, tuple[str, Parameters]] = {
    "Reciprocal": ("reciprocal", ()),
    "Mish": ("mish", ()),
    "HardSwish": ("hard_swish", ()),
    "LeakyRelu": ("leaky_relu", (("alpha", 0.01),)),
    "ThresholdedRelu": ("thresholded_relu", (("alpha", 1.0),)),
    "Elu": ("elu", (("alpha", 1.0),)),
    "Celu": ("celu", (("alpha", 1.0),)),
    "Selu": ("selu", (("alpha", 1.67326319217681884765625), ("gamma", 1.05070102214813232421875))),
    "HardSigmoid": ("hard_sigmoid", (("alpha", 0.2), ("beta", 0.5))),
    "Shrink": ("shrink", (("bias", 0.0), ("lambd", 0.5))),
    "Swish": ("swish", (("alpha", 1.0),)),
}
for _operator, (_name, _parameters) in _ACTIVATIONS.items():
    operator(_operator)(partial(_activation, _name, _parameters))


@operator("Gelu")
def gelu(node: Node, context: Context) -> Output:
    """X times the share of a normal distribution below x, exactly or by the usual tanh formula."""
    tanh = node.attributes.get("approximate", "none") == "tanh"
    return _activation("gelu_tanh" if tanh else "gelu", (), node, context)


@operator("Identity", "Dropout")
def identity(node: Node, context: Context) -> list[Output] | Output:
    """The same tensor; Dropout drops nothing when a model is used."""
    x = context.fact(node.inputs[0])
    if len(node.outputs) > 1 and node.outputs[1]:
        mask = elementwise(context, [x], lambda v: let("x", v, ONE), BOOL)
        return [Output(x.term, x.dtype, x.shape), mask]
    return Output(x.term, x.dtype, x.shape)


def _number(context: Context, value: float) -> Term:
    """Return a term for an attribute, which is a float32 number."""
    return context.constant(np.asarray(np.float32(value)))


@operator("PRelu")
def prelu(node: Node, context: Context) -> Output:
    """Numbers less than 0 times a slope that is broadcast to them."""
    x, slope = _facts(node, context)
    return elementwise(context, [slope, x], lambda p, v: rounded(x.dtype, apply("prelu", v, p)), x.dtype)


@operator("Clip")
def clip(node: Node, context: Context) -> Output:
    """Numbers held between two limits, which are attributes or inputs and may be left out."""
    x = context.fact(node.inputs[0])
    limits: list[Term | None] = []
    for i, name in enumerate(("min", "max")):
        if name in node.attributes:
            limits.append(_number(context, node.attributes[name]))
        elif context.has(node, i + 1):
            fact = context.fact(node.inputs[i + 1])
            value = fact.constant
            far = value is not None and not -3.4e38 < float(value.reshape(-1)[0]) < 3.4e38
            limits.append(None if far else _scalar(context, fact))
        else:
            limits.append(None)
    low, high = limits
    if low is not None and high is not None:
        return elementwise(context, [x], lambda v: apply("clip", low, high, v), x.dtype)
    if low == ZERO:
        return elementwise(context, [x], lambda v: apply("relu", v), x.dtype)
    if low is not None:
        return elementwise(context, [x], lambda v: apply("max", low, v), x.dtype)
    if high is not None:
        return elementwise(context, [x], lambda v: apply("min", high, v), x.dtype)
    return Output(x.term, x.dtype, x.shape)


def _scalar(context: Context, fact: Fact) -> Term:
    """Return the only element of a tensor."""
    if fact.constant is not None:
        return context.constant(fact.constant.reshape(()))
    return At(fact.term, (ZERO,) * fact.rank) if fact.rank else fact.term


def _many(name: str, node: Node, context: Context) -> Output:
    """Min, Max: of any number of tensors, two at a time."""
    return _chain(context, _facts(node, context), lambda x, y: apply(name, x, y), name)


def _chain(
    context: Context, facts: list[Fact], body: Callable[[Term, Term], Term], named: str | None = None
) -> Output:
    first = facts[0]
    output = Output(first.term, first.dtype, first.shape)
    for fact in facts[1:]:
        before = Fact(output.term, output.dtype, output.shape)
        scalar = fact.rank == 0 or (fact.constant is not None and fact.constant.size == 1)
        pair = [fact, before] if scalar else [before, fact]
        output = elementwise(context, pair, body, first.dtype, named)
    return output


operator("Max")(partial(_many, "max"))
operator("Min")(partial(_many, "min"))


@operator("Sum", "Mean")
def sum_of_tensors(node: Node, context: Context) -> Output:
    """Sum or mean of any number of tensors, place by place, rounded once."""
    facts = _facts(node, context)
    dtype, count = facts[0].dtype, len(facts)
    if node.operator == "Sum" and count == 2 and dtype.name == "float32":
        return elementwise(context, facts, partial(apply, "add32"), dtype, "add32")
    if count <= 3:

        def body(*terms: Term) -> Term:
            total = terms[0]
            for term in terms[1:]:
                total = apply("+", total, term)
            return rounded(dtype, apply("÷", total, Num(count)) if node.operator == "Mean" else total)

        return elementwise(context, facts, body, dtype)
    total = _chain(context, facts, lambda x, y: apply("+", x, y), "+")
    fact = Fact(total.term, dtype, total.shape)
    divide = node.operator == "Mean"
    return elementwise(
        context, [fact], lambda v: rounded(dtype, apply("÷", v, Num(count)) if divide else v), dtype
    )


@operator("Pow")
def power(node: Node, context: Context) -> Output:
    """X to the power y. Small whole exponents and one half are written as products and a root."""
    x, y = _facts(node, context)
    value = float(y.constant.reshape(-1)[0]) if y.constant is not None and y.constant.size == 1 else None
    simple: dict[float, Callable[[Term], Term]] = {
        1.0: lambda v: v,
        2.0: lambda v: apply("×", v, v),
        3.0: lambda v: apply("×", v, apply("×", v, v)),
        4.0: lambda v: let("y", apply("×", v, v), apply("×", Name("y"), Name("y"))),
        0.5: lambda v: apply("sqrt", v),
        -1.0: lambda v: apply("÷", ONE, v),
    }
    whole = x.dtype.kind in "iu"
    if value in simple and y.rank <= x.rank and not (whole and value < 1):
        make = simple[value]
        return elementwise(context, [x], lambda v: rounded(x.dtype, make(v)), x.dtype)

    def body(v: Term, w: Term) -> Term:
        raised = apply("power", v, w)
        return apply("trunc", raised) if whole else rounded(x.dtype, raised)

    return elementwise(context, [x, y], body, x.dtype)


@operator("Mod")
def mod(node: Node, context: Context) -> Output:
    """Remainder with the sign of the divisor, or with ``fmod`` that of the dividend."""
    a, b = _facts(node, context)
    name = "fmod" if node.attributes.get("fmod", 0) else "mod"
    return elementwise(context, [a, b], lambda x, y: apply(name, x, y), a.dtype, name)


def _logic(name: str, swapped: bool, node: Node, context: Context) -> Output:
    """Comparisons and logic: the result is 0 or 1."""
    facts = _facts(node, context)
    if swapped:
        facts = facts[::-1]
    return elementwise(context, facts, partial(apply, name), BOOL, name)


for _operator, _name in {
    "And": "and",
    "Or": "or",
    "Xor": "xor",
    "Not": "not",
    "Equal": "=",
    "Less": "<",
    "LessOrEqual": "at_most",
    "GreaterOrEqual": "at_least",
    "IsNaN": "is_nan",
}.items():
    operator(_operator)(partial(_logic, _name, False))
operator("Greater")(partial(_logic, "<", True))


@operator("IsInf")
def is_inf(node: Node, context: Context) -> Output:
    """Whether a number is infinite; either sign may be left out."""
    (x,) = _facts(node, context)
    up, down = node.attributes.get("detect_positive", 1), node.attributes.get("detect_negative", 1)
    if up and down:
        return elementwise(context, [x], lambda v: apply("is_infinite", v), BOOL)
    infinity = apply("÷", ONE if up else integer(-1), ZERO)
    return elementwise(
        context, [x], lambda v: apply("=", v, infinity) if up or down else let("x", v, ZERO), BOOL
    )


@operator("Where")
def where(node: Node, context: Context) -> Output:
    """X where the condition holds, y elsewhere."""
    test, x, y = _facts(node, context)
    return elementwise(context, [test, x, y], lambda c, a, b: If(c, a, b), x.dtype, "select")


@operator("Cast", "CastLike")
def cast(node: Node, context: Context) -> Output:
    """The same numbers in another format: cut towards 0 for integers, 0 or 1 for bool, rounded for floating
    formats.
    """
    x = context.fact(node.inputs[0])
    if node.operator == "CastLike":
        target = context.fact(node.inputs[1]).dtype
    else:
        target = np.dtype(tensor_dtype_to_np_dtype(node.attributes["to"]))
    make = conversion(x.dtype, target)
    if make is None:
        return Output(x.term, target, x.shape)
    return elementwise(context, [x], make, target)


def conversion(source: np.dtype[Any], target: np.dtype[Any]) -> Callable[[Term], Term] | None:
    """Return what a cast does to a number, or None if all numbers stay what they are.

    Raises:
        Unsupported: one of the formats is not known.

    >>> conversion(np.dtype(np.bool_), np.dtype(np.float32)) is None
    True
    """
    for dtype in (source, target):
        if dtype.kind not in "fiub" and dtype.name != "bfloat16":
            raise Unsupported(f"numbers of format {dtype.name}")
    if source == target or source == BOOL:
        return None
    if target == BOOL:
        return lambda v: apply("differ", v, ZERO)
    if target.kind in "iu":
        narrow = 8 * target.itemsize < 64
        if source.kind not in "iu":
            return lambda v: apply("trunc", v)
        within = np.can_cast(source, target)
        if within or not narrow:
            return None
        size = Num(2 ** (8 * target.itemsize))
        name = "wrap_natural" if target.kind == "u" else "wrap_integer"
        return lambda v: apply(name, size, v)
    if rounding(target) is None or (source.kind in "iuf" and np.can_cast(source, target)):
        return None
    return lambda v: rounded(target, v)
