"""A node that the checker rejected goes back to the search once."""

from __future__ import annotations

import numpy as np
import pytest

from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.network import evaluate, load_model
from hybrid_ai.search import Claimed, Unknown
from tests.unit.search.problems import Asked, accepted_by, dense, search, vnnlib


def _claim(inputs: int, gap: float, reach: float = 1.0) -> Asked:
    data = dense([inputs, 10, 10, 2], 4, spread=1.5)
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (20_000, inputs))
    x[10_000:] = np.sign(x[10_000:])
    least = evaluate(load_model(data).staged, x * reach)[:, 0].min()
    bounds = [(str(-reach), str(reach))] * inputs
    return Asked(data, vnnlib(inputs, 2, f"(<= Y_0 {least - gap:.5f})", bounds=bounds))


@pytest.mark.parametrize(("inputs", "gap", "reach"), [(3, 0.3, 1.0), (24, 3.0, 0.125)])
def test_every_node_can_be_opened_again(inputs: int, gap: float, reach: float) -> None:
    """Also those below cuts and below splits on phases (24 inputs)."""
    asked = _claim(inputs, gap, reach)
    claimed = search(asked, seconds=30.0)
    assert isinstance(claimed, Claimed)
    assert claimed.effort.leaves >= 3
    nodes = 2 * claimed.effort.leaves - 1
    for node in sorted({0, 1, 2, nodes // 2, nodes - 1}):
        again = search(asked, seconds=30.0)
        assert isinstance(again, Claimed)
        assert again.repair is not None
        repaired = again.repair(0, node)
        assert isinstance(repaired, Claimed), node
        assert accepted_by(asked, repaired.certificate) == ["valid", "valid"]


def test_a_leaf_that_is_opened_becomes_more_leaves() -> None:
    asked = _claim(3, 0.3)
    claimed = search(asked)
    assert isinstance(claimed, Claimed)
    assert claimed.repair is not None
    repaired = claimed.repair(0, 2 * claimed.effort.leaves - 2)
    assert isinstance(repaired, Claimed)
    assert repaired.effort.leaves > claimed.effort.leaves


def test_a_box_that_cannot_be_split_is_told() -> None:
    """A pinned input has no halves."""
    asked = Asked(dense([1, 4, 1], 0), vnnlib(1, 1, "(<= Y_0 -100)", bounds=[("0.5", "0.5")]))
    claimed = search(asked)
    assert isinstance(claimed, Claimed)
    assert claimed.repair is not None
    outcome = claimed.repair(0, 0)
    assert isinstance(outcome, Unknown)
    assert "too small to be split" in outcome.reason


def test_a_node_that_is_not_there() -> None:
    claimed = search(_claim(3, 0.3))
    assert isinstance(claimed, Claimed)
    assert claimed.repair is not None
    with pytest.raises(IndexError):
        claimed.repair(0, 10_000)


def test_rejected_is_what_the_checker_says() -> None:
    """The place that the pipeline reads: tree and node, in the checker's words."""
    from hybrid_ai.checker.check import check

    asked = _claim(3, 0.3)
    claimed = search(asked)
    assert isinstance(claimed, Claimed)
    false = Asked(asked.model, asked.text.replace(b"(<= Y_0 -", b"(<= Y_0 "))
    data = bytearray(claimed.certificate)
    data[43:75] = bytes.fromhex(false.digest)
    with pytest.raises(Rejected) as caught:
        check(asked.model, false.text, bytes(data))
    assert caught.value.where.startswith("tree 0, node ")
