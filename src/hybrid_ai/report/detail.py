"""How much of a dossier one page shows: what does not fit is left out, the gravest last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from hybrid_ai.report.content import ReportContent
from hybrid_ai.report.coverage import GRAVITY
from hybrid_ai.report.datum import Datum
from hybrid_ai.report.results import ARITHMETICS
from hybrid_ai.report.subjects import Run, Subject

Item = TypeVar("Item")
Judged = TypeVar("Judged", Run, Subject)


@dataclass(frozen=True)
class Detail:
    """How much of each thing is shown.

    Attributes:
        articles: requirements with all that is about them.
        rows: of other tables and lists.
        runs: verifications of one requirement.
        boxes, maps, points: of one requirement.
        coordinates: of a box or a counterexample.
        properties: whether texts of properties are shown.
        files: SHA-256; of more files, that of the manifest alone.
        text: signs of a text.
        contents: requirements in the table of contents.
    """

    articles: int
    rows: int
    runs: int
    boxes: int
    maps: int
    points: int
    coordinates: int
    properties: bool
    files: int
    text: int
    contents: int


# From all that any reader may want to what always fits.
DETAILS = (
    Detail(2000, 5000, 5000, 200, 100, 24, 1000, True, 10_000, 10_000, 60),
    Detail(500, 1000, 1000, 50, 50, 12, 200, True, 5_000, 10_000, 60),
    Detail(200, 300, 300, 5, 10, 5, 50, False, 2_000, 2_000, 60),
    Detail(60, 100, 60, 1, 2, 1, 20, False, 500, 500, 40),
    Detail(12, 20, 12, 1, 1, 1, 10, False, 50, 200, 12),
)


@dataclass(frozen=True)
class Shape:
    """Which columns the table of a requirement's verifications needs.

    Attributes:
        columns: pairs of a name and whether it holds numbers.
        claims, cells, samples, reasons, reused: whether there is such a column.
        arithmetics: with a column each.
    """

    columns: tuple[tuple[str, bool], ...]
    claims: bool
    cells: bool
    samples: bool
    reasons: bool
    reused: bool
    arithmetics: tuple[str, ...]


def shape(subject: Subject) -> Shape:
    """The columns that the verifications of a subject need."""
    planned = [run.planned for run in subject.runs if run.planned is not None]
    claims = any(each.claim.value != "holds" for each in planned)
    cells = any(each.cell is not None for each in planned)
    samples = any(each.sample is not None for each in planned)
    reasons = any(run.result.reason or run.result.reasons for run in subject.runs)
    reused = any(run.result.reused_from for run in subject.runs)
    arithmetics = tuple(
        name for name in ARITHMETICS if any(name in run.result.arithmetics for run in subject.runs)
    )
    columns = [("number", True)]
    columns += [("model", False)] if planned else []
    columns += [("claim", False)] if claims else []
    columns += [("cell", True)] if cells else []
    columns += [("sample", True)] if samples else []
    columns += [("verdict", False), *((name, False) for name in arithmetics)]
    columns += [("reason", False)] if reasons else []
    columns += [("reused_from", False)] if reused else []
    columns += [("seconds", True), ("leaves", True), ("bounded", True), ("certificate", True)]
    return Shape((*columns, ("checked_by", False)), claims, cells, samples, reasons, reused, arithmetics)


def verdict_of(item: Run | Subject) -> str:
    """The verdict of a verification or a subject."""
    return item.result.verdict.value if isinstance(item, Run) else item.status.value


def gravest(items: Sequence[Judged], limit: int) -> list[Judged]:
    """At most so many items, in their order; proved ones are left out first, refuted ones last."""
    numbered = sorted(enumerate(items), key=lambda pair: GRAVITY.index(verdict_of(pair[1])))
    kept = {index for index, _ in numbered[:limit]}
    return [item for index, item in enumerate(items) if index in kept]


def first_of(items: Sequence[Item], limit: int) -> Sequence[Item]:
    """At most so many items."""
    return items[:limit]


@dataclass(frozen=True)
class Index:
    """Requirements by id.

    Attributes:
        anchors: their places on the page.
        statuses: their verdicts.
        notes: of objectives, by catalogue and id.
    """

    anchors: dict[str, str]
    statuses: dict[str, Datum]
    notes: dict[tuple[str, str], Datum]

    def gravest(self, ids: Sequence[Datum]) -> str:
        """The gravest verdict of some requirements; empty without any."""
        return min((self.statuses[each.value].value for each in ids), key=GRAVITY.index, default="")


def index_of(content: ReportContent) -> Index:
    """Index the requirements of a report."""
    return Index(
        anchors={subject.id.value: subject.anchor for subject in content.subjects},
        statuses={subject.id.value: subject.status for subject in content.subjects},
        notes={} if content.plan is None else content.plan.notes,
    )
