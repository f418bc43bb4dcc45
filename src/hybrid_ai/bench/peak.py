"""The most multiply-adds that one core of this machine does, measured."""

from __future__ import annotations

import time

import numpy as np

from hybrid_ai.bounds.backends.jit import compiled_in_order
from hybrid_ai.bounds.backends.lane_tiles import PEAK_CHAINS, PEAK_UNROLL, chains
from hybrid_ai.bounds.backends.lanes import lane_count
from hybrid_ai.bounds.dense import DTYPES, Precision

TURNS = 200_000


@compiled_in_order
def run_chains(values: np.ndarray, turns: int) -> None:
    """See `lane_tiles.chains`."""
    chains(values, turns)


def measure_peak(precision: Precision) -> float:
    """Floating-point operations in a second of one core, a multiply-add counting as two; 1/s.

    The vectors are those of the dense kernels, and everything stays in registers.
    """
    lanes = lane_count(DTYPES[precision])
    values = np.full((2, lanes), 0.5, DTYPES[precision])
    run_chains(values, 1)
    began = time.process_time()
    run_chains(values, TURNS)
    seconds = time.process_time() - began
    return 2.0 * lanes * PEAK_CHAINS * PEAK_UNROLL * TURNS / seconds
