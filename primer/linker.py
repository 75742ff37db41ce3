"""Picks the library definitions that a model needs, with all that they need themselves."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from isagoge.spec.primitives import number_of
from isagoge.spec.terms import Define

from .chapters import Entry, definition_groups, load


@cache
def lessons() -> tuple[Entry, ...]:
    """Return the statements of the primer, in order. All of them stand in every message."""
    return tuple(entry for chapter in load("lessons") for entry in chapter.entries)


@cache
def _library() -> dict[str, tuple[Entry, ...]]:
    groups: dict[str, tuple[Entry, ...]] = {}
    for group in definition_groups(load("library")):
        statement = group[0].statement
        assert isinstance(statement, Define)
        if statement.name in groups:
            raise ValueError(f"{group[0].source}: {statement.name} is defined twice in the library")
        groups[statement.name] = group
    return groups


@cache
def library() -> tuple[Entry, ...]:
    """Return all statements of the library, in order; a message has only those that its model needs."""
    return tuple(entry for group in _library().values() for entry in group)


@cache
def known() -> frozenset[str]:
    """Return the names that need no linking: primitives and what the lessons define."""
    taught = {e.statement.name for e in lessons() if isinstance(e.statement, Define)}
    return frozenset(taught) | frozenset(number_of())


def check_order() -> None:
    """Check that lessons and library use no name before it is defined and define none twice.

    Raises ``ValueError`` naming the file, the name and the statement.
    """
    seen = set(number_of())
    for entry in (*lessons(), *library()):
        for name in sorted(entry.uses - seen):
            raise ValueError(f"{entry.source}, in {entry.title!r}: {name} is used before it is taught")
        if isinstance(entry.statement, Define):
            if entry.statement.name in seen:
                raise ValueError(f"{entry.source}: {entry.statement.name} is defined twice")
            seen.add(entry.statement.name)


def link(names: Iterable[str]) -> list[Entry]:
    """Return the library entries that the names need, each definition with its claims, in library order.

    Names that the lessons teach need nothing. Raises ``ValueError`` for a name that neither teaches.
    """
    library = _library()
    wanted: set[str] = set()
    pending = [name for name in names if name not in known()]
    while pending:
        name = pending.pop()
        if name in wanted:
            continue
        if name not in library:
            raise ValueError(f"{name} is used before it is taught: neither lessons nor library define it")
        wanted.add(name)
        for entry in library[name]:
            pending += [used for used in entry.uses if used not in known() and used not in wanted]
    return [entry for name, group in library.items() if name in wanted for entry in group]
