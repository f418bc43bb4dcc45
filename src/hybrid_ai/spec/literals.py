"""Numbers as exact rationals: the literals of VNN-LIB and the numbers that Python callers pass."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction

from .errors import SpecError, UnsupportedSpec

Number = int | str | float | Decimal | Fraction

# Each number is kept below this size, so that no chain of products in a small file can grow without
# limit, and so that every number prints as a literal that the reader takes.
MAX_BITS = 13_000
_MAX_LENGTH = 4_000
# From here on, rounding to the nearest float32 gives infinity.
FLOAT32_LIMIT = 2**128 - 2**103
_MAX_EXPONENT = 4_000

_LITERAL = re.compile(r"(-?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?", re.ASCII)


def is_bounded(value: Fraction) -> bool:
    """Tell whether numerator and denominator both have at most MAX_BITS bits."""
    return value.numerator.bit_length() <= MAX_BITS and value.denominator.bit_length() <= MAX_BITS


def bounded(value: Fraction) -> Fraction:
    """Return the value; UnsupportedSpec when numerator or denominator has more than MAX_BITS bits."""
    if not is_bounded(value):
        raise UnsupportedSpec(f"a number needs more than {MAX_BITS} bits: scale it down or round it")
    return value


def parse_literal(text: str) -> Fraction | None:
    """Return the exact value of a decimal literal such as `-1.5e-3`, or None when it is none.

    Raises UnsupportedSpec when it has more than 4,000 characters or an exponent beyond 4,000.
    Sound because: digits and exponent are read as integers, never through a float.
    """
    match = _LITERAL.fullmatch(text)
    if match is None:
        return None
    # The length is judged before the text becomes integers: that conversion takes quadratic time.
    if len(text) > _MAX_LENGTH:
        raise UnsupportedSpec(f"a number has more than {_MAX_LENGTH} characters: round it")
    sign, whole, decimals, bare_decimals, exponent_text = match.groups()
    decimals = bare_decimals or decimals or ""
    digits = (whole or "") + decimals
    exponent_size = (exponent_text or "").lstrip("+-0") or "0"
    if int(exponent_size) > _MAX_EXPONENT:
        raise UnsupportedSpec(f"a number has an exponent beyond {_MAX_EXPONENT}: scale it")
    mantissa = -int(digits) if sign else int(digits)
    is_shrunk = exponent_text is not None and exponent_text.startswith("-")
    exponent = (-int(exponent_size) if is_shrunk else int(exponent_size)) - len(decimals)
    if exponent >= 0:
        return bounded(Fraction(mantissa * 10**exponent))
    return bounded(Fraction(mantissa, 10**-exponent))


def nearest_float32(value: Fraction) -> Fraction:
    """Return the value rounded to the nearest float32, ties to even; subnormals are kept.

    Arguments: value: below FLOAT32_LIMIT in absolute value.
    """
    if value == 0:
        return value
    size = abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if size < Fraction(2) ** exponent:
        exponent -= 1
    step = Fraction(2) ** (max(exponent, -126) - 23)
    return round(value / step) * step


def exact(value: Number) -> Fraction:
    """Return a number given in Python as an exact rational.

    Arguments: value: an int, Fraction or Decimal; a str holding a VNN-LIB literal (`"0.1"` is exactly one
    tenth); a float, taken as its exact binary value (`0.1` is then slightly more than one tenth).
    Raises SpecError for NaN, infinities, other text and other types; UnsupportedSpec for absurd sizes.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str, float, Decimal, Fraction)):
        raise SpecError(
            f"{type(value).__name__} is no number here: pass int, str, Fraction, Decimal or float"
        )
    if isinstance(value, str):
        parsed = parse_literal(value)
        if parsed is None:
            raise SpecError(f"{value[:40]!r} is not a decimal number: write for example '-1.5e-3'")
        return parsed
    # math.isfinite would overflow on large integers, which are finite anyway.
    if (isinstance(value, float) and not math.isfinite(value)) or (
        isinstance(value, Decimal) and not value.is_finite()
    ):
        raise SpecError(f"{value} is not a finite number: give finite bounds and coefficients")
    if isinstance(value, Decimal):
        return _exact_decimal(value)
    return bounded(Fraction(value))


def _exact_decimal(value: Decimal) -> Fraction:
    # Refused before conversion: Decimal("1e999999999") is tiny in memory, its Fraction is not.
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _MAX_EXPONENT:
        raise UnsupportedSpec(f"a number has an exponent beyond {_MAX_EXPONENT}: scale it")
    return bounded(Fraction(value))
