"""Closing a disjunct: backward bounds of its rows, pairs of rows, and ascent on the lower slopes."""

import numpy as np

from hybrid_ai.bounds.arrays import Booleans, Floats, Integers, Net, Node, Work
from hybrid_ai.bounds.backends.jit import compiled, compiled_any_order
from hybrid_ai.bounds.backends.numba_cpu import UNIT, add_product
from hybrid_ai.bounds.backends.numba_cpu_backward import backward, block_matrix, concretize
from hybrid_ai.search.compiled.records import PAIR_WEIGHTS, Rows, Scratch, Spec, closes

SLOPE_PROMISE = 0.5  # share of the room that other slopes may be hoped to win
SLOPE_GRID = 128.0


@compiled_any_order
def stored_error(node: Node, row: Floats, offset: float) -> float:
    """What storing a row's rational coefficients as doubles may change over the node."""
    total = abs(offset)
    for i in range(row.shape[0]):
        total += abs(row[i]) * node.magnitude[i]
    return total * 4.0 * UNIT


@compiled
def _load_row(node: Node, spec: Spec, r: int, work: Work, place: int) -> None:
    work.coef[place] = spec.table[r]
    work.constant[place] = spec.offsets[r]
    work.lost[place] = stored_error(node, spec.table[r], spec.offsets[r])
    work.penalty[place] = 0.0


@compiled
def bound_rows(net: Net, node: Node, spec: Spec, is_open: Booleans, rows: Rows, work: Work) -> None:
    """Backward bounds of every row of every open disjunct, as many at once as the work space holds."""
    wanted = np.empty(spec.table.shape[0], np.int64)
    count = 0
    for d in range(spec.row_start.shape[0] - 1):
        if is_open[d]:
            for r in range(spec.row_start[d], spec.row_start[d + 1]):
                wanted[count] = r
                count += 1
    at_once = work.constant.shape[0]
    for k in range(0, count, at_once):
        some = min(at_once, count - k)
        for j in range(some):
            _load_row(node, spec, wanted[k + j], work, j)
        backward(net, node, net.size.shape[0], some, work)
        for j in range(some):
            r = wanted[k + j]
            rows.form[r] = work.coef[j]
            rows.constant[r] = work.constant[j]
            rows.bound[r], rows.lost[r] = concretize(net, node, work.coef[j], work.constant[j], work.lost[j])
            rows.penalty[r] = work.penalty[j]


@compiled
def _pair_weight(net: Net, node: Node, rows: Rows, p: int, q: int) -> tuple[int, float]:
    """Best weight k of rows ``p`` (and 256 - k of ``q``) by their linear bounds, and the bound it gives."""
    best, best_value = 0, -np.inf
    for k in range(8, PAIR_WEIGHTS, 8):
        s = k / PAIR_WEIGHTS
        t = 1.0 - s
        value = s * (rows.constant[p] - rows.lost[p]) + t * (rows.constant[q] - rows.lost[q])
        for i in range(net.size[0]):
            a = s * rows.form[p, i] + t * rows.form[q, i]
            value += a * (node.lower[i] if a >= 0.0 else node.upper[i])
        if value > best_value:
            best, best_value = k, value
    return best, best_value


@compiled
def close_by_pair(net: Net, node: Node, spec: Spec, d: int, rows: Rows, work: Work) -> tuple[int, int, int]:
    """Two rows of a disjunct and a weight whose weighted sum closes it; weight 0 when none was found."""
    best_p, best_q, best_k, best_value = -1, -1, 0, -np.inf
    for p in range(spec.row_start[d], spec.row_start[d + 1]):
        for q in range(p + 1, spec.row_start[d + 1]):
            k, value = _pair_weight(net, node, rows, p, q)
            if value > best_value:
                best_p, best_q, best_k, best_value = p, q, k, value
    if best_p < 0:
        return 0, 0, 0
    s, t = float(best_k), float(PAIR_WEIGHTS - best_k)
    for i in range(work.coef.shape[1]):
        work.coef[0, i] = s * spec.table[best_p, i] + t * spec.table[best_q, i]
    work.constant[0] = s * spec.offsets[best_p] + t * spec.offsets[best_q]
    work.penalty[0] = 0.0
    work.lost[0] = s * stored_error(node, spec.table[best_p], spec.offsets[best_p])
    work.lost[0] += t * stored_error(node, spec.table[best_q], spec.offsets[best_q])
    backward(net, node, net.size.shape[0], 1, work)
    value, lost = concretize(net, node, work.coef[0], work.constant[0], work.lost[0])
    if closes(value, lost):
        rows.margin[d], rows.cost[d] = (value - lost) / PAIR_WEIGHTS, work.penalty[0] / PAIR_WEIGHTS
        return best_p, best_q, best_k
    return 0, 0, 0


@compiled
def evaluate_row(net: Net, node: Node, spec: Spec, r: int, work: Work) -> tuple[float, float]:
    """Backward bound of one row with the slopes as they stand; value and error."""
    _load_row(node, spec, r, work, 0)
    backward(net, node, net.size.shape[0], 1, work)
    return concretize(net, node, work.coef[0], work.constant[0], work.lost[0])


@compiled
def _forward_lines(net: Net, node: Node, coef: Floats, scratch: Scratch) -> None:
    """Pre-activations at the minimiser of ``coef`` when every neuron follows the line its coefficient
    chose.
    """
    values, outputs = scratch.values, scratch.outputs
    for i in range(net.size[0]):
        outputs[i] = node.lower[i] if coef[i] >= 0.0 else node.upper[i]
    for g in range(1, net.size.shape[0]):
        a = net.offset[g]
        b = a + net.size[g]
        values[a:b] = net.bias[a:b]
        for block in range(net.block_start[g], net.block_start[g + 1]):
            c = net.offset[net.block_source[block]]
            d = c + net.size[net.block_source[block]]
            add_product(block_matrix(net, block, g), outputs[c:d], values[a:b])
        for i in range(a, b):
            if coef[i] >= 0.0:
                outputs[i] = node.low_slope[i] * values[i]
            else:
                outputs[i] = node.high_slope[i] * values[i] + node.intercept[i]


@compiled
def slopes_promise(net: Net, node: Node, form: Floats, bound: float) -> bool:
    """Whether other lower slopes could plausibly lift a row's bound above zero (a guess that costs
    nothing).
    """
    room = 0.0
    for g in range(1, net.size.shape[0]):
        if net.relu[g]:
            for i in range(net.offset[g], net.offset[g] + net.size[g]):
                if node.lower[i] < 0.0 and node.upper[i] > 0.0 and form[i] > 0.0:
                    room += form[i] * min(-node.lower[i], node.upper[i])
    return bound + SLOPE_PROMISE * room > 0.0


@compiled
def ascend_slopes(net: Net, node: Node, spec: Spec, r: int, steps: int, work: Work, scratch: Scratch) -> bool:
    """Projected gradient ascent on the lower slopes for row ``r``, on the grid k/128; true when it closes.

    Leaves the slopes found in ``node`` and the estimated gain of each changed slope in ``scratch.gain``.
    """
    coef = work.coef[0]
    first_value = 0.0
    for step in range(steps + 1):
        value, lost = evaluate_row(net, node, spec, r, work)
        if closes(value, lost):
            return True
        if step == 0:
            first_value = value
        if step == steps or (step == 2 and value - first_value < 0.05 * abs(first_value)):
            return False
        _forward_lines(net, node, coef, scratch)
        if not _move_slopes(net, node, coef, 2.0 / (1.0 + step), scratch):
            return False
    return False


@compiled
def _move_slopes(net: Net, node: Node, coef: Floats, rate: float, scratch: Scratch) -> bool:
    """One step of the lower slopes along their gradient, scaled by its largest entry; false when it
    vanishes.
    """
    most = 0.0
    for g in range(1, net.size.shape[0]):
        if net.relu[g]:
            for i in range(net.offset[g], net.offset[g] + net.size[g]):
                if node.lower[i] < 0.0 and node.upper[i] > 0.0 and coef[i] > 0.0:
                    scratch.gain[i] = coef[i] * scratch.values[i]
                    most = max(most, abs(scratch.gain[i]))
    if most == 0.0:
        return False
    for g in range(1, net.size.shape[0]):
        if net.relu[g]:
            for i in range(net.offset[g], net.offset[g] + net.size[g]):
                if node.lower[i] < 0.0 and node.upper[i] > 0.0 and coef[i] > 0.0:
                    slope = min(1.0, max(0.0, node.low_slope[i] + rate * scratch.gain[i] / most))
                    node.low_slope[i] = np.floor(SLOPE_GRID * slope + 0.5) / SLOPE_GRID
    return True


@compiled
def thin_slopes(
    net: Net, node: Node, spec: Spec, r: int, default: Floats, chosen: Floats, work: Work, scratch: Scratch
) -> int:
    """Keep as few changed slopes as still close row ``r``: how many, their positions ascending in
    ``order``; the node is left with them.
    """
    order = scratch.order
    changed = 0
    for i in range(default.shape[0]):
        if chosen[i] != default[i]:
            order[changed] = i
            changed += 1
    keys = np.empty(changed)
    for k in range(changed):
        keys[k] = -abs(scratch.gain[order[k]] * (chosen[order[k]] - default[order[k]]))
    ranked = order[:changed][np.argsort(keys, kind="mergesort")]
    low, high = 0, changed  # it closes with `high` of them, and was not tried or failed below `low`
    while low < high:
        middle = (low + high) // 2
        node.low_slope[:] = default
        for k in range(middle):
            node.low_slope[ranked[k]] = chosen[ranked[k]]
        value, lost = evaluate_row(net, node, spec, r, work)
        if closes(value, lost):
            high = middle
        else:
            low = middle + 1
    order[:high] = np.sort(ranked[:high])
    node.low_slope[:] = default
    for k in range(high):
        node.low_slope[order[k]] = chosen[order[k]]
    return high


@compiled
def put_slopes(log: Integers, used: int, chosen: Floats, order: Integers, count: int) -> int:
    """Write ``count, (position, k)...`` to a log at ``used``; the new length."""
    log[used] = count
    used += 1
    for k in range(count):
        log[used] = order[k]
        log[used + 1] = np.int64(chosen[order[k]] * SLOPE_GRID + 0.5)
        used += 2
    return used
