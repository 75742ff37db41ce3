"""A receiver for the Isagoge language: it reads a message, evaluates it and reports a verdict for each statement.

    python receiver.py [--seconds S] [--megabytes M] MESSAGE [QUESTION]

The numbers in the comments are the clauses of the specification.  The parts follow its chapters: the reader turns
bits into terms (1-4); the library does what single operations mean (5-7); the writer turns a term into Python
source, with real loops and local variables, because a walk over the term for each number would be slow.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import math
import os
import re
import signal
import struct
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

try:
    import resource
except ImportError:  # not a Unix system
    resource = None  # type: ignore[assignment]

# ---- 1-4: bits, naturals, terms, statements -------------------------------------------------------------------

OPEN, CLOSE, NUMBER, NAME = "00", "01", "10", "11"  # 1.3
FORMS = {0: "define", 7: "if", 8: "fn", 15: "at", 16: "list", 19: "bits"}  # 3.2
ARITY = {1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 9: 1, 10: 1, 11: 1, 12: 2, 13: 2, 14: 1, 17: 3, 18: 3}  # 3.1
FIRST_NEW = 20  # 3.5: one more than the greatest primitive
DEPTH = 1000  # 3.6


class Fault(Exception):
    """An error of the language; its argument is the verdict."""


class TimeUp(BaseException):
    """The budget of time is spent (8.1)."""


@dataclass(slots=True)
class Term:
    """A term: `op` is number, name, apply or a form; `n` the natural, or the first parameter of a `fn`."""

    op: str
    n: int = 0
    items: list[Term] = field(default_factory=list)
    count: int = 0  # the parameters of a `fn`
    raw: str = ""  # the bits of `bits`
    size: int = 1


class Reader:
    """Reads statements from bits; `names` is the next new name."""

    def __init__(self, data: bytes, names: int) -> None:
        self.bits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}" if data else ""  # 1.1
        self.at = 0
        self.names = names
        self.hidden = -1  # the name being defined, which is not in scope in its own definition (3.5)
        self.used: set[int] = set()  # the defined names that the statement uses

    def natural(self) -> int:
        zero = self.bits.find("0", self.at, self.at + 55)
        if zero < 0:  # 2.2: the 55th one is an error as soon as it is read
            raise Fault("number" if len(self.bits) - self.at >= 55 else "cut")
        digits = self.bits[zero + 1 : 2 * zero + 1 - self.at]  # 2.1
        if digits.startswith("0"):
            raise Fault("number")
        if len(digits) < zero - self.at:
            raise Fault("cut")
        self.at = zero + 1 + len(digits)
        n = int(digits or "0", 2)
        if n > 2**53:
            raise Fault("number")
        return n

    def token(self) -> tuple[str, int]:
        kind = self.bits[self.at : self.at + 2]
        if len(kind) < 2:
            raise Fault("cut")
        self.at += 2
        return kind, self.natural() if kind in (NUMBER, NAME) else 0

    def close(self) -> None:
        if self.token()[0] != CLOSE:
            raise Fault("form")

    def term(self, new: int, depth: int, token: tuple[str, int] | None = None) -> Term:
        """Reads a term inside `depth` groups, where `new` is the next new name; `token` was read already."""
        kind, n = token or self.token()
        if kind == CLOSE or (kind == NAME and n in FORMS):
            raise Fault("form")
        if kind == NUMBER:
            return Term("number", n)
        if kind == NAME:
            if n >= new or n == self.hidden:
                raise Fault("name")
            if FIRST_NEW <= n < self.names:
                self.used.add(n)
            return Term("name", n)
        if depth >= DEPTH:
            raise Fault("depth")
        return self.group(new, depth + 1, self.token())

    def terms(self, new: int, depth: int, least: int) -> list[Term]:
        """Reads terms up to the close of the group, `least` or more."""
        items: list[Term] = []
        while (token := self.token())[0] != CLOSE or len(items) < least:
            items.append(self.term(new, depth, token))
        return items

    def group(self, new: int, depth: int, token: tuple[str, int]) -> Term:
        """Reads a group whose open and first token have been read."""
        kind, n = token
        form = FORMS.get(n, "") if kind == NAME else ""
        if form == "define":  # 3.2: only as a whole statement
            raise Fault("form")
        result = Term(form or "apply")
        if not form:  # 3.3
            result.items = [self.term(new, depth, token), *self.terms(new, depth, 1)]
        elif form == "bits":  # 3.4
            kind, n = self.token()
            if kind != NUMBER:
                raise Fault("form")
            if n > len(self.bits) - self.at:  # 8.2: known before any memory is asked for
                raise Fault("cut")
            result.raw = self.bits[self.at : self.at + n]
            self.at += n
            self.close()
        elif form == "fn":  # 3.5
            kind, n = self.token()
            if kind != NAME or n != new:
                raise Fault("name" if kind == NAME else "form")
            result.n = new
            while (kind, n) == (NAME, new):
                new, (kind, n) = new + 1, self.token()
            result.count = new - result.n
            result.items = [self.term(new, depth, (kind, n))]
            self.close()
        elif form == "if":
            result.items = [self.term(new, depth) for _ in range(3)]
            self.close()
        else:
            result.items = self.terms(new, depth, 2 if form == "at" else 0)
        result.size = 1 + sum(item.size for item in result.items)
        return result

    def statements(self) -> Iterator[tuple[int, Term]]:
        """Yields the statements: the name that is defined, or -1 for a claim, and the term (4.1)."""
        while len(self.bits) - self.at > 7 or "1" in self.bits[self.at :]:  # 4.3
            start, self.used, self.hidden = self.at, set(), -1
            token = self.token()
            inner = self.token() if token[0] == OPEN else token
            if token[0] == OPEN and inner == (NAME, 0):
                kind, n = self.token()
                if kind != NAME or n != self.names:
                    raise Fault("name" if kind == NAME else "form")
                self.hidden = n
                term = self.term(n + 1, 1)
                self.close()
            else:
                term = (
                    self.group(self.names, 1, inner) if token[0] == OPEN else self.term(self.names, 0, token)
                )
            if self.at == len(self.bits):
                raise Fault("cut")
            self.at += 1
            if self.bits.count("1", start, self.at) % 2:  # 4.2
                raise Fault("parity")
            self.names += self.hidden >= 0
            yield self.hidden, term


# ---- 5-7: values and what the operations do ---------------------------------------------------------------------
# A number is a float (never an int), an array a list, and a function a Function.  Python's own TypeError and
# AttributeError stand for `kind`, its IndexError for `range`: see `Receiver.verdict`.

INF, NAN = math.inf, math.nan
BIG = sys.maxsize  # an index that no list has
limit = 2**29  # how many elements the budget of memory can hold


@dataclass(slots=True, eq=False)
class Function:
    """A function: `call` takes exactly `arity` arguments."""

    arity: int
    call: Callable[..., Any]

    def __eq__(self, other: object) -> bool:
        raise TypeError  # 6.4


def apply(f: Any, *args: Any) -> Any:
    """Application to as many, fewer or more arguments (5.3)."""
    while len(args) > f.arity:
        f, args = f.call(*args[: f.arity]), args[f.arity :]
    return f.call(*args) if len(args) == f.arity else partial(f, *args)


def partial(f: Any, *given: Any) -> Function:
    return Function(f.arity - len(given), lambda *rest: f.call(*given, *rest))


def fail(verdict: str) -> Any:
    raise Fault(verdict)


def untrue(test: Any) -> Any:
    """The test of an `if` is neither 1 nor 0 (5.5)."""
    raise Fault("range" if type(test) is float else "kind")


def index(x: float) -> int:
    """The index for a list; if x is no natural, one that no list has, so that a wrong array is noticed first (5.6)."""
    return i if 0.0 <= x < 2.0**53 and (i := int(x)) == x else BIG


def whole(x: Any) -> int | None:
    """The int that a value is, if it is one of a moderate size."""
    return i if type(x) is float and 0.0 <= x < 2.0**44 and (i := int(x)) == x else None


def count(x: Any) -> int:
    """The number of times of a loop (7.1)."""
    if not 0.0 <= x <= 2.0**53 or x != (n := int(x)):
        raise Fault("range")
    return n


def room(n: int) -> int:
    """A length that does not exceed the budget of memory (8.2)."""
    if n > limit:
        raise MemoryError
    return n


def block(raw: str) -> list[float]:
    """The array of the raw bits (5.7); all its elements are the same two objects."""
    data = int(raw or "0", 2).to_bytes((room(len(raw)) + 7) // 8, "big")
    return list(itertools.chain.from_iterable(map(BYTES.__getitem__, data)))[-len(raw) :] if raw else []


BYTES = [tuple((0.0, 1.0)[b >> k & 1] for k in range(7, -1, -1)) for b in range(256)]


def equal(a: Any, b: Any) -> bool:
    """Equality of any two values (6.4).  Python's == of lists would take a NaN to be equal to itself."""
    if type(a) is not list or type(b) is not list:
        return bool(a == b)  # an array is not equal to a number; a Function raises
    pairs = [(a, b)]
    while pairs:
        a, b = pairs.pop()
        if len(a) != len(b):
            return False
        for x, y in zip(a, b):
            if type(x) is list and type(y) is list:
                pairs.append((x, y))
            elif x != y:
                return False
    return True


def divide(a: float, b: float) -> float:
    """Division by any number, zeros included (6.3)."""
    if b:
        return a / b
    return a * math.copysign(INF, +b) if a else a * b + NAN


def floor(x: float) -> float:
    result = x // 1.0  # 6.5: this keeps -0; it is NaN for an infinity
    return result if result == result else x


def pow2(x: float) -> float:  # 6.6
    n = floor(x)
    return math.ldexp(1.0, int(n)) if -1075.0 < n < 1024.0 else NAN if n != n else 0.0 if n < 0.0 else INF


def exponent(x: float) -> float:  # 6.7
    if x - x != 0.0:
        return x * x
    return math.frexp(x)[1] - 1.0 if x else -INF


def rounded(p: float, x: float) -> float:  # 6.8
    if type(p) is not float or type(x) is not float:
        raise TypeError
    if not p >= 1.0 or p // 1.0 != p != INF:
        raise Fault("range")
    if p >= 53.0 or x - x != 0.0 or not x:
        return x
    m, e = math.frexp(x)
    try:
        return math.ldexp(round(math.ldexp(m, int(p))), e - int(p))  # round: ties go to the even integer
    except OverflowError:
        return math.copysign(INF, x)


# ---- 5-7: writing Python ----------------------------------------------------------------------------------------

ANY, DATA, NUM = 0, 1, 2  # what is known of a value: nothing; no function; a number
VARIABLE = re.compile(
    r"\b[vif]\d+\b"
)  # v: a value, i: an int equal to it, f: the float of a loop's counter i
LONG = 200  # characters of an expression; Python does not take parentheses nested more than 200 deep
SERIAL = itertools.count()  # for names of functions
STEEP = 14  # blocks in blocks; Python does not take more than 20 loops in one another


@dataclass(slots=True, eq=False)
class Fun:
    """A function known while code is written: `term` with `env`, or a name of the library or of a definition."""

    arity: int
    name: int = 0
    term: Term | None = None
    env: dict[int, Value] = field(default_factory=dict)
    given: list[Value] = field(default_factory=list)  # 5.3: the arguments that it has already
    maker: str = ""
    inlined: bool = False
    result: int = ANY


@dataclass(slots=True, eq=False)
class Value:
    """What is known of a value while code is written."""

    kind: int = ANY
    code: str = ""  # an expression for it
    pure: bool = True  # that expression cannot fail
    const: float | None = None
    whole: str = ""  # an int expression equal to it that cannot fail; right unless one of the guards is None
    low: int = 0
    high: int = 2**44  # no loop comes that far
    guards: frozenset[str] = frozenset()
    test: str = ""  # a bool expression, true if the value is 1 and false if it is 0
    fun: Fun | None = None

    def simple(self) -> bool:
        return self.fun is not None or self.const is not None or self.code.isidentifier()


def literal(x: float) -> Value:
    code = repr(x) if x - x == 0.0 else "NAN" if x != x else "INF" if x > 0 else "-INF"
    value = Value(NUM, f"({code})" if code[0] == "-" else code, const=x)
    if x - x == 0.0 and x // 1.0 == x and abs(x) <= 2.0**53:
        value.whole, value.low, value.high = str(int(x)), int(x), int(x)
    return value


class Writer:
    """Writes one statement as Python source.  `known` holds what is known of the definitions."""

    def __init__(self, scope: dict[str, Any], known: dict[int, Value], fuel: int = 4000) -> None:
        self.scope, self.known = scope, known
        self.lines: list[
            tuple[int, str, str]
        ] = []  # indentation, text, the variable set if the line only does that
        self.indent = 1
        self.functions: list[str] = []
        self.serial = 0
        self.depth = 0  # functions written in functions
        self.fuel = (
            fuel  # how many terms may be written before functions are called and no more written in place
        )

    # -- lines, variables, functions

    def emit(self, text: str, only: str = "") -> None:
        self.lines.append((self.indent, text, only))

    def fresh(self) -> int:
        self.serial += 1
        return self.serial

    def variable(self, kind: int, n: int) -> Value:
        """The value in the variable v<n>, with its int if that comes to be used."""
        self.emit(f"i{n} = whole(v{n})", f"i{n}")
        return Value(kind, f"v{n}", whole=f"i{n}", guards=frozenset([f"i{n}"]))

    def bind(self, value: Value) -> Value:
        """The value as one that can be written twice: its expression is evaluated here."""
        if value.simple():
            return value
        n = self.fresh()
        self.emit(f"v{n} = {value.code}", f"v{n}" if value.pure else "")
        if not value.whole:
            return self.variable(value.kind, n)
        self.emit(f"i{n} = {guarded(value.guards, value.whole, 'None')}", f"i{n}")
        guards = frozenset([f"i{n}"] if value.guards else [])
        return Value(value.kind, f"v{n}", whole=f"i{n}", low=value.low, high=value.high, guards=guards)

    def real(self, value: Value) -> Value:
        """The value with an expression, also if it is a function."""
        fun = value.fun
        if fun is None:
            return value
        code = f"F{fun.name}"
        if fun.term and not fun.name:
            code = self.maker(fun)
        elif code not in self.scope:
            self.library(fun.name)
        if fun.given:
            code = f"partial({code}, {', '.join(self.real(v).code for v in fun.given)})"
        return Value(ANY, code)

    def maker(self, fun: Fun) -> str:
        """An expression for a function that is not a name, as a Function."""
        fun.maker = fun.maker or self.function(f"m{next(SERIAL)}", fun, True)
        return fun.maker

    def library(self, name: int) -> None:
        """Makes a primitive a function of the scope."""
        writer = Writer(self.scope, self.known)
        writer.function(f"g{name}", Fun(ARITY[name], name))
        writer.run()
        self.scope[f"F{name}"] = Function(ARITY[name], self.scope[f"g{name}"])

    def nested(self, build: Callable[[], Value]) -> tuple[list[str], list[str], Value]:
        """Lines of a function of its own, the variables around it that they use, and its value."""
        outer, self.lines, indent, self.indent = self.lines, [], self.indent, 1
        start, self.depth = self.serial, self.depth + 1
        value = build()
        self.emit(f"return {self.real(value).code}")
        used: set[str] = set()
        texts: list[str] = []
        for depth, text, only in reversed(self.lines):
            if not only or only in used:
                used.update(VARIABLE.findall(text))
                texts.append(" " * depth + text)
        self.lines, self.indent, self.depth = outer, indent, self.depth - 1
        return texts[::-1], sorted(v for v in used if int(v[1:]) <= start), value

    def function(self, name: str, fun: Fun, closure: bool = False) -> str:
        """Writes a function with parameters of any kind; of a closure returns an expression that makes it."""
        numbers: list[int] = []

        def build() -> Value:
            numbers.extend(self.fresh() for _ in range(fun.arity))
            return self.inline(fun, [self.variable(ANY, n) for n in numbers])

        texts, free, value = self.nested(build)
        head = f"def {name}({', '.join(f'v{n}' for n in numbers)}):"
        fun.result = value.kind
        if not closure:
            self.functions += [head, *texts]
            return name
        self.functions += [f"def make_{name}({', '.join(free)}):", " " + head, *(" " + t for t in texts)]
        self.functions.append(f" return Function({fun.arity}, {name})")
        return f"make_{name}({', '.join(free)})"

    def run(self) -> Any:
        """Hands the functions written so far to Python."""
        exec(compile("\n".join(self.functions) + "\n", "<message>", "exec"), self.scope)
        self.functions = []

    # -- terms

    def term(self, term: Term, env: dict[int, Value]) -> Value:
        """Writes what must be done before, and returns the value."""
        self.fuel -= 1
        if term.op == "number":
            return literal(float(term.n))
        if term.op == "name":
            return self.name(term.n, env)
        if self.indent > STEEP:
            return self.outline(term, env)
        value: Value = getattr(self, "term_" + term.op)(term, env)
        return self.bind(value) if len(value.code) + len(value.whole) > LONG else value

    def name(self, n: int, env: dict[int, Value]) -> Value:
        if n in env:
            return env[n]
        if n < FIRST_NEW:
            return Value(fun=Fun(ARITY[n], n))
        return self.known.get(n) or Value(code="fail('missing')", pure=False)  # 4.5

    def outline(self, term: Term, env: dict[int, Value]) -> Value:
        """Writes a term that is nested too deep for Python as a function of the variables that it uses."""
        name = f"h{next(SERIAL)}"
        texts, free, value = self.nested(lambda: self.term(term, env))
        self.functions += [f"def {name}({', '.join(free)}):", *texts]
        return self.bind(Value(value.kind, f"{name}({', '.join(free)})", False))

    def operands(
        self, terms: list[Term], env: dict[int, Value], before: list[Value] | None = None
    ) -> list[Value]:
        """The values of terms, after others; they are evaluated from left to right (5.3)."""
        values = list(before or [])
        for term in terms:
            mark = len(self.lines)
            value = self.term(term, env)
            if len(self.lines) > mark and not all(v.pure for v in values):
                after, self.lines[mark:] = (
                    self.lines[mark:],
                    [],
                )  # what can fail must do so before these lines
                values = [v if v.pure else self.bind(v) for v in values]
                self.lines += after
            values.append(value)
        return values

    def wrong(self, values: list[Value], verdict: str = "kind") -> Value:
        """An error, after the values have been evaluated."""
        for value in values:
            self.bind(value)
        self.emit(f"fail({verdict!r})")
        return literal(0.0)

    def data(self, values: list[Value], checked: list[Value]) -> None:
        """Checks that values are no functions, if that is not known."""
        for value in checked:
            if value.fun:
                self.emit("fail('kind')")
            elif value.kind == ANY:
                self.emit(f"if type({value.code}) is Function: fail('kind')")

    def term_fn(self, term: Term, env: dict[int, Value]) -> Value:
        return Value(fun=Fun(term.count, 0, term, env))  # 5.2

    def term_bits(self, term: Term, env: dict[int, Value]) -> Value:
        name = f"B{next(SERIAL)}"
        if self.depth == self.indent == 1:  # evaluated once
            self.scope[name] = term.raw
            return Value(DATA, f"block({name})", False)
        self.scope[name] = block(term.raw)
        return Value(DATA, name)

    def term_list(self, term: Term, env: dict[int, Value]) -> Value:
        values = self.operands(term.items, env)
        if any(v.kind == ANY for v in values):  # 5.7
            values = [self.bind(v) for v in values]
            self.data(values, values)
        return Value(DATA, f"[{', '.join(self.real(v).code for v in values)}]", all(v.pure for v in values))

    def term_at(self, term: Term, env: dict[int, Value]) -> Value:
        array = self.real(self.term(term.items[0], env))
        for item in term.items[1:]:  # 5.6: each index is evaluated after the elements before it
            array, i = self.operands([item], env, [array])
            array = Value(DATA, f"{array.code}[{self.index(self.real(i))}]", False)
            if len(array.code) > LONG:
                array = self.bind(array)
        return array

    def index(self, value: Value) -> str:
        """An int expression for an index: of a wrong one, an int that no list has as index (5.6)."""
        code = value.whole
        if not code:
            return f"index({value.code})"
        if value.low < 0:
            n = self.fresh()
            code = f"(i{n} if (i{n} := {code}) >= 0 else BIG)"
        slow = re.sub(r"\bf(\d+)\b", r"float(i\1)", value.code)
        return guarded(value.guards, code, f"index({slow})")

    def term_if(self, term: Term, env: dict[int, Value]) -> Value:
        test = self.real(self.term(term.items[0], env))
        if test.const in (0.0, 1.0):
            return self.term(term.items[1 if test.const else 2], env)
        cond = test.test
        if not cond:  # 5.5
            test = self.bind(test)
            cond = f"({test.code} == 1.0 or {test.code} != 0.0 and untrue({test.code}))"
        values: list[Value] = []
        blocks: list[list[tuple[int, str, str]]] = []
        outer = self.lines
        self.indent += 1
        for item in term.items[1:]:
            self.lines = []
            values.append(self.real(self.term(item, env)))
            blocks.append(self.lines)
        self.lines = outer
        self.indent -= 1
        (a, b), n = values, self.fresh()
        kind = min(a.kind, b.kind)
        if not any(blocks):
            pure = bool(test.test) and test.pure
            value = Value(kind, f"({a.code} if {cond} else {b.code})", pure and a.pure and b.pure)
            if pure and a.whole and b.whole:
                value.whole = f"({a.whole} if {cond} else {b.whole})"
                value.low, value.high = min(a.low, b.low), max(a.high, b.high)
                value.guards = a.guards | b.guards
            return value
        for head, lines, value in zip((f"if {cond}:", "else:"), blocks, values):
            self.emit(head)
            self.lines += [*lines, (self.indent + 1, f"v{n} = {value.code}", "")]
        return self.variable(kind, n)

    def term_apply(self, term: Term, env: dict[int, Value]) -> Value:
        head, *args = self.operands(term.items, env)
        first = term.items[0]
        return self.call(head, args, first.op == "fn" or first.op == "name" and first.n not in env)

    # -- application

    def call(self, head: Value, args: list[Value], free: bool) -> Value:
        """Application (5.3); `free` tells that the function's own arguments may be functions (5.4)."""
        fun = head.fun
        own = fun.arity - len(fun.given) if fun else 0
        strict = args[own:] if free else args
        if any(v.kind == ANY for v in strict):
            head, *args = [self.bind(v) for v in [head, *args]]
            self.data(args, args[len(args) - len(strict) :])
        if not fun:
            if head.kind != ANY:
                return self.wrong([head, *args])
            head, *args = [self.real(self.bind(v)) for v in [head, *args]]
            f, codes = head.code, ", ".join(v.code for v in args)
            return Value(
                ANY, f"({f}.call({codes}) if {f}.arity == {len(args)} else apply({f}, {codes}))", False
            )
        if len(args) < own:
            given = [*fun.given, *(self.bind(v) for v in args)]
            return Value(fun=Fun(fun.arity, fun.name, fun.term, fun.env, given, fun.maker))
        if len(args) > own:
            args = [self.bind(v) for v in args]
        result = self.invoke(fun, fun.given + args[:own])
        return self.call(result, args[own:], False) if len(args) > own else result

    def invoke(self, fun: Fun, args: list[Value]) -> Value:
        """The value of a function for as many arguments as its arity: in place, or a call."""
        place = self.fuel > 0 and (
            not fun.name or any(v.fun for v in args) or (fun.term and fun.term.size < 40)
        )
        if fun.term and (place or not (fun.name or fun.inlined)) or fun.name < FIRST_NEW and not fun.term:
            fun.inlined = True
            return self.inline(fun, args)
        f = f"g{fun.name}" if fun.name else self.maker(fun) + ".call"
        return Value(fun.result, f"{f}({', '.join(self.real(v).code for v in args)})", False)

    def inline(self, fun: Fun, args: list[Value]) -> Value:
        if not fun.term:
            return self.primitive(fun.name, args)
        env = dict(fun.env)
        for n, value in enumerate(args, fun.term.n):
            env[n] = self.bind(value)
        return self.term(fun.term.items[0], env)

    def primitive(self, name: int, args: list[Value]) -> Value:
        if name in (13, 17, 18):
            return self.loop(name, args)
        args = [self.real(v) for v in args]
        constants = [v.const for v in args if v.const is not None]
        if len(constants) == len(args) and name not in (12, 14):
            return literal(CONSTANT[name](*constants))
        a, b = args[0], args[-1]
        numbers = all(v.kind == NUM for v in args)
        pure = numbers and a.pure and b.pure
        if name in (1, 2):
            return self.compare(name, a, b)
        if name == 14:
            n = self.fresh()
            self.emit(f"i{n} = len({a.code})")  # 7.4
            self.emit(f"v{n} = float(i{n})", f"v{n}")
            return Value(NUM, f"v{n}", whole=f"i{n}", high=2**33)
        if name == 6:
            if b.const:
                return Value(NUM, f"({a.code} / {b.code})", pure)
            a, b = self.bind(a), self.bind(b)
            return Value(NUM, f"({a.code} / {b.code} if {b.code} else divide({a.code}, {b.code}))", pure)
        if name > 6:
            function = CONSTANT[name].__name__
            return Value(NUM, f"{function}({', '.join(v.code for v in args)})", pure and name != 12)
        # 6.9: Python adds lists to one another, but not if one of the two has a sign; the other three it refuses
        sign = "+" if name == 3 and NUM not in (a.kind, b.kind) else ""
        op = {3: "+", 4: "-", 5: "*"}[name]
        value = Value(NUM, f"({a.code} {op} {sign}{b.code})", pure)
        if a.whole and b.whole:
            ends = [CONSTANT[name](x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
            low, high = int(min(ends)), int(max(ends))
            exact = max(abs(x) for x in (low, high, a.low, a.high, b.low, b.high)) <= 2**53
            # A natural above 2^53 may be rounded, but is no index and no length in any case.
            if exact or (a.low >= 0 and b.low >= 0 and name != 4 and high < 2**500):
                value.whole, value.low, value.high = f"({a.whole} {op} {b.whole})", low, high
                value.guards = a.guards | b.guards
        return value

    def compare(self, name: int, a: Value, b: Value) -> Value:
        kinds = (a.kind, b.kind)
        exact = max(a.high, b.high, -a.low, -b.low) <= 2**53
        if a.whole and b.whole and exact and not (a.guards or b.guards):
            test = f"{a.whole} {'==' if name == 1 else '<'} {b.whole}"
        elif name == 1:  # 6.4: an array is not equal to a number, and a Function raises
            test = f"{a.code} == {b.code}" if NUM in kinds else f"equal({a.code}, {b.code})"
        else:
            test = f"{a.code} < {'' if NUM in kinds else '+'}{b.code}"
        pure = a.pure and b.pure and (min(kinds) == NUM or name == 1 and min(kinds) == DATA)
        return Value(NUM, f"(1.0 if {test} else 0.0)", pure, test=test)

    def loop(self, name: int, args: list[Value]) -> Value:
        """array (13), fold (17) and scan (18)."""
        n, *middle, f = [self.bind(self.real(v)) for v in args[:-1]] + args[-1:]
        f = self.bind(f)
        self.data(middle, middle)  # 7.1
        if not f.fun:
            self.emit(f"if type({f.code}) is not Function: fail('kind')")
        times = n.whole if n.whole and not n.guards and 0 <= n.low and n.high <= 2**53 else f"count({n.code})"
        if name != 17 and (times != n.whole or n.high > 2**33):
            times = f"room({times})"
        mark, out, state, i = len(self.lines), self.fresh(), self.fresh(), self.fresh()
        numeric = bool(middle) and middle[0].kind == NUM and self.fuel > 0
        while True:
            if name != 17:
                self.emit(f"v{out} = []")
            if middle:
                self.emit(f"v{state} = {middle[0].code}")
            self.emit(f"f{i} = -1.0", f"f{i}")
            self.emit(f"for i{i} in range({times}):")
            self.indent += 1
            body = len(self.lines)
            self.emit(f"f{i} += 1.0", f"f{i}")
            states = [self.variable(NUM if numeric else DATA, state)] if middle else []
            result = self.real(self.call(f, [*states, Value(NUM, f"f{i}", whole=f"i{i}")], False))  # 7.2
            if result.kind == ANY:
                result = self.bind(result)
                self.data([result], [result])
            still = all(only for _, _, only in self.lines[body:])
            if middle:
                self.emit(f"v{state} = {result.code}")
            if name != 17:
                self.emit(f"v{out}.append({f'v{state}' if middle else result.code})")
            self.indent -= 1
            if not numeric or result.kind == NUM:
                break
            numeric = False  # the states turned out not to be known as numbers: write the loop again
            del self.lines[mark:]
        if name == 13 and result.const is not None and still:
            self.lines[mark:] = [(self.indent, f"v{out} = [{result.code}] * {times}", "")]
        return self.variable(NUM if numeric else DATA, state) if name == 17 else Value(DATA, f"v{out}")


def guarded(guards: frozenset[str], code: str, otherwise: str) -> str:
    tests = " and ".join(f"{g} is not None" for g in sorted(guards))
    return f"({code} if {tests} else {otherwise})" if tests else code


CONSTANT: dict[int, Callable[..., float]] = {
    1: lambda a, b: float(a == b),
    2: lambda a, b: float(a < b),
    3: lambda a, b: a + b,
    4: lambda a, b: a - b,
    5: lambda a, b: a * b,
    6: divide,
    9: floor,
    10: pow2,
    11: exponent,
    12: rounded,
}


# ---- 8, 10: limits and reports ----------------------------------------------------------------------------------


def written(value: Any) -> str:
    """A value as it is reported (10.3)."""
    parts: list[str] = []
    stack: list[Iterator[Any]] = [iter([value])]
    while stack:
        for x in stack[-1]:
            if parts and parts[-1] != "[":
                parts.append(" ")
            if type(x) is list:
                parts.append("[")
                stack.append(iter(x))
                break
            if type(x) is not float:
                parts.append("function")
            else:
                parts.append("7ff8000000000000" if x != x else struct.pack(">d", x).hex())
        else:
            stack.pop()
            parts += "]" * bool(stack)
    return "".join(parts)


class Receiver:
    """Judges statements, and keeps what is known of the definitions."""

    def __init__(self, seconds: float) -> None:
        self.scope: dict[str, Any] = dict(globals())
        self.known: dict[int, Value] = {}
        self.reported = 0
        self.good = True
        self.late = False
        self.armed = False
        self.deadline = time.monotonic() + seconds
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self.alarm)
            signal.setitimer(signal.ITIMER_REAL, min(max(seconds, 0.001), 1e8), 0.05)

    def alarm(self, *_: object) -> None:
        if self.armed and time.monotonic() >= self.deadline:
            self.armed = False
            raise TimeUp

    def attempt(self, work: Callable[[], Any]) -> tuple[Any, str]:
        """The result of some work, or the verdict if it fails."""
        try:
            try:
                self.armed = True
                self.alarm()
                return work(), ""
            finally:
                self.armed = False
        except Fault as fault:
            return None, str(fault)
        except (TypeError, AttributeError):
            return None, "kind"
        except IndexError:
            return None, "range"
        except (MemoryError, RecursionError, OverflowError):  # 8.1
            return None, "over-limit"
        except TimeUp:
            self.late = True
            return None, "over-limit"

    def report(self, verdict: str) -> None:
        print(self.reported, verdict, flush=True)
        self.reported += 1
        self.good = self.good and (verdict in ("defined", "true") or verdict.startswith("value "))

    def statements(self, reader: Reader) -> Iterator[tuple[int, Term, set[int]]]:
        """The statements of a message; an error in reading is reported and ends it (4.5)."""
        statements = reader.statements()
        while not self.late:
            statement, error = self.attempt(lambda: next(statements, None))
            if error:
                self.late = True
                self.report(error)
            if not statement:
                return
            yield *statement, reader.used

    def evaluate(self, name: int, term: Term) -> Any:
        """The value of a term; if it is that of a definition, it becomes known to later statements."""
        writer = Writer(self.scope, self.known, 4000 + 2 * term.size)
        texts, free, value = writer.nested(lambda: writer.term(term, {}))
        writer.functions += ["def main():", *texts]
        writer.run()
        result = self.scope["main"]()
        if name >= 0:
            self.scope[f"g{name}"], fun = result, value.fun
            known = Value(DATA, f"g{name}")
            if type(result) is float:
                known = literal(result)
            elif type(result) is Function:
                self.scope[f"F{name}"], self.scope[f"g{name}"] = result, result.call
                known = Value(fun=Fun(result.arity, name))
                if (
                    fun and not fun.given and len(texts) == 1
                ):  # the whole function is known, not only its value
                    fun = fun if fun.name else Fun(fun.arity, name, fun.term, fun.env, result=fun.result)
                    known = Value(fun=fun)
            self.known[name] = known
        return result

    def judge(self, name: int, term: Term, value: bool) -> None:
        def work() -> str:
            result = self.evaluate(name, term)
            if name >= 0:
                return "defined"  # 4.4
            if value:
                return "value " + written(result)  # 10.2
            return "true" if type(result) is float and result == 1.0 else "false"

        verdict, error = self.attempt(work)
        self.report(verdict or error)

    def run(self, message: bytes, question: bytes | None) -> int:
        reader, error = self.attempt(lambda: Reader(message, FIRST_NEW))
        if error:
            self.report(error)
            self.late = True
        pending: dict[int, tuple[Term, set[int]]] = {}
        for name, term, used in self.statements(reader):
            if question is None:
                self.judge(name, term, False)
            else:
                self.reported += 1
                pending[name] = term, used
        if question is not None and not self.late:
            self.reported = 0
            for name, term, used in self.statements(Reader(question, reader.names)):
                needed = set(used)
                for n in range(reader.names, FIRST_NEW - 1, -1):  # a definition uses only earlier ones
                    if n in needed and n in pending:
                        needed |= pending[n][1]
                for n in sorted(needed & pending.keys()):
                    if not self.late:
                        self.attempt(lambda: self.evaluate(n, pending.pop(n)[0]))
                self.judge(name, term, True)
        print("end", self.reported, flush=True)
        return 0 if self.good else 1


def read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    with open(path, "rb") as file:
        return file.read()


def set_limits(megabytes: float) -> None:
    """The budget of memory, and a stack that is large enough for 8.1."""
    global limit
    limit = int(min(megabytes, 2.0**40) * 2**17)
    depth = 3000
    if resource:
        hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
        stack = 100 * 2**20 if hard == resource.RLIM_INFINITY else min(100 * 2**20, hard)
        resource.setrlimit(resource.RLIMIT_STACK, (stack, hard))
        depth = stack // 2500
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        space = int(min(megabytes, 2.0**30) * 2**20) + 2**26  # the interpreter itself needs some
        resource.setrlimit(
            resource.RLIMIT_AS, (space if hard == resource.RLIM_INFINITY else min(space, hard), hard)
        )
    sys.setrecursionlimit(depth)


def main() -> int:
    parser = argparse.ArgumentParser(description="A receiver for the Isagoge language.", allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--megabytes", type=float, default=4096.0)
    parser.add_argument("message")
    parser.add_argument("question", nargs="?")
    options = parser.parse_args()
    if not (options.seconds >= 0 and options.megabytes >= 0):
        parser.error("a budget is a number not below 0")
    try:
        message = read(options.message)
        question = None if options.question is None else read(options.question)
    except OSError as error:
        parser.error(str(error))
    gc.disable()  # values form no cycles
    warnings.simplefilter("ignore")  # Python warns of source such as 1.0[0]
    set_limits(options.megabytes)
    try:
        return Receiver(options.seconds).run(message, question)
    except OSError:  # nobody reads the report
        os._exit(2)


if __name__ == "__main__":
    sys.exit(main())
