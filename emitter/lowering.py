"""From ONNX nodes to terms: the table of operator handlers and what a handler may ask.

A handler takes a node and the context and returns what the node's outputs are. Handlers register themselves:

    @operator("Relu")
    def relu(node: Node, context: Context) -> Output:
        x = context.fact(node.inputs[0])
        return Output(apply(f"map{x.rank}", Name("relu"), x.term), x.dtype, x.shape)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from isagoge.spec.terms import Term

from .program import Shape


class Unsupported(Exception):
    """An operator, or an option of one, that cannot be said yet; the message says which option."""


@dataclass(slots=True)
class Node:
    """An ONNX node with attributes as plain Python values (graphs as ``Graph`` of emitter/graph.py)."""

    operator: str
    domain: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    """The opset version of the node's domain that the model imports."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a value while lowering: how to write it, its dtype and shape, its elements if
    constant.
    """

    term: Term
    dtype: np.dtype[Any]
    shape: Shape
    constant: npt.NDArray[Any] | None = None
    partial: tuple[int | str | None, ...] | None = None
    """The elements of an integer tensor of rank 0 or 1, as lengths are known: in full, by name, or not at
    all.
    """

    @property
    def rank(self) -> int:
        """The number of axes; always known."""
        return len(self.shape)


@dataclass(frozen=True, slots=True)
class Output:
    """What a handler says of one output of its node."""

    term: Term
    dtype: np.dtype[Any]
    shape: Shape


class Context(Protocol):
    """What a handler may ask and do."""

    def has(self, node: Node, index: int) -> bool:
        """Tell whether the node's optional input is given."""

    def fact(self, name: str) -> Fact:
        """Return what is known of a value by its ONNX name."""

    def length(self, fact: Fact, axis: int) -> Term:
        """Return a term for the length of an axis: a number if it is known, else the cheapest way to find
        it.
        """

    def step(self, term: Term, dtype: np.dtype[Any], rank: int) -> Term:
        """Name an intermediate value, used more than once, and return the term that stands for it."""

    def constant(self, array: npt.NDArray[Any]) -> Term:
        """Return a term for a constant tensor: written out if small, else a weight of the program."""


Handler = Callable[[Node, Context], Output | list[Output]]
HANDLERS: dict[tuple[str, str], Handler] = {}
"""Handlers by domain ("" is ai.onnx) and operator."""


def operator(*names: str, domain: str = "") -> Callable[[Handler], Handler]:
    """Register a handler for the named operators."""

    def register(handler: Handler) -> Handler:
        for name in names:
            assert (domain, name) not in HANDLERS, name
            HANDLERS[domain, name] = handler
        return handler

    return register
