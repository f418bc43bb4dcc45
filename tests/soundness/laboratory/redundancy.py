"""Families about redundancy: duplicated, permuted, scaled and dead neurons, kinks of LeakyRelu and Clip."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.soundness.laboratory.case import Case, make, prop
from tests.soundness.laboratory.graph import Graph, f32

LONG_ONE = "1.00000000000000001"  # one in float64


def redundant() -> Iterator[Case]:
    """Duplicated, permuted, scaled and dead neurons; LeakyRelu and Clip at their kinks."""
    family = "redundant"
    yield from _copies(family)
    yield from _residues(family)
    for k in (40, 100):
        graph = Graph(1)
        scaled = graph.gemm(graph.relu(graph.gemm("x", [[2.0**k]], [-(2.0 ** (k - 1))])), [[2.0**-k]])
        y = graph.subtract(scaled, graph.relu(graph.gemm("x", [[1.0]], [-0.5])))
        yield make(
            f"neuron scaled by 2^{k}",
            family,
            graph.model(y),
            prop([(0, 1)], "(< Y_0 0)"),
            "y = 2^-k relu(2^k (x - 1/2)) - relu(x - 1/2) = 0",
        )
    graph = Graph(1)
    dead = graph.model(graph.multiply(graph.relu(graph.add("x", -1.0)), 2.0**90))
    yield make(
        "dead neuron with a large weight",
        family,
        dead,
        prop([(0, 1)], "(>= Y_0 1)"),
        "y = 2^90 relu(x - 1) = 0",
    )
    yield make(
        "nearly dead neuron",
        family,
        dead,
        prop([(0, "1.000000000000000000000001")], "(>= Y_0 1)"),
        "y = 2^90 relu(x - 1), above 1000 where x is 1e-24 above one",
        at=["1.000000000000000000000001"],
    )
    slope = f32(0.1)
    for unsafe, at in (("(< Y_0 0)", None), ("(<= Y_0 0)", [-0.5])):
        graph = Graph(1)
        y = graph.subtract(graph.leaky("x", slope), graph.multiply("x", slope))
        yield make(
            f"LeakyRelu below its kink, {unsafe}",
            family,
            graph.model(y),
            prop([(-1, 0)], unsafe),
            "y = 0",
            at=at,
            at32=((-0.5,), "forward") if at else None,
        )
    graph = Graph(1)
    y = graph.multiply(graph.leaky(graph.leaky("x", -1.0), f32(0.3)), 2.0**70)
    yield make(
        "LeakyRelu of slope -1 in a sliver",
        family,
        graph.model(y),
        prop([("-0.00000000000000000001", "0.00000000000000000001")], "(<= Y_0 -0.001)"),
        "y = 2^70 |x|",
    )
    graph = Graph(1)
    y = graph.multiply(graph.leaky("x", 2.0), 2.0**60)
    yield make(
        "LeakyRelu of slope 2 in a sliver",
        family,
        graph.model(y),
        prop([("-0.00000000000000000001", 1)], "(<= Y_0 -0.02)"),
        "y = 2^61 x below zero, down to -0.023",
        at=["-0.00000000000000000001"],
        at32=((f32(-1e-20),), "forward"),
    )
    for name, high in (("at", "1"), ("beyond", LONG_ONE)):
        graph = Graph(1)
        y = graph.multiply(graph.subtract("x", graph.clip("x", -1.0, 1.0)), 2.0**60)
        yield make(
            f"Clip {name} its limit",
            family,
            graph.model(y),
            prop([(-1, high)], "(>= Y_0 1)"),
            "y = 2^60 (x - clip(x)), zero up to one, 11 at 1e-17 above it",
            at=[high] if name == "beyond" else None,
        )
    graph = Graph(1)
    y = graph.add(graph.clip(graph.clip("x", 0.5, 0.5), 0.0, 1.0), -0.5)
    yield make("Clip to a point", family, graph.model(y), prop([(-1, 1)], "(> Y_0 0)"), "y = 0")
    graph = Graph(1)
    y = graph.add(graph.clip("x", 0.25, -0.25), 1.0)
    yield make(
        "Clip with its limits exchanged",
        family,
        graph.model(y),
        prop([(-1, 1)], "(>= Y_0 1)"),
        "ONNX: y = -0.25 + 1",
        safe32=True,
    )


def _copies(family: str) -> Iterator[Case]:
    """A layer less a permuted copy of itself."""
    rng = np.random.default_rng(7)
    half = rng.normal(size=(5, 2)).astype(np.float32)
    weights = rng.normal(size=5).astype(np.float32)
    order = rng.permutation(5)
    graph = Graph(2)
    h = graph.relu(graph.gemm("x", [*half.tolist(), *half[order].tolist()], [0.125] * 10))
    model = graph.model(graph.gemm(h, [[*weights.tolist(), *(-weights[order]).tolist()]]))
    box = [(-1, 1)] * 2
    for unsafe, at in (("(< Y_0 0)", None), ("(<= Y_0 0)", [0, 0]), ("(<= Y_0 -0.000000001)", None)):
        yield make(
            f"permuted copy {unsafe}",
            family,
            model,
            prop(list(box), unsafe),
            "y = 0: equal neurons cancel",
            at=at,
            at32=((1.0, 1.0), "backward"),
        )


def _residues(family: str) -> Iterator[Case]:
    """Constant neurons less a permuted copy: float64 leaves a residue of either sign."""
    for seed in (1, 2, 3, 4):
        rng = np.random.default_rng(seed)
        values = (rng.random(12) * 2.0 ** rng.integers(0, 30, 12)).astype(np.float32)
        weights = rng.normal(size=12).astype(np.float32)
        order = rng.permutation(12)
        graph = Graph(1)
        h = graph.relu(graph.gemm("x", [[0.0]] * 24, [*values.tolist(), *values[order].tolist()]))
        row = [*weights.tolist(), *(-weights[order]).tolist()]
        residue = 0.0
        for w, v in zip(row, [*values.tolist(), *values[order].tolist()], strict=True):
            residue += w * v
        z = graph.gemm(h, [row])
        unsafe = "(<= Y_0 0)" if residue > 0 else "(>= Y_0 0)"
        yield make(
            f"residue of constants, {seed}",
            family,
            graph.model(z),
            prop([(0, 1)], unsafe),
            "y = sum of w v less the same in another order = 0",
            at=[0],
            at32=((0.0,), "forward" if seed % 2 else "backward"),
        )
