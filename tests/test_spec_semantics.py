"""The reference semantics beyond the examples of SPEC.md: limits, and arithmetic against exact fractions."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from terms import messages

from isagoge.spec import arithmetic
from isagoge.spec.errors import EVALUATING, MessageError
from isagoge.spec.notation import parse
from isagoge.spec.semantics import Array, Machine, spell
from isagoge.spec.terms import Statement

floats = st.floats(allow_nan=True, allow_infinity=True)
finite = st.floats(allow_nan=False, allow_infinity=False)


def verdicts(text: str, budget: int = 200_000) -> list[str]:
    return list(Machine(budget).run(parse(text)))


def same(a: float, b: float) -> bool:
    return struct.pack(">d", a) == struct.pack(">d", b) or (math.isnan(a) and math.isnan(b))


@given(messages())
def test_any_message_gets_a_verdict_for_each_statement(message: list[Statement]) -> None:
    found = list(Machine(2_000).run(message))
    assert len(found) == len(message)
    assert set(found) <= {"defined", "true", "false", *EVALUATING}


@pytest.mark.parametrize(
    "text",
    [
        "(f ↦ f(f))(x ↦ x(x)).",
        "w(f) := f(f). w(w).",
        "(f ↦ (g ↦ g(f))(x ↦ x))(floor).",
        "pair(f, g) := x ↦ f(g(x)). pair(floor, floor)(floor).",
        "fold(3, floor, (f, i) ↦ f).",
        "[x ↦ x].",
        "scan(2, 0, (s, i) ↦ x ↦ s).",
    ],
)
def test_a_function_cannot_come_where_it_could_be_handed_to_itself(text: str) -> None:
    assert verdicts(text)[-1] == "kind"


def test_a_written_function_and_a_defined_one_may_receive_functions() -> None:
    assert verdicts("compose(f, g) := x ↦ f(g(x)). compose(floor, x ↦ x ÷ 2)(5) = 2.") == ["defined", "true"]
    assert verdicts("(f ↦ (g ↦ g(2))(f))(x ↦ x + 1) = 3.") == ["true"]


def chain(length: int, step: str) -> str:
    made = "".join(f"f{i}(x) := {step.replace('F', f'f{i - 1}')}." for i in range(1, length))
    return f"f0(x) := x.{made}"


def test_evaluations_may_nest_ten_thousand_deep() -> None:
    # One call in this chain counts three: the application, the body, and the application of +.
    text = chain(5_001, "1 + F(x)")
    assert verdicts(text + "f3300(0) = 3300. f5000(0) = 5000. 1.")[-3:] == ["true", "over-limit", "true"]


def test_evaluations_through_loops_may_nest_too() -> None:
    text = chain(2_501, "array(1, i ↦ fold(1, 0, (s, j) ↦ F(x)))[0]")
    assert verdicts(text + "f1000(7) = 7. f2500(7) = 7. 1.")[-3:] == ["true", "over-limit", "true"]


def test_depth_is_given_back_after_an_error() -> None:
    machine = Machine(200_000)
    term = parse("1 + (1 + [1]).")[0].term
    for _ in range(5_000):
        with pytest.raises(MessageError):
            machine.evaluate(term, {})
    assert machine.evaluate(parse("1 + (1 + 1).")[0].term, {}) == 3.0


@pytest.mark.parametrize(("times", "verdict"), [(63, "true"), (64, "over-limit")])
def test_arrays_may_be_nested_64_deep(times: int, verdict: str) -> None:
    assert verdicts(f"length(fold({times}, [], (s, i) ↦ [s])) = 1.") == [verdict]
    assert verdicts(f"length(fold({times}, [], (s, i) ↦ array(1, j ↦ s))) = 1.") == [verdict]
    assert verdicts(f"length(fold({times}, [], (s, i) ↦ scan(1, 0, (t, j) ↦ s))) = 1.") == [verdict]


def test_shared_elements_cost_no_time_to_hold_but_do_to_compare() -> None:
    text = "x := fold(60, [0], (s, i) ↦ [s, s]). length(x) = 2. x = x. 1."
    assert verdicts(text) == ["defined", "true", "over-limit", "true"]


@pytest.mark.parametrize(
    "text",
    [
        "array(9007199254740992, i ↦ i).",
        "fold(9007199254740992, 0, (s, i) ↦ s).",
        "scan(1000000, 0, (s, i) ↦ s).",
        "fold(50, [0], (s, i) ↦ array(length(s) + length(s), j ↦ 0)).",
        "fold(1000, 0, (s, i) ↦ fold(1000, s, (t, j) ↦ t + 1)).",
    ],
)
def test_a_budget_that_is_used_up_is_named(text: str) -> None:
    assert verdicts(text) == ["over-limit"]


def test_a_failed_definition_is_missing_wherever_it_is_evaluated() -> None:
    text = "a := [1][1]. f(x) := a + x. f(1). f = f. if 0 then a else 1. [1, a]. (x ↦ 1)(a)."
    assert verdicts(text) == ["range", "defined", "missing", "kind", "true", "missing", "missing"]


def test_surplus_arguments_go_to_the_value() -> None:
    assert (
        verdicts("k(x) := y ↦ z ↦ x × 100 + y × 10 + z. k(1, 2, 3) = 123. k(1, 2)(3) = 123.")[1:]
        == ["true"] * 2
    )
    assert verdicts("floor(1, 2).") == ["kind"]


@given(floats, floats)
def test_division_is_the_exact_quotient_rounded(a: float, b: float) -> None:
    found = arithmetic.divide(a, b)
    if math.isfinite(a) and math.isfinite(b) and b != 0 and math.isfinite(found) and found != 0:
        exact = Fraction(a) / Fraction(b)
        here = abs(Fraction(found) - exact)
        assert all(here <= abs(Fraction(near) - exact) for near in neighbours(found))


def neighbours(x: float) -> list[float]:
    return [y for y in (math.nextafter(x, math.inf), math.nextafter(x, -math.inf)) if math.isfinite(y)]


@given(st.integers(1, 60), finite)
def test_rounding_is_the_nearest_number_of_so_many_digits_ties_to_even(p: int, x: float) -> None:
    found = arithmetic.round_to(float(p), x)
    assume(math.isfinite(found))
    if x == 0:
        assert same(found, x)
        return
    step = Fraction(2) ** (int(arithmetic.exponent(x)) - p + 1)
    whole = Fraction(x) / step
    low = math.floor(whole)
    nearest = low if whole - low < Fraction(1, 2) else low + 1
    if whole - low == Fraction(1, 2):
        nearest = low + low % 2
    assert Fraction(found) == nearest * step


@given(floats, floats)
def test_the_operations_are_those_of_binary64(a: float, b: float) -> None:
    machine = Machine()
    for sign, expected in (("+", a + b), ("-", a - b), ("×", a * b), ("÷", arithmetic.divide(a, b))):
        value = machine.evaluate(parse(f"a {sign} b.")[0].term, {"a": a, "b": b})
        assert isinstance(value, float)
        assert same(value, expected)


@given(finite)
def test_exponent_and_pow2_enclose_a_number(x: float) -> None:
    e = arithmetic.exponent(x)
    assert (
        e == -math.inf if x == 0 else Fraction(2) ** int(e) <= abs(Fraction(x)) < Fraction(2) ** (int(e) + 1)
    )
    if x:
        assert arithmetic.pow2(e) <= abs(x)


def test_values_are_spelled_as_clause_10_says() -> None:
    assert spell(Array([-0.0, Array(), math.nan])) == "[8000000000000000 [] 7ff8000000000000]"
    assert spell(Machine().evaluate(parse("floor.")[0].term, {})) == "function"
