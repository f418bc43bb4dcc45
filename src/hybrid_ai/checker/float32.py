"""What a float32 execution may change: sections 2, 3 and 6 of the format page.

Sound because: K bounds the roundings on any path, whatever is folded or reordered
(docs/theory/float32-block.md).
"""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import NamedTuple, TypeVar

from hybrid_ai.checker.property_form import Atom, Polytope
from hybrid_ai.checker.rejected import Rejected

UNIT = Fraction(1, 2**24)
SMALLEST_NORMAL = Fraction(1, 2**126)
FLUSHED = Fraction(1, 2**120)
LARGEST = Fraction(2**100)
MOST_ROUNDINGS = 2**16
_MOST_GAIN = 2**200
_MANTISSA_BITS = 23
_LEAST_EXPONENT = -149
Number = TypeVar("Number", Fraction, float)


class Cost(NamedTuple):
    """N, D and G of section 3: terms and degree of what is computed, a bound of its intermediate values."""

    terms: int
    degree: int
    gain: int


EXACT = Cost(1, 1, 1)
# of a quotient by a computed difference: nothing is known about its relative error
UNKNOWN = Cost(MOST_ROUNDINGS + 2, 1, 1)


def _capped(terms: int, degree: int, gain: int) -> Cost:
    return Cost(min(terms, MOST_ROUNDINGS + 2), min(degree, MOST_ROUNDINGS + 2), min(gain, _MOST_GAIN))


def is_computed(cost: Cost) -> bool:
    """Whether a runtime may hold something else than the exact value."""
    return cost.terms > 1 or cost.degree > 1


def gain_of(numbers: Iterable[Number]) -> int:
    """G of constants."""
    return max(1, ceil(max(map(abs, numbers), default=0)))


def constants(numbers: Iterable[Number]) -> Cost:
    """Constants of the file, finite."""
    return Cost(1, 1, gain_of(numbers))


def joined(costs: Iterable[Cost]) -> Cost:
    """Elements side by side."""
    terms, degrees, gains = zip(*costs, strict=True)
    return Cost(max(terms), max(degrees), max(gains))


def summed(a: Cost, b: Cost) -> Cost:
    """Add and Sub."""
    return _capped(a.terms + b.terms, max(a.degree, b.degree), a.gain + b.gain)


def multiplied(a: Cost, b: Cost) -> Cost:
    """Mul."""
    return contracted(a, b, 1)


def inverted(a: Cost, numbers: Iterable[Fraction]) -> Cost:
    """One over constants of cost `a`: one more rounding where a runtime multiplies by it."""
    return _capped(a.terms, a.degree + 1, a.gain * gain_of(1 / number for number in numbers))


def contracted(a: Cost, b: Cost, length: int) -> Cost:
    """A sum of `length` products; an empty sum counts as one."""
    return _capped(
        max(length, 1) * a.terms * b.terms, a.degree + b.degree, 2 * max(length, 1) * a.gain * b.gain
    )


class Scale(NamedTuple):
    """The last factors of a tensor, which a runtime may apply after the next contraction: their number (a
    division counts two), and a bound of the size of their product and of its inverse.
    """

    degree: int
    gain: int


NO_SCALE = Scale(0, 1)


def scaled(a: Scale, factors: Cost, numbers: Iterable[Fraction]) -> Scale:
    """With one more factor for each element, of the cost `factors`."""
    sizes = [abs(number) for number in numbers]
    gain = _MOST_GAIN if 0 in sizes else gain_of([max(sizes), 1 / min(sizes)])
    return Scale(min(a.degree + factors.degree, MOST_ROUNDINGS + 2), min(a.gain * gain, _MOST_GAIN))


def scaled_group(scale: Scale) -> Cost:
    """An element of a group that a runtime may hold without its last factors.

    Each counts twice: once applied later, and once because others may read the element with it rounded in.
    """
    return _capped(1, 1 + 2 * scale.degree, scale.gain)


def shifted(a: Cost, shift: Fraction) -> Cost:
    """The shifts of Clip, which no runtime computes."""
    return _capped(a.terms, a.degree, a.gain + gain_of([shift]))


def relative(cost: Cost) -> Fraction:
    """gamma_K of section 3, K = N + D - 2.

    Raises:
        Rejected: rule "float32": too many roundings.
    """
    roundings = cost.terms + cost.degree - 2
    if roundings > MOST_ROUNDINGS:
        raise Rejected("float32", "model", "a stage rounds too often, or divides by a computed difference")
    return roundings * UNIT / (1 - roundings * UNIT)


def _nearest(value: Fraction) -> Fraction:
    """The nearest float32, ties to even, subnormals kept."""
    if value == 0:
        return value
    exponent = abs(value).numerator.bit_length() - value.denominator.bit_length()
    if abs(value) < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** max(exponent - _MANTISSA_BITS, _LEAST_EXPONENT)
    return round(value / unit) * unit


def _lowest(value: Fraction) -> Fraction:
    """The least that may be read for a number from `value` on: its float32, or zero where that is flushed."""
    near = _nearest(value)
    return Fraction(0) if 0 < near < SMALLEST_NORMAL else near


def polytope_read(polytope: Polytope, arithmetic: str) -> Polytope:
    """What the network may read for the points of a polytope that is not empty.

    Raises:
        Rejected: rule "float32": an input bound exceeds 2^100.

    Sound because: rounding is monotone, and a linear input constraint loses at most what each variable's
    rounding changes, times its coefficient (docs/theory/float32-input.md).
    """
    if arithmetic == "real":
        return polytope
    ends = (*polytope.lower, *polytope.upper)
    if max(map(abs, ends), default=0) > LARGEST:
        raise Rejected("float32", "property", "an input bound exceeds 2^100")
    lower = tuple(_lowest(value) for value in polytope.lower)
    upper = tuple(-_lowest(-value) for value in polytope.upper)
    if arithmetic == "both":
        lower = tuple(map(min, lower, polytope.lower))
        upper = tuple(map(max, upper, polytope.upper))
    change = [
        UNIT * max(abs(low), abs(high)) + SMALLEST_NORMAL
        for low, high in zip(polytope.lower, polytope.upper, strict=True)
    ]
    constraints = tuple(_relaxed(atom, change) for atom in polytope.constraints)
    return replace(polytope, lower=lower, upper=upper, constraints=constraints)


def _relaxed(atom: Atom, change: list[Fraction]) -> Atom:
    lost = sum(abs(factor) * change[axis] for axis, factor in atom.inputs)
    return replace(atom, constant=atom.constant - lost)
