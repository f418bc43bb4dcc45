"""Exact numbers of a plan: the text as it is written, and the value of its digits."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hybrid_ai.spec.errors import UnsupportedSpec
from hybrid_ai.spec.literals import parse_literal


@dataclass(frozen=True, slots=True)
class Number:
    """An exact decimal: its text, and its value."""

    text: str
    value: Fraction


def read_number(text: str) -> Number:
    """Read the digits of a decimal, with or without sign, fraction and exponent.

    Args:
        text: as a CSV file has it, or TOML, but for the underscores that TOML allows between digits.

    Raises:
        ValueError: it is no finite decimal, or beyond the limits of VNN-LIB literals; the message says why.

    Sound because: digits and exponent are read as integers, never through a float.
    """
    try:
        value = parse_literal(text.removeprefix("+"))
    except UnsupportedSpec as error:
        raise ValueError(error.message) from error
    if value is None or text.startswith("+-"):
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise ValueError(f"{shown!r} is no finite decimal number: write digits such as 12, -0.5 or 1e-3")
    return Number(text, value)
