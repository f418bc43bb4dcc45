"""Bounds and lines of one stage in doubles, each with its error: lemmas 1 and 2 of section 8."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from hybrid_ai.checker.decode import SLOPE_ONE, Slopes
from hybrid_ai.checker.fast_network import LARGEST, Array, FastStage

Indices = NDArray[np.intp]

ABSOLUTE = 2.0**-700
PER_COEFFICIENT = 2.0**-600
INFLATE = 1.0 + 2.0**-20
OVERFLOW = 2.0**-20
INTERCEPT_INFLATE = 1.0 + 2.0**-48


@dataclass(frozen=True)
class Lines:
    """Per node and neuron of a relu stage: slopes s and S, charges t and q of section 8."""

    slope: Array
    upper_slope: Array
    upper_charge: Array
    charge: Array


@dataclass(frozen=True)
class Relaxed:
    """Per node and row of a stage: Q + E of section 8, and the lines of a relu stage."""

    error: Array
    lines: Lines | None


Substitute = Callable[[Array, Lines, Indices], tuple[Array, Array]]


def substitute(coefficients: Array, lines: Lines, node: Indices) -> tuple[Array, Array]:
    """Put lines in the place of neurons: coefficients of pre-activations, the part with t and q.

    Args:
        coefficients: of neurons, (forms, neurons); consumed.
        lines: of the nodes, (nodes, neurons).
        node: node of each form, (forms,).
    """
    positive, negative = np.maximum(coefficients, 0.0), np.minimum(coefficients, 0.0)
    part = row_sums(negative, lines.upper_charge[node]) - row_sums(positive, lines.charge[node])
    positive *= lines.slope[node]
    negative *= lines.upper_slope[node]
    return np.add(positive, negative, out=positive), part


class Magnitudes:
    """M of section 8 per group, and the largest of all of them per node."""

    def __init__(self, inputs: Array) -> None:
        self.groups = [inputs]
        self.peak: Array = inputs.max(axis=1, initial=0.0)

    def add(self, group: Array) -> None:
        """Add the next group: (nodes, elements)."""
        self.groups.append(group)
        self.peak = np.maximum(self.peak, group.max(axis=1, initial=0.0))


def row_sums(left: Array, right: Array) -> Array:
    """Sum of products of each row: (rows,)."""
    sums: Array = np.einsum("ij,ij->i", left, right)
    return sums


def sane(values: Array, fill: float) -> Array:
    """The values, with `fill` for NaN and infinities."""
    return np.where(np.isfinite(values), values, fill)


def in_range(values: Array) -> Array:
    """The values, NaN where section 8 does not cover them (which makes all that depends on them fail)."""
    return np.where(values <= LARGEST, values, nan)


def reach_of(stage: FastStage, largest: Magnitudes) -> tuple[Array, Array]:
    """Upper bounds of R = A M + a + E and of E, what a float32 execution changes: (nodes, rows) each."""
    reach = stage.bias_size + np.zeros((len(largest.peak), 1))
    for source, sizes in stage.sizes:
        reach = reach + largest.groups[source] @ sizes.T
    reach = reach * INFLATE + ABSOLUTE
    if stage.flushed == 0.0:  # real arithmetic
        return in_range(reach), np.zeros_like(reach)
    flushed = stage.flushed * (1 + largest.peak)
    deviation = (reach * stage.relative + np.where(flushed <= OVERFLOW, flushed, nan)[:, None]) * INFLATE
    return in_range(reach + deviation), deviation


def _interval(stage: FastStage, low: list[Array], high: list[Array]) -> tuple[Array, Array]:
    """Interval bounds of pre-activations before their error is taken off: (nodes, rows) each."""
    below = above = stage.bias + np.zeros((len(low[0]), 1))
    for source, weights in zip(stage.sources, stage.weights, strict=True):
        positive, negative = np.maximum(weights, 0.0).T, np.minimum(weights, 0.0).T
        below = below + (low[source] @ positive + high[source] @ negative)
        above = above + (high[source] @ positive + low[source] @ negative)
    return below, above


def outward_interval(
    stage: FastStage, low: list[Array], high: list[Array], error: Array, deviation: Array
) -> tuple[Array, Array]:
    """Interval bounds of pre-activations, lemma 1 of section 8: (nodes, rows) each."""
    below, above = _interval(stage, low, high)
    wide = 2 * error + deviation + ABSOLUTE
    return below - wide, above + wide


def listed(slopes: Sequence[Slopes]) -> Indices:
    """The lower slopes that nodes list: (slopes, 3), the node, neuron and 128ths of each."""
    every = [(node, neuron, value) for node, own in enumerate(slopes) for neuron, value in own]
    return np.array(every, dtype=np.intp).reshape(len(every), 3)


def relax(lower: Array, upper: Array, error: Array, stage: FastStage, slopes: Indices) -> Relaxed:
    """Lines of a relu stage from its bounds and Q + E.

    Sound because: T >= max(-S L, U - S U) for the computed S of [0, 1], by lemma 2 of section 8
    (docs/theory/rounding-of-the-fast-engine.md).
    """
    active, inactive = lower >= 0, (lower < 0) & (upper <= 0)
    slope = np.where(active | (~inactive & (64 * upper >= -63 * lower)), 1.0, 0.0)
    first, last = stage.neurons.start, stage.neurons.stop
    node, neuron, value = slopes[(first <= slopes[:, 1]) & (slopes[:, 1] < last)].T
    slope[node, neuron - first] = value / SLOPE_ONE
    upper_slope = np.clip(upper / (upper - lower), 0.0, 1.0)
    intercept = (
        np.maximum(-upper_slope * lower, (upper - upper_slope * upper) + 2.0**-51 * upper) * INTERCEPT_INFLATE
    )
    for values, when_active in ((upper_slope, 1.0), (intercept, 0.0)):
        values[active] = when_active
        values[inactive] = 0.0
    upper_charge = intercept + (upper_slope * error) * INFLATE + PER_COEFFICIENT
    return Relaxed(
        error + PER_COEFFICIENT,
        Lines(slope, upper_slope, upper_charge, (slope * error) * INFLATE + PER_COEFFICIENT),
    )
