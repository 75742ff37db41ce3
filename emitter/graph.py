"""Reads ONNX files: graphs as plain Python values, with functions expanded and weights as numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.checker
import onnx.defs
import onnx.inliner
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto
from onnx.external_data_helper import ExternalDataInfo, uses_external_data
from onnx.helper import get_attribute_value, tensor_dtype_to_np_dtype
from onnx.numpy_helper import to_array

from . import operators
from .lowering import HANDLERS, Node
from .program import Shape

OLDEST = 7
"""The first version of the standard operators that is read."""

KEPT = 1024
"""Weights of more bytes are taken out of the model before functions are expanded, so that they are not
copied.
"""


class ModelError(Exception):
    """A file that is not a usable ONNX model; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Declared:
    """An input or output as the file declares it; ``shape`` is None where the file says nothing."""

    name: str
    dtype: np.dtype[Any] | None
    shape: Shape | None


@dataclass(slots=True)
class Graph:
    """A model, or the branch of a node: nodes in an order in which each uses only what stands before it.

    ``constants`` holds the weights by name. In the graph of a branch, nodes may also use names of the graph
    around it.
    """

    inputs: list[Declared]
    outputs: list[Declared]
    nodes: list[Node]
    constants: dict[str, npt.NDArray[Any]]
    opset: dict[str, int] = field(default_factory=dict)


def load(path: str | Path) -> Graph:
    """Read an ONNX file, with its external data if it has any.

    Functions, and standard operators that are defined by functions and have no handler, are expanded.

    Raises:
        ModelError: the file is missing or not an ONNX model, an external file is missing or too short, or the
            version of the standard operators is not one from 7 to the newest that the ``onnx`` package knows.
    """
    file = Path(path)
    try:
        model = ModelProto.FromString(file.read_bytes())
    except OSError as error:
        raise ModelError(f"{file}: {error.strerror or error}") from None
    except DecodeError:
        raise ModelError(f"{file}: not an ONNX model") from None
    if not model.graph.node and not model.graph.output:
        raise ModelError(f"{file}: not an ONNX model: it has no graph")
    try:
        return from_proto(model, file.parent)
    except ModelError as error:
        raise ModelError(f"{file}: {error}") from None


def from_proto(model: ModelProto, folder: Path = Path()) -> Graph:
    """Return the graph of a model; ``folder`` is where its external data lies. The model is emptied on the
    way.

    Raises:
        ModelError: as in ``load``.

    >>> from onnx import helper
    >>> x, y = (helper.make_tensor_value_info(n, 1, ["batch", 3]) for n in "xy")
    >>> graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    >>> model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    >>> [(n.operator, n.inputs, n.version) for n in from_proto(model).nodes]
    [('Relu', ['x'], 17)]
    """
    opset = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}
    newest = onnx.defs.onnx_opset_version()
    if "" not in opset:
        raise ModelError("the model does not say which version of the standard operators it uses")
    if not OLDEST <= opset[""] <= newest:
        raise ModelError(f"operator set {opset['']} is not read, only {OLDEST} to {newest}")
    operators.register()
    weights = _take_weights(model, folder)
    model = _expand(model)
    graph = _graph(model.graph, opset, folder)
    graph.constants.update(weights)
    graph.inputs = [declared for declared in graph.inputs if declared.name not in graph.constants]
    graph.opset = opset
    return graph


def _take_weights(model: ModelProto, folder: Path) -> dict[str, npt.NDArray[Any]]:
    """Move the weights out of a model and leave the large ones there as inputs only, so that types stay
    known.
    """
    declared = {value.name for value in model.graph.input}
    weights: dict[str, npt.NDArray[Any]] = {}
    kept = []
    while model.graph.initializer:
        tensor = model.graph.initializer.pop()
        weights[tensor.name] = _array(tensor, folder)
        if weights[tensor.name].nbytes <= KEPT and not uses_external_data(tensor):
            kept.append(tensor)
        elif tensor.name not in declared:
            value = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            model.graph.input.append(value)
    model.graph.initializer.extend(kept)
    if model.graph.sparse_initializer:
        raise ModelError(f"the sparse weight {model.graph.sparse_initializer[0].values.name} is not read")
    return weights


def _array(tensor: TensorProto, folder: Path) -> npt.NDArray[Any]:
    """Return the elements of a tensor, which may lie in a file of their own."""
    if not uses_external_data(tensor):
        try:
            return to_array(tensor)
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"the weight {tensor.name} cannot be read: {error}") from None
    info = ExternalDataInfo(tensor)
    file = (folder / info.location).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise ModelError(f"the weight {tensor.name} lies outside of the model's folder: {info.location}")
    dtype = tensor_dtype_to_np_dtype(tensor.data_type).newbyteorder("<")
    count = int(np.prod(tensor.dims, dtype=np.int64))
    try:
        flat = np.fromfile(file, dtype=dtype, count=count, offset=int(info.offset or 0))
    except OSError:
        raise ModelError(
            f"the file {info.location}, which holds the weight {tensor.name}, is missing"
        ) from None
    if flat.size < count:
        raise ModelError(f"the file {info.location} ends before the weight {tensor.name} does")
    return flat.reshape(tuple(tensor.dims))


def _walk(nodes: Any) -> Iterator[NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _walk(attribute.g.node)
            for graph in attribute.graphs:
                yield from _walk(graph.node)


def _expand(model: ModelProto) -> ModelProto:
    """Replace calls of functions by their bodies as long as a body brings new ones."""
    for _ in range(8):
        local = {(f.domain, f.name) for f in model.functions}
        wanted = set()
        for node in _walk(model.graph.node):
            key = ("" if node.domain == "ai.onnx" else node.domain, node.op_type)
            if (node.domain, node.op_type) not in local and (key in HANDLERS or not _defined(model, key)):
                continue
            wanted.add((node.domain, node.op_type))
        if not wanted:
            return model
        try:
            if model.functions:
                model = onnx.inliner.inline_local_functions(model)
            else:
                model = onnx.inliner.inline_selected_functions(
                    model, sorted(wanted), inline_schema_functions=True
                )
        except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
            if not model.functions:
                return model  # an operator without a handler stays, and lowering reports it by name
            first = str(error).strip().split("\n")[0]
            raise ModelError(f"functions of the model cannot be expanded: {first}") from None
    return model


def _defined(model: ModelProto, key: tuple[str, str]) -> bool:
    """Tell whether the standard defines an operator by a function, in the version that the model imports."""
    domain, name = key
    domains = ("", "ai.onnx") if not domain else (domain,)
    version = next((o.version for o in model.opset_import if o.domain in domains), 0)
    try:
        schema = onnx.defs.get_schema(name, version, domain)
    except onnx.defs.SchemaError:
        return False
    # The stubs of the onnx package do not know these two.
    return bool(schema.has_function or schema.has_context_dependent_function)  # type: ignore[attr-defined]


def _graph(proto: GraphProto, opset: dict[str, int], folder: Path) -> Graph:
    constants = {tensor.name: _array(tensor, folder) for tensor in proto.initializer}
    nodes = []
    for at, node in enumerate(proto.node):
        made = _node(node, at, opset, folder)
        if made.operator == "Constant" and not made.domain and len(node.attribute) == 1:
            constants[made.outputs[0]] = _constant(made)
        else:
            nodes.append(made)
    inputs = [_declared(value) for value in proto.input]
    return Graph(inputs, [_declared(value) for value in proto.output], nodes, constants, opset)


def _constant(node: Node) -> npt.NDArray[Any]:
    """Return the value of a Constant node, whichever of its attributes gives it."""
    ((name, value),) = node.attributes.items()
    if name not in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        raise ModelError(f"node {node.name}: a Constant with {name} is not read")
    if name == "value":
        return np.asarray(value)
    return np.array(value, np.float32 if "float" in name else np.int64)


def _node(proto: NodeProto, at: int, opset: dict[str, int], folder: Path) -> Node:
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    name = proto.name or next((o for o in proto.output if o), f"{proto.op_type}_{at}")
    attributes = {}
    for attribute in proto.attribute:
        attributes[attribute.name] = _attribute(attribute, name, opset, folder)
    inputs = list(proto.input)
    while inputs and not inputs[-1]:
        inputs.pop()
    version = opset.get(domain, 0)
    return Node(proto.op_type, domain, name, inputs, list(proto.output), attributes, version)


def _attribute(proto: AttributeProto, node: str, opset: dict[str, int], folder: Path) -> Any:
    """Return an attribute's value: text for strings, an array for a tensor, a ``Graph`` for a graph."""
    if proto.ref_attr_name:
        raise ModelError(
            f"node {node}: attribute {proto.name} refers to a function's attribute outside of a function"
        )
    value = get_attribute_value(proto)
    match proto.type:
        case AttributeProto.STRING:
            return value.decode("utf-8", "replace")
        case AttributeProto.STRINGS:
            return [text.decode("utf-8", "replace") for text in value]
        case AttributeProto.TENSOR:
            return _array(value, folder)
        case AttributeProto.GRAPH:
            return _graph(value, opset, folder)
        case AttributeProto.FLOATS | AttributeProto.INTS:
            return list(value)
        case AttributeProto.FLOAT | AttributeProto.INT:
            return value
    raise ModelError(f"node {node}: attribute {proto.name} has a type that is not read")


def _declared(value: ValueInfoProto) -> Declared:
    """Return a declaration; text of no meaning as a length, such as ``?`` or -1, is no name."""
    if value.type.WhichOneof("value") != "tensor_type":
        if value.type.WhichOneof("value") is None:
            return Declared(value.name, None, None)
        raise ModelError(f"{value.name} is not a tensor")
    tensor = value.type.tensor_type
    dtype = np.dtype(tensor_dtype_to_np_dtype(tensor.elem_type)) if tensor.elem_type else None
    if not tensor.HasField("shape"):
        return Declared(value.name, dtype, None)
    shape: list[int | str | None] = []
    for dim in tensor.shape.dim:
        if dim.HasField("dim_value"):
            shape.append(int(dim.dim_value) if dim.dim_value >= 0 else None)
        else:
            shape.append(dim.dim_param if any(c.isalpha() for c in dim.dim_param) else None)
    return Declared(value.name, dtype, tuple(shape))
