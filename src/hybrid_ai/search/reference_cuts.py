"""The reference search's box and its cuts; `search.compiled.cuts` says where the idea is from."""

import numpy as np

from hybrid_ai.bounds.arrays import Booleans, Floats, Integers
from hybrid_ai.bounds.backends.reference import Bounded
from hybrid_ai.search.compiled.cuts import CUT_GRID, CUT_KEEP_MOST, CUT_PASSES
from hybrid_ai.search.compiled.records import LOG_CUT, Grid, Spec


class NodeBox:
    """A box in grid coordinates, cut in place, and the doubles that enclose it.

    Attributes:
        first: lowest coordinate of each axis, (n_inputs,) int64; ``last`` the highest.
        lower: double not above the box, (n_inputs,); ``upper`` not below.
    """

    def __init__(self, grid: Grid, first: Integers, last: Integers) -> None:
        self._grid = grid
        self.first, self.last = first, last
        self.lower, self.upper = self._enclosed(first, last)

    def _enclosed(self, first: Integers, last: Integers) -> tuple[Floats, Floats]:
        """Sound because: a coordinate times the step is a double (docs/theory/grid-and-enclosure.md)."""
        grid, pinned = self._grid, self._grid.step == 0.0
        lower = np.where(pinned, grid.lower, np.maximum(grid.lower, first * grid.step))
        return lower, np.where(pinned, grid.upper, np.minimum(grid.upper, last * grid.step))

    def wide(self, cells: int) -> Booleans:
        """Axes that have a grid and at least that many cells of it."""
        return (self._grid.step > 0.0) & (self.last - self.first >= cells)

    def kept_cells(self, q: int) -> Integers:
        """Cells that q/64 of each axis come to, rounded up."""
        return (q * (self.last - self.first) + CUT_GRID - 1) // CUT_GRID

    def slabs(self, side: int, q: int) -> tuple[Floats, Floats]:
        """Ends of what a cut of each axis at q/64 takes off."""
        kept = self.kept_cells(q)
        if side == 1:
            return self._enclosed(self.first + kept, self.last)
        return self._enclosed(self.first, self.last - kept)

    def cut(self, axis: int, side: int, q: int) -> float:
        """Take the slab off one axis; the share of the box that is kept."""
        width = int(self.last[axis] - self.first[axis])
        kept = int(self.kept_cells(q)[axis])
        if side == 1:
            self.last[axis] = self.first[axis] + kept
        else:
            self.first[axis] = self.last[axis] - kept
        self.lower, self.upper = self._enclosed(self.first, self.last)
        return kept / width


class _Cutter:
    def __init__(self, spec: Spec, rows: Bounded, is_open: Booleans, box: NodeBox) -> None:
        self._disjuncts = [slice(*spec.row_start[d : d + 2]) for d in np.flatnonzero(is_open)]
        self._rows, self._box = rows, box
        self._form = rows.form[:, : box.first.shape[0]]
        self._least = self._terms(box.lower, box.upper)

    def _terms(self, lower: Floats, upper: Floats) -> Floats:
        return np.where(self._form >= 0.0, self._form * lower, self._form * upper)

    def _shown(self, side: int, q: int) -> Booleans:
        """Whether each row (R, n_inputs) is positive on the slab that each axis would lose."""
        bound = self._rows.value[:, None] - self._least + self._terms(*self._box.slabs(side, q))
        return np.asarray(bound > 2.0 * self._rows.lost[:, None])

    def closes(self, side: int, q: int) -> Booleans:
        """Whether the slab that each axis would lose closes every open disjunct, (n_inputs,)."""
        shown = self._shown(side, q)
        closed = np.array([shown[rows].any(axis=0) for rows in self._disjuncts])
        return np.asarray(closed.all(axis=0))

    def picked(self, axis: int, side: int, q: int) -> list[int]:
        """The row of each open disjunct that closes the slab."""
        shown = self._shown(side, q)[:, axis]
        return [rows.start + int(np.argmax(shown[rows])) for rows in self._disjuncts]

    def least_kept(self, axis: int, side: int) -> int:
        """Least q at which the slab closes; it is known to close at CUT_KEEP_MOST."""
        low, high = 0, CUT_KEEP_MOST
        while high - low > 1:
            q = (low + high) // 2
            low, high = (low, q) if self.closes(side, q)[axis] else (q, high)
        return high

    def rebound(self) -> None:
        """Bounds on the box as cut, from the same linear forms (their error terms stay valid)."""
        self._least = self._terms(self._box.lower, self._box.upper)
        self._rows.value[:] = self._rows.constant + self._least.sum(axis=1)


def cut_box(spec: Spec, rows: Bounded, is_open: Booleans, box: NodeBox, log: list[int]) -> float:
    """Cut the box in place, and bound the rows anew, wherever a slab closes every open disjunct.

    Returns:
        The share of the box's volume that is kept.
    """
    kept_volume = 1.0
    cutter = _Cutter(spec, rows, is_open, box)
    for _ in range(CUT_PASSES):
        closing = [cutter.closes(side, CUT_KEEP_MOST) for side in range(2)]
        before = len(log)
        for axis in range(box.first.shape[0]):
            for side in range(2):
                if not closing[side][axis] or not box.wide(2)[axis]:
                    continue
                q = cutter.least_kept(axis, side)
                if box.kept_cells(q)[axis] >= box.last[axis] - box.first[axis]:
                    continue
                log += [LOG_CUT, axis, side, q, *cutter.picked(axis, side, q)]
                kept_volume *= box.cut(axis, side, q)
                cutter.rebound()
                closing = [cutter.closes(side, CUT_KEEP_MOST) for side in range(2)]
        if len(log) == before:
            break
    return kept_volume
