"""The named errors of the language (SPEC.md clauses 2 to 8) and what they mean, in one place."""

from __future__ import annotations

READING = {
    "cut": "the bits end inside a statement",
    "number": "a natural has a first digit 0, more than 54 digits, or is above 2^53",
    "form": "a token stands where its group does not allow it",
    "name": "a name is not in scope, or a new name is not the next",
    "depth": "groups are nested more than 1,000 deep",
    "parity": "the ones of a statement are odd in number",
}
EVALUATING = {
    "kind": "a number, array or function stands where another kind is needed",
    "range": "a length, index, test or precision is not among those allowed",
    "missing": "the definition of a name failed",
    "over-limit": "the receiver's budget is used up",
}


class MessageError(Exception):
    """A named error of the language. ``name`` is one of the keys above."""

    def __init__(self, name: str, detail: str = "") -> None:
        assert name in READING or name in EVALUATING
        super().__init__(f"{name}: {detail}" if detail else name)
        self.name = name
