"""Properties as VNN-LIB 1.0 text."""

from __future__ import annotations

from fractions import Fraction

from .property import And, Atom, Formula, Property, Terms

# Beyond this a number is shorter, and below the reader's limit on digits, as a quotient.
_MAX_DECIMALS = 400


def to_vnnlib(prop: Property) -> str:
    """Return VNN-LIB 1.0 text that reads back to an equal property.

    Numbers are exact: a finite decimal where there is one, else a quotient such as `(/ 1 3)`.
    """
    unsafe = prop.unsafe
    asserts = unsafe.children if isinstance(unsafe, And) and unsafe.children else (unsafe,)
    lines = [f"(declare-const X_{index} Real)" for index in range(prop.n_inputs)]
    lines += [f"(declare-const Y_{index} Real)" for index in range(prop.n_outputs)]
    lines += [f"(assert {_formula(formula)})" for formula in asserts]
    return "\n".join(lines) + "\n"


def _formula(formula: Formula) -> str:
    if isinstance(formula, Atom):
        return _atom(formula)
    word = "and" if isinstance(formula, And) else "or"
    if not formula.children:
        return "true" if word == "and" else "false"
    return f"({word} {' '.join(_formula(child) for child in formula.children)})"


def _atom(atom: Atom) -> str:
    """Print sum + constant <= 0 as positive terms <= negated negative terms - constant."""
    left = _terms("X", atom.inputs, 1) + _terms("Y", atom.outputs, 1)
    right = _terms("X", atom.inputs, -1) + _terms("Y", atom.outputs, -1)
    suffix = "" if atom.strict else "="
    if not left:
        return f"(>{suffix} {_sum(right)} {_number(atom.constant)})"
    if atom.constant != 0:
        right.append(_number(-atom.constant))
    return f"(<{suffix} {_sum(left)} {_sum(right)})"


def _terms(letter: str, terms: Terms, sign: int) -> list[str]:
    """Return the terms whose coefficient has this sign, with the coefficient made positive."""
    printed = []
    for index, coefficient in terms:
        size = coefficient * sign
        if size > 0:
            printed.append(f"{letter}_{index}" if size == 1 else f"(* {_number(size)} {letter}_{index})")
    return printed


def _sum(summands: list[str]) -> str:
    if len(summands) > 1:
        return f"(+ {' '.join(summands)})"
    return summands[0] if summands else "0"


def _number(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    decimals = _decimal_places(value.denominator)
    if decimals is None:
        return f"(/ {value.numerator} {value.denominator})"
    digits = str(abs(value.numerator) * 10**decimals // value.denominator).rjust(decimals + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


def _decimal_places(denominator: int) -> int | None:
    """Return how many decimals 1 / denominator has, None when they do not end or exceed the limit."""
    twos = (denominator & -denominator).bit_length() - 1
    odd = denominator >> twos
    fives = 0
    while odd % 5 == 0:
        odd //= 5
        fives += 1
    decimals = max(twos, fives)
    return decimals if odd == 1 and decimals <= _MAX_DECIMALS else None
