"""Networks as straight-line programs over exact rationals, evaluated without any code of the package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

Row = tuple[tuple[int, Fraction], ...]


@dataclass(frozen=True)
class Affine:
    """Append one value per row: the sum of coefficient times value; value 0 is the constant one."""

    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Kink:
    """Replace the value v at `index` by at + slope (v - at), with slope `below` or `above` the point `at`.

    Relu is (0, 0, 1), LeakyRelu (0, alpha, 1), Clip first (low, 0, 1), then (high, 1, 0).
    """

    index: int
    at: Fraction
    below: Fraction
    above: Fraction


Step = Affine | Kink


@dataclass(frozen=True)
class Program:
    """Values are numbered: 0 is one, 1 to n_inputs the inputs, then what the steps append."""

    n_inputs: int
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]


def run(steps: Sequence[Step], x: Sequence[Fraction]) -> list[Fraction]:
    """All values at the input x, exactly."""
    values = [Fraction(1), *x]
    for step in steps:
        if isinstance(step, Affine):
            values += [sum((c * values[i] for i, c in row), Fraction(0)) for row in step.rows]
        else:
            past = values[step.index] - step.at
            values[step.index] = step.at + past * (step.above if past > 0 else step.below)
    return values


def evaluate(program: Program, x: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """The network's outputs at x, exactly."""
    values = run(program.steps, x)
    return tuple(values[index] for index in program.outputs)


def interval(
    steps: Sequence[Step], lower: list[float], upper: list[float]
) -> tuple[list[float], list[float]]:
    """Ranges of all values in double precision, from those of the first ones (rounding is not covered)."""
    lower, upper = list(lower), list(upper)
    for step in steps:
        if isinstance(step, Affine):
            new = [_row_range(row, lower, upper) for row in step.rows]
            lower += [low for low, _ in new]
            upper += [high for _, high in new]
        else:
            ends = [_bent(step, lower[step.index]), _bent(step, upper[step.index])]
            lower[step.index], upper[step.index] = min(ends), max(ends)
    return lower, upper


def _row_range(row: Row, lower: list[float], upper: list[float]) -> tuple[float, float]:
    low = high = 0.0
    for index, coefficient in row:
        c = float(coefficient)
        a, b = c * lower[index], c * upper[index]
        low += min(a, b)
        high += max(a, b)
    return low, high


def _bent(step: Kink, value: float) -> float:
    at = float(step.at)
    return at + (value - at) * float(step.above if value > at else step.below)
