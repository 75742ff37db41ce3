"""Rounding to narrow formats and reading numbers from bits, against NumPy and exact fractions."""

from __future__ import annotations

import math
import random
import struct
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isagoge.primer.chapters import load
from isagoge.primer.linker import lessons
from isagoge.spec.notation import parse
from isagoge.spec.semantics import Array, Machine, Value
from isagoge.spec.terms import Apply, Block, Define, Name, Num, Term

FILES = ("10_logic.isa", "20_formats.isa")
FORMATS = {"f32": (24, -126, 127), "f16": (11, -14, 15), "bf16": (8, -126, 127)}
"""Significant binary digits, least and greatest exponent."""


@cache
def machine() -> Machine:
    """Return a machine that knows the lessons and the chapters on logic and formats."""
    made = Machine(budget=10**12)
    library = (entry for chapter in load("library") if chapter.source in FILES for entry in chapter.entries)
    for entry in (*lessons(), *library):
        if isinstance(entry.statement, Define):
            assert made.judge(entry.statement) == "defined"
    return made


def rounded(name: str, x: float) -> float:
    """Apply one of the rounding functions."""
    value = machine().evaluate(Apply(Name(name), (Name("x"),)), {"x": x})
    assert isinstance(value, float)
    return value


def read(name: str, data: bytes, *rest: int) -> list[float]:
    """Apply a reader to the bits of some bytes, the highest place of each byte first."""
    arguments: tuple[Term, ...] = (Block(8 * len(data), data), *map(Num, rest))
    value: Value = machine().evaluate(Apply(Name(name), arguments), {})
    assert isinstance(value, Array)
    return [item for item in value if isinstance(item, float)]


def bits(values: list[float]) -> list[bytes]:
    """Return the binary64 bits of numbers, all NaNs as one."""
    return [struct.pack(">d", math.nan if math.isnan(value) else value) for value in values]


def exactly(name: str, x: float) -> float:
    """Round by exact fractions, as the definition of a format in IEEE 754 says."""
    p, least, most = FORMATS[name]
    if x == 0 or not math.isfinite(x):
        return x
    step = Fraction(2) ** (max(math.frexp(x)[1] - 1, least) - p + 1)
    value = round(Fraction(x) / step) * step  # Python rounds fractions to even
    return math.copysign(math.inf if abs(value) >= Fraction(2) ** (most + 1) else float(value), x)


def beside(x: float) -> list[float]:
    """Return x, its two neighbours, and their opposites."""
    three = [x, math.nextafter(x, math.inf), math.nextafter(x, -math.inf)]
    return three + [-y for y in three]


def borders(name: str) -> list[float]:
    """Return numbers at and beside every place where a format's rule changes, and beside ties."""
    p, least, most = FORMATS[name]
    step = 2.0 ** (least - p + 1)
    found = [
        0.0,
        step / 2,
        step,
        1.5 * step,
        2.5 * step,
        2.0**least - step / 2,
        2.0**least,
        2.0**least + step,
    ]
    top = 2.0**most * (2 - 2.0 ** (1 - p))
    found += [top, top + 2.0 ** (most - p), 2.0 ** (most + 1), 2.0**most, 2.0 ** (most - 1) * (2 - 2.0**-p)]
    found += [1 + 2.0**-p, 1 + 3 * 2.0**-p, 2 - 2.0**-p, 1e300, math.inf, math.nan, 5e-324, 2.0**-1022]
    return [y for x in found for y in beside(x)]


NEAR_THE_FORMATS = st.floats() | st.floats(width=32) | st.floats(-1e39, 1e39) | st.floats(-1e-37, 1e-37)
NEAR_THE_FORMATS = NEAR_THE_FORMATS | st.floats(-7e4, 7e4) | st.floats(-1e-4, 1e-4) | st.floats(-1e-44, 1e-44)


@given(NEAR_THE_FORMATS)
def test_rounding_to_binary32_and_binary16_is_that_of_numpy_bit_for_bit(x: float) -> None:
    with np.errstate(all="ignore"):
        assert bits([rounded("f32", x)]) == bits([float(np.float32(x))])
        assert bits([rounded("f16", x)]) == bits([float(np.float16(x))])


@pytest.mark.parametrize("name", FORMATS)
@given(x=NEAR_THE_FORMATS)
def test_rounding_is_that_of_exact_fractions(name: str, x: float) -> None:
    assert bits([rounded(name, x)]) == bits([exactly(name, x)])


@pytest.mark.parametrize("name", FORMATS)
def test_rounding_at_the_borders_of_a_format(name: str) -> None:
    for x in borders(name):
        assert bits([rounded(name, x)]) == bits([exactly(name, x)]), x


@given(NEAR_THE_FORMATS)
def test_rounding_twice_is_rounding_once(x: float) -> None:
    for name in FORMATS:
        once = rounded(name, x)
        assert bits([rounded(name, once)]) == bits([once])


@given(NEAR_THE_FORMATS, NEAR_THE_FORMATS)
def test_rounding_keeps_order(x: float, y: float) -> None:
    for name in FORMATS:
        assert not (x <= y) or rounded(name, x) <= rounded(name, y)


def patterns(width: int, exponent: int, count: int) -> list[int]:
    """Return bit patterns of a binary format: both ends of some exponents' ranges, and random ones."""
    fraction = width - 1 - exponent
    source = random.Random(width + exponent)
    exponents = {0, 1, 2, 2 ** (exponent - 1) - 1, 2 ** (exponent - 1), 2**exponent - 2, 2**exponent - 1}
    fractions = {0, 1, 2**fraction - 1, 2 ** (fraction - 1)}
    found = [
        s << (width - 1) | e << fraction | f
        for s in (0, 1)
        for e in sorted(exponents)
        for f in sorted(fractions)
    ]
    return found + [source.getrandbits(width) for _ in range(count)]


def test_singles_are_those_of_numpy() -> None:
    raw = np.array(patterns(32, 8, 400), ">u4")
    with np.errstate(invalid="ignore"):  # signalling NaNs
        expected = raw.view(">f4").astype(np.float64).tolist()
    assert bits(read("singles", raw.tobytes())) == bits(expected)


def test_doubles_are_those_of_numpy() -> None:
    raw = np.array(patterns(64, 11, 200), ">u8")
    assert bits(read("doubles", raw.tobytes())) == bits(raw.view(">f8").tolist())


def test_halves_are_those_of_numpy() -> None:
    raw = np.array(patterns(16, 5, 800), ">u2")
    assert bits(read("halves", raw.tobytes())) == bits(raw.view(">f2").astype(np.float64).tolist())


def test_brains_are_the_upper_halves_of_binary32() -> None:
    raw = np.array(patterns(16, 8, 800), ">u2")
    with np.errstate(invalid="ignore"):  # signalling NaNs
        wide = (raw.astype(">u4") << 16).astype(">u4").view(">f4").astype(np.float64)
    assert bits(read("brains", raw.tobytes())) == bits(wide.tolist())


@given(st.lists(st.integers(-(2**53), 2**53)))
def test_integers_of_64_bits_are_exact_to_2_to_53(values: list[int]) -> None:
    assert read("integers", np.array(values, ">i8").tobytes(), 64) == values


@pytest.mark.parametrize("width", [8, 16, 32])
@given(data=st.data())
def test_integers_and_naturals_of_every_width(width: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, 2**width - 1), max_size=8))
    raw = b"".join(value.to_bytes(width // 8, "big") for value in values)
    assert read("naturals", raw, width) == values
    signed = [value - 2**width if value >= 2 ** (width - 1) else value for value in values]
    assert read("integers", raw, width) == signed


@given(st.binary(max_size=12), st.integers(1, 12))
def test_fields_of_any_width_are_read_in_order(data: bytes, width: int) -> None:
    digits = "".join(f"{byte:08b}" for byte in data)
    count = len(digits) // width
    term = Apply(Name("naturals"), (Block.of(digits[: count * width]), Num(width)))
    fields = [float(int(digits[i * width : (i + 1) * width], 2)) for i in range(count)]
    assert machine().evaluate(term, {}) == Array(fields)


def test_a_length_that_is_no_multiple_of_the_width_is_an_error() -> None:
    assert list(machine().run(parse('naturals(bits "1010", 3). singles(bits "1010").'))) == ["range", "range"]
