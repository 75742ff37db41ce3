"""The decoder specification of one message: what one would hand to a stranger together with its bits.

All of it is made by decoding the message's bits; the sidecar adds only names, English and what was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isagoge.spec.conformance import examples
from isagoge.spec.primitives import primitives
from isagoge.spec.terms import Define

from .document_html import html
from .document_markdown import markdown
from .document_model import Document, Sentences, Span, Spans, Tokens, code, language, plain
from .document_reading import Line, blocks_in, has_function, read
from .document_weights import weight
from .dump import spelled, tokens
from .message import written_beside

_FIRST = 5
"""How many statements are shown token by token."""

_TITLES = {
    "primer": "The lessons",
    "library": "The library",
    "weights": "The weights",
    "model": "The model",
    "vectors": "The test vectors",
}


def write_document(message: Path, sidecar: Mapping[str, Any], stem: Path | None = None) -> tuple[Path, Path]:
    """Write the decoder specification of a message as Markdown and as HTML; return the two paths.

    ``stem`` is their path without ending, by default that of the message. The sidecar must belong to the
    message. Raises ``MessageError`` for a damaged message, ``ValueError`` when the sidecar is of another,
    ``OSError``.
    """
    document = build(message.read_bytes(), sidecar)
    stem = stem or message.with_suffix("")
    written = []
    for ending, form in ((".md", markdown), (".html", html)):
        path = stem.with_name(stem.name + ending)
        with written_beside(path, "w") as file:
            file.writelines(form(document))
        written.append(path)
    return written[0], written[1]


@dataclass(slots=True)
class _Part:
    """A section or a lesson: first statement, how many, and how many bits they take."""

    name: str
    first: int
    statements: int = 0
    bits: int = 0

    def count(self, line: Line) -> None:
        self.statements += 1
        self.bits += line.bits


@dataclass(slots=True)
class _Row:
    """What is kept of a statement: its text, not its terms, which may be large."""

    index: int
    text: str
    english: str
    title: str | None
    number: int | None
    name: str | None
    bits: int
    weight: tuple[Spans, ...] | None


class _Survey:
    """One pass over a message: keeps what the document shows."""

    def __init__(self, data: bytes, sidecar: Mapping[str, Any]) -> None:
        self.rows: dict[str, list[_Row]] = {}
        self.sections: list[_Part] = []
        self.lessons: list[_Part] = []
        self.dumps: list[tuple[Line, str, Tokens]] = []
        self._wanted: list[tuple[str, Callable[[Line], bool]]] = [
            ("The first function", lambda line: has_function(line.statement.term)),
            ("The first block of bits", lambda line: bool(blocks_in(line.statement.term))),
        ]
        for line in read(data, sidecar):
            self._keep(line)
            self._dump(data, line)

    @property
    def statements(self) -> int:
        """The number of statements."""
        return sum(part.statements for part in self.sections)

    @property
    def bits(self) -> int:
        """The bits of all statements, without those that fill the last byte."""
        return sum(part.bits for part in self.sections)

    def _keep(self, line: Line) -> None:
        if not self.sections or self.sections[-1].name != line.section:
            self.sections.append(_Part(line.section, line.index))
        if line.title is not None or not self.lessons:
            self.lessons.append(_Part(line.title or "", line.index))
        self.sections[-1].count(line)
        self.lessons[-1].count(line)
        name = line.statement.name if isinstance(line.statement, Define) else None
        row = _Row(
            index=line.index,
            text=spelled(line),
            english=line.english or "",
            title=line.title,
            number=line.number,
            name=name,
            bits=line.bits,
            weight=weight(line.statement.term) if name and line.section == "weights" else None,
        )
        self.rows.setdefault(line.section, []).append(row)

    def _dump(self, data: bytes, line: Line) -> None:
        found = next((want for want in self._wanted if want[1](line)), None)
        if found:
            self._wanted.remove(found)
        if found or line.index < _FIRST:
            title = found[0] if found else f"Statement {line.index}"
            self.dumps.append((line, title, Tokens(tuple(tokens(data, line)))))


def build(data: bytes, sidecar: Mapping[str, Any]) -> Document:
    """Return the decoder specification of a message. Raises ``MessageError`` and ``ValueError``."""
    survey = _Survey(data, sidecar)
    if survey.statements != sidecar["statements"] or survey.bits != sidecar["message"]["bits"]:
        raise ValueError(
            f"the sidecar is not of this message: it tells of {sidecar['statements']} statements in "
            f"{sidecar['message']['bits']} bits, the message has {survey.statements} in {survey.bits}"
        )
    document = Document(f"The message {sidecar['message']['file']} and how to read it")
    _opening(document, survey, sidecar)
    document.heading(2, "The language", "language")
    document.say(
        f"The rules in full. They come with {len(examples())} worked examples (message, bits, verdict) that "
        "serve as a test of a receiver; those stand in the specification's own file, `SPEC.md`, under the "
        "same clauses."
    )
    language(document)
    _dumps(document, survey)
    _counts(document, survey)
    for section, title in _TITLES.items():
        if rows := survey.rows.get(section):
            document.heading(2, title)
            _SECTIONS[section](document, rows, sidecar)
    _index(document, survey)
    return document


def _opening(document: Document, survey: _Survey, sidecar: Mapping[str, Any]) -> None:
    model = sidecar.get("model") or {}
    document.heading(2, "What this is")
    document.say(
        f"`{sidecar['message']['file']}` is a message of {survey.bits:,} bits in {survey.statements:,} "
        "statements. It starts at counting, teaches a small language, defines in it the operations of a "
        "trained model, the model and its weights, and ends with test vectors. This page says how to read "
        "it. Everything shown below was read from the bits; names and English sentences stand beside the "
        "message and are for people only.",
        "**A receiver is right when it finds no claim of the message false.** Write one from the clauses "
        "below: read the statements in order, evaluate each, and compare. A statement either gives a name "
        "to a value or claims that something is so. When all claims hold, the model has been rebuilt; "
        "apply it to inputs of your own.",
    )
    facts: list[tuple[str, Spans]] = [("SHA-256 of the file", code(sidecar["message"]["sha256"]))]
    if model:
        parameters, source = f"{model['parameters']:,}", f"{model['source']}, {model['bytes']:,} bytes"
        facts += [("made from", plain(source)), ("SHA-256 of that", code(model["sha256"]))]
        facts += [("parameters", plain(parameters)), ("steps", plain(f"{model['steps']:,}"))]
        facts += [(f"input {tensor['name']}", plain(_tensor(tensor))) for tensor in model["inputs"]]
        facts += [(f"output {tensor['name']}", plain(_tensor(tensor))) for tensor in model["outputs"]]
    if model.get("licence"):
        facts.append(("licence", plain(model["licence"])))
    document.table(("fact, as noted beside the message", "value"), facts)


def _tensor(tensor: Mapping[str, Any]) -> str:
    shape = " × ".join("?" if n is None else str(n) for n in tensor["shape"]) or "one number"
    return f"{tensor['dtype']}, {shape}"


def _dumps(document: Document, survey: _Survey) -> None:
    document.heading(2, "The first bits, token by token", "bits")
    document.say("Spaces set off a token's kind from its natural; a message has none.")
    for line, title, dump in survey.dumps:
        document.heading(3, f"{title}, at bit {line.span[0]:,}")
        document.blocks += [Sentences(line.english or "", ((line.index, spelled(line)),)), dump]


def _counts(document: Document, survey: _Survey) -> None:
    document.heading(2, "Where the bits are", "counts")

    def row(part: _Part) -> tuple[str, ...]:
        share = 100 * part.bits / max(1, survey.bits)
        return part.name, f"{part.first:,}", f"{part.statements:,}", f"{part.bits:,}", f"{share:.2f} %"

    head = ("first statement", "statements", "bits", "share")
    total = _Part("all", 0, survey.statements, survey.bits)
    document.table(("section", *head), map(row, (*survey.sections, total)), (1, 2, 3, 4))
    document.say("The same by lesson, chapter and part:")
    document.table(("part", *head), map(row, survey.lessons), (1, 2, 3, 4))


def _statements(document: Document, rows: Iterable[_Row], titles: bool = True) -> None:
    """Add statements with their titles, those that share a sentence of English together."""
    english: str | None = None
    group: list[tuple[int, str]] = []
    for row in rows:
        if row.title is not None or row.english != english:
            _close(document, english, group)
            english, group = row.english, []
        if row.title is not None and titles:
            document.heading(3, row.title)
        group.append((row.index, row.text))
    _close(document, english, group)


def _close(document: Document, english: str | None, group: list[tuple[int, str]]) -> None:
    if group:
        document.blocks.append(Sentences(english or "", tuple(group)))


def _lessons(document: Document, rows: Sequence[_Row], sidecar: Mapping[str, Any]) -> None:
    document.say("Each statement is true, and each uses only what stands above it.")
    _statements(document, rows)


def _library(document: Document, rows: Sequence[_Row], sidecar: Mapping[str, Any]) -> None:
    document.say("What this model needs, each definition followed by the claims that pin its meaning down.")
    _statements(document, rows)


def _weights(document: Document, rows: Sequence[_Row], sidecar: Mapping[str, Any]) -> None:
    document.say("The tensors of the model, in the order in which they are first used.")
    cells = [
        (_link(row.index), code(row.name or ""), *row.weight, plain(f"{row.bits:,}"))
        for row in rows
        if row.weight
    ]
    document.table(("statement", "name", "shape", "format", "first elements", "bits"), cells, (0, 5))
    _statements(document, (row for row in rows if not row.weight), titles=False)


def _model(document: Document, rows: Sequence[_Row], sidecar: Mapping[str, Any]) -> None:
    model = sidecar.get("model") or {}
    text = (
        "The model in blocks, each a function of the values it needs. Long lists and raw bits are cut short."
    )
    document.say(f"{text} The name of the whole is `{model['name']}`." if model else text)
    if sidecar.get("blocks"):
        cells = [
            (code(b["name"]), plain(", ".join(b["nodes"])), _link(b["check"])) for b in sidecar["blocks"]
        ]
        document.table(("block", "nodes of the source", "checked by statement"), cells, (2,))
    _statements(document, rows, titles=False)


def _vectors(document: Document, rows: Sequence[_Row], sidecar: Mapping[str, Any]) -> None:
    document.say(
        "Inputs, what each block makes of them, and exact outputs. The distances to the original runtime "
        "were measured when the message was made."
    )
    cells = []
    for vector in sidecar.get("vectors", ()):
        inputs = vector["inputs"] if isinstance(vector["inputs"], list) else [vector["inputs"]]
        given = tuple(span for index in inputs for span in (*_link(index), *plain(" ")))
        measured = [plain(f"{vector[key]:.2e}") for key in ("absolute", "relative", "tolerance")]
        cells.append((given, _link(vector["outputs"]), plain(vector["against"]), *measured))
    if cells:
        head = ("inputs", "outputs", "compared with", "greatest distance", "relative", "allowed")
        document.table(head, cells, (3, 4, 5))
    _statements(document, rows, titles=False)


def _link(index: int | None) -> Spans:
    return plain("") if index is None else (Span(str(index), "text", f"s{index}"),)


_SECTIONS = {
    "primer": _lessons,
    "library": _library,
    "weights": _weights,
    "model": _model,
    "vectors": _vectors,
}


def _index(document: Document, survey: _Survey) -> None:
    document.heading(2, "All names by number", "all-names")
    document.say("A message knows names only by number. These texts for them are for people.")

    def rows() -> Iterator[tuple[Spans, ...]]:
        for p in primitives():
            yield plain(str(p.number)), code(p.name), plain("language"), plain("")
        for section, kept in survey.rows.items():
            for row in kept:
                if row.number is not None:
                    yield plain(str(row.number)), code(row.name or ""), plain(section), _link(row.index)

    document.table(("number", "name", "from", "defined by statement"), rows(), (0, 3))
