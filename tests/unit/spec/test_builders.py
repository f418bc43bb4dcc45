"""Builders state the requirement and store its negation."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from hybrid_ai.spec import (
    Requirement,
    SpecError,
    UnsupportedSpec,
    linear,
    local_robustness,
    normal_form,
    output_range,
    read_vnnlib,
)
from hybrid_ai.spec.literals import Number, exact


def test_local_robustness_is_the_property_a_file_would_state() -> None:
    prop = local_robustness(["0.5", "0.02"], "0.03", 1, 3, clip=(0, 1))
    text = (
        "(declare-const X_0 Real)(declare-const X_1 Real)"
        "(declare-const Y_0 Real)(declare-const Y_1 Real)(declare-const Y_2 Real)"
        "(assert (>= X_0 0.47))(assert (<= X_0 0.53))(assert (>= X_1 0.0))(assert (<= X_1 0.05))"
        "(assert (or (>= Y_0 Y_1) (>= Y_2 Y_1)))"
    )
    assert prop == read_vnnlib(text.encode())


def test_a_tie_violates_local_robustness() -> None:
    prop = local_robustness([0], 1, 0, 2)
    assert prop.holds_unsafe([Fraction(0)], [Fraction(1), Fraction(1)])
    assert not prop.holds_unsafe([Fraction(0)], [Fraction(1), Fraction(1) - Fraction(1, 10**20)])
    assert not prop.holds_unsafe([Fraction(2)], [Fraction(0), Fraction(1)])


def test_radius_may_differ_per_input_and_be_zero() -> None:
    part = normal_form(local_robustness([1, 2], [0, Fraction(1, 3)], 0, 2)).polytopes[0]
    assert (part.lower, part.upper) == ((Fraction(1), Fraction(5, 3)), (Fraction(1), Fraction(7, 3)))


def test_output_range_excludes_only_what_is_beyond_the_limits() -> None:
    prop = output_range([0], [1], 1, 2, minimum="-0.5", maximum=2)
    for value, is_unsafe in (
        (Fraction(-1, 2), False),
        (Fraction(-51, 100), True),
        (Fraction(2), False),
        (Fraction(201, 100), True),
    ):
        assert prop.holds_unsafe([Fraction(1)], [Fraction(9), value]) is is_unsafe
    only_minimum = output_range([0], [1], 0, 1, minimum=3)
    assert only_minimum.holds_unsafe([Fraction(0)], [Fraction(2)])
    assert not only_minimum.holds_unsafe([Fraction(0)], [Fraction(9)])


def test_linear_negates_each_row_with_its_strictness() -> None:
    rows = [
        Requirement(inputs={0: 2}, outputs={1: -1, 0: 0}, constant="-1"),  # 2 X_0 - Y_1 <= 1
        Requirement(outputs={0: 1}, strict=True),  # Y_0 < 0
    ]
    prop = linear([0], [1], rows, 2)
    text = (
        "(declare-const X_0 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)(assert (<= 0 X_0 1))"
        "(assert (or (> (- (* 2 X_0) Y_1 1) 0) (>= Y_0 0)))"
    )
    assert prop == read_vnnlib(text.encode())
    assert not prop.holds_unsafe([Fraction(1)], [Fraction(-1), Fraction(1)])
    assert prop.holds_unsafe([Fraction(1)], [Fraction(0), Fraction(1)])


@pytest.mark.parametrize(
    "value, expected",
    [
        (3, Fraction(3)),
        ("0.1", Fraction(1, 10)),
        ("-1e-3", Fraction(-1, 1000)),
        (Fraction(1, 3), Fraction(1, 3)),
        (Decimal("0.1"), Fraction(1, 10)),
        (0.1, Fraction(3602879701896397, 2**55)),
        (-0.0, Fraction(0)),
        (5e-324, Fraction(1, 2**1074)),
    ],
)
def test_numbers_are_exact(value: Number, expected: Fraction) -> None:
    assert exact(value) == expected


@pytest.mark.parametrize(
    "value, error, phrase",
    [
        (float("nan"), SpecError, "nan is not a finite number"),
        (float("-inf"), SpecError, "-inf is not a finite number"),
        (Decimal("Infinity"), SpecError, "not a finite number"),
        (Decimal("sNaN"), SpecError, "not a finite number"),
        ("abc", SpecError, "'abc' is not a decimal number"),
        ("1/3", SpecError, "'1/3' is not a decimal number"),
        (" 1", SpecError, "is not a decimal number"),
        (True, SpecError, "bool is no number here"),
        (None, SpecError, "NoneType is no number here"),
        (Decimal("1e999999999"), UnsupportedSpec, "exponent beyond 4000"),
        ("1e999999999", UnsupportedSpec, "exponent beyond 4000"),
        (1 << 14_000, UnsupportedSpec, "more than 13000 bits"),
    ],
)
def test_other_numbers_are_refused(value: Number, error: type[Exception], phrase: str) -> None:
    with pytest.raises(error, match=phrase):
        exact(value)


def test_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(SpecError, match="n_outputs >= 2"):
        local_robustness([0], 1, 0, 1)
    with pytest.raises(SpecError, match="output 2 does not exist"):
        local_robustness([0], 1, 2, 2)
    with pytest.raises(SpecError, match="radius must be"):
        local_robustness([0], -1, 0, 2)
    with pytest.raises(SpecError, match="radius must be one number, or 1 numbers"):
        local_robustness([0], [1, 1], 0, 2)
    with pytest.raises(SpecError, match="X_0 has lower bound 2 > upper bound 1"):
        local_robustness([3], 1, 0, 2, clip=(0, 1))
    with pytest.raises(SpecError, match="nothing is required"):
        output_range([0], [1], 0, 1)
    with pytest.raises(SpecError, match="output -1 does not exist"):
        output_range([0], [1], -1, 1, minimum=0)
    with pytest.raises(SpecError, match="minimum > maximum"):
        output_range([0], [1], 0, 1, minimum=1, maximum=0)
    with pytest.raises(SpecError, match="1 lower bounds and 2 upper bounds"):
        linear([0], [1, 1], [Requirement(outputs={0: 1})], 1)
    with pytest.raises(SpecError, match="Y_5 is out of order or range"):
        linear([0], [1], [Requirement(outputs={5: 1})], 1)
