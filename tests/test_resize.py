"""Resizing against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from one_node import check, model, ours

from isagoge.emitter.lower import UnsupportedOperators

Array = npt.NDArray[Any]
TRANSFORMATIONS = ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"]
SCALES = [(2, 2), (3, 0.5), (0.6, 1.7), (0.26, 1), (1, 2.5)]


def image(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape or (1, 2, 5, 4)).astype(np.float32)


def by_scales(*scales: float, shape: tuple[int, ...] = ()) -> list[tuple[str, Array]]:
    return [("x", image(*shape)), ("", np.zeros(0)), ("scales", np.array((1, 1, *scales), np.float32))]


def by_sizes(*sizes: int, shape: tuple[int, ...] = ()) -> list[tuple[str, Array]]:
    x = image(*shape)
    return [
        ("x", x),
        ("", np.zeros(0)),
        ("", np.zeros(0)),
        ("sizes", np.array((*x.shape[:2], *sizes), np.int64)),
    ]


@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("nearest", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
def test_nearest(transformation: str, nearest: str, scales: tuple[float, ...]) -> None:
    options: dict[str, Any] = {"coordinate_transformation_mode": transformation, "nearest_mode": nearest}
    check("Resize", by_scales(*scales), ["scales"], mode="nearest", opset=19, **options)


@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
def test_linear(transformation: str, scales: tuple[float, ...]) -> None:
    options: dict[str, Any] = {"coordinate_transformation_mode": transformation}
    check("Resize", by_scales(*scales), ["scales"], mode="linear", opset=19, **options)


@pytest.mark.parametrize("exclude", [0, 1])
@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("transformation", TRANSFORMATIONS[:4])
def test_cubic(transformation: str, scales: tuple[float, ...], exclude: int) -> None:
    options: dict[str, Any] = {"coordinate_transformation_mode": transformation, "cubic_coeff_a": -0.5}
    check("Resize", by_scales(*scales), ["scales"], mode="cubic", exclude_outside=exclude, **options)


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("sizes", [(7, 3), (1, 1), (10, 8), (5, 9)])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_sizes(mode: str, sizes: tuple[int, ...], known: bool, symbolic: bool) -> None:
    check("Resize", by_sizes(*sizes), ["sizes"] if known else [], mode=mode, symbolic=symbolic)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_scales_given_at_run_time(mode: str) -> None:
    check("Resize", by_scales(2, 1.5), mode=mode, symbolic=True)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_by_the_reference_semantics(mode: str) -> None:
    check("Resize", by_scales(2, 0.5, shape=(1, 1, 2, 4)), ["scales"], mode=mode, slowly=True)


@pytest.mark.parametrize(
    ("mode", "shape", "scales"), [("nearest", (1, 2, 5), (2,)), ("linear", (1, 1, 2, 3, 2), (2, 2, 3))]
)
def test_other_numbers_of_axes(mode: str, shape: tuple[int, ...], scales: tuple[float, ...]) -> None:
    check("Resize", by_scales(*scales, shape=shape), ["scales"], mode=mode)


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_some_axes_in_proportion(mode: str, policy: str) -> None:
    x = ("x", image())
    none = ("", np.zeros(0))
    inputs = [x, none, none, ("sizes", np.array([8, 9], np.int64))]
    options: dict[str, Any] = {"axes": [2, 3], "keep_aspect_ratio_policy": policy, "opset": 18}
    check("Resize", inputs, ["sizes"], mode=mode, **options)


def test_half_pixel_for_nearest_neighbours() -> None:
    inputs = by_scales(2, 0.7)
    inputs[1] = ("roi", np.zeros(0, np.float32))
    place: dict[str, Any] = {"coordinate_transformation_mode": "tf_half_pixel_for_nn"}
    check("Resize", inputs, ["scales", "roi"], opset=11, nearest_mode="floor", **place)


@pytest.mark.parametrize("scales", [(2, 3), (1.5, 0.6)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_old_versions(mode: str, scales: tuple[float, ...]) -> None:
    inputs = [("x", image()), ("scales", np.array((1, 1, *scales), np.float32))]
    check("Resize", inputs, ["scales"], opset=10, mode=mode)
    if min(scales) >= 1:
        check("Upsample", inputs, ["scales"], opset=9, mode=mode)
        check("Upsample", inputs[:1], opset=7, mode=mode, scales=[1.0, 1.0, *map(float, scales)])


def test_integers() -> None:
    x = np.arange(12, dtype=np.uint8).reshape(1, 1, 3, 4)
    inputs: list[tuple[str, Array]] = [
        ("x", x),
        ("", np.zeros(0)),
        ("scales", np.array([1, 1, 2, 2], np.float32)),
    ]
    check("Resize", inputs, ["scales"], slowly=True)


@pytest.mark.parametrize(
    "options",
    [{"antialias": 1}, {"coordinate_transformation_mode": "tf_crop_and_resize"}],
)
def test_options_that_are_not_supported(options: dict[str, Any]) -> None:
    inputs = by_scales(2, 2)
    with pytest.raises(UnsupportedOperators, match=str(next(iter(options)))):
        ours(model("Resize", inputs, ["scales"], mode="linear", opset=18, **options), {"x": inputs[0][1]})
