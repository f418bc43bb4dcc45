"""Formulas print to text that reads back to the same tree."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given

from hybrid_ai.rules import Conjunction, Disjunction, evaluate, parse, text_of
from tests.unit.rules.formula_texts import formulas

PRINTED = [
    ("a<=1", "a <= 1"),
    ("1<a", "a > 1"),
    ("abs(a) >= 0.7", "a >= 0.7 or a <= -0.7"),
    ("a/3 - 2*b/7 < 1/3", "1/3*a - 2/7*b < 1/3"),
    ("b - a <= -1.25", "a - b >= 1.25"),
    ("a<1 and (b<1 or a<0 and b<0)", "a < 1 and (b < 1 or a < 0 and b < 0)"),
    ("a - a + b < 0", "0*a + b < 0"),
    ("-b + 0*a >= 2", "0*a + b <= -2"),
    ("2 < 1", "0 < -1"),
    ("1e-401*a <= 1", f"1/1{'0' * 401}*a <= 1"),
]


@given(formulas(("a", "b", "c")))
def test_text_reads_back(text: str) -> None:
    formula = parse(text)
    printed = text_of(formula)
    # Rare: what case splits make longer than a formula may be.
    if len(printed) <= 10_000:
        assert parse(printed) == formula


@pytest.mark.parametrize("text, expected", PRINTED, ids=[text for text, _ in PRINTED])
def test_printed(text: str, expected: str) -> None:
    assert text_of(parse(text)) == expected
    assert parse(expected) == parse(text)


def test_empty_groups_print_as_comparisons_of_the_same_truth() -> None:
    values: dict[str, Fraction] = {}
    assert evaluate(parse(text_of(Conjunction(()))), values)
    assert not evaluate(parse(text_of(Disjunction(()))), values)
    nested = text_of(Disjunction((parse("a<1"), Conjunction(()))))
    assert nested == "a < 1 or 0 <= 0"
