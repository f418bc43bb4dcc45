"""Errors about what is claimed: malformed text is one kind, text beyond what is supported another."""

from __future__ import annotations

from typing import ClassVar


class SpecificationError(ValueError):
    """Base of the errors about properties.

    Arguments: message: one sentence with the remedy; file: name of the file, or None when the property
    was built in Python; line and column: counted from 1 in characters, or None when the error
    concerns no single place.
    """

    exit_status: ClassVar[int]

    def __init__(
        self, message: str, file: str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(message, file, line, column)  # all four, so that the error survives pickling
        self.message = message
        self.file = file
        self.line = line
        self.column = column

    def __str__(self) -> str:
        place = [self.file or "<property>", self.line, self.column]
        return ":".join(str(part) for part in place if part is not None) + ": " + self.message


class SpecError(SpecificationError):
    """The property is malformed or meaningless."""

    exit_status = 2


class UnsupportedSpec(SpecificationError):
    """The property is well-formed, but uses something that is not supported."""

    exit_status = 20
