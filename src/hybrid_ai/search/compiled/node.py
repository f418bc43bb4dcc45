"""One node of the search: bound, close, cut, choose the split; a batch of nodes runs on all threads."""

import numpy as np
from numba import prange

from hybrid_ai.bounds.arrays import Booleans, Floats, Integers, Net, Node, Work
from hybrid_ai.bounds.backends.jit import compiled, compiled_parallel
from hybrid_ai.bounds.backends.numba_cpu import dot, forward_point, make_node, make_work, set_box, tighten
from hybrid_ai.search.compiled.closing import (
    ascend_slopes,
    bound_rows,
    close_by_pair,
    evaluate_row,
    put_slopes,
    slopes_promise,
    thin_slopes,
)
from hybrid_ai.search.compiled.cuts import cut_box
from hybrid_ai.search.compiled.records import (
    BY_PAIR,
    BY_ROW,
    BY_SLOPES,
    CLOSED,
    EXHAUSTED,
    HOPELESS,
    LOG_CLOSE,
    LOG_LEAF,
    LOG_TIGHTEN,
    OUT_OF_RANGE,
    SPLIT,
    Batch,
    Box,
    Grid,
    Rows,
    Scratch,
    Spec,
    best_row,
    closes,
    enclose,
    has_rows,
    make_rows,
    make_scratch,
)

REQUEUE_KEPT = 0.3  # a box cut below this share of its volume is bounded again before it is split
MAX_ROUNDS = 12
MOST_SPLIT_INPUTS = 20  # with more inputs than this, halving boxes gets nowhere: split on neurons' phases


@compiled
def _close_disjunct(
    net: Net,
    node: Node,
    spec: Spec,
    d: int,
    rows: Rows,
    steps: int,
    work: Work,
    scratch: Scratch,
    log: Integers,
    used: int,
) -> int:
    """Try to close disjunct ``d``; the closing is written to ``log``, whose new length is returned."""
    if not has_rows(spec, d):
        return used
    for r in range(spec.row_start[d], spec.row_start[d + 1]):
        if closes(rows.bound[r], rows.lost[r]):
            rows.margin[d], rows.cost[d] = rows.bound[r] - rows.lost[r], rows.penalty[r]
            log[used], log[used + 1], log[used + 2] = d, BY_ROW, r
            return used + 3
    r = best_row(spec, rows, d)
    p, q, k = close_by_pair(net, node, spec, d, rows, work)
    if k > 0:
        log[used], log[used + 1], log[used + 2], log[used + 3], log[used + 4] = d, BY_PAIR, p, q, k
        return used + 5
    if steps > 0 and slopes_promise(net, node, rows.form[r], rows.bound[r]):
        default = node.low_slope.copy()
        if ascend_slopes(net, node, spec, r, steps, work, scratch):
            chosen = node.low_slope.copy()
            count = thin_slopes(net, node, spec, r, default, chosen, work, scratch)
            value, lost = evaluate_row(net, node, spec, r, work)
            rows.margin[d], rows.cost[d] = value - lost, work.penalty[0]
            log[used], log[used + 1], log[used + 2] = d, BY_SLOPES, r
            used = put_slopes(log, used + 3, chosen, scratch.order, count)
        node.low_slope[:] = default
    return used


@compiled
def _split_axis(net: Net, node: Node, grid: Grid, spec: Spec, is_open: Booleans, rows: Rows, box: Box) -> int:
    """Axis to split: the neurons' relaxation gaps, weighted by the rows, shared out by the inputs'
    influence.
    """
    inputs = net.size[0]
    score = np.zeros(inputs)
    share = np.empty(inputs)
    leading = np.full(is_open.shape[0], -1, np.int64)
    for d in range(is_open.shape[0]):
        if is_open[d] and has_rows(spec, d):
            leading[d] = best_row(spec, rows, d)
            for k in range(inputs):
                score[k] += 0.1 * abs(rows.form[leading[d], k]) * (box.upper[k] - box.lower[k])
    for g in range(1, net.size.shape[0]):
        if not net.relu[g]:
            continue
        for i in range(net.offset[g], net.offset[g] + net.size[g]):
            low, high = node.lower[i], node.upper[i]
            if not (low < 0.0 and high > 0.0):
                continue
            weight = 0.0
            for d in range(is_open.shape[0]):
                if leading[d] >= 0:
                    weight += abs(rows.form[leading[d], i])
            total = 0.0
            for k in range(inputs):
                share[k] = node.influence[i, k] * (box.upper[k] - box.lower[k])
                total += share[k]
            if total > 0.0:
                gap = weight * (-low * high) / (high - low)
                for k in range(inputs):
                    score[k] += gap * share[k] / total
    best = -1
    for k in range(inputs):
        if grid.step[k] > 0.0 and box.last[k] - box.first[k] >= 2 and (best < 0 or score[k] > score[best]):
            best = k
    return best


@compiled
def split_neuron(net: Net, node: Node, spec: Spec, is_open: Booleans, rows: Rows) -> int:
    """Position of the unstable neuron whose relaxation gap weighs most in the open disjuncts' best rows,
    or -1.
    """
    best = -1
    best_score = 0.0
    for g in range(1, net.size.shape[0]):
        if not net.relu[g]:
            continue
        for i in range(net.offset[g], net.offset[g] + net.size[g]):
            low, high = node.lower[i], node.upper[i]
            if not (low < 0.0 and high > 0.0):
                continue
            weight = 0.0
            for d in range(is_open.shape[0]):
                if is_open[d] and has_rows(spec, d):
                    weight += abs(rows.form[best_row(spec, rows, d), i])
            score = weight * (-low * high) / (high - low)
            if score > best_score:
                best, best_score = i, score
    return best


@compiled
def _try_points(
    net: Net,
    spec: Spec,
    is_open: Booleans,
    rows: Rows,
    box: Box,
    scratch: Scratch,
    point: Floats,
    best: float,
) -> float:
    """Evaluate the box's middle and the minimiser of its worst row; ``point`` keeps the nearest to a
    violation.
    """
    chosen = -1
    for d in range(is_open.shape[0]):
        if is_open[d] and has_rows(spec, d):
            r = best_row(spec, rows, d)
            if chosen < 0 or rows.bound[r] < rows.bound[chosen]:
                chosen = r
    x = np.empty(net.size[0])
    for attempt in range(2):
        for i in range(x.shape[0]):
            if attempt == 0 or chosen < 0:
                x[i] = 0.5 * (box.lower[i] + box.upper[i])
            else:
                x[i] = box.lower[i] if rows.form[chosen, i] >= 0.0 else box.upper[i]
        forward_point(net, x, scratch.values)
        for d in range(is_open.shape[0]):
            worst = -np.inf
            for r in range(spec.row_start[d], spec.row_start[d + 1]):
                worst = max(worst, spec.offsets[r] + dot(spec.table[r], scratch.values))
            if worst < best:
                best = worst
                point[:] = x
    return best


@compiled
def _rows_close(spec: Spec, is_open: Booleans, rows: Rows, share: float) -> bool:
    """Whether each open disjunct has a row that closes it, given back a share of its float32 penalty."""
    for d in range(is_open.shape[0]):
        if is_open[d]:
            shown = False
            for r in range(spec.row_start[d], spec.row_start[d + 1]):
                shown = shown or closes(rows.bound[r] + share * rows.penalty[r], rows.lost[r])
            if not shown:
                return False
    return True


@compiled
def _hopeless(
    net: Net, node: Node, spec: Spec, is_open: Booleans, rows: Rows, point: Floats, work: Work
) -> bool:
    """Guess whether float32 rounding keeps the node open for good, so that splitting it gets nowhere.

    The guess is yes where single rows would close the node but for their float32 penalties, and do not close
    the box of one point, the one nearest to a violation. That is a heuristic: pairs of rows, other slopes and
    phases, which might close it, are not tried. A wrong yes ends the search for float32 too early: its
    verdict is unknown where it might have been proved, and where both arithmetics were asked for, real is
    searched alone. A wrong no costs time: the node is split until the budget is spent. Neither makes a
    verdict wrong. Bounds and rows of the node are lost.
    """
    if not _rows_close(spec, is_open, rows, 1.0):
        return False
    set_box(net, node, point, point)
    if not tighten(net, node, work):
        return True
    bound_rows(net, node, spec, is_open, rows, work)
    return not _rows_close(spec, is_open, rows, 0.0)


@compiled
def _close(
    net: Net,
    node: Node,
    spec: Spec,
    is_open: Booleans,
    rows: Rows,
    steps: int,
    work: Work,
    scratch: Scratch,
    log: Integers,
    used: int,
) -> tuple[bool, int]:
    """Close what closes, in ``log`` and in ``is_open``; whether none is left open, and the log's length."""
    closings = np.empty(log.shape[0], np.int64)
    closed = np.zeros(is_open.shape[0], np.bool_)
    length = 0
    remaining = 0
    for d in range(is_open.shape[0]):
        if is_open[d]:
            before = length
            length = _close_disjunct(net, node, spec, d, rows, steps, work, scratch, closings, length)
            closed[d] = length > before
            remaining += 0 if closed[d] else 1
    if remaining == 0:
        log[used] = LOG_LEAF
        log[used + 1 : used + 1 + length] = closings[:length]
        return True, used + 1 + length
    if length == 0:
        return False, used
    log[used], log[used + 1] = LOG_CLOSE, length
    log[used + 2 : used + 2 + length] = closings[:length]
    for d in range(is_open.shape[0]):
        is_open[d] = is_open[d] and not closed[d]
    return False, used + 2 + length


@compiled
def _bound_and_cut(
    net: Net,
    node: Node,
    spec: Spec,
    grid: Grid,
    is_open: Booleans,
    rows: Rows,
    box: Box,
    steps: int,
    work: Work,
    scratch: Scratch,
    log: Integers,
    point: Floats,
) -> tuple[int, int, int, float]:
    """Bound, close and cut the box until cutting gets nowhere.

    Returns:
        status (SPLIT where disjuncts are open), log length, times bounded, least value at a point tried.
    """
    used = 0
    best = np.inf
    rounds = 0
    while True:
        if rounds > 0:
            log[used] = LOG_TIGHTEN
            used += 1
        rounds += 1
        enclose(grid, box)
        set_box(net, node, box.lower, box.upper)
        if not tighten(net, node, work):
            return OUT_OF_RANGE, used, rounds, best
        bound_rows(net, node, spec, is_open, rows, work)
        done, used = _close(net, node, spec, is_open, rows, steps, work, scratch, log, used)
        if done:
            return CLOSED, used, rounds, best
        best = _try_points(net, spec, is_open, rows, box, scratch, point, best)
        kept, used = cut_box(grid, spec, is_open, rows, box, scratch.picked, log, used)
        if kept > REQUEUE_KEPT or rounds == MAX_ROUNDS:
            return SPLIT, used, rounds, best


@compiled
def _choose_split(
    net: Net, node: Node, grid: Grid, spec: Spec, is_open: Booleans, rows: Rows, box: Box
) -> int:
    """Position to split on: a neuron where there are many inputs, else an input axis; or -1."""
    position = -1
    if net.size[0] > MOST_SPLIT_INPUTS:
        position = split_neuron(net, node, spec, is_open, rows)
    if position < 0:
        position = _split_axis(net, node, grid, spec, is_open, rows, box)
    return position


@compiled
def process_node(net: Net, spec: Spec, grid: Grid, batch: Batch, b: int, steps: int) -> None:
    """Bound one node of a batch and decide it, in place.

    Args:
        net: the network.
        spec: rows of the polytope's disjuncts.
        grid: root box and grid.
        batch: the boxes, and what receives the decisions: `Batch` says where.
        b: which of them.
        steps: steps of slope ascent.
    """
    node = make_node(net, batch.bounds[b, 0], batch.bounds[b, 1])
    work = make_work(net)
    rows = make_rows(net, spec)
    scratch = make_scratch(net, spec)
    box = Box(batch.firsts[b], batch.lasts[b], np.empty(net.size[0]), np.empty(net.size[0]))
    is_open, point = batch.opens[b], batch.points[b]
    status, used, rounds, best = _bound_and_cut(
        net, node, spec, grid, is_open, rows, box, steps, work, scratch, batch.logs[b], point
    )
    position = -1
    if status == SPLIT:
        batch.bounds[b, 0] = node.lower
        batch.bounds[b, 1] = node.upper
        position = _choose_split(net, node, grid, spec, is_open, rows, box)
        if position < 0:
            status = EXHAUSTED
        rounds_off = net.float32.max() > 0.0 and net.size[0] <= MOST_SPLIT_INPUTS and best < np.inf
        if rounds_off and _hopeless(net, node, spec, is_open, rows, point, work):
            status, position, rounds = HOPELESS, -1, rounds + 1
    result = batch.results[b]
    result[0], result[1], result[2], result[3] = status, position, used, rounds
    batch.bests[b], batch.margins[b], batch.penalties[b] = best, rows.margin.min(), rows.cost.max()


@compiled_parallel
def process_parallel(net: Net, spec: Spec, grid: Grid, batch: Batch, steps: int) -> None:
    """Process every node of a batch, one per loop turn; the outcome does not depend on the thread."""
    for b in prange(batch.firsts.shape[0]):
        process_node(net, spec, grid, batch, b, steps)


@compiled
def process_serial(net: Net, spec: Spec, grid: Grid, batch: Batch, steps: int) -> None:
    """The same on the calling thread: starting threads costs more than a few boxes."""
    for b in range(batch.firsts.shape[0]):
        process_node(net, spec, grid, batch, b, steps)
