"""Counterexamples in physical units, and where in its range each coordinate lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

from hybrid_ai.report.datum import Datum
from hybrid_ai.report.plan import DomainInput, Model, Quantity, Side
from hybrid_ai.report.results import ARITHMETICS, Result

WIDTH = 200  # of a track, in units of its drawing
DIGITS = 17  # of a number in physical units: as many as tell doubles apart

_CONTEXT = Context(prec=DIGITS, Emax=999_999, Emin=-999_999)


@dataclass(frozen=True)
class Track:
    """A range drawn as a line of WIDTH with the point on it.

    Attributes:
        point: its place, 0..WIDTH.
        beyond: -1 or 1 where the point lies below or above the range, drawn at its end; else 0.
        box: first and last place of the part of the range that the verification was about, or None.
    """

    point: str
    beyond: int
    box: tuple[str, str] | None


@dataclass(frozen=True)
class Coordinate:
    """A coordinate of a counterexample.

    Attributes:
        name, unit, minimum, maximum: of the domain's input; None without a plan.
        value: in physical units; without a plan the network's own.
        track: None without a range.
    """

    name: Datum
    unit: Datum | None
    minimum: Datum | None
    maximum: Datum | None
    value: Datum
    track: Track | None


@dataclass(frozen=True)
class Output:
    """An output at a counterexample.

    Attributes:
        name, unit: of the model's output; unit None without a plan.
        values: by arithmetic, in physical units (without a plan the network's own); None where it was not
            evaluated.
        places: by arithmetic, on a line of WIDTH that spans all outputs of that unit; empty where such a line
            says nothing.
    """

    name: Datum
    unit: Datum | None
    values: dict[str, Datum | None]
    places: dict[str, str]


@dataclass(frozen=True)
class Counterexample:
    """A counterexample.

    Attributes:
        result: of which it is.
        model: id of the model; without a plan its path.
        inputs, outputs: in the order of the network's.
    """

    result: Result
    model: Datum
    inputs: tuple[Coordinate, ...]
    outputs: tuple[Output, ...]


def counterexample(
    result: Result, model: Model | None, domain: Sequence[DomainInput], box: Sequence[Side] | None
) -> Counterexample | None:
    """Convert the counterexample of a result; None where it has none.

    Args:
        result: of the verification.
        model: with its units; None without a plan.
        domain: ranges of all inputs of the model, in any order.
        box: of the verification, in the order of the plan, or None.
    """
    if result.point is None:
        return None
    ranges = {entry.name.value: entry for entry in domain}
    sides = {side.name.value: side for side in box or ()}
    inputs = [
        _coordinate(value, index, _quantity(model.inputs if model else (), index), ranges, sides)
        for index, value in enumerate(result.point.x)
    ]
    return Counterexample(result, model.id if model else result.model, tuple(inputs), _outputs(result, model))


def physical(value: Datum, quantity: Quantity) -> Datum:
    """A number of the network in the units of a quantity."""
    number = Fraction(value.value) * quantity.scale + quantity.offset
    return Datum(_decimal(number), value.source, "double", f"physical {quantity.source}")


def place(value: Fraction, minimum: Fraction, maximum: Fraction) -> str:
    """Where a value lies on a line of WIDTH, 0..WIDTH; in the middle of a range that is a point."""
    if minimum == maximum:
        return f"{WIDTH / 2:g}"
    part = min(max((value - minimum) / (maximum - minimum), Fraction(0)), Fraction(1))
    return f"{float(part * WIDTH):.1f}"


def _decimal(number: Fraction) -> str:
    rounded = _CONTEXT.divide(Decimal(number.numerator), Decimal(number.denominator)).normalize(_CONTEXT)
    return f"{rounded:f}" if abs(rounded.adjusted()) < DIGITS else str(rounded)


def _quantity(quantities: Sequence[Quantity], index: int) -> Quantity | None:
    # Of several instances of a network each has the same inputs and outputs.
    return quantities[index % len(quantities)] if quantities else None


def _coordinate(
    value: Datum,
    index: int,
    quantity: Quantity | None,
    ranges: dict[str, DomainInput],
    sides: dict[str, Side],
) -> Coordinate:
    if quantity is None:
        return Coordinate(_numbered("X", index, value), None, None, None, value.as_kind("double"), None)
    found = physical(value, quantity)
    entry = ranges.get(quantity.name.value)
    if entry is None:
        return Coordinate(quantity.name, quantity.unit, None, None, found, None)
    exact = Fraction(value.value) * quantity.scale + quantity.offset
    minimum, maximum = Fraction(entry.minimum.value), Fraction(entry.maximum.value)
    side = sides.get(quantity.name.value)
    box = None
    if side is not None:
        ends = [place(Fraction(end.value), minimum, maximum) for end in (side.minimum, side.maximum)]
        box = ends[0], ends[1]
    track = Track(place(exact, minimum, maximum), (exact > maximum) - (exact < minimum), box)
    return Coordinate(quantity.name, quantity.unit, entry.minimum, entry.maximum, found, track)


def _outputs(result: Result, model: Model | None) -> tuple[Output, ...]:
    assert result.point is not None
    given = {name: values for name, values in result.point.outputs.items() if values is not None}
    count = max(map(len, given.values()), default=0)
    found = []
    for index in range(count):
        quantity = _quantity(model.outputs if model else (), index)
        values = {name: _output(given.get(name), index, quantity) for name in ARITHMETICS}
        first = next(value for value in values.values() if value is not None)
        name = _numbered("Y", index, first) if quantity is None else quantity.name
        found.append(Output(name, None if quantity is None else quantity.unit, values, {}))
    return tuple(_placed(output, found) for output in found)


def _output(values: tuple[Datum, ...] | None, index: int, quantity: Quantity | None) -> Datum | None:
    if values is None or index >= len(values):
        return None
    value = values[index]
    return value if quantity is None or value.kind == "word" else physical(value, quantity)


def _placed(output: Output, all_outputs: Sequence[Output]) -> Output:
    unit = None if output.unit is None else output.unit.value
    alike = [other for other in all_outputs if (None if other.unit is None else other.unit.value) == unit]
    numbers = [number for other in alike for number in _numbers(other).values()]
    if len(alike) < 2 or min(numbers) == max(numbers):
        return output
    places = {name: place(number, min(numbers), max(numbers)) for name, number in _numbers(output).items()}
    return Output(output.name, output.unit, output.values, places)


def _numbers(output: Output) -> dict[str, Fraction]:
    return {
        name: Fraction(value.value)
        for name, value in output.values.items()
        if value is not None and value.kind != "word"
    }


def _numbered(letter: str, index: int, value: Datum) -> Datum:
    """The name of an element that nobody named, as in VNN-LIB."""
    return Datum(f"{letter}_{index}", value.source, "code", f"index {letter}_")
