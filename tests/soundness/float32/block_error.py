"""The error bound of one affine block, in exact rationals, written from the text of the float32 semantics.

It shares no code with the provers or the checker, and is meant to be read beside that text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

U = Fraction(1, 2**24)
ETA = Fraction(1, 2**120)
LARGEST_VALUE = Fraction(2**100)
LARGEST_COUNT = 2**16

Kind = Literal["add", "sub", "rsub", "mul", "div"]
# What a test may leave out of the bound, to show that it is needed.
Part = Literal[
    "sum", "folded sum", "addition", "chain", "product", "division", "eta", "bias", "differences", "gain"
]


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
    """An affine form over the inputs (coefficients, constant), its size form, whole numbers N, D and G."""

    coefficients: tuple[Fraction, ...]
    constant: Fraction
    sizes: tuple[Fraction, ...]
    size: Fraction
    terms: int = 1
    degree: int = 1
    gain: int = 1

    @property
    def roundings(self) -> int:
        """K: a term meets at most N - 1 sums and D - 1 products."""
        return self.terms + self.degree - 2

    def value(self, inputs: Sequence[Fraction]) -> Fraction:
        return sum((c * x for c, x in zip(self.coefficients, inputs, strict=True)), self.constant)

    def largest(self, magnitudes: Sequence[Fraction]) -> Fraction:
        return sum((c * m for c, m in zip(self.sizes, magnitudes, strict=True)), self.size)


def whole(value: Fraction) -> int:
    """Return the least whole number >= 1 that is at least |value|."""
    return max(1, math.ceil(abs(value)))


def _group_element(index: int, count: int) -> Sized:
    unit = tuple(Fraction(int(k == index)) for k in range(count))
    return Sized(unit, Fraction(0), unit, Fraction(0))


def _constant(value: Fraction, count: int) -> Sized:
    zeros = (Fraction(0),) * count
    return Sized(zeros, value, zeros, abs(value), gain=whole(value))


def scaled(form: Sized, factor: Fraction, degree: int, gain: int) -> Sized:
    """Return form times factor, which is of the given degree and gain."""
    size = abs(factor)
    return Sized(
        tuple(c * factor for c in form.coefficients),
        form.constant * factor,
        tuple(c * size for c in form.sizes),
        form.size * size,
        form.terms,
        form.degree + degree,
        2 * form.gain * gain,
    )


def summed(left: Sized, right: Sized, sign: int, without: Part | None) -> Sized:
    result = Sized(
        tuple(a + sign * b for a, b in zip(left.coefficients, right.coefficients, strict=True)),
        left.constant + sign * right.constant,
        tuple(a + b for a, b in zip(left.sizes, right.sizes, strict=True)),
        left.size + right.size,
        max(left.terms, right.terms) if without == "addition" else left.terms + right.terms,
        max(left.degree, right.degree),
        left.gain + right.gain,
    )
    if without != "differences":
        return result
    return replace(result, sizes=tuple(abs(c) for c in result.coefficients), size=abs(result.constant))


def _apply(kind: Kind, form: Sized, number: float, gain: int, without: Part | None) -> Sized:
    """Return a form after one operation by a constant; gain: that of the whole constant tensor."""
    value = Fraction(number)
    if kind == "mul":
        return scaled(form, value, 0 if without == "chain" else 1, gain)
    if kind == "div":
        # A runtime may multiply by the rounded reciprocal.
        more = 0 if without == "division" else 1
        return scaled(form, 1 / value, 0 if without == "chain" else 1 + more, gain)
    constant = _constant(value, len(form.coefficients))
    if kind == "rsub":
        form, constant = constant, form
    return summed(form, constant, -1 if kind in ("sub", "rsub") else 1, without)


def _gain(operation: Operation) -> int:
    values = [Fraction(c) for c in operation.constants]
    return max(whole(1 / v if operation.kind == "div" else v) for v in values)


def _contract(forms: Sequence[Sized], contraction: Contraction, without: Part | None) -> Sized:
    weights = [Fraction(w) for w in contraction.weights]
    n, count = len(weights), len(forms[0].coefficients)
    # Multiplied out, as a runtime may do that folds what was added before, every product is one of N1 terms.
    operand = max(form.terms for form in forms)
    terms = operand if without == "sum" else n + operand - 1 if without == "folded sum" else n * operand
    rows = list(zip(weights, forms, strict=True))
    result = Sized(
        tuple(sum((w * f.coefficients[k] for w, f in rows), Fraction(0)) for k in range(count)),
        sum((w * f.constant for w, f in rows), Fraction(0)),
        tuple(sum((abs(w) * f.sizes[k] for w, f in rows), Fraction(0)) for k in range(count)),
        sum((abs(w) * f.size for w, f in rows), Fraction(0)),
        terms,
        max(form.degree for form in forms) + (0 if without == "product" else 1),
        2 * n * max(form.gain for form in forms) * max(whole(w) for w in weights),
    )
    if contraction.alpha != 1.0:
        result = _apply("mul", result, contraction.alpha, whole(Fraction(contraction.alpha)), without)
    if contraction.bias is None:
        return result
    bias = _constant(Fraction(contraction.bias), count)
    if contraction.beta != 1.0:
        bias = _apply("mul", bias, contraction.beta, whole(Fraction(contraction.beta)), without)
    return summed(result, bias, 1, without)


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
