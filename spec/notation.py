"""Text <-> terms: the notation people read and write (SPEC.md clause 9, grammar in ``notation.lark``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput

from .terms import Apply, At, Block, Claim, Define, Fn, If, Listing, Name, Num, Statement, Term, apply, let

SHORT_BLOCK = 64
"""Blocks up to this many bits are written in binary, longer ones in hexadecimal."""


class NotationError(ValueError):
    """A text that is not in the notation; the message names line and column and shows the place."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A statement with the line of the text on which its full stop stands (from 1)."""

    statement: Statement
    line: int


def _names(terms: tuple[Term, ...]) -> tuple[str, ...]:
    names = tuple(term.name for term in terms if isinstance(term, Name) and term.name not in INFIX)
    if len(names) < len(terms) or len(set(names)) < len(names):
        raise NotationError("parameters are names, all different")
    return names


class _Build(Transformer[Token, Any]):
    """Makes terms while Lark reduces, so that deep nesting costs no recursion."""

    def start(self, parts: list[Sentence]) -> list[Sentence]:
        return parts

    def define(self, parts: list[Any]) -> Sentence:
        return Sentence(Define(str(parts[0]), parts[1]), parts[2].line)

    def define_function(self, parts: list[Any]) -> Sentence:
        match parts:
            case [Apply(Name(name), params), body, stop]:
                return Sentence(Define(name, Fn(_names(params), body)), stop.line)
        raise NotationError(f"line {parts[2].line}: left of := stands a name, or a name with its parameters")

    def claim(self, parts: list[Any]) -> Sentence:
        return Sentence(Claim(parts[0]), parts[1].line)

    def choose(self, parts: list[Term]) -> Term:
        return If(*parts)

    def let(self, parts: list[Any]) -> Term:
        return let(str(parts[0]), parts[1], parts[2])

    def function(self, parts: list[Any]) -> Term:
        return Fn((str(parts[0]),), parts[1])

    def function_many(self, parts: list[Any]) -> Term:
        first, rest, body = parts
        return Fn(_names((first, *rest)), body)

    def call(self, parts: list[Any]) -> Term:
        return Apply(parts[0], parts[1])

    def at(self, parts: list[Any]) -> Term:
        return At(parts[0], parts[1])

    def number(self, parts: list[Token]) -> Term:
        return Num(int(parts[0]))

    def name(self, parts: list[Token]) -> Term:
        return Name(str(parts[0]))

    operator = name

    def nothing(self, _: list[Token]) -> Term:
        return Listing(())

    def listing(self, parts: list[Any]) -> Term:
        return Listing(parts[0])

    def block(self, parts: list[Token]) -> Term:
        digits = parts[0][1:-1]
        if set(digits) - {"0", "1"}:
            raise NotationError(f"line {parts[0].line}: bits without a count are written in 0 and 1")
        return Block.of(digits)

    def long_block(self, parts: list[Token]) -> Term:
        count, digits = int(parts[0]), parts[1][1:-1]
        if len(digits) != 2 * ((count + 7) // 8):
            wanted = 2 * ((count + 7) // 8)
            raise NotationError(f"line {parts[0].line}: bits {count} wants {wanted} hexadecimal digits")
        data = bytes.fromhex(digits)
        if count % 8 and data[-1] & (0xFF >> count % 8):
            raise NotationError(f"line {parts[0].line}: bits {count} has ones after its last bit")
        return Block(count, data)

    def items(self, parts: list[Term]) -> tuple[Term, ...]:
        return tuple(parts)

    def negate(self, parts: list[Term]) -> Term:
        return apply("-", Num(0), parts[0])

    def equal(self, parts: list[Term]) -> Term:
        return apply("=", *parts)

    def less(self, parts: list[Term]) -> Term:
        return apply("<", *parts)

    def add(self, parts: list[Term]) -> Term:
        return apply("+", *parts)

    def subtract(self, parts: list[Term]) -> Term:
        return apply("-", *parts)

    def multiply(self, parts: list[Term]) -> Term:
        return apply("×", *parts)

    def divide(self, parts: list[Term]) -> Term:
        return apply("÷", *parts)


@cache
def _parser() -> Lark:
    grammar = (files(__package__) / "notation.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", transformer=_Build(), maybe_placeholders=False)


def parse(text: str, source: str = "text") -> list[Statement]:
    """Return the statements of a text in the notation.

    ``source`` names the text in error messages.
    Raises ``NotationError`` with line and column where the text is not in the notation.

    >>> parse("two := 1 + 1. two = 2.")[0]
    Define(name='two', term=Apply(head=Name(name='+'), args=(Num(value=1), Num(value=1))))
    """
    return [sentence.statement for sentence in parse_lines(text, source)]


def parse_lines(text: str, source: str = "text") -> list[Sentence]:
    r"""As ``parse``, but each statement with the line of its full stop.

    >>> parse_lines("1 = 1.\n2 = 2.")[1].line
    2
    """
    try:
        return cast("list[Sentence]", _parser().parse(text))
    except UnexpectedInput as error:
        where, place = f"line {error.line}, column {error.column}", error.get_context(text, 40).rstrip()
        raise NotationError(f"{source}, {where}: not the notation\n{place}") from None
    except NotationError as error:  # from _Build
        raise NotationError(f"{source}, {error}") from None


INFIX = {"=": (1, 2, 2), "<": (1, 2, 2), "+": (2, 2, 3), "-": (2, 2, 3), "×": (3, 3, 4), "÷": (3, 3, 4)}
LOOSE, SIGNED, POSTFIX = 0, 4, 5


def show(term: Term, longest_block: int | None = None) -> str:
    """Return a term in the notation.

    With ``longest_block``, blocks of more bits are cut short with … and the text can no longer be read back.

    >>> show(parse("(x ↦ x × (1 + 2))(3) = 9.")[0].term)
    '(let x := 3 in x × (1 + 2)) = 9'
    """
    return _show(term, LOOSE, longest_block)


def _show(term: Term, level: int, longest: int | None) -> str:
    text, own = _spell(term, longest)
    return f"({text})" if own < level else text


def _items(terms: Sequence[Term], longest: int | None) -> str:
    return ", ".join(item.name if isinstance(item, Name) else _show(item, LOOSE, longest) for item in terms)


def _spell(term: Term, longest: int | None) -> tuple[str, int]:
    """Return the text of a term and how tightly it binds."""
    match term:
        case Num(value):
            return str(value), POSTFIX
        case Name(name):
            return (f"({name})" if name in INFIX else name), POSTFIX
        case Apply(Fn((param,), body), (value,)):
            return f"let {param} := {_show(value, LOOSE, longest)} in {_show(body, LOOSE, longest)}", LOOSE
        case Apply(Name("-"), (Num(0), value)):
            return f"-{_show(value, POSTFIX, longest)}", SIGNED  # not SIGNED: -- begins a comment
        case Apply(Name(operator), (left, right)) if operator in INFIX:
            own, left_level, right_level = INFIX[operator]
            return f"{_show(left, left_level, longest)} {operator} {_show(right, right_level, longest)}", own
        case Apply(head, args):
            return f"{_show(head, POSTFIX, longest)}({_items(args, longest)})", POSTFIX
        case At(array, indices):
            return f"{_show(array, POSTFIX, longest)}[{_items(indices, longest)}]", POSTFIX
        case Fn(params, body):
            given = params[0] if len(params) == 1 else f"({', '.join(params)})"
            return f"{given} ↦ {_show(body, LOOSE, longest)}", LOOSE
        case If(test, then, other):
            chosen = f"{_show(then, LOOSE, longest)} else {_show(other, LOOSE, longest)}"
            return f"if {_show(test, LOOSE, longest)} then {chosen}", LOOSE
        case Listing(items):
            return f"[{_items(items, longest)}]", POSTFIX
        case Block():
            return _block(term, longest), POSTFIX


def _block(block: Block, longest: int | None) -> str:
    if longest is not None and block.count > longest:
        return f'bits {block.count} "{block.data[:8].hex()}…"'
    if block.count <= SHORT_BLOCK:
        return f'bits "{block.digits()}"'
    return f'bits {block.count} "{block.data.hex()}"'


def show_statement(statement: Statement, longest_block: int | None = None) -> str:
    """Return a statement in the notation, with its full stop.

    >>> show_statement(parse("f := x ↦ x.")[0])
    'f(x) := x.'
    """
    match statement:
        case Define(name, Fn(params, body)):
            return f"{name}({', '.join(params)}) := {show(body, longest_block)}."
        case Define(name, term):
            return f"{name} := {show(term, longest_block)}."
        case Claim(term):
            return f"{show(term, longest_block)}."


def show_all(statements: Iterable[Statement]) -> str:
    r"""Return statements in the notation, one a line.

    >>> show_all(parse("1 = 1.   2 = 2."))
    '1 = 1.\n2 = 2.\n'
    """
    return "".join(show_statement(statement) + "\n" for statement in statements)
