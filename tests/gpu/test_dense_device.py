"""The dense CUDA kernels, in the simulator: bounds contain exact values, and are the reference's."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest

from hybrid_ai.bounds import flatten
from hybrid_ai.bounds.backends import reference
from hybrid_ai.bounds.dense import METHODS, Precision, Slopes
from hybrid_ai.network import StagedNetwork
from tests.gpu.simulator import Case, Simulator, simulating
from tests.soundness.random_networks import WEIGHTS, Drawn, draw, network, point, pre_activations, stage
from tests.soundness.test_dense import WAYS, boxes_of, ends, generic_ends, misses

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
PLAIN = [("interval", "format", True), ("crown_interval", "format", False), ("crown", "area", False)]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with simulating() as running:
        yield running


def outputs(drawn: Drawn, x: list[Fraction]) -> list[Fraction]:
    """The last stage's exact pre-activations at a point."""
    return pre_activations(drawn.staged, x)[1][-drawn.staged.n_outputs :]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("style", sorted(WEIGHTS))
def test_bounds_contain_exact_values(simulator: Simulator, style: str, precision: Precision) -> None:
    rng = np.random.default_rng(32)
    for _ in range(2 if precision == "single" else 1):
        boxes = boxes_of(rng, draw(rng, WEIGHTS[style], chain=True), 3)
        staged, lower_upper = boxes[0].staged, ends(boxes)
        for found in simulator([Case(staged, precision, *lower_upper, *way) for way in PLAIN]):
            for k, box in enumerate(boxes):
                values = [outputs(box, point(rng, box)) for _ in range(4)]
                if staged.stages[-1].kind == "relu":
                    values = [[max(v, Fraction(0)) for v in value] for value in values]
                assert [wrong for value in values for wrong in misses(found, k, value)] == []


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rounding_alone_is_covered(simulator: Simulator, precision: Precision) -> None:
    """Pinned inputs and large terms that cancel: whatever the bounds miss is rounding."""
    rng = np.random.default_rng(3)
    big, third = Fraction(10**7), Fraction(1, 3)
    cases, exact = [], []
    for _ in range(8):
        values = iter([Fraction(int(v), 7) for v in rng.integers(-20, 20, 40)])
        first = [[big * next(values), -big, next(values)] for _ in range(4)]
        second = [[next(values) for _ in range(4)] for _ in range(3)]
        staged = network(
            3,
            stage("relu", {0: first}, [third, -third, big, -big]),
            stage("relu", {1: second}, [third] * 3),
            stage("linear", {2: [[big, -big, third], [third, third, -big]]}, [third, big]),
        )
        x = [Fraction(int(v), 11) for v in rng.integers(-9, 9, 3)]
        cases.append(Case(staged, precision, *ends([Drawn(staged, tuple(x), tuple(x))]), intersect=False))
        exact.append(pre_activations(staged, x)[1][-2:])
    for found, values in zip(simulator(cases), exact, strict=True):
        assert misses(found, 0, values) == []
        assert np.all(np.isfinite(found.lower))


def cancelling(rng: np.random.Generator, precision: Precision, sign: int) -> StagedNetwork:
    """Large weights cancel in each neuron and in the coefficients of the sum or difference of two neurons."""
    scale = 2**24 if precision == "single" else 2**53
    one, large = Fraction(1), Fraction(int(rng.integers(10**5, 10**6)) * scale, 7 * 10**5)
    small = [Fraction(int(k), 7) for k in rng.integers(-9, 9, 3)]
    rows = [[large, small[0] - large], [-sign * (large + small[1]), -sign * (small[2] - large)]]
    hidden = stage("linear", {0: rows}, [one, sign * one])
    return network(2, hidden, stage("linear", {1: [[one, sign * one]]}, [Fraction(0)]))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_what_a_neuron_is_charged_is_needed(simulator: Simulator, sign: int, precision: Precision) -> None:
    """Neither the row's own charge nor that at the input covers the weights' rounding: each neuron must."""
    rng, x = np.random.default_rng(4), (Fraction(1), Fraction(1))
    networks = [cancelling(rng, precision, sign) for _ in range(12)]
    pinned = [Drawn(staged, x, x) for staged in networks]
    cases = [Case(box.staged, precision, *ends([box]), intersect=False) for box in pinned]
    for found, box in zip(simulator(cases), pinned, strict=True):
        assert misses(found, 0, outputs(box, list(x))) == []


def test_without_error_terms_the_same_values_are_missed(simulator: Simulator) -> None:
    """What the tests above look for is there to be found: plain single precision is wrong by rounding."""
    rng = np.random.default_rng(3)
    pinned = []
    for _ in range(10):
        drawn = draw(rng, WEIGHTS["normal"], chain=True)
        x = tuple(point(rng, drawn))
        pinned.append(Drawn(drawn.staged, x, x))
    found = simulator([Case(box.staged, "single", *ends([box]), sound=False) for box in pinned])
    missed = [misses(one, 0, outputs(box, list(box.lower))) for one, box in zip(found, pinned, strict=True)]
    assert sum(map(len, missed)) > 2


def test_double_precision_gives_what_the_reference_gives(simulator: Simulator) -> None:
    rng = np.random.default_rng(9)
    for style in ("normal", "thirds"):
        staged = draw(rng, WEIGHTS[style], 4, 8, chain=True).staged
        lower, upper = generic_ends(rng, staged.n_inputs, 2)
        cases = [Case(staged, "double", lower, upper, *way) for way in WAYS]
        for case, found in zip(cases, simulator(cases), strict=True):
            wanted = reference.bound_boxes(
                flatten(staged).net, lower, upper, case.method, case.slopes == "area", case.intersect
            )
            for mine, theirs in zip(found, wanted, strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_layout_of_a_real_device_gives_the_same_bits(simulator: Simulator, precision: Precision) -> None:
    """Threads and staged rows change who computes what when, not what is computed."""
    rng = np.random.default_rng(12)
    widths = [3, 8, 8, 2]
    stages = [
        stage(
            "relu" if k < 2 else "linear",
            {k: [[Fraction(rng.normal()) for _ in range(widths[k])] for _ in range(widths[k + 1])]},
            [Fraction(rng.normal()) for _ in range(widths[k + 1])],
        )
        for k in range(3)
    ]
    boxes = generic_ends(rng, 3, 5)
    layouts = (None, (16, 4), (5, 3))
    first, *others = simulator([Case(network(3, *stages), precision, *boxes, layout=one) for one in layouts])
    for other in others:
        np.testing.assert_array_equal(first.lower, other.lower)
        np.testing.assert_array_equal(first.upper, other.upper)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("factors", [(1e20, 1e20), (1e29, 1e29, 1e-29, 1e-29), (1e28, 1e28, 1e28)])
def test_magnitudes_out_of_range_show_nothing(
    simulator: Simulator, factors: tuple[float, ...], precision: Precision
) -> None:
    stages = [stage("relu", {k: [[Fraction(f)]]}, [Fraction(0)]) for k, f in enumerate(factors)]
    staged = network(1, *stages, stage("linear", {len(factors): [[Fraction(1)]]}, [Fraction(0)]))
    lower, upper = np.array([[-1.0], [0.0]]), np.array([[1.0], [0.0]])
    ways: list[tuple[str, Slopes, bool]] = [
        ("interval", "format", True),
        ("crown_interval", "format", True),
        ("crown", "format", False),
    ]
    for found in simulator([Case(staged, precision, lower, upper, *way) for way in ways]):
        assert found.upper[0, 0] == np.inf
        assert found.lower[1, 0] <= 0.0 <= found.upper[1, 0]  # its neighbour in the same block
        assert precision == "single" or found.upper[1, 0] < 1e-100


@pytest.mark.parametrize("end", [np.inf, np.nan, 1e300])
def test_a_box_without_usable_ends_shows_nothing(simulator: Simulator, end: float) -> None:
    staged = network(1, stage("linear", {0: [[Fraction(1)]]}, [Fraction(0)]))
    ends_ = np.array([[0.0]]), np.array([[end]])
    for found in simulator([Case(staged, one, *ends_, method) for one in PRECISIONS for method in METHODS]):
        assert (found.lower[0, 0], found.upper[0, 0]) == (-np.inf, np.inf)


def test_underflow_counts_as_much_as_the_values_that_it_meets(simulator: Simulator) -> None:
    """The output's coefficient on the input underflows, the input is large, their product is neither."""
    tiny, x = Fraction(1, 10**23), Fraction(10**29)
    hidden = stage("linear", {0: [[tiny]]}, [Fraction(0)])
    staged = network(1, hidden, stage("linear", {1: [[tiny]]}, [Fraction(0)]))
    pinned = Drawn(staged, (x,), (x,))
    found = simulator([Case(staged, "single", *ends([pinned]), intersect=False)])[0]
    assert misses(found, 0, outputs(pinned, [x])) == []


def test_boxes_are_rounded_outward(simulator: Simulator) -> None:
    """Without error terms, and with a weight that rounds nothing, only the boxes can lose anything."""
    staged = network(1, stage("linear", {0: [[Fraction(1)]]}, [Fraction(0)]))
    ends_ = np.array([[0.1], [-0.1], [16777217.0]])
    found = simulator([Case(staged, "single", ends_, ends_, "crown", "format", False, sound=False)])[0]
    assert np.all(found.lower < ends_) and np.all(ends_ < found.upper)


def test_lower_slopes_are_those_asked_for(simulator: Simulator) -> None:
    """Where 63/64 < U / -L < 1 the two rules differ: slope 1 gives the lower bound L, slope 0 gives 0."""
    one = [[Fraction(1)]]
    staged = network(1, stage("relu", {0: one}, [Fraction(0)]), stage("linear", {1: one}, [Fraction(0)]))
    box = np.array([[-1.0]]), np.array([[0.99]])
    rules: tuple[Slopes, ...] = ("format", "area")
    by_format, by_area = simulator([Case(staged, "single", *box, "crown", rule, False) for rule in rules])
    assert by_format.lower[0, 0] == pytest.approx(-1.0, abs=1e-4)
    assert by_area.lower[0, 0] == pytest.approx(0.0, abs=1e-4)
