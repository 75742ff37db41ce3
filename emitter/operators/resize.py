"""Resizing of images: Resize and Upsample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from isagoge.spec.terms import Apply, Fn, If, Name, Num, Term, apply

from ..lowering import Context, Fact, Node, Output, Unsupported, operator
from ..program import Shape
from ..shapes import elements
from ..tensors import number_term
from .lifting import FLOAT32, at, axis_of, rounder, under
from .spatial import Size, along, choice, size_of, term

PLACES = {
    "half_pixel": "half_pixel",
    "pytorch_half_pixel": "half_pixel_or_start",
    "tf_half_pixel_for_nn": "half_pixel_whole",
    "half_pixel_symmetric": "half_pixel_centred",
    "asymmetric": "from_start",
    "align_corners": "from_both_ends",
}
"""The library's name of each ``coordinate_transformation_mode``."""

CHOICES = {
    "round_prefer_floor": "half_down",
    "round_prefer_ceil": "half_up",
    "floor": "floor",
    "ceil": "ceil",
}
"""The library's name of each ``nearest_mode``."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """How one axis is resized: the scale, old and new length."""

    axis: int
    scale: float | Term
    old: Size
    new: Size

    @property
    def terms(self) -> tuple[Term, Term, Term]:
        """Scale, old and new length as arguments."""
        scale = number_term(float(self.scale)) if isinstance(self.scale, float) else self.scale
        return scale, term(self.old), term(self.new)


def _by_scales(context: Context, x: Fact, axes: Sequence[int], scales: Fact) -> list[Stretch]:
    made = []
    for i, axis in enumerate(axes):
        old = size_of(context, x, axis)
        if scales.constant is None:
            scale = at(scales.term, i)
            grown = apply("floor", apply("f32", apply("×", term(old), scale)))
            made.append(Stretch(axis, scale, old, grown))
            continue
        known = float(scales.constant[i])
        if known == 1:
            continue
        new: Size
        if isinstance(old, int):
            new = int(np.floor(np.float32(old) * np.float32(known)))
        else:
            new = apply("floor", apply("f32", apply("×", old, number_term(known))))
        made.append(Stretch(axis, known, old, new))
    return made


def _by_sizes(context: Context, x: Fact, axes: Sequence[int], sizes: Fact, policy: str) -> list[Stretch]:
    wanted = elements(sizes)
    if policy != "stretch":
        return _in_proportion(x, axes, sizes, policy)
    made = []
    for i, axis in enumerate(axes):
        old = size_of(context, x, axis)
        known = wanted[i] if wanted is not None else None
        if known is not None and known == x.shape[axis]:
            continue
        new: Size = known if isinstance(known, int) else at(sizes.term, i)
        scale: float | Term
        if isinstance(old, int) and isinstance(new, int):
            scale = float(np.float32(new) / np.float32(old))
        else:
            scale = apply("f32", apply("÷", term(new), term(old)))
        made.append(Stretch(axis, scale, old, new))
    return made


def _in_proportion(x: Fact, axes: Sequence[int], sizes: Fact, policy: str) -> list[Stretch]:
    """Return one scale for all axes, with which no size is exceeded or none is missed."""
    lengths = [x.shape[axis] for axis in axes]
    if policy not in ("not_larger", "not_smaller") or sizes.constant is None:
        raise Unsupported(f"keep_aspect_ratio_policy {policy}")
    old = [n for n in lengths if isinstance(n, int)]
    if len(old) < len(lengths):
        raise Unsupported(f"keep_aspect_ratio_policy {policy} for lengths that are known at run time only")
    ratios = [np.float32(new) / np.float32(n) for new, n in zip(sizes.constant, old, strict=True)]
    scale = float(min(ratios) if policy == "not_larger" else max(ratios))
    grown = [int(np.floor(np.float32(np.float32(scale) * n) + 0.5)) for n in old]
    return [Stretch(axis, scale, n, new) for axis, n, new in zip(axes, old, grown, strict=True)]


def _resized(
    node: Node, context: Context, x: Fact, stretches: Sequence[Stretch], place: str, choose: str
) -> Output:
    """Return x with its axes resized one after the other; numbers are rounded once, with the last."""
    mode = choice(node, "mode", "nearest")
    shape: Shape = x.shape
    value = x.term
    for i, stretch in enumerate(stretches):
        arguments = (Name(place), *stretch.terms)
        if mode == "nearest":
            indices = _indices(context, arguments, choose, stretch)
            value = under(stretch.axis, partial(_taken, indices), value)
        elif mode in ("linear", "bilinear", "cubic"):
            if x.dtype.kind != "f":
                raise Unsupported(f"mode {mode} of integers")
            taps = apply("linear_taps", *arguments)
            if mode == "cubic":
                depth = number_term(float(np.float32(node.attributes.get("cubic_coeff_a", -0.75))))
                taps = apply(
                    "cubic_taps", depth, Num(int(node.attributes.get("exclude_outside", 0))), *arguments
                )
            known = context.step(taps, FLOAT32, 3)
            last = i == len(stretches) - 1
            blend = apply("blend", rounder(x.dtype) if last else Fn(("x",), Name("x")), known)
            value = along(Fact(value, x.dtype, shape), stretch.axis, blend)
        else:
            raise Unsupported(f"mode {mode}")
        new = stretch.new if isinstance(stretch.new, int) else None
        shape = (*shape[: stretch.axis], new, *shape[stretch.axis + 1 :])
    return Output(value, x.dtype, shape)


def _taken(indices: Term, array: Term) -> Term:
    return apply("lift", apply("take", array), indices)


def _indices(context: Context, arguments: tuple[Term, ...], choose: str, stretch: Stretch) -> Term:
    function: Term = Name(choose)
    if choose == "simple":
        # Before version 11: down when the row is drawn out, up when it is drawn together.
        if isinstance(stretch.scale, float):
            function = Name("ceil" if stretch.scale < 1 else "floor")
        else:
            up, down = (Apply(Name(name), (Name("x"),)) for name in ("ceil", "floor"))
            function = Fn(("x",), If(apply("<", stretch.scale, Num(1)), up, down))
    place, *rest = arguments
    return context.step(apply("nearest", place, function, *rest), np.dtype(np.int64), 1)


@operator("Resize")
def resize(node: Node, context: Context) -> Output:
    """Return images of another size, by scales or by sizes."""
    x = context.fact(node.inputs[0])
    if node.version < 11:
        return _old(node, context, context.fact(node.inputs[1]))
    if node.attributes.get("antialias", 0):
        raise Unsupported("antialias")
    transformation = choice(node, "coordinate_transformation_mode", "half_pixel")
    nearest = choice(node, "nearest_mode", "round_prefer_floor")
    if transformation not in PLACES:
        raise Unsupported(f"coordinate_transformation_mode {transformation}")
    if nearest not in CHOICES:
        raise Unsupported(f"nearest_mode {nearest}")
    axes = [axis_of(int(axis), x.rank) for axis in node.attributes.get("axes") or range(x.rank)]
    if context.has(node, 3) and context.fact(node.inputs[3]).shape != (0,):
        policy = choice(node, "keep_aspect_ratio_policy", "stretch")
        stretches = _by_sizes(context, x, axes, context.fact(node.inputs[3]), policy)
    elif context.has(node, 2):
        stretches = _by_scales(context, x, axes, context.fact(node.inputs[2]))
    else:
        raise Unsupported("neither scales nor sizes")
    return _resized(node, context, x, stretches, PLACES[transformation], CHOICES[nearest])


@operator("Upsample")
def upsample(node: Node, context: Context) -> Output:
    """Return images of another size, by scales."""
    if len(node.inputs) > 1:
        return _old(node, context, context.fact(node.inputs[1]))
    scales = np.array(node.attributes["scales"], np.float32)
    return _old(node, context, Fact(context.constant(scales), FLOAT32, scales.shape, scales))


def _old(node: Node, context: Context, scales: Fact) -> Output:
    """Return the result of the versions before 11, in which the first place always stays where it is."""
    x = context.fact(node.inputs[0])
    stretches = _by_scales(context, x, range(x.rank), scales)
    return _resized(node, context, x, stretches, "from_start", "simple")
