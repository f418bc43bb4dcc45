"""Maps of the cells of a coverage: which were proved, refuted, or neither."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from hybrid_ai.audit.results import cell_verdict
from hybrid_ai.report.assessment import AssessedCoverage
from hybrid_ai.report.datum import Datum
from hybrid_ai.report.errors import ReportError
from hybrid_ai.report.plan import DomainInput, PlannedVerification
from hybrid_ai.report.results import VERDICTS, Result

WIDTH, HEIGHT, STRIP = (
    300,
    220,
    40,
)  # of a map's cells, in units of its drawing; of a map along one input alone
MOST_PAIRS = 6
MARK = 4.0  # half the width of a mark, at most
GRID_LIMIT = 40  # cells along an axis, beyond which lines between them would hide them

# The gravest of the cells behind one another is drawn.
GRAVITY = ("refuted", "unknown", "proved")

Cell = tuple[int, ...]


@dataclass(frozen=True)
class Axis:
    """An axis of a map: an input, its range, and its number of cells."""

    name: Datum
    unit: Datum
    minimum: Datum
    maximum: Datum
    cells: int


@dataclass(frozen=True)
class Map:
    """Cells over one or two inputs.

    Attributes:
        x, y: axes; y is None along one input.
        height: of the drawing's cells.
        paths: what SVG draws for each verdict that occurs.
        grid: what SVG draws for the lines between cells; empty where they are too many.
        marks: what SVG draws in cells that are not refuted and have a counterexample; empty without any.
    """

    x: Axis
    y: Axis | None
    height: int
    paths: dict[str, str]
    grid: str
    marks: str


@dataclass(frozen=True)
class Coverage:
    """What is known of a requirement on the cells of its coverage, for one model.

    Attributes:
        assessed: numbers of cells and volumes.
        maps: one for each pair of inputs, as far as MOST_PAIRS suffice.
        behind: whether a cell of a map stands for several, along other inputs.
        marked: whether a map has marks.
    """

    assessed: AssessedCoverage
    maps: tuple[Map, ...]
    behind: bool
    marked: bool


@dataclass(frozen=True)
class _Cells:
    """The verdict of each cell, and those with a counterexample."""

    verdicts: dict[Cell, str]
    marked: frozenset[Cell]


def coverage_of(
    assessed: AssessedCoverage,
    along: Sequence[tuple[Datum, int]],
    runs: Iterable[tuple[PlannedVerification, Result]],
    domain: Sequence[DomainInput],
) -> Coverage:
    """Draw the cells of a requirement for one model.

    Args:
        assessed: what became of them.
        along: inputs and numbers of cells.
        runs: the requirement's verifications of that model.
        domain: its inputs.

    Raises:
        ReportError: the results of the cells are not what the assessment counts.
    """
    pairs = list(runs)
    cells = _cells(assessed, along, pairs)
    axes = _axes(along, [run for run, _ in pairs], domain)
    indices = range(len(axes))
    chosen = list(combinations(indices, 2)) if len(axes) > 1 else [(0,)]
    if len(chosen) > MOST_PAIRS:
        chosen = list(pairwise(indices))[:MOST_PAIRS]
    maps = tuple(_map(axes, pair, cells) for pair in chosen)
    return Coverage(assessed, maps, len(axes) > 2, any(each.marks for each in maps))


def _cells(
    assessed: AssessedCoverage,
    along: Sequence[tuple[Datum, int]],
    runs: Sequence[tuple[PlannedVerification, Result]],
) -> _Cells:
    place = assessed.cells["proved"].source
    document, _, pointer = place.partition("#")
    claims: dict[Cell, dict[str, tuple[str, bool]]] = {}
    marked = set()
    for run, result in runs:
        cell = tuple(int(number.value) for number in run.cell or ())
        if len(cell) != len(along) or any(
            number >= count for number, (_, count) in zip(cell, along, strict=True)
        ):
            raise ReportError(document, pointer, f"verification {result.number} is of no cell of it")
        claimed = claims.setdefault(cell, {"holds": ("unknown", False), "never": ("unknown", False)})
        claimed[run.claim.value] = result.verdict.value, result.vacuous
        if result.verdict.value == "refuted" and run.claim.value == "holds":
            marked.add(cell)
    verdicts = {cell: cell_verdict(claimed) for cell, claimed in claims.items()}
    found = list(verdicts.values())
    if any(found.count(verdict) != int(assessed.cells[verdict].value) for verdict in VERDICTS):
        raise ReportError(document, pointer.rpartition("/")[0], "counts other cells than the results have")
    return _Cells(verdicts, frozenset(marked))


def _axes(
    along: Sequence[tuple[Datum, int]], runs: Sequence[PlannedVerification], domain: Sequence[DomainInput]
) -> list[Axis]:
    """The axes with their ranges, which are those of the first and of the last cell."""
    inputs = {entry.name.value: entry for entry in domain}
    axes = []
    for index, (name, count) in enumerate(along):
        if name.value not in inputs:
            document, _, pointer = name.source.partition("#")
            raise ReportError(document, pointer, "is no input of the domain")
        ends: dict[int, Mapping[str, Datum]] = {}
        for run in runs:
            if run.cell is not None and run.box is not None:
                ends[int(run.cell[index].value)] = {
                    end: value
                    for side in run.box
                    if side.name.value == name.value
                    for end, value in (("minimum", side.minimum), ("maximum", side.maximum))
                }
        entry = inputs[name.value]
        minimum = ends.get(0, {}).get("minimum", entry.minimum)
        maximum = ends.get(count - 1, {}).get("maximum", entry.maximum)
        axes.append(Axis(entry.name, entry.unit, minimum, maximum, count))
    return axes


def _map(axes: Sequence[Axis], chosen: Sequence[int], cells: _Cells) -> Map:
    x, y = axes[chosen[0]], axes[chosen[1]] if len(chosen) == 2 else None
    height = STRIP if y is None else HEIGHT
    wide, high = WIDTH / x.cells, height / (1 if y is None else y.cells)
    gravest: dict[tuple[int, int], str] = {}
    marked = set()
    for cell, verdict in cells.verdicts.items():
        seen = cell[chosen[0]], cell[chosen[1]] if y is not None else 0
        gravest[seen] = min(verdict, gravest.get(seen, verdict), key=GRAVITY.index)
        if cell in cells.marked:
            marked.add(seen)
    paths = {
        verdict: _path([seen for seen in sorted(gravest) if gravest[seen] == verdict], wide, high, height)
        for verdict in VERDICTS
    }
    return Map(
        x=x,
        y=y,
        height=height,
        paths={verdict: path for verdict, path in paths.items() if path},
        grid=_grid(x.cells, 1 if y is None else y.cells, height),
        marks=_marks([seen for seen in sorted(marked) if gravest[seen] != "refuted"], wide, high, height),
    )


def _path(cells: Sequence[tuple[int, int]], wide: float, high: float, height: int) -> str:
    """Rectangles of cells, drawn upward; neighbours along x are one."""
    runs: list[list[int]] = []  # first column, row, columns
    for column, row in sorted(cells, key=lambda cell: (cell[1], cell[0])):
        if runs and runs[-1][1] == row and runs[-1][0] + runs[-1][2] == column:
            runs[-1][2] += 1
        else:
            runs.append([column, row, 1])
    return "".join(
        f"M{_short(column * wide)} {_short(height - row * high)}"
        f"h{_short(count * wide)}v{_short(-high)}h{_short(-count * wide)}z"
        for column, row, count in runs
    )


def _marks(cells: Sequence[tuple[int, int]], wide: float, high: float, height: int) -> str:
    """A diamond in the middle of each cell."""
    size = min(MARK, 0.3 * min(wide, high))
    side = _short(size)
    return "".join(
        f"M{_short((column + 0.5) * wide)} {_short(height - (row + 0.5) * high - size)}"
        f"l{side} {side}l-{side} {side}l-{side}-{side}z"
        for column, row in cells
    )


def _grid(columns: int, rows: int, height: int) -> str:
    if max(columns, rows) > GRID_LIMIT:
        return ""
    upright = [f"M{_short(WIDTH * column / columns)} 0v{height}" for column in range(1, columns)]
    level = [f"M0 {_short(height * row / rows)}h{WIDTH}" for row in range(1, rows)]
    return "".join(upright + level)


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
