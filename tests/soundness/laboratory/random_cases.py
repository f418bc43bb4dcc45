"""Random cases: a small host network with a gadget of a family, and a threshold next to its optimum.

The truths are found, not known: over the reals by exact enumeration, in float32 by trying executions.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from tests.soundness.laboratory.case import Case, Number, Witness32, decimal, prop
from tests.soundness.laboratory.executions import NAMES, execute, to_float32, violates
from tests.soundness.laboratory.graph import Graph, f32
from tests.soundness.laboratory.steps import read
from tests.soundness.laboratory.sums import absorbing_sum
from tests.soundness.laboratory.truth import extremes, form, holds_in_float32, unsafe_point

GAPS = ("0", "0", "1e-18", "1e-9", "0.001", "0.25")
BOXES: tuple[tuple[Number, Number], ...] = (
    (0, 1), (-1, 1), ("0.1", "0.3"), ("0.7", "0.7"), (1, "1.00000000000000000001"), (-0.25, 2.0**-30),
)  # fmt: skip

Gadget = Callable[[np.random.Generator, Graph, str], str]


def _exponent(rng: np.random.Generator) -> float:
    return float(2.0 ** rng.integers(10, 64))


def _cancelling(rng: np.random.Generator, graph: Graph, source: str) -> str:
    return absorbing_sum(graph, graph.relu(source), _exponent(rng))


def _difference(rng: np.random.Generator, graph: Graph, source: str) -> str:
    large = _exponent(rng)
    above = graph.gemm(graph.relu(graph.add(source, large)), [[1.0]], [-large])
    return graph.subtract(above, source)


def _permuted(rng: np.random.Generator, graph: Graph, source: str) -> str:
    weights = np.concatenate([rng.integers(-8, 9, 4) / 8, [_exponent(rng)]])
    weights = np.concatenate([weights, [-weights[-1]]])
    copies = graph.relu(graph.gemm(source, [[1.0]] * len(weights)))
    rows = [weights[rng.permutation(len(weights))].tolist() for _ in range(2)]
    return graph.gemm(graph.gemm(copies, rows), [[1.0, -1.0]])


def _enlarged(rng: np.random.Generator, graph: Graph, source: str) -> str:
    scale = _exponent(rng)
    h = graph.relu(graph.gemm(source, [[1 / scale]], [1.0]))
    return graph.gemm(h, [[scale]], [-scale])


def _folding(rng: np.random.Generator, graph: Graph, source: str) -> str:
    factors = [f32(v) for v in rng.uniform(0.5, 3.0, 3)]
    z = source
    for factor in factors:
        z = graph.multiply(z, factor)
    for factor in factors:
        z = graph.divide(z, factor)
    return graph.multiply(graph.subtract(z, source), _exponent(rng))


def _chained(rng: np.random.Generator, graph: Graph, source: str) -> str:
    exponents = rng.integers(-60, 61, 4).tolist()
    z = source
    for e in [*exponents, -sum(exponents[:2]), -sum(exponents[2:])]:
        z = graph.leaky(graph.multiply(z, 2.0**e), 0.5) if rng.random() < 0.3 else graph.multiply(z, 2.0**e)
    return z


def _clipped(rng: np.random.Generator, graph: Graph, source: str) -> str:
    z = graph.subtract(source, graph.clip(source, -0.5, 0.5))
    return graph.multiply(z, _exponent(rng))


GADGETS: tuple[Gadget, ...] = (
    _cancelling, _difference, _permuted, _enlarged, _folding, _chained, _clipped,
)  # fmt: skip


def random_case(seed: int) -> Case:
    """The case with this number."""
    rng = np.random.default_rng([20, seed])
    inputs = int(rng.integers(1, 3))
    box = [BOXES[int(rng.integers(len(BOXES)))] for _ in range(inputs)]
    gadget = GADGETS[seed % len(GADGETS)]
    model = _model(rng, inputs, gadget)
    text = _property(rng, model, box)
    witness = unsafe_point(read(model), text)
    witness32 = _witness32(model, text)
    safe32 = witness32 is None and holds_in_float32(read(model), text)
    return Case(
        f"random {seed}", gadget.__name__.strip("_"), model, text,
        "holds" if witness is None else "fails",
        "fails" if witness32 is not None else "holds" if safe32 else "either",
        "the truths were found by enumeration and by trying executions", witness, witness32,
    )  # fmt: skip


def _model(rng: np.random.Generator, inputs: int, gadget: Gadget) -> bytes:
    def eighths(*shape: int) -> list[list[float]]:
        values: list[list[float]] = (rng.integers(-10, 11, shape) / 8).tolist()
        return values

    graph = Graph(inputs)
    width = int(rng.integers(2, 5))
    h = graph.relu(graph.gemm("x", eighths(width, inputs), eighths(1, width)[0]))
    host = graph.gemm(h, eighths(1, width), [0.125])
    result = gadget(rng, graph, host)
    if rng.random() < 0.5:
        result = graph.add(result, host)
    return graph.model(graph.relu(graph.add(result, 0.25)) if rng.random() < 0.5 else result)


def _property(rng: np.random.Generator, model: bytes, box: list[tuple[Number, Number]]) -> str:
    """Unsafe is what reaches the optimum, or a little more or less, rounded to a decimal."""
    low, high = extremes(read(model), prop(box))
    gap = Fraction(str(rng.choice(GAPS))) * int(rng.choice([-1, 1]))
    upward = bool(rng.random() < 0.5)
    at = Fraction(round((high + gap if upward else low + gap) * 10**40), 10**40)
    comparison = str(rng.choice([">=", ">"] if upward else ["<=", "<"]))
    return prop(box, f"({comparison} Y_0 {decimal(at)})")


def _witness32(model: bytes, text: str) -> Witness32 | None:
    (polytope,) = form(text).polytopes
    for share in (Fraction(0), Fraction(1), Fraction(1, 2)):
        exact = [a + share * (b - a) for a, b in zip(polytope.lower, polytope.upper, strict=True)]
        x = tuple(to_float32(value) for value in exact)
        for name in NAMES:
            if violates(text, x, execute(model, x, name)):
                return Witness32(x, name)
    return None
