"""A message in the making: statements in sections, with the English and titles that go into the sidecar."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from isagoge.primer.chapters import Entry
from isagoge.spec.bits import Encoder
from isagoge.spec.terms import Define, Statement

SECTIONS = ("primer", "library", "weights", "model", "vectors")


@contextmanager
def written_beside(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a file beside ``path`` and give it that name only when all went well, so that nothing is left
    half-written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


@dataclass
class Message:
    """Encodes statements as they are added and keeps what people want to know about them.

    >>> from isagoge.spec.terms import Claim, Num
    >>> message = Message(); message.section("primer", "Counting"); message.add(Claim(Num(1)), "One holds.")
    0
    >>> message.facts()["sections"]
    [{'name': 'primer', 'first': 0, 'statements': 1, 'bits': 6}]
    """

    encoder: Encoder = field(default_factory=Encoder)
    names: list[str] = field(default_factory=list)
    english: dict[int, str] = field(default_factory=dict)
    titles: list[tuple[int, str]] = field(default_factory=list)
    sections: list[tuple[str, int]] = field(default_factory=list)

    @property
    def statements(self) -> int:
        """The number of statements so far."""
        return len(self.encoder.spans)

    def section(self, name: str, title: str | None = None) -> None:
        """Begin a section."""
        self.sections.append((name, self.statements))
        if title:
            self.title(title)

    def title(self, title: str) -> None:
        """Begin a lesson, chapter or other part with a title."""
        if not self.titles or self.titles[-1][1] != title:
            self.titles.append((self.statements, title))

    def add(self, statement: Statement, english: str) -> int:
        """Add one statement and return its index."""
        index = self.statements
        self.encoder.statement(statement)
        if isinstance(statement, Define):
            self.names.append(statement.name)
        self.english[index] = english
        return index

    def add_entries(self, entries: Iterable[Entry]) -> None:
        """Add statements of lessons or library."""
        for entry in entries:
            self.title(entry.title)
            self.add(entry.statement, entry.english)

    def facts(self) -> dict[str, Any]:
        """Return the parts of the sidecar that describe statements."""
        spans = self.encoder.spans
        bounds = [first for _, first in self.sections] + [self.statements]
        sections = []
        for (name, first), stop in zip(self.sections, bounds[1:], strict=True):
            bits = spans[stop - 1][1] - spans[first][0] if stop > first else 0
            sections.append({"name": name, "first": first, "statements": stop - first, "bits": bits})
        return {
            "statements": self.statements,
            "sections": sections,
            "titles": [list(title) for title in self.titles],
            "english": {str(index): text for index, text in self.english.items()},
            "names": self.names,
        }

    def write(self, path: Path) -> dict[str, Any]:
        """Write the bits to a file and return its facts for the sidecar."""
        digest = hashlib.sha256()
        with written_beside(path) as file:
            for chunk in self.encoder.writer.chunks():
                digest.update(chunk)
                file.write(chunk)
        return {"file": path.name, "bits": len(self.encoder.writer), "sha256": digest.hexdigest()}
