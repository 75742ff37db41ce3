"""What the handlers share: applying functions at every place, broadcasting, rounding, reading attributes and
axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from isagoge.spec.terms import Apply, At, Fn, Listing, Name, Num, Term, apply, free_names

from ..lowering import Context, Fact, Node, Output, Unsupported
from ..program import Shape
from ..shapes import broadcast

INT64 = np.dtype(np.int64)
BOOL = np.dtype(np.bool_)
FLOAT32 = np.dtype(np.float32)
PARAMETERS = ("u", "v", "w", "x", "y", "z")
"""Names of a function's parameters; steps, inputs and weights are called otherwise."""


def integer(value: int) -> Term:
    """Return a term for an integer.

    >>> integer(-2)
    Apply(head=Name(name='-'), args=(Num(value=0), Num(value=2)))
    """
    return Num(value) if value >= 0 else apply("-", Num(0), Num(-value))


def at(array: Term, *indices: int) -> Term:
    """Return the term for an element of an array; an element of a written-out array is that element itself.

    >>> at(Listing((Num(4), Num(5))), 1)
    Num(value=5)
    """
    found = array
    rest = list(indices)
    while rest and isinstance(found, Listing):
        found = found.items[rest.pop(0)]
    return At(found, tuple(map(integer, rest))) if rest else found


def call(function: Term, *args: Term) -> Term:
    """Apply a function term; arguments of a partial application that stands there already are taken into the
    same group.
    """
    if isinstance(function, Apply) and isinstance(function.head, Name):
        return Apply(function.head, (*function.args, *args))
    return Apply(function, args)


def function(rank: int, inner: Term, prefix: str = "map") -> Term:
    """Return a function that applies ``inner`` at every place under ``rank`` axes.

    ``prefix`` is ``map`` for one tensor, ``zip`` for two, ``zips`` for three.

    >>> from isagoge.spec.notation import show
    >>> show(function(2, Name("floor"))), show(function(1, Name("floor"))), show(function(7, Name("floor")))
    ('map2(floor)', 'lift(floor)', 'lift(map6(floor))')
    """
    single = {"map": "lift", "zip": "lift2", "zips": "lift3"}[prefix]
    if rank == 0:
        return inner
    if rank == 1:
        return apply(single, inner)
    if rank <= 6:
        return apply(f"{prefix}{rank}", inner)
    return apply(single, function(rank - 1, inner, prefix))


def mapped(rank: int, inner: Term, *tensors: Term) -> Term:
    """Apply a function at every place under ``rank`` axes of one, two or three tensors.

    >>> from isagoge.spec.notation import show
    >>> show(mapped(2, Name("floor"), Name("v_a"))), show(mapped(0, Name("floor"), Name("v_a")))
    ('map2(floor, v_a)', 'floor(v_a)')
    """
    prefix = ("map", "zip", "zips")[len(tensors) - 1]
    if rank == 0:
        return call(inner, *tensors)
    return call(function(rank, inner, prefix), *tensors)


def under(axis: int, make: Callable[[Term], Term], tensor: Term) -> Term:
    """Change a tensor along an axis: ``make`` says how to change an array along its axis 0.

    >>> from isagoge.spec.notation import show
    >>> show(under(2, lambda a: apply("reverse", a), Name("v_a")))
    'map2(reverse, v_a)'
    >>> show(under(1, lambda a: apply("repeat", a, Num(2)), Name("v_a")))
    'lift(a ↦ repeat(a, 2), v_a)'
    """
    if axis == 0:
        return make(tensor)
    body = make(Name("a"))
    whole: Term = Fn(("a",), body)
    if isinstance(body, Apply) and body.args[-1] == Name("a") and isinstance(body.head, Name):
        # f(p, a) as a function of a is f(p), as long as a stands nowhere else.
        rest = body.args[:-1]
        if not any(mentions(arg, "a") for arg in rest):
            whole = Apply(body.head, rest) if rest else body.head
    return mapped(axis, whole, tensor)


def mentions(term: Term, name: str) -> bool:
    """Tell whether a term uses a name that it does not bind."""
    return name in set(free_names(term))


def wrapped(term: Term, axes: int) -> Term:
    """Give a tensor leading axes of length 1.

    >>> wrapped(Num(3), 2)
    Listing(items=(Listing(items=(Num(value=3),)),))
    """
    for _ in range(axes):
        term = Listing((term,))
    return term


def rounding(dtype: np.dtype[Any]) -> str | None:
    """Return the library function that rounds to a floating format, or None if numbers of the dtype need no
    rounding.

    >>> rounding(np.dtype(np.float32)), rounding(np.dtype(np.int64))
    ('f32', None)
    """
    return {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}.get(dtype.name)


def rounded(dtype: np.dtype[Any], term: Term) -> Term:
    """Return a term rounded to a dtype's format."""
    name = rounding(dtype)
    return apply(name, term) if name else term


def rounder(dtype: np.dtype[Any]) -> Term:
    """Return the function that rounds to a dtype's format, the identity if there is nothing to round."""
    name = rounding(dtype)
    return Name(name) if name else Fn(("x",), Name("x"))


Body = Callable[..., Term]


def elementwise(
    context: Context, facts: Sequence[Fact], body: Body, dtype: np.dtype[Any], named: str | None = None
) -> Output:
    """Apply a function at every place of tensors that are broadcast to each other.

    Args:
        context: the walk.
        facts: what is known of the tensors; at most three of them may have more than one element.
        body: makes the function's body from terms for the elements.
        dtype: the dtype of the result.
        named: a library function that has this body, if there is one.
    """
    shape = broadcast(*(fact.shape for fact in facts))
    rank = len(shape)
    scalars: dict[int, Term] = {}
    for i, fact in enumerate(facts):
        if fact.rank == 0:
            scalars[i] = fact.term
        elif fact.constant is not None and fact.constant.size == 1 and len(facts) > 1:
            scalars[i] = context.constant(fact.constant.reshape(()))
    tensors = [i for i in range(len(facts)) if i not in scalars]

    def element(terms: dict[int, Term]) -> Term:
        given = [scalars[i] if i in scalars else terms[i] for i in range(len(facts))]
        return apply(named, *given) if named else body(*given)

    if not tensors:
        return Output(wrapped(element({}), rank), dtype, shape)
    lists = [facts[i].term for i in tensors]
    if (
        all(isinstance(term, Listing) and facts[i].rank == 1 for i, term in zip(tensors, lists, strict=True))
        and rank == 1
    ):
        rows = [term.items for term in lists if isinstance(term, Listing)]
        count = max(map(len, rows))
        picked = [row * count if len(row) == 1 else row for row in rows]
        made = (element(dict(zip(tensors, items, strict=True))) for items in zip(*picked, strict=True))
        return Output(Listing(tuple(made)), dtype, shape)
    if len(tensors) > 3:
        raise Unsupported("more than three tensors at once")
    deepest = max(facts[i].rank for i in tensors)
    params = {i: name for i, name in zip(tensors, PARAMETERS, strict=False)}
    inner = _partial(element({i: Name(name) for i, name in params.items()}), tuple(params.values()))
    operands = [wrapped(facts[i].term, deepest - facts[i].rank) for i in tensors]
    return Output(wrapped(mapped(deepest, inner, *operands), rank - deepest), dtype, shape)


def _partial(body: Term, params: tuple[str, ...]) -> Term:
    """Return the function of some parameters with a body; f(p, x) as a function of x is written f(p), and
    f(x) is f.
    """
    if (
        isinstance(body, Apply)
        and isinstance(body.head, Name)
        and body.args[-len(params) :] == tuple(map(Name, params))
    ):
        rest = body.args[: -len(params)]
        # What is given beforehand is computed once and not at every place.
        if all(isinstance(arg, Name | Num) for arg in rest) and not any(Name(p) in rest for p in params):
            return Apply(body.head, rest) if rest else body.head
    return Fn(params, body)


def axis_of(axis: int, rank: int) -> int:
    """Return an axis counted from the front.

    Raises:
        Unsupported: there is no such axis.
    """
    if not -rank <= axis < max(rank, 1):
        raise Unsupported(f"axis {axis} of a tensor with {rank} axes")
    return axis % rank if rank else 0


def integers(
    context: Context, node: Node, index: int, name: str, what: str | None = None
) -> list[int] | None:
    """Return integers that are an attribute in old versions of an operator and a constant input in newer
    ones.

    None if they are not given.

    Raises:
        Unsupported: they are given by data.
    """
    if name in node.attributes:
        value = node.attributes[name]
        return list(value) if isinstance(value, list) else [int(value)]
    if not context.has(node, index):
        return None
    fact = context.fact(node.inputs[index])
    if fact.constant is None:
        raise Unsupported(f"{what or name} given by data")
    return [int(n) for n in fact.constant.reshape(-1)]


def items(fact: Fact) -> list[Term]:
    """Return the terms of the elements of a tensor of rank 1.

    Raises:
        Unsupported: it is not known how many there are.
    """
    if isinstance(fact.term, Listing):
        return list(fact.term.items)
    count = fact.shape[0] if fact.rank == 1 else None
    if not isinstance(count, int):
        raise Unsupported("the number of axes depends on data")
    return [at(fact.term, i) for i in range(count)]


def replaced(shape: Shape, axis: int, length: int | str | None) -> Shape:
    """Return a shape with another length of one axis.

    >>> replaced((2, 3, 4), 1, 7)
    (2, 7, 4)
    """
    return (*shape[:axis], length, *shape[axis + 1 :])


def rearranged(context: Context, x: Fact, order: Sequence[int]) -> Output:
    """Return a tensor with its axes in another order: axis i of the result is axis ``order[i]``.

    Neighbours are exchanged by ``swap``; other orders are written as an equation over indices.
    """
    rank = x.rank
    order = [axis_of(axis, rank) for axis in order]
    if sorted(order) != list(range(rank)):
        raise Unsupported(f"the order {order} of {rank} axes")
    shape = tuple(x.shape[axis] for axis in order)
    moved = [i for i, axis in enumerate(order) if i != axis]
    if not moved:
        return Output(x.term, x.dtype, shape)
    first, last = moved[0], moved[-1]
    if last == first + 1:
        return Output(under(first, lambda a: apply("swap", a), x.term), x.dtype, shape)
    whole = context.step(x.term, x.dtype, rank)
    named = Fact(whole, x.dtype, x.shape)
    indices = {axis: f"i{axis}" for axis in range(first, last + 1)}

    def equation(a: Term) -> Term:
        body: Term = At(a, tuple(Name(indices[axis]) for axis in range(first, last + 1)))
        for axis in reversed(order[first : last + 1]):
            length = context.length(named, axis)
            if a != whole and not isinstance(length, Num) and _inside(length, whole):
                length = apply("length", At(a, (Num(0),) * (axis - first)) if axis > first else a)
            body = apply("array", length, Fn((indices[axis],), body))
        return body

    return Output(under(first, equation, whole), x.dtype, shape)


def _inside(length: Term, whole: Term) -> bool:
    """Tell whether a length is found inside of the tensor itself, where a part of it may be asked as well."""
    return isinstance(whole, Name) and mentions(length, whole.name)
