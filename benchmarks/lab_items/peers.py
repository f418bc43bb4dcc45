"""ACAS Xu and families of our own beside alpha-beta-CROWN and nnenum: verdicts, boxes, CPU seconds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.compare_verdicts import judge
from benchmarks.families import FAMILIES, write_family
from benchmarks.families import STEPS as FAMILY_STEPS
from benchmarks.lab_items.base import Bench, Figure, Item, LabError, Report, at_least, count, plain
from benchmarks.lab_items.suites import rows_of
from hybrid_ai.bench.engines import OURS
from hybrid_ai.bench.side_by_side import Field, Plan, assemble, disagree, measure_instance, summarize
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.suite import Instance, read_suite

LEAST_TIMES = 20.0
SMALL_STEPS = 200
PLAN = Plan()
Row = dict[str, Any]


def run(bench: Bench) -> Report:
    field = _assemble()
    for name, remedy in field.skipped.items():
        if not bench.small:
            raise LabError(f"{name} is missing, and this item compares with it: {remedy}")
    suites = {"acasxu": (bench.data / "acasxu", _acasxu(bench)), **_families(bench)}
    figures: list[Figure] = []
    details: dict[str, Any] = {"peers": field.versions, "starts": field.starts, "plan": asdict(PLAN)}
    resumed = False
    for name, (home, chosen) in suites.items():
        rows, continued = _measured(bench, field, name, home, [instance for instance, _ in chosen])
        resumed |= continued
        sums = summarize(field, rows)
        pairs = zip(rows, chosen, strict=True)
        known = [judge(verdict, row["engines"][OURS]["verdict"]) for row, (_, verdict) in pairs]
        figures += _figures(name, sums, known.count("contradicts"))
        details[name] = {"sums": sums, "rows": [_detail(row) for row in rows]}
    return Report(tuple(figures), details, resumed)


def _assemble() -> Field:
    try:
        return assemble(PLAN)
    except BadInput as error:
        raise LabError(str(error)) from error


def _acasxu(bench: Bench) -> list[tuple[Instance, str]]:
    rows = rows_of(bench, "acasxu")
    rows = rows[len(rows) // 2 :][:1] if bench.small else rows  # the first ones take a peer a minute
    return [(Instance(row["onnx"], row["vnnlib"], float(row["timeout_s"])), row["verdict"]) for row in rows]


def _families(bench: Bench) -> dict[str, tuple[Path, list[tuple[Instance, str]]]]:
    """Per family its folder and instances; trained once, as an interrupted run goes on with the same."""
    found = {}
    for family in FAMILIES:
        steps = SMALL_STEPS if bench.small else FAMILY_STEPS
        suite = bench.folder / family.name / "instances.csv"
        bench.once(
            f"train {family.name}", lambda one=family, n=steps: str(write_family(one, bench.folder, n))
        )
        verdicts = [line.split(",")[3] for line in suite.read_text(encoding="utf-8").splitlines()[1:]]
        pairs = list(zip(read_suite(suite, None), verdicts, strict=True))
        found[family.name] = (suite.parent, pairs[2:3] if bench.small else pairs)
    return found


def _measured(
    bench: Bench, field: Field, suite: str, home: Path, instances: list[Instance]
) -> tuple[list[Row], bool]:
    """The row of every instance, and whether some are from an interrupted run."""
    rows, resumed = [], False
    for turn, instance in enumerate(instances):
        step = f"{suite} {turn}"
        row = bench.kept(step)
        resumed |= row is not None
        if row is None:
            row = bench.keep(step, measure_instance(field, instance, home, PLAN, turn))
        rows.append(row)
    return rows, resumed


def _figures(suite: str, sums: Row, wrong: int) -> list[Figure]:
    """Verdicts must agree; how many times less CPU our search takes has a bar on ACAS Xu alone."""
    search = sums["search"]
    figures = [
        count(f"{suite}: verdicts that contradict each other", sums["disagreements"], 0),
        count(f"{suite}: wrong verdicts of ours", wrong, 0),
        plain(f"{suite}: CPU of our search", search["cpu_searching"], "s"),
        plain(f"{suite}: boxes of our search", search["boxes"]),
    ]
    for name, one in sums["engines"].items():
        label = f"{suite}: {name}"
        figures.append(plain(f"{label}, decided", one["decided"]))
        figures.append(plain(f"{label}, CPU of whole processes", one["cpu"], "s"))
        if "cpu_solving" in one:
            figures.append(plain(f"{label}, CPU without starting", one["cpu_solving"], "s"))
            figures.append(plain(f"{label}, boxes or sets", one["boxes"]))
            figures.append(_times(suite, label, one["times_our_search"]))
            reading = one["times_our_reading_and_search"]
            figures.append(plain(f"{label}, times our reading and search", reading))
            figures.append(plain(f"{label}, times our whole processes", one["times_our_process"]))
    return figures


def _times(suite: str, label: str, times: float) -> Figure:
    name = f"{label}, times our search"
    return at_least(name, times, LEAST_TIMES) if suite == "acasxu" else plain(name, times)


def _detail(row: Row) -> list[Any]:
    """Model, property, our search, then each engine: verdict, boxes, CPU seconds."""
    search = row["search"]
    cells = [[one["verdict"], one["boxes"], round(one["cpu"], 2)] for one in row["engines"].values()]
    own = [search["verdict"], search["boxes"], round(search["cpu_searching"], 4)]
    marks = ["disagree"] if disagree(row) else []
    return [Path(row["onnx"]).stem, Path(row["vnnlib"]).stem, own, *cells, *marks]


ITEM = Item(
    "peers",
    "ACAS Xu and three families of our own beside alpha-beta-CROWN and nnenum",
    "about an hour on an idle machine",
    run,
)
