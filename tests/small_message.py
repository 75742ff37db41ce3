"""For the tests: a small message, its sidecar and the ONNX model that it says; receivers that pretend."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from isagoge.spec.bits import Encoder
from isagoge.spec.notation import parse
from isagoge.spec.terms import Define
from isagoge.verify.catalogue import Receiver

SECTIONS = {
    "primer": "1 = 1. two := 1 + 1. two = 2.",
    "library": "double(a) := array(length(a), i ↦ a[i] × two). double([1, 3]) = [2, 6].",
    "weights": "one := 1.",
    "model": "model(x, y) := [double(x), [x[0] + y[0] + one]].",
    "vectors": "block := double([5]). block = [10]. model([5, 6], [7]) = [[10, 12], [13]].",
}


@dataclass(frozen=True)
class Small:
    """Where the message lies, and what is in its sidecar."""

    path: Path
    raw: dict[str, Any]
    spans: list[tuple[int, int]]

    def rewrite(self) -> None:
        """Write the sidecar again, after a change."""
        self.path.with_suffix(".json").write_text(json.dumps(self.raw), "utf-8")

    def flip(self, bit: int) -> None:
        """Turn one bit of the message."""
        data = bytearray(self.path.read_bytes())
        data[bit // 8] ^= 0x80 >> bit % 8
        self.path.write_bytes(data)


def small(folder: Path, **changed: str) -> Small:
    """Write the message and its sidecar into a folder; ``changed`` replaces the text of sections."""
    encoder, names, sections, titles = Encoder(), [], [], []
    for section, text in {**SECTIONS, **changed}.items():
        first = len(encoder.spans)
        for statement in parse(text):
            encoder.statement(statement)
            if isinstance(statement, Define):
                names.append(statement.name)
        sections.append(
            {"name": section, "first": first, "statements": len(encoder.spans) - first, "bits": 0}
        )
        titles.append([first, f"About {section}"])
    path = folder / "small.isa"
    path.write_bytes(encoder.writer.bytes())
    raw = {
        "isagoge": "0.1.0",
        "message": {
            "file": path.name,
            "bits": len(encoder.writer),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        },
        "statements": len(encoder.spans),
        "sections": sections,
        "titles": titles,
        "english": {"0": "One is one.", "4": "Doubling one and three gives two and six."},
        "names": names,
        "model": {
            "name": "model",
            "source": "small.onnx",
            "sha256": "",
            "inputs": [
                {"name": "x", "dtype": "int64", "shape": ["n"]},
                {"name": "y", "dtype": "int64", "shape": [1]},
            ],
            "outputs": [
                {"name": "doubled", "dtype": "int64", "shape": ["n"]},
                {"name": "a/sum:0", "dtype": "int64", "shape": [1]},
            ],
        },
        "blocks": [{"name": "block1", "nodes": [], "check": 8}],
        "vectors": [{"inputs": [], "outputs": 9, "tolerance": 1e-5}],
        "payload": None,
    }
    found = Small(path, raw, encoder.spans)
    found.rewrite()
    return found


def small_model(folder: Path, factor: int = 2) -> Path:
    """Write the model that the small message says, or with another factor one that it does not say."""
    constants = [
        helper.make_tensor("factor", TensorProto.INT64, [1], [factor]),
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
    ]
    nodes = [
        helper.make_node("Mul", ["x", "factor"], ["doubled"]),
        helper.make_node("Gather", ["x", "zero"], ["first"]),
        helper.make_node("Add", ["first", "y"], ["part"]),
        helper.make_node("Add", ["part", "one"], ["a/sum:0"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [
            helper.make_tensor_value_info("x", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("y", TensorProto.INT64, [1]),
        ],
        [
            helper.make_tensor_value_info("doubled", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("a/sum:0", TensorProto.INT64, [1]),
        ],
        constants,
    )
    path = folder / f"small{factor}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def pretender(folder: Path, name: str, program: str, seconds: float = 20.0) -> Receiver:
    """Return a receiver whose program is the given Python text."""
    source = folder / f"{name}.py"
    source.write_text(program, "utf-8")
    run = ("{tool}", "-I", "-S", "{source}")
    return Receiver(name, "Python", source, ("python3",), "", run, seconds=seconds)


def reciter(folder: Path, name: str, lines: list[str], status: int, seconds: float = 20.0) -> Receiver:
    """Return a receiver that writes the given lines, whatever it is asked, and exits with the status."""
    text = "".join(line + "\n" for line in lines)
    return pretender(folder, name, f"print({text!r}, end='')\nraise SystemExit({status})\n", seconds)
