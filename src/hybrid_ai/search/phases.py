"""Deciding a small box completely: split on neurons' phases, close by linear-programming multipliers.

Where few neurons are unstable, halving boxes converges slowly (the kinks go through every smaller box), while
fixing phases ends: with all phases fixed the network is affine on the node, and linear programming
duality gives multipliers for rows and phase assumptions that show it empty of unsafe points, or a point
that is unsafe. The linear program is untrusted: each closing is bounded again with the multipliers
rounded to a dyadic grid.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hybrid_ai.bounds.arrays import Node
from hybrid_ai.bounds.flat import FlatNetwork
from hybrid_ai.certificate import Closing, Combination, Leaf, Row
from hybrid_ai.search.compiled import forms
from hybrid_ai.search.compiled.records import Rows, closes
from hybrid_ai.search.problem import Problem
from hybrid_ai.search.signals import uninterrupted

MOST_UNSTABLE = 12
MOST_NODES = 96
MULTIPLIER_BITS = 44

open_node = uninterrupted(forms.open_node)
row_forms = uninterrupted(forms.row_forms)
best_phase = uninterrupted(forms.best_phase)
phase_forms = uninterrupted(forms.phase_forms)
bound_combination = uninterrupted(forms.bound_combination)


@dataclass(frozen=True, slots=True)
class PhaseTree:
    """A finished subtree: a leaf, or a split on the phase of the neuron at a position (off first, then
    on).
    """

    leaf: Leaf | None
    position: int = -1
    off: "PhaseTree | None" = None
    on: "PhaseTree | None" = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of an attempt: a finished subtree, or points worth evaluating; and the nodes bounded."""

    tree: PhaseTree | None
    points: tuple[np.ndarray, ...]
    bounded: int


def unstable_count(flat: FlatNetwork, bounds: np.ndarray) -> int:
    """Number of neurons whose pre-activation bounds (2, N) lie on both sides of zero."""
    return int(np.count_nonzero((bounds[0] < 0.0) & (bounds[1] > 0.0) & (flat.neuron >= 0)))


def decide_by_phases(
    problem: Problem,
    flat: FlatNetwork,
    first: np.ndarray,
    last: np.ndarray,
    bounds: np.ndarray,
    is_open: np.ndarray,
    assumptions: tuple[tuple[int, bool], ...],
) -> Attempt:
    """Try to close a box by splits on phases; the box's own node tightens its bounds once more first.

    Args:
        problem: the polytope.
        flat: the network.
        first: lowest grid coordinates of the box, (n_inputs,).
        last: highest grid coordinates.
        bounds: inherited pre-activation bounds, (2, N).
        is_open: open disjuncts, (D,).
        assumptions: phases assumed so far, the oldest first, as (position, on).
    """
    solver = _Solver(problem, flat, first, last, is_open)
    tree = solver.solve(bounds, assumptions)
    return Attempt(tree, tuple(solver.points), solver.bounded)


class _Solver:
    def __init__(
        self, problem: Problem, flat: FlatNetwork, first: np.ndarray, last: np.ndarray, is_open: np.ndarray
    ) -> None:
        self._problem = problem
        self._flat = flat
        self._first = first
        self._last = last
        self._is_open = is_open
        self.points: list[np.ndarray] = []
        self.bounded = 0

    def solve(
        self, bounds: np.ndarray, assumptions: tuple[tuple[int, bool], ...], top: bool = False
    ) -> PhaseTree | None:
        """The subtree below these bounds, or None. The top node itself gets no leaf: its steps are
        written.
        """
        if self.bounded >= MOST_NODES:
            return None
        self.bounded += 1
        net, spec = self._flat.net, self._problem.spec
        sound, node = open_node(net, self._problem.grid, self._first, self._last, bounds)
        if not sound:
            return None
        rows = row_forms(net, node, spec, self._is_open)
        leaf = self._leaf(node, rows, assumptions)
        if leaf is not None:
            return PhaseTree(leaf)
        position = int(best_phase(net, node, spec, self._is_open, rows))
        if position < 0:
            return None
        halves = []
        for phase in (False, True):
            below = np.stack([node.lower, node.upper])
            below[0 if phase else 1, position] = 0.0
            half = self.solve(below, (*assumptions, (position, phase)))
            if half is None:
                return None
            halves.append(half)
        return PhaseTree(None, position, *halves)

    def _leaf(self, node: Node, rows: Rows, assumptions: tuple[tuple[int, bool], ...]) -> Leaf | None:
        forms, constants = self._assumption_forms(node, assumptions)
        closings = []
        for d in np.flatnonzero(self._is_open):
            closing = self._close(node, rows, int(d), forms, constants, assumptions)
            if closing is None:
                return None
            closings.append(closing)
        return Leaf(tuple(closings))

    def _assumption_forms(
        self, node: Node, assumptions: tuple[tuple[int, bool], ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Linear lower bounds of the assumed forms (z where off, -z where on: at most zero)."""
        positions = np.array([position for position, _ in assumptions], np.int64)
        forms, constants = phase_forms(self._flat.net, node, positions)
        chosen = [2 * k + int(on) for k, (_, on) in enumerate(assumptions)]
        return forms[chosen], constants[chosen]

    def _close(
        self,
        node: Node,
        rows: Rows,
        d: int,
        forms: np.ndarray,
        constants: np.ndarray,
        assumptions: tuple[tuple[int, bool], ...],
    ) -> Closing | None:
        spec = self._problem.spec
        start, end = int(spec.row_start[d]), int(spec.row_start[d + 1])
        own = self._problem.own_rows[d]
        for r in range(start, start + own):
            if closes(rows.bound[r], rows.lost[r]):
                return Row(r - start)
        inputs = forms.shape[1]
        table = np.concatenate([rows.form[start:end, :inputs], forms])
        offsets = np.concatenate([rows.constant[start:end], constants])
        factors = self._multipliers(node, table, offsets)
        if factors is None:
            return None
        return self._checked(node, d, factors[: end - start], factors[end - start :], assumptions)

    def _multipliers(self, node: Node, table: np.ndarray, offsets: np.ndarray) -> np.ndarray | None:
        """Dual multipliers on the grid of: least t with ``table x + offsets <= t`` in the box; None when t
        <= 0.
        """
        from scipy.optimize import linprog  # slow to import, and easy problems never get here

        count, inputs = table.shape
        if count == 0:
            return None
        # The box is scaled to [0, 1]: solvers work with absolute tolerances.
        lower, width = node.lower[:inputs], node.upper[:inputs] - node.lower[:inputs]
        size = np.maximum(np.abs(table * width).sum(axis=1) + np.abs(offsets), 1e-300)
        scale = 1.0 / size.max()
        matrix = np.hstack([table * width * scale, -np.ones((count, 1))])
        right = -(offsets + table @ lower) * scale
        result = linprog(
            np.append(np.zeros(inputs), 1.0),
            A_ub=matrix,
            b_ub=right,
            bounds=[(0.0, 1.0)] * inputs + [(None, None)],
            method="highs",
        )
        if result.status != 0:
            return None
        self.points.append(lower + width * result.x[:inputs])
        if result.fun <= 0.0:
            return None
        grid = 2.0**MULTIPLIER_BITS
        return np.asarray(np.floor(np.maximum(-result.ineqlin.marginals, 0.0) * grid + 0.5))

    def _checked(
        self,
        node: Node,
        d: int,
        row_factors: np.ndarray,
        phase_factors: np.ndarray,
        assumptions: tuple[tuple[int, bool], ...],
    ) -> Closing | None:
        """The combination, if its backward bound closes the disjunct."""
        phases = np.zeros(self._flat.total)
        for factor, (position, on) in zip(phase_factors, assumptions, strict=True):
            phases[position] += -factor if on else factor
        value, lost = bound_combination(self._flat.net, node, self._problem.spec, d, row_factors, phases)
        if not closes(value, lost):
            return None
        own = self._problem.own_rows[d]
        return Combination(
            rows=_positive(row_factors[:own]),
            constraints=_positive(row_factors[own:]),
            assumptions=_positive(phase_factors),
        )


def _positive(factors: np.ndarray) -> tuple[tuple[int, Fraction], ...]:
    return tuple((k, Fraction(int(factor))) for k, factor in enumerate(factors) if factor > 0.0)
