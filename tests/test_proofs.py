"""Proofs with SymPy: constants are the nearest numbers, polynomials are the series they claim to be."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import sympy as sp

from isagoge.primer.linker import library
from isagoge.spec.terms import Apply, Define, Fn, Name, Num, Term

TERMS = {e.statement.name: e.statement.term for e in library() if isinstance(e.statement, Define)}
r = sp.Symbol("r", real=True)


def symbolic(term: Term, scope: Mapping[str, sp.Expr]) -> sp.Expr:
    """Return the exact value of a term, as if nothing were rounded."""
    match term:
        case Num(value):
            return sp.Integer(value)
        case Name(name) if name in scope:
            return scope[name]
        case Name(name):
            return symbolic(TERMS[name], {})
        case Apply(Name("pow2"), (exponent,)):
            return sp.Integer(2) ** symbolic(exponent, scope)
        case Apply(Name(operator), (a, b)) if operator in "+-×÷":
            x, y = symbolic(a, scope), symbolic(b, scope)
            return {"+": x + y, "-": x - y, "×": x * y, "÷": x / y if y != 0 else sp.nan}[operator]
        case Apply(Fn(params, body), values):
            inner = {name: symbolic(value, scope) for name, value in zip(params, values, strict=True)}
            return symbolic(body, {**scope, **inner})
        case Apply(Name(name), values):
            function = TERMS[name]
            assert isinstance(function, Fn)
            return symbolic(Apply(function, values), scope)
    raise AssertionError(f"no exact arithmetic: {term}")


def function(name: str) -> sp.Expr:
    """Return a definition of one parameter as an exact expression in r."""
    term = TERMS[name]
    assert isinstance(term, Fn) and len(term.params) == 1
    return symbolic(term.body, {term.params[0]: r})


@pytest.mark.parametrize(
    ("name", "value"),
    [("log2_e", 1 / sp.log(2)), ("root_2", sp.sqrt(2)), ("quarter_turn", sp.pi / 2)],
)
def test_constants_are_the_nearest_numbers(name: str, value: sp.Expr) -> None:
    exact = symbolic(TERMS[name], {})
    unit = sp.Integer(2) ** (sp.floor(sp.log(value, 2)) - 52)
    assert sp.Abs(exact - value) < unit / 2


def test_the_two_parts_of_ln_2_reach_past_the_53rd_digit() -> None:
    high, low = symbolic(TERMS["ln2_high"], {}), symbolic(TERMS["ln2_low"], {})
    assert sp.Abs(high + low - sp.log(2)) < sp.Integer(2) ** -94
    assert (high * 2**42).is_integer and high * 2**42 < 2**42  # so k × ln2_high is exact for |k| below 2^11


def test_the_three_parts_of_a_quarter_turn() -> None:
    term = TERMS["off_quarters"]
    assert isinstance(term, Fn)
    taken = -sp.expand(symbolic(term.body, {term.params[0]: sp.Integer(0), term.params[1]: sp.Integer(1)}))
    assert sp.Abs(taken - sp.pi / 2) < sp.Integer(2) ** -121


@pytest.mark.parametrize(
    ("name", "exact", "terms", "most"),
    [("near_sin", sp.sin(r), 18, sp.pi / 4), ("near_cos", sp.cos(r), 17, sp.pi / 4)],
)
def test_sine_and_cosine_are_their_series(name: str, exact: sp.Expr, terms: int, most: sp.Expr) -> None:
    polynomial = sp.Poly(sp.expand(function(name)), r)
    series = sp.Poly(sp.series(exact, r, 0, terms).removeO(), r)
    assert polynomial == series
    # The series alternates and falls, so what is left off is less than the first such term; relative to the
    # least value on the range it is below 2^-54.
    degree = polynomial.degree() + 2
    left_off = most**degree / sp.factorial(degree)
    least = sp.sin(most) if name == "near_sin" else sp.cos(most)
    assert left_off / least < sp.Integer(2) ** -54


def test_the_exponential_is_built_on_the_series_of_the_hyperbolic_cotangent() -> None:
    # near_expm1(r) = 2 r ÷ (2 − c) with c = r − (r coth(r/2) − 2), so r coth(r/2) = r + 2 r ÷ near_expm1(r).
    approximate = sp.series(r + 2 * r / sp.cancel(function("near_expm1")), r, 0, 13).removeO()
    exact = sp.series(r * sp.coth(r / 2), r, 0, 13).removeO()
    assert sp.expand(approximate - exact) == 0
