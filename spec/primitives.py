"""The table of primitives, read from ``primitives.toml``: the one place that lists them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Primitive:
    """One row of the table. Forms are not values and have ``arity`` 0; functions have an empty ``shape``."""

    number: int
    name: str
    kind: str
    arity: int
    shape: str
    meaning: str


@cache
def primitives() -> tuple[Primitive, ...]:
    """Return the primitives in the order of their numbers.

    >>> [p.name for p in primitives()][:3]
    ['define', '=', '<']
    """
    table = tomllib.loads((files(__package__) / "primitives.toml").read_text(encoding="utf-8"))
    return tuple(
        Primitive(i, row["name"], row["kind"], row.get("arity", 0), row.get("shape", ""), row["meaning"])
        for i, row in enumerate(table["primitive"])
    )


@cache
def number_of() -> dict[str, int]:
    """Return the number of each primitive by name.

    >>> number_of()["bits"]
    19
    """
    return {p.name: p.number for p in primitives()}


@cache
def arity_of() -> dict[str, int]:
    """Return the arity of each primitive that is a function.

    >>> arity_of()["fold"]
    3
    """
    return {p.name: p.arity for p in primitives() if p.kind == "function"}


@cache
def forms() -> frozenset[str]:
    """Return the names of the primitives that are read by their own rule.

    >>> "if" in forms(), "+" in forms()
    (True, False)
    """
    return frozenset(p.name for p in primitives() if p.kind == "form")
