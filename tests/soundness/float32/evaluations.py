"""Points of a network's box, and every evaluation of this folder at one of them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from tests.soundness.float32.adversary import settings
from tests.soundness.float32.arithmetic import Singles
from tests.soundness.float32.evaluator import Tensors, evaluate
from tests.soundness.float32.networks import Network
from tests.soundness.float32.program import Program
from tests.soundness.float32.runtimes import SETTINGS, run_onnxruntime

Point = tuple[Fraction, ...]


def points(rng: np.random.Generator, network: Network, count: int) -> Iterator[Point]:
    for _ in range(count):
        shares = [Fraction(int(rng.integers(0, 1001)), 1000) for _ in network.lower]
        ends = zip(shares, network.lower, network.upper, strict=True)
        yield tuple(low + t * (high - low) for t, low, high in ends)


def read(point: Point) -> Singles:
    """Return what a network reads; the doubles between are no midpoints of two float32."""
    return np.array([float(x) for x in point]).astype(np.float32)


def evaluations(network: Network, program: Program, x: Singles) -> Iterator[tuple[object, Tensors]]:
    """Yield every execution of this folder and every setting of ONNX Runtime, also with all tensors kept."""
    for execution in settings():
        yield execution, evaluate(program, x, execution)
    for setting in SETTINGS:
        (only,) = run_onnxruntime(network.data, x, setting).values()
        yield setting, {program.output: only}
    observed = [n.output for n in program.nodes if n.output != program.output]
    yield "observed", run_onnxruntime(network.data, x, SETTINGS[0], observed)
