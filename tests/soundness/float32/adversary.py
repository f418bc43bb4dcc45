"""Search for the allowed evaluation that pushes a linear function of the outputs up or down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tests.soundness.float32.arithmetic import Singles
from tests.soundness.float32.evaluator import Tensors, evaluate
from tests.soundness.float32.folding import DENSE, folded
from tests.soundness.float32.program import Program
from tests.soundness.float32.sums import ORDERS, Execution

CONTRACTIONS = ("MatMul", "Gemm", DENSE)


@dataclass(frozen=True)
class Extreme:
    """The most extreme evaluation found: setting, all tensors, and the value of the linear function."""

    execution: Execution
    tensors: Tensors
    value: float


def settings(folding: Sequence[str] = ("none", "earlier"), seeds: int = 2) -> list[Execution]:
    """Return the executions with one order for the whole network, random trees with several seeds."""
    found = []
    for fold in folding:
        for order in ORDERS:
            for seed in range(seeds if order == "random" else 1):
                for fused in (False, True):
                    plain = Execution(order, fused=fused, bias_first=seed % 2 == 0, seed=seed)
                    kept = replace(plain, folding=fold)  # type: ignore[arg-type]
                    found += [kept, replace(kept, flush=True)]
    return found


def extreme(
    program: Program, x: Singles, row: NDArray[np.float64], execution: Execution, rng: np.random.Generator
) -> Extreme:
    """Return the largest value of row . outputs found over the directions of every neuron's sum.

    row: shape (outputs,), its negative minimises. execution: what else is allowed (fused, flush, folding).
    From a random start, each neuron in turn keeps the direction that is best with the others as they are.
    """
    program = program if execution.folding == "none" else folded(program, execution)
    execution = replace(execution, order="directed", folding="none")
    shapes = _contractions(program, x, execution)
    directions = {name: rng.choice([-1, 1], size=shape) for name, shape in shapes.items()}
    best = _evaluated(program, x, row, execution, directions)
    for name, shape in shapes.items():
        for place in np.ndindex(*shape):
            directions[name][place] *= -1
            tried = _evaluated(program, x, row, execution, directions)
            if tried.value > best.value:
                best = tried
            else:
                directions[name][place] *= -1
    return best


def _contractions(program: Program, x: Singles, execution: Execution) -> Mapping[str, tuple[int, ...]]:
    names = [node.output for node in program.nodes if node.op_type in CONTRACTIONS]
    tensors = evaluate(program, x, execution)
    return {name: tensors[name].shape for name in names}


def _evaluated(
    program: Program,
    x: Singles,
    row: NDArray[np.float64],
    execution: Execution,
    directions: Mapping[str, NDArray[np.int64]],
) -> Extreme:
    tensors = evaluate(program, x, execution, directions)
    outputs = tensors[program.output].ravel().astype(np.float64)
    return Extreme(execution, tensors, float(row @ outputs))
