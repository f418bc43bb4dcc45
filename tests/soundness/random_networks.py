"""Random networks in normal form, exactly: what the bounds are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hybrid_ai.network import Block, Stage, StagedNetwork, exact
from tests.differential.program import Affine, Kink, Program, Step

Weight = Callable[[np.random.Generator], Fraction]
Matrix = Sequence[Sequence[Fraction]]


def _of_double(value: float) -> Fraction:
    return Fraction(float(value))


def _cancelling(rng: np.random.Generator) -> Fraction:
    return _of_double(rng.choice([1e16, -1e16, 1.0, rng.normal()], p=[0.05, 0.05, 0.3, 0.6]))


# Each draws one weight or bias; the names are those of the test cases.
WEIGHTS: Mapping[str, Weight] = {
    "normal": lambda rng: _of_double(rng.normal()),
    "eighths": lambda rng: Fraction(int(rng.integers(-10, 11)), 8),
    "thirds": lambda rng: Fraction(int(rng.integers(-9, 10)), 3),
    "sevenths of float32": lambda rng: _of_double(float(np.float32(rng.normal()))) / 7,
    "cancelling": _cancelling,
    "huge and tiny": lambda rng: _of_double(rng.normal() * 10.0 ** rng.integers(-9, 6)),
    "subnormal": lambda rng: _of_double(rng.choice([5e-324, -1e-310, 1.0, -0.5, rng.normal()])),
}


@dataclass(frozen=True)
class Drawn:
    """A network, and a box of exact rationals."""

    staged: StagedNetwork
    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]


def stage(kind: str, matrices: Mapping[int, Matrix], bias: Sequence[Fraction]) -> Stage:
    """A stage from dense exact matrices by source group."""
    blocks, weights = [], []
    for source, matrix in sorted(matrices.items()):
        entries = exact.settle(np.array([[Fraction(w) for w in row] for row in matrix], dtype=object))
        blocks.append(Block(source, exact.nearest(entries)))
        weights.append(entries)
    offsets = exact.settle(np.array([Fraction(b) for b in bias], dtype=object))
    return Stage(kind, tuple(blocks), exact.nearest(offsets), tuple(weights), offsets)  # type: ignore[arg-type]


def network(n_inputs: int, *stages: Stage) -> StagedNetwork:
    """The network whose output is its last stage."""
    return StagedNetwork(n_inputs, stages, len(stages), (n_inputs, *(s.size for s in stages)))


def draw(
    rng: np.random.Generator,
    weight: Weight,
    most_inputs: int = 4,
    most_width: int = 5,
    *,
    chain: bool = False,
) -> Drawn:
    """A network of 1 to 5 stages of both kinds, with one to three source groups each, and a box.

    chain: each stage reads the group before it only.
    """
    inputs = int(rng.integers(1, most_inputs + 1))
    sizes, stages = [inputs], []
    for k in range(int(rng.integers(1, 6))):
        size = int(rng.integers(1, most_width + 1))
        earlier = rng.permutation(k + 1)[: int(rng.integers(1, 4))]
        sources = {k, *earlier.tolist()} if rng.random() < 0.8 else {int(rng.integers(k + 1))}
        sources = {k} if chain else sources
        matrices = {s: [[weight(rng) for _ in range(sizes[s])] for _ in range(size)] for s in sources}
        kind = "relu" if rng.random() < 0.7 else "linear"
        stages.append(stage(kind, matrices, [weight(rng) for _ in range(size)]))
        sizes.append(size)
    return Drawn(network(inputs, *stages), *_box(rng, inputs))


def _box(rng: np.random.Generator, inputs: int) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    lower, upper = [], []
    unit = Fraction(1, int(rng.choice([1, 3, 10, 7, 1 << 40])))
    for _ in range(inputs):
        low = unit * int(rng.integers(-10, 10))
        width = unit * int(rng.integers(1, 20)) * int(rng.random() < 0.85)  # now and then pinned
        lower.append(low)
        upper.append(low + width)
    return tuple(lower), tuple(upper)


def point(rng: np.random.Generator, drawn: Drawn) -> list[Fraction]:
    """A rational point of the box, often on its boundary."""
    shares = [Fraction(int(rng.choice([0, 7, int(rng.integers(8))])), 7) for _ in drawn.lower]
    return [low + t * (high - low) for t, low, high in zip(shares, drawn.lower, drawn.upper, strict=True)]


def pre_activations(staged: StagedNetwork, x: Sequence[Fraction]) -> tuple[list[Fraction], list[Fraction]]:
    """Pre-activation and output of every element of every group, exactly (the input's are the input)."""
    outputs, before, after = [list(x)], list(x), list(x)
    for k, part in enumerate(staged.stages, start=1):
        held = staged.stage_exact(k)
        z = list(held.bias)
        for block in held.blocks:
            for i in range(part.size):
                z[i] += sum(block.entry(i, j) * v for j, v in enumerate(outputs[block.source]))
        outputs.append([max(v, Fraction(0)) for v in z] if part.kind == "relu" else z)
        before += z
        after += outputs[-1]
    return before, after


def program(staged: StagedNetwork) -> tuple[Program, list[int]]:
    """The same function for the exact oracle, and the number of its value at each position."""
    steps: list[Step] = []
    places = [list(range(1, staged.n_inputs + 1))]
    used = 1 + staged.n_inputs
    for k, part in enumerate(staged.stages, start=1):
        held = staged.stage_exact(k)
        rows = []
        for i in range(part.size):
            terms = [(0, held.bias[i])]
            for block in held.blocks:
                terms += [(p, block.entry(i, j)) for j, p in enumerate(places[block.source])]
            rows.append(tuple((index, c) for index, c in terms if c))
        steps.append(Affine(tuple(rows)))
        places.append(list(range(used, used + part.size)))
        used += part.size
        if part.kind == "relu":
            steps += [Kink(p, Fraction(0), Fraction(0), Fraction(1)) for p in places[-1]]
    return Program(staged.n_inputs, tuple(steps), tuple(places[-1])), [p for group in places for p in group]
