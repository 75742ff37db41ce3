"""Constant folding: nodes whose inputs are all known are evaluated once, here, and not in the message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from .lowering import Node

ALWAYS = 4096
"""Results of up to this many bytes are kept whatever the inputs are; larger ones only if the inputs are as
large.
"""

RANDOM = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"}
)


def fold(node: Node, given: Sequence[npt.NDArray[Any] | None]) -> list[npt.NDArray[Any]] | None:
    """Return a node's outputs, computed by ONNX's reference implementation, or None where it is better left
    in the model.

    ``given`` are the inputs, None for one that is left out. A result much larger than what it is made from is
    not kept: the message says how to make it.

    >>> node = Node("Range", "", "r", ["a", "b", "c"], ["d"], {}, 17)
    >>> fold(node, [np.int64(1), np.int64(7), np.int64(2)])
    [array([1, 3, 5])]
    """
    if node.domain or node.operator in RANDOM:
        return None
    size = sum(array.nbytes for array in given if array is not None)
    if _large(node, given, max(ALWAYS, size)):
        return None
    names = [name if array is not None else "" for name, array in zip(node.inputs, given, strict=True)]
    attributes = {k: _packed(v) for k, v in node.attributes.items()}
    proto = helper.make_node(node.operator, names, node.outputs, **attributes)
    feeds = {name: np.asarray(array) for name, array in zip(names, given, strict=True) if array is not None}
    declared = [
        helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for k, v in feeds.items()
    ]
    wanted = [
        helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.outputs if name
    ]
    graph = helper.make_graph([proto], "one", declared, wanted)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", node.version)])
    try:
        results = ReferenceEvaluator(model).run(None, feeds)
    except (
        Exception
    ):  # the reference implementation raises all sorts of things; the node then stays in the model
        return None
    arrays = [np.asarray(result) for result in results]
    if any(array.nbytes > max(ALWAYS, size) or array.dtype.kind not in "fiub" for array in arrays):
        return None
    return arrays


def _large(node: Node, given: Sequence[npt.NDArray[Any] | None], limit: int) -> bool:
    """Tell, before anything is computed, whether an operator that fills a shape given as data would fill a
    large one.
    """
    at = {"ConstantOfShape": 0, "Expand": 1}.get(node.operator)
    shape = given[at] if at is not None and at < len(given) else None
    if shape is not None:
        return float(np.prod(shape.astype(np.float64))) * 4 > limit
    if node.operator == "Range" and all(array is not None for array in given):
        start, stop, step = (float(array) for array in given if array is not None)
        return step != 0 and (stop - start) / step * 4 > limit
    if node.operator == "Tile" and given[0] is not None and given[1] is not None:
        return float(np.prod(given[1].astype(np.float64))) * given[0].nbytes > limit
    return False


def _packed(value: Any) -> Any:
    return numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
