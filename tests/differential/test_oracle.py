"""The oracle against hand-made cases, a grid of points, z3 and ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import numpy as np
import onnxruntime
import pytest
import z3

from tests.differential.networks import random_network
from tests.differential.oracle import Domain, OracleTimeout, minimum
from tests.differential.program import Affine, Kink, Program, Row, evaluate
from tests.differential.questions import (
    Case,
    Form,
    Question,
    decimal,
    finite_decimal,
    optimum,
    random_question,
    unsafe,
)

ONE = Fraction(1)
HALF = Fraction(1, 2)


def fractions(*values: object) -> tuple[Fraction, ...]:
    return tuple(Fraction(str(value)) for value in values)


def relu(index: int) -> Kink:
    return Kink(index, Fraction(0), Fraction(0), ONE)


# |x_1| as relu(x_1) + relu(-x_1), which is value 3 + value 4 with two inputs, 2 + 3 with one.
ABSOLUTE = (Affine((((1, ONE),), ((1, -ONE),))), relu(2), relu(3))


@pytest.mark.parametrize(
    ("lower", "upper", "rows", "expected"),
    [
        (-1, 2, (((2, ONE), (3, ONE)),), Fraction(0)),  # |x|, least at the kink
        (-1, 2, (((2, -ONE), (3, -ONE)),), Fraction(-2)),  # -|x|, least at an end
        ("0.25", 2, (((2, ONE), (3, ONE)),), Fraction(1, 4)),
        # max(|x| - x / 2, 1 - x) with |x| - x / 2 = x / 2 for x >= 0: equal at 2 / 3
        (-1, 2, (((2, ONE), (3, ONE), (1, -HALF)), ((0, ONE), (1, -ONE))), Fraction(1, 3)),
        (2, 2, (((2, ONE), (3, ONE)),), Fraction(2)),  # pinned
    ],
)
def test_one_input(lower: object, upper: object, rows: Sequence[Row], expected: Fraction) -> None:
    found = minimum(Domain(fractions(lower), fractions(upper)), ABSOLUTE, [list(rows)], 5.0)
    assert found is not None
    assert found.value == expected


def test_the_least_of_several_disjuncts_and_its_point() -> None:
    disjuncts: list[list[Row]] = [[((2, ONE), (3, ONE))], [((0, -HALF), (1, ONE))], [((0, ONE),)]]
    found = minimum(Domain(fractions(-1), fractions(2)), ABSOLUTE, disjuncts, 5.0)
    assert found is not None
    assert (found.value, found.x) == (Fraction(-3, 2), fractions(-1))


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(1, Fraction(-1)), (0, Fraction(0)), (-1, Fraction(1)), (-2, Fraction(2)), ("-2.1", None)],
)
def test_an_input_constraint_cuts_the_box(limit: object, expected: Fraction | None) -> None:
    """-(x_1 + x_2) over [-1, 1]^2 where x_1 + x_2 <= limit; -2 leaves a single corner."""
    constraint = ((0, -Fraction(str(limit))), (1, ONE), (2, ONE))
    domain = Domain(fractions(-1, -1), fractions(1, 1), (constraint,))
    found = minimum(domain, (), [[((1, -ONE), (2, -ONE))]], 5.0)
    assert (None if found is None else found.value) == expected


def test_clip_and_leaky_relu() -> None:
    """clip(x, -1/2, 3/4) + leaky(x, 1/8) is monotone: its least value is at the lower end."""
    steps = (
        Affine((((1, ONE),), ((1, ONE),))),
        Kink(2, -HALF, Fraction(0), ONE),
        Kink(2, Fraction(3, 4), ONE, Fraction(0)),
        Kink(3, Fraction(0), Fraction(1, 8), ONE),
    )
    assert evaluate(Program(1, steps, (2, 3)), fractions(-2)) == (-HALF, Fraction(-1, 4))
    assert evaluate(Program(1, steps, (2, 3)), fractions(2)) == (Fraction(3, 4), Fraction(2))
    found = minimum(Domain(fractions(-2), fractions(2)), steps, [[((2, ONE), (3, ONE))]], 5.0)
    assert found is not None
    assert found.value == Fraction(-3, 4)
    found = minimum(Domain(fractions(-2), fractions(2)), steps, [[((2, -ONE), (3, -ONE))]], 5.0)
    assert found is not None
    assert found.value == Fraction(-11, 4)


def test_running_out_of_time_is_an_error() -> None:
    with pytest.raises(OracleTimeout):
        minimum(Domain(fractions(-1), fractions(2)), ABSOLUTE, [[((2, ONE),)]], -1.0)


def points(case: Case, per_axis: int) -> list[tuple[Fraction, ...]]:
    axes = [
        [low + (high - low) * Fraction(k, per_axis - 1) for k in range(per_axis)] if low < high else [low]
        for low, high in zip(case.lower, case.upper, strict=True)
    ]
    return list(product(*axes))


@pytest.mark.parametrize("number", range(12))
def test_no_grid_point_is_below_the_optimum(number: int) -> None:
    rng = np.random.default_rng([7, number])
    network = random_network(rng)
    question = random_question(rng, network.program.n_inputs, len(network.program.outputs))
    found = optimum(network.program, question, 5.0)
    per_axis = {1: 65, 2: 15, 3: 6, 4: 4}[network.program.n_inputs]
    for case in question.cases:
        for x in points(case, per_axis):
            y = evaluate(network.program, x)
            assert found is None or not unsafe(question, found.value, True, x, y)


@pytest.mark.parametrize("number", range(12))
def test_onnxruntime_computes_the_program(number: int) -> None:
    rng = np.random.default_rng([8, number])
    network = random_network(rng)
    x = rng.uniform(-1.0, 1.0, (1, network.program.n_inputs)).astype(np.float32)
    session = onnxruntime.InferenceSession(network.model, providers=["CPUExecutionProvider"])
    computed = session.run(None, {"X": x})[0].ravel()
    exact = evaluate(network.program, [Fraction(float(value)) for value in x[0]])
    np.testing.assert_allclose(computed, [float(value) for value in exact], rtol=1e-4, atol=1e-5)


def rational(value: Fraction) -> z3.ArithRef:
    return z3.Q(value.numerator, value.denominator)


def z3_values(program: Program, x: list[z3.ArithRef]) -> tuple[list[z3.ArithRef], list[z3.BoolRef]]:
    """The program's values as z3 variables, and what defines them."""
    values: list[z3.ArithRef] = [z3.RealVal(1), *x]
    definitions: list[z3.BoolRef] = []
    for step in program.steps:
        terms = (
            [z3.Sum([rational(c) * values[i] for i, c in row]) for row in step.rows]
            if isinstance(step, Affine)
            else [_bent(step, values[step.index])]
        )
        new = [z3.Real(f"v{len(definitions) + k}") for k in range(len(terms))]
        definitions += [a == b for a, b in zip(new, terms, strict=True)]
        if isinstance(step, Affine):
            values += new
        else:
            values[step.index] = new[0]
    return values, definitions


def _bent(step: Kink, value: z3.ArithRef) -> z3.ArithRef:
    past = value - rational(step.at)
    slopes = z3.If(past > 0, past * rational(step.above), past * rational(step.below))
    return rational(step.at) + slopes


def z3_below(program: Program, question: Question, t: Fraction) -> z3.CheckSatResult:
    """Whether some input has a value below t."""
    x = [z3.Real(f"x{i}") for i in range(program.n_inputs)]
    values, definitions = z3_values(program, x)
    y = [values[index] for index in program.outputs]
    cases = []
    for case in question.cases:
        atoms = [
            z3.And(rational(a) <= v, v <= rational(b))
            for a, v, b in zip(case.lower, x, case.upper, strict=True)
        ]
        if case.constraint is not None:
            atoms.append(_term(case.constraint, x, y) <= 0)
        worst = [z3.And([_term(form, x, y) < rational(t) for form in forms]) for forms in case.disjuncts]
        cases.append(z3.And([*atoms, z3.Or(worst)]))
    solver = z3.Solver()
    solver.set("timeout", 20_000)
    solver.add(*definitions, z3.Or(cases))
    return solver.check()


def _term(form: Form, x: list[z3.ArithRef], y: list[z3.ArithRef]) -> z3.ArithRef:
    terms = [rational(c) * x[i] for i, c in form.inputs] + [rational(c) * y[i] for i, c in form.outputs]
    return z3.Sum([*terms, rational(form.constant)])


def test_z3_proves_the_optima() -> None:
    """Nothing is below the optimum, and something is below any larger value."""
    decided = 0
    for number in range(24):
        rng = np.random.default_rng([9, number])
        network = random_network(rng)
        if network.neurons > 10 or network.program.n_inputs > 3:
            continue  # z3 takes minutes
        question = random_question(rng, network.program.n_inputs, len(network.program.outputs))
        found = optimum(network.program, question, 5.0)
        if found is None:
            assert z3_below(network.program, question, Fraction(10**9)) != z3.sat
            continue
        below = z3_below(network.program, question, found.value)
        assert below != z3.sat, number
        assert z3_below(network.program, question, found.value + Fraction(1, 10**30)) != z3.unsat, number
        decided += below == z3.unsat
    assert decided >= 5


def test_only_finite_decimals_are_written() -> None:
    with pytest.raises(ValueError, match="1/3"):
        decimal(Fraction(1, 3))


@pytest.mark.parametrize(
    ("value", "text"),
    [("0", "0.0"), ("-0.125", "-0.125"), ("1/8", "0.125"), ("12", "12.0"), ("-1/1000", "-0.001")],
)
def test_decimals_are_written_exactly(value: str, text: str) -> None:
    assert decimal(Fraction(value)) == text
    assert Fraction(text) == Fraction(value)


def test_finite_decimals_are_recognized() -> None:
    assert finite_decimal(Fraction(3, 8))
    assert finite_decimal(Fraction(1, 10**40))
    assert not finite_decimal(Fraction(1, 10**41))
    assert not finite_decimal(Fraction(1, 3))
