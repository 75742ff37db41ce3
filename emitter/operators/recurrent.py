"""Recurrent layers: RNN, GRU and LSTM, read forwards, backwards or both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from isagoge.spec.terms import Apply, At, Fn, Listing, Name, Num, Term, apply

from ..lowering import Context, Fact, Node, Output, Unsupported, operator
from ..program import Shape
from ..tensors import number_term
from .lifting import mapped, rounder
from .spatial import choice, size_of, term

PARTS = {"RNN": 1, "GRU": 3, "LSTM": 4}
"""How many parts the rows of the weights have."""

ACTIVATIONS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
DEFAULTS = {
    "affine": (1.0, 0.0),
    "leakyrelu": (0.01, 0.0),
    "thresholdedrelu": (1.0, 0.0),
    "scaledtanh": (1.0, 1.0),
    "hardsigmoid": (0.2, 0.5),
    "elu": (1.0, 0.0),
}
"""alpha and beta where the node does not give them."""

PARAMETERS = {"affine": 2, "scaledtanh": 2, "hardsigmoid": 2, "leakyrelu": 1, "thresholdedrelu": 1, "elu": 1}
"""How many of alpha and beta an activation takes."""

PLAIN = {"relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid", "softsign": "softsign", "softplus": "softplus"}


def activation(name: str, alpha: float | None, beta: float | None) -> Term:
    """Return the function of a recurrent operator's activation. Raises ``Unsupported`` for an unknown one.

    >>> activation("Tanh", None, None)
    Name(name='tanh')
    """
    kind = name.lower()
    if kind in PLAIN:
        return Name(PLAIN[kind])
    if kind not in DEFAULTS:
        raise Unsupported(f"activation {name}")
    usual = DEFAULTS[kind]
    a = number_term(float(np.float32(usual[0] if alpha is None else alpha)))
    b = number_term(float(np.float32(usual[1] if beta is None else beta)))
    y = Name("y")
    bodies = {
        "affine": lambda: apply("+", apply("×", a, y), b),
        "leakyrelu": lambda: apply("leaky_relu", a, y),
        "thresholdedrelu": lambda: apply("thresholded_relu", a, y),
        "scaledtanh": lambda: apply("×", a, apply("tanh", apply("×", b, y))),
        "hardsigmoid": lambda: apply("hard_sigmoid", a, b, y),
        "elu": lambda: apply("elu", a, y),
    }
    return Fn(("y",), bodies[kind]())


def clipped(function: Term, limit: float | None) -> Term:
    """Return the function, its argument first cut off at -limit and limit; itself if there is no limit."""
    if not limit:
        return function
    edge = number_term(float(np.float32(limit)))
    inside = apply("clamp", Name("y"), apply("-", Num(0), edge), edge)
    return Fn(("y",), Apply(function, (inside,)))


@dataclass(frozen=True, slots=True)
class Layer:
    """What the three operators share; ``hidden`` is how many numbers a state has."""

    node: Node
    context: Context
    x: Fact
    w: Fact
    hidden: int
    directions: list[int]
    """For each direction whether it is backwards."""
    batch_first: bool

    @property
    def count(self) -> Term:
        """How many sequences there are."""
        return term(size_of(self.context, self.x, 0 if self.batch_first else 1))

    @property
    def sequences(self) -> Term:
        """The sequences one by one, each an array of elements."""
        return self.x.term if self.batch_first else apply("swap", self.x.term)

    @property
    def lengths(self) -> Term:
        """How many elements of each sequence are read."""
        if self.context.has(self.node, 4):
            return self.context.fact(self.node.inputs[4]).term
        return apply("repeat", term(size_of(self.context, self.x, 1 if self.batch_first else 0)), self.count)

    def activations(self, per: int) -> list[list[Term]]:
        """Return the activation functions of each direction."""
        attributes = self.node.attributes
        usual = ACTIVATIONS[self.node.operator] * len(self.directions)
        names = [str(name) for name in attributes.get("activations") or usual]
        if len(names) != per * len(self.directions):
            raise Unsupported(f"{len(names)} activations")
        alphas, betas = (list(attributes.get(f"activation_{k}") or []) for k in ("alpha", "beta"))
        made = []
        for name in names:
            # The parameters stand in the lists in order, for those activations that have some.
            many = PARAMETERS.get(name.lower(), 0)
            alpha = alphas.pop(0) if many and alphas else None
            beta = betas.pop(0) if many > 1 and betas else None
            made.append(activation(name, alpha, beta))
        return [made[i * per : (i + 1) * per] for i in range(len(self.directions))]

    def given(self, index: int, direction: int, zeros: int) -> Term:
        """Return an optional input [directions, …] for one direction, else so many rows of 0."""
        if self.context.has(self.node, index):
            return At(self.context.fact(self.node.inputs[index]).term, (Num(direction),))
        return apply("repeat", Num(0), Num(zeros))

    def start(self, index: int, direction: int) -> Term:
        """Return a state for each sequence: the optional input, else 0 everywhere."""
        if not self.context.has(self.node, index):
            return apply("repeat", apply("repeat", Num(0), Num(self.hidden)), self.count)
        states = self.context.fact(self.node.inputs[index]).term
        if self.batch_first:
            states = apply("swap", states)
        return At(states, (Num(direction),))


def _layer(node: Node, context: Context) -> Layer:
    x, w, r = (context.fact(node.inputs[i]) for i in range(3))
    hidden = node.attributes.get("hidden_size") or r.shape[2]
    if not isinstance(hidden, int):
        raise Unsupported("weights of unknown shape without hidden_size")
    direction = choice(node, "direction", "forward")
    kinds = {"forward": [0], "reverse": [1], "bidirectional": [0, 1]}
    if direction not in kinds:
        raise Unsupported(f"direction {direction}")
    return Layer(node, context, x, w, hidden, kinds[direction], bool(node.attributes.get("layout", 0)))


def _read(layer: Layer, step: Callable[[int], Term], start: Callable[[int], Term]) -> list[Term]:
    """Return, for each direction, all states of all sequences, in the order in which they are made."""
    context, node = layer.context, layer.node
    rows = 2 if node.operator == "LSTM" else 1
    sequences = context.step(layer.sequences, layer.x.dtype, 3)
    lengths = context.step(layer.lengths, np.dtype(np.int64), 1)
    runs = []
    for d, back in enumerate(layer.directions):
        run = apply("running_all", step(d), Num(back), lengths, start(d), sequences)
        runs.append(context.step(run, layer.x.dtype, 2 + rows))
    return runs


def _outputs(layer: Layer, runs: Sequence[Term], states: int) -> list[Output]:
    """Return Y, Y_h and, of cells whose state has two rows, Y_c."""
    context, x = layer.context, layer.x
    lengths = context.step(layer.lengths, np.dtype(np.int64), 1)
    hidden = [
        run if states == 1 else mapped(2, Fn(("state",), At(Name("state"), (Num(0),))), run) for run in runs
    ]
    timed = []
    for back, rows in zip(layer.directions, hidden, strict=True):
        timed.append(apply("zip1", apply("in_time", Num(back)), lengths, rows))
    batch = x.shape[0 if layer.batch_first else 1]
    length = x.shape[1 if layer.batch_first else 0]
    many = len(layer.directions)
    if layer.batch_first:
        y = mapped(1, Name("swap"), apply("swap", Listing(tuple(timed))))
        shape: Shape = (batch, length, many, layer.hidden)
        last: Shape = (batch, many, layer.hidden)
    else:
        y = apply("swap", Listing(tuple(apply("swap", rows) for rows in timed)))
        shape, last = (length, many, batch, layer.hidden), (many, batch, layer.hidden)
    outputs = [Output(y, x.dtype, shape)]
    for i in range(states):
        ends = Listing(tuple(_ends(run, i if states > 1 else None) for run in runs))
        outputs.append(Output(apply("swap", ends) if layer.batch_first else ends, x.dtype, last))
    return outputs


def _ends(run: Term, row: int | None) -> Term:
    """Return the last state of each sequence, or one row of it."""
    s = Name("s")
    last: tuple[Term, ...] = (apply("-", apply("length", s), Num(1)),)
    return mapped(1, Fn(("s",), At(s, last if row is None else (*last, Num(row)))), run)


@operator("RNN")
def rnn(node: Node, context: Context) -> list[Output]:
    """Return the outputs of a plain recurrent layer."""
    layer = _layer(node, context)
    functions, limit = layer.activations(1), node.attributes.get("clip")

    def step(d: int) -> Term:
        (u,) = functions[d]
        return apply("rnn_step", rounder(layer.x.dtype), clipped(u, limit), *_weights(layer, d))

    return _outputs(layer, _read(layer, step, lambda d: layer.start(5, d)), 1)


@operator("GRU")
def gru(node: Node, context: Context) -> list[Output]:
    """Return the outputs of a layer of gated recurrent units."""
    layer = _layer(node, context)
    functions, limit = layer.activations(2), node.attributes.get("clip")
    name = "gru_reset_step" if node.attributes.get("linear_before_reset", 0) else "gru_step"

    def step(d: int) -> Term:
        u, v = (clipped(f, limit) for f in functions[d])
        return apply(name, rounder(layer.x.dtype), u, v, *_weights(layer, d))

    return _outputs(layer, _read(layer, step, lambda d: layer.start(5, d)), 1)


@operator("LSTM")
def lstm(node: Node, context: Context) -> list[Output]:
    """Return the outputs of a layer of long short-term memory."""
    layer = _layer(node, context)
    functions, limit = layer.activations(3), node.attributes.get("clip")
    coupled = Num(int(node.attributes.get("input_forget", 0)))

    def step(d: int) -> Term:
        gate, content, e = functions[d]
        # As in ONNX Runtime, what enters the gates and the content is cut off, the memory is not.
        u, v = clipped(gate, limit), clipped(content, limit)
        peeps = layer.given(7, d, 3 * layer.hidden)
        return apply("lstm_step", rounder(layer.x.dtype), u, v, e, coupled, *_weights(layer, d), peeps)

    def start(d: int) -> Term:
        return apply("swap", Listing((layer.start(5, d), layer.start(6, d))))

    return _outputs(layer, _read(layer, step, start), 2)


def _weights(layer: Layer, direction: int) -> tuple[Term, Term, Term]:
    """Return the weights of the elements, those of the state, and the biases, of one direction."""
    r = layer.context.fact(layer.node.inputs[2]).term
    place = (Num(direction),)
    biases = layer.given(3, direction, 2 * PARTS[layer.node.operator] * layer.hidden)
    return At(layer.w.term, place), At(r, place), biases
