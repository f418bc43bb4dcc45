"""The exact optimum of a piecewise-linear function over a polytope, by cutting it into linear pieces.

Independent of the package. A region is kept as its exact vertices, each a homogeneous integer vector that
holds the point and every value computed so far; all phases up to the current step are fixed on a region, so
every value is affine on it and is carried by the vertices. A region that straddles a kink is cut in two. On a
finished region the objective is affine: its minimum is at a vertex. Regions whose range in double precision
lies clearly above the best vertex are skipped; the margin is many orders above the rounding of these small
programs.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import gcd, lcm
from time import process_time

from tests.differential.program import Affine, Kink, Row, Step, interval

MARGIN = 1e-6


class OracleTimeout(Exception):
    """The optimum was not found within the time given."""


@dataclass(frozen=True)
class Domain:
    """A box, exact, and input constraints (rows over value 0 and the inputs, each <= 0)."""

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    constraints: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Optimum:
    """The least value, a point where it is attained, and how many regions were looked at."""

    value: Fraction
    x: tuple[Fraction, ...]
    regions: int


@dataclass(frozen=True)
class _Vertex:
    """A point: the facets it lies on (bit mask) and its values, all times the positive integer values[0]."""

    facets: int
    values: tuple[int, ...]


@dataclass(frozen=True)
class _Region:
    vertices: tuple[_Vertex, ...]
    facets: int  # facets numbered so far


@dataclass(frozen=True)
class _Scaled:
    """An Affine step in integers: the values are multiplied by `scale`, which clears all denominators."""

    scale: int
    rows: tuple[tuple[tuple[int, int], ...], ...]


def minimum(
    domain: Domain, steps: Sequence[Step], disjuncts: Sequence[Sequence[Row]], seconds: float
) -> Optimum | None:
    """The least over the domain of min over disjuncts of max over rows, or None where the domain is empty.

    Args:
        domain: where to look.
        steps: the program that computes the values.
        disjuncts: at least one, each of at least one row over the values after `steps`.
        seconds: CPU time after which OracleTimeout is raised.
    """
    root = _box(domain)
    for row in domain.constraints:
        kept = _kept(root, row, _dimension(domain))
        if kept is None:
            return None
        root = kept
    best: Optimum | None = None
    for rows in disjuncts:
        best = _least(root, _with_objective(domain, steps, rows), _dimension(domain), best, seconds)
    if best is None:
        raise ValueError("no disjunct: give at least one")
    return Optimum(best.value, best.x[: len(domain.lower)], best.regions)


def _dimension(domain: Domain) -> int:
    return sum(low < high for low, high in zip(domain.lower, domain.upper, strict=True))


def _with_objective(domain: Domain, steps: Sequence[Step], rows: Sequence[Row]) -> tuple[Step, ...]:
    """The program followed by max(a, b) = b + relu(a - b) over the rows; the last value is the objective."""
    count = 1 + len(domain.lower) + sum(len(step.rows) for step in steps if isinstance(step, Affine))
    whole: list[Step] = [*steps, Affine((rows[0],))]
    last = count
    for row in rows[1:]:
        difference = ((last, Fraction(1)), *((index, -c) for index, c in row))
        whole.append(Affine((difference,)))
        whole.append(Kink(last + 1, Fraction(0), Fraction(0), Fraction(1)))
        whole.append(Affine((((last + 1, Fraction(1)), *row),)))
        last += 2
    return tuple(whole)


def _least(
    root: _Region, steps: tuple[Step, ...], dimension: int, known: Optimum | None, seconds: float
) -> Optimum:
    """Best-first search over regions; returns the least value found, or `known` where nothing is below it."""
    deadline = process_time() + seconds
    scaled = [_scaled(step) if isinstance(step, Affine) else step for step in steps]
    best = known
    heap = [(float("-inf"), 0, 0, root)]
    pushed = popped = 0
    while heap:
        lower, _, position, region = heapq.heappop(heap)
        if best is not None and lower > float(best.value) + MARGIN * (1.0 + abs(float(best.value))):
            break
        popped += 1
        if process_time() > deadline:
            raise OracleTimeout(f"{popped} regions in {seconds} s")
        parts, position = _advance(region, scaled, position, dimension)
        for part in parts:
            if position == len(steps):
                best = _better(best, part, popped)
            else:
                pushed += 1
                heapq.heappush(heap, (_lower(part, steps[position:]), pushed, position, part))
    if best is None:
        raise AssertionError("a non-empty domain has a vertex")
    return best


def _better(best: Optimum | None, region: _Region, regions: int) -> Optimum:
    # `minimum` keeps the inputs of these values.
    vertex = min(region.vertices, key=lambda v: Fraction(v.values[-1], v.values[0]))
    value = Fraction(vertex.values[-1], vertex.values[0])
    if best is not None and best.value <= value:
        return best
    return Optimum(value, tuple(Fraction(v, vertex.values[0]) for v in vertex.values[1:]), regions)


def _advance(
    region: _Region, steps: Sequence[_Scaled | Kink], position: int, dimension: int
) -> tuple[list[_Region], int]:
    """Run steps until the region had to be cut, or to the end."""
    while position < len(steps):
        step = steps[position]
        position += 1
        if isinstance(step, _Scaled):
            vertices = tuple(_Vertex(v.facets, _appended(v.values, step)) for v in region.vertices)
            region = _Region(vertices, region.facets)
            continue
        below, above = _cut(region, _past(region, step), dimension)
        parts = [
            _bent(part, step, slope) for part, slope in ((below, step.below), (above, step.above)) if part
        ]
        if len(parts) == 2:
            return parts, position
        region = parts[0]
    return [region], position


def _past(region: _Region, step: Kink) -> list[int]:
    """How far each vertex is past the kink, times a positive number."""
    at = step.at
    return [v.values[step.index] * at.denominator - at.numerator * v.values[0] for v in region.vertices]


def _cut(region: _Region, height: list[int], dimension: int) -> tuple[_Region | None, _Region | None]:
    """The parts where the affine function that is `height` at the vertices is <= 0 and >= 0."""
    if max(height) <= 0:
        return region, None
    if min(height) >= 0:
        return None, region
    bit = 1 << region.facets
    zero: list[_Vertex] = []
    below: list[tuple[_Vertex, int]] = []
    above: list[tuple[_Vertex, int]] = []
    for vertex, h in zip(region.vertices, height, strict=True):
        if h == 0:
            zero.append(_Vertex(vertex.facets | bit, vertex.values))
        else:
            (below if h < 0 else above).append((vertex, h))
    masks = [vertex.facets for vertex in region.vertices]
    for low, low_height in below:
        for high, high_height in above:
            common = low.facets & high.facets
            if common.bit_count() < dimension - 1 or not _is_edge(common, masks):
                continue
            values = [high_height * a - low_height * b for a, b in zip(low.values, high.values, strict=True)]
            zero.append(_Vertex(common | bit, _reduced(values)))
    facets = region.facets + 1
    return (
        _Region((*(v for v, _ in below), *zero), facets),
        _Region((*(v for v, _ in above), *zero), facets),
    )


def _is_edge(common: int, masks: list[int]) -> bool:
    """Whether exactly two vertices lie on all the facets in `common`: then they bound an edge."""
    return sum(mask & common == common for mask in masks) == 2


def _bent(region: _Region, step: Kink, slope: Fraction) -> _Region:
    if slope == 1:
        return region
    offset = step.at * (1 - slope)
    scale = lcm(slope.denominator, offset.denominator)
    by, plus = int(slope * scale), int(offset * scale)
    vertices = []
    for vertex in region.vertices:
        values = [value * scale for value in vertex.values]
        values[step.index] = by * vertex.values[step.index] + plus * vertex.values[0]
        vertices.append(_Vertex(vertex.facets, _reduced(values)))
    return _Region(tuple(vertices), region.facets)


def _scaled(step: Affine) -> _Scaled:
    scale = lcm(*(c.denominator for row in step.rows for _, c in row), 1)
    return _Scaled(scale, tuple(tuple((index, int(c * scale)) for index, c in row) for row in step.rows))


def _appended(values: tuple[int, ...], step: _Scaled) -> tuple[int, ...]:
    new = [sum(c * values[index] for index, c in row) for row in step.rows]
    return _reduced([value * step.scale for value in values] + new)


def _reduced(values: list[int]) -> tuple[int, ...]:
    divisor = gcd(*values)
    return tuple(value // divisor for value in values)


def _lower(region: _Region, steps: Sequence[Step]) -> float:
    columns = list(zip(*([value / v.values[0] for value in v.values] for v in region.vertices), strict=True))
    lower, _ = interval(steps, [min(column) for column in columns], [max(column) for column in columns])
    return lower[-1]


def _box(domain: Domain) -> _Region:
    """The vertices of the box; an axis with lower = upper has no facets."""
    axes = []
    bit = 0
    for low, high in zip(domain.lower, domain.upper, strict=True):
        if low == high:
            axes.append([(low, 0)])
        else:
            axes.append([(low, 1 << bit), (high, 1 << (bit + 1))])
            bit += 2
    vertices = []
    for corner in product(*axes):
        scale = lcm(*(value.denominator for value, _ in corner))
        values = _reduced([scale, *(int(value * scale) for value, _ in corner)])
        vertices.append(_Vertex(sum(facet for _, facet in corner), values))
    return _Region(tuple(vertices), bit)


def _kept(region: _Region, row: Row, dimension: int) -> _Region | None:
    """The part of the region where the row is <= 0, which may be a face of it, or None."""
    step = _scaled(Affine((row,)))
    height = [sum(c * v.values[index] for index, c in step.rows[0]) for v in region.vertices]
    below, above = _cut(region, height, dimension)
    if below is not None or above is None:
        return below
    face = tuple(v for v, h in zip(region.vertices, height, strict=True) if h == 0)
    return _Region(face, region.facets) if face else None
