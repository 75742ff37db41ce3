"""Text <-> terms: what is shown or set in lines parses back to the same term (SPEC.md clause 9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terms import messages, terms

from isagoge.primer.chapters import load
from isagoge.spec.alpha import alpha_equal
from isagoge.spec.notation import NotationError, parse, show, show_all, show_statement
from isagoge.spec.pretty import pretty, pretty_statement
from isagoge.spec.terms import Block, Claim, Statement, Term


@given(messages())
def test_what_is_shown_parses_back(message: list[Statement]) -> None:
    assert parse(show_all(message)) == message


@given(terms(), st.integers(1, 120))
def test_what_is_set_in_lines_parses_back(term: Term, width: int) -> None:
    assert parse(pretty(term, width) + ".") == [Claim(term)]


@given(messages(), st.integers(20, 100))
def test_statements_set_in_lines_parse_back(message: list[Statement], width: int) -> None:
    assert parse("\n".join(pretty_statement(statement, width) for statement in message)) == message


def test_lessons_and_library_keep_to_the_width_when_set_in_lines() -> None:
    for chapter in (*load("lessons"), *load("library")):
        for entry in chapter.entries:
            text = pretty_statement(entry.statement)
            assert parse(text) == [entry.statement]
            assert all(len(row) <= 100 or '"' in row for row in text.split("\n")), text


def test_long_blocks_can_be_cut_short() -> None:
    block = Block(800, bytes(range(100)))
    assert show(block, 64) == 'bits 800 "0001020304050607…"'
    assert parse(show(block) + ".") == [Claim(block)]
    assert pretty(block, longest_block=64) == show(block, 64)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 = 1", "line 1, column"),
        ("1 =\n= 1.", "line 2, column 1"),
        ("f(1) := 2.", "parameters are names"),
        ("f(+) := 2.", "parameters are names"),
        ("(x, x) ↦ 1.", "all different"),
        ("f(x)(y) := 1.", "left of :="),
        ('bits "a5".', "0 and 1"),
        ('bits 12 "a5".', "wants 4"),
        ('bits 12 "a5ff".', "after its last bit"),
        ("1 < 2 < 3.", "line 1"),
    ],
)
def test_what_is_not_the_notation_is_named(text: str, says: str) -> None:
    with pytest.raises(NotationError, match=says) as caught:
        parse(text, "lesson")
    assert str(caught.value).startswith("lesson")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1 + 2 - 3 + 4.", "((1 + 2) - 3) + 4."),
        ("8 ÷ 4 × 2.", "(8 ÷ 4) × 2."),
        ("1 + 2 × 3 = 7.", "(1 + (2 × 3)) = 7."),
        ("-2 × 3.", "(-2) × 3."),
        ("-f(1)[2].", "-((f(1))[2])."),
        ("let x := 1 in x + 1.", "(x ↦ x + 1)(1)."),
        ("if 1 then 2 else 3 + 4.", "if 1 then 2 else (3 + 4)."),
        ("f(x, y) := x.", "f := (x, y) ↦ x."),
        ("- -1.", "-(-1)."),
        ("f(+, 1).", "f((+), 1)."),
        ('bits "1010".', 'bits 4 "a0".'),
    ],
)
def test_the_notation_binds_as_clause_9_says(one: str, other: str) -> None:
    assert parse(one) == parse(other)


def test_two_minus_signs_are_not_a_comment() -> None:
    text = show_statement(parse("- - -1 = -1.")[0])
    assert "--" not in text
    assert parse(text) == parse("- - -1 = -1.")


def test_alpha_equality_sees_scope() -> None:
    def term(text: str) -> Term:
        return parse(text)[0].term

    assert alpha_equal(term("(x, y) ↦ x - y."), term("(a, b) ↦ a - b."))
    assert alpha_equal(term("x ↦ x ↦ x."), term("a ↦ b ↦ b."))
    assert not alpha_equal(term("x ↦ x ↦ x."), term("a ↦ b ↦ a."))
    assert not alpha_equal(term("x ↦ y."), term("y ↦ y."))
    assert not alpha_equal(term("(x, y) ↦ 1."), term("x ↦ y ↦ 1."))
    assert not alpha_equal(term("[1, 2]."), term("[1]."))
    assert not alpha_equal(term("[1]."), term("[2]."))
