"""The numbers of the language: IEEE 754 binary64 with one NaN (SPEC.md clauses 5 and 6).

Python's floats are binary64 and its operations round to nearest, ties to even; what Python refuses (division
by zero) is spelled out here.
"""

from __future__ import annotations

import math

from .errors import MessageError


def divide(a: float, b: float) -> float:
    """Return a ÷ b; x ÷ 0 is an infinity with the sign of the two signs' product, 0 ÷ 0 is NaN.

    >>> divide(1.0, -0.0), divide(0.0, 0.0)
    (-inf, nan)
    """
    if b != 0.0:
        return a / b
    if a == 0.0 or math.isnan(a) or math.isnan(b):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def floor(x: float) -> float:
    """Return the greatest integer not above x; infinities, NaN and -0 are themselves.

    >>> floor(-0.5), floor(2.5), floor(math.inf)
    (-1.0, 2.0, inf)
    """
    if x == 0.0 or not math.isfinite(x):
        return x
    return float(math.floor(x))


def pow2(x: float) -> float:
    """Return 2 to the power floor(x); 0 below -1074, infinity above 1023.

    >>> pow2(-1074.0), pow2(-1074.5), pow2(2.5)
    (5e-324, 0.0, 4.0)
    """
    if math.isnan(x):
        return x
    e = floor(x)
    if e > 1023:
        return math.inf
    return 0.0 if e < -1074 else math.ldexp(1.0, int(e))


def exponent(x: float) -> float:
    """Return the greatest integer e with 2^e not above |x|; -inf for 0.

    >>> exponent(-6.0), exponent(5e-324), exponent(0.0), exponent(-math.inf)
    (2.0, -1074.0, -inf, inf)
    """
    if math.isnan(x):
        return x
    if x == 0.0:
        return -math.inf
    return math.inf if math.isinf(x) else float(math.frexp(x)[1] - 1)


def round_to(p: float, x: float) -> float:
    """Return x rounded to p significant binary digits, ties to even.

    Raises ``range`` unless p is an integer from 1 up.

    >>> round_to(2.0, 5.0), round_to(2.0, 7.0), round_to(24.0, 0.1)
    (4.0, 8.0, 0.10000000149011612)
    """
    if not (p >= 1.0 and (math.isinf(p) or p == math.floor(p))):
        raise MessageError("range", f"cannot round to {p} binary digits")
    if p >= 53.0 or x == 0.0 or not math.isfinite(x):
        return x
    mantissa, power = math.frexp(x)  # x = mantissa · 2^power, 1/2 <= |mantissa| < 1
    whole = round(math.ldexp(mantissa, int(p)))  # exact to here; Python's round takes ties to even
    try:
        return math.ldexp(float(whole), power - int(p))
    except OverflowError:
        return math.copysign(math.inf, x)
