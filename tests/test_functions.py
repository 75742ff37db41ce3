"""The scalar functions of the library against mpmath with 50 digits, Python and NumPy.

The bound that a function must keep is read from its English in the library, where alone it is stated.
"""

from __future__ import annotations

import math
import random
import re
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isagoge.primer.chapters import load
from isagoge.primer.linker import lessons
from isagoge.spec.semantics import Machine
from isagoge.spec.terms import Apply, Define, Name

FILES = ("10_logic.isa", "20_formats.isa", "30_exponentials.isa", "32_circular.isa", "34_activations.isa")
POINTS = 120
"""Random points for each function and each of its regions."""

ENTRIES = [e for chapter in load("library") if chapter.source in FILES for e in chapter.entries]
ENGLISH = {e.statement.name: e.english for e in ENTRIES if isinstance(e.statement, Define)}


@cache
def machine() -> Machine:
    """Return a machine that knows the lessons and the scalar part of the library."""
    made = Machine(budget=10**12)
    for entry in (*lessons(), *ENTRIES):
        if isinstance(entry.statement, Define):
            assert made.judge(entry.statement) == "defined"
    return made


def call(name: str, *args: float) -> float:
    """Apply a library function to numbers."""
    scope = {f"x{i}": float(arg) for i, arg in enumerate(args)}
    value = machine().evaluate(Apply(Name(name), tuple(map(Name, scope))), scope)
    assert isinstance(value, float)
    return value


def same(a: float, b: float) -> bool:
    """Tell whether two numbers have the same bits, all NaNs counting as one."""
    return (math.isnan(a) and math.isnan(b)) or struct.pack("d", a) == struct.pack("d", b)


# --- where the functions are tried -----------------------------------------------------------------------

Sampler = Callable[[random.Random], float]


def uniform(low: float, high: float) -> Sampler:
    """Numbers spread evenly."""
    return lambda r: r.uniform(low, high)


def sizes(low: float, high: float, signs: tuple[int, ...] = (1, -1)) -> Sampler:
    """Numbers of both signs whose base-2 logarithms are spread evenly."""
    return lambda r: r.choice(signs) * 2.0 ** r.uniform(low, high)


def beside(centre: float, low: float, high: float, signs: tuple[int, ...] = (1, -1)) -> Sampler:
    """Numbers near a centre, at distances from 2^low to 2^high."""
    return lambda r: centre + r.choice(signs) * 2.0 ** r.uniform(low, high)


def quarters(r: random.Random) -> float:
    """Numbers next to a multiple of π/2, where a careless argument reduction loses all digits."""
    return r.randint(-600_000, 600_000) * (math.pi / 2)


POSITIVE = sizes(-1074, 1023.99, (1,))
TURNS = [uniform(-7, 7), sizes(-1074, 20), uniform(-(2.0**20), 2.0**20), quarters]
HYPERBOLIC = [uniform(-710.4, 710.4), sizes(-1074, 4), uniform(-1, 1)]
LOGISTIC = [uniform(-700, 40), uniform(-3, 3), sizes(-60, 5)]

UNITS: dict[str, tuple[Callable[[mp.mpf], mp.mpf], list[Sampler]]] = {
    "sqrt": (mp.sqrt, [POSITIVE, uniform(0, 4), beside(1, -53, -1)]),
    "reciprocal_sqrt": (lambda x: 1 / mp.sqrt(x), [POSITIVE, uniform(0, 4)]),
    "near_expm1": (mp.expm1, [uniform(-0.3466, 0.3466), sizes(-1074, -1.6)]),
    "exp": (mp.exp, [uniform(-745.1, 709.78), uniform(-1, 1), uniform(-90, 90), sizes(-1074, 9)]),
    "expm1": (mp.expm1, [uniform(-40, 709.78), uniform(-1.5, 1.5), sizes(-1074, 0)]),
    "log": (mp.log, [POSITIVE, beside(1, -53, -1), uniform(0.5, 2)]),
    "log1p": (mp.log1p, [POSITIVE, sizes(-1074, -0.01), beside(-1, -53, -20, (1,)), uniform(-0.5, 1)]),
    "tanh": (mp.tanh, [uniform(-21, 21), sizes(-1074, 4), uniform(-1, 1)]),
    "sinh": (mp.sinh, HYPERBOLIC),
    "cosh": (mp.cosh, HYPERBOLIC),
    "asinh": (mp.asinh, [sizes(-1074, 1023), uniform(-3, 3), sizes(25, 35)]),
    "acosh": (mp.acosh, [sizes(0, 1023, (1,)), beside(1, -52, 2, (1,))]),
    "atanh": (mp.atanh, [sizes(-1074, 0), uniform(-1, 1), beside(1, -53, -1, (-1,))]),
    "near_sin": (mp.sin, [uniform(-0.7854, 0.7854)]),
    "near_cos": (mp.cos, [uniform(-0.7854, 0.7854)]),
    "sin": (mp.sin, TURNS),
    "cos": (mp.cos, TURNS),
    "tan": (mp.tan, TURNS),
    "near_atan": (mp.atan, [uniform(0, 1), sizes(-1074, 0, (1,))]),
    "atan": (mp.atan, [sizes(-1074, 1023), uniform(-3, 3)]),
    "asin": (mp.asin, [uniform(-1, 1), sizes(-1074, 0), beside(1, -53, -1, (-1,))]),
    "acos": (mp.acos, [uniform(-1, 1), beside(1, -53, -1, (-1,)), beside(-1, -53, -1, (1,))]),
    "erf": (mp.erf, [uniform(-6.2, 6.2), uniform(-1, 1), sizes(-1074, 2), uniform(0.9, 2)]),
    "sigmoid": (lambda x: 1 / (1 + mp.exp(-x)), [*LOGISTIC, uniform(-745, -700)]),
    "softplus": (lambda x: mp.log1p(mp.exp(x)), LOGISTIC),
    "softsign": (lambda x: x / (1 + abs(x)), [sizes(-1074, 1000)]),
    "mish": (lambda x: x * mp.tanh(mp.log1p(mp.exp(x))), LOGISTIC),
}
"""Functions whose English says `Error below N units in the last place`: what they are, and their regions."""

BESIDE_X: dict[str, tuple[Callable[[mp.mpf], mp.mpf], list[Sampler]]] = {
    "gelu": (lambda x: x * (1 + mp.erf(x / mp.sqrt(2))) / 2, [uniform(-9, 9), uniform(-1, 1), sizes(-30, 3)]),
    "gelu_tanh": (
        lambda x: x * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + 44715 * x**3 / 10**6))) / 2,
        [uniform(-9, 9), uniform(-1, 1), sizes(-30, 3)],
    ),
    "sin": (mp.sin, [sizes(20, 53), sizes(53, 300)]),
    "cos": (mp.cos, [sizes(20, 53), sizes(53, 300)]),
}
"""Functions whose English says that the error is below |x| × 2^-N, and where."""


def points(name: str, samplers: list[Sampler], count: int = POINTS) -> Iterator[float]:
    """Yield the points for a function, always the same ones."""
    source = random.Random(name)
    for sampler in samplers:
        for _ in range(count):
            yield sampler(source)


def last_place(value: mp.mpf) -> Fraction:
    """Return the distance between neighbouring binary64 numbers where the value lies."""
    exponent = mp.frexp(value)[1] - 1 if value else -1074
    return Fraction(2) ** (min(max(exponent, -1022), 1023) - 52)


def units_off(got: float, true: mp.mpf) -> float:
    """Return the error in units in the last place."""
    if math.isinf(got):
        return 0.0 if abs(true) >= mp.mpf(2) ** 1024 * (1 - mp.mpf(2) ** -54) else math.inf
    unit = last_place(true)
    return float(abs(mp.mpf(got) - true) * unit.denominator / unit.numerator)


def bound(name: str) -> float:
    """Read a function's bound in units in the last place from its English."""
    found = re.search(r"Error below ([0-9.]+) units? in the last place", ENGLISH[name])
    assert found, f"the English of {name} states no bound in units in the last place"
    return float(found[1])


@pytest.mark.parametrize("name", UNITS)
def test_the_error_is_below_the_stated_bound(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    function, samplers = UNITS[name]
    with mp.workdps(60):
        worst = max((units_off(call(name, x), function(mp.mpf(x))), x) for x in points(name, samplers))
    record_property("units", worst[0])
    print(f"{name}: {worst[0]:.3f} units in the last place at {worst[1]!r}, stated {bound(name)}")
    assert worst[0] < bound(name), worst


@pytest.mark.parametrize("name", BESIDE_X)
def test_the_error_beside_x_is_below_the_stated_bound(name: str) -> None:
    found = re.search(r"below \|x\| × 2\^-([0-9]+)", ENGLISH[name])
    assert found, f"the English of {name} states no bound beside x"
    function, samplers = BESIDE_X[name]
    with mp.workdps(150):
        for x in points(name, samplers, 40):
            assert abs(call(name, x) - function(mp.mpf(x))) < abs(mp.mpf(x)) * mp.mpf(2) ** -int(found[1]), x


def test_every_bound_in_the_english_is_tried() -> None:
    elsewhere = {"log_of", "elu", "power"}
    stated = {name for name, english in ENGLISH.items() if "Error below" in english}
    assert stated - elsewhere == set(UNITS) | set(BESIDE_X)


POLES = {"atanh", "log1p"}
"""Functions with no value at 1 or −1, to which numbers may be rounded."""


@pytest.mark.parametrize("name", sorted(set(UNITS) - {"near_expm1", "near_sin", "near_cos", "near_atan"}))
def test_of_float32_numbers_the_result_is_the_nearest_float32_number(name: str) -> None:
    """So the float32 forms x ↦ f32(f(x)) are correctly rounded wherever we looked."""
    function, samplers = UNITS[name]
    with mp.workdps(60):
        for x in points(name + "32", samplers, 40):
            with np.errstate(all="ignore"):
                x = float(np.float32(x))
            if x == 0 or math.isinf(x) or (abs(x) == 1 and name in POLES):
                continue
            true = function(mp.mpf(x))
            if 2.0**-126 < abs(true) < 2.0**127:
                with mp.workprec(24):
                    nearest = float(+true)
                assert call("f32", call(name, x)) == nearest, x


def test_log_of_keeps_its_bound() -> None:
    r = random.Random(1)
    with mp.workdps(60):
        for _ in range(3 * POINTS):
            m, k = r.uniform(0.70711, 1.41421), r.choice((0, 0, -1, 1, r.randint(-1074, 1024)))
            assert units_off(call("log_of", m, k), mp.log(m) + k * mp.log(2)) < bound("log_of"), (m, k)


def test_elu_keeps_its_bound() -> None:
    with mp.workdps(60):
        for x in points("elu", [uniform(-40, 0), sizes(-1074, 3, (-1,))]):
            assert units_off(call("elu", 1, x), mp.expm1(x)) < bound("elu"), x


@given(st.floats(min_value=0, allow_infinity=False, width=32))
def test_sqrt_is_exact_for_squares(x: float) -> None:
    with np.errstate(over="ignore"):
        root = float(np.round(np.float64(x), 0)) % 2**26
    assert call("sqrt", root * root) == root
    assert call("sqrt", x * x) == x or x * x < 2.0**-1022


# --- powers ----------------------------------------------------------------------------------------------


def test_power_keeps_its_relative_bound() -> None:
    found = re.search(r"Error below 2\^-([0-9]+) of the value", ENGLISH["power"])
    assert found
    r = random.Random(2)
    with mp.workdps(60):
        for _ in range(4 * POINTS):
            x = 2.0 ** r.uniform(-100, 100)
            y = r.uniform(-900, 900) / max(1, abs(math.log2(x)))
            y = float(round(y)) if r.random() < 0.3 else y
            true = mp.power(mp.mpf(x), mp.mpf(y))
            assert abs(call("power", x, y) / true - 1) < mp.mpf(2) ** -int(found[1]), (x, y)


@given(st.integers(-1000, 1000), st.integers(0, 63))
def test_power_of_integers_is_exact_up_to_2_to_53(x: int, y: int) -> None:
    if abs(x**y) <= 2**53:
        assert call("power", x, y) == x**y


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 2.5, -2.5, 64.0, 1e300, -1e300]
SPECIAL += [math.inf, -math.inf, math.nan]


def ieee_power(x: float, y: float) -> float:
    """Return x to the power y as C defines it; where Python raises an error, C's infinity or NaN."""
    try:
        return math.pow(x, y)
    except ValueError:
        return math.nan if x else math.copysign(math.inf, x if y % 2 == 1 else 1.0)
    except OverflowError:
        return math.copysign(math.inf, x if y % 2 == 1 else 1.0)


@pytest.mark.parametrize("x", SPECIAL)
def test_power_of_special_numbers_is_as_in_ieee_754(x: float) -> None:
    for y in SPECIAL:
        got, expected = call("power", x, y), ieee_power(x, y)
        assert same(got, expected) or math.isclose(got, expected, rel_tol=1e-9), (y, got, expected)


# --- integers near a number, remainders, order -----------------------------------------------------------

ANY = st.floats() | st.integers(-(2**54), 2**54).map(lambda n: n / 2)
FINITE = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**54), 2**54).map(lambda n: n / 2)
MODEST = st.floats(-1e30, 1e30) | st.floats(-100, 100)


@given(ANY)
def test_integers_near_a_number_are_those_of_numpy_bit_for_bit(x: float) -> None:
    for name, function in (("ceil", np.ceil), ("trunc", np.trunc), ("round_half_even", np.round)):
        assert same(call(name, x), float(function(np.float64(x)))), name


@given(ANY)
def test_size_and_sign_are_those_of_numpy(x: float) -> None:
    assert same(call("abs", x), abs(x))
    assert call("sign", x) == (0 if math.isnan(x) else float(np.sign(x)))
    assert call("is_nan", x) == math.isnan(x)
    assert call("is_infinite", x) == math.isinf(x)
    assert math.isnan(call("relu", x)) if math.isnan(x) else call("relu", x) == max(x, 0)


@given(ANY, ANY)
def test_order_is_that_of_numpy(a: float, b: float) -> None:
    assert call("greater", a, b) == (a > b)
    assert call("at_most", a, b) == (a <= b)
    assert call("at_least", a, b) == (a >= b)
    assert call("differ", a, b) == (a != b)
    for name, function in (("max", np.maximum), ("min", np.minimum)):
        got, expected = call(name, a, b), float(function(a, b))
        assert got == expected or (math.isnan(got) and math.isnan(expected))


@given(ANY, FINITE, FINITE)
def test_clamp_is_that_of_numpy(x: float, low: float, high: float) -> None:
    got, expected = call("clamp", x, low, high), float(np.minimum(np.maximum(x, low), high))
    assert got == expected or (math.isnan(got) and math.isnan(expected))


@given(st.integers(-(2**52), 2**52), st.integers(1, 2**40) | st.integers(-(2**40), -1))
def test_mod_of_integers_is_that_of_python(a: int, b: int) -> None:
    assert call("mod", a, b) == a % b


@settings(deadline=None)
@given(MODEST, MODEST)
def test_fmod_is_that_of_c(a: float, b: float) -> None:
    if abs(b) > 1e-30:
        assert call("fmod", a, b) == math.fmod(a, b)


def test_fmod_of_far_apart_numbers_is_that_of_c() -> None:
    for a, b in ((1.7e308, 3.0), (-1e300, 7e20), (1e-300, 5e-324), (5e-324, 1e300), (2.0**1000, 1.1)):
        assert call("fmod", a, b) == math.fmod(a, b)
