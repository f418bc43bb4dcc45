"""Ways to execute a network in float32, each one that a runtime might choose."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from hybrid_ai.network import run_onnxruntime
from hybrid_ai.spec.property import Atom
from tests.soundness.laboratory.truth import form

Array = NDArray[Any]
SMALLEST_NORMAL = 2.0**-126


@dataclass(frozen=True)
class _Way:
    """order: how products are summed; flush: subnormals become zero; double: everything in float64.

    fold: Gemm's alpha goes into the weights, a Mul or Div after a Mul or Div into one factor.
    """

    order: str = "forward"
    flush: bool = False
    double: bool = False
    fold: bool = False

    def number(self, values: Array) -> Array:
        values = np.asarray(values, np.float64 if self.double else np.float32)
        return np.where(np.abs(values) < SMALLEST_NORMAL, values * 0, values) if self.flush else values

    def total(self, products: Array) -> Array:
        """The sum over the last axis, rounded after every addition."""
        parts = [products[..., k] for k in range(products.shape[-1])]
        if self.order == "backward":
            parts.reverse()
        while self.order == "pairwise" and len(parts) > 1:
            pairs = [self.number(a + b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
            parts = pairs + parts[len(parts) - len(parts) % 2 :]
        result = parts[0]
        for part in parts[1:]:
            result = self.number(result + part)
        return result


EXECUTIONS = {
    "forward": _Way(),
    "backward": _Way("backward"),
    "pairwise": _Way("pairwise"),
    "flushed": _Way(flush=True),
    "folded": _Way(fold=True),
    "double": _Way(double=True),
}
RUNTIMES = {"onnxruntime": True, "onnxruntime unoptimised": False}
NAMES = (*RUNTIMES, *EXECUTIONS)


def execute(model: bytes, x: Sequence[float], name: str) -> list[float]:
    """The outputs, as doubles, of the execution `name` at the float32 numbers x."""
    narrow = np.array(x, np.float32)
    if narrow.astype(np.float64).tolist() != list(x):
        raise ValueError(f"{x} are no float32 numbers")
    if name in RUNTIMES:
        outputs = run_onnxruntime(model, narrow, optimised=RUNTIMES[name])[0]
    else:
        with np.errstate(all="ignore"):  # overflow and underflow are what some cases are about
            outputs = _interpreted(onnx.load_model_from_string(model).graph, narrow, EXECUTIONS[name])
    return [float(value) for value in outputs]


def to_float32(value: Fraction) -> float:
    """The float32 number nearest to an exact one in range, ties to even."""
    guess = np.float32(float(value))
    near = [guess, np.nextafter(guess, np.float32(-np.inf)), np.nextafter(guess, np.float32(np.inf))]
    return float(min(near, key=lambda v: (abs(Fraction(float(v)) - value), int(v.view(np.uint32)) & 1)))


def read_as(text: str, x: Sequence[float]) -> list[Fraction] | None:
    """A point of the input set that the network reads as the float32 numbers x, or None.

    The point of a box nearest to x is read as x if any is; it is tried for the first fitting box.
    """
    for polytope in form(text).polytopes:
        point = [
            min(max(Fraction(v), low), high)
            for low, v, high in zip(polytope.lower, x, polytope.upper, strict=True)
        ]
        rounded = [to_float32(value) for value in point] == list(x)
        if rounded and all(atom.holds(point, []) for atom in polytope.constraints):
            return point
    return None


def violates(text: str, x: Sequence[float], y: Sequence[float]) -> bool:
    """Whether outputs y are unsafe when the network reads the float32 numbers x from the input set."""
    point = read_as(text, x)
    return point is not None and unsafe_outputs(text, point, x, y)


def unsafe_outputs(text: str, point: Sequence[Fraction], x: Sequence[float], y: Sequence[float]) -> bool:
    """Whether outputs y, computed at the float32 numbers x, are unsafe for a point of the input set."""
    return any(
        all(low <= v <= high for low, v, high in zip(polytope.lower, point, polytope.upper, strict=True))
        and all(atom.holds(point, []) for atom in polytope.constraints)
        and any(all(_satisfied(atom, x, y) for atom in rows) for rows in polytope.disjuncts)
        for polytope in form(text).polytopes
    )


def _satisfied(atom: Atom, x: Sequence[float], y: Sequence[float]) -> bool:
    """The atom at float values; infinite outputs decide by sign, undefined ones satisfy nothing."""
    infinite = [c * (1 if y[i] > 0 else -1) for i, c in atom.outputs if math.isinf(y[i])]
    if any(math.isnan(value) for value in y) or (infinite and min(infinite) < 0 < max(infinite)):
        return False
    if infinite:
        return infinite[0] < 0
    return atom.holds([Fraction(v) for v in x], [Fraction(v) for v in y])


def _interpreted(graph: onnx.GraphProto, x: Array, way: _Way) -> Array:
    constants = {c.name: way.number(numpy_helper.to_array(c)) for c in graph.initializer}
    tensors: dict[str, Array] = {"x": way.number(x)}
    factors: dict[str, tuple[str, Array]] = {}  # of a product by a constant: what was multiplied, by what
    for node in graph.node:
        output = node.output[0]
        if way.fold and node.op_type in ("Mul", "Div") and node.input[0] in factors:
            source, first = factors[node.input[0]]
            factor = way.number(_ELEMENTWISE[node.op_type](first, constants[node.input[1]]))
            factors[output] = (source, factor)
            tensors[output] = way.number(tensors[source] * factor)
            continue
        if node.op_type == "Mul":
            factors[output] = (node.input[0], constants[node.input[1]])
        tensors[output] = way.number(_operation(node, tensors, constants, way))
    return tensors["y"]


_ELEMENTWISE: dict[str, Callable[[Array, Array], Array]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": lambda a, b: a / b,
}


def _operation(
    node: onnx.NodeProto, tensors: dict[str, Array], constants: dict[str, Array], way: _Way
) -> Array:
    values = [tensors[name] if name in tensors else constants[name] for name in node.input]
    if node.op_type in _ELEMENTWISE:
        return _ELEMENTWISE[node.op_type](values[0], values[1])
    if node.op_type == "MatMul":
        return way.total(way.number(values[1].T * values[0]))
    if node.op_type == "Gemm":
        return _gemm(node, values, way)
    if node.op_type == "Concat":
        return np.concatenate(values)
    if node.op_type == "Relu":
        return np.maximum(values[0], 0)
    if node.op_type == "LeakyRelu":
        alpha = way.number(np.array(_attribute(node, "alpha", 0.01)))
        return np.where(values[0] > 0, values[0], alpha * values[0])
    if node.op_type == "Clip":
        return np.minimum(np.maximum(values[0], values[1]), values[2])
    raise ValueError(f"the laboratory does not execute {node.op_type}")


def _gemm(node: onnx.NodeProto, values: list[Array], way: _Way) -> Array:
    alpha = way.number(np.array(_attribute(node, "alpha", 1.0)))
    weights = way.number(alpha * values[1]) if way.fold else values[1]
    result = way.total(way.number(weights * values[0]))
    if not way.fold:
        result = way.number(alpha * result)
    if len(values) == 2:
        return result
    beta = way.number(np.array(_attribute(node, "beta", 1.0)))
    return way.number(result + way.number(beta * values[2]))


def _attribute(node: onnx.NodeProto, name: str, default: float) -> float:
    return next((a.f for a in node.attribute if a.name == name), default)
