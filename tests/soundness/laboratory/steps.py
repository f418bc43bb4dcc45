"""The laboratory's own reader of ONNX files: straight-line programs over exact rationals.

Independent of the package: nothing is folded, every operation becomes a step of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import onnx
from onnx import numpy_helper

Row = tuple[tuple[int, Fraction], ...]


@dataclass(frozen=True)
class Sum:
    """Append one value: the sum of coefficient times value, in this order; value 0 is the constant one."""

    row: Row


@dataclass(frozen=True)
class Bend:
    """Append at + slope (v - at) with v the value at `index`, slope `below` or `above` the point `at`."""

    index: int
    at: Fraction
    below: Fraction
    above: Fraction


@dataclass(frozen=True)
class Steps:
    """Values are numbered: 0 is one, 1 to n_inputs the inputs, then one per step."""

    n_inputs: int
    steps: tuple[Sum | Bend, ...]
    outputs: tuple[int, ...]


def bent(step: Bend, value: Fraction) -> Fraction:
    past = value - step.at
    return step.at + past * (step.above if past > 0 else step.below)


def run(program: Steps, x: Sequence[Fraction]) -> list[Fraction]:
    """All values at x, exactly."""
    values = [Fraction(1), *x]
    for step in program.steps:
        if isinstance(step, Sum):
            values.append(sum((c * values[i] for i, c in step.row), Fraction(0)))
        else:
            values.append(bent(step, values[step.index]))
    return values


def outputs(program: Steps, x: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """The network's outputs at x, exactly."""
    values = run(program, x)
    return tuple(values[index] for index in program.outputs)


class _Reader:
    """Tensors are lists: of numbers of values, or of exact constants."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.inputs: int = graph.input[0].type.tensor_type.shape.dim[1].dim_value
        self.steps: list[Sum | Bend] = []
        self.constants: dict[str, Any] = {c.name: numpy_helper.to_array(c) for c in graph.initializer}
        self.tensors: dict[str, list[int]] = {"x": list(range(1, self.inputs + 1))}
        readers = {
            "Add": self.add, "Clip": self.clip, "Concat": self.concat, "Div": self.div, "Gemm": self.gemm,
            "LeakyRelu": self.leakyrelu, "MatMul": self.matmul, "Mul": self.mul, "Relu": self.relu,
            "Sub": self.sub,
        }  # fmt: skip
        for node in graph.node:
            self.tensors[node.output[0]] = readers[node.op_type](node)

    def append(self, step: Sum | Bend) -> int:
        self.steps.append(step)
        return self.inputs + len(self.steps)

    def sums(self, rows: Sequence[Sequence[tuple[int, Fraction]]]) -> list[int]:
        return [self.append(Sum(tuple((i, c) for i, c in row if c))) for row in rows]

    def numbers(self, name: str, size: int) -> list[Fraction]:
        values = [Fraction(float(value)) for value in self.constants[name].ravel()]
        return values * size if len(values) == 1 else values

    def gemm(self, node: onnx.NodeProto) -> list[int]:
        alpha, beta = _attribute(node, "alpha", 1.0), _attribute(node, "beta", 1.0)
        source, weights = self.tensors[node.input[0]], self.constants[node.input[1]]
        rows: list[list[tuple[int, Fraction]]] = [
            [(i, Fraction(float(w)) * alpha) for i, w in zip(source, row, strict=True)] for row in weights
        ]
        if len(node.input) > 2:
            for row, b in zip(rows, self.numbers(node.input[2], len(rows)), strict=True):
                row.append((0, b * beta))
        return self.sums(rows)

    def matmul(self, node: onnx.NodeProto) -> list[int]:
        source, weights = self.tensors[node.input[0]], self.constants[node.input[1]].T
        return self.sums(
            [[(i, Fraction(float(w))) for i, w in zip(source, row, strict=True)] for row in weights]
        )

    def add(self, node: onnx.NodeProto, sign: int = 1) -> list[int]:
        left = self.tensors[node.input[0]]
        one = Fraction(1)
        if node.input[1] in self.tensors:
            right = self.tensors[node.input[1]]
            return self.sums([[(i, one), (j, one * sign)] for i, j in zip(left, right, strict=True)])
        numbers = self.numbers(node.input[1], len(left))
        return self.sums([[(i, one), (0, c * sign)] for i, c in zip(left, numbers, strict=True)])

    def sub(self, node: onnx.NodeProto) -> list[int]:
        return self.add(node, -1)

    def mul(self, node: onnx.NodeProto) -> list[int]:
        left = self.tensors[node.input[0]]
        return self.sums(
            [[(i, c)] for i, c in zip(left, self.numbers(node.input[1], len(left)), strict=True)]
        )

    def div(self, node: onnx.NodeProto) -> list[int]:
        left = self.tensors[node.input[0]]
        return self.sums(
            [[(i, 1 / c)] for i, c in zip(left, self.numbers(node.input[1], len(left)), strict=True)]
        )

    def bends(self, source: list[int], at: Fraction, below: Fraction, above: Fraction) -> list[int]:
        return [self.append(Bend(i, at, below, above)) for i in source]

    def relu(self, node: onnx.NodeProto) -> list[int]:
        return self.bends(self.tensors[node.input[0]], Fraction(0), Fraction(0), Fraction(1))

    def leakyrelu(self, node: onnx.NodeProto) -> list[int]:
        alpha = _attribute(node, "alpha", 0.01)
        return self.bends(self.tensors[node.input[0]], Fraction(0), alpha, Fraction(1))

    def clip(self, node: onnx.NodeProto) -> list[int]:
        (low,), (high,) = self.numbers(node.input[1], 1), self.numbers(node.input[2], 1)
        if low > high:  # ONNX: the upper limit wins
            return self.sums([[(0, high)] for _ in self.tensors[node.input[0]]])
        p = self.bends(self.tensors[node.input[0]], low, Fraction(0), Fraction(1))
        return self.bends(p, high, Fraction(1), Fraction(0))

    def concat(self, node: onnx.NodeProto) -> list[int]:
        return [index for name in node.input for index in self.tensors[name]]


def _attribute(node: onnx.NodeProto, name: str, default: float) -> Fraction:
    """The exact value of a float32 attribute."""
    return next((Fraction(a.f) for a in node.attribute if a.name == name), Fraction(default))


def read(model: bytes) -> Steps:
    """The program of an ONNX file made by this laboratory (only its operations, "y" is the output)."""
    reader = _Reader(onnx.load_model_from_string(model).graph)
    return Steps(reader.inputs, tuple(reader.steps), tuple(reader.tensors["y"]))
