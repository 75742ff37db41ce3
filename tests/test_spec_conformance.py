"""SPEC.md is in order, and its examples hold in the reference semantics."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from isagoge.spec.bits import Decoder
from isagoge.spec.conformance import Example, examples, specification
from isagoge.spec.errors import EVALUATING, READING, MessageError
from isagoge.spec.notation import NotationError, parse
from isagoge.spec.primitives import primitives
from isagoge.spec.semantics import Machine, spell
from isagoge.spec.tables import fill

EXAMPLES = examples()
BUDGET = 300_000


def verdicts(example: Example) -> tuple[str, ...]:
    """What the reference says of an example."""
    if example.question is not None:
        ((statement, _),) = Decoder(bytes.fromhex(example.question)).statements()
        try:
            return (spell(Machine(BUDGET).evaluate(statement.term, {})),)
        except MessageError as error:
            return (error.name,)
    machine = Machine(BUDGET)
    found: list[str] = []
    try:
        for statement, _ in Decoder(bytes.fromhex(example.bits)).statements():
            found.append(machine.judge(statement))
    except MessageError as error:
        found.append(error.name)
    return tuple(found)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"line-{e.line}")
def test_the_examples_hold_in_the_reference_semantics(example: Example) -> None:
    assert verdicts(example) == example.verdicts


def test_the_generated_tables_are_current() -> None:
    assert fill(specification()) == specification()


def test_every_chapter_of_rules_has_examples() -> None:
    chapters = set(re.findall(r"^([1-8])\.\d+ ", specification(), re.MULTILINE))
    assert chapters == {example.clause for example in EXAMPLES}
    assert any(example.text.startswith("0b") for example in EXAMPLES)


def test_every_primitive_and_every_error_has_an_example() -> None:
    texts = " ".join(example.text for example in EXAMPLES)
    written = {"define": ":=", "fn": "↦", "at": "][", "list": "["}
    for primitive in primitives():
        assert written.get(primitive.name, primitive.name) in texts, primitive.name
    told = {verdict for example in EXAMPLES for verdict in example.verdicts}
    assert {*READING, *EVALUATING} - {
        "depth"
    } <= told  # 1,000 groups are too long for a line: see test_spec_bits


def test_clauses_are_numbered_without_gaps() -> None:
    clauses = re.findall(r"^(\d+)\.(\d+) ", specification(), re.MULTILINE)
    for chapter in sorted({int(c) for c, _ in clauses}):
        assert [int(n) for c, n in clauses if int(c) == chapter] == list(
            range(1, 1 + sum(int(c) == chapter for c, _ in clauses))
        )


def test_clauses_that_are_cited_exist() -> None:
    text = specification()
    clauses = {".".join(pair) for pair in re.findall(r"^(\d+)\.(\d+) ", text, re.MULTILINE)}
    for cited in re.findall(r"\((\d+\.\d+)\)|(?:in|of) (\d+\.\d+)\b", text):
        assert (cited[0] or cited[1]) in clauses


def test_the_specification_is_short() -> None:
    rules = re.sub(r"^```examples.*?^```$", "", specification(), flags=re.MULTILINE | re.DOTALL)
    assert len(rules.split()) <= 3000


def test_the_notation_table_holds() -> None:
    rows = re.findall(r"^\| (`.*) \| (`\(.*) \|$", specification(), re.MULTILINE)
    assert len(rows) >= 10
    for left, _ in rows:
        for text in re.findall(r"`([^`]+)`", left):
            try:
                parse(text if text.endswith(".") else text + ".")
            except NotationError as error:
                pytest.fail(str(error))


def test_the_suite_can_be_printed_for_other_languages() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "isagoge.spec.conformance"], capture_output=True, check=True, text=True
    )
    suite = json.loads(shown.stdout)
    assert len(suite) == len(EXAMPLES)
    assert set(suite[0]) == {"clause", "line", "text", "bits", "question", "verdicts"}


def test_an_example_without_a_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2"):
        examples("```examples 1\n1 = 1.\n```")
