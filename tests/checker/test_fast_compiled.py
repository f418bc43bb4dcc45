"""The compiled loop of the fast engine: the numbers of the one in numpy."""

from __future__ import annotations

import random
from fractions import Fraction
from math import inf, nan

import numpy as np
import pytest

from hybrid_ai.checker import fast_compiled, fast_lines
from hybrid_ai.checker.decode import TIGHTEN_ALL
from hybrid_ai.checker.fast_lines import Lines
from hybrid_ai.checker.grid import make_grid
from hybrid_ai.checker.rules import TightenWork
from tests.checker import build as b
from tests.checker.test_engines import random_box, random_network

UNIT = Fraction(1, 2**53)


def some_lines(source: np.random.Generator, nodes: int, neurons: int) -> Lines:
    slope = source.choice([0.0, 0.25, 1.0], (nodes, neurons))
    upper_slope, upper_charge, charge = source.uniform(0, 1, (3, nodes, neurons))
    return Lines(slope, upper_slope, upper_charge, charge)


@pytest.mark.parametrize(("forms", "neurons"), [(1, 1), (7, 3), (40, 50), (3, 0), (0, 5)])
def test_numbers_are_those_of_numpy(forms: int, neurons: int) -> None:
    source = np.random.default_rng(forms + neurons)
    lines = some_lines(source, 4, neurons)
    node = source.integers(0, 4, forms)
    given = source.normal(size=(forms, neurons)) * source.choice([0.0, 1.0, 1e-3], (forms, neurons))
    expected, _ = fast_lines.substitute(given.copy(), lines, node)
    found, part = fast_compiled.substitute(given.copy(), lines, node)
    assert np.array_equal(found, expected)
    for form, at in enumerate(node):
        terms = [
            Fraction(value) * Fraction(-lines.charge[at, i] if value > 0 else lines.upper_charge[at, i])
            for i, value in enumerate(given[form])
        ]
        assert abs(Fraction(part[form]) - sum(terms)) <= 2 * (neurons + 1) * UNIT * sum(map(abs, terms))


@pytest.mark.parametrize("wrong", [nan, inf, -inf])
@pytest.mark.parametrize("place", range(5))
def test_what_is_no_number_stays_seen(wrong: float, place: int) -> None:
    """In a coefficient or in a line, and where numpy says so: else a verdict might differ."""
    ones = [np.ones((1, 3)) for _ in range(5)]
    ones[place][0, 1] = wrong
    for sign in (1.0, 0.0, -1.0):
        own, node = np.where(np.isfinite(ones[0]), sign, sign or 1.0) * ones[0], np.zeros(1, dtype=np.intp)
        with np.errstate(all="ignore"):
            expected, part = fast_lines.substitute(own.copy(), Lines(*ones[1:]), node)
        found, compiled = fast_compiled.substitute(own.copy(), Lines(*ones[1:]), node)
        assert np.array_equal(np.isfinite(found), np.isfinite(expected))
        assert np.isfinite(compiled[0]) == np.isfinite(part[0])
        assert not (np.isfinite(found).all() and np.isfinite(compiled[0]))


def test_bounds_are_those_of_numpy_but_for_rounding() -> None:
    source = random.Random(5)
    for _ in range(20):
        net, box = random_network(source, 2), random_box(source, 2)
        grid = make_grid(*(tuple(pair[end] for pair in box) for end in (0, 1)))
        states = []
        for name in ("fast", "fast compiled"):
            engine = b.make_engine(name, net, grid)
            states += engine.tighten([(engine.root(), TightenWork(grid.root(), TIGHTEN_ALL))])
        for end in ("lower", "upper"):
            first, second = (getattr(state, end) for state in states)
            assert np.allclose(first, second, rtol=1e-12, atol=1e-12)


def test_loading_compiles_it() -> None:
    assert fast_compiled.load() is fast_compiled.substitute
    assert len(fast_compiled._pass.signatures) == 1
