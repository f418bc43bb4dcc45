"""The CUDA C++ kernels on the host: bounds contain exact values, and are those of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from hybrid_ai.bounds import flatten
from hybrid_ai.bounds.backends import reference
from hybrid_ai.bounds.backends.cuda_cpp_layout import BlockedNetwork, geometry, node_geometry, pack_blocked
from hybrid_ai.bounds.dense import METHODS, NotDense, Precision
from hybrid_ai.network import StagedNetwork
from tests.soundness.host_kernels import WIDTHS, HostKernels, run
from tests.soundness.random_networks import WEIGHTS, Drawn, draw, network, point, pre_activations, stage
from tests.soundness.test_dense import PRECISIONS, WAYS, boxes_of, ends, generic_ends, misses, prefixes

NETWORKS, POINTS = 8, 3


def packed(staged: StagedNetwork, precision: Precision) -> BlockedNetwork:
    """For the narrowest kernels that were compiled."""
    width = min(width for width in WIDTHS if width >= max(staged.group_sizes))
    return pack_blocked(staged, precision, width)


def wide(rng: np.random.Generator, *sizes: int) -> StagedNetwork:
    """A chain of these sizes, relu but for the last stage."""
    stages = []
    for k, (inner, size) in enumerate(pairwise(sizes)):
        matrix = [[Fraction(float(w)) for w in row] for row in rng.normal(size=(size, inner)) / inner**0.5]
        bias = [Fraction(float(b)) for b in rng.normal(size=size)]
        stages.append(stage("linear" if k == len(sizes) - 2 else "relu", {k: matrix}, bias))
    return network(sizes[0], *stages)


def test_the_unit_tests_pass_under_the_sanitizers(kernel_folder: Path) -> None:
    output = run(["ctest", "--test-dir", str(kernel_folder), "--output-on-failure", "--no-tests=error"])
    assert "100% tests passed" in output


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("style", sorted(WEIGHTS))
def test_bounds_contain_exact_values(kernels: HostKernels, style: str, precision: Precision) -> None:
    rng = np.random.default_rng(53)
    finite = 0
    for _ in range(NETWORKS):
        drawn = draw(rng, WEIGHTS[style], chain=True)
        boxes = boxes_of(rng, drawn, 5)
        exact = [[pre_activations(box.staged, point(rng, box))[1] for _ in range(POINTS)] for box in boxes]
        places = np.cumsum(drawn.staged.group_sizes)
        for part, first, after in zip(prefixes(drawn.staged), places[:-1], places[1:], strict=True):
            blocked = packed(part, precision)
            for method, slopes, intersect in WAYS:
                found = kernels.bound(blocked, *ends(boxes), method, slopes=slopes, intersect=intersect)
                finite += int(np.isfinite(found.lower).sum())
                for k, values in enumerate(exact):
                    assert [wrong for value in values for wrong in misses(found, k, value[first:after])] == []
    assert finite > 100


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_widest_groups_contain_exact_values(kernels: HostKernels, precision: Precision) -> None:
    rng = np.random.default_rng(54)
    staged = wide(rng, 64, 64, 63, 64)
    x = [Fraction(float(v)) for v in rng.normal(size=64)]
    boxes = [
        Drawn(staged, tuple(v - side for v in x), tuple(v + side for v in x)) for side in (0, Fraction(1, 9))
    ]
    exact = pre_activations(staged, x)[1][-64:]
    for method, slopes, intersect in WAYS:
        found = kernels.bound(
            packed(staged, precision), *ends(boxes), method, slopes=slopes, intersect=intersect
        )
        assert misses(found, 0, exact) == misses(found, 1, exact) == []
        assert np.isfinite(found.upper).all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_a_neuron_is_charged_is_needed(kernels: HostKernels, precision: Precision) -> None:
    """Large weights cancel in each neuron and in the coefficients of the difference of two neurons."""
    rng, scale = np.random.default_rng(4), 2**24 if precision == "single" else 2**53
    one, x = Fraction(1), Fraction(1)
    missed = 0
    for _ in range(20):
        large = Fraction(int(rng.integers(10**5, 10**6)) * scale, 7 * 10**5)
        small = [Fraction(int(k), 7) for k in rng.integers(-9, 9, 3)]
        first = [[large, small[0] - large], [large + small[1], small[2] - large]]
        hidden = stage("linear", {0: first}, [one, -one])
        staged = network(2, hidden, stage("linear", {1: [[one, -one]]}, [Fraction(0)]))
        box, exact = ends([Drawn(staged, (x, x), (x, x))]), pre_activations(staged, [x, x])[1][-1:]
        blocked = packed(staged, precision)
        assert misses(kernels.bound(blocked, *box, "crown", intersect=False), 0, exact) == []
        plain = replace(blocked, terms=np.array([0, 0, 1, 0, blocked.terms[4]], blocked.terms.dtype))
        missed += len(misses(kernels.bound(plain, *box, "crown", charged=False), 0, exact))
    assert missed > 5  # what is looked for is there to be found


@pytest.mark.parametrize(("method", "slopes", "intersect"), WAYS)
def test_double_precision_gives_what_the_reference_gives(
    kernels: HostKernels, method: str, slopes: str, intersect: bool
) -> None:
    rng = np.random.default_rng(9)
    networks = [
        draw(rng, WEIGHTS[s], 6, 20, chain=True).staged for s in ("normal", "thirds") for _ in range(6)
    ]
    for staged in (*networks, wide(rng, 1, 1), wide(rng, 5, 64, 64, 5)):
        lower, upper = generic_ends(rng, staged.n_inputs, 7)
        found = kernels.bound(
            packed(staged, "double"), lower, upper, method, slopes=slopes, intersect=intersect
        )
        wanted = reference.bound_boxes(flatten(staged).net, lower, upper, method, slopes == "area", intersect)
        for mine, theirs in zip(found, wanted, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("method", "slopes", "intersect"), WAYS)
def test_single_precision_is_close_to_double(
    kernels: HostKernels, method: str, slopes: str, intersect: bool
) -> None:
    rng = np.random.default_rng(10)
    for _ in range(6):
        staged = draw(rng, WEIGHTS["eighths"], 6, 12, chain=True).staged
        boxes = generic_ends(rng, staged.n_inputs, 5)
        single, double = (
            kernels.bound(packed(staged, precision), *boxes, method, slopes=slopes, intersect=intersect)
            for precision in PRECISIONS
        )
        for mine, theirs in zip(single, double, strict=True):
            size = np.abs(np.stack(double)).max() + 1.0
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-3 * size)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_order_of_threads_and_the_width_of_kernels_change_nothing(
    kernels: HostKernels, precision: Precision
) -> None:
    rng = np.random.default_rng(11)
    staged = wide(rng, 3, 20, 17, 2)
    boxes = generic_ends(rng, 3, 8)
    narrow = pack_blocked(staged, precision, 20)
    first = np.stack(kernels.bound(narrow, *boxes))
    for order in (1, 2):
        np.testing.assert_array_equal(first, np.stack(kernels.bound(narrow, *boxes, order=order)))
    np.testing.assert_array_equal(first, np.stack(kernels.bound(pack_blocked(staged, precision, 64), *boxes)))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("factors", [(1e20, 1e20), (1e29, 1e29, 1e-29, 1e-29), (1e28, 1e28, 1e28)])
def test_magnitudes_out_of_range_show_nothing(
    kernels: HostKernels, factors: Sequence[float], precision: Precision
) -> None:
    stages = [stage("relu", {k: [[Fraction(f)]]}, [Fraction(0)]) for k, f in enumerate(factors)]
    staged = network(1, *stages, stage("linear", {len(factors): [[Fraction(1)]]}, [Fraction(0)]))
    lower, upper = np.array([[-1.0], [0.0]]), np.array([[1.0], [0.0]])
    for method, slopes, intersect in WAYS:
        found = kernels.bound(
            packed(staged, precision), lower, upper, method, slopes=slopes, intersect=intersect
        )
        assert found.upper[0, 0] == np.inf
        assert found.lower[1, 0] <= 0.0 <= found.upper[1, 0]  # its neighbour in the same block


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("end", [np.inf, np.nan, 1e300])
def test_a_box_without_usable_ends_shows_nothing(
    kernels: HostKernels, end: float, precision: Precision
) -> None:
    staged = network(1, stage("linear", {0: [[Fraction(1)]]}, [Fraction(0)]))
    for method in METHODS:
        found = kernels.bound(packed(staged, precision), np.array([[0.0]]), np.array([[end]]), method)
        assert (found.lower[0, 0], found.upper[0, 0]) == (-np.inf, np.inf)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_weights_that_underflow_are_covered(kernels: HostKernels, precision: Precision) -> None:
    """Denormal weights, products and boxes."""
    least = Fraction(float(np.finfo(np.float32 if precision == "single" else np.float64).smallest_subnormal))
    tiny = [[least * k / 2, -least] for k in (1, 3, 5)]
    staged = network(
        2,
        stage("relu", {0: tiny}, [least, -least, Fraction(0)]),
        stage("linear", {1: [[Fraction(3)] * 3]}, [least]),
    )
    x = [Fraction(1, 3), -least * 7]
    box = Drawn(staged, tuple(x), tuple(x))
    for method, slopes, intersect in WAYS:
        found = kernels.bound(
            packed(staged, precision), *ends([box]), method, slopes=slopes, intersect=intersect
        )
        assert misses(found, 0, pre_activations(staged, x)[1][-1:]) == []


def sinking(precision: Precision) -> StagedNetwork:
    """A value that grows, then factors whose product underflows: coefficients are zero, values are not."""
    up, down = ([1e6] * 4, [1e-23] * 2) if precision == "single" else ([1e6] * 4 + [1e5], [1e-27] * 12)
    factors = [*up, *down]
    stages = [stage("linear", {k: [[Fraction(f)]]}, [Fraction(0)]) for k, f in enumerate(factors)]
    return network(1, *stages)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_coefficients_that_underflow_below_large_values_are_covered(
    kernels: HostKernels, precision: Precision
) -> None:
    staged, one = sinking(precision), [Fraction(1)]
    exact = pre_activations(staged, one)[1][-1:]
    box = ends([Drawn(staged, tuple(one), tuple(one))])
    found = kernels.bound(packed(staged, precision), *box, "crown", intersect=False)
    assert misses(found, 0, exact) == []
    assert exact[0] > 0 and np.isfinite(found.upper[0, 0])


def test_the_geometry_is_that_of_the_kernels(kernels: HostKernels) -> None:
    for width in WIDTHS:
        for precision in get_args(Precision):
            for groups in (2, 7, 40):
                assert geometry(width, precision, groups) == kernels.geometry(width, precision, groups)
                found = kernels.node_geometry(width, precision, groups)
                assert node_geometry(width, precision, groups) == found


def test_other_networks_are_refused_with_a_reason() -> None:
    rng = np.random.default_rng(12)
    with pytest.raises(NotDense, match=r"a group of 65 elements: the .* kernels hold at most 64"):
        pack_blocked(wide(rng, 2, 65, 1), "single")
    with pytest.raises(NotDense, match="kernels of width 4 for a group of 9 elements"):
        pack_blocked(wide(rng, 2, 9, 1), "single", 4)
    with pytest.raises(NotDense, match="a weight or bias of inf in single precision"):
        pack_blocked(network(1, stage("linear", {0: [[Fraction(10) ** 60]]}, [Fraction(0)])), "single")


def test_weights_that_are_not_aligned_are_refused(kernels: HostKernels) -> None:
    blocked = packed(wide(np.random.default_rng(13), 2, 3, 1), "single")
    whole = np.zeros(blocked.rows.size + 8, np.float32)
    moved = next(part for k in range(4) if (part := whole[k:][: blocked.rows.size]).ctypes.data % 16 == 4)
    with pytest.raises(AssertionError, match="returned 2"):
        kernels.bound(
            replace(blocked, rows=moved.reshape(blocked.rows.shape)), np.zeros((1, 2)), np.ones((1, 2))
        )
