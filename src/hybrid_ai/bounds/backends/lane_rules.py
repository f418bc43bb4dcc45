"""What the dense kernels do once per neuron, all lanes at once: intervals, relaxations, merged bounds.

Sound because: each formula names its margin; together they are in
docs/theory/rounding-of-the-dense-kernels.md. A value out of range is NaN from there on, and NaN never becomes
a bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from hybrid_ai.bounds.backends.lane_tiles import LINES
from hybrid_ai.bounds.backends.lanes import INDEX, Lanes, Vector, emitted, host_tile

VALUES = 3  # per output and lane: middle, radius, magnitude
TERMS = ("gamma", "twice_unit", "slack", "floor", "limit")  # places in DenseNet.terms


def _for_rows(
    builder: Any, rows: Any, body: Callable[[Callable[[Any, int], Any]], None], lanes: Lanes
) -> None:
    """Emit ``body`` for each row; it is given a function that moves a pointer to this row's vectors."""
    with cgutils.for_range(builder, rows) as row:

        def here(pointer: Any, width: int) -> Any:
            return lanes.at(pointer, builder.mul(row.index, ir.Constant(INDEX, width)))

        body(here)


def _terms(lanes: Lanes, pointer: Any) -> dict[str, Vector]:
    return {name: lanes.spread_vector(pointer, k) for k, name in enumerate(TERMS)}


def _unpack(lanes: Lanes, signature: Any, values: Any) -> list[Any]:
    """Pointers of array arguments, other arguments as they are."""
    return [
        lanes.data(kind, value) if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, values, strict=True)
    ]


def _checked(lanes: Lanes, reach: Vector, limit: Vector) -> Vector:
    """Zero where in range, else NaN: added to whatever must not be used."""
    zero = lanes.constant(0.0)
    return lanes.where(reach < limit, zero, lanes.constant(float("nan")))


def _store_output(lanes: Lanes, place: Any, low: Vector, high: Vector) -> None:
    half = lanes.constant(0.5)
    lanes.put(half * (low + high), place, 0)
    lanes.put(half * (high - low), place, 1)
    lanes.put(low.size().most(high.size()), place, 2)


@emitted
def begin_boxes(typing, lower, upper, inputs, terms, lines, values, reach):  # type: ignore[no-untyped-def]
    """Lines, values and reach of the input from its boxes.

    Arguments: lower, upper (inputs, lanes); terms; lines (inputs, LINES, lanes); values (inputs, VALUES,
    lanes); reach (lanes,): largest magnitude so far.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(context, builder, signature.args[0].dtype)
        low_ends, high_ends, count, terms, lines, values, reach = _unpack(lanes, signature, arguments)
        known = _terms(lanes, terms)
        lanes.put(lanes.constant(0.0), reach, 0)

        def row(here: Callable[[Any, int], Any]) -> None:
            low = lanes.get(here(low_ends, lanes.count), 0)
            high = lanes.get(here(high_ends, lanes.count), 0)
            size = low.size().most(high.size())
            fault = _checked(lanes, size, known["limit"])
            lanes.put(lanes.get(reach, 0).most(size), reach, 0)
            # A coefficient c adds c low or c high, less gamma |c| size for what it is off itself.
            wide = known["gamma"] * size + known["floor"] + fault
            place = here(lines, LINES * lanes.count)
            lanes.put(low - wide, place, 2)
            lanes.put(high + wide, place, 3)
            _store_output(lanes, here(values, VALUES * lanes.count), low + fault, high + fault)

        _for_rows(builder, count, row, lanes)
        return context.get_dummy_value()

    return types.void(lower, upper, inputs, terms, lines, values, reach), generate


@emitted
def finish_interval(typing, found, bias, rows, terms, reach, lower, upper):  # type: ignore[no-untyped-def]
    """Interval bounds from the sums of `interval`, whose sizes become what rounding a row's own sum may lose.

    Arguments: found (rows, VALUES, lanes); bias (rows,); terms; reach (lanes,); lower, upper (rows, lanes).
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(context, builder, signature.args[0].dtype)
        found, bias, count, terms, reach, lower, upper = _unpack(lanes, signature, arguments)
        known = _terms(lanes, terms)
        least = known["floor"] * (lanes.constant(1.0) + lanes.get(reach, 0))
        endless = lanes.constant(float("inf"))

        def row(here: Callable[[Any, int], Any]) -> None:
            place = here(found, VALUES * lanes.count)
            middle, radius, size = (lanes.get(place, q) for q in range(VALUES))
            constant = lanes.spread_vector(here(bias, 1), 0)
            error = known["gamma"] * (size + constant.size()) * known["slack"] + least
            center = middle + constant
            wide = radius * known["slack"] + (error + error)
            lanes.put(error, place, 2)
            low, high = center - wide, center + wide
            lanes.put(lanes.where(-endless < low, low, -endless), here(lower, lanes.count), 0)
            lanes.put(lanes.where(high < endless, high, endless), here(upper, lanes.count), 0)

        _for_rows(builder, count, row, lanes)
        return context.get_dummy_value()

    return types.void(found, bias, rows, terms, reach, lower, upper), generate


def _relu_lines(lanes: Lanes, low: Vector, high: Vector, steep: Vector, slack: Vector) -> list[Vector]:
    """Slopes below and above, and the upper line's intercept, cleared of its own rounding."""
    zero, one = lanes.constant(0.0), lanes.constant(1.0)
    active, dead = zero <= low, high <= zero
    chord = (high / (high - low)).most(zero).least(one)
    clear = (-(chord * low)).most(high - chord * high) * slack

    def chosen(loose: Vector, on: Vector) -> Vector:
        return lanes.where(active, on, lanes.where(dead, zero, loose))

    return [chosen(lanes.where(steep, one, zero), one), chosen(chord, one), chosen(clear, zero)]


@emitted
def relax(  # type: ignore[no-untyped-def]
    typing, lower, upper, found, bias, rows, terms, area, relu, lines, values, reach
):
    """Lines and output intervals of a stage's neurons from their bounds.

    Arguments: lower, upper (rows, lanes); found: as `finish_interval` left it; bias (rows,); terms; area:
    lower slope 1 where U > -L, else by the certificate format's rule, 64 U >= -63 L; relu: literal; lines
    (rows, LINES, lanes); values (rows, VALUES, lanes); reach (lanes,): largest magnitude so far.
    """
    if not isinstance(relu, types.BooleanLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(context, builder, signature.args[0].dtype)
        lower, upper, found, bias, count, terms, area, _, lines, values, reach = _unpack(
            lanes, signature, arguments
        )
        known, zero, one = _terms(lanes, terms), lanes.constant(0.0), lanes.constant(1.0)

        def row(here: Callable[[Any, int], Any]) -> None:
            low, high = (lanes.get(here(end, lanes.count), 0) for end in (lower, upper))
            size = low.size().most(high.size())
            fault = _checked(lanes, size, known["limit"])
            lanes.put(lanes.get(reach, 0).most(size), reach, 0)
            constant = lanes.spread_vector(here(bias, 1), 0)
            own = lanes.get(here(found, VALUES * lanes.count), 2)
            error = (own + known["twice_unit"] * size) * known["slack"]
            below, above, clear = one, one, zero
            if relu.literal_value:
                exact = lanes.constant(64.0) * high >= lanes.constant(-63.0) * low
                steep = lanes.choose(area, -low < high, exact)
                below, above, clear = _relu_lines(lanes, low, high, steep, known["slack"])
                low, high = low.most(zero), high.most(zero)
            place = here(lines, LINES * lanes.count)
            lanes.put(below + fault, place, 0)
            lanes.put(above + fault, place, 1)
            lanes.put(below * (constant - error) + fault, place, 2)
            lanes.put(above * (constant + error) + clear + known["floor"] + fault, place, 3)
            _store_output(lanes, here(values, VALUES * lanes.count), low + fault, high + fault)

        _for_rows(builder, count, row, lanes)
        return context.get_dummy_value()

    return types.void(lower, upper, found, bias, rows, terms, area, relu, lines, values, reach), generate


@emitted
def begin_sums(typing, sign, bias, found, sums):  # type: ignore[no-untyped-def]
    """Constants of a tile of a stage's own rows: the signed bias less what rounding the row may lose.

    Arguments: sign: an array that begins with 1 or -1; bias (rows,); found (rows, VALUES, lanes): as
    `finish_interval` left it; sums (2, rows, lanes).
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(context, builder, signature.args[0].dtype)
        sign, bias, found, sums = _unpack(lanes, signature, arguments)
        direction = lanes.spread_vector(sign, 0)
        for r in range(host_tile().rows):
            constant = direction * lanes.spread_vector(bias, r)
            lanes.put(constant - lanes.get(found, VALUES * r + 2), sums, r)
        return context.get_dummy_value()

    return types.void(sign, bias, found, sums), generate


@emitted
def merge(typing, sums, terms, reach, sign, bounds):  # type: ignore[no-untyped-def]
    """Intersect the bounds of a tile of rows with those that its sums give.

    Arguments: sums (2, rows, lanes); terms; reach (lanes,); sign: an array that begins with 1 for lower
    bounds, -1 for upper ones; bounds (rows, lanes).
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(context, builder, signature.args[0].dtype)
        sums, terms, reach, sign, bounds = _unpack(lanes, signature, arguments)
        direction, endless = lanes.spread_vector(sign, 0), lanes.constant(float("inf"))
        least = _terms(lanes, terms)["floor"] * (lanes.constant(1.0) + lanes.get(reach, 0))
        for r in range(host_tile().rows):
            held = direction * lanes.get(bounds, r)
            value = lanes.get(sums, r) - least
            usable = lanes.where(value.size() < endless, value, -endless)
            lanes.put(direction * held.most(usable), bounds, r)
        return context.get_dummy_value()

    return types.void(sums, terms, reach, sign, bounds), generate
