"""Recurrent layers against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from one_node import check, model, ours

from isagoge.emitter.lower import UnsupportedOperators

Array = npt.NDArray[Any]
PARTS = {"RNN": 1, "GRU": 3, "LSTM": 4}


def layer(
    operator: str,
    given: str,
    steps: int = 3,
    batch: int = 2,
    wide: int = 2,
    hidden: int = 2,
    directions: int = 1,
    batch_first: bool = False,
) -> list[tuple[str, Array]]:
    """Return the inputs of a layer; ``given`` says which optional ones: b, n (lengths), h, c, p."""
    rng = np.random.default_rng(0)

    def numbers(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(np.float32)

    rows = PARTS[operator] * hidden
    states = (batch, directions, hidden) if batch_first else (directions, batch, hidden)
    inputs: list[tuple[str, Array]] = [
        ("x", numbers(*((batch, steps, wide) if batch_first else (steps, batch, wide)))),
        ("w", numbers(directions, rows, wide)),
        ("r", numbers(directions, rows, hidden)),
        ("b", numbers(directions, 2 * rows)),
        ("n", np.array([steps, *rng.integers(1, steps, batch - 1)], np.int32)),
        ("h", numbers(*states)),
    ]
    if operator == "LSTM":
        inputs += [("c", numbers(*states)), ("p", numbers(directions, 3 * hidden))]
    inputs = [(name if name in "xwr" + given else "", value) for name, value in inputs]
    while not inputs[-1][0]:
        inputs.pop()
    return inputs


WEIGHTS = ["w", "r", "b", "p"]
OUTPUTS = {"RNN": 2, "GRU": 2, "LSTM": 3}


@pytest.mark.parametrize("given", ["", "b", "bnh", "h", "n"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("operator", PARTS)
def test_directions_and_optional_inputs(operator: str, direction: str, given: str) -> None:
    inputs = layer(
        operator, given + ("c" if "h" in given else ""), directions=1 + (direction == "bidirectional")
    )
    check(operator, inputs, WEIGHTS, outputs=OUTPUTS[operator], direction=direction, hidden_size=2)


@pytest.mark.parametrize("operator", PARTS)
def test_by_the_reference_semantics(operator: str) -> None:
    inputs = layer(operator, "b", steps=2, batch=1)
    check(operator, inputs, WEIGHTS, outputs=OUTPUTS[operator], hidden_size=2, slowly=True)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("given", ["b", "bh"])
def test_gru_with_the_reset_gate_after_the_weights(given: str, direction: str) -> None:
    inputs = layer("GRU", given, directions=1 + (direction == "bidirectional"), steps=4, hidden=3)
    check("GRU", inputs, WEIGHTS, outputs=2, direction=direction, hidden_size=3, linear_before_reset=1)


@pytest.mark.parametrize("operator", PARTS)
def test_lengths_and_weights_known_at_run_time_only(operator: str) -> None:
    inputs = layer(operator, "bnh", directions=2)
    check(
        operator, inputs, outputs=OUTPUTS[operator], direction="bidirectional", hidden_size=2, symbolic=True
    )
    check(
        operator,
        inputs[:3],
        outputs=OUTPUTS[operator],
        direction="bidirectional",
        hidden_size=2,
        symbolic=True,
    )


@pytest.mark.parametrize("operator", PARTS)
def test_some_outputs_are_not_wanted(operator: str) -> None:
    wanted = [False] * (OUTPUTS[operator] - 1) + [True]
    check(operator, layer(operator, "b"), WEIGHTS, outputs=wanted, hidden_size=2)


@pytest.mark.parametrize("opset", [7, 14, 22])
@pytest.mark.parametrize("operator", PARTS)
def test_opsets(operator: str, opset: int) -> None:
    check(operator, layer(operator, "b"), WEIGHTS, outputs=OUTPUTS[operator], hidden_size=2, opset=opset)


@pytest.mark.parametrize("options", [{}, {"clip": 0.3}, {"input_forget": 1}, {"direction": "reverse"}])
def test_lstm_with_peepholes(options: dict[str, Any]) -> None:
    check("LSTM", layer("LSTM", "bhcp"), WEIGHTS, outputs=3, hidden_size=2, **options)


@pytest.mark.parametrize(
    ("operator", "options"), [("RNN", {}), ("GRU", {}), ("GRU", {"linear_before_reset": 1}), ("LSTM", {})]
)
def test_clip(operator: str, options: dict[str, Any]) -> None:
    check(
        operator, layer(operator, "b"), WEIGHTS, outputs=OUTPUTS[operator], hidden_size=2, clip=0.2, **options
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Relu", {}),
        ("Tanh", {}),
        ("Sigmoid", {}),
        ("Softsign", {}),
        ("Softplus", {}),
        ("Affine", {"activation_alpha": [0.5], "activation_beta": [0.25]}),
        ("LeakyRelu", {"activation_alpha": [0.1]}),
        ("ThresholdedRelu", {"activation_alpha": [0.3]}),
        ("ScaledTanh", {"activation_alpha": [0.5], "activation_beta": [2.0]}),
        ("HardSigmoid", {"activation_alpha": [0.3], "activation_beta": [0.4]}),
        ("HardSigmoid", {}),
        ("Elu", {"activation_alpha": [0.5]}),
        ("LeakyRelu", {}),
    ],
)
def test_activations(name: str, options: dict[str, Any]) -> None:
    check("RNN", layer("RNN", "b"), WEIGHTS, outputs=2, hidden_size=2, activations=[name], **options)


def test_activations_take_their_parameters_in_order() -> None:
    names = ["HardSigmoid", "Elu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid"]
    more: dict[str, Any] = {"activation_alpha": [0.3, 0.4, 0.2, 0.25], "activation_beta": [0.45, 0.55]}
    inputs = layer("LSTM", "b", directions=2)
    check(
        "LSTM",
        inputs,
        WEIGHTS,
        outputs=3,
        hidden_size=2,
        direction="bidirectional",
        activations=names,
        **more,
    )


@pytest.mark.parametrize("given", ["b", "bh"])
@pytest.mark.parametrize("operator", PARTS)
def test_batch_first(operator: str, given: str) -> None:
    inputs = layer(operator, given + ("c" if "h" in given else ""), batch_first=True)
    check(operator, inputs, WEIGHTS, outputs=OUTPUTS[operator], hidden_size=2, layout=1, reference=True)


def test_batch_first_in_both_directions_is_a_transposition() -> None:
    front = layer("GRU", "bh", directions=2, batch_first=True)
    back = [(n, np.swapaxes(v, 0, 1).copy() if n in ("x", "h") else v) for n, v in front]
    options: dict[str, Any] = {"outputs": 2, "hidden_size": 2, "direction": "bidirectional"}
    y, last = ours(model("GRU", front, WEIGHTS, layout=1, **options), dict(front))
    other, end = ours(model("GRU", back, WEIGHTS, **options), dict(back))
    np.testing.assert_array_equal(y, other.transpose(2, 0, 1, 3))
    np.testing.assert_array_equal(last, end.transpose(1, 0, 2))


def test_unknown_activations_are_not_supported() -> None:
    inputs = layer("RNN", "b")
    with pytest.raises(UnsupportedOperators, match="Swirl"):
        ours(model("RNN", inputs, WEIGHTS, hidden_size=2, activations=["Swirl"]), dict(inputs))
