"""Products of matrices: MatMul, Gemm, MatMulInteger, Einsum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isagoge.spec.terms import At, Fn, Listing, Name, Num, Term, apply

from ..lowering import Context, Fact, Node, Output, Unsupported, operator
from ..program import Shape
from ..shapes import broadcast
from .lifting import at, call, mapped, rounded, rounder, under, wrapped


def columns(context: Context, b: Fact) -> Term:
    """Return matrices with their last two axes exchanged; of a constant this is done here and not in the
    message.
    """
    if b.constant is not None:
        return context.constant(np.swapaxes(b.constant, -1, -2))
    return under(b.rank - 2, lambda a: apply("swap", a), b.term)


def product(context: Context, a: Fact, b: Fact, dtype: np.dtype[Any]) -> Output:
    """Return the product of matrices, or of stacks of matrices that are broadcast to each other; vectors are
    allowed.
    """
    if a.rank == b.rank == 1:
        return Output(rounded(dtype, apply("dot", a.term, b.term)), dtype, ())
    if a.rank == 1:
        row = product(context, Fact(wrapped(a.term, 1), a.dtype, (1, *a.shape), None), b, dtype)
        return Output(
            under(b.rank - 2, lambda c: at(c, 0), row.term), dtype, (*row.shape[:-2], *row.shape[-1:])
        )
    if b.rank == 1:
        whole = Fn(("r",), rounded(dtype, apply("dot", Name("r"), b.term)))
        return Output(mapped(a.rank - 1, whole, a.term), dtype, a.shape[:-1])
    shape = (*broadcast(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    function: Term = Name("linear")
    other = b.term
    if dtype.name != "float32":
        function, other = apply("inner", rounder(dtype)), columns(context, b)
    elif b.constant is None:
        function = Name("matmul")
    else:
        other = columns(context, b)
    if b.rank == 2:
        return Output(under(a.rank - 2, lambda x: call(function, x, other), a.term), dtype, shape)
    levels = len(shape) - 2
    left, right = wrapped(a.term, levels + 2 - a.rank), wrapped(other, levels + 2 - b.rank)
    return Output(mapped(levels, function, left, right), dtype, shape)


@operator("MatMul")
def matmul(node: Node, context: Context) -> Output:
    """Products of matrices; each sum runs from the first product to the last and is rounded once."""
    a, b = (context.fact(name) for name in node.inputs)
    return product(context, a, b, a.dtype)


@operator("MatMulInteger")
def matmul_integer(node: Node, context: Context) -> Output:
    """Products of integer matrices whose zero points are taken off first."""
    a, b = (_shifted(context, node, i) for i in (0, 1))
    return product(context, a, b, np.dtype(np.int32))


def _shifted(context: Context, node: Node, index: int) -> Fact:
    """Return an input less its zero point: one number, one for each row of the first or for each column of
    the second.
    """
    x = context.fact(node.inputs[index])
    if not context.has(node, index + 2):
        return x
    zero = context.fact(node.inputs[index + 2])
    if x.constant is not None and zero.constant is not None:
        point = zero.constant.astype(np.int32)
        point = point[:, None] if index == 0 and point.ndim == 1 and point.size > 1 else point
        array = x.constant.astype(np.int32) - point
        return Fact(context.constant(array), array.dtype, array.shape, array)
    if zero.rank and zero.shape != (1,):
        raise Unsupported("zero points by row or column given by data")
    point_term = at(zero.term, *(0,) * zero.rank)
    difference = Fn(("x",), apply("-", Name("x"), point_term))
    term = context.step(mapped(x.rank, difference, x.term), np.dtype(np.int32), x.rank)
    return Fact(term, np.dtype(np.int32), x.shape)


@operator("Gemm")
def gemm(node: Node, context: Context) -> Output:
    """``alpha A B + beta C``, where A and B may be transposed and C is broadcast; one rounding."""
    a, b = context.fact(node.inputs[0]), context.fact(node.inputs[1])
    c = context.fact(node.inputs[2]) if context.has(node, 2) else None
    left = columns(context, a) if node.attributes.get("transA", 0) else a.term
    right = b.term if node.attributes.get("transB", 0) else columns(context, b)
    m = a.shape[1] if node.attributes.get("transA", 0) else a.shape[0]
    n = b.shape[0] if node.attributes.get("transB", 0) else b.shape[1]
    p, q = float(node.attributes.get("alpha", 1.0)), float(node.attributes.get("beta", 1.0))
    if a.dtype.name != "float32":
        return _gemm_of(context, a, c, left, right, (m, n), p, q)
    if p == 1 and (c is None or q == 0):
        return Output(apply("linear", left, right), a.dtype, (m, n))
    if c is not None and p == q == 1 and c.rank and c.shape[-1] == n and n is not None:
        if c.rank == 1 or (c.constant is not None and c.shape[0] == 1):
            bias = c.term if c.rank == 1 else context.constant(np.asarray(c.constant).reshape(-1))
            return Output(apply("affine", left, right, bias), a.dtype, (m, n))
    bias = Listing((Listing((Num(0),)),)) if c is None else wrapped(c.term, 2 - c.rank)
    factors = [context.constant(np.asarray(np.float32(v))) for v in (p, q)]
    return Output(apply("gemm", left, right, bias, *factors), a.dtype, (m, n))


def _gemm_of(
    context: Context, a: Fact, c: Fact | None, left: Term, right: Term, shape: Shape, p: float, q: float
) -> Output:
    """Gemm in other formats than float32: the exact products first, then the rest at each place, rounded at
    the end.
    """
    exact = apply("inner", Fn(("x",), Name("x")), left, right)
    alpha, beta = (context.constant(np.asarray(np.float32(v))) for v in (p, q))
    scaled = Name("x") if p == 1 else apply("×", alpha, Name("x"))
    if c is None:
        return Output(mapped(2, Fn(("x",), rounded(a.dtype, scaled)), exact), a.dtype, shape)
    added = Name("y") if q == 1 else apply("×", beta, Name("y"))
    body = Fn(("x", "y"), rounded(a.dtype, apply("+", scaled, added)))
    return Output(mapped(2, body, exact, wrapped(c.term, 2 - c.rank)), a.dtype, shape)


@operator("Einsum")
def einsum(node: Node, context: Context) -> Output:
    """A product of tensors summed over the indices that the result does not have, written as an equation of
    indices.
    """
    facts = [context.fact(name) for name in node.inputs]
    facts = [Fact(context.step(f.term, f.dtype, f.rank), f.dtype, f.shape, f.constant) for f in facts]
    inputs, result = _indices(node.attributes["equation"].replace(" ", ""), [fact.rank for fact in facts])
    lengths: dict[str, Term] = {}
    known: dict[str, int | str | None] = {}
    for letters, fact in zip(inputs, facts, strict=True):
        for axis, letter in enumerate(letters):
            length = fact.shape[axis]
            if letter not in known or known[letter] == 1 or (isinstance(length, int) and length != 1):
                known[letter], lengths[letter] = length, context.length(fact, axis)
    summed = [letter for letter in dict.fromkeys("".join(inputs)) if letter not in result]
    body: Term | None = None
    for letters, fact in zip(inputs, facts, strict=True):
        place = tuple(
            Num(0) if fact.shape[axis] == 1 != known[letter] else Name(f"i_{letter}")
            for axis, letter in enumerate(letters)
        )
        factor = At(fact.term, place) if place else fact.term
        body = factor if body is None else apply("×", body, factor)
    assert body is not None
    for depth, letter in enumerate(reversed(summed)):
        # The outer sums go on with the state of the outer ones: one chain of additions, in the order of the
        # indices.
        state = f"s{len(summed) - 1 - depth}"
        if depth == 0:
            body = apply("+", Name(state), body)
        start: Term = Num(0) if depth == len(summed) - 1 else Name(f"s{len(summed) - 2 - depth}")
        body = apply("fold", lengths[letter], start, Fn((state, f"i_{letter}"), body))
    body = rounded(facts[0].dtype, body)
    for letter in reversed(result):
        body = apply("array", lengths[letter], Fn((f"i_{letter}",), body))
    return Output(body, facts[0].dtype, tuple(known[letter] for letter in result))


def _indices(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Return the letters of each input and of the result; an ellipsis stands for capital letters not used
    otherwise.

    >>> _indices("...ij,...jk", [3, 2])
    (['Zij', 'jk'], 'Zik')
    """
    left, _, right = equation.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ranks):
        raise Unsupported(f"equation {equation} for {len(ranks)} tensors")
    spare = [letter for letter in "ZYXWVUTSRQ" if letter not in equation]
    most = max(
        (rank - len(part) + 3 for part, rank in zip(inputs, ranks, strict=True) if "..." in part), default=0
    )
    dots = "".join(spare[:most])

    def spelled(part: str, rank: int) -> str:
        count = rank - len(part) + 3
        return part.replace("...", dots[len(dots) - count :] if count else "") if "..." in part else part

    whole = [spelled(part, rank) for part, rank in zip(inputs, ranks, strict=True)]
    if "->" in equation:
        return whole, right.replace("...", dots)
    once = sorted(letter for letter in set(left) - set(".,") if left.count(letter) == 1)
    return whole, dots + "".join(once)
