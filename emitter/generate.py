"""ONNX file -> message, sidecar and the decoder specification of this message."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from isagoge.primer import linker
from isagoge.spec.terms import Define, Fn, Name, Statement, free_names

from .blocks import Block, blocks, model_definition
from .document import write_document
from .evaluate import Run
from .graph import load
from .lower import lower
from .message import Message, written_beside
from .program import Program
from .tensors import FORMATS, tensor_term
from .vectors import VectorWriter, random_inputs

UNROUNDED = Define("f32", Fn(("x",), Name("x")))
"""Put after the library, it makes all float32 tensors binary64: the outputs that rounding errors are measured
against.
"""


@dataclass(slots=True)
class Options:
    """What a message should hold.

    ``inputs`` (by ONNX name) make the staged test vector, ``second`` the one for the model as one function;
    what is not given is random, but given ``inputs`` alone serve both. ``payload`` is a second vector under
    the name ``payload``. ``tolerance`` is the stated relative distance to ONNX Runtime. Without ``vectors``
    the message has none. ``progress`` is told what is being done.
    """

    inputs: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    second: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    payload: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    seed: int = 0
    blocks: int | None = None
    tolerance: float = 1e-5
    vectors: bool = True
    document: bool = True
    licence: str | None = None
    progress: Callable[[str], None] = lambda text: None


def _library_names(program: Program, definitions: Sequence[Define]) -> set[str]:
    own = {definition.name for definition in definitions} | set(program.constants)
    names = {name for definition in definitions for name in free_names(definition.term)} - own
    ranks = {step.rank for step in program.steps} | {len(tensor.shape) for tensor in program.outputs}
    checks = {f"{check}{rank}" for rank in ranks for check in ("trace", "distance", "within")}
    return names | set(FORMATS) | checks


def _used_constants(program: Program, definitions: Sequence[Define]) -> list[str]:
    """Return the names of the weights in the order of their first use."""
    order: dict[str, None] = {}
    for definition in definitions:
        for name in free_names(definition.term):
            if name in program.constants:
                order[name] = None
    return list(order)


def _complete(
    program: Program, given: Mapping[str, npt.NDArray[Any]], seed: int
) -> dict[str, npt.NDArray[Any]]:
    """Return inputs for all of the model's inputs, random where none is given. Raises ``ValueError`` for a
    wrong one.
    """
    known = {tensor.name: tensor for tensor in program.inputs}
    for name, array in given.items():
        if name not in known:
            raise ValueError(f"the model has no input {name!r}; its inputs are {', '.join(known)}")
        tensor = known[name]
        if array.dtype != tensor.dtype:
            raise ValueError(f"input {name!r} is {array.dtype}, the model wants {tensor.dtype}")
        fixed = [length if isinstance(length, int) else None for length in tensor.shape]
        if len(fixed) != array.ndim or any(
            n not in (None, m) for n, m in zip(fixed, array.shape, strict=False)
        ):
            raise ValueError(f"input {name!r} has shape {array.shape}, the model wants {tensor.shape}")
    missing = [tensor for tensor in program.inputs if tensor.name not in given]
    return {**random_inputs(missing, seed), **given} if missing else dict(given)


def generate(model: Path, out: Path, options: Options | None = None) -> dict[str, Any]:
    """Write the message of an ONNX model to ``out``, its sidecar and its document beside it; return the
    sidecar.

    Raises ``ModelError`` and ``UnsupportedOperators`` for the model, ``ValueError`` for inputs, ``TooFar``
    when outputs are further from ONNX Runtime's than the tolerance, and ``OSError``. Nothing is left
    half-written.
    """
    options = options or Options()
    options.progress("reading the model")
    program = lower(load(model))
    parts = blocks(program, options.blocks)
    definitions = [part.definition() for part in parts]
    definitions.append(model_definition(program, parts))
    lessons = linker.lessons()
    library = linker.link(_library_names(program, definitions))

    message = Message()
    message.section("primer")
    message.add_entries(lessons)
    message.section("library")
    message.add_entries(library)
    message.section("weights", "Weights")
    options.progress("writing the weights")
    for name in _used_constants(program, definitions):
        array = program.constants[name]
        shape = " × ".join(map(str, array.shape))
        message.add(Define(name, tensor_term(array)), f"A tensor of {shape} numbers.")
    message.section("model", "The model")
    for part, definition in zip(parts, definitions, strict=False):
        message.add(definition, _block_english(part))
    message.add(definitions[-1], "The model: from its inputs to the array of its outputs.")

    message.section("vectors", "Test vectors")
    facts: list[dict[str, Any]] = []
    checks: list[int] = []
    if options.vectors:
        statements: list[Statement] = [entry.statement for entry in (*lessons, *library)]
        facts, checks = _vectors(message, program, parts, statements, model, options)

    written = message.write(out)
    with open(model, "rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    sidecar = {
        "isagoge": version("isagoge"),
        "message": written,
        **message.facts(),
        "model": {
            "name": "model",
            "source": model.name,
            "sha256": digest,
            "bytes": model.stat().st_size,
            "parameters": sum(int(array.size) for array in program.constants.values()),
            "opset": program.opset,
            "licence": options.licence,
            "steps": len(program.steps),
            "inputs": [_tensor_facts(tensor) for tensor in program.inputs],
            "outputs": [_tensor_facts(tensor) for tensor in program.outputs],
        },
        "blocks": [
            {
                "name": part.name,
                "nodes": [step.node for step in part.steps],
                "check": check if checks else None,
            }
            for part, check in zip(parts, checks or [-1] * len(parts), strict=True)
        ],
        "vectors": facts,
        "payload": _payload_facts(program, options),
    }
    with written_beside(out.with_suffix(".json"), "w") as file:
        json.dump(sidecar, file, ensure_ascii=False, indent=1)
    if options.document:
        options.progress("writing the document")
        write_document(out, sidecar)
    return sidecar


def _block_english(part: Block) -> str:
    operators = list(dict.fromkeys(step.operator for step in part.steps))
    return f"{part.name}: {', '.join(operators)}."


def _tensor_facts(tensor: Any) -> dict[str, Any]:
    return {"name": tensor.name, "dtype": str(tensor.dtype), "shape": list(tensor.shape)}


def _payload_facts(program: Program, options: Options) -> dict[str, Any] | None:
    if not options.payload or not options.vectors:
        return None
    name = next(iter(options.payload))
    return {"input": name, "definition": "payload", "rows": int(options.payload[name].shape[0])}


def _vectors(
    message: Message,
    program: Program,
    parts: Sequence[Block],
    statements: Sequence[Statement],
    model: Path,
    options: Options,
) -> tuple[list[dict[str, Any]], list[int]]:
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in program.outputs]
    given = {**{"against": f"onnxruntime {onnxruntime.__version__}"}}

    def original(inputs: Mapping[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        wanted = {item.name for item in session.get_inputs()}
        return [np.asarray(y) for y in session.run(names, {k: v for k, v in inputs.items() if k in wanted})]

    between = [value for part in parts for value in part.gives]
    run = Run(program, statements, keep=between)
    writer = VectorWriter(
        message, program, run, lambda: Run(program, [*statements, UNROUNDED]), options.tolerance
    )
    options.progress("computing the staged test vector")
    first = _complete(program, options.inputs, options.seed)
    staged, checks = writer.staged(first, original(first), parts)
    options.progress("computing the second test vector")
    if options.payload:
        second = _complete(program, options.payload, options.seed + 1)
        called = [
            "payload" if tensor.name in options.payload else f"beside_{tensor.value}"
            for tensor in program.inputs
        ]
        whole = writer.whole(second, original(second), called)
    elif options.inputs and not options.second:
        whole = writer.again(staged)
    else:
        second = _complete(program, options.second, options.seed + 1)
        whole = writer.whole(second, original(second))
    return [{**given, **staged}, {**given, **whole}], checks
