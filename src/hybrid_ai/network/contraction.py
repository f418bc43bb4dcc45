"""Contractions: matrix products of a tensor with a constant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from . import exact, forms
from .call import Call, Row, positions, spread
from .forms import (
    Constant,
    Forms,
    Shape,
    Value,
    check_elements,
    constant_product,
    constant_sum,
    contract,
    folded,
    moved,
    take,
)
from .rounding import contracted


def _fresh(call: Call, position: int, value: Forms) -> Forms:
    """Return the tensor ready for a contraction: cut if its forms went through one already."""
    if not value.contracted:
        return value
    group = call.stages.cut(value)
    call.hold(position, group)
    return group


def _times_right(value: Forms, weights: Constant) -> Forms:
    """Return value (..., m, k) @ weights (k, n)."""
    result = contract(value, weights)
    return replace(result, shape=(*value.shape[:-1], weights.shape[1]))


def _times_left(weights: Constant, value: Forms) -> Forms:
    """Return weights (m, k) @ value (..., k, n), as the transpose of value^T @ weights^T."""
    turned = take(value, np.swapaxes(positions(value.shape), -1, -2))
    result = _times_right(turned, _transposed(weights))
    return take(result, np.swapaxes(positions(result.shape), -1, -2))


def _transposed(constant: Constant) -> Constant:
    return moved(constant, lambda values: values.T)


def _matrix(call: Call, constant: Constant, left: bool) -> Constant:
    """Return a constant factor of MatMul as a matrix."""
    shape = constant.shape
    if len(shape) == 1:
        return moved(constant, lambda values: values[None, :] if left else values[:, None])
    if math.prod(shape[:-2]) != 1:
        raise call.where.unsupported(f"a constant factor of shape {list(shape)} (a stack of matrices)")
    return moved(constant, lambda values: values.reshape(shape[-2:]))


def _constant_matmul(left: Constant, right: Constant) -> Constant:
    """The product of two constant matrices; its size is never simply its absolute values."""
    size = exact.dot(left.magnitude, right.magnitude)
    cost = contracted(left.cost, right.cost, right.shape[0])
    return folded(exact.dot(left.values, right.values), left.element, size, cost)


def _product_shape(call: Call, left: Shape, right: Shape) -> Shape:
    """Return the shape of a MatMul, by numpy's rule."""
    if not left or not right:
        raise call.mismatch(left, right)
    wide_left = left if len(left) > 1 else (1, *left)
    wide_right = right if len(right) > 1 else (*right, 1)
    if wide_left[-1] != wide_right[-2]:
        raise call.mismatch(left, right)
    batch = call.broadcast(wide_left[:-2], wide_right[:-2])
    rows = wide_left[-2:-1] if len(left) > 1 else ()
    columns = wide_right[-1:] if len(right) > 1 else ()
    return batch + rows + columns


def matmul(call: Call) -> tuple[Value, ...]:
    """Return the matrix product of two factors, one of them constant."""
    left, right = call.input(0), call.input(1)
    call.same_element(left, right)
    call.reals(left, "a factor")
    shape = _product_shape(call, left.shape, right.shape)
    if math.prod(left.shape) == 0 or math.prod(right.shape) == 0:
        raise call.where.unsupported("a factor is an empty tensor")
    if isinstance(right, Forms):
        if isinstance(left, Forms):
            raise call.where.unsupported("multiplies two tensors that depend on the input")
        weights = _matrix(call, left, left=True)
        value = _fresh(call, 1, right)
        wide = replace(value, shape=value.shape if len(value.shape) > 1 else (*value.shape, 1))
        return (replace(_times_left(weights, wide), shape=shape),)
    weights = _matrix(call, right, left=False)
    if isinstance(left, Constant):
        rows = moved(left, lambda values: values.reshape(-1, weights.shape[0]))
        return (moved(_constant_matmul(rows, weights), lambda values: values.reshape(shape)),)
    return (replace(_times_right(_fresh(call, 0, left), weights), shape=shape),)


def gemm(call: Call) -> tuple[Value, ...]:
    """Return alpha A B + beta C, A and B transposed as wanted, C constant, A or B constant."""
    a, b = call.input(0), call.input(1)
    call.same_element(a, b)
    a_shape, b_shape = _turned_shape(call, a, "transA"), _turned_shape(call, b, "transB")
    if a_shape[1] != b_shape[0]:
        raise call.mismatch(a_shape, b_shape)
    product: Value
    if isinstance(b, Forms):
        if isinstance(a, Forms):
            raise call.where.unsupported("multiplies two tensors that depend on the input")
        product = _times_left(_turned(call, a, "transA"), _turned_forms(call, _fresh(call, 1, b), "transB"))
    elif isinstance(a, Forms):
        product = _times_right(_turned_forms(call, _fresh(call, 0, a), "transA"), _turned(call, b, "transB"))
    else:
        product = _constant_matmul(_turned(call, a, "transA"), _turned(call, b, "transB"))
    scaled = _scaled(product, call.attributes.get("alpha", 1.0))
    return (_with_bias(call, scaled, (a_shape[0], b_shape[1])),)


def _turned_shape(call: Call, value: Value, attribute: str) -> Shape:
    """Return the shape of a factor of Gemm, transposed if the attribute says so."""
    call.reals(value, "a factor")
    if len(value.shape) != 2 or math.prod(value.shape) == 0:
        raise call.where.malformed(f"a factor has shape {list(value.shape)}, which is no matrix")
    if call.attributes.get(attribute, 0) not in (0, 1):
        raise call.where.malformed(f"attribute '{attribute}' is neither 0 nor 1")
    return value.shape[::-1] if call.attributes.get(attribute, 0) else value.shape


def _turned(call: Call, value: Constant, attribute: str) -> Constant:
    return _transposed(value) if call.attributes.get(attribute, 0) else value


def _turned_forms(call: Call, value: Forms, attribute: str) -> Forms:
    return take(value, positions(value.shape).T) if call.attributes.get(attribute, 0) else value


def _scaled(value: Value, factor: float) -> Value:
    if isinstance(value, Constant):
        return _scaled_constant(value, factor)
    constant = spread(Constant(np.array(factor), value.element), value.shape)
    return value if factor == 1 else forms.scale(value, constant)


def _scaled_constant(value: Constant, factor: float) -> Constant:
    return value if factor == 1 else constant_product(value, Constant(np.array(factor), value.element))


def _with_bias(call: Call, product: Value, shape: Shape) -> Value:
    given = call.optional(2)
    if given is None:
        return product
    call.same_element(product, given)
    bias = call.constant(given, "C")
    if call.broadcast(shape, bias.shape) != shape:
        raise call.mismatch(shape, bias.shape)
    check_elements(math.prod(shape))
    wide = spread(_scaled_constant(bias, call.attributes.get("beta", 1.0)), shape)
    if isinstance(product, Constant):
        return constant_sum(product, wide)
    return forms.add_constant(product, wide)


_NOTES = "one factor constant"

ROWS: Mapping[str, Row] = {
    "Gemm": Row(gemm, ("alpha", "beta", "transA", "transB"), _NOTES + ", C constant"),
    "MatMul": Row(matmul, notes=_NOTES + ", without batch dimensions above 1"),
}
