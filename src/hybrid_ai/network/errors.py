"""Typed errors of the model reader, and the place in a model that they name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

MAX_SHOWN = 400


def _one_line(text: str) -> str:
    """The text with everything unprintable escaped: names in a model must not forge lines of output.

    Nor may they flood it: of a text of more than MAX_SHOWN characters the ends are shown.
    """
    if len(text) > MAX_SHOWN:
        text = f"{text[:150]}... ({len(text)} characters) ...{text[-150:]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class NetworkError(Exception):
    """A model cannot be used; the message names file, operation and remedy."""

    exit_code: ClassVar[int] = 1

    def __init__(self, reason: str, *, file: str = "model", operation: str = "", remedy: str = "") -> None:
        self.file = file
        self.operation = operation = _one_line(operation)
        self.reason = reason = _one_line(reason)
        self.remedy = remedy
        place = f"{file}: operation {operation}: " if operation else f"{file}: "
        super().__init__(place + reason + (f"; {remedy}" if remedy else ""))


class ModelError(NetworkError):
    """The bytes are no valid ONNX model, or one without meaning (exit 2)."""

    exit_code = 2


class UnsupportedModel(NetworkError):
    """The model is well formed but uses something that is not supported (exit 20)."""

    exit_code = 20

    def __init__(
        self, op_type: str, operation: str, reason: str, *, file: str = "model", remedy: str = ""
    ) -> None:
        super().__init__(reason, file=file, operation=operation, remedy=remedy)
        self.op_type = _one_line(op_type)


class RuntimeFailure(NetworkError):
    """ONNX Runtime could not load or run the model (exit 20)."""

    exit_code = 20


class TooLarge(Exception):
    """Internal: an exact number or a tensor exceeds the limits; the reader adds the place."""


CHECK_EXPORT = "export the model again and validate it with onnx.checker"
SEE_SUPPORTED = "rewrite it before export (`hybrid-ai supports` lists what is supported)"


@dataclass(frozen=True)
class Where:
    """A place in a model: file, operation type and the operation's name, or its index when unnamed."""

    file: str
    op_type: str = ""
    operation: str = ""

    def malformed(self, reason: str, remedy: str = CHECK_EXPORT) -> ModelError:
        """Return the error for a file that is not a meaningful model."""
        return ModelError(reason, file=self.file, operation=self.operation, remedy=remedy)

    def unsupported(self, reason: str, remedy: str = SEE_SUPPORTED) -> UnsupportedModel:
        """Return the error for a meaningful model that is not supported."""
        return UnsupportedModel(self.op_type, self.operation, reason, file=self.file, remedy=remedy)
