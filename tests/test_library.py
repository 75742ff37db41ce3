"""The library as a whole is in order, and every statement in it holds under the reference semantics."""

from __future__ import annotations

import pytest

from isagoge.primer.chapters import Entry, definition_groups, load
from isagoge.primer.linker import check_order, lessons, link
from isagoge.spec.notation import show_statement
from isagoge.spec.semantics import Machine
from isagoge.spec.terms import Define

GROUPS = definition_groups(load("library"))


def failures(machine: Machine, entries: tuple[Entry, ...]) -> list[str]:
    """Judge entries in order and return the ones that do not hold, each with its verdict."""
    found = []
    for entry in entries:
        verdict = machine.judge(entry.statement)
        if verdict != ("defined" if isinstance(entry.statement, Define) else "true"):
            found.append(f"{entry.source}: {verdict}: {show_statement(entry.statement, 64)}")
    return found


def name_of(group: tuple[Entry, ...]) -> str:
    """Return the name that a group defines."""
    statement = group[0].statement
    assert isinstance(statement, Define)
    return statement.name


def test_nothing_is_used_before_it_is_taught_and_nothing_is_defined_twice() -> None:
    check_order()


def test_every_statement_of_the_library_holds_in_order() -> None:
    machine = Machine(budget=10**9)
    assert failures(machine, lessons()) == []
    assert [line for group in GROUPS for line in failures(machine, group)] == []


def test_every_claim_is_cheap() -> None:
    """Claims run in every message that uses their definition; 20,000 steps take a fifth of a second."""
    machine = Machine(budget=10**9)
    for entry in lessons():
        machine.judge(entry.statement)
    for group in GROUPS:
        for entry in group:
            before = machine.steps_left
            machine.judge(entry.statement)
            assert before - machine.steps_left <= 20_000, show_statement(entry.statement, 64)


@pytest.mark.parametrize("group", GROUPS, ids=name_of)
def test_a_definition_needs_little_for_its_claims(group: tuple[Entry, ...]) -> None:
    """Claims may pull in further definitions, but few: they travel in every message that uses the name."""
    needed = {e.statement.name for e in link(group[0].uses) if isinstance(e.statement, Define)}
    pulled = {e.statement.name for e in link([name_of(group)]) if isinstance(e.statement, Define)} - needed
    extra = pulled - {name_of(group)}
    assert len(extra) <= 3, f"the claims of {name_of(group)} pull in {sorted(extra)}"
