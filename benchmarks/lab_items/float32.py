"""What proving for float32 as well costs: acasxu, what holds, in real arithmetic and in both."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.lab_items.base import Bench, Figure, Item, Report, at_most, count, plain
from benchmarks.lab_items.processes import warm_up
from benchmarks.lab_items.suites import SuiteRun, choose, label, rows_of, run_suite

TURNS = 3
MOST_TIMES = 1.15
MOST_BOXES = 1.05
ARITHMETICS = ("real", "both")


def proved(suite: SuiteRun, arithmetic: str) -> int:
    """Instances proved in everything that was asked for."""
    names = {"real": {"real"}, "both": {"real", "float32"}}[arithmetic]
    return sum(
        content["verdict"] == "proved" and set(content["arithmetics"]) == names for content in suite.contents
    )


def spent(suite: SuiteRun, part: str) -> float:
    return sum(float(content["seconds"][part]) for content in suite.contents)


def boxes(suite: SuiteRun) -> int:
    return sum(int(content["bounded"]) for content in suite.contents)


def penalties(suite: SuiteRun) -> dict[str, list[float]]:
    """Per property: least margin left and largest penalty over its instances."""
    found: dict[str, list[float]] = {}
    for row, content in zip(suite.rows, suite.contents, strict=True):
        margin, penalty = content["margin"], content["float32_penalty"]
        if margin is None or penalty is None:
            continue
        held = found.setdefault(label(row).split()[-1], [margin, penalty])
        held[0], held[1] = min(held[0], margin), max(held[1], penalty)
    return {name: [float(f"{value:.3g}") for value in pair] for name, pair in sorted(found.items())}


def figures_of(runs: dict[str, list[SuiteRun]]) -> list[Figure]:
    real, both = runs["real"], runs["both"]
    figures = [
        count(f"{name}: proved", proved(runs[name][0], name), len(real[0].rows)) for name in ARITHMETICS
    ]
    for part in ("search", "check"):
        seconds = [median(spent(suite, part) for suite in some) for some in (real, both)]
        figures.append(plain(f"{part}: seconds in real arithmetic", seconds[0], "s"))
        figures.append(at_most(f"{part}: both, times real", seconds[1] / seconds[0], MOST_TIMES, "x"))
    figures.append(at_most("boxes: both, times real", boxes(both[0]) / boxes(real[0]), MOST_BOXES, "x"))
    for name, (margin, penalty) in penalties(both[0]).items():
        figures.append(plain(f"{name}: least margin left", margin))
        figures.append(plain(f"{name}: largest float32 penalty", penalty))
    return figures


def run(bench: Bench) -> Report:
    rows = [row for row in choose(bench, rows_of(bench, "acasxu")) if row["verdict"] == "unsat"]
    warm_up()
    runs: dict[str, list[SuiteRun]] = {name: [] for name in ARITHMETICS}
    for turn in range(1 if bench.small else TURNS):
        for name in ARITHMETICS:
            options = ["--arithmetic", name]
            suite = run_suite(bench, f"{name} {turn}", bench.data / "acasxu", rows, options)
            runs[name].append(suite)
    details: dict[str, Any] = {
        name: [[spent(suite, "search"), spent(suite, "check")] for suite in some]
        for name, some in runs.items()
    }
    resumed = any(suite.resumed for some in runs.values() for suite in some)
    return Report(tuple(figures_of(runs)), details, resumed)


ITEM = Item(
    "float32",
    f"acasxu, what holds: cost of proving both arithmetics instead of real alone, {TURNS} turns each",
    "about 4 minutes",
    run,
)
