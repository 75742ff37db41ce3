"""Terms <-> bits (SPEC.md clauses 1 to 4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from .errors import MessageError
from .primitives import forms, number_of, primitives
from .terms import Apply, At, Block, Claim, Define, Fn, If, Listing, Name, Num, Statement, Term

OPEN, CLOSE, NUMBER, NAME = range(4)
MAX_NATURAL = 2**53
MAX_DIGITS = 54
MAX_DEPTH = 1000


def natural(n: int) -> str:
    """Return the bits of a natural: as many ones as it has binary digits, a zero, the digits (clause 2).

    >>> [natural(n) for n in range(5)]
    ['0', '101', '11010', '11011', '1110100']
    """
    digits = f"{n:b}" if n else ""
    return "1" * len(digits) + "0" + digits


class BitWriter:
    r"""Collects bits into bytes, first bit in the highest place.

    >>> w = BitWriter(); w.digits("101"); w.block(Block.of("1")); len(w), w.bytes()
    (4, b'\xb0')
    """

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._whole = 0
        self._tail: list[str] = []
        self._tail_length = 0

    def __len__(self) -> int:
        return self._whole * 8 + self._tail_length

    def digits(self, digits: str) -> None:
        """Add bits given as a string of 0 and 1."""
        self._tail.append(digits)
        self._tail_length += len(digits)

    def block(self, block: Block) -> None:
        """Add the raw bits of a block, whatever the bit position reached."""
        if block.count < 64:
            self.digits(block.digits())
            return
        self._flush()
        rest = "".join(self._tail)
        data = np.frombuffer(block.data, np.uint8)
        shift = len(rest)
        if shift:
            moved = np.empty(len(data) + 1, np.uint8)
            moved[:-1] = data >> shift
            moved[-1] = 0
            moved[1:] |= data << (8 - shift)
            moved[0] |= int(rest, 2) << (8 - shift)
            data = moved
        whole, over = divmod(shift + block.count, 8)
        self._chunks.append(data[:whole].tobytes())
        self._whole += whole
        last = f"{int(data[whole]):08b}"[:over] if over else ""
        self._tail, self._tail_length = [last], over

    def _flush(self) -> None:
        digits = "".join(self._tail)
        whole = len(digits) // 8
        if whole:
            self._chunks.append(int(digits[: whole * 8], 2).to_bytes(whole, "big"))
            self._whole += whole
        self._tail, self._tail_length = [digits[whole * 8 :]], len(digits) - whole * 8

    def chunks(self) -> list[bytes]:
        """Return all bits as a list of byte strings; the last byte is filled up with zeros."""
        self._flush()
        rest = "".join(self._tail)
        return [*self._chunks, *([int(rest.ljust(8, "0"), 2).to_bytes(1, "big")] if rest else [])]

    def bytes(self) -> bytes:
        """Return all bits as one byte string; the last byte is filled up with zeros."""
        return b"".join(self.chunks())


@dataclass
class Encoder:
    """Writes statements one after another, numbering names in the order in which they are defined.

    >>> e = Encoder(); e.statement(Claim(Num(1))); e.writer.bytes().hex(), e.spans
    ('ac', [(0, 6)])
    """

    writer: BitWriter = field(default_factory=BitWriter)
    numbers: dict[str, int] = field(default_factory=lambda: dict(number_of()))
    spans: list[tuple[int, int]] = field(default_factory=list)

    def statement(self, statement: Statement) -> None:
        """Add one statement and its parity bit.

        Raises ``ValueError`` for a name that is not in scope or taken, and for a number above 2^53.
        """
        start = len(self.writer)
        self._ones = 0
        if isinstance(statement, Define):
            if statement.name in self.numbers:
                raise ValueError(f"{statement.name} is already defined; every name is defined once")
            new = len(self.numbers)
            self._open("define")
            self._token(NAME, new)
            self._term(statement.term, self.numbers, new + 1)
            self._put("01")
            self.numbers[statement.name] = new
        else:
            self._term(statement.term, self.numbers, len(self.numbers))
        self._put(str(self._ones & 1))
        self.spans.append((start, len(self.writer)))

    def _put(self, digits: str) -> None:
        self._ones += digits.count("1")
        self.writer.digits(digits)

    def _token(self, kind: int, n: int) -> None:
        self._put(f"{kind:02b}" + natural(n))

    def _open(self, form: str) -> None:
        self._put("00")
        self._token(NAME, number_of()[form])

    def _term(self, term: Term, scope: dict[str, int], new: int) -> None:
        match term:
            case Num(value):
                if not 0 <= value <= MAX_NATURAL:
                    raise ValueError(f"{value} is not a natural up to 2^53; build it from such numbers")
                self._token(NUMBER, value)
                return
            case Name(name):
                # A parameter may be spelled like a form; the form itself is no value.
                if name not in scope or (name in forms() and scope[name] == number_of()[name]):
                    raise ValueError(f"{name} is used before it is taught: define it earlier")
                self._token(NAME, scope[name])
                return
            case Apply(head, args):
                self._put("00")
                for part in (head, *args):
                    self._term(part, scope, new)
            case Fn(params, body):
                self._open("fn")
                inner = dict(scope)
                for param in params:
                    self._token(NAME, new)
                    inner[param] = new
                    new += 1
                self._term(body, inner, new)
            case If(test, then, other):
                self._open("if")
                for part in (test, then, other):
                    self._term(part, scope, new)
            case At(array, indices):
                self._open("at")
                for part in (array, *indices):
                    self._term(part, scope, new)
            case Listing(items):
                self._open("list")
                for part in items:
                    self._term(part, scope, new)
            case Block(count, data):
                self._open("bits")
                self._token(NUMBER, count)
                self._ones += int(np.bitwise_count(np.frombuffer(data, np.uint8)).sum(dtype=np.int64))
                self.writer.block(term)
        self._put("01")


def encode(statements: Iterable[Statement]) -> bytes:
    """Return the bits of a message, filled up with zeros to whole bytes.

    >>> encode([Claim(Num(1))]).hex()
    'ac'
    """
    encoder = Encoder()
    for statement in statements:
        encoder.statement(statement)
    return encoder.writer.bytes()


class BitReader:
    """Reads bits from bytes, first bit in the highest place."""

    def __init__(self, data: bytes, end: int | None = None) -> None:
        self.data = data
        self.end = len(data) * 8 if end is None else end
        self.position = 0

    def take(self, count: int) -> int:
        """Return the next ``count`` bits as a natural. Raises ``cut`` when there are fewer."""
        stop = self.position + count
        if stop > self.end:
            raise MessageError("cut", f"{count} bits wanted at bit {self.position} of {self.end}")
        piece = int.from_bytes(self.data[self.position // 8 : (stop + 7) // 8], "big")
        self.position = stop
        return (piece >> (-stop % 8)) & ((1 << count) - 1)

    def natural(self) -> int:
        """Return the next natural (clause 2). Raises ``cut`` or ``number``."""
        digits = 0
        while self.take(1):
            digits += 1
            if digits > MAX_DIGITS:
                raise MessageError("number", "a natural has more than 54 digits")
        if not digits:
            return 0
        if not self.take(1):
            raise MessageError("number", "the first digit of a natural is 0")
        value = (1 << (digits - 1)) | self.take(digits - 1)
        if value > MAX_NATURAL:
            raise MessageError("number", "a natural is above 2^53")
        return value

    def token(self) -> tuple[int, int]:
        """Return kind and natural (0 for open and close) of the next token. Raises ``cut`` or ``number``."""
        kind = self.take(2)
        return kind, self.natural() if kind >= NUMBER else 0

    def finished(self) -> bool:
        """Tell whether the message ends here: at most seven bits are left and all are 0 (clause 4)."""
        left = self.end - self.position
        if left > 7:
            return False
        rest = self.take(left)
        self.position -= left
        return rest == 0


class Decoder:
    """Reads statements one after another; defined names become ``n20``, ``n21``, … unless names are given.

    >>> [s for s, _ in Decoder(encode([Define("a", Num(5)), Claim(Name("a"))])).statements()]
    [Define(name='n20', term=Num(value=5)), Claim(term=Name(name='n20'))]
    """

    def __init__(self, data: bytes, end: int | None = None, names: Sequence[str] = ()) -> None:
        self.reader = BitReader(data, end)
        self.defined = len(primitives())
        self._hole = -1  # the name being defined, not in scope in its own definition
        self._names = {self.defined + i: name for i, name in enumerate(names)}
        self._forms = {number_of()[name]: name for name in forms()}
        self._functions = {p.number: p.name for p in primitives() if p.kind == "function"}

    def statements(self) -> Iterator[tuple[Statement, tuple[int, int]]]:
        """Yield each statement with its first bit and the bit after its parity. Raises ``MessageError``."""
        while not self.reader.finished():
            start = self.reader.position
            statement = self._statement()
            stop = self.reader.position
            parity = self.reader.take(1)
            if (self._ones(start, stop) + parity) & 1:
                raise MessageError("parity", f"statement from bit {start} to bit {stop}")
            if isinstance(statement, Define):
                self.defined += 1
            yield statement, (start, stop + 1)

    def _ones(self, start: int, stop: int) -> int:
        data = np.frombuffer(self.reader.data, np.uint8, (stop + 7) // 8 - start // 8, start // 8).copy()
        data[0] &= 0xFF >> (start % 8)
        if stop % 8:
            data[-1] &= 0xFF << (8 - stop % 8) & 0xFF
        return int(np.bitwise_count(data).sum(dtype=np.int64))

    def name(self, number: int) -> str:
        """Return the text of a name that is in scope."""
        if number >= self.defined and number != self._hole:
            return f"x{number}"
        return self._functions.get(number) or self._names.get(number) or f"n{number}"

    def _statement(self) -> Statement:
        kind, n = self.reader.token()
        if kind != OPEN:
            return Claim(self._term_from(kind, n, 0, self.defined))
        kind, n = self.reader.token()
        if kind == NAME and self._forms.get(n) == "define":
            kind, n = self.reader.token()
            if kind != NAME:
                raise MessageError("form", "define wants a name")
            if n != self.defined:
                raise MessageError("name", f"the next new name is {self.defined}, not {n}")
            self._hole = n
            term = self._term(1, n + 1)
            self._close()
            name, self._hole = self.name(n), -1
            return Define(name, term)
        return Claim(self._group(kind, n, 1, self.defined))

    def _close(self) -> None:
        if self.reader.token()[0] != CLOSE:
            raise MessageError("form", "a group is longer than its form allows")

    def _term(self, depth: int, new: int) -> Term:
        return self._term_from(*self.reader.token(), depth, new)

    def _term_from(self, kind: int, n: int, depth: int, new: int) -> Term:
        if kind == CLOSE:
            raise MessageError("form", "a group ends before its form is complete")
        if kind == OPEN:
            if depth >= MAX_DEPTH:
                raise MessageError("depth", "groups are nested more than 1,000 deep")
            return self._group(*self.reader.token(), depth + 1, new)
        if kind == NUMBER:
            return Num(n)
        if n in self._forms:
            raise MessageError("form", f"{self._forms[n]} is not a value")
        if n >= new or n == self._hole:
            raise MessageError("name", f"name {n} is not in scope")
        return Name(self.name(n))

    def _group(self, kind: int, n: int, depth: int, new: int) -> Term:
        form = self._forms.get(n) if kind == NAME else None
        if form == "define":
            raise MessageError("form", "define stands inside a term")
        if form == "fn":
            return self._function(depth, new)
        if form == "bits":
            kind, count = self.reader.token()
            if kind != NUMBER:
                raise MessageError("form", "bits wants a number")
            block = self._block(count)
            self._close()
            return block
        if form == "if":
            test, then, other = (self._term(depth, new) for _ in range(3))
            self._close()
            return If(test, then, other)
        if form == "at":
            array, first = self._term(depth, new), self._term(depth, new)
            return At(array, (first, *self._rest(depth, new)))
        if form == "list":
            return Listing(self._rest(depth, new))
        head = self._term_from(kind, n, depth, new)
        return Apply(head, (self._term(depth, new), *self._rest(depth, new)))

    def _rest(self, depth: int, new: int) -> tuple[Term, ...]:
        terms: list[Term] = []
        while True:
            kind, n = self.reader.token()
            if kind == CLOSE:
                return tuple(terms)
            terms.append(self._term_from(kind, n, depth, new))

    def _function(self, depth: int, new: int) -> Term:
        kind, n = self.reader.token()
        if kind != NAME:
            raise MessageError("form", "fn wants a name")
        if n != new:
            raise MessageError("name", f"the next new name is {new}, not {n}")
        params: list[str] = []
        while kind == NAME and n == new:
            params.append(f"x{new}")
            new += 1
            kind, n = self.reader.token()
        body = self._term_from(kind, n, depth, new)
        self._close()
        return Fn(tuple(params), body)

    def _block(self, count: int) -> Block:
        start = self.reader.position
        if start + count > self.reader.end:
            raise MessageError("cut", f"a block of {count} bits wanted at bit {start} of {self.reader.end}")
        self.reader.position = start + count
        data = np.frombuffer(self.reader.data, np.uint8, (start + count + 7) // 8 - start // 8, start // 8)
        shift = start % 8
        if shift and len(data):
            moved = np.left_shift(data, shift, dtype=np.uint8)
            moved[:-1] |= data[1:] >> (8 - shift)
            data = moved
        data = data[: (count + 7) // 8].copy()
        if count % 8:
            data[-1] &= 0xFF << (8 - count % 8) & 0xFF
        return Block(count, data.tobytes())
