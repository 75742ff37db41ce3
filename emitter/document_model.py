"""What a document is made of, before it is Markdown or HTML, and how the specification is read into it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from isagoge.spec.conformance import specification
from isagoge.spec.primitives import primitives

from .dump import TokenRow

Style = Literal["text", "code", "strong", "emphasis"]


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text in one style; ``target`` is the anchor it leads to, or empty."""

    text: str
    style: Style = "text"
    target: str = ""


Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 to 4 that can be linked to."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    spans: Spans


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list without order."""

    items: tuple[Spans, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a head. Columns named in ``numeric`` (from 0) are set flush right."""

    head: tuple[Spans, ...]
    rows: tuple[tuple[Spans, ...], ...]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Sentences:
    """Statements that share their English: each with its number and its text in the notation."""

    english: str
    statements: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Tokens:
    """The bits of one statement, token by token."""

    rows: tuple[TokenRow, ...]


Block = Heading | Paragraph | Bullets | Table | Sentences | Tokens


@dataclass
class Document:
    """A title and the blocks below it. Anchors are unique."""

    title: str
    blocks: list[Block] = field(default_factory=list)

    def headings(self, deepest: int = 3) -> Iterator[Heading]:
        """Yield the headings for a table of contents."""
        yield from (b for b in self.blocks if isinstance(b, Heading) and 1 < b.level <= deepest)

    def heading(self, level: int, text: str, anchor: str | None = None) -> None:
        """Add a heading; its anchor is made from its text unless given."""
        stem = anchor or re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "part"
        taken = {b.anchor for b in self.blocks if isinstance(b, Heading)}
        name, n = stem, 1
        while name in taken:
            n += 1
            name = f"{stem}-{n}"
        self.blocks.append(Heading(level, text, name))

    def say(self, *texts: str) -> None:
        """Add paragraphs, given with `code`, **strong** and *emphasis* marked."""
        self.blocks += [Paragraph(spans(text)) for text in texts]

    def table(
        self, head: Sequence[str], rows: Iterable[Sequence[Spans | str]], numeric: Iterable[int] = ()
    ) -> None:
        """Add a table; cells given as strings are plain text."""
        cells = tuple(tuple(cell if isinstance(cell, tuple) else plain(cell) for cell in row) for row in rows)
        self.blocks.append(Table(tuple(map(plain, head)), cells, frozenset(numeric)))


def plain(text: str) -> Spans:
    """Return a text in which nothing is marked."""
    return (Span(text),)


def code(text: str, target: str = "") -> Spans:
    """Return a text in the style of code."""
    return (Span(text, "code", target),)


_MARKS = re.compile(r"`(?P<code>[^`]+)`|\*\*(?P<strong>.+?)\*\*|\*(?P<emphasis>[^*\s][^*]*)\*")


def spans(text: str) -> Spans:
    """Return a text with `code`, **strong** and *emphasis* as spans.

    >>> [(span.style, span.text) for span in spans("A **bold** `a*b`.")]
    [('text', 'A '), ('strong', 'bold'), ('text', ' '), ('code', 'a*b'), ('text', '.')]
    """
    found: list[Span] = []
    at = 0
    for mark in _MARKS.finditer(text):
        if mark.start() > at:
            found.append(Span(text[at : mark.start()]))
        for style in ("code", "strong", "emphasis"):
            if mark[style]:
                found.append(Span(mark[style], style))
        at = mark.end()
    return (*found, *([Span(text[at:])] if at < len(text) else []))


def language(document: Document, level: int = 2) -> None:
    """Add SPEC.md to a document, without its examples; its tables of primitives are made anew from their
    source.

    Reads what SPEC.md is written in: headings, paragraphs, tables, bullets, fences of examples.
    """
    text = re.sub(r"^```examples .*?^```\n", "", specification(), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!-- generated: (\w+) -->\n.*?<!-- end -->", r"<!-- \1 -->", text, flags=re.DOTALL)
    for part in re.split(r"\n\s*\n", text):
        rows = part.strip().split("\n")
        if mark := re.fullmatch(r"<!-- (\w+) -->", rows[0]):
            _primitives(document, mark[1])
        elif mark := re.match(r"(#+) (.*)", rows[0]):
            hashes, title = mark.groups()
            number = re.match(r"(\d+)\. ", title)
            if len(hashes) > 1:
                document.heading(level + 1, title, f"clause-{number[1]}" if number else None)
        elif rows[0].startswith("|"):
            head, _, *body = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
            document.table(head, [[spans(cell) for cell in row] for row in body])
        elif rows[0].startswith("- "):
            items = re.split(r"\n?^- ", "\n".join(rows), flags=re.MULTILINE)[1:]
            document.blocks.append(Bullets(tuple(spans(" ".join(item.split())) for item in items)))
        elif rows[0] and "```" not in rows[0] and "`examples`" not in part:
            document.blocks.append(Paragraph(_clause(" ".join(map(str.strip, rows)))))


def _clause(text: str) -> Spans:
    """Return a paragraph, with the number of its clause in front of it set off."""
    number = re.match(r"\d+\.\d+ ", text)
    return (Span(number[0].strip(), "strong"), *spans(text[number.end() - 1 :])) if number else spans(text)


def _primitives(document: Document, which: str) -> None:
    if which == "primitives":
        functions = [p for p in primitives() if p.kind == "function"]
        rows = [(str(p.number), code(p.name), str(p.arity), spans(p.meaning)) for p in functions]
        document.table(("name", "written", "arity", "value"), rows, (0, 2))
        return
    forms = [p for p in primitives() if p.kind == "form"]
    document.table(
        ("name", "shape", "meaning"), [(str(p.number), code(p.shape), spans(p.meaning)) for p in forms], (0,)
    )
