"""One node of the search on the reference backend: bound, close, cut, choose the split, in readable numpy.

It takes the decisions of `search.compiled.node` but for the ascent on the lower slopes, and writes the same
logs. It searches while the kernels are being compiled, and is what their decisions are compared with.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from hybrid_ai.bounds.arrays import Booleans, Floats, Net
from hybrid_ai.bounds.backends.reference import (
    Bounded,
    Group,
    bound_rows,
    forward_point,
    places,
    stage_kind,
    tighten,
)
from hybrid_ai.search.compiled.node import MAX_ROUNDS, MOST_SPLIT_INPUTS, REQUEUE_KEPT
from hybrid_ai.search.compiled.records import (
    BY_PAIR,
    BY_ROW,
    CLOSED,
    EXHAUSTED,
    LOG_CLOSE,
    LOG_LEAF,
    LOG_TIGHTEN,
    OUT_OF_RANGE,
    PAIR_WEIGHTS,
    SPLIT,
    Batch,
    Grid,
    Spec,
)
from hybrid_ai.search.reference_cuts import NodeBox, cut_box

PAIR_STEP = 8


class _Question(NamedTuple):
    """What does not change within a node."""

    net: Net
    spec: Spec
    grid: Grid


def process_reference(net: Net, spec: Spec, grid: Grid, batch: Batch, steps: int) -> None:
    """Process every node of a batch as `search.compiled.node.process_serial` does, in place.

    ``steps`` is ignored: there is no ascent on the lower slopes here, so a few more boxes are split. A node
    that float32 rounding alone keeps open is split like others.
    """
    question = _Question(net, spec, grid)
    with np.errstate(all="ignore"):
        for b in range(batch.firsts.shape[0]):
            node = _Node(
                NodeBox(grid, batch.firsts[b], batch.lasts[b]),
                batch.bounds[b],
                batch.opens[b],
                batch.points[b],
            )
            status, position, rounds = _process(question, node)
            batch.logs[b, : len(node.log)] = node.log
            batch.results[b] = status, position, len(node.log), rounds
            batch.bests[b], batch.margins[b], batch.penalties[b] = node.best, node.margin, node.penalty


@dataclass(eq=False)
class _Node:
    """A node under way: its box, bounds (2, N), open disjuncts and point are the batch's own rows."""

    box: NodeBox
    bounds: Floats
    is_open: Booleans
    point: Floats
    log: list[int] = field(default_factory=list)
    best: float = np.inf
    margin: float = np.inf
    penalty: float = 0.0


def _process(question: _Question, node: _Node) -> tuple[int, int, int]:
    """Status, position to split on, times bounded."""
    held, box, is_open = node.bounds.copy(), node.box, node.is_open
    for rounds in range(1, MAX_ROUNDS + 1):
        if rounds > 1:
            node.log.append(LOG_TIGHTEN)
        found = tighten(question.net, box.lower, box.upper, held)
        if found is None:
            return OUT_OF_RANGE, -1, rounds
        groups, influence = found
        held = np.stack([np.concatenate([group[end] for group in groups]) for end in range(2)])
        rows = _bound_open_rows(question, groups, is_open)
        if _close(question, groups, rows, node):
            return CLOSED, -1, rounds
        node.best = _try_points(question, rows, is_open, box, node.point, node.best)
        if cut_box(question.spec, rows, is_open, box, node.log) > REQUEUE_KEPT:
            break
    position = _split(question, groups, influence, rows, is_open, box)
    node.bounds[:] = held
    return (SPLIT if position >= 0 else EXHAUSTED), position, rounds


def _bound_open_rows(question: _Question, groups: list[Group], is_open: Booleans) -> Bounded:
    """Bounds of all rows of the polytope; those of closed disjuncts are left at minus infinity."""
    spec = question.spec
    wanted = np.repeat(is_open, np.diff(spec.row_start))
    found = bound_rows(question.net, groups, spec.table[wanted], spec.offsets[wanted])
    count = spec.offsets.shape[0]
    none = np.zeros((3, count))
    rows = Bounded(np.zeros_like(spec.table), none[0], none[1], np.full(count, -np.inf), none[2])
    for whole, part in zip(rows, found, strict=True):
        whole[wanted] = part
    return rows


def all_rows(spec: Spec, d: int) -> range:
    """Numbers of the rows of disjunct ``d``, the polytope's input constraints included."""
    return range(int(spec.row_start[d]), int(spec.row_start[d + 1]))


def _best_row(spec: Spec, rows: Bounded, d: int) -> int | None:
    """The row of disjunct ``d`` with the greatest bound, an input constraint only where it has no row; or
    None.
    """
    numbers = range(int(spec.row_start[d]), int(spec.own_end[d])) or all_rows(spec, d)
    if not numbers:
        return None
    mine = slice(numbers.start, numbers.stop)
    return numbers.start + int(np.argmax(rows.value[mine] - rows.lost[mine]))


class _Closing(NamedTuple):
    """What closes a disjunct, as the log holds it, by which margin, and what rounding took off it."""

    words: list[int]
    margin: float
    penalty: float


def _close(question: _Question, groups: list[Group], rows: Bounded, node: _Node) -> bool:
    """Close what closes, in the log and in ``is_open``; true when no disjunct is left open."""
    closings = {int(d): _closing(question, groups, rows, int(d)) for d in np.flatnonzero(node.is_open)}
    found = [closing for closing in closings.values() if closing is not None]
    words = [word for closing in found for word in closing.words]
    node.margin = min([node.margin, *(closing.margin for closing in found)])
    node.penalty = max([node.penalty, *(closing.penalty for closing in found)])
    if len(found) == len(closings):
        node.log += [LOG_LEAF, *words]
        return True
    if words:
        node.log += [LOG_CLOSE, len(words), *words]
    for d, closing in closings.items():
        node.is_open[d] = closing is None
    return False


def _closing(question: _Question, groups: list[Group], rows: Bounded, d: int) -> _Closing | None:
    """A closing of disjunct ``d``: by the first row that does, else by the best pair."""
    for row in all_rows(question.spec, d):
        value, lost = float(rows.value[row]), float(rows.lost[row])
        if value > 2.0 * lost:
            return _Closing([d, BY_ROW, row], value - lost, float(rows.penalty[row]))
    pair = _best_pair(question.spec, groups[0], rows, d)
    if pair is None:
        return None
    p, q, weight = pair
    shares = np.array([weight, PAIR_WEIGHTS - weight], np.float64)
    table, offsets = question.spec.table[[p, q]], question.spec.offsets[[p, q]]
    joined = bound_rows(question.net, groups, (shares @ table)[None], np.array([shares @ offsets]))
    # The error of storing is charged for each row of its own, whatever cancels in the sum.
    magnitude = np.concatenate([group.magnitude for group in groups])
    lost = joined.lost[0] + shares @ (np.abs(offsets) + np.abs(table) @ magnitude) * 2.0**-50
    if not joined.value[0] > 2.0 * lost:
        return None
    margin, penalty = (joined.value[0] - lost) / PAIR_WEIGHTS, joined.penalty[0] / PAIR_WEIGHTS
    return _Closing([d, BY_PAIR, p, q, weight], float(margin), float(penalty))


def _best_pair(spec: Spec, box: Group, rows: Bounded, d: int) -> tuple[int, int, int] | None:
    """Two rows of disjunct ``d`` and the first's weight, of 256, that look best by their linear bounds."""
    inputs = box.lower.shape[0]
    weights = np.arange(PAIR_STEP, PAIR_WEIGHTS, PAIR_STEP)
    shares = weights[:, None] / PAIR_WEIGHTS
    form, constant = rows.form[:, :inputs], rows.constant - rows.lost
    best, best_value = None, -np.inf
    for p in all_rows(spec, d):
        for q in range(p + 1, all_rows(spec, d).stop):
            mixed = shares * form[p] + (1.0 - shares) * form[q]
            least = np.where(mixed >= 0.0, mixed * box.lower, mixed * box.upper).sum(axis=1)
            values = least + shares[:, 0] * constant[p] + (1.0 - shares[:, 0]) * constant[q]
            k = int(np.argmax(values))
            if values[k] > best_value:
                best, best_value = (p, q, int(weights[k])), float(values[k])
    return best


def _try_points(
    question: _Question, rows: Bounded, is_open: Booleans, box: NodeBox, point: Floats, best: float
) -> float:
    """Evaluate the box's middle and the worst row's minimiser; ``point`` keeps the nearest to a violation."""
    net, spec = question.net, question.spec
    middle = 0.5 * (box.lower + box.upper)
    leading = [_best_row(spec, rows, int(d)) for d in np.flatnonzero(is_open)]
    worst_row = min((r for r in leading if r is not None), key=lambda r: float(rows.value[r]), default=None)
    corner = middle
    if worst_row is not None:
        corner = np.where(rows.form[worst_row, : middle.shape[0]] >= 0.0, box.lower, box.upper)
    for x in (middle, corner):
        values = spec.offsets + spec.table @ forward_point(net, x)
        for d in np.flatnonzero(is_open):
            numbers = all_rows(spec, int(d))
            worst = float(values[numbers.start : numbers.stop].max(initial=-np.inf))
            if worst < best:
                best = worst
                point[:] = x
    return best


def _split(
    question: _Question,
    groups: list[Group],
    influence: Floats,
    rows: Bounded,
    is_open: Booleans,
    box: NodeBox,
) -> int:
    """Position to split on: a neuron where there are many inputs, else an input axis; or -1."""
    leading = [_best_row(question.spec, rows, int(d)) for d in np.flatnonzero(is_open)]
    form = np.abs(rows.form[[r for r in leading if r is not None]]).sum(axis=0)
    gaps = np.concatenate(
        [form[places(question.net, g)] * _gap(question.net, g, groups[g]) for g in range(len(groups))]
    )
    if box.first.shape[0] > MOST_SPLIT_INPUTS and gaps.max() > 0.0:
        return int(gaps.argmax())
    width = box.upper - box.lower
    share = influence * width
    total = share.sum(axis=1, keepdims=True)
    reached = total[:, 0] > 0.0
    score = 0.1 * form[: width.shape[0]] * width
    score += (gaps[reached, None] * share[reached] / total[reached]).sum(axis=0)
    splittable = box.wide(2)
    axis = int(np.argmax(np.where(splittable, np.nan_to_num(score), -1.0)))
    return axis if splittable[axis] else -1


def _gap(net: Net, g: int, group: Group) -> Floats:
    """Greatest distance of the two lines of each element's relaxation, 0 where it is exact, (n,)."""
    gap = np.zeros_like(group.lower)
    loose = stage_kind(net, g).loose(group.lower, group.upper)
    low, high = group.lower[loose], group.upper[loose]
    gap[loose] = -low * high / (high - low)
    return gap
