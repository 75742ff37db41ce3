"""The examples inside SPEC.md, extracted as the conformance suite.

``python -m isagoge.spec.conformance`` prints the suite as JSON: a list of objects with ``clause``, ``line``,
``text``, ``bits`` (hexadecimal), ``question`` (hexadecimal bits of a question asked of an empty message, or
null) and ``verdicts`` (a list of words; for a question one value or error). It can test any receiver.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, dataclass
from importlib.resources import files

from .bits import encode
from .notation import parse

_FENCE = re.compile(r"^```examples (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Example:
    """One line of the suite; ``bits`` and ``question`` are hexadecimal, filled up to whole bytes."""

    clause: str
    line: int
    text: str
    bits: str
    question: str | None
    verdicts: tuple[str, ...]


def specification() -> str:
    """Return the text of SPEC.md."""
    return (files(__package__) / "SPEC.md").read_text(encoding="utf-8")


def _bits_of(digits: str) -> bytes:
    digits = re.sub(r"\s", "", digits)
    size = (len(digits) + 7) // 8
    return int(digits.ljust(8 * size, "0") or "0", 2).to_bytes(size, "big")


def examples(text: str | None = None) -> list[Example]:
    r"""Return the examples of a specification text, by default of SPEC.md.

    Raises ``ValueError`` for an example without ``⇒``.

    >>> examples("```examples 5\n? 1 + 1 ⇒ 4000000000000000\n```")[0].verdicts
    ('4000000000000000',)
    """
    text = specification() if text is None else text
    found = []
    for fence in _FENCE.finditer(text):
        first = text.count("\n", 0, fence.start(2)) + 1
        for offset, row in enumerate(fence[2].splitlines()):
            left, arrow, right = row.rpartition("⇒")
            if not arrow:
                raise ValueError(f"SPEC.md line {first + offset}: an example needs ⇒ and a verdict")
            left, right = left.strip(), right.strip()
            question = None
            if left.startswith("0b"):
                bits = _bits_of(left[2:])
            elif left.startswith("?"):
                bits, question = b"", encode(parse(left[1:] + "."))
            else:
                bits = encode(parse(left))
            verdicts = () if right == "none" else (right,) if question is not None else tuple(right.split())
            asked = None if question is None else question.hex()
            found.append(Example(fence[1], first + offset, left, bits.hex(), asked, verdicts))
    return found


if __name__ == "__main__":
    json.dump([asdict(example) for example in examples()], sys.stdout, ensure_ascii=False, indent=1)
