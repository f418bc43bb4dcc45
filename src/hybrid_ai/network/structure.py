"""The structure of a model: opset, names, declarations, and what the output depends on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .call import FIRST_OPSET, NEWEST_OPSET
from .errors import Where
from .forms import Shape
from .graph import Operation
from .limits import MAX_ELEMENTS, MAX_RANK
from .proto import check_tensor, real_element, text

_DEFAULT_DOMAINS = ("", "ai.onnx")
_FIRST_IR = 3  # of opset 8


@dataclass(frozen=True)
class Declared:
    """A declared input or output; a size is None where it is open, sizes is None where there is no shape."""

    name: str
    element: str
    sizes: tuple[int | None, ...] | None

    @property
    def shape(self) -> Shape:
        """The shape with open dimensions as 1."""
        return tuple(1 if size is None else size for size in self.sizes or ())


@dataclass(frozen=True)
class Structure:
    """A model whose names are consistent: every tensor is made once, before it is used."""

    file: str
    opset: int
    input: Declared
    output: Declared
    initialisers: Mapping[str, Any]
    operations: tuple[Operation, ...]
    nodes: tuple[Any, ...]


def read_structure(model: Any, where: Where) -> Structure:
    """Return the structure of an onnx.ModelProto; raise ModelError or UnsupportedModel as load_model does."""
    opset = _opset(model, where)
    graph = model.graph
    if len(graph.sparse_initializer):
        raise where.unsupported("sparse initialisers", "store them as dense tensors")
    if len(graph.quantization_annotation):
        raise where.unsupported("quantization annotations", "export the model in float32 or float64")
    initialisers = _initialisers(graph, where)
    first = _input(graph, initialisers, where)
    operations = _operations(graph, {first.name, *initialisers}, where)
    output = _output(graph, where)
    made = {first.name, *initialisers}.union(*(operation.outputs for operation in operations))
    if output.name not in made:
        raise where.malformed(f"nothing computes the output '{output.name}'")
    marked = _mark_used(operations, output.name)
    return Structure(where.file, opset, first, output, initialisers, marked, tuple(graph.node))


def _opset(model: Any, where: Where) -> int:
    import onnx

    if not _FIRST_IR <= model.ir_version <= onnx.IR_VERSION:
        raise where.malformed(
            f"IR version {model.ir_version} (known are {_FIRST_IR} to {onnx.IR_VERSION})",
            "export the model again, or install a newer onnx",
        )
    versions = [entry.version for entry in model.opset_import if entry.domain in _DEFAULT_DOMAINS]
    if len(versions) != 1:
        raise where.malformed(f"{len(versions)} opset versions for the standard operations instead of one")
    opset = int(versions[0])
    newest = min(NEWEST_OPSET, onnx.defs.onnx_opset_version())
    if not 1 <= opset <= newest:
        raise where.malformed(f"unknown opset {opset} (known are 1 to {newest})", "export with a known opset")
    if opset < FIRST_OPSET:
        raise where.unsupported(f"opset {opset}", f"export the model with opset {FIRST_OPSET} to {newest}")
    if len(model.functions):  # one could redefine a standard operation
        raise where.unsupported("functions", "inline them (onnx.inliner)")
    if len(model.training_info):
        raise where.unsupported("training information", "export the model for inference")
    return opset


def _initialisers(graph: Any, where: Where) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for tensor in graph.initializer:
        name = text(tensor.name, where)
        if not name:
            raise where.malformed("an initialiser has no name")
        if name in result:
            raise where.malformed(f"duplicate name: two initialisers are called '{name}'")
        check_tensor(tensor, f"initialiser '{name}'", where)
        result[name] = tensor
    return result


def _input(graph: Any, initialisers: Mapping[str, Any], where: Where) -> Declared:
    names = [text(value.name, where) for value in graph.input]
    if len(set(names)) != len(names):
        raise where.malformed("duplicate name: two inputs have the same name")
    real = [value for value in graph.input if value.name not in initialisers]
    if not real and not graph.input:
        raise where.malformed("the graph has no input")
    if len(real) != 1:
        reason = f"{len(real)} inputs that are no initialisers"
        raise where.unsupported(reason, "export a model with one input")
    what = f"input '{real[0].name}'"
    declared = _declared(real[0], what, where)
    if declared.sizes is None:
        raise where.unsupported(f"{what} has no shape", "export the model with the input's shape")
    if any(size is None for size in declared.sizes[1:]):
        raise where.unsupported(f"{what} has an open dimension beside the batch", "fix the other sizes")
    if len(declared.shape) > MAX_RANK or math.prod(declared.shape) > MAX_ELEMENTS:
        raise where.unsupported(f"{what} has shape {list(declared.shape)[:MAX_RANK]}", "use a smaller model")
    if len(declared.shape) > 1 and declared.shape[0] > 1:
        raise where.unsupported(f"{what} has batch {declared.shape[0]}", "export the model with batch 1")
    return declared


def _output(graph: Any, where: Where) -> Declared:
    if not graph.output:
        raise where.malformed("the graph has no output")
    if len(graph.output) > 1:
        raise where.unsupported(f"{len(graph.output)} outputs", "export a model with one output")
    return _declared(graph.output[0], f"output '{text(graph.output[0].name, where)}'", where)


def _declared(value: Any, what: str, where: Where) -> Declared:
    name = text(value.name, where)
    if not name:
        raise where.malformed("an input or output has no name")
    kind = value.type.WhichOneof("value")
    if kind is None:
        raise where.malformed(f"{what} has no type")
    if kind != "tensor_type":
        raise where.unsupported(f"{what} is no tensor ({kind})", "export a model of tensors")
    tensor = value.type.tensor_type
    element = real_element(tensor.elem_type, what, where)
    if not tensor.HasField("shape"):
        return Declared(name, element, None)
    sizes = tuple(_size(dimension, what, where) for dimension in tensor.shape.dim)
    return Declared(name, element, sizes)


def _size(dimension: Any, what: str, where: Where) -> int | None:
    """Return a fixed size, or None: exporters write an open one as a name, 0, -1 or nothing."""
    if dimension.WhichOneof("value") != "dim_value" or dimension.dim_value in (0, -1):
        return None
    if dimension.dim_value < 0:
        raise where.malformed(f"{what} has a dimension of {dimension.dim_value}")
    return int(dimension.dim_value)


def _operations(graph: Any, known: set[str], where: Where) -> tuple[Operation, ...]:
    """Return the operations, having checked that names are made once and before they are used."""
    operations: list[Operation] = []
    for index, node in enumerate(graph.node):
        operation = Operation(
            index=index,
            name=text(node.name, where),
            op_type=text(node.op_type, where),
            inputs=tuple(text(name, where) for name in node.input),
            outputs=tuple(text(name, where) for name in node.output),
            used=False,
        )
        text(node.domain, where)
        operations.append(operation)
    named = [operation.name for operation in operations if operation.name]
    if len(set(named)) != len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise where.malformed(f"duplicate name: two operations are called '{twice}'")
    later = {name for operation in operations for name in operation.outputs if name}
    available = set(known)
    for operation in operations:
        _check_names(operation, available, later, Where(where.file, operation.op_type, operation.label))
        available.update(name for name in operation.outputs if name)
    return tuple(operations)


def _check_names(operation: Operation, available: set[str], later: set[str], where: Where) -> None:
    if not operation.op_type:
        raise where.malformed("an operation has no type")
    for name in operation.inputs:
        if name and name not in available:
            if name in later:
                raise where.malformed(f"reads '{name}' before it is computed (unsorted or cyclic graph)")
            raise where.malformed(f"reads '{name}', which is no input, initialiser or result")
    outputs = [name for name in operation.outputs if name]
    if not outputs:
        raise where.malformed("has no output")
    for i, name in enumerate(outputs):
        if name in available or name in outputs[:i]:
            raise where.malformed(f"duplicate name: '{name}' is made twice")


def _mark_used(operations: Sequence[Operation], output: str) -> tuple[Operation, ...]:
    """Mark the operations that the output depends on."""
    needed = {output}
    marked: list[Operation] = []
    for operation in reversed(operations):
        used = not needed.isdisjoint(name for name in operation.outputs if name)
        if used:
            needed.update(name for name in operation.inputs if name)
        marked.append(replace(operation, used=used))
    return tuple(reversed(marked))
