"""Errors about rules: a formula that is malformed, a name that nothing has, quantities that do not fit."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class RuleError(ValueError):
    """Base of the errors about rules."""

    exit_status: ClassVar[int] = 2


class FormulaError(RuleError):
    """The text is no formula.

    Arguments: column: where, from 1 in characters of the whole text; reason: what was found, and what is
    expected or the remedy.
    """

    def __init__(self, column: int, reason: str) -> None:
        super().__init__(column, reason)  # both, so that the error survives pickling
        self.column = column
        self.reason = reason

    def __str__(self) -> str:
        return f"column {self.column}: {self.reason}"


class UnknownName(RuleError):
    """No quantity has this name.

    Arguments: name: as written; kind: what was looked for, with its article (`an input`); known: the names
    that there are, of which `nearest` is the most similar one, None when none is similar.
    """

    def __init__(self, name: str, kind: str, known: Iterable[str]) -> None:
        names = tuple(known)
        super().__init__(name, kind, names)
        self.name = name
        self.kind = kind
        self.known = names
        self.nearest = next(iter(get_close_matches(name, names, n=1)), None)

    def __str__(self) -> str:
        if self.nearest is not None:
            return f"{self.name!r} is not {self.kind}: did you mean {self.nearest!r}?"
        shown = ", ".join(self.known[:10]) + (", ..." if len(self.known) > 10 else "")
        return f"{self.name!r} is not {self.kind}: write one of {shown}"


class InterfaceError(RuleError):
    """Quantities, ranges or formulas that do not fit together."""
