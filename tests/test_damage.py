"""Single-bit damage to the embedded model's message: every flip in the primer, a share of the library's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from isagoge.emitter.generate import Options, generate
from isagoge.spec.bits import Decoder
from isagoge.verify import catalogue
from isagoge.verify.damage import flip_each, flipped, part

MODEL = Path(__file__).parent.parent / "emitter" / "embedded" / "digits_decoder.onnx"
LIBRARY_STEP = 7
"""In the library every seventh bit is flipped; seven has no factor in common with the lengths of tokens."""


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int, int]:
    """Primer and library of the embedded model's message, the primer's bits, and the bits of both."""
    out = tmp_path_factory.mktemp("damage") / "digits.isa"
    generate(MODEL, out, Options(vectors=False, document=False))
    sidecar = json.loads(out.with_suffix(".json").read_text("utf-8"))
    primer, library = (section["bits"] for section in sidecar["sections"][:2])
    return part(out.read_bytes(), primer + library), primer, primer + library


def test_every_flip_in_the_primer_is_noticed(
    taught: tuple[bytes, int, int], record_property: Callable[[str, object], None]
) -> None:
    message, primer, _ = taught
    damage = flip_each(catalogue.command(catalogue.choose(["c"])[0]), part(message, primer), range(primer))
    record_property("flips", dict(damage.found))
    print(
        f"{damage.tried} bits of the primer flipped, unnoticed: {len(damage.unnoticed)}; {dict(damage.found)}"
    )
    assert damage.tried == primer
    assert damage.unnoticed == []


def test_flips_in_the_library_are_noticed(taught: tuple[bytes, int, int]) -> None:
    message, primer, both = taught
    damage = flip_each(
        catalogue.command(catalogue.choose(["c"])[0]), message, range(primer, both, LIBRARY_STEP)
    )
    assert damage.unnoticed == []


def test_the_reader_agrees_that_a_flip_is_damage(taught: tuple[bytes, int, int]) -> None:
    message, primer, _ = taught
    whole = [statement for statement, _ in Decoder(message).statements()]
    for bit in range(0, primer, 97):
        try:
            read = [statement for statement, _ in Decoder(flipped(message, bit)).statements()]
        except Exception as error:
            assert type(error).__name__ == "MessageError", error
        else:
            assert read != whole
