"""The figures in README.md, each written by running something.

``python -m isagoge.figures --write`` measures everything (the embedded model, all core models that ``make
models`` collected; some minutes) and fills README.md. The tests call the parts and compare.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isagoge.primer import linker
from isagoge.spec.conformance import examples, specification
from isagoge.spec.primitives import primitives
from isagoge.spec.terms import Define
from isagoge.verify import catalogue
from isagoge.verify.models import recipes
from isagoge.verify.models.registry import entries

TOLERANCE = 1e-5
"""The largest error against ONNX Runtime that the core models may have, relative to the largest element of an
output.
"""

_SLOT = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def prose_words(text: str) -> int:
    """Return the number of words of a specification without its examples.

    >>> prose_words("two words")
    2
    """
    return len(re.sub(r"^```examples.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL).split())


def language_facts() -> list[tuple[str, str]]:
    """Return the figures that need no model: rows of name and value."""
    definitions = [e for e in linker.library() if isinstance(e.statement, Define)]
    rows = [
        ("primitives", str(len(primitives()))),
        ("words of SPEC.md, examples not counted", f"{prose_words(specification()):,}"),
        ("examples in SPEC.md", str(len(examples()))),
        (
            "lessons; statements in them",
            f"{len({e.source for e in linker.lessons()})}; {len(linker.lessons())}",
        ),
        (
            "definitions in the library; claims about them",
            f"{len(definitions)}; {len(linker.library()) - len(definitions)}",
        ),
    ]
    rows += [(f"lines of the {r.language} receiver", str(r.lines)) for r in reversed(catalogue.receivers())]
    return rows


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table; the first column is text, the others are numbers.

    >>> print(table(("a", "b"), [("x", "1")]), end="")
    | a | b |
    |---|---:|
    | x | 1 |
    """
    lines = [head, *rows]
    texts = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([texts[0], "|---|" + "---:|" * (len(head) - 1), *texts[1:]]) + "\n"


def isagoge(*words: str) -> tuple[int, str]:
    """Run the command line and return exit status and standard output; what it says on standard error goes
    through.
    """
    done = subprocess.run([sys.executable, "-m", "isagoge.cli", *words], stdout=subprocess.PIPE, text=True)
    return done.returncode, done.stdout


def try_model(name: str, models: Path, folder: Path, python_seconds: float) -> dict[str, Any]:
    """Generate and verify one collected model with its recipe's inputs; return what is worth telling.

    ``models`` holds NAME.onnx; messages and reports go to ``folder``. Raises ``RuntimeError`` when something
    does not hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    inputs, files = recipes.inputs(name, models=models), []
    for i, (key, array) in enumerate(inputs.items()):
        path = folder / f"{name}.{i}.npy"
        np.save(path, array)
        files += ["--input", f"{key}={path}"]
    message, report = folder / f"{name}.isa", folder / f"{name}.report.json"
    started = time.monotonic()
    status, text = isagoge("generate", str(models / f"{name}.onnx"), "-o", str(message), *files)
    if status:
        raise RuntimeError(f"{name}: generate ended with {status}")
    generated = time.monotonic() - started
    fresh = recipes.inputs(name, seed=1, models=models)
    files = []
    for i, (key, array) in enumerate(fresh.items()):
        path = folder / f"{name}.fresh.{i}.npy"
        np.save(path, array)
        files += ["--input", f"{key}={path}"]
    status, text = isagoge(
        *("verify", str(message), "--model", str(models / f"{name}.onnx"), *files),
        *("--seconds", f"python={python_seconds:g}", "--json", str(report)),
    )
    if status:
        raise RuntimeError(f"{name}: verify ended with {status}\n{text}")
    sidecar = json.loads(message.with_suffix(".json").read_text("utf-8"))
    verified = json.loads(report.read_text("utf-8"))
    errors = [v["relative"] for v in sidecar["vectors"]]
    errors += [c["relative"] for q in verified["questions"] for c in q["comparisons"]]
    return {
        "name": name,
        "parameters": sidecar["model"]["parameters"],
        "sections": {s["name"]: s["bits"] for s in sidecar["sections"]},
        "bits": sidecar["message"]["bits"],
        "statements": sidecar["statements"],
        "error": max(errors),
        "explained": max(
            (v["explained"]["message_to_unrounded"] for v in sidecar["vectors"] if "explained" in v),
            default=0.0,
        ),
        "generate": generated,
        "receivers": {r["receiver"]: r for r in verified["receivers"]},
    }


def model_row(facts: dict[str, Any]) -> tuple[str, ...]:
    """Return the row of the models' table."""
    sections = facts["sections"]
    held = [
        f"{r['judged']:,}" if r["complete"] else f"{r['judged']:,} of {r['total']:,}"
        for r in facts["receivers"].values()
    ]
    return (
        f"`{facts['name']}`",
        f"{facts['parameters']:,}",
        f"{sections['library']:,}",
        f"{sections['model']:,}",
        f"{sections['weights']:,}",
        f"{facts['error']:.1e}" + (f" ({facts['explained']:.1e})" if facts["explained"] else ""),
        *held,
    )


def fill(text: str, blocks: dict[str, str]) -> str:
    """Return README text with the generated places filled; places without a block stay as they are.

    >>> print(fill("<!-- generated: x -->" + chr(10) + "old<!-- end -->", {"x": "new"}))
    <!-- generated: x -->
    new<!-- end -->
    """
    return _SLOT.sub(
        lambda slot: slot[1] + blocks.get(slot[2], slot[0][len(slot[1]) : -len(slot[3])]) + slot[3], text
    )


def _fenced(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n"


def measure(models: Path, folder: Path, python_seconds: float, tell: Callable[[str], None]) -> dict[str, str]:
    """Measure all and return the blocks of README.md by name."""
    blocks = {}
    tell("demo")
    status, text = isagoge("demo", "-o", str(folder / "demo"))
    if status:
        raise RuntimeError(f"demo ended with {status}")
    blocks["demo"] = _fenced(re.sub(r"\S*/demo/", "", text))
    shutil.copy(next((folder / "demo").glob("*.png")), "emitter/embedded/demo.png")
    sidecar = json.loads(next((folder / "demo").glob("*.json")).read_text("utf-8"))
    bits = {s["name"]: s["bits"] for s in sidecar["sections"]}
    rows = language_facts()
    rows.append(("bits of the primer", f"{bits['primer']:,}"))
    rows.append(
        (
            "bits of library; model; weights of the embedded model",
            "; ".join(f"{bits[s]:,}" for s in ("library", "model", "weights")),
        )
    )
    rows.append(("its error against ONNX Runtime", f"{max(v['relative'] for v in sidecar['vectors']):.1e}"))
    blocks["figures"] = table(("what", "figure"), rows)
    results = []
    for entry in entries("core"):
        if (models / f"{entry.name}.onnx").exists():
            tell(entry.name)
            results.append(try_model(entry.name, models, folder / "models", python_seconds))
    if results:
        names = [f"true in {name}" for name in results[0]["receivers"]]
        head = ("model", "parameters", "library bits", "model bits", "weight bits", "error", *names)
        blocks["models"] = table(head, [model_row(result) for result in results])
    summary = Path("build/test-summary.txt")
    if summary.exists():
        blocks["test"] = _fenced(summary.read_text("utf-8"))
    return blocks


def main() -> None:
    """Write or show the blocks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="fill README.md")
    parser.add_argument("--models", type=Path, default=Path("build/models"))
    parser.add_argument("--folder", type=Path, default=Path("build/figures"))
    parser.add_argument("--python-seconds", type=float, default=110.0)
    options = parser.parse_args()
    blocks = measure(
        options.models, options.folder, options.python_seconds, lambda what: print(what, file=sys.stderr)
    )
    readme = Path("README.md")
    text = fill(readme.read_text("utf-8"), blocks)
    if options.write:
        readme.write_text(text, "utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
