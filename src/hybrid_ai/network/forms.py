"""Tensors of a graph: constants, and affine forms over the elements of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import exact
from .errors import TooLarge
from .exact import Exact
from .limits import MAX_ELEMENTS, MAX_TERMS

Shape = tuple[int, ...]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that does not depend on the input; `element` is its ONNX element type in lower case.

    values: float64 or Fractions for float32 and float64, int64 for int32 and int64.
    """

    values: NDArray[Any]
    element: str

    @property
    def shape(self) -> Shape:
        """The tensor's shape."""
        return self.values.shape

    @property
    def is_real(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.element in ("float32", "float64")


@dataclass(frozen=True, eq=False)
class Forms:
    """A tensor that depends on the input: element i, in C order, is the affine form

        constant[i] + sum of coefficient[t] * (element number variable[t] of the groups laid end to end)

    over the terms t with row[t] == i. Terms are sorted by row, then variable, without repetition or zero.
    `contracted` says that they went through a contraction since the last stage.
    """

    shape: Shape
    element: str
    row: Indices
    variable: Indices
    coefficient: Exact
    constant: Exact
    contracted: bool

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(self.constant.size)


Value = Constant | Forms


def plain(shape: Shape, element: str, first_variable: int) -> Forms:
    """Return the tensor whose elements are consecutive group elements."""
    size = int(np.prod(shape, dtype=np.int64))
    row = np.arange(size, dtype=np.int64)
    return Forms(shape, element, row, row + first_variable, np.ones(size), np.zeros(size), False)


def without_terms(values: Exact, element: str) -> Forms:
    """Return constants as forms."""
    none = np.zeros(0, dtype=np.int64)
    return Forms(values.shape, element, none, none, np.zeros(0), values.ravel(), False)


def as_forms(value: Value) -> Forms:
    """Return a real tensor as forms."""
    return without_terms(value.values, value.element) if isinstance(value, Constant) else value


def take(forms: Forms, index: Indices) -> Forms:
    """Return the tensor of index's shape whose elements are those of `forms` at `index` (C order)."""
    flat = index.ravel()
    if flat.size == forms.size and np.array_equal(flat, np.arange(flat.size)):
        return replace(forms, shape=index.shape)
    check_elements(flat.size)
    starts = np.searchsorted(forms.row, np.arange(forms.size + 1))
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
    )


def join(parts: Sequence[Forms]) -> Forms:
    """Return one flat tensor of all elements, contracted if any part is."""
    first_rows = np.cumsum([0] + [part.size for part in parts])
    check_elements(int(first_rows[-1]))
    check_terms(sum(part.row.size for part in parts))
    return Forms(
        (int(first_rows[-1]),),
        parts[0].element,
        np.concatenate([part.row + first for part, first in zip(parts, first_rows, strict=False)]),
        np.concatenate([part.variable for part in parts]),
        exact.concatenate([part.coefficient for part in parts]),
        exact.concatenate([part.constant for part in parts]),
        any(part.contracted for part in parts),
    )


def negate(forms: Forms) -> Forms:
    """Return -forms."""
    return replace(forms, coefficient=-forms.coefficient, constant=-forms.constant)


def scale(forms: Forms, factor: Exact) -> Forms:
    """Return forms times factor, one factor per element."""
    coefficient = exact.multiply(forms.coefficient, factor.ravel()[forms.row])
    constant = exact.multiply(forms.constant, factor.ravel())
    return _without_zeros(replace(forms, coefficient=coefficient, constant=constant))


def divide(forms: Forms, divisor: Exact) -> Forms:
    """Return forms divided by divisor, one non-zero divisor per element."""
    coefficient = exact.divide(forms.coefficient, divisor.ravel()[forms.row])
    return replace(forms, coefficient=coefficient, constant=exact.divide(forms.constant, divisor.ravel()))


def add_constant(forms: Forms, addend: Exact) -> Forms:
    """Return forms plus a constant, one per element."""
    return replace(forms, constant=exact.add(forms.constant, addend.ravel()))


def add(a: Forms, b: Forms) -> Forms:
    """Return the sum of two tensors of one shape."""
    check_terms(a.row.size + b.row.size)
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


def contract(forms: Forms, weights: Exact) -> Forms:
    """Return rows @ weights (k, n) as a flat tensor of p * n elements, where forms are p * k elements."""
    k, n = weights.shape
    p = forms.size // k
    check_elements(p * n)
    check_terms(forms.row.size * n)
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
    result = Forms((p * n,), forms.element, row.ravel(), variable, coefficient.ravel(), constant, True)
    return _canonical(result)


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
