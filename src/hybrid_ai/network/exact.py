"""Arrays of exact numbers: float64 where every entry is exactly that double, else objects (Fraction).

Every function returns exactly the rational result. Floating point is used only where it is shown, for the
operands at hand, that nothing is rounded; otherwise the entries are computed as Fractions.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import TooLarge
from .limits import MAX_BITS, MAX_CONSTANT_BITS, MAX_FOLDED_ELEMENTS, MAX_PRODUCTS

Exact = NDArray[Any]
Integers = NDArray[np.object_]


def is_float(values: Exact) -> bool:
    """Say whether the entries are held as float64."""
    return values.dtype == np.float64


def to_fractions(values: Exact) -> NDArray[np.object_]:
    """Return the entries as Fractions, same shape."""
    if not is_float(values):
        return values
    _check_folded(values.size)
    result = np.empty(values.size, dtype=object)
    result[:] = [Fraction(value) for value in values.ravel().tolist()]
    return result.reshape(values.shape)


def settle(values: NDArray[np.object_]) -> Exact:
    """Return Fractions as float64 where each is exactly a double; raise TooLarge beyond MAX_CONSTANT_BITS."""
    floats = np.empty(values.size)
    exact = True
    for i, value in enumerate(values.ravel().tolist()):
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_CONSTANT_BITS:
            raise TooLarge(f"an exact constant of more than {MAX_CONSTANT_BITS} bits")
        if exact:
            exact, floats[i] = _as_double(value)
    return floats.reshape(values.shape) if exact else values


def _as_double(value: Fraction) -> tuple[bool, float]:
    denominator = value.denominator
    if denominator & (denominator - 1):
        return False, 0.0
    try:
        nearest = float(value)
    except OverflowError:  # beyond the largest double, hence not a double
        return False, 0.0
    return nearest.as_integer_ratio() == (value.numerator, denominator), nearest


def nearest(values: Exact) -> NDArray[np.float64]:
    """Return the doubles nearest to the entries; raise TooLarge where one is beyond the largest double."""
    if is_float(values):
        return values
    try:
        return np.array([float(v) for v in values.ravel().tolist()], dtype=np.float64).reshape(values.shape)
    except OverflowError as error:
        raise TooLarge("an exact constant beyond the largest double") from error


def is_single(values: NDArray[np.float64]) -> bool:
    """Say whether every entry is a float32 (24 significant bits, exponents from -149 to 127)."""
    with np.errstate(over="ignore", under="ignore"):
        return bool(np.all(values.astype(np.float32) == values))


def _is_sign(values: NDArray[np.float64]) -> bool:
    magnitude = np.abs(values)
    return bool(np.all((magnitude == 1) | (magnitude == 0)))


def _check_folded(size: int) -> None:
    if size > MAX_FOLDED_ELEMENTS:
        raise TooLarge(f"{size} elements computed in rational arithmetic")


def _fractionwise(function: Callable[[Fraction, Fraction], Fraction], a: Exact, b: Exact) -> Exact:
    left, right = np.broadcast_arrays(a, b)
    _check_folded(left.size)
    result = np.empty(left.size, dtype=object)
    pairs = zip(left.ravel().tolist(), right.ravel().tolist(), strict=True)
    result[:] = [function(Fraction(x), Fraction(y)) for x, y in pairs]
    return settle(result.reshape(left.shape))


def multiply(a: Exact, b: Exact) -> Exact:
    """Return a * b, broadcast.

    Sound because: the product of two float32 has 48 bits and an exponent within double range, and a product
    with -1, 0 or 1 is not rounded.
    """
    if is_float(a) and is_float(b) and (_is_sign(a) or _is_sign(b) or (is_single(a) and is_single(b))):
        return np.asarray(a * b)
    return _fractionwise(operator.mul, a, b)


def add(a: Exact, b: Exact) -> Exact:
    """Return a + b, broadcast.

    Sound because: the doubles are kept only where the error of the sum, which TwoSum computes exactly unless
    it overflows, is zero.
    """
    if is_float(a) and is_float(b):
        with np.errstate(over="ignore", invalid="ignore"):
            total = a + b
            other = total - a
            error = (a - (total - other)) + (b - other)
        if np.all(np.isfinite(total) & (error == 0)):
            return np.asarray(total)
    return _fractionwise(operator.add, a, b)


def divide(a: Exact, b: Exact) -> Exact:
    """Return a / b, broadcast; b has no zero entry.

    Sound because: a quotient of doubles is kept only where its product with b is a, and that product of two
    float32 is not rounded.
    """
    if is_float(a) and is_float(b) and is_single(b):
        with np.errstate(over="ignore", under="ignore"):
            quotient = np.asarray(a / b)
        if np.all(np.isfinite(quotient)) and is_single(quotient) and np.all(quotient * b == a):
            return quotient
    return _fractionwise(operator.truediv, a, b)


def concatenate(parts: Sequence[Exact]) -> Exact:
    """Return one-dimensional parts joined."""
    if all(is_float(part) for part in parts):
        return np.concatenate(parts)
    return np.concatenate([to_fractions(part) for part in parts])


def integers(values: Exact, bits: int | None = None) -> tuple[Integers, int]:
    """Return (n, d), integers n of the shape of values and one denominator d > 0, with values = n / d.

    With `bits`, raise TooLarge where d would be longer than that.
    """
    if is_float(values):
        return _dyadic_integers(values)
    flat = values.ravel().tolist()
    denominator = 1
    for value in flat:
        denominator = math.lcm(denominator, value.denominator)
        if bits is not None and denominator.bit_length() > bits:
            raise TooLarge(f"a common denominator of more than {bits} bits")
    result = np.empty(len(flat), dtype=object)
    result[:] = [value.numerator * (denominator // value.denominator) for value in flat]
    return result.reshape(values.shape), denominator


def _dyadic_integers(values: NDArray[np.float64]) -> tuple[Integers, int]:
    fraction, exponent = np.frexp(values.ravel())
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    trailing = np.frexp((mantissa & -mantissa).astype(np.float64))[1] - 1  # exact: powers of two
    used = mantissa != 0
    trailing[~used] = 0
    power = exponent.astype(np.int64) - 53 + trailing
    lowest = min(0, int(power[used].min())) if used.any() else 0
    shift = np.where(used, power - lowest, 0).tolist()
    result = np.empty(values.size, dtype=object)
    result[:] = [m << s for m, s in zip((mantissa >> trailing).tolist(), shift, strict=True)]
    return result.reshape(values.shape), 1 << -lowest


def dot(matrix: Exact, weights: Exact) -> Exact:
    """Return matrix (p, k) @ weights (k, n)."""
    _check_folded(matrix.shape[0] * weights.shape[1])
    products = matrix.size * weights.shape[1]
    if products > MAX_PRODUCTS:
        raise TooLarge(f"{products} products computed in rational arithmetic")
    left, left_denominator = integers(matrix, MAX_BITS)
    right, right_denominator = integers(weights, MAX_BITS)
    denominator = left_denominator * right_denominator
    product = np.asarray(left @ right, dtype=object)
    result = np.empty(product.size, dtype=object)
    result[:] = [Fraction(numerator, denominator) for numerator in product.ravel().tolist()]
    return settle(result.reshape(product.shape))
