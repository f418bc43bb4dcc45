"""Random and hard affine blocks, with inputs, and the worst error over their evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tests.soundness.float32.block_error import (
    Block,
    Contraction,
    Kind,
    Operation,
    Part,
    block_form,
    error_bound,
)
from tests.soundness.float32.enumeration import Freedom, block_values

KINDS: tuple[Kind, ...] = ("add", "sub", "rsub", "mul", "div")
Number = Callable[[np.random.Generator], float]


def single(value: float) -> float:
    return float(np.float32(value))


@dataclass(frozen=True)
class Case:
    """A block and float32 inputs."""

    block: Block
    inputs: tuple[float, ...]


@dataclass(frozen=True)
class Worst:
    """The largest error over all evaluations, the bound, and in how many values evaluations end."""

    error: Fraction
    bound: Fraction
    distinct: int

    @property
    def share(self) -> float:
        return float(self.error / self.bound)


def worst(case: Case, freedom: Freedom, without: Part | None = None) -> Worst:
    """Enumerate the evaluations of a case; the bound (but for a part) takes |inputs| as magnitudes."""
    inputs = [Fraction(x) for x in case.inputs]
    exact = block_form(case.block).value(inputs)
    values = block_values(case.block, case.inputs, freedom)
    ends = (Fraction(float(values[0])), Fraction(float(values[-1])))
    bound = error_bound(block_form(case.block, without), [abs(x) for x in inputs], without)
    return Worst(max(abs(end - exact) for end in ends), bound, values.size)


def _near_tie(rng: np.random.Generator) -> float:
    """Thirteen bits, so that products of two end near the middle of two float32."""
    return single((1 + int(rng.integers(1 << 12)) / (1 << 12)) * rng.choice([-1.0, 1.0]))


def _carrying(rng: np.random.Generator) -> float:
    """One, or a little above half a unit of its last place, which added to one is rounded up."""
    return single(rng.choice([1.0, 2.0**-24 * (1 + 2.0**-10), 1 + 2.0**-23], p=[0.3, 0.5, 0.2]))


def _mixed(rng: np.random.Generator) -> float:
    return single(rng.normal() * 10.0 ** rng.integers(-6, 7))


def _cancelling(rng: np.random.Generator) -> float:
    return single(rng.choice([1e4, -1e4, 1e4 + 2.0**-10, rng.normal()]))


# Each draws a weight, bias, input or constant; the names are those of the test cases.
NUMBERS: Mapping[str, Number] = {
    "normal": lambda rng: single(rng.normal()),
    "cancelling": _cancelling,
    "mixed scales": _mixed,
    "near ties": _near_tie,
    "carrying": _carrying,
}


def _steps(rng: np.random.Generator, number: Number, width: int) -> tuple[Operation, ...]:
    steps = []
    for _ in range(int(rng.choice([0, 1, 2], p=[0.4, 0.4, 0.2]))):
        kind = KINDS[int(rng.integers(len(KINDS)))]
        steps.append(Operation(kind, tuple(number(rng) or 1.0 for _ in range(width))))
    return tuple(steps)


def draw(rng: np.random.Generator, number: Number, most_terms: int) -> Case:
    """A block of one to `most_terms` terms, with chains of up to two operations before and after."""
    n = int(rng.integers(1, most_terms + 1))
    weights = tuple(number(rng) for _ in range(n))
    factors = (number(rng) or 1.0, number(rng) or 1.0) if rng.random() < 0.2 else (1.0, 1.0)
    bias = number(rng) if rng.random() < 0.7 else None
    before, after = _steps(rng, number, n), _steps(rng, number, 1)
    block = Block(before, Contraction(weights, bias, *factors), after)
    return Case(block, tuple(number(rng) for _ in range(n)))


def carries(n: int, leading: float = 1.0) -> tuple[float, ...]:
    """n numbers: from the first one on, each addition is rounded up by almost half a unit."""
    return (leading, *[leading * 2.0**-24 * (1 + 2.0**-10)] * (n - 1))


def product_of_errors(count: int) -> tuple[float, ...]:
    """Factors just above one whose running float32 products are each rounded up by almost half a unit.

    count: of factors, the first one included; at most 8.
    """
    step = 2.0**-23
    factors = [1 + 4097 * step]
    running = np.float32(factors[0])
    for _ in range(count - 1):
        candidates = (1 + np.arange(1, 8192) * step).astype(np.float32)
        exact = candidates.astype(np.float64) * float(running)
        errors = exact.astype(np.float32).astype(np.float64) - exact
        best = int(np.argmax(errors / exact))
        factors.append(float(candidates[best]))
        running = np.float32(exact[best])
    return tuple(factors)
