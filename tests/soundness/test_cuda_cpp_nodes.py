"""The CUDA C++ kernels of the search on the host: bounds of every neuron over nodes, with known bounds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hybrid_ai.bounds import flatten
from hybrid_ai.bounds.backends import reference
from hybrid_ai.bounds.backends.cuda_cpp_layout import NODE_PANEL, BlockedNetwork, pack_blocked
from hybrid_ai.bounds.dense import Precision
from hybrid_ai.network import StagedNetwork
from tests.soundness.host_kernels import WIDTHS, HostKernels
from tests.soundness.random_networks import WEIGHTS, Drawn, draw, network, point, pre_activations, stage
from tests.soundness.test_cuda_cpp import sinking, wide
from tests.soundness.test_dense import PRECISIONS, boxes_of, ends, generic_ends

NETWORKS, POINTS = 10, 6


def packed(staged: StagedNetwork, precision: Precision) -> BlockedNetwork:
    width = min(width for width in WIDTHS if width >= max(staged.group_sizes))
    return pack_blocked(staged, precision, width, panel=NODE_PANEL)


def unknown(blocked: BlockedNetwork, count: int) -> np.ndarray:
    """No bounds known."""
    held = np.empty((count, 2, len(blocked.size), blocked.width))
    held[:, 0], held[:, 1] = -np.inf, np.inf
    return held


def placed(blocked: BlockedNetwork, values: list[Fraction]) -> dict[tuple[int, int], Fraction]:
    """Pre-activations by group and neuron, without the input."""
    whole = iter(values)
    return {(g, i): next(whole) for g, size in enumerate(blocked.size.tolist()) for i in range(size)}


def wrong(blocked: BlockedNetwork, found: np.ndarray, values: list[Fraction]) -> list[str]:
    """Neurons of a node whose pre-activation lies outside its bounds."""
    named = []
    for (g, i), value in placed(blocked, values).items():
        if g == 0:
            continue
        low, high = float(found[0, g, i]), float(found[1, g, i])
        assert not np.isnan(low) and not np.isnan(high), f"neuron {i} of group {g} has no bounds"
        if not ((low == -np.inf or Fraction(low) <= value) and (high == np.inf or value <= Fraction(high))):
            named.append(f"neuron {i} of group {g}: {float(value)!r} not in [{low!r}, {high!r}]")
    return named


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("style", sorted(WEIGHTS))
def test_bounds_contain_exact_values(kernels: HostKernels, style: str, precision: Precision) -> None:
    rng = np.random.default_rng(61)
    finite = 0
    for _ in range(NETWORKS):
        drawn = draw(rng, WEIGHTS[style], 4, 9, chain=True)
        blocked, boxes = packed(drawn.staged, precision), boxes_of(rng, drawn, 4)
        for slopes in ("format", "area"):
            found = kernels.bound_nodes(blocked, *ends(boxes), unknown(blocked, 4), slopes=slopes)
            finite += int(np.isfinite(found).sum())
            for box, bounds in zip(boxes, found, strict=True):
                for _ in range(POINTS):
                    assert wrong(blocked, bounds, pre_activations(box.staged, point(rng, box))[0]) == []
    assert finite > 100


def phases(rng: np.random.Generator, blocked: BlockedNetwork, values: list[Fraction]) -> np.ndarray:
    """Known bounds that a point satisfies: half of the neurons are held to the phase they have there."""
    held = unknown(blocked, 1)
    for (g, i), value in placed(blocked, values).items():
        if g and rng.random() < 0.5:
            held[0, int(value < 0), g, i] = 0.0
    return held


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("style", ["normal", "thirds", "huge and tiny"])
def test_known_bounds_are_used_and_what_they_leave_out_is_zero(
    kernels: HostKernels, style: str, precision: Precision
) -> None:
    """Splits fix phases: neurons held to be off are left out; the point that satisfies them is contained."""
    rng = np.random.default_rng(62)
    tighter = 0
    for _ in range(2 * NETWORKS):
        drawn = draw(rng, WEIGHTS[style], 3, 18, chain=True)
        blocked, box = packed(drawn.staged, precision), ends([drawn])
        values = pre_activations(drawn.staged, point(rng, drawn))[0]
        held = phases(rng, blocked, values)
        found = kernels.bound_nodes(blocked, *box, held)
        assert wrong(blocked, found[0], values) == []
        free = kernels.bound_nodes(blocked, *box, unknown(blocked, 1))
        tighter += int((found[0, 1] < free[0, 1]).sum() + (found[0, 0] > free[0, 0]).sum())
        for g, size in enumerate(blocked.size.tolist()[1:], start=1):
            assert (found[0, 0, g, :size] >= held[0, 0, g, :size]).all()
            assert (found[0, 1, g, :size] <= held[0, 1, g, :size]).all()
    assert tighter > 100


def reference_bounds(
    staged: StagedNetwork, lower: np.ndarray, upper: np.ndarray, held: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pre-activation bounds of every position by `reference.tighten`, of the outputs by `bound_rows`."""
    net = flatten(staged).net
    found = reference.tighten(net, lower, upper, held)
    assert found is not None
    groups = found[0]
    low, high = (np.concatenate([getattr(group, end) for group in groups]) for end in ("lower", "upper"))
    last = reference.places(net, len(groups) - 1)
    table = np.zeros((staged.n_outputs, net.bias.shape[0]))
    table[:, last] = np.eye(staged.n_outputs)
    for sign, bounds, keep in ((1.0, low, np.fmax), (-1.0, high, np.fmin)):
        rows = reference.bound_rows(net, groups, sign * table, np.zeros(staged.n_outputs))
        bounds[last] = keep(bounds[last], sign * (rows.value - rows.lost))
    return low, high


def test_double_precision_gives_what_the_reference_gives(kernels: HostKernels) -> None:
    rng = np.random.default_rng(63)
    linear_end = [stage("linear", {1: [[Fraction(1), Fraction(-2)]]}, [Fraction(1, 3)])]
    first = stage("relu", {0: [[Fraction(1)], [Fraction(-1)]]}, [Fraction(0), Fraction(1, 2)])
    networks = [wide(rng, int(rng.integers(1, 6)), 20, 9, 20, 3) for _ in range(8)]
    for staged in (*networks, network(1, first, *linear_end), wide(rng, 5, 64, 64, 64, 5)):
        blocked = packed(staged, "double")
        lower, upper = generic_ends(rng, staged.n_inputs, 5)
        held = unknown(blocked, 5)
        for k in range(5):
            # Half of the neurons are held to the phase that they have in the middle: the node is not empty.
            middle = [Fraction(float(v)) for v in 0.5 * (lower[k] + upper[k])]
            held[k] = phases(rng, blocked, pre_activations(staged, middle)[0])[0]
        found = kernels.bound_nodes(blocked, lower, upper, held)
        for k in range(5):
            flat = [
                np.concatenate([held[k, side, g, :size] for g, size in enumerate(blocked.size.tolist())])
                for side in range(2)
            ]
            wanted = reference_bounds(staged, lower[k], upper[k], np.stack(flat))
            for side in range(2):
                mine = [found[k, side, g, :size] for g, size in enumerate(blocked.size.tolist()) if g]
                theirs = wanted[side][staged.n_inputs :]
                np.testing.assert_allclose(np.concatenate(mine), theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_neither_order_nor_width_changes_anything(kernels: HostKernels, precision: Precision) -> None:
    rng = np.random.default_rng(64)
    staged = wide(rng, 3, 20, 17, 20, 2)
    boxes, narrow, whole = generic_ends(rng, 3, 6), packed(staged, precision), 20
    first = kernels.bound_nodes(narrow, *boxes, unknown(narrow, 6))
    for order in (1, 2):
        np.testing.assert_array_equal(
            first, kernels.bound_nodes(narrow, *boxes, unknown(narrow, 6), order=order)
        )
    turns = rng.permutation(6)
    np.testing.assert_array_equal(first, kernels.bound_nodes(narrow, *boxes, unknown(narrow, 6), turns=turns))
    broad = pack_blocked(staged, precision, 64, panel=NODE_PANEL)
    found = kernels.bound_nodes(broad, *boxes, unknown(broad, 6))
    np.testing.assert_array_equal(first, found[..., :whole])


def test_nodes_are_taken_in_the_order_given(kernels: HostKernels) -> None:
    blocked = packed(wide(np.random.default_rng(67), 2, 5, 3), "single")
    boxes = generic_ends(np.random.default_rng(68), 2, 3)
    found = kernels.bound_nodes(blocked, *boxes, unknown(blocked, 3), turns=np.array([2, 0, 2]))
    assert np.isnan(found[1]).all()  # nobody took it
    assert np.isfinite(found[[0, 2], :, 2, :3]).all()


def test_nothing_is_written_where_there_is_no_neuron(kernels: HostKernels) -> None:
    blocked = packed(wide(np.random.default_rng(65), 2, 5, 3), "single")
    found = kernels.bound_nodes(blocked, np.zeros((2, 2)), np.ones((2, 2)), unknown(blocked, 2))
    written = np.zeros(found.shape, np.bool_)
    written[:, :, 1, :5] = written[:, :, 2, :3] = True
    np.testing.assert_array_equal(np.isnan(found), ~written)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("end", [np.inf, np.nan, 1e300])
def test_a_node_without_usable_ends_keeps_what_is_known(
    kernels: HostKernels, end: float, precision: Precision
) -> None:
    staged = wide(np.random.default_rng(66), 1, 4, 1)
    blocked = packed(staged, precision)
    held = unknown(blocked, 2)
    held[0, 1, 1, 2], held[0, 0, 1, 1] = 7.0, np.nan
    found = kernels.bound_nodes(blocked, np.zeros((2, 1)), np.array([[end], [1.0]]), held)
    assert found[0, 1, 1, 2] == 7.0
    assert (found[0, :, 2, 0] == [-np.inf, np.inf]).all() and found[0, 0, 1, 1] == -np.inf
    assert np.isfinite(found[1, :, 2, 0]).all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_coefficients_that_underflow_below_large_values_are_covered(
    kernels: HostKernels, precision: Precision
) -> None:
    staged, one = sinking(precision), [Fraction(1)]
    blocked, box = packed(staged, precision), ends([Drawn(staged, tuple(one), tuple(one))])
    found = kernels.bound_nodes(blocked, *box, unknown(blocked, 1))
    assert wrong(blocked, found[0], pre_activations(staged, one)[0]) == []


def test_all_neurons_off_leaves_the_bias(kernels: HostKernels) -> None:
    one = Fraction(1)
    hidden = stage("relu", {0: [[one], [one]]}, [Fraction(-9), Fraction(-8)])
    middle = stage("relu", {1: [[one, one]]}, [Fraction(-3)])
    staged = network(1, hidden, middle, stage("linear", {2: [[one]]}, [Fraction(5)]))
    blocked = packed(staged, "double")
    found = kernels.bound_nodes(blocked, np.array([[0.0]]), np.array([[1.0]]), unknown(blocked, 1))
    assert 0.0 <= 5.0 - found[0, 0, 3, 0] < 1e-12 and 0.0 <= found[0, 1, 3, 0] - 5.0 < 1e-12
    drawn = Drawn(staged, (Fraction(0),), (Fraction(1),))
    assert wrong(blocked, found[0], pre_activations(drawn.staged, [Fraction(1)])[0]) == []
