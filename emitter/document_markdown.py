"""A document as Markdown (GitHub's, with tables)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .document_model import (
    Block,
    Bullets,
    Document,
    Heading,
    Paragraph,
    Sentences,
    Span,
    Spans,
    Table,
    Tokens,
)


def markdown(document: Document) -> Iterator[str]:
    r"""Yield a document as Markdown, piece by piece.

    >>> document = Document("T"); document.say("Let *x* be `a|b`, not <b>.")
    >>> print("".join(markdown(document)))
    # T
    <BLANKLINE>
    ## Contents
    <BLANKLINE>
    <BLANKLINE>
    Let *x* be `a|b`, not \<b\>.
    <BLANKLINE>
    <BLANKLINE>
    """
    yield f"# {_escaped(document.title)}\n\n## Contents\n\n"
    for heading in document.headings():
        yield f"{'  ' * (heading.level - 2)}- [{_escaped(heading.text)}](#{heading.anchor})\n"
    yield "\n"
    for block in document.blocks:
        yield from _block(block)
        yield "\n\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading(level, text, anchor):
            yield f'<a id="{anchor}"></a>\n\n{"#" * level} {_escaped(text)}'
        case Paragraph(parts):
            yield re.sub(r"^(\d+)\. ", r"\1\\. ", _inline(parts))
        case Bullets(items):
            yield "\n".join(f"- {_inline(item)}" for item in items)
        case Table(head, rows, numeric):
            yield "| " + " | ".join(_cell(cell) for cell in head) + " |\n|"
            yield "".join("--:|" if i in numeric else "---|" for i in range(len(head)))
            for row in rows:
                yield "\n| " + " | ".join(_cell(cell) for cell in row) + " |"
        case Sentences(english, statements):
            if english:
                yield _escaped(english) + "\n\n"
            yield "```text\n"
            for number, text in statements:
                yield f"{number:>6}  " + text.replace("\n", "\n" + " " * 8) + "\n"
            yield "```"
        case Tokens(tokens):
            yield "| bits | token | meaning |\n|---|---|---|"
            for t in tokens:
                token = "· " * t.depth + (f"`{t.text}`" if t.text else "")
                yield f"\n| `{t.bits}` | {token} | {_cell((Span(t.meaning),))} |"


def _cell(parts: Spans) -> str:
    """Return spans for a table, where a bar must be escaped even in code."""
    return "".join(_span(part).replace("\\|", "|").replace("|", "\\|") for part in parts)


def _inline(parts: Spans) -> str:
    return "".join(map(_span, parts))


def _span(part: Span) -> str:
    if not part.text:
        return ""
    match part.style:  # targets are statements, which have no anchors here
        case "code":
            return f"`` {part.text} ``" if "`" in part.text else f"`{part.text}`"
        case "strong":
            return f"**{_escaped(part.text)}**"
        case "emphasis":
            return f"*{_escaped(part.text)}*"
        case "text":
            return _escaped(part.text)


def _escaped(text: str) -> str:
    """Return plain text with the signs escaped that Markdown would take for its own."""
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", text)
