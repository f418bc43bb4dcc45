"""A writer of small ONNX files: every method appends one operation and returns the name of its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

Numbers = float | Sequence[float] | Sequence[Sequence[float]]


def f32(value: float) -> float:
    """The float32 number nearest to a double."""
    return float(np.float32(value))


class Graph:
    """Operations on row vectors of float32, from the input "x"; every constant must be a float32 number."""

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def gemm(
        self,
        source: str,
        weights: Sequence[Sequence[float]],
        bias: Sequence[float] | None = None,
        **attributes: float,
    ) -> str:
        """weights (outputs, inputs)."""
        names = [source, self._constant(weights)] + ([] if bias is None else [self._constant(bias)])
        return self._append("Gemm", names, transB=1, **attributes)

    def matmul(self, source: str, weights: Sequence[Sequence[float]]) -> str:
        """weights (outputs, inputs), stored transposed."""
        return self._append("MatMul", [source, self._constant(np.transpose(np.asarray(weights)).tolist())])

    def relu(self, source: str) -> str:
        return self._append("Relu", [source])

    def leaky(self, source: str, alpha: float) -> str:
        return self._append("LeakyRelu", [source], alpha=alpha)

    def clip(self, source: str, low: float, high: float) -> str:
        return self._append("Clip", [source, self._constant(low), self._constant(high)])

    def add(self, source: str, other: str | Numbers) -> str:
        return self._append("Add", [source, self._operand(other)])

    def subtract(self, source: str, other: str | Numbers) -> str:
        return self._append("Sub", [source, self._operand(other)])

    def multiply(self, source: str, factor: Numbers) -> str:
        return self._append("Mul", [source, self._constant(factor)])

    def divide(self, source: str, divisor: Numbers) -> str:
        return self._append("Div", [source, self._constant(divisor)])

    def concat(self, *sources: str) -> str:
        return self._append("Concat", list(sources), axis=1)

    def model(self, output: str, outputs: int = 1) -> bytes:
        """The file; `output` must be the last operation."""
        if not self._nodes or self._nodes[-1].output[0] != output:
            raise ValueError("the output must be the last operation")
        self._nodes[-1].output[0] = "y"
        graph = helper.make_graph(
            self._nodes,
            "laboratory",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, self.inputs])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, outputs])],
            self._constants,
        )
        message = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return bytes(message.SerializeToString(deterministic=True))

    def _operand(self, other: str | Numbers) -> str:
        return other if isinstance(other, str) else self._constant(other)

    def _constant(self, values: Numbers) -> str:
        wide: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
        narrow = wide.astype(np.float32)
        if not np.array_equal(narrow.astype(np.float64), wide):
            raise ValueError(f"{values} is not of float32")
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(narrow, name))
        return name

    def _append(self, operation: str, inputs: list[str], **attributes: Any) -> str:
        name = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, inputs, [name], f"{operation}_{name}", **attributes))
        return name
