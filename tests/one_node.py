"""Runs one ONNX node as our definitions, fast and by the reference semantics, and in a runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from isagoge.emitter.evaluate import Run
from isagoge.emitter.graph import from_proto
from isagoge.emitter.lower import lower
from isagoge.emitter.program import Program
from isagoge.primer.chapters import load
from isagoge.spec.semantics import Array, Machine, Value
from isagoge.spec.terms import Define, Statement

Arrays = Mapping[str, npt.NDArray[Any]]


@cache
def definitions() -> tuple[Statement, ...]:
    """Return all definitions of lessons and library."""
    chapters = (*load("lessons"), *load("library"))
    return tuple(e.statement for c in chapters for e in c.entries if isinstance(e.statement, Define))


def model(
    operator: str,
    inputs: Sequence[tuple[str, npt.NDArray[Any]]],
    constants: Sequence[str] = (),
    outputs: int | Sequence[bool] = 1,
    opset: int = 17,
    symbolic: bool = False,
    **attributes: Any,
) -> onnx.ModelProto:
    """Make a model of one node.

    ``inputs`` are names with example values, "" being an input that is left out; those in ``constants``
    become weights. ``outputs`` is how many there are, or which of them are wanted. With ``symbolic`` the
    lengths of inputs are not declared, but those of rows are.
    """
    wanted = [True] * outputs if isinstance(outputs, int) else outputs
    names = [f"out{i}" if want else "" for i, want in enumerate(wanted)]
    node = helper.make_node(operator, [name for name, _ in inputs], names, name="node", **attributes)
    given = [(name, value) for name, value in inputs if name]
    declared = [
        helper.make_tensor_value_info(
            name,
            helper.np_dtype_to_tensor_dtype(value.dtype),
            [f"{name}{i}" for i in range(value.ndim)] if symbolic and value.ndim > 1 else value.shape,
        )
        for name, value in given
        if name not in constants
    ]
    weights = [numpy_helper.from_array(value, name) for name, value in given if name in constants]
    results = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in names if name]
    graph = helper.make_graph([node], "graph", declared, results, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    made = onnx.shape_inference.infer_shapes(made)
    for result in made.graph.output:
        if result.type.tensor_type.elem_type == TensorProto.UNDEFINED:
            result.type.tensor_type.elem_type = TensorProto.FLOAT
    return made


def _plain(array: npt.NDArray[Any]) -> Value:
    return Array(_plain(part) for part in array) if array.ndim else float(array)


def _slowly(program: Program, inputs: Arrays) -> list[npt.NDArray[np.float64]]:
    """Evaluate a program by the reference semantics."""
    machine = Machine(10**8)
    assert set(machine.run(definitions())) == {"defined"}
    for tensor in program.inputs:
        machine.globals[tensor.value] = _plain(inputs[tensor.name].astype(np.float64))
    for name, array in program.constants.items():
        machine.globals[name] = _plain(array.astype(np.float64))
    for step in program.steps:
        assert machine.judge(Define(step.value, step.term)) == "defined", step
    return [np.array(machine.globals[output.value], np.float64) for output in program.outputs]


def ours(proto: onnx.ModelProto, inputs: Arrays, slowly: bool = False) -> list[npt.NDArray[np.float64]]:
    """Return a model's outputs by our definitions; with ``slowly`` both evaluators must agree bit for bit."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    program = lower(from_proto(copy))
    found = Run(program, definitions())(inputs)
    for tensor, array in zip(program.outputs, found, strict=True):
        assert len(tensor.shape) == array.ndim
        for declared, length in zip(tensor.shape, array.shape, strict=True):
            assert not isinstance(declared, int) or declared == length, (tensor, array.shape)
    if slowly:
        for one, two in zip(found, _slowly(program, inputs), strict=True):
            np.testing.assert_array_equal(one, two)
    return found


def theirs(proto: onnx.ModelProto, inputs: Arrays, reference: bool = False) -> list[npt.NDArray[Any]]:
    """Return the outputs by ONNX Runtime, or by ONNX's reference implementation."""
    if reference:
        return list(ReferenceEvaluator(proto).run(None, dict(inputs)))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, ["CPUExecutionProvider"])
    return list(session.run(None, {i.name: inputs[i.name] for i in session.get_inputs()}))


def check(
    operator: str,
    inputs: Sequence[tuple[str, npt.NDArray[Any]]],
    constants: Sequence[str] = (),
    *,
    slowly: bool = False,
    reference: bool = False,
    tolerance: float = 1e-6,
    **options: Any,
) -> None:
    """Check that our outputs are those of a runtime, up to ``tolerance`` times each one's largest element."""
    proto = model(operator, inputs, constants, **options)
    given = {name: value for name, value in inputs if name and name not in constants}
    for one, two in zip(ours(proto, given, slowly), theirs(proto, given, reference), strict=True):
        assert one.shape == two.shape, (one.shape, two.shape)
        scale = float(np.abs(two[np.isfinite(two)]).max(initial=1e-30)) if two.dtype.kind == "f" else 1.0
        np.testing.assert_allclose(one, two.astype(np.float64), rtol=0, atol=tolerance * scale)
