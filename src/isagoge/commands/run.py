"""``isagoge run``: the model's outputs, computed by a receiver from the message."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isagoge.emitter.tensors import question
from isagoge.verify import catalogue, drive, tensors

from .console import (
    UserError,
    bars,
    count,
    load_tensors,
    message_file,
    named_file,
    positive,
    say,
    sidecar_of,
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("message", type=Path, metavar="M.isa")
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        type=named_file,
        metavar="NAME=FILE.npy",
        help="once for each input",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for NAME.npy, one an output"
    )
    parser.add_argument(
        "--receiver", metavar="NAME", help="which receiver (default: the fastest that can run)"
    )
    parser.add_argument("--seconds", type=positive, metavar="S", help="time for the receiver")
    parser.add_argument("--megabytes", type=count, default=4096, metavar="M", help="memory for the receiver")


def execute(options: argparse.Namespace) -> int:
    """Ask one receiver and write what it answers; 1 if it answers with an error, 2 if it cannot be asked."""
    message = message_file(options.message)
    sidecar = sidecar_of(message, "run")
    assert sidecar is not None
    receiver = catalogue.choose([options.receiver] if options.receiver else [])[0]
    if not sidecar.model or sidecar.model not in sidecar.names:
        raise UserError("the message defines no model that could be run")
    inputs = tensors.checked(sidecar.inputs, load_tensors(options.input))
    bits = question(sidecar.names, sidecar.model, inputs)
    with bars(1, " answers") as shown:
        report = drive.run(
            receiver.name,
            catalogue.command(receiver),
            message,
            bits,
            seconds=options.seconds or receiver.seconds,
            megabytes=options.megabytes,
            progress=lambda index, verdict: shown.tell(receiver.name, index, verdict),
        )
    if report.fault:
        say("run", f"receiver {receiver.name} {report.fault}")
        return 1
    if report.unread:
        index, error = report.unread
        say("run", f"receiver {receiver.name} cannot read statement {index} of {message}: {error}")
        return 1
    if 0 not in report.answers:
        error = report.verdicts[0] if report.verdicts else "nothing"
        say("run", f"receiver {receiver.name} answers {error}")
        return 2 if error == "over-limit" else 1
    outputs = tensors.outputs_of(report.answers[0].value, len(sidecar.outputs))
    options.output.mkdir(parents=True, exist_ok=True)
    names = file_names([spec.name for spec in sidecar.outputs])
    for name, value, spec in zip(names, outputs, sidecar.outputs, strict=True):
        path = options.output / name
        tensor = tensors.as_tensor(value, spec)
        np.save(path, tensor, allow_pickle=False)
        print(f"{path}: {spec.name}, {tensor.dtype} {list(tensor.shape)}")
    return 0


def file_names(names: Sequence[str]) -> list[str]:
    """Return a file name for each output's name, safe on any system and all different.

    >>> file_names(["image", "a/b:0", "a_b_0", "..", "IMAGE"])
    ['image.npy', 'a_b_0.npy', 'a_b_0_2.npy', 'output.npy', 'IMAGE_2.npy']
    """
    taken: set[str] = set()
    found = []
    for name in names:
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", name).strip(".")[:100] or "output"
        tried, number = stem, 1
        while tried.lower() in taken:
            number += 1
            tried = f"{stem}_{number}"
        taken.add(tried.lower())
        found.append(f"{tried}.npy")
    return found
