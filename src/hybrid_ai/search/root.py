"""A proof at the root of a tree, without splits: backward bounds (CROWN), with proposed lower slopes or not.

Its steps are those of the certificate in the order in which the checker replays them: all neurons are
bounded by the rule's slopes and what closes is closed, then one neuron and one side at a time is bounded by
the slopes proposed for it, then the other disjuncts close.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from time import monotonic

import numpy as np

from hybrid_ai.bounds.arrays import Floats
from hybrid_ai.bounds.backends.reference import Bounded, Group, bound_rows, tighten
from hybrid_ai.bounds.flat import FlatNetwork
from hybrid_ai.certificate import Close, Closing, Combination, Leaf, Row, Step, Tighten
from hybrid_ai.certificate.steps import SLOPE_GRID
from hybrid_ai.search.hints import GridSlopes
from hybrid_ai.search.problem import Problem

LEAST_GAIN = 2.0**-10  # of a neuron's range: for less, a step does not pay its bytes

Listed = tuple[tuple[int, int], ...]
# Slopes for rows over all groups, (R, N), and their offsets, (R,).
Propose = Callable[[np.ndarray, np.ndarray], GridSlopes]


@dataclass(frozen=True, slots=True)
class RootProof:
    """Steps that close every disjunct at the root.

    Attributes:
        steps: after the TIGHTEN of all neurons that every node begins with; the last one is a leaf.
        margin: least bound that closed a disjunct, in units of its rows.
        penalty: most that float32 executions took off such a bound.
    """

    steps: tuple[Step, ...]
    margin: float
    penalty: float


def prove_root(
    problem: Problem, flat: FlatNetwork, propose: Propose | None = None, deadline: float = np.inf
) -> RootProof | None:
    """Try to close every disjunct at the root without splits, each by one of its rows.

    Args:
        problem: the polytope.
        flat: the network.
        propose: lower slopes for the rows that look best in the disjuncts that the rule's slopes leave open;
            None is the rule alone.
        deadline: `time.monotonic` value after which nothing more is tried.

    Returns:
        The proof; None where the bounds do not show it, in time, or leave the range of the error terms.

    Raises:
        NoHints, BadHints: from ``propose``.
    """
    root = _Root(problem, flat)
    if min(problem.own_rows, default=1) == 0 or not root.tighten():
        return None
    first = {d: root.close(d) for d in range(len(problem.own_rows))}
    closed = {d: one for d, one in first.items() if one is not None}
    left = [d for d in first if d not in closed]
    if not left:
        return _proof((), closed, {})
    if propose is None:
        return None
    best = [root.best_row(d) for d in left]
    slopes = propose(problem.spec.table[best], problem.spec.offsets[best])
    steps = tuple(root.tighten_by(slopes, deadline))
    later = {}
    for d, row, own in zip(left, best, slopes.rows, strict=True):
        one = root.close(d) or root.close_by_slopes(d, row, own)
        if one is None or monotonic() > deadline:
            return None
        later[d] = one
    return _proof(steps, closed, later)


def _proof(steps: tuple[Step, ...], first: "Closings", later: "Closings") -> RootProof:
    """What closed before the steps is written before them: better bounds may flip the rule's slopes."""
    closings = (*first.values(), *later.values())
    margin = min((one.margin for one in closings), default=np.inf)
    penalty = max((one.penalty for one in closings), default=0.0)
    if not later:
        return RootProof((Leaf(tuple(one.closing for one in first.values())),), margin, penalty)
    before = (Close(d, one.closing) for d, one in first.items())
    leaf = Leaf(tuple(one.closing for one in later.values()))
    return RootProof((*before, *steps, leaf), margin, penalty)


@dataclass(frozen=True, slots=True)
class _Closed:
    """What closes a disjunct, by which margin, and what float32 executions took off it."""

    closing: Closing
    margin: float
    penalty: float


Closings = dict[int, _Closed]


class _Root:
    """The root's box and the bounds held there, (2, N)."""

    def __init__(self, problem: Problem, flat: FlatNetwork) -> None:
        self._problem, self._flat, self._grid = problem, flat, problem.grid
        self._held = np.stack([np.full(flat.total, end) for end in (-np.inf, np.inf)])
        self._nothing = np.zeros(flat.total, np.bool_)

    def tighten(self) -> bool:
        """Bound all neurons by the rule's slopes; false when a magnitude is out of range."""
        groups = self._groups(None, None)
        if groups is not None:
            self._held = _bounds(groups)
        return groups is not None

    def _groups(self, slopes: Floats | None, named: np.ndarray | None) -> list[Group] | None:
        found = tighten(self._flat.net, self._grid.lower, self._grid.upper, self._held, slopes, named)
        return None if found is None else found[0]

    def tighten_by(self, slopes: GridSlopes, deadline: float) -> Iterator[Step]:
        """Bound one neuron and one side after the other by its own slopes; the steps that gained."""
        for position in np.flatnonzero(self._flat.neuron >= 0).tolist():
            neuron = int(self._flat.neuron[position])
            for side in range(2):
                if monotonic() > deadline:
                    return
                low, high = self._held[:, position]
                listed = self._listed(slopes.neurons[neuron, side], position)
                if low < 0.0 < high and listed and self._gains(position, side, listed):
                    yield Tighten((neuron,), listed)

    def _gains(self, position: int, side: int, listed: Listed) -> bool:
        """Whether a neuron's bound gets better by these slopes; the bounds held are then the new ones."""
        named = self._nothing.copy()
        named[position] = True
        groups = self._groups(self._slopes(listed), named)
        if groups is None:
            return False
        low, high = self._held[:, position]
        held = _bounds(groups)
        gain = abs(float(held[side, position] - self._held[side, position]))
        if not gain > LEAST_GAIN * float(high - low):
            return False
        self._held = held
        return True

    def _listed(self, slopes: np.ndarray, position: int | None = None) -> Listed:
        """The slopes that differ from the rule's, of unstable neurons, of the stages before a position."""
        low, high = self._held
        loose = (low < 0.0) & (high > 0.0) & (self._flat.neuron >= 0)
        if position is not None:
            stage = int(np.searchsorted(self._flat.offset, position, side="right")) - 1
            loose[int(self._flat.offset[stage]) :] = False
        places = np.flatnonzero(loose)
        neurons = self._flat.neuron[places]
        ruled = np.where(64.0 * high[places] >= -63.0 * low[places], SLOPE_GRID, 0)
        chosen = slopes[neurons] != ruled
        return tuple(zip(neurons[chosen].tolist(), slopes[neurons[chosen]].tolist(), strict=True))

    def _slopes(self, listed: Listed) -> Floats:
        """The slopes of all positions, NaN where none is listed."""
        values = np.full(self._flat.total, np.nan)
        hidden = np.flatnonzero(self._flat.neuron >= 0)
        for neuron, value in listed:
            values[hidden[neuron]] = value / SLOPE_GRID
        return values

    def close(self, d: int) -> _Closed | None:
        """A closing of disjunct ``d`` by its best row with the rule's slopes."""
        row = self.best_row(d)
        return self._closed(Row(row - int(self._problem.spec.row_start[d])), row, ())

    def close_by_slopes(self, d: int, row: int, slopes: np.ndarray) -> _Closed | None:
        """A closing of disjunct ``d`` by a row with slopes of its own."""
        listed = self._listed(slopes)
        local = row - int(self._problem.spec.row_start[d])
        return self._closed(Combination(((local, Fraction(1)),), slopes=listed), row, listed)

    def best_row(self, d: int) -> int:
        """The row of disjunct ``d`` with the greatest bound by the rule's slopes."""
        spec = self._problem.spec
        rows = np.arange(int(spec.row_start[d]), int(spec.own_end[d]))
        found = self._bound(rows, ())
        return int(rows[0 if found is None else int(np.argmax(found.value - found.lost))])

    def _closed(self, closing: Closing, row: int, listed: Listed) -> _Closed | None:
        """The closing, if the row's bound shows it."""
        found = self._bound(np.array([row]), listed)
        if found is None:
            return None
        value, lost = float(found.value[0]), float(found.lost[0])
        # The slack counts twice: once for us, once for the checker.
        return _Closed(closing, value - lost, float(found.penalty[0])) if value > 2.0 * lost else None

    def _bound(self, rows: np.ndarray, listed: Listed) -> Bounded | None:
        """Backward bounds of rows with the bounds held."""
        groups = self._groups(self._slopes(listed), self._nothing)
        if groups is None:
            return None
        spec = self._problem.spec
        return bound_rows(self._flat.net, groups, spec.table[rows], spec.offsets[rows])


def _bounds(groups: list[Group]) -> Floats:
    """The pre-activation bounds of all groups, (2, N)."""
    return np.stack([np.concatenate([group[end] for group in groups]) for end in range(2)])
