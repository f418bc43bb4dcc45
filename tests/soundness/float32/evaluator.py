"""Evaluate an ONNX network in float32 as one allowed evaluation does: every operation rounds on its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.soundness.float32 import arithmetic
from tests.soundness.float32.arithmetic import Singles, kept_or_flushed
from tests.soundness.float32.folding import DENSE, folded, with_bias
from tests.soundness.float32.program import Node, Program, Unsupported
from tests.soundness.float32.sums import Execution, total

Tensors = dict[str, NDArray[Any]]
# Of directed sums: for the output of each contraction, 1 (up) or -1 (down) for every element.
Directions = Mapping[str, NDArray[np.int64]]


def evaluate(
    program: Program, x: Singles, execution: Execution, directions: Directions | None = None
) -> Tensors:
    """Return every tensor that the evaluation computes, by name.

    x: the flattened input, float32. Folded tensors are not computed, and so are absent. Contractions without
    directions sum from the left where the order is "directed".
    """
    if execution.folding != "none":
        program = folded(program, execution)
    return Evaluation(program, execution, directions or {}).run(x)


class Evaluation:
    """The tensors of one evaluation while they are computed."""

    def __init__(self, program: Program, execution: Execution, directions: Directions) -> None:
        self._program = program
        self._execution = execution
        self._directions = directions
        self._values: Tensors = dict(program.constants)

    def run(self, x: Singles) -> Tensors:
        self._values[self._program.input] = x.reshape(self._program.input_shape)
        for node in self._program.nodes:
            row = _TABLE.get(node.op_type)
            if row is None:
                raise Unsupported(f"{node.op_type} is not evaluated here")
            self._values[node.output] = row(self, node)
        return {n: v for n, v in self._values.items() if n not in self._program.constants}

    def value(self, node: Node, position: int) -> NDArray[Any]:
        return self._values[node.inputs[position]]

    def optional(self, node: Node, position: int) -> NDArray[Any] | None:
        given = len(node.inputs) > position and node.inputs[position]
        return self._values[node.inputs[position]] if given else None

    @property
    def flush(self) -> bool:
        return self._execution.flush

    @property
    def fused(self) -> bool:
        return self._execution.fused

    def contract(self, node: Node, left: Singles, right: Singles, bias: Singles | None = None) -> Singles:
        """Return left (..., n) @ right (n, m), with a bias that takes part in the sum."""
        rows = kept_or_flushed(left.reshape(-1, left.shape[-1]), self.flush)
        columns = kept_or_flushed(right, self.flush)
        terms = arithmetic.exact_products(rows.T[:, :, None], columns[:, None, :])
        if bias is not None:
            terms = with_bias(terms, bias, self._execution)
        execution, directions = self._execution, self._directions.get(node.output)
        if execution.order == "directed" and directions is None:
            execution = replace(execution, order="left")
        if directions is not None:
            directions = directions.reshape(terms.shape[1:])
        result: Singles = total(terms, execution, directions).reshape(*left.shape[:-1], right.shape[1])
        return result


def _dense(run: Evaluation, node: Node) -> Singles:
    return run.contract(node, run.value(node, 0), node.attributes["weights"], node.attributes["bias"])


def _matmul(run: Evaluation, node: Node) -> Singles:
    left, right = run.value(node, 0), run.value(node, 1)
    if right.ndim == 2:
        return run.contract(node, left, right)
    if left.ndim == 2 and right.ndim == 1:
        return run.contract(node, right[None], left.T).reshape(-1)
    raise Unsupported(f"MatMul of shapes {left.shape} and {right.shape}")


def _gemm(run: Evaluation, node: Node) -> Singles:
    a, b = run.value(node, 0), run.value(node, 1)
    a = a.T if node.attributes.get("transA", 0) else a
    b = b.T if node.attributes.get("transB", 0) else b
    alpha, beta = (np.float32(node.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    given = run.optional(node, 2)
    bias = (
        None if given is None else arithmetic.multiply(given, np.broadcast_to(beta, given.shape), run.flush)
    )
    if alpha == 1:
        return run.contract(node, a, b, bias)
    product = run.contract(node, a, b)
    factor = np.broadcast_to(alpha, product.shape)
    if bias is None or not run.fused:
        scaled = arithmetic.multiply(product, factor, run.flush)
        return scaled if bias is None else arithmetic.add(scaled, bias, run.flush)
    return arithmetic.multiply_add(product, factor, np.broadcast_to(bias, product.shape), run.flush)


def _elementwise(
    operation: Callable[[Singles, Singles, bool], Singles],
) -> Callable[[Evaluation, Node], Singles]:
    return lambda run, node: operation(run.value(node, 0), run.value(node, 1), run.flush)


def _subtract(left: Singles, right: Singles, flush: bool) -> Singles:
    return arithmetic.add(left, -right, flush)


def _relu(run: Evaluation, node: Node) -> Singles:
    return np.maximum(kept_or_flushed(run.value(node, 0), run.flush), np.float32(0))


def _leaky_relu(run: Evaluation, node: Node) -> Singles:
    z = kept_or_flushed(run.value(node, 0), run.flush)
    slope = np.full_like(z, node.attributes.get("alpha", 0.01))
    return np.where(z >= 0, z, arithmetic.multiply(z, slope, run.flush))


def _clip(run: Evaluation, node: Node) -> Singles:
    z, lower, upper = (
        kept_or_flushed(run.value(node, 0), run.flush),
        run.optional(node, 1),
        run.optional(node, 2),
    )
    z = z if lower is None else np.maximum(z, kept_or_flushed(lower, run.flush))
    return z if upper is None else np.minimum(z, kept_or_flushed(upper, run.flush))


def _same(run: Evaluation, node: Node) -> NDArray[Any]:
    return run.value(node, 0)


def _flatten(run: Evaluation, node: Node) -> NDArray[Any]:
    value, axis = run.value(node, 0), node.attributes.get("axis", 1)
    return value.reshape(int(np.prod(value.shape[:axis])), -1)


def _reshape(run: Evaluation, node: Node) -> NDArray[Any]:
    value, wanted = run.value(node, 0), run.value(node, 1).tolist()
    return value.reshape([value.shape[i] if size == 0 else size for i, size in enumerate(wanted)])


def _transpose(run: Evaluation, node: Node) -> NDArray[Any]:
    return np.transpose(run.value(node, 0), node.attributes.get("perm"))


def _squeeze(run: Evaluation, node: Node) -> NDArray[Any]:
    axes = run.optional(node, 1)
    return np.squeeze(run.value(node, 0), None if axes is None else tuple(axes.tolist()))


def _unsqueeze(run: Evaluation, node: Node) -> NDArray[Any]:
    return np.expand_dims(run.value(node, 0), tuple(run.value(node, 1).tolist()))


def _concat(run: Evaluation, node: Node) -> NDArray[Any]:
    return np.concatenate([run.value(node, k) for k in range(len(node.inputs))], node.attributes["axis"])


def _slice(run: Evaluation, node: Node) -> NDArray[Any]:
    value, starts, ends = (run.value(node, k) for k in range(3))
    axes, steps = run.optional(node, 3), run.optional(node, 4)
    places = [slice(None)] * value.ndim
    for k, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        step = 1 if steps is None else int(steps[k])
        places[k if axes is None else int(axes[k])] = slice(start, end if abs(end) < 2**31 else None, step)
    return value[tuple(places)]


def _pad(run: Evaluation, node: Node) -> NDArray[Any]:
    if node.attributes.get("mode", b"constant") != b"constant" or run.optional(node, 3) is not None:
        raise Unsupported("Pad other than by a constant on all axes")
    value, pads, filler = run.value(node, 0), run.value(node, 1).tolist(), run.optional(node, 2)
    widths = list(zip(pads[: value.ndim], pads[value.ndim :], strict=True))
    return np.pad(value, widths, constant_values=np.float32(0) if filler is None else filler.item())


_TABLE: Mapping[str, Callable[[Evaluation, Node], NDArray[Any]]] = {
    DENSE: _dense,
    "Add": _elementwise(arithmetic.add),
    "Clip": _clip,
    "Concat": _concat,
    "Div": _elementwise(arithmetic.divide),
    "Dropout": _same,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "Identity": _same,
    "LeakyRelu": _leaky_relu,
    "MatMul": _matmul,
    "Mul": _elementwise(arithmetic.multiply),
    "Pad": _pad,
    "Relu": _relu,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": _elementwise(_subtract),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
