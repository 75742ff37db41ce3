"""From an ONNX file to a message: blocks, test vectors, odd tensors, and what is left on disk."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from isagoge.emitter.blocks import blocks, model_definition
from isagoge.emitter.evaluate import Evaluator, from_array, to_array
from isagoge.emitter.generate import Options, generate
from isagoge.emitter.graph import load
from isagoge.emitter.lanes import Ragged
from isagoge.emitter.lower import lower
from isagoge.emitter.vectors import TooFar
from isagoge.primer import linker
from isagoge.spec.bits import Decoder
from isagoge.spec.terms import Claim, Name, apply
from isagoge.verify import catalogue, drive

DIGITS = Path(__file__).parent.parent / "emitter" / "embedded" / "digits_decoder.onnx"
Array = npt.NDArray[Any]


def save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, list[int | str]],
    outputs: list[str],
    weights: dict[str, Array],
    dtype: int = TensorProto.FLOAT,
) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, dtype, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, dtype, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def branching(folder: Path) -> Path:
    """A model whose values are used late and more than once, with two outputs of different rank."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Add", ["b", "x"], ["c"]),
        helper.make_node("Tanh", ["c"], ["d"]),
        helper.make_node("Mul", ["d", "a"], ["e"]),
        helper.make_node("Sub", ["e", "x"], ["f"]),
        helper.make_node("Add", ["f", "b"], ["y"]),
        helper.make_node("ReduceMean", ["y"], ["z"], axes=[1], keepdims=0),
    ]
    w = np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4)
    return save(folder / "branching.onnx", nodes, {"x": ["n", 4]}, ["y", "z"], {"w": w})


def judged(message: Path, receivers: tuple[str, ...] = ("c", "python")) -> None:
    """Assert that the receivers find every statement defined or true."""
    for receiver in catalogue.choose(list(receivers)):
        report = drive.run(receiver.name, catalogue.command(receiver), message, seconds=100)
        assert report.sound, (receiver.name, report.fault, report.failures, report.stderr)


@pytest.mark.parametrize("count", range(1, 10))
def test_any_number_of_blocks_gives_the_same_model(tmp_path: Path, count: int) -> None:
    program = lower(load(branching(tmp_path)))
    parts = blocks(program, count)
    assert [step for part in parts for step in part.steps] == program.steps
    definitions = [*(part.definition() for part in parts), model_definition(program, parts)]
    evaluator = Evaluator([*(e.statement for e in (*linker.lessons(), *linker.library())), *definitions])
    for name, array in program.constants.items():
        evaluator.define(name, from_array(array))
    x = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4)
    evaluator.define("the_input", from_array(x))
    value = evaluator.value(apply("model", Name("the_input")))
    assert isinstance(value, Ragged)
    session = onnxruntime.InferenceSession(str(tmp_path / "branching.onnx"))
    for ours, theirs in zip(map(to_array, value.items), session.run(None, {"x": x}), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_the_message_of_a_branching_model_holds(tmp_path: Path) -> None:
    out = tmp_path / "b.isa"
    sidecar = generate(branching(tmp_path), out, Options(blocks=3, document=False))
    judged(out)
    assert [block["name"] for block in sidecar["blocks"]] == ["block1", "block2", "block3"]
    statements = [statement for statement, _ in Decoder(out.read_bytes()).statements()]
    assert all(isinstance(statements[block["check"]], Claim) for block in sidecar["blocks"])
    assert sum(section["bits"] for section in sidecar["sections"]) == sidecar["message"]["bits"]


def test_a_staged_check_names_the_block_that_is_wrong(tmp_path: Path) -> None:
    out = tmp_path / "b.isa"
    sidecar = generate(branching(tmp_path), out, Options(blocks=3, document=False))
    receiver = catalogue.choose(["c"])[0]
    # A receiver that gets one block wrong is imitated by a message in which one weight is another number.
    spans = [span for _, span in Decoder(out.read_bytes()).statements()]
    weights = next(s for s in sidecar["sections"] if s["name"] == "weights")
    start, stop = spans[weights["first"]]
    data = bytearray(out.read_bytes())
    middle = (start + stop) // 2  # among the raw bits
    for bit in (middle, middle + 32):  # two flips keep the parity
        data[bit // 8] ^= 0x80 >> bit % 8
    report = drive.run("c", catalogue.command(receiver), bytes(data))
    assert report.failures and report.failures[0] == sidecar["blocks"][0]["check"]


def test_numbers_of_all_kinds_as_weights(tmp_path: Path) -> None:
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38], np.float32)
    path = save(
        tmp_path / "odd.onnx", [helper.make_node("Add", ["x", "w"], ["y"])], {"x": [6]}, ["y"], {"w": odd}
    )
    sidecar = generate(
        path, tmp_path / "odd.isa", Options(inputs={"x": np.zeros(6, np.float32)}, document=False)
    )
    judged(tmp_path / "odd.isa")
    assert sidecar["vectors"][0]["absolute"] == 0.0


def test_an_axis_of_length_zero(tmp_path: Path) -> None:
    path = save(
        tmp_path / "empty.onnx",
        [helper.make_node("Relu", ["x"], ["y"])],
        {"x": ["n", 3]},
        ["y"],
        {},
    )
    generate(path, tmp_path / "e.isa", Options(inputs={"x": np.zeros((0, 3), np.float32)}, document=False))
    judged(tmp_path / "e.isa")


def test_a_model_without_inputs(tmp_path: Path) -> None:
    value = numpy_helper.from_array(np.array([1.5, 2.5], np.float32), "v")
    path = save(
        tmp_path / "constant.onnx", [helper.make_node("Constant", [], ["y"], value=value)], {}, ["y"], {}
    )
    generate(path, tmp_path / "c.isa", Options(document=False))
    judged(tmp_path / "c.isa")


def test_integers_are_claimed_exactly(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mul", ["x", "x"], ["s"]), helper.make_node("Sub", ["s", "w"], ["y"])]
    weights = {"w": np.array([5, -7], np.int64)}
    path = save(tmp_path / "int.onnx", nodes, {"x": [2]}, ["y"], weights, TensorProto.INT64)
    inputs = {"x": np.array([-3, 2**20 + 1], np.int64)}
    sidecar = generate(path, tmp_path / "i.isa", Options(inputs=inputs, document=False))
    judged(tmp_path / "i.isa")
    assert sidecar["vectors"][0]["absolute"] == 0.0


def test_the_payload_has_its_name(tmp_path: Path) -> None:
    codes = np.load(DIGITS.with_name("codes.npz"))["codes"]
    sidecar = generate(DIGITS, tmp_path / "d.isa", Options(payload={"code": codes}, document=False))
    assert sidecar["payload"] == {"input": "code", "definition": "payload", "rows": 20}
    assert "payload" in sidecar["names"]


def test_a_tolerance_that_cannot_be_kept_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "d.isa"
    with pytest.raises(TooFar, match="state another tolerance"):
        generate(DIGITS, out, Options(tolerance=1e-12))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"cod": np.zeros((1, 6), np.float32)}, "no input 'cod'"),
        ({"code": np.zeros((1, 6))}, "float64"),
        ({"code": np.zeros((1, 7), np.float32)}, "shape"),
        ({"code": np.zeros(6, np.float32)}, "shape"),
    ],
)
def test_wrong_inputs_are_named(tmp_path: Path, inputs: dict[str, Array], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        generate(DIGITS, tmp_path / "d.isa", Options(inputs=inputs))
    assert list(tmp_path.iterdir()) == []


def test_the_sidecar_is_json_with_finite_numbers(tmp_path: Path) -> None:
    generate(DIGITS, tmp_path / "d.isa", Options(document=False))

    def refuse(word: str) -> float:
        raise AssertionError(word)

    sidecar = json.loads((tmp_path / "d.json").read_text("utf-8"), parse_constant=refuse)
    assert all(math.isfinite(vector["relative"]) for vector in sidecar["vectors"])


# The peak of this process alone: what getrusage tells includes that of the process it was forked from.
MEMORY = """
import re, sys
from pathlib import Path
from isagoge.emitter.generate import generate
generate(Path(sys.argv[1]), Path(sys.argv[2]))
print(re.search("VmHWM:[^0-9]*([0-9]+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from Linux's /proc")
def test_memory_is_at_most_three_times_the_file_and_300_megabytes(tmp_path: Path) -> None:
    weights = {name: np.zeros((1800, 1800), np.float32) for name in ("a", "b", "c")}
    rng = np.random.default_rng(0)
    for array in weights.values():
        array[:] = rng.standard_normal(array.shape, np.float32) / 40
    nodes = [
        helper.make_node("MatMul", [before, name], [f"v{name}"])
        for before, name in (("x", "a"), ("va", "b"), ("vb", "c"))
    ]
    path = save(tmp_path / "large.onnx", nodes, {"x": [1, 1800]}, ["vc"], weights)
    words = [sys.executable, "-c", MEMORY, str(path), str(tmp_path / "large.isa")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    kilobytes = int(done.stdout.split()[-1])
    assert kilobytes * 1024 <= 3 * path.stat().st_size + 300e6
