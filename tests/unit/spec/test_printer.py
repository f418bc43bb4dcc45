"""Printed properties read back to equal ones."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings

from hybrid_ai.spec import And, Atom, Formula, Or, Property, read_vnnlib, to_vnnlib
from tests.unit.spec.strategies import formulas


def x_at_most(bound: Fraction, strict: bool = False) -> Atom:
    return Atom(((0, Fraction(1)),), (), -bound, strict)


@pytest.mark.parametrize(
    "atom, text",
    [
        (x_at_most(Fraction(1)), "(<= X_0 1)"),
        (x_at_most(Fraction(-1, 2), strict=True), "(< X_0 -0.5)"),
        (x_at_most(Fraction(1, 3)), "(<= X_0 (/ 1 3))"),
        (x_at_most(Fraction(-1, 3)), "(<= X_0 (/ -1 3))"),
        (x_at_most(Fraction(1, 1000)), "(<= X_0 0.001)"),
        (x_at_most(Fraction(0)), "(<= X_0 0)"),
        (Atom(((0, Fraction(-1)),), (), Fraction(3, 2), False), "(>= X_0 1.5)"),
        (Atom(((0, Fraction(-1)),), (), Fraction(0), True), "(> X_0 0)"),
        (Atom((), ((0, Fraction(1)), (1, Fraction(-1))), Fraction(0), False), "(<= Y_0 Y_1)"),
        (
            Atom(((0, Fraction(2)),), ((1, Fraction(-1, 3)),), Fraction(1), False),
            "(<= (* 2 X_0) (+ (* (/ 1 3) Y_1) -1))",
        ),
        (Atom((), (), Fraction(1), False), "(>= 0 1)"),
        (Atom((), (), Fraction(0), True), "(> 0 0)"),
    ],
)
def test_atoms_print_as_inequalities(atom: Atom, text: str) -> None:
    prop = Property(1, 2, atom)
    assert f"(assert {text})\n" in to_vnnlib(prop)
    assert read_vnnlib(to_vnnlib(prop).encode()) == prop


@pytest.mark.parametrize("unsafe", [And(()), Or(()), Or((And(()), x_at_most(Fraction(1))))])
def test_truth_values_read_back(unsafe: Formula) -> None:
    prop = Property(1, 1, unsafe)
    assert read_vnnlib(to_vnnlib(prop).encode()) == prop


@pytest.mark.parametrize(
    "value",
    [
        Fraction(0.1),
        Fraction(5e-324),
        Fraction(1.7976931348623157e308),
        Fraction(2**13_000 - 1, 3),
        Fraction(1, 2**12_999),
        Fraction(1, 10**3900),
        Fraction(-7, 5**500),
    ],
)
def test_extreme_numbers_read_back(value: Fraction) -> None:
    prop = Property(1, 1, And((x_at_most(value), Atom(((0, value),), (), value, True))))
    assert read_vnnlib(to_vnnlib(prop).encode()) == prop


@settings(max_examples=300, deadline=None)
@given(formulas())
def test_every_property_reads_back_to_an_equal_one(formula: Formula) -> None:
    prop = Property(2, 2, formula)
    text = to_vnnlib(prop)
    assert read_vnnlib(text.encode()) == prop
    assert to_vnnlib(read_vnnlib(text.encode())) == text
