"""Terms and statements: what a message says, between its two spellings, text and bits."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

# Terms may be 1,000 deep, and reading or showing them takes up to four calls a level.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))


@dataclass(frozen=True, slots=True)
class Num:
    """A natural number, 0 … 2^53."""

    value: int


@dataclass(frozen=True, slots=True)
class Name:
    """A primitive function, a defined name or a parameter."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """A function with one or more arguments."""

    head: Term
    args: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Fn:
    """A function of one or more parameters."""

    params: tuple[str, ...]
    body: Term


@dataclass(frozen=True, slots=True)
class If:
    """A choice; only the chosen branch is evaluated."""

    test: Term
    then: Term
    other: Term


@dataclass(frozen=True, slots=True)
class At:
    """An element of an array, by one or more indices."""

    array: Term
    indices: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """An array given by its elements."""

    items: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """``count`` raw bits, packed into bytes, first bit in the highest place, unused low places 0."""

    count: int
    data: bytes

    @staticmethod
    def of(digits: str) -> Block:
        r"""Make a block from a string of 0 and 1.

        >>> Block.of("101")
        Block(count=3, data=b'\xa0')
        """
        size = (len(digits) + 7) // 8
        return Block(len(digits), int(digits.ljust(size * 8, "0") or "0", 2).to_bytes(size, "big"))

    def digits(self) -> str:
        """Return the bits as a string of 0 and 1.

        >>> Block.of("0101").digits()
        '0101'
        """
        return "".join(f"{byte:08b}" for byte in self.data)[: self.count]


Term = Num | Name | Apply | Fn | If | At | Listing | Block


@dataclass(frozen=True, slots=True)
class Define:
    """A statement that names the value of a term."""

    name: str
    term: Term


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement that a term has the value 1."""

    term: Term


Statement = Define | Claim


def children(term: Term) -> tuple[Term, ...]:
    """Return the terms directly inside a term, in reading order.

    >>> children(If(Num(1), Num(2), Num(3)))
    (Num(value=1), Num(value=2), Num(value=3))
    """
    match term:
        case Apply(head, args):
            return (head, *args)
        case Fn(_, body):
            return (body,)
        case If(test, then, other):
            return (test, then, other)
        case At(array, indices):
            return (array, *indices)
        case Listing(items):
            return items
        case _:
            return ()


def with_children(term: Term, parts: tuple[Term, ...]) -> Term:
    """Return the term with other terms directly inside it, as many as ``children`` gives.

    >>> with_children(Listing((Num(1),)), (Num(2),))
    Listing(items=(Num(value=2),))
    """
    match term:
        case Apply():
            return Apply(parts[0], parts[1:])
        case Fn(params, _):
            return Fn(params, parts[0])
        case If():
            return If(*parts)
        case At():
            return At(parts[0], parts[1:])
        case Listing():
            return Listing(parts)
        case _:
            return term


def free_names(term: Term) -> Iterator[str]:
    """Yield each name a term uses and does not bind, primitives included, with repetitions, in reading order.

    >>> list(free_names(Fn(("x",), Apply(Name("+"), (Name("x"), Name("y"))))))
    ['+', 'y']
    """
    stack: list[tuple[Term, frozenset[str]]] = [(term, frozenset())]
    while stack:
        here, bound = stack.pop()
        if isinstance(here, Name):
            if here.name not in bound:
                yield here.name
            continue
        if isinstance(here, Fn):
            bound = bound | set(here.params)
        stack.extend((child, bound) for child in reversed(children(here)))


def apply(head: str, *args: Term) -> Apply:
    """Shorthand: apply the named function.

    >>> apply("+", Num(1), Num(2))
    Apply(head=Name(name='+'), args=(Num(value=1), Num(value=2)))
    """
    return Apply(Name(head), args)


def let(name: str, value: Term, body: Term) -> Apply:
    """Shorthand: the term that gives ``value`` a local name in ``body``.

    >>> let("x", Num(1), Name("x"))
    Apply(head=Fn(params=('x',), body=Name(name='x')), args=(Num(value=1),))
    """
    return Apply(Fn((name,), body), (value,))
