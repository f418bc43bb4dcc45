"""Folding constants ahead of time, in float32, as runtimes do: chains into a contraction's weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.soundness.float32 import arithmetic
from tests.soundness.float32.arithmetic import Singles
from tests.soundness.float32.program import Node, Program
from tests.soundness.float32.sums import Execution, total

DENSE = "Dense"  # y = x W + b over the last axis; W (n, m) and b (m,) or None are attributes
ARITHMETIC = ("Add", "Sub", "Mul", "Div")


def folded(program: Program, execution: Execution) -> Program:
    """Return the program with each MatMul and Gemm by a constant on its right as Dense, and chains folded in.

    Only chains whose tensors have a single consumer; others stay as they are.
    """
    nodes = tuple(_dense(node, program, execution) or node for node in program.nodes)
    program = replace(program, nodes=nodes)
    sides = ("after", "before") if execution.folding == "earlier" else ("before", "after")
    for side in sides:
        while (step := _next_fold(program, side, execution)) is not None:
            program = step
    return program


def _dense(node: Node, program: Program, execution: Execution) -> Node | None:
    constants, attributes = program.constants, node.attributes
    if node.op_type not in ("MatMul", "Gemm") or node.inputs[1] not in constants:
        return None
    weights = constants[node.inputs[1]]
    if weights.ndim != 2 or attributes.get("transA", 0) or node.inputs[0] in constants:
        return None
    weights = weights.T if attributes.get("transB", 0) else weights
    bias = None
    if len(node.inputs) > 2 and node.inputs[2]:
        bias = _row(constants[node.inputs[2]], weights.shape[1])
        if bias is None:
            return None
        bias = arithmetic.multiply(bias, _factor(attributes, "beta"), execution.flush)
    weights = arithmetic.multiply(weights, _factor(attributes, "alpha"), execution.flush)
    return Node(DENSE, node.inputs[:1], node.output, {"weights": weights, "bias": bias})


def _factor(attributes: Mapping[str, Any], name: str) -> Singles:
    return np.array(attributes.get(name, 1.0), np.float32)


def _row(constant: NDArray[Any], width: int) -> Singles | None:
    """Return a constant as one number per entry of the last axis, None where it varies along other axes."""
    if constant.size not in (1, width) or (constant.size == width and constant.shape[-1] != width):
        return None
    return np.broadcast_to(constant.reshape(-1), (width,)).astype(np.float32)


def _next_fold(program: Program, side: str, execution: Execution) -> Program | None:
    """Return the program after one fold on this side of some contraction, None where there is none left."""
    for dense in program.nodes:
        if dense.op_type != DENSE:
            continue
        for node in program.nodes:
            if node.op_type not in ARITHMETIC or not _meets(program, dense, node, side):
                continue
            width = dense.attributes["weights"].shape[0 if side == "before" else 1]
            constant = _row(program.constants[_constant_of(node, program)], width)
            if constant is None:
                continue
            merged = (_before if side == "before" else _after)(dense, node, constant, execution, program)
            if merged is not None:
                kept = [merged if n is dense else n for n in program.nodes if n is not node]
                return replace(program, nodes=tuple(kept))
    return None


def _meets(program: Program, dense: Node, node: Node, side: str) -> bool:
    """Say whether node is by a constant, and directly before or after the contraction and nothing else."""
    if sum(name in program.constants for name in node.inputs) != 1:
        return False
    between = node.output if side == "before" else dense.output
    other = dense if side == "before" else node
    return between in other.inputs and program.consumers(between) == 1


def _constant_of(node: Node, program: Program) -> str:
    return next(name for name in node.inputs if name in program.constants)


def _data_of(node: Node, program: Program) -> str:
    return next(name for name in node.inputs if name not in program.constants)


def _scaled(values: Singles, node: Node, constant: Singles, execution: Execution) -> Singles:
    operation = arithmetic.multiply if node.op_type == "Mul" else arithmetic.divide
    return operation(values, constant, execution.flush)


def _before(
    dense: Node, node: Node, constant: Singles, execution: Execution, program: Program
) -> Node | None:
    """Return the contraction of what the node computes, as one of what it reads."""
    weights, bias = dense.attributes["weights"], dense.attributes["bias"]
    first = node.inputs[0] in program.constants
    if node.op_type in ("Mul", "Div"):
        if node.op_type == "Div" and first:
            return None
        weights = _scaled(weights, node, constant[:, None], execution)
    else:
        shift = -constant if node.op_type == "Sub" and not first else constant
        kept = arithmetic.kept_or_flushed(shift, execution.flush)[:, None]
        terms = arithmetic.exact_products(kept, arithmetic.kept_or_flushed(weights, execution.flush))
        if bias is not None:
            terms = with_bias(terms, bias, execution)
        plain = replace(execution, order="left") if execution.order == "directed" else execution
        bias = total(terms, plain)
        weights = -weights if node.op_type == "Sub" and first else weights
    return Node(DENSE, (_data_of(node, program),), dense.output, {"weights": weights, "bias": bias})


def _after(dense: Node, node: Node, constant: Singles, execution: Execution, program: Program) -> Node | None:
    """Return the contraction that gives what the node makes of its result."""
    weights, bias = dense.attributes["weights"], dense.attributes["bias"]
    first = node.inputs[0] in program.constants
    if node.op_type in ("Mul", "Div"):
        if node.op_type == "Div" and first:
            return None
        weights = _scaled(weights, node, constant, execution)
        bias = None if bias is None else _scaled(bias, node, constant, execution)
    else:
        bias = np.zeros_like(constant) if bias is None else bias
        if node.op_type == "Sub" and first:
            weights, bias = -weights, -bias
        shift = -constant if node.op_type == "Sub" and not first else constant
        bias = arithmetic.add(bias, shift, execution.flush)
    return Node(DENSE, dense.inputs, node.output, {"weights": weights, "bias": bias})


def with_bias(terms: NDArray[np.float64], bias: Singles, execution: Execution) -> NDArray[np.float64]:
    """Return the terms of a sum (n, ...) with the bias, of any shape that broadcasts, first or last."""
    kept = arithmetic.kept_or_flushed(bias, execution.flush).astype(np.float64)
    wide = np.broadcast_to(kept, terms.shape[1:])[None]
    return np.concatenate([wide, terms] if execution.bias_first else [terms, wide])
