"""Lies about trees: splits, cuts, closings and bounds that belong to another part of the input set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from hybrid_ai.bounds.arrays import Booleans, Floats, Net
from hybrid_ai.bounds.backends import reference
from hybrid_ai.bounds.backends.reference import Bounded, Group
from hybrid_ai.certificate import Combination, Leaf, Split, SplitNeuron
from hybrid_ai.search import backend, branch, reference_cuts, reference_node
from hybrid_ai.search.branch import Branch
from hybrid_ai.search.compiled.records import BY_ROW, CLOSED, LOG_CUT, LOG_LEAF, SPLIT, Batch, Grid, Spec
from hybrid_ai.search.reference_cuts import NodeBox
from tests.soundness.unsound_prover.problems import Falsehood
from tests.soundness.unsound_prover.prover import Lie, Patch

HALF = 32
LEAF_SHARE = 0.2  # of the root's volume
MULTIPLES = tuple(Fraction(2) ** k for k in range(-4, 11, 2))

Children = tuple[branch._Open, branch._Open]


def at_witness(patches: Callable[[Floats], tuple[Patch, ...]]) -> Lie:
    """A lie that knows the point to be hidden, (n_inputs,)."""
    return Lie(patches=lambda falsehood: patches(np.array([float(value) for value in falsehood.witness])))


def holds(grid: Grid, first: np.ndarray, last: np.ndarray, x: Floats) -> bool:
    """Whether a box in grid coordinates holds a point."""
    return bool(np.all((grid.step == 0.0) | ((first * grid.step <= x) & (x <= last * grid.step))))


# ---- splits and leaves


def half_omitted() -> Lie:
    """The child with the witness is never looked at; the other one's subtree stands in its place."""

    def patches(x: Floats) -> tuple[Patch, ...]:
        def push(state: Branch, parent: int, split: Split | SplitNeuron, children: Children) -> None:
            held = [holds(state.problem.grid, child.first, child.last, x) for child in children]
            if any(held):
                _push_one(state, parent, split, children[1] if held[0] else children[0])
            else:
                honest(state, parent, split, children)

        honest = branch._push
        return (Patch(branch, "_push", push),)

    return at_witness(patches)


def _push_one(state: Branch, parent: int, split: Split | SplitNeuron, kept: branch._Open) -> None:
    state.tree.splits[parent] = split
    state.tree.children[parent] = (kept.number, kept.number)
    state.stack.append(kept)


def phase_twice() -> Lie:
    """Splits are on phases, and both children assume the one that the witness is not in."""

    def patches(x: Floats) -> tuple[Patch, ...]:
        def split(state: Branch, node: branch._Open, position: int) -> None:
            honest(state, node, position)
            on, off = state.stack.pop(-2), state.stack.pop()
            active = reference.forward_point(state.flat.net, x)[position] > 0.0
            _push_one(
                state, node.number, SplitNeuron(int(state.flat.neuron[position])), off if active else on
            )

        honest = branch._split_neuron
        return (Patch(reference_node, "MOST_SPLIT_INPUTS", 0), Patch(branch, "_split_neuron", split))

    return at_witness(patches)


def leaf_unbounded() -> Lie:
    """A small box with the witness is a leaf by the first row of each disjunct, whatever its bounds."""

    def patches(x: Floats) -> tuple[Patch, ...]:
        def process(net: Net, spec: Spec, grid: Grid, batch: Batch, steps: int) -> None:
            reference_node.process_reference(net, spec, grid, batch, steps)
            for b in range(batch.firsts.shape[0]):
                first, last = batch.firsts[b], batch.lasts[b]
                low, high = (
                    np.maximum(grid.lower, first * grid.step),
                    np.minimum(grid.upper, last * grid.step),
                )
                wide = grid.step > 0.0
                share = np.prod((high - low)[wide] / (grid.upper - grid.lower)[wide])
                if batch.results[b, 0] == SPLIT and share < LEAF_SHARE and holds(grid, first, last, x):
                    _put_leaf(spec, batch, b)

        lying = backend.Processing(process, process, backend.REFERENCE.most)
        return (Patch(backend, "REFERENCE", lying),)

    return at_witness(patches)


def _put_leaf(spec: Spec, batch: Batch, b: int) -> None:
    used = int(batch.results[b, 2])
    closings = [[int(d), BY_ROW, int(spec.row_start[d])] for d in np.flatnonzero(batch.opens[b])]
    words = [LOG_LEAF, *(word for closing in closings for word in closing)]
    batch.logs[b, used : used + len(words)] = words
    batch.results[b, :3] = CLOSED, -1, used + len(words)


# ---- cuts


def _box_cut(
    cut: Callable[[NodeBox, Spec, Bounded, Booleans, list[int]], float],
) -> Callable[[Spec, Bounded, Booleans, NodeBox, list[int]], float]:
    """The honest cuts after a dishonest one, which gives the share that it keeps."""
    honest = reference_cuts.cut_box

    def both(spec: Spec, rows: Bounded, is_open: Booleans, box: NodeBox, log: list[int]) -> float:
        return cut(box, spec, rows, is_open, log) * honest(spec, rows, is_open, box, log)

    return both


def _widest(box: NodeBox) -> int:
    """The widest axis that can be cut into halves, -1 where there is none."""
    width = np.where(box.wide(4), box.upper - box.lower, -1.0)
    axis = int(np.argmax(width))
    return axis if width[axis] > 0.0 else -1


def cut_unproved() -> Lie:
    """The half with the witness is cut off the widest axis."""

    def patches(x: Floats) -> tuple[Patch, ...]:
        def cut(box: NodeBox, spec: Spec, rows: Bounded, is_open: Booleans, log: list[int]) -> float:
            axis = _widest(box)
            if axis < 0 or not np.all((box.lower <= x) & (x <= box.upper)):
                return 1.0
            side = int(x[axis] > 0.5 * (box.lower[axis] + box.upper[axis]))
            closers = [int(spec.row_start[d]) for d in np.flatnonzero(is_open)]
            log += [LOG_CUT, axis, side, HALF, *closers]
            return box.cut(axis, side, HALF)

        return (Patch(reference_node, "cut_box", _box_cut(cut)),)

    return at_witness(patches)


def _slabs(change: Callable[[int, int], tuple[int, int]]) -> Lie:
    """Another side and size are proved than those that are cut off."""
    honest = NodeBox.slabs

    def changed(box: NodeBox, side: int, q: int) -> tuple[Floats, Floats]:
        return honest(box, *change(side, q))

    return Lie(patches=lambda _: (Patch(NodeBox, "slabs", changed),))


def cut_too_large() -> Lie:
    """What is cut off is one grid cell, a 64th, more than what was shown."""
    return _slabs(lambda side, q: (side, q + 1))


def cut_wrong_side() -> Lie:
    return _slabs(lambda side, q: (1 - side, q))


def bounds_after_cut() -> Lie:
    """A slab is closed with the bounds that hold on what the cut keeps."""

    def patches(falsehood: Falsehood) -> tuple[Patch, ...]:
        held: list[tuple[Net, Floats]] = []

        def tighten(net: Net, lower: Floats, upper: Floats, bounds: Floats) -> object:
            held[:] = [(net, bounds)]
            return reference.tighten(net, lower, upper, bounds)

        def cut(box: NodeBox, spec: Spec, rows: Bounded, is_open: Booleans, log: list[int]) -> float:
            net, bounds = held[0]
            axis = _widest(box)
            for side in (0, 1) if axis >= 0 else ():
                closers = _closed_by_kept(net, bounds, spec, is_open, box, axis, side)
                if closers is not None:
                    log += [LOG_CUT, axis, side, HALF, *closers]
                    return box.cut(axis, side, HALF)
            return 1.0

        return (Patch(reference_node, "tighten", tighten), Patch(reference_node, "cut_box", _box_cut(cut)))

    return Lie(patches=patches)


def _closed_by_kept(
    net: Net, bounds: Floats, spec: Spec, is_open: Booleans, box: NodeBox, axis: int, side: int
) -> list[int] | None:
    """The rows that close the slab for every open disjunct when bounded by what holds on the other half."""
    slab_lower, slab_upper, kept_lower, kept_upper = (v.copy() for v in [box.lower, box.upper] * 2)
    slab_lower[axis], slab_upper[axis] = (end[axis] for end in box.slabs(side, HALF))
    kept_lower[axis], kept_upper[axis] = (end[axis] for end in box.slabs(1 - side, HALF))
    found = reference.tighten(net, kept_lower, kept_upper, bounds)
    slab = reference.tighten(net, slab_lower, slab_upper, bounds)
    if found is None or slab is None:
        return None
    groups: list[Group] = [slab[0][0], *found[0][1:]]
    rows = reference.bound_rows(net, groups, spec.table, spec.offsets)
    closers = []
    for d in np.flatnonzero(is_open):
        numbers = reference_node.all_rows(spec, int(d))
        best = max(numbers, key=lambda r: float(rows.value[r] - 2.0 * rows.lost[r]))
        if not rows.value[best] > 2.0 * rows.lost[best]:
            return None
        closers.append(best)
    return closers


# ---- inherited bounds and assumptions


def sibling_bounds() -> Lie:
    """Each child of a split inherits what was found out about the other one."""

    def split(state: Branch, node: branch._Open, axis: int) -> None:
        honest(state, node, axis)
        second, first = state.stack[-2:]
        found = [_bounds(state, child) for child in (first, second)]
        state.stack[-2:] = [replace(second, bounds=found[0]), replace(first, bounds=found[1])]

    honest = branch._split_axis
    return Lie(patches=lambda _: (Patch(branch, "_split_axis", split),))


def _groups(state: Branch, node: branch._Open) -> list[Group] | None:
    box = NodeBox(state.problem.grid, node.first, node.last)
    found = reference.tighten(state.flat.net, box.lower, box.upper, node.bounds)
    return None if found is None else found[0]


def _bounds(state: Branch, node: branch._Open) -> Floats:
    groups = _groups(state, node)
    if groups is None:
        return node.bounds
    return np.stack([np.concatenate([group[end] for group in groups]) for end in range(2)])


def assumption_sign() -> Lie:
    """Where a neuron is on, multiples of z are taken for multiples of the assumption, which is -z <= 0."""

    def patches(x: Floats) -> tuple[Patch, ...]:
        def choose(question: Any, groups: list[Group], *rest: Any) -> int:
            net = question.net
            gaps = [reference_node._gap(net, g, group) for g, group in enumerate(groups)]
            gap = np.concatenate(gaps) * (reference.forward_point(net, x) > 0.0)
            return int(gap.argmax()) if gap.max() > 0.0 else choose_honestly(question, groups, *rest)

        def split(state: Branch, node: branch._Open, position: int) -> None:
            split_honestly(state, node, position)
            on = state.stack[-2]
            closings = _flipped(state, on, position)
            if closings is not None:
                state.stack.pop(-2)
                state.tree.steps[on.number] = [Leaf(closings)]

        choose_honestly, split_honestly = reference_node._split, branch._split_neuron
        return (Patch(reference_node, "_split", choose), Patch(branch, "_split_neuron", split))

    return at_witness(patches)


def _flipped(state: Branch, node: branch._Open, position: int) -> tuple[Combination, ...] | None:
    """Closings of all open disjuncts by a row and a multiple of the last assumption with its sign changed."""
    groups, spec = _groups(state, node), state.problem.spec
    if groups is None:
        return None
    closings = []
    for d in np.flatnonzero(node.is_open):
        rows = range(int(spec.row_start[d]), int(spec.own_end[d]))
        table = np.array([spec.table[row] for row in rows for _ in MULTIPLES])
        table[:, position] += [float(factor) for _ in rows for factor in MULTIPLES]
        offsets = np.repeat(spec.offsets[rows.start : rows.stop], len(MULTIPLES))
        found = reference.bound_rows(state.flat.net, groups, table, offsets)
        best = int(np.argmax(found.value - 2.0 * found.lost)) if len(offsets) else -1
        if best < 0 or not found.value[best] > 2.0 * found.lost[best]:
            return None
        row, factor = divmod(best, len(MULTIPLES))
        assumed = ((len(node.assumptions) - 1, MULTIPLES[factor]),)
        closings.append(Combination(((row, Fraction(1)),), (), assumed))
    return tuple(closings)
