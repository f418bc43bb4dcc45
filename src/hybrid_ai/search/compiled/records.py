"""The records of arrays that the compiled search passes around, and the codes of a node's log.

A node's decisions are written to a log of integers, in the order in which the checker replays them
(docs/formats/certificate.md, section 5); ``search.tree`` turns a log into certificate steps:

* ``LOG_LEAF, closing...`` one closing per open disjunct;
* ``LOG_CLOSE, length, closing...`` closings of some open disjuncts;
* ``LOG_CUT, axis, side, kept, row...`` one row per open disjunct;
* ``LOG_TIGHTEN``.

A closing is ``disjunct, BY_ROW, row`` or ``disjunct, BY_SLOPES, row, count, (position, k)...`` or
``disjunct, BY_PAIR, row, row, weight``.
"""

from typing import NamedTuple

import numpy as np

from hybrid_ai.bounds.arrays import Booleans, Floats, Integers, Net
from hybrid_ai.bounds.backends.jit import compiled

LOG_LEAF, LOG_CLOSE, LOG_CUT, LOG_TIGHTEN = 1, 2, 3, 4
BY_ROW, BY_SLOPES, BY_PAIR = 1, 2, 3
CLOSED, SPLIT, EXHAUSTED, OUT_OF_RANGE, HOPELESS = 0, 1, 2, 3, 4
PAIR_WEIGHTS = 256


class Spec(NamedTuple):
    """Rows of all disjuncts of a polytope.

    table (R, N): coefficients over all groups; offsets (R,): constants; row_start (D + 1,) int64: rows of
    disjunct d are ``row_start[d]:row_start[d + 1]``. The polytope's input constraints are appended to every
    disjunct, because a constraint closes and cuts exactly as a row does; its own rows end at ``own_end[d]``.
    """

    table: Floats
    offsets: Floats
    row_start: Integers
    own_end: Integers


class Grid(NamedTuple):
    """Root box (outward doubles) and grid step of each axis, (n_inputs,); step 0 on a pinned axis."""

    lower: Floats
    upper: Floats
    step: Floats


class Batch(NamedTuple):
    """B boxes to process in place, each with its own row of every array.

    firsts, lasts (B, n_inputs) int64: the box in grid coordinates, cut in place; bounds (B, 2, N): inherited
    pre-activation bounds, tightened in place; opens (B, D): open disjuncts, closed ones are taken out; logs
    (B, L) int32: receive the decisions; points (B, n_inputs): receive the point nearest to a violation, bests
    (B,) its value; results (B, 4) int64: status, position to split on, log length, times bounded; margins,
    penalties (B,): least margin and largest float32 penalty of what was closed.
    """

    firsts: Integers
    lasts: Integers
    bounds: Floats
    opens: Booleans
    logs: Integers
    points: Floats
    results: Integers
    bests: Floats
    margins: Floats
    penalties: Floats


class Box(NamedTuple):
    """A box in grid coordinates (int64) and the doubles that enclose it, (n_inputs,) each."""

    first: Integers
    last: Integers
    lower: Floats
    upper: Floats


class Rows(NamedTuple):
    """Backward bounds of the rows in a node.

    form (R, N): coefficients met on the way down, those on the input being the row's linear lower bound;
    constant, lost (R,): its constant and what rounding may have lost; bound (R,): its least value over
    the box, before ``lost`` is taken off; penalty (R,): what float32 executions took off it. margin, cost
    (D,): of each closed disjunct, the bound that closed it and its penalty, for one unit of its rows.
    """

    form: Floats
    constant: Floats
    lost: Floats
    bound: Floats
    penalty: Floats
    margin: Floats
    cost: Floats


class Scratch(NamedTuple):
    """Work space of one node: values, outputs, gain (N,), order (N,) int64, picked (D,) int64."""

    values: Floats
    outputs: Floats
    gain: Floats
    order: Integers
    picked: Integers


@compiled
def make_rows(net: Net, spec: Spec) -> Rows:
    """Rows that are still to be bounded."""
    count = spec.table.shape[0]
    disjuncts = spec.row_start.shape[0] - 1
    return Rows(
        np.empty((count, net.bias.shape[0])),
        np.zeros(count),
        np.zeros(count),
        np.full(count, -np.inf),
        np.zeros(count),
        np.full(disjuncts, np.inf),
        np.zeros(disjuncts),
    )


@compiled
def make_scratch(net: Net, spec: Spec) -> Scratch:
    """Work space of one node."""
    total = net.bias.shape[0]
    return Scratch(
        np.empty(total),
        np.empty(total),
        np.zeros(total),
        np.empty(total, np.int64),
        np.zeros(spec.row_start.shape[0] - 1, np.int64),
    )


@compiled
def enclose(grid: Grid, box: Box) -> None:
    """Set the doubles that enclose the box's grid coordinates."""
    for i in range(box.first.shape[0]):
        if grid.step[i] == 0.0:
            box.lower[i], box.upper[i] = grid.lower[i], grid.upper[i]
        else:
            box.lower[i] = max(grid.lower[i], box.first[i] * grid.step[i])
            box.upper[i] = min(grid.upper[i], box.last[i] * grid.step[i])


@compiled
def best_row(spec: Spec, rows: Rows, d: int) -> int:
    """The row of disjunct ``d`` with the greatest bound; an input constraint only where it has no row.

    The disjunct must have rows or constraints.
    """
    best: int = spec.row_start[d]
    end = spec.own_end[d] if spec.own_end[d] > best else spec.row_start[d + 1]
    for r in range(best, end):
        if rows.bound[r] - rows.lost[r] > rows.bound[best] - rows.lost[best]:
            best = r
    return best


@compiled
def has_rows(spec: Spec, d: int) -> bool:
    """Whether disjunct ``d`` has any row (a property about inputs alone has none)."""
    return bool(spec.row_start[d + 1] > spec.row_start[d])


@compiled
def closes(value: float, lost: float) -> bool:
    """Whether a bound clears zero with the rounding slack counted twice: once for us, once for the
    checker.
    """
    return value > 2.0 * lost
