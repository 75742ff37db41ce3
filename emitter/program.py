"""A model as definitions: the minimal op graph, one step a value, each step a term over the library."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isagoge.spec.terms import Term

Shape = tuple[int | str | None, ...]
"""A length is a number, the name of a symbolic dimension, or None where nothing is known."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of the model: ``name`` in ONNX, ``value`` in terms."""

    name: str
    value: str
    dtype: np.dtype[Any]
    shape: Shape


@dataclass(frozen=True, slots=True)
class Step:
    """One definition: ``value`` := ``term``. ``node`` and ``operator`` say which ONNX node it comes from."""

    value: str
    term: Term
    node: str
    operator: str
    dtype: np.dtype[Any]
    rank: int


@dataclass(slots=True)
class Program:
    """A lowered model: the steps in an order in which each uses only inputs, constants and earlier steps."""

    inputs: list[Tensor]
    outputs: list[Tensor]
    steps: list[Step]
    constants: dict[str, npt.NDArray[Any]]
    opset: dict[str, int] = field(default_factory=dict)
