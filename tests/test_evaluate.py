"""The writer's vectorised evaluator against the examples of SPEC.md and against the reference semantics."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isagoge.emitter.evaluate import Evaluator, from_array, to_array
from isagoge.emitter.lanes import Ragged, Tensor
from isagoge.spec.arithmetic import divide, exponent, floor, pow2, round_to
from isagoge.spec.conformance import Example, examples
from isagoge.spec.errors import MessageError
from isagoge.spec.notation import parse
from isagoge.spec.semantics import Machine, spell
from isagoge.spec.terms import Claim, Define

# Clauses 2 to 4 are about bits, and clause 8 about limits, which this evaluator does not have.
EVALUATED = [
    e
    for e in examples()
    if e.clause in ("5", "6", "7")
    and not e.text.startswith("0b")
    and e.verdicts != ("function",)  # this evaluator's values are numbers and arrays
    and e.text != "(=)(floor)."
]


def verdict(evaluator: Evaluator, statement: Define | Claim) -> str:
    try:
        if isinstance(statement, Define):
            evaluator.evaluate_definition(statement.name)
            return "defined"
        value = evaluator.value(statement.term)
    except MessageError as error:
        return error.name
    return "true" if not isinstance(value, Tensor | Ragged) and float(value) == 1.0 else "false"


@pytest.mark.parametrize("example", EVALUATED, ids=lambda e: f"line {e.line}")
def test_examples_of_the_specification(example: Example) -> None:
    if example.question is not None:
        term = parse(example.text[1:] + ".")[0].term
        assert (written(Evaluator([]).value(term)),) == example.verdicts
        return
    statements = parse(example.text)
    evaluator = Evaluator(statements)
    assert tuple(verdict(evaluator, statement) for statement in statements) == example.verdicts


# Each text is a term in which arrays are made in lanes, chosen to meet one difficulty of doing so.
LANES = [
    "array(4, i ↦ array(i, j ↦ i + j))",  # lengths that differ: the lanes are gone through one by one
    "array(4, i ↦ if i < 2 then [1, 2][i] else i)",  # an index out of range in lanes that are not chosen
    "array(3, i ↦ array(4, j ↦ if i = j then 1 else if j < i then i ÷ j else 0))",
    # an array that differs by lane
    "array(3, i ↦ let row := array(4, j ↦ i × 10 + j) in array(4, k ↦ row[3 - k]))",
    "array(2, i ↦ array(3, j ↦ fold(5, i, (s, k) ↦ s × 2 + [1, 0, 1][j] × k)))",
    "array(3, i ↦ scan(4, [i, 1], (s, k) ↦ [s[0] + s[1], k]))",  # states that are arrays
    "array(3, i ↦ [[1, 2, 3], [4, 5, 6]][if i = 1 then 1 else 0])",  # rows chosen by lane
    "array(3, i ↦ array(2, j ↦ [array(3, k ↦ i + j × k), [7, 8, 9]][j]))",
    "array(2, i ↦ [i, [i, i]])",  # elements of different structure
    "array(3, i ↦ [1, [2, 3], 4][i])",
    "array(5, i ↦ (array(i + 1, j ↦ j) = [0, 1, 2]))",
    "array(4, i ↦ round(i + 1, 11 ÷ 7) × pow2(i - 2) + exponent(i + 1 ÷ 3))",
    "array(2, i ↦ array(0, j ↦ i ÷ j))",
    "array(0, i ↦ [][0])",
    "(f ↦ array(3, i ↦ f(i, 2)))((x, y) ↦ x - y)",
    "array(3, i ↦ (x ↦ y ↦ x - y)(i)(5))",
    "array(4, i ↦ if [i] = [2] then [0, i] else [i, 1])",
    "fold(3, [[1, 2], [3, 4]], (a, k) ↦ array(2, i ↦ array(2, j ↦ a[j, i] + k)))",
]


def written(value: object) -> str:
    """Return a value of the evaluator as a receiver would report it."""
    if isinstance(value, Ragged):
        return "[" + " ".join(map(written, value.items)) + "]"
    if isinstance(value, Tensor):
        return written(to_array(value).tolist())
    if isinstance(value, list):
        return "[" + " ".join(map(written, value)) + "]"
    return spell(float(value))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", LANES)
def test_lanes_agree_with_the_reference_semantics(text: str) -> None:
    term = parse(text + ".")[0].term
    assert written(Evaluator([]).value(term)) == spell(Machine().evaluate(term, {}))


numbers = st.one_of(
    st.floats(width=64, allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, math.inf, -math.inf, 5e-324, 2.0**-1022, 2.0**53]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=8), st.lists(numbers, min_size=1, max_size=8))
def test_arithmetic_agrees_in_every_lane(left: list[float], right: list[float]) -> None:
    n = min(len(left), len(right))
    evaluator = Evaluator([])
    evaluator.define("a", from_array(np.array(left[:n])))
    evaluator.define("b", from_array(np.array(right[:n])))
    cases: dict[str, Callable[[float, float], float]] = {
        "a[i] + b[i]": lambda a, b: a + b,
        "a[i] - b[i]": lambda a, b: a - b,
        "a[i] × b[i]": lambda a, b: a * b,
        "a[i] ÷ b[i]": divide,
        "floor(a[i])": lambda a, b: floor(a),
        "exponent(a[i])": lambda a, b: exponent(a),
        "pow2(a[i])": lambda a, b: pow2(a),
        "round(24, a[i])": lambda a, b: round_to(24.0, a),
        "round(1, a[i])": lambda a, b: round_to(1.0, a),
        "a[i] < b[i]": lambda a, b: float(a < b),
        "a[i] = b[i]": lambda a, b: float(a == b),
    }
    for text, operation in cases.items():
        got = evaluator.array(parse(f"array({n}, i ↦ {text}).")[0].term)
        want = [operation(a, b) for a, b in zip(left, right, strict=False)]
        assert [spell(float(x)) for x in got] == [spell(x) for x in want], text
