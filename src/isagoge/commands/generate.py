"""``isagoge generate``: an ONNX model as a message, with its sidecar and its decoder specification."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from isagoge.emitter.generate import Options, generate
from isagoge.emitter.graph import ModelError
from isagoge.emitter.lower import UnsupportedOperators
from isagoge.emitter.vectors import TooFar

from .console import UserError, count, load_tensors, named_file, natural, positive, say, write_json


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="M.isa", help="the message's file"
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        type=named_file,
        metavar="NAME=FILE.npy",
        help="use this input for the test vectors, instead of a random one (once for each input)",
    )
    parser.add_argument(
        "--payload",
        action="append",
        default=[],
        type=named_file,
        metavar="NAME=FILE.npy",
        help="carry this input in the message under the name `payload`",
    )
    parser.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="of the random inputs (default 0)"
    )
    parser.add_argument("--blocks", type=count, metavar="N", help="divide the model into so many blocks")
    parser.add_argument(
        "--tolerance",
        type=positive,
        default=1e-5,
        metavar="E",
        help="greatest distance from ONNX Runtime, as a share of an output's largest value (default 1e-5)",
    )
    parser.add_argument("--no-vectors", action="store_true", help="leave out the test vectors")
    parser.add_argument("--licence", metavar="TEXT", help="the model's licence, for the sidecar")
    parser.add_argument("--json", metavar="FILE", help="write a report as JSON (- for standard output)")


def execute(options: argparse.Namespace) -> int:
    """Generate; 0 written, 1 if outputs are further from ONNX Runtime's than the tolerance, 2 not written."""
    out: Path = options.output
    if out.suffix in (".json", ".md", ".html"):
        raise UserError(
            f"{out} would be overwritten by what is written beside it; call the message something.isa"
        )
    if not out.parent.is_dir():
        raise UserError(f"cannot write {out}: {out.parent} is no folder")
    try:
        facts = made(
            options.model,
            out,
            inputs=load_tensors(options.input),
            payload=load_tensors(options.payload),
            seed=options.seed,
            blocks=options.blocks,
            tolerance=options.tolerance,
            vectors=not options.no_vectors,
            licence=options.licence,
        )
    except TooFar as error:
        say("generate", f"does not hold: {error}")
        return 1
    write_json(facts, options.json)
    if options.json != "-":
        print("\n".join(summary(out, facts)))
    return 0


def made(model: Path, out: Path, **settings: Any) -> dict[str, Any]:
    """Write a message, naming each step on a terminal, and return its sidecar.

    Raises ``UserError`` for a model or inputs that cannot be used, ``TooFar`` when the tolerance is exceeded.
    """
    with tqdm(
        desc="generate", bar_format="{desc} {elapsed}", leave=False, disable=not sys.stderr.isatty()
    ) as bar:
        try:
            return generate(model, out, Options(progress=bar.set_description, **settings))
        except FileNotFoundError as error:
            raise UserError(f"cannot read {error.filename or model}: {error.strerror or error}") from None
        except (ModelError, UnsupportedOperators) as error:
            raise UserError(f"{model}: {error}") from None
        except TooFar:
            raise
        except ValueError as error:
            raise UserError(str(error)) from None


def summary(out: Path, facts: dict[str, Any]) -> list[str]:
    """Return lines that say what was written."""
    message, model = facts["message"], facts["model"]
    lines = [
        f"{out}: {message['bits']} bits, {facts['statements']} statements, "
        f"{model['parameters']} parameters of {model['source']}"
    ]
    for section in facts["sections"]:
        lines.append(f"  {section['name']:8} {section['statements']:6} statements {section['bits']:12} bits")
    for vector in facts["vectors"]:
        lines.append(
            f"  test vector: {vector['relative']:.2g} of the largest value away from {vector['against']} "
            f"(tolerance {vector['tolerance']:g})"
        )
    beside = [
        path.name for path in (out.with_suffix(end) for end in (".json", ".md", ".html")) if path.exists()
    ]
    return [*lines, f"beside it: {', '.join(beside)}"]
