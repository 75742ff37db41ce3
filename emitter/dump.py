"""A message for the terminal: token by token, and as lessons in notation and plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isagoge.spec.bits import CLOSE, NAME, NUMBER, OPEN, BitReader
from isagoge.spec.errors import READING, MessageError
from isagoge.spec.pretty import pretty_statement
from isagoge.spec.primitives import number_of
from isagoge.spec.terms import Apply, At, Block, Claim, Define, Fn, If, Listing, Name, Num, Statement, Term

from .document_reading import Line, decoder, elided, read

LONGEST_BLOCK = 64
"""Blocks of more bits are cut short where people read."""

_KINDS = {OPEN: "open", CLOSE: "close", NUMBER: "number", NAME: "name"}


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token of a statement: its bits, kind, spelling, meaning, and in how many open groups it stands.

    Kinds are ``open``, ``close``, ``number``, ``name``, ``raw`` and ``parity``. Long raw bits are cut short.
    """

    bits: str
    kind: str
    text: str
    meaning: str
    depth: int


def tokens(data: bytes, line: Line) -> list[TokenRow]:
    """Return the tokens of one statement, as they stand in the bits.

    >>> from isagoge.spec.bits import encode
    >>> data = encode([Claim(Num(1))])
    >>> [(row.bits, row.kind, row.text) for row in tokens(data, next(read(data, None)))]
    [('10 101', 'number', '1'), ('1', 'parity', '')]
    """
    reader = BitReader(data)
    reader.position = line.span[0]
    rows: list[TokenRow] = []
    depth = 0
    for text, meaning in _meanings(line.statement):
        start = reader.position
        if not text:
            kind, wanted = "raw", int(meaning)
            reader.position += wanted
            bits = _digits(data, start, min(wanted, LONGEST_BLOCK)) + "…" * (wanted > LONGEST_BLOCK)
            meaning = _raw(wanted)
        else:
            token, n = reader.token()
            kind = _KINDS[token]
            bits = _digits(data, start, reader.position - start)
            bits = f"{bits[:2]} {bits[2:]}".strip()
            if token == NAME:
                meaning = f"name {n}: {meaning}"
        depth -= kind == "close"
        rows.append(TokenRow(bits, kind, text, meaning, depth))
        depth += kind == "open"
    assert reader.position == line.span[1] - 1, "the tokens are those of the statement"
    parity = _digits(data, reader.position, 1)
    return [*rows, TokenRow(parity, "parity", "", "parity: the ones of the statement are even in number", 0)]


def _digits(data: bytes, start: int, count: int) -> str:
    reader = BitReader(data)
    reader.position = start
    return f"{reader.take(count):0{count}b}" if count else ""


def _meanings(statement: Statement) -> Iterator[tuple[str, str]]:
    """Yield spelling and meaning of each token; nothing and a count for raw bits."""
    if isinstance(statement, Claim):
        yield from _of(statement.term)
        return
    yield "(", "a group opens"
    yield "define", "the form that gives a name"
    yield statement.name, f"the new name, {statement.name}"
    yield from _of(statement.term)
    yield ")", "the group closes"


def _of(term: Term) -> Iterator[tuple[str, str]]:
    match term:
        case Num(value):
            yield str(value), f"the number {value}"
            return
        case Name(name):
            yield name, name if name not in number_of() else f"the primitive {name}"
            return
    yield "(", "a group opens"
    match term:
        case Apply(head, args):
            yield from _all(head, *args)
        case Fn(params, body):
            yield "fn", "the form that makes a function"
            for param in params:
                yield param, f"a new name: the parameter {param}"
            yield from _of(body)
        case If(test, then, other):
            yield "if", "the form that chooses"
            yield from _all(test, then, other)
        case At(array, indices):
            yield "at", "the form that takes an element"
            yield from _all(array, *indices)
        case Listing(items):
            yield "list", "the form that makes an array of what follows"
            yield from _all(*items)
        case Block(count):
            yield "bits", "the form for raw bits"
            yield str(count), f"{_raw(count)} follow{'s' if count == 1 else ''}"
            yield "", str(count)
    yield ")", "the group closes"


def _raw(count: int) -> str:
    return f"{count} raw bit{'' if count == 1 else 's'}"


def _all(*terms: Term) -> Iterator[tuple[str, str]]:
    for term in terms:
        yield from _of(term)


def spelled(line: Line, width: int = 100) -> str:
    """Return a statement in the notation, in lines, with long lists and blocks cut short."""
    if line.text is not None:
        return line.text
    statement = line.statement
    short = elided(statement.term)
    return pretty_statement(
        Define(statement.name, short) if isinstance(statement, Define) else Claim(short), width, LONGEST_BLOCK
    )


def read_lines(
    message: Path,
    sidecar: Mapping[str, Any] | None,
    section: str | None = None,
    first: int | None = None,
    count: int | None = None,
    width: int = 100,
) -> Iterator[str]:
    """Yield a message as lessons, line by line: titles, English, and each statement with its number.

    ``section`` picks one section of the sidecar, ``first`` the first statement shown and ``count`` how
    many; without a sidecar names are n20, n21, …. A message that is damaged is read up to the damage; the
    last line then names the error and the bit. Raises ``ValueError`` for an unknown section, ``OSError``
    for an unreadable file.
    """
    if section is not None:
        known = [part["name"] for part in (sidecar or {}).get("sections", ())]
        if section not in known:
            have = f"it has {', '.join(known)}" if known else "without a sidecar it has none"
            raise ValueError(f"{message.name} has no section {section!r}; {have}")
    data = message.read_bytes()
    reader = decoder(data, sidecar)
    shown, said, title = 0, None, None
    position, index = 0, -1
    try:
        for line in read(data, sidecar, reader):
            position, index = line.span[1], line.index
            title = line.title or title
            if (section is not None and line.section != section) or (first is not None and index < first):
                continue
            if count is not None and shown >= count:
                return
            if title:
                yield from ([""] if shown else [])
                yield from (title, "─" * len(title))
                title, said = None, None
            shown += 1
            if line.english and line.english != said:
                yield ""
                yield from _wrapped(line.english, width)
                said = line.english
            margin = f"{index:>6}  "
            for row in spelled(line, width - len(margin)).split("\n"):
                yield margin + row
                margin = " " * len(margin)
    except MessageError as error:
        where = (
            f"statement {index + 1}, which begins at bit {position}, fails at bit {reader.reader.position}"
        )
        yield f"{where}: {error.name} ({READING[error.name]}); reading stops here"


def _wrapped(text: str, width: int) -> Iterator[str]:
    row = ""
    for word in text.split():
        if row and len(row) + 1 + len(word) > width:
            yield row
            row = word
        else:
            row = f"{row} {word}" if row else word
    yield row
