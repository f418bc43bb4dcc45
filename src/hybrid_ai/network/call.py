"""What the function of one operation sees, and the row that registers it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .errors import Where
from .forms import Constant, Forms, Indices, Shape, Value
from .limits import MAX_CONSTANT_ELEMENTS, MAX_RANK
from .staged import StageBuilder

FIRST_OPSET = 8
NEWEST_OPSET = 28  # the newest whose operation definitions this reader was compared with


@dataclass(frozen=True)
class Call:
    """One operation with its inputs (None where an optional one is left out) and its attributes.

    hold: replaces an input tensor by the group that it was cut to.
    """

    where: Where
    opset: int
    attributes: Mapping[str, Any]
    inputs: tuple[Value | None, ...]
    stages: StageBuilder
    hold: Callable[[int, Forms], None]

    def input(self, position: int) -> Value:
        """Return a required input."""
        value = self.inputs[position] if position < len(self.inputs) else None
        if value is None:
            raise self.where.malformed(f"input {position} is missing")
        return value

    def optional(self, position: int) -> Value | None:
        """Return an input that may be left out."""
        return self.inputs[position] if position < len(self.inputs) else None

    def constant(self, value: Value, what: str) -> Constant:
        """Return a value that must not depend on the network's input."""
        if isinstance(value, Forms):
            raise self.where.unsupported(f"{what} depends on the input", "make it a constant")
        return value

    def stored(self, value: Value, what: str) -> Constant:
        """Return a constant that is no result of arithmetic, which a runtime rounds."""
        constant = self.constant(value, what)
        if constant.computed.roundings > 0:
            raise self.where.unsupported(f"{what} is computed", "store it as a constant")
        return constant

    def reals(self, value: Value, what: str) -> Value:
        """Return a value that must hold floating-point numbers."""
        if isinstance(value, Constant) and not value.is_real:
            raise self.where.malformed(f"{what} has element type {value.element}")
        return value

    def data(self, position: int) -> Forms:
        """Return an input that must depend on the network's input."""
        value = self.input(position)
        if isinstance(value, Constant):
            reason = f"{self.where.op_type} of a constant"
            raise self.where.unsupported(reason, "fold constants before export")
        return value

    def numbers(self, position: int, what: str) -> tuple[int, ...] | None:
        """Return an optional constant input of integers, one-dimensional."""
        value = self.optional(position)
        if value is None:
            return None
        constant = self.constant(value, what)
        if constant.element not in ("int32", "int64") or len(constant.shape) > 1:
            raise self.where.malformed(f"{what} is no list of integers")
        return tuple(constant.values.ravel().tolist())

    def required_numbers(self, position: int, what: str) -> tuple[int, ...]:
        """Return a required constant input of integers, one-dimensional."""
        self.input(position)
        return self.numbers(position, what) or ()

    def axis(self, value: int, rank: int, negative_since: int) -> int:
        """Return an axis of a tensor of the given rank, counted from the front."""
        if value < 0 and self.opset < negative_since:
            raise self.where.malformed(f"axis {value} is negative, which opset {self.opset} does not allow")
        if not -rank <= value < rank:
            raise self.where.malformed(f"axis {value} of a tensor of rank {rank}")
        return value % rank

    def axes(self, values: tuple[int, ...], rank: int, negative_since: int) -> tuple[int, ...]:
        """Return distinct axes, counted from the front."""
        result = tuple(self.axis(value, rank, negative_since) for value in values)
        if len(set(result)) != len(result):
            raise self.where.malformed(f"axes {list(values)} name one axis twice")
        return result

    def shape_checked(self, shape: Shape) -> Shape:
        """Return a shape that numpy can hold, whatever the tensor's contents."""
        if len(shape) > MAX_RANK:
            raise self.where.unsupported(f"a tensor of rank {len(shape)} (at most {MAX_RANK})")
        if math.prod(max(size, 1) for size in shape) > MAX_CONSTANT_ELEMENTS:
            raise self.where.unsupported(f"a tensor of shape {list(shape)}, which is too large")
        return shape

    def same_element(self, *values: Value) -> str:
        """Return the element type that all values must have."""
        elements = sorted({value.element for value in values})
        if len(elements) != 1:
            raise self.where.malformed(f"mixes element types {' and '.join(elements)}")
        return elements[0]

    def broadcast(self, *shapes: Shape) -> Shape:
        """Return the shape to which shapes broadcast, by numpy's rule."""
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError as error:
            raise self.where.malformed(f"shapes {_listed(shapes)} do not broadcast") from error

    def mismatch(self, *shapes: Shape) -> Exception:
        """Return the error for shapes that do not fit together."""
        return self.where.malformed(f"shapes {_listed(shapes)} do not fit together")


def _listed(shapes: tuple[Shape, ...]) -> str:
    return " and ".join(str(list(shape)) for shape in shapes)


def positions(shape: Shape) -> Indices:
    """Return the C-order position of each element of a tensor."""
    size = int(np.prod(shape, dtype=np.int64))
    return np.arange(size, dtype=np.int64).reshape(shape)


def spread(constant: Constant, shape: Shape) -> Constant:
    """Return a constant broadcast to a shape that was checked."""
    size = None if constant.size is None else np.broadcast_to(constant.size, shape)
    return replace(constant, values=np.broadcast_to(constant.values, shape), size=size)


@dataclass(frozen=True)
class Row:
    """One supported operation.

    run: returns its outputs, the first ones of those it lists. attributes: those it honours or may ignore;
    others are refused. notes: restrictions, for users.
    """

    run: Callable[[Call], tuple[Value, ...]]
    attributes: tuple[str, ...] = ()
    notes: str = ""
