"""Sums with abs, min and max, and how a comparison of them is split into cases without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod

from hybrid_ai.spec.literals import bounded

from .syntax import Comparison, Formula, Linear, conjunction, disjunction


@dataclass(frozen=True, slots=True)
class Maximum:
    """The largest of its arguments.

    Arguments: arguments: at least two; names: that they mention; cases: how many expressions without maxima
    it is the largest or smallest of. Both are kept here because nested arguments repeat inner maxima.
    """

    arguments: tuple[Expression, ...]
    names: frozenset[str]
    cases: int


@dataclass(frozen=True, slots=True)
class Expression:
    """constant + coefficients . names + the sum of factor * maximum.

    Arguments: constant: exact; coefficients: by name, 0 for one that cancels out; maxima: pairs (factor,
    maximum), factors not 0.
    """

    constant: Fraction = Fraction(0)
    coefficients: Mapping[str, Fraction] = field(default_factory=dict)
    maxima: tuple[tuple[Fraction, Maximum], ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The names that the expression mentions."""
        return frozenset(self.coefficients).union(*(inner.names for _, inner in self.maxima))

    @property
    def has_names(self) -> bool:
        """Whether the expression mentions a name."""
        return bool(self.coefficients or self.maxima)

    @property
    def cases(self) -> int:
        """How many comparisons `at_most_zero` gives."""
        return prod(inner.cases for _, inner in self.maxima)


_ZERO = Expression()


def plus(first: Expression, second: Expression, factor: Fraction = Fraction(1)) -> Expression:
    """Return first + factor * second; UnsupportedSpec when a number of it is absurdly long."""
    coefficients = dict(first.coefficients)
    if factor == 0:
        return Expression(
            first.constant, dict.fromkeys(second.names, Fraction(0)) | coefficients, first.maxima
        )
    for name, value in second.coefficients.items():
        coefficients[name] = bounded(coefficients.get(name, Fraction(0)) + factor * value)
    maxima = tuple((bounded(factor * inner_factor), inner) for inner_factor, inner in second.maxima)
    constant = bounded(first.constant + factor * second.constant)
    return Expression(constant, coefficients, first.maxima + maxima)


def scaled(expression: Expression, factor: Fraction) -> Expression:
    """Return factor * expression; UnsupportedSpec when a number of it is absurdly long."""
    return plus(_ZERO, expression, factor)


def maximum(arguments: Sequence[Expression]) -> Expression:
    """Return the largest of the arguments, at least one."""
    if not any(argument.has_names for argument in arguments):
        return Expression(max(argument.constant for argument in arguments))
    if len(arguments) == 1:
        return arguments[0]
    names = frozenset().union(*(argument.names for argument in arguments))
    largest = Maximum(tuple(arguments), names, sum(argument.cases for argument in arguments))
    return Expression(maxima=((Fraction(1), largest),))


def minimum(arguments: Sequence[Expression]) -> Expression:
    """Return the smallest of the arguments, at least one."""
    return scaled(maximum([scaled(argument, Fraction(-1)) for argument in arguments]), Fraction(-1))


def absolute(argument: Expression) -> Expression:
    """Return the absolute value."""
    return maximum([argument, scaled(argument, Fraction(-1))])


def at_most_zero(expression: Expression, strict: bool) -> Formula:
    """Return that the expression is at most 0, or below 0 when strict, over sums without maxima.

    Raises UnsupportedSpec when a number of it is absurdly long.
    Sound because: factor * max(a, b) + rest is the largest of factor * a + rest and factor * b + rest for a
    factor > 0, so it is at most 0 when both are, and the smallest of them for a factor < 0, so it is at
    most 0 when either is; below 0 likewise.
    """
    if not expression.maxima:
        terms = tuple(sorted(expression.coefficients.items()))
        return Comparison(Linear(terms, expression.constant), strict)
    (factor, largest), *others = expression.maxima
    rest = Expression(expression.constant, expression.coefficients, tuple(others))
    parts = [at_most_zero(plus(rest, argument, factor), strict) for argument in largest.arguments]
    return conjunction(parts) if factor > 0 else disjunction(parts)
