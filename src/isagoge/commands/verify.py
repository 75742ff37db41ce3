"""``isagoge verify``: do receivers find the message true, and agree with each other and the model."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np

from isagoge.emitter.tensors import question
from isagoge.verify import catalogue, tensors
from isagoge.verify.sidecar import Sidecar
from isagoge.verify.tensors import Tensor
from isagoge.verify.verifier import Trial, verify

from .console import (
    UserError,
    add_limits,
    bars,
    conclude,
    count,
    limits_of,
    load_tensors,
    message_file,
    named_file,
    natural,
    positive,
    sidecar_of,
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("message", type=Path, metavar="M.isa")
    parser.add_argument(
        "--model", type=Path, metavar="MODEL.onnx", help="compare with this model in ONNX Runtime"
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        type=named_file,
        metavar="NAME=FILE.npy",
        help="ask for the outputs on this input, instead of random ones (once for each input)",
    )
    parser.add_argument(
        "--samples",
        type=count,
        default=3,
        metavar="N",
        help="how many random inputs to compare on (default 3)",
    )
    parser.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="of the random inputs (default 0)"
    )
    parser.add_argument(
        "--tolerance",
        type=positive,
        metavar="E",
        help="greatest distance from ONNX Runtime, as a share of an output's largest value "
        "(default: what the message states)",
    )
    add_limits(parser)
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON (- for standard output)")


def execute(options: argparse.Namespace) -> int:
    """Verify; 0 holds, 1 does not hold, 2 could not be tried."""
    message = message_file(options.message)
    chosen = catalogue.choose(options.receiver)
    asked = options.model is not None or options.input
    sidecar = sidecar_of(message, "comparing with a model" if asked else "")
    trials = make_trials(options, sidecar) if sidecar and asked else []
    with bars(sidecar.statements if sidecar else None) as shown:
        report = verify(
            message,
            sidecar,
            chosen,
            trials=trials,
            limits=limits_of(options),
            tolerance=options.tolerance,
            progress=shown.tell,
        )
    if not options.receiver:
        report.missing = {r.name: why for r in catalogue.receivers() if (why := r.missing())}
    if sidecar is None:
        report.notes.append(
            f"no sidecar {message.with_suffix('.json')}: that the message is cut off between two statements "
            "would go unnoticed"
        )
    if sidecar and options.model and not _same_file(options.model, sidecar.model_sha256):
        report.notes.append(
            f"{options.model} is not the file that the message was made from: its SHA-256 differs"
        )
    return conclude("verify", report, options.json)


def make_trials(options: argparse.Namespace, sidecar: Sidecar) -> list[Trial]:
    """Return the questions to ask, with ONNX Runtime's outputs where a model is given.

    Raises ``TensorError`` for inputs and models that do not fit, ``UserError`` for what cannot be asked.
    """
    if not sidecar.model or sidecar.model not in sidecar.names:
        raise UserError("the message defines no model that could be asked")
    if options.model is not None:
        _readable(options.model)
    if options.input:
        sets = [("given inputs", tensors.checked(sidecar.inputs, load_tensors(options.input)))]
    else:
        rng = np.random.default_rng(options.seed)
        sets = [
            (f"sample {i + 1}", tensors.random_inputs(sidecar.inputs, rng)) for i in range(options.samples)
        ]
    return [_trial(label, inputs, sidecar, options.model) for label, inputs in sets]


def _trial(label: str, inputs: list[Tensor], sidecar: Sidecar, model: Path | None) -> Trial:
    bits = question(sidecar.names, sidecar.model, inputs)
    if model is None:
        return Trial(bits, label)
    expected = tensors.run_model(model, [spec.name for spec in sidecar.inputs], inputs)
    names = tuple(spec.name for spec in sidecar.outputs)
    if len(expected) != len(names):
        raise UserError(f"{model} has {len(expected)} outputs and the message's model {len(names)}")
    return Trial(bits, label, names, tuple(expected))


def _readable(path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def _same_file(path: Path, sha256: str) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
