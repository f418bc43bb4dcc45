"""Arithmetic by constants, and sums of tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from . import exact, forms
from .call import Call, Row, positions, spread
from .errors import TooLarge
from .forms import Constant, Forms, Shape, Value, check_elements, take
from .limits import MAX_FOLDED_ELEMENTS
from .rounding import multiplied


def _operands(call: Call) -> tuple[Value, Value, Shape]:
    left, right = call.input(0), call.input(1)
    for value in (left, right):
        if isinstance(value, Constant) and not value.is_real:
            raise call.where.unsupported(f"{call.where.op_type} of element type {value.element}")
    call.same_element(left, right)
    shape = call.broadcast(left.shape, right.shape)
    size = math.prod(shape)
    if isinstance(left, Forms) or isinstance(right, Forms):
        check_elements(size)
        if size == 0:
            raise call.where.unsupported("the result is an empty tensor")
    elif size > MAX_FOLDED_ELEMENTS:
        raise TooLarge(f"{size} elements computed in rational arithmetic")
    return left, right, shape


def _spread_forms(value: Value, shape: Shape) -> Forms:
    """Return a real tensor as forms, broadcast."""
    if isinstance(value, Constant):
        return forms.without_terms(spread(value, shape))
    return take(value, np.broadcast_to(positions(value.shape), shape))


def _sum(left: Value, right: Value, shape: Shape) -> Value:
    """Return left + right of broadcast shape."""
    if isinstance(left, Constant) and isinstance(right, Constant):
        return forms.constant_sum(left, right)
    if isinstance(left, Constant):
        left, right = right, left
    wide = _spread_forms(left, shape)
    if isinstance(right, Constant):
        return forms.add_constant(wide, spread(right, shape))
    return forms.add(wide, _spread_forms(right, shape))


def add(call: Call) -> tuple[Value, ...]:
    """Return the sum of two tensors or constants."""
    return (_sum(*_operands(call)),)


def subtract(call: Call) -> tuple[Value, ...]:
    """Return the difference of two tensors or constants."""
    left, right, shape = _operands(call)
    return (_sum(left, _negated(right), shape),)


def _negated(value: Value) -> Value:
    if isinstance(value, Constant):
        # numpy gives the bare object for an array of objects without axes.
        return replace(value, values=np.asarray(-value.values))
    return forms.negate(value)


def multiply(call: Call) -> tuple[Value, ...]:
    """Return the product of two factors, one of them constant."""
    left, right, shape = _operands(call)
    if isinstance(left, Constant):
        left, right = right, left
    if isinstance(right, Forms):
        raise call.where.unsupported("multiplies two tensors that depend on the input")
    if isinstance(left, Constant):
        return (forms.constant_product(left, right),)
    return (forms.scale(_spread_forms(left, shape), spread(right, shape)),)


def divide(call: Call) -> tuple[Value, ...]:
    """Return the quotient of a tensor or constant and a constant without zeros."""
    divisor = call.input(1)
    if isinstance(divisor, Forms):
        raise call.where.unsupported("divides by a tensor that depends on the input")
    if np.any(divisor.values == 0):
        raise call.where.malformed("divides by zero", "replace the divisor by a non-zero number")
    left, _, shape = _operands(call)
    if isinstance(left, Constant):
        cost = multiplied(left.cost, forms.inverse_cost(divisor))
        size = None if left.size is None else exact.divide(left.size, np.abs(divisor.values))
        return (forms.folded(exact.divide(left.values, divisor.values), left.element, size, cost),)
    return (forms.divide(_spread_forms(left, shape), spread(divisor, shape)),)


_CONSTANT_FACTOR = "at most one factor depends on the input"

ROWS: Mapping[str, Row] = {
    "Add": Row(add),
    "Div": Row(divide, notes="constant divisor"),
    "Mul": Row(multiply, notes=_CONSTANT_FACTOR),
    "Sub": Row(subtract),
}
