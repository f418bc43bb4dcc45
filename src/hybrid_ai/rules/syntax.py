"""Formulas of exact linear arithmetic over names, as frozen data in negation normal form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Linear:
    """The sum of coefficient * name over the terms, and the constant.

    Arguments: terms: pairs (name, coefficient), names ascending and each once; a name that cancels out
    keeps its term with coefficient 0, so that it is looked up like any other; constant: exact.
    """

    terms: tuple[tuple[str, Fraction], ...]
    constant: Fraction

    def negated(self) -> Linear:
        """Return minus this."""
        return Linear(tuple((name, -value) for name, value in self.terms), -self.constant)

    def value(self, values: Mapping[str, Fraction]) -> Fraction:
        """Return the exact value where the names have these values; KeyError for a name without one."""
        products = (coefficient * values[name] for name, coefficient in self.terms)
        return sum(products, start=self.constant)


@dataclass(frozen=True, slots=True)
class Comparison:
    """linear <= 0, or linear < 0 when strict."""

    linear: Linear
    strict: bool


@dataclass(frozen=True, slots=True)
class Conjunction:
    """All of its children; true without any."""

    children: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Disjunction:
    """Any of its children; false without any."""

    children: tuple[Formula, ...]


Formula = Comparison | Conjunction | Disjunction


def conjunction(parts: Iterable[Formula]) -> Formula:
    """Return the conjunction of the parts; one part is itself, and no child is a conjunction."""
    children = tuple(
        child for part in parts for child in (part.children if isinstance(part, Conjunction) else (part,))
    )
    return children[0] if len(children) == 1 else Conjunction(children)


def disjunction(parts: Iterable[Formula]) -> Formula:
    """Return the disjunction of the parts; one part is itself, and no child is a disjunction."""
    children = tuple(
        child for part in parts for child in (part.children if isinstance(part, Disjunction) else (part,))
    )
    return children[0] if len(children) == 1 else Disjunction(children)


def names(formula: Formula) -> frozenset[str]:
    """Return the names that the formula mentions."""
    if isinstance(formula, Comparison):
        return frozenset(name for name, _ in formula.linear.terms)
    return frozenset().union(*map(names, formula.children))


def negated(formula: Formula) -> Formula:
    """Return the formula that holds exactly where this one does not.

    Sound because: not (f <= 0) is -f < 0, not (f < 0) is -f <= 0, and De Morgan's laws.
    """
    if isinstance(formula, Comparison):
        return Comparison(formula.linear.negated(), not formula.strict)
    children = tuple(map(negated, formula.children))
    return Disjunction(children) if isinstance(formula, Conjunction) else Conjunction(children)


def evaluate(formula: Formula, values: Mapping[str, Fraction]) -> bool:
    """Tell whether the formula holds where the names have these values, exactly.

    Raises KeyError for a name without a value.
    """
    if isinstance(formula, Comparison):
        value = formula.linear.value(values)
        return value < 0 or (value == 0 and not formula.strict)
    parts = (evaluate(child, values) for child in formula.children)
    return all(parts) if isinstance(formula, Conjunction) else any(parts)
