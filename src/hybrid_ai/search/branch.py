"""Input-split branch and bound over one polytope: a stack of boxes, bounded in batches, recorded as a
tree.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic

import numba
import numpy as np

from hybrid_ai.bounds.flat import FlatNetwork
from hybrid_ai.certificate import Split, SplitNeuron
from hybrid_ai.search.backend import COMPILED, Backend, processing
from hybrid_ai.search.compiled.node import MAX_ROUNDS
from hybrid_ai.search.compiled.records import CLOSED, EXHAUSTED, HOPELESS, OUT_OF_RANGE, Batch, Grid
from hybrid_ai.search.phases import MOST_UNSTABLE, decide_by_phases, unstable_count
from hybrid_ai.search.problem import Problem, batch_size
from hybrid_ai.search.reopen import clear, find, leaves
from hybrid_ai.search.root import Propose, prove_root
from hybrid_ai.search.tree import Tree, root_tree

SERIAL_BELOW = 16
SLOPE_STEPS = 6
NEAR = 1e-9
LEFT_RANGE = "rounding: a bound left the range in which error terms are sound"
SMALLEST_BOX = "rounding: a box as small as the grid could not be decided"
FLOAT32_MARGIN = "float32: the margin is smaller than what rounding may change"
PHASES_AFTER = 256  # boxes: easy problems are done before
PHASES_WAIT = 3
FIRST_WIDE_AXIS = 0x3F  # axes from here on are split with their coordinate written out


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
    assumptions: tuple[tuple[int, bool], ...] = ()
    wait: int = 0  # levels to go before phases are tried again


@dataclass(eq=False)
class Branch:
    """The state of one branch and bound; `advance` runs one batch.

    Attributes:
        tree: what has been decided so far.
        bounded: boxes bounded.
        leaves: leaves of the tree.
        decided: decided share of the volume.
        stuck: reason why the search can't go on, or "".
        candidates: points of the last batch that may violate.
        near: a value this near to a violation, in doubles, is worth a closer look.
        margin: least margin by which a disjunct was closed, in units of its rows.
        penalty: most that float32 executions took off such a margin.
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
    candidates: list[np.ndarray] = field(default_factory=list)
    near: float = NEAR
    margin: float = math.inf
    penalty: float = 0.0

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


def _batch(branch: Branch, nodes: list[_Open]) -> Batch:
    count, inputs = len(nodes), int(branch.flat.size[0])
    return Batch(
        firsts=np.stack([node.first for node in nodes]),
        lasts=np.stack([node.last for node in nodes]),
        bounds=np.stack([node.bounds for node in nodes]),
        opens=np.stack([node.is_open for node in nodes]),
        logs=np.empty((count, _log_length(branch.problem, branch.flat)), np.int32),
        points=np.zeros((count, inputs)),
        results=np.empty((count, 4), np.int64),
        bests=np.empty(count),
        margins=np.full(count, np.inf),
        penalties=np.zeros(count),
    )


def advance(branch: Branch, backend: Backend, deadline: float) -> None:
    """Bound one batch of the newest open boxes; boxes, leaves, stack, tree and candidates are updated.

    Args:
        branch: with at least one open box.
        backend: what bounds the boxes.
        deadline: `time.monotonic` value at which the search ends.
    """
    problem, flat = branch.problem, branch.flat
    kernels = processing(backend, deadline)
    count = min(len(branch.stack), batch_size(flat, kernels.most))
    nodes = [branch.stack.pop() for _ in range(count)]
    batch = _batch(branch, nodes)
    parallel = branch.threads > 1 and count >= SERIAL_BELOW
    if parallel:
        numba.set_num_threads(branch.threads)
    process = kernels.parallel if parallel else kernels.serial
    process(flat.net, problem.spec, problem.grid, batch, SLOPE_STEPS)
    nearest = int(batch.bests.argmin())
    branch.candidates = [batch.points[nearest]] if batch.bests[nearest] <= branch.near else []
    branch.bounded += int(batch.results[:, 3].sum())
    branch.margin = min(branch.margin, float(batch.margins.min()))
    branch.penalty = max(branch.penalty, float(batch.penalties.max()))
    for k, node in enumerate(nodes):
        _settle(branch, node, batch, k, deadline, with_phases=kernels is COMPILED)


def _settle(branch: Branch, node: _Open, batch: Batch, k: int, deadline: float, *, with_phases: bool) -> None:
    """Record what box ``k`` of a batch came to; where it is open, decide it by phases or split it."""
    status, position, used = (int(value) for value in batch.results[k, :3])
    branch.tree.logs[node.number] = batch.logs[k, :used].copy()
    first, last = batch.firsts[k], batch.lasts[k]
    volume = node.volume * _decided_share(node, first, last, branch.problem.grid.step)
    branch.decided += node.volume - volume
    if status == CLOSED:
        branch.leaves += 1
        branch.decided += volume
        return
    if status == OUT_OF_RANGE:
        _give_up(branch, LEFT_RANGE, _middle(branch.problem.grid, first, last))
        return
    if status == HOPELESS:
        _give_up(branch, FLOAT32_MARGIN, batch.points[k])
        return
    bounds, is_open = batch.bounds[k].copy(), batch.opens[k]
    node = replace(node, first=first, last=last, bounds=bounds, is_open=is_open, volume=volume)
    in_time = monotonic() < deadline  # a batch of boxes decided by phases may take a minute
    if with_phases and in_time and _worth_phases(branch, node, status == EXHAUSTED):
        if _decide_by_phases(branch, node):
            return
        node = replace(node, wait=PHASES_WAIT)
    elif node.wait > 0:
        node = replace(node, wait=node.wait - 1)
    if status == EXHAUSTED and not in_time:
        branch.stuck = "timeout"
    elif status == EXHAUSTED:
        _give_up(branch, SMALLEST_BOX, _middle(branch.problem.grid, first, last))
    elif position < int(branch.flat.size[0]):
        _split_axis(branch, node, position)
    else:
        _split_neuron(branch, node, position)


def _give_up(branch: Branch, reason: str, point: np.ndarray) -> None:
    """End the search for a reason; the point is worth a last look, whatever its value in doubles."""
    branch.stuck = reason
    branch.candidates.append(point)
    branch.near = math.inf


def _middle(grid: Grid, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    inner = np.clip(0.5 * (first + last) * grid.step, grid.lower, grid.upper)
    return np.asarray(np.where(grid.step > 0.0, inner, 0.5 * (grid.lower + grid.upper)))


def _worth_phases(branch: Branch, node: _Open, last_chance: bool) -> bool:
    """Whether splitting on phases may close a box: few unstable neurons, and not tried just above."""
    if unstable_count(branch.flat, node.bounds) > MOST_UNSTABLE:
        return False
    return last_chance or (branch.bounded >= PHASES_AFTER and node.wait == 0)


def _decide_by_phases(branch: Branch, node: _Open) -> bool:
    """Try to close a box by splits on phases; true when it is closed."""
    attempt = decide_by_phases(
        branch.problem, branch.flat, node.first, node.last, node.bounds, node.is_open, node.assumptions
    )
    branch.bounded += attempt.bounded
    branch.candidates += attempt.points
    if attempt.tree is None:
        return False
    branch.leaves += branch.tree.graft(node.number, attempt.tree, branch.flat)
    branch.decided += node.volume
    return True


def _push(branch: Branch, parent: int, split: Split | SplitNeuron, children: tuple[_Open, _Open]) -> None:
    branch.tree.splits[parent] = split
    branch.tree.children[parent] = (children[0].number, children[1].number)
    branch.stack += [children[1], children[0]]


def _split_axis(branch: Branch, node: _Open, axis: int) -> None:
    """Halve the box on an input axis; both halves inherit the same bounds."""
    first, last = int(node.first[axis]), int(node.last[axis])
    middle = (first + last) >> 1
    share = (middle - first) / (last - first)
    below, above = node.last.copy(), node.first.copy()
    below[axis] = middle
    above[axis] = middle
    new_node = branch.tree.new_node
    children = (
        replace(node, number=new_node(), last=below, is_open=node.is_open.copy(), volume=node.volume * share),
        replace(node, number=new_node(), first=above, volume=node.volume * (1.0 - share)),
    )
    _push(branch, node.number, Split(axis, None if axis < FIRST_WIDE_AXIS else middle), children)


def _split_neuron(branch: Branch, node: _Open, position: int) -> None:
    """Fix the phase of the neuron at a position: off in the first child, on in the second."""
    off, on = node.bounds.copy(), node.bounds
    off[1, position] = 0.0
    on[0, position] = 0.0
    new_node = branch.tree.new_node
    children = (
        replace(
            node,
            number=new_node(),
            bounds=off,
            is_open=node.is_open.copy(),
            volume=0.5 * node.volume,
            assumptions=(*node.assumptions, (position, False)),
        ),
        replace(
            node,
            number=new_node(),
            bounds=on,
            volume=0.5 * node.volume,
            assumptions=(*node.assumptions, (position, True)),
        ),
    )
    _push(branch, node.number, SplitNeuron(int(branch.flat.neuron[position])), children)


def reopen(branch: Branch, preorder: int) -> bool:
    """Split a node of a finished tree whose closing the checker did not see, and open its halves.

    Returns:
        False where its box is too small to be split.

    Raises:
        IndexError: the tree has no node of that number.
    """
    place = find(branch.problem, branch.flat, branch.tree, preorder)
    wide = np.where(
        branch.problem.grid.step > 0.0, (place.last - place.first) * branch.problem.grid.step, 0.0
    )
    axis = int(np.argmax(wide))
    if wide[axis] <= 0.0 or place.last[axis] - place.first[axis] < 2:
        return False
    clear(branch.tree, place.number)
    bounds = np.empty((2, branch.flat.total))
    bounds[0], bounds[1] = -np.inf, np.inf
    for position, on in place.assumptions:
        bounds[0 if on else 1, position] = 0.0
    node = _Open(place.number, place.first, place.last, bounds, place.is_open, 0.0, place.assumptions)
    _split_axis(branch, node, axis)
    branch.leaves = leaves(branch.tree) - 2
    return True


def try_hints(branch: Branch, propose: Propose, deadline: float) -> bool:
    """Close the root by proposed slopes, in place of what is known of the tree; true when it is finished.

    Raises:
        NoHints, BadHints: from ``propose``.
    """
    branch.bounded += 1
    proof = prove_root(branch.problem, branch.flat, propose, deadline)
    if proof is None:
        return False
    branch.tree, branch.stack, branch.stuck = root_tree(proof.steps), [], ""
    branch.leaves, branch.decided = 1, 1.0
    branch.margin, branch.penalty = proof.margin, proof.penalty
    return True


def run_until(
    branch: Branch, budget: Budget, on_batch: Callable[[Branch], bool], backend: Backend = "compiled"
) -> str:
    """Advance until the tree is finished, the budget is spent or ``on_batch`` says stop.

    Returns:
        "" when finished, "stopped" when ``on_batch`` returned true, else the reason for giving up.
    """
    while branch.stack and not branch.stuck:
        if monotonic() > budget.deadline:
            return "timeout"
        if branch.open_bytes > budget.memory:
            return "memory: the open boxes reached the limit"
        advance(branch, backend, budget.deadline)
        if on_batch(branch):
            return "stopped"
    return branch.stuck
