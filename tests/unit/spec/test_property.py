"""Properties as data: exact evaluation, canonical shape, and refused atoms."""

from __future__ import annotations

import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ai.spec import And, Atom, Formula, Or, Property, SpecError, UnsupportedSpec, violated
from tests.unit.spec.strategies import formulas

A = Atom(((0, Fraction(1)),), (), Fraction(-1), False)  # X_0 <= 1
B = Atom((), ((0, Fraction(-1)),), Fraction(2), True)  # Y_0 > 2
C = Atom(((0, Fraction(-3)),), ((0, Fraction(1)),), Fraction(0), False)  # Y_0 <= 3 X_0


@pytest.mark.parametrize(
    "unsafe, x, y, expected",
    [
        (A, Fraction(1), Fraction(0), [A]),
        (A, Fraction(1) + Fraction(1, 10**30), Fraction(0), None),
        (B, Fraction(0), Fraction(2), None),
        (B, Fraction(0), Fraction(2) + Fraction(1, 10**30), [B]),
        (C, Fraction(1, 3), Fraction(1), [C]),
        (And((A, B)), Fraction(0), Fraction(3), [A, B]),
        (And((A, B)), Fraction(0), Fraction(1), None),
        (Or((B, A)), Fraction(0), Fraction(3), [B]),
        (Or((B, A)), Fraction(0), Fraction(1), [A]),
        (And((A, Or((And((B, C)), B)))), Fraction(0), Fraction(3), [A, B]),
        (And((A, Or((And((B, C)), B)))), Fraction(1), Fraction(3), [A, B, C]),
        (And(()), Fraction(0), Fraction(0), []),
        (Or(()), Fraction(0), Fraction(0), None),
    ],
)
def test_violated_names_the_first_satisfied_conjunct(
    unsafe: Formula, x: Fraction, y: Fraction, expected: list[Atom] | None
) -> None:
    prop = Property(1, 1, unsafe)
    assert violated(prop, [x], [y]) == expected
    assert prop.holds_unsafe([x], [y]) is (expected is not None)


def test_evaluation_refuses_wrong_lengths_and_floats() -> None:
    prop = Property(1, 1, A)
    with pytest.raises(SpecError, match="2 input values for 1 inputs"):
        prop.holds_unsafe([Fraction(0), Fraction(0)], [Fraction(0)])
    with pytest.raises(SpecError, match="0 output values for 1 outputs"):
        prop.holds_unsafe([Fraction(0)], [])
    with pytest.raises(SpecError, match="an output value is not exact"):
        prop.holds_unsafe([Fraction(0)], [0.5])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "atom, error, phrase",
    [
        (Atom(((1, Fraction(1)),), (), Fraction(0), False), SpecError, "X_1 is out of order or range"),
        (Atom((), ((-1, Fraction(1)),), Fraction(0), False), SpecError, "Y_-1 is out of order or range"),
        (
            Atom((), ((1, Fraction(1)), (0, Fraction(1))), Fraction(0), False),
            SpecError,
            "Y_0 is out of order or range",
        ),
        (
            Atom((), ((1, Fraction(1)), (1, Fraction(1))), Fraction(0), False),
            SpecError,
            "Y_1 is out of order or range",
        ),
        (Atom(((0, Fraction(0)),), (), Fraction(0), False), SpecError, "X_0 has coefficient zero"),
        (Atom(((0, 0.5),), (), Fraction(0), False), SpecError, "0.5 is not a Fraction"),  # type: ignore[arg-type]
        (Atom((), (), 1, False), SpecError, "1 is not a Fraction"),  # type: ignore[arg-type]
        (Atom((), (), Fraction(2**14_000), False), UnsupportedSpec, "too large"),
    ],
)
def test_atoms_that_are_not_well_formed_are_refused(atom: Atom, error: type[Exception], phrase: str) -> None:
    with pytest.raises(error, match=phrase):
        Property(1, 2, And((A, Or((atom, B)))))


@pytest.mark.parametrize("n_inputs, n_outputs", [(0, 1), (1, 0)])
def test_a_property_has_inputs_and_outputs(n_inputs: int, n_outputs: int) -> None:
    with pytest.raises(SpecError, match="at least one input and one output"):
        Property(n_inputs, n_outputs, And(()))


def test_source_file_and_lines_do_not_count_in_comparison() -> None:
    moved = Atom(A.inputs, A.outputs, A.constant, A.strict, line=7)
    assert Property(1, 1, moved, b"a", "f") == Property(1, 1, A)
    assert hash(moved) == hash(A)


def test_formulas_are_stored_flattened() -> None:
    nested = And((And((A,)), And(()), Or((And((B, And((C,)))),)), Or((A, Or(()), Or((B,))))))
    assert Property(1, 1, nested).unsafe == And((A, B, C, Or((A, B))))


@pytest.mark.parametrize("kind", [And, Or])
def test_flattening_keeps_the_order_around_the_largest_group(kind: type[And] | type[Or]) -> None:
    items = [Atom((), ((0, Fraction(1)),), Fraction(i), False) for i in range(14)]
    groups = [kind(tuple(items[start:stop])) for start, stop in ((0, 2), (3, 5), (5, 10), (11, 14))]
    nested = kind((groups[0], items[2], groups[1], groups[2], items[10], groups[3]))
    assert Property(1, 1, nested).unsafe == kind(tuple(items))


def as_written(formula: Formula, x: list[Fraction], y: list[Fraction]) -> bool:
    if isinstance(formula, Atom):
        return formula.holds(x, y)
    children = [as_written(child, x, y) for child in formula.children]
    return all(children) if isinstance(formula, And) else any(children)


values = st.lists(st.integers(-6, 6).map(lambda n: Fraction(n, 2)), min_size=2, max_size=2)


@given(formulas(), values, values)
def test_evaluation_is_that_of_the_formula_as_written(
    formula: Formula, x: list[Fraction], y: list[Fraction]
) -> None:
    prop = Property(2, 2, formula)
    assert prop.holds_unsafe(x, y) == as_written(formula, x, y)
    found = violated(prop, x, y)
    assert found is None or all(atom.holds(x, y) for atom in found)


def test_nesting_built_in_python_may_exceed_the_recursion_limit() -> None:
    formula: Formula = A
    for _ in range(10 * sys.getrecursionlimit()):
        formula = And((formula, B))
    flat = Property(1, 1, formula).unsafe
    assert isinstance(flat, And)
    assert flat.children == (A, *[B] * (10 * sys.getrecursionlimit()))


def test_alternation_is_limited_exactly() -> None:
    formula: Formula = A
    for level in range(100):
        formula = (And if level % 2 else Or)((formula, B))
    assert Property(1, 1, formula).holds_unsafe([Fraction(0)], [Fraction(3)])
    with pytest.raises(UnsupportedSpec, match="alternate over more than 100 levels"):
        Property(1, 1, Or((formula, B)))
