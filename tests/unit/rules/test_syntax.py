"""Formulas as data: exact negation, evaluation at equalities, constructors that flatten."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given

from hybrid_ai.rules import (
    Comparison,
    Conjunction,
    Disjunction,
    Linear,
    conjunction,
    disjunction,
    evaluate,
    names,
    negated,
    parse,
)
from tests.unit.rules.formula_texts import formulas, points

NAMES = ("a", "b")
A, B, C = parse("a <= 1"), parse("b < 1"), parse("a + b <= 3")


@given(formulas(NAMES), points(NAMES))
def test_negation_is_exact(text: str, values: dict[str, Fraction]) -> None:
    formula = parse(text)
    assert evaluate(negated(formula), values) is not evaluate(formula, values)
    assert negated(negated(formula)) == formula
    assert names(negated(formula)) == names(formula)


@pytest.mark.parametrize("value, closed, strict", [(-1, True, True), (0, True, False), (1, False, False)])
def test_a_strict_comparison_excludes_equality(value: int, closed: bool, strict: bool) -> None:
    linear = Linear((("a", Fraction(2)),), Fraction(-6))
    values = {"a": Fraction(3) + Fraction(value, 10**50)}
    assert evaluate(Comparison(linear, False), values) is closed
    assert evaluate(Comparison(linear, True), values) is strict


def test_empty_groups() -> None:
    assert evaluate(Conjunction(()), {})
    assert not evaluate(Disjunction(()), {})
    assert names(Conjunction(())) == frozenset()


def test_constructors_flatten() -> None:
    assert conjunction([A]) == A == disjunction([A])
    assert conjunction([A, conjunction([B, C])]) == Conjunction((A, B, C))
    assert disjunction([disjunction([A, B]), C]) == Disjunction((A, B, C))
    assert conjunction([A, disjunction([B, C])]) == Conjunction((A, Disjunction((B, C))))
    assert conjunction([]) == Conjunction(())


def test_a_name_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="b"):
        evaluate(C, {"a": Fraction(0)})
