"""Formulas are read exactly as the page on plans says, and mean what Python says they mean."""

from __future__ import annotations

import pickle
import re
from fractions import Fraction

import pytest
from hypothesis import given, settings

from hybrid_ai.rules import (
    Comparison,
    Conjunction,
    Disjunction,
    Formula,
    FormulaError,
    Linear,
    evaluate,
    names,
    parse,
)
from hybrid_ai.rules.reading import MAX_COMPARISONS, MAX_LENGTH, MAX_LEVELS
from tests.unit.rules.formula_texts import formulas, points, python_value

NAMES = ("a", "b", "c_1")


def at_most(constant: str, strict: bool = False, **terms: str) -> Comparison:
    """Sum of terms + constant <= 0."""
    pairs = tuple((name, Fraction(value)) for name, value in terms.items())
    return Comparison(Linear(pairs, Fraction(constant)), strict)


ACCEPTED: list[tuple[str, Formula]] = [
    ("a <= 1", at_most("-1", a="1")),
    ("a < 1", at_most("-1", strict=True, a="1")),
    ("a >= 1", at_most("1", a="-1")),
    ("1 < a", at_most("1", strict=True, a="-1")),
    ("a == 0.1", Conjunction((at_most("-0.1", a="1"), at_most("0.1", a="-1")))),
    ("a != 0.1", Disjunction((at_most("-0.1", True, a="1"), at_most("0.1", True, a="-1")))),
    ("not a <= 1", at_most("1", strict=True, a="-1")),
    ("not not not (a<=1)", at_most("1", strict=True, a="-1")),
    ("1 < a <= b", Conjunction((at_most("1", True, a="-1"), at_most("0", a="1", b="-1")))),
    ("a<=0 or b<=0 and c<=0", Disjunction((at_most("0", a="1"), parse("b<=0 and c<=0")))),
    ("(a<=0 or b<=0) and c<=0", Conjunction((parse("a<=0 or b<=0"), at_most("0", c="1")))),
    ("a<=0 and (b<=0 and c<=0)", parse("a<=0 and b<=0 and c<=0")),
    ("abs(a) <= 1", Conjunction((at_most("-1", a="1"), at_most("-1", a="-1")))),
    ("abs(a) >= 1", Disjunction((at_most("1", a="-1"), at_most("1", a="1")))),
    ("max(a, b) < c", Conjunction((at_most("0", True, a="1", c="-1"), at_most("0", True, b="1", c="-1")))),
    ("min(a, b) < c", Disjunction((at_most("0", True, a="1", c="-1"), at_most("0", True, b="1", c="-1")))),
    ("max(a) <= 0", at_most("0", a="1")),
    ("min(3, 2/4) <= a", at_most("1/2", a="-1")),
    ("((a)) <= (0)", at_most("0", a="1")),
    ("- - -a*-2 / 4 <= 1e-3", at_most("-1/1000", a="1/2")),
    ("--a <= 1", at_most("-1", a="1")),
    ("2*(a - 3*(b + 1))/5 <= 0", at_most("-6/5", a="2/5", b="-6/5")),
    ("1E+2*a<=12.50", at_most("-12.5", a="100")),
    (
        "b + a - b <= 0*d + 0*abs(e - f)",
        at_most("0", a="1", b="0", d="0", e="0", f="0"),
    ),
    ("1 <= 2", at_most("-1")),
    ("\ta\n<=\r\n1 ", at_most("-1", a="1")),
    ("And <= orange", at_most("0", And="1", orange="-1")),
    ("a" * 64 + "<=0", at_most("0", **{"a" * 64: "1"})),
]

START = "expected a number, a name, '-', '(', abs, min or max"
RELATION = "expected an operator or one of <= < >= > == !="
BRACKET = "expected an operator, one of <= < >= > == !=, 'and', 'or' or ')'"
CONDITION = "found a comparison in brackets, expected a number, a name or a sum"
LINEAR = "found a product of two factors with names, expected at most one: linear"

REJECTED = [
    ("", 1, f"found the end, {START}"),
    ("  \n", 4, f"found the end, {START}"),
    ("a", 2, f"found the end, {RELATION}"),
    ("(a) and b<1", 5, f"found 'and', {RELATION}"),
    ("a or b<1", 3, f"found 'or', {RELATION}"),
    ("a<1 or b", 9, f"found the end, {RELATION}"),
    ("not (a)", 8, f"found the end, {RELATION}"),
    ("a <", 4, f"found the end, {START}"),
    ("a < and", 5, f"found 'and', {START}"),
    ("a < not b < 1", 5, f"found 'not', {START}"),
    ("a <= 1)", 7, "found ')', expected 'and', 'or' or the end"),
    ("a <= 1 b", 8, "found 'b', expected 'and', 'or' or the end"),
    ("a <= 1 not b <= 1", 8, "found 'not', expected 'and', 'or' or the end"),
    ("(a <= 1", 8, f"found the end, {BRACKET}"),
    ("(a + 1 <= 2, 1)", 12, f"found ',', {BRACKET}"),
    ("(a<1) + 1 <= 2", 1, CONDITION),
    ("2*(a<1) <= 2", 3, CONDITION),
    ("(a<1)*2 <= 2", 1, CONDITION),
    ("1 + (a<1) <= 2", 5, CONDITION),
    ("-(a<1)", 2, CONDITION),
    ("(a<1) < 1", 1, CONDITION),
    ("1 < (a<1)", 5, CONDITION),
    ("1 < a < (a<1)", 9, CONDITION),
    ("abs((a<1)) < 1", 5, CONDITION),
    ("abs(a<1) < 1", 6, "found '<', expected an operator or ')'"),
    ("max(a, b<1) < 1", 9, "found '<', expected an operator, ',' or ')'"),
    ("abs(a, b) < 1", 6, "found ',', expected an operator or ')'"),
    ("abs a < 1", 5, "found 'a', expected '(' after abs"),
    ("max() < 1", 5, f"found ')', {START}"),
    ("max(a,) < 1", 7, f"found ')', {START}"),
    ("f(a) < 1", 2, f"found '(', {RELATION}"),
    ("2a < 1", 2, f"found 'a', {RELATION}"),
    ("1e < 1", 2, f"found 'e', {RELATION}"),
    ("+a < 1", 1, f"found '+', {START}"),
    ("a ** 2 < 1", 4, f"found '*', {START}"),
    ("a*b < 1", 2, LINEAR),
    ("(a - a)*b < 1", 8, LINEAR),
    ("abs(a)*0*max(a, b) < 1", 9, LINEAR),
    ("1/a < 1", 3, "found a divisor with names, expected one of numbers alone"),
    ("a/(1 - 1) < 1", 3, "found a divisor that is 0, expected another number"),
    ("a = 1", 3, "found the character '=': write == for equality"),
    ("a \u2264 1", 3, "found the character '\\u2264': no formula has it"),
    ("a < \uff11", 5, "found the character '\\uff11': no formula has it"),
    ("a < .5", 5, "found the character '.': no formula has it"),
    ("a < 1.", 6, "found the character '.': no formula has it"),
    ("a < 1_000", 6, "found the character '_': no formula has it"),
    ("_a < 1", 1, "found the character '_': no formula has it"),
    ("a < 0x10", 6, "found 'x10', expected 'and', 'or' or the end"),
    ("a" * 65 + " < 1", 1, "found a name of more than 64 characters: shorten it"),
    ("a < 1e4001", 5, "a number has an exponent beyond 4000: scale it"),
    ("a < 1e-999999999999", 5, "a number has an exponent beyond 4000: scale it"),
    ("a < " + "9" * 4_001, 5, "a number has more than 4000 characters: round it"),
    ("1e3000*1e3000*a < 1", 14, "a number needs more than 13000 bits: scale it down or round it"),
    ("1 " * 5_001, 10_001, f"found more than {MAX_LENGTH} characters: split the formula"),
    ("(" * 101 + "a<1" + ")" * 101, 101, f"found more than {MAX_LEVELS} levels of brackets: flatten them"),
]


@pytest.mark.parametrize("text, expected", ACCEPTED, ids=[text[:30] for text, _ in ACCEPTED])
def test_accepted(text: str, expected: Formula) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text, column, reason", REJECTED, ids=[text[:30] for text, _, _ in REJECTED])
def test_rejected(text: str, column: int, reason: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert (caught.value.column, caught.value.reason) == (column, reason)
    assert str(caught.value) == f"column {column}: {reason}"
    assert isinstance(caught.value, ValueError)


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(FormulaError(3, "found")))
    assert (error.column, error.reason) == (3, "found")


@settings(max_examples=400)
@given(formulas(NAMES), points(NAMES))
def test_a_formula_means_what_python_says(text: str, values: dict[str, Fraction]) -> None:
    formula = parse(text)
    assert evaluate(formula, values) == python_value(text, values)
    assert names(formula) == set(re.findall(r"\w+", text)) & set(NAMES)


@pytest.mark.parametrize("opening, closing", [("(", ")"), ("-(", ")"), ("3*(1+", ")"), ("max(a,", ")")])
def test_as_many_levels_as_promised(opening: str, closing: str) -> None:
    inner = opening * MAX_LEVELS + "a" + closing * MAX_LEVELS
    assert names(parse(f"b < 1 or {inner} <= 1")) == {"a", "b"}
    with pytest.raises(FormulaError, match="levels of brackets"):
        parse(f"{opening}{inner}{closing} <= 1")


def test_brackets_of_formulas_nest_as_deep() -> None:
    text = "a < 1 and (" * MAX_LEVELS + "b < 1" + ")" * MAX_LEVELS
    assert parse(text) == parse("a < 1 and " * MAX_LEVELS + "b < 1")


def test_alternating_connectives_are_limited_below_what_a_property_takes() -> None:
    def text(pairs: int) -> str:
        return "a<1 or b<1 and (" * pairs + "c<1" + ")" * pairs

    assert evaluate(parse(text(49)), dict.fromkeys("abc", Fraction(0)))
    with pytest.raises(FormulaError, match="in turn over 100 levels"):
        parse(text(50))


def test_brackets_side_by_side_need_no_levels() -> None:
    assert parse("+".join(["(a)", "abs(1)"] * 101) + " <= 1") == at_most("100", a="101")


def test_many_signs_and_negations_need_no_levels() -> None:
    assert parse("not " * 1001 + "-" * 1001 + "a <= 1") == at_most("1", strict=True, a="1")


def test_case_splits_are_limited_before_they_are_made() -> None:
    def text(count: int, relation: str = "<=") -> str:
        return " + ".join(f"abs(a{i})" for i in range(count)) + f" {relation} 1"

    formula = parse(text(12))
    assert isinstance(formula, Conjunction)
    assert len(formula.children) == MAX_COMPARISONS == 2**12
    assert not evaluate(formula, {f"a{i}": Fraction(-1) for i in range(12)})
    assert names(parse(text(11, "=="))) == {f"a{i}" for i in range(11)}
    for blown in (
        text(13),
        text(12, "=="),
        text(40),
        text(12) + " and a0 <= 1",
        "abs(" * 90 + "a" + ")" * 90 + " <= 1",
    ):
        with pytest.raises(FormulaError, match="more than 4096 comparisons"):
            parse(blown)


def test_a_factor_of_zero_keeps_names_but_no_cases() -> None:
    nested = "abs(" * 90 + "a + b" + ")" * 90
    assert parse(f"c <= 0*{nested}") == at_most("0", a="0", b="0", c="1")
