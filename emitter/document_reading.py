"""Reads a message's bits into statements that people can follow: numbered, with titles, English and names.

A message keeps no parameter names. Statements of the lessons and the library get their own ones back when
they are the same up to those names; others are named by what they do (``i`` for an index, ``s`` for a
state).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import count
from textwrap import dedent
from typing import Any

from isagoge.primer.chapters import load
from isagoge.spec.alpha import Place, canonical, rename
from isagoge.spec.bits import Decoder
from isagoge.spec.notation import parse_lines, show
from isagoge.spec.primitives import number_of
from isagoge.spec.terms import (
    Apply,
    Block,
    Claim,
    Define,
    Fn,
    Listing,
    Name,
    Statement,
    Term,
    children,
    with_children,
)

_LESSON_BITS = 20_000
"""Statements longer than this are not looked for in lessons and library."""

_WIDTH = 100

_INDICES, _STATES, _OTHERS = "ijklmn", "stuv", "abcdefghpqrwxyz"
_KEPT = ((32, 600), (8, 600), (3, 600), (1, None))
_WORDS = frozenset(("if", "then", "else", "let", "in", "bits"))


@dataclass(frozen=True, slots=True)
class Line:
    """One statement of a message, and what is known of it.

    ``span`` is its first bit and the bit after its parity; ``number`` is that of the name it defines and
    ``title`` that of the lesson or part it begins, or None.
    """

    index: int
    statement: Statement
    span: tuple[int, int]
    section: str
    title: str | None
    english: str | None
    number: int | None
    text: str | None
    """The notation as it is written in the lessons or the library, if it comes from there."""

    @property
    def bits(self) -> int:
        """How many bits the statement takes, parity included."""
        return self.span[1] - self.span[0]


def decoder(data: bytes, sidecar: Mapping[str, Any] | None) -> Decoder:
    """Return the decoder of a message, with the names of the sidecar."""
    return Decoder(data, names=(sidecar or {}).get("names", ()))


def read(data: bytes, sidecar: Mapping[str, Any] | None, reader: Decoder | None = None) -> Iterator[Line]:
    """Yield the statements of a message in order, one at a time.

    ``reader`` is the decoder to use, for those who want to know how far it came.
    Raises ``MessageError`` where the bits are damaged, after all statements before that place.

    >>> from isagoge.spec.bits import encode
    >>> from isagoge.spec.notation import parse, show_statement
    >>> [show_statement(line.statement) for line in read(encode(parse("f(x) := array(x, y ↦ x).")), None)]
    ['n20(a) := array(a, i ↦ a).']
    """
    facts: Mapping[str, Any] = sidecar or {}
    titles = {int(first): str(title) for first, title in facts.get("titles", ())}
    english = facts.get("english", {})
    starts = {
        int(part["first"]): str(part["name"]) for part in facts.get("sections", ()) if part["statements"]
    }
    section = ""
    number = len(number_of())
    for index, (statement, span) in enumerate((reader or decoder(data, sidecar)).statements()):
        section = starts.get(index, section)
        defined = number if isinstance(statement, Define) else None
        number += defined is not None
        readable, text = _readable(statement, span[1] - span[0], facts)
        yield Line(index, readable, span, section, titles.get(index), english.get(str(index)), defined, text)


def _readable(statement: Statement, bits: int, facts: Mapping[str, Any]) -> tuple[Statement, str | None]:
    """Return the statement with parameter names that people can remember, and its text if it has one."""
    name = statement.name if isinstance(statement, Define) else None
    if facts and bits <= _LESSON_BITS:
        found = _taught().get(_key(statement))
        if found is not None:
            return found
    term = rename(statement.term, _Names(_hints(statement, facts)))
    return (Claim(term) if name is None else Define(name, term)), None


_Key = tuple[str | None, str]


@cache
def _taught() -> dict[_Key, tuple[Statement, str | None]]:
    """Return lessons' and library's statements by the name they define and their term up to parameters."""
    found: dict[_Key, tuple[Statement, str | None]] = {}
    for folder in ("lessons", "library"):
        for chapter in load(folder):
            for entry in chapter.entries:
                found.setdefault(_key(entry.statement), (entry.statement, None))
        for item in (files("isagoge.primer") / folder).iterdir():
            if item.name.endswith(".isa"):
                for statement, text in _written(item.read_text(encoding="utf-8"), item.name):
                    found[_key(statement)] = (statement, text)
    return found


def _key(statement: Statement) -> _Key:
    name = statement.name if isinstance(statement, Define) else None
    return name, show(canonical(statement.term))


def _written(text: str, source: str) -> Iterator[tuple[Statement, str]]:
    """Yield the statements of a file that stand in lines of their own, as they are written there."""
    rows = text.split("\n")
    sentences = parse_lines(text, source)
    stops = Counter(sentence.line for sentence in sentences)
    at = 0
    for sentence in sentences:
        lines = [
            row
            for row in rows[at : sentence.line]
            if row.strip() and not row.lstrip().startswith(("--", "#"))
        ]
        if stops[sentence.line] == 1 and not any("--" in row or len(row) > _WIDTH for row in lines):
            yield sentence.statement, dedent("\n".join(lines))
        at = sentence.line


class _Names:
    """Chooses parameter names; ``hints`` holds wanted ones by the ``id`` of a function."""

    def __init__(self, hints: Mapping[int, Sequence[str]]) -> None:
        self._hints = hints

    def __call__(self, place: Place) -> tuple[str, ...]:
        avoid = place.taken | set(place.around) | _WORDS
        chosen: list[str] = []
        for kind in self._kinds(place):
            chosen.append(
                next(name for name in _candidates(kind) if name not in avoid and name not in chosen)
            )
        return tuple(chosen)

    def _kinds(self, place: Place) -> Sequence[str]:
        params = place.function.params
        hints = self._hints.get(id(place.function), ())
        if len(hints) == len(params):
            return hints
        match place.group, place.index:
            case Apply(Name("array")), 2:
                return [_INDICES, *[_OTHERS] * (len(params) - 1)]
            case Apply(Name("fold" | "scan")), 3 if len(params) == 2:
                return [_STATES, _INDICES]
        return [_OTHERS] * len(params)


def _candidates(kind: str) -> Iterator[str]:
    """Yield the letters of an alphabet above, or the one wanted name; then the same with numbers."""
    stems = kind if kind in (_INDICES, _STATES, _OTHERS) else [kind]
    yield from stems
    for n in count(2):
        yield from (f"{stem}_{n}" for stem in stems)


def _hints(statement: Statement, facts: Mapping[str, Any]) -> dict[int, Sequence[str]]:
    """Return wanted parameter names for the model's own definitions, by the ``id`` of the function."""
    model = facts.get("model") or {}
    blocks = {block["name"]: block for block in facts.get("blocks", ())}
    if not isinstance(statement, Define) or statement.name not in (model.get("name"), *blocks):
        return {}
    hints: dict[int, Sequence[str]] = {}
    term = statement.term
    if isinstance(term, Fn):
        if statement.name == model.get("name"):
            hints[id(term)] = [_identifier(tensor["name"]) for tensor in model.get("inputs", ())]
        term = term.body
    steps: list[tuple[Fn, Term]] = []
    while isinstance(term, Apply) and isinstance(term.head, Fn) and len(term.args) == 1:
        steps.append((term.head, term.args[0]))
        term = term.head.body
    nodes = blocks.get(statement.name, {}).get("nodes", ())
    for i, (function, value) in enumerate(steps):
        if len(nodes) == len(steps):
            hints[id(function)] = [_identifier(nodes[i])]
        elif isinstance(value, Apply) and isinstance(value.head, Name) and value.head.name in blocks:
            hints[id(function)] = [f"of_{value.head.name}"]
    return hints


def _identifier(name: str) -> str:
    """Return a legal name near to one of ONNX: its last two parts, with low lines for what is not allowed."""
    words = "_".join(part for part in re.split(r"[/:.]", name)[-2:] if part)
    legal = re.sub(r"\W", "_", words, flags=re.ASCII).strip("_")
    return (legal if re.match(r"[A-Za-z]", legal) else f"v_{legal}") if legal else "v"


def elided(term: Term) -> Term:
    """Return a term with long lists cut short, for reading only: the dots stand as a name.

    >>> from isagoge.spec.terms import Num
    >>> show(elided(Listing(tuple(Num(i) for i in range(100)))))
    '[0, 1, 2, 3, 4, 5, 6, 7, … 100 in all]'
    """
    for longest, parts in _KEPT:
        short = _cut(term, longest)
        if parts is None or _size(short, parts) <= parts:
            break
    return short


def _cut(term: Term, longest: int) -> Term:
    def walk(here: Term) -> Term:
        if isinstance(here, Listing) and len(here.items) > longest:
            kept = map(walk, here.items[: min(longest, 8)])
            return Listing((*kept, Name(f"… {len(here.items)} in all")))
        return with_children(here, tuple(map(walk, children(here))))

    return walk(term)


def _size(term: Term, most: int) -> int:
    """Count the parts of a term, up to one more than ``most``."""
    stack, found = [term], 0
    while stack and found <= most:
        here = stack.pop()
        found += 1
        stack.extend(children(here))
    return found


def blocks_in(term: Term) -> list[Block]:
    """Return the blocks of bits in a term, in reading order.

    >>> blocks_in(Apply(Name("length"), (Block.of("01"),)))
    [Block(count=2, data=b'@')]
    """
    stack, found = [term], []
    while stack:
        here = stack.pop()
        if isinstance(here, Block):
            found.append(here)
        stack.extend(reversed(children(here)))
    return found


def has_function(term: Term) -> bool:
    """Tell whether a term holds a function written with ``fn``."""
    stack = [term]
    while stack:
        here = stack.pop()
        if isinstance(here, Fn):
            return True
        stack.extend(children(here))
    return False
