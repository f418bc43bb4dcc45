"""The dense kernels: bounds contain exact values in both precisions; they are the reference's."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import get_args

import numpy as np
import pytest

from hybrid_ai.bounds import flatten
from hybrid_ai.bounds.backends import reference
from hybrid_ai.bounds.backends.lanes import lane_count
from hybrid_ai.bounds.boxes import OutputBounds, bound_boxes, time_boxes_without_errors
from hybrid_ai.bounds.dense import (
    DTYPES,
    METHODS,
    NotDense,
    Precision,
    Slopes,
    pack,
    pack_without_errors,
)
from hybrid_ai.network import StagedNetwork
from hybrid_ai.search.problem import round_down, round_up
from tests.soundness.random_networks import WEIGHTS, Drawn, draw, network, point, pre_activations, stage

PRECISIONS = get_args(Precision)
WAYS = [
    (method, slopes, intersect)
    for method, slopes, intersect in product(METHODS, get_args(Slopes), (True, False))
    if method != "interval" or (slopes == "format" and intersect)
]
NETWORKS, POINTS = 12, 4


def prefixes(staged: StagedNetwork) -> list[StagedNetwork]:
    """The network up to each of its stages: bounds of every group are those of some output."""
    return [
        replace(staged, stages=staged.stages[:k], output_group=k, group_sizes=staged.group_sizes[: k + 1])
        for k in range(1, len(staged.stages) + 1)
    ]


def boxes_of(rng: np.random.Generator, drawn: Drawn, count: int) -> list[Drawn]:
    """The box itself, points of it, and boxes between two of its points."""
    found = [drawn]
    for k in range(count - 1):
        ends = [point(rng, drawn), point(rng, drawn)]
        lower, upper = ([f(pair) for pair in zip(*ends, strict=True)] for f in (min, max))
        found.append(Drawn(drawn.staged, tuple(lower), tuple(lower if k % 3 == 0 else upper)))
    return found


def ends(boxes: list[Drawn]) -> tuple[np.ndarray, np.ndarray]:
    lower = np.array([[round_down(v) for v in box.lower] for box in boxes])
    return lower, np.array([[round_up(v) for v in box.upper] for box in boxes])


def generic_ends(rng: np.random.Generator, inputs: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes without symmetry: where U = -L rounding may choose either lower slope, and both are right."""
    lower = rng.normal(size=(count, inputs))
    return lower, lower + rng.uniform(0.01, 2.0, size=(count, inputs))


def misses(found: OutputBounds, k: int, exact: list[Fraction]) -> list[str]:
    """Outputs of box ``k`` that lie outside their bounds."""
    wrong = []
    for i, value in enumerate(exact):
        low, high = float(found.lower[k, i]), float(found.upper[k, i])
        assert not np.isnan(low) and not np.isnan(high)
        below = low == -np.inf or Fraction(low) <= value
        above = high == np.inf or value <= Fraction(high)
        if not (below and above):
            wrong.append(f"output {i}: {float(value)!r} not in [{low!r}, {high!r}]")
    return wrong


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("style", sorted(WEIGHTS))
def test_bounds_contain_exact_values(style: str, precision: Precision) -> None:
    rng = np.random.default_rng(31)
    finite = 0
    for _ in range(NETWORKS):
        drawn = draw(rng, WEIGHTS[style], chain=True)
        boxes = boxes_of(rng, drawn, lane_count(DTYPES[precision]) + 1)
        exact = [[pre_activations(box.staged, point(rng, box))[1] for _ in range(POINTS)] for box in boxes]
        places = np.cumsum(drawn.staged.group_sizes)
        for part, first, after in zip(prefixes(drawn.staged), places[:-1], places[1:], strict=True):
            packed = pack(part, precision)
            for method, slopes, intersect in WAYS:
                found = bound_boxes(packed, *ends(boxes), method, slopes=slopes, intersect=intersect)
                finite += int(np.isfinite(found.lower).sum())
                for k, values in enumerate(exact):
                    assert [wrong for value in values for wrong in misses(found, k, value[first:after])] == []
    assert finite > 100


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rounding_alone_is_covered(precision: Precision) -> None:
    """Pinned inputs and large terms that cancel: whatever the bounds miss is rounding."""
    rng = np.random.default_rng(3)
    big, third = Fraction(10**7), Fraction(1, 3)
    for _ in range(20):
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
        pinned = Drawn(staged, tuple(x), tuple(x))
        for method, slopes, intersect in WAYS:
            found = bound_boxes(
                pack(staged, precision), *ends([pinned]), method, slopes=slopes, intersect=intersect
            )
            assert misses(found, 0, pre_activations(staged, x)[1][-2:]) == []
            assert np.all(np.isfinite(found.lower))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_a_neuron_is_charged_is_needed(precision: Precision) -> None:
    """Large weights cancel in each neuron and in the coefficients of the difference of two neurons.

    Neither the row's own charge nor that at the input covers the rounding of the weights: each neuron must.
    """
    rng, scale = np.random.default_rng(4), 2**24 if precision == "single" else 2**53
    one, x = Fraction(1), Fraction(1)
    for _ in range(20):
        large = Fraction(int(rng.integers(10**5, 10**6)) * scale, 7 * 10**5)
        small = [Fraction(int(k), 7) for k in rng.integers(-9, 9, 3)]
        first = [[large, small[0] - large], [large + small[1], small[2] - large]]
        hidden = stage("linear", {0: first}, [one, -one])
        staged = network(2, hidden, stage("linear", {1: [[one, -one]]}, [Fraction(0)]))
        pinned = Drawn(staged, (x, x), (x, x))
        found = bound_boxes(pack(staged, precision), *ends([pinned]), "crown", intersect=False)
        assert misses(found, 0, pre_activations(staged, [x, x])[1][-1:]) == []


def test_without_error_terms_the_same_values_are_missed() -> None:
    """What the tests above look for is there to be found: plain single precision is wrong by rounding."""
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(20):
        drawn = draw(rng, WEIGHTS["normal"], chain=True)
        x = point(rng, drawn)
        pinned = Drawn(drawn.staged, tuple(x), tuple(x))
        packed = pack_without_errors(drawn.staged, "single")
        found = time_boxes_without_errors(packed, *ends([pinned]))
        missed += len(misses(found, 0, pre_activations(drawn.staged, x)[1][-drawn.staged.n_outputs :]))
    assert missed > 5


@pytest.mark.parametrize(("method", "slopes", "intersect"), WAYS)
def test_double_precision_gives_what_the_reference_gives(
    method: str, slopes: Slopes, intersect: bool
) -> None:
    rng = np.random.default_rng(9)
    for style in ("normal", "eighths", "thirds"):
        for _ in range(10):
            drawn = draw(rng, WEIGHTS[style], 6, 12, chain=True)
            lower, upper = generic_ends(rng, drawn.staged.n_inputs, 7)
            found = bound_boxes(
                pack(drawn.staged, "double"), lower, upper, method, slopes=slopes, intersect=intersect
            )
            net = flatten(drawn.staged).net
            wanted = reference.bound_boxes(net, lower, upper, method, slopes == "area", intersect)
            for mine, theirs in zip(found, wanted, strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("method", "slopes", "intersect"), WAYS)
def test_single_precision_is_close_to_double(method: str, slopes: Slopes, intersect: bool) -> None:
    rng = np.random.default_rng(10)
    for _ in range(10):
        drawn = draw(rng, WEIGHTS["eighths"], 6, 12, chain=True)
        boxes = generic_ends(rng, drawn.staged.n_inputs, 11)
        both = [
            bound_boxes(pack(drawn.staged, precision), *boxes, method, slopes=slopes, intersect=intersect)
            for precision in PRECISIONS
        ]
        for single, double in zip(*both, strict=True):
            size = np.abs(np.stack(both[1])).max() + 1.0
            np.testing.assert_allclose(single, double, rtol=0, atol=1e-3 * size)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("factors", [(1e20, 1e20), (1e29, 1e29, 1e-29, 1e-29), (1e28, 1e28, 1e28)])
def test_magnitudes_out_of_range_show_nothing(factors: tuple[float, ...], precision: Precision) -> None:
    stages = [stage("relu", {k: [[Fraction(f)]]}, [Fraction(0)]) for k, f in enumerate(factors)]
    staged = network(1, *stages, stage("linear", {len(factors): [[Fraction(1)]]}, [Fraction(0)]))
    lower, upper = np.array([[-1.0], [0.0]]), np.array([[1.0], [0.0]])
    for method, slopes, intersect in WAYS:
        found = bound_boxes(pack(staged, precision), lower, upper, method, slopes=slopes, intersect=intersect)
        assert found.upper[0, 0] == np.inf
        assert found.lower[1, 0] <= 0.0 <= found.upper[1, 0]  # its neighbour in the same vector
        assert precision == "single" or found.upper[1, 0] < 1e-100


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("end", [np.inf, np.nan, 1e300])
def test_a_box_without_usable_ends_shows_nothing(end: float, precision: Precision) -> None:
    staged = network(1, stage("linear", {0: [[Fraction(1)]]}, [Fraction(0)]))
    for method in METHODS:
        found = bound_boxes(pack(staged, precision), np.array([[0.0]]), np.array([[end]]), method)
        assert (found.lower[0, 0], found.upper[0, 0]) == (-np.inf, np.inf)


def test_boxes_are_rounded_outward() -> None:
    staged = network(1, stage("linear", {0: [[Fraction(1)]]}, [Fraction(0)]))
    ends_ = np.array([[0.1], [-0.1], [1e-300], [-1e-300], [16777217.0]])
    found = bound_boxes(pack(staged, "single"), ends_, ends_, "interval")
    assert np.all(found.lower < ends_) and np.all(ends_ < found.upper)


def test_other_networks_are_refused_with_a_reason() -> None:
    one = [[Fraction(1)]]
    skip = network(
        1, stage("relu", {0: one}, [Fraction(0)]), stage("linear", {0: one, 1: one}, [Fraction(0)])
    )
    with pytest.raises(NotDense, match="stage 2 reads the groups 0, 1, not group 1 alone"):
        pack(skip, "double")
    with pytest.raises(NotDense, match="not that of the last stage"):
        pack(replace(skip, output_group=1), "double")
    with pytest.raises(NotDense, match="a weight or bias of inf in single precision"):
        pack(network(1, stage("linear", {0: [[Fraction(10) ** 60]]}, [Fraction(0)])), "single")


def test_boxes_that_do_not_fit_are_refused() -> None:
    packed = pack(network(1, stage("linear", {0: [[Fraction(1)]]}, [Fraction(0)])), "double")
    with pytest.raises(ValueError, match="expected"):
        bound_boxes(packed, np.zeros((2, 2)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="above its upper end"):
        bound_boxes(packed, np.ones((2, 1)), np.zeros((2, 1)))
