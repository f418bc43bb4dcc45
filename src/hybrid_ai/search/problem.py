"""One input polytope of a property as the arrays that the search works on."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hybrid_ai.bounds.flat import FlatNetwork
from hybrid_ai.search.compiled.records import Grid, Spec
from hybrid_ai.spec import Atom, InputPolytope

GRID_BITS = 40
PRECISION_BITS = 50
SMALLEST, LARGEST = Fraction(1, 2**200), Fraction(2**100)
CANCELLATION = Fraction(1, 2**20)  # the checker's doubles would not see what is left


class OutOfRange(Exception):
    """A number of the property is outside the range in which the kernels' error terms are sound."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A polytope's box on its grid and its rows over all groups of the network.

    Attributes:
        polytope: the polytope as derived from the property.
        grid: its root box and grid.
        first: lowest grid coordinate of the root box, (n_inputs,) int64; ``last`` the highest.
        spec: its rows, input constraints appended to every disjunct.
        own_rows: number of rows of each disjunct without the appended constraints.
    """

    polytope: InputPolytope
    grid: Grid
    first: np.ndarray
    last: np.ndarray
    spec: Spec
    own_rows: tuple[int, ...]


def round_down(value: Fraction) -> float:
    """Largest double that is not above ``value``."""
    near = float(value)
    return near if Fraction(near) <= value else math.nextafter(near, -math.inf)


def round_up(value: Fraction) -> float:
    """Least double that is not below ``value``."""
    return 0.0 - round_down(-value)  # never -0.0


def ilog2(value: Fraction) -> int:
    """Floor of the binary logarithm of a positive rational."""
    guess = value.numerator.bit_length() - value.denominator.bit_length()
    return guess if value >= Fraction(2) ** guess else guess - 1


def grid_exponent(lower: Fraction, upper: Fraction) -> int:
    """Exponent of the grid step of an axis with ``lower < upper`` (certificate format, section 4)."""
    size = max(abs(lower), abs(upper))
    return max(ilog2(upper - lower) - GRID_BITS, ilog2(size) - PRECISION_BITS)


def _require_range(polytope: InputPolytope) -> None:
    numbers = [*polytope.lower, *polytope.upper]
    for atom in (*polytope.constraints, *(atom for disjunct in polytope.disjuncts for atom in disjunct)):
        numbers += [atom.constant, *(c for _, c in atom.inputs), *(c for _, c in atom.outputs)]
    for value in numbers:
        if value and not SMALLEST <= abs(value) <= LARGEST:
            raise OutOfRange("rounding: a number of the property is outside 2^-200 to 2^100; scale it")


def make_problem(flat: FlatNetwork, polytope: InputPolytope) -> Problem:
    """Lay one polytope out for the kernels.

    Args:
        flat: the network.
        polytope: a non-empty box with rows over inputs and outputs.

    Raises:
        OutOfRange: a number of the property is too large or too small for the kernels' error terms.
    """
    _require_range(polytope)
    inputs = int(flat.size[0])
    step = np.zeros(inputs)
    first = np.zeros(inputs, np.int64)
    last = np.zeros(inputs, np.int64)
    for axis, (lower, upper) in enumerate(zip(polytope.lower, polytope.upper, strict=True)):
        if lower < upper:
            exponent = grid_exponent(lower, upper)
            unit = Fraction(2) ** exponent
            step[axis] = float(unit)
            first[axis] = math.floor(lower / unit)
            last[axis] = math.ceil(upper / unit)
    root_lower = np.array([round_down(value) for value in polytope.lower])
    root_upper = np.array([round_up(value) for value in polytope.upper])
    return Problem(
        polytope=polytope,
        grid=Grid(root_lower, root_upper, step),
        first=first,
        last=last,
        spec=_make_spec(flat, polytope),
        own_rows=tuple(len(disjunct) for disjunct in polytope.disjuncts),
    )


def _make_spec(flat: FlatNetwork, polytope: InputPolytope) -> Spec:
    rows: list[Atom] = []
    starts = [0]
    for disjunct in polytope.disjuncts:
        rows += [*disjunct, *polytope.constraints]
        starts.append(len(rows))
    table = np.zeros((len(rows), flat.total))
    output = int(flat.offset[flat.output_group])
    for table_row, atom in zip(table, rows, strict=True):
        exact = dict(atom.inputs)
        for index, coefficient in atom.outputs:  # the output group may be the input itself
            held = exact.get(output + index, Fraction(0))
            exact[output + index] = held + coefficient
            if held and abs(held + coefficient) < CANCELLATION * abs(coefficient):
                raise OutOfRange("rounding: an input's and an output's coefficient cancel almost entirely")
        for position, coefficient in exact.items():
            table_row[position] = float(coefficient)
    offsets = np.array([float(atom.constant) for atom in rows])
    own_end = np.array([a + len(d) for a, d in zip(starts, polytope.disjuncts, strict=False)], np.int64)
    return Spec(table, offsets, np.array(starts, np.int64), own_end)


def batch_size(flat: FlatNetwork, most: int = 512) -> int:
    """Number of boxes a batch may hold so that it takes a few hundredths of a second on one core."""
    size = flat.size.astype(float)
    pairs = sum(2.0 * size[g] * float(np.dot(size[:g], size[1 : g + 1])) for g in range(1, len(size)))
    return int(min(most, max(1, 5e8 // max(pairs, 1.0))))
