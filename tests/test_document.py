"""The decoder specification of a message says what its bits say, and a message reads at the terminal."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isagoge.emitter.document import write_document
from isagoge.emitter.document_model import spans
from isagoge.emitter.document_reading import elided, read
from isagoge.emitter.dump import read_lines, tokens
from isagoge.emitter.message import Message
from isagoge.emitter.tensors import tensor_term
from isagoge.primer import linker
from isagoge.spec.alpha import alpha_equal
from isagoge.spec.bits import Decoder
from isagoge.spec.errors import MessageError
from isagoge.spec.notation import parse, show
from isagoge.spec.terms import Define, Listing, Num, Statement

WEIGHT = np.random.default_rng(7).normal(size=(3, 50)).astype(np.float32)
MODEL = """
block1(v_in) := let v_h := array(length(v_in), r ↦ v_in[r] + w_table[0, r]) in
                let v_y := fold(length(v_h), [], (t, k) ↦ [v_h[k]]) in v_y.
model(v_in) := let of_block1 := block1(v_in) in [of_block1].
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[Statement]]:
    """A message with all lessons, some of the library and a model written by hand."""
    folder = tmp_path_factory.mktemp("message")
    statements: list[Statement] = []
    message = Message()

    def add(statement: Statement, english: str) -> int:
        statements.append(statement)
        return message.add(statement, english)

    message.section("primer")
    message.add_entries(linker.lessons())
    statements += [entry.statement for entry in linker.lessons()]
    message.section("library")
    library = linker.link(["singles", "integers", "nest"])
    message.add_entries(library)
    statements += [entry.statement for entry in library]
    message.section("weights", "Weights")
    add(Define("w_table", tensor_term(WEIGHT)), "A tensor of 3 × 50 numbers.")
    add(Define("w_small", tensor_term(np.arange(4))), "A tensor of 4 numbers.")
    add(Define("w_bytes", tensor_term(np.arange(100))), "A tensor of 100 numbers.")
    message.section("model", "The model")
    for statement in parse(MODEL):
        add(statement, "The <model>, in | parts.")
    message.section("vectors", "Test vectors")
    asked = add(parse("input := [1, 2].")[0], "An input.")
    answer = add(parse("length(model(input)) = 1.")[0], "One output.")
    add(Define("long", Listing(tuple(Num(i) for i in range(1000)))), "Many numbers.")
    path = folder / "M.isa"
    sidecar = {
        "isagoge": "0",
        "message": message.write(path),
        **message.facts(),
        "model": {
            "name": "model", "source": "hand.onnx", "sha256": "0" * 64, "bytes": 12, "parameters": 150,
            "steps": 2,
            "opset": {"": 17}, "licence": None,
            "inputs": [{"name": "code", "dtype": "float32", "shape": ["batch"]}],
            "outputs": [{"name": "image", "dtype": "float32", "shape": [None, 2]}],
        },
        "blocks": [{"name": "block1", "nodes": ["/enc/Add", "/enc/Last"], "check": answer}],
        "vectors": [{"inputs": [asked], "outputs": answer, "against": "onnxruntime 0", "absolute": 1e-7,
                     "relative": 2e-7, "tolerance": 1e-5}],
        "payload": None,
    }  # fmt: skip
    return path, json.loads(json.dumps(sidecar)), statements


@pytest.fixture(scope="module")
def written(made: tuple[Path, dict[str, Any], list[Statement]]) -> tuple[str, str]:
    path, sidecar, _ = made
    texts = [file.read_text(encoding="utf-8") for file in write_document(path, sidecar)]
    return texts[0], texts[1]


def shown(markdown: str) -> Iterator[tuple[int, str]]:
    """Yield the statements of the Markdown: number and notation."""
    for fence in re.findall(r"^```text\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL):
        for number, text in re.findall(r"^ *(\d+)  (.*(?:\n {8}.*)*)", fence, re.MULTILINE):
            yield int(number), text


def test_statements_are_read_back_with_their_own_names(
    made: tuple[Path, dict[str, Any], list[Statement]],
) -> None:
    path, sidecar, statements = made
    lines = list(read(path.read_bytes(), sidecar))
    assert len(lines) == len(statements)
    for line, statement in zip(lines, statements, strict=True):
        assert alpha_equal(line.statement.term, statement.term)
        if line.section in ("primer", "library"):
            assert line.statement == statement
            assert line.text is None or parse(line.text) == [statement]
    assert sum(line.text is not None for line in lines) > len(lines) / 2
    assert sum(line.bits for line in lines) == sidecar["message"]["bits"]


def test_parameters_of_the_model_get_names_from_its_nodes(
    made: tuple[Path, dict[str, Any], list[Statement]],
) -> None:
    path, sidecar, _ = made
    texts = {line.index: show(line.statement.term) for line in read(path.read_bytes(), sidecar)}
    first = next(part["first"] for part in sidecar["sections"] if part["name"] == "model")
    assert texts[first] == (
        "a ↦ let enc_Add := array(length(a), i ↦ a[i] + w_table[0, i]) in "
        "let enc_Last := fold(length(enc_Add), [], (s, i) ↦ [enc_Add[i]]) in enc_Last"
    )
    assert texts[first + 1] == "code ↦ let of_block1 := block1(code) in [of_block1]"


def test_what_the_markdown_shows_is_what_the_bits_say(
    made: tuple[Path, dict[str, Any], list[Statement]], written: tuple[str, str]
) -> None:
    _, _, statements = made
    numbers = set()
    for number, text in shown(written[0]):
        numbers.add(number)
        if "…" not in text:
            (again,) = parse(text)
            assert alpha_equal(again.term, statements[number].term), text
    weights = {i for i, s in enumerate(statements) if isinstance(s, Define) and s.name.startswith("w_")}
    assert numbers | weights == set(range(len(statements)))


def test_every_statement_and_name_is_in_both_forms(
    made: tuple[Path, dict[str, Any], list[Statement]], written: tuple[str, str]
) -> None:
    _, sidecar, _ = made
    markdown, html = written
    for number, name in enumerate(sidecar["names"], 20):
        assert f"| {number} | `{name}` |" in markdown
        assert f'<td class="n">{number}</td><td><code>{name}</code></td>' in html
    for _, title in sidecar["titles"]:
        assert title in ("Weights", "The model", "Test vectors") or f"### {title}\n" in markdown
    assert "The \\<model\\>, in \\| parts." in markdown
    assert "The &lt;model&gt;, in | parts." in html


def test_weights_are_read_from_the_bits(written: tuple[str, str]) -> None:
    first = ", ".join(f"{float(x):.6g}" for x in WEIGHT[0, :4])
    assert f"| `w_table` | 3 × 50 | singles | {first} |" in written[0]
    assert "| `w_small` | 4 | `[0, 1, 2, 3]` |" in written[0]
    assert "| `w_bytes` | 100 | integers of 8 bits | 0, 1, 2, 3 |" in written[0]


def test_the_counts_are_those_of_the_message(
    made: tuple[Path, dict[str, Any], list[Statement]], written: tuple[str, str]
) -> None:
    _, sidecar, _ = made
    for part in sidecar["sections"]:
        row = f"| {part['name']} | {part['first']:,} | {part['statements']:,} | {part['bits']:,} |"
        assert row in written[0]
    assert (
        f"| all | 0 | {sidecar['statements']:,} | {sidecar['message']['bits']:,} | 100.00 % |" in written[0]
    )


def test_the_rules_are_there_without_examples(written: tuple[str, str]) -> None:
    for text in written:
        assert "examples 5" not in text
        assert "What may receive functions" in text
        assert "the greatest integer e with 2^e not above" in text
    for clause in range(1, 11):
        assert f'id="clause-{clause}"' in written[1]


def test_tables_have_as_many_cells_as_heads(written: tuple[str, str]) -> None:
    for table in re.findall(r"(?:^\|.*\n?)+", written[0], re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.strip().split("\n")}
        assert len(cells) == 1, table


class Checker(HTMLParser):
    """Checks that tags close in order, ids are unique, and links lead somewhere."""

    VOID = ("meta",)

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids and links; refuse what would fetch or run something."""
        values = dict(attrs)
        assert not {"src", "onclick"} & set(values)
        assert tag not in ("script", "link", "img")
        if tag == "ol" and self.open[-1] == "ol":
            pytest.fail("a list stands directly in a list")
        if tag not in self.VOID:
            self.open.append(tag)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if "href" in values:
            self.targets.add(str(values["href"]))

    def handle_endtag(self, tag: str) -> None:
        """Tags close in the order in which they were opened."""
        assert self.open.pop() == tag


def test_the_html_is_well_formed_and_needs_nothing_else(written: tuple[str, str]) -> None:
    checker = Checker()
    checker.feed(written[1])
    checker.close()
    assert checker.open == []
    headings = [i for i in checker.ids if not re.fullmatch(r"s\d+", i)]
    assert len(set(headings)) == len(headings)
    assert {target[1:] for target in checker.targets if not re.fullmatch(r"#s\d+", target)} <= set(
        checker.ids
    )
    assert all(target.startswith("#") for target in checker.targets)
    assert "@media print" in written[1]
    assert "prefers-color-scheme: dark" in written[1]


def test_links_in_the_contents_lead_to_headings(written: tuple[str, str]) -> None:
    anchors = set(re.findall(r'<a id="([^"]+)">', written[0]))
    targets = re.findall(r"\]\(#([^)]+)\)", written[0])
    assert targets
    assert set(targets) <= anchors


def test_tokens_are_the_bits_of_the_statement(made: tuple[Path, dict[str, Any], list[Statement]]) -> None:
    path, sidecar, _ = made
    data = path.read_bytes()
    whole = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}"
    for line in read(data, sidecar):
        rows = tokens(data, line)
        if not any("…" in row.bits for row in rows):
            assert "".join(row.bits.replace(" ", "") for row in rows) == whole[slice(*line.span)]
        assert rows[-1].kind == "parity"
        assert [row.kind for row in rows].count("open") == [row.kind for row in rows].count("close")


def test_a_sidecar_of_another_message_is_refused(
    made: tuple[Path, dict[str, Any], list[Statement]], tmp_path: Path
) -> None:
    path, sidecar, _ = made
    other = copy.deepcopy(sidecar)
    other["message"]["bits"] += 1
    with pytest.raises(ValueError, match="not of this message"):
        write_document(path, other, tmp_path / "other")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_message_has_no_document(
    made: tuple[Path, dict[str, Any], list[Statement]], tmp_path: Path
) -> None:
    path, sidecar, _ = made
    (tmp_path / "M.isa").write_bytes(path.read_bytes()[:1000])
    with pytest.raises(MessageError, match="cut"):
        write_document(tmp_path / "M.isa", sidecar)


def test_a_message_reads_as_lessons(made: tuple[Path, dict[str, Any], list[Statement]]) -> None:
    path, sidecar, _ = made
    lines = list(read_lines(path, sidecar))
    title = sidecar["titles"][0][1]
    assert lines[:2] == [title, "─" * len(title)]
    assert sidecar["english"]["0"].split()[0] in lines[3]
    numbers = [int(row[:6]) for row in lines if re.match(r" {0,5}\d+  ", row)]
    assert numbers == list(range(sidecar["statements"]))
    assert max(map(len, lines)) <= 110


def test_parts_of_a_message_can_be_read(made: tuple[Path, dict[str, Any], list[Statement]]) -> None:
    path, sidecar, _ = made
    model = "\n".join(read_lines(path, sidecar, section="model"))
    assert model.startswith("The model\n")
    assert "block1(a) :=" in model
    assert "Test vectors" not in model
    three = list(read_lines(path, sidecar, first=4, count=3))
    assert [int(row[:6]) for row in three if re.match(r" {0,5}\d+  ", row)] == [4, 5, 6]
    with pytest.raises(ValueError, match="no section 'moral'; it has primer, library"):
        list(read_lines(path, sidecar, section="moral"))


def test_a_message_reads_without_its_sidecar(made: tuple[Path, dict[str, Any], list[Statement]]) -> None:
    path, sidecar, _ = made
    lines = list(read_lines(path, None))
    assert len(lines) >= sidecar["statements"]
    assert any("n20" in row for row in lines)
    assert not any(re.search(r"\bx\d{2,}\b", row) for row in lines)


def test_damage_is_told_in_one_line(
    made: tuple[Path, dict[str, Any], list[Statement]], tmp_path: Path
) -> None:
    path, sidecar, _ = made
    spans_of = [span for _, span in Decoder(path.read_bytes()).statements()]
    place = spans_of[9][1] - 1  # the parity of statement 9
    damaged = bytearray(path.read_bytes())
    damaged[place // 8] ^= 0x80 >> place % 8
    (tmp_path / "D.isa").write_bytes(damaged)
    lines = list(read_lines(tmp_path / "D.isa", sidecar))
    assert lines[-1].startswith(
        f"statement 9, which begins at bit {spans_of[9][0]}, fails at bit {place + 1}: parity"
    )
    assert any(row.startswith("     8  ") for row in lines)
    assert not any(row.startswith("     9  ") for row in lines)


def test_long_lists_are_cut_short() -> None:
    table = Listing(tuple(Listing(tuple(Num(j) for j in range(30))) for _ in range(30)))
    assert len(show(elided(table))) < 1000
    assert show(elided(table)).endswith("… 30 in all]")


def test_marks_in_texts_become_spans() -> None:
    assert [(s.style, s.text) for s in spans("*a* `*b*` **c** 2 * 3")] == [
        ("emphasis", "a"), ("text", " "), ("code", "*b*"), ("text", " "), ("strong", "c"), ("text", " 2 * 3"),
    ]  # fmt: skip
