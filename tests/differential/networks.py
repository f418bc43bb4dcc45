"""Random small networks, each as an ONNX file and as a program for the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from tests.differential.program import Affine, Kink, Program, Row, Step

Array = NDArray[np.float32]
STRUCTURES = ("plain", "plain", "plain", "skip", "concat", "leaky", "clip")
WEIGHTS = ("single", "single", "eighths")
MOST_NEURONS = {1: 20, 2: 20, 3: 16, 4: 13}


@dataclass(frozen=True)
class RandomNetwork:
    """An ONNX file, the same function as a program, and how it was made ("skip/eighths")."""

    model: bytes
    program: Program
    kind: str
    neurons: int


@dataclass(frozen=True)
class _Tensor:
    name: str
    indices: tuple[int, ...]  # of the program's values


class _Builder:
    """Writes nodes and steps side by side."""

    def __init__(self, inputs: int) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.steps: list[Step] = []
        self.count = 1 + inputs
        self.neurons = 0

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, operation: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operation, list(inputs), [name], f"{operation}_{name}", **attributes)
        )
        return name

    def append(self, name: str, rows: list[Row]) -> _Tensor:
        self.steps.append(Affine(tuple(rows)))
        self.count += len(rows)
        return _Tensor(name, tuple(range(self.count - len(rows), self.count)))

    def dense(self, source: _Tensor, weights: Array, bias: Array, form: int) -> _Tensor:
        """Weights (outputs, inputs), as Gemm with transB, Gemm, or MatMul and Add."""
        if form == 0:
            name = self.node("Gemm", [source.name, self.constant(weights), self.constant(bias)], transB=1)
        elif form == 1:
            name = self.node("Gemm", [source.name, self.constant(weights.T.copy()), self.constant(bias)])
        else:
            product = self.node("MatMul", [source.name, self.constant(weights.T.copy())])
            name = self.node("Add", [product, self.constant(bias)])
        rows: list[Row] = []
        for weight_row, offset in zip(weights, bias, strict=True):
            pairs = [(0, exact(offset)), *zip(source.indices, map(exact, weight_row), strict=True)]
            rows.append(tuple((index, c) for index, c in pairs if c))
        return self.append(name, rows)

    def kinks(self, z: _Tensor, at: Fraction, below: Fraction, above: Fraction) -> None:
        self.steps += [Kink(index, at, below, above) for index in z.indices]
        self.neurons += len(z.indices)

    def relu(self, z: _Tensor) -> _Tensor:
        self.kinks(z, Fraction(0), Fraction(0), Fraction(1))
        return _Tensor(self.node("Relu", [z.name]), z.indices)

    def leaky(self, z: _Tensor, alpha: np.float32) -> _Tensor:
        self.kinks(z, Fraction(0), exact(alpha), Fraction(1))
        return _Tensor(self.node("LeakyRelu", [z.name], alpha=float(alpha)), z.indices)

    def clip(self, z: _Tensor, low: np.float32, high: np.float32) -> _Tensor:
        self.kinks(z, exact(low), Fraction(0), Fraction(1))
        self.kinks(z, exact(high), Fraction(1), Fraction(0))
        ends = [self.constant(np.array(low)), self.constant(np.array(high))]
        return _Tensor(self.node("Clip", [z.name, *ends]), z.indices)

    def add(self, a: _Tensor, b: _Tensor) -> _Tensor:
        one = Fraction(1)
        rows: list[Row] = [((i, one), (j, one)) for i, j in zip(a.indices, b.indices, strict=True)]
        return self.append(self.node("Add", [a.name, b.name]), rows)

    def concat(self, a: _Tensor, b: _Tensor) -> _Tensor:
        return _Tensor(self.node("Concat", [a.name, b.name], axis=1), a.indices + b.indices)


def exact(value: np.float32) -> Fraction:
    return Fraction(float(value))


def random_network(rng: np.random.Generator) -> RandomNetwork:
    """2 to 4 hidden layers, at least 8 kinks, 1 to 4 inputs and outputs."""
    structure, style = str(rng.choice(STRUCTURES)), str(rng.choice(WEIGHTS))
    inputs, outputs = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    builder = _Builder(inputs)
    x = _Tensor("X", tuple(range(1, inputs + 1)))
    h = x
    widths = _widths(rng, inputs, structure)
    special = int(rng.integers(len(widths)))
    for layer, width in enumerate(widths):
        z = builder.dense(h, *_weights(rng, style, width, len(h.indices)), int(rng.integers(3)))
        if structure == "leaky" and layer >= special:
            new = builder.leaky(z, np.float32(rng.choice([0.125, 0.01, 0.25])))
        elif structure == "clip" and layer == special:
            low, high = (-0.5, 0.75) if style == "eighths" else (-0.3, 0.9)
            new = builder.clip(z, np.float32(low), np.float32(high))
        else:
            new = builder.relu(z)
        if structure == "skip" and layer > 0:
            new = builder.add(new, h)
        elif structure == "concat" and layer == special:
            new = builder.concat(new, x if rng.integers(2) else h)
        h = new
    y = builder.dense(h, *_weights(rng, style, outputs, len(h.indices)), int(rng.integers(3)))
    model = _model(builder, inputs, outputs)
    program = Program(inputs, tuple(builder.steps), y.indices)
    return RandomNetwork(model, program, f"{structure}/{style}", builder.neurons)


def _widths(rng: np.random.Generator, inputs: int, structure: str) -> list[int]:
    most = MOST_NEURONS[inputs]
    layers = int(rng.integers(2, 5))
    if structure == "skip":
        width = int(rng.integers(-(-8 // layers), most // layers + 1))
        return [width] * layers
    total = int(rng.integers(max(8, 2 * layers), most + 1))
    widths = [2] * layers
    for layer in rng.integers(layers, size=total - 2 * layers):
        widths[layer] += 1
    return widths


def _weights(rng: np.random.Generator, style: str, rows: int, columns: int) -> tuple[Array, Array]:
    if style == "eighths":
        weights = rng.integers(-10, 11, (rows, columns)) / 8
        return weights.astype(np.float32), (rng.integers(-8, 9, rows) / 8).astype(np.float32)
    scale = np.sqrt(2.0 / columns)
    return (
        rng.normal(0.0, scale, (rows, columns)).astype(np.float32),
        rng.normal(0.0, 0.4, rows).astype(np.float32),
    )


def _model(builder: _Builder, inputs: int, outputs: int) -> bytes:
    builder.nodes[-1].output[0] = "Y"
    graph = helper.make_graph(
        builder.nodes,
        "random",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, inputs])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [1, outputs])],
        builder.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString(deterministic=True))
