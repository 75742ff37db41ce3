"""Terms up to the names of their parameters: bits keep no names, so this is all that they can tell apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .terms import Fn, Name, Term, children, with_children


def alpha_equal(first: Term, second: Term) -> bool:
    """Tell whether two terms differ at most in the names of their parameters.

    >>> from .notation import parse
    >>> a, b, c = (claim.term for claim in parse("x ↦ y ↦ x. a ↦ b ↦ a. a ↦ b ↦ b."))
    >>> alpha_equal(a, b), alpha_equal(a, c)
    (True, False)
    """
    stack: list[tuple[Term, Term, dict[str, int], dict[str, int], int]] = [(first, second, {}, {}, 0)]
    while stack:
        a, b, bound_a, bound_b, depth = stack.pop()
        if isinstance(a, Name) and isinstance(b, Name):
            at_a, at_b = bound_a.get(a.name), bound_b.get(b.name)
            if at_a != at_b or (at_a is None and a.name != b.name):
                return False
            continue
        if type(a) is not type(b):
            return False
        if isinstance(a, Fn) and isinstance(b, Fn):
            if len(a.params) != len(b.params):
                return False
            bound_a = {**bound_a, **{name: depth + i for i, name in enumerate(a.params)}}
            bound_b = {**bound_b, **{name: depth + i for i, name in enumerate(b.params)}}
            depth += len(a.params)
        inside_a, inside_b = children(a), children(b)
        if len(inside_a) != len(inside_b):
            return False
        if not inside_a and a != b:  # numbers, blocks, empty lists
            return False
        stack.extend((x, y, bound_a, bound_b, depth) for x, y in zip(inside_a, inside_b, strict=True))
    return True


@dataclass(frozen=True, slots=True)
class Place:
    """A function whose parameters want names, and where it stands."""

    function: Fn
    group: Term | None
    """The group that the function is a part of; None for a whole term."""
    index: int
    """Which part of the group the function is, from 0 (the head, the test, the array)."""
    around: tuple[str, ...]
    """The new names of the parameters around the function, outermost first."""
    taken: frozenset[str]
    """What is free in the function, under new names, primitives included: these names would clash."""


def rename(term: Term, choose: Callable[[Place], tuple[str, ...]]) -> Term:
    """Return the term with new parameter names; ``choose`` is asked for them from the outside in.

    Raises ``ValueError`` when it chooses names that clash.

    >>> from .notation import parse, show
    >>> show(rename(parse("x ↦ y ↦ x - y.")[0].term, lambda place: ("ab"[len(place.around)],)))
    'a ↦ b ↦ a - b'
    """
    free = _free(term)

    def walk(
        here: Term, group: Term | None, index: int, new: dict[str, str], around: tuple[str, ...]
    ) -> Term:
        match here:
            case Name(name):
                return Name(new[name]) if name in new else here
            case Fn(params, body):
                taken = frozenset(new.get(name, name) for name in free[id(here)])
                names = choose(Place(here, group, index, around, taken))
                if len(names) != len(params) or not taken.isdisjoint(names):
                    raise ValueError(f"{names} cannot replace {params}: names clash")
                inner = {**new, **dict(zip(params, names, strict=True))}
                return Fn(names, walk(body, here, 0, inner, around + names))
        inside = enumerate(children(here))
        return with_children(here, tuple(walk(child, here, i, new, around) for i, child in inside))

    return walk(term, None, 0, {}, ())


def _free(term: Term) -> dict[int, frozenset[str]]:
    """Return the free names of each function inside a term, primitives included, by the function's ``id``."""
    found: dict[int, frozenset[str]] = {}

    def walk(here: Term) -> frozenset[str]:
        if isinstance(here, Name):
            return frozenset((here.name,))
        inside = _union(walk(child) for child in children(here))
        if isinstance(here, Fn):
            inside -= set(here.params)
            found[id(here)] = inside
        return inside

    walk(term)
    return found


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    result: frozenset[str] = frozenset()
    for names in sets:
        if not names <= result:
            result |= names
    return result


def canonical(term: Term) -> Term:
    """Return the term with its parameters renamed in one fixed way: equal results mean alpha-equal terms.

    >>> from .notation import parse, show
    >>> show(canonical(parse("(a, b) ↦ c ↦ a - c.")[0].term))
    '(_0, _1) ↦ _2 ↦ _0 - _2'
    """

    def choose(place: Place) -> tuple[str, ...]:
        first = len(place.around)
        return tuple(f"_{first + i}" for i in range(len(place.function.params)))

    return rename(term, choose)
