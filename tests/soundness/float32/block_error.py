"""The error bound of one affine block, in exact rationals, written from the text of the float32 semantics.

It shares no code with the provers or the checker, and is meant to be read beside that text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

U = Fraction(1, 2**24)
ETA = Fraction(1, 2**120)
LARGEST_VALUE = Fraction(2**100)
LARGEST_COUNT = 2**16

Kind = Literal["add", "sub", "rsub", "mul", "div"]
# What a test may leave out of the bound, to show that it is needed.
Part = Literal["sum", "folded sum", "chain", "eta", "bias", "differences", "gain"]


class NothingShown(Exception):
    """The bound does not apply: a sum may overflow, or there are too many roundings."""


@dataclass(frozen=True)
class Operation:
    """Arithmetic by constants, one for each element: z + c, z - c, c - z, z * c, z / c."""

    kind: Kind
    constants: tuple[float, ...]


@dataclass(frozen=True)
class Contraction:
    """alpha * (sum of w_k z_k) + beta * bias, as Gemm has it; as MatMul has it without bias and factors."""

    weights: tuple[float, ...]
    bias: float | None = None
    alpha: float = 1.0
    beta: float = 1.0


@dataclass(frozen=True)
class Block:
    """Arithmetic by constants on n elements, a contraction to one, arithmetic on that one."""

    before: tuple[Operation, ...]
    contraction: Contraction
    after: tuple[Operation, ...] = ()

    @property
    def width(self) -> int:
        return len(self.contraction.weights)


@dataclass(frozen=True)
class Sized:
    """An affine form over the inputs (coefficients, constant), its size form, and whole numbers K, G and S.

    S counts additions of constants: folded into a contraction, each is one more sum over its terms.
    """

    coefficients: tuple[Fraction, ...]
    constant: Fraction
    sizes: tuple[Fraction, ...]
    size: Fraction
    roundings: int
    gain: int
    shifts: int

    def value(self, inputs: Sequence[Fraction]) -> Fraction:
        return sum((c * x for c, x in zip(self.coefficients, inputs, strict=True)), self.constant)

    def largest(self, magnitudes: Sequence[Fraction]) -> Fraction:
        return sum((c * m for c, m in zip(self.sizes, magnitudes, strict=True)), self.size)


def whole(value: Fraction) -> int:
    """Return the least whole number >= 1 that is at least |value|."""
    return max(1, math.ceil(abs(value)))


def _group_element(index: int, count: int) -> Sized:
    unit = tuple(Fraction(int(k == index)) for k in range(count))
    return Sized(unit, Fraction(0), unit, Fraction(0), 0, 1, 0)


def scaled(form: Sized, factor: Fraction, roundings: int, gain: int) -> Sized:
    size = abs(factor)
    return Sized(
        tuple(c * factor for c in form.coefficients),
        form.constant * factor,
        tuple(c * size for c in form.sizes),
        form.size * size,
        form.roundings + roundings,
        2 * form.gain * gain,
        form.shifts,
    )


def summed(left: Sized, right: Sized, roundings: int, sign: int = 1) -> Sized:
    return Sized(
        tuple(a + sign * b for a, b in zip(left.coefficients, right.coefficients, strict=True)),
        left.constant + sign * right.constant,
        tuple(a + b for a, b in zip(left.sizes, right.sizes, strict=True)),
        left.size + right.size,
        left.roundings + right.roundings + roundings,
        left.gain + right.gain,
        left.shifts + right.shifts,
    )


def _constant(value: Fraction, count: int) -> Sized:
    zeros = (Fraction(0),) * count
    return Sized(zeros, value, zeros, abs(value), 0, whole(value), 1)


def _apply(kind: Kind, form: Sized, number: float, gain: int, without: Part | None) -> Sized:
    """Return a form after one operation by a constant; gain: that of the whole constant tensor."""
    value, count, costs = Fraction(number), len(form.coefficients), 0 if without == "chain" else 2
    if kind == "mul":
        return scaled(form, value, costs, gain)
    if kind == "div":
        return scaled(form, 1 / value, costs + 1 if costs else 0, gain)
    constant = _constant(value, count)
    if kind == "rsub":
        form, constant = constant, form
    result = summed(form, constant, costs, -1 if kind in ("sub", "rsub") else 1)
    if without == "differences":
        return Sized(
            result.coefficients,
            result.constant,
            tuple(abs(c) for c in result.coefficients),
            abs(result.constant),
            result.roundings,
            result.gain,
            result.shifts,
        )
    return result


def _gain(operation: Operation) -> int:
    values = [Fraction(c) for c in operation.constants]
    return max(whole(1 / v if operation.kind == "div" else v) for v in values)


def _contract(forms: Sequence[Sized], contraction: Contraction, without: Part | None) -> Sized:
    weights = [Fraction(w) for w in contraction.weights]
    n, count = len(weights), len(forms[0].coefficients)
    # Constants added to the operand may be folded into the bias, by a sum of n products for each addition;
    # the bias is then one of the terms that meet the n products of the operand itself.
    shifts = 0 if without == "folded sum" else max(form.shifts for form in forms)
    terms = 2 if without == "sum" else (1 + shifts) * n + 1
    rows = list(zip(weights, forms, strict=True))
    result = Sized(
        tuple(sum((w * f.coefficients[k] for w, f in rows), Fraction(0)) for k in range(count)),
        sum((w * f.constant for w, f in rows), Fraction(0)),
        tuple(sum((abs(w) * f.sizes[k] for w, f in rows), Fraction(0)) for k in range(count)),
        sum((abs(w) * f.size for w, f in rows), Fraction(0)),
        max(form.roundings for form in forms) + terms,
        2 * n * max(form.gain for form in forms) * max(whole(w) for w in weights),
        0,
    )
    if contraction.alpha != 1.0:
        result = _apply("mul", result, contraction.alpha, whole(Fraction(contraction.alpha)), without)
    if contraction.bias is None:
        return result
    bias = _constant(Fraction(contraction.bias), count)
    if contraction.beta != 1.0:
        bias = _apply("mul", bias, contraction.beta, whole(Fraction(contraction.beta)), without)
    return summed(result, bias, 0 if without == "chain" else 2)


def block_form(block: Block, without: Part | None = None) -> Sized:
    """Return the form that a block computes, with its size, K and G."""
    forms = [_group_element(k, block.width) for k in range(block.width)]
    for step in block.before:
        columns = zip(forms, step.constants, strict=True)
        forms = [_apply(step.kind, form, number, _gain(step), without) for form, number in columns]
    result = _contract(forms, block.contraction, without)
    for step in block.after:
        result = _apply(step.kind, result, step.constants[0], _gain(step), without)
    return result


def gamma(count: int) -> Fraction:
    return count * U / (1 - count * U)


def error_bound(form: Sized, magnitudes: Sequence[Fraction], without: Part | None = None) -> Fraction:
    """Return E, for every evaluation on computed inputs of at most these magnitudes.

    Raises NothingShown where a sum may overflow or K is too large.
    """
    largest = 1 + max(magnitudes)
    if form.gain * largest > LARGEST_VALUE or form.roundings > LARGEST_COUNT:
        raise NothingShown
    size = form.largest(magnitudes) - (form.size if without == "bias" else 0)
    eta = Fraction(0) if without == "eta" else ETA * (1 if without == "gain" else form.gain) * largest
    return gamma(form.roundings) * size + eta
