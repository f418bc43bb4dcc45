"""Small ONNX models as plain nodes, for the evaluations of this folder; not the readers under test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

FIRST_OPSET = 13  # from here on Squeeze, Slice and Pad take their axes as inputs


class Unsupported(Exception):
    """The model has something that this utility does not evaluate."""


@dataclass(frozen=True, eq=False)
class Node:
    """An operation with one output that is used; an optional input that is absent is ''."""

    op_type: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Program:
    """Nodes in file order; `constants` holds initialisers and the values of Constant nodes."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    input: str
    input_shape: tuple[int, ...]
    output: str

    def consumers(self, name: str) -> int:
        """Return how often a tensor is used; being the output counts."""
        return sum(node.inputs.count(name) for node in self.nodes) + (name == self.output)


def load_program(data: bytes) -> Program:
    """Return the nodes of a model; raise Unsupported for opsets below 13 and element types but float32."""
    model = onnx.load_model_from_string(data)
    graph = model.graph
    if model.opset_import[0].version < FIRST_OPSET:
        raise Unsupported(f"opset {model.opset_import[0].version}: use {FIRST_OPSET} or later")
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = []
    for proto in graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
        if proto.op_type == "Constant":
            constants[proto.output[0]] = _value(attributes)
        else:
            nodes.append(Node(proto.op_type, tuple(proto.input), proto.output[0], attributes))
    (first,) = [value for value in graph.input if value.name not in constants]
    if any(value.dtype == np.float64 for value in constants.values()):
        raise Unsupported("float64 constants: only float32 models are evaluated")
    shape = tuple(d.dim_value or 1 for d in first.type.tensor_type.shape.dim)
    return Program(tuple(nodes), constants, first.name, shape, graph.output[0].name)


def _value(attributes: Mapping[str, Any]) -> NDArray[Any]:
    ((name, value),) = attributes.items()
    if name == "value":
        return numpy_helper.to_array(value)
    if name in ("value_float", "value_floats"):
        return np.array(value, np.float32)
    if name in ("value_int", "value_ints"):
        return np.array(value, np.int64)
    raise Unsupported(f"Constant with attribute {name}")
