"""Random statements of the language, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from isagoge.spec.primitives import arity_of
from isagoge.spec.terms import Apply, At, Block, Claim, Define, Fn, If, Listing, Name, Num, Statement, Term

PRIMITIVES = tuple(arity_of())
PARAMETERS = ("a", "b", "i", "s", "x", "y", "list", "at", "floor", "x21")
"""Some of these hide a primitive, are spelled like a form, or are what a decoder might choose."""

numbers = st.one_of(st.integers(0, 12), st.integers(0, 2**53)).map(Num)
blocks = st.text("01", max_size=150).map(Block.of)


@st.composite
def terms(draw: st.DrawFn, scope: tuple[str, ...] = (), size: int = 5) -> Term:
    """Draw a term in which every name is in scope."""
    if size <= 0 or draw(st.integers(0, 5)) == 0:
        return draw(st.one_of(numbers, st.sampled_from((*PRIMITIVES, *scope)).map(Name)))
    less = st.integers(0, size - 1)

    def inner(extra: tuple[str, ...] = ()) -> Term:
        return draw(terms((*scope, *extra), draw(less)))

    def several(least: int) -> tuple[Term, ...]:
        return tuple(inner() for _ in range(draw(st.integers(least, 3))))

    def function() -> Fn:
        params = tuple(draw(st.lists(st.sampled_from(PARAMETERS), min_size=1, max_size=3, unique=True)))
        return Fn(params, inner(params))

    match draw(st.sampled_from(("apply", "infix", "minus", "let", "fn", "if", "at", "list", "bits"))):
        case "apply":
            return Apply(inner(), several(1))
        case "infix":
            return Apply(Name(draw(st.sampled_from("=<+-×÷"))), (inner(), inner()))
        case "minus":
            return Apply(Name("-"), (Num(0), inner()))
        case "let":
            return Apply(function(), several(1))
        case "fn":
            return function()
        case "if":
            return If(inner(), inner(), inner())
        case "at":
            return At(inner(), several(1))
        case "list":
            return Listing(several(0))
        case _:
            return draw(blocks)


@st.composite
def messages(draw: st.DrawFn) -> list[Statement]:
    """Draw statements; those later may use names that those earlier define."""
    defined: list[str] = []
    statements: list[Statement] = []
    for _ in range(draw(st.integers(1, 4))):
        term = draw(terms(tuple(defined)))
        if draw(st.booleans()):
            name = f"d{len(defined)}"
            statements.append(Define(name, term))
            defined.append(name)
        else:
            statements.append(Claim(term))
    return statements
