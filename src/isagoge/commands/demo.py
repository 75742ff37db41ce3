"""``isagoge demo``: the embedded model end to end. Ten kinds of handwritten digits, six numbers each."""

from __future__ import annotations

import argparse
import sys
import time
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isagoge.emitter.vectors import TooFar
from isagoge.spec.bits import Encoder
from isagoge.spec.primitives import number_of
from isagoge.spec.terms import Apply, Claim, Name
from isagoge.verify import catalogue, drive, tensors
from isagoge.verify.sidecar import Sidecar
from isagoge.verify.sidecar import parse as parse_sidecar
from isagoge.verify.verifier import Limits, Trial, verify

from .console import Tensor, UserError, bars, conclude, say
from .generate import made, summary
from .sheet import PLAIN, SHADES, Pictures, as_png, as_text

Classes = npt.NDArray[np.int64]

SECONDS = 45.0
SIDE = 8


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("isagoge-demo"),
        metavar="DIR",
        help="folder for the message and the picture (default ./isagoge-demo)",
    )
    parser.add_argument(
        "--json", metavar="FILE", help="write the verifier's report as JSON (- for standard output)"
    )


def execute(options: argparse.Namespace) -> int:
    """Generate, verify, decode, show."""
    started = time.monotonic()
    quiet = options.json == "-"
    chosen = catalogue.choose()
    folder: Path = options.output
    folder.mkdir(parents=True, exist_ok=True)
    message = folder / "digits.isa"
    embedded = files("isagoge.emitter.embedded")
    with as_file(embedded / "codes.npz") as path, np.load(path) as kept:
        codes: Tensor = kept["codes"]
        labels: Tensor = kept["labels"]
    with as_file(embedded / "digits_decoder.onnx") as model:
        try:
            facts = made(model, message, payload={"code": codes})
        except TooFar as error:
            say("demo", f"does not hold: {error}")
            return 1
        expected = tensors.run_model(model, ["code"], [codes])
    if not quiet:
        print("\n".join(summary(message, facts)))
    sidecar = parse_sidecar(facts)
    names = tuple(spec.name for spec in sidecar.outputs)
    trial = Trial(payload_question(sidecar), f"{len(codes)} codes in the message", names, tuple(expected))
    answers: dict[str, list[drive.Report]] = {}
    with bars(sidecar.statements) as shown:
        report = verify(
            message,
            sidecar,
            chosen,
            trials=[trial],
            limits=Limits(seconds=SECONDS),
            progress=shown.tell,
            answers=answers,
        )
    report.missing = {r.name: why for r in catalogue.receivers() if (why := r.missing())}
    sheets = decoded(answers, len(names)) if report.holds else {}
    if sheets and not quiet:
        show(sheets, labels)
    if sheets:
        picture = folder / "digits.png"
        title = "Decoded from the message alone, by each receiver; under each picture the class it reads"
        as_png(picture, {name: (p, list(map(str, c))) for name, (p, c) in sheets.items()}, title)
        report.notes.append(f"picture: {picture}; all in {time.monotonic() - started:.1f} s")
    return conclude("demo", report, options.json)


def payload_question(sidecar: Sidecar) -> bytes:
    """Return the bits of the question: the model, applied to the payload that the message carries."""
    if sidecar.payload is None:
        raise UserError("the message carries no payload")
    first = len(number_of())
    encoder = Encoder(numbers={**number_of(), **{name: first + i for i, name in enumerate(sidecar.names)}})
    encoder.statement(Claim(Apply(Name(sidecar.model), (Name(sidecar.payload["definition"]),))))
    return encoder.writer.bytes()


def decoded(reports: dict[str, list[drive.Report]], outputs: int) -> dict[str, tuple[Pictures, Classes]]:
    """Return what each receiver decoded, if it answered: pictures [codes, 8, 8] and their classes [codes]."""
    found = {}
    for name, asked in reports.items():
        if asked and 0 in asked[0].answers:
            images, scores = tensors.outputs_of(asked[0].answers[0].value, outputs)
            pictures = np.asarray(images, np.float64).reshape(-1, SIDE, SIDE)
            found[name] = pictures, np.argmax(np.asarray(scores), axis=-1)
    return found


def show(sheets: dict[str, tuple[Pictures, Classes]], labels: Tensor) -> None:
    """Print the pictures of the first receiver, and the classes that each reads."""
    pictures, classes = next(iter(sheets.values()))
    try:
        SHADES.encode(sys.stdout.encoding or "ascii")
        shades = SHADES
    except UnicodeEncodeError:
        shades = PLAIN
    print("\n".join(as_text(pictures, [str(c) for c in classes], shades)))
    width = max(map(len, [*sheets, "drawn"]))
    print(f"{'drawn':{width}}  {' '.join(map(str, labels))}")
    for name, (_, read) in sheets.items():
        right = int(np.sum(read == labels))
        print(f"{name:{width}}  {' '.join(map(str, read))}  {right} of {len(labels)} right")
