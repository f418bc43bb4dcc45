"""The error bound of single affine blocks against all their evaluations, compared as rationals."""

from __future__ import annotations

import numpy as np
import pytest

from tests.soundness.float32.block_error import Block, Contraction, Operation
from tests.soundness.float32.blocks import NUMBERS, Case, draw, single, worst
from tests.soundness.float32.enumeration import Freedom
from tests.soundness.float32.lab import LAB

FREEDOMS = {
    "any order": Freedom(fused=False, flush=False, folded=False),
    "fused": Freedom(fused=True, flush=False, folded=False),
    "flushed": Freedom(fused=False, flush=True, folded=False),
    "folded": Freedom(fused=False, flush=False, folded=True),
    "all": Freedom(),
}
BLOCKS = 40  # of each style and freedom


def _shares(style: str, freedom: Freedom, count: int, most_terms: int, seed: int) -> list[float]:
    """The shares of the bound that the worst evaluations reach; asserts that none is above one."""
    rng = np.random.default_rng(seed)
    shares = []
    for _ in range(count):
        case = draw(rng, NUMBERS[style], most_terms)
        found = worst(case, freedom)
        assert found.error <= found.bound, f"{case}: {float(found.error)} > {float(found.bound)}"
        shares.append(found.share)
    return shares


@pytest.mark.parametrize("freedom", sorted(FREEDOMS))
@pytest.mark.parametrize("style", sorted(NUMBERS))
def test_no_evaluation_leaves_the_bound(style: str, freedom: str) -> None:
    """All trees over all orders of at most five terms and a bias; a tenth of the bound is reached."""
    assert max(_shares(style, FREEDOMS[freedom], BLOCKS, most_terms=5, seed=31)) >= 0.1


@LAB
@pytest.mark.slow
@pytest.mark.parametrize("style", sorted(NUMBERS))
def test_no_evaluation_leaves_the_bound_six_terms(style: str) -> None:
    assert max(_shares(style, Freedom(), 400, most_terms=6, seed=32)) >= 0.1


def _underflowing(rng: np.random.Generator) -> float:
    """Numbers whose products lie around the least normal float32, and now and then a subnormal."""
    exponent = rng.choice([-63, -60, -66, -128, 20], p=[0.4, 0.2, 0.2, 0.1, 0.1])
    return single(rng.uniform(1, 2) * 2.0**exponent * rng.choice([-1, 1]))


@pytest.mark.parametrize("freedom", ["any order", "flushed", "all"])
def test_underflow_stays_inside_and_needs_the_absolute_term(freedom: str) -> None:
    rng = np.random.default_rng(33)
    beyond = 0
    for _ in range(BLOCKS):
        n = int(rng.integers(1, 6))
        numbers = [tuple(_underflowing(rng) for _ in range(n)) for _ in range(3)]
        scale = Operation("mul", (single(rng.uniform(1, 2) * 2.0 ** int(rng.integers(-20, 21))),))
        block = Block((Operation("add", numbers[2]),), Contraction(numbers[0]), (scale,))
        case = Case(block, numbers[1])
        found, without = worst(case, FREEDOMS[freedom]), worst(case, FREEDOMS[freedom], "eta")
        assert found.error <= found.bound, case
        beyond += without.error > without.bound
    assert beyond >= 3
