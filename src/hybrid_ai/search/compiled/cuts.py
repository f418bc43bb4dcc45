"""Cutting a box where its own linear rows already close every open disjunct.

Source: the closed-form clipping of Clip-and-Verify (2025, arXiv:2512.11087), here with positions on the
grid of the certificate format, so that a cut is one small step that the checker can replay.
"""

from hybrid_ai.bounds.arrays import Booleans, Integers
from hybrid_ai.bounds.backends.jit import compiled
from hybrid_ai.search.compiled.records import LOG_CUT, Box, Grid, Rows, Spec, closes, enclose

CUT_GRID = 64
CUT_PASSES = 2
CUT_KEEP_MOST = 58  # a cut that keeps more than 58/64 of the side is not worth its bytes


@compiled
def _slab_row(
    spec: Spec, rows: Rows, box: Box, d: int, axis: int, slab_lower: float, slab_upper: float
) -> int:
    """A row of disjunct ``d`` that is positive where the axis lies in the given range; -1 when there is
    none.
    """
    for r in range(spec.row_start[d], spec.row_start[d + 1]):
        a = rows.form[r, axis]
        now = a * (box.lower[axis] if a >= 0.0 else box.upper[axis])
        then = a * (slab_lower if a >= 0.0 else slab_upper)
        if closes(rows.bound[r] - now + then, rows.lost[r]):
            return r
    return -1


@compiled
def _kept_cells(box: Box, axis: int, q: int) -> int:
    width: int = box.last[axis] - box.first[axis]
    return (q * width + CUT_GRID - 1) // CUT_GRID


@compiled
def _slab_closes(
    grid: Grid,
    spec: Spec,
    is_open: Booleans,
    rows: Rows,
    box: Box,
    axis: int,
    side: int,
    q: int,
    picked: Integers,
) -> bool:
    """Whether the slab beyond q/64 of the side closes every open disjunct; the rows are put in ``picked``."""
    slab_lower, slab_upper = box.lower[axis], box.upper[axis]
    kept = _kept_cells(box, axis, q)
    if side == 1:
        slab_lower = max(grid.lower[axis], (box.first[axis] + kept) * grid.step[axis])
    else:
        slab_upper = min(grid.upper[axis], (box.last[axis] - kept) * grid.step[axis])
    for d in range(spec.row_start.shape[0] - 1):
        if is_open[d]:
            picked[d] = _slab_row(spec, rows, box, d, axis, slab_lower, slab_upper)
            if picked[d] < 0:
                return False
    return True


@compiled
def _rebound(spec: Spec, is_open: Booleans, rows: Rows, box: Box) -> None:
    """Bounds of the open rows on a smaller box from the linear forms at hand (their error terms stay
    valid).
    """
    for d in range(spec.row_start.shape[0] - 1):
        if is_open[d]:
            for r in range(spec.row_start[d], spec.row_start[d + 1]):
                value = rows.constant[r]
                for i in range(box.lower.shape[0]):
                    a = rows.form[r, i]
                    value += a * (box.lower[i] if a >= 0.0 else box.upper[i])
                rows.bound[r] = value


@compiled
def _least_kept(
    grid: Grid, spec: Spec, is_open: Booleans, rows: Rows, box: Box, axis: int, side: int, picked: Integers
) -> int:
    """Least q for which the slab closes, 0 when none is worth it; ``picked`` has the rows for that q."""
    if not _slab_closes(grid, spec, is_open, rows, box, axis, side, CUT_KEEP_MOST, picked):
        return 0
    low, high = 0, CUT_KEEP_MOST
    while high - low > 1:
        q = (low + high) // 2
        if _slab_closes(grid, spec, is_open, rows, box, axis, side, q, picked):
            high = q
        else:
            low = q
    _slab_closes(grid, spec, is_open, rows, box, axis, side, high, picked)
    return high


@compiled
def cut_box(
    grid: Grid,
    spec: Spec,
    is_open: Booleans,
    rows: Rows,
    box: Box,
    picked: Integers,
    log: Integers,
    used: int,
) -> tuple[float, int]:
    """Cut the box in place wherever a slab closes; the share of the volume kept and the new log length."""
    kept_volume = 1.0
    for _ in range(CUT_PASSES):
        any_cut = False
        for axis in range(box.first.shape[0]):
            for side in range(2):
                width = box.last[axis] - box.first[axis]
                if grid.step[axis] == 0.0 or width < 2:
                    continue
                q = _least_kept(grid, spec, is_open, rows, box, axis, side, picked)
                kept = _kept_cells(box, axis, q)
                if q == 0 or kept >= width:
                    continue
                log[used], log[used + 1], log[used + 2], log[used + 3] = LOG_CUT, axis, side, q
                used += 4
                for d in range(picked.shape[0]):
                    if is_open[d]:
                        log[used] = picked[d]
                        used += 1
                if side == 1:
                    box.last[axis] = box.first[axis] + kept
                else:
                    box.first[axis] = box.last[axis] - kept
                enclose(grid, box)
                _rebound(spec, is_open, rows, box)
                kept_volume *= kept / width
                any_cut = True
        if not any_cut:
            break
    return kept_volume, used
