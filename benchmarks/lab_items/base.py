"""What every item is made of: its description, what it may use, and the figures it returns."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Value = float | int | str


class LabError(Exception):
    """The item cannot be measured; says why and what to do."""


@dataclass(frozen=True)
class Figure:
    """A measured figure.

    Attributes:
        name: what was measured.
        value: the figure.
        unit: of the figure, "" for counts.
        bar: what it is held against, as text, "" for nothing.
        met: whether it meets the bar, None without one.
    """

    name: str
    value: Value
    unit: str = ""
    bar: str = ""
    met: bool | None = None


def count(name: str, value: int, expected: int) -> Figure:
    """A count that must be exactly as expected."""
    return Figure(name, value, "", f"= {expected}", value == expected)


def at_most(name: str, value: float, limit: float, unit: str) -> Figure:
    """A figure that must not exceed a limit."""
    return Figure(name, rounded(value), unit, f"<= {limit:g}", value <= limit)


def at_least(name: str, value: float, limit: float, unit: str = "") -> Figure:
    """A figure that must not fall below a limit."""
    return Figure(name, rounded(value), unit, f">= {limit:g}", value >= limit)


def plain(name: str, value: Value, unit: str = "") -> Figure:
    """A figure without a bar."""
    return Figure(name, rounded(value) if isinstance(value, float) else value, unit)


def rounded(value: float) -> float:
    """Four significant digits: no more is meaningful in a time."""
    return value if isinstance(value, int) else float(f"{value:.4g}")


@dataclass(frozen=True)
class Bench:
    """What an item may use.

    Attributes:
        data: folder of the public benchmarks.
        folder: of this item, kept while it is interrupted.
        small: a small form that shows that the item works; its figures say nothing.
        everything: the longest form, where there is one.
    """

    data: Path
    folder: Path
    small: bool
    everything: bool

    def once(self, name: str, compute: Callable[[], Any]) -> Any:
        """The value of a step (JSON): from an interrupted run where it is there, else computed and kept."""
        value = self.kept(name)
        return self.keep(name, compute()) if value is None else value

    def keep(self, name: str, value: Any) -> Any:
        """Keep and return the value of a step, so that it survives an interruption."""
        with open(self._steps, "a", encoding="utf-8") as stream:
            stream.write(json.dumps([name, value]) + "\n")
        return value

    def kept(self, name: str) -> Any:
        """The value of a step of an interrupted run, None where it is not there."""
        if not self._steps.exists():
            return None
        data = self._steps.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:  # a last line that was cut off
            self._steps.write_bytes(whole)
        return dict(json.loads(line) for line in whole.splitlines()).get(name)

    @property
    def _steps(self) -> Path:
        return self.folder / "steps.jsonl"


@dataclass(frozen=True)
class Report:
    """What an item found: figures, details (JSON), and whether parts are from an interrupted run."""

    figures: tuple[Figure, ...]
    details: dict[str, Any]
    resumed: bool = False


@dataclass(frozen=True)
class Item:
    """An experiment: its name, what it measures, how long it takes, and the function that does it."""

    name: str
    summary: str
    duration: str
    run: Callable[[Bench], Report]
