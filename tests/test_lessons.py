"""The primer: its lessons hold, teach in order, one new name at a time, and admit no rival reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from isagoge.primer.chapters import Chapter, Entry, load
from isagoge.primer.rivals import Rival, RivalMachine, contradiction, names_in, rivals, teaching_lesson
from isagoge.spec.bits import Encoder
from isagoge.spec.notation import show_statement
from isagoge.spec.primitives import arity_of, number_of, primitives
from isagoge.spec.semantics import Machine
from isagoge.spec.terms import Apply, Claim, Define, Name, Num

LESSONS = load("lessons")
LIBRARY_NAMES = {"model", "not", "and", "or", "max", "min", "abs", "natural", "f32"}


def entries() -> Iterator[Entry]:
    """Yield the statements of all lessons, in order."""
    for chapter in LESSONS:
        yield from chapter.entries


def is_false_case(entry: Entry) -> bool:
    """Return whether a statement says that something is false: ``(a = b) = 0`` or ``(a < b) = 0``."""
    match entry.statement:
        case Claim(Apply(Name("="), (Apply(Name("=" | "<"), _), Num(0)))):
            return True
    return False


@pytest.mark.parametrize("chapter", LESSONS, ids=lambda chapter: chapter.source)
def test_a_lesson_is_whole(chapter: Chapter) -> None:
    assert chapter.title
    assert chapter.entries[0].english
    assert chapter.entries[-1].english.startswith("Check: ")
    for entry in chapter.entries:
        assert entry.english.endswith((".", "?")), entry.english


def test_lessons_are_numbered_in_order_one_a_file() -> None:
    assert [int(chapter.source[:2]) for chapter in LESSONS] == list(range(1, len(LESSONS) + 1))


@pytest.mark.parametrize("chapter", LESSONS[1:], ids=lambda chapter: chapter.source)
def test_a_lesson_shows_something_false(chapter: Chapter) -> None:
    assert any(map(is_false_case, chapter.entries))


def test_every_statement_holds() -> None:
    machine = Machine()
    for entry in entries():
        verdict = machine.judge(entry.statement)
        assert verdict == ("defined" if isinstance(entry.statement, Define) else "true"), (
            f"{entry.source}: {show_statement(entry.statement)} is {verdict}"
        )


def test_a_statement_brings_at_most_one_new_name() -> None:
    seen = {"define"}  # a definition brings the name that it defines; the word for it comes with the first
    for entry in entries():
        new = names_in(entry.statement) - seen
        if isinstance(entry.statement, Define):
            assert not new, f"{entry.source}: {new} used before it is taught, in a definition"
            assert entry.statement.name not in seen | set(number_of()), (
                f"{entry.statement.name} defined twice"
            )
            new = {entry.statement.name}
        else:
            assert new <= set(number_of()), f"{entry.source}: {new} used before it is defined"
        assert len(new) <= 1, f"{entry.source}: {show_statement(entry.statement)} brings {sorted(new)}"
        seen |= new


def test_every_primitive_is_taught() -> None:
    used = set().union(*(names_in(entry.statement) for entry in entries()))
    assert used >= set(number_of())


def test_the_lessons_leave_the_librarys_names_alone() -> None:
    assert not LIBRARY_NAMES & {
        entry.statement.name for entry in entries() if isinstance(entry.statement, Define)
    }


def test_the_primer_is_short() -> None:
    encoder = Encoder()
    for entry in entries():
        encoder.statement(entry.statement)
    assert 20_000 < len(encoder.writer) < 50_000


def test_there_are_rivals_of_every_primitive() -> None:
    count = Counter(rival.of for rival in rivals())
    assert all(count[name] >= 6 for name in arity_of())
    assert all(count[p.name] >= 6 for p in primitives() if p.kind == "form" and p.name != "define")


@pytest.mark.parametrize("rival", rivals(), ids=lambda rival: f"{rival.of}: {rival.meaning}")
def test_a_rival_is_contradicted_in_its_lesson_or_before(rival: Rival) -> None:
    lesson = teaching_lesson(rival, LESSONS)
    found = contradiction(rival, LESSONS)
    assert found, f"{rival.of} as {rival.meaning!r} fits all lessons"
    assert found[0].source <= lesson, (
        f"ruled out only by {show_statement(found[0].statement)} in {found[0].source}"
    )


TRUE_READINGS = [
    Rival("=", "itself", "equal"),
    Rival("<", "itself", "lambda a, b: a < b"),
    Rival("+", "itself", "inexact('+')"),
    Rival("-", "itself", "inexact('-')"),
    Rival("×", "itself", "inexact('×')"),
    Rival("÷", "itself", "inexact('÷')"),
    Rival("floor", "itself", "floor"),
    Rival("pow2", "itself", "pow2"),
    Rival("exponent", "itself", "exponent"),
    Rival("round", "itself", "round_to"),
    Rival(
        "round",
        "itself, spelt out",
        "lambda p, x: x if p >= 53 or x == 0 or not math.isfinite(x) else "
        "math.inf if x > 1.7e308 else float(rounded(Fraction(x), 'even', int(p), -10**6))",
    ),
    Rival("array", "itself", "lambda n, f: [call(f, i) for i in range(natural(n))]"),
    Rival("length", "itself", "len"),
    Rival("fold", "itself", "lambda n, s, f: walk(s, range(natural(n)), lambda t, i: call(f, t, i))[-1]"),
    Rival("scan", "itself", "lambda n, s, f: walk(s, range(natural(n)), lambda t, i: call(f, t, i))[1:]"),
    Rival(
        "if",
        "itself",
        "lambda term, scope: evaluate(term.then if evaluate(term.test, scope) else term.other, scope)",
    ),
    Rival("list", "itself", "lambda term, scope: [evaluate(item, scope) for item in term.items]"),
    Rival("bits", "itself", "lambda term, scope: [int(digit) for digit in term.digits()]"),
    Rival("fn", "itself", "apply"),
]


@pytest.mark.parametrize("reading", TRUE_READINGS, ids=lambda reading: f"{reading.of} as {reading.meaning}")
def test_the_true_reading_is_not_contradicted(reading: Rival) -> None:
    """The machinery that installs rivals must not itself be what contradicts them."""
    assert contradiction(reading, LESSONS) is None


def test_a_rival_is_put_in_place_of_one_primitive_only() -> None:
    machine = RivalMachine(Rival("+", "difference", "lambda a, b: a - b"))
    claim = Claim(Apply(Name("="), (Apply(Name("+"), (Num(3), Num(1))), Apply(Name("-"), (Num(3), Num(1))))))
    assert machine.judge(claim) == "true"
