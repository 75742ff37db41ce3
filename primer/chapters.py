"""Reads lessons and library: files in the notation with a title and a sentence of English for each statement.

A file holds one or more chapters. A chapter begins with a line ``# Title``. Lines beginning with ``--`` are
English; they belong to the statement that follows. Statements that follow each other without English share
the sentence above them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from isagoge.spec.notation import parse_lines
from isagoge.spec.terms import Claim, Define, Statement, free_names


@dataclass(frozen=True, slots=True)
class Entry:
    """One statement of a lesson or of the library, with its English and where it stands."""

    statement: Statement
    english: str
    title: str
    source: str

    @property
    def uses(self) -> frozenset[str]:
        """The names that the statement uses and does not bind, primitives included."""
        term = self.statement.term
        return frozenset(free_names(term))


@dataclass(frozen=True, slots=True)
class Chapter:
    """A lesson or a library chapter: title, English that stands before the first statement, entries."""

    title: str
    source: str
    entries: tuple[Entry, ...]


def read_chapters(text: str, source: str) -> list[Chapter]:
    r"""Return the chapters of a file.

    Raises ``ValueError`` when statements stand before the first title or a chapter's first statement has no
    English.

    >>> chapter = read_chapters("# Sums\n-- One and one make two.\n1 + 1 = 2.\n", "sums.isa")[0]
    >>> chapter.title, chapter.entries[0].english
    ('Sums', 'One and one make two.')
    """
    lines = text.split("\n")
    chapters: list[tuple[str, list[Entry]]] = []
    english, at = "", 0
    for sentence in parse_lines(text, source):
        above: list[str] = []
        for row in lines[at : sentence.line]:
            if row.startswith("# "):
                chapters.append((row[2:].strip(), []))
                english, above = "", []
            elif row.lstrip().startswith("--"):
                above.append(row.lstrip()[2:].strip())
            elif row.strip():
                break
        at = max(at, sentence.line)
        english = " ".join(above) or english
        if not chapters:
            raise ValueError(f"{source}: a line `# Title` must come before the first statement")
        title, entries = chapters[-1]
        if not english:
            raise ValueError(
                f"{source}, before line {sentence.line}: the first statement of {title!r} has no English"
            )
        entries.append(Entry(sentence.statement, english, title, source))
    return [Chapter(title, source, tuple(entries)) for title, entries in chapters]


@cache
def load(folder: str) -> tuple[Chapter, ...]:
    """Return all chapters of ``lessons`` or ``library``, in the order of their file names."""
    directory = files(__package__) / folder
    found = sorted(
        (item for item in directory.iterdir() if item.name.endswith(".isa")), key=lambda item: item.name
    )
    chapters = []
    for item in found:
        chapters += read_chapters(item.read_text(encoding="utf-8"), item.name)
    return tuple(chapters)


def definition_groups(chapters: Iterable[Chapter]) -> list[tuple[Entry, ...]]:
    """Return each definition with the claims that follow it, up to the next definition.

    Raises ``ValueError`` when a chapter begins with a claim, or a definition has no claim.
    """
    groups: list[list[Entry]] = []
    for chapter in chapters:
        for i, entry in enumerate(chapter.entries):
            if isinstance(entry.statement, Define):
                groups.append([entry])
            elif i == 0:
                raise ValueError(
                    f"{entry.source}: chapter {chapter.title!r} begins with a claim, not a definition"
                )
            else:
                groups[-1].append(entry)
    for group in groups:
        if not any(isinstance(entry.statement, Claim) for entry in group):
            name = group[0].statement.name if isinstance(group[0].statement, Define) else ""
            raise ValueError(f"{group[0].source}: {name} has no claim that pins it down")
    return [tuple(group) for group in groups]
