"""Tensors around a message: inputs to try it on, ONNX Runtime's outputs, how far answers are from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import values
from .sidecar import Spec

Tensor = npt.NDArray[Any]

LONGEST = 4
"""Symbolic lengths of random inputs are 1 to this."""
LARGEST = 3
"""Random integers are 0 to this, since most are indices of tokens."""


class TensorError(ValueError):
    """A tensor that does not fit, or a model that does not run; the message is one line."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far one output is from ONNX Runtime's.

    Attributes:
        name: of the output.
        shape: of ONNX Runtime's output.
        absolute: the largest difference; infinite where only one is NaN or infinite, or where shapes differ.
        relative: the same, divided by the largest finite magnitude of ONNX Runtime's output.
        same_largest: share of the rows along the last axis that have their largest element in the same place,
            None for an output without such rows.
        problem: what cannot be compared, empty if all can.
    """

    name: str
    shape: tuple[int, ...]
    absolute: float
    relative: float
    same_largest: float | None = None
    problem: str = ""


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Return the dtype with a NumPy name. Raises ``TensorError`` for one that is not of numbers."""
    try:
        dtype = np.dtype(name)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind not in "fiub":
        raise TensorError(
            f"tensors of dtype {name} cannot be handed over; only floats, integers and booleans can"
        )
    return dtype


def checked(specs: Sequence[Spec], given: Mapping[str, Tensor]) -> list[Tensor]:
    """Return the given tensors in the order of the model's inputs.

    Raises ``TensorError`` when one is missing, unknown, or of another dtype or shape than the model wants.
    """
    wanted = "the model's inputs are " + "; ".join(map(str, specs))
    for name in given:
        if name not in {spec.name for spec in specs}:
            raise TensorError(f"the model has no input {name}; {wanted}")
    lengths: dict[str, tuple[int, str]] = {}
    for spec in specs:
        if spec.name not in given:
            raise TensorError(f"input {spec.name} is not given; {wanted}")
        tensor = given[spec.name]
        if tensor.dtype != numpy_dtype(spec.dtype):
            raise TensorError(f"input {spec.name} has dtype {tensor.dtype}; the model wants {spec}")
        fits = tensor.ndim == len(spec.shape)
        for length, want in zip(tensor.shape, spec.shape, strict=False):
            fits = fits and (not isinstance(want, int) or length == want)
        if not fits:
            raise TensorError(f"input {spec.name} has shape {list(tensor.shape)}; the model wants {spec}")
        for length, want in zip(tensor.shape, spec.shape, strict=True):
            if isinstance(want, str) and lengths.setdefault(want, (length, spec.name))[0] != length:
                other, first = lengths[want]
                raise TensorError(f"{want} is {other} in input {first} and {length} in input {spec.name}")
    return [given[spec.name] for spec in specs]


def random_inputs(specs: Sequence[Spec], rng: np.random.Generator) -> list[Tensor]:
    """Return random inputs: standard normal floats, integers 0 to ``LARGEST``, booleans.

    Symbolic lengths with equal names are equal.

    >>> specs = [Spec("x", "float32", ("n", 2)), Spec("m", "bool", ("n",))]
    >>> tensors = random_inputs(specs, np.random.default_rng(0))
    >>> tensors[0].shape[0] == tensors[1].shape[0], tensors[0].dtype
    (True, dtype('float32'))
    """
    lengths: dict[str, int] = {}
    tensors = []
    for spec in specs:
        shape = []
        for length in spec.shape:
            if isinstance(length, int):
                shape.append(length)
            elif length is None:
                shape.append(int(rng.integers(1, LONGEST + 1)))
            else:
                shape.append(lengths.setdefault(length, int(rng.integers(1, LONGEST + 1))))
        dtype = numpy_dtype(spec.dtype)
        if dtype.kind == "f":
            tensors.append(rng.standard_normal(shape).astype(dtype))
        else:
            tensors.append(rng.integers(0, 2 if dtype.kind == "b" else LARGEST + 1, shape).astype(dtype))
    return [np.asarray(tensor) for tensor in tensors]


def run_model(model: Path, names: Sequence[str], inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return the outputs of a model in ONNX Runtime, on the CPU.

    Raises ``TensorError`` with ONNX Runtime's own words when it cannot load or run the model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its complaints come as exceptions too
    try:
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        outputs = session.run(None, dict(zip(names, inputs, strict=True)))
    except Exception as error:  # ONNX Runtime's exceptions have no common class
        shapes = ", ".join(f"{n} {list(i.shape)}" for n, i in zip(names, inputs, strict=True))
        words = " ".join(str(error).split())[:300]
        raise TensorError(f"ONNX Runtime does not run {model} on {shapes}: {words}") from None
    for output in outputs:
        if not isinstance(output, np.ndarray) or output.dtype.kind not in "fiub":
            raise TensorError(f"{model} has an output that is no tensor of numbers")
    return list(outputs)


def outputs_of(value: values.Value, count: int) -> list[values.Value]:
    """Return the outputs in the answer to a question, which is the array of them.

    Raises ``TensorError`` when there are not ``count``.
    """
    found: list[values.Value] = []
    if isinstance(value, np.ndarray):
        found = [float(part) if value.ndim == 1 else part for part in value]
    elif isinstance(value, list):
        found = value
    if len(found) != count:
        kind = "a function" if isinstance(value, str) else f"{len(found)} of them"
        raise TensorError(f"the answer should be the array of {count} outputs and is {kind}")
    return found


def as_tensor(value: values.Value, spec: Spec) -> Tensor:
    """Return an output as an array of the dtype that the model gives it.

    Raises ``TensorError`` when it is ragged or holds numbers that the dtype cannot hold.
    """
    if isinstance(value, list | str):
        raise TensorError(f"output {spec.name} is not a tensor: its parts differ in length")
    exact = np.asarray(value, np.float64)
    if exact.size == 0 and exact.ndim < len(spec.shape):  # [] does not tell the lengths behind a 0
        behind = (n if isinstance(n, int) else 0 for n in spec.shape[exact.ndim :])
        exact = exact.reshape((*exact.shape, *behind))
    dtype = numpy_dtype(spec.dtype)
    with np.errstate(all="ignore"):
        tensor = exact.astype(dtype)
    if dtype.kind in "iub" and not np.array_equal(tensor.astype(np.float64), exact):
        raise TensorError(f"output {spec.name} holds numbers that are not {dtype}")
    return np.asarray(tensor)


def compare(name: str, value: values.Value, expected: Tensor) -> Comparison:
    """Compare one output with ONNX Runtime's.

    >>> compare("y", np.array([1.0, 2.5]), np.array([1.0, 2.0], np.float32)).relative
    0.25
    """
    worst = float("inf")
    if isinstance(value, list | str):
        return Comparison(name, expected.shape, worst, worst, problem="its parts differ in length")
    got = np.asarray(value, np.float64)
    if got.size == expected.size == 0:
        return Comparison(name, expected.shape, 0.0, 0.0)
    if got.shape != expected.shape:
        return Comparison(name, expected.shape, worst, worst, problem=f"its shape is {list(got.shape)}")
    want = expected.astype(np.float64)
    with np.errstate(all="ignore"):
        away = np.where((got == want) | (np.isnan(got) & np.isnan(want)), 0.0, np.abs(got - want))
    absolute = float(np.nan_to_num(away, nan=worst, posinf=worst).max())
    largest = float(np.abs(want[np.isfinite(want)]).max(initial=0.0))
    relative = absolute / largest if largest else (worst if absolute else 0.0)
    same = None
    if expected.ndim and expected.shape[-1] > 1:
        same = float(np.mean(np.argmax(got, -1) == np.argmax(want, -1)))
    return Comparison(name, expected.shape, absolute, relative, same)
