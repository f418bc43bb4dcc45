"""Run a suite with known verdicts and compare."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.compare_verdicts import judge
from benchmarks.equivalents import Row, read_rows, write_suite
from benchmarks.lab_items.base import Bench, Figure, LabError, Report, count, plain
from benchmarks.lab_items.processes import TOOL, measure, succeed, warm_up

SMALL_ROWS = 4
WORDS = {"refuted": "sat", "proved": "unsat"}
Content = dict[str, Any]


@dataclass(frozen=True)
class SuiteRun:
    """A run of `verify --suite`.

    Attributes:
        rows: of the suite, as given.
        contents: the tool's line for each row.
        wall: seconds of the whole process; where it was interrupted, the sum over the rows.
        resumed: whether it was interrupted.
    """

    rows: list[Row]
    contents: list[Content]
    wall: float
    resumed: bool

    @property
    def outcomes(self) -> list[str]:
        """Per row: agrees, contradicts, open, undecided."""
        pairs = zip(self.rows, self.contents, strict=True)
        return [judge(row["verdict"], content["verdict"]) for row, content in pairs]

    def verdicts(self, name: str) -> int:
        return sum(content["verdict"] == name for content in self.contents)

    def details(self) -> list[list[Any]]:
        """Per row: model, property, verdict, reason, seconds, boxes, leaves, certificate bytes."""
        return [detail(row, content) for row, content in zip(self.rows, self.contents, strict=True)]


def label(row: Row) -> str:
    return f"{Path(row['onnx']).stem} {Path(row['vnnlib']).stem}"


def detail(row: Row, content: Content) -> list[Any]:
    if content["verdict"] == "error":
        return [label(row), "error"]
    certificate = content["certificate"]
    size = certificate["bytes"] if certificate else None
    seconds = round(content["seconds"]["total"], 3)
    reason = content["reason"]
    return [label(row), content["verdict"], reason, seconds, content["bounded"], content["leaves"], size]


def total(content: Content) -> float:
    """Seconds of one instance, 0 for a row with bad input."""
    return float(content["seconds"]["total"]) if "seconds" in content else 0.0


def choose(bench: Bench, rows: list[Row], small: int = SMALL_ROWS) -> list[Row]:
    """All rows, or in the small form a few spread over them."""
    return rows if not bench.small else [rows[k * len(rows) // small] for k in range(min(small, len(rows)))]


def run_suite(
    bench: Bench, name: str, source: Path, rows: list[Row], options: Sequence[str] = ()
) -> SuiteRun:
    """Verify rows of a suite in one process of the tool; an interrupted one continues.

    Args:
        bench: whose folder receives `NAME.jsonl` and the folder `NAME` with the evidence.
        name: of this run.
        source: folder the rows' paths are relative to.
        rows: of a suite.
        options: further ones of the tool.

    Raises:
        LabError: the tool failed.
    """
    suite, out = bench.folder / f"{name}.csv", bench.folder / f"{name}.jsonl"
    given = [
        {**row, "onnx": str(source / row["onnx"]), "vnnlib": str(source / row["vnnlib"])} for row in rows
    ]
    write_suite(suite, given)
    command = [TOOL, "verify", "--suite", str(suite), "--json-lines", str(out)]
    command += ["--certificates", str(bench.folder / name), *options]

    def verify() -> list[Any]:
        resumed = out.exists()
        return [resumed, succeed(measure(command, show=True), command).wall]

    resumed, wall = bench.once(f"suite {name}", verify)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    found = {(line["onnx"], line["vnnlib"]): line for line in lines}
    contents = [found[row["onnx"], row["vnnlib"]] for row in given]
    if resumed:
        wall = sum(map(total, contents))
    return SuiteRun(list(rows), contents, wall, resumed)


def rows_of(bench: Bench, name: str) -> list[Row]:
    """The rows of a suite of the public benchmarks.

    Raises:
        LabError: it is not there.
    """
    instances = bench.data / name / "instances.csv"
    if not instances.is_file():
        raise LabError(f"HYBRID_AI_DATA has no {name}/instances.csv: docs/benchmarks.md says where to get it")
    return read_rows(instances)


def common_figures(run: SuiteRun) -> list[Figure]:
    checked = [content for content in run.contents if content["verdict"] == "proved"]
    accepted = sum((content["checked_by"] or "").startswith("fast") for content in checked)
    return [
        count("wrong verdicts", run.outcomes.count("contradicts"), 0),
        count("rows with errors", run.verdicts("error"), 0),
        count("certificates accepted by fast", accepted, len(checked)),
    ]


def report(run: SuiteRun, figures: Sequence[Figure]) -> Report:
    note = {"wall": "sum over the rows: the run was interrupted"} if run.resumed else {}
    return Report((*figures, *common_figures(run)), {**note, "rows": run.details()}, run.resumed)


def decided_figures(run: SuiteRun) -> list[Figure]:
    """Every verdict of the column must be found."""
    wanted = {name: sum(row["verdict"] == word for row in run.rows) for name, word in WORDS.items()}
    return [
        count("right verdicts", run.outcomes.count("agrees"), len(run.rows)),
        *(count(name, run.verdicts(name), wanted[name]) for name in WORDS),
    ]


def verdicts_only(bench: Bench, name: str) -> Report:
    """The report of a suite of which every verdict must be found, in whatever time."""
    rows = choose(bench, rows_of(bench, name))
    warm_up()
    run = run_suite(bench, name, bench.data / name, rows)
    return report(run, [*decided_figures(run), plain("wall seconds in all", run.wall, "s")])
