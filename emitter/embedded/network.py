"""Small fully connected networks in plain NumPy, with their gradients and the Adam optimiser.

Only the training of the embedded model uses this. It is written out, rather than taken from a library, so
that the model's origin can be read in a page and needs no deep-learning package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sigmoid(values: Array) -> Array:
    """1 / (1 + exp(-values)), element by element, without overflow for large negative values."""
    result: Array = 0.5 * (1.0 + np.tanh(0.5 * values))
    return result


def softmax(values: Array) -> Array:
    """exp(values) over its sum along the last axis."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    result: Array = powers / powers.sum(axis=-1, keepdims=True)
    return result


@dataclass
class Layer:
    """One linear map: ``weight`` [inputs, outputs] and ``bias`` [outputs]."""

    weight: Array
    bias: Array


@dataclass
class Mlp:
    """Linear maps with a rectifier between them and none at the end."""

    layers: list[Layer]
    _inputs: list[Array] = field(default_factory=list, repr=False)  # of each layer, kept for the gradients

    @classmethod
    def random(cls, widths: Sequence[int], rng: np.random.Generator) -> Mlp:
        """A network through ``widths``: normal weights of the variance that suits rectifiers, zero biases."""
        layers = [
            Layer(rng.normal(0.0, np.sqrt(2.0 / inputs), size=(inputs, outputs)), np.zeros(outputs))
            for inputs, outputs in pairwise(widths)
        ]
        return cls(layers)

    @property
    def widths(self) -> list[int]:
        """The lengths of the input, of each hidden value and of the output."""
        return [self.layers[0].weight.shape[0]] + [layer.weight.shape[1] for layer in self.layers]

    @property
    def arrays(self) -> list[Array]:
        """Weights and biases, layer by layer."""
        return [array for layer in self.layers for array in (layer.weight, layer.bias)]

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(array.size for array in self.arrays)

    def forward(self, values: Array) -> Array:
        """The output [n, last width] for ``values`` [n, first width]; remembers what ``backward`` needs."""
        self._inputs = []
        for index, layer in enumerate(self.layers):
            if index:
                values = np.maximum(values, 0.0)
            self._inputs.append(values)
            values = values @ layer.weight + layer.bias
        return values

    def backward(self, gradient: Array) -> tuple[list[Array], Array]:
        """Gradients of the last ``forward``.

        Args:
            gradient: of the loss by the output, [n, last width].

        Returns:
            The gradients in the order of ``arrays``, and the gradient by the input.
        """
        found: list[Array] = []
        for index in reversed(range(len(self.layers))):
            values = self._inputs[index]
            found = [values.T @ gradient, gradient.sum(axis=0), *found]
            gradient = gradient @ self.layers[index].weight.T
            if index:
                gradient = gradient * (values > 0.0)
        return found, gradient


class Adam:
    """Adam with decoupled weight decay, which changes the given arrays in place."""

    def __init__(self, arrays: list[Array], decay: float) -> None:
        """Optimise ``arrays``; matrices (not biases) shrink by ``decay`` times the rate at each step."""
        self._arrays = arrays
        self._decay = decay
        self._means = [np.zeros_like(array) for array in arrays]
        self._squares = [np.zeros_like(array) for array in arrays]
        self._steps = 0

    def update(self, gradients: list[Array], rate: float) -> None:
        """Take one step against ``gradients``, which are in the order of the arrays."""
        self._steps += 1
        first, second = 0.9, 0.999
        for array, gradient, mean, square in zip(
            self._arrays, gradients, self._means, self._squares, strict=True
        ):
            mean += (1.0 - first) * (gradient - mean)
            square += (1.0 - second) * (gradient**2 - square)
            scaled_mean = mean / (1.0 - first**self._steps)
            scaled_square = square / (1.0 - second**self._steps)
            if array.ndim > 1:
                array *= 1.0 - rate * self._decay
            array -= rate * scaled_mean / (np.sqrt(scaled_square) + 1e-8)
