"""What the dense CUDA kernels do once per neuron or coefficient: intervals, relaxations.

Sound because: each formula is that of `lane_rules` or `lane_tiles` with the same margin
(docs/theory/rounding-on-a-device.md). A value out of range is NaN from there on, and NaN never becomes a
bound.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hybrid_ai.bounds.backends.cuda_geometry import Geometry
from hybrid_ai.bounds.backends.cuda_jit import inlined

LINES = 4  # per neuron: slopes below and above, and what a coefficient of each sign adds to the constant
VALUES = 4  # per output: middle, radius, magnitude, and the largest pre-activation up to it
# Places in DeviceNet.terms: gamma, twice_unit, slack, floor, limit.


class Rules(NamedTuple):
    """Device functions for one geometry.

    most: the larger number, NaN where either is; interval: bounds of a row from intervals; relax_rows: a pair
    of rows relaxed; finish: what a neuron leaves for the stages above.
    """

    most: Any
    interval: Any
    relax_rows: Any
    finish: Any


def number_type(geometry: Geometry) -> Any:
    """The numpy type of the kernels' numbers."""
    return np.float32 if geometry.itemsize == 4 else np.float64


def make_rules(geometry: Geometry) -> Rules:
    """The device functions. Literals are of the kernels' type, as Python's would make everything double."""
    most = _make_most()
    lines = _make_lines(number_type(geometry), most)
    return Rules(
        most,
        _make_interval(number_type(geometry), most),
        _make_relax_rows(geometry),
        _make_finish(number_type(geometry), most, lines),
    )


def _make_most() -> Any:
    @inlined
    def most(a, b):  # type: ignore[no-untyped-def]
        return a if b <= a else (b if a < b else a + b)

    return most


def _make_interval(number: Any, most: Any) -> Any:
    zero, one, endless = number(0.0), number(1.0), number(np.inf)

    @inlined
    def interval(weights, r, values, box, g, count, bias, terms):  # type: ignore[no-untyped-def]
        """Bounds of row r over group g, what rounding its own sum may lose, underflow, and reach so far."""
        middle, radius, sized, reach = zero, zero, zero, zero
        for m in range(count):
            weight = weights[r, m]
            middle += weight * values[box, g, m, 0]
            radius += abs(weight) * values[box, g, m, 1]
            sized += abs(weight) * values[box, g, m, 2]
            reach = most(reach, values[box, g, m, 3])
        least = terms[3] * (one + reach)
        own = terms[0] * (sized + abs(bias)) * terms[2] + least
        center = middle + bias
        wide = radius * terms[2] + (own + own)
        low = center - wide
        high = center + wide
        return (
            low if -endless < low else -endless,
            high if high < endless else endless,
            own,
            least,
            reach,
        )

    return interval


def _make_relax_rows(geometry: Geometry) -> Any:
    width, half, zero = geometry.width, geometry.width // 2, number_type(geometry)(0.0)

    @inlined
    def relax(below, above, m, t, lines, box, g, columns):  # type: ignore[no-untyped-def]
        low = lines[box, g, m, 0]
        high = lines[box, g, m, 1]
        plus = lines[box, g, m, 2]
        minus = lines[box, g, m, 3]
        columns[0, m, t] = below * (low if zero < below else high)
        columns[1, m, t] = above * (low if zero < above else high)
        return below * (plus if zero < below else minus), above * (plus if zero < above else minus)

    @inlined
    def relax_rows(below, above, t, lines, box, g, columns):  # type: ignore[no-untyped-def]
        """Relax thread t's rows with the lines of group g; what this adds to their constants."""
        total_below, total_above = zero, zero
        # In two halves: the compiler unrolls no longer loop, and then the sums are not registers.
        for m in range(half):
            part_below, part_above = relax(below[m], above[m], m, t, lines, box, g, columns)
            total_below += part_below
            total_above += part_above
        for m in range(half, width):
            part_below, part_above = relax(below[m], above[m], m, t, lines, box, g, columns)
            total_below += part_below
            total_above += part_above
        return total_below, total_above

    return relax_rows


def _make_lines(number: Any, most: Any) -> Any:
    zero, one = number(0.0), number(1.0)
    upper_share, lower_share = number(64.0), number(-63.0)

    @inlined
    def relu_lines(low, high, area, slack):  # type: ignore[no-untyped-def]
        """Slopes below and above, and the upper line's intercept, cleared of its own rounding."""
        below, above, clear = zero, zero, zero
        if zero <= low:
            below, above = one, one
        elif not high <= zero:
            chord = most(high / (high - low), zero)
            chord = -most(-chord, -one)
            above = chord
            clear = most(-(chord * low), high - chord * high) * slack
            steep = -low < high if area else upper_share * high >= lower_share * low
            below = one if steep else zero
        return below, above, clear

    return relu_lines


def _make_finish(number: Any, most: Any, relu_lines: Any) -> Any:
    zero, one, half, fault = number(0.0), number(1.0), number(0.5), number(np.nan)

    @inlined
    def finish(  # type: ignore[no-untyped-def]
        low, high, own, bias, reach, relu, area, terms, lines, values, box, g, row
    ):
        """Lines and output interval of a neuron from its bounds; NaN all through where out of range."""
        size = most(abs(low), abs(high))
        wrong = zero if size < terms[4] else fault
        error = (own + terms[1] * size) * terms[2]
        below, above, clear = one, one, zero
        if relu:
            below, above, clear = relu_lines(low, high, area, terms[2])
            low = most(low, zero)
            high = most(high, zero)
        lines[box, g, row, 0] = below + wrong
        lines[box, g, row, 1] = above + wrong
        lines[box, g, row, 2] = below * (bias - error) + wrong
        lines[box, g, row, 3] = above * (bias + error) + clear + terms[3] + wrong
        values[box, g, row, 0] = half * (low + high) + wrong
        values[box, g, row, 1] = half * (high - low) + wrong
        values[box, g, row, 2] = most(abs(low), abs(high)) + wrong
        values[box, g, row, 3] = most(reach, size)

    return finish
