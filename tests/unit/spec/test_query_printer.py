"""Properties printed as VNN-LIB 2.0 read back to what they say."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_ai.spec import And, Atom, Formula, Or, Property, UnsupportedSpec, read_vnnlib, to_vnnlib
from tests.unit.spec.strategies import formulas

ONE = Fraction(1)
X0 = Atom(((0, ONE),), (), Fraction(-1, 2), False)
HEAD_2 = (
    "(vnnlib-version <2.0>)\n"
    "(declare-network f (declare-input X {0} [2]) (declare-output Y {0} [1]))\n"
    "(declare-network f2 (equal-to f) (declare-input X2 {0} [2]) (declare-output Y2 {0} [1]))\n"
)


def test_the_text_of_two_instances() -> None:
    rows = Atom(((0, ONE), (3, Fraction(-2))), ((1, Fraction(-1, 4)),), Fraction(3), True)
    prop = Property(4, 2, And((X0, Or((rows, X0.negated())))), instances=2, element="real")
    assert to_vnnlib(prop) == HEAD_2.format("real") + (
        "(assert (<= X[0] 0.5))\n(assert (or (< X[0] (+ (* 2 X2[1]) (* 0.25 Y2[0]) -3)) (> X[0] 0.5)))\n"
    )
    assert read_vnnlib(to_vnnlib(prop).encode()) == prop


def test_instances_without_an_element_type_are_printed_as_real() -> None:
    prop = Property(4, 2, X0, instances=2)
    assert to_vnnlib(prop) == HEAD_2.format("real") + "(assert (<= X[0] 0.5))\n"
    assert to_vnnlib(Property(4, 2, X0)).startswith("(declare-const X_0 Real)")


def test_constant_atoms_keep_a_variable() -> None:
    prop = Property(1, 1, And((X0, Atom((), (), Fraction(-3), True))), element="real")
    assert "(assert (> (* 0 X[0]) -3))" in to_vnnlib(prop)
    assert read_vnnlib(to_vnnlib(prop).encode()) == prop


@pytest.mark.parametrize("element", ["real", "float32"])
@pytest.mark.parametrize("unsafe, strict", [(And(()), False), (Or(()), True)])
def test_truth_values_are_written_as_comparisons(
    element: Literal["real", "float32"], unsafe: Formula, strict: bool
) -> None:
    text = to_vnnlib(Property(1, 1, unsafe, element=element))
    assert read_vnnlib(text.encode()).unsafe == Atom((), (), Fraction(0), strict)


@pytest.mark.parametrize(
    "value",
    [
        Fraction(0.1),
        Fraction(5e-324),
        Fraction(1.7976931348623157e308),
        Fraction(2**13_000 - 1),
        Fraction(1, 10**3900),
        Fraction(-7, 5**500),
    ],
)
def test_extreme_numbers_read_back(value: Fraction) -> None:
    prop = Property(1, 1, And((Atom(((0, value),), (), value, True), X0)), element="real")
    assert read_vnnlib(to_vnnlib(prop).encode()) == prop


@pytest.mark.parametrize(
    "value, phrase",
    [
        (Fraction(1, 3), "1/3 is no finite decimal, and VNN-LIB 2.0 has no quotients"),
        (Fraction(1, 2**12_999), "too many digits for a literal"),
    ],
)
def test_numbers_that_no_literal_holds_are_refused(value: Fraction, phrase: str) -> None:
    with pytest.raises(UnsupportedSpec, match=phrase) as caught:
        to_vnnlib(Property(1, 1, Atom(((0, ONE),), (), value, False), file="here", element="real"))
    assert caught.value.file == "here"


@pytest.mark.parametrize(
    "atom, text",
    [
        (Atom(((0, ONE),), (), Fraction(-1, 2), True), "(< X[0] 0.5)"),
        (Atom(((0, -ONE),), (), Fraction(-1, 2), False), "(>= X[0] -0.5)"),
        (Atom((), ((1, ONE),), Fraction(0), False), "(<= Y[1] 0)"),
        (Atom(((0, ONE),), ((0, -ONE),), Fraction(0), False), "(<= X[0] Y[0])"),
        (Atom(((0, -ONE),), ((0, ONE),), Fraction(0), True), "(< (- X[0]) (- Y[0]))"),
        (Atom(((0, ONE), (1, ONE)), (), Fraction(0), False), "(<= X[0] (- X[1]))"),
        (Atom(((0, -ONE), (1, -ONE)), (), Fraction(0), False), "(<= (- X[0]) X[1])"),
        (Atom(((0, Fraction(-2)),), (), Fraction(0), False), "(<= (- X[0]) X[0])"),
        (Atom((), (), Fraction(0), True), "(< X[0] X[0])"),
    ],
)
def test_float32_atoms_compare_values(atom: Atom, text: str) -> None:
    prop = Property(2, 2, atom, element="float32")
    assert f"(assert {text})\n" in to_vnnlib(prop)
    assert read_vnnlib(to_vnnlib(prop).encode()) == prop


@pytest.mark.parametrize(
    "atom, phrase",
    [
        (Atom(((0, Fraction(2)),), (), ONE, False), "compares single values"),
        (Atom(((0, Fraction(1, 2)),), (), Fraction(0), False), "compares single values"),
        (Atom(((0, Fraction(10**3000)),), (), Fraction(0), False), "compares single values"),
        (Atom(((0, ONE), (1, ONE)), ((0, ONE),), Fraction(0), False), "compares single values"),
        (Atom(((0, ONE),), ((0, ONE),), ONE, False), "compares single values"),
        (Atom((), (), ONE, False), "compares single values"),
        (Atom(((0, ONE),), (), Fraction(2**128), False), "is no float32: round it"),
        (Atom(((0, ONE),), (), Fraction(-1, 10), False), "is no float32: round it"),
        (Atom(((0, -ONE),), (), Fraction(7, 10), False), "is no float32: round it"),
    ],
)
def test_what_a_float32_query_cannot_say_is_refused(atom: Atom, phrase: str) -> None:
    with pytest.raises(UnsupportedSpec, match=phrase):
        to_vnnlib(Property(2, 1, atom, element="float32"))


def _has_decimals(formula: Formula) -> bool:
    if isinstance(formula, Atom):
        numbers = [value for _, value in (*formula.inputs, *formula.outputs)] + [formula.constant]
        return all(10**6 % value.denominator == 0 for value in numbers)
    return all(_has_decimals(child) for child in formula.children)


def _has_truth_values(formula: Formula) -> bool:
    return not isinstance(formula, Atom) and (
        not formula.children or any(_has_truth_values(child) for child in formula.children)
    )


@settings(max_examples=150, deadline=None)
@given(formulas(), st.sampled_from([1, 2]))
def test_every_real_property_reads_back_or_is_refused(formula: Formula, instances: int) -> None:
    prop = Property(2, 2, formula, instances=instances, element="real")
    if not _has_decimals(prop.unsafe):
        with pytest.raises(UnsupportedSpec, match="no finite decimal"):
            to_vnnlib(prop)
        return
    read = read_vnnlib(to_vnnlib(prop).encode())
    if not _has_truth_values(prop.unsafe):
        assert read == prop
    for x in (Fraction(-1), Fraction(1, 3)):
        for y in (Fraction(0), Fraction(2)):
            assert read.holds_unsafe([x, y], [y, x]) == prop.holds_unsafe([x, y], [y, x])
    assert to_vnnlib(read) == to_vnnlib(prop)


variables = st.sampled_from(["X[0]", "X[1]", "Y", "(- X[0])", "(- Y)", "A[1]", "B"])
numbers = st.one_of(
    st.floats(-1e38, 1e38, allow_nan=False).map(repr),
    st.sampled_from(["0.1", "-0.7", "1e-46", "+3", "(- 0.2)"]),
)
comparisons = st.builds(
    "({} {} {})".format,
    st.sampled_from(["<=", "<", ">=", ">", "==", "!="]),
    variables,
    st.one_of(variables, numbers),
)
texts = st.recursive(
    comparisons,
    lambda parts: st.builds(
        lambda head, operands: f"({head} {' '.join(operands)})",
        st.sampled_from(["and", "or"]),
        st.lists(parts, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(texts)
def test_the_unsafe_set_of_a_float32_query_reads_back(text: str) -> None:
    head = (
        "(vnnlib-version <2.0>)"
        "(declare-network g (declare-input X float32 [2]) (declare-output Y float32 []))"
        "(declare-network h (equal-to g) (declare-input A float32 [2]) (declare-output B float32 []))"
    )
    prop = read_vnnlib(f"{head}(assert {text})".encode())
    again = read_vnnlib(to_vnnlib(prop).encode())
    assert again.unsafe == prop.unsafe
    assert (again.n_inputs, again.n_outputs, again.instances, again.element) == (4, 2, 2, "float32")
    assert to_vnnlib(again) == to_vnnlib(prop)
