"""Single float32 operations on numpy arrays: correctly rounded, fused or not, subnormals kept or flushed.

Numpy's own float32 operations round to nearest even and keep subnormals; tests check both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]

SMALLEST_NORMAL = np.float32(2.0**-126)
UNIT = 2.0**-24


def flushed(values: Singles) -> Singles:
    """Return the values with subnormals replaced by zero."""
    return np.where(np.abs(values) < SMALLEST_NORMAL, np.float32(0.0), values)


def kept_or_flushed(values: Singles, flush: bool) -> Singles:
    return flushed(values) if flush else values


def exact_products(left: Singles, right: Singles) -> Doubles:
    """Return the products in doubles: 48 bits and exponents above -298, so that nothing is rounded."""
    return left.astype(np.float64) * right.astype(np.float64)


def fused_sum(product: Doubles, addend: Singles) -> Singles:
    """Return the float32 nearest to product + addend, rounded once, as a fused multiply-add does.

    product: exact products of two float32. Sound because: the double sum is rounded to odd (its error, from
    Knuth's two-sum, decides the last bit), which loses nothing that the second rounding could need.
    """
    other = addend.astype(np.float64)
    total = product + other
    shadow = total - product
    error = (product - (total - shadow)) + (other - shadow)
    bits = np.ascontiguousarray(total).view(np.int64)
    even = (bits & 1) == 0
    away = (error > 0) == (total > 0)  # the exact sum is farther from zero than the rounded one
    moved = np.where((error != 0) & even, np.where(away, bits + 1, bits - 1), bits)
    with np.errstate(over="ignore"):
        return moved.view(np.float64).astype(np.float32)


def add(left: Singles, right: Singles, flush: bool = False) -> Singles:
    with np.errstate(over="ignore", under="ignore"):
        total = kept_or_flushed(left, flush) + kept_or_flushed(right, flush)
    return kept_or_flushed(total, flush)


def multiply(left: Singles, right: Singles, flush: bool = False) -> Singles:
    with np.errstate(over="ignore", under="ignore"):
        product = kept_or_flushed(left, flush) * kept_or_flushed(right, flush)
    return kept_or_flushed(product, flush)


def divide(left: Singles, right: Singles, flush: bool = False) -> Singles:
    with np.errstate(over="ignore", under="ignore"):
        quotient = kept_or_flushed(left, flush) / kept_or_flushed(right, flush)
    return kept_or_flushed(quotient, flush)


def multiply_add(left: Singles, right: Singles, addend: Singles, flush: bool = False) -> Singles:
    """Return left * right + addend, rounded once."""
    product = exact_products(kept_or_flushed(left, flush), kept_or_flushed(right, flush))
    return kept_or_flushed(fused_sum(product, kept_or_flushed(addend, flush)), flush)
