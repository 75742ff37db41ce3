"""Normalisation against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from one_node import check, model, ours

from isagoge.emitter.lower import UnsupportedOperators

Array = npt.NDArray[Any]
SHAPES = [(2, 4, 5), (1, 4, 3, 2), (2, 4, 2, 3, 2)]


def numbers(*shape: int, seed: int = 0) -> Array:
    return (np.random.default_rng(seed).standard_normal(shape) * 3 + 1).astype(np.float32)


def batch_norm_inputs(*shape: int) -> list[tuple[str, Array]]:
    channels = shape[1]
    named = [
        (name, numbers(channels, seed=i)) for i, name in enumerate(("scale", "bias", "mean", "variance"), 1)
    ]
    return [("x", numbers(*shape)), *((n, np.abs(v) if n == "variance" else v) for n, v in named)]


@pytest.mark.parametrize("opset", [7, 8, 9, 14, 15, 22])
def test_batch_normalization_of_all_versions(opset: int) -> None:
    inputs = batch_norm_inputs(1, 3, 2, 2)
    check("BatchNormalization", inputs, ["scale", "bias", "mean", "variance"], opset=opset, slowly=True)


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("shape", [(3, 4), *SHAPES])
def test_batch_normalization(shape: tuple[int, ...], symbolic: bool) -> None:
    check("BatchNormalization", batch_norm_inputs(*shape), symbolic=symbolic, epsilon=0.01)


def test_batch_normalization_in_training_is_not_supported() -> None:
    inputs = batch_norm_inputs(1, 3, 2)
    with pytest.raises(UnsupportedOperators, match="training_mode"):
        ours(model("BatchNormalization", inputs, training_mode=1, outputs=3), dict(inputs))


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_instance_normalization(shape: tuple[int, ...], symbolic: bool) -> None:
    inputs = [("x", numbers(*shape)), ("scale", numbers(4, seed=1)), ("bias", numbers(4, seed=2))]
    check(
        "InstanceNormalization", inputs, [] if symbolic else ["scale", "bias"], symbolic=symbolic, slowly=True
    )


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("opset", [18, 21])
@pytest.mark.parametrize("shape", [(2, 4), *SHAPES])
def test_group_normalization(shape: tuple[int, ...], opset: int, groups: int) -> None:
    count = groups if opset < 21 else 4
    inputs = [("x", numbers(*shape)), ("scale", numbers(count, seed=1)), ("bias", numbers(count, seed=2))]
    check("GroupNormalization", inputs, num_groups=groups, opset=opset, reference=True, tolerance=1e-5)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("axis", [-1, 1, 2, -2, 0])
def test_layer_normalization(axis: int, bias: bool) -> None:
    shape = (2, 3, 4)
    inputs = [("x", numbers(*shape)), ("scale", numbers(*shape[axis:], seed=1))]
    if bias:
        inputs.append(("bias", numbers(*shape[axis:], seed=2)))
    options: dict[str, Any] = {"axis": axis, "epsilon": 0.1}
    check("LayerNormalization", inputs, ["scale", "bias"], slowly=True, **options)
    check("LayerNormalization", inputs, symbolic=True, outputs=3, **options)


def test_layer_normalization_far_from_zero() -> None:
    x = numbers(2, 64) + np.float32(1000)
    inputs = [("x", x), ("scale", np.ones(64, np.float32))]
    check("LayerNormalization", inputs, tolerance=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("p", [1, 2])
def test_lp_normalization(p: int, axis: int) -> None:
    check("LpNormalization", [("x", numbers(3, 2, 4))], p=p, axis=axis, slowly=True)


def test_a_row_of_zeros_has_no_norm() -> None:
    check("LpNormalization", [("x", np.zeros((2, 3), np.float32))], axis=1)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_local_response_normalization(size: int) -> None:
    # ONNX Runtime takes odd sizes only; for even ones there is the reference implementation.
    # (It goes through as many channels as there are images, so let them be as many.)
    check(
        "LRN", [("x", numbers(4, 4, 2, 3))], size=size, alpha=0.5, beta=0.6, bias=1.5, reference=size % 2 == 0
    )


@pytest.mark.parametrize("opset", [9, 13])
@pytest.mark.parametrize("options", [{}, {"axes": [0, 2]}])
def test_mean_variance_normalization(options: dict[str, Any], opset: int) -> None:
    check("MeanVarianceNormalization", [("x", numbers(2, 3, 4, 2))], opset=opset, tolerance=1e-5, **options)
