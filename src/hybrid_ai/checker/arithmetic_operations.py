"""Rules of the operations that compute: sums, products, contractions and piecewise-linear functions."""

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from hybrid_ai.checker import float32, tensors
from hybrid_ai.checker.operation import Operation
from hybrid_ai.checker.rejected import Unsupported
from hybrid_ai.checker.tensors import (
    ONE,
    Form,
    Tensor,
    broadcast,
    broadcast_shape,
    element_name,
    weighted_sum,
)

LARGEST_CONTRACTION = 100_000_000


def _check_elements(op: Operation, values: Sequence[Tensor]) -> None:
    """All operands have one real element type."""
    elements = {value.element for value in values}
    names = ", ".join(sorted(element_name(element) for element in elements))
    wrong = len(elements) > 1 or not elements <= set(tensors.REAL_TYPES)
    op.refuse_if(wrong, f"arithmetic on {names}; one real type is read", Unsupported)


def _combined(op: Operation, values: Sequence[Tensor], factors: Sequence[Fraction]) -> Tensor:
    """The elementwise sum of factor times value; its cost is the values', put together by the caller."""
    _check_elements(op, values)
    shape = broadcast_shape([value.shape for value in values], op.where)
    columns = [broadcast(value, shape, op.where).forms for value in values]
    forms = [weighted_sum(members, factors, op.where) for members in zip(*columns, strict=True)]
    return tensors.derived(values, shape, forms)


def _sum(op: Operation, left: Tensor, right: Tensor, sign: Fraction) -> Tensor:
    """left + sign right; factors before it stay pending, as runtimes leave out a sum that folds to zero."""
    result = _combined(op, [left, right], [ONE, sign])
    return replace(result, cost=float32.summed(left.cost, right.cost))


def add(op: Operation) -> Tensor:
    """Add of two tensors or constants."""
    return _sum(op, op.value(0), op.value(1), ONE)


def subtract(op: Operation) -> Tensor:
    """Sub of two tensors or constants."""
    return _sum(op, op.value(0), op.value(1), -ONE)


def _scaled(op: Operation, left: Tensor, right: Tensor) -> Tensor:
    """The elementwise product of two values, at least one of them constant."""
    value, factors = (left, right) if right.constant else (right, left)
    _check_elements(op, [value, factors])
    op.refuse_if(not factors.constant, "product of two tensors", Unsupported)
    shape = broadcast_shape([value.shape, factors.shape], op.where)
    pairs = zip(*[broadcast(part, shape, op.where).forms for part in (value, factors)], strict=True)
    forms = [
        weighted_sum([form], [by.constant], op.where, None if by.size is None else [by.size])
        for form, by in pairs
    ]
    result = tensors.derived([value, factors], shape, forms)
    scaling = value.scaling
    if not value.constant:
        scaling = float32.scaled(scaling, factors.cost, [form.constant for form in factors.forms])
    return replace(result, cost=float32.multiplied(value.cost, factors.cost), scaling=scaling)


def multiply(op: Operation) -> Tensor:
    """Mul where at least one side is constant."""
    return _scaled(op, op.value(0), op.value(1))


def divide(op: Operation) -> Tensor:
    """Div by a constant."""
    divisor = op.value(1)
    op.refuse_if(not divisor.constant, "division by a tensor", Unsupported)
    op.refuse_if(any(form.constant == 0 for form in divisor.forms), "division by zero")
    numbers = [form.constant for form in divisor.forms]
    cost = float32.inverted(divisor.cost, numbers)
    if divisor.cost.terms > 1 or any(form.size is not None for form in divisor.forms):
        cost = float32.UNKNOWN
    inverse = tuple(Form({}, 1 / number) for number in numbers)
    return _scaled(op, op.value(0), replace(divisor, forms=inverse, cost=cost))


def _turned(op: Operation, value: Tensor) -> Tensor:
    """The value with its last two axes exchanged."""
    offsets = tensors.axis_offsets(value.shape)
    return tensors.arranged(value, [*offsets[:-2], offsets[-1], offsets[-2]], op.where)


def _product(op: Operation, left: Tensor, right: Tensor) -> Tensor:
    """The matrix product of two values of at least two axes, one of them a constant matrix."""
    _check_elements(op, [left, right])
    if left.constant and not right.constant:
        return _turned(op, _product(op, _turned(op, right), _turned(op, left)))
    op.refuse_if(not right.constant, "product of two tensors", Unsupported)
    inner, n, count = left.shape[-1], right.shape[-1], math.prod(left.shape[:-1])
    op.refuse_if(right.shape[-2] != inner, f"shapes {left.shape} and {right.shape} do not multiply")
    op.refuse_if(math.prod(right.shape[:-2]) != 1, "product with a stack of matrices", Unsupported)
    op.refuse_if(count * inner * n > LARGEST_CONTRACTION, f"over {LARGEST_CONTRACTION} products", Unsupported)
    shape = (*broadcast_shape([left.shape[:-2], right.shape[:-2]], op.where), left.shape[-2], n)
    tensors.check_size(shape, left.constant, op.where)
    rows = [left.forms[row * inner : (row + 1) * inner] for row in range(count)]
    weights = [form.constant for form in right.forms]
    sizes = [form.magnitude[1] for form in right.forms] if any(form.size for form in right.forms) else None
    forms = [
        weighted_sum(row, weights[column::n], op.where, None if sizes is None else sizes[column::n])
        for row in rows
        for column in range(n)
    ]
    cost = float32.contracted(left.cost, right.cost, inner)
    result = tensors.derived([left, right], shape, forms)
    return replace(result, contracted=not left.constant, cost=cost, scaling=float32.NO_SCALE)


def _factor(op: Operation, index: int) -> Tensor:
    """An operand of a contraction, cut if its forms already went through one."""
    return op.cut(index) if op.value(index).contracted else op.value(index)


def matmul(op: Operation) -> Tensor:
    """MatMul with a constant on either side; a vector counts as a row on the left, a column on the right."""
    left, right = _factor(op, 0), _factor(op, 1)
    op.refuse_if(not left.shape or not right.shape, "product with a scalar")
    row, column = len(left.shape) == 1, len(right.shape) == 1
    wide_left = replace(left, shape=(1, *left.shape)) if row else left
    wide_right = replace(right, shape=(*right.shape, 1)) if column else right
    result = _product(op, wide_left, wide_right)
    shape = result.shape[:-2] + (() if row else result.shape[-2:-1]) + (() if column else result.shape[-1:])
    return replace(result, shape=shape)


def gemm(op: Operation) -> Tensor:
    """Gemm: alpha A B + beta C, A and B transposed on request, one of them constant."""
    factors = []
    for index, name in enumerate(("transA", "transB")):
        factor = _factor(op, index)
        op.refuse_if(len(factor.shape) != 2, f"operand of shape {list(factor.shape)} is no matrix")
        op.refuse_if(op.arguments[name] not in (0, 1), f"attribute '{name}' is neither 0 nor 1")
        factors.append(_turned(op, factor) if op.arguments[name] else factor)
    product = _product(op, factors[0], factors[1])
    product = _times(op, product, op.arguments["alpha"])
    if not op.has_input(2):
        return product
    bias = op.value(2)
    fits = broadcast_shape([product.shape, bias.shape], op.where) == product.shape
    op.refuse_if(not fits, f"C of shape {bias.shape} does not broadcast to {product.shape}")
    return _sum(op, product, _times(op, bias, op.arguments["beta"]), ONE)


def _times(op: Operation, value: Tensor, factor: Fraction) -> Tensor:
    """Factor times value; nothing is computed where the factor is one."""
    if factor == 1:
        _check_elements(op, [value])
        return value
    factors = float32.constants([factor])
    scaling = float32.scaled(value.scaling, factors, [factor])
    result = _combined(op, [value], [factor])
    return replace(result, cost=float32.multiplied(value.cost, factors), scaling=scaling)


def relu(op: Operation) -> Tensor:
    """Relu: a relu stage over the forms."""
    return op.builder.append(op.value(0), relu=True)


def leaky_relu(op: Operation) -> Tensor:
    """LeakyRelu: a z + (1 - a) max(z, 0), with z cut."""
    slope: Fraction = op.arguments["alpha"]
    before = op.cut(0)
    after = op.builder.append(before, relu=True)
    # One product is computed, whichever side the element is on.
    cost = float32.Cost(1, 2, 2 * (float32.gain_of([slope]) + float32.gain_of([1 - slope])))
    return replace(
        _combined(op, [before, after], [slope, 1 - slope]),
        contracted=False,
        cost=cost,
        scaling=float32.NO_SCALE,
    )


def _affine(op: Operation, tensor: Tensor, factor: Fraction, shift: Fraction) -> Tensor:
    """factor times tensor plus shift, as a tensor that is not contracted."""
    constant = Tensor((), tensor.element, (Form({}, shift),), constant=True)
    cost = float32.shifted(tensor.cost, shift)
    return replace(
        _combined(op, [tensor, constant], [factor, ONE]),
        contracted=False,
        cost=cost,
        scaling=float32.NO_SCALE,
    )


def clip(op: Operation) -> Tensor:
    """Clip to constant bounds: low + max(z - low, 0), then high - max(high - z, 0)."""
    tensor = op.value(0)
    low: Fraction | None = op.arguments["min"]
    high: Fraction | None = op.arguments["max"]
    if low is not None and high is not None and low > high:
        return _affine(op, tensor, Fraction(0), high)
    if low is not None:
        tensor = _affine(op, op.builder.append(_affine(op, tensor, ONE, -low), relu=True), ONE, low)
    if high is not None:
        tensor = _affine(op, op.builder.append(_affine(op, tensor, -ONE, high), relu=True), -ONE, high)
    return tensor


def cast(op: Operation) -> Tensor:
    """Cast where no number can change: to the same type, from float32 to float64, or of fitting constants."""
    value, target = op.value(0), op.arguments["to"]
    kept = target == value.element or (value.element, target) == (tensors.FLOAT, tensors.DOUBLE)
    if value.constant and target in tensors.ELEMENTS:
        kept = all(tensors.holds(target, form.constant) for form in value.forms)
        kept = (kept and not float32.is_computed(value.cost)) or target == value.element
    types = f"{element_name(value.element)} to {element_name(target)}"
    op.refuse_if(not kept, f"cast from {types} may round", Unsupported)
    return replace(value, element=target)
