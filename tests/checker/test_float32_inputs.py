"""What a float32 network may read for the points of an input polytope."""

from __future__ import annotations

import random
import struct
from fractions import Fraction

import pytest

from hybrid_ai.checker.float32 import polytope_read
from hybrid_ai.checker.property_form import Polytope
from hybrid_ai.checker.rejected import Rejected
from tests.checker import build as b

UNIT, NORMAL, LEAST = Fraction(1, 2**24), Fraction(1, 2**126), Fraction(1, 2**149)
TENTH = Fraction(13421773, 2**27)  # the float32 nearest to 1/10, above it
SEVEN = Fraction(11744051, 2**24)  # the float32 nearest to 7/10, below it


def read(low: b.Number, high: b.Number, arithmetic: str = "float32") -> tuple[Fraction, Fraction]:
    found = polytope_read(b.polytope([(low, high)], [[b.atom(outputs={0: 1})]]), arithmetic)
    return found.lower[0], found.upper[0]


# value -> least and greatest that may be read for it
READ: list[tuple[b.Number, b.Number, b.Number]] = [
    (0, 0, 0),
    (1, 1, 1),
    ("1/10", TENTH, TENTH),
    ("7/10", SEVEN, SEVEN),
    ("1/3", Fraction(11184811, 2**25), Fraction(11184811, 2**25)),
    (1 + UNIT, 1, 1),
    (1 + UNIT + Fraction(1, 2**90), 1 + 2 * UNIT, 1 + 2 * UNIT),
    (1 + 3 * UNIT, 1 + 4 * UNIT, 1 + 4 * UNIT),
    (1 - UNIT / 2, 1, 1),
    (1 - 3 * UNIT / 2, 1 - 2 * UNIT, 1 - 2 * UNIT),
    (1 - UNIT, 1 - UNIT, 1 - UNIT),
    (2 - UNIT, 2, 2),
    (2**24 + 1, 2**24, 2**24),
    (2**24 + 3, 2**24 + 4, 2**24 + 4),
    (2**100, 2**100, 2**100),
    (NORMAL, NORMAL, NORMAL),
    (NORMAL - LEAST / 2, NORMAL, NORMAL),
    (NORMAL - LEAST * Fraction(5, 8), 0, NORMAL - LEAST),
    (NORMAL - LEAST, 0, NORMAL - LEAST),
    (NORMAL / 2, 0, NORMAL / 2),
    (NORMAL + LEAST / 2, NORMAL, NORMAL),
    (LEAST, 0, LEAST),
    (LEAST / 2, 0, 0),
    (LEAST * Fraction(5, 8), 0, LEAST),
    (LEAST * Fraction(3, 2), 0, 2 * LEAST),
    (LEAST / 2**60, 0, 0),
]


@pytest.mark.parametrize(("value", "least", "greatest"), READ)
def test_pinned_axes(value: b.Number, least: b.Number, greatest: b.Number) -> None:
    exact = Fraction(value)
    assert read(exact, exact) == (least, greatest)
    assert read(-exact, -exact) == (-Fraction(greatest), -Fraction(least))
    assert read(exact, exact, "both") == (min(exact, Fraction(least)), max(exact, Fraction(greatest)))
    assert read(exact, exact, "real") == (exact, exact)


def test_ends_are_read_each_by_itself() -> None:
    assert read("1/10", "7/10") == (TENTH, SEVEN)
    assert read("1/10", "7/10", "both") == (Fraction(1, 10), Fraction(7, 10))
    assert read("-1/10", "1/10") == (-TENTH, TENTH)
    assert read("-7/10", "7/10", "both") == (Fraction(-7, 10), Fraction(7, 10))
    assert read("-1/10", "1/10", "both") == (-TENTH, TENTH)
    assert read(-LEAST, LEAST) == (-LEAST, LEAST)


@pytest.mark.parametrize("seed", range(4))
def test_nearest_is_the_nearest(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(200):
        value = source.uniform(-2, 2) * 2.0 ** source.randint(-154, 99)
        (near,) = struct.unpack("<f", struct.pack("<f", value))
        low, high = read(Fraction(value), Fraction(value))
        expected = Fraction(near)
        if 0 < abs(expected) < NORMAL:
            assert (low, high) == (min(expected, 0), max(expected, 0))
        else:
            assert (low, high) == (expected, expected)


def test_large_bounds_are_refused() -> None:
    most = Fraction(2**100)
    assert read(-most, most) == (-most, most)
    for bounds in ((0, most + 1), (-most - 1, 0), (most + 1, most + 2)):
        for arithmetic in ("float32", "both"):
            with pytest.raises(Rejected) as caught:
                read(*bounds, arithmetic)
            assert (caught.value.rule, caught.value.where) == ("float32", "property")
        assert read(*bounds, "real") == bounds
    axes = b.polytope([(0, 1), (0, most + 1)], [])
    with pytest.raises(Rejected, match="float32: property: an input bound exceeds"):
        polytope_read(axes, "float32")


def two_axes() -> Polytope:
    constraints = [b.atom({0: 1, 1: "-3/2"}, constant="1/5"), b.atom({1: 4}, constant=-1, strict=True)]
    rows = [[b.atom({0: 1}, {0: 1}, "1/3")], [b.atom(outputs={1: -2}, strict=True)]]
    return b.polytope([("-1/2", "1/10"), (1, 3)], rows, constraints)


def test_constraints_are_relaxed_by_what_reading_changes() -> None:
    given = two_axes()
    for arithmetic in ("float32", "both"):
        found = polytope_read(given, arithmetic)
        # what either variable changes: 2^-24 of its largest value, and a flushed one
        first, second = UNIT / 2 + NORMAL, 3 * UNIT + NORMAL
        assert found.constraints == (
            b.atom({0: 1, 1: "-3/2"}, constant=Fraction(1, 5) - first - Fraction(3, 2) * second),
            b.atom({1: 4}, constant=-1 - 4 * second, strict=True),
        )
        assert found.disjuncts == given.disjuncts
        assert found.empty is False
    assert polytope_read(given, "real") == given


def test_a_constraint_over_the_larger_end() -> None:
    given = b.polytope([(-4, 1)], [], [b.atom({0: -1}, constant=2)])
    (found,) = polytope_read(given, "float32").constraints
    assert found.constant == 2 - 4 * UNIT - NORMAL


@pytest.mark.parametrize("seed", range(20))
def test_every_point_read_is_in_the_polytope(seed: int) -> None:
    # a point on the boundary of its constraint, which rounding may move out of the unrelaxed one
    source = random.Random(50 + seed)
    box = [(Fraction(source.uniform(-2, 0)), Fraction(source.uniform(0, 2))) for _ in range(3)]
    factors = {axis: Fraction(source.uniform(-3, 3)) for axis in range(3)}
    x = [low + (high - low) * Fraction(source.randint(0, 997), 997) for low, high in box]
    value = sum(factor * x[axis] for axis, factor in factors.items())
    given = b.polytope(box, [], [b.atom(factors, constant=-value)])
    for arithmetic in ("float32", "both"):
        found = polytope_read(given, arithmetic)
        points = [[Fraction(struct.unpack("<f", struct.pack("<f", float(v)))[0]) for v in x]]
        points += [x] if arithmetic == "both" else []
        for point in points:
            assert all(a <= v <= c for a, v, c in zip(found.lower, point, found.upper, strict=True))
            (atom,) = found.constraints
            assert sum(factor * point[axis] for axis, factor in atom.inputs) + atom.constant <= 0
