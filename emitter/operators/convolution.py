"""Convolutions: Conv, ConvTranspose and ConvInteger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isagoge.spec.terms import Fn, Name, Num, Term, apply

from ..lowering import Context, Fact, Node, Output, Unsupported, operator
from .lifting import at, mapped, rounder
from .spatial import (
    Axis,
    Size,
    add,
    axes_of,
    check_axes,
    choice,
    listing,
    numbers,
    padded,
    per_axis,
    shape_of,
    size_of,
    subtract,
    times,
)


def _kernel(node: Node, context: Context, w: Fact, axes: int) -> list[Size]:
    """Return the kernel's lengths: what the weights say, else the attribute, else a question to the data."""
    given = node.attributes.get("kernel_shape")
    sizes: list[Size] = []
    for k in range(axes):
        known = size_of(context, w, 2 + k)
        sizes.append(known if isinstance(known, int) or not given else int(given[k]))
    return sizes


def _convolved(x: Term, w: Fact, bias: Term, axes: Sequence[Axis], groups: int, f: Term) -> Term:
    """Return the convolution of padded images, by the definition that fits the kernel best."""
    strides, dilations = per_axis([a.stride for a in axes]), per_axis([a.dilation for a in axes])
    n = len(axes)
    if n < 3 and w.shape[1] == 1:
        made = apply(f"depthwise{n}", f, w.term, bias, strides, dilations)
    elif n < 3 and groups == 1 and all(a.kernel == 1 for a in axes):
        made = apply(f"pointwise{n}", f, w.term, bias, strides)
    else:
        made = apply(f"conv{n}", f, w.term, bias, strides, dilations, Num(groups))
    return mapped(1, made, x)


def _bias(node: Node, context: Context, count: Size) -> Term:
    if context.has(node, 2):
        return context.fact(node.inputs[2]).term
    return apply("repeat", Num(0), count if not isinstance(count, int) else Num(count))


@operator("Conv")
def conv(node: Node, context: Context) -> Output:
    """Return a convolution: images [batch, channels, …], weights [new channels, channels ÷ group, …]."""
    x, w = context.fact(node.inputs[0]), context.fact(node.inputs[1])
    axes = axes_of(node, context, x, _kernel(node, context, w, check_axes(x, 3)))
    groups, count = int(node.attributes.get("group", 1)), size_of(context, w, 0)
    ready = padded(x.term, axes, Num(0))
    value = _convolved(ready, w, _bias(node, context, count), axes, groups, rounder(x.dtype))
    return Output(value, x.dtype, shape_of(x, w.shape[0], axes))


@operator("ConvInteger")
def conv_integer(node: Node, context: Context) -> Output:
    """Return a convolution of 8-bit integers, each less its zero point; the padding is the zero point."""
    x, w = context.fact(node.inputs[0]), context.fact(node.inputs[1])
    axes = axes_of(node, context, x, _kernel(node, context, w, check_axes(x, 3)))
    images, weights = x.term, w.term
    if context.has(node, 2):
        zero = context.fact(node.inputs[2])
        images = mapped(x.rank, _less(at(zero.term, *(0,) * zero.rank)), images)
    if context.has(node, 3):
        zero = context.fact(node.inputs[3])
        if zero.rank and zero.shape[0] != 1:
            each = Fn(("kernel", "zero"), mapped(w.rank - 1, _less(Name("zero")), Name("kernel")))
            weights = mapped(1, each, weights, zero.term)
        else:
            weights = mapped(w.rank, _less(at(zero.term, *(0,) * zero.rank)), weights)
    known = Fact(context.step(weights, np.dtype(np.int32), w.rank), w.dtype, w.shape)
    exact = Fn(("x",), Name("x"))
    bias = apply("repeat", Num(0), apply("length", known.term))
    groups = int(node.attributes.get("group", 1))
    value = _convolved(padded(images, axes, Num(0)), known, bias, axes, groups, exact)
    return Output(value, np.dtype(np.int32), shape_of(x, w.shape[0], axes))


def _less(zero: Term) -> Term:
    """Return the function that takes a zero point away."""
    return Fn(("q",), apply("-", Name("q"), zero))


@operator("ConvTranspose")
def conv_transpose(node: Node, context: Context) -> Output:
    """Return a transposed convolution; the weights are [channels, new channels ÷ group, …]."""
    x, w = context.fact(node.inputs[0]), context.fact(node.inputs[1])
    n = check_axes(x, 2)
    kernel, groups = _kernel(node, context, w, n), int(node.attributes.get("group", 1))
    strides, dilations = numbers(node, "strides", [1] * n), numbers(node, "dilations", [1] * n)
    cuts, shape = _cuts(
        node, [Axis(size_of(context, x, 2 + k), kernel[k], strides[k], dilations[k]) for k in range(n)]
    )
    each = size_of(context, w, 1)
    bias = _bias(node, context, times(each, groups))
    pads = listing([*(before for before, _ in cuts), *(after for _, after in cuts)])
    made = apply(
        f"transposed{n}",
        rounder(x.dtype),
        w.term,
        bias,
        per_axis(strides),
        per_axis(dilations),
        Num(groups),
        pads,
    )
    channels = each * groups if isinstance(each, int) else None
    return Output(mapped(1, made, x.term), x.dtype, (x.shape[0], channels, *shape))


def _cuts(node: Node, axes: Sequence[Axis]) -> tuple[list[tuple[Size, Size]], list[int | None]]:
    """Return how much of the full result each axis loses at start and end, and how long it is then.

    The full result has stride × (size - 1) + span places. output_padding adds places at the end, which is
    the same as to cut off fewer.
    """
    n = len(axes)
    pads, extra = numbers(node, "pads", [0] * (2 * n)), numbers(node, "output_padding", [0] * n)
    wanted = [int(v) for v in node.attributes.get("output_shape") or []][-n:]
    auto = choice(node, "auto_pad", "NOTSET")
    if auto not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise Unsupported(f"auto_pad {auto}")
    cuts: list[tuple[Size, Size]] = []
    shape: list[int | None] = []
    for k, axis in enumerate(axes):
        full = add(times(add(axis.size, -1), axis.stride), axis.span)
        if wanted or auto.startswith("SAME"):
            aim: Size = wanted[k] if wanted else times(axis.size, axis.stride)
            cut = _halves(subtract(add(full, extra[k]), aim), auto == "SAME_UPPER")
            before, after = cut[0], subtract(subtract(full, aim), cut[0])
        else:
            before, after = (0, -extra[k]) if auto == "VALID" else (pads[k], pads[n + k] - extra[k])
        cuts.append((before, after))
        rest = subtract(subtract(full, before), after)
        shape.append(wanted[k] if wanted else rest if isinstance(rest, int) else None)
    return cuts, shape


def _halves(total: Size, upper: bool) -> tuple[Size, Size]:
    """Return the halves of a cut; the larger one comes first unless ``upper``. Less than 0 counts as 0."""
    if isinstance(total, int):
        total = max(total, 0)
        less = total // 2
        return (less, total - less) if upper else (total - less, less)
    half = apply("floor", apply("÷", apply("max", total, Num(0)), Num(2)))
    rest = subtract(apply("max", total, Num(0)), half)
    return (half, rest) if upper else (rest, half)
