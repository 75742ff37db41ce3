"""The notation with line breaks: long terms in lines of about 100 columns that parse back to the same term.

A term becomes a document of text, possible line breaks, indentation and groups; a group is set on one line if
it fits, else all of its own breaks are taken (Oppen 1980, Wadler 2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .notation import INFIX, LOOSE, POSTFIX, SIGNED, show
from .terms import Apply, At, Block, Claim, Define, Fn, If, Listing, Name, Num, Statement, Term, children

_STEP = 2


@dataclass(frozen=True, slots=True)
class _Break:
    """A line break, or ``flat`` if its group fits on the line; ``hard`` breaks every group around it."""

    flat: str = ""
    hard: bool = False


@dataclass(frozen=True, slots=True)
class _Nest:
    """Breaks inside are indented by this many columns more."""

    columns: int
    inside: _Doc


@dataclass(frozen=True, slots=True)
class _Group:
    """Set on one line if it fits."""

    inside: _Doc


_Doc = str | _Break | _Nest | _Group | list["_Doc"]
_SPACE, _SOFT, _HARD = _Break(" "), _Break(""), _Break(" ", hard=True)


def pretty(term: Term, width: int = 100, longest_block: int | None = None) -> str:
    """Return a term in the notation, broken into lines of at most ``width`` columns where that can be done.

    ``longest_block`` is as for ``notation.show``. Without it the text parses back to the same term.

    >>> from .notation import parse
    >>> print(pretty(parse("(a, b) ↦ array(length(a), i ↦ if a[i] < b[i] then a[i] else b[i]).")[0].term, 50))
    (a, b) ↦
      array(length(a), i ↦
        if a[i] < b[i] then a[i] else b[i])
    """
    return _render(_doc(term, LOOSE, longest_block), width)


def pretty_statement(statement: Statement, width: int = 100, longest_block: int | None = None) -> str:
    """Return a statement in the notation, with its full stop, broken into lines.

    >>> from .notation import parse
    >>> print(pretty_statement(parse("f(x) := let y := x × x in let z := y × y in y + z.")[0]))
    f(x) :=
      let y := x × x in
      let z := y × y in
      y + z.
    """
    match statement:
        case Define(name, Fn(params, body)):
            doc = _after(f"{name}({', '.join(params)}) :=", _doc(body, LOOSE, longest_block))
        case Define(name, term):
            doc = _after(f"{name} :=", _doc(term, LOOSE, longest_block))
        case Claim(term):
            doc = _doc(term, LOOSE, longest_block)
    return _render([doc, "."], width)


def _after(left: str, right: _Doc) -> _Doc:
    return _Group([left, _Nest(_STEP, [_SPACE, right])])


def _doc(term: Term, level: int, longest: int | None) -> _Doc:
    inside, own = _spell(term, longest)
    return ["(", _Nest(1, inside), ")"] if own < level else inside


def _spell(term: Term, longest: int | None) -> tuple[_Doc, int]:
    """Return the document of a term and how tightly it binds, as in ``notation``."""
    match term:
        case Num() | Name() | Block():
            return show(term, longest), POSTFIX
        case Apply(Fn((_,), _), (_,)):
            return _lets(term, longest), LOOSE
        case Apply(Name("-"), (Num(0), value)):
            return ["-", _Nest(1, _doc(value, POSTFIX, longest))], SIGNED
        case Apply(Name(operator), (_, _)) if operator in INFIX:
            return _Nest(_STEP, _chain(term, INFIX[operator][0], longest)), INFIX[operator][0]
        case Apply(head, args):
            return [_doc(head, POSTFIX, longest), _bracket("(", args, ")", longest)], POSTFIX
        case At(array, indices):
            return [_doc(array, POSTFIX, longest), _bracket("[", indices, "]", longest)], POSTFIX
        case Fn(params, body):
            left = params[0] if len(params) == 1 else f"({', '.join(params)})"
            return _after(f"{left} ↦", _doc(body, LOOSE, longest)), LOOSE
        case If():
            return _choices(term, longest), LOOSE
        case Listing(items):
            return _bracket("[", items, "]", longest), POSTFIX


def _lets(term: Term, longest: int | None) -> _Doc:
    """One local name a line, and the body below them; a single one may stand on one line with its body."""
    parts: list[_Doc] = []
    while True:
        match term:
            case Apply(Fn((name,), body), (value,)):
                parts.append([_after(f"let {name} :=", _doc(value, LOOSE, longest)), " in"])
                term = body
            case _:
                break
    end = _HARD if len(parts) > 1 else _SPACE
    lines: list[_Doc] = [[part, end] for part in parts]
    return _Group([*lines, _doc(term, LOOSE, longest)])


def _chain(term: Term, own: int, longest: int | None) -> _Doc:
    """A chain of operators that bind equally: lines are filled, and broken before operators."""
    rest: list[_Doc] = []
    level = own
    while level == own:
        match term:
            case Apply(Name(operator), (left, right)) if _binds(term) == own:
                _, level, right_level = INFIX[operator]
                rest.append([_Group([_SPACE, f"{operator} "]), _operand(right, right_level, longest)])
                term = left
            case _:
                break
    return _Group([_operand(term, level, longest), *reversed(rest)])


def _operand(term: Term, level: int, longest: int | None) -> _Doc:
    """An operand; chains inside chains are not indented further, so nested brackets keep to the width."""
    if isinstance(term, Apply) and (own := _binds(term)) is not None:
        chain = _chain(term, own, longest)
        return ["(", chain, ")"] if own < level else chain
    return _doc(term, level, longest)


def _binds(term: Apply) -> int | None:
    """Return how tightly an application written with an operator between its arguments binds."""
    match term:
        case Apply(Name("-"), (Num(0), _)):
            return None
        case Apply(Name(operator), (_, _)) if operator in INFIX:
            return INFIX[operator][0]
    return None


def _choices(term: If, longest: int | None) -> _Doc:
    """A choice; the choices in its ``else`` stand at the same indentation."""
    parts: list[_Doc] = []
    here: Term = term
    while isinstance(here, If):
        test, then = _doc(here.test, LOOSE, longest), _doc(here.then, LOOSE, longest)
        parts += ["if ", _Nest(_STEP, test), " then", _Nest(_STEP, [_SPACE, then]), _SPACE, "else "]
        here = here.other
    parts[-1] = "else"
    return _Group([*parts, _Nest(_STEP, [_SPACE, _doc(here, LOOSE, longest)])])


def _bracket(left: str, items: Sequence[Term], right: str, longest: int | None) -> _Doc:
    """Items between brackets, on one line, else one a line.

    But plain ones fill lines; one alone, and a function that comes last after short ones, stay on the line.
    """
    if not items:
        return left + right
    docs = [item.name if isinstance(item, Name) else _doc(item, LOOSE, longest) for item in items]
    if all(isinstance(item, Num | Name) or (left == "[" and _short(item)) for item in items):
        filled: list[_Doc] = [[",", _Group([_SPACE, doc])] for doc in docs[1:]]
        return _Group([left, _Nest(1, [docs[0], *filled]), right])
    if len(items) == 1 or (isinstance(items[-1], Fn) and all(map(_short, items[:-1]))):
        return [left, *[[doc, ", "] for doc in docs[:-1]], docs[-1], right]
    following: list[_Doc] = [[",", _SPACE, doc] for doc in docs[1:]]
    return _Group([left, _Nest(_STEP, [_SOFT, docs[0], *following]), _SOFT, right])


def _short(term: Term) -> bool:
    """Tell whether a term has so few parts that it need not be broken."""
    stack, count = [term], 0
    while stack and count <= 16:
        here = stack.pop()
        count += 1
        if isinstance(here, Block | Fn):
            return False
        stack.extend(children(here))
    return not stack


def _render(doc: _Doc, width: int) -> str:
    out: list[str] = []
    column = 0
    stack: list[tuple[int, bool, _Doc]] = [(0, False, doc)]
    while stack:
        indent, flat, here = stack.pop()
        match here:
            case str():
                out.append(here)
                column += len(here)
            case _Break(text, hard):
                if flat and not hard:
                    out.append(text)
                    column += len(text)
                else:
                    out.append("\n" + " " * indent)
                    column = indent
            case _Nest(columns, inside):
                stack.append((indent + columns, flat, inside))
            case _Group(inside):
                stack.append((indent, flat or _fits(inside, stack, width - column), inside))
            case list():
                stack.extend((indent, flat, part) for part in reversed(here))
    return "".join(out)


def _fits(doc: _Doc, after: list[tuple[int, bool, _Doc]], room: int) -> bool:
    """Tell whether a group, and what follows it up to the next possible break, fits into the room left."""
    stack: list[tuple[bool, _Doc]] = [(True, doc)]
    following = len(after)
    while room >= 0:
        if stack:
            flat, here = stack.pop()
        elif following:
            following -= 1
            _, flat, here = after[following]
        else:
            return True
        match here:
            case str():
                room -= len(here)
            case _Break(text, hard):
                if not flat:
                    return True
                if hard:
                    return False
                room -= len(text)
            case _Nest(_, inside):
                stack.append((flat, inside))
            case _Group(inside):
                stack.append((flat, inside))
            case list():
                stack.extend((flat, part) for part in reversed(here))
    return False
