"""The compiled kernels decide as the reference does, box by box."""

from __future__ import annotations

import numpy as np
import pytest

from hybrid_ai.bounds import FlatNetwork, flatten
from hybrid_ai.network import load_model
from hybrid_ai.search.branch import _log_length
from hybrid_ai.search.compiled.node import process_serial
from hybrid_ai.search.compiled.records import CLOSED, OUT_OF_RANGE, SPLIT
from hybrid_ai.search.problem import Problem, make_problem
from hybrid_ai.search.reference_node import process_reference
from hybrid_ai.spec import normal_form, read_vnnlib
from tests.unit.network.builder import model, node
from tests.unit.search.problems import dense, vnnlib

COUNT = 40


def skip_and_leaky() -> bytes:
    """Two source groups and a negative slope."""
    rng = np.random.default_rng(1)
    constants = {"w": rng.normal(size=(3, 6)), "v": rng.normal(size=(6, 6)), "u": rng.normal(size=(6, 2))}
    nodes = [
        node("MatMul", "x w", "a"), node("LeakyRelu", "a", "b", alpha=0.1), node("MatMul", "b v", "c"),
        node("Relu", "c", "d"), node("Add", "b d", "e"), node("MatMul", "e u"),
    ]  # fmt: skip
    return model(nodes, constants, x=(1, 3), y=(1, 2))


def clipped() -> bytes:
    rng = np.random.default_rng(2)
    constants = {
        "w": rng.normal(size=(3, 8)),
        "v": rng.normal(size=(8, 2)),
        "lo": np.array(-0.3),
        "hi": np.array(0.9),
    }
    nodes = [node("MatMul", "x w", "a"), node("Clip", "a lo hi", "b"), node("MatMul", "b v")]
    return model(nodes, constants, x=(1, 3), y=(1, 2))


NETWORKS = {"dense": dense([3, 10, 10, 2], 0), "skip and leaky": skip_and_leaky(), "clip": clipped()}
ROWS = "(or (and (<= Y_0 -1.1) (<= Y_1 0.2)) (and (>= Y_0 1.7) (>= (+ Y_1 X_0) 0.4)) (and (>= Y_1 2)))"


def _problem(data: bytes) -> tuple[FlatNetwork, Problem]:
    text = vnnlib(3, 2, "(<= (+ X_0 X_1) 1.5)", ROWS, bounds=[("-1", "1"), ("-1", "1"), ("0.25", "1.1")])
    flat = flatten(load_model(data).staged)
    (polytope,) = normal_form(read_vnnlib(text)).polytopes
    return flat, make_problem(flat, polytope)


def _process(process, flat: FlatNetwork, problem: Problem, firsts, lasts):  # type: ignore[no-untyped-def]
    """Results, logs, cut boxes, bounds and open disjuncts of some boxes, without slope ascent."""
    count = firsts.shape[0]
    bounds = np.empty((count, 2, flat.total))
    bounds[:, 0], bounds[:, 1] = -np.inf, np.inf
    opens = np.ones((count, len(problem.own_rows)), np.bool_)
    logs = np.zeros((count, _log_length(problem, flat)), np.int32)
    points, results, bests = np.zeros((count, 3)), np.empty((count, 4), np.int64), np.empty(count)
    firsts, lasts = firsts.copy(), lasts.copy()
    process(
        flat.net, problem.spec, problem.grid, firsts, lasts, bounds, opens, logs, points, 0, results, bests
    )
    written = [logs[b, : results[b, 2]].tolist() for b in range(count)]
    return results, written, np.stack([firsts, lasts]), bounds, opens, bests


def _boxes(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    width = problem.last - problem.first
    size = (width[None] * rng.choice([1.0, 0.5, 0.2, 0.05], (COUNT, 3))).astype(np.int64)
    firsts = problem.first + ((width - size) * rng.random((COUNT, 3))).astype(np.int64)
    return firsts, firsts + size


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_decisions_are_equal_and_bounds_agree(name: str) -> None:
    flat, problem = _problem(NETWORKS[name])
    boxes = _boxes(problem)
    a = _process(process_serial, flat, problem, *boxes)
    b = _process(process_reference, flat, problem, *boxes)
    same = [x == y and tuple(r) == tuple(s) for x, y, r, s in zip(a[1], b[1], a[0], b[0], strict=True)]
    assert sum(same) >= COUNT - 1, [(x, y) for x, y, equal in zip(a[1], b[1], same, strict=True) if not equal]
    assert {CLOSED, SPLIT} == set(a[0][:, 0].tolist())
    split = np.array(same) & (a[0][:, 0] == SPLIT)
    assert np.array_equal(a[2][:, split], b[2][:, split])
    assert np.array_equal(a[4][split], b[4][split])
    hidden = flat.neuron >= 0
    assert np.allclose(a[3][split][:, :, hidden], b[3][split][:, :, hidden], rtol=1e-8, atol=1e-8)
    assert np.allclose(a[5][split], b[5][split], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("process", [process_serial, process_reference])
def test_a_network_out_of_range_is_told(process) -> None:  # type: ignore[no-untyped-def]
    data = model(
        [node("MatMul", "x w", "a"), node("Relu", "a", "b"), node("MatMul", "b v")],
        {"w": np.full((3, 2), 1e20), "v": np.full((2, 2), 1e20)}, x=(1, 3), y=(1, 2),
    )  # fmt: skip
    flat, problem = _problem(data)
    results = _process(process, flat, problem, problem.first[None], problem.last[None])[0]
    assert results[0, 0] == OUT_OF_RANGE
