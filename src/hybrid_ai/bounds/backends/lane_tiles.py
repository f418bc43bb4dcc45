"""The inner loops of the dense kernels: a tile of sums in registers, relaxed before it is stored.

Sound because: a coefficient that is NaN gives a relaxed coefficient and a sum that are NaN; what rounding
changes is in docs/theory/rounding-of-the-dense-kernels.md.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from hybrid_ai.bounds.backends.lanes import INDEX, Lanes, Loop, emitted, host_tile

LINES = (
    4  # per neuron and lane: slopes below and above, and what a coefficient of each sign adds to the constant
)


def _relax(lanes: Lanes, tile: list[list[Any]], lines: Any, out: Any, sums: Any) -> None:
    """Store the relaxed coefficients of a tile; add to each row's sum what its coefficients contribute."""
    rows = len(tile)
    for r, coefficients in enumerate(tile):
        total = lanes.zero  # a panel begins anew, so that no sum is longer than it need be
        for k, coefficient in enumerate(coefficients):
            low, high, above, below = (lanes.load(lines, LINES * k + q) for q in range(LINES))
            positive, negative = lanes.parts(coefficient)
            # One of the two products is zero, so this rounds once.
            relaxed = lanes.fma(negative, high, lanes.builder.fmul(positive, low))
            lanes.store(relaxed, out, k * rows + r)
            total = lanes.fma(negative, below, lanes.fma(positive, above, total))
        lanes.store(lanes.builder.fadd(lanes.load(sums, rows + r), total), sums, rows + r)


def _begin(lanes: Lanes, sums: Any) -> None:
    """Start the rows' sums over this stage."""
    rows = host_tile().rows
    for r in range(rows):
        lanes.store(lanes.zero, sums, rows + r)


def _finish(lanes: Lanes, sums: Any) -> None:
    """Add the rows' sums over this stage to those over all stages."""
    rows = host_tile().rows
    for r in range(rows):
        lanes.store(lanes.builder.fadd(lanes.load(sums, r), lanes.load(sums, rows + r)), sums, r)


def _panel(lanes: Lanes, index: Any, lines: Any, out: Any) -> tuple[Any, Any]:
    """Where the lines and the coefficients of a panel of columns begin."""
    tile = host_tile()
    first = lanes.builder.mul(index, ir.Constant(INDEX, tile.columns * lanes.count))
    return (
        lanes.at(lines, lanes.builder.mul(first, ir.Constant(INDEX, LINES))),
        lanes.at(out, lanes.builder.mul(first, ir.Constant(INDEX, tile.rows))),
    )


@emitted
def carry(typing, coefficients, weights, inner, panels, lines, out, sums):  # type: ignore[no-untyped-def]
    """Carry a tile of rows through a stage and relax it with the lines of the group it arrives at.

    Arguments: coefficients (inner, rows, lanes) on the stage's pre-activations; weights (panels, inner,
    columns); inner, panels: at least 1; lines (panels * columns, LINES, lanes); out (panels * columns, rows,
    lanes) receives the relaxed coefficients; to sums (2, rows, lanes): first what the coefficients of all
    stages contribute, to which this one's are added.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        tile, lanes = host_tile(), Lanes(context, builder, signature.args[0].dtype)
        source, matrix, turns, count, relaxation, target, total = (
            lanes.data(kind, value) if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, values, strict=True)
        )
        block = builder.mul(turns, ir.Constant(INDEX, tile.columns))
        _begin(lanes, total)
        with cgutils.for_range(builder, count) as panel:
            starts = [source, lanes.at(matrix, builder.mul(panel.index, block))]
            loop = Loop(builder, turns, [*starts, *[lanes.zero] * (tile.rows * tile.columns)])
            rows, entries, *held = loop.values
            columns = [lanes.spread(entries, k) for k in range(tile.columns)]
            following = []
            for r in range(tile.rows):
                coefficient = lanes.load(rows, r)
                for k, weight in enumerate(columns):
                    following.append(lanes.fma(coefficient, weight, held[r * tile.columns + k]))
            steps = [lanes.at(rows, tile.rows * lanes.count), lanes.at(entries, tile.columns)]
            _, _, *ended = loop.end([*steps, *following])
            tiles = [list(ended[r * tile.columns : (r + 1) * tile.columns]) for r in range(tile.rows)]
            _relax(lanes, tiles, *_panel(lanes, panel.index, relaxation, target), total)
        _finish(lanes, total)
        return context.get_dummy_value()

    return types.void(coefficients, weights, inner, panels, lines, out, sums), generate


@emitted
def seed(typing, weights, sign, panels, lines, out, sums):  # type: ignore[no-untyped-def]
    """Begin a tile of rows with a stage's own weights, or their negatives, and relax it.

    Arguments: weights (panels * columns, rows); sign: an array that begins with 1 or -1; the others as in
    `carry`.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        tile, lanes = host_tile(), Lanes(context, builder, signature.args[0].dtype)
        matrix, direction, count, relaxation, target, total = (
            lanes.data(kind, value) if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, values, strict=True)
        )
        factor = lanes.spread(direction, 0)
        block = ir.Constant(INDEX, tile.columns * tile.rows)
        _begin(lanes, total)
        with cgutils.for_range(builder, count) as panel:
            entries = lanes.at(matrix, builder.mul(panel.index, block))
            tiles = [
                [builder.fmul(lanes.spread(entries, k * tile.rows + r), factor) for k in range(tile.columns)]
                for r in range(tile.rows)
            ]
            _relax(lanes, tiles, *_panel(lanes, panel.index, relaxation, target), total)
        _finish(lanes, total)
        return context.get_dummy_value()

    return types.void(weights, sign, panels, lines, out, sums), generate


@emitted
def interval(typing, weights, inner, values, out, sized):  # type: ignore[no-untyped-def]
    """Centre, radius and size of one tile of a stage's rows.

    Arguments: weights (inner, rows); values (inner, 3, lanes): middle, radius and magnitude of what the stage
    reads; out (rows, 3, lanes): sums of ``w middle``, ``|w| radius``, ``|w| magnitude``; sized: literal,
    whether the last is wanted (else it is zero).
    """
    if not isinstance(sized, types.BooleanLiteral):
        return None
    quantities = 3 if sized.literal_value else 2

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tile, lanes = host_tile(), Lanes(context, builder, signature.args[0].dtype)
        matrix, source, target = (lanes.data(signature.args[k], arguments[k]) for k in (0, 2, 3))
        starts = [matrix, source, *[lanes.zero] * (tile.rows * quantities)]
        loop = Loop(builder, arguments[1], starts)
        entries, read, *held = loop.values
        known = [lanes.load(read, q) for q in range(quantities)]
        following = []
        for r in range(tile.rows):
            weight = lanes.spread(entries, r)
            factors = [weight, *[lanes.size(weight)] * (quantities - 1)]
            for q, (factor, value) in enumerate(zip(factors, known, strict=True)):
                following.append(lanes.fma(factor, value, held[r * quantities + q]))
        ended = loop.end([lanes.at(entries, tile.rows), lanes.at(read, 3 * lanes.count), *following])
        for r in range(tile.rows):
            for q in range(quantities):
                lanes.store(ended[2 + r * quantities + q], target, 3 * r + q)
            if quantities == 2:
                lanes.store(lanes.zero, target, 3 * r + 2)
        return context.get_dummy_value()

    return types.void(weights, inner, values, out, sized), generate


PEAK_CHAINS, PEAK_UNROLL = 12, 4  # enough independent sums to hide the latency of an addition


@emitted
def chains(typing, values, turns):  # type: ignore[no-untyped-def]
    """Independent chains of fused multiply-adds in registers: what the processor can do at most.

    Arguments: values (2, lanes): factor and addend, the first receives the sum of all; turns: at least 1,
    each PEAK_CHAINS * PEAK_UNROLL operations on vectors.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(context, builder, signature.args[0].dtype)
        place = lanes.data(signature.args[0], arguments[0])
        factor, addend = lanes.load(place, 0), lanes.load(place, 1)
        loop = Loop(builder, arguments[1], [addend] * PEAK_CHAINS)
        held = loop.values
        for _ in range(PEAK_UNROLL):
            held = [lanes.fma(value, factor, addend) for value in held]
        total = lanes.zero
        for value in loop.end(held):
            total = builder.fadd(total, value)
        lanes.store(total, place, 0)
        return context.get_dummy_value()

    return types.void(values, turns), generate
