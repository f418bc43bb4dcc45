"""What the printers of both versions of VNN-LIB share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from .property import And, Atom, Formula, Property, Terms

# Beyond this a number is shorter, and below the reader's limit on digits, in another form.
MAX_DECIMALS = 400


@dataclass(frozen=True, slots=True)
class Style:
    """How a version writes a variable (is_output, index), a number, an atom, no terms, and truth values."""

    variable: Callable[[bool, int], str]
    number: Callable[[Fraction], str]
    atom: Callable[[Atom, Style], str]
    zero: str
    true: str
    false: str


def assert_lines(prop: Property, style: Style) -> list[str]:
    """Return one assert per conjunct of the unsafe condition."""
    unsafe = prop.unsafe
    asserts = unsafe.children if isinstance(unsafe, And) and unsafe.children else (unsafe,)
    return [f"(assert {_formula(formula, style)})" for formula in asserts]


def _formula(formula: Formula, style: Style) -> str:
    if isinstance(formula, Atom):
        return style.atom(formula, style)
    is_and = isinstance(formula, And)
    if not formula.children:
        return style.true if is_and else style.false
    return f"({'and' if is_and else 'or'} {' '.join(_formula(child, style) for child in formula.children)})"


def linear_atom(atom: Atom, style: Style) -> str:
    """Print sum + constant <= 0 as positive terms <= negated negative terms - constant."""
    left = _terms(False, atom.inputs, 1, style) + _terms(True, atom.outputs, 1, style)
    right = _terms(False, atom.inputs, -1, style) + _terms(True, atom.outputs, -1, style)
    suffix = "" if atom.strict else "="
    if not left:
        return f"(>{suffix} {_sum(right) if right else style.zero} {style.number(atom.constant)})"
    if atom.constant != 0:
        right.append(style.number(-atom.constant))
    return f"(<{suffix} {_sum(left)} {_sum(right)})"


def _terms(is_output: bool, terms: Terms, sign: int, style: Style) -> list[str]:
    """Return the terms whose coefficient has this sign, with the coefficient made positive."""
    printed = []
    for index, coefficient in terms:
        size = coefficient * sign
        if size > 0:
            name = style.variable(is_output, index)
            printed.append(name if size == 1 else f"(* {style.number(size)} {name})")
    return printed


def _sum(summands: list[str]) -> str:
    if len(summands) > 1:
        return f"(+ {' '.join(summands)})"
    return summands[0] if summands else "0"


def decimal(value: Fraction, decimals: int) -> str:
    """Return the value with this many decimals, which must suffice."""
    if decimals == 0:
        return str(value.numerator)
    digits = str(abs(value.numerator) * 10**decimals // value.denominator).rjust(decimals + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


def decimal_places(denominator: int) -> int | None:
    """Return how many decimals 1 / denominator has, None when they do not end."""
    twos = (denominator & -denominator).bit_length() - 1
    odd = denominator >> twos
    fives = 0
    while odd % 5 == 0:
        odd //= 5
        fives += 1
    return max(twos, fives) if odd == 1 else None
