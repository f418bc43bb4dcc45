"""Dense CUDA backend: bounds of the outputs of many boxes, one neuron of one box per thread.

A stage is one launch. Its threads count pairs of box and neuron, so that none idles where a stage has few
neurons; each bounds its neuron and leaves its lines for the stages above. Threads meet only to stage weights.
What a network fixes (its widths) is compiled in, so that a thread's sums are registers.

Sound because: the formulas are those of `lane_rules` and `lane_tiles`, and so are their margins:
docs/theory/rounding-on-a-device.md. Source: CROWN (Zhang et al. 2018, arXiv:1811.00866, theorem 3.2).
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import cuda, types

from hybrid_ai.bounds.backends.cuda_geometry import Geometry
from hybrid_ai.bounds.backends.cuda_jit import inlined, launched
from hybrid_ai.bounds.backends.cuda_rules import LINES, VALUES, Rules, make_rules, number_type
from hybrid_ai.bounds.device import DeviceNet, DeviceWork


class Kernels(NamedTuple):
    """For one geometry.

    begin(size, terms, lower, upper, lines, values): the input's lines and values, and zeros where a group is
    narrower than the widest; stage(size, first, relu, weights, bias, terms, lines, values, out, g, backward,
    intersect, area): bounds of stage g.
    """

    begin: Any
    stage: Any


@cache
def make_kernels(geometry: Geometry) -> Kernels:
    """The kernels for a geometry, compiled when they are first launched."""
    rules = make_rules(geometry)
    return Kernels(_make_begin(geometry, rules.most), _make_stage(geometry, rules))


def _make_begin(geometry: Geometry, most: Any) -> Any:
    number, width = number_type(geometry), geometry.width
    zero, half, fault = number(0.0), number(0.5), number(np.nan)

    @launched
    def begin(size, terms, lower, upper, lines, values):  # type: ignore[no-untyped-def]
        i = cuda.grid(1)
        box = i // width
        m = i - box * width
        if box >= lower.shape[0]:
            return
        for g in range(size.shape[0]):
            if m >= size[g]:
                for q in range(LINES):
                    lines[box, g, m, q] = zero
        if m < size[0]:
            low = lower[box, m, 0]
            high = upper[box, m, 0]
            reach = most(abs(low), abs(high))
            wrong = zero if reach < terms[4] else fault
            # A coefficient c adds c low or c high, less gamma |c| reach for what it is off itself.
            wide = terms[0] * reach + terms[3] + wrong
            lines[box, 0, m, 0] = zero
            lines[box, 0, m, 1] = zero
            lines[box, 0, m, 2] = low - wide
            lines[box, 0, m, 3] = high + wide
            values[box, 0, m, 0] = half * (low + high) + wrong
            values[box, 0, m, 1] = half * (high - low) + wrong
            values[box, 0, m, 2] = reach + wrong
            values[box, 0, m, 3] = reach

    return begin


def _make_carry(geometry: Geometry) -> Any:
    width, threads, rows = geometry.width, geometry.threads, geometry.rows
    zero = number_type(geometry)(0.0)

    @inlined
    def carry(weights, start, count, columns, staged, t, below, above):  # type: ignore[no-untyped-def]
        """Products of thread t's coefficients with a stage's weights, from row ``start`` on."""
        for m in range(width):
            below[m] = zero
            above[m] = zero
        for begun in range(0, count, rows):
            here = min(rows, count - begun)
            cuda.syncthreads()
            for e in range(t, here * width, threads):
                k = e // width
                m = e - k * width
                staged[k, m] = weights[start + begun + k, m]
            cuda.syncthreads()
            for k in range(here):
                low = columns[0, begun + k, t]
                high = columns[1, begun + k, t]
                for m in range(width):
                    below[m] += low * staged[k, m]
                    above[m] += high * staged[k, m]

    return carry


def _make_stage(geometry: Geometry, rules: Rules) -> Any:
    width, number = geometry.width, number_type(geometry)
    kind = types.float32 if geometry.itemsize == 4 else types.float64
    coefficients, weight_rows = (2, width, geometry.threads), (geometry.rows, width)
    zero, endless = number(0.0), number(np.inf)
    most, interval, relax_rows, finish = rules
    carry = _make_carry(geometry)

    @launched
    def stage(  # type: ignore[no-untyped-def]
        size, first, relu, weights, bias, terms, lines, values, out, g, backward, intersect, area
    ):
        # The simulator tells shared arrays apart by their lines.
        columns = cuda.shared.array(coefficients, kind)
        staged = cuda.shared.array(weight_rows, kind)
        below = cuda.local.array(width, kind)
        above = cuda.local.array(width, kind)
        i, t = cuda.grid(1), cuda.threadIdx.x
        pairs = out.shape[0] * size[g]
        pair = min(i, pairs - 1)  # threads beyond the last pair stage weights like the others
        box = pair // size[g]
        row = pair - box * size[g]
        r = first[g] + row
        own_bias = bias[r]
        low, high, own, least, reach = interval(weights, r, values, box, g - 1, size[g - 1], own_bias, terms)
        if backward:
            if not intersect:
                low, high = -endless, endless
            total_below, total_above = own_bias - own, -own_bias - own
            for m in range(width):
                below[m] = weights[r, m]
                above[m] = -weights[r, m]
            more_below, more_above = relax_rows(below, above, t, lines, box, g - 1, columns)
            total_below += more_below
            total_above += more_above
            for s in range(g - 1, 0, -1):
                carry(weights, first[s], size[s], columns, staged, t, below, above)
                more_below, more_above = relax_rows(below, above, t, lines, box, s - 1, columns)
                total_below += more_below
                total_above += more_above
            total_below -= least
            total_above -= least
            if abs(total_below) < endless:
                low = most(low, total_below)
            if abs(total_above) < endless:
                high = -most(-high, total_above)
        if i < pairs:
            if g < size.shape[0] - 1:
                finish(low, high, own, own_bias, reach, relu[g], area, terms, lines, values, box, g, row)
            else:
                out[box, 0, row, 0] = most(low, zero) if relu[g] else low
                out[box, 1, row, 0] = most(high, zero) if relu[g] else high

    return stage


def put(net: DeviceNet) -> DeviceNet:
    """The network's arrays on the device."""
    return DeviceNet(net.geometry, *(cuda.to_device(values) for values in net[1:]))


def make_work(net: DeviceNet, boxes: int) -> DeviceWork:
    """Work space on the device for a number of boxes at once."""
    number, groups = number_type(net.geometry), net.size.shape[0]
    shape = (boxes, groups, net.geometry.width)
    return DeviceWork(cuda.device_array((*shape, LINES), number), cuda.device_array((*shape, VALUES), number))


def bound_vectors(
    net: DeviceNet,
    work: DeviceWork,
    lower: np.ndarray,
    upper: np.ndarray,
    method: int,
    intersect: bool,
    area: bool,
    out: np.ndarray,
) -> None:
    """Bounds of the network's output over boxes; what is not reached stays as it was in ``out``.

    Args:
        net: the network, on the device.
        work: work space, for at least as many boxes.
        lower: of the boxes, (boxes, n_inputs, 1).
        upper: of the boxes, (boxes, n_inputs, 1).
        method: 0 intervals, 1 a backward pass over interval bounds, 2 backward passes for every neuron.
        intersect: whether backward bounds are intersected with intervals.
        area: which lower slopes, see `cuda_rules`.
        out: receives lower and upper bounds, (boxes, 2, n_outputs, 1); infinite where nothing is shown.
    """
    kernels, threads = make_kernels(net.geometry), net.geometry.threads
    boxes, sizes = lower.shape[0], net.size.copy_to_host().tolist()
    found, ends = cuda.to_device(out), [cuda.to_device(end) for end in (lower, upper)]
    blocks = -(-boxes * net.geometry.width // threads)
    kernels.begin[blocks, threads](net.size, net.terms, *ends, work.lines, work.values)
    for g, size in enumerate(sizes[1:], start=1):
        backward = method == 2 or (method == 1 and g == len(sizes) - 1)
        kernels.stage[-(-boxes * size // threads), threads](
            *net[1:], work.lines, work.values, found, g, backward, intersect, area
        )
    found.copy_to_host(out)
