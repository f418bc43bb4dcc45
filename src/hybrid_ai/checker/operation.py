"""What the rule of an operation sees: its inputs, its attributes and the stages read so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hybrid_ai.checker.rejected import Malformed, Rejected, refuse_if
from hybrid_ai.checker.stages import StageBuilder
from hybrid_ai.checker.tensors import Tensor


@dataclass(frozen=True)
class Operation:
    """One operation of the graph.

    `arguments` holds each argument of the operation's row, by its default where the file does not give it;
    `values` maps tensor names to what is known of them.
    """

    where: str
    input_names: Sequence[str]
    arguments: Mapping[str, Any]
    values: dict[str, Tensor]
    builder: StageBuilder

    def refuse_if(self, condition: bool, reason: str, error: type[Rejected] = Malformed) -> None:
        """Refuse the operation; pass Unsupported where it is well formed but outside what is read."""
        refuse_if(condition, error, "model", self.where, reason)

    def has_input(self, index: int) -> bool:
        """Whether an optional input is given."""
        return index < len(self.input_names) and self.input_names[index] != ""

    def value(self, index: int) -> Tensor:
        """An input that must be given and defined earlier in the file."""
        self.refuse_if(not self.has_input(index), f"input {index} is missing")
        name = self.input_names[index]
        self.refuse_if(name not in self.values, f"input '{name}' is not defined before it is used")
        return self.values[name]

    def cut(self, index: int) -> Tensor:
        """Cut an input tensor; from here on its name stands for the plain group."""
        tensor = self.builder.cut(self.value(index))
        self.values[self.input_names[index]] = tensor
        return tensor

    def axes(self, numbers: Sequence[int], rank: int) -> list[int]:
        """Axis numbers made non-negative, each at most once."""
        for number in numbers:
            self.refuse_if(not -rank <= number < rank, f"axis {number} is outside a tensor of {rank} axes")
        result = [number % rank for number in numbers]
        self.refuse_if(len(set(result)) != len(result), f"axes {numbers} name one axis twice")
        return result
