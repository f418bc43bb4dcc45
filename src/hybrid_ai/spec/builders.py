"""Properties built in Python. Every argument states the requirement; the property stores its negation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from .errors import SpecError
from .literals import Number, exact
from .property import And, Atom, Or, Property, Terms


@dataclass(frozen=True, slots=True)
class Requirement:
    """One linear requirement: inputs . X + outputs . Y + constant <= 0, or < 0 when strict.

    Arguments: inputs, outputs: coefficients by index, zeros allowed; constant; strict.
    """

    inputs: Mapping[int, Number] = field(default_factory=dict)
    outputs: Mapping[int, Number] = field(default_factory=dict)
    constant: Number = 0
    strict: bool = False


def local_robustness(
    center: Sequence[Number],
    radius: Number | Sequence[Number],
    label: int,
    n_outputs: int,
    clip: tuple[Number, Number] | None = None,
) -> Property:
    """Require that every input within radius of center keeps the class: output[label] > every other output.

    Arguments: center: one number per input; radius: one for all inputs or one each, >= 0; label: index of
    the class that must stay the only argmax; n_outputs: at least 2; clip: (lowest, highest) value that
    any input takes, such as (0, 1) for pixels. A float counts as its exact binary value. The unsafe set
    holds ties: it is reached as soon as some other output >= output[label].
    Raises SpecError for arguments out of range, also when the clip leaves no input.
    """
    if n_outputs < 2:
        raise SpecError("a single output has no other class: pass n_outputs >= 2")
    _check_index(label, n_outputs)
    if isinstance(radius, Sequence) and not isinstance(radius, str):
        radii = [exact(value) for value in radius]
    else:
        radii = [exact(radius)] * len(center)
    if len(radii) != len(center) or any(value < 0 for value in radii):
        raise SpecError(f"radius must be one number, or {len(center)} numbers, not below zero")
    lower = [exact(value) - size for value, size in zip(center, radii, strict=True)]
    upper = [exact(value) + size for value, size in zip(center, radii, strict=True)]
    if clip is not None:
        lowest, highest = exact(clip[0]), exact(clip[1])
        lower = [max(value, lowest) for value in lower]
        upper = [min(value, highest) for value in upper]
    others = [index for index in range(n_outputs) if index != label]
    rows = [Requirement(outputs={other: 1, label: -1}, strict=True) for other in others]
    return linear(lower, upper, rows, n_outputs)


def output_range(
    lower: Sequence[Number],
    upper: Sequence[Number],
    output: int,
    n_outputs: int,
    minimum: Number | None = None,
    maximum: Number | None = None,
) -> Property:
    """Require that minimum <= output[output] <= maximum for every input of the box.

    Arguments: lower, upper: one bound per input; output: index of the output; minimum, maximum: at least
    one of them. Touching a limit is allowed: the unsafe set is output < minimum or output > maximum.
    Raises SpecError for arguments out of range.
    """
    _check_index(output, n_outputs)
    rows = []
    if minimum is not None:
        rows.append(Requirement(outputs={output: -1}, constant=exact(minimum)))
    if maximum is not None:
        rows.append(Requirement(outputs={output: 1}, constant=-exact(maximum)))
    if minimum is not None and maximum is not None and exact(minimum) > exact(maximum):
        raise SpecError("minimum > maximum, which no output meets: exchange them")
    return linear(lower, upper, rows, n_outputs)


def linear(
    lower: Sequence[Number], upper: Sequence[Number], rows: Sequence[Requirement], n_outputs: int
) -> Property:
    """Require that every row holds for every input of the box.

    Arguments: lower, upper: one bound per input, lower <= upper; rows: at least one; n_outputs: of the
    network. The unsafe set is: the box, and some row is violated. The negation of a row
    `sum <= 0` is `sum > 0`, strict; that of a strict row `sum < 0` is `sum >= 0`, not strict.
    Raises SpecError for an empty box, no rows, or an index out of range.
    """
    if len(lower) != len(upper):
        raise SpecError(f"{len(lower)} lower bounds and {len(upper)} upper bounds: pass one pair per input")
    if not rows:
        raise SpecError("nothing is required: pass at least one row")
    box: list[Atom] = []
    for axis, (low, high) in enumerate(zip(map(exact, lower), map(exact, upper), strict=True)):
        if low > high:
            raise SpecError(f"X_{axis} has lower bound {low} > upper bound {high}: no input is left")
        box.append(Atom(((axis, Fraction(-1)),), (), low, False))
        box.append(Atom(((axis, Fraction(1)),), (), -high, False))
    violations = tuple(_atom(row).negated() for row in rows)
    return Property(len(lower), n_outputs, And((*box, Or(violations))))


def _atom(row: Requirement) -> Atom:
    return Atom(_terms(row.inputs), _terms(row.outputs), exact(row.constant), row.strict)


def _terms(coefficients: Mapping[int, Number]) -> Terms:
    pairs = sorted((index, exact(value)) for index, value in coefficients.items())
    return tuple((index, value) for index, value in pairs if value != 0)


def _check_index(index: int, n_outputs: int) -> None:
    if not 0 <= index < n_outputs:
        raise SpecError(f"output {index} does not exist: pass an index from 0 to {n_outputs - 1}")
