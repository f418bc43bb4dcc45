"""Constants, shapes as constants, and conversions between element types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import exact
from .call import Call, Row
from .forms import Constant, Value
from .proto import REAL_ELEMENTS, element_name, read_tensor

_FORMS = ("value", "value_float", "value_int", "value_ints")


def constant(call: Call) -> tuple[Value, ...]:
    """Return the value of the one attribute given."""
    if len(call.attributes) != 1:
        raise call.where.malformed(f"has {len(call.attributes)} values instead of one")
    ((form, value),) = call.attributes.items()
    if form == "value":
        return (read_tensor(value, "its value", call.where),)
    if form == "value_float":
        return (Constant(np.array(value, dtype=np.float64), "float32"),)
    return (Constant(np.array(value, dtype=np.int64), "int64"),)


def shape(call: Call) -> tuple[Value, ...]:
    """Return the shape as a constant, from `start` to `end`."""
    full = call.input(0).shape
    chosen = full[call.attributes.get("start", 0) : call.attributes.get("end", len(full))]
    return (Constant(np.array(chosen, dtype=np.int64), "int64"),)


def cast(call: Call) -> tuple[Value, ...]:
    """Return the same numbers as another element type; refused where that would round."""
    value = call.input(0)
    target = element_name(call.attributes["to"])
    if call.attributes["to"] == 0 or target.startswith("number"):
        raise call.where.malformed(f"casts to undefined element type {call.attributes['to']}")
    if target == value.element:
        return (value,)
    if isinstance(value, Constant):
        return (_cast_constant(call, call.stored(value, "the constant"), target),)
    if (value.element, target) != ("float32", "float64"):
        raise call.where.unsupported(f"casts from {value.element} to {target}, which rounds")
    return (replace(value, element=target),)


def _cast_constant(call: Call, value: Constant, target: str) -> Constant:
    if target in REAL_ELEMENTS:
        values = value.values if value.is_real else _real(value.values)
        if not _holds(values, target):
            raise call.where.unsupported(f"casts a constant to {target}, which rounds it")
        return replace(value, values=values, element=target)
    if target in ("int32", "int64"):
        given = value.values.ravel().tolist()
        numbers = [int(number) for number in given]
        limit = 2**31 if target == "int32" else 2**63
        if numbers != given or any(not -limit <= number < limit for number in numbers):
            raise call.where.unsupported(f"casts a constant to {target}, which cannot hold it")
        return Constant(np.array(numbers, dtype=np.int64).reshape(value.shape), target)
    raise call.where.unsupported(f"casts to {target}")


def _real(values: NDArray[Any]) -> NDArray[Any]:
    """Return integers as exact numbers."""
    numbers = np.empty(values.size, dtype=object)
    numbers[:] = [Fraction(int(number)) for number in values.ravel().tolist()]
    return exact.settle(numbers).reshape(values.shape)


def _holds(values: exact.Exact, target: str) -> bool:
    """Say whether every number is one of the target type's."""
    return exact.is_float(values) and (target == "float64" or exact.is_single(values))


ROWS: Mapping[str, Row] = {
    "Cast": Row(cast, ("to",), "float32 to float64; constants unless rounded"),
    "Constant": Row(constant, _FORMS, "one tensor, number, or list of integers"),
    "Shape": Row(shape, ("end", "start")),
}
