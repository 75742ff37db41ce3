"""All receivers and the reference semantics agree: on random messages, damaged ones and hostile ones."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from random_values import Writer

from isagoge.emitter.generate import Options, generate
from isagoge.spec.bits import Decoder, encode, natural
from isagoge.spec.errors import MessageError
from isagoge.spec.notation import parse
from isagoge.spec.semantics import Machine, spell
from isagoge.spec.terms import Claim, Define, Statement
from isagoge.verify import catalogue, drive
from isagoge.verify.catalogue import Receiver

RECEIVERS = [receiver for receiver in catalogue.receivers() if not receiver.missing()]
DIGITS = Path(__file__).parent.parent / "emitter" / "embedded" / "digits_decoder.onnx"
STATEMENTS = 150
every_receiver = pytest.mark.parametrize("receiver", RECEIVERS, ids=lambda receiver: str(receiver.name))


def expected(statements: list[Statement]) -> list[str]:
    """Return what a receiver answers to the statements as a question: verdicts and values."""
    machine, answers = Machine(), []
    for statement in statements:
        if isinstance(statement, Define):
            answers.append(machine.judge(statement))
            continue
        try:
            answers.append(spell(machine.evaluate(statement.term, {})))
        except MessageError as error:
            answers.append(error.name)
    return answers


def asked(receiver: Receiver, bits: bytes) -> list[str]:
    """Return a receiver's answers to a question about the empty message."""
    report = drive.run(receiver.name, catalogue.command(receiver), b"", bits, seconds=60)
    assert not report.fault, report.fault
    texts = {i: answer.text.decode() for i, answer in report.answers.items()}
    return [texts.get(i, verdict) for i, verdict in enumerate(report.verdicts)]


def judged(receiver: Receiver, bits: bytes, seconds: float = 60) -> list[str]:
    """Return a receiver's verdicts on a message; that it behaves is asserted."""
    report = drive.run(receiver.name, catalogue.command(receiver), bits, seconds=seconds)
    assert not report.fault, report.fault
    return report.verdicts


@pytest.mark.parametrize("seed", range(12))
def test_random_messages(seed: int) -> None:
    statements = Writer(seed).message(STATEMENTS, 6)
    wanted = expected(statements)
    bits = encode(statements)
    # The generator is worth its name only if most terms have a value, and some have an error.
    kinds = Counter("value" if len(word) > 12 or word.startswith("[") else word for word in wanted)
    assert kinds["value"] > STATEMENTS / 4 and kinds["range"] + kinds["kind"] > 0, kinds
    for receiver in RECEIVERS:
        assert asked(receiver, bits) == wanted, receiver.name


@pytest.mark.parametrize("seed", range(6))
def test_random_messages_with_many_errors(seed: int) -> None:
    statements = Writer(1000 + seed, wrong=0.1).message(STATEMENTS, 5)
    wanted = expected(statements)
    for receiver in RECEIVERS:
        assert asked(receiver, encode(statements)) == wanted, receiver.name


def reference(data: bytes) -> list[str]:
    """Return the reference verdicts on any bits."""
    machine, verdicts = Machine(), []
    try:
        for statement, _ in Decoder(data).statements():
            verdicts.append(machine.judge(statement))
    except MessageError as error:
        verdicts.append(error.name)
    return verdicts


@pytest.mark.parametrize("seed", range(8))
def test_damaged_messages(seed: int) -> None:
    chance = random.Random(seed)
    statements = [s for s in Writer(seed).message(12, 4) if isinstance(s, Claim | Define)]
    data = bytearray(encode(statements))
    for _ in range(1 + seed % 3):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    wanted = reference(bytes(data))
    for receiver in RECEIVERS:
        assert judged(receiver, bytes(data)) == wanted, receiver.name


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes(seed: int) -> None:
    data = random.Random(seed).randbytes(40)
    for receiver in RECEIVERS:
        assert judged(receiver, data) == reference(data), receiver.name


def bits_of(digits: str) -> bytes:
    """Return a string of 0 and 1 as bytes, filled up with zeros."""
    return int(digits.ljust(-(-len(digits) // 8) * 8, "0"), 2).to_bytes(-(-len(digits) // 8), "big")


def group(form: int) -> str:
    return "0011" + natural(form)


LIST, BITS, IF = 16, 19, 7


def nested(depth: int) -> bytes:
    """Return the message of one claim: an empty list in a list in a list, so many groups deep."""
    body = group(LIST) * depth + "01" * depth
    return bits_of(body + str(body.count("1") % 2))


@every_receiver
def test_groups_a_thousand_deep_are_read_and_one_more_is_not(receiver: Receiver) -> None:
    ifs = group(IF) + "10" + natural(1)
    body = ifs * 1000 + "10" + natural(1) + ("10" + natural(0) + "01") * 1000
    assert judged(receiver, bits_of(body + str(body.count("1") % 2))) == ["true"]
    assert judged(receiver, nested(1001)) == ["depth"]
    assert judged(receiver, nested(200_000)) == ["depth"]


@every_receiver
def test_a_block_that_is_not_there_is_cut_without_asking_for_memory(receiver: Receiver) -> None:
    digits = group(BITS) + "10" + natural(2**53)
    assert judged(receiver, bits_of(digits + "1" * 40)) == ["cut"]


@every_receiver
def test_what_takes_for_ever_is_over_the_limit(receiver: Receiver) -> None:
    twice = "d0(x) := x + 1." + "".join(f"d{i}(x) := d{i - 1}(d{i - 1}(x))." for i in range(1, 61))
    verdicts = judged(receiver, encode(parse(f"{twice} d60(0) = 0.")), seconds=2)
    assert verdicts == ["defined"] * 61 + ["over-limit"]
    loop = "fold(9007199254740992, 0, (s, i) ↦ s + i) = 0. 1 = 1."
    assert judged(receiver, encode(parse(loop)), seconds=2) == ["over-limit"]


@every_receiver
def test_what_takes_all_memory_is_over_the_limit(receiver: Receiver) -> None:
    text = "fold(50, [0], (s, i) ↦ array(2 × length(s), j ↦ j)) = 0. fold(9, 0, (s, i) ↦ s + i) = 36."
    report = drive.run(
        receiver.name, catalogue.command(receiver), encode(parse(text)), seconds=60, megabytes=200
    )
    assert report.verdicts == ["over-limit", "true"] and not report.fault


@every_receiver
def test_functions_that_are_handed_to_themselves_are_refused(receiver: Receiver) -> None:
    text = "w(x) := x(x). w(w). (x ↦ x(x))(x ↦ x(x)). d(f, x) := f(x). d(d, 1). (f ↦ d(f, f))(d)."
    assert judged(receiver, encode(parse(text))) == ["defined", "kind", "kind", "defined", "false", "kind"]


@every_receiver
def test_long_chains_of_definitions_and_of_local_names(receiver: Receiver) -> None:
    calls = "d0(x) := x + 1." + "".join(f"d{i}(x) := d{i - 1}(x) + 1." for i in range(1, 400))
    assert judged(receiver, encode(parse(f"{calls} d399(0) = 400.")))[-1] == "true"
    lets = "".join(f"let a{i} := {f'a{i - 1}' if i else '0'} + 1 in " for i in range(400))
    assert judged(receiver, encode(parse(f"({lets}a399) = 400."))) == ["true"]


@every_receiver
def test_the_embedded_model_at_every_place_where_it_can_be_cut(receiver: Receiver, tmp_path: Path) -> None:
    out = tmp_path / "d.isa"
    generate(DIGITS, out, Options(document=False))
    data = out.read_bytes()
    for size in range(0, len(data), len(data) // 9):
        verdicts = judged(receiver, data[:size])
        assert verdicts[-1:] in ([], ["true"], ["defined"], ["cut"], ["form"], ["parity"]), size
        assert set(verdicts[:-1]) <= {"true", "defined"}
