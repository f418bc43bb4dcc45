"""What a float32 network reads: rounded inputs, and the set of them (certificate format, section 2).

Sound because: rounding to nearest is monotone, a subnormal result may be kept or flushed to zero, and a
linear input constraint is relaxed by what the rounding of each variable may change
(docs/theory/float32-input.md).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from .literals import nearest_float32
from .normal_form import InputPolytope
from .property import Atom

SMALLEST_NORMAL = Fraction(1, 2**126)
_UNIT = Fraction(1, 2**24)


def lowest_read(value: Fraction) -> Fraction:
    """The least that the network may read for a number that is at least this one."""
    near = nearest_float32(value)
    return Fraction(0) if 0 < near < SMALLEST_NORMAL else near


def highest_read(value: Fraction) -> Fraction:
    """The most that the network may read for a number that is at most this one."""
    return -lowest_read(-value)


def float32_polytope(polytope: InputPolytope, *, with_reals: bool) -> InputPolytope:
    """What a float32 network may read for the points of a polytope; with the points themselves if asked.

    Args:
        polytope: with bounds of at most 2^100 in size.
        with_reals: for a proof about both arithmetics at once.
    """
    lower = tuple(map(lowest_read, polytope.lower))
    upper = tuple(map(highest_read, polytope.upper))
    if with_reals:
        lower = tuple(map(min, lower, polytope.lower))
        upper = tuple(map(max, upper, polytope.upper))
    changes = tuple(
        max(abs(low), abs(high)) * _UNIT + SMALLEST_NORMAL
        for low, high in zip(polytope.lower, polytope.upper, strict=True)
    )
    constraints = tuple(_relaxed(atom, changes) for atom in polytope.constraints)
    return replace(polytope, lower=lower, upper=upper, constraints=constraints)


def _relaxed(atom: Atom, changes: tuple[Fraction, ...]) -> Atom:
    change = sum((abs(factor) * changes[axis] for axis, factor in atom.inputs), Fraction(0))
    return replace(atom, constant=atom.constant - change)
