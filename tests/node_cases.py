"""The nodes that ``test_lowering`` checks: each operator with its options, on tiny tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from onnx import numpy_helper

Array = npt.NDArray[Any]
RNG = np.random.default_rng(7)


def floats(*shape: int) -> Array:
    """Numbers of both signs, none very small."""
    return np.asarray((RNG.standard_normal(shape) * 2).astype(np.float32))


def positive(*shape: int) -> Array:
    return np.asarray(np.abs(RNG.standard_normal(shape)) + 0.25).astype(np.float32)


def whole(*values: int) -> Array:
    return np.array(values, np.int64)


def counting(*shape: int, dtype: Any = np.int64) -> Array:
    return np.arange(math.prod(shape)).reshape(shape).astype(dtype)


Case = tuple[str, list[Array | None], set[int], dict[str, Any], int]


def case(
    operator: str,
    *inputs: Array | None,
    constant: set[int] | None = None,
    version: int = 17,
    **attributes: Any,
) -> Any:
    options = ",".join(f"{k}={v}" for k, v in attributes.items())
    shapes = "x".join(str(list(a.shape)) if a is not None else "-" for a in inputs)
    name = f"{operator}-{version}-{shapes}-{options}-{sorted(constant or ())}"
    return pytest.param((operator, list(inputs), constant or set(), attributes, version), id=name[:100])


def elementwise() -> Iterator[Any]:
    for name in ("Add", "Sub", "Mul", "Div"):
        yield case(name, floats(2, 3), floats(2, 3))
        yield case(name, floats(2, 3), floats(3))
        yield case(name, floats(2, 1, 3), floats(4, 1))
        yield case(name, floats(2, 3), np.asarray(np.float32(0.1)), constant={1})
        yield case(name, np.asarray(np.float32(0.1)), floats(2, 3), constant={0})
        yield case(name, floats(3), floats(1, 1, 1), constant={1})
        yield case(name, floats(), floats())
        yield case(name, whole(7, -7, 9), whole(2, 2, -4))
        yield case(name, floats(2, 3).astype(np.float64), floats(3).astype(np.float64))
    for name in (
        "Neg",
        "Abs",
        "Floor",
        "Ceil",
        "Round",
        "Sign",
        "Relu",
        "Exp",
        "Tanh",
        "Sigmoid",
        "Erf",
        "Softplus",
    ):
        yield case(name, floats(2, 3))
    for name in (
        "Softsign",
        "Sin",
        "Cos",
        "Tan",
        "Atan",
        "Sinh",
        "Cosh",
        "Asinh",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Celu",
    ):
        yield case(name, floats(2, 3))
    for name in ("HardSigmoid", "HardSwish", "ThresholdedRelu"):
        yield case(name, floats(2, 3))
    yield case("Round", np.array([0.5, 1.5, 2.5, -0.5, -1.5], np.float32))
    yield case("Mish", floats(2, 3), version=18)
    yield case("Gelu", floats(4), version=20)
    yield case("Gelu", floats(4), version=20, approximate="tanh")
    for name in ("Sqrt", "Log", "Reciprocal"):
        yield case(name, positive(2, 3))
    for name in ("Asin", "Acos", "Atanh"):
        yield case(name, np.array([-0.9, 0.0, 0.3], np.float32))
    yield case("Acosh", positive(3) + 1)
    yield case("LeakyRelu", floats(1, 2, 2, 2), alpha=0.3)
    yield case("Elu", floats(4), alpha=0.7)
    yield case("Selu", floats(4), alpha=1.2, gamma=0.5)
    yield case("HardSigmoid", floats(2, 3), alpha=0.3, beta=0.4)
    yield case("PRelu", floats(2, 3, 2), floats(3, 1), constant={1})
    yield case("Clip", floats(8), version=10, min=-0.5, max=0.75)
    yield case("Clip", floats(8), version=10, min=-0.5)
    yield case("Clip", floats(8), np.asarray(np.float32(-1)), None)
    yield case("Clip", floats(8), None, np.asarray(np.float32(1)), constant={2})
    yield case("Clip", floats(8), np.asarray(np.float32(0)), np.asarray(np.float32(6)), constant={1, 2})
    yield case("Clip", whole(-5, 3, 9), np.asarray(np.int64(-1)), np.asarray(np.int64(4)), constant={1, 2})
    for name in ("Min", "Max", "Sum", "Mean"):
        yield case(name, floats(2, 3), floats(3))
        yield case(name, floats(2, 3), floats(3), floats(2, 1))
        yield case(name, floats(2, 3), floats(3), floats(2, 1), floats(1))
        yield case(name, floats(2))
    yield case("Max", floats(2, 3), np.asarray(np.float32(0.5)), constant={1})
    for value in (0.0, 1.0, 2.0, 3.0, 4.0, 0.5, -1.0, 2.5, -0.5):
        yield case("Pow", positive(2, 2), np.asarray(np.float32(value)), constant={1})
    yield case("Pow", positive(2, 2), floats(2))
    yield case("Pow", whole(2, -3, 5), whole(3, 3, 2))
    yield case("Pow", floats(3), np.asarray(np.int64(3)), constant={1})
    yield case("Mod", whole(7, -7, 7, -7), whole(3, 3, -3, -3))
    yield case("Mod", whole(7, -7, 7, -7), whole(3, 3, -3, -3), fmod=1)
    yield case("Mod", floats(4) * 5, np.array([1.5, 1.5, -1.5, -1.5], np.float32), fmod=1)


def logic() -> Iterator[Any]:
    bits, others = np.array([[0, 0, 1, 1]], bool), np.array([0, 1, 0, 1], bool)
    for name in ("And", "Or", "Xor", "Equal"):
        yield case(name, bits, others)
    yield case("Not", bits)
    strange = np.array([np.nan, np.inf, -np.inf, 0, 1], np.float32)
    for name in ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"):
        yield case(name, strange, np.array([np.nan, np.inf, 0, 0, 2], np.float32))
        yield case(name, whole(1, 2, 3), np.asarray(np.int64(2)), constant={1})
        yield case(name, np.asarray(np.int64(2)), whole(1, 2, 3), constant={0})
    yield case("IsNaN", strange)
    yield case("IsInf", strange)
    yield case("IsInf", strange, detect_positive=0)
    yield case("IsInf", strange, detect_negative=0)
    yield case("Where", bits, floats(2, 4), floats(4))
    yield case("Where", bits, floats(2, 4), np.asarray(np.float32(-1e9)), constant={2})
    yield case("Where", bits, np.asarray(np.float32(0.5)), floats(2, 4), constant={1})
    kinds = {"f4": 1, "u1": 2, "i1": 3, "i4": 6, "i8": 7, "b1": 9, "f2": 10, "f8": 11}
    sources = {
        "f4": np.array([1.7, -1.7, 0, 0.1, 100], np.float32),
        "i8": np.array([0, 1, -1, 127, 16777217]),
        "b1": np.array([0, 1], bool),
        "f8": np.array([0.1, 1e-3, -2.5]),
    }
    for source, array in sources.items():
        for target, to in kinds.items():
            if not (source[0] == "f" and target == "u1"):  # of numbers less than 0 nothing is said
                yield case("Cast", array, to=to)
    yield case("CastLike", sources["f4"], whole(1))
    for name in ("Identity", "Dropout"):
        yield case(name, floats(2, 2))


def reductions() -> Iterator[Any]:
    for name in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSumExp", "LogSum"):
        for axes in ([0], [1], [2], [0, 2], [1, 2], [-1], None):
            for keep in (0, 1):
                x = positive(2, 3, 2)
                if name == "Sum":
                    yield case("ReduceSum", x, whole(*axes) if axes else None, constant={1}, keepdims=keep)
                else:
                    options: dict[str, Any] = {} if axes is None else {"axes": axes}
                    yield case(f"Reduce{name}", x, keepdims=keep, **options)
    yield case("ReduceMean", floats(2, 3), whole(1), constant={1}, version=18)
    yield case("ReduceSum", floats(2, 3), version=13, noop_with_empty_axes=1)
    yield case("ReduceSum", floats(2, 3), version=11, axes=[0])
    yield case("ReduceSum", counting(2, 3), version=13)
    yield case("ReduceMax", counting(2, 3), axes=[1])
    for name in ("ArgMax", "ArgMin"):
        x = np.array([[1, 5, 5], [2, 2, 0]], np.float32)
        for axis in (0, 1, -1):
            for last in (0, 1):
                yield case(name, x, axis=axis, select_last_index=last)
        yield case(name, x, keepdims=0)
    for axis in (0, 1, -1):
        for exclusive in (0, 1):
            for back in (0, 1):
                place = np.asarray(np.int64(axis))
                yield case("CumSum", floats(2, 3), place, constant={1}, exclusive=exclusive, reverse=back)
    for name in ("Softmax", "LogSoftmax"):
        for version in (11, 13):
            yield case(name, floats(2, 3, 2), version=version)
            for axis in (0, 1, 2, -1):
                yield case(name, floats(2, 3, 2), version=version, axis=axis)
        yield case(name, floats(4), axis=0)


def shapes() -> Iterator[Any]:
    x = floats(2, 3, 4)
    yield case("Shape", x)
    yield case("Shape", x, start=1)
    yield case("Shape", x, start=-2, end=-1)
    yield case("Size", x)
    targets = (
        [24],
        [6, 4],
        [2, 12],
        [0, -1],
        [-1, 0, 4],
        [2, 3, 2, 2],
        [2, 1, 3, 4],
        [1, 24],
        [4, 3, 2],
        [-1],
        [3, -1, 1],
    )
    for target in (*targets, [2, 3, 4, 1], [1, 2, 3, 4], [0, 0, 2, -1]):
        yield case("Reshape", x, whole(*target), constant={1})
        yield case("Reshape", x, whole(*target))
    yield case("Reshape", floats(1, 1), np.zeros(0, np.int64), constant={1})
    yield case("Reshape", floats(), whole(1, 1), constant={1})
    yield case("Reshape", floats(1, 3, 1), whole(3), constant={1})
    for axis in (0, 1, 2, 3, -1):
        yield case("Flatten", x, axis=axis)
    yield case("Squeeze", floats(1, 2, 1), version=11)
    yield case("Squeeze", floats(1, 2, 1), version=11, axes=[0])
    yield case("Squeeze", floats(2, 1, 1), whole(-1, 1), constant={1})
    yield case("Squeeze", floats(1, 1), whole(0, 1), constant={1})
    yield case("Unsqueeze", floats(2, 3), version=11, axes=[0, 3])
    yield case("Unsqueeze", floats(2, 3), whole(-1, 1), constant={1})
    yield case("Unsqueeze", floats(), whole(0), constant={1})
    for order in ([0, 1, 2], [1, 0, 2], [0, 2, 1], [2, 0, 1], [1, 2, 0], [2, 1, 0]):
        yield case("Transpose", x, perm=order)
    yield case("Transpose", x)
    yield case("Transpose", floats(2, 3, 1, 2), perm=[0, 3, 1, 2])
    yield case("Transpose", floats(2, 3, 1, 2), perm=[2, 1, 0, 3])
    for axis in (0, 1, -1):
        shape = [2, 2, 2]
        parts = []
        for n in (1, 2, 3):
            shape[axis] = n
            parts.append(floats(*shape))
        yield case("Concat", *parts, axis=axis)
        yield case("Concat", *parts, axis=axis, constant={1})
    yield case("Concat", floats(3), axis=0)
    yield case("Split", floats(6, 2), outputs=3)
    yield case("Split", floats(2, 5), whole(2, 3), constant={1}, axis=1, outputs=2)
    yield case("Split", floats(2, 5), whole(2, 3), axis=-1, outputs=2)
    yield case("Split", floats(5, 2), version=11, split=[1, 4], outputs=2)
    yield case("Split", floats(7), version=18, num_outputs=3, outputs=3)
    yield case("Tile", floats(2, 3), whole(2, 3), constant={1})
    yield case("Tile", floats(2, 3), whole(1, 2))
    yield case("Expand", floats(3, 1), whole(2, 1, 4), constant={1})
    yield case("Expand", floats(3, 1), whole(2, 1, 4))
    yield case("Expand", floats(3, 4), whole(1), constant={1})
    yield case("Expand", floats(3, 4), whole(3, 1))
    yield case("ConstantOfShape", whole(2, 3))
    yield case("ConstantOfShape", whole(2), value=numpy_helper.from_array(whole(7)))
    yield case("Range", *(np.asarray(np.int64(n)) for n in (2, 11, 3)))
    yield case("Range", *(np.asarray(np.int64(n)) for n in (5, -2, -2)))
    yield case("Range", *(np.asarray(np.int64(n)) for n in (5, 2, 1)))
    yield case("Range", *(np.asarray(np.float32(n)) for n in (0.5, 2, 0.3)))
    yield case("EyeLike", floats(2, 3), k=1)
    yield case("DepthToSpace", floats(1, 8, 2, 3), blocksize=2)
    yield case("DepthToSpace", floats(1, 8, 2, 3), blocksize=2, mode="CRD")
    yield case("SpaceToDepth", floats(1, 2, 4, 6), blocksize=2)


def indexing() -> Iterator[Any]:
    x = floats(4, 5)
    far = 2**63 - 1
    bounds = [
        ([1], [3], [0], [1]),
        ([0, 1], [far, -1], [0, 1], [1, 2]),
        ([-1], [-far], [1], [-1]),
        ([3], [0], [0], [-2]),
        ([-99], [99], [1], [1]),
        ([2], [2], [0], [1]),
        ([99], [-99], [-1], [-3]),
        ([-3], [far], [1], [1]),
    ]
    for parts in bounds:
        yield case("Slice", x, *(whole(*part) for part in parts), constant={1, 2, 3, 4})
        yield case("Slice", x, *(whole(*part) for part in parts), constant={3, 4})
        yield case("Slice", x, *(whole(*part) for part in parts), constant={3})
    yield case("Slice", x, whole(1, 1), whole(3, 4), constant={1, 2})
    yield case("Slice", x, version=9, starts=[0, -2], ends=[2, far], axes=[0, 1])
    for index in (
        whole(0, -1),
        np.asarray(np.int64(1)),
        np.asarray(np.int64(-1)),
        whole(2, 0, 1, 1).reshape(2, 2),
    ):
        for axis in (0, 1):
            yield case("Gather", x, index, constant={1}, axis=axis)
            yield case("Gather", x, index, axis=axis)
    yield case("Gather", x, whole(1, 3), constant={0})
    yield case("GatherElements", x, whole(0, -1, 2, 1, 3, 0).reshape(2, 3), axis=0)
    yield case("GatherElements", x, whole(0, -1, 2, 1).reshape(4, 1), axis=1)
    yield case("GatherND", counting(2, 2, 2), whole(0, 1, 1, 0).reshape(2, 2))
    yield case("GatherND", counting(2, 2, 2), whole(1, 0).reshape(2, 1), batch_dims=1)
    yield case("GatherND", counting(2, 3), whole(1, -1))
    yield case("ScatterElements", x, counting(2, 5) % 4, floats(2, 5), axis=0)
    yield case("ScatterElements", x, whole(1, -1, 0, 3).reshape(4, 1), floats(4, 1), axis=1)
    yield case("ScatterElements", x, np.zeros((3, 5), np.int64), floats(3, 5), version=18, reduction="add")
    yield case("ScatterElements", x, np.zeros((3, 5), np.int64), floats(3, 5), version=18, reduction="max")
    yield case("ScatterND", floats(4, 3), whole(3, 1).reshape(2, 1), floats(2, 3))
    yield case("ScatterND", floats(4, 3), whole(3, 1, 0, -1).reshape(2, 2), floats(2))
    yield case(
        "ScatterND", floats(4, 3), whole(1, 1).reshape(2, 1), floats(2, 3), version=16, reduction="add"
    )
    for mode in ("constant", "edge", "reflect"):
        yield case("Pad", floats(3, 4), whole(1, 2, 0, 1), constant={1}, mode=mode)
        yield case("Pad", floats(3, 4), whole(1, 2, 0, 1), mode=mode)
        yield case("Pad", floats(2, 3, 4), whole(0, 1, 2, 0, 2, 1), constant={1}, mode=mode)
    yield case("Pad", floats(3, 4), whole(1, 2, 0, 1), np.asarray(np.float32(0.1)), constant={1, 2})
    yield case("Pad", floats(3, 4), whole(1, 2, 0, 1), np.asarray(np.float32(0.1)), constant={1})
    yield case("Pad", floats(3, 4), whole(-1, 1, 0, -1), constant={1})
    yield case("Pad", floats(3, 4), whole(1, 2), None, whole(1), constant={1, 3}, version=18)
    yield case("Pad", floats(3, 4), whole(1, 2), None, whole(-1), constant={1, 3}, version=19, mode="wrap")
    yield case("Pad", floats(3, 4), version=10, pads=[0, 1, 1, 0], value=2.5)
    values = np.array([0.25, 3], np.float32)
    for axis in (-1, 0, 1):
        yield case("OneHot", counting(2, 3) - 2, np.asarray(np.int64(4)), values, constant={1, 2}, axis=axis)
    yield case("OneHot", counting(2, 3) - 2, np.asarray(np.int64(4)), values)
    yield case("Trilu", floats(3, 4))
    yield case("Trilu", floats(2, 3, 4), np.asarray(np.int64(-1)), upper=0)
    yield case("Trilu", floats(3, 4), np.asarray(np.int64(1)), constant={1})
    for axis in (0, 1):
        yield case("TopK", floats(4, 5), whole(3), constant={1}, axis=axis, outputs=2)
        yield case("TopK", np.round(floats(4, 5)), whole(3), axis=axis, largest=0, outputs=2)
    yield case("ReverseSequence", floats(4, 3), whole(1, 4, 2))
    yield case("ReverseSequence", floats(3, 4, 2), whole(1, 4, 2), batch_axis=0, time_axis=1)


def matrices() -> Iterator[Any]:
    pairs = [
        ((2, 3), (3, 4)),
        ((2, 2, 3), (3, 4)),
        ((2, 2, 3), (2, 3, 2)),
        ((2, 1, 2, 3), (3, 3, 2)),
        ((3,), (3, 2)),
    ]
    for a, b in [
        *pairs,
        ((2, 3), (3,)),
        ((3,), (3,)),
        ((3,), (2, 3, 2)),
        ((2, 2, 3), (3,)),
        ((2, 3), (2, 3, 2)),
    ]:
        yield case("MatMul", floats(*a), floats(*b))
        yield case("MatMul", floats(*a), floats(*b), constant={1})
        yield case("MatMul", floats(*a), floats(*b), constant={0})
    yield case("MatMul", floats(2, 3).astype(np.float64), floats(3, 2).astype(np.float64))
    yield case("MatMul", counting(2, 3), counting(3, 2))
    small = counting(2, 3, dtype=np.uint8), counting(3, 2, dtype=np.uint8)
    yield case("MatMulInteger", *small)
    yield case("MatMulInteger", *small, np.asarray(np.uint8(3)), np.asarray(np.uint8(2)))
    yield case("MatMulInteger", *small, np.asarray(np.uint8(3)), np.asarray(np.uint8(2)), constant={1, 3})
    for left, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        first, second = floats(*((3, 2) if left else (2, 3))), floats(*((4, 3) if right else (3, 4)))
        for c in (None, floats(4), floats(1, 4), floats(2, 4), floats(2, 1), floats(1), floats()):
            for constant in (set[int](), {1, 2}):
                yield case("Gemm", first, second, c, constant=constant, transA=left, transB=right)
        yield case("Gemm", first, second, floats(4), transA=left, transB=right, alpha=0.5, beta=0.3)
        yield case("Gemm", first, second, transA=left, transB=right, alpha=0.5)
    equations: dict[str, list[tuple[int, ...]]] = {
        "ij,jk->ik": [(2, 3), (3, 4)],
        "ij,jk": [(2, 3), (3, 4)],
        "bij,bkj->bik": [(2, 2, 3), (2, 4, 3)],
        "...ij,...jk->...ik": [(2, 2, 3), (2, 3, 2)],
        "ii": [(3, 3)],
        "ij->ji": [(2, 3)],
        "ij->": [(2, 3)],
        "i,j->ij": [(2,), (3,)],
        "bhnd,bhmd->bhnm": [(1, 2, 2, 3), (1, 2, 4, 3)],
        "ij,ij->i": [(2, 3), (2, 3)],
        "ij,jk,kl->il": [(2, 2), (2, 3), (3, 2)],
    }
    for equation, parts in equations.items():
        yield case("Einsum", *(floats(*part) for part in parts), equation=equation)


def quantised() -> Iterator[Any]:
    x, scale = floats(2, 3, 2), np.asarray(np.float32(0.04))
    scales, zeros = np.array([0.1, 0.02, 0.5], np.float32), np.array([3, 0, 9], np.uint8)
    for constant in (set[int](), {1, 2}):
        yield case("QuantizeLinear", x, scale, np.asarray(np.uint8(120)), constant=constant)
        yield case("QuantizeLinear", x, scale, np.asarray(np.int8(-3)), constant=constant)
        yield case("QuantizeLinear", x, scales, zeros, constant=constant)
        whole_x = counting(2, 3, 2, dtype=np.uint8)
        yield case("DequantizeLinear", whole_x, scale, np.asarray(np.uint8(7)), constant=constant)
        yield case("DequantizeLinear", whole_x, scales, zeros, constant=constant, axis=1)
    yield case("QuantizeLinear", x, scale)
    yield case("DequantizeLinear", counting(4, dtype=np.int8), scale)
    yield case("DequantizeLinear", counting(4, dtype=np.int32), scale, np.asarray(np.int32(0)), constant={2})
    yield case("DynamicQuantizeLinear", x, outputs=3)


ALL = [*quantised(), *elementwise(), *logic(), *reductions(), *shapes(), *indexing(), *matrices()]
