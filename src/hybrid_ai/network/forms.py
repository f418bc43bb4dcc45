"""Tensors of a graph: constants, and affine forms over the elements of groups.

Beside its form every element has a *size* form (absolute values of every constant on the way, differences as
sums), which bounds what rounding a computed element may change; it is held only where it is not simply the
form's absolute values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import exact
from .errors import TooLarge
from .exact import Exact
from .limits import MAX_ELEMENTS, MAX_TERMS
from .rounding import (
    EXACT,
    MOST_GAIN,
    NO_SCALE,
    UNBOUNDED,
    Cost,
    Scale,
    added,
    contracted,
    inverted,
    joined,
    multiplied,
    shifted,
)

Shape = tuple[int, ...]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that does not depend on the input; `element` is its ONNX element type in lower case.

    values: float64 or Fractions for float32 and float64, int64 for int32 and int64. Of computed constants:
    size, where it is not their absolute values; computed: what computing them costs.
    """

    values: NDArray[Any]
    element: str
    size: NDArray[Any] | None = None
    computed: Cost = EXACT

    @property
    def shape(self) -> Shape:
        """The tensor's shape."""
        return self.values.shape

    @property
    def is_real(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.element in ("float32", "float64")

    @property
    def magnitude(self) -> NDArray[Any]:
        """The size of each element."""
        return np.asarray(np.abs(self.values)) if self.size is None else self.size

    @cached_property
    def cost(self) -> Cost:
        """What computing it costs, with the gain of its largest element."""
        largest = math.ceil(np.max(np.abs(self.values))) if self.values.size else 0
        return replace(self.computed, gain=max(self.computed.gain, largest))


@dataclass(frozen=True, eq=False)
class Forms:
    """A tensor that depends on the input: element i, in C order, is the affine form

        constant[i] + sum of coefficient[t] * (element number variable[t] of the groups laid end to end)

    over the terms t with row[t] == i. Terms are sorted by row, then variable, without repetition or zero.
    `contracted` says that they went through a contraction since the last stage. size: the size forms, None
    where they are the absolute values; cost: what a float32 execution may change; scaling: the last factors.
    """

    shape: Shape
    element: str
    row: Indices
    variable: Indices
    coefficient: Exact
    constant: Exact
    contracted: bool
    size: Forms | None = None
    cost: Cost = EXACT
    scaling: Scale = NO_SCALE

    @property
    def count(self) -> int:
        """The number of elements."""
        return int(self.constant.size)

    @property
    def magnitude(self) -> Forms:
        """The size forms."""
        if self.size is not None:
            return self.size
        return replace(self, coefficient=np.abs(self.coefficient), constant=np.abs(self.constant))


Value = Constant | Forms


def folded(values: NDArray[Any], element: str, size: NDArray[Any] | None, cost: Cost) -> Constant:
    """Return a constant computed from constants; a runtime computes it in floating point."""
    return Constant(values, element, size, cost)


def moved(constant: Constant, rearrange: Callable[[NDArray[Any]], NDArray[Any]]) -> Constant:
    """Return the constant whose elements the function moves, given as an array."""
    size = None if constant.size is None else rearrange(constant.size)
    return replace(constant, values=rearrange(constant.values), size=size, computed=constant.cost)


def constant_sum(left: Constant, right: Constant) -> Constant:
    """Return the sum of two constants, broadcast."""
    size = exact.add(left.magnitude, right.magnitude)
    values = exact.add(left.values, right.values)
    return folded(values, left.element, size, added(left.cost, right.cost))


def constant_product(left: Constant, right: Constant) -> Constant:
    """Return the product of two constants, broadcast."""
    simple = left.size is None and right.size is None
    size = None if simple else exact.multiply(left.magnitude, right.magnitude)
    values = exact.multiply(left.values, right.values)
    return folded(values, left.element, size, multiplied(left.cost, right.cost))


def plain(shape: Shape, element: str, first_variable: int) -> Forms:
    """Return the tensor whose elements are consecutive group elements."""
    size = int(np.prod(shape, dtype=np.int64))
    row = np.arange(size, dtype=np.int64)
    return Forms(shape, element, row, row + first_variable, np.ones(size), np.zeros(size), False)


def without_terms(value: Constant) -> Forms:
    """Return a constant as forms."""
    result = _constants(value.shape, value.element, value.values.ravel())
    size = None if value.size is None else _constants(value.shape, value.element, value.size.ravel())
    return replace(result, size=size, cost=value.cost)


def _constants(shape: Shape, element: str, values: Exact) -> Forms:
    none = np.zeros(0, dtype=np.int64)
    return Forms(shape, element, none, none, np.zeros(0), values, False)


def as_forms(value: Value) -> Forms:
    """Return a real tensor as forms."""
    return without_terms(value) if isinstance(value, Constant) else value


def take(forms: Forms, index: Indices) -> Forms:
    """Return the tensor of index's shape whose elements are those of `forms` at `index` (C order)."""
    size = None if forms.size is None else take(forms.size, index)
    flat = index.ravel()
    if flat.size == forms.count and np.array_equal(flat, np.arange(flat.size)):
        return replace(forms, shape=index.shape, size=size)
    check_elements(flat.size)
    starts = np.searchsorted(forms.row, np.arange(forms.count + 1))
    counts = (starts[1:] - starts[:-1])[flat]
    total = int(counts.sum())
    check_terms(total)
    row = np.repeat(np.arange(flat.size, dtype=np.int64), counts)
    before = np.cumsum(counts) - counts
    term = np.arange(total) + np.repeat(starts[flat] - before, counts)
    return replace(
        forms,
        shape=index.shape,
        row=row,
        variable=forms.variable[term],
        coefficient=forms.coefficient[term],
        constant=forms.constant[flat],
        size=size,
    )


def join(parts: Sequence[Forms]) -> Forms:
    """Return one flat tensor of all elements, contracted if any part is."""
    first_rows = np.cumsum([0] + [part.count for part in parts])
    check_elements(int(first_rows[-1]))
    check_terms(sum(part.row.size for part in parts))
    simple = all(part.size is None for part in parts)
    return Forms(
        (int(first_rows[-1]),),
        parts[0].element,
        np.concatenate([part.row + first for part, first in zip(parts, first_rows, strict=False)]),
        np.concatenate([part.variable for part in parts]),
        exact.concatenate([part.coefficient for part in parts]),
        exact.concatenate([part.constant for part in parts]),
        any(part.contracted for part in parts),
        None if simple else join([replace(part.magnitude, size=None) for part in parts]),
        joined(*(part.cost for part in parts)),
        _pending(parts),
    )


def _pending(parts: Sequence[Forms]) -> Scale:
    """The last factors of any of the parts."""
    return Scale(max(part.scaling.degree for part in parts), max(part.scaling.gain for part in parts))


def negate(forms: Forms) -> Forms:
    """Return -forms."""
    return replace(forms, coefficient=-forms.coefficient, constant=-forms.constant)


def scale(forms: Forms, factor: Constant) -> Forms:
    """Return forms times factor, one factor per element."""
    simple = forms.size is None and factor.size is None
    size = None if simple else _scaled(forms.magnitude, factor.magnitude)
    return replace(
        _scaled(forms, factor.values),
        size=size,
        cost=multiplied(forms.cost, factor.cost),
        scaling=forms.scaling.times(factor.computed.degree, _span(factor)),
    )


def _span(factor: Constant) -> int:
    """Bounds the size of each element and of its inverse."""
    least, largest = np.min(np.abs(factor.values)), np.max(np.abs(factor.values))
    return MOST_GAIN if least == 0 else math.ceil(max(Fraction(largest), 1 / Fraction(least)))


def _scaled(forms: Forms, factor: Exact) -> Forms:
    coefficient = exact.multiply(forms.coefficient, factor.ravel()[forms.row])
    constant = exact.multiply(forms.constant, factor.ravel())
    return _without_zeros(replace(forms, coefficient=coefficient, constant=constant))


def divide(forms: Forms, divisor: Constant) -> Forms:
    """Return forms divided by divisor, one non-zero divisor per element."""
    size = None if forms.size is None else _divided(forms.size, np.abs(divisor.values))
    inverse = inverse_cost(divisor)
    return replace(
        _divided(forms, divisor.values),
        size=size,
        cost=multiplied(forms.cost, inverse),
        scaling=forms.scaling.times(inverse.degree, _span(divisor)),
    )


def _divided(forms: Forms, divisor: Exact) -> Forms:
    coefficient = exact.divide(forms.coefficient, divisor.ravel()[forms.row])
    return replace(forms, coefficient=coefficient, constant=exact.divide(forms.constant, divisor.ravel()))


def inverse_cost(divisor: Constant) -> Cost:
    """The cost of one over a constant without zeros."""
    if divisor.size is not None:  # a computed difference: nothing bounds its relative error
        return UNBOUNDED
    least = min((abs(Fraction(value)) for value in divisor.values.ravel().tolist()), default=Fraction(1))
    return inverted(divisor.cost, divisor.cost.gain * max(1, math.ceil(1 / least)))


def add_constant(forms: Forms, addend: Constant) -> Forms:
    """Return forms plus a constant, one per element.

    Factors before it stay pending, as runtimes leave out a sum that folds to zero.
    """
    return replace(_with_constant(forms, addend), cost=added(forms.cost, addend.cost))


def shift(forms: Forms, addend: Constant) -> Forms:
    """The same where no runtime computes the sum, which is exact."""
    cost = shifted(forms.cost, addend.cost.gain)
    return replace(_with_constant(forms, addend), cost=cost, scaling=NO_SCALE)


def _with_constant(forms: Forms, addend: Constant) -> Forms:
    values = addend.values.ravel()
    size = None
    if forms.size is not None or addend.size is not None or not _same_signs(forms.constant, values):
        magnitude = forms.magnitude
        size = replace(magnitude, constant=exact.add(magnitude.constant, addend.magnitude.ravel()))
    return replace(forms, constant=exact.add(forms.constant, values), size=size)


def _same_signs(a: Exact, b: Exact) -> bool:
    """Say whether no entry of a + b is smaller than the absolute values together."""
    return not np.any(((a > 0) & (b < 0)) | ((a < 0) & (b > 0)))


def add(a: Forms, b: Forms) -> Forms:
    """Return the sum of two tensors of one shape."""
    check_terms(a.row.size + b.row.size)
    total = _sum(a, b)
    simple = a.size is None and b.size is None and total.row.size == a.row.size + b.row.size
    simple = simple and _same_signs(a.constant, b.constant)
    size = None if simple else _sum(a.magnitude, b.magnitude)
    return replace(total, size=size, cost=added(a.cost, b.cost), scaling=_pending([a, b]))


def _sum(a: Forms, b: Forms) -> Forms:
    total = Forms(
        a.shape,
        a.element,
        np.concatenate([a.row, b.row]),
        np.concatenate([a.variable, b.variable]),
        exact.concatenate([a.coefficient, b.coefficient]),
        exact.add(a.constant, b.constant),
        a.contracted or b.contracted,
    )
    return _canonical(total)


def contract(forms: Forms, weights: Constant) -> Forms:
    """Return rows @ weights (k, n) as a flat tensor of p * n elements, where forms are p * k elements."""
    k, n = weights.shape
    check_elements(forms.count // k * n)
    check_terms(forms.row.size * n)
    result, merged = _contracted(forms, weights.values)
    simple = forms.size is None and weights.size is None and not merged and not np.any(forms.constant != 0)
    size = None if simple else _contracted(forms.magnitude, weights.magnitude)[0]
    return replace(result, size=size, cost=contracted(forms.cost, weights.cost, k))


def _contracted(forms: Forms, weights: Exact) -> tuple[Forms, bool]:
    """The contraction, and whether terms of several elements met."""
    k, n = weights.shape
    p = forms.count // k
    used = forms.row % k
    chosen = weights.T[:, used]  # (n, terms)
    if np.all(forms.coefficient == 1):
        coefficient = chosen
    else:
        coefficient = exact.multiply(forms.coefficient[None, :], chosen)
    row = (forms.row // k)[None, :] * n + np.arange(n, dtype=np.int64)[:, None]
    if np.any(forms.constant != 0):
        constant = exact.dot(forms.constant.reshape(p, k), weights).ravel()
    else:
        constant = np.zeros(p * n)
    variable = np.broadcast_to(forms.variable, row.shape).ravel()
    result = _without_zeros(
        Forms((p * n,), forms.element, row.ravel(), variable, coefficient.ravel(), constant, True)
    )
    summed = _canonical(result)
    return summed, summed.row.size < result.row.size


def check_elements(size: int) -> None:
    """Raise TooLarge for a tensor of more than MAX_ELEMENTS elements."""
    if size > MAX_ELEMENTS:
        raise TooLarge(f"a tensor of {size} elements (at most {MAX_ELEMENTS})")


def check_terms(count: int) -> None:
    """Raise TooLarge for a tensor of more than MAX_TERMS coefficients."""
    if count > MAX_TERMS:
        raise TooLarge(f"a tensor of {count} coefficients (at most {MAX_TERMS})")


def _without_zeros(forms: Forms) -> Forms:
    keep = forms.coefficient != 0
    if np.all(keep):
        return forms
    return replace(
        forms, row=forms.row[keep], variable=forms.variable[keep], coefficient=forms.coefficient[keep]
    )


def _canonical(forms: Forms) -> Forms:
    """Sort the terms, add up those of one element and variable, and drop zeros."""
    if forms.row.size == 0:
        return forms
    # Below 2**62: at most 2**20 rows, and the groups together hold at most 2**40 elements.
    key = forms.row * (int(forms.variable.max()) + 1) + forms.variable
    step = np.diff(key)
    if np.all(step > 0):
        return _without_zeros(forms)
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.concatenate([[True], np.diff(key) > 0]))
    length = np.diff(np.concatenate([first, [key.size]]))
    coefficient = forms.coefficient[order]
    total = coefficient[first]
    for place in range(1, int(length.max())):
        longer = length > place
        summed = exact.add(total[longer], coefficient[first[longer] + place])
        if not exact.is_float(summed):
            total = exact.to_fractions(total)
        total[longer] = exact.to_fractions(summed) if not exact.is_float(total) else summed
    merged = replace(
        forms, row=forms.row[order][first], variable=forms.variable[order][first], coefficient=total
    )
    return _without_zeros(merged)
