"""`hybrid_ai.checker.fast_lines.substitute` compiled by numba: one pass over the coefficients, not seven.

Sound because: a sum in any order and fused operations are within section 8 of the format page
(docs/theory/rounding-of-the-fast-engine.md).
"""

from typing import Any

import numpy as np
from numba import njit

from hybrid_ai.checker.fast_lines import Indices, Lines, Substitute
from hybrid_ai.checker.fast_network import Array


def load() -> Substitute:
    """The compiled function; compiles it where numba's cache has none.

    Raises:
        RuntimeError: numba can keep no cache for this file.
    """
    one = np.ones((1, 1))
    substitute(np.ones((1, 1)), Lines(one, one, one, one), np.zeros(1, dtype=np.intp))
    return substitute


def substitute(coefficients: Array, lines: Lines, node: Indices) -> tuple[Array, Array]:
    """What `hybrid_ai.checker.fast_lines.substitute` does, in place."""
    part = np.empty(len(coefficients))
    _pass(coefficients, lines.slope, lines.upper_slope, lines.charge, lines.upper_charge, node, part)
    return coefficients, part


_OPTIONS: Any = {"error_model": "numpy", "cache": True, "nogil": True, "fastmath": {"contract", "reassoc"}}


@njit(**_OPTIONS)
def _pass(own, slope, upper_slope, charge, upper_charge, node, part):  # type: ignore[no-untyped-def]
    for form in range(len(own)):
        at, total = node[form], 0.0
        for i in range(own.shape[1]):
            value = own[form, i]
            # NaN counts as negative and stays: max and min would lose it.
            positive, negative = (value, 0.0) if value > 0.0 else (0.0, value)
            total += negative * upper_charge[at, i] - positive * charge[at, i]
            own[form, i] = positive * slope[at, i] + negative * upper_slope[at, i]
        part[form] = total
