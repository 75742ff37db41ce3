"""Lowering is checked node by node: each operator and option against ONNX Runtime, on tiny tensors, by the
reference semantics.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from node_cases import ALL, Case
from onnx import ModelProto, ValueInfoProto, helper, numpy_helper

from isagoge.emitter.graph import from_proto
from isagoge.emitter.lower import UnsupportedOperators, lower
from isagoge.emitter.program import Program
from isagoge.emitter.tensors import number_term
from isagoge.primer.linker import lessons, link
from isagoge.spec.semantics import Machine, Value
from isagoge.spec.terms import Define, Listing, Name, Term, free_names

Array = npt.NDArray[Any]


def model(
    operator: str,
    inputs: list[Array | None],
    constant: set[int],
    attributes: dict[str, Any],
    version: int,
    symbolic: bool,
) -> tuple[ModelProto, dict[str, Array]]:
    """Make a model of one node; inputs whose numbers are in ``constant`` are weights."""
    outputs = [f"y{i}" for i in range(attributes.pop("outputs", 1))]
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(inputs)]
    declared, weights, feeds = [], [], {}
    for i, (name, array) in enumerate(zip(names, inputs, strict=True)):
        if array is None:
            continue
        if i in constant:
            weights.append(numpy_helper.from_array(array, name))
            continue
        feeds[name] = array
        # Tensors that hold shapes or index vectors say how many axes the result has: their form must be
        # known.
        fixed = not symbolic or (array.dtype.kind == "i" and (array.ndim == 1 or operator.endswith("ND")))
        shape = [int(n) if fixed else f"{name}_{axis}" for axis, n in enumerate(array.shape)]
        declared.append(
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), shape)
        )
    node = helper.make_node(operator, names, outputs, **attributes)
    results = [ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph([node], "one", declared, results, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8), feeds


@cache
def machine_with(names: frozenset[str]) -> Machine:
    machine = Machine(budget=10**9)
    for entry in (*lessons(), *link(sorted(names))):
        if isinstance(entry.statement, Define):
            machine.judge(entry.statement)
    return machine


def array_of(value: Value) -> Array:
    return np.array(value, np.float64)


def written(array: Array) -> Term:
    if array.ndim == 0:
        return number_term(float(array))
    return Listing(tuple(written(np.asarray(part)) for part in array))


def run(program: Program, feeds: dict[str, Array]) -> list[Array]:
    """Return the outputs of a program, by the reference semantics."""
    own = (
        {step.value for step in program.steps}
        | {tensor.value for tensor in program.inputs}
        | set(program.constants)
    )
    used = {name for step in program.steps for name in free_names(step.term)} - own
    machine = machine_with(frozenset(used))
    for tensor in program.inputs:
        machine.judge(Define(tensor.value, written(feeds[tensor.name])))
    for name, array in program.constants.items():
        machine.judge(Define(name, written(array)))
    for step in program.steps:
        verdict = machine.judge(Define(step.value, step.term))
        assert verdict == "defined", (step.value, step.term, verdict)
    return [array_of(machine.evaluate(Name(tensor.value), {})) for tensor in program.outputs]


@pytest.mark.parametrize("symbolic", [False, True], ids=["fixed", "open"])
@pytest.mark.parametrize("what", ALL)
def test_a_node_gives_what_onnx_runtime_gives(what: Case, symbolic: bool) -> None:
    operator, inputs, constant, attributes, version = what
    proto, feeds = model(operator, inputs, constant, dict(attributes), version, symbolic)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, feeds)
    try:
        program = lower(from_proto(proto))
    except UnsupportedOperators as error:
        assert symbolic, error
        # Which axes have length 1 decides about the number of axes: that must be known.
        assert operator == "Squeeze" and len(inputs) == 1 and "axes" not in attributes, error
        return
    found = run(program, feeds)
    assert len(found) == len(expected)
    for tensor, a, b in zip(program.outputs, found, expected, strict=True):
        assert tensor.dtype == b.dtype
        assert len(tensor.shape) == b.ndim
        for declared, length in zip(tensor.shape, b.shape, strict=True):
            assert declared == length or not isinstance(declared, int)
        if b.size == 0:
            assert a.size == 0
            continue
        assert a.shape == b.shape
        if b.dtype.kind == "f":
            tolerance = {2: 1e-3, 4: 2e-6, 8: 1e-12}[b.dtype.itemsize]
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(a, b)
