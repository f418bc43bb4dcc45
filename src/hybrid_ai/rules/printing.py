"""Formulas as text."""

from __future__ import annotations

from fractions import Fraction

from hybrid_ai.spec.printing import MAX_DECIMALS, decimal, decimal_places

from .syntax import Comparison, Conjunction, Disjunction, Formula, Linear

# What an empty conjunction and an empty disjunction say.
_TRUE, _FALSE = "0 <= 0", "0 < 0"


def text_of(formula: Formula) -> str:
    """Return text that `parse` reads to the same tree, if it is one that `parse` gives and within its limits.

    Empty conjunctions and disjunctions, which `parse` never gives, become comparisons of the same truth.
    """
    if isinstance(formula, Comparison):
        return _comparison(formula)
    if isinstance(formula, Disjunction):
        return " or ".join(map(text_of, formula.children)) or _FALSE
    return " and ".join(map(_member, formula.children)) or _TRUE


def _member(formula: Formula) -> str:
    return text_of(formula) if isinstance(formula, Comparison | Conjunction) else f"({text_of(formula)})"


def _comparison(comparison: Comparison) -> str:
    """Print sum + constant <= 0 as sum <= -constant, or with both sides negated: -sum >= constant."""
    linear, relation = comparison.linear, "<" if comparison.strict else "<="
    leading = next((coefficient for _, coefficient in linear.terms if coefficient != 0), Fraction(0))
    if leading < 0:
        linear, relation = linear.negated(), relation.replace("<", ">")
    return f"{_sum(linear)} {relation} {_number(-linear.constant)}"


def _sum(linear: Linear) -> str:
    text = ""
    for name, coefficient in linear.terms:
        size = abs(coefficient)
        term = name if size == 1 else f"{_number(size)}*{name}"
        if not text:
            text = f"-{term}" if coefficient < 0 else term
        else:
            text += f" - {term}" if coefficient < 0 else f" + {term}"
    return text or "0"


def _number(value: Fraction) -> str:
    places = decimal_places(value.denominator)
    if places is None or places > MAX_DECIMALS:
        return f"{value.numerator}/{value.denominator}"
    return decimal(value, places)
