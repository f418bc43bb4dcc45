"""Arithmetic by constants, sums of tensors, and integer arithmetic of constants (for shapes)."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping

import numpy as np

from . import exact, forms
from .call import Call, Row, positions, spread
from .errors import TooLarge
from .forms import Constant, Forms, Shape, Value, as_forms, check_elements, take
from .limits import MAX_FOLDED_ELEMENTS

IntegerFunction = Callable[[int, int], int]


def _operands(call: Call) -> tuple[Value, Value, Shape]:
    left, right = call.input(0), call.input(1)
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


def _is_integer(value: Value) -> bool:
    return isinstance(value, Constant) and not value.is_real


def _integer(call: Call, function: IntegerFunction) -> tuple[Value, ...]:
    """Apply a function to two integer constants, element by element."""
    left, right, shape = _operands(call)
    element = left.element
    if isinstance(left, Forms) or isinstance(right, Forms) or element == "bool":
        raise call.where.malformed(f"{call.where.op_type} of element type {element}")
    pairs = zip(
        spread(left.values, shape).ravel().tolist(), spread(right.values, shape).ravel().tolist(), strict=True
    )
    results = [function(a, b) for a, b in pairs]
    limit = 2**31 if element == "int32" else 2**63
    if any(not -limit <= value < limit for value in results):
        raise call.where.malformed(f"a result is beyond {element}")
    return (Constant(np.array(results, dtype=np.int64).reshape(shape), element),)


def _spread_forms(value: Value, shape: Shape) -> Forms:
    """Return a real tensor as forms, broadcast."""
    if isinstance(value, Constant):
        return forms.without_terms(spread(value.values, shape), value.element)
    return take(value, np.broadcast_to(positions(value.shape), shape))


def _sum(left: Value, right: Value, shape: Shape) -> Value:
    """Return left + right of broadcast shape."""
    if isinstance(left, Constant) and isinstance(right, Constant):
        return Constant(exact.add(left.values, right.values), left.element)
    if isinstance(left, Constant):
        left, right = right, left
    wide = _spread_forms(left, shape)
    if isinstance(right, Constant):
        return forms.add_constant(wide, spread(right.values, shape))
    return forms.add(wide, _spread_forms(right, shape))


def add(call: Call) -> tuple[Value, ...]:
    """Return the sum of two tensors or constants."""
    if _is_integer(call.input(0)):
        return _integer(call, operator.add)
    return (_sum(*_operands(call)),)


def subtract(call: Call) -> tuple[Value, ...]:
    """Return the difference of two tensors or constants."""
    if _is_integer(call.input(0)):
        return _integer(call, operator.sub)
    left, right, shape = _operands(call)
    return (_sum(left, _negated(right), shape),)


def _negated(value: Value) -> Value:
    if isinstance(value, Constant):
        return Constant(-value.values, value.element)
    return forms.negate(value)


def multiply(call: Call) -> tuple[Value, ...]:
    """Return the product of two factors, one of them constant."""
    if _is_integer(call.input(0)):
        return _integer(call, operator.mul)
    left, right, shape = _operands(call)
    if isinstance(left, Constant):
        left, right = right, left
    if isinstance(right, Forms):
        raise call.where.unsupported("multiplies two tensors that depend on the input")
    if isinstance(left, Constant):
        return (Constant(exact.multiply(left.values, right.values), left.element),)
    return (forms.scale(_spread_forms(left, shape), spread(right.values, shape)),)


def divide(call: Call) -> tuple[Value, ...]:
    """Return the quotient of a tensor or constant and a constant without zeros."""
    left, right = call.input(0), call.input(1)
    if isinstance(right, Forms):
        raise call.where.unsupported("divides by a tensor that depends on the input")
    if right.element != "bool" and np.any(right.values == 0):
        raise call.where.malformed("divides by zero", "replace the divisor by a non-zero number")
    if _is_integer(left):
        return _integer(call, _divide_integers(call))
    left, right, shape = _operands(call)
    values = as_forms(right).constant.reshape(right.shape)
    if isinstance(left, Constant):
        return (Constant(exact.divide(left.values, values), left.element),)
    return (forms.divide(_spread_forms(left, shape), spread(values, shape)),)


def _divide_integers(call: Call) -> IntegerFunction:
    def divide_pair(a: int, b: int) -> int:
        if a < 0 or b < 0:  # rounding of negative quotients was fixed by the standard only later
            raise call.where.unsupported("divides negative integers")
        return a // b

    return divide_pair


def negate(call: Call) -> tuple[Value, ...]:
    """Return the tensor with its sign changed."""
    return (_negated(call.reals(call.input(0), "the input")),)


def total(call: Call) -> tuple[Value, ...]:
    """Return the sum of any number of tensors or constants."""
    values = [call.reals(call.input(i), f"input {i}") for i in range(len(call.inputs))]
    call.same_element(*values)
    result = values[0]
    for value in values[1:]:
        shape = call.broadcast(result.shape, value.shape)
        check_elements(math.prod(shape))
        if math.prod(shape) == 0:
            raise call.where.unsupported("the result is an empty tensor")
        result = _sum(result, value, shape)
    return (result,)


_CONSTANT_FACTOR = "at most one factor depends on the input"

ROWS: Mapping[str, Row] = {
    "Add": Row(add),
    "Div": Row(divide, notes="constant divisor"),
    "Mul": Row(multiply, notes=_CONSTANT_FACTOR),
    "Neg": Row(negate),
    "Sub": Row(subtract),
    "Sum": Row(total),
}
