"""Reading ONNX files: what is refused and why, external data, functions; and what lowering settles by
itself.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from isagoge.emitter.graph import Graph, ModelError, from_proto, load
from isagoge.emitter.lower import UnsupportedOperators, lower
from isagoge.emitter.program import Program
from isagoge.spec.notation import show

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def made(
    nodes: list[NodeProto],
    inputs: dict[str, tuple[int, list[int | str]]],
    outputs: list[str],
    weights: dict[str, np.ndarray] | None = None,
    version: int = 17,
) -> ModelProto:
    declared = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()]
    results = [onnx.ValueInfoProto(name=name) for name in outputs]
    initializers = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, "g", declared, results, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)


def steps(program: Program) -> list[str]:
    return [f"{step.value} := {show(step.term)}" for step in program.steps]


def lowered(model: ModelProto) -> list[str]:
    return steps(lower(from_proto(model)))


X: dict[str, tuple[int, list[int | str]]] = {"x": (FLOAT, ["n", 4])}
RELU = helper.make_node("Relu", ["x"], ["y"])


def test_a_file_that_is_not_onnx_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    for content in (b"not a model at all", b"", bytes(range(256))):
        file.write_bytes(content)
        with pytest.raises(ModelError, match="not an ONNX model") as caught:
            load(file)
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="No such file"):
        load(tmp_path / "missing.onnx")


@pytest.mark.parametrize("version", [6, 999])
def test_unknown_versions_of_the_operators_are_refused(version: int) -> None:
    with pytest.raises(ModelError, match=f"operator set {version} is not read"):
        from_proto(made([RELU], X, ["y"], version=version))


def test_a_model_without_a_version_is_refused() -> None:
    model = made([RELU], X, ["y"])
    del model.opset_import[:]
    with pytest.raises(ModelError, match="does not say which version"):
        from_proto(model)


def saved_with_external_data(folder: Path) -> Path:
    weight = np.arange(4096, dtype=np.float32).reshape(4, 1024)
    model = made([helper.make_node("MatMul", ["x", "w"], ["y"])], X, ["y"], {"w": weight})
    onnx.save_model(model, folder / "m.onnx", save_as_external_data=True, location="weights.bin")
    return folder / "m.onnx"


def test_external_data_is_read(tmp_path: Path) -> None:
    graph = load(saved_with_external_data(tmp_path))
    np.testing.assert_array_equal(graph.constants["w"], np.arange(4096).reshape(4, 1024))


def test_missing_or_short_external_data_is_named(tmp_path: Path) -> None:
    file = saved_with_external_data(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"short")
    with pytest.raises(ModelError, match=r"weights\.bin ends before the weight w"):
        load(file)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"weights\.bin, which holds the weight w, is missing"):
        load(file)


def test_external_data_outside_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    file = saved_with_external_data(tmp_path / "inner")
    model = onnx.load(file, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "../weights.bin"
    file.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="outside of the model's folder"):
        load(file)


def test_a_weight_that_is_also_an_input_is_a_weight() -> None:
    model = made([helper.make_node("Add", ["x", "w"], ["y"])], {**X, "w": (FLOAT, [4])}, ["y"])
    model.graph.initializer.append(numpy_helper.from_array(np.ones(4, np.float32), "w"))
    assert [declared.name for declared in from_proto(model).inputs] == ["x"]


def test_functions_of_the_model_are_expanded() -> None:
    body = [helper.make_node("Relu", ["a"], ["r"]), helper.make_node("Neg", ["r"], ["b"])]
    function = helper.make_function("own", "Bend", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    model = made([helper.make_node("Bend", ["x"], ["y"], domain="own")], X, ["y"])
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("own", 1))
    assert [node.operator for node in from_proto(model).nodes] == ["Relu", "Neg"]


def test_operators_defined_by_functions_are_expanded_unless_there_is_a_handler() -> None:
    nodes = [
        helper.make_node("HannWindow", ["four"], ["m"]),
        helper.make_node("Mul", ["x", "m"], ["z"]),
        helper.make_node("Softmax", ["z"], ["y"]),
    ]
    operators = [node.operator for node in from_proto(made(nodes, X, ["y"], {"four": np.array(4)})).nodes]
    assert "HannWindow" not in operators
    assert operators[-1] == "Softmax"


def test_all_unsupported_nodes_are_reported_at_once() -> None:
    nodes = [
        helper.make_node("Det", ["x"], ["d"], name="first"),
        helper.make_node("Relu", ["d"], ["e"]),
        helper.make_node("NonZero", ["x"], ["y"], name="second"),
    ]
    with pytest.raises(UnsupportedOperators) as caught:
        lowered(made(nodes, X, ["e", "y"]))
    assert [(operator, name) for operator, name, _ in caught.value.nodes] == [
        ("Det", "first"),
        ("NonZero", "second"),
    ]
    assert "Det (node first)" in str(caught.value)


def test_constants_are_folded_equal_values_shared_and_dead_ones_dropped() -> None:
    nodes = [
        helper.make_node("Add", ["two", "three"], ["five"]),
        helper.make_node("Mul", ["x", "five"], ["a"]),
        helper.make_node("Mul", ["five", "x"], ["b"]),
        helper.make_node("Exp", ["x"], ["dead"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    weights = {"two": np.array(2, np.float32), "three": np.array(3, np.float32)}
    assert lowered(made(nodes, X, ["y"], weights)) == [
        "v_a := map2(mul32(5), x_x)",
        "v_y := zip2(add32, v_a, v_a)",
    ]


def test_a_tensor_that_a_shape_fills_is_not_stored() -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("Concat", ["x", "zeros"], ["y"], axis=0),
    ]
    program = lower(from_proto(made(nodes, X, ["y"], {"shape": np.array([5000, 4])})))
    assert not program.constants
    assert steps(program)[0] == "v_zeros := repeat(repeat(0, 4), 5000)"


def test_shapes_are_followed_symbolically() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Concat", ["n", "two", "two"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    weights = {"zero": np.array([0]), "two": np.array([2])}
    program = lower(from_proto(made(nodes, X, ["y"], weights)))
    assert steps(program) == ["v_y := lift(a ↦ group(a, 2), x_x)"]
    assert program.outputs[0].shape == ("n", 2, 2)


def test_a_shape_given_by_data_is_computed_in_the_message() -> None:
    node = helper.make_node("Reshape", ["x", "s"], ["y"])
    found = lowered(made([node], {**X, "s": (INT64, [2])}, ["y"]))
    assert found[0] == "v_y := lengths([length(x_x), 4], x_s, length(x_x) × 4)"
    assert found[1] == "v_y_2 := group(join(x_x), v_y[1])"


def test_equal_names_within_one_input_are_not_trusted() -> None:
    """Some exporters write the same name for the height and the width of any picture."""
    nodes = [helper.make_node("Transpose", ["x"], ["t"]), helper.make_node("Reshape", ["t", "s"], ["y"])]
    inputs: dict[str, tuple[int, list[int | str]]] = {"x": (FLOAT, ["?", "?"])}
    found = lowered(made(nodes, inputs, ["y"], {"s": np.array([-1])}))
    assert found == ["v_t := swap(x_x)", "v_y := join(v_t)"]


def branch(name: str, nodes: list[NodeProto], output: str) -> onnx.GraphProto:
    return helper.make_graph(nodes, name, [], [onnx.ValueInfoProto(name=output)])


def choice(condition: str, then: NodeProto, other: NodeProto) -> NodeProto:
    return helper.make_node(
        "If",
        [condition],
        ["z"],
        name="choice",
        then_branch=branch("then", [then], then.output[0]),
        else_branch=branch("else", [other], other.output[0]),
    )


def test_a_choice_given_by_data_is_lazy() -> None:
    node = choice("c", helper.make_node("Exp", ["x"], ["a"]), helper.make_node("Neg", ["x"], ["b"]))
    found = lowered(made([node], {**X, "c": (BOOL, [])}, ["z"]))
    assert found == [
        "v_z := if x_c then let v_a := map2(exp32, x_x) in v_a else let v_b := map2(negative, x_x) in v_b"
    ]


def test_a_choice_that_shapes_decide_is_decided() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "one"], ["width"], axis=0),
        helper.make_node("Equal", ["width", "four"], ["c"]),
        choice("c", helper.make_node("Exp", ["x"], ["a"]), helper.make_node("MatMul", ["x", "x"], ["b"])),
    ]
    assert lowered(made(nodes, X, ["z"], {"one": np.array(1), "four": np.array(4)})) == [
        "v_a := map2(exp32, x_x)"
    ]


def test_a_choice_between_ranks_is_taken_where_the_rest_makes_sense() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Equal", ["n", "one"], ["c"]),
        choice(
            "c",
            helper.make_node("Squeeze", ["x", "first"], ["a"]),
            helper.make_node("Identity", ["x"], ["b"]),
        ),
        helper.make_node("Transpose", ["z"], ["y"], perm=[0]),
    ]
    weights = {"zero": np.array(0), "one": np.array(1), "first": np.array([0])}
    assert lowered(made(nodes, X, ["y"], weights)) == [
        "v_a := x_x[0]",
        "v_z := if length(x_x) = 1 then v_a else [][0]",
    ]


def test_the_graph_is_left_as_it_was() -> None:
    graph: Graph = from_proto(made([RELU], X, ["y"]))
    before = (list(graph.nodes), dict(graph.constants))
    lower(graph)
    assert (list(graph.nodes), dict(graph.constants)) == before


def test_the_embedded_model_is_lowered() -> None:
    file = Path(__file__).parents[1] / "emitter" / "embedded" / "digits_decoder.onnx"
    program = lower(load(file))
    assert [tensor.name for tensor in program.outputs] == ["image", "scores"]
    assert [step.operator for step in program.steps].count("Gemm") == 5
