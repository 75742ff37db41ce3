"""The verifier: what holds, what does not, what could not be tried, and the words for each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_message import Small, pretender, reciter, small

from isagoge.emitter.tensors import question
from isagoge.verify import catalogue, tensors
from isagoge.verify.catalogue import Receiver, ReceiverError
from isagoge.verify.report import FAILS, HOLDS, UNTRIED, VerifyReport
from isagoge.verify.sidecar import SidecarError, Spec, parse, read
from isagoge.verify.tensors import TensorError
from isagoge.verify.values import Value
from isagoge.verify.verifier import Limits, Trial, verify

TRUE = ["true", "defined", "true", "defined", "true", "defined", "defined", "defined", "true", "true"]
LIMITS = Limits(seconds=60, megabytes=1024)


def lines(verdicts: Sequence[str]) -> list[str]:
    return [f"{i} {verdict}" for i, verdict in enumerate(verdicts)] + [f"end {len(verdicts)}"]


def check(
    made: Small, receivers: Sequence[Receiver], trials: Sequence[Trial] = (), tolerance: float | None = None
) -> VerifyReport:
    sidecar = parse(made.raw)
    return verify(made.path, sidecar, receivers, trials=trials, limits=LIMITS, tolerance=tolerance)


def ask(made: Small, *expected: Sequence[int], x: Sequence[int] = (5, 6)) -> Trial:
    bits = question(made.raw["names"], "model", [np.array(x), np.array([7])])
    outputs = tuple(np.array(values) for values in expected)
    return Trial(bits, "sample 1", ("doubled", "sum"), outputs or None)


@pytest.fixture
def made(tmp_path: Path) -> Small:
    return small(tmp_path)


@pytest.fixture
def good(tmp_path: Path) -> Receiver:
    return reciter(tmp_path, "good", lines(TRUE), 0)


def test_a_true_message_holds_in_all_receivers(made: Small) -> None:
    report = check(made, catalogue.choose(), [ask(made, [10, 12], [13])])
    assert report.status == HOLDS, report.summary()
    assert [outcome.complete for outcome in report.receivers] == [True] * len(report.receivers)
    assert {(o.judged, o.total, o.defined, o.true, o.false) for o in report.receivers} == {(10, 10, 5, 5, 0)}
    assert len({outcome.outputs for outcome in report.receivers}) == 1
    assert report.questions[0].agree and len(report.questions[0].hashes) == len(report.receivers)
    assert [(c.absolute, c.relative, c.problem) for c in report.questions[0].comparisons] == [(0, 0, "")] * 2
    assert report.questions[0].comparisons[0].same_largest == 1.0
    assert "all 10 statements in" in report.summary()


def test_the_report_is_json_and_a_table(made: Small) -> None:
    report = check(made, catalogue.choose(), [ask(made, [10, 12], [13])])
    found = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert found["verdict"] == "holds" and found["questions"][0]["agree"] is True
    assert found["receivers"][0]["lines"] > 100
    table = report.table().splitlines()
    assert table[0].split() == "receiver language lines statements true false errors outputs time".split()
    assert table[1].startswith(report.receivers[0].receiver)
    assert (
        "sample 1, doubled [2]: largest difference from ONNX Runtime 0, 0 of the largest value" in table[-2]
    )


def test_a_false_claim_is_named_with_its_words(tmp_path: Path) -> None:
    made = small(tmp_path, library="double(a) := array(length(a), i ↦ a[i] × two). double([1, 3]) = [2, 7].")
    report = check(made, catalogue.choose())
    assert report.status == FAILS
    failure = report.failures[0]
    assert (failure.index, set(failure.verdicts.values())) == (4, {"false"})
    assert report.summary() == (
        f"statement 4 (library, About library) is false ({', '.join(r.receiver for r in report.receivers)}): "
        "Doubling one and three gives two and six. double([1, 3]) = [2, 7]."
    )


def test_an_error_and_its_consequences_are_named(tmp_path: Path) -> None:
    made = small(tmp_path, weights="one := [1][1].")
    report = check(made, catalogue.choose())
    assert [(f.index, set(f.verdicts.values())) for f in report.failures] == [
        (5, {"range"}),
        (9, {"missing"}),
    ]
    assert report.summary().startswith("statement 5 (weights, About weights) is range (")
    assert report.summary().endswith("one := [1][1]. (and 1 more)")


def test_long_statements_are_cut(tmp_path: Path) -> None:
    made = small(tmp_path, weights="one := 1. " + " + ".join(["1"] * 200) + " = 3.")
    notation = check(made, catalogue.choose()).failures[0].notation
    assert len(notation) == 160 and notation.endswith("…")


@pytest.mark.parametrize("bit", [0, 3, 30, 80, 150])
def test_a_flipped_bit_never_holds(made: Small, bit: int) -> None:
    made.flip(bit)
    report = check(made, catalogue.choose())
    assert report.status == FAILS
    assert any("SHA-256 differs" in reason for reason in report.reasons)
    assert len({tuple(sorted(o.errors.items())) for o in report.receivers}) == 1


def test_a_message_cut_inside_a_statement_is_cut(made: Small) -> None:
    made.path.write_bytes(made.path.read_bytes()[:20])
    report = check(made, catalogue.choose())
    assert set(report.failures[0].verdicts.values()) == {"cut"}
    assert "(cut: " in report.summary() and report.status == FAILS


def test_a_message_cut_between_statements_does_not_hold(made: Small) -> None:
    stop = next(stop for _, stop in made.spans if stop % 8 == 0 or stop > 60)
    count = sum(last <= stop for _, last in made.spans)
    whole = made.path.read_bytes()
    kept = bytearray(whole[: (stop + 7) // 8])
    kept[-1] &= 0xFF << (-stop % 8) & 0xFF
    made.path.write_bytes(bytes(kept))
    report = check(made, catalogue.choose())
    assert report.status == FAILS
    assert report.reasons[0] == f"the message ends after {count} of 10 statements"
    assert (
        verify(made.path, None, catalogue.choose(), limits=LIMITS).status == HOLDS
    )  # nothing tells without it


def test_receivers_that_disagree_are_told(made: Small, good: Receiver, tmp_path: Path) -> None:
    other = reciter(tmp_path, "other", lines([*TRUE[:4], "false", *TRUE[5:]]), 1)
    report = check(made, [good, other])
    assert report.failures[0].verdicts == {"other": "false", "good": "true"}
    assert "is false (other) and true (good)" in report.summary()


def test_receivers_that_count_differently_do_not_hold(made: Small, good: Receiver, tmp_path: Path) -> None:
    short = reciter(tmp_path, "short", lines(TRUE[:9]), 0)
    report = verify(made.path, None, [good, short], limits=LIMITS)
    assert report.status == FAILS and "different numbers of statements: good 10, short 9" in report.summary()
    report = check(made, [short])
    assert report.status == FAILS and "short judged 9 statements, the sidecar tells of 10" in report.summary()


def test_a_receiver_that_breaks_down_is_told(made: Small, good: Receiver, tmp_path: Path) -> None:
    report = check(made, [good, pretender(tmp_path, "broken", "print('0 true'); 1 / 0")])
    assert report.status == FAILS
    assert (
        "receiver broken ended without the line `end`, exit status 1, after 1 statement" in report.summary()
    )
    assert "ZeroDivisionError" in report.summary()


def test_a_receiver_over_its_limit_holds_for_what_it_checked(
    made: Small, good: Receiver, tmp_path: Path
) -> None:
    text = "\n".join(lines([*TRUE[:9], "over-limit"]))
    program = f"import time; time.sleep(1.1); print({text!r}); raise SystemExit(1)"
    slow = pretender(tmp_path, "slow", program, seconds=1)
    report = verify(made.path, parse(made.raw), [good, slow], limits=Limits())
    assert report.status == HOLDS, report.summary()
    outcome = report.receivers[1]
    assert outcome.limited and not outcome.complete
    assert outcome.account == (
        "statements 0–8 of 10, all true; staged checks 1–1 of 1; over its limit of 1 s"
    )
    assert report.summary() == "holds: all 10 statements in good, and as far as slow came"
    assert f"slow: {outcome.account}" in report.table()
    alone = verify(made.path, parse(made.raw), [slow], limits=Limits())
    assert (
        alone.status == UNTRIED
        and "no receiver judged the whole message: slow: statements 0–8" in alone.summary()
    )


def test_a_receiver_that_refuses_leaves_the_message_untried(
    made: Small, good: Receiver, tmp_path: Path
) -> None:
    program = "import sys; print('too little memory', file=sys.stderr); raise SystemExit(2)"
    report = check(made, [good, pretender(tmp_path, "tiny", program)])
    assert report.status == UNTRIED and report.receivers[1].refused
    assert report.summary() == "receiver tiny could not carry out the call: too little memory"


def test_giving_up_in_the_primer_does_not_hold(made: Small, good: Receiver, tmp_path: Path) -> None:
    report = check(made, [good, reciter(tmp_path, "weak", lines(["true", "over-limit"]), 1)])
    assert (
        report.status == FAILS
        and "statement 1 (primer, About primer) is over-limit (weak)" in report.summary()
    )


def test_what_follows_a_definition_given_up_on_is_no_failure(
    made: Small, good: Receiver, tmp_path: Path
) -> None:
    verdicts = [*TRUE[:7], "over-limit", "missing", "true"]
    report = check(made, [good, reciter(tmp_path, "small", lines(verdicts), 1)])
    assert report.status == HOLDS and report.receivers[1].limited
    assert report.receivers[1].account.endswith("no staged check; over its limit of memory")
    verdicts[9] = "false"
    assert check(made, [good, reciter(tmp_path, "small", lines(verdicts), 1)]).status == FAILS


def answering(folder: Path, name: str, text: str) -> Receiver:
    """A receiver that finds the small message true and gives one answer to every question."""
    report = "\n".join(lines(TRUE))
    program = f"import sys\nprint({report!r} if len(sys.argv) == 6 else {f'0 {text}{chr(10)}end 1'!r})"
    return pretender(
        folder, name, program + f"\nraise SystemExit({int(' ' not in text)} * (len(sys.argv) > 6))\n"
    )


def test_answers_must_be_equal_bit_for_bit(made: Small, tmp_path: Path) -> None:
    zero = answering(tmp_path, "zero", "value [0000000000000000]")
    minus = answering(tmp_path, "minus", "value [8000000000000000]")
    report = check(made, [zero, minus], [ask(made)])
    assert report.status == FAILS
    assert "sample 1: the receivers' answers differ: zero " in report.summary()
    assert not report.questions[0].agree


def test_answers_must_be_near_the_model(made: Small) -> None:
    report = check(made, catalogue.choose(), [ask(made, [10, 13], [13])])
    assert report.status == FAILS
    assert report.summary() == (
        "sample 1: output doubled is 0.077 of its largest value away from ONNX Runtime's, more than 1e-05"
    )
    assert check(made, catalogue.choose(), [ask(made, [10, 13], [13])], tolerance=0.1).status == HOLDS
    report = check(made, catalogue.choose(), [ask(made, [10, 12, 14], [13])])
    assert "output doubled [3]: its shape is [2]" in report.summary()
    report = check(made, catalogue.choose(), [ask(made, [10, 12])])
    assert report.status == FAILS


def test_errors_as_answers_do_not_hold(made: Small, tmp_path: Path) -> None:
    nothing = question(made.raw["names"], "model", [np.zeros(0, bool), np.array([7])])
    report = check(made, catalogue.choose(), [Trial(nothing, "sample 1")])
    assert report.status == FAILS and "sample 1: receiver" in report.summary() and "range" in report.summary()
    fine = answering(tmp_path, "fine", "value [[402e000000000000] [402e000000000000]]")
    tired = answering(tmp_path, "tired", "over-limit")
    assert check(made, [fine, tired], [ask(made)]).status == HOLDS
    report = check(made, [tired], [ask(made)])
    assert report.status == UNTRIED and "sample 1: no receiver answered within its limit" in report.summary()


def test_one_receiver_alone_is_said_to_be_alone(made: Small, good: Receiver) -> None:
    assert check(made, [good]).summary().endswith("(one receiver alone: no other to agree with)")


def test_progress_tells_every_statement(made: Small, good: Receiver) -> None:
    seen: list[tuple[str, int, str]] = []
    verify(made.path, None, [good], limits=LIMITS, progress=lambda *told: seen.append(told))
    assert seen == [("good", i, verdict) for i, verdict in enumerate(TRUE)]


def test_a_receiver_that_does_not_build_ends_the_others(made: Small, tmp_path: Path) -> None:
    slow = pretender(tmp_path, "slow", "import time; time.sleep(60)")
    broken = replace(slow, name="broken", build=("{tool}", "-c", "raise SystemExit('error: no')"))
    with pytest.raises(ReceiverError, match="receiver broken does not build"):
        verify(made.path, None, [slow, broken], limits=Limits(jobs=2))


def test_a_sidecar_that_is_none_is_refused(made: Small, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(SidecarError, match=r"cannot read the sidecar .*x.json: No such file"):
        read(path)
    for text, complaint in [("{", "is not JSON"), ("[]", "is not the sidecar"), ("{}", "it lacks 'message'")]:
        path.write_text(text)
        with pytest.raises(SidecarError, match=complaint):
            read(path)
    assert read(made.path.with_suffix(".json")).names == ("two", "double", "one", "model", "block")


def test_words_around_a_statement(made: Small) -> None:
    sidecar = parse(made.raw)
    assert [sidecar.section(i) for i in (0, 3, 9, 10)] == ["primer", "library", "vectors", ""]
    assert [sidecar.about(i) for i in (2, 3, 4)] == [
        "One is one.",
        "",
        "Doubling one and three gives two and six.",
    ]
    assert sidecar.taught() == 5 and sidecar.title(8) == "About vectors"


def test_inputs_are_held_against_the_model() -> None:
    specs = [Spec("x", "float32", ("n", 2)), Spec("m", "bool", ("n", None))]
    x, m = np.zeros((3, 2), np.float32), np.zeros((3, 5), bool)
    assert [t.shape for t in tensors.checked(specs, {"m": m, "x": x})] == [(3, 2), (3, 5)]
    for given, complaint in [
        ({"x": x}, "input m is not given; the model's inputs are x: float32"),
        ({"x": x, "m": m, "y": x}, "has no input y"),
        ({"x": x.astype(float), "m": m}, "input x has dtype float64; the model wants x: float32"),
        ({"x": x[0], "m": m}, r"input x has shape \[2\]; the model wants x: float32 \[n, 2\]"),
        ({"x": x[:, :1], "m": m}, r"input x has shape \[3, 1\]"),
        ({"x": x[:2], "m": m}, "n is 2 in input x and 3 in input m"),
    ]:
        with pytest.raises(TensorError, match=complaint):
            tensors.checked(specs, given)
    drawn = tensors.random_inputs(specs, np.random.default_rng(5))
    assert tensors.checked(specs, dict(zip(("x", "m"), drawn, strict=True)))
    with pytest.raises(TensorError, match="dtype object"):
        tensors.random_inputs([Spec("s", "object", ())], np.random.default_rng(0))


def test_distances_are_honest_about_what_is_not_finite() -> None:
    nan, inf = np.nan, np.inf

    def far(got: Sequence[float], want: Sequence[float]) -> tuple[float, float]:
        found = tensors.compare("y", np.array(got, float), np.array(want, np.float32))
        return found.absolute, found.relative

    assert far([nan, inf, -inf, 1], [nan, inf, -inf, 1]) == (0, 0)
    assert far([nan, 1], [1, 1]) == far([1, 1], [nan, 1]) == far([inf, 1], [-inf, 1]) == (inf, inf)
    assert far([3.0, 0.0], [2.0, 4.0]) == (4.0, 1.0)
    assert far([0.0], [0.0]) == (0, 0) and far([1.0], [0.0]) == (1.0, inf)
    assert tensors.compare("y", np.zeros(0), np.zeros((0, 3), np.float32)).relative == 0
    assert tensors.compare("y", [np.zeros(1), np.zeros(2)], np.zeros(3)).problem
    assert tensors.compare("y", np.eye(2), np.eye(2)[::-1]).same_largest == 0.0


def test_outputs_become_tensors_of_their_dtype() -> None:
    assert tensors.as_tensor(np.array([1.0, 0.0]), Spec("y", "bool", (2,))).tolist() == [True, False]
    assert tensors.as_tensor(0.5, Spec("y", "float32", ())).shape == ()
    assert tensors.as_tensor(np.zeros(0), Spec("y", "int64", ("n", 3))).shape == (0, 3)
    wrong: list[Value] = [np.array([0.5]), np.array([np.nan]), [np.zeros(1), np.zeros(2)], "function"]
    for value in wrong:
        with pytest.raises(TensorError, match="output y"):
            tensors.as_tensor(value, Spec("y", "int64", (1,)))
    assert len(tensors.outputs_of(np.zeros((2, 3)), 2)) == 2
    assert tensors.outputs_of(np.zeros(2), 2) == [0.0, 0.0]
    wrong = [np.zeros((3, 2)), 1.0, "function"]
    for value in wrong:
        with pytest.raises(TensorError, match="array of 2 outputs"):
            tensors.outputs_of(value, 2)
