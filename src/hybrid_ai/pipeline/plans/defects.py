"""What is wrong with a plan: all of it at once, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path as FilePath

from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.plans.positions import Path, Positions

MOST_DEFECTS = 50


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is wrong.

    Attributes:
        file: the plan, or a file that it names.
        line: in it, from 1; None where the file as a whole is meant.
        key: place in the plan, such as `requirement[2].require`, tables counted from 1; "" for the top.
        reason: what is wrong, and the remedy.
    """

    file: str
    line: int | None
    key: str
    reason: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key}: {self.reason}" if self.key else f"{place}: {self.reason}"


class PlanError(BadInput):
    """A plan that cannot be run; the message is the first defect, and how many more there are.

    Attributes:
        defects: all that were found, in the order of the plan's lines, at least one, at most MOST_DEFECTS.
    """

    def __init__(self, defects: Sequence[Defect]) -> None:
        self.defects = tuple(defects)
        more = len(self.defects) - 1
        count = f"{more}{' or more' if more + 1 == MOST_DEFECTS else ''} other error{'s' if more > 1 else ''}"
        super().__init__(
            f"{self.defects[0]} (`hybrid-ai plan check` lists {count})" if more else self.defects[0]
        )

    def __reduce__(self) -> tuple[type[PlanError], tuple[Sequence[Defect]]]:
        return type(self), (self.defects,)  # the base class would hand the message to __init__

    @property
    def file(self) -> str:
        """File of the first defect."""
        return self.defects[0].file

    @property
    def line(self) -> int | None:
        """Line of the first defect, from 1."""
        return self.defects[0].line

    @property
    def key(self) -> str:
        """Key of the first defect."""
        return self.defects[0].key

    @property
    def reason(self) -> str:
        """Reason of the first defect."""
        return self.defects[0].reason


class Findings:
    """Collects the defects of one plan."""

    def __init__(self, file: FilePath, positions: Positions) -> None:
        self.positions = positions
        self._file = str(file)
        self._found: list[tuple[int, Defect]] = []

    def add(self, path: Path, reason: str) -> None:
        """Note a defect at a place of the plan."""
        line = self.positions.line(path)
        self._found.append((line, Defect(self._file, line, shown_path(path), reason)))

    def add_in_file(self, path: Path, file: FilePath, line: int, reason: str) -> None:
        """Note a defect at a line of a file that a place of the plan names."""
        defect = Defect(str(file), line, shown_path(path), reason)
        self._found.append((self.positions.line(path), defect))

    @property
    def is_clean(self) -> bool:
        """Whether there is no defect so far."""
        return not self._found

    def raise_if_any(self) -> None:
        """Raise PlanError when there is a defect."""
        if self._found:
            ordered = sorted(self._found, key=lambda pair: pair[0])
            raise PlanError([defect for _, defect in ordered[:MOST_DEFECTS]])


def shown_path(path: Path) -> str:
    """A place as people write it: `requirement[2].coverage.cells[1]`, counted from 1."""
    parts = [f"[{part + 1}]" if isinstance(part, int) else f".{shown(part)}" for part in path]
    return "".join(parts).removeprefix(".")


def shown(text: str) -> str:
    """A text of the plan for a message: in one line, and not longer than a line."""
    text = text if len(text) <= 64 else f"{text[:61]}..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def closest(name: str, names: Iterable[str]) -> str | None:
    """The name that was most likely meant, None where none is similar."""
    known = list(names)
    # Case is a likely mistake, which difflib would count like any other.
    folded = next((each for each in known if each.lower() == name.lower()), None)
    return folded or next(iter(get_close_matches(name, known, n=1)), None)


def nearest(name: str, names: Iterable[str]) -> str:
    """What a message says after a name that does not exist: the closest one, or those that there are."""
    known = list(names)
    meant = closest(name, known)
    if meant is not None:
        return f"did you mean {meant!r}?"
    return (
        f"there are {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}" if known else "there is none"
    )
