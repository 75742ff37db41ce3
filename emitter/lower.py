"""Lowering: from a graph of ONNX nodes to a program of terms over the library.

The graph is walked once, from inputs to outputs, with what is known of each value: its dtype, its shape as
far as it can be known, its elements if they are constant. What can be settled is settled on the way:
constants are folded, choices between branches decided, values that are equal shared. What no output needs is
dropped at the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isagoge.spec.terms import At, If, Listing, Name, Num, Term, apply, free_names, let

from .fold_constants import fold
from .graph import Graph
from .lowering import HANDLERS, Fact, Node, Output, Unsupported
from .naming import Names, inline
from .operators.lifting import at
from .program import Program, Shape, Tensor
from .shapes import follow
from .tensors import number_term

_ERROR = At(Listing(()), (Num(0),))
"""A term that has no value: the element of an empty array."""


class UnsupportedOperators(Exception):
    """Nodes that cannot be said yet; ``nodes`` holds the operator, the node's name and the reason for
    each.
    """

    def __init__(self, nodes: Sequence[tuple[str, str, str]]) -> None:
        """Make the message: one line that names every operator and node."""
        self.nodes = list(nodes)
        parts = [f"{operator} (node {name}{': ' + why if why else ''})" for operator, name, why in self.nodes]
        super().__init__("unsupported operators: " + "; ".join(parts))


def lower(graph: Graph) -> Program:
    """Return a graph as a program.

    Raises:
        UnsupportedOperators: some nodes have no handler, or an option that its handler does not know. All are
            named.

    >>> from onnx import helper
    >>> from .graph import from_proto
    >>> from isagoge.spec.notation import show
    >>> x, y = (helper.make_tensor_value_info(n, 1, ["batch", 3]) for n in "xy")
    >>> proto = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "g", [x], [y])
    >>> program = lower(from_proto(helper.make_model(proto, opset_imports=[helper.make_opsetid("", 17)])))
    >>> [f"{step.value} := {show(step.term)}" for step in program.steps]
    ['v_y := zip2(add32, x_x, x_x)']
    """
    return _lower(graph, {})


class _Fork(Exception):
    """A choice whose branches give tensors with different numbers of axes; it holds the name of the node's
    first output.
    """


def _lower(graph: Graph, taken: dict[str, int]) -> Program:
    """Lower a graph with some branches taken as given.

    A message's tensors have fixed numbers of axes. Where a choice would change that, each branch is tried: if
    the rest of the model makes sense after one of them only, that one is taken, and the other one becomes an
    error of the message.
    """
    try:
        return Lowering(graph, taken).program()
    except _Fork as fork:
        key = str(fork)
    made, errors = [], []
    for branch in (0, 1):
        try:
            made.append(_lower(graph, {**taken, key: branch}))
        except UnsupportedOperators as error:
            errors.append(error)
    if len(made) == 1:
        return made[0]
    if errors:
        raise min(errors, key=lambda error: len(error.nodes))
    raise UnsupportedOperators([("If", key, "the branches give tensors with different numbers of axes")])


class Lowering:
    """The walk over a graph; it is the ``Context`` that handlers see."""

    def __init__(self, graph: Graph, taken: dict[str, int] | None = None) -> None:
        """Prepare the inputs; ``taken`` says for some nodes If which branch to take. ``graph`` is not
        changed.
        """
        self._taken = taken or {}
        self.graph = graph
        self.facts: dict[str, Fact] = {}
        self.weights: dict[str, npt.NDArray[Any]] = dict(graph.constants)
        self.names = Names()
        self.failed: list[tuple[str, str, str]] = []
        self._lost: set[str] = set()
        self._lengths: dict[str, Term] = {}
        self._fresh = itertools.count(1)
        self._node = Node("", "", "", [], [])
        self.inputs = [self._input(d.name, d.dtype, d.shape) for d in graph.inputs]

    # What handlers may ask: the protocol Context.

    def has(self, node: Node, index: int) -> bool:
        """Tell whether the node's optional input is given."""
        return index < len(node.inputs) and bool(node.inputs[index])

    def fact(self, name: str) -> Fact:
        """Return what is known of a value by its ONNX name."""
        if name not in self.facts and name in self.weights:
            array = self.weights[name]
            self.facts[name] = Fact(self.constant(array, name), array.dtype, array.shape, array)
        return self.facts[name]

    def length(self, fact: Fact, axis: int) -> Term:
        """Return a term for the length of an axis: a number if it is known, else the cheapest way to find
        it.
        """
        known = fact.shape[axis]
        if isinstance(known, int):
            return Num(known)
        if known is not None and known in self._lengths:
            return self._lengths[known]
        place = At(fact.term, (Num(0),) * axis) if axis else fact.term
        return apply("length", place)

    def step(self, term: Term, dtype: np.dtype[Any], rank: int) -> Term:
        """Name an intermediate value, used more than once, and return the term that stands for it."""
        return self._named(term, dtype, rank, f"v_{self._node.outputs[0] if self._node.outputs else 'part'}")

    def constant(self, array: npt.NDArray[Any], name: str = "") -> Term:
        """Return a term for a constant tensor: written out if small, else a weight of the program."""
        return self.names.constant(array, name or f"{self._node.name}_constant")

    # The walk.

    def program(self) -> Program:
        """Walk the graph and return what the outputs need."""
        for node in self.graph.nodes:
            self._process(node)
        if self.failed:
            raise UnsupportedOperators(self.failed)
        outputs = [self._output(d.name, d.shape) for d in self.graph.outputs]
        needed = {tensor.value for tensor in outputs}
        kept = []
        for step in reversed(self.names.scalars + self.names.steps):
            if step.value in needed:
                kept.append(step)
                needed.update(free_names(step.term))
        constants = {name: array for name, array in self.names.constants.items() if name in needed}
        return Program(self.inputs, outputs, kept[::-1], constants, dict(self.graph.opset))

    def _input(self, name: str, dtype: np.dtype[Any] | None, shape: Shape | None) -> Tensor:
        if dtype is None or shape is None or dtype.kind not in "fiub":
            what = (
                "text or numbers of another kind"
                if dtype is not None and shape is not None
                else "no shape declared"
            )
            self.failed.append(("input", name, what))
            dtype, shape = np.dtype(np.float32), ()
        identifier = self.names.identifier(f"x_{name}")
        tensor = Tensor(name, identifier, dtype, shape)
        # A name that stands for two axes of one input says nothing: some exporters call all lengths the same.
        inside = tuple(n if isinstance(n, int) or (n and shape.count(n) == 1) else None for n in shape)
        self.facts[name] = self._measured(Fact(Name(identifier), dtype, inside))
        return tensor

    def _output(self, name: str, declared: Shape | None) -> Tensor:
        fact = self.fact(name)
        term = fact.term
        if not isinstance(term, Name):
            term = self.names.define(term, f"v_{name}", name, "Output", fact.dtype, fact.rank)
        if declared is None or len(declared) != fact.rank:
            declared = (None,) * fact.rank
        pairs = zip(fact.shape, declared, strict=True)
        shape = tuple(n if isinstance(n, int) or (n and n[0] != "~") else d for n, d in pairs)
        return Tensor(name, term.name, fact.dtype, tuple(n if n != -1 else None for n in shape))

    def _process(self, node: Node) -> None:
        self._node = node
        if any(name in self._lost for name in node.inputs):
            self._lost.update(node.outputs)
            return
        try:
            if node.operator == "If" and not node.domain:
                self._choice(node)
            elif not self._folded(node):
                self._handled(node)
        except Unsupported as error:
            self._fail(node, str(error))
        except (ValueError, AssertionError, KeyError, IndexError) as error:
            self._fail(node, f"{type(error).__name__}: {error}")

    def _fail(self, node: Node, why: str) -> None:
        operator = f"{node.domain}:{node.operator}" if node.domain else node.operator
        self.failed.append((operator, node.name, why))
        self._lost.update(node.outputs)

    def _folded(self, node: Node) -> bool:
        """Evaluate the node now if all its inputs are constant; tell whether that was done."""
        given = [self.fact(name).constant if name else None for name in node.inputs]
        if any(array is None for array, name in zip(given, node.inputs, strict=True) if name):
            return False
        results = fold(node, given)
        if results is None:
            return False
        for name, array in zip([o for o in node.outputs if o], results, strict=True):
            self.weights[name] = array
        return True

    def _handled(self, node: Node) -> None:
        handler = HANDLERS.get((node.domain, node.operator))
        if handler is None:
            self._fail(node, "")
            return
        made = handler(node, self)
        outputs = made if isinstance(made, list) else [made]
        for name, output in zip(node.outputs, outputs, strict=False):
            if name:
                self.facts[name] = self._bind(name, node, output)
        missing = [name for name in node.outputs[len(outputs) :] if name]
        if missing:
            raise Unsupported(f"the output {missing[0]} is not computed")

    def _bind(self, name: str, node: Node, output: Output) -> Fact:
        """Return the fact of an output: a constant, another name for a value, a short term, or a step of its
        own.
        """
        given = [self.fact(n) if n else None for n in node.inputs]
        partial = None
        if output.dtype.kind in "iub" and len(output.shape) <= 1:
            partial = follow(node, given, len(output.shape), output.shape[0] if output.shape else None)
        if partial is not None and all(isinstance(n, int) for n in partial):
            array = np.array(partial, output.dtype).reshape(() if not output.shape else -1)
            return Fact(self.constant(array, name), array.dtype, array.shape, array)
        term = self._known(output, partial)
        if not inline(term, output):
            term = self._named(term, output.dtype, len(output.shape), f"v_{name}")
        alias = next((f for f in given if f is not None and f.term == term and f.dtype == output.dtype), None)
        if alias is not None and len(alias.shape) == len(output.shape):
            return alias
        return self._measured(Fact(term, output.dtype, tuple(output.shape), None, partial))

    def _known(self, output: Output, partial: tuple[int | str | None, ...] | None) -> Term:
        """Return an output's term, written with the numbers and lengths that are known to be its elements."""
        if partial is None:
            return output.term
        items = output.term.items if isinstance(output.term, Listing) else (None,) * len(partial)
        if len(output.shape) == 0:
            items = (output.term,)
        short: list[Term] = []
        for item, known in zip(items, partial, strict=True):
            if isinstance(known, int):
                item = number_term(known)
            elif known is not None and known in self._lengths:
                item = self._lengths[known]
            if item is None:
                return output.term
            short.append(item)
        return short[0] if len(output.shape) == 0 else Listing(tuple(short))

    def _measured(self, fact: Fact) -> Fact:
        """Give each unknown length a name of its own, so that it is recognised where it comes again."""
        shape = tuple(n if n is not None else f"~{next(self._fresh)}" for n in fact.shape)
        fact = replace(fact, shape=shape)
        if isinstance(fact.term, Name):
            for axis, n in enumerate(shape):
                if isinstance(n, str) and n not in self._lengths:
                    self._lengths[n] = self.length(fact, axis)
        return fact

    def _named(self, term: Term, dtype: np.dtype[Any], rank: int, wish: str) -> Term:
        step = (self._node.name, self._node.operator or "Constant", dtype, rank)
        return self.names.share(term, wish, *step)

    # Choices.

    def _choice(self, node: Node) -> None:
        """Take the branch of an If that is known to be taken, or write both."""
        test = self.fact(node.inputs[0])
        branches = [node.attributes["then_branch"], node.attributes["else_branch"]]
        condition = at(test.term, *(0,) * test.rank)
        if test.constant is not None:
            self._take(node, branches[0 if bool(test.constant.reshape(-1)[0]) else 1])
            return
        if node.outputs[0] in self._taken:
            chosen = self._taken[node.outputs[0]]
            self._take(node, branches[chosen])
            for name in node.outputs:
                if name not in self._lost:
                    fact = self.fact(name)
                    pair = (fact.term, _ERROR) if chosen == 0 else (_ERROR, fact.term)
                    self.facts[name] = self._bind(
                        name, node, Output(If(condition, *pair), fact.dtype, fact.shape)
                    )
            return
        (then, first), (other, second) = (self._branch(branch, node) for branch in branches)
        if any(name in self._lost for name in node.outputs):
            return
        if any(a.rank != b.rank for a, b in zip(first, second, strict=True)):
            raise _Fork(node.outputs[0])
        whole: Term = If(condition, then, other)
        single = len(node.outputs) == 1
        if not single:
            whole = self._named(whole, first[0].dtype, 1, f"v_{node.name}")
        for i, (name, a, b) in enumerate(zip(node.outputs, first, second, strict=True)):
            shape = tuple(m if m == n else None for m, n in zip(a.shape, b.shape, strict=True))
            output = Output(whole if single else At(whole, (Num(i),)), a.dtype, shape)
            self.facts[name] = self._bind(name, node, output)

    def _take(self, node: Node, branch: Graph) -> None:
        """Go through a branch as if its nodes stood in place of the choice."""
        self.weights.update(branch.constants)
        for inner in branch.nodes:
            self._process(inner)
        self._node = node
        for name, declared in zip(node.outputs, branch.outputs, strict=True):
            if declared.name in self._lost:
                self._lost.add(name)
            else:
                self.facts[name] = self.fact(declared.name)

    def _branch(self, branch: Graph, node: Node) -> tuple[Term, list[Fact]]:
        """Return a branch as one term, with its steps as local names, and the facts of its outputs."""
        outer, lengths = self.names.enter(), dict(self._lengths)
        self.weights.update(branch.constants)
        for inner in branch.nodes:
            self._process(inner)
        self._node = node
        names = [declared.name for declared in branch.outputs]
        if any(name in self._lost for name in names):
            self._lost.update(node.outputs)
            self.names.leave(outer)
            self._lengths = lengths
            return Num(0), []
        facts = [self.fact(name) for name in names]
        term: Term = facts[0].term if len(facts) == 1 else Listing(tuple(fact.term for fact in facts))
        for step in reversed(self.names.steps):
            if step.value in set(free_names(term)):
                term = let(step.value, step.term, term)
        self.names.leave(outer)
        self._lengths = lengths
        return term, facts
