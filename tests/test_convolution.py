"""Convolution, transposed convolution and pooling against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_node import check, model, ours

from isagoge.emitter.lower import UnsupportedOperators

Array = npt.NDArray[Any]


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


CONVOLUTIONS: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((1, 2, 7), (3, 2, 3), {}),
    ((2, 2, 7), (3, 2, 3), {"strides": [2], "pads": [1, 2], "dilations": [2]}),
    ((1, 2, 7), (3, 2, 1), {"strides": [2]}),
    ((1, 2, 7), (3, 2, 1), {"pads": [1, 0]}),
    ((1, 4, 6), (4, 1, 3), {"group": 4, "dilations": [2]}),
    ((1, 4, 6), (8, 1, 3), {"group": 4, "pads": [0, 1]}),
    ((1, 4, 6), (6, 2, 3), {"group": 2}),
    ((1, 1, 6), (3, 1, 2), {}),
    ((1, 2, 7), (3, 2, 4), {"auto_pad": "SAME_UPPER", "strides": [2]}),
    ((1, 2, 7), (3, 2, 4), {"auto_pad": "SAME_LOWER"}),
    ((1, 2, 7), (3, 2, 4), {"auto_pad": "VALID"}),
    ((1, 3, 5, 6), (2, 3, 3, 2), {}),
    ((2, 3, 5, 6), (2, 3, 3, 2), {"strides": [2, 1], "pads": [1, 0, 2, 1]}),
    ((1, 2, 7, 6), (3, 2, 2, 2), {"dilations": [3, 2], "pads": [0, 1, 1, 0]}),
    ((1, 3, 4, 5), (2, 3, 1, 1), {}),
    ((1, 3, 4, 5), (2, 3, 1, 1), {"strides": [2, 3], "pads": [1, 0, 1, 1]}),
    ((1, 3, 4, 5), (3, 1, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
    ((1, 3, 5, 5), (6, 1, 2, 3), {"group": 3, "strides": [2, 2]}),
    ((1, 4, 4, 5), (6, 2, 2, 2), {"group": 2}),
    ((1, 4, 4, 5), (6, 2, 1, 1), {"group": 2}),
    ((1, 2, 5, 6), (2, 2, 3, 2), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ((1, 2, 5, 6), (2, 2, 2, 4), {"auto_pad": "SAME_LOWER", "strides": [1, 2]}),
    ((1, 1, 1, 600), (2, 1, 1, 256), {"strides": [1, 64]}),
    ((1, 2, 8, 1), (3, 2, 5, 1), {}),
    ((1, 2, 3, 4, 4), (2, 2, 2, 2, 3), {"pads": [1, 0, 1, 0, 1, 0], "strides": [2, 1, 1]}),
    ((1, 2, 3, 4, 4), (4, 1, 2, 2, 2), {"group": 2, "dilations": [1, 2, 1]}),
    ((1, 2, 3, 3, 4), (2, 2, 2, 2, 2), {"auto_pad": "SAME_UPPER"}),
]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("shape", "kernel", "options"), CONVOLUTIONS)
def test_conv(shape: tuple[int, ...], kernel: tuple[int, ...], options: dict[str, Any], bias: bool) -> None:
    inputs = [("x", numbers(*shape)), ("w", numbers(*kernel, seed=1))]
    if bias:
        inputs.append(("b", numbers(kernel[0], seed=2)))
    check("Conv", inputs, ["w", "b"], slowly=bool(np.prod(shape) < 100), **options)


@pytest.mark.parametrize(("shape", "kernel", "options"), CONVOLUTIONS)
def test_conv_with_lengths_and_weights_known_at_run_time_only(
    shape: tuple[int, ...], kernel: tuple[int, ...], options: dict[str, Any]
) -> None:
    inputs = [("x", numbers(*shape)), ("w", numbers(*kernel, seed=1))]
    check("Conv", inputs, symbolic=True, **options)


@pytest.mark.parametrize("opset", [7, 11, 22])
def test_conv_of_other_opsets(opset: int) -> None:
    inputs = [("x", numbers(1, 2, 4, 5)), ("w", numbers(3, 2, 2, 2, seed=1))]
    check("Conv", inputs, ["w"], opset=opset, kernel_shape=[2, 2], slowly=True)


def test_negative_pads_crop() -> None:
    x, w = numbers(1, 1, 5, 6), numbers(1, 1, 2, 2, seed=1)
    cropped = ours(model("Conv", [("x", x), ("w", w)], ["w"], pads=[-1, 0, 0, -2]), {"x": x}, slowly=True)
    inside = x[:, :, 1:, :-2].copy()
    whole = ours(model("Conv", [("x", inside), ("w", w)], ["w"]), {"x": inside})
    np.testing.assert_array_equal(cropped[0], whole[0])


def test_conv_of_other_formats() -> None:
    x, w = numbers(1, 2, 5), numbers(2, 2, 3, seed=1)
    check("Conv", [("x", x.astype(np.float64)), ("w", w.astype(np.float64))], reference=True, tolerance=1e-15)
    half = [("x", x.astype(np.float16)), ("w", w.astype(np.float16))]
    check("Conv", half, reference=True, tolerance=3e-3)


@pytest.mark.parametrize("zeros", [(), (3,), (3, 1), (3, (1, 2))])
def test_conv_integer(zeros: tuple[Any, ...]) -> None:
    rng = np.random.default_rng(0)
    inputs: list[tuple[str, Array]] = [
        ("x", rng.integers(0, 256, (1, 2, 4, 4), dtype=np.uint8)),
        ("w", rng.integers(0, 256, (2, 2, 2, 2), dtype=np.uint8)),
    ]
    inputs += [(f"z{i}", np.array(z, np.uint8)) for i, z in enumerate(zeros)]
    per_filter = bool(zeros) and isinstance(zeros[-1], tuple)
    check("ConvInteger", inputs, ["w", "z0", "z1"], pads=[1, 0, 0, 1], slowly=True, reference=per_filter)


TRANSPOSED: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((1, 2, 4), (2, 3, 3), {}),
    ((2, 2, 4), (2, 3, 3), {"strides": [2], "pads": [1, 1], "output_padding": [1]}),
    ((1, 2, 4), (2, 3, 2), {"strides": [3], "dilations": [2]}),
    ((1, 2, 5), (2, 3, 2), {"strides": [4], "pads": [2, 3]}),
    ((1, 4, 3), (4, 2, 4), {"group": 2, "strides": [2], "pads": [1, 0]}),
    ((1, 2, 4), (2, 3, 5), {"strides": [2], "pads": [4, 3]}),
    ((1, 2, 3, 4), (2, 2, 3, 2), {}),
    ((1, 2, 3, 4), (2, 2, 3, 3), {"strides": [2, 1], "pads": [1, 1, 1, 1], "output_padding": [1, 0]}),
    ((1, 2, 3, 3), (2, 1, 2, 2), {"group": 2, "strides": [2, 2], "dilations": [2, 1]}),
    ((1, 4, 2, 3), (4, 3, 2, 3), {"group": 2, "strides": [1, 3], "pads": [0, 2, 1, 0]}),
    ((1, 1, 3, 3), (1, 2, 3, 3), {"strides": [3, 2], "output_shape": [10, 8]}),
    ((1, 1, 3, 3), (1, 2, 3, 3), {"strides": [3, 2], "output_shape": [8, 6], "auto_pad": "SAME_UPPER"}),
    ((1, 1, 3, 3), (1, 2, 3, 3), {"strides": [3, 2], "output_shape": [8, 6], "auto_pad": "SAME_LOWER"}),
    ((1, 1, 3, 3), (1, 2, 3, 4), {"strides": [2, 1], "auto_pad": "SAME_UPPER"}),
    ((1, 1, 3, 3), (1, 2, 3, 4), {"strides": [2, 1], "auto_pad": "SAME_LOWER"}),
    ((1, 1, 3, 3), (1, 2, 3, 3), {"strides": [2, 2], "auto_pad": "VALID"}),
    ((1, 1, 2, 3), (1, 1, 1, 1), {"strides": [3, 2], "output_padding": [2, 1]}),
]


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize(("shape", "kernel", "options"), TRANSPOSED)
def test_conv_transpose(
    shape: tuple[int, ...], kernel: tuple[int, ...], options: dict[str, Any], symbolic: bool
) -> None:
    inputs = [("x", numbers(*shape)), ("w", numbers(*kernel, seed=1))]
    if not symbolic:
        inputs.append(("b", numbers(kernel[1] * options.get("group", 1), seed=2)))
    check("ConvTranspose", inputs, [] if symbolic else ["w", "b"], slowly=True, symbolic=symbolic, **options)


POOLS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((1, 2, 7), {"kernel_shape": [3]}),
    ((1, 2, 7), {"kernel_shape": [3], "strides": [2], "pads": [1, 2]}),
    ((1, 2, 7), {"kernel_shape": [2], "strides": [3], "ceil_mode": 1, "pads": [1, 1]}),
    ((1, 2, 8), {"kernel_shape": [3], "strides": [2], "ceil_mode": 1}),
    ((1, 2, 7), {"kernel_shape": [3], "auto_pad": "SAME_UPPER", "strides": [2]}),
    ((2, 2, 5, 6), {"kernel_shape": [2, 3]}),
    ((1, 2, 5, 6), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ((1, 2, 5, 6), {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 2, 0, 1]}),
    ((1, 2, 5, 6), {"kernel_shape": [3, 3], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1}),
    ((1, 2, 5, 6), {"kernel_shape": [2, 3], "auto_pad": "SAME_UPPER"}),
    ((1, 2, 5, 6), {"kernel_shape": [2, 3], "auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ((1, 2, 5, 6), {"kernel_shape": [2, 3], "auto_pad": "VALID", "strides": [2, 2]}),
    ((1, 1, 4, 4, 5), {"kernel_shape": [2, 2, 3], "strides": [2, 1, 1], "pads": [0, 1, 0, 1, 0, 1]}),
    ((1, 1, 4, 3, 3), {"kernel_shape": [2, 2, 2], "strides": [3, 1, 2], "ceil_mode": 1}),
]


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize(("shape", "options"), POOLS)
@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool", "padding counted"])
def test_pool(operator: str, shape: tuple[int, ...], options: dict[str, Any], symbolic: bool) -> None:
    more: dict[str, Any] = {}
    if operator == "padding counted":
        operator, more = "AveragePool", {"count_include_pad": 1}
    check(
        operator,
        [("x", numbers(*shape))],
        slowly=not symbolic,
        symbolic=symbolic,
        opset=22,
        **options,
        **more,
    )


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_dilated_pool(operator: str) -> None:
    options: dict[str, Any] = {"kernel_shape": [2, 2], "dilations": [2, 3], "pads": [1, 0, 0, 1]}
    check(operator, [("x", numbers(1, 2, 6, 6))], slowly=True, opset=19, **options)


def test_max_pool_of_integers() -> None:
    x = np.arange(-8, 8, dtype=np.int8).reshape(1, 1, 4, 4)
    check("MaxPool", [("x", x)], kernel_shape=[3, 3], pads=[1, 1, 1, 1], slowly=True)


def test_indices_of_max_pool_are_not_supported() -> None:
    proto = model("MaxPool", [("x", numbers(1, 1, 4))], outputs=2, kernel_shape=[2])
    with pytest.raises(UnsupportedOperators, match="Indices"):
        ours(proto, {"x": numbers(1, 1, 4)})


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize(("shape", "options"), [POOLS[1], POOLS[7], POOLS[12]])
def test_lp_pool(shape: tuple[int, ...], options: dict[str, Any], p: int) -> None:
    check("LpPool", [("x", numbers(*shape))], p=p, **options)


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 5), (1, 3, 4, 5), (1, 2, 2, 3, 4)])
@pytest.mark.parametrize("operator", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
def test_global_pool(operator: str, shape: tuple[int, ...], symbolic: bool) -> None:
    check(operator, [("x", numbers(*shape))], slowly=True, symbolic=symbolic)


@st.composite
def _cases(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]:
    """Draw shapes and options of a convolution with at least one window."""
    axes = draw(st.integers(1, 2))
    groups, per, made = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel = draw(st.lists(st.integers(1, 3), min_size=axes, max_size=axes))
    dilations = draw(st.lists(st.integers(1, 2), min_size=axes, max_size=axes))
    strides = draw(st.lists(st.integers(1, 3), min_size=axes, max_size=axes))
    pads = draw(st.lists(st.integers(0, 2), min_size=2 * axes, max_size=2 * axes))
    sizes = [d * (k - 1) + 1 + draw(st.integers(0, 3)) for k, d in zip(kernel, dilations, strict=True)]
    options: dict[str, Any] = {"group": groups, "dilations": dilations, "strides": strides, "pads": pads}
    return (1, groups * per, *sizes), (groups * made, per, *kernel), options


@settings(max_examples=25, deadline=None)
@given(_cases())
def test_random_convolutions(case: tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]) -> None:
    shape, kernel, options = case
    check("Conv", [("x", numbers(*shape)), ("w", numbers(*kernel, seed=1))], ["w"], **options)
