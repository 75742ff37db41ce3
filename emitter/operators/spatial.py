"""What convolution, pooling and resizing share: lengths of axes, windows, and the padding of spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isagoge.spec.terms import At, Fn, Listing, Name, Num, Term, apply

from ..lowering import Context, Fact, Node, Unsupported
from ..program import Shape
from ..tensors import number_term
from .lifting import mapped

Size = int | Term
"""A length, a pad or the like: a number if known while lowering, else a term that gives it at run time."""


def term(size: Size) -> Term:
    """Return a size as a term.

    >>> term(3)
    Num(value=3)
    """
    return number_term(size) if isinstance(size, int) else size


def listing(sizes: Sequence[Size]) -> Term:
    """Return a list of sizes as a term."""
    return Listing(tuple(map(term, sizes)))


def add(a: Size, b: Size) -> Size:
    """Return a + b; b may be a negative number.

    >>> add(2, -3), add(Name("n"), -3)
    (-1, Apply(head=Name(name='-'), args=(Name(name='n'), Num(value=3))))
    """
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    if a == 0:
        return b
    if isinstance(b, int) and b <= 0:
        return apply("-", term(a), Num(-b)) if b else a
    return apply("+", term(a), term(b))


def subtract(a: Size, b: Size) -> Size:
    """Return a - b."""
    if isinstance(b, int):
        return add(a, -b)
    return apply("-", term(a), b)


def times(a: Size, b: int) -> Size:
    """Return a × b."""
    return a * b if isinstance(a, int) else a if b == 1 else apply("×", a, Num(b))


def size_of(context: Context, x: Fact, axis: int) -> Size:
    """Return the length of an axis."""
    length = x.shape[axis]
    return length if isinstance(length, int) else context.length(x, axis)


def numbers(node: Node, name: str, default: Sequence[int]) -> list[int]:
    """Return an attribute that is a list of integers. Raises ``Unsupported`` if there are too many or few."""
    values = [int(v) for v in node.attributes.get(name) or default]
    if len(values) != len(default):
        raise Unsupported(f"{name} of {len(values)} numbers where {len(default)} are wanted")
    return values


def choice(node: Node, name: str, default: str) -> str:
    """Return an attribute that is a word."""
    value = node.attributes.get(name, default)
    return value.decode() if isinstance(value, bytes) else str(value)


@dataclass(frozen=True, slots=True)
class Axis:
    """The windows of one spatial axis. By ``over`` places the last one hangs over the end."""

    size: Size
    kernel: Size
    stride: int
    dilation: int
    before: Size = 0
    after: Size = 0
    over: Size = 0

    @property
    def span(self) -> Size:
        """How many places the dilated kernel covers."""
        return add(times(add(self.kernel, -1), self.dilation), 1)

    @property
    def windows(self) -> int | None:
        """How many windows there are, None if that is known at run time only."""
        known = (self.size, self.span, self.before, self.after, self.over)
        if not all(isinstance(n, int) for n in known):
            return None
        size, span, *pads = (n for n in known if isinstance(n, int))
        return (size + sum(pads) - span) // self.stride + 1


def axes_of(node: Node, context: Context, x: Fact, kernel: Sequence[Size], ceil: bool = False) -> list[Axis]:
    """Return the windows of all spatial axes, as strides, dilations, pads and auto_pad say.

    With ``ceil`` a last window that is not filled counts too. Raises ``Unsupported`` for an unknown auto_pad.
    """
    n = x.rank - 2
    strides, dilations = numbers(node, "strides", [1] * n), numbers(node, "dilations", [1] * n)
    pads = numbers(node, "pads", [0] * (2 * n))
    auto = choice(node, "auto_pad", "NOTSET")
    axes = []
    for k in range(n):
        size = size_of(context, x, 2 + k)
        axis = Axis(size, kernel[k], strides[k], dilations[k])
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            less, more = _same(axis, context)
            before, after = (less, more) if auto == "SAME_UPPER" else (more, less)
            axes.append(Axis(size, kernel[k], strides[k], dilations[k], before, after))
            continue
        if auto not in ("NOTSET", "VALID"):
            raise Unsupported(f"auto_pad {auto}")
        before, after = (0, 0) if auto == "VALID" else (pads[k], pads[n + k])
        axis = Axis(size, kernel[k], strides[k], dilations[k], before, after)
        over: Size = _overhang(axis, context) if ceil else 0
        axes.append(Axis(size, kernel[k], strides[k], dilations[k], before, after, over))
    return axes


def _same(axis: Axis, context: Context) -> tuple[Size, Size]:
    """Return the halves of the padding that makes size ÷ stride windows, rounded up; the smaller first."""
    size, span = axis.size, axis.span
    if isinstance(size, int) and isinstance(span, int):
        total = max((-(-size // axis.stride) - 1) * axis.stride + span - size, 0)
        return total // 2, total - total // 2
    made = apply("pad_same", term(size), term(axis.kernel), Num(axis.stride), Num(axis.dilation))
    pair = context.step(made, np.dtype(np.int64), 1)
    return At(pair, (Num(0),)), At(pair, (Num(1),))


def _overhang(axis: Axis, context: Context) -> Size:
    """Return over how many places the last window hangs; it does not begin in the padding at the end."""
    size, span, before, after = axis.size, axis.span, axis.before, axis.after
    parts = (axis.size, axis.kernel, axis.stride, axis.dilation, axis.before, axis.after)
    if not (
        isinstance(size, int) and isinstance(span, int) and isinstance(before, int) and isinstance(after, int)
    ):
        return context.step(apply("overhang", *map(term, parts)), np.dtype(np.int64), 0)
    more = -((span - before - size - after) // axis.stride)
    last = more if more * axis.stride < before + size else more - 1
    return max(last * axis.stride + span - before - size - after, 0)


PADS = {2: "pad_plane", 3: "pad_solid"}


def padded(x: Term, axes: Sequence[Axis], value: Term) -> Term:
    """Return images with their spatial axes padded with a value; x itself where nothing is to do."""
    before, after = [a.before for a in axes], [add(a.after, a.over) for a in axes]
    if all(isinstance(n, int) and n == 0 for n in (*before, *after)):
        return x
    if len(axes) == 1:
        row = apply("pad1", Name("row"), term(before[0]), term(after[0]), value)
        return mapped(2, Fn(("row",), row), x)
    return mapped(2, apply(PADS[len(axes)], listing([*before, *after]), value), x)


def per_axis(values: Sequence[Size]) -> Term:
    """Return the argument for an option of each axis: a number for one axis, else a list."""
    return term(values[0]) if len(values) == 1 else listing(values)


def shape_of(x: Fact, channels: Size | str | None, axes: Sequence[Axis]) -> Shape:
    """Return the shape of a result with the batch axis of x, so many channels, and one place a window."""
    return (
        x.shape[0],
        channels if isinstance(channels, int | str) else None,
        *(axis.windows for axis in axes),
    )


def check_axes(x: Fact, most: int) -> int:
    """Return how many spatial axes a batch of images has. Raises ``Unsupported`` outside of 1 to ``most``."""
    if not 1 <= x.rank - 2 <= most:
        raise Unsupported(f"{x.rank - 2} spatial axes")
    return x.rank - 2


def along(x: Fact, axis: int, function: Term) -> Term:
    """Return x with a function from rows to rows applied along one axis.

    The axis is moved to the end by exchanging it with its neighbours, and back afterwards.

    >>> from isagoge.spec.notation import show
    >>> show(along(Fact(Name("x"), np.dtype(np.float32), (2, 3)), 0, Name("f")))
    'swap(lift(f, swap(x)))'
    """
    value = x.term
    for level in range(axis, x.rank - 1):
        value = mapped(level, Name("swap"), value)
    value = mapped(x.rank - 1, function, value)
    for level in reversed(range(axis, x.rank - 1)):
        value = mapped(level, Name("swap"), value)
    return value
