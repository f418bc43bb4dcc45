"""Reference backend: interval and backward linear (CROWN) bounds in numpy, written to be read.

It says what every other backend has to compute: the same bounds up to the order of summation, the same error
terms. Nothing is skipped or blocked: every matrix is whole, every row is bounded. It also searches while
the kernels of the compiled backend are being compiled.

Sound because: every computed coefficient is taken as it is, and what each substitution of ``z = W h + b``
can lose by rounding is bounded by ``sum |B_i| Q_i`` with ``Q = gamma (|W| M + |b|) + 2u Z``, in any order of
summation, with or without fused multiply-add. What a float32 execution changes in ``z`` is at most the
deviation ``E = gamma_K (A M + a) + eta`` (section 6 of the format), and costs ``|B_i| E_i``:
docs/theory/rounding-of-the-search.md, docs/theory/float32-carried-backward.md.
Source: CROWN (Zhang et al. 2018, arXiv:1811.00866, theorem 3.2), with adaptive lower slopes.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from hybrid_ai.bounds.arrays import Booleans, Floats, Integers, Net

Method = Literal["interval", "crown_interval", "crown"]

TINY = 2.0**-800  # covers underflow of every product and sum (magnitudes stay below LIMIT)
INFLATE = 1.0 + 2.0**-40
FINAL = 1.0 + 2.0**-18
LIMIT = 2.0**100
UNIT = 2.0**-53
OVERFLOW = 2.0**-20  # eta is 2^-120 G (1 + H): beyond it a float32 partial sum might pass 2^100


class Lines(NamedTuple):
    """``low_slope z <= h <= high_slope z + intercept`` for each element of a stage, (n,) each."""

    low_slope: Floats
    high_slope: Floats
    intercept: Floats


class StageKind(NamedTuple):
    """What a kind of stage means to the bounds.

    lines: relaxation from the bounds of the pre-activation; output: interval of the output from the same;
    loose: elements whose relaxation is not exact, so that better bounds of the pre-activation pay.
    """

    lines: Callable[[Floats, Floats], Lines]
    output: Callable[[Floats, Floats], tuple[Floats, Floats]]
    loose: Callable[[Floats, Floats], Booleans]


def _linear_output(lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    return lower, upper


def _linear_loose(lower: Floats, upper: Floats) -> Booleans:
    return np.zeros(lower.shape, np.bool_)


def _linear_lines(lower: Floats, upper: Floats) -> Lines:
    return Lines(np.ones_like(lower), np.ones_like(lower), np.zeros_like(lower))


def _relu_lines(lower: Floats, upper: Floats) -> Lines:
    """Lines by the default rule of the certificate format, section 6.

    Sound because: whatever the chord's rounded slope, its intercept clears both ends up to ``2u Z`` per
    unit of slope, which the step error holds.
    """
    loose = _relu_loose(lower, upper)
    on = lower >= 0.0
    chord = np.where(on, 1.0, 0.0)
    chord[loose] = np.clip(upper[loose] / (upper[loose] - lower[loose]), 0.0, 1.0)
    intercept = np.maximum(-chord * lower, upper - chord * upper) * (1.0 + 8.0 * UNIT)
    steep = 64.0 * upper >= -63.0 * lower
    return Lines(np.where(on | (loose & steep), 1.0, 0.0), chord, np.where(loose, intercept, 0.0))


def _relu_output(lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    return np.maximum(lower, 0.0), np.maximum(upper, 0.0)


def _relu_loose(lower: Floats, upper: Floats) -> Booleans:
    return (lower < 0.0) & (upper > 0.0)


# One row per kind of stage: another kind, or another relaxation of one, is added here and nowhere else.
STAGE_KINDS: Mapping[str, StageKind] = MappingProxyType(
    {
        "linear": StageKind(_linear_lines, _linear_output, _linear_loose),
        "relu": StageKind(_relu_lines, _relu_output, _relu_loose),
    }
)


class Group(NamedTuple):
    """Bounds of one group's elements, (n,) each.

    lower, upper: of the pre-activation (the box itself for group 0); lines: the relaxation; magnitude: bound
    of the output's size; middle, radius: of the output's interval; step_error, deviation: what rounding here
    and in a float32 execution may change per unit of coefficient (Q and E above).
    """

    lower: Floats
    upper: Floats
    lines: Lines
    magnitude: Floats
    middle: Floats
    radius: Floats
    step_error: Floats
    deviation: Floats


class Bounded(NamedTuple):
    """Linear lower bounds of R rows over a box.

    form (R, N): coefficients met on the way down, those on the input being the row's linear bound; constant,
    lost (R,): its constant and what rounding may have lost; value (R,): least value, before ``lost``; penalty
    (R,): what float32 executions took off it.
    """

    form: Floats
    constant: Floats
    lost: Floats
    value: Floats
    penalty: Floats


def places(net: Net, g: int) -> slice:
    """Positions of the elements of group ``g``."""
    return slice(int(net.offset[g]), int(net.offset[g] + net.size[g]))


class BlockView(NamedTuple):
    """Source group of a block, its matrix, and the sizes of its entries."""

    source: int
    weights: Floats
    sizes: Floats


def blocks(net: Net, g: int) -> Iterator[BlockView]:
    """The blocks of stage ``g``."""
    for block in range(int(net.block_start[g]), int(net.block_start[g + 1])):
        source, first = int(net.block_source[block]), int(net.block_weights[block])
        rows, columns = int(net.size[g]), int(net.size[source])
        entries = slice(first, first + rows * columns)
        shape = (rows, columns)
        yield BlockView(source, net.weights[entries].reshape(shape), net.sizes[entries].reshape(shape))


def stage_kind(net: Net, g: int) -> StageKind:
    """The row of STAGE_KINDS for stage ``g``."""
    return STAGE_KINDS["relu" if net.relu[g] else "linear"]


def _group(lower: Floats, upper: Floats, kind: StageKind, error: Floats, deviation: Floats) -> Group | None:
    """Relaxation and output interval; None when a magnitude is out of range, or NaN."""
    reach = np.maximum(np.abs(lower), np.abs(upper))
    if not (np.all(reach < LIMIT) and np.all(np.isfinite(error))):
        return None
    low, high = kind.output(lower, upper)
    magnitude = np.maximum(np.abs(low), np.abs(high)) * INFLATE
    middle, radius = 0.5 * (low + high), 0.5 * (high - low)
    step_error = (error + 2.0 * UNIT * reach) * INFLATE
    return Group(lower, upper, kind.lines(lower, upper), magnitude, middle, radius, step_error, deviation)


class _Interval(NamedTuple):
    """Interval bounds of a stage, its step error without Z, and its deviation."""

    lower: Floats
    upper: Floats
    error: Floats
    deviation: Floats


def _interval(net: Net, g: int, groups: list[Group]) -> _Interval | None:
    """Interval bounds of stage ``g``; None when a float32 execution might overflow."""
    center = net.bias[places(net, g)].copy()
    total = net.bias_size[places(net, g)].copy()
    spread = np.zeros_like(center)
    # Of all groups before: what is multiplied by zero is computed all the same.
    largest = max(float(group.magnitude.max()) for group in groups)
    for source, weights, sizes in blocks(net, g):
        center += weights @ groups[source].middle
        spread += np.abs(weights) @ groups[source].radius
        total += sizes @ groups[source].magnitude
    relative, gain = net.float32[g]
    flushed = gain * (1.0 + largest) * INFLATE
    if not flushed <= OVERFLOW:
        return None
    deviation = (relative * total * (1.0 + net.gamma) + flushed) * INFLATE
    error = net.gamma * (total + deviation) * INFLATE + TINY
    wide = spread * (1.0 + net.gamma) + 2.0 * error + deviation
    return _Interval(center - wide, center + wide, error, deviation)


def backward(
    net: Net, groups: list[Group], top: int, form: Floats, constant: Floats, lost: Floats
) -> Bounded:
    """Least values of ``form @ h + constant`` over the box, substituting the stages below ``top``.

    Args:
        net: the network.
        groups: bounds of at least the groups below ``top``.
        top: group above the highest one that ``form`` reads.
        form: coefficients, (R, N), changed in place.
        constant: (R,), changed in place.
        lost: what rounding may already have lost, (R,), changed in place.
    """
    penalty = np.zeros_like(constant)
    for g in range(top - 1, 0, -1):
        here, lines = places(net, g), groups[g].lines
        row = form[:, here]
        positive = row >= 0.0
        scaled = row * np.where(positive, lines.low_slope, lines.high_slope)
        slack = np.where(positive, 0.0, row * lines.intercept).sum(axis=1)
        bent = np.abs(scaled) @ groups[g].deviation
        penalty += bent
        constant += scaled @ net.bias[here] + slack - bent
        lost += np.abs(scaled) @ groups[g].step_error - slack * net.gamma
        for source, weights, _ in blocks(net, g):
            form[:, places(net, source)] += scaled @ weights
    box, last = groups[0], form[:, places(net, 0)]
    value = constant + np.where(last >= 0.0, last * box.lower, last * box.upper).sum(axis=1)
    lost += net.gamma * (np.abs(constant) + np.abs(last) @ box.magnitude)
    return Bounded(form, constant, lost * FINAL + TINY, value, penalty)


def _bound_neurons(
    net: Net, g: int, groups: list[Group], chosen: Integers, interval: _Interval
) -> tuple[Floats, Floats, Floats]:
    """Backward lower and upper bounds of the chosen rows of stage ``g``, and the inputs' influence."""
    seed = np.zeros((chosen.shape[0], net.bias.shape[0]))
    for source, weights, _ in blocks(net, g):
        seed[:, places(net, source)] = weights[chosen]
    bias, deviation = net.bias[places(net, g)][chosen], interval.deviation[chosen]
    below = backward(net, groups, g, seed.copy(), bias - deviation, interval.error[chosen].copy())
    above = backward(net, groups, g, -seed, -bias - deviation, interval.error[chosen].copy())
    inputs = places(net, 0)
    influence = 0.5 * (np.abs(below.form[:, inputs]) + np.abs(above.form[:, inputs]))
    return below.value - below.lost, above.lost - above.value, influence


def _with_slopes(kind: StageKind, slopes: Floats) -> StageKind:
    """The kind with other lower slopes, whatever the bounds, where they are no NaN."""

    def lines(lower: Floats, upper: Floats) -> Lines:
        ruled = kind.lines(lower, upper)
        return ruled._replace(low_slope=np.where(np.isnan(slopes), ruled.low_slope, slopes))

    return kind._replace(lines=lines)


def tighten(
    net: Net,
    lower: Floats,
    upper: Floats,
    held: Floats,
    slopes: Floats | None = None,
    named: Booleans | None = None,
) -> tuple[list[Group], Floats] | None:
    """Bounds of every group over a box, intersected with the bounds held.

    Args:
        net: the network.
        lower: of the box, (n_inputs,).
        upper: of the box, (n_inputs,).
        held: pre-activation bounds to intersect with, (2, N).
        slopes: lower slopes of relu elements, 0 to 1, NaN where the rule decides, (N,); None is the rule
            everywhere.
        named: elements that get backward bounds where their relaxation is not exact, (N,); None is all.

    Returns:
        The groups, and the mean size of the input coefficients of each loose element's own bounds
        (N, n_inputs); None when a magnitude leaves the range in which the error terms are sound.

    Sound because: NaN never replaces a bound (fmax and fmin) and is out of range where it is an error term;
    any lower slope of 0 to 1 is sound (docs/theory/relu-lower-line.md).
    """
    with np.errstate(all="ignore"):
        none = np.zeros(lower.shape[0])
        box = _group(lower.copy(), upper.copy(), STAGE_KINDS["linear"], none, none)
        if box is None:
            return None
        groups = [box]
        influence = np.zeros((net.bias.shape[0], lower.shape[0]))
        for g in range(1, net.size.shape[0]):
            here, kind = places(net, g), stage_kind(net, g)
            if slopes is not None and net.relu[g]:
                kind = _with_slopes(kind, slopes[here])
            interval = _interval(net, g, groups)
            if interval is None:
                return None
            low, high = np.fmax(held[0, here], interval.lower), np.fmin(held[1, here], interval.upper)
            loose = kind.loose(low, high)
            chosen = np.flatnonzero(loose if named is None else loose & named[here])
            below, above, share = _bound_neurons(net, g, groups, chosen, interval)
            low[chosen], high[chosen] = np.fmax(low[chosen], below), np.fmin(high[chosen], above)
            influence[here][chosen] = share
            group = _group(low, high, kind, interval.error, interval.deviation)
            if group is None:
                return None
            groups.append(group)
        return groups, influence


def bound_rows(net: Net, groups: list[Group], table: Floats, offsets: Floats) -> Bounded:
    """Backward lower bounds of ``table @ h + offsets`` over the box of ``groups``.

    Args:
        net: the network.
        groups: as `tighten` returned them.
        table: coefficients over all groups, (R, N), each rounded once.
        offsets: (R,), each rounded once.

    Sound because: the error begins with what rounding the coefficients may have changed.
    """
    with np.errstate(all="ignore"):
        magnitude = np.concatenate([group.magnitude for group in groups])
        stored = (np.abs(offsets) + np.abs(table) @ magnitude) * 4.0 * UNIT
        return backward(net, groups, net.size.shape[0], table.copy(), offsets.copy(), stored)


def _area_lines(lower: Floats, upper: Floats) -> Lines:
    """As `_relu_lines`, with the lower slope that leaves the smaller area: 1 where ``U > -L``."""
    lines = _relu_lines(lower, upper)
    steep = np.where(upper > -lower, 1.0, 0.0)
    return lines._replace(low_slope=np.where(_relu_loose(lower, upper), steep, lines.low_slope))


def _bound_outputs(
    net: Net, lower: Floats, upper: Floats, method: Method, area: bool, intersect: bool
) -> tuple[Floats, Floats] | None:
    """`bound_boxes` of one box; None when out of range."""
    none, last = np.zeros(lower.shape[0]), net.size.shape[0] - 1
    box = _group(lower.copy(), upper.copy(), STAGE_KINDS["linear"], none, none)
    groups = [] if box is None else [box]
    for g in range(1, last + 1):
        interval = _interval(net, g, groups) if groups else None
        if interval is None:
            return None
        low, high, kind = interval.lower, interval.upper, stage_kind(net, g)
        if method == "crown" or (method == "crown_interval" and g == last):
            below, above, _ = _bound_neurons(net, g, groups, np.arange(low.shape[0]), interval)
            low, high = (np.fmax(low, below), np.fmin(high, above)) if intersect else (below, above)
        if area and net.relu[g]:
            kind = kind._replace(lines=_area_lines)
        group = _group(low, high, kind, interval.error, interval.deviation)
        if group is None:
            return None
        groups.append(group)
    return stage_kind(net, last).output(low, high)


def bound_boxes(
    net: Net, lower: Floats, upper: Floats, method: Method, area: bool, intersect: bool
) -> tuple[Floats, Floats]:
    """Bounds of the last group's outputs over boxes; every row is bounded, none is taken from intervals
    alone.

    Args:
        net: the network.
        lower: of the boxes, (boxes, n_inputs).
        upper: of the boxes, (boxes, n_inputs).
        method: "interval", "crown_interval" (a backward pass over interval bounds) or "crown".
        area: lower slope 1 where U > -L, else by the default rule of the certificate format.
        intersect: whether backward bounds are intersected with intervals.

    Returns:
        lower and upper bounds, (boxes, n_outputs); infinite where a magnitude is out of range.
    """
    outputs = int(net.size[-1])
    found = np.stack([np.full((lower.shape[0], outputs), end) for end in (-np.inf, np.inf)])
    with np.errstate(all="ignore"):
        for k in range(lower.shape[0]):
            bounds = _bound_outputs(net, lower[k], upper[k], method, area, intersect)
            if bounds is not None:
                found[0, k], found[1, k] = bounds
    return found[0], found[1]


def forward_point(net: Net, x: Floats) -> Floats:
    """Outputs of every group at ``x`` in plain double precision, (N,)."""
    values = np.concatenate([x, net.bias[x.shape[0] :]])
    for g in range(1, net.size.shape[0]):
        z = values[places(net, g)]
        for source, weights, _ in blocks(net, g):
            z += weights @ values[places(net, source)]
        z[:] = stage_kind(net, g).output(z, z)[0]
    return values
