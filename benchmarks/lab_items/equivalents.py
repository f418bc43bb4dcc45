"""Equivalent copies of the ACAS Xu problems get the same verdicts in about the same time."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

from benchmarks.equivalents import KINDS, read_rows, write_copies
from benchmarks.lab_items.base import Bench, Figure, Item, Report, at_most, count, plain
from benchmarks.lab_items.processes import warm_up
from benchmarks.lab_items.suites import SuiteRun, choose, label, rows_of, run_suite, total

SEED = 0
MOST_TIMES = 1.5
NOTED_TIMES = 3.0
WHAT = {
    "neurons": "hidden neurons permuted",
    "scales": "neurons scaled by powers of two",
    "inputs": "inputs reordered",
    "outputs": "outputs reordered",
    "boxes": "boxes shrunk to 90 %, proved ones",
}


def seconds(suite: SuiteRun) -> float:
    return sum(total(content) for content in suite.contents)


def only_proved(suite: SuiteRun) -> SuiteRun:
    """The rows that hold: what is refuted on a box may be anything on a smaller one."""
    pairs = [pair for pair in zip(suite.rows, suite.contents, strict=True) if pair[0]["verdict"] == "unsat"]
    return replace(suite, rows=[row for row, _ in pairs], contents=[content for _, content in pairs])


def changed(original: SuiteRun, copy: SuiteRun) -> list[list[Any]]:
    """Rows whose verdict is another one: model and property, verdicts before and after, reason."""
    return [
        [label(row), before["verdict"], after["verdict"], after.get("reason")]
        for row, before, after in zip(original.rows, original.contents, copy.contents, strict=True)
        if before["verdict"] != after["verdict"]
    ]


def slower(original: SuiteRun, copy: SuiteRun) -> list[list[Any]]:
    """Rows with many times the boxes: model and property, boxes before and after."""
    return [
        [label(row), before.get("bounded"), after.get("bounded")]
        for row, before, after in zip(original.rows, original.contents, copy.contents, strict=True)
        if after.get("bounded", 0) > NOTED_TIMES * max(1, before.get("bounded", 0))
    ]


def figures_of(original: SuiteRun, copy: SuiteRun, kind: str) -> list[Figure]:
    times = seconds(copy) / max(seconds(original), 1e-9)
    return [
        count(f"{WHAT[kind]}: right verdicts", copy.outcomes.count("agrees"), len(copy.rows)),
        at_most(f"{WHAT[kind]}: seconds, times the original", times, MOST_TIMES, "x"),
    ]


def run(bench: Bench) -> Report:
    source = bench.data / "acasxu"
    rows = choose(bench, rows_of(bench, "acasxu"))
    warm_up()
    original = run_suite(bench, "original", source, rows)
    right = count("original: right verdicts", original.outcomes.count("agrees"), len(rows))
    figures = [right, plain("original: seconds", seconds(original), "s")]
    details: dict[str, Any] = {"seed": SEED, "rows": {"original": original.details()}}
    runs = [original]
    for kind in KINDS:
        base = only_proved(original) if kind == "boxes" else original
        folder = bench.folder / "copies" / kind
        copies = read_rows(write_copies(source, base.rows, kind, folder, SEED))
        copy = run_suite(bench, kind, folder, copies)
        shutil.rmtree(folder)
        runs.append(copy)
        figures += figures_of(base, copy, kind)
        details["rows"][kind] = copy.details()
        details[kind] = {"changed": changed(base, copy), "slower": slower(base, copy)}
    return Report(tuple(figures), details, any(suite.resumed for suite in runs))


ITEM = Item("equivalents", "copies of acasxu that must get the same verdicts", "about 10 minutes", run)
