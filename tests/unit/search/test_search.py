"""What the search ends with, and that both engines of the checker accept every claim."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hybrid_ai.certificate import Close, Combination, Cut, Leaf, Row, Split, SplitNeuron, Tighten
from hybrid_ai.network import evaluate, load_model
from hybrid_ai.search import Claimed, Outcome, Refuted
from hybrid_ai.search.backend import Backend
from hybrid_ai.spec import read_vnnlib
from tests.unit.network.builder import model, node
from tests.unit.search.problems import Asked, accepted_by, dense, search, trees, vnnlib

BACKENDS: tuple[Backend, ...] = ("compiled", "reference")


def claimed(asked: Asked, outcome: Outcome) -> bytes:
    """The certificate, which both engines accept and which reads back to steps."""
    assert isinstance(outcome, Claimed), outcome
    assert accepted_by(asked, outcome.certificate) == ["valid", "valid"]
    leaves = [s for tree in trees(asked, outcome.certificate) for s in tree if isinstance(s.step, Leaf)]
    assert len(leaves) == outcome.effort.leaves
    return outcome.certificate


def refuted(asked: Asked, outcome: Outcome) -> Refuted:
    assert isinstance(outcome, Refuted), outcome
    assert read_vnnlib(asked.text).holds_unsafe(outcome.x, outcome.outputs)
    return outcome


def extremes(data: bytes, low: float, high: float) -> tuple[float, float]:
    """Least and greatest first output at random points of the box."""
    loaded = load_model(data)
    x = np.random.default_rng(0).uniform(low, high, (4000, loaded.n_inputs))
    y = evaluate(loaded.staged, x)[:, 0]
    return float(y.min()), float(y.max())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(6))
def test_random_networks(seed: int, backend: Backend) -> None:
    data = dense([2, 6, 5, 2], seed)
    least, most = extremes(data, -0.5, 0.7)
    box = [("-0.5", "0.7")] * 2
    room = 0.1 * (most - least) + 1e-3
    holds = Asked(
        data,
        vnnlib(2, 2, f"(or (and (<= Y_0 {least - room:.6f})) (and (>= Y_0 {most + room:.6f})))", bounds=box),
    )
    claimed(holds, search(holds, backend=backend))
    fails = Asked(data, vnnlib(2, 2, f"(>= Y_0 {0.5 * (least + most):.6f})", bounds=box))
    refuted(fails, search(fails, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_that_close_only_together(backend: Backend) -> None:
    """y0 = x and y1 = -x: each can be below zero, never both."""
    data = model([node("MatMul", "x w")], {"w": np.array([[1.0, -1.0]])}, x=(1, 1), y=(1, 2))
    asked = Asked(data, vnnlib(1, 2, "(<= Y_0 -0.1)", "(<= Y_1 -0.1)", bounds=[("-1", "1")]))
    certificate = claimed(asked, search(asked, backend=backend))
    (step,) = (s.step for s in trees(asked, certificate)[0])
    assert isinstance(step, Leaf)
    (closing,) = step.closings
    assert isinstance(closing, Combination)
    assert [row for row, _ in closing.rows] == [0, 1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_input_constraints_close_and_are_respected(backend: Backend) -> None:
    data = dense([2, 4, 1], 5)
    least, most = extremes(data, 0.0, 1.0)
    # Where x0 + x1 <= -0.1 the box is empty; which no row on outputs can show.
    vacuous = Asked(
        data, vnnlib(2, 1, "(<= (+ X_0 X_1) -0.1)", f"(>= Y_0 {least:.6f})", bounds=[("0", "1")] * 2)
    )
    certificate = claimed(vacuous, search(vacuous, backend=backend))
    (step,) = (s.step for s in trees(vacuous, certificate)[0])
    assert isinstance(step, Leaf) and step.closings == (Combination((), ((0, Fraction(1)),)),)
    reachable = Asked(
        data, vnnlib(2, 1, "(<= (+ X_0 X_1) 0.5)", f"(<= Y_0 {most:.6f})", bounds=[("0", "1")] * 2)
    )
    found = refuted(reachable, search(reachable, backend=backend))
    assert found.x[0] + found.x[1] <= Fraction(1, 2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_several_polytopes_and_a_repeated_one(backend: Backend) -> None:
    data = dense([2, 5, 1], 2)
    least, most = extremes(data, -1.0, 1.0)
    low, high = f"{least - 1.0:.4f}", f"{most + 1.0:.4f}"
    first = f"(and (>= X_0 -1) (<= X_0 0) (>= X_1 -1) (<= X_1 1) (<= Y_0 {low}))"
    second = f"(and (>= X_0 0) (<= X_0 1) (>= X_1 0) (<= X_1 0) (>= Y_0 {high}))"
    empty = "(and (>= X_0 1) (<= X_0 0) (>= X_1 0) (<= X_1 0) (>= Y_0 0))"
    asked = Asked(data, vnnlib(2, 1, f"(or {first} {second} {empty} {first})"))
    certificate = claimed(asked, search(asked, backend=backend))
    assert len(trees(asked, certificate)) == 2


def test_a_property_whose_every_box_is_empty_needs_no_tree() -> None:
    data = dense([1, 2, 1], 0)
    asked = Asked(data, vnnlib(1, 1, "(<= Y_0 0)", bounds=[("1", "0")]))
    assert trees(asked, claimed(asked, search(asked))) == ()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_property_without_outputs_is_refuted_by_any_input(backend: Backend) -> None:
    data = dense([2, 3, 1], 1)
    asked = Asked(data, vnnlib(2, 1, bounds=[("0", "1")] * 2))
    refuted(asked, search(asked, backend=backend))
    constrained = Asked(data, vnnlib(2, 1, "(<= (+ X_0 X_1) 0.01)", bounds=[("0", "1")] * 2))
    refuted(constrained, search(constrained, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_network_without_relu(backend: Backend) -> None:
    data = model(
        [node("Gemm", "x w b")], {"w": np.array([[2.0], [-1.0]]), "b": np.array([0.5])}, x=(1, 2), y=(1, 1)
    )
    holds = Asked(data, vnnlib(2, 1, "(< Y_0 -0.5)", bounds=[("0", "1")] * 2))
    outcome = search(holds, backend=backend, seconds=3)
    assert not isinstance(outcome, Refuted)  # the optimum is -0.5 itself: nothing rounded can show it
    near = Asked(data, vnnlib(2, 1, "(<= Y_0 -0.500001)", bounds=[("0", "1")] * 2))
    certificate = claimed(near, search(near, backend=backend))
    assert len(trees(near, certificate)[0]) == 1
    fails = Asked(data, vnnlib(2, 1, "(<= Y_0 -0.5)", bounds=[("0", "1")] * 2))
    assert refuted(fails, search(fails, backend=backend)).x == (0, 1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_counterexample_is_made_of_doubles_within_the_box(backend: Backend) -> None:
    """A bound that was rounded outward keeps it from the sliver that was added: here beyond one third."""
    data = model([node("Gemm", "x w")], {"w": np.array([[1.0], [1.0]])}, x=(1, 2), y=(1, 1))
    third = "0." + 29 * "3" + "4"
    asked = Asked(data, vnnlib(2, 1, "(>= Y_0 0.66)", bounds=[("-" + third, third)] * 2))
    found = refuted(asked, search(asked, backend=backend)).x
    assert all(Fraction(float(value)) == value < Fraction(1, 3) for value in found)
    fine = Asked(data, vnnlib(2, 1, "(>= Y_0 2)", bounds=[("1", "1"), ("0.2", "1")]))
    assert refuted(fine, search(fine, backend=backend)).x == (1, 1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_counterexample_at_a_face_alone_is_found(backend: Backend) -> None:
    data = model([node("Gemm", "x w")], {"w": np.array([[1.0], [1.0]])}, x=(1, 2), y=(1, 1))
    asked = Asked(data, vnnlib(2, 1, "(>= Y_0 0.2)", bounds=[("0", "0.1")] * 2))
    assert refuted(asked, search(asked, backend=backend)).x == (Fraction(1, 10), Fraction(1, 10))


def test_a_point_that_violates_exactly_goes_before_one_of_float32_alone() -> None:
    """Float32 rounds the double below a tenth up to it; the face itself violates in real arithmetic."""
    data = model([node("Identity", "x")], x=(1, 1), y=(1, 1))
    asked = Asked(data, vnnlib(1, 1, "(>= Y_0 0.1)", bounds=[("0", "0.1")]))
    found = refuted(asked, search(asked, arithmetic="both", runtime=lambda x: x))
    assert found.exactly and found.x == (Fraction(1, 10),)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_output_may_be_the_input(backend: Backend) -> None:
    data = model([node("Identity", "x")], x=(1, 2), y=(1, 2))
    asked = Asked(data, vnnlib(2, 2, "(<= (+ Y_0 Y_1) 0.9)", bounds=[("0.5", "1")] * 2))
    claimed(asked, search(asked, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_large_terms_that_cancel_on_an_output_that_is_the_input(backend: Backend) -> None:
    """(10^16 + 1) X_0 - 10^16 Y_0 is X_0: at least 1.5 nowhere on [0.5, 1], but no double says so."""
    data = model([node("Identity", "x")], x=(1, 1), y=(1, 1))
    row = "(>= (+ (* 10000000000000001 X_0) (* -10000000000000000 Y_0)) 1.5)"
    asked = Asked(data, vnnlib(1, 1, row, bounds=[("0.5", "1")]))
    outcome = search(asked, backend=backend, seconds=3)
    assert not isinstance(outcome, Claimed) or accepted_by(asked, outcome.certificate) == ["valid", "valid"]


@pytest.mark.clock
@pytest.mark.parametrize("literals", [("(* 1e400 Y_0)", "1"), ("Y_0", "1e400")])
def test_literals_beyond_the_doubles(literals: tuple[str, str]) -> None:
    data = dense([1, 1], 0)
    asked = Asked(data, vnnlib(1, 1, f"(<= {literals[0]} -1)", bounds=[("0", literals[1])]))
    assert search(asked, seconds=3).effort.seconds < 4.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_axes_above_63_and_many_inputs(backend: Backend) -> None:
    """|x69 + 0.3| is not negative: no phase closes it alone, so an axis above 63 is split or cut."""
    weights = np.zeros((70, 2))
    weights[69] = 1.0, -1.0
    constants = {"w": weights, "b": np.array([0.3, -0.3]), "v": np.array([[1.0], [1.0]])}
    nodes = [node("Gemm", "x w b", "z"), node("Relu", "z", "h"), node("MatMul", "h v", "y")]
    data = model(nodes, constants, x=(1, 70), y=(1, 1))
    asked = Asked(data, vnnlib(70, 1, "(<= Y_0 -0.05)", bounds=[("-1", "1")] * 70))
    certificate = claimed(asked, search(asked, backend=backend))
    steps = [s.step for s in trees(asked, certificate)[0]]
    assert any(isinstance(s, SplitNeuron) for s in steps)
    assert {s.axis for s in steps if isinstance(s, Split | Cut)} == {69}


def test_every_kind_of_step_that_the_search_writes_reads_back() -> None:
    kinds: set[type] = set()
    closings: set[type] = set()
    for seed in range(8):
        data = dense([3, 8, 8, 3], seed, spread=1.4)
        least, most = extremes(data, -1.0, 1.0)
        row = f"(or (and (<= Y_0 {least - 0.2:.5f}) (<= Y_1 Y_2)) (and (>= Y_0 {most + 0.3:.5f})))"
        asked = Asked(data, vnnlib(3, 3, row, bounds=[("-1", "1")] * 3))
        outcome = search(asked)
        if isinstance(outcome, Claimed):
            for placed in trees(asked, claimed(asked, outcome))[0]:
                kinds.add(type(placed.step))
                if isinstance(placed.step, Leaf | Cut):
                    closings |= {type(c) for c in placed.step.closings}
    assert kinds >= {Leaf, Cut, Split, Close}
    assert kinds <= {Leaf, Cut, Split, Close, Tighten, SplitNeuron}
    assert closings == {Row, Combination}
