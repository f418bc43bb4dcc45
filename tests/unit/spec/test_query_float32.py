"""VNN-LIB 2.0 queries over float32: what is unsafe for proving, and what is certain for refuting."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_ai.spec import And, Atom, Formula, Or, Property, SpecError, read_vnnlib, violated
from hybrid_ai.spec.literals import FLOAT32_LIMIT, nearest_float32

HEAD = """(vnnlib-version <2.0>)
(declare-network f (declare-input X float32 [2]) (declare-output Y float32 []))
"""
D = Fraction(1, 10)
F = Fraction(float(np.float32(0.1)))  # above 1/10
E = Fraction(7, 10)
G = Fraction(float(np.float32(0.7)))  # below 7/10
ONE = Fraction(1)


def read(text: str) -> Property:
    return read_vnnlib((HEAD + f"(assert {text})").encode())


def less(bound: Fraction, strict: bool = False, sign: int = 1) -> Atom:
    """The atom sign X_0 <= bound."""
    return Atom(((0, Fraction(sign)),), (), -bound, strict)


def more(bound: Fraction, strict: bool = False) -> Atom:
    """The atom X_0 >= bound."""
    return Atom(((0, Fraction(-1)),), (), bound, strict)


INEXACT = [
    ("(<= X[0] 0.1)", less(F), less(D)),
    ("(< X[0] 0.1)", less(F, True), less(D, True)),
    ("(>= X[0] 0.1)", more(D), more(F)),
    ("(> X[0] 0.1)", more(D, True), more(F, True)),
    ("(<= X[0] 0.7)", less(E), less(G)),
    ("(>= X[0] 0.7)", more(G), more(E)),
    ("(<= 0.1 X[0])", more(D), more(F)),
    ("(> 0.1 X[0])", less(F, True), less(D, True)),
    ("(<= X[0] (- 0.1))", less(-D), less(-F)),
    ("(<= X[0] -0.1)", less(-D), less(-F)),
    ("(<= (- X[0]) 0.1)", more(-F), more(-D)),
    ("(>= (- X[0]) 0.7)", less(-G), less(-E)),
    ("(== X[0] 0.1)", And((less(F), more(D))), Or(())),
    ("(== 0.1 X[0])", And((more(D), less(F))), Or(())),
    (
        "(!= X[0] 0.1)",
        Or((less(F, True), more(D, True))),
        Or((less(D, True), more(F, True), And((less(F, True), more(D, True))))),
    ),
    (
        "(!= 0.7 X[0])",
        Or((more(G, True), less(E, True))),
        Or((more(E, True), less(G, True), And((more(G, True), less(E, True))))),
    ),
    ("(and (<= X[0] 1) (<= X[0] 0.1))", And((less(ONE), less(F))), And((less(ONE), less(D)))),
    ("(or (<= X[0] 1) (== X[0] 0.1))", Or((less(ONE), And((less(F), more(D))))), less(ONE)),
    ("(<= X[0] 1e-60)", less(Fraction(1, 10**60)), less(Fraction(0))),
]


@pytest.mark.parametrize("text, unsafe, certain", INEXACT)
def test_a_literal_that_is_no_float32_has_two_readings(text: str, unsafe: Formula, certain: Formula) -> None:
    prop = read(text)
    assert prop.unsafe == unsafe
    assert prop.certain == certain
    assert (prop.element, prop.instances) == ("float32", 1)


@pytest.mark.parametrize(
    "text, unsafe",
    [
        ("(<= X[0] 0.5)", less(Fraction(1, 2))),
        ("(== X[0] +1)", And((less(ONE), more(ONE)))),
        ("(!= X[0] 1)", Or((less(ONE, True), more(ONE, True)))),
        ("(<= X[0] 1e-45)", less(Fraction(1, 10**45))),
        ("(<= X[0] Y)", Atom(((0, ONE),), ((0, -ONE),), Fraction(0), False)),
        ("(> X[0] X[1])", Atom(((0, -ONE), (1, ONE)), (), Fraction(0), True)),
        ("(== (- X[0]) (- Y))", None),
        ("(<= X[0] (- Y))", Atom(((0, ONE),), ((0, ONE),), Fraction(0), False)),
        ("(<= X[0] (- X[0]))", Atom(((0, Fraction(2)),), (), Fraction(0), False)),
        ("(< X[0] X[0])", Atom((), (), Fraction(0), True)),
        ("(<= X[0] 340282346638528859811704183484516925440)", less(Fraction(2**128 - 2**104))),
    ],
)
def test_exact_comparisons_have_one_reading(text: str, unsafe: Formula | None) -> None:
    prop = read(text)
    if unsafe is None:
        pair = Atom(((0, -ONE),), ((0, ONE),), Fraction(0), False)
        unsafe = And((pair, Atom(((0, ONE),), ((0, -ONE),), Fraction(0), False)))
    if "1e-45" in text:
        assert prop.unsafe == less(Fraction(1, 2**149))  # the smallest subnormal, above the literal
        assert prop.certain == unsafe
    else:
        assert (prop.unsafe, prop.certain) == (unsafe, None)


def test_the_largest_literal_rounds_to_the_largest_float32() -> None:
    prop = read(f"(<= X[0] {FLOAT32_LIMIT - 1})")
    assert prop.unsafe == less(Fraction(FLOAT32_LIMIT - 1))
    assert prop.certain == less(Fraction(2**128 - 2**104))


def test_certain_is_what_evaluation_judges() -> None:
    prop = read("(<= X[0] 0.1)")
    assert violated(prop, [D, ONE], [ONE]) == [less(D)]
    assert violated(prop, [F, ONE], [ONE]) is None
    assert prop.holds_unsafe([D, ONE], [ONE]) and not prop.holds_unsafe([F, ONE], [ONE])
    assert not read("(== X[0] 0.1)").holds_unsafe([D, ONE], [ONE])


def test_certain_is_kept_only_where_it_differs() -> None:
    assert Property(1, 1, less(ONE), certain=And((less(ONE),))).certain is None
    assert Property(1, 1, less(ONE), certain=And((less(D), And((less(D),))))).certain == And(
        (less(D), less(D))
    )
    with pytest.raises(SpecError, match="X_2 is out of order or range"):
        Property(1, 1, less(ONE), certain=Atom(((2, ONE),), (), ONE, False))


@pytest.mark.parametrize("n_inputs, n_outputs, instances", [(3, 2, 2), (2, 3, 2), (2, 2, 0)])
def test_inputs_and_outputs_are_multiples_of_the_instances(
    n_inputs: int, n_outputs: int, instances: int
) -> None:
    with pytest.raises(SpecError, match="give a multiple"):
        Property(n_inputs, n_outputs, And(()), instances=instances)


def test_other_elements_are_refused() -> None:
    with pytest.raises(SpecError, match="element type 'float64' is not supported"):
        Property(1, 1, And(()), element="float64")  # type: ignore[arg-type]


doubles = st.floats(allow_nan=False, allow_infinity=False, max_value=3.4e38, min_value=-3.4e38)


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(doubles, st.floats(-1e-37, 1e-37), st.floats(width=32, allow_nan=False, allow_infinity=False))
)
def test_rounding_is_that_of_numpy(value: float) -> None:
    assert nearest_float32(Fraction(value)) == Fraction(float(np.float32(value)))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**31 - 2**23 - 2), st.sampled_from([1, -1]), st.integers(-1, 1))
def test_ties_round_to_even(bits: int, sign: int, offset: int) -> None:
    low, high = (Fraction(float(np.uint32(b).view(np.float32))) for b in (bits, bits + 1))
    middle = (low + high) / 2 + offset * Fraction(1, 10**60)
    expected = {-1: low, 0: high if bits % 2 else low, 1: high}[offset]
    assert nearest_float32(sign * middle) == sign * expected


OPERATORS = ["<=", "<", ">=", ">", "==", "!="]
singles = st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda v: Fraction(float(v)))
literals = st.one_of(
    st.decimals(-2, 2, places=2).map(Fraction),
    singles,
    singles.map(lambda v: v + Fraction(1, 10**50)),
)


def holds(formula: Formula, x: Fraction) -> bool:
    if isinstance(formula, Atom):
        return formula.holds([x, ONE], [ONE])
    children = [holds(child, x) for child in formula.children]
    return all(children) if isinstance(formula, And) else any(children)


def compare(operator: str, left: Fraction, right: Fraction) -> bool:
    return {
        "<=": left <= right,
        "<": left < right,
        ">=": left >= right,
        ">": left > right,
        "==": left == right,
        "!=": left != right,
    }[operator]


def decimal(value: Fraction) -> str:
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    return f"{(value * 10**digits).numerator}e-{digits}"


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(OPERATORS),
    literals,
    st.integers(-2, 2),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    singles,
)
def test_proving_covers_both_readings_and_refuting_needs_both(
    operator: str, value: Fraction, near: int, swapped: bool, negated: bool, minus: bool, other: Fraction
) -> None:
    variable = "(- X[0])" if negated else "X[0]"
    literal = f"(- {decimal(value)})" if minus else decimal(value)
    value = -value if minus else value
    text = f"({operator} {literal} {variable})" if swapped else f"({operator} {variable} {literal})"
    prop = read(text)
    readings = (value, nearest_float32(value))
    neighbour = np.float32(float(nearest_float32(value)))
    with np.errstate(over="ignore", under="ignore"):
        for _ in range(abs(near)):
            neighbour = np.nextafter(neighbour, np.float32(np.inf if near > 0 else -np.inf))
    points = [other, *readings] + ([Fraction(float(neighbour))] if np.isfinite(neighbour) else [])
    for x in points:
        side = -x if negated else x
        pairs = [(d, side) if swapped else (side, d) for d in readings]
        answers = [compare(operator, left, right) for left, right in pairs]
        if any(answers):
            assert holds(prop.unsafe, x)
        assert holds(prop.certain or prop.unsafe, x) == all(answers)
