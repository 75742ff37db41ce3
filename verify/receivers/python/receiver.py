"""A receiver for the Isagoge language: python receiver.py [--seconds S] [--megabytes M] MESSAGE [QUESTION]

The numbers in comments are clauses of the specification.  The Reader turns bits into terms (1-4).  The
library has what operations do (5-7).  The Writer turns a term into Python with real loops, one assignment
for each operation, so that errors come in their order (5.8).  The Receiver judges and reports (8, 10).
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import re
import resource
import signal
import struct
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, NamedTuple

OPEN, CLOSE, NUMBER, NAME = "00", "01", "10", "11"  # 1.3
ARITY = {1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 9: 1, 10: 1, 11: 1, 12: 2, 13: 2, 14: 1, 17: 3, 18: 3}  # 3.1
FORMS = {0: "define", 7: "if", 8: "fn", 15: "at", 16: "list", 19: "bits"}  # 3.2
# How many terms a group has, at least and at most (3.2, 3.3).
TERMS = {"if": (3, 3), "fn": (1, 1), "at": (2, 1e9), "list": (0, 1e9), "bits": (0, 0), "apply": (2, 1e9)}
FIRST_NEW = 20  # 3.5
Token = tuple[str, int]


class Fault(Exception):
    """An error of the language; its argument is the verdict."""


def need(condition: object, verdict: str) -> None:
    if not condition:
        raise Fault(verdict)


class Term(NamedTuple):
    op: str  # "number", "name", "apply" or the word of a form
    n: int = 0  # the natural, or the first parameter of a `fn`
    items: tuple[Term, ...] = ()
    arity: int = 0  # of a `fn`
    raw: str = ""  # of `bits`


class Reader:
    def __init__(self, bits: str, new: int) -> None:
        self.bits, self.at = bits, 0
        self.keep = True  # whether to build terms, or only to read over them
        self.new = new  # the next new name, outside of functions
        self.hidden = -1  # the name being defined, which is not in scope in its own definition (3.5)
        self.used: set[int] = set()  # the definitions that the statement uses

    def token(self) -> Token:  # 1.2, 1.3, 2.1, 2.2
        kind, self.at = self.bits[self.at : self.at + 2], self.at + 2
        need(len(kind) == 2, "cut")
        if kind in (OPEN, CLOSE):
            return kind, 0
        k = self.bits.find("0", self.at, self.at + 55) - self.at
        need(k >= 0, "number" if len(self.bits) - self.at >= 55 else "cut")
        digits = self.bits[self.at + k + 1 : self.at + 2 * k + 1]
        need(digits[:1] != "0", "number")
        need(len(digits) == k, "cut")
        self.at += 2 * k + 1
        need((n := int(digits or "0", 2)) <= 2**53, "number")
        return kind, n

    def want(self, kind: str, n: int | None = None) -> int:
        token = self.token()
        need(token[0] == kind, "form")
        need(n in (None, token[1]), "name")
        return token[1]

    def term(self, new: int, depth: int, token: Token) -> Term:
        """The term inside `depth` groups whose first token has been read; `new` is the next new name."""
        kind, n = token
        if kind == OPEN:
            need(depth < 1000, "depth")  # 3.6
            return self.group(new, depth + 1, self.token())
        need(kind != CLOSE and (kind, n) not in ((NAME, form) for form in FORMS), "form")
        if kind == NUMBER:
            return Term("number", n)
        need(n < new and n != self.hidden, "name")
        self.used |= {n} if n < self.new else set()
        return Term("name", n)

    def group(self, new: int, depth: int, token: Token) -> Term:
        """The group whose open and first token have been read."""
        op = FORMS.get(token[1], "apply") if token[0] == NAME else "apply"
        need(op != "define", "form")  # 3.2: only as a whole statement
        (least, most), first, raw, items = TERMS[op], new, "", list[Term]()
        if op == "bits":  # 3.4
            n = self.want(NUMBER)
            need(n <= len(self.bits) - self.at, "cut")  # 8.2: known before any memory is asked for
            raw, self.at = self.bits[self.at : self.at + n] if self.keep else "", self.at + n
        if op == "fn":  # 3.5
            self.want(NAME, new)
            new, token = new + 1, self.token()
            while token == (NAME, new):
                new, token = new + 1, self.token()
        if op in ("fn", "apply"):  # 3.3
            items.append(self.term(new, depth, token))
        while (token := self.token())[0] != CLOSE or len(items) < least:
            need(len(items) < most, "form")
            items.append(self.term(new, depth, token))
        return Term(op, first, tuple(items), new - first, raw) if self.keep else Term("skipped")

    def statement(self) -> Term:
        """A statement; `hidden` becomes the name that it defines, or -1 for a claim (4.1)."""
        start, self.used, self.hidden = self.at, set(), -1
        token = self.token()
        if token[0] != OPEN:
            term = self.term(self.new, 0, token)
        elif (token := self.token()) != (NAME, 0):
            term = self.group(self.new, 1, token)
        else:
            self.hidden = self.want(NAME, self.new)
            term = self.term(self.new + 1, 1, self.token())
            self.want(CLOSE)
        self.at += 1
        need(self.at <= len(self.bits), "cut")
        need(self.bits.count("1", start, self.at) % 2 == 0, "parity")  # 4.2
        return term

    def statements(self) -> Iterator[tuple[int, Term | None]]:
        """The names and terms; the term is None if it takes too much memory (8.1)."""
        while len(self.bits) - self.at > 7 or "1" in self.bits[self.at :]:  # 4.3
            start, term = self.at, None
            try:
                term = self.statement()
            except MemoryError:
                self.at, self.keep = start, False
                self.statement()
            self.keep = True
            self.new += self.hidden >= 0
            yield self.hidden, term


# The library.  A number is a float (6.1, 6.2), an array a list (5.1).  Python's TypeError and AttributeError
# stand for `kind`, its IndexError for `range` (see VERDICTS); where it does not raise, there is a check.

BIG = sys.maxsize  # an index that no list has
BYTES = [tuple((0.0, 1.0)[b >> k & 1] for k in range(7, -1, -1)) for b in range(256)]
LIMITS = {"elements": 2**29}  # what the budget of memory can hold


@dataclass(slots=True, eq=False)
class Function:
    arity: int
    call: Callable[..., Any]  # takes exactly as many arguments

    def __eq__(self, other: object) -> bool:
        raise TypeError  # 6.4


def apply(f: Any, *args: Any) -> Any:  # 5.3
    while len(args) > f.arity:
        f, args = f.call(*args[: f.arity]), args[f.arity :]
    if len(args) == f.arity:
        return f.call(*args)
    return Function(f.arity - len(args), lambda *rest: f.call(*args, *rest))


def index(x: float) -> int:  # 5.6: BIG for a wrong one, so that a wrong array is noticed first
    return i if 0.0 <= x < 2.0**53 and (i := int(x)) == x else BIG


def times(x: float, most: float = math.inf) -> int:  # 7.1
    need(0.0 <= x <= 2.0**53 and x % 1.0 == 0.0, "range")
    need(x <= most, "over-limit")  # 8.2
    return int(x)


def block(raw: str) -> list[float]:  # 5.7: all elements are the same two objects
    times(len(raw), LIMITS["elements"])
    data = int(raw + "0" * (-len(raw) % 8) or "0", 2).to_bytes((len(raw) + 7) // 8, "big")
    return list(chain.from_iterable(map(BYTES.__getitem__, data)))[: len(raw)]


def equal(a: Any, b: Any) -> bool:  # 6.4; Python's == takes a NaN in a list to be equal to itself
    if type(a) is list and type(b) is list:
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


def divide(a: float, b: float) -> float:  # 6.3
    return a / b if b else a * math.copysign(math.inf, b) if a else a * b + math.nan


def pow2(x: float) -> float:  # 6.6
    return math.ldexp(1.0, math.floor(x)) if -1074.0 <= x < 1024.0 else 0.0 if x < 0.0 else x * math.inf


def exponent(x: float) -> float:  # 6.7
    return math.frexp(x)[1] - 1.0 if math.isfinite(x) and x else x * x if x else -math.inf


def rounded(p: float, x: float) -> float:  # 6.8
    finite = math.isfinite(x)
    need(p >= 1.0 and (p > 2.0**53 or p % 1.0 == 0.0), "range")
    if p >= 53.0 or not finite or not x:
        return x
    m, e = math.frexp(x)
    m = math.ldexp(round(math.ldexp(m, int(p))), -int(p))  # Python's round takes ties to the even integer
    return math.ldexp(m, min(e, 1023)) * (2.0 if e > 1023 else 1.0)


# The writer.

ANY, DATA, NUM, TRUTH = 0, 1, 2, 3  # what is known of a value: nothing; no function; a number; 0 or 1
VARIABLE = re.compile(r"\b[vi]\d+\b")  # v1 is a value, and i1 the int equal to it
SERIAL = count(1)
SIGNS = {1: "==", 2: "<", 3: "+", 4: "-", 5: "*", 6: "/"}
FUEL = 5000  # terms written for a statement before functions are no more written in place
STEEP = 14  # blocks in blocks; Python does not take more than 20 loops in one another


@dataclass(slots=True, eq=False)
class Fun:
    """A function known while code is written: by its name, or a `fn` with what is in scope around it."""

    arity: int
    name: int
    term: Term | None
    env: dict[int, Value]
    maker: str = ""
    cost: int = 0  # how many terms were written for it


class Value(NamedTuple):
    """What is known of a value while code is written."""

    code: str = ""  # a variable or a constant
    kind: int = ANY
    whole: str = ""  # a variable or constant: the int from 0 to `high` that is equal to the value
    high: int = 2**44  # no loop comes that far
    fun: Fun | None = None


def literal(x: float) -> Value:
    whole = str(index(x)) if index(x) < BIG else ""
    return Value(f"({x!r})" if math.isfinite(x) else f"float('{x}')", NUM, whole, int(whole or BIG))


class Writer:
    """Writes the source for one statement."""

    def __init__(self, known: dict[int, Value]) -> None:
        self.known, self.fuel, self.indent = known, FUEL, 2
        self.lines: list[tuple[str, str]] = []  # a line, and its variable if it does nothing but set that
        self.functions: list[str] = []
        self.blocks: dict[str, list[float]] = {}

    def emit(self, text: str, only: str = "") -> None:
        self.lines.append((" " * self.indent + text, only))

    def assign(self, code: str, kind: int, pure: bool = False, whole: str = "", high: int = 0) -> Value:
        """A new variable; if its line cannot fail (pure), it is left out where nothing uses it."""
        n = next(SERIAL)
        self.emit(f"v{n} = {code}", f"v{n}" if pure else "")
        if whole:
            self.emit(f"i{n} = {whole}", f"i{n}")
        return Value(f"v{n}", kind, f"i{n}" if whole else "", high)

    def real(self, value: Value) -> str:
        """The variable or constant for a value, also if it is a function."""
        if not (fun := value.fun):
            return value.code
        return f"F{fun.name}" if fun.name else self.assign(self.maker(fun), ANY, True).code

    def maker(self, fun: Fun) -> str:
        """Writes a function that makes the Function from the variables around it; returns the call of it."""
        if not fun.maker:
            outer, self.lines, indent, self.indent = self.lines, [], self.indent, 2
            serial, fuel = next(SERIAL), self.fuel
            args = [Value(f"v{next(SERIAL)}") for _ in range(fun.arity)]
            self.emit(f"return {self.real(self.inline(fun, args))}")
            used: set[str] = set()
            texts = [f" return Function({fun.arity}, call)"]
            for text, only in reversed(self.lines):
                if not only or only in used:
                    used.update(VARIABLE.findall(text))
                    texts.append(text)
            self.lines, self.indent, fun.cost = outer, indent, fuel - self.fuel
            fun.maker = f"make{serial}({', '.join(sorted(v for v in used if int(v[1:]) < serial))})"
            texts += [f" def call({', '.join(v.code for v in args)}):", f"def {fun.maker}:"]
            self.functions += reversed(texts)
        return fun.maker

    def term(self, term: Term, env: dict[int, Value]) -> Value:
        """Writes the evaluation of a term."""
        self.fuel -= 1
        if term.op == "number":
            return literal(float(term.n))
        if term.op == "name":
            if term.n in ARITY:
                return Value(fun=Fun(ARITY[term.n], term.n, None, {}))
            known = env.get(term.n) or self.known.get(term.n)
            return known or self.assign("need(False, 'missing')", ANY)  # 4.5
        if term.op == "fn":
            return Value(fun=Fun(term.arity, 0, term, env))  # 5.2
        if self.indent > STEEP:
            return self.assign(f"{self.maker(Fun(0, 0, Term('fn', 0, (term,)), env))}.call()", ANY)
        if term.op == "bits":
            name = f"B{next(SERIAL)}"
            self.blocks[name] = block(term.raw)
            return Value(name, DATA)
        if term.op == "if":  # 5.5
            test = self.term(term.items[0], env)
            t, result = self.real(test), f"v{next(SERIAL)}"
            wrong = f"{t} == 1.0 or {t} != 0.0 and need(False, 'range' if type({t}) is float else 'kind')"
            self.emit(f"if {t if test.kind == TRUTH else wrong}:")
            kinds = []
            for item in term.items[1:]:
                self.indent += 1
                value = self.term(item, env)
                self.emit(f"{result} = {self.real(value)}")
                self.indent -= 1
                self.emit("else:")
                kinds.append(value.kind)
            self.lines.pop()
            return Value(result, min(kinds))
        if term.op == "at":  # 5.6
            array = self.real(self.term(term.items[0], env))
            for item in term.items[1:]:
                i = self.term(item, env)
                array = self.assign(f"{array}[{i.whole or f'index({self.real(i)})'}]", DATA).code
            return Value(array, DATA)
        if term.op == "list":  # 5.7
            values = [self.data(self.term(item, env)) for item in term.items]
            return self.assign(f"[{', '.join(map(self.real, values))}]", DATA, True)
        first, *rest = term.items  # 5.3
        head = self.term(first, env)
        free = first.op == "fn" or first.op == "name" and first.n not in env  # 5.4
        own = head.fun.arity if head.fun and free else 0
        args = [self.term(item, env) for item in rest[:own]]
        return self.call(head, args + [self.data(self.term(item, env)) for item in rest[own:]])

    def data(self, value: Value) -> Value:
        """Checks that the value is no function."""
        if value.kind == ANY:
            self.emit(f"if type({self.real(value)}) is Function: raise TypeError")
        return value

    def call(self, head: Value, args: list[Value]) -> Value:
        """The application of a value (5.3)."""
        if (fun := head.fun) and len(args) >= fun.arity:
            result = self.invoke(fun, args[: fun.arity])
            return self.call(result, args[fun.arity :]) if len(args) > fun.arity else result
        f, codes = self.real(head), ", ".join(map(self.real, args))
        return self.assign(f"{f}.call({codes}) if {f}.arity == {len(args)} else apply({f}, {codes})", ANY)

    def invoke(self, fun: Fun, args: list[Value]) -> Value:
        """Writes the function in its place, or a call of it."""
        small = fun.term and (fun.cost < 250 or not fun.name or any(v.fun for v in args))
        if small and self.fuel > 0 or fun.name in ARITY:
            return self.inline(fun, args)
        return self.assign(f"{self.real(Value(fun=fun))}.call({', '.join(map(self.real, args))})", ANY)

    def inline(self, fun: Fun, args: list[Value]) -> Value:
        if fun.term:
            return self.term(fun.term.items[0], fun.env | dict(enumerate(args, fun.term.n)))
        return self.loop(fun.name, args) if fun.name in (13, 17, 18) else self.primitive(fun.name, args)

    def primitive(self, name: int, args: list[Value]) -> Value:
        a, b = args[0], args[-1]
        x, y = self.real(a), self.real(b)
        pure, mixed = min(a.kind, b.kind) >= NUM, max(a.kind, b.kind) < NUM
        code = f"{x} {SIGNS.get(name, '')} {y}"
        if mixed:  # Python compares and adds lists, but does not take a sign before one (6.9)
            code = {1: f"equal({x}, {y})", 2: f"{x} < +{y}", 3: f"{x} + +{y}"}.get(name, code)
        if name in (1, 2):  # 6.4
            return self.assign(f"1.0 if {code} else 0.0", TRUTH, pure)
        if name == 6:
            return self.assign(f"{code} if {y} else divide({x}, {y})", NUM, pure)
        if name == 9:  # 6.5: // keeps -0, and gives NaN for an infinity
            return a if a.whole else self.assign(f"n if (n := {x} // 1.0) == n else {x}", NUM, pure)
        if name == 14:  # 7.4
            n = self.assign(f"len({x})", NUM).code
            return self.assign(f"float({n})", NUM, True, n, 2**33)
        if name > 6:
            function = {10: "pow2", 11: "exponent", 12: "rounded"}[name]
            return self.assign(f"{function}({x}{f', {y}' if name == 12 else ''})", NUM, pure and name != 12)
        # An int above 2^53 differs from the rounded number, but is no index and no length in any case.
        high = a.high * b.high if name == 5 else a.high + b.high
        whole = a.whole and b.whole and name != 4 and high < 2**500
        return self.assign(code, NUM, pure, f"{a.whole} {SIGNS[name]} {b.whole}" if whole else "", high)

    def loop(self, name: int, args: list[Value]) -> Value:
        """array (13), fold (17) and scan (18)."""
        n, f, serial = self.real(args[0]), args[-1], next(SERIAL)
        state = [self.assign(self.real(self.data(v)), DATA) for v in args[1:-1]]  # 7.1
        if not f.fun:
            self.emit(f"if type({f.code}) is not Function: raise TypeError")
        out = state[0].code if name == 17 else self.assign("[]", DATA).code
        counter = Value(f"v{serial}", NUM, f"i{serial}")
        mark = len(self.lines)
        limit = "" if name == 17 else ", LIMITS['elements']"
        head = f"range({args[0].whole if args[0].whole and args[0].high < 2**20 else f'times({n}{limit})'})"
        self.emit(f"{counter.code} = -1.0", counter.code)
        self.emit(f"for {counter.whole} in {head}:")
        self.indent += 1
        self.emit(f"{counter.code} += 1.0", counter.code)
        result = self.data(self.call(f, [*state, counter]))  # 7.2
        value, same = self.real(result), len(self.lines) == mark + 3 and result.code != counter.code
        if state:
            self.emit(f"{state[0].code} = {value}")
        if name != 17:
            self.emit(f"{out}.append({value})")
        self.indent -= 1
        if name == 13 and same:
            del self.lines[mark:]
            self.emit(f"{out} = [{value}] * len({head})")
        return Value(out, DATA)  # 7.3


# The receiver.

VERDICTS = {TypeError: "kind", AttributeError: "kind", IndexError: "range"}


def written(value: Any) -> str:  # 10.3
    if type(value) is list:
        return f"[{' '.join(map(written, value))}]"
    if type(value) is Function:
        return "function"
    return "7ff8000000000000" if math.isnan(value) else struct.pack(">d", value).hex()


class Receiver:
    def __init__(self, seconds: float) -> None:
        self.known: dict[int, Value] = {}
        self.blocks: dict[str, list[float]] = {}  # of the present statement
        self.good, self.over, self.armed = True, False, False
        self.scope: dict[str, Any] = dict(globals())
        for n, arity in ARITY.items():
            self.scope[f"F{n}"] = self.function(Fun(arity, n, None, {}))
        self.deadline = time.monotonic() + seconds
        signal.signal(signal.SIGALRM, self.alarm)
        signal.setitimer(signal.ITIMER_REAL, min(max(seconds, 0.001), 1e8), 0.05)

    def alarm(self, *_: object) -> None:  # 8.1
        if self.armed and time.monotonic() >= self.deadline:
            self.armed, self.over = False, True
            raise Fault("over-limit")

    def attempt(self, work: Callable[..., Any], *args: Any) -> tuple[Any, str]:
        """The result of some work, or else the verdict."""
        try:
            try:
                self.armed = True
                self.alarm()
                return work(*args), ""
            finally:
                self.armed = False
        except (Fault, TypeError, AttributeError, IndexError) as error:
            return "", VERDICTS.get(type(error)) or str(error)
        except (MemoryError, RecursionError):
            return "", "over-limit"

    def function(self, fun: Fun) -> Any:
        """The Function for a Fun without variables around it."""
        writer = Writer(self.known)
        last = f"made = {writer.maker(fun)}"
        self.blocks = writer.blocks
        self.scope |= self.blocks
        exec("\n".join([*writer.functions, last]), self.scope)
        return self.scope["made"]

    def judge(self, name: int, term: Term | None, asked: bool) -> str:
        """The verdict on a statement; the value of a definition becomes known."""
        if not term:
            raise MemoryError
        fun = Fun(term.arity, 0, term, {}) if term.op == "fn" else Fun(0, 0, Term("fn", 0, (term,)), {})
        result = self.function(fun)
        if term.op != "fn":
            result = result.call()
        if type(result) is not Function:
            for block_name in self.blocks:
                del self.scope[block_name]
        if name < 0:  # 4.4, 10.2
            right = "true" if type(result) is float and result == 1.0 else "false"
            return "value " + written(result) if asked else right
        self.scope[f"F{name}"] = result
        self.known[name] = literal(result) if type(result) is float else Value(f"F{name}", DATA)
        if type(result) is Function:
            fun.name, fun.arity, fun.term = name, result.arity, term if term.op == "fn" else None
            self.known[name] = Value(fun=fun)
        return "defined"

    def run(self, files: list[str]) -> int:
        """Judges the last file; of a message before it, evaluates what the question uses (10.2)."""
        reported, new, definitions = 0, FIRST_NEW, dict[int, tuple[Term | None, set[int]]]()
        for bits in files:
            reported, reader = 0, Reader(bits, new)
            source = reader.statements()
            while not self.over:
                statement, verdict = self.attempt(next, source, None)
                self.over |= verdict != ""  # 4.5
                if statement and bits is not files[-1]:
                    definitions[statement[0]] = statement[1], reader.used
                elif statement:
                    needed = set(reader.used)
                    for n in sorted(definitions, reverse=True):  # a definition uses only earlier ones
                        needed |= definitions[n][1] if n in needed else set()
                    for n in sorted(needed & definitions.keys()):
                        self.attempt(self.judge, n, definitions.pop(n)[0], False)
                    verdict = "".join(self.attempt(self.judge, *statement, len(files) > 1))
                elif not verdict:
                    break
                if verdict:
                    print(reported, verdict, flush=True)
                    self.good &= verdict.split()[0] in ("defined", "true", "value")
                reported += 1
            new = reader.new
            if self.over:
                break
        signal.setitimer(signal.ITIMER_REAL, 0)
        print("end", reported, flush=True)
        return 0 if self.good else 1


def read(path: str) -> str:
    with open(0 if path == "-" else path, "rb") as file:
        data = file.read()
    return f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}" if data else ""  # 1.1


def main() -> int:  # 10.1
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--megabytes", type=float, default=4096.0)
    parser.add_argument("message")
    parser.add_argument("question", nargs="?")
    options = parser.parse_args()
    if not (options.seconds > 0 and options.megabytes > 0) or options.message == options.question == "-":
        parser.error("a budget must be above 0, and at most one file can be -")
    gc.disable()  # values form no cycles
    warnings.simplefilter("ignore")  # Python warns of source such as 1.0[0]
    LIMITS["elements"] = int(min(options.megabytes, 2.0**30) * 2**17)
    # The interpreter needs some memory of its own, and a stack that is large enough for 8.1.
    for what, most in ((resource.RLIMIT_AS, LIMITS["elements"] * 8 + 2**26), (resource.RLIMIT_STACK, 2**27)):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, hard))
    sys.setrecursionlimit(most // 2500)
    try:
        files = [read(path) for path in (options.message, options.question) if path is not None]
        if sum(map(len, files)) > LIMITS["elements"] * 8:
            raise MemoryError
    except (OSError, MemoryError) as error:
        parser.error(f"cannot read: {error}")
    try:
        return Receiver(options.seconds).run(files)
    except BrokenPipeError:  # nobody reads the reports
        os._exit(2)


if __name__ == "__main__":
    sys.exit(main())
