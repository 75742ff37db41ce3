"""Terms <-> bits: round trips, damage and limits (SPEC.md clauses 1 to 4)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terms import blocks, messages, terms

from isagoge.spec.alpha import alpha_equal, canonical, rename
from isagoge.spec.bits import MAX_DEPTH, BitReader, BitWriter, Decoder, Encoder, encode, natural
from isagoge.spec.errors import READING, MessageError
from isagoge.spec.notation import parse, show
from isagoge.spec.terms import Apply, At, Block, Claim, Define, Fn, Name, Num, Statement, Term


def names(statements: list[Statement]) -> list[str]:
    return [statement.name for statement in statements if isinstance(statement, Define)]


def pack(digits: str) -> bytes:
    size = (len(digits) + 7) // 8
    return int(digits.ljust(8 * size, "0") or "0", 2).to_bytes(size, "big")


def verdict(data: bytes, end: int | None = None) -> str:
    """The reading error of some bits, or ``read``."""
    try:
        for _ in Decoder(data, end).statements():
            pass
    except MessageError as error:
        return error.name
    return "read"


@given(messages())
def test_decoding_gives_back_what_was_encoded_up_to_parameter_names(message: list[Statement]) -> None:
    read = [statement for statement, _ in Decoder(encode(message), names=names(message)).statements()]
    assert len(read) == len(message)
    for before, after in zip(message, read, strict=True):
        assert type(before) is type(after)
        assert alpha_equal(before.term, after.term)
        assert canonical(before.term) == canonical(after.term)
    assert encode(read) == encode(message)


@given(messages())
def test_the_decoder_reports_the_spans_that_the_encoder_wrote(message: list[Statement]) -> None:
    encoder = Encoder()
    for statement in message:
        encoder.statement(statement)
    assert [span for _, span in Decoder(encoder.writer.bytes()).statements()] == encoder.spans


@given(st.integers(0, 2**53))
def test_naturals_come_back(n: int) -> None:
    digits = natural(n)
    reader = BitReader(pack(digits), len(digits))
    assert reader.natural() == n
    assert reader.position == len(digits) == 2 * n.bit_length() + 1


@given(st.lists(st.one_of(st.text("01", max_size=9), blocks), max_size=8))
def test_the_writer_puts_every_piece_where_it_belongs(pieces: list[str | Block]) -> None:
    writer = BitWriter()
    for piece in pieces:
        if isinstance(piece, Block):
            writer.block(piece)
        else:
            writer.digits(piece)
    digits = "".join(piece.digits() if isinstance(piece, Block) else piece for piece in pieces)
    assert len(writer) == len(digits)
    assert writer.bytes() == (pack(digits) if digits else b"")


@given(st.integers(0, 40), st.integers(0, 2000))
def test_a_block_comes_back_from_any_bit(shift: int, count: int) -> None:
    bits = np.random.default_rng(count * 41 + shift).integers(0, 2, count)
    block = Block.of("".join(map(str, bits)))
    claims = [Claim(Num(2**shift)), Claim(block)]
    assert [statement for statement, _ in Decoder(encode(claims)).statements()] == claims


@given(st.binary(max_size=60))
@settings(max_examples=400)
def test_any_bits_are_statements_or_a_named_error(data: bytes) -> None:
    assert verdict(data) in {"read", *READING}


TOKENS = (
    "00",
    "01",
    "10101",
    "100",
    "11101",
    "110",
    *(f"11{natural(n)}" for n in (7, 8, 15, 16, 19, 20, 21)),
)


@given(st.lists(st.sampled_from(TOKENS), max_size=40), st.integers(0, 1))
@settings(max_examples=400)
def test_any_tokens_are_statements_or_a_named_error(tokens: list[str], parity: int) -> None:
    digits = "".join(tokens) + str(parity)
    assert verdict(pack(digits)) in {"read", *READING}
    assert verdict(pack(digits), len(digits)) in {"read", *READING}


@given(terms(size=4), st.data())
def test_a_flipped_bit_that_keeps_the_length_is_found(term: Term, data: st.DataObject) -> None:
    encoder = Encoder()
    encoder.statement(Claim(term))
    end = encoder.spans[0][1]
    place = data.draw(st.integers(0, end - 1))
    damaged = bytearray(encoder.writer.bytes())
    damaged[place // 8] ^= 0x80 >> place % 8
    try:
        statement, span = next(Decoder(bytes(damaged), end).statements())
    except MessageError as error:
        assert error.name in READING
    else:  # then the flip has changed where the statement ends: parity finds all else
        assert span[1] != end, statement


@pytest.mark.parametrize("shallow", [MAX_DEPTH, MAX_DEPTH + 1])
def test_groups_may_be_nested_a_thousand_deep(shallow: int) -> None:
    term: Term = Num(1)
    for _ in range(shallow):
        term = Apply(Name("floor"), (term,))
    assert verdict(encode([Claim(term)])) == ("read" if shallow == MAX_DEPTH else "depth")


def test_the_group_of_a_definition_counts_for_depth() -> None:
    term: Term = Num(1)
    for _ in range(MAX_DEPTH):
        term = At(term, (Num(0),))
    assert verdict(encode([Define("d", term)])) == "depth"


def test_too_deep_is_known_before_the_bits_end() -> None:
    assert verdict(pack("00" * MAX_DEPTH)) == "cut"
    assert verdict(pack("00" * (MAX_DEPTH + 1))) == "depth"
    assert verdict(pack("00" * (MAX_DEPTH + 1) + "01")) == "depth"


def test_a_deep_term_can_be_shown_and_compared() -> None:
    term: Term = Num(1)
    for _ in range(MAX_DEPTH - 1):
        term = Fn(("x",), term)
    (read, _) = next(Decoder(encode([Claim(term)])).statements())
    assert alpha_equal(read.term, term)
    assert show(rename(read.term, lambda place: ("x",))) == show(term)


def test_what_cannot_be_written_is_refused() -> None:
    for statement, wrong in (
        (Claim(Num(2**53 + 1)), "natural"),
        (Claim(Name("nowhere")), "before it is taught"),
        (Claim(Name("if")), "before it is taught"),
        (Define("d", Name("d")), "before it is taught"),
        (Define("floor", Num(1)), "already defined"),
    ):
        with pytest.raises(ValueError, match=wrong):
            encode([statement])


def test_parameters_spelled_like_forms_are_parameters() -> None:
    assert encode(parse("at ↦ list ↦ at.")) == encode(parse("x ↦ y ↦ x."))


def test_renaming_refuses_names_that_clash() -> None:
    term = parse("x ↦ y ↦ x + y.")[0].term
    with pytest.raises(ValueError, match="clash"):
        rename(term, lambda place: ("z",))
    with pytest.raises(ValueError, match="clash"):
        rename(term, lambda place: ("+",))
