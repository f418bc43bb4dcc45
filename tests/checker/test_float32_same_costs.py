"""The prover's and the checker's readers: the same sizes and costs of float32 executions."""

from __future__ import annotations

from typing import Any

import pytest

from hybrid_ai.checker.float32 import Cost
from hybrid_ai.checker.onnx_reader import read_model
from tests.checker.models import model, np
from tests.checker.test_float32_costs import COSTS, SIZES, matrix

network = pytest.importorskip("hybrid_ai.network", reason="the prover's reader is not there")

CHAINS = {"many terms", "a large gain"}


@pytest.mark.parametrize("name", sorted(COSTS.keys() - CHAINS))
def test_the_prover_reads_the_same_costs(name: str) -> None:
    shape, nodes, constants, _ = COSTS[name]
    for own, other in assert_same_stages(model(nodes, shape, constants)):
        assert tuple(own) == (other.terms, other.degree, other.gain)


@pytest.mark.parametrize("name", SIZES)
def test_the_prover_reads_the_same_sizes(name: str) -> None:
    shape, nodes, constants, _, _ = SIZES[name]
    for own, other in assert_same_stages(model(nodes, shape, constants)):
        assert tuple(own) == (other.terms, other.degree, other.gain)


def assert_same_stages(content: bytes) -> list[tuple[Cost, Any]]:
    """Both readers see the same stages and sizes; the costs of both."""
    mine, theirs = read_model(content), network.load_model(content).staged
    assert len(mine.stages) == len(theirs.stages)
    assert mine.output_group == theirs.output_group
    for own, other in zip(mine.stages, theirs.stages, strict=True):
        assert {s: np.array(w, dtype=float).tolist() for s, w in matrix(own.blocks).items()} == {
            block.source: block.weights.tolist() for block in other.blocks
        }
        sizes = matrix(own.blocks if own.size_blocks is None else own.size_blocks)
        expected = other.blocks if other.rounding.blocks is None else other.rounding.blocks
        assert list(sizes) == [block.source for block in expected]
        for block in expected:
            found = np.abs(np.array(sizes[block.source], dtype=float))
            np.testing.assert_allclose(found, np.abs(block.weights), rtol=1e-15)
        bias = np.array(own.bias if own.sizes is None else own.sizes, dtype=float)
        other_bias = other.bias if other.rounding.bias is None else other.rounding.bias
        np.testing.assert_allclose(np.abs(bias), np.abs(other_bias), rtol=1e-15)
    return [(own.cost, other.rounding.cost) for own, other in zip(mine.stages, theirs.stages, strict=True)]
