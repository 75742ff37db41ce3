"""The sidecar of a message: names, titles and English for people. No receiver reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Shape = tuple[int | str | None, ...]
"""A length is a number, the name of a symbolic length, or None where nothing is known."""


class SidecarError(ValueError):
    """A sidecar that is missing or is not one; the message is one line."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What an input or output of the model must be; ``dtype`` is a NumPy name."""

    name: str
    dtype: str
    shape: Shape

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} [{', '.join('?' if n is None else str(n) for n in self.shape)}]"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a message: its name, its first statement and how many it has."""

    name: str
    first: int
    statements: int


@dataclass(frozen=True)
class Sidecar:
    """What is read of ``M.json``. ``tolerance`` is the greatest relative error that the message states."""

    sha256: str
    bits: int
    statements: int
    sections: tuple[Section, ...]
    titles: tuple[tuple[int, str], ...]
    english: dict[int, str]
    names: tuple[str, ...]
    model: str
    model_sha256: str
    inputs: tuple[Spec, ...]
    outputs: tuple[Spec, ...]
    checks: tuple[int, ...]
    tolerance: float | None
    payload: dict[str, Any] | None
    raw: dict[str, Any] = field(repr=False, default_factory=dict)

    def section(self, index: int) -> str:
        """Return the name of the section that a statement stands in, empty if in none."""
        inside = (s.name for s in self.sections if s.first <= index < s.first + s.statements)
        return next(inside, "")

    def taught(self) -> int:
        """Return the number of the first statement after primer and library."""
        return max(
            (s.first + s.statements for s in self.sections if s.name in ("primer", "library")), default=0
        )

    def title(self, index: int) -> str:
        """Return the title of the lesson or chapter around a statement, empty if there is none."""
        return next((title for first, title in reversed(self.titles) if first <= index), "")

    def about(self, index: int) -> str:
        """Return the English of a statement; statements without their own share that of the one before."""
        title_at = max((first for first, _ in self.titles if first <= index), default=0)
        near = (self.english[i] for i in range(index, title_at - 1, -1) if i in self.english)
        return next(near, "")


def sidecar_path(message: Path) -> Path:
    """Return where the sidecar of a message lies.

    >>> sidecar_path(Path("a/M.isa")).as_posix()
    'a/M.json'
    """
    return message.with_suffix(".json")


def read(path: Path) -> Sidecar:
    """Read a sidecar.

    Raises ``SidecarError`` when the file is missing, is not JSON or lacks what a sidecar has.
    """
    try:
        raw = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SidecarError(f"cannot read the sidecar {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise SidecarError(f"the sidecar {path} is not JSON: {error}") from None
    try:
        return parse(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise SidecarError(f"{path} is not the sidecar of a message: {what}") from None


def parse(raw: dict[str, Any]) -> Sidecar:
    """Return the sidecar that a JSON object holds. Raises ``KeyError``, ``TypeError`` or ``ValueError``."""
    model = raw.get("model") or {}
    tolerances = [float(v["tolerance"]) for v in raw.get("vectors", ()) if v.get("tolerance") is not None]
    return Sidecar(
        sha256=str(raw["message"]["sha256"]),
        bits=int(raw["message"]["bits"]),
        statements=int(raw["statements"]),
        sections=tuple(Section(s["name"], int(s["first"]), int(s["statements"])) for s in raw["sections"]),
        titles=tuple((int(first), str(title)) for first, title in raw.get("titles", ())),
        english={int(index): str(text) for index, text in raw.get("english", {}).items()},
        names=tuple(map(str, raw["names"])),
        model=str(model.get("name", "")),
        model_sha256=str(model.get("sha256", "")),
        inputs=_specs(model.get("inputs", ())),
        outputs=_specs(model.get("outputs", ())),
        checks=tuple(
            int(block["check"]) for block in raw.get("blocks", ()) if block.get("check") is not None
        ),
        tolerance=max(tolerances, default=None),
        payload=raw.get("payload"),
        raw=raw,
    )


def _specs(entries: Sequence[dict[str, Any]]) -> tuple[Spec, ...]:
    return tuple(Spec(e["name"], e["dtype"], tuple(e["shape"])) for e in entries)
