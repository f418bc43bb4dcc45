"""The normal form of properties: order, boxes, polytopes, limits, agreement with direct evaluation."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_ai.spec import (
    And,
    Atom,
    EmptyBox,
    Formula,
    InputPolytope,
    NormalForm,
    Or,
    Property,
    UnsupportedSpec,
    local_robustness,
    normal_form,
    read_vnnlib,
)
from tests.unit.spec.strategies import atoms, formulas

HEAD = "".join(f"(declare-const {name} Real)" for name in ("X_0", "X_1", "Y_0", "Y_1", "Y_2")) + "\n"
BOX = "(assert (<= 0 X_0 1))(assert (<= 0 X_1 2))\n"


def normal(text: str) -> NormalForm:
    return normal_form(read_vnnlib((HEAD + text).encode()))


def y_at_most(index: int, bound: int) -> Atom:
    return Atom((), ((index, Fraction(1)),), Fraction(-bound), False)


def y_not_above(low: int, high: int) -> Atom:
    """Y_low <= Y_high."""
    terms = sorted([(low, Fraction(1)), (high, Fraction(-1))])
    return Atom((), tuple(terms), Fraction(0), False)


def polytope(*disjuncts: tuple[Atom, ...], constraints: tuple[Atom, ...] = ()) -> InputPolytope:
    return InputPolytope((Fraction(0), Fraction(0)), (Fraction(1), Fraction(2)), constraints, disjuncts)


def test_two_input_boxes_times_output_disjunction() -> None:
    part = "(and (<= {0} X_0 {1}) (<= 0 X_1 2))"
    result = normal(
        f"(assert (or {part.format(0, 1)} {part.format(3, 4)}))"
        "(assert (or (and (<= Y_1 Y_0)) (and (<= Y_2 Y_0))))"
    )
    disjuncts = ((y_not_above(1, 0),), (y_not_above(2, 0),))
    assert result.polytopes == (
        InputPolytope((Fraction(0), Fraction(0)), (Fraction(1), Fraction(2)), (), disjuncts),
        InputPolytope((Fraction(3), Fraction(0)), (Fraction(4), Fraction(2)), (), disjuncts),
    )
    assert result.empty == ()


def test_distribution_varies_the_first_child_slowest_and_keeps_atom_order() -> None:
    a, b, c, d, e = (y_at_most(0, bound) for bound in range(5))
    text = "(assert (<= Y_0 0))(assert (or (<= Y_0 1) (<= Y_0 2)))(assert (or (<= Y_0 3) (<= Y_0 4)))"
    assert normal(BOX + text).polytopes == (polytope((a, b, d), (a, b, e), (a, c, d), (a, c, e)),)


def test_conjunctions_inside_disjunctions_inside_conjunctions() -> None:
    a, b, c, d, e = (y_at_most(0, bound) for bound in range(5))
    text = "(assert (or (and (or (<= Y_0 0) (<= Y_0 1)) (<= Y_0 2)) (and (<= Y_0 3) (<= Y_0 4))))"
    assert normal(BOX + text).polytopes == (polytope((a, c), (b, c), (d, e)),)


def test_mixed_atoms_are_rows_and_input_atoms_are_constraints() -> None:
    text = "(assert (>= Y_0 (* 2 X_1)))(assert (<= (+ X_0 X_1) 1))(assert (<= Y_0 (+ X_0 X_1)))"
    rows = (
        Atom(((1, Fraction(2)),), ((0, Fraction(-1)),), Fraction(0), False),
        Atom(((0, Fraction(-1)), (1, Fraction(-1))), ((0, Fraction(1)),), Fraction(0), False),
    )
    constraint = Atom(((0, Fraction(1)), (1, Fraction(1))), (), Fraction(-1), False)
    assert normal(BOX + text).polytopes == (polytope(rows, constraints=(constraint,)),)


def test_tightest_bounds_are_kept_and_strictness_is_forgotten() -> None:
    text = (
        "(assert (< (* 2 X_0) 1))(assert (<= X_0 0.75))(assert (> (* -4 X_0) -3))(assert (<= (* -3 X_1) -1))"
    )
    result = normal(BOX + text)
    assert result.polytopes[0].upper == (Fraction(1, 2), Fraction(2))
    assert result.polytopes[0].lower == (Fraction(0), Fraction(1, 3))


def test_repeated_atoms_and_row_lists_are_kept_once() -> None:
    a, b = y_at_most(0, 0), y_at_most(0, 1)
    text = (
        "(assert (<= Y_0 0))(assert (or (<= Y_0 0) (<= Y_0 1) (and (<= Y_0 1) (<= 0 Y_0 -1) (<= Y_0 0))"
        " (<= Y_0 1)))(assert (<= (+ X_0 X_1) 1))(assert (<= (+ X_1 X_0) 1))"
    )
    constraint = Atom(((0, Fraction(1)), (1, Fraction(1))), (), Fraction(-1), False)
    low, high = (
        Atom((), ((0, Fraction(-1)),), Fraction(0), False),
        Atom((), ((0, Fraction(1)),), Fraction(1), False),
    )
    expected = polytope((a,), (a, b), (a, b, low, high), constraints=(constraint,))
    assert normal(BOX + text).polytopes == (expected,)


def test_strict_and_closed_rows_differ_and_nothing_is_scaled() -> None:
    rows = (
        normal(BOX + "(assert (<= Y_0 0))(assert (< Y_0 0))(assert (<= (* 2 Y_0) 0))").polytopes[0].disjuncts
    )
    assert rows == (
        (
            y_at_most(0, 0),
            Atom((), ((0, Fraction(1)),), Fraction(0), True),
            Atom((), ((0, Fraction(2)),), Fraction(0), False),
        ),
    )


@pytest.mark.parametrize("true", ["(<= 1 1)", "(< 0 1)", "(<= (- Y_0 Y_0) 0)", "true"])
def test_true_constant_atoms_are_dropped(true: str) -> None:
    assert normal(BOX + f"(assert (and {true} (<= Y_0 1)))").polytopes == (polytope((y_at_most(0, 1),)),)


@pytest.mark.parametrize("false", ["(< 1 1)", "(<= 1 0)", "(< (* 0 X_0) 0)", "false"])
def test_false_constant_atoms_drop_their_conjunct(false: str) -> None:
    text = f"(assert (or (and {false} (<= Y_0 0)) {false} (<= Y_0 1)))"
    assert normal(BOX + text).polytopes == (polytope((y_at_most(0, 1),)),)
    assert normal(BOX + f"(assert {false})") == NormalForm((), ())


def test_same_box_written_differently_is_one_polytope_in_order_of_first_appearance() -> None:
    text = (
        "(assert (or (and (<= 0 X_0 1) (<= 0 X_1 2) (<= Y_0 1))"
        " (and (<= 0 X_0 1) (<= 0 X_1 2) (<= (+ X_0 X_1) 1) (<= Y_0 2))"
        " (and (>= 2 X_1 0) (<= X_0 7) (>= 1.0 X_0 0) (<= Y_0 3))))"
    )
    constraint = Atom(((0, Fraction(1)), (1, Fraction(1))), (), Fraction(-1), False)
    assert normal(text).polytopes == (
        polytope((y_at_most(0, 1),), (y_at_most(0, 3),)),
        polytope((y_at_most(0, 2),), constraints=(constraint,)),
    )


def test_a_property_without_output_atoms_has_a_disjunct_without_rows() -> None:
    assert normal(BOX).polytopes == (polytope(()),)


def test_empty_boxes_are_named_with_their_lines() -> None:
    text = "(assert (<= 0 X_0 1))\n(assert (or\n (<= 0 X_1 2)\n (and (<= X_1 3)\n (>= X_1 (/ 10 3)))))"
    result = normal(text)
    assert result.polytopes == (polytope(()),)
    assert result.empty == (EmptyBox(1, Fraction(10, 3), Fraction(3), 6, 5),)


def test_a_pinned_axis_is_not_empty() -> None:
    result = normal("(assert (= X_0 0.1))(assert (<= 0 X_1 2))")
    assert result.polytopes[0].lower[0] == result.polytopes[0].upper[0] == Fraction(1, 10)


@pytest.mark.parametrize(
    "text, phrase",
    [
        ("(assert (<= 0 X_0 1))", "X_1 has no lower bound"),
        ("(assert (<= 0 X_0 1))(assert (<= 0 X_1))", "X_1 has no upper bound"),
        ("(assert (<= 0 X_0 1))(assert (<= 0 (+ X_0 X_1) 1))", "X_1 has no lower bound"),
        ("(assert (<= 0 X_1 1))(assert (or (<= 0 X_0 1) (<= X_0 1)))", "X_0 has no lower bound"),
        ("(assert (<= 1 X_0 0))", "X_1 has no lower bound"),
    ],
)
def test_unbounded_axes_are_unsupported_by_name(text: str, phrase: str) -> None:
    with pytest.raises(UnsupportedSpec, match=f"^<bytes>: {phrase}"):
        normal(text)


@pytest.mark.clock
def test_the_number_of_conjuncts_is_limited_before_any_is_built() -> None:
    start = time.perf_counter()
    two = "(assert (or (<= Y_0 1) (<= Y_1 1)))"
    with pytest.raises(UnsupportedSpec, match="more than 100000 conjuncts"):
        normal(BOX + two * 17)
    with pytest.raises(UnsupportedSpec, match="more than 100000 conjuncts"):
        normal(BOX + two * 1000)
    assert normal(BOX + two * 1000 + "(assert false)") == NormalForm((), ())
    assert time.perf_counter() - start < 2


def test_exactly_the_limit_is_accepted() -> None:
    def choice(count: int, output: int) -> str:
        return f"(assert (or {' '.join(f'(<= Y_{output} {i})' for i in range(count))}))"

    result = normal(BOX + choice(400, 0) + choice(250, 1))
    assert len(result.polytopes[0].disjuncts) == 100_000
    with pytest.raises(UnsupportedSpec):
        normal(BOX + choice(400, 0) + choice(250, 1) + choice(2, 2))


@pytest.mark.clock
def test_wide_properties_are_fast() -> None:
    prop = local_robustness(["0.5"] * 784, "0.03", 4, 10)
    start = time.perf_counter()
    result = normal_form(prop)
    assert time.perf_counter() - start < 0.3
    assert len(result.polytopes) == 1
    assert len(result.polytopes[0].disjuncts) == 9


@pytest.mark.clock
def test_many_disjuncts_share_a_wide_box() -> None:
    prop = local_robustness(["0.5"] * 784, "0.03", 4, 3_000)
    start = time.perf_counter()
    assert len(normal_form(prop).polytopes[0].disjuncts) == 2_999
    assert time.perf_counter() - start < 1


def member(result: NormalForm, x: tuple[Fraction, ...], y: tuple[Fraction, ...]) -> bool:
    return any(
        all(low <= value <= high for low, value, high in zip(part.lower, x, part.upper, strict=True))
        and all(atom.holds(x, y) for atom in part.constraints)
        and any(all(row.holds(x, y) for row in rows) for rows in part.disjuncts)
        for part in result.polytopes
    )


def without_strict_bounds(formula: Formula) -> Formula:
    """The formula with every atom over one input and no output made closed."""
    if isinstance(formula, Atom):
        if len(formula.inputs) == 1 and not formula.outputs:
            return Atom(formula.inputs, (), formula.constant, False)
        return formula
    return type(formula)(tuple(without_strict_bounds(child) for child in formula.children))


values = st.integers(-6, 6).map(lambda n: Fraction(n, 2))


@settings(max_examples=200, deadline=None)
@given(
    formulas(),
    st.lists(st.tuples(st.tuples(values, values), st.tuples(values, values)), min_size=12, max_size=12),
)
def test_normal_form_agrees_with_direct_evaluation(
    formula: Formula, points: list[tuple[tuple[Fraction, ...], tuple[Fraction, ...]]]
) -> None:
    box = [Atom(((axis, Fraction(sign)),), (), Fraction(-3), False) for axis in (0, 1) for sign in (1, -1)]
    prop = Property(2, 2, _and(box, formula))
    closed = Property(2, 2, _and(box, without_strict_bounds(formula)))
    result = normal_form(prop)
    for x, y in points:
        assert member(result, x, y) == closed.holds_unsafe(x, y)
        assert member(result, x, y) or not prop.holds_unsafe(x, y)


def _and(box: list[Atom], formula: Formula) -> Formula:
    return And((*box, formula))


@settings(max_examples=50, deadline=None)
@given(st.lists(atoms(), min_size=1, max_size=4))
def test_a_disjunction_has_at_most_one_disjunct_per_atom(parts: list[Atom]) -> None:
    box = [Atom(((axis, Fraction(sign)),), (), Fraction(-3), False) for axis in (0, 1) for sign in (1, -1)]
    result = normal_form(Property(2, 2, _and(box, Or(tuple(parts)))))
    total = sum(len(part.disjuncts) for part in result.polytopes) + len(result.empty)
    assert total <= len(parts)
