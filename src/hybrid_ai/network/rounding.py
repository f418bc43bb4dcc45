"""What a float32 execution may change in an element: terms, degree and gain of what it computes.

docs/formats/certificate.md, section 3, states the recurrences; docs/theory/float32-block.md proves them.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_ROUNDINGS = 2**16  # beyond it nothing is claimed about float32
MOST_GAIN = 2**200  # far beyond float32


@dataclass(frozen=True, slots=True)
class Cost:
    """Rounding of one tensor's elements.

    terms: number of products that are summed when everything is multiplied out; degree: of the longest of
    them, a division counting one more. gain: G max(1, H) bounds every intermediate value, H being the largest
    element of the groups that are read.
    """

    terms: int = 1
    degree: int = 1
    gain: int = 1

    @property
    def roundings(self) -> int:
        """K: at most so many roundings on any path, however a runtime folds, multiplies out and orders."""
        return self.terms + self.degree - 2


EXACT = Cost()
UNBOUNDED = Cost(MOST_ROUNDINGS + 2)


def _capped(terms: int, degree: int, gain: int) -> Cost:
    # Beyond these nothing is claimed, and the numbers need not grow without end.
    return Cost(min(terms, MOST_ROUNDINGS + 2), min(degree, MOST_ROUNDINGS + 2), min(gain, MOST_GAIN))


def joined(*costs: Cost) -> Cost:
    """Elements of several tensors side by side."""
    return Cost(
        max(cost.terms for cost in costs),
        max(cost.degree for cost in costs),
        max(cost.gain for cost in costs),
    )


def added(a: Cost, b: Cost) -> Cost:
    """A sum."""
    return _capped(a.terms + b.terms, max(a.degree, b.degree), a.gain + b.gain)


def multiplied(a: Cost, b: Cost) -> Cost:
    """A product."""
    return _capped(a.terms * b.terms, a.degree + b.degree, 2 * a.gain * b.gain)


def inverted(divisor: Cost, gain: int) -> Cost:
    """One over a constant, of the given gain, which runtimes may round before they multiply by it."""
    return _capped(divisor.terms, divisor.degree + 1, gain)


def contracted(a: Cost, b: Cost, length: int) -> Cost:
    """A sum of `length` products, at least one."""
    return _capped(length * a.terms * b.terms, a.degree + b.degree, 2 * length * a.gain * b.gain)


@dataclass(frozen=True, slots=True)
class Scale:
    """The last factors of a tensor, which a runtime may apply after the next contraction.

    degree: how many, a division counting one more; gain: bounds the size of their product and of its inverse.
    """

    degree: int = 0
    gain: int = 1

    def times(self, degree: int, gain: int) -> Scale:
        """With more factors."""
        return Scale(min(self.degree + degree, MOST_ROUNDINGS + 2), min(self.gain * gain, MOST_GAIN))


NO_SCALE = Scale()


def scaled_group(scale: Scale) -> Cost:
    """An element of a group that a runtime may hold without its last factors.

    Each counts twice: once applied later, and once because others may read the element with it rounded in.
    """
    return _capped(1, 1 + 2 * scale.degree, scale.gain)


def shifted(a: Cost, gain: int) -> Cost:
    """A sum that no runtime computes (the normal form of Clip): exact, however large the shift."""
    return _capped(a.terms, a.degree, a.gain + gain)
