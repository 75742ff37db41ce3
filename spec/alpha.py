"""Terms up to the names of their parameters: a message keeps no names, so this is all that bits can tell apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .terms import Apply, At, Fn, If, Listing, Name, Term, children


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
        if a is b and bound_a == bound_b:
            continue
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


Namer = Callable[[Fn, Term | None, int, frozenset[str]], tuple[str, ...]]
"""Chooses new parameter names: of a function, the group that it stands in, its place there, names to avoid."""


def rename(term: Term, choose: Namer) -> Term:
    """Return the term with new parameter names.

    ``choose`` is asked from the outside in. It is given the function, as it was; the group in which the function
    stands (None for a whole term); the function's place among the group's parts; and the names it must avoid: what
    is free in the function's body, under the new names of the parameters around it.

    Raises ``ValueError`` when ``choose`` returns names that clash.

    >>> from .notation import parse, show
    >>> show(rename(parse("x ↦ y ↦ x - y.")[0].term, lambda f, group, place, taken: ("ab"[len(taken) - 1],)))
    'a ↦ b ↦ a - b'
    """
    free = _free(term)

    def walk(here: Term, group: Term | None, place: int, new: dict[str, str]) -> Term:
        match here:
            case Name(name):
                return Name(new[name]) if name in new else here
            case Fn(params, body):
                taken = frozenset(new.get(name, name) for name in free[id(here)])
                names = choose(here, group, place, taken)
                if len(set(names)) < len(params) or len(names) != len(params) or taken & set(names):
                    raise ValueError(f"{names} cannot replace {params}: names clash")
                return Fn(names, walk(body, here, 0, {**new, **dict(zip(params, names, strict=True))}))
        parts = tuple(walk(child, here, i, new) for i, child in enumerate(children(here)))
        match here:
            case Apply():
                return Apply(parts[0], parts[1:])
            case At():
                return At(parts[0], parts[1:])
            case If():
                return If(*parts)
            case Listing():
                return Listing(parts)
            case _:
                return here

    return walk(term, None, 0, {})


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

    depth: dict[int, int] = {}

    def choose(function: Fn, group: Term | None, place: int, taken: frozenset[str]) -> tuple[str, ...]:
        first = depth[id(function)]
        return tuple(f"_{first + i}" for i in range(len(function.params)))

    stack: list[tuple[Term, int]] = [(term, 0)]
    while stack:
        here, level = stack.pop()
        if isinstance(here, Fn):
            depth[id(here)] = level
            level += len(here.params)
        stack.extend((child, level) for child in children(here))
    return rename(term, choose)
