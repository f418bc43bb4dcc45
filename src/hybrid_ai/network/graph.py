"""The operations of a model as frozen records, for messages and for `inspect`."""

from __future__ import annotations

from dataclasses import dataclass

from .forms import Shape


@dataclass(frozen=True)
class Operation:
    """One operation: its place in the file, names of its tensors and, if the output depends on it, shapes.

    used: whether the output depends on it (the others are ignored). output_shapes: of the outputs that are
    supported. parameters: number of floating-point constants that it adds, being a `Constant` or the first to
    read an initialiser.
    """

    index: int
    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    used: bool
    output_shapes: tuple[Shape, ...] = ()
    parameters: int = 0

    @property
    def label(self) -> str:
        """Name and type, or index and type when unnamed."""
        return f"'{self.name}' ({self.op_type})" if self.name else f"number {self.index} ({self.op_type})"


@dataclass(frozen=True)
class Graph:
    """All operations in file order, with the input and output tensor (symbolic batch as 1)."""

    operations: tuple[Operation, ...]
    input_name: str
    input_shape: Shape
    output_name: str
    output_shape: Shape
    element: str
    opset: int

    @property
    def parameters(self) -> int:
        """The number of floating-point constants that the output depends on."""
        return sum(operation.parameters for operation in self.operations)
