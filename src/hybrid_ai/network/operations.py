"""The table of supported operations: one row per operation, in the module of its family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import activation, arithmetic, constants, contraction, movement
from .call import FIRST_OPSET, NEWEST_OPSET, Row

TABLE: Mapping[str, Row] = {
    **activation.ROWS,
    **arithmetic.ROWS,
    **constants.ROWS,
    **contraction.ROWS,
    **movement.ROWS,
}


@dataclass(frozen=True)
class Support:
    """How an operation is supported: first and last opset, and restrictions in words."""

    opsets: tuple[int, int]
    notes: str


def supported_operations() -> dict[str, Support]:
    """Return the supported operations by name, in alphabetical order."""
    return {name: Support((FIRST_OPSET, NEWEST_OPSET), TABLE[name].notes) for name in sorted(TABLE)}
