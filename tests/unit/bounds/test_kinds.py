"""Each backend knows each kind of stage; what is missing is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest

from hybrid_ai.bounds import flatten
from hybrid_ai.bounds.backends import numba_cpu, numba_cpu_backward, reference
from hybrid_ai.network.staged import Kind
from tests.soundness.backends import BACKENDS, unbounded
from tests.soundness.random_networks import network, stage

KINDS = get_args(Kind)

# What each kind of stage computes from its pre-activation; a new kind begins here.
MEANING: Mapping[str, Callable[[float], float]] = {"linear": lambda z: z, "relu": lambda z: max(z, 0.0)}
PROBES = ((-3.0, -1.0), (-3.0, 2.0), (-2.0, 3.0), (-2.0, 2.0), (1.0, 2.0), (0.0, 1.0), (-1.0, 0.0))


def missing_rows(kinds: tuple[str, ...], rows: Mapping[str, object]) -> list[str]:
    return [
        f"{kind} has no row in bounds/backends/reference.STAGE_KINDS" for kind in kinds if kind not in rows
    ]


def test_the_reference_backend_has_a_row_for_each_kind() -> None:
    assert missing_rows(KINDS, reference.STAGE_KINDS) == []
    assert set(reference.STAGE_KINDS) <= set(KINDS)


def test_a_missing_row_is_named() -> None:
    assert missing_rows((*KINDS, "square"), reference.STAGE_KINDS) == [
        "square has no row in bounds/backends/reference.STAGE_KINDS"
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_each_backend_treats_a_kind_as_what_it_means(name: str, kind: str) -> None:
    """Outputs lie between the two lines, which are exact where the kind is linear on the interval."""
    assert kind in MEANING, f"{kind}: say in MEANING what it computes"
    flat = flatten(network(1, stage(kind, {0: [[Fraction(1)]]}, [Fraction(0)])))
    for low, high in PROBES:
        found = BACKENDS[name].bound(flat.net, np.array([low]), np.array([high]), unbounded(flat.net))
        assert found is not None
        for z in np.linspace(low, high, 9):
            h = MEANING[kind](float(z))
            below = found.low_slope[1] * z
            above = found.high_slope[1] * z + found.intercept[1]
            assert below - 1e-12 <= h <= above + 1e-12, f"{name} bounds {kind} wrongly on [{low}, {high}]"
            if not low < 0.0 < high:
                assert above - below == pytest.approx(0.0, abs=1e-12), (
                    f"{name} is loose for {kind} on [{low}, {high}]"
                )


@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_the_lower_slope_follows_the_rule_of_the_format(name: str) -> None:
    """1 where 64 U >= -63 L, which lies beside U = -L on purpose."""
    flat = flatten(network(1, stage("relu", {0: [[Fraction(1)]]}, [Fraction(0)])))
    for low, high, slope in ((-64.0, 63.1, 1.0), (-64.0, 62.9, 0.0), (-1.0, 1.0, 1.0), (-1.0, 0.5, 0.0)):
        found = BACKENDS[name].bound(flat.net, np.array([low]), np.array([high]), unbounded(flat.net))
        assert found is not None
        assert found.low_slope[1] == slope


def test_the_constants_of_the_backends_are_equal() -> None:
    compiled = vars(numba_cpu_backward) | vars(numba_cpu)
    for name in ("TINY", "INFLATE", "FINAL", "LIMIT", "UNIT"):
        assert getattr(reference, name) == compiled[name], name
