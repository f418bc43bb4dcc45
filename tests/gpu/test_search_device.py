"""The search's CUDA kernels, in the simulator: they contain exact values and do what the processor's do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from hybrid_ai.bounds import flatten
from hybrid_ai.bounds.backends import numba_cpu
from hybrid_ai.network import Rounding, StagedNetwork
from hybrid_ai.network.rounding import Cost
from tests.gpu.simulator import WRITTEN, NodeCase, Nodes, Simulator, simulating
from tests.soundness.backends import BACKENDS, NodeBounds, unbounded
from tests.soundness.random_networks import WEIGHTS, Drawn, draw, network, point, pre_activations, stage
from tests.soundness.test_containment import violations
from tests.soundness.test_dense import boxes_of, ends

RELAXED = ("low_slope", "high_slope", "intercept", "step_error")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with simulating() as running:
        yield running


def case_of(rng: np.random.Generator, boxes: list[Drawn]) -> NodeCase:
    """Nodes of one network, with rows that are sums of its elements."""
    total = flatten(boxes[0].staged).net.bias.shape[0]
    table = rng.integers(-2, 3, size=(3, total)).astype(float)
    held = np.stack([unbounded(flatten(boxes[0].staged).net)] * len(boxes))
    return NodeCase(boxes[0].staged, *ends(boxes), held, table, np.array([0.5, -1.0, 0.0]))


def bounds_of(found: Nodes, b: int, inputs: int) -> NodeBounds:
    """The arrays of node b; kernels leave out the relaxation of the input."""
    parts = {name: np.array(getattr(found.node, name)[b]) for name in NodeBounds._fields}
    for name, value in zip(RELAXED, (1.0, 1.0, 0.0, 0.0), strict=True):
        parts[name][:inputs] = value
    return NodeBounds(**parts)


@pytest.mark.parametrize("style", sorted(WEIGHTS))
def test_bounds_lines_and_rows_contain_exact_values(simulator: Simulator, style: str) -> None:
    rng = np.random.default_rng(21)
    bounded = 0
    for _ in range(3):
        boxes = boxes_of(rng, draw(rng, WEIGHTS[style]), 3)
        case = case_of(rng, boxes)
        found = simulator([case])[0]
        for b in np.flatnonzero(found.bounded):
            bounded += 1
            for _ in range(4):
                before, after = pre_activations(case.staged, point(rng, boxes[b]))
                assert violations(bounds_of(found, b, case.staged.n_inputs), before, after) == []
                for row, offset, value, lost in zip(
                    case.table, case.offsets, found.value[b], found.lost[b], strict=True
                ):
                    exact = sum((Fraction(c) * h for c, h in zip(row, after, strict=True)), Fraction(offset))
                    assert Fraction(value) - Fraction(lost) <= exact
    assert bounded > 3


def computed_in_float32(staged: StagedNetwork) -> StagedNetwork:
    """The network, of which a float32 execution rounds every stage."""
    cost = Rounding(None, None, Cost(terms=30, degree=3, gain=4))
    return replace(staged, stages=tuple(replace(part, rounding=cost) for part in staged.stages))


@pytest.mark.parametrize("arithmetic", ["real", "both"])
def test_nodes_are_those_of_the_processor(simulator: Simulator, arithmetic: str) -> None:
    """Every array, the lists of neurons and what float32 executions change included."""
    rng = np.random.default_rng(22)
    for _ in range(3):
        case = case_of(rng, boxes_of(rng, draw(rng, WEIGHTS["eighths"]), 2))
        case = replace(case, staged=computed_in_float32(case.staged), arithmetic=arithmetic)
        net = flatten(case.staged, case.arithmetic).net
        found = simulator([case])[0]
        for b in range(2):
            node = numba_cpu.make_node(net, case.held[b, 0], case.held[b, 1])
            numba_cpu.set_box(net, node, case.lower[b], case.upper[b])
            assert numba_cpu.tighten(net, node, numba_cpu.make_work(net)) == found.bounded[b]
            assert found.bounded[b]
            for name, mine, theirs in zip(node._fields, found.node, node, strict=True):
                if name == "active":  # only as many as there are mean anything
                    for g in range(1, len(net.size)):
                        here = slice(net.offset[g], net.offset[g] + node.counts[g])
                        np.testing.assert_array_equal(mine[b][here], theirs[here])
                elif name == "counts":
                    np.testing.assert_array_equal(mine[b][1:], theirs[1:])
                else:
                    first = net.size[0] if name in WRITTEN else 0
                    np.testing.assert_allclose(
                        mine[b][first:], theirs[first:], rtol=1e-9, atol=1e-9, err_msg=name
                    )
            rows = BACKENDS["reference"].rows
            wanted = rows(net, case.lower[b], case.upper[b], case.held[b], case.table, case.offsets)
            np.testing.assert_allclose(found.value[b], wanted.value, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(found.lost[b], wanted.lost, rtol=1e-6, atol=0.0)
    assert arithmetic == "real" or np.nanmax(found.node.deviation) > 0.0


def test_threads_and_portions_of_rows_change_no_bit(simulator: Simulator) -> None:
    rng = np.random.default_rng(23)
    drawn = draw(rng, WEIGHTS["normal"], 4, 8)
    while sum(part.kind == "relu" for part in drawn.staged.stages) < 3:
        drawn = draw(rng, WEIGHTS["normal"], 4, 8)
    case = case_of(rng, boxes_of(rng, drawn, 2))
    first, *others = simulator([case, replace(case, threads=3), replace(case, at_once=2)])
    for other in others:
        for mine, theirs in zip(first.node, other.node, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_bounds_that_are_held_are_kept(simulator: Simulator) -> None:
    one = [[Fraction(1)]]
    staged = network(1, stage("relu", {0: one}, [Fraction(0)]), stage("linear", {1: one}, [Fraction(1)]))
    held = np.array([[[0.0, -0.25, -np.inf], [0.0, 0.5, np.inf]]])
    box = np.array([[-1.0]]), np.array([[1.0]])
    found = simulator([NodeCase(staged, *box, held, np.zeros((1, 3)), np.zeros(1))])[0]
    assert (found.node.lower[0, 1], found.node.upper[0, 1]) == (-0.25, 0.5)
    assert 1.5 < found.node.upper[0, 2] < 1.5 + 1e-9
    assert 1.0 - 1e-9 < found.node.lower[0, 2] <= 1.0


@pytest.mark.parametrize(("end", "factor"), [(np.nan, 1.0), (np.inf, 1.0), (1e300, 1.0), (1.0, 1e300)])
def test_magnitudes_out_of_range_end_a_node_and_not_its_neighbour(
    simulator: Simulator, end: float, factor: float
) -> None:
    staged = network(1, stage("linear", {0: [[Fraction(factor)]]}, [Fraction(0)]))
    held = np.stack([unbounded(flatten(staged).net)] * 2)
    box = np.array([[0.0], [0.0]]), np.array([[end], [0.0]])
    found = simulator([NodeCase(staged, *box, held, np.zeros((1, 2)), np.zeros(1))])[0]
    assert found.bounded.tolist() == [False, True]
