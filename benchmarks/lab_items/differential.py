"""The differential test: random networks with known optima."""

from __future__ import annotations

import json

from benchmarks.lab_items.base import ROOT, Bench, Figure, Item, LabError, Report, count, plain
from benchmarks.lab_items.processes import PYTHON, measure, warm_up

COUNT = 2000
SMALL_COUNT = 4


def run(bench: Bench) -> Report:
    output = bench.folder / "networks.jsonl"
    resumed = output.exists()
    number = SMALL_COUNT if bench.small else COUNT
    warm_up()
    command = [PYTHON, str(ROOT / "benchmarks/differential.py"), "--count", str(number), "--jobs", "2"]
    measured = measure([*command, "--output", str(output)], show=True)
    written = output.with_suffix(".summary.json")
    if measured.code not in (0, 1) or not written.exists():
        raise LabError(f"benchmarks/differential.py ended with exit status {measured.code}, see above")
    summary = json.loads(written.read_text(encoding="utf-8"))
    unknown = 100 * summary["unknown_share"]
    figures = (
        count("networks", summary["networks"], number),
        plain("queries", summary["queries"]),
        count("disagreements", summary["disagreements"], 0),
        plain("unknown where it counts", unknown, "%"),
        Figure("passed", str(summary["passed"]).lower(), "", "true", summary["passed"]),
        plain("CPU seconds", summary["cpu_seconds"], "s"),
    )
    return Report(figures, {"summary": summary}, resumed)


ITEM = Item("differential", "2000 random networks: verdicts against exact optima", "up to an hour", run)
