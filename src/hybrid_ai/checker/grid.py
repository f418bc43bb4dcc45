"""Boxes of nodes as integers on the dyadic grid of a polytope's axes (format page, section 4)."""

from dataclasses import dataclass
from fractions import Fraction

Box = tuple[tuple[int, int], ...]
WIDTH_BITS = 40
MAGNITUDE_BITS = 50


def ilog2(value: Fraction) -> int:
    """floor(log2 value) of a positive rational."""
    guess = value.numerator.bit_length() - value.denominator.bit_length()
    return guess if value >= power_of_two(guess) else guess - 1


def power_of_two(exponent: int) -> Fraction:
    """2^exponent, exactly."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


@dataclass(frozen=True)
class Grid:
    """Root bounds of each axis (exact) and its grid exponent, None where the axis is pinned."""

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    exponents: tuple[int | None, ...]

    def root(self) -> Box:
        """Coordinates of the whole polytope's box; (0, 0) on pinned axes."""
        box = []
        for low, high, exponent in zip(self.lower, self.upper, self.exponents, strict=True):
            if exponent is None:
                box.append((0, 0))
            else:
                step = power_of_two(exponent)
                box.append((low // step, -(-high // step)))
        return tuple(box)

    def bounds(self, box: Box) -> list[tuple[Fraction, Fraction]]:
        """Exact lower and upper end of each axis of a box.

        Sound because: a coordinate outside the root bounds means the root bound, which every point satisfies
        (docs/theory/grid-and-enclosure.md).
        """
        found = []
        for (a, b), low, high, exponent in zip(box, self.lower, self.upper, self.exponents, strict=True):
            if exponent is None:
                found.append((low, high))
            else:
                step = power_of_two(exponent)
                found.append((max(low, a * step), min(high, b * step)))
        return found


def make_grid(lower: tuple[Fraction, ...], upper: tuple[Fraction, ...]) -> Grid:
    """Grid of a box with lower <= upper on each axis."""
    exponents: list[int | None] = []
    for low, high in zip(lower, upper, strict=True):
        if low == high:
            exponents.append(None)
        else:
            exponents.append(
                max(ilog2(high - low) - WIDTH_BITS, ilog2(max(abs(low), abs(high))) - MAGNITUDE_BITS)
            )
    return Grid(tuple(lower), tuple(upper), tuple(exponents))
