"""Falsification: sampling and gradient sign, batched in numpy; every candidate is confirmed elsewhere,
exactly.
"""

from dataclasses import dataclass
from time import monotonic

import numpy as np

from hybrid_ai.network import StagedNetwork
from hybrid_ai.search.problem import Problem

SAMPLES = 2000
KEPT_SAMPLES = 100
SAMPLE_STEPS = 40
RESTARTS = 1000
RESTART_STEPS = 100
CORNER_STEPS = 8
DECAY = 0.96
DROP_HALF_AT = (8, 16, 32)
FEWEST_POINTS = 50
PRODUCTS_AT_ONCE = 400_000_000


@dataclass(frozen=True, eq=False)
class Attack:
    """The rows of a polytope in the form the attacks use.

    Attributes:
        staged: the network.
        lower: box, (n_inputs,), and ``upper``.
        inputs: coefficients of each row on the inputs, (R, n_inputs).
        outputs: coefficients of each row on the outputs, (R, n_outputs).
        constants: (R,).
        starts: start of each disjunct's rows, (D + 1,).
    """

    staged: StagedNetwork
    lower: np.ndarray
    upper: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray
    constants: np.ndarray
    starts: np.ndarray


def make_attack(staged: StagedNetwork, problem: Problem, output_slice: slice) -> Attack:
    """Prepare attacks on one polytope; ``output_slice`` selects the output columns of the row table."""
    spec = problem.spec
    outputs = spec.table[:, output_slice].copy()
    if (
        staged.output_group == 0
    ):  # the outputs are the inputs, whose coefficients are merged in the table already
        outputs[:] = 0.0
    return Attack(
        staged,
        problem.grid.lower,
        problem.grid.upper,
        spec.table[:, : staged.n_inputs],
        outputs,
        spec.offsets,
        spec.row_start,
    )


@np.errstate(over="ignore", invalid="ignore")  # no point is taken for a violation without an exact look
def _forward(attack: Attack, x: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    groups = [x]
    for stage in attack.staged.stages:
        z = stage.bias + sum(groups[block.source] @ block.weights.T for block in stage.blocks)
        z = np.broadcast_to(z, (x.shape[0], stage.bias.shape[0]))
        groups.append(np.maximum(z, 0.0) if stage.kind == "relu" else z)
    rows = x @ attack.inputs.T + groups[attack.staged.output_group] @ attack.outputs.T + attack.constants
    return groups, rows


def _values(attack: Attack, rows: np.ndarray) -> np.ndarray:
    """Value of each disjunct at each point: its greatest row; at most zero means violated. (batch, D)."""
    if rows.shape[1] == 0:
        return np.full((rows.shape[0], len(attack.starts) - 1), -np.inf)
    values = np.full((rows.shape[0], len(attack.starts) - 1), -np.inf)
    for d in range(values.shape[1]):
        if attack.starts[d] < attack.starts[d + 1]:
            values[:, d] = rows[:, attack.starts[d] : attack.starts[d + 1]].max(axis=1)
    return values


@np.errstate(over="ignore", invalid="ignore")
def _gradient(attack: Attack, groups: list[np.ndarray], rows: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Gradient, at each point, of the greatest row of the disjunct it aims at. (batch, n_inputs)."""
    chosen = np.empty(rows.shape[0], np.int64)
    for d in np.unique(target):
        first, last = attack.starts[d], attack.starts[d + 1]
        here = target == d
        chosen[here] = first + rows[here, first:last].argmax(axis=1)
    slope: list[np.ndarray | None] = [None] * len(groups)
    slope[0] = attack.inputs[chosen].copy()
    output = attack.staged.output_group
    seed = attack.outputs[chosen]
    slope[output] = seed if output else slope[0] + seed
    for g in range(len(groups) - 1, 0, -1):
        back = slope[g]
        if back is None:
            continue
        stage = attack.staged.stages[g - 1]
        if stage.kind == "relu":
            back = back * (groups[g] > 0.0)
        for block in stage.blocks:
            more = back @ block.weights
            held = slope[block.source]
            slope[block.source] = more if held is None else held + more
    result = slope[0]
    if result is None:
        raise AssertionError("the input's gradient was set above")
    return result


def _best(x: np.ndarray, values: np.ndarray, count: int) -> list[np.ndarray]:
    worst = values.min(axis=1)
    order = np.argsort(worst, kind="stable")[:count]
    return [x[k].copy() for k in order]


def _affordable(attack: Attack, count: int) -> int:
    """As many of ``count`` points as keep one evaluation of all of them to some tenths of a second."""
    products = sum(block.weights.size for stage in attack.staged.stages for block in stage.blocks)
    return int(min(count, max(FEWEST_POINTS, PRODUCTS_AT_ONCE // max(products, 1))))


def _descend(
    attack: Attack,
    x: np.ndarray,
    target: np.ndarray | None,
    first_step: float,
    steps: int,
    deadline: float,
) -> list[np.ndarray]:
    """Follow the sign of the gradient with a shrinking step, dropping the worst half now and then; the
    best points.
    """
    half = 0.5 * (attack.upper - attack.lower)
    best = np.full(x.shape[0], np.inf)
    best_x = x.copy()
    step = first_step
    for turn in range(steps):
        if turn in DROP_HALF_AT:
            kept = np.argsort(best, kind="stable")[: max(1, x.shape[0] // 2)]
            x, best, best_x = x[kept], best[kept], best_x[kept]
            target = None if target is None else target[kept]
        groups, rows = _forward(attack, x)
        values = _values(attack, rows)
        aim = values.argmin(axis=1) if target is None else target
        worst = values.min(axis=1)
        better = worst < best
        best[better] = worst[better]
        best_x[better] = x[better]
        if best.min() <= 0.0 or monotonic() > deadline:
            break
        gradient = _gradient(attack, groups, rows, aim)
        x = np.clip(x - step * half * np.sign(gradient), attack.lower, attack.upper)
        step *= DECAY
    order = np.argsort(best, kind="stable")[:3]
    return [best_x[k].copy() for k in order]


def value_at(attack: Attack, x: np.ndarray) -> float:
    """Least disjunct value at one point (n_inputs,), in floating point; at most zero suggests a violation."""
    _, rows = _forward(attack, x[None, :])
    return float(_values(attack, rows).min())


def sample_attack(attack: Attack, generator: np.random.Generator) -> list[np.ndarray]:
    """The box's middle and random points of it, the most promising first; all that are kept for a descent."""
    count = _affordable(attack, SAMPLES)
    x = generator.uniform(attack.lower, attack.upper, (count, attack.lower.shape[0]))
    x[0] = 0.5 * (attack.lower + attack.upper)
    _, rows = _forward(attack, x)
    return _best(x, _values(attack, rows), KEPT_SAMPLES)


def descent_attack(
    attack: Attack, samples: list[np.ndarray], generator: np.random.Generator, deadline: float
) -> list[np.ndarray]:
    """Descend from the best samples, then a few steps from random points; the most promising points.

    Args:
        attack: the polytope.
        samples: what `sample_attack` found.
        generator: source of the random points.
        deadline: `time.monotonic` value at which to stop.
    """
    if attack.constants.size == 0:
        return []
    found = _descend(attack, np.array(samples), None, 0.25, SAMPLE_STEPS, deadline)
    if value_at(attack, found[0]) > 0.0:
        found += restart_attack(attack, generator, deadline, CORNER_STEPS)
    return found


def restart_attack(
    attack: Attack, generator: np.random.Generator, deadline: float, steps: int = RESTART_STEPS
) -> list[np.ndarray]:
    """Descend from random points, each aiming at one disjunct; the most promising points.

    The first step is half the box, so that the first few visit corners that descent from good samples never
    reaches.

    Args:
        attack: the polytope.
        generator: source of the starting points.
        deadline: `time.monotonic` value at which to stop.
        steps: steps of each descent.
    """
    count = _affordable(attack, RESTARTS)
    x = generator.uniform(attack.lower, attack.upper, (count, attack.lower.shape[0]))
    if attack.constants.size == 0:
        return [x[0]]
    reachable = [d for d in range(len(attack.starts) - 1) if attack.starts[d] < attack.starts[d + 1]]
    target = np.array(reachable)[np.arange(count) % len(reachable)]
    return _descend(attack, x, target, 1.0, steps, deadline)
