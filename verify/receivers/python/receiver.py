"""A receiver for the Isagoge language: python receiver.py [--seconds S] [--megabytes M] MESSAGE [QUESTION]

Numbers in comments are clauses of the specification.  The Reader turns bits into terms (1 to 4), the Writer
terms into Python (5, 7), with the help of a library (6); the Receiver judges and reports (4, 8, 10)."""

from __future__ import annotations

import argparse
import math
import os
import re
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Chapters 1 to 4: from bits to terms.
OPEN, CLOSE, NUMBER, NAME = "00", "01", "10", "11"  # 1.3
# The forms, and how many terms such a group has, at least and at most (3.2); the same of applications (3.3).
FORMS = {0: ("define", 0, 0), 7: ("if", 3, 3), 8: ("fn", 1, 1), 15: ("at", 2, 2**53)}
FORMS, APPLICATION = FORMS | {16: ("list", 0, 2**53), 19: ("bits", 0, 0)}, ("apply", 2, 2**53)


class Fault(Exception):
    """An error of the language; its argument is the verdict."""


def need(condition: object, verdict: str) -> None:
    if not condition:
        raise Fault(verdict)


class Term(NamedTuple):
    op: str  # "number", "name", "apply" or the word of a form
    n: int = 0  # the natural of a token, or the first parameter of a `fn`
    items: tuple[Term, ...] = ()  # the terms in a group
    arity: int = 0  # of a `fn`
    raw: str = ""  # of `bits`


class Reader:
    def __init__(self, data: bytes, new: int) -> None:
        self.bits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}" if data else ""  # 1.1
        self.at, self.new = 0, new  # where it reads, and the next new name outside of functions

    def token(self) -> tuple[str, int]:  # 1.2
        kind, self.at = self.bits[self.at : self.at + 2], self.at + 2
        need(len(kind) == 2, "cut")
        if kind in (OPEN, CLOSE):
            return kind, 0
        k = self.bits.find("0", self.at, self.at + 55) - self.at  # 2.1
        need(k >= 0, "number" if len(self.bits) - self.at >= 55 else "cut")  # 2.2
        digits = self.bits[self.at + k + 1 : self.at + 2 * k + 1]
        need(not digits.startswith("0"), "number")
        need(len(digits) == k, "cut")
        self.at += 2 * k + 1
        need((n := int(digits or "0", 2)) <= 2**53, "number")
        return kind, n

    def want(self, kind: str, n: int | None = None) -> int:
        token = self.token()
        need(token[0] == kind, "form")
        need(n in (None, token[1]), "name")
        return token[1]

    def term(self, token: tuple[str, int], new: int, depth: int) -> Term:
        """The term inside `depth` groups whose first token has been read; `new` is the next new name."""
        kind, n = token
        if kind != OPEN:
            need(kind == NUMBER or (kind == NAME and n not in FORMS), "form")
            need(kind == NUMBER or (n < new and n != self.defined), "name")  # 3.5
            self.used |= {n} if kind == NAME and n < self.new else set()
            return Term("name" if kind == NAME else "number", n)
        need(depth < 1000, "depth")  # 3.6
        token, first, raw, items = self.token(), new, "", list[Term]()
        op, least, most = FORMS.get(token[1], APPLICATION) if token[0] == NAME else APPLICATION
        need(op != "define", "form")
        if op == "bits":  # 3.4
            n = self.want(NUMBER)
            need(n <= len(self.bits) - self.at, "cut")  # 8.2: known before memory is asked for
            raw, self.at = self.bits[self.at : self.at + n], self.at + n
        if op != "apply":
            token = self.token()
        if op == "fn":  # 3.5
            need(token[0] == NAME, "form")
            need(token[1] == new, "name")
        while op == "fn" and token == (NAME, new):
            new, token = new + 1, self.token()
        while token[0] != CLOSE or len(items) < least:
            need(len(items) < most, "form")
            items.append(self.term(token, new, depth + 1))
            token = self.token()
        return Term(op, first, tuple(items), new - first, raw)

    def statements(self) -> Iterator[tuple[int, Term, set[int]]]:
        """The name that a statement defines, or -1 (4.1); its term; the definitions that the term names."""
        while len(self.bits) - self.at > 7 or "1" in self.bits[self.at :]:  # 4.3
            start, self.defined, self.used = self.at, -1, set[int]()
            if definition := self.bits.startswith(OPEN + NAME + "0", start):  # 2.1: the name 0 is a single 0
                self.at += 5
                self.defined = self.want(NAME, self.new)
            term = self.term(self.token(), self.new + definition, int(definition))
            need(not definition or self.token()[0] == CLOSE, "form")
            self.at += 1
            need(self.at <= len(self.bits), "cut")
            need(self.bits.count("1", start, self.at) % 2 == 0, "parity")  # 4.2
            self.new += definition
            yield self.defined, term, self.used


# Chapters 5 and 6: values and operations.  A number is a float, which is what 6.1 to 6.3 want but for the
# division by 0; an array is a list (5.1).  For an operand of a wrong kind Python raises one of these errors.
VERDICTS: dict[type[Exception], str] = {TypeError: "kind", AttributeError: "kind", IndexError: "range"}


@dataclass(slots=True)
class Function:
    arity: int
    call: Callable[..., Any]  # takes exactly as many arguments


def apply(f: Any, *args: Any) -> Any:  # 5.3
    if len(args) < f.arity:
        return Function(f.arity - len(args), lambda *rest: f.call(*args, *rest))
    value, surplus = f.call(*args[: f.arity]), args[f.arity :]
    return apply(value, *surplus) if surplus else value


def equal(a: Any, b: Any) -> bool:  # 6.4; Python's own == takes a NaN in a list to be equal to itself
    if type(a) is list and type(b) is list:
        return len(a) == len(b) and all(map(equal, a, b))
    need(type(a) is not Function and type(b) is not Function, "kind")
    return bool(a == b)


def rounded(p: float, x: float) -> float:  # 6.8
    m, e = math.frexp(x)  # 6.9: before the range of p
    need(p >= 1.0 and (p == math.inf or p % 1.0 == 0.0), "range")
    if p >= 53.0 or not math.isfinite(x) or not x:
        return x
    m = math.ldexp(round(math.ldexp(m, int(p))), min(e, 1023) - int(p))  # Python's round takes ties to even
    return m * 2.0 if e > 1023 else m


ARITY = {1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 9: 1, 10: 1, 11: 1, 12: 2, 13: 2, 14: 1, 17: 3, 18: 3}  # 3.1
OPERATIONS = {
    1: "1.0 if ({0} == {1} if type({0}) is type({1}) is float else equal({0}, {1})) else 0.0",
    2: "1.0 if {0} < +{1} else 0.0",  # 6.9: the sign because Python also compares and adds lists
    3: "{0} + +{1}",
    4: "{0} - {1}",
    5: "{0} * {1}",
    6: "{0} / {1} if {1} else {0} * math.copysign(math.inf, {1}) if {0} else {0} * {1} + math.nan",  # 6.3
    9: "whole if (whole := {0} // 1.0) == whole else {0}",  # 6.5; // keeps -0, and gives NaN for an infinity
    10: "math.ldexp(1, int({0} // 1)) if -1074 <= {0} < 1024 else 0.0 if {0} < 0 else {0} * math.inf",  # 6.6
    11: "math.frexp({0})[1] - 1.0 if math.isfinite({0}) and {0} else {0} * {0} if {0} else -math.inf",  # 6.7
    12: "rounded({0}, {1})",
    14: "float(len({0}))",  # 7.4
}
# 5.6: a wrong index becomes a number that is no index either, so that a wrong array is noticed before it.
INDEX = "int({0}) if 0.0 <= {0} < 2.0**53 and {0} % 1.0 == 0.0 else sys.maxsize"
# Chapters 5 and 7: terms become Python.  An assignment for each operation keeps errors in order (5.8).  Known
# functions are written in place until FUEL terms are written for a statement, and definitions if SMALL.
# Python takes up to 20 nested blocks (STEEP), and hears no alarm while it compiles a function (LONG).
FUEL, SMALL, STEEP, LONG, NOTHING = 5000, 400, 14, 2000, Term("")


@dataclass
class Value:  # what is known of a value while Python is written
    code: str = ""  # the variable or constant that it is in; a function may be in none yet
    data: bool = True  # whether it is certainly no function
    whole: str = ""  # an expression for the same number as an int that is not negative
    arity: int = 0  # of a known function
    term: Term = NOTHING  # its `fn`, or the name of a primitive
    env: dict[int, Value] = field(default_factory=dict)  # the values of the parameters around it
    maker: str = ""  # Python for it


class Writer:
    def __init__(self, known: dict[int, Value], values: dict[str, Any]) -> None:
        self.known, self.scope, self.serial, self.fuel = known, globals() | values, iter(range(2**53)), FUEL
        self.lines, self.indent = list[str](), 2  # of the Python function that is being written

    def emit(self, text: str) -> None:
        self.lines.append(" " * self.indent + text)

    def assign(self, code: str, data: bool = True, whole: str = "") -> Value:
        self.emit(f"{(variable := f'v{next(self.serial)}')} = {code}")
        return Value(variable, data, whole)

    def real(self, *values: Value) -> str:
        """The variables or constants that the values are in."""
        return ", ".join([value.code or self.assign(self.maker(value)).code for value in values])

    def data(self, value: Value) -> Value:
        """Checks that the value is no function."""
        if not value.data:
            self.emit(f"if type({self.real(value)}) is Function: raise TypeError")
        return value

    def maker(self, fun: Value) -> str:
        """Python for a Function: it is made from the variables around it that it needs."""
        if not fun.maker:
            outer, first = (self.lines, self.indent), next(self.serial)
            self.lines, self.indent = [], 2
            args = [Value(f"v{next(self.serial)}", False) for _ in range(fun.arity)]
            self.emit(f"return {self.real(self.inline(fun, args))}")
            variables = set(re.findall(r"\b[vi]\d+\b", "\n".join(self.lines)))
            fun.maker = f"make{first}({', '.join(v for v in variables if int(v[1:]) < first)})"
            head = [f"def {fun.maker}:", f" def call({self.real(*args)}):"]
            exec("\n".join([*head, *self.lines, f" return Function({fun.arity}, call)"]), self.scope)
            self.lines, self.indent = outer
        return fun.maker

    def term(self, term: Term, env: dict[int, Value]) -> Value:
        """Writes the evaluation of a term."""
        self.fuel -= 1
        if term.op == "number":  # 5.2
            return Value(f"{term.n}.0", True, str(term.n))
        if term.op == "fn" or (term.op == "name" and term.n in ARITY):
            return Value("", False, "", term.arity or ARITY[term.n], term, env)
        if term.op == "name":
            return env.get(term.n) or self.known.get(term.n) or self.assign("need(False, 'missing')")  # 4.5
        if self.indent > STEEP or len(self.lines) > LONG:
            return self.assign(f"{self.maker(Value(term=Term('fn', 0, (term,)), env=env))}.call()", False)
        if term.op == "list":  # 5.7
            return self.assign(f"[{self.real(*[self.data(self.term(item, env)) for item in term.items])}]")
        if term.op == "bits":
            self.scope[code := f"B{next(self.serial)}"] = [*map({"0": 0.0, "1": 1.0}.get, term.raw)]
            return Value(code)
        first, *rest = term.items
        head, args = self.term(first, env), list[Value]()
        if term.op == "at":  # 5.6
            head = self.assign(self.real(head))
            for i in (self.term(item, env) for item in rest):
                head = self.assign(f"{head.code}[{i.whole or INDEX.format(self.real(i))}]")
            return head
        if term.op == "if":  # 5.5
            result, test = Value(f"v{next(self.serial)}", False), self.real(head)
            wrong = f"need(False, 'range' if type({test}) is float else 'kind')"
            lines = f"if {test} == 1.0 or {test} != 0.0 and {wrong}:", "else:"
            for line, item in zip(lines, rest, strict=True):
                self.emit(line)
                self.indent += 1
                self.emit(f"{result.code} = {self.real(self.term(item, env))}")
                self.indent -= 1
            return result
        free = first.op == "fn" or (first.op == "name" and first.n not in env)
        for item in rest:  # 5.3
            value = self.term(item, env)
            args.append(value if free and len(args) < head.arity else self.data(value))  # 5.4
        return self.call(head, args)

    def call(self, head: Value, args: list[Value]) -> Value:
        if not head.arity or len(args) < head.arity:
            f, codes = self.real(head), self.real(*args)
            code = f"{f}.call({codes}) if {f}.arity == {len(args)} else apply({f}, {codes})"
            return self.assign(code, False)
        own, surplus = args[: head.arity], args[head.arity :]
        if head.term.op == "name" or (head.term.op == "fn" and self.fuel > 0):
            result = self.inline(head, own)
        else:
            result = self.assign(f"{self.real(head)}.call({self.real(*own)})", False)
        return self.call(result, surplus) if surplus else result

    def inline(self, fun: Value, args: list[Value]) -> Value:
        n = fun.term.n
        if fun.term.op == "fn":
            return self.term(fun.term.items[0], fun.env | dict(enumerate(args, n)))
        if n not in OPERATIONS:
            return self.loop(n, args)
        both = n in (3, 5) and args[0].whole and args[1].whole  # where rounding matters, neither is an index
        whole = f"({OPERATIONS[n].format(args[0].whole, args[1].whole)})" if both else ""
        code = OPERATIONS[n].format(*map(self.real, args))
        return self.assign(code, True, whole if len(whole) < 80 else "")

    def loop(self, n: int, args: list[Value]) -> Value:
        turns, f, turn = self.real(args[0]), args[-1], next(self.serial)
        state = [self.assign(self.real(self.data(start))) for start in args[1:-1]]  # 7.1
        if not f.arity:
            self.emit(f"if type({self.real(f)}) is not Function: raise TypeError")
        result = state[0] if n == 17 else self.assign("[]")
        most = 2**53 if n == 17 else resource.getrlimit(resource.RLIMIT_AS)[0] // 8
        self.emit(f"need(0.0 <= {turns} <= 2.0**53 and {turns} % 1.0 == 0.0, 'range')")
        self.emit(f"need({turns} <= {most}, 'over-limit')")  # 8.2
        self.emit(f"for i{turn} in range(int({turns})):")
        self.indent += 1
        self.emit(f"v{turn} = i{turn} + 0.0")
        value = self.real(self.data(self.call(f, [*state, Value(f"v{turn}", True, f"i{turn}")])))  # 7.2
        self.emit(" = ".join([*(s.code for s in state), value]))
        if n != 17:  # 7.3: no fold
            self.emit(f"{result.code}.append({value})")
        self.indent -= 1
        return result


# Chapters 4, 8 and 10: verdicts, limits and reports.
def attempt(work: Callable[..., Any], *args: Any) -> tuple[Any, str]:
    """The result of some work, or else the verdict."""
    try:
        return work(*args), ""
    except (Fault, TypeError, AttributeError, IndexError, MemoryError, RecursionError) as error:
        return None, str(error) if type(error) is Fault else VERDICTS.get(type(error), "over-limit")  # 8.1


def written(value: Any) -> str:  # 10.3
    if type(value) is not float:
        return f"[{' '.join(map(written, value))}]" if type(value) is list else "function"
    return struct.pack(">d", value).hex() if value == value else "7ff8000000000000"


class Receiver:
    def __init__(self, seconds: float) -> None:
        self.known, self.values = dict[int, Value](), dict[str, Any]()  # of definitions
        self.new, self.judged, self.good = 20, 0, True  # 3.5
        self.busy = False  # with a line of the report, which an alarm must not break
        signal.signal(signal.SIGALRM, lambda *_: self.last("over-limit"))  # 8.1, whatever is being done
        signal.setitimer(signal.ITIMER_REAL, min(max(seconds, 0.001), 1e8), 0.02)

    def report(self, line: str, status: int | None = None) -> None:
        """Writes a line; with a status it also ends the program at once, before any alarm."""
        self.busy = True
        try:
            print(line, flush=True)
            if status is not None:
                os._exit(status)
            self.judged += 1
        finally:
            self.busy = False

    def last(self, verdict: str) -> None:
        if not self.busy:  # if it is, the alarm comes again soon
            self.report(f"{self.judged} {verdict}\nend {self.judged + 1}", 1)

    def judge(self, name: int, term: Term, asked: bool) -> str:
        """The verdict on a statement; the value of a definition becomes known."""
        writer = Writer(self.known, self.values)
        value = eval(writer.maker(Value(term=Term("fn", 0, (term,)))), writer.scope).call()
        arity = value.arity if type(value) is Function else 0
        if name < 0:  # 4.4
            return f"value {written(value)}" if asked else str(type(value) is float and value == 1.0).lower()
        text = term if term.op == "fn" and FUEL - writer.fuel <= SMALL else NOTHING
        whole = str(term.n) if term.op == "number" else ""
        self.known[name] = Value(f"F{name}", arity == 0, whole, arity, text)
        self.values[f"F{name}"] = value
        return "defined"

    def run(self, files: list[bytes]) -> None:
        waiting = dict[int, tuple[Term, set[int]]]()  # 10.2: the definitions of a message before a question
        for k, data in enumerate(files):
            self.judged, reader = 0, Reader(data, self.new)
            source = reader.statements()
            while (statement := attempt(next, source, None)) != (None, ""):
                if statement[1]:  # 4.5
                    self.last(statement[1])
                name, term, used = statement[0]
                if k < len(files) - 1:
                    waiting[name] = term, used
                    self.judged += 1
                    continue
                for n in sorted(waiting, reverse=True):  # a definition names earlier ones only
                    used |= waiting[n][1] if n in used else set()
                for n in sorted(used & waiting.keys()):
                    attempt(self.judge, n, waiting.pop(n)[0], False)
                verdict, error = attempt(self.judge, name, term, len(files) > 1)
                self.good &= not error and verdict != "false"
                self.report(f"{self.judged} {error or verdict}")
            self.new = reader.new
        self.report(f"end {self.judged}", 0 if self.good else 1)


def main() -> None:  # 10.1
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--megabytes", type=float, default=4096.0)
    parser.add_argument("files", nargs="+", metavar=("MESSAGE", "QUESTION"))
    options = parser.parse_args()
    names = options.files
    if not (options.seconds > 0 and options.megabytes > 0 and len(names) < 3 and names.count("-") < 2):
        parser.error("budgets are above 0; there are at most two files, and at most one of them is -")
    memory = int(min(options.megabytes, 2.0**30) * 2**20) + 2**26  # 8.1; the interpreter needs some itself
    for what, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_STACK, 2**27)):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    sys.setrecursionlimit(50_000)
    try:
        receiver, files = Receiver(options.seconds), []
        for path in names:
            with open(0 if path == "-" else path, "rb") as file:
                files.append(file.read())
        receiver.run(files)
    except (OSError, MemoryError) as error:  # a file that cannot be read, or nobody who reads the report
        print("receiver:", error or "too little memory", file=sys.stderr, flush=True)
        os._exit(2)


if __name__ == "__main__":
    main()
