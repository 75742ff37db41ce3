"""The generated tables of SPEC.md.

``python -m isagoge.spec.tables --write`` fills them in place; a test checks that they are up to date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from .primitives import primitives

_SLOT = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _rows(head: str, rows: list[str]) -> str:
    rows = [row.replace("|x|", r"\|x\|") for row in rows]  # a bar inside a cell ends it
    return f"| {head} |\n|{'---|' * (head.count('|') + 1)}\n" + "".join(f"| {row} |\n" for row in rows)


def tables() -> dict[str, str]:
    """Return each generated table of SPEC.md, in Markdown, by the name of its place."""
    functions = [p for p in primitives() if p.kind == "function"]
    return {
        "primitives": _rows(
            "name | written | arity | value",
            [f"{p.number} | `{p.name}` | {p.arity} | {p.meaning}" for p in functions],
        ),
        "forms": _rows(
            "name | shape | meaning",
            [f"{p.number} | `{p.shape}` | {p.meaning}" for p in primitives() if p.kind == "form"],
        ),
    }


def fill(text: str) -> str:
    r"""Return a specification text with its generated tables filled in.

    >>> fill("<!-- generated: forms -->\n<!-- end -->").count("define")
    1
    """
    made = tables()
    return _SLOT.sub(lambda slot: slot[1] + made[slot[2]] + slot[3], text)


if __name__ == "__main__":
    path = Path(__file__).parent / "SPEC.md"
    old = path.read_text(encoding="utf-8")
    if "--write" in sys.argv[1:]:
        path.write_text(fill(old), encoding="utf-8")
    elif fill(old) != old:
        sys.exit("SPEC.md: a generated table is out of date; run python -m isagoge.spec.tables --write")
