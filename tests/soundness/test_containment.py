"""Bounds contain the exact values, compared as rationals without any tolerance."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hybrid_ai.bounds import FlatNetwork, flatten
from hybrid_ai.network import evaluate_exact, load_model
from hybrid_ai.search.problem import round_down, round_up
from tests.differential.oracle import Domain, minimum
from tests.soundness.backends import BACKENDS, Backend, NodeBounds, unbounded
from tests.soundness.random_networks import (
    WEIGHTS,
    Drawn,
    draw,
    network,
    point,
    pre_activations,
    program,
    stage,
)
from tests.unit.network.builder import model, node

NETWORKS = 25
POINTS = 12


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]


def box(drawn: Drawn) -> tuple[np.ndarray, np.ndarray]:
    return np.array([round_down(v) for v in drawn.lower]), np.array([round_up(v) for v in drawn.upper])


def violations(found: NodeBounds, before: list[Fraction], after: list[Fraction]) -> list[str]:
    """Where an exact value lies outside its bounds or its two lines, or is larger than its magnitude."""
    wrong = []
    for i, (z, h) in enumerate(zip(before, after, strict=True)):
        low, high, flat, steep, more, size, error = (Fraction(float(column[i])) for column in found)
        if not low <= z <= high:
            wrong.append(f"position {i}: {float(z)!r} not in [{float(low)!r}, {float(high)!r}]")
        if not (flat * z <= h <= steep * (z + error) + more):
            wrong.append(f"position {i}: the lines miss {float(h)!r} at {float(z)!r}")
        if abs(h) > size:
            wrong.append(f"position {i}: {float(h)!r} is larger than {float(size)!r}")
    return wrong


@pytest.mark.parametrize("style", sorted(WEIGHTS))
def test_bounds_and_lines_contain_exact_values(style: str, backend: Backend) -> None:
    rng = np.random.default_rng(20)
    bounded = 0
    for _ in range(NETWORKS):
        drawn = draw(rng, WEIGHTS[style])
        flat = flatten(drawn.staged)
        found = backend.bound(flat.net, *box(drawn), unbounded(flat.net))
        points = [point(rng, drawn) for _ in range(POINTS)]
        if found is None:
            continue
        bounded += 1
        for x in points:
            assert violations(found, *pre_activations(drawn.staged, x)) == []
    assert bounded > NETWORKS // 3


def _forms() -> dict[str, bytes]:
    """Forms over several groups: skip, negative slopes, clipping, weights that are no doubles."""
    rng = np.random.default_rng(4)
    constants = {"w": rng.normal(size=(3, 5)), "v": rng.normal(size=(5, 5)), "seven": np.array(7.0)}
    begin = [node("MatMul", "x w", "a"), node("Div", "a seven", "b")]
    skip = [node("Relu", "b", "c"), node("MatMul", "c v", "d"), node("Relu", "d", "e"), node("Add", "c e")]
    leaky = [
        node("LeakyRelu", "b", "c", alpha=0.1),
        node("MatMul", "c v", "d"),
        node("LeakyRelu", "d", alpha=0.3),
    ]
    clip = [node("Clip", "b low high", "c"), node("MatMul", "c v", "d"), node("Clip", "d low high")]
    ends = {"low": np.array(-0.1), "high": np.array(0.3)}
    return {
        "skip": model([*begin, *skip], constants, x=(1, 3), y=(1, 5)),
        "leaky": model([*begin, *leaky], constants, x=(1, 3), y=(1, 5)),
        "clip": model([*begin, *clip], constants | ends, x=(1, 3), y=(1, 5)),
    }


FORMS = _forms()


@pytest.mark.parametrize("name", sorted(FORMS))
def test_forms_of_models_are_contained(name: str, backend: Backend) -> None:
    rng = np.random.default_rng(8)
    staged = load_model(FORMS[name]).staged
    flat = flatten(staged)
    for low, width in ((-1, 2), (0, 1), (Fraction(1, 3), Fraction(1, 10)), (-5, 0)):
        drawn = Drawn(staged, (Fraction(low),) * 3, (Fraction(low) + width,) * 3)
        found = backend.bound(flat.net, *box(drawn), unbounded(flat.net))
        assert found is not None
        for _ in range(POINTS):
            x = point(rng, drawn)
            before, after = pre_activations(staged, x)
            assert after[-5:] == evaluate_exact(staged, x)
            assert violations(found, before, after) == []


def exact_row(rng: np.random.Generator, total: int) -> tuple[list[Fraction], Fraction]:
    """Non-dyadic coefficients over all groups, some of them zero, and a constant."""
    coefficients = [Fraction(int(rng.integers(-20, 21)), 7) * int(rng.random() < 0.6) for _ in range(total)]
    return coefficients, Fraction(int(rng.integers(-50, 50)), 3)


@pytest.mark.parametrize("style", ["eighths", "thirds", "normal"])
def test_rows_stay_below_the_exact_minimum(style: str, backend: Backend) -> None:
    """The minimum is the oracle's, which goes through the activation patterns in rational arithmetic."""
    rng = np.random.default_rng(5)
    for _ in range(8):
        drawn = draw(rng, WEIGHTS[style], most_inputs=2, most_width=3)
        flat = flatten(drawn.staged)
        coefficients, constant = exact_row(rng, flat.total)
        table = np.array([[float(c) for c in coefficients]])
        rows = backend.rows(flat.net, *box(drawn), unbounded(flat.net), table, np.array([float(constant)]))
        same, places = program(drawn.staged)
        row = ((0, constant), *((p, c) for p, c in zip(places, coefficients, strict=True) if c))
        best = minimum(Domain(drawn.lower, drawn.upper), same.steps, [[row]], 20.0)
        assert best is not None
        assert Fraction(float(rows.value[0])) - Fraction(float(rows.lost[0])) <= best.value


@pytest.mark.parametrize("style", sorted(WEIGHTS))
def test_rows_stay_below_exact_values(style: str, backend: Backend) -> None:
    rng = np.random.default_rng(6)
    for _ in range(NETWORKS):
        drawn = draw(rng, WEIGHTS[style])
        flat = flatten(drawn.staged)
        coefficients, constant = exact_row(rng, flat.total)
        points = [point(rng, drawn) for _ in range(4)]
        if backend.bound(flat.net, *box(drawn), unbounded(flat.net)) is None:
            continue
        table = np.array([[float(c) for c in coefficients]])
        rows = backend.rows(flat.net, *box(drawn), unbounded(flat.net), table, np.array([float(constant)]))
        for x in points:
            after = pre_activations(drawn.staged, x)[1]
            value = constant + sum(c * h for c, h in zip(coefficients, after, strict=True))
            assert Fraction(float(rows.value[0])) - Fraction(float(rows.lost[0])) <= value


def test_rounding_alone_is_covered(backend: Backend) -> None:
    """A pinned input: whatever the bounds miss is rounding. Large terms cancel in sums of every kind."""
    big, one, third = Fraction(10**16), Fraction(1), Fraction(1, 3)
    hidden = stage("linear", {0: [[big, third], [-big, third], [third, third]]}, [third, third, -third])
    output = stage(
        "relu", {1: [[one, one, third], [third, third, big]], 0: [[third, -big], [one, one]]}, [third] * 2
    )
    point_box = (Fraction(1, 3), Fraction(-5, 7))
    drawn = Drawn(network(2, hidden, output), point_box, point_box)
    flat = flatten(drawn.staged)
    found = backend.bound(flat.net, *box(drawn), unbounded(flat.net))
    assert found is not None
    assert violations(found, *pre_activations(drawn.staged, list(point_box))) == []


def _chain(*factors: float) -> FlatNetwork:
    stages = [stage("relu", {k: [[Fraction(f)]]}, [Fraction(0)]) for k, f in enumerate(factors)]
    return flatten(network(1, *stages))


@pytest.mark.parametrize("factors", [(1e20, 1e20), (1e308, 1e308), (1e300, 1e-300)])
def test_magnitudes_out_of_range_are_refused(factors: tuple[float, ...], backend: Backend) -> None:
    flat = _chain(*factors)
    assert backend.bound(flat.net, np.array([-1.0]), np.array([1.0]), unbounded(flat.net)) is None


@pytest.mark.parametrize("end", [np.inf, np.nan])
def test_a_box_without_finite_ends_is_refused(end: float, backend: Backend) -> None:
    flat = _chain(1.0)
    assert backend.bound(flat.net, np.array([-1.0]), np.array([end]), unbounded(flat.net)) is None


@pytest.mark.parametrize("other", [1, -1])
def test_an_overflowing_coefficient_shows_nothing(other: int, backend: Backend) -> None:
    """Every value is small, but coefficients on the input are infinite, or their sum is undefined."""
    tiny, large = Fraction(1e-300), Fraction(1e200)
    first = stage("linear", {0: [[tiny], [tiny]]}, [Fraction(0)] * 2)
    second = stage("relu", {1: [[large, other * large]]}, [Fraction(0)])
    drawn = Drawn(network(1, first, second), (Fraction(-1),), (Fraction(1),))
    flat = flatten(drawn.staged)
    assert backend.bound(flat.net, *box(drawn), unbounded(flat.net)) is not None
    table = np.array([[0.0, 0.0, 0.0, -1e300]])
    rows = backend.rows(flat.net, *box(drawn), unbounded(flat.net), table, np.zeros(1))
    assert not rows.value[0] - rows.lost[0] > 0.0


def test_children_are_bounded_within_their_parent(backend: Backend) -> None:
    rng = np.random.default_rng(11)
    for _ in range(NETWORKS):
        drawn = draw(rng, WEIGHTS["normal"])
        flat = flatten(drawn.staged)
        lower, upper = box(drawn)
        parent = backend.bound(flat.net, lower, upper, unbounded(flat.net))
        assert parent is not None
        half = upper.copy()
        half[0] = 0.5 * (lower[0] + upper[0])
        child = backend.bound(flat.net, lower, half, np.stack([parent.lower, parent.upper]))
        assert child is not None
        hidden = flat.neuron >= 0
        assert np.all(child.lower[hidden] >= parent.lower[hidden])
        assert np.all(child.upper[hidden] <= parent.upper[hidden])


@pytest.mark.parametrize("style", ["normal", "eighths"])
def test_the_backends_agree_within_their_error_terms(style: str) -> None:
    rng = np.random.default_rng(12)
    compared = 0
    for _ in range(NETWORKS):
        drawn = draw(rng, WEIGHTS[style])
        flat = flatten(drawn.staged)
        a, b = (BACKENDS[name].bound(flat.net, *box(drawn), unbounded(flat.net)) for name in sorted(BACKENDS))
        assert (a is None) == (b is None)
        if a is None or b is None or not np.array_equal(a.low_slope, b.low_slope):
            continue  # out of range, or rounding decided a slope: bounds may then differ by more
        compared += 1
        room = 1e-9 * (
            1.0 + max(float(np.abs(flat.net.weights).max(initial=0.0)), 1.0) ** 2 * a.magnitude.max()
        )
        assert np.allclose(a.lower, b.lower, rtol=1e-9, atol=room)
        assert np.allclose(a.upper, b.upper, rtol=1e-9, atol=room)
    assert compared > NETWORKS // 2


def test_inputs_beyond_the_range_are_refused_or_contained(backend: Backend) -> None:
    """Underflow of a coefficient, times an input of 1e300, is no longer covered by the error terms."""
    small, smaller = Fraction(1e-100), Fraction(1e-280)
    first = stage("linear", {0: [[smaller]]}, [Fraction(0)])
    second = stage("relu", {1: [[small]]}, [-Fraction(1.5e300) * small * smaller])
    drawn = Drawn(network(1, first, second), (Fraction(1e300),), (Fraction(2e300),))
    flat = flatten(drawn.staged)
    found = backend.bound(flat.net, *box(drawn), unbounded(flat.net))
    if found is not None:
        assert violations(found, *pre_activations(drawn.staged, drawn.upper)) == []
