"""What the inputs and outputs of a network mean: names, units, affine scaling, ranges."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from .errors import InterfaceError


@dataclass(frozen=True, slots=True)
class Quantity:
    """One element of a network's input or output: physical = network * scale + offset.

    Arguments: name; unit: of the physical value, "1" for none; offset: in that unit; scale: in that unit,
    not 0, may be negative.
    Raises InterfaceError for a scale of 0.
    """

    name: str
    unit: str
    offset: Fraction
    scale: Fraction

    def __post_init__(self) -> None:
        if self.scale == 0:
            raise InterfaceError(f"{self.name} has scale 0, with which it has one value only: correct it")


@dataclass(frozen=True, slots=True)
class Interface:
    """The quantities of a network's inputs and outputs, in the order of the flattened tensors (C order).

    Raises InterfaceError when two have the same name.
    """

    inputs: tuple[Quantity, ...]
    outputs: tuple[Quantity, ...]

    def __post_init__(self) -> None:
        counts = Counter(quantity.name for quantity in self.inputs + self.outputs)
        for name, count in counts.items():
            if count > 1:
                raise InterfaceError(f"{count} inputs and outputs have the name {name!r}: rename them")


@dataclass(frozen=True, slots=True)
class Range:
    """The physical values from minimum to maximum, both included; none where minimum > maximum."""

    minimum: Fraction
    maximum: Fraction
