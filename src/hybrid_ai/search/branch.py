"""Input-split branch and bound over one polytope: a stack of boxes, bounded in batches, recorded as a
tree.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import numba
import numpy as np

from hybrid_ai.bounds.flat import FlatNetwork
from hybrid_ai.search.compiled.node import MAX_ROUNDS, process_parallel, process_serial
from hybrid_ai.search.compiled.records import CLOSED, EXHAUSTED, OUT_OF_RANGE
from hybrid_ai.search.problem import Problem, batch_size
from hybrid_ai.search.tree import Tree

SERIAL_BELOW = 16
SLOPE_STEPS = 6


@dataclass(frozen=True, slots=True)
class Budget:
    """What a search may spend.

    Attributes:
        deadline: `time.monotonic` value at which to stop.
        memory: bytes the open boxes may take.
        threads: threads to bound boxes on.
    """

    deadline: float
    memory: int
    threads: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search has come: boxes bounded and the decided share of the input volume."""

    bounded: int
    decided: float


@dataclass(frozen=True, eq=False)
class _Open:
    number: int
    first: np.ndarray
    last: np.ndarray
    bounds: np.ndarray
    is_open: np.ndarray
    volume: float


@dataclass(eq=False)
class Branch:
    """The state of one branch and bound; `advance` runs one batch.

    Attributes:
        tree: what has been decided so far.
        bounded: boxes bounded.
        leaves: leaves of the tree.
        decided: decided share of the volume.
        stuck: reason why the search can't go on, or "".
        candidate: point nearest to a violation in the last batch, and its value.
    """

    problem: Problem
    flat: FlatNetwork
    threads: int
    tree: Tree
    stack: list[_Open]
    bounded: int = 0
    leaves: int = 0
    decided: float = 0.0
    stuck: str = ""
    candidate: tuple[float, np.ndarray] | None = None

    @property
    def open_bytes(self) -> int:
        """Memory that the open boxes hold, each with its own inherited bounds."""
        return len(self.stack) * (2 * self.flat.total + 4 * int(self.flat.size[0])) * 8


def start(problem: Problem, flat: FlatNetwork, threads: int) -> Branch:
    """Begin a branch and bound with the root box."""
    tree = Tree()
    bounds = np.empty((2, flat.total))
    bounds[0] = -np.inf
    bounds[1] = np.inf
    is_open = np.ones(len(problem.own_rows), np.bool_)
    root = _Open(tree.new_node(), problem.first.copy(), problem.last.copy(), bounds, is_open, 1.0)
    return Branch(problem, flat, threads, tree, [root])


def _log_length(problem: Problem, flat: FlatNetwork) -> int:
    inputs, disjuncts = int(flat.size[0]), len(problem.own_rows)
    neurons = int((flat.neuron >= 0).sum())
    return 64 + MAX_ROUNDS * (4 + 4 * inputs * (4 + disjuncts)) + 2 * disjuncts * (6 + 2 * neurons)


def _decided_share(before: _Open, first: np.ndarray, last: np.ndarray, steps: np.ndarray) -> float:
    wide = steps > 0.0
    old = (before.last - before.first)[wide].astype(float)
    new = (last - first)[wide].astype(float)
    return float(np.prod(new / old))


def advance(branch: Branch) -> None:
    """Bound one batch of the newest open boxes; boxes, leaves, stack, tree and candidate are updated."""
    problem, flat = branch.problem, branch.flat
    count = min(len(branch.stack), batch_size(flat))
    batch = [branch.stack.pop() for _ in range(count)]
    firsts = np.stack([node.first for node in batch])
    lasts = np.stack([node.last for node in batch])
    bounds = np.stack([node.bounds for node in batch])
    opens = np.stack([node.is_open for node in batch])
    logs = np.empty((count, _log_length(problem, flat)), np.int32)
    points = np.zeros((count, firsts.shape[1]))
    results = np.empty((count, 4), np.int64)
    bests = np.empty(count)
    parallel = branch.threads > 1 and count >= SERIAL_BELOW
    if parallel:
        numba.set_num_threads(branch.threads)
    (process_parallel if parallel else process_serial)(
        flat.net,
        problem.spec,
        problem.grid,
        firsts,
        lasts,
        bounds,
        opens,
        logs,
        points,
        SLOPE_STEPS,
        results,
        bests,
    )
    nearest = int(bests.argmin())
    branch.candidate = (float(bests[nearest]), points[nearest])
    branch.bounded += int(results[:, 3].sum())
    for k, node in enumerate(batch):
        status, axis, used = int(results[k, 0]), int(results[k, 1]), int(results[k, 2])
        branch.tree.logs[node.number] = logs[k, :used].copy()
        volume = node.volume * _decided_share(node, firsts[k], lasts[k], problem.grid.step)
        branch.decided += node.volume - volume
        if status == CLOSED:
            branch.leaves += 1
            branch.decided += volume
        elif status == EXHAUSTED:
            branch.stuck = "rounding: a box as small as the grid could not be decided"
        elif status == OUT_OF_RANGE:
            branch.stuck = "rounding: a bound left the range in which error terms are sound"
        else:
            _split(branch, node.number, axis, firsts[k], lasts[k], bounds[k].copy(), opens[k], volume)


def _split(
    branch: Branch,
    number: int,
    axis: int,
    first: np.ndarray,
    last: np.ndarray,
    bounds: np.ndarray,
    is_open: np.ndarray,
    volume: float,
) -> None:
    middle = (int(first[axis]) + int(last[axis])) >> 1
    share = (middle - int(first[axis])) / (int(last[axis]) - int(first[axis]))
    below, above = last.copy(), first.copy()
    below[axis] = middle
    above[axis] = middle
    children = (branch.tree.new_node(), branch.tree.new_node())
    branch.tree.axes[number] = axis
    branch.tree.coordinates[number] = middle
    branch.tree.children[number] = children
    branch.stack.append(
        _Open(children[1], above, last.copy(), bounds, is_open.copy(), volume * (1.0 - share))
    )
    branch.stack.append(_Open(children[0], first.copy(), below, bounds, is_open.copy(), volume * share))


def run_until(branch: Branch, budget: Budget, on_batch: Callable[[Branch], bool]) -> str:
    """Advance until the tree is finished, the budget is spent or ``on_batch`` says stop.

    Returns:
        "" when finished, "stopped" when ``on_batch`` returned true, else the reason for giving up.
    """
    while branch.stack and not branch.stuck:
        if monotonic() > budget.deadline:
            return "timeout"
        if branch.open_bytes > budget.memory:
            return "memory: the open boxes reached the limit"
        advance(branch)
        if on_batch(branch):
            return "stopped"
    return branch.stuck
