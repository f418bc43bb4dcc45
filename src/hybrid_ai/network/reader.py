"""Read an ONNX model: structure first, then each operation that the output depends on, in file order."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from .call import Call
from .errors import TooLarge, Where
from .forms import Constant, Shape, Value
from .graph import Graph, Operation
from .limits import MAX_CONSTANT_BITS
from .operations import TABLE
from .proto import parse_model, read_attributes, read_tensor
from .source import read_source, unpack
from .staged import StageBuilder, StagedNetwork
from .structure import Declared, Structure, read_structure


@dataclass(frozen=True, eq=False)
class Model:
    """A model file: its operations, its normal form, and the bytes as given with their SHA-256 (hexadecimal).

    input_shape, output_shape: as the file declares them, with a symbolic batch as 1. Inputs and outputs are
    numbered in C order.
    """

    graph: Graph
    staged: StagedNetwork
    n_inputs: int
    n_outputs: int
    input_shape: Shape
    output_shape: Shape
    sha256: str
    data: bytes

    @property
    def neuron_count(self) -> int:
        """The number of rows of all relu stages."""
        return self.staged.neuron_count

    @property
    def parameters(self) -> int:
        """The number of floating-point constants that the output depends on."""
        return self.graph.parameters


def load_model(source: str | Path | bytes) -> Model:
    """Return the model in a file (.onnx or .onnx.gz) or in its bytes (gzip or not).

    Raises ModelError for a file that is no meaningful ONNX model, UnsupportedModel for one that is not
    supported; both are NetworkError.
    """
    data, file = read_source(source)
    try:
        structure = read_structure(parse_model(unpack(data, file), file), Where(file))
        graph, staged = _Reader(structure).read()
    except MemoryError as error:
        raise Where(file).unsupported("needs more memory than there is", "use a smaller model") from error
    sha256 = hashlib.sha256(data).hexdigest()
    shapes = (graph.input_shape, graph.output_shape)
    return Model(graph, staged, staged.n_inputs, staged.n_outputs, *shapes, sha256, data)


class _Reader:
    """Holds the tensors and stages while the operations are read one after the other."""

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self._where = Where(structure.file)
        self._stages = StageBuilder(math.prod(structure.input.shape))
        first = self._stages.input(structure.input.shape, structure.input.element)
        self._values: dict[str, Value] = {structure.input.name: first}
        self._counted: set[str] = set()

    def read(self) -> tuple[Graph, StagedNetwork]:
        """Return the graph and its normal form."""
        last_use = _last_uses(self._structure.operations)
        operations = []
        for operation, node in zip(self._structure.operations, self._structure.nodes, strict=True):
            operations.append(self._read_operation(operation, node) if operation.used else operation)
            for name in operation.inputs:
                if last_use.get(name) == operation.index and name != self._structure.output.name:
                    self._values.pop(name, None)
        output = self._value(self._structure.output.name, self._where)
        declared = self._structure.output
        shape = _checked_output(output, declared, self._where)
        if isinstance(output, Constant):
            raise self._where.unsupported("the output does not depend on the input", "check the export")
        try:
            staged = self._stages.finish(output)
        except TooLarge as error:
            raise self._where.unsupported(f"needs {error}", "use a smaller model") from error
        first = self._structure.input
        opset = self._structure.opset
        ends = (first.name, first.shape, declared.name, shape)
        return Graph(tuple(operations), *ends, first.element, opset), staged

    def _read_operation(self, operation: Operation, node: Any) -> Operation:
        where = Where(self._structure.file, operation.op_type, operation.label)
        if node.domain not in ("", "ai.onnx"):
            raise where.unsupported(f"domain '{node.domain}' is not ai.onnx")
        row = TABLE.get(operation.op_type)
        if row is None:
            raise where.unsupported(_why_not(operation.op_type))
        attributes = read_attributes(node, where)
        _check_signature(where, self._structure.opset, operation, attributes, row.attributes)
        inputs = tuple(self._value(name, where) if name else None for name in operation.inputs)
        call = Call(
            where=where,
            opset=self._structure.opset,
            attributes=attributes,
            inputs=inputs,
            stages=self._stages,
            hold=lambda position, value: self._values.update({operation.inputs[position]: value}),
        )
        try:
            results = row.run(call)
        except TooLarge as error:
            raise where.unsupported(f"needs {error}", "use a smaller model") from error
        if any(_has_long_number(result) for result in results):
            raise where.unsupported(f"computes a constant of more than {MAX_CONSTANT_BITS} bits")
        self._values.update(zip(operation.outputs, results, strict=False))
        shapes = tuple(result.shape for result in results)
        return replace(operation, output_shapes=shapes, parameters=self._parameters(operation, results))

    def _value(self, name: str, where: Where) -> Value:
        if name in self._values:
            return self._values[name]
        if name in self._structure.initialisers:
            value = read_tensor(self._structure.initialisers[name], f"initialiser '{name}'", where)
            self._values[name] = value
            return value
        raise where.unsupported(f"reads '{name}', an optional output that is not supported")

    def _parameters(self, operation: Operation, results: Sequence[Value]) -> int:
        names = [name for name in operation.inputs if name in self._structure.initialisers]
        fresh = [name for name in dict.fromkeys(names) if name not in self._counted]
        self._counted.update(fresh)
        held = [self._values[name] for name in fresh]
        if operation.op_type == "Constant":
            held.extend(results)
        return sum(value.values.size for value in held if isinstance(value, Constant) and value.is_real)


def _has_long_number(value: Value) -> bool:
    """Say whether a constant has a number of more than MAX_CONSTANT_BITS bits, which no double has."""
    if not isinstance(value, Constant) or value.values.dtype != object:
        return False
    return any(
        max(number.numerator.bit_length(), number.denominator.bit_length()) > MAX_CONSTANT_BITS
        for number in value.values.flat
    )


def _last_uses(operations: Sequence[Operation]) -> Mapping[str, int]:
    return {name: operation.index for operation in operations if operation.used for name in operation.inputs}


def _why_not(op_type: str) -> str:
    if op_type == "BatchNormalization":
        return "BatchNormalization is not supported (its scale is an irrational square root)"
    return f"{op_type} is not supported"


@lru_cache(maxsize=256)
def _schema(op_type: str, opset: int) -> Any:
    import onnx

    try:
        return onnx.defs.get_schema(op_type, opset)
    except onnx.defs.SchemaError:
        return None


def _check_signature(
    where: Where, opset: int, operation: Operation, attributes: Mapping[str, Any], honoured: Sequence[str]
) -> None:
    """Check attributes and numbers of inputs and outputs against the standard's definition for the opset."""
    schema = _schema(operation.op_type, opset)
    if schema is None:
        raise where.malformed(f"opset {opset} has no {operation.op_type}")
    known = schema.attributes
    for name, value in attributes.items():
        if name not in known or name not in honoured:
            raise where.unsupported(f"attribute '{name}' is not supported in opset {opset}")
        if not _fits(value, known[name].type.name):
            raise where.malformed(f"attribute '{name}' is not of type {known[name].type.name}")
    for name, attribute in known.items():
        if attribute.required and name not in attributes:
            raise where.malformed(f"attribute '{name}' is missing")
    for what, names, least, most in (
        ("inputs", operation.inputs, schema.min_input, schema.max_input),
        ("outputs", operation.outputs, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most:
            raise where.malformed(f"has {len(names)} {what}, opset {opset} wants {least} to {most}")


def _fits(value: Any, kind: str) -> bool:
    """Say whether an attribute's value is of the standard's type (an empty list fits both list types)."""
    scalar = {"FLOAT": float, "INT": int, "STRING": bytes}.get(kind)
    if scalar is not None:
        return isinstance(value, scalar)
    item = {"FLOATS": float, "INTS": int}.get(kind)
    if item is not None:
        return isinstance(value, tuple) and all(isinstance(number, item) for number in value)
    return kind == "TENSOR" and type(value).__name__ == "TensorProto"


def _checked_output(output: Value, declared: Declared, where: Where) -> Shape:
    """Return the output's shape, which the declaration must not contradict."""
    what = f"output '{declared.name}'"
    if output.element != declared.element:
        raise where.malformed(f"{what} is declared as {declared.element}, computed as {output.element}")
    if declared.sizes is not None:
        fits = len(declared.sizes) == len(output.shape)
        if not fits or any(d not in (None, n) for d, n in zip(declared.sizes, output.shape, strict=True)):
            sizes = ", ".join("?" if size is None else str(size) for size in declared.sizes)
            computed = list(output.shape)
            raise where.malformed(f"{what} is declared with shape [{sizes}], computed with {computed}")
    return output.shape
